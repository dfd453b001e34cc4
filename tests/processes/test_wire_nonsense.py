"""Whoever connects to the shim, and whatever it says: no other is harmed, and nothing is half."""

import json
import os
import random
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from processes.test_shim import raw_connection
from processes.yard import Yard, kill

from controller.errors import StorageError
from controller.executor.shim import door

SECONDS = 3.0  # of nonsense
FAR = 4611686018427387904

HELLO: dict[str, Any] = {
    "epoch": 2,
    "slots": 3,
    "env": {"A": "b"},
    "umask": 63,
    "limits": {"7": 99},
}
JUNK: list[Any] = [
    *(None, True, False, -1, 0, 1.5, 1e999, FAR, 1 << 64, -(1 << 70), "", "x", "u/s/1", "\0"),
    *("\ud800", "../x", "x" * 5000, [], {}, [[]], {"7": -2}, {"99": 1}, {"x": 1}, {"7": "x"}),
    *(["\0"], [""], [1], {"A": 1}, {"A": "\ud800"}, {"A=B": "\0"}, [None], "9" * 50, 1 << 31),
]


def answer(wire: socket.socket, said: bytes) -> bytes:
    """All it hears until the other end hangs up, or has nothing to say any more."""
    wire.settimeout(5)
    heard = b""
    with suppress(ConnectionError):
        wire.sendall(said)
    with suppress(ConnectionError):
        while select.select([wire], [], [], 0.02)[0] and (data := wire.recv(1 << 16)):
            heard += data
    return heard


def words(heard: bytes) -> list[list[Any]]:
    return [message for line in heard.splitlines() for message in json.loads(line)]


def line(*messages: Any) -> bytes:
    return json.dumps(messages).encode() + b"\n"


@pytest.mark.parametrize(
    ("key", "junk"),
    [
        *[("epoch", junk) for junk in (True, -1, 1.5, None, "7", [], FAR, 1_000_002)],
        *[("slots", junk) for junk in (True, -1, 1.5, "3", None)],
        *[("umask", junk) for junk in (True, -1, 1 << 70, 512, "7")],
        *[("env", junk) for junk in ([], {"A": 1}, {"A": "\ud800"}, None)],
        *[("limits", junk) for junk in ([], {"99": 1}, {"x": 1}, {"7": "x"}, {"7": 1 << 70})],
    ],
)
def test_a_hello_that_is_wrong_takes_nothing_over(yard: Yard, key: str, junk: Any) -> None:
    executor = yard.executor(epoch=1)
    heard = words(answer(raw_connection(yard), line(["hello", {**HELLO, key: junk}])))
    assert [verb for verb, *_ in heard] == ["rejected"] and heard[0][1]
    executor.start([yard.launch("step", "echo $A; umask")])
    yard.ended(executor, "step")
    assert "b" not in yard.log("step")
    assert '["epoch", 1]' in (yard.state / "shim/journal").read_text()


def test_an_epoch_far_away_in_the_journal_is_not_believed(yard: Yard) -> None:
    executor = yard.executor(epoch=3)
    kill([executor.shim.pid])
    executor.close()
    with (yard.state / "shim/journal").open("a") as file:
        file.write(f'["epoch", {FAR}]\n' + "[" * 100_000 + "\n")
    again = yard.executor(epoch=4)
    again.start([yard.launch("step")])
    yard.ended(again, "step")


def test_a_second_hello_on_a_connection_is_refused(yard: Yard) -> None:
    yard.executor(epoch=1).close()
    heard = words(answer(raw_connection(yard), line(["hello", HELLO], ["hello", HELLO])))
    assert heard[-1][0] == "rejected"


def test_of_a_line_that_is_wrong_nothing_is_carried_out(yard: Yard) -> None:
    yard.executor(epoch=1).close()
    start = ["start", f"{yard.uid}/s/1", yard.mark("s"), ["/bin/true"], {}, str(yard.work), "log"]
    heard = words(answer(raw_connection(yard), line(["hello", HELLO], start, ["start", "s"])))
    assert [verb for verb, *_ in heard] == ["rejected"]
    assert yard.executor(epoch=2).attempts == {}


def test_a_step_may_not_give_orders(yard: Yard) -> None:
    executor = yard.executor(epoch=1)
    connect = (
        "import os, socket, sys; os.chdir(sys.argv[1]); s = socket.socket(socket.AF_UNIX); "
        "s.connect('shim/socket'); s.settimeout(5); "
        "print(s.recv(1 << 16))"
    )
    executor.start([yard.launch("step", sys.executable, "-c", connect, str(yard.state))])
    yard.ended(executor, "step")
    assert "rejected" in yard.log("step") and "a step may not" in yard.log("step")
    executor.start([yard.launch("next")])
    yard.ended(executor, "next")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")
def test_another_user_may_not_give_orders(yard: Yard) -> None:
    """The folder keeps others out; should it be open, the shim asks who they are."""
    executor = yard.executor(epoch=1)
    wire = socket.socket(socket.AF_UNIX)
    (yard.state / "shim/socket").chmod(0o777)
    before = os.getcwd()
    (yard.state / "shim").chmod(0o711)
    os.chdir(yard.state / "shim")
    os.seteuid(65534)
    try:
        wire.connect("socket")
    finally:
        os.seteuid(0)
        os.chdir(before)
    (heard,) = words(answer(wire, line(["hello", HELLO])))
    assert heard[0] == "rejected" and "user 65534" in heard[1]
    executor.start([yard.launch("step")])
    yard.ended(executor, "step")


def test_connections_without_end_use_up_nothing(yard: Yard) -> None:
    executor = yard.executor(epoch=1)
    wires = [raw_connection(yard) for _ in range(4 * door.BACKLOG) if not time.sleep(0.002)]
    executor.start([yard.launch("step")])
    yard.ended(executor, "step")
    assert len(os.listdir(f"/proc/{executor.shim.pid}/fd")) < 40
    for wire in wires:
        wire.close()


def test_a_controller_is_told_why_it_was_hung_up_on(yard: Yard) -> None:
    executor = yard.executor(epoch=1)
    executor.shim.say(["dance"])
    executor.flush()
    with pytest.raises(StorageError, match=r"hung up: there is no message 'dance'"):
        yard.until(executor, lambda: False)


def spoiled(dice: random.Random, message: Any) -> Any:
    """The same with one part of it, at any depth, taken for junk, dropped or doubled."""
    message = deepcopy(message)
    place = message
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return dice.choice(JUNK)
        key = dice.choice(keys)
        if isinstance(place[key], list | dict) and dice.random() < 0.7:
            place = place[key]
            continue
        act = dice.random()
        if act < 0.7:
            place[key] = dice.choice(JUNK)
        elif act < 0.85 or isinstance(place, dict):
            del place[key]
        else:
            place.insert(key, place[key])
        return message


def nonsense(dice: random.Random, yard: Yard, number: int) -> Iterator[Any]:
    start = ["start", f"{yard.uid}/f{number}/1", yard.mark("f"), ["/bin/true", "x"], {"A": "b"}]
    start += [str(yard.work), "runs/f.log", False, 0, ["A"]]
    known = [start, ["withdraw", "u/s/1"], ["forget", "u/s/1", "u/t/1"], ["ping"]]
    for _ in range(dice.randrange(1, 5)):
        yield spoiled(dice, dice.choice([*known, start, start]))


@pytest.mark.parametrize("greets", [False, True], ids=["of anybody", "of the controller"])
def test_no_message_of_any_shape_ends_it(yard: Yard, greets: bool) -> None:
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    executor = yard.executor(epoch=1)
    pid = executor.shim.pid
    executor.start([yard.launch("before", "sleep 300; true")])
    yard.started(executor, "before")
    if greets:
        executor.close()
    enough = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < enough:
        number += 1
        hello = ["hello", {**HELLO, "epoch": 1 + number}]
        first = hello if greets else spoiled(dice, ["hello", {**HELLO, "epoch": 0}])
        raw = line(first) + b"".join(line(each) for each in nonsense(dice, yard, number))
        if dice.random() < 0.2:
            at = dice.randrange(len(raw))
            raw = raw[:at] + dice.randbytes(3) + raw[at + 1 :]
        with raw_connection(yard) as wire:
            answer(wire, raw)
        assert yard.shims() == [pid], f"seed {seed}, number {number}"
    again = yard.executor(epoch=number + 2) if greets else executor
    again.end([yard.order("before", grace=0)])
    again.start([yard.launch("after", "echo $A; umask")])
    assert yard.ended(again, "before", "after")[1].exit_code == 0, f"seed {seed}"
    assert not yard.log("after").startswith("b")
