"""When the log is shortened: whenever enough has come, one at a time, and nobody waits for it."""

from pathlib import Path

import pytest

from controller.log import snapshots
from controller.log.packed import OUTPUT_BYTES_MAX
from controller.log.upkeep import EVERY_RECORDS, LEFT_LARGE, Upkeep


class Shortening:
    """A process that goes on until the test says how it ended."""

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Shortening]:
    """Each that was begun."""
    processes: list[Shortening] = []

    def begin(_: Upkeep) -> Shortening:
        processes.append(Shortening())
        return processes[-1]

    monkeypatch.setattr(Upkeep, "_begin", begin)
    return processes


def test_it_is_begun_when_enough_has_come_and_not_before(
    tmp_path: Path, begun: list[Shortening]
) -> None:
    upkeep = Upkeep(str(tmp_path))
    assert upkeep.consider(EVERY_RECORDS - 1) == ""
    assert not begun
    assert upkeep.consider(EVERY_RECORDS) == ""
    assert len(begun) == 1


def test_the_next_is_due_so_many_records_later(tmp_path: Path, begun: list[Shortening]) -> None:
    upkeep = Upkeep(str(tmp_path))
    upkeep.consider(EVERY_RECORDS + 7)
    begun[0].code = 0
    upkeep.consider(2 * EVERY_RECORDS + 6)
    assert len(begun) == 1
    upkeep.consider(2 * EVERY_RECORDS + 7)
    assert len(begun) == 2


def test_there_is_but_one_at_a_time(tmp_path: Path, begun: list[Shortening]) -> None:
    upkeep = Upkeep(str(tmp_path))
    upkeep.consider(EVERY_RECORDS)
    assert upkeep.consider(9 * EVERY_RECORDS) == ""
    assert len(begun) == 1
    begun[0].code = 0
    assert upkeep.consider(9 * EVERY_RECORDS + 1) == ""
    assert len(begun) == 2


def test_one_that_went_wrong_is_told_once_and_tried_anew(
    tmp_path: Path, begun: list[Shortening]
) -> None:
    upkeep = Upkeep(str(tmp_path))
    upkeep.consider(EVERY_RECORDS)
    begun[0].code = 1
    said = upkeep.consider(2 * EVERY_RECORDS)
    assert said.startswith("the log could not be shortened; ")
    assert said.endswith("/errors says why")
    assert len(begun) == 2
    begun[1].code = 0
    assert upkeep.consider(3 * EVERY_RECORDS) == ""


def test_it_is_counted_from_the_last_snapshot(tmp_path: Path, begun: list[Shortening]) -> None:
    Path(snapshots.folder(str(tmp_path))).mkdir()
    Path(snapshots._path(str(tmp_path), 90_000)).touch()
    upkeep = Upkeep(str(tmp_path))
    upkeep.consider(90_000 + EVERY_RECORDS - 1)
    assert not begun
    upkeep.consider(90_000 + EVERY_RECORDS)
    assert len(begun) == 1


def test_outputs_that_stay_are_said(tmp_path: Path, begun: list[Shortening]) -> None:
    upkeep = Upkeep(str(tmp_path))
    upkeep.consider(EVERY_RECORDS)
    begun[0].code = LEFT_LARGE
    said = upkeep.consider(2 * EVERY_RECORDS)
    assert said == (
        f"outputs over 4 GiB can't be archived; they stay in {tmp_path}/runs until you delete them"
    )
    assert OUTPUT_BYTES_MAX == 4 << 30
