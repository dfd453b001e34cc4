"""The generations of one life, and what changed between two of them."""

from collections.abc import Sequence

from msgspec import Struct, structs

from controller.model.events import (
    STEP_ADDED,
    STEP_UNCHANGED,
    EditTakenBack,
    GenerationAccepted,
    Record,
    StepEffect,
)
from controller.model.phases import Reason
from controller.rehearsal.foresee import Change
from controller.spec.models import Spec
from controller.view.edits import in_words
from controller.view.look import Look
from controller.view.table import Cell, Column, Table


class Generation(Struct, frozen=True, kw_only=True):
    """One that was in force. `effects` has all its steps, and the steps that it removed."""

    workflow: str
    number: int
    time: int  # microseconds since 1970
    seq: int
    by: str
    path: str
    spec: Spec
    fingerprints: dict[str, str]
    effects: dict[str, StepEffect]
    before: "Generation | None" = None


def accepted(record: Record, event: GenerationAccepted, before: Generation | None) -> Generation:
    old = {step.name for step in before.spec.steps} if before is not None else set()
    effects = {
        step.name: STEP_UNCHANGED if step.name in old else STEP_ADDED for step in event.spec.steps
    }
    effects |= event.effects  # removed ones come last
    return Generation(
        workflow=event.workflow,
        number=event.generation,
        time=record.time,
        seq=record.seq,
        by=event.by,
        path=event.path,
        spec=event.spec,
        fingerprints=event.fingerprints,
        effects=effects,
        before=before,
    )


def taken_back(record: Record, event: EditTakenBack, before: Generation) -> Generation:
    """The same as the one before it: it takes back an edit that waited."""
    return structs.replace(
        before,
        number=event.generation,
        time=record.time,
        seq=record.seq,
        effects=dict.fromkeys(before.fingerprints, STEP_UNCHANGED),
        before=before,
    )


def between(older: Generation, newer: Generation) -> Change:
    """What `newer` did to the steps of `older`.

    For the next generation this is recorded; for a later one the fingerprints tell.
    """
    return Change(
        workflow=newer.workflow,
        before=older.number,
        after=newer.number,
        was=older.spec,
        becomes=newer.spec,
        steps=newer.effects if newer.before is older else _by_fingerprints(older, newer),
    )


def _by_fingerprints(older: Generation, newer: Generation) -> dict[str, StepEffect]:
    effects: dict[str, StepEffect] = {}
    for name, fingerprint in newer.fingerprints.items():
        if name not in older.fingerprints:
            effects[name] = StepEffect("run", Reason.STEP_ADDED, "new since then")
        elif older.fingerprints[name] != fingerprint:
            why = "what it does changed since then"
            effects[name] = StepEffect("run", Reason.SPEC_CHANGED, why)
        else:
            effects[name] = STEP_UNCHANGED
    for name in older.fingerprints:
        if name not in newer.fingerprints:
            effects[name] = StepEffect("remove", Reason.STEP_REMOVED, "no longer in the spec")
    return effects


def generations_table(generations: Sequence[Generation], look: Look) -> Table:
    return Table(
        (
            Column("GEN", right=True),
            Column(look.headed("ACCEPTED")),
            Column("BY", rank=2),
            Column("FILE", rank=3, shrinks=True),
            Column("STEPS", right=True, rank=1),
            Column("WHAT IT DID"),
        ),
        [
            (
                Cell(str(generation.number)),
                Cell(look.moment(generation.time)),
                Cell(generation.by or "-"),
                Cell(generation.path),
                Cell(str(len(generation.spec.steps))),
                Cell(did(generation)),
            )
            for generation in generations
        ],
    )


def did(generation: Generation) -> str:
    if generation.number == 1:
        return "first version"
    effects = generation.effects.items()
    touched = {name: effect for name, effect in effects if effect.reason != Reason.UNCHANGED}
    return in_words(touched, len(generation.effects) - len(touched))
