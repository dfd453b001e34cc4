"""The runner of `before`, command and `after`, as far as it needs no attempt around it."""

import ast
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.executor import runner as runner_module
from controller.executor.runner import HEEDED, Runner, exit_code

ARGVS = {"before": ["b"], "command": ["c"], "after": ["a"]}


@pytest.fixture(autouse=True)
def blocked() -> Iterator[None]:
    """As its main program has it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
    yield
    while signal.sigtimedwait(HEEDED, 0):
        pass
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_an_older_python_can_run_it() -> None:
    """On the machines of others: the oldest syntax that a parser of today knows."""
    ast.parse(Path(runner_module.__file__).read_text(), feature_version=(3, 7))


@pytest.mark.parametrize(
    ("status", "code"), [(0, 0), (3, 3), (-9, 137), (-15, 143), ("no such program", 127)]
)
def test_exit_codes_as_a_shell_has_them(status: int | str, code: int) -> None:
    assert exit_code(status) == code


class Short:
    """A system that refuses some starts for want of processes, and what comes meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusals: int, notice: int = 0) -> None:
        self.refusals, self.notice, self.asked = refusals, notice, 0
        monkeypatch.setattr(runner_module, "TRY_AGAIN_SECONDS", 0.001)
        monkeypatch.setattr(subprocess, "Popen", self.start)
        monkeypatch.setattr(runner_module, "signal_others", lambda *_: None)

    def start(self, argv: list[str], **_: Any) -> Any:
        self.asked += 1
        if self.asked > self.refusals:
            return Ended()
        if self.notice:
            signal.pthread_kill(threading.get_ident(), self.notice)  # not to other threads
        raise OSError(errno.EAGAIN, "no room")


class Ended:
    returncode = 5

    def poll(self) -> int:
        return 5


@pytest.mark.parametrize("part", ["before", "command", "after"])
def test_it_waits_for_room_to_start_a_part(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    system = Short(monkeypatch, refusals=3)
    assert Runner(ARGVS, os.devnull).run(part) == 5
    assert system.asked == 4


@pytest.mark.parametrize(("part", "status"), [("before", -15), ("command", -15), ("after", 5)])
def test_what_waits_for_room_is_given_up_when_the_attempt_is_ended(
    monkeypatch: pytest.MonkeyPatch, part: str, status: int
) -> None:
    """But for `after`, which has to run all the same."""
    system = Short(monkeypatch, refusals=3, notice=signal.SIGTERM)
    assert Runner(ARGVS, os.devnull).run(part) == status
    assert system.asked == (4 if part == "after" else 1)
