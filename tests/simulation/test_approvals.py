"""Steps that ask a person in the whole loop: answers with and without a controller, and crashes."""

from typing import Any

import pytest
from simulation.trial import judge
from simulation.world import Fate, World
from story import a_step, document, template

from controller.model import events as e
from controller.model.observations import Request

TEMPLATE = template(a_step("get"), a_step("ok", "get", approve={"message": "${{ params.of }}?"}),
                    a_step("put", "ok"), params={"of": "x"})  # fmt: skip


def fate(workflow: str, step: str, number: int) -> Fate:
    return Fate(seconds=1)


def write(world: World, run: str = "old", seconds: float = 60) -> None:
    call = {"name": "t", "params": {"of": "${{ item }}"}}
    steps = [
        a_step("a", run=run),
        a_step("s", "a", approve={"message": "Fine?", "timeoutSeconds": seconds}),
        a_step("late", approve={"message": "?", "timeoutSeconds": 4}, continueOnFailure=True),
        a_step("site", "s", template=call, forEach=["eu", "us"], parallelism=1),
        a_step("last", "site", "late"),
    ]
    world.files["w.yaml"] = (document(steps, templates={"t": TEMPLATE}),)


def ask(world: World, kind: str, *steps: str, question: int = 0, yes: bool = True) -> None:
    name = f"{len(world.records()):06}-{len(world.requests)}"
    asked = Request(name=name, kind=kind, workflow="w", by="ada", steps=[*steps],
                    question=question, approved=yes)  # type: ignore[arg-type]  # fmt: skip
    world.requests[name] = asked


def told(crash_before: int | None = None) -> World:
    """A question is taken back, another one is answered twice; one is not answered in time."""
    world = World(fate=fate, max_parallel=2, crash_before=crash_before)
    write(world)
    world.boot_controller()
    world.run(2)
    write(world, run="new")  # what it asked about runs again
    world.run(0.5)
    ask(world, "approve", "s", question=1)  # nobody asks that any more
    world.run(2)
    ask(world, "suspend")
    world.run(100)
    ask(world, "approve", "s", question=2)
    ask(world, "approve", "s", question=2, yes=False)  # too late
    world.run(1)
    ask(world, "resume")
    world.run(2)
    ask(world, "approve", "site[eu]/ok", question=1)
    world.run(4)
    ask(world, "approve", "site[us]/ok", question=1)
    world.run()
    return world


QUIET = told()


def test_what_is_asked_and_answered() -> None:
    records = [record.event for record in QUIET.records()]
    asked = [(one.step, one.number) for one in records if isinstance(one, e.ApprovalAsked)]
    answered = [
        (one.step, one.number, one.approved)
        for one in records
        if isinstance(one, e.ApprovalAnswered)
    ]
    assert asked == [("late", 1), ("s", 1), ("s", 2), ("site[eu]/ok", 1), ("site[us]/ok", 1)]
    assert answered == [("s", 2, True), ("site[eu]/ok", 1, True), ("site[us]/ok", 1, True)]
    phases = QUIET.phases()["w"]
    assert phases.pop("late") == "Failed"
    assert {*phases.values()} == {"Succeeded"}


@pytest.mark.parametrize("effect", range(1, QUIET.effects + 1))
def test_a_crash_before_any_effect_asks_nobody_again(effect: int) -> None:
    stormy = told(effect)
    judge(stormy, f"told({effect})")
    assert stormy.phases() == QUIET.phases()
    numbers = {name: step.questions for name, step in steps_of(QUIET).items()}
    assert numbers == {name: step.questions for name, step in steps_of(stormy).items()}


def steps_of(world: World) -> dict[str, Any]:
    return world.controller.state.workflows["w"].steps
