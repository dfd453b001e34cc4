"""A state of one's own that follows the log."""

from collections.abc import Callable

import pytest
from story import Story, dump

from controller.client.replica import Replica, controller_shape, is_live, stood
from controller.errors import StorageError
from controller.log.lock import StateLock
from controller.log.status_file import ControllerStatus, write_status

Write = Callable[[Story], str]


def test_it_comes_to_what_the_log_says(write: Write, story: Story) -> None:
    assert dump(Replica(write(story)).catch_up()) == dump(story.state)


def test_a_folder_that_is_not_there_is_an_empty_state() -> None:
    assert Replica("/nowhere").catch_up().seq == 0


def test_news_are_told_once_with_the_phases_that_they_changed(write: Write, story: Story) -> None:
    replica = Replica(write(story))
    assert [change.record.seq for change in replica.news()] == [one.seq for one in story.records]
    assert list(replica.news()) == []
    story.exit("extract", workflow="etl")
    write(story)
    moves = [(move.step, str(move.phase)) for change in replica.news() for move in change.moves]
    assert ("extract", "Succeeded") in moves
    assert dump(replica.state) == dump(story.state)


def test_following_says_when_there_is_nothing_new_for_the_moment(
    write: Write, story: Story
) -> None:
    followed = Replica(write(story)).follow()
    told = [next(followed) for _ in range(len(story.records) + 1)]
    assert None not in told[:-1]
    assert told[-1] is None


def test_a_log_that_had_more_is_refused(write: Write, story: Story) -> None:
    state_dir = write(story)
    with StateLock(state_dir, "up") as lock:
        lock.note_end(story.state.seq + 1)
    with pytest.raises(StorageError, match="had"):
        Replica(state_dir).catch_up()


def test_a_controller_is_there_as_long_as_it_holds_the_lock(write: Write, story: Story) -> None:
    state_dir = write(story)
    assert not is_live(state_dir)
    with StateLock(state_dir, "up") as lock:
        status = ControllerStatus(phase="Running", pid=lock.holder.pid, epoch=3)
        write_status(state_dir, status, 17)
        assert is_live(state_dir)
        assert controller_shape(state_dir).phase == "Running"
    assert not is_live(state_dir)
    stopped = controller_shape(state_dir)
    assert (stopped.phase, stopped.pid, stopped.epoch) == ("Stopped", None, 3)


def test_without_a_controller_clocks_stand_at_the_last_thing_known(
    write: Write, story: Story
) -> None:
    state_dir, state = write(story), story.state
    assert stood(state_dir, state) == state.time, "the last record"
    with StateLock(state_dir, "up") as lock:
        status = ControllerStatus(phase="Running", pid=lock.holder.pid, epoch=3)
        write_status(state_dir, status, state.time + 5)
        assert stood(state_dir, state) is None
    assert stood(state_dir, state) == state.time + 5, "it said something after that"
