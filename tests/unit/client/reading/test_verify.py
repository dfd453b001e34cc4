"""Does all that is kept of a state agree?"""

from collections.abc import Callable
from pathlib import Path

import pytest
from story import Story

from controller.client.reading.verify import verify
from controller.errors import StorageError, TreadleError
from controller.log.lock import StateLock
from controller.log.upkeep import keep_up

Write = Callable[[Story], str]


def test_a_log_and_its_snapshot(write: Write, story: Story) -> None:
    state_dir = write(story)
    assert verify(state_dir) == (len(story.records), 0)
    keep_up(state_dir)
    assert verify(state_dir).snapshots == 1


def test_a_log_that_had_more(write: Write, story: Story) -> None:
    state_dir = write(story)
    with StateLock(state_dir, "up") as lock:
        lock.note_end(story.state.seq + 1)
    with pytest.raises(StorageError, match="had"):
        verify(state_dir)


def test_a_damaged_log(write: Write, story: Story) -> None:
    state_dir = write(story)
    (segment,) = Path(state_dir, "log").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"etl", b"elt", 1))
    with pytest.raises(TreadleError):
        verify(state_dir)
