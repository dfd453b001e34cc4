"""What is printed while something is driven: whoever prints goes on, whatever the reader does."""

import os
import pty
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from controller.host.outlet import QUEUE_BYTES_MAX, Outlet, is_behind, nobody_waits

LINE = b"x" * 999 + b"\n"
MISSING = b"\ntreadle: some lines are missing here: they could not be written\n"
PATIENCE = 30.0  # for what takes no time


class Pipe(NamedTuple):
    read: int
    write: int

    def holds(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            found += os.read(self.read, size - len(found))
        return found


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """The ends stay open: the thread of an outlet may hang in a write until the tests end."""
    yield Pipe(*os.pipe())


def fill(outlet: Outlet) -> int:
    """Print until nothing more is taken; how many lines were."""
    taken = 0
    while outlet._size + len(LINE) <= QUEUE_BYTES_MAX:
        outlet.put(LINE)
        taken += 1
    outlet.put(LINE)
    return taken


def wait_until_written(outlet: Outlet) -> None:
    outlet.empty(time.monotonic() + PATIENCE)
    assert not outlet.behind


def test_all_is_written_in_order(pipe: Pipe) -> None:
    outlet = Outlet(pipe.write)
    for number in range(100):
        outlet.put(b"%d\n" % number)
    wait_until_written(outlet)
    expected = b"".join(b"%d\n" % number for number in range(100))
    assert pipe.holds(len(expected)) == expected


def test_without_a_reader_what_does_not_fit_is_dropped_and_that_is_said_once(pipe: Pipe) -> None:
    outlet = Outlet(pipe.write)
    taken = fill(outlet)
    assert taken * len(LINE) > QUEUE_BYTES_MAX - len(LINE)
    for _ in range(9):
        outlet.put(LINE)
    assert pipe.holds(taken * len(LINE)) == LINE * taken
    wait_until_written(outlet)
    outlet.put(b"one\n")
    outlet.put(b"two\n")
    expected = MISSING + b"one\ntwo\n"
    assert pipe.holds(len(expected)) == expected


def test_more_at_once_than_fits_is_taken_by_an_empty_queue(pipe: Pipe) -> None:
    outlet = Outlet(pipe.write)
    outlet.put(LINE * (QUEUE_BYTES_MAX // 500))
    assert len(pipe.holds(QUEUE_BYTES_MAX)) == QUEUE_BYTES_MAX


def test_the_end_waits_for_no_reader(pipe: Pipe) -> None:
    outlet = Outlet(pipe.write)
    fill(outlet)
    outlet.empty(time.monotonic() + 0.01)
    assert outlet.behind


def test_where_the_reader_is_gone_all_is_dropped(pipe: Pipe) -> None:
    os.close(pipe.read)
    outlet = Outlet(pipe.write)
    for _ in range(3):
        outlet.put(LINE)
        wait_until_written(outlet)


def test_what_a_full_disk_did_not_take_is_said_to_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    full = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(full)
    outlet.put(b"lost\n")
    wait_until_written(outlet)
    room = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.dup2(room, full)  # now there is room
    outlet.put(b"kept\n")
    wait_until_written(outlet)
    assert path.read_bytes() == MISSING + b"kept\n"
    os.close(room)


def test_a_file_that_somebody_made_non_blocking_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.write, False)
    outlet = Outlet(pipe.write)
    taken = fill(outlet)
    assert pipe.holds(taken * len(LINE)) == LINE * taken


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="no /proc here")
def test_its_thread_takes_no_signals(pipe: Pipe) -> None:
    """They are for the loop; and with `stty tostop` a write would stop the whole process."""
    before = {thread.native_id for thread in threading.enumerate()}
    outlet = Outlet(pipe.write)
    outlet.put(LINE)
    wait_until_written(outlet)
    (new,) = {thread.native_id for thread in threading.enumerate()} - before
    status = Path(f"/proc/self/task/{new}/status").read_text()
    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    for number in (2, 15, 22):  # SIGINT, SIGTERM, SIGTTOU
        assert blocked >> (number - 1) & 1


# ---------------------------------------- the streams


def streams_to(monkeypatch: pytest.MonkeyPatch, out: int, err: int) -> None:
    for name, fd in (("stdout", out), ("stderr", err)):
        monkeypatch.setattr(sys, name, open(fd, "w", encoding="ascii", closefd=False))  # noqa: SIM115


def test_stdout_and_stderr_of_one_file_keep_their_order(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams_to(monkeypatch, pipe.write, os.dup(pipe.write))
    with nobody_waits():
        for number in range(50):
            print(number, file=sys.stderr if number % 2 else sys.stdout, flush=True)
    expected = b"".join(b"%d\n" % number for number in range(50))
    assert pipe.holds(len(expected)) == expected


def test_a_stream_is_as_it_was_before(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    streams_to(monkeypatch, theirs, pipe.write)
    before = sys.stdout, sys.stderr
    with nobody_waits():
        assert (sys.stdout.isatty(), sys.stderr.isatty()) == (True, False)
        assert (sys.stdout.fileno(), sys.stderr.fileno()) == (theirs, pipe.write)
        assert sys.stdout.encoding == "ascii"
        print("never flushed by who printed")
    assert (sys.stdout, sys.stderr) == before
    assert os.read(ours, 99) == b"never flushed by who printed\r\n"


def test_who_draws_can_ask_whether_the_last_drawing_was_taken(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams_to(monkeypatch, pipe.write, pipe.write)
    assert not is_behind(sys.stdout)
    with nobody_waits():
        assert not is_behind(sys.stdout)
        sys.stdout.write("x" * (1 << 18))
        sys.stdout.flush()
        assert is_behind(sys.stdout)
        pipe.holds(1 << 18)
