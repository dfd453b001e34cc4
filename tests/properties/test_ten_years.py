"""Definitions cost what is due, not what waits, and ten years of one leave no more than a week."""

from cProfile import Profile

import pytest
from story import Story, a_step

from controller.model.image import freeze
from controller.model.state import SECOND
from controller.planner.permission import Limits

DAY = 86_400
LIMITS = Limits(max_parallel=8)


def minutely(**fields: object) -> Story:
    story = Story(LIMITS, checked=False)
    spec = {"triggers": [{"name": "t", "schedule": "* * * * *"}], "keepInstances": 5, **fields}
    return story.accept([a_step("a")], **spec)


def some_minutes(story: Story, count: int) -> None:
    """Each of them begins an instance, which succeeds; the test keeps no log."""
    for _ in range(count):
        story.now = (story.now // (60 * SECOND) + 1) * 60 * SECOND
        story.settle()
        for uid, _ in list(story.state.live):
            story.exit("a", workflow=story.state.lives[uid].name)
        story.records.clear()
        story.state.moves.clear()


def size(story: Story) -> tuple[int, int, int, int]:
    state = story.state
    numbers = len(state.lives), len(state.runs), len(state.timers)
    return (len(freeze(state)), *numbers)


def test_ten_years_of_a_minutely_definition_are_as_small_as_a_week() -> None:
    story = minutely()
    some_minutes(story, 300)
    small = size(story)
    for _ in range(40):  # of ten years, a few minutes of each quarter
        story.now += 91 * DAY * SECOND
        story.controller_starts()
        story.settle()
        some_minutes(story, 25)
    large = size(story)
    assert large[1:] == small[1:]
    assert large[0] <= small[0] * 1.1
    assert len(story.life().starter.triggers["t"].missed) <= 16  # type: ignore[union-attr]


def test_so_are_firings_that_are_all_skipped_and_wait_in_vain() -> None:
    """The first instance never ends."""
    story = minutely()
    story.now += 120 * SECOND
    story.settle()
    sizes = []
    for _ in range(3):
        for _ in range(200):
            story.wait(60)
            story.records.clear()
            story.state.moves.clear()
        sizes.append(size(story))
    assert sizes[1][1:] == sizes[2][1:]
    assert sizes[2][0] <= sizes[0][0] * 1.05


@pytest.mark.parametrize("kind", ["times", "after"])
def test_a_turn_looks_at_the_one_that_is_due_however_many_wait(kind: str) -> None:
    few, many = (calls_of_a_turn(count, kind) for count in (100, 3_000))
    assert many <= few * 1.1


def calls_of_a_turn(count: int, kind: str) -> int:
    """One of them is due at another time than the others, and what it begins succeeds."""
    story = Story(LIMITS, checked=False)
    story.accept([a_step("a")], "first", triggers=[])
    for number in range(count):
        waits = {"after": {"workflow": f"other-{number}"}} if kind == "after" else {"at": [LATER]}
        story.accept([a_step("a")], f"w{number}", triggers=[{"name": "t", **waits}])
    story.accept([a_step("a")], "due", triggers=[{"name": "t", "everySeconds": 60}])

    def turn() -> None:
        story.now = (story.now // (60 * SECOND) + 1) * 60 * SECOND
        story.settle()
        ((uid, _),) = story.state.live
        story.exit("a", workflow=story.state.lives[uid].name)

    turn()
    profile = Profile()
    profile.runcall(turn)
    return sum(entry.callcount for entry in profile.getstats())


LATER = "2100-01-01T00:00:00Z"
