"""Processes whose shim is dead: held while they live, told once they have ended, let go of."""

import errno
import os
import select
import subprocess
from collections.abc import Iterator

import pytest

from controller.executor.local import orphans as orphans_module
from controller.executor.local.identity import stat
from controller.executor.local.orphans import ASK_AGAIN_US, Orphans
from controller.loop.ports import AttemptId

ATTEMPT = AttemptId("u", "s", 1)
OTHER = AttemptId("u", "s", 2)


@pytest.fixture
def orphans() -> Iterator[Orphans]:
    with select.epoll() as poll:
        made = Orphans(poll)
        yield made
        made.close()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def start_of(process: subprocess.Popen[bytes]) -> int:
    seen = stat(process.pid)
    assert seen is not None
    return seen.start


def ends(process: subprocess.Popen[bytes]) -> None:
    """It has ended when this returns, and nobody has reaped it."""
    os.kill(process.pid, 9)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_one_that_lives_is_not_told(orphans: Orphans, child: subprocess.Popen[bytes]) -> None:
    assert orphans.watch(ATTEMPT, child.pid, start_of(child))
    assert orphans.ended() == []
    assert orphans.next_due(7) is None, "the kernel wakes us"


def test_one_that_ended_is_told_with_how(orphans: Orphans, child: subprocess.Popen[bytes]) -> None:
    orphans.watch(ATTEMPT, child.pid, start_of(child))
    ends(child)
    assert orphans.ended() == [(ATTEMPT, 9)]
    assert orphans.ended() == [(ATTEMPT, 9)], "until it is let go of"
    orphans.release(ATTEMPT)
    assert orphans.ended() == []


def test_one_that_is_gone_already_is_not_held(orphans: Orphans) -> None:
    assert not orphans.hold(ATTEMPT, 2**22 + 1, 1)
    assert not orphans.watch(ATTEMPT, 2**22 + 1, 1)
    assert orphans.held == {}


def test_a_stranger_with_the_pid_is_not_held(
    orphans: Orphans, child: subprocess.Popen[bytes]
) -> None:
    assert not orphans.watch(ATTEMPT, child.pid, start_of(child) + 1)
    assert orphans.held == {}


def test_one_that_is_held_only_wakes_nobody(
    orphans: Orphans, child: subprocess.Popen[bytes]
) -> None:
    assert orphans.hold(ATTEMPT, child.pid, start_of(child))
    ends(child)
    assert orphans.poll.poll(0) == []
    assert orphans.ended() == [], "its shim tells"
    assert orphans.watch(ATTEMPT, child.pid, start_of(child)), "until that is dead"
    assert orphans.ended() == [(ATTEMPT, 9)]


def test_held_and_watched_twice_it_is_one_descriptor(
    orphans: Orphans, child: subprocess.Popen[bytes]
) -> None:
    before = descriptors()
    for _ in range(3):
        assert orphans.hold(ATTEMPT, child.pid, start_of(child))
        assert orphans.watch(ATTEMPT, child.pid, start_of(child))
    assert descriptors() == before + 1
    orphans.release(ATTEMPT)
    assert descriptors() == before


def test_to_let_go_of_what_is_not_held_is_no_fault(orphans: Orphans) -> None:
    orphans.release(OTHER)


def test_closed_it_holds_nothing(orphans: Orphans, child: subprocess.Popen[bytes]) -> None:
    before = descriptors()
    orphans.watch(ATTEMPT, child.pid, start_of(child))
    orphans.hold(OTHER, child.pid, start_of(child))
    orphans.close()
    assert descriptors() == before
    assert (orphans.held, orphans.by_pidfd, orphans.asked) == ({}, {}, set())


@pytest.fixture
def no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, start: int) -> int | None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(orphans_module, "open_process", refuse)


@pytest.mark.usefixtures("no_descriptors")
def test_without_a_descriptor_the_process_table_is_asked(
    orphans: Orphans, child: subprocess.Popen[bytes]
) -> None:
    assert orphans.watch(ATTEMPT, child.pid, start_of(child))
    assert orphans.ended() == []
    assert orphans.next_due(7) == 7 + ASK_AGAIN_US
    ends(child)
    assert orphans.ended() == [(ATTEMPT, None)], "how it ended nobody can know"
    orphans.release(ATTEMPT)
    assert orphans.ended() == []
    assert orphans.next_due(7) is None
