"""What listens at the socket of the shim may be anything: the controller says so, and stops."""

import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes.yard import Yard

from controller.errors import StorageError

HELLO: dict[str, Any] = {"protocol": 4, "pid": 7, "journal": "x"}


def line(*messages: Any) -> bytes:
    return json.dumps(messages).encode() + b"\n"


@pytest.mark.parametrize(
    "said",
    [
        line(["hello", {}]),
        line(["hello", {**HELLO, "pid": -1}]),
        line(["hello", {**HELLO, "pid": 1 << 40}]),
        line(["hello", {**HELLO, "protocol": "4"}]),
        line(["hello", {**HELLO, "journal": 4}]),
        line(["hello", HELLO], ["started", "u/a/1", "x", 1, 2], ["told"]),
        line(["hello", HELLO], ["exited", "u/a/1", 256, 1 << 60, 0, 0, False], ["told"]),
        line(["hello", HELLO], ["exited", "a", 256, 1, 0, 0, False], ["told"]),
        line(["hello", HELLO], ["forget", "u/a/1"], ["told"]),
        line(["hello", HELLO], ["short", None]),
        line(["what"]),
        line([]),
        line({}),
        line("hello"),
    ],
)
def test_what_makes_no_sense_is_told(yard: Yard, said: bytes) -> None:
    (yard.state / "shim").mkdir(parents=True)
    lock = os.open(yard.state / "shim/lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, str(os.getpid()).encode())
    before = os.getcwd()
    os.chdir(yard.state / "shim")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        os.chdir(before)
        listener.listen()

        def serve() -> None:
            wire, _ = listener.accept()
            wire.sendall(said)
            wire.recv(1 << 20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(StorageError, match=r"the supervisor of the steps .* makes no sense"):
            yard.executor()
    os.close(lock)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (os.mkfifo, "it is not a regular file"),
        (os.mkdir, "it is a folder"),
        (lambda path: os.symlink("/dev/zero", path), "it is a link"),
        (lambda path: (open(path, "w").close(), os.truncate(path, 1 << 40)), "it is larger than"),
    ],
)
def test_a_journal_that_can_not_be_read_starts_nothing_and_says_why(
    yard: Yard, make: Callable[[Path], object], problem: str
) -> None:
    """Without it, an attempt that runs could be started again."""
    (yard.state / "shim").mkdir(parents=True)
    make(yard.state / "shim/journal")
    with pytest.raises(StorageError, match=r"shim/errors says why"):
        yard.executor()
    errors = (yard.state / "shim/errors").read_text()
    assert f"{yard.state}/shim/journal: {problem}" in errors
    assert "put it back from a copy" in errors and "Traceback" not in errors
