"""What has gone to the archive: it is found, shown and read as what is there."""

from itertools import groupby
from pathlib import Path

import pytest
from faults.churn import come_and_go

from controller.errors import NotFound
from controller.log import segments, writer
from controller.log.snapshots import newest
from controller.log.upkeep import keep_up
from controller.log.writer import LogWriter
from controller.model.events import AttemptScheduled
from controller.server.beside import questions as module
from controller.server.beside.questions import Questions

from .conftest import Houses

LINES = b"".join(b"line %d\n" % number for number in range(20_000))


@pytest.fixture
def archived(houses: Houses, monkeypatch: pytest.MonkeyPatch) -> Houses:
    """Of the workflows `w0` to `w39` the first ones have left the state."""
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 6_000)
    log = LogWriter(houses.state_dir, newest(houses.state_dir)[1])
    for number, (_, turn) in enumerate(groupby(come_and_go(40), lambda record: record.turn), 1):
        records = [*turn]
        log.append(records)
        for record in records:
            if isinstance(record.event, AttemptScheduled):
                path = Path(houses.state_dir, record.event.log)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(LINES)
        if number % 15 == 0:
            keep_up(houses.state_dir)
    log.close()
    assert any(Path(houses.state_dir, "archive").iterdir())
    return houses


def test_a_name_that_nobody_knows_is_looked_up_and_nothing_is_folded_again(
    archived: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Questions(archived.folders())
    beside.begin()
    monkeypatch.setattr(module, "Replica", None)
    with pytest.raises(NotFound, match='no workflow is named "w99"; did you mean'):
        beside.workflow("w99")
    first = beside.workflow("w1")
    for path in segments.retired(archived.state_dir).values():
        Path(path).write_bytes(b"")
    again = beside.workflow("w1")
    assert again.metadata == first.metadata, "it is remembered"
    assert beside.insight("w1").archived
    assert beside._fresh().lives.keys().isdisjoint({first.metadata.uid})
