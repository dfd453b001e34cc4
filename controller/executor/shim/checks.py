"""What a message must be before anything of it is believed, and who may send one at all.

Every check comes before the first effect, so nothing is taken over half. A message of the right
types can still ask for what is impossible; that fails its attempt, not the shim.
"""

import os
import resource
import socket
from typing import Any, NamedTuple

from controller.executor.shim.children import mark_of
from controller.executor.shim.journal import ATTEMPT
from controller.executor.shim.wire import Message

WORDS = 100  # characters of a reason that come from the other end
# From older controllers come fewer fields.
START = [str, int, list, dict, str, str, bool, int, list]
STARTS = [START[:8], START, [*START[:8], bool], START[:7], START[:6]]


class Refused(Exception):
    """The text says why; it goes to the other end, and the connection is closed."""


class Hello(NamedTuple):
    epoch: int
    slots: int
    env: dict[str, str]
    umask: int
    limits: dict[int, int]


def check(message: Message) -> None:
    """Raises Refused if it is none that a controller sends."""
    if type(message) is not list or not message or type(message[0]) is not str:
        raise Refused("a message is a list that begins with a word")
    verb, *rest = message
    if verb == "start":
        fine = is_start(rest)
    elif verb == "forget":
        fine = {str} >= set(map(type, rest))
    elif verb == "withdraw":
        fine = len(rest) == 1 and is_attempt(rest[0])
    elif verb == "ping":
        fine = not rest
    elif verb == "hello":
        fine = len(rest) == 1 and type(rest[0]) is dict
    else:
        raise Refused(f"there is no message {verb[:WORDS]!a}")
    if not fine:
        raise Refused(f"a message {verb} has a wrong shape")


def is_start(rest: list[Any]) -> bool:
    """Types are compared as lists and sets, because that takes half the time."""
    if list(map(type, rest)) not in STARTS:
        return False
    attempt, mark, argv, env, *_ = rest
    words = {*map(type, argv), *map(type, env.values())}
    if len(rest) == len(START) and type(rest[-1]) is list:
        words.update(map(type, rest[-1]))
    return bool(argv) and words == {str} and 0 <= mark < 1 << 63 and is_attempt(attempt)


def is_attempt(text: Any) -> bool:
    """The journal can hold no other name."""
    return type(text) is str and ATTEMPT.fullmatch(text) is not None


def hello_of(about: dict[str, Any]) -> Hello:
    """All that a controller says of itself, as it can be adopted; else Refused."""
    try:
        env, limits = about["env"], about["limits"]
        numbers: list[Any] = [about[key] for key in ("epoch", "slots", "umask")]
        if {type(env), type(limits)} != {dict} or {type(number) for number in numbers} != {int}:
            raise TypeError
        epoch, slots, umask = numbers
        if epoch < 0 or slots < 0 or not 0 <= umask <= 0o777:
            raise ValueError
        for name, value in env.items():
            (name + value).encode(errors="surrogateescape")
        kinds = {int(kind): soft for kind, soft in limits.items()}
        for kind, soft in kinds.items():
            resource.getrlimit(kind)  # is there such a limit?
            if type(soft) is not int or not (-1 <= soft < 1 << 63):
                raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Refused("a message hello has a wrong shape") from None
    return Hello(epoch, slots, env, umask, kinds)


def check_peer(peer: socket.socket, marks: set[int]) -> None:
    """Raises Refused unless it is this user or root, and no step: none has one of these marks."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid, _ = memoryview(credentials).cast("I").tolist()
    if uid not in (os.geteuid(), 0):
        raise Refused(f"user {uid} is neither the one that runs the steps nor root")
    # A pid of 0 is in a container of its own, where none of our steps is.
    if pid and mark_of(pid) in marks:
        raise Refused("a step may not give orders to the supervisor that runs it")
