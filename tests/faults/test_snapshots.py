"""Snapshots save time, no more: whatever happens to them, the state is what the log says."""

import os
import shutil
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest
from simulation.scenario import Scenario

from controller.client.past import state_at
from controller.client.replica import Replica
from controller.log import segments, snapshots, upkeep
from controller.log.reader import BEGINNING, Cursor, Place, read
from controller.log.snapshots import fold_on, newest, only_one
from controller.log.state_folder import prepare_state
from controller.log.upkeep import Upkeep, keep_up
from controller.log.writer import LogWriter
from controller.model.apply.fold import replay
from controller.model.events import Record
from controller.model.image import freeze
from controller.view.look import Look

TURNS = [list(turn) for _, turn in groupby(Scenario(29).play().records(), lambda each: each.turn)]
RECORDS = [record for turn in TURNS for record in turn]
WHOLE = freeze(replay(RECORDS))


def a_state(root: Path, name: str = "state") -> str:
    prepare_state(str(root / name))
    return str(root / name)


def write(state: str, turns: list[list[Record]]) -> None:
    log = LogWriter(state)
    for turn in turns:
        log.append(turn)
    log.close()


@pytest.fixture
def state(tmp_path: Path) -> str:
    """The log of a whole story, with snapshots at a third and at two thirds of it."""
    state = a_state(tmp_path)
    third = len(TURNS) // 3
    write(state, TURNS[:third])
    keep_up(state)
    write(state, TURNS[third : 2 * third])
    keep_up(state)
    write(state, TURNS[2 * third :])
    return state


def files(state: str) -> list[Path]:
    return sorted(Path(snapshots.folder(state)).glob("*.json"))


def seen(state: str) -> bytes:
    return freeze(Replica(state).catch_up())


def test_from_a_snapshot_on_all_comes_to_the_same(state: str) -> None:
    places = [one.place.seq for one in snapshots.good(state)]
    assert len(places) == 2
    assert 0 < places[1] < places[0] < RECORDS[-1].seq
    assert newest(state)[1].seq == places[0]
    assert seen(state) == WHOLE


def test_nothing_but_what_came_since_is_read(state: str) -> None:
    place = newest(state)[1]
    assert [record.seq for record in read(state, place=place)] == list(
        range(place.seq + 1, RECORDS[-1].seq + 1)
    )


def test_without_any_it_only_takes_longer(state: str) -> None:
    shutil.rmtree(snapshots.folder(state))
    assert newest(state)[1] == BEGINNING
    assert seen(state) == WHOLE


@pytest.mark.parametrize("which", [0, 1])
def test_each_byte_flipped_in_turn(state: str, which: int) -> None:
    file = files(state)[which]
    whole = file.read_bytes()
    for at in {*range(300), *range(300, len(whole), 97), len(whole) - 1}:
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert seen(state) == WHOLE, f"byte {at}"


@pytest.mark.parametrize("left", [0, 1, 100, 1000, -1])
def test_cut_short(state: str, left: int) -> None:
    for file in files(state):
        file.write_bytes(file.read_bytes()[:left])
    assert newest(state)[1] == BEGINNING
    assert seen(state) == WHOLE


def test_one_of_another_log_is_passed_over(state: str, tmp_path: Path) -> None:
    other = a_state(tmp_path, "other")
    write(other, [[*turn] for turn in _shifted()])
    shutil.copytree(snapshots.folder(state), snapshots.folder(other))
    assert newest(other)[1] == BEGINNING


def _shifted() -> list[list[Record]]:
    """The same story a second later."""
    return [
        [Record(each.seq, each.turn, each.time + 1, each.epoch, each.event) for each in turn]
        for turn in TURNS
    ]


def test_one_of_turns_that_a_power_cut_took_back_is_passed_over(state: str) -> None:
    keep_up(state)  # of all there is
    assert newest(state)[1].seq == RECORDS[-1].seq
    log = Path(segments.path(state, 1))
    log.write_bytes(log.read_bytes()[:-1])
    assert newest(state)[1].seq < RECORDS[-1].seq
    assert seen(state) == freeze(replay(record for turn in TURNS[:-1] for record in turn))


def test_the_newest_two_are_kept_and_what_was_not_finished_is_cleared_away(state: str) -> None:
    unfinished = Path(snapshots.folder(state)) / f"{7:020}.json.new"
    unfinished.write_text("half of it")
    before = files(state)
    keep_up(state)
    assert len(files(state)) == 2
    assert files(state)[0] == before[1]
    assert not unfinished.exists()


def test_a_bad_one_is_not_among_those_kept(state: str) -> None:
    bad = files(state)[1]
    bad.write_bytes(b"nonsense")
    keep_up(state)
    assert bad not in files(state)
    assert len(files(state)) == 2


def test_with_nothing_new_there_is_no_new_one(state: str) -> None:
    keep_up(state)
    before = [(file, file.stat().st_ino) for file in files(state)]
    keep_up(state)
    assert [(file, file.stat().st_ino) for file in files(state)] == before


def test_one_taker_at_a_time(state: str) -> None:
    import fcntl

    lock = os.open(Path(snapshots.folder(state)) / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    before = files(state)
    keep_up(state)
    assert files(state) == before
    os.close(lock)


def test_over_the_limits_of_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.log.writer.SEGMENT_SIZE_MAX", 3_000)
    state = a_state(tmp_path)
    for turn in TURNS:
        write(state, [turn])
        with only_one(state):
            fold_on(state)
        assert newest(state)[1].seq == turn[-1].seq
    assert len(segments.firsts(state)) > 3
    assert seen(state) == WHOLE


def test_every_point_of_the_past_is_as_it_was(state: str) -> None:
    """By sequence number, the turn as a whole; by time."""
    so_far: list[Record] = []
    for turn, following in zip(TURNS, [*TURNS[1:], []], strict=True):
        so_far += turn
        then = freeze(replay(so_far))
        for seq in {turn[0].seq, turn[-1].seq}:
            assert freeze(state_at(state, "--at", str(seq), Look(now=0))) == then
        if not following or following[0].time > turn[-1].time:
            moment = _rfc3339(turn[-1].time)
            assert freeze(state_at(state, "--at", moment, Look(now=0))) == then


def _rfc3339(time_us: int) -> str:
    seconds, rest = divmod(time_us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:06}Z"


def test_a_place_is_the_end_of_the_turn_it_names(state: str) -> None:
    cursor = Cursor(state)
    for turn in cursor.turns():
        again = Cursor(state, place=cursor.place)
        assert again.seq == turn[-1].seq
    assert cursor.place == Place(
        1, cursor.turn_offset, cursor.offset, RECORDS[-1].seq, RECORDS[-1].epoch
    )


def test_the_keeper_is_started_when_enough_has_come(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(snapshots.folder(state))
    monkeypatch.setattr(upkeep, "EVERY_RECORDS", 10)
    keeper = Upkeep(state)
    keeper.consider(9)
    assert not files(state)
    keeper.consider(10)
    until = time.monotonic() + 30
    while not files(state):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert newest(state)[1].seq == RECORDS[-1].seq


def test_killed_at_every_call_it_leaves_nothing_false(state: str) -> None:
    """By Python calls, in a process of its own."""
    for nth in range(1, 40):
        script = DIES.format(nth=nth)
        done = subprocess.run([sys.executable, "-c", script, state], check=False)
        assert seen(state) == WHOLE
        if done.returncode == 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert newest(state)[1].seq == RECORDS[-1].seq


DIES = """
import os, signal, sys
from controller.log import upkeep
left = {nth}
def dying(real):
    def call(*args, **more):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **more)
    return call
for name in ("fsync", "rename", "unlink", "makedirs", "listdir"):
    setattr(os, name, dying(getattr(os, name)))
upkeep.keep_up(sys.argv[1])
"""
