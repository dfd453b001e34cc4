"""What the mark alone tells and does, on real processes."""

import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from processes.yard import eventually, read

from controller.executor.local import by_mark
from controller.executor.local.by_mark import (
    UNMARKED,
    freeze,
    last_pid,
    mark_of,
    newborns,
    shown_mark,
    stop,
)

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(300)"]


class Marked:
    """Processes that carry a mark of their own, as a shim would start them."""

    def __init__(self) -> None:
        self.mark = random.getrandbits(60)
        self.begun: list[subprocess.Popen[bytes]] = []

    def begin(self, *argv: str) -> subprocess.Popen[bytes]:
        own = resource.getrlimit(by_mark.RLIMIT_LOCKS)
        resource.setrlimit(by_mark.RLIMIT_LOCKS, (self.mark, own[1]))
        try:
            self.begun.append(subprocess.Popen(argv or SLEEPER, start_new_session=True))
        finally:
            resource.setrlimit(by_mark.RLIMIT_LOCKS, own)
        return self.begun[-1]


@pytest.fixture
def marked() -> Iterator[Marked]:
    marked = Marked()
    yield marked
    for process in marked.begun:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_stopped(pid: int) -> bool:
    return read(pid, "stat").rpartition(b")")[2].split()[:1] == [b"T"]


def test_a_mark_is_told_in_both_ways(marked: Marked) -> None:
    pid = marked.begin().pid
    assert mark_of(pid) == shown_mark(pid) == marked.mark
    assert mark_of(os.getpid()) == resource.getrlimit(by_mark.RLIMIT_LOCKS)[0]
    for gone in (1 << 22) - 1, 1 << 29:
        assert mark_of(gone) == shown_mark(gone) == UNMARKED


def test_all_that_carry_it_are_frozen_and_no_one_else(marked: Marked) -> None:
    other = Marked()
    pids = {marked.begin().pid for _ in range(3)}
    stranger, spared = other.begin().pid, marked.begin().pid
    try:
        assert freeze({marked.mark}, {spared}) == pids
        eventually(lambda: all(map(is_stopped, pids)))
        assert not is_stopped(stranger)
        assert not is_stopped(spared)
        assert freeze({other.mark, marked.mark}, ()) == {*pids, stranger, spared}
    finally:
        os.killpg(stranger, signal.SIGKILL)
        other.begun[0].wait()


def test_what_forks_faster_than_one_can_list_is_frozen(marked: Marked) -> None:
    """A comet: each lives for the time of one fork, and is never in a listing."""
    comet = "import os\nwhile os.fork() == 0: pass\nos._exit(0)"
    marked.begin(sys.executable, "-S", "-c", comet)

    def at_rest() -> bool:
        freeze({marked.mark}, ())
        before = last_pid()
        alive = [
            pid for pid in range(max(1, before - 50), before + 1) if mark_of(pid) == marked.mark
        ]
        return all(map(is_stopped, alive))

    eventually(at_rest)


def test_only_who_carries_it_when_looked_at_again_is_signalled(
    marked: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pid may have been handed on before it was opened."""
    pid = marked.begin().pid
    answers = iter([marked.mark, UNMARKED])
    monkeypatch.setattr(by_mark, "mark_of", lambda _: next(answers))
    assert not stop(pid, {marked.mark})
    assert not is_stopped(pid)


def test_newborns_are_told_until_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([12, 13, 13])
    monkeypatch.setattr(by_mark, "last_pid", lambda: next(told))
    assert list(newborns(10)) == [11, 12, 13, None]


def test_of_pids_that_begin_anew_nothing_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_mark, "last_pid", lambda: 3)
    assert list(newborns(10)) == []


def test_a_chase_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_mark, "CHASE_SECONDS", 0.0)
    assert list(newborns(0)) == []


def test_it_needs_nothing_but_the_standard_library() -> None:
    """It is to run alone, on machines that have no more than Python."""
    program = "import runpy, sys; runpy.run_path(sys.argv[1])"
    alone = [sys.executable, "-I", "-S", "-c", program, by_mark.__file__]
    assert subprocess.run(alone, check=False).returncode == 0
