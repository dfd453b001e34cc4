"""A damaged log is shown, cut where it is whole, and what was cut is kept."""

from itertools import groupby
from pathlib import Path

import pytest
from simulation.scenario import Scenario

from controller.log import segments, upkeep
from controller.log.reader import DamagedLog, read
from controller.log.records import encode_turn
from controller.log.repair import cut, examine
from controller.log.state_folder import prepare_state
from controller.log.writer import LogWriter
from controller.model.apply.fold import replay
from controller.model.image import freeze

TURNS = [list(turn) for _, turn in groupby(Scenario(8).play().records(), lambda each: each.turn)]


@pytest.fixture
def state(tmp_path: Path) -> str:
    return told(tmp_path)


def told(root: Path) -> str:
    """A state folder with the log of the story."""
    state = str(root / "state")
    prepare_state(state)
    log = LogWriter(state)
    for turn in TURNS:
        log.append(turn)
    log.close()
    return state


def flip(state: str, at: int, first: int = 1) -> bytes:
    """Change one byte; returns the file as it then is."""
    path = Path(segments.path(state, first))
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    return bytes(data)


def test_a_whole_log_is_whole(state: str) -> None:
    finding = examine(state)
    assert finding.damage is None
    assert finding.torn_bytes == 0
    assert finding.place.seq == TURNS[-1][-1].seq


def test_a_torn_tail_is_no_damage(state: str) -> None:
    path = Path(segments.path(state, 1))
    path.write_bytes(path.read_bytes()[:-5])
    finding = examine(state)
    assert finding.damage is None
    assert finding.torn_bytes == len(encode_turn(TURNS[-1])) - 5


@pytest.mark.parametrize("turn", range(1, len(TURNS) - 1))
def test_wherever_it_is_damaged_what_stands_before_is_kept(state: str, turn: int) -> None:
    damaged = flip(state, sum(len(encode_turn(each)) for each in TURNS[:turn]) + 20)
    before = [record for each in TURNS[:turn] for record in each]
    finding = examine(state)
    assert finding.damage is not None
    assert finding.place.seq == before[-1].seq
    assert freeze(finding.state) == freeze(replay(before))
    known = {record.seq for each in TURNS[turn:] for record in each}
    assert {record.seq for record in finding.behind} == known - {TURNS[turn][0].seq}
    kept = Path(cut(state, finding.place))
    assert [file.read_bytes() for file in kept.iterdir()] == [damaged]
    assert list(read(state)) == before
    log = LogWriter(state)
    log.append(TURNS[turn])
    assert list(read(state)) == [*before, *TURNS[turn]]


def test_with_nothing_whole_before_it_there_is_nothing_to_go_on_from(state: str) -> None:
    flip(state, 20)
    with pytest.raises(DamagedLog):
        examine(state)


@pytest.fixture
def segmented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("controller.log.writer.SEGMENT_SIZE_MAX", 2_000)
    return told(tmp_path)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_segment_that_is_missing(segmented: str, lost: int) -> None:
    firsts = segments.firsts(segmented)
    Path(segments.path(segmented, firsts[lost])).unlink()
    finding = examine(segmented)
    assert finding.damage is not None
    assert finding.place.seq == firsts[lost] - 1
    kept = Path(cut(segmented, finding.place))
    assert len(list(kept.iterdir())) == len(firsts) - lost
    assert [record.seq for record in read(segmented)] == list(range(1, firsts[lost]))
    assert examine(segmented).damage is None


def test_damage_before_a_snapshot_harms_nobody(segmented: str) -> None:
    whole = freeze(replay(read(segmented)))
    upkeep.keep_up(segmented)
    flip(segmented, 20)
    finding = examine(segmented)
    assert finding.damage is None
    assert freeze(finding.state) == whole
