"""What leaves the state: when its time is up, and when there is too much that is over."""

import pytest
from story import Story, a_step

from controller.model.events import AttemptsArchived, LifeArchived
from controller.model.indexes import SEEN_SECONDS
from controller.planner.retention import archive
from controller.planner.slots import Limits

ALL = Limits(max_parallel=9, keep_finished=None)


def ended(*names: str, ttl: float | None = None) -> Story:
    """Lives that have ended, and whose documents are gone, in this order; a second apart."""
    story = Story(ALL)
    more = {"ttlSecondsAfterFinished": ttl} if ttl is not None else {}
    for name in names:
        story.accept([a_step("a")], name, **more).exit("a", workflow=name).delete(name).wait(1)
    return story


def leaving(story: Story, after: float, keep: int | None) -> list[str]:
    """The names of the lives that may go so many seconds later, in order."""
    now = story.now + round(after * 1_000_000)
    actions = archive(story.state, now, Limits(max_parallel=9, keep_finished=keep))
    assert all(isinstance(action, LifeArchived) for action in actions)
    return [story.state.lives[action.uid].name for action in actions]


@pytest.mark.parametrize(
    ("keep", "after", "names"),
    [
        pytest.param(None, 60, "", id="without a limit nothing goes"),
        pytest.param(3, 60, "", id="as many as are kept"),
        pytest.param(2, 60, "u", id="one more: the oldest goes"),
        pytest.param(0, 60, "uvw", id="none is kept: all go, the oldest first"),
        pytest.param(0, SEEN_SECONDS - 3.5, "", id="whoever waits for an end may see it"),
        pytest.param(0, SEEN_SECONDS - 3, "u", id="each for so long after its own end"),
    ],
)
def test_more_than_are_kept_go_oldest_first(keep: int | None, after: float, names: str) -> None:
    assert leaving(ended("u", "v", "w"), after, keep) == list(names)


def test_what_is_in_the_folder_is_never_in_excess() -> None:
    story = Story(ALL)
    for name in ("u", "v"):
        story.accept([a_step("a")], name).exit("a", workflow=name)
    assert leaving(story, 10_000, keep=0) == []


@pytest.mark.parametrize(
    ("ttl", "after", "names"),
    [
        pytest.param(60, 58.9, "", id="not before its time is up"),
        pytest.param(60, 59, "u", id="when it is"),
        pytest.param(0, SEEN_SECONDS - 1.1, "", id="not before somebody may have seen it"),
        pytest.param(0, SEEN_SECONDS - 1, "u", id="even where it has no time to live"),
        pytest.param(None, 10**6, "", id="never, where nothing was said"),
    ],
)
def test_a_life_that_is_over_goes_when_its_time_is_up(
    ttl: float | None, after: float, names: str
) -> None:
    assert leaving(ended("u", ttl=ttl), after, keep=None) == list(names)


def test_one_whose_time_is_up_and_that_is_in_excess_goes_once() -> None:
    assert leaving(ended("u", ttl=30), 60, keep=0) == ["u"]


def test_of_what_is_in_the_folder_old_attempts_go_and_the_life_stays() -> None:
    story = Story(ALL)
    story.accept(
        [a_step("a", retry={"limit": 1, "backoff": {"initialSeconds": 1}})],
        ttlSecondsAfterFinished=60,
    )
    story.exit("a", 1).wait(1).exit("a")
    (action,) = archive(story.state, story.now + 60_000_000, ALL)
    assert action == AttemptsArchived(
        uid=story.life().uid, message="it finished 60 s ago (ttlSecondsAfterFinished)"
    )
    story.see(action)
    assert [attempt.number for attempt in story.step("a").attempts] == [2]
    assert archive(story.state, story.now + 10**12, ALL) == [], "there is nothing more to give"


def test_what_else_time_makes_due_archives_nothing() -> None:
    story = Story(ALL)
    story.accept([a_step("a", timeoutSeconds=1)], ttlSecondsAfterFinished=1).start("a")
    assert archive(story.state, story.now + 60_000_000, ALL) == []


def test_why_it_goes_is_said() -> None:
    story = ended("u", "v", ttl=30)
    (by_time, _) = archive(story.state, story.now + 60_000_000, ALL)
    assert by_time.message == "it finished 30 s ago (ttlSecondsAfterFinished)"
    limits = Limits(max_parallel=9, keep_finished=1)
    (by_number,) = archive(ended("u", "v").state, story.now + 60_000_000, limits)
    assert by_number.message == "there are more than 1 finished ones (--keep-finished)"
