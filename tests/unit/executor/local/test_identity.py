"""Which process is meant: by pid and start time, also where the pid is another's by now."""

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.executor.local import identity
from controller.executor.local.identity import (
    TICKS_PER_SECOND,
    alive,
    exit_status,
    open_process,
    stat,
    stat_fields,
    ticks_to_us,
    zombie_status,
)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process of our own that would go on for a minute."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def start_of(pid: int) -> int:
    seen = stat(pid)
    assert seen is not None
    return seen.start


def until_zombie(pidfd: int) -> None:
    """Wait until it has ended; it is not reaped by that."""
    assert select.select([pidfd], [], [], 20)[0]


NOBODY = 2**22 + 1  # beyond every pid_max


def test_a_process_is_seen_with_its_parent_and_session(child: subprocess.Popen[bytes]) -> None:
    seen = stat(child.pid)
    assert seen is not None
    assert (seen.pid, seen.parent, seen.session) == (child.pid, os.getpid(), child.pid)
    assert not seen.gone


def test_where_there_is_no_process_nothing_is_seen() -> None:
    assert stat(NOBODY) is None
    assert stat_fields(NOBODY) == []
    assert not alive(NOBODY, 1)
    assert open_process(NOBODY, 1) is None
    assert zombie_status(NOBODY, 1) is None


def test_the_same_pid_of_another_start_is_another_process(child: subprocess.Popen[bytes]) -> None:
    start = start_of(child.pid)
    assert alive(child.pid, start)
    assert not alive(child.pid, start + 1)
    before = len(os.listdir("/proc/self/fd"))
    assert open_process(child.pid, start + 1) is None
    assert len(os.listdir("/proc/self/fd")) == before, "the descriptor of a stranger is closed"


def test_a_zombie_is_not_alive_and_may_still_be_opened(child: subprocess.Popen[bytes]) -> None:
    start = start_of(child.pid)
    pidfd = open_process(child.pid, start)
    assert pidfd is not None
    child.send_signal(signal.SIGTERM)
    until_zombie(pidfd)
    assert not alive(child.pid, start)
    again = open_process(child.pid, start)
    assert again is not None
    for descriptor in (pidfd, again):
        os.close(descriptor)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGTERM, 15, id="by SIGTERM"),
        pytest.param(signal.SIGKILL, 9, id="by SIGKILL"),
    ],
)
def test_how_a_zombie_ended_is_known(
    child: subprocess.Popen[bytes], number: signal.Signals, status: int
) -> None:
    start = start_of(child.pid)
    assert zombie_status(child.pid, start) is None, "it lives"
    pidfd = os.pidfd_open(child.pid)
    child.send_signal(number)
    until_zombie(pidfd)
    assert zombie_status(child.pid, start) == status
    assert zombie_status(child.pid, start + 1) is None, "of another start nothing is known"
    assert exit_status(pidfd, child.pid, start) == status
    os.close(pidfd)


def test_of_a_process_that_lives_there_is_no_exit_status(child: subprocess.Popen[bytes]) -> None:
    pidfd = os.pidfd_open(child.pid)
    assert exit_status(pidfd, child.pid, start_of(child.pid)) is None
    os.close(pidfd)


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        pytest.param("(sh) S 1 7 7", (1, 7, False), id="an ordinary name"),
        pytest.param("(a b) S 1 7 7", (1, 7, False), id="a name with a blank"),
        pytest.param("(x) R 9 (y) S 1 7 7", (1, 7, False), id="a name that looks like a line"),
        pytest.param("(()) S 1 7 7", (1, 7, False), id="a name of parentheses"),
        pytest.param("(sh) Z 1 7 7", (1, 7, True), id="a zombie"),
        pytest.param("(sh) X 1 7 7", (1, 7, True), id="one that is being reaped"),
        pytest.param("(sh) T 1 7 7", (1, 7, False), id="a stopped one lives"),
    ],
)
def test_a_line_of_the_process_table_is_read_whatever_the_process_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, seen: tuple[int, int, bool]
) -> None:
    file = tmp_path / "stat"
    threads = ["0"] * 13 + ["1", "0", "4711"]  # up to the number of threads, and the start
    file.write_text(f"42 {line} {' '.join(threads)}")
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: real(file, flags))
    found = stat(42)
    assert found is not None
    assert (found.parent, found.session, found.gone) == seen
    assert found.start == 4711


def test_a_zombie_whose_other_threads_go_on_is_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = [b"Z", b"1", b"7", b"7", *[b"0"] * 13, b"2", b"0", b"4711"]
    monkeypatch.setattr(identity, "stat_fields", lambda _: fields)
    assert alive(42, 4711)
    fields[17] = b"1"
    assert not alive(42, 4711)


def test_ticks_are_microseconds() -> None:
    assert ticks_to_us(TICKS_PER_SECOND) == 1_000_000
    assert ticks_to_us(0) == 0
