"""Waiting is said clearly: for what, and until when."""

import pytest
from story import Story, a_step

from controller.planner.permission import Limits
from controller.view import words

DIAMOND = [a_step("a"), a_step("b", "a"), a_step("c", "a"), a_step("d", "b", "c")]


def of(story: Story, step: str) -> tuple[str, str]:
    return words.of_step(story.state, story.life(), story.step(step))


def test_a_pending_step_names_what_it_waits_for() -> None:
    story = Story().accept(DIAMOND)
    assert of(story, "d") == ("WaitingForDependencies", "waiting for b, c")
    story.exit("a").exit("b")
    assert of(story, "d") == ("WaitingForDependencies", "waiting for c")


def test_a_ready_step_waits_for_a_slot() -> None:
    story = Story(Limits(max_parallel=1)).accept([a_step("a"), a_step("b")])
    story.start("a")
    assert of(story, "b") == ("WaitingForSlot", "waiting for a slot")


def test_a_ready_step_names_the_limit_of_its_workflow() -> None:
    story = Story().accept([a_step("a"), a_step("b")], parallelism=1).start("a")
    assert of(story, "b") == (
        "WaitingForSlot",
        "waiting for a slot of this workflow (parallelism: 1)",
    )


def test_a_scheduled_step_is_ready_and_says_which_attempt() -> None:
    story = Story().accept([a_step("a")])
    assert of(story, "a") == ("WaitingForSlot", "waiting for a slot")


def test_backoff_says_why_and_when() -> None:
    story = Story().accept([a_step("a", retry={"limit": 2})]).exit("a", 7)
    reason, message = of(story, "a")
    assert reason == "BackOff"
    assert message == "exit code 7; retry 1 of 2 in 0.50 s (due 22:13:20 UTC)"


def test_a_suspended_workflow_holds_its_steps() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], suspend=True)
    assert of(story, "a") == ("Suspended", "nothing starts: suspended by its spec")
    assert of(story, "b") == ("WaitingForDependencies", "waiting for a")
    assert words.of_workflow(story.life())[0] == "Suspended"


def test_suspension_while_a_step_runs_says_that_it_may_end() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")]).start("a")
    story.accept([a_step("a"), a_step("b", "a")], suspend=True)
    assert words.of_workflow(story.life()) == (
        "Suspended",
        "suspended by its spec; 1 running step may finish",
    )


def test_a_step_that_was_set_back_says_why_and_what_it_waits_for() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")]).exit("a").exit("b")
    story.accept([a_step("a", run="new"), a_step("b", "a")])
    reason, message = of(story, "b")
    assert reason != "WaitingForDependencies"
    assert message.endswith("; waiting for a")


def test_an_attempt_that_is_being_ended_says_on_whose_behalf() -> None:
    story = Story().accept([a_step("a")]).start("a").mark(reason="too dear")
    assert of(story, "a") == (
        "CancelMarker",
        "being stopped: cancelled by w.cancel: too dear",
    )
    reason, message = words.of_workflow(story.life())
    assert (reason, message) == (
        "CancelMarker",
        "cancelled by w.cancel: too dear; waiting for 1 running step",
    )


def test_a_running_workflow_names_what_runs() -> None:
    story = Story().accept(DIAMOND).exit("a").start("b", "c")
    assert words.of_workflow(story.life()) == ("Started", "running: b, c")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcdef"), "a, b, c and 3 more"),
    ],
)
def test_a_list_of_names_stays_short(names: list[str], text: str) -> None:
    assert words.listed(names) == text


def test_every_phase_has_a_reason_and_a_message() -> None:
    steps = [a_step("ok"), a_step("bad"), a_step("skip", "bad"), a_step("run"), a_step("ready")]
    story = Story().accept([*steps, a_step("wait", "ready")]).exit("ok").exit("bad", 1).start("run")
    seen = set()
    for step in story.life().steps.values():
        reason, message = words.of_step(story.state, story.life(), step)
        assert reason
        assert message
        seen.add(str(step.phase))
    assert seen == {"Succeeded", "Failed", "Skipped", "Running", "Ready", "Pending"}


def test_a_step_that_may_end_first_says_what_comes_then() -> None:
    first = {"onChanged": "FinishFirst", "onRemoved": "Finish"}
    story = Story().accept([a_step("a", **first), a_step("b", **first)]).start("a", "b")
    story.accept([a_step("a", run="other", **first)])
    assert of(story, "a")[1].endswith("; then it runs again")
    assert of(story, "b")[1].endswith("; then it is removed, since the spec no longer has it")


@pytest.mark.parametrize("steps", [[], ["a"]])
def test_what_an_edit_changed_runs_no_more_under_a_drain(steps: list[str]) -> None:
    story = Story().accept([a_step("a")]).start("a").mark(steps=steps, drain=True)
    story.accept([a_step("a", run="other")])
    assert of(story, "a")[1].endswith("; then it is cancelled")
    assert story.exit("a").why("a") == ("Cancelled", "CancelMarker")
