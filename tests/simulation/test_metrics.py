"""What may only grow never falls: not by a restart, not when history leaves state or disk."""

import shutil
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest
from faults.churn import come_and_go
from scrape import Series, counted, fallen
from simulation.due import a_history
from simulation.firings import Clockwork
from simulation.scenario import Scenario

from controller.client.replica import Replica
from controller.log import segments, writer
from controller.log.state_folder import prepare_state
from controller.log.upkeep import keep_up
from controller.log.writer import LogWriter
from controller.model import metrics
from controller.model.apply.fold import apply, replay
from controller.model.events import AttemptFinished, FiringDecided, Record
from controller.model.image import freeze, thaw
from controller.model.state import State

SCENARIOS, HISTORIES = 20, 4
LOOKS = 30  # at one story


def total(found: dict[Series, float], name: str) -> float:
    return sum(value for (of, _), value in found.items() if of == name)


def rises(records: Sequence[Record]) -> None:
    """Restart again and again; in the end, as much is counted as the log has."""
    state, before = State(), dict[Series, float]()
    every = max(1, len(records) // LOOKS)
    for record in records:
        apply(state, record)
        if record.seq % every == 0 or record is records[-1]:
            state = thaw(freeze(state))
            now = counted(state)
            assert fallen(before, now) == [], f"record {record.seq}"
            before = now
    for name, kind in (
        ("treadle_attempts_total", AttemptFinished),
        ("treadle_firings_total", FiringDecided),
    ):
        assert total(before, name) == sum(isinstance(one.event, kind) for one in records), name


@pytest.mark.parametrize("labels", [1, 1_000])
@pytest.mark.parametrize("seed", range(3_000, 3_000 + SCENARIOS))
def test_through_edits_deletions_and_restarts(
    monkeypatch: pytest.MonkeyPatch, seed: int, labels: int
) -> None:
    monkeypatch.setattr(metrics, "LABELS_MAX", labels)
    rises(Scenario(seed).play().records())


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_through_outages_and_clocks_that_are_set(seed: int) -> None:
    rises(Clockwork(a_history(seed)).play().records())


def test_when_the_history_goes_and_even_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 6_000)
    state_dir = str(tmp_path / "state")
    prepare_state(state_dir)
    records = come_and_go(40)
    log, before = LogWriter(state_dir), dict[Series, float]()
    for number, (_, turn) in enumerate(groupby(records, lambda record: record.turn)):
        log.append([*turn])
        if number % 15 == 0:
            keep_up(state_dir)
            shutil.rmtree(Path(state_dir, "archive"), ignore_errors=True)
            now = counted(Replica(state_dir).catch_up())
            assert fallen(before, now) == [], f"turn {number}"
            before = now
    log.close()
    assert segments.firsts(state_dir)[0] > 1 and not [*segments.batches(state_dir)]
    assert counted(Replica(state_dir).catch_up()) == counted(replay(records))


def test_of_1500_names_the_first_1000_keep_theirs() -> None:
    state = State()
    for number in range(1_500):
        for _ in range(2):
            state.metrics.attempt_ended(f"w{number}", "Failed", None)
    found = counted(thaw(freeze(state)))
    labels = {dict(labels)["workflow"] for (_, labels) in found if "workflow" in dict(labels)}
    assert labels == {"other", *(f"w{number}" for number in range(metrics.LABELS_MAX))}
    assert total(found, "treadle_attempts_total") == 3_000
