"""The controller's side of the conversation with the present shim.

It knows which shim that is, which protocol it speaks, whether it has reported everything it knew,
and whether it works. What the shim reports about attempts is passed on unchanged.
"""

import select
import time
from typing import Any

from controller.errors import LockHeld, StorageError
from controller.executor.local.link import (
    INHERIT_PROTOCOL,
    PING_PROTOCOL,
    PROTOCOL,
    SILENT_SECONDS,
    Link,
    as_older,
    greeting,
)
from controller.executor.shim.journal import ATTEMPT, ENDS, is_note
from controller.executor.shim.wire import Message, readable
from controller.loop.ports import Trouble

HELLO_SECONDS_MAX = 10.0
PID_MAX = 1 << 31
SAYS: dict[str, list[type]] = {"told": [], "short": [str], "refused": [int], "rejected": [str]}


class ShimClient:
    def __init__(
        self, state_dir: str, boot_id: str, epoch: int, slots: int, poll: select.epoll
    ) -> None:
        self.waiting: list[Message] = []
        self.pid = 0
        self.protocol = 0
        self.journal = ""  # the name of its journal
        self.forgetful = False  # has it another journal than the shim before?
        self.shortage = ""  # why it can't start anything now
        self.outdated = False  # it is older than this program: replace it once it has no attempts
        self.synced = False  # has it reported all that it knew when we connected?
        self.link = Link(state_dir, boot_id, greeting(epoch, slots), poll)

    def say(self, message: Message) -> None:
        """Goes out with the next flush()."""
        self.waiting.append(message)

    def flush(self) -> None:
        if self.synced:  # before, nobody knows what it understands
            self.link.send(list(map(self.understood, self.waiting)))
            self.waiting = []

    def understood(self, message: Message) -> Message:
        """The message as this shim knows it."""
        older = message[0] == "start" and self.protocol < INHERIT_PROTOCOL
        return as_older(message, self.protocol) if older else message

    def listen(self) -> list[Message]:
        """The messages since the last call. If the shim has died, another one replaces it here."""
        messages = self.link.receive()
        if not all(map(makes_sense, messages)):
            problem = self.link.mend("says what makes no sense")
            raise StorageError(f"{self.link.folder}: {problem}")
        for verb, *rest in messages:
            if verb == "hello":
                self.on_hello(rest[0])
            elif verb == "refused":
                raise LockHeld(
                    f"another controller (epoch {rest[0]}) has taken over the running steps"
                )
            elif verb == "rejected":
                why = readable(rest[0])
                raise StorageError(
                    f"{self.link.folder}: the supervisor of the steps hung up: {why}"
                )
            elif verb == "told":
                self.synced = True
            elif verb == "short":
                self.shortage = readable(rest[0])
        if self.link.wire.closed:
            self.synced = False  # the steps go on without it
            self.link.reopen()
        return messages

    def all_it_knows(self, poll: select.epoll) -> list[Message]:
        """Only at the start: a controller can't decide anything before it knows what runs."""
        enough = time.monotonic() + HELLO_SECONDS_MAX
        told: list[Message] = []
        while not self.synced:
            poll.poll(0.1)
            told += self.listen()
            if time.monotonic() > enough:
                raise StorageError(f"{self.link.folder}: {self.link.mend('does not answer')}")
        return told

    def on_hello(self, about: dict[str, Any]) -> None:
        stays = about["pid"] == self.pid  # it was told to stop, but did not
        if about["protocol"] > PROTOCOL:
            raise StorageError(
                f"{self.link.folder}: a newer treadle started the running steps; "
                "use that version, or wait until they have finished"
            )
        self.outdated = about["protocol"] < PROTOCOL and not stays
        self.pid, self.protocol = about["pid"], about["protocol"]
        self.shortage = ""
        journal = about.get("journal", "")
        self.forgetful = self.journal not in ("", journal)
        self.journal = journal

    def replace(self) -> None:
        """Nothing is lost: for every attempt that it knows, the log has the end."""
        self.outdated = self.synced = False
        self.link.replace(self.pid)

    def ping(self) -> None:
        """If nothing was sent for long, check that it still reads."""
        if self.protocol >= PING_PROTOCOL and self.link.quiet():
            self.say(["ping"])

    def trouble(self) -> Trouble | None:
        if self.link.silent():
            problem = self.link.mend("reads nothing")
            return Trouble("SupervisorSilent", f"{problem}; until then nothing is started")
        return out_of_resources(self.shortage)

    def look_again_seconds(self) -> float:
        """How soon to check it again, while there are attempts."""
        return 1.0 if self.link.unread() else SILENT_SECONDS


def makes_sense(message: object) -> bool:
    """Whether a shim can say this: whatever listens at its socket may be something else."""
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        return False
    verb, *rest = message
    if verb == "hello":
        return len(rest) == 1 and is_hello(rest[0])
    if verb == "returned":
        return all(isinstance(text, str) and ATTEMPT.fullmatch(text) for text in rest)
    if verb in SAYS:
        return list(map(type, rest)) == SAYS[verb]
    return verb in ENDS | {"starting", "started", "orphaned"} and is_note(message)


def is_hello(about: object) -> bool:
    if not isinstance(about, dict) or not isinstance(about.get("journal", ""), str):
        return False
    pid, protocol = about.get("pid"), about.get("protocol")
    return type(pid) is type(protocol) is int and 0 < pid < PID_MAX and protocol > 0


def out_of_resources(shortage: str) -> Trouble | None:
    """What to say of a shortage; there is none if it is empty."""
    if not shortage:
        return None
    return Trouble("OutOfResources", f"nothing can be started: {shortage}; it is tried again")
