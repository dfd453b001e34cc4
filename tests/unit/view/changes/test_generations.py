"""The generations of a life as `history` tells them, and what came about between two of them."""

from time import process_time
from typing import Any

import pytest
from story import BEGIN, a_step, document

from controller.model.events import EditTakenBack, GenerationAccepted, Record, StepEffect
from controller.spec.fingerprint import fingerprints
from controller.spec.models import Spec, Step
from controller.view.changes.generations import (
    Generation,
    accepted,
    between,
    did,
    generations_table,
    taken_back,
)
from controller.view.look import Look
from controller.view.table import render

CHANGED = StepEffect("run", "SpecChanged", "run changed")
REMOVED = StepEffect("remove", "StepRemoved", "no longer in the spec")


def generation(
    number: int, before: Generation | None, *steps: dict[str, Any], **effects: StepEffect
) -> Generation:
    spec = document(list(steps)).spec
    event = GenerationAccepted(
        uid="u", workflow="etl", generation=number, spec=spec, path="etl.yaml", by="ada",
        fingerprints=fingerprints(spec), effects=effects,
    )  # fmt: skip
    return accepted(Record(number, number, BEGIN, 1, event), event, before)


FIRST = generation(1, None, a_step("a"), a_step("b"))
SECOND = generation(2, FIRST, a_step("a", run="x"), a_step("c"), a=CHANGED, b=REMOVED)
THIRD = generation(3, SECOND, a_step("a"), a_step("c"), a_step("b"), a=CHANGED)


def effects(of: dict[str, StepEffect]) -> dict[str, tuple[str, str]]:
    return {name: (effect.action, effect.reason) for name, effect in of.items()}


def test_a_generation_knows_every_step_of_it_and_those_that_it_removed() -> None:
    assert effects(SECOND.effects) == {
        "a": ("run", "SpecChanged"),
        "c": ("run", "StepAdded"),
        "b": ("remove", "StepRemoved"),
    }
    assert effects(generation(2, FIRST, a_step("a"), a_step("b")).effects) == {
        "a": ("keep", "Unchanged"),
        "b": ("keep", "Unchanged"),
    }


def test_of_the_next_generation_what_was_recorded_is_told() -> None:
    change = between(FIRST, SECOND)
    assert (change.workflow, change.before, change.after) == ("etl", 1, 2)
    assert change.steps == SECOND.effects
    assert (change.was, change.becomes) == (FIRST.spec, SECOND.spec)


def test_of_a_later_one_fingerprints_tell() -> None:
    """`a` was changed and changed back, so that nothing came about between the two ends."""
    assert effects(between(FIRST, THIRD).steps) == {
        "a": ("keep", "Unchanged"),
        "b": ("keep", "Unchanged"),
        "c": ("run", "StepAdded"),
    }
    fourth = generation(4, THIRD, a_step("a", run="y"))
    assert effects(between(FIRST, fourth).steps) == {
        "a": ("run", "SpecChanged"),
        "b": ("remove", "StepRemoved"),
    }


def test_an_edit_that_was_taken_back_left_everything_alone() -> None:
    event = EditTakenBack(uid="u", generation=4)
    fourth = taken_back(Record(9, 9, BEGIN + 5, 1, event), event, THIRD)
    assert (fourth.number, fourth.time, fourth.seq, fourth.before) == (4, BEGIN + 5, 9, THIRD)
    assert fourth.spec is THIRD.spec
    assert did(fourth) == "3 unchanged"


def many(number: int, effect: StepEffect) -> Generation:
    names = [f"s{n}" for n in range(number)]
    before = generation(1, None, *map(a_step, names))
    return generation(2, before, *map(a_step, names), **dict.fromkeys(names, effect))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param(FIRST, "first version", id="the first one"),
        pytest.param(
            SECOND,
            "added: c; removed: b; to run again: a (run changed)",
            id="each by what became of it, with why where that says more",
        ),
        pytest.param(
            generation(2, FIRST, a_step("a"), a_step("b")), "2 unchanged", id="nothing changed"
        ),
        pytest.param(
            many(4, CHANGED),
            "to run again: s0 (run changed), s1 (run changed) and 2 more",
            id="the first few of many",
        ),
        pytest.param(
            many(2, CHANGED),
            "to run again: s0 (run changed), s1 (run changed)",
            id="as many as are named",
        ),
    ],
)
def test_what_a_generation_did_in_words(told: Generation, words: str) -> None:
    assert did(told) == words


def test_the_table_of_history() -> None:
    nobody = generation(2, FIRST, a_step("a"), a_step("b"))
    anonymous = type(nobody)(
        **{name: getattr(nobody, name) for name in nobody.__struct_fields__} | {"by": ""}
    )
    assert list(render(generations_table([FIRST, anonymous], [], Look(now=BEGIN)))) == [
        "GEN  ACCEPTED                   BY   FILE      STEPS  WHAT IT DID",
        "  1  2023-11-14T22:13:20+00:00  ada  etl.yaml      2  first version",
        "  2  2023-11-14T22:13:20+00:00  -    etl.yaml      2  2 unchanged",
    ]


def test_the_cost_of_a_generation_grows_with_its_steps_and_not_with_their_square() -> None:
    def cost(count: int) -> float:
        event = GenerationAccepted(
            uid="u", workflow="etl", generation=1, path="etl.yaml",
            spec=Spec(steps=[Step(name=f"s{n}", run="x") for n in range(count)]),
            fingerprints={}, effects={f"s{n}": CHANGED for n in range(count)},
        )  # fmt: skip
        begun = process_time()
        accepted(Record(1, 1, BEGIN, 1, event), event, None)
        return process_time() - begun

    assert cost(32_000) < 64 * cost(2_000), "16 times if linear, above 200 if quadratic"
