"""The generations of one life, and what changed between two of them."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, UnsetType, structs

from controller.model.events import (
    STEP_ADDED,
    STEP_UNCHANGED,
    Child,
    EditTakenBack,
    FiringDecided,
    GenerationAccepted,
    GenerationFollowed,
    Record,
    StepEffect,
    StepExpanded,
)
from controller.model.phases import Reason
from controller.rehearsal.change import Change
from controller.rehearsal.triggers import NOTHING_CHANGES
from controller.rehearsal.triggers import between as between_triggers
from controller.spec.fingerprint import fingerprints
from controller.spec.items import child_name, parent_name
from controller.spec.linked import Linked
from controller.spec.params import values
from controller.spec.triggers.trigger import TIMES, is_definition
from controller.view.changes.edits import in_words
from controller.view.changes.policy import PolicyEdit
from controller.view.look import Look
from controller.view.table import Cell, Column, Table
from controller.view.words import named


class Generation(Struct, frozen=True, kw_only=True):
    """One that was in force. `effects` has all its steps, and the steps that it removed.

    `children`: of each step with `forEach` the fingerprints of its children, as they last were.
    """

    workflow: str
    number: int
    time: int  # microseconds since 1970
    seq: int
    by: str
    path: str
    spec: Linked
    fingerprints: dict[str, str]
    effects: dict[str, StepEffect]
    children: dict[str, dict[str, str]] = {}
    before: "Generation | None" = None
    begins: bool = False  # an instance, which has the number of its definition

    @property
    def prints(self) -> dict[str, str]:
        """The fingerprints of its steps, each with its children after it."""
        found: dict[str, str] = {}
        for name, fingerprint in self.fingerprints.items():
            found |= {name: fingerprint, **self.children.get(name, {})}
        return found


def accepted(record: Record, event: GenerationAccepted, before: Generation | None) -> Generation:
    """`before`: the one that was in force until then."""
    old = before.prints if before is not None else {}
    prints = event.fingerprints
    if not prints:  # of a definition: with the params that it gives, but for those without a value
        prints = fingerprints(event.spec, values(event.spec))
    known = before.children if before is not None else {}
    children = {
        step.name: _prints(step.name, event.expansions[step.name])
        if step.name in event.expansions
        else known.get(step.name, {})
        for step in event.spec.steps
        if not isinstance(step.for_each, UnsetType)
    }
    effects: dict[str, StepEffect] = {}
    for step in event.spec.steps:
        names = [step.name, *(children[step.name] if step.name in event.expansions else ())]
        effects |= {name: STEP_UNCHANGED if name in old else STEP_ADDED for name in names}
    effects |= event.effects  # removed ones come last
    return Generation(
        workflow=event.workflow,
        number=event.generation,
        time=record.time,
        seq=record.seq,
        by=event.by,
        path=event.path,
        spec=event.spec,
        fingerprints=prints,
        effects=effects,
        children=children,
        before=before,
    )


def followed(
    record: Record,
    event: FiringDecided | GenerationFollowed,
    of: Generation,
    instance: str,
    before: Generation | None,
) -> Generation:
    """An instance has begun with, or now follows, the generation `of` of its definition."""
    if isinstance(event, FiringDecided):
        own: dict[str, Any] = {"by": event.by}
    else:
        own = {"by": of.by, "effects": event.effects, "expansions": event.expansions}
    as_accepted = GenerationAccepted(
        uid=event.uid,
        workflow=instance,
        generation=of.number,
        spec=of.spec,
        path=of.path,
        fingerprints=event.fingerprints,
        **own,
    )
    begins = isinstance(event, FiringDecided)
    return structs.replace(accepted(record, as_accepted, before), begins=begins)


def expanded(of: Generation, event: StepExpanded) -> Generation:
    """The same with the children that a step got while it was in force."""
    return structs.replace(
        of, children={**of.children, event.step: _prints(event.step, event.children)}
    )


def _prints(parent: str, children: Sequence[Child]) -> dict[str, str]:
    return {child_name(parent, child.key): child.fingerprint for child in children}


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

    For the next generation this is recorded; for a later one, and of a definition, which has no
    steps itself, the fingerprints tell.
    """
    starts = _starts(newer)
    recorded = newer.before is older and not starts
    return Change(
        workflow=newer.workflow,
        before=older.number,
        after=newer.number,
        was=older.spec,
        becomes=newer.spec,
        steps=newer.effects if recorded else _by_fingerprints(older, newer),
        triggers=between_triggers(older.spec, newer.spec) if starts else None,
    )


def _starts(generation: Generation) -> bool:
    """Whether it is one of a definition, not of an instance."""
    return is_definition(generation.spec) and "@" not in generation.workflow


def _by_fingerprints(older: Generation, newer: Generation) -> dict[str, StepEffect]:
    effects: dict[str, StepEffect] = {}
    before, after = older.prints, newer.prints
    for name, fingerprint in after.items():
        if name not in before:
            effects[name] = StepEffect("run", Reason.STEP_ADDED, "new since then")
        elif before[name] != fingerprint:
            why = "what it does changed since then"
            effects[name] = StepEffect("run", Reason.SPEC_CHANGED, why)
        else:
            effects[name] = STEP_UNCHANGED
    for name in before:
        if name not in after:
            what = "list" if newer.children.get(parent_name(name)) is not None else "spec"
            effects[name] = StepEffect("remove", Reason.STEP_REMOVED, f"no longer in the {what}")
    return effects


def generations_table(
    generations: Sequence[Generation], policies: Sequence[PolicyEdit], look: Look
) -> Table:
    """A row for each generation, and for each edit of Defaults, in the order of their times."""
    rows = [
        (
            generation.time,
            (
                Cell(str(generation.number)),
                Cell(look.moment(generation.time)),
                Cell(generation.by or "-"),
                Cell(generation.path),
                Cell(str(len(generation.spec.steps))),
                Cell(did(generation)),
            ),
        )
        for generation in generations
    ]
    for edit in policies:
        when, by = Cell(look.moment(edit.time)), Cell(edit.by or "-")
        rows.append((edit.time, (Cell("-"), when, by, Cell(edit.path), Cell("-"), Cell(edit.said))))
    rows.sort(key=lambda row: row[0])
    return Table(
        (
            Column("GEN", right=True),
            Column(look.headed("ACCEPTED")),
            Column("BY", rank=2),
            Column("FILE", rank=3, shrinks=True),
            Column("STEPS", right=True, rank=1),
            Column("WHAT IT DID"),
        ),
        [cells for _, cells in rows],
    )


def did(generation: Generation) -> str:
    if generation.begins:
        return "the instance started with it"
    if generation.number == 1:
        return "first version"
    if _starts(generation) and generation.before is not None:
        return _of_definition(between(generation.before, generation)) or "policy edited"
    alone = {  # without those whose children stand for them
        name: effect
        for name, effect in generation.effects.items()
        if not generation.children.get(name)
    }
    touched = {name: effect for name, effect in alone.items() if effect.reason != Reason.UNCHANGED}
    return in_words(touched, len(alone) - len(touched))


_OF_TRIGGERS = {"new": "new", "moved": "times edited", "keep": "edited", "gone": "removed"}


def _of_definition(change: Change) -> str:
    """`edited: load; trigger night: times edited; trigger noon: removed`."""
    assert change.was is not None
    assert change.becomes is not None
    old, new = ({step.name: step for step in spec.steps} for spec in (change.was, change.becomes))
    steps = {
        "edited": [name for name in new if name in old and new[name] != old[name]],
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
    }
    parts = [f"{verb}: {named(names)}" for verb, names in steps.items() if names]
    for trigger in change.triggers or ():
        if trigger.action != "keep" or trigger.why != NOTHING_CHANGES:
            timed = trigger.kind in TIMES or trigger.action != "moved"
            verb = _OF_TRIGGERS[trigger.action] if timed else "edited"
            renamed = trigger.why if trigger.why.startswith("renamed") else verb
            parts.append(f"trigger {trigger.name}: {renamed}")
    fields = {"concurrency": "concurrency", "keep_instances": "keepInstances", "suspend": "suspend"}
    edited = [
        said
        for field, said in fields.items()
        if getattr(change.was, field) != getattr(change.becomes, field)
    ]
    parts += [f"{', '.join(edited)} edited"] if edited else []
    return "; ".join(parts)
