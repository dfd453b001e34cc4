"""`dependsOn` with its conditions, and the step's own `when`: what becomes of a step, and why."""

from typing import Any

import pytest
from story import Story, a_step

from controller.model.events import StepReady, StepSkipped

RUNS = "runs"
CONDITIONS = ("Succeeded", "Failed", "Finished")

# How "a" ends, and what that means for "b", which depends on it with each of the conditions; then
# what the workflow comes to if "b" ends well, or is skipped.
ENDS: dict[str, tuple[str, str, str, str]] = {
    # a ...                    Succeeded              Failed                 Finished
    "succeeds": (RUNS, "DependencySucceeded", RUNS, "Succeeded"),
    "fails": ("DependencyFailed", RUNS, RUNS, "Failed"),
    "fails, tolerated": (RUNS, RUNS, RUNS, "Succeeded"),
    "is skipped by its when": (RUNS, "DependencySkipped", RUNS, "Succeeded"),
    "is skipped by its exit code": (RUNS, "DependencySkipped", RUNS, "Succeeded"),
    "depends on what failed": ("DependencyFailed", "DependencyFailed", RUNS, "Failed"),
    "depends on what succeeded": ("DependencySkipped", "DependencySkipped", RUNS, "Succeeded"),
    "is cancelled": (
        "DependencyCancelled",
        "DependencyCancelled",
        "DependencyCancelled",
        "Cancelled",
    ),
    "has a when that fails": ("DependencyFailed", RUNS, RUNS, "Failed"),
    "has an argument that fails": ("DependencyFailed", RUNS, RUNS, "Failed"),
    "has one that fails, tolerated": (RUNS, RUNS, RUNS, "Succeeded"),
}
FAILS = "${{ 1 / params.zero == 1 }}"
WHENS = {"none": None, "true": "${{ true }}", "false": "${{ false }}", "fails": FAILS}


def a_that(end: str) -> tuple[dict[str, Any], int]:
    """Step "a" as a document has it, and how its process exits."""
    tolerated = {"continueOnFailure": True} if end.endswith("tolerated") else {}
    if end.startswith("fails"):
        return a_step("a", "root", **tolerated), 1
    if end == "is skipped by its when":
        return a_step("a", "root", when="${{ false }}"), 0
    if end == "is skipped by its exit code":
        return a_step("a", "root", skipExitCodes=[99]), 99
    if end == "depends on what succeeded":
        return a_step("a", {"step": "root", "condition": "Failed"}), 0
    if end == "has a when that fails":
        return a_step("a", "root", when=FAILS), 0
    if end.startswith("has "):
        return a_step("a", "root", command=["x", FAILS], **tolerated), 0
    return a_step("a", "root"), 0


def after(end: str, b: dict[str, Any]) -> Story:
    """What has become of b once a has ended so."""
    a, code = a_that(end)
    story = Story().accept([a_step("root"), a, b], params={"zero": 0})
    if end == "is cancelled":
        story.mark(steps=["a"])
    story.exit("root", 1 if end == "depends on what failed" else 0)
    if "a" in story.live():
        story.exit("a", code)
    return story


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("end", ENDS)
def test_a_condition_and_a_when(end: str, condition: str, when: str) -> None:
    row = ENDS[end]
    meaning, comes_to = row[CONDITIONS.index(condition)], row[3]
    own = {} if WHENS[when] is None else {"when": WHENS[when]}
    story = after(end, a_step("b", {"step": "a", "condition": condition}, **own))
    if meaning != RUNS:
        assert story.why("b") == ("Skipped", meaning), "its `when` is not asked"
    elif when == "false":
        assert story.why("b") == ("Skipped", "WhenFalse")
    elif when == "fails":
        assert story.why("b") == ("Failed", "ExpressionFailed")
        comes_to = "Failed"
    else:
        assert story.why("b") == ("Ready", "WaitingForSlot")
        story.exit("b")
        assert story.why("b") == ("Succeeded", "Completed")
    assert str(story.life().phase) == comes_to


@pytest.mark.parametrize(
    "b", [{"when": FAILS}, {"command": ["x", FAILS]}, {"timeoutSeconds": "${{ params.zero }}"}]
)
def test_an_expression_that_fails_strikes_as_any_failure_does(b: dict[str, Any]) -> None:
    steps = [a_step("a"), a_step("b", "a", **b, retry={"limit": 3}), a_step("c")]
    story = Story().accept(steps, failFast=True, params={"zero": 0}).start("c").exit("a")
    assert story.why("b") == ("Failed", "ExpressionFailed")
    assert not story.step("b").attempts
    story.end("c")
    assert story.why("c") == ("Cancelled", "FailFast")
    assert story.why() == ("Failed", "FailFast")


# ---------------------------------------- asked once


def asked(story: Story, step: str = "b") -> int:
    """How often its `when` was asked."""
    answers = [one.event for one in story.records if isinstance(one.event, StepReady | StepSkipped)]
    return sum(one.step == step and one.when is not None for one in answers)


WHEN = "${{ steps.a.outputs.n > 0 }}"
STEPS = [
    a_step("a", outputs={"n": "integer"}),
    a_step("b", "a", when=WHEN, retry={"limit": 1, "backoff": {"jitter": 0}}),
]


def test_it_is_asked_when_the_dependencies_are_satisfied_and_the_answer_is_recorded() -> None:
    story = Story().accept(STEPS)
    assert asked(story) == 0
    story.exit("a", outputs=b"n=3")
    assert story.step("b").answer == {"steps.a.outputs.n": "3"}
    assert asked(story) == 1


def test_a_no_says_what_it_read() -> None:
    story = Story().accept(STEPS).exit("a", outputs=b"n=0")
    assert story.why("b") == ("Skipped", "WhenFalse")
    assert story.step("b").message == "`when` is false: steps.a.outputs.n is 0"
    assert not story.step("b").attempts


def test_a_retry_after_a_failure_does_not_ask_again() -> None:
    story = Story().accept(STEPS).exit("a", outputs=b"n=3").exit("b", 1)
    assert story.why("b") == ("Pending", "BackOff")
    story.wait(60).exit("b")
    assert story.why("b") == ("Succeeded", "Completed")
    assert asked(story) == 1


def test_nor_does_an_attempt_that_nobody_saw_start() -> None:
    story = Story().accept(STEPS).exit("a", outputs=b"n=3").end("b", how="lost", problem="unseen")
    story.wait(60).exit("b")
    assert asked(story) == 1


def test_nor_does_a_start_that_was_withdrawn() -> None:
    story = Story().accept([*STEPS], parallelism=1).exit("a", outputs=b"n=3")
    story.accept([*STEPS], suspend=True).end("b")
    assert story.why("b") == ("Ready", "WaitingForSlot")
    story.accept([*STEPS]).exit("b")
    assert asked(story) == 1


def test_a_step_that_is_reset_is_asked_again() -> None:
    story = Story().accept(STEPS).exit("a", outputs=b"n=3").exit("b")
    story.retry("b")
    assert asked(story) == 2


def test_and_so_is_one_that_waits_for_a_dependency_again() -> None:
    story = Story().accept(STEPS)
    story.exit("a", outputs=b"n=3").retry("a", "b")
    assert story.why("b")[0] == "Ready", "its attempt is withdrawn first"
    story.end("b").exit("a", outputs=b"n=0")
    assert story.why("b") == ("Skipped", "WhenFalse")
    assert asked(story) == 2
