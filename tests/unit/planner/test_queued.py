"""Rule by rule: what it does to a step that waits, one whose start is queued, and one that runs.

A queued start is Ready in every rule. So the second cell of a row is the first, with the attempt
withdrawn where the rule keeps the step from starting as it was to start, or left alone where it
does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import structs
from story import Story, a_step

from controller.intake.requests import answer, withdrawals
from controller.model.observations import Request
from controller.planner.permission import Limits

STEP: dict[str, Any] = {"name": "s", "run": "old"}
FIRST: dict[str, Any] = {"name": "first", "run": "old"}
STAGES = ("waits", "queued", "runs")


class Case:
    """`w` has the step `s`, which depends on `first`; `rival` holds the only slot or one of two."""

    def __init__(self, stage: str, **spec: Any) -> None:
        self.stage = stage
        self.spec = spec
        story = Story(Limits(max_parallel=0))
        story.accept([a_step("r")], "rival")
        story.limits = Limits(max_parallel=1)
        story.settle().start("r", workflow="rival")
        story.limits = Limits(max_parallel=2)
        story.accept([FIRST, {**STEP, "dependsOn": ["first"]}], **spec)
        if stage != "runs":
            story.limits = Limits(max_parallel=1)
        story.exit("first")
        if stage == "runs":
            story.start("s")
        if stage == "queued":
            story.limits = Limits(max_parallel=1, ahead=1)
            story.settle()
        self.story = story
        self.limits = story.limits
        self.life = story.life()
        assert self.attempts() == (0 if stage == "waits" else 1)

    def attempts(self) -> int:
        return len(self.life.steps["s"].attempts)

    def edit(self, changes: dict[str, Any] | None = None, **spec: Any) -> None:
        steps = [FIRST, {**STEP, "dependsOn": ["first"], **(changes or {})}]
        self.story.accept(steps, **{**self.spec, **spec})

    def ask(self, kind: str, **fields: Any) -> None:
        """As the loop does: what waits for a withdrawal is asked again."""
        story = self.story
        request = Request(name="1-1-a", kind=kind, workflow="w", by="me", **fields)
        for _ in range(2):
            actions = answer(story.state, request)
            for action in actions if actions is not None else withdrawals(story.state, request):
                story.promise(action)
            if actions is not None:
                break
            if story.step("s").live is not None:
                story.end("s", settle=False)
        story.settle()

    def forbid(self, **limits: Any) -> None:
        self.story.limits = structs.replace(self.limits, **limits)
        self.story.settle()

    def outcome(self) -> str:
        """What became of the first attempt, once orders to end it are carried out; and the step."""
        story = self.story
        step = self.life.steps.get("s")
        if step is not None and step.live is not None and step.live.ending is not None:
            story.end("s")
            step = self.life.steps.get("s")
        if step is None:
            return "is gone"
        first = step.attempts[0] if step.attempts else None
        fate = ""
        if first is not None:
            fate = "goes on, " if first.live else f"{first.reason}, "
        again = " again" if self.attempts() > 1 and step.live is not None else ""
        return f"{fate}{step.phase}{again}"


@dataclass(frozen=True)
class Rule:
    does: Callable[[Case], object]
    waits: str
    queued: str
    runs: str
    spec: dict[str, Any] | None = None


def drop(case: Case) -> None:
    case.story.accept([FIRST], **case.spec)


def let_it_wait(case: Case) -> None:
    """What it depends on is to run again."""
    changed = {**FIRST, "run": "new"}
    case.story.accept([changed, {**STEP, "dependsOn": ["first"]}], **case.spec)


def rank(case: Case) -> None:
    case.story.accept([a_step("top")], "top", priority=9)


def pass_deadline(case: Case) -> None:
    case.story.wait(11)


RULES = {
    "a marker": Rule(
        lambda case: case.story.mark(),
        "Cancelled",
        "Withdrawn, Cancelled",
        "CancelMarker, Cancelled",
    ),
    "a marker of the step": Rule(
        lambda case: case.story.mark(steps=["s"]),
        "Cancelled",
        "Withdrawn, Cancelled",
        "CancelMarker, Cancelled",
    ),
    "a marker that drains": Rule(
        lambda case: case.story.mark(drain=True),
        "Cancelled",
        "Withdrawn, Cancelled",
        "goes on, Running",
    ),
    "a request to cancel": Rule(
        lambda case: case.ask("cancel"),
        "Cancelled",
        "Withdrawn, Cancelled",
        "RunInterrupted, Cancelled",
    ),
    "a deletion": Rule(
        lambda case: case.story.delete(),
        "Cancelled",
        "Withdrawn, Cancelled",
        "SpecDeleted, Cancelled",
    ),
    "the deadline": Rule(
        pass_deadline,
        "Cancelled",
        "Withdrawn, Cancelled",
        "DeadlineExceeded, Cancelled",
        {"activeDeadlineSeconds": 10},
    ),
    "suspend in the spec": Rule(
        lambda case: case.edit(suspend=True), "Ready", "Withdrawn, Ready", "goes on, Running"
    ),
    "a request to suspend": Rule(
        lambda case: case.ask("suspend"), "Ready", "Withdrawn, Ready", "goes on, Running"
    ),
    "an edit of what it does": Rule(
        lambda case: case.edit({"run": "new"}),
        "Ready",
        "Withdrawn, Ready again",
        "SpecChanged, Ready again",
    ),
    "the same, FinishFirst": Rule(
        lambda case: case.edit({"run": "new", "onChanged": "FinishFirst"}),
        "Ready",
        "Withdrawn, Ready again",
        "goes on, Running",
    ),
    "the same, KeepResult": Rule(
        lambda case: case.edit({"run": "new", "onChanged": "KeepResult"}),
        "Ready",
        "Withdrawn, Ready again",
        "goes on, Running",
    ),
    "an edit of its policies": Rule(
        lambda case: case.edit({"timeoutSeconds": 9}), "Ready", "goes on, Ready", "goes on, Running"
    ),
    "an edit that removes it": Rule(drop, "is gone", "is gone", "is gone"),
    "an edit of what it depends on": Rule(
        let_it_wait, "Pending", "Withdrawn, Pending", "SpecChanged, Pending"
    ),
    "parallelism lowered below what runs": Rule(
        lambda case: case.edit(parallelism=1), "Ready", "goes on, Ready", "goes on, Running"
    ),
    "a step of higher priority": Rule(rank, "Ready", "Withdrawn, Ready", "goes on, Running"),
    "a folder that can't be trusted": Rule(
        lambda case: case.forbid(held="/"), "Ready", "Withdrawn, Ready", "goes on, Running"
    ),
    "a spec that is absent": Rule(
        lambda case: case.forbid(gone=frozenset({"w"})),
        "Ready",
        "Withdrawn, Ready",
        "goes on, Running",
    ),
    "a disk that is nearly full": Rule(
        lambda case: case.forbid(short=True), "Ready", "Withdrawn, Ready", "goes on, Running"
    ),
    "a run that drives others only": Rule(
        lambda case: case.forbid(only=frozenset()), "Ready", "Withdrawn, Ready", "goes on, Running"
    ),
    "a controller that ends all": Rule(
        lambda case: case.forbid(stopping=True),
        "Ready",
        "Withdrawn, Ready",
        "ControllerStopped, Pending",
    ),
    "a mark": Rule(
        lambda case: case.ask("mark", steps=["s"]),
        "Succeeded",
        "Withdrawn, Succeeded",
        "goes on, Running",
    ),
    "a request to retry it": Rule(
        lambda case: case.ask("retry", steps=["s"]),
        "Ready",
        "Withdrawn, Ready again",
        "RetryRequested, Ready again",
    ),
    "a request to restart all": Rule(
        lambda case: case.ask("restart"),
        "Pending",
        "Withdrawn, Pending",
        "RestartRequested, Pending",
    ),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", RULES)
def test_a_queued_start_is_ready_in_every_rule(name: str, stage: str) -> None:
    rule = RULES[name]
    case = Case(stage, **(rule.spec or {}))
    rule.does(case)
    assert case.outcome() == getattr(rule, stage)


def test_an_edit_that_waits_for_the_run_does_not_wait_for_what_is_queued() -> None:
    """Nothing has begun, so there is no run to wait for."""
    story = Story(Limits(max_parallel=1, ahead=1)).accept([a_step("r")], "rival")
    story.start("r", workflow="rival").accept([STEP])
    assert story.attempt("s").queued
    story.accept([{**STEP, "run": "new"}], editPolicy="AfterRun")
    assert (story.life().generation, story.life().pending) == (2, None)


@pytest.mark.parametrize(("started", "run"), [(False, None), (True, 1)])
def test_a_run_begins_with_its_first_process(started: bool, run: int | None) -> None:
    story = Story(Limits(max_parallel=1, ahead=1)).accept([a_step("r")], "rival")
    story.start("r", workflow="rival").accept([STEP], activeDeadlineSeconds=10).wait(60)
    assert story.phases() == {"s": "Ready"}, "no deadline has begun"
    if started:
        story.exit("r", workflow="rival").start("s")
    assert (story.life().run or None, story.life().in_run) == (run, started)
    assert story.life().phase == ("Running" if started else "Pending")
