"""The state as it was."""

from collections.abc import Callable

import pytest
from story import Story, dump

from controller.client.past import recall, state_at
from controller.errors import NotFound, UsageError
from controller.view.times import rfc3339

Write = Callable[[Story], str]


def test_after_a_record(write: Write, story: Story) -> None:
    before, seq = dump(story.state), story.state.seq
    state_dir = write(story.exit("extract", workflow="etl"))
    assert dump(state_at(state_dir, "--at", str(seq))) == before


def test_at_a_time(write: Write, story: Story) -> None:
    before, then = dump(story.state), story.now
    state_dir = write(story.wait(60).exit("extract", workflow="etl"))
    assert dump(state_at(state_dir, "--at", rfc3339(then))) == before


def test_a_record_that_is_not_there_yet(write: Write, story: Story) -> None:
    with pytest.raises(NotFound, match=f"--at 999: the log ends with record {story.state.seq}"):
        state_at(write(story), "--at", "999")


def test_what_is_no_point_of_the_log_is_refused_by_its_option(write: Write, story: Story) -> None:
    with pytest.raises(UsageError, match="--until soon: neither"):
        state_at(write(story), "--until", "soon")


@pytest.mark.parametrize("word", ["etl", "nobody"])
def test_nothing_is_recalled_where_nothing_was_archived(
    write: Write, story: Story, word: str
) -> None:
    before = dump(story.state)
    recall(write(story), story.state, word)
    assert dump(story.state) == before
