"""Who gives up the proof of an end, where that can't be had, and what becomes of the step."""

from typing import Any

import pytest
from story import Story, a_step

from controller.intake.requests import answer
from controller.model.events import AttemptFinished, RequestApplied, RunStarted
from controller.model.observations import Request

JOB: dict[str, Any] = {"executor": {"slurm": {}}}
LOCK: dict[str, Any] = {"uses": [{"lock": "x"}]}
AWAY = frozenset({"slurm"})


def ask(story: Story, *steps: str, away: frozenset[str] = AWAY, **fields: Any) -> str:
    """Carry it out; returns the refusal, empty if there is none."""
    told = {"name": "r1", "workflow": "w", "by": "ada", "reason": "gone", **fields}
    request = Request(kind="abandon", steps=[*steps], **told)
    actions = answer(story.state, request, away)
    assert actions is not None
    for action in actions:
        story.promise(action)
    story.settle()
    applied = actions[0]
    assert isinstance(applied, RequestApplied)
    assert not applied.refused or len(actions) == 1
    return applied.refused


def finished(story: Story) -> AttemptFinished:
    events = [record.event for record in story.records]
    return [event for event in events if isinstance(event, AttemptFinished)][-1]


def test_the_attempt_is_interrupted_with_who_and_why() -> None:
    story = Story().accept([a_step("a", retry={"limit": 3}, **JOB)]).start("a")
    handle = story.attempt("a").handle
    assert ask(story, "a") == ""
    assert finished(story).message == f"given up by ada: gone; slurm {handle} may still run"
    assert (finished(story).phase, finished(story).reason) == ("Interrupted", "Abandoned")
    assert story.why("a") == ("Failed", "Abandoned"), "not retried, whatever retry says"
    assert story.step("a").interruptions == 0
    assert story.retry("a").attempt("a").number == 2, "but if somebody asks for it"


def test_one_that_was_not_submitted_and_begins_no_run() -> None:
    story = Story().accept([a_step("a", **JOB)])
    assert ask(story) == ""
    assert finished(story).message.endswith("; what slurm got of it may still run")
    assert any(isinstance(record.event, RunStarted) for record in story.records)
    assert story.why() == ("Failed", "StepFailed")


@pytest.mark.parametrize(
    ("steps", "away", "why"),
    [
        (["a"], frozenset(), '"a" can be stopped: slurm can be reached, and no end of it failed'),
        (["here"], AWAY, '"here" can be stopped: no end of it has failed'),
        (["done"], AWAY, 'nothing of "done" runs: it is Succeeded'),
        (["a", "here"], AWAY, '"here" can be stopped: no end of it has failed'),
        (["nix"], AWAY, 'no step is named "nix"'),
        ([], frozenset(), "all that runs of w can be stopped: write the same without --abandon"),
    ],
)
def test_where_an_end_can_be_proven_it_is_waited_for(
    steps: list[str], away: frozenset[str], why: str
) -> None:
    story = Story().accept([a_step("a", **JOB), a_step("here"), a_step("done")])
    story.exit("done").start("a", "here")
    assert ask(story, *steps, away=away) == why.replace("it failed", "it has failed")
    assert story.live() == {"a", "here"}


def test_without_a_step_all_that_are_stuck() -> None:
    story = Story().accept([a_step("a", **JOB), a_step("b", **JOB), a_step("here"), a_step("x")])
    story.start("a", "b", "here", "x").mark().survive("here", pids=(7, 5))
    assert ask(story) == ""
    assert story.live() == {"x"}
    assert finished(story).message == "given up by ada: gone; pid 5, 7 may still run"
    assert story.step("here").attempts[0].survivors == [5, 7], "for who looks for them later"
    assert story.why("here") == ("Cancelled", "CancelMarker"), "what it was to become"


def test_an_end_that_failed_by_the_word_of_its_engine() -> None:
    story = Story().accept([a_step("a", **JOB)]).start("a").mark().survive("a", "scancel: no")
    condition = story.life().conditions["EndFailed"]
    assert condition.message == "step a: scancel: no; its slot stays taken"
    assert ask(story, "a", away=frozenset()) == ""
    condition = story.life().conditions["EndFailed"]
    assert (condition.status, condition.message.partition(";")[0]) == (
        "False",
        "step a: given up by ada: gone",
    )


def test_children_by_the_name_of_their_parent() -> None:
    story = Story().accept([a_step("each", forEach=["x", "y", "z"], **JOB)])
    story.start("each[x]", "each[y]").exit("each[x]")
    assert ask(story, "each") == ""
    assert story.phases() == {
        "each": "Failed",
        "each[x]": "Succeeded",
        "each[y]": "Failed",
        "each[z]": "Failed",
    }


def test_a_hook() -> None:
    hooks = {"onExit": [{"name": "h", "run": "x", **JOB}]}
    story = Story().accept([a_step("a")], hooks=hooks).exit("a").start("onExit/h")
    assert ask(story, "onExit/h") == ""
    assert story.why() == ("Succeeded", "Completed")
    assert story.why("onExit/h") == ("Failed", "Abandoned")


def test_slots_and_pools_are_free_again() -> None:
    story = Story().accept([a_step("a", **LOCK, **JOB), a_step("b", **LOCK)]).start("a")
    assert ask(story, "a") == ""
    assert story.live() == {"b"}


def test_an_older_life_is_not_meant() -> None:
    story = Story().accept([a_step("a", **JOB)]).start("a")
    assert "it was for an earlier w" in ask(story, "a", uid="another")
    assert ask(story, workflow="nix") == "no workflow is named nix"
