"""The files of the log by name and place: which there are, and what is read from them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import StorageError
from controller.log import segments


@pytest.fixture
def state(tmp_path: Path) -> str:
    (tmp_path / "log").mkdir()
    return str(tmp_path)


def live(state: str, first: int, data: bytes = b"") -> None:
    Path(segments.path(state, first)).write_bytes(data)


def retire(state: str, batch: int, first: int, data: bytes = b"") -> str:
    """A segment that went to the archive; where it lies there."""
    folder = Path(segments.archive_folder(state), f"{batch:020}")
    folder.mkdir(parents=True, exist_ok=True)
    packed = folder / f"{first:020}.jsonl.zst"
    packed.write_bytes(zstandard.ZstdCompressor().compress(data))
    return str(packed)


# ---------------------------------------- which there are


@given(st.sets(st.integers(1, 10**20 - 1), max_size=20))
def test_the_order_of_names_is_the_order_of_records(firsts: set[int]) -> None:
    """Whoever sorts a listing as text has the log in order."""
    names = {first: os.path.basename(segments.path("", first)) for first in firsts}
    assert sorted(names.values()) == [names[first] for first in sorted(firsts)]


def test_segments_are_listed_in_order(state: str) -> None:
    for first in (200, 1, 99):
        live(state, first)
    assert segments.firsts(state) == [1, 99, 200]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("00000000000000000007.jsonl.torn-1", id="what was cut off"),
        pytest.param("7.jsonl", id="a number without its zeros"),
        pytest.param("000000000000000000007.jsonl", id="a digit too many"),
        pytest.param("00000000000000000007.jsonl~", id="an editor's copy"),
        pytest.param("00000000000000000007.jsonl.zst", id="a compressed one"),
        pytest.param("x00000000000000000007.jsonl", id="a name that only ends so"),
    ],
)
def test_other_files_are_no_segments(state: str, name: str) -> None:
    live(state, 1)
    Path(segments.folder(state), name).touch()
    assert segments.firsts(state) == [1]


def test_before_the_first_controller_there_is_none(tmp_path: Path) -> None:
    assert segments.firsts(str(tmp_path)) == []
    assert segments.retired(str(tmp_path)) == {}
    assert segments.batches(str(tmp_path)) == []


def test_a_log_that_is_a_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with pytest.raises(StorageError, match=r"log: can't be read: Not a directory"):
        segments.firsts(str(tmp_path))


def test_of_segments_that_are_being_made_none_is_left_out(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing may have a later one and not an earlier one: what is told has no hole."""
    listings: Iterator[list[str]] = iter(
        [[f"{n:020}.jsonl" for n in numbers] for numbers in ((1, 30), (1, 20, 30, 40))]
    )
    monkeypatch.setattr(os, "listdir", lambda _: next(listings))
    assert segments.firsts(state) == [1, 20, 30]


# ---------------------------------------- the archive


def test_retired_segments_are_found_in_every_batch_in_order(state: str) -> None:
    later, first, second = (retire(state, *place) for place in ((300, 250), (200, 1), (200, 100)))
    assert list(segments.retired(state).items()) == [(1, first), (100, second), (250, later)]


def test_whatever_else_lies_in_the_archive_is_passed_over(state: str) -> None:
    retire(state, 200, 1)
    archive = Path(segments.archive_folder(state))
    (archive / f"{300:020}").touch()
    (archive / "notes").mkdir()
    (archive / f"{200:020}" / "notes.txt").touch()
    assert segments.batches(state) == [str(archive / f"{200:020}")]
    assert segments.retired(state).keys() == {1}


def test_an_archive_that_is_a_file_holds_nothing(state: str) -> None:
    Path(segments.archive_folder(state)).touch()
    assert segments.batches(state) == []


# ---------------------------------------- reading

DATA = b"0123456789"


@pytest.mark.parametrize("place", ["live", "retired"])
@pytest.mark.parametrize(
    ("offset", "size", "read"),
    [
        pytest.param(0, -1, DATA, id="all of it"),
        pytest.param(4, -1, DATA[4:], id="what follows an offset"),
        pytest.param(4, 3, DATA[4:7], id="so many bytes"),
        pytest.param(8, 30, DATA[8:], id="no more than there is"),
        pytest.param(10, -1, b"", id="nothing behind the end"),
        pytest.param(4, 0, b"", id="no bytes"),
    ],
)
def test_a_segment_reads_alike_wherever_it_lies(
    state: str, place: str, offset: int, size: int, read: bytes
) -> None:
    if place == "live":
        live(state, 1, DATA)
    else:
        retire(state, 100, 1, DATA)
        live(state, 100)
    assert segments.read(state, 1, offset, size) == read


@pytest.mark.parametrize(
    ("others", "says"),
    [
        pytest.param([100], r"is gone: it was dropped from the archive", id="an old one"),
        pytest.param([], r"can't be read: No such file", id="one that there never was"),
    ],
)
def test_a_segment_that_is_not_there(state: str, others: list[int], says: str) -> None:
    for first in others:
        live(state, first)
    with pytest.raises(StorageError, match=says) as refused:
        segments.read(state, 1)
    assert segments.path(state, 1) in str(refused.value)


def test_a_damaged_archive_is_told_with_its_file(state: str) -> None:
    packed = retire(state, 100, 1, DATA)
    Path(packed).write_bytes(b"no zstd")
    with pytest.raises(StorageError) as refused:
        segments.read(state, 1)
    assert str(refused.value).startswith(f"{packed}: damaged: ")
    assert str(refused.value).endswith("put it back from a copy")


# ---------------------------------------- writing


def test_a_new_segment_is_its_owners_alone_and_replaces_none(state: str) -> None:
    path = segments.path(state, 1)
    os.close(segments.create(path))
    assert os.stat(path).st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        segments.create(path)


def test_a_segment_whose_folder_cant_be_synced_leaves_no_descriptor(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(segments, "sync_folder", fails)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Input/output error"):
        segments.create(segments.path(state, 1))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_is_written_from_its_parts_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    segments.write(str(path), b"one ", b"", b"two")
    assert path.read_bytes() == b"one two"
    assert path.stat().st_mode & 0o777 == 0o600
    segments.write(str(path), b"three")
    assert path.read_bytes() == b"three", "what was there before is gone"
