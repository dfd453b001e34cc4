"""What is wanted of a step: the rank of the sources, and what meets a wish, row by row."""

from typing import Any, get_args

import pytest
from story import Story, a_step

from controller.model.events import AttemptEnding, CancelAccepted, StepReset
from controller.planner.permission import Limits
from controller.planner.wish import MEETS, SOURCES, Outcome, Stage, meet, wish

CHAIN = [a_step("a"), a_step("b")]


def cancelled(story: Story, *steps: str, drain: bool = False) -> None:
    story.see(
        CancelAccepted(
            uid=story.life().uid,
            generation=1,
            reason="RunInterrupted",
            message="cancelled",
            steps=list(steps),
            drain=drain,
        )
    )


def reset(story: Story, step: str = "a") -> None:
    story.see(
        StepReset(uid=story.life().uid, step=step, reason="RetryRequested", message="retried")
    )


def wanted(story: Story, step: str = "a") -> tuple[str, bool] | None:
    found = wish(story.state, story.life(), story.step(step))
    return None if found is None else (found.outcome, found.finish)


def test_the_table_has_every_stage_and_outcome() -> None:
    assert MEETS.keys() == set(get_args(Stage))
    for row in MEETS.values():
        assert row.keys() == set(get_args(Outcome))


def test_nobody_wants_anything_of_a_step_that_runs_or_has_ended() -> None:
    story = Story().accept(CHAIN).start("a")
    assert wanted(story) is None
    story.exit("a")
    assert wanted(story) is None
    assert all(source(story.state, story.life(), story.step("b")) is None for source in SOURCES)


@pytest.mark.parametrize(
    ("fields", "edited", "expected"),
    [
        pytest.param({}, [a_step("a", run="new"), CHAIN[1]], ("reset", False), id="an edit"),
        pytest.param({}, [CHAIN[1]], ("remove", False), id="its removal"),
        pytest.param(
            {"onChanged": "FinishFirst"},
            [a_step("a", run="new", onChanged="FinishFirst"), CHAIN[1]],
            ("reset", True),
            id="an edit that lets it finish first",
        ),
        pytest.param(
            {"onRemoved": "Finish"}, [CHAIN[1]], ("remove", True), id="a removal that lets it end"
        ),
    ],
)
def test_what_an_edit_wants(
    fields: dict[str, Any], edited: list[dict[str, Any]], expected: tuple[str, bool]
) -> None:
    story = Story().accept([a_step("a", **fields), CHAIN[1]]).start("a").accept(edited)
    assert wanted(story) == expected


def test_a_request_outranks_an_edit_and_a_cancellation_a_request() -> None:
    story = Story().accept(CHAIN).start("a").accept([a_step("a", run="new"), CHAIN[1]])
    reset(story)
    found = wish(story.state, story.life(), story.step("a"))
    assert found is not None and found.message == "retried"
    cancelled(story, "a")
    assert wanted(story) == ("cancel", False)


def test_a_request_takes_the_cancellation_of_the_step_back() -> None:
    story = Story().accept(CHAIN).start("a")
    cancelled(story, "a")
    reset(story)
    assert wanted(story) == ("reset", False)


def test_the_removal_of_a_step_outranks_the_end_of_its_workflow() -> None:
    story = Story().accept(CHAIN).start("a").accept([CHAIN[1]])
    cancelled(story)
    assert wanted(story) == ("remove", False)


@pytest.mark.parametrize("drain", [False, True])
def test_a_drain_spares_what_runs_and_lets_what_else_is_wanted_wait(drain: bool) -> None:
    story = Story().accept(CHAIN).start("a").accept([a_step("a", run="new"), CHAIN[1]])
    cancelled(story, drain=drain)
    assert wanted(story) == (("reset", True) if drain else ("cancel", False))
    assert wanted(story, "b") == ("cancel", drain)


def test_what_a_new_generation_finds_is_all_that_it_wants() -> None:
    """A step that was cancelled and has not been ended yet goes on if the edit leaves it alone."""
    story = Story().accept(CHAIN).start("a")
    cancelled(story, "a")
    story.accept([*CHAIN, a_step("c")])
    assert story.step("a").cancel is None


def test_a_queued_start_is_withdrawn_by_a_drain_and_ended_by_a_cancellation() -> None:
    for drain in (True, False):
        story = Story(Limits(max_parallel=2)).accept(CHAIN)
        cancelled(story, drain=drain)
        decision = meet(story.state, story.life(), story.step("a"))
        assert isinstance(decision, AttemptEnding) and decision.withdraw is drain


def test_what_is_being_ended_is_not_ended_twice() -> None:
    story = Story().accept(CHAIN).start("a")
    cancelled(story, "a")
    story.settle()
    assert wanted(story) == ("cancel", False)
    assert meet(story.state, story.life(), story.step("a")) is None


def test_an_attempt_that_was_ended_for_nobody_is_tried_anew() -> None:
    """Whoever wanted its end wants nothing any more: no reason to call the step failed."""
    story = Story().accept(CHAIN).start("a")
    cancelled(story, "a")
    story.settle()
    story.step("a").cancel = None
    story.end("a", settle=False)
    assert wanted(story) == ("reset", False)
    assert story.settle().phases()["a"] == "Ready"
