"""How long a run of a workflow usually takes, and when the present one should end."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import BEGIN, Story, a_step

from controller.model.events import RequestApplied, StepMarked, StepReset
from controller.model.state import SECOND
from controller.view.runs import USUAL_MIN, expected_end, full, median, usual

STEPS = [a_step("a"), a_step("b", "a")]


def restart(story: Story, *steps: str) -> Story:
    uid = story.life().uid
    for step in steps:
        story.see(StepReset(uid=uid, step=step, reason="RestartRequested", message="again"))
    return story.settle()


def ran(*lengths: float) -> Story:
    """Full runs of two steps, which took so many seconds."""
    story = Story()
    for number, length in enumerate(lengths):
        if number:
            restart(story, "a", "b")
        else:
            story.accept(STEPS)
        run_all(story, length)
    return story


def run_all(story: Story, length: float) -> Story:
    return story.start("a").wait(length).exit("a").exit("b")


def ask(story: Story, kind: str) -> Story:
    request = RequestApplied(
        name=f"{kind}-{story.now}", kind=kind, workflow="w", by="ada", uid=story.life().uid
    )
    return story.see(request).settle()


def by_hand(story: Story) -> Story:
    """Step a fails, and somebody does it."""
    restart(story, "a", "b").exit("a", 1)
    done = StepMarked(uid=story.life().uid, step="a", message="by hand", by="ada")
    story.see(done)
    return restart(story, "b")


# ---------------------------------------- usual


@pytest.mark.parametrize(
    ("lengths", "seconds"),
    [
        pytest.param([], None, id="none"),
        pytest.param([9, 9], None, id="two are too few"),
        pytest.param([1, 60, 2], 2, id="the middle one of three"),
        pytest.param([1, 60, 2, 4], 3, id="between the middle two of four"),
    ],
)
def test_the_usual_length_is_the_median(lengths: list[float], seconds: float | None) -> None:
    story = ran(*lengths)
    assert usual(story.state, "w") == (None if seconds is None else seconds * SECOND)


@given(st.lists(st.integers(min_value=0), min_size=USUAL_MIN))
def test_as_many_are_shorter_as_are_longer(lengths: list[int]) -> None:
    middle = median(lengths)
    assert middle is not None
    assert sum(length < middle for length in lengths) <= len(lengths) / 2
    assert sum(length > middle for length in lengths) <= len(lengths) / 2 + 1


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(lambda s: restart(s, "b").exit("b"), id="a step that ran again alone"),
        pytest.param(lambda s: restart(s, "a", "b").exit("a").exit("b", 1), id="a failure"),
        pytest.param(lambda s: restart(s, "a", "b").start("a"), id="one that is not over"),
        pytest.param(lambda s: by_hand(s).exit("b"), id="a step that a person did"),
    ],
)
def test_only_full_runs_that_succeeded_are_compared(deed: Callable[[Story], object]) -> None:
    story = ran(5, 5)
    deed(story)
    assert usual(story.state, "w") is None
    assert [run.number for run in full(story.state.runs["w"])] == [1, 2]


def test_time_in_which_it_was_suspended_does_not_count() -> None:
    story = ran(5, 5)
    restart(story, "a", "b").exit("a")
    ask(story, "suspend").wait(1000)
    ask(story, "resume").wait(5).exit("b")
    assert usual(story.state, "w") == 5 * SECOND


def test_a_run_may_end_while_it_is_suspended() -> None:
    story = Story().accept([a_step("a")]).start("a").wait(3)
    ask(story, "suspend").wait(9).exit("a")
    [run] = story.state.runs["w"]
    assert (run.phase, run.stood) == ("Succeeded", 9 * SECOND)


def test_runs_of_lives_that_are_over_count() -> None:
    story = ran(5, 5)
    story.delete().accept(STEPS)
    run_all(story, 8)
    assert usual(story.state, "w") == 5 * SECOND


# ---------------------------------------- expected end


def test_the_present_run_should_end_as_the_others_did() -> None:
    story = ran(5, 5, 5)
    began = restart(story, "a", "b").now
    assert expected_end(story.state, story.life(), story.now) is None, "it has not begun"
    story.start("a").wait(2)
    assert expected_end(story.state, story.life(), story.now) == began + 5 * SECOND
    ask(story, "suspend").wait(10)
    assert expected_end(story.state, story.life(), story.now) is None, "it is suspended"
    ask(story, "resume")
    assert expected_end(story.state, story.life(), story.now) == began + 15 * SECOND
    story.wait(3)
    assert expected_end(story.state, story.life(), story.now) is None, "it is late"


def test_nothing_is_expected_of_a_run_that_keeps_results() -> None:
    story = restart(ran(5, 5, 5), "b").start("b")
    assert expected_end(story.state, story.life(), story.now) is None


def test_nothing_is_expected_of_a_run_that_is_being_ended() -> None:
    story = restart(ran(5, 5, 5), "a", "b").start("a").mark()
    assert expected_end(story.state, story.life(), story.now) is None


def test_nothing_is_expected_of_the_first_runs() -> None:
    story = restart(ran(5, 5), "a", "b").start("a")
    assert expected_end(story.state, story.life(), BEGIN) is None
