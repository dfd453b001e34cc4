"""Epochs, the noted end of the log, and what the text in the lock is worth."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import LockHeld, StorageError
from controller.log import lock as lock_module
from controller.log.lock import StateLock, check_end, holder, lock_path, noted_end


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "_TRIES_SECONDS_MAX", 0.0)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[StateLock]:
    with StateLock(str(tmp_path), "treadle up") as held:
        yield held


def test_it_is_free_again_when_it_was_released(tmp_path: Path) -> None:
    with StateLock(str(tmp_path), "treadle up"), pytest.raises(LockHeld):
        StateLock(str(tmp_path), "treadle up")
    StateLock(str(tmp_path), "treadle up").release()


def test_who_is_turned_away_changes_nothing_of_what_the_holder_says(
    tmp_path: Path, lock: StateLock
) -> None:
    lock.begin_epoch(6)
    before = Path(lock_path(str(tmp_path))).read_bytes()
    with pytest.raises(LockHeld, match="treadle up"):
        StateLock(str(tmp_path), "treadle run", ends_steps=True)
    assert Path(lock_path(str(tmp_path))).read_bytes() == before


def test_what_the_holder_says_is_read_while_it_holds(tmp_path: Path) -> None:
    with StateLock(str(tmp_path), "treadle up") as lock:
        lock.begin_epoch(0)
        lock.note_end(12)
        assert holder(str(tmp_path)) == lock.holder
    assert holder(str(tmp_path)) is None


@settings(max_examples=25)
@given(log_epochs=st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_epochs_only_grow_whatever_the_log_has_and_whoever_was_there(
    tmp_path_factory: pytest.TempPathFactory, log_epochs: list[int]
) -> None:
    state = str(tmp_path_factory.mktemp("state"))
    seen: list[int] = []
    for log_epoch in log_epochs:
        with StateLock(state, "treadle up") as held:
            seen.append(held.begin_epoch(log_epoch))
            assert seen[-1] > log_epoch
    assert seen == sorted(set(seen))


def test_the_noted_end_outlives_who_noted_it(tmp_path: Path) -> None:
    state = str(tmp_path)
    assert noted_end(state) == 0, "nobody was here yet"
    with StateLock(state, "treadle up") as first:
        assert noted_end(state) == 0
        first.note_end(41)
    assert noted_end(state) == 41
    with StateLock(state, "treadle up") as second:
        second.begin_epoch(0)
        assert noted_end(state) == 41


def test_an_epoch_leaves_the_noted_end_and_the_end_the_epoch(
    tmp_path: Path, lock: StateLock
) -> None:
    lock.note_end(41)
    epoch = lock.begin_epoch(9)
    lock.note_end(42)
    by = holder(str(tmp_path))
    assert by is not None
    assert (by.epoch, by.seq) == (epoch, 42)


@pytest.mark.parametrize(
    ("seq", "noted", "fine"),
    [
        pytest.param(0, 0, True, id="an empty log of which nothing is known"),
        pytest.param(7, 7, True, id="it ends with what was noted"),
        pytest.param(9, 7, True, id="it went on after the note"),
        pytest.param(6, 7, False, id="a record is missing"),
        pytest.param(0, 7, False, id="all are missing"),
    ],
)
def test_a_log_that_lost_its_end_is_refused(seq: int, noted: int, fine: bool) -> None:
    if fine:
        check_end("/state", seq, noted)
        return
    with pytest.raises(StorageError) as refused:
        check_end("/state", seq, noted)
    assert str(refused.value).startswith(f"/state/log: ends with record {seq}, but had {noted}: ")
    assert "`treadle repair`" in str(refused.value)


def test_a_lock_that_cant_be_made_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/lock: No such file or directory"):
        StateLock(str(tmp_path / "nowhere"), "treadle up")
