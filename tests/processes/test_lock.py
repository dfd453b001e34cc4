"""One controller to a state folder, whatever becomes of the ones before."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from controller.errors import LockHeld
from controller.log.lock import StateLock, holder
from controller.log.status_file import ControllerStatus, read_status, write_status
from controller.log.takeover import take_over
from controller.model.state import Condition

HOLD = """
import sys
from controller.log.lock import StateLock
with StateLock(sys.argv[1], "treadle up") as lock:
    print(lock.begin_epoch(0), flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_controller(state: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds the lock, and its epoch."""
    command = [sys.executable, "-c", HOLD, str(state)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_a_second_controller_is_told_who_holds_it(tmp_path: Path) -> None:
    with another_controller(tmp_path) as (process, _):
        with pytest.raises(LockHeld) as refused:
            StateLock(str(tmp_path), "treadle up")
        message = str(refused.value)
        assert message.startswith(
            f"{tmp_path}: another controller holds this state folder: pid {process.pid} on "
        )
        assert " UTC (treadle up); stop it, or use another folder with --state" in message
        assert refused.value.exit_code == 3
        by = holder(str(tmp_path))
        assert by is not None
        assert (by.pid, by.epoch, by.command) == (process.pid, 1, "treadle up")


def test_the_kernel_frees_the_lock_of_a_killed_controller(tmp_path: Path) -> None:
    with another_controller(tmp_path) as (process, first):
        process.kill()
        process.wait(10)
        assert holder(str(tmp_path)) is None
        with StateLock(str(tmp_path), "treadle up") as lock:
            assert lock.begin_epoch(0) > first


@pytest.mark.parametrize(
    ("text", "log_epoch", "epoch"),
    [
        pytest.param("", 0, 1, id="the first start ever"),
        pytest.param(
            '{"pid":1,"host":"h","epoch":7,"since":1,"command":"c"}', 5, 8, id="file ahead"
        ),
        pytest.param(
            '{"pid":1,"host":"h","epoch":7,"since":1,"command":"c"}', 9, 10, id="log ahead"
        ),
        pytest.param('{"pid":1,"ho', 4, 5, id="half a text"),
        pytest.param("\0" * 600, 4, 5, id="a zeroed file"),
        pytest.param('{"epoch":"many"}', 4, 5, id="another shape"),
    ],
)
def test_an_epoch_is_higher_than_any_before(
    tmp_path: Path, text: str, log_epoch: int, epoch: int
) -> None:
    (tmp_path / "lock").write_text(text)
    with StateLock(str(tmp_path), "treadle up") as lock:
        assert lock.begin_epoch(log_epoch) == epoch
    with StateLock(str(tmp_path), "treadle up") as lock:
        assert lock.begin_epoch(log_epoch) == epoch + 1, (
            "although the first wrote nothing to the log"
        )


def test_a_long_command_does_not_outgrow_the_text(tmp_path: Path) -> None:
    with StateLock(str(tmp_path), "treadle up " + "ä" * 1000) as lock:
        lock.begin_epoch(2**40 - 1)
        found = holder(str(tmp_path))
    assert found == lock.holder
    assert (tmp_path / "lock").stat().st_size == 512


def test_a_deleted_lock_file_is_not_held_by_the_next(tmp_path: Path) -> None:
    with StateLock(str(tmp_path), "one"):
        (tmp_path / "lock").unlink()
        with StateLock(str(tmp_path), "two") as second:
            assert holder(str(tmp_path)) == second.holder


def test_a_lock_file_deleted_between_open_and_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, deleted = fcntl.flock, list[int]()

    def delete_then_lock(fd: int, how: int) -> None:
        if not deleted:
            deleted.append(fd)
            (tmp_path / "lock").unlink()
        lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", delete_then_lock)
    with StateLock(str(tmp_path), "treadle up") as held:
        assert deleted
        assert holder(str(tmp_path)) == held.holder


def test_a_reader_that_asks_in_between_turns_nobody_away(tmp_path: Path) -> None:
    asking = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from controller.log.lock import holder\nprint(flush=True)\n"
            "while True: holder(sys.argv[1])",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert asking.stdout is not None
        asking.stdout.readline()
        for _ in range(50):
            StateLock(str(tmp_path), "treadle up").release()
    finally:
        asking.kill()
        asking.wait(10)
        asking.stdout.close()


def test_the_lock_does_not_live_on_in_a_child(tmp_path: Path) -> None:
    with StateLock(str(tmp_path), "treadle up"):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        StateLock(str(tmp_path), "treadle up").release()
    finally:
        child.kill()
        child.wait(10)


def test_nobody_holds_an_absent_state_folder(tmp_path: Path) -> None:
    assert holder(str(tmp_path / "nothing")) is None
    assert read_status(str(tmp_path / "nothing")) == ControllerStatus(phase="Stopped")


# ----------------------------------------------------------------- what a controller says of itself

FULL = Condition("StorageReady", "False", "DiskFull", "no space left", 5, 0)


def test_what_a_live_controller_wrote_is_read(tmp_path: Path) -> None:
    said = ControllerStatus(phase="Running", pid=os.getpid(), epoch=3, since=9, conditions=[FULL])
    with StateLock(str(tmp_path), "treadle up"):
        write_status(str(tmp_path), said, 17)
        assert read_status(str(tmp_path)) == structs.replace(said, written=17)
    assert sorted(os.listdir(tmp_path)) == ["controller.json", "lock"]


def test_a_dead_controller_is_stopped_with_its_last_conditions(tmp_path: Path) -> None:
    said = ControllerStatus(phase="Running", pid=os.getpid(), epoch=3, since=9, conditions=[FULL])
    write_status(str(tmp_path), said, 17)
    expected = structs.replace(said, phase="Stopped", pid=None, written=17)
    assert read_status(str(tmp_path)) == expected


def test_a_new_controller_is_not_taken_for_the_one_before(tmp_path: Path) -> None:
    said = ControllerStatus(phase="Running", pid=1, epoch=3, since=9, conditions=[FULL])
    write_status(str(tmp_path), said, 17)
    with StateLock(str(tmp_path), "treadle up") as lock:
        lock.begin_epoch(3)
        found = read_status(str(tmp_path))
        assert found == ControllerStatus(
            phase="Starting", pid=os.getpid(), epoch=lock.holder.epoch, since=lock.holder.since
        )


@pytest.mark.parametrize("text", ["", "{", '{"phase":"Dancing"}', "\0" * 100])
def test_a_status_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "controller.json").write_text(text)
    assert read_status(str(tmp_path)) == ControllerStatus(phase="Stopped")


# ----------------------------------------------------------------- taking over


def test_a_stranger_whose_pid_the_lock_names_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel names another process than the text does."""
    monkeypatch.setattr("controller.log.takeover.GONE_SECONDS_MAX", 0.5)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        with another_controller(tmp_path) as (process, _):
            by = holder(str(tmp_path))
            assert by is not None
            text = msgspec.json.encode(msgspec.structs.replace(by, pid=stranger.pid))
            (tmp_path / "lock").write_bytes(text.ljust(511) + b"\n")
            with pytest.raises(LockHeld, match="can't be taken over"):
                take_over(str(tmp_path), lambda: StateLock(str(tmp_path), "treadle up"), print)
            assert process.poll() is None
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(10)
