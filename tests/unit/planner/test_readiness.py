"""What a dependency's end means for a dependent: conditions, tolerance, skips to the root."""

import pytest
from story import Story, a_step

from controller.model.events import CancelAccepted

RAN = "Ready"


@pytest.mark.parametrize(
    ("condition", "end", "phase", "reason"),
    [
        ("Succeeded", "succeeds", RAN, "WaitingForSlot"),
        ("Succeeded", "fails", "Skipped", "DependencyFailed"),
        ("Succeeded", "fails, tolerated", RAN, "WaitingForSlot"),
        ("Succeeded", "is skipped", "Skipped", "DependencyFailed"),
        ("Succeeded", "is cancelled", "Skipped", "DependencyCancelled"),
        ("Failed", "succeeds", "Skipped", "DependencySucceeded"),
        ("Failed", "fails", RAN, "WaitingForSlot"),
        ("Failed", "fails, tolerated", RAN, "WaitingForSlot"),
        ("Failed", "is skipped", "Skipped", "DependencyFailed"),
        ("Failed", "is cancelled", "Skipped", "DependencyCancelled"),
        ("Finished", "succeeds", RAN, "WaitingForSlot"),
        ("Finished", "fails", RAN, "WaitingForSlot"),
        ("Finished", "fails, tolerated", RAN, "WaitingForSlot"),
        ("Finished", "is skipped", RAN, "WaitingForSlot"),
        ("Finished", "is cancelled", "Skipped", "DependencyCancelled"),
    ],
)
def test_a_condition_on_an_end(condition: str, end: str, phase: str, reason: str) -> None:
    tolerated = end == "fails, tolerated"
    story = Story().accept(
        [
            a_step("root"),
            a_step("a", "root", continueOnFailure=tolerated),
            a_step("b", {"step": "a", "condition": condition}),
        ]
    )
    story.exit("root", 1 if end == "is skipped" else 0)
    if end == "is cancelled":
        story.see(
            CancelAccepted(
                uid=story.life().uid, generation=1, reason="CancelMarker", message="", steps=["a"]
            )
        )
        story.settle().end("a")
    elif end != "is skipped":
        story.exit("a", 1 if end.startswith("fails") else 0)
    assert story.why("b") == (phase, reason)


def test_a_whole_branch_names_its_root() -> None:
    chain = [a_step("a"), a_step("b", "a"), a_step("c", "b"), a_step("d", "c")]
    story = Story().accept(chain).exit("a", 3)
    assert [story.why(name) for name in "bcd"] == [("Skipped", "DependencyFailed")] * 3
    assert story.step("b").message == 'depends on "a", which failed'
    assert story.step("d").message == 'depends on "c", which was skipped'
    assert story.why() == ("Failed", "StepFailed")


def test_a_step_waits_for_all_and_is_skipped_by_the_first_that_breaks() -> None:
    story = Story().accept([a_step("a"), a_step("b"), a_step("c", "a", "b")])
    story.exit("a")
    assert story.phases()["c"] == "Pending"
    story.exit("b", 1)
    assert story.phases()["c"] == "Skipped"


def test_a_backoff_ends_when_a_dependency_is_tried_anew() -> None:
    """Else its timer would be due for ever, and nothing could follow from it."""
    finished = {"step": "a", "condition": "Finished"}
    steps = [a_step("a"), a_step("b", finished, retry={"limit": 1})]
    story = Story().accept(steps).exit("a", 1).exit("b", 1)
    assert story.why("b") == ("Pending", "BackOff")
    story.accept([*steps, a_step("c")])
    assert story.why("a") == ("Ready", "WaitingForSlot")
    assert story.why("b") == ("Pending", "DependencyReran")
    assert not story.state.timers
