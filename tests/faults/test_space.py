"""A disk that is nearly full, and one that is full: nothing is lost, and the ballast makes room."""

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from controller.errors import StorageError
from controller.log import segments, space, writer
from controller.log.reader import read
from controller.log.space import BALLAST_BYTES, DiskSpace, drop_ballast, take_ballast
from controller.log.state_folder import prepare_state
from controller.log.writer import LogWriter
from controller.model.events import Record, StepReady


def turn(seq: int, size: int = 10) -> list[Record]:
    return [Record(seq, seq, 1_000_000 + seq, 1, StepReady(uid="u", step="x" * size))]


def test_the_watermark(tmp_path: Path) -> None:
    here, free = str(tmp_path), shutil.disk_usage(tmp_path).free
    assert DiskSpace(here, 0).short() == ""
    assert DiskSpace(here, free * 2).short().startswith(f"less than {free * 2 >> 20} MiB are ")


def counting(monkeypatch: pytest.MonkeyPatch, *, inodes: int, free: int) -> None:
    """A disk with so many inodes, and room for bytes."""
    real = os.statvfs

    def counted(path: str) -> SimpleNamespace:
        seen = real(path)
        return SimpleNamespace(
            f_blocks=1 << 20,
            f_frsize=seen.f_frsize,
            f_bavail=1 << 20,
            f_files=inodes,
            f_favail=free,
        )

    monkeypatch.setattr(os, "statvfs", counted)


@pytest.mark.parametrize(
    ("inodes", "free", "said"),
    [
        pytest.param(45, 1, "fewer than 2 inodes are free on the disk of ", id="few there are"),
        pytest.param(45, 2, "", id="as many as have to be"),
        pytest.param(10**6, 9_999, "fewer than 10,000 inodes ", id="a big disk"),
        pytest.param(10**6, 10_000, "", id="a big disk with as many as have to be"),
        pytest.param(0, 0, "", id="a disk that does not count them"),
    ],
)
def test_the_watermark_of_inodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inodes: int, free: int, said: str
) -> None:
    counting(monkeypatch, inodes=inodes, free=free)
    for min_free in (None, 1):
        short = DiskSpace(str(tmp_path), min_free).short()
        assert short.startswith(said) and bool(short) == bool(said)
    assert DiskSpace(str(tmp_path), 0).short() == "", "there is no watermark"


def test_what_found_no_room_counts_as_a_full_disk(tmp_path: Path) -> None:
    """A quota does not show in statvfs."""
    disk = DiskSpace(str(tmp_path), 0)
    assert disk.short() == ""
    disk.refused = "controller.json: Disk quota exceeded"
    assert disk.short() == "controller.json: Disk quota exceeded"
    disk.refused = ""
    assert disk.short() == ""


def test_it_is_looked_at_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    real = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda path: looks.append(path) or real(path))
    disk = DiskSpace(str(tmp_path))
    for _ in range(100):
        disk.short()
    assert len(looks) == 1
    monkeypatch.setattr(space, "LOOK_SECONDS", 0.0)
    disk.short()
    assert len(looks) == 2


def test_the_ballast_takes_room_and_is_made_once(tmp_path: Path) -> None:
    take_ballast(str(tmp_path))
    (file,) = tmp_path.iterdir()
    assert file.stat().st_blocks * 512 >= BALLAST_BYTES
    before = file.stat().st_ino
    take_ballast(str(tmp_path))
    assert file.stat().st_ino == before
    assert drop_ballast(str(tmp_path))
    assert not drop_ballast(str(tmp_path))


def test_a_ballast_that_finds_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    take_ballast(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_dropped_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "LOOK_SECONDS", 0.0)
    disk = DiskSpace(str(tmp_path), 0)
    disk.short()
    assert drop_ballast(str(tmp_path))
    disk.short()
    assert drop_ballast(str(tmp_path))


def test_a_disk_that_cannot_be_asked_is_a_fault_of_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskSpace(str(tmp_path))

    def broken(path: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "statvfs", broken)
    with pytest.raises(StorageError, match="Input/output error; make room or repair the disk"):
        disk.short()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(small: Path) -> None:
    with (
        pytest.raises(OSError, match="No space"),
        (small / "filler").open("wb", buffering=0) as file,
    ):
        while True:
            file.write(bytes(1 << 16))


def test_on_a_full_disk_the_ballast_lets_the_turn_at_hand_be_written(small: Path) -> None:
    state = str(small / "state")
    prepare_state(state)
    log = LogWriter(state)
    log.append(turn(1))
    take_ballast(state)
    fill(small)
    log.append(turn(2, size=100_000))
    assert not (small / "state/ballast").exists()
    log.append(turn(3))
    assert [record.seq for record in read(state)] == [1, 2, 3]


def test_without_inodes_the_ballast_lets_the_next_segment_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = str(tmp_path / "state")
    prepare_state(state)
    log = LogWriter(state)
    log.append(turn(1))
    take_ballast(state)
    real = segments.create

    def create(path: str) -> int:
        if os.path.exists(f"{state}/ballast"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path)

    monkeypatch.setattr(segments, "create", create)
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 10)
    log.append(turn(2))
    assert len(segments.firsts(state)) == 2
    assert [record.seq for record in read(state)] == [1, 2]


def test_without_a_ballast_the_writer_stops(small: Path) -> None:
    state = str(small / "state")
    prepare_state(state)
    log = LogWriter(state)
    log.append(turn(1))
    fill(small)
    with pytest.raises(Exception, match="No space left on device: the log can't be written"):
        log.append(turn(2, size=100_000))
    (small / "filler").unlink()
    again = LogWriter(state)
    again.append(turn(2))
    assert [record.seq for record in read(state)] == [1, 2]


def test_a_limit_on_file_size_is_no_full_disk(tmp_path: Path) -> None:
    """No deleted file makes room under it, so the ballast stays."""
    state = str(tmp_path / "state")
    prepare_state(state)
    take_ballast(state)
    log = LogWriter(state)
    log.append(turn(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(Exception, match="File too large"):
            log.append(turn(2, size=2_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "state/ballast").exists()
