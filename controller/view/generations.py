"""The generations of one life, and what came about between two of them."""

from collections.abc import Sequence

from msgspec import Struct, structs

from controller.model.events import EditTakenBack, GenerationAccepted, Record, StepEffect
from controller.model.phases import Reason
from controller.rehearsal.foresee import Change
from controller.spec.models import Spec
from controller.view import words
from controller.view.explain import done
from controller.view.table import Cell, Column, Table
from controller.view.times import rfc3339

_NAMED_MAX = 3
_NEW = StepEffect("run", Reason.STEP_ADDED, "new in this generation")
_ALONE = StepEffect("keep", Reason.UNCHANGED, "what it does is unchanged")


class Generation(Struct, frozen=True, kw_only=True):
    """One that came into force. `effects` has every step of it, and those that it removed."""

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
    names = [step.name for step in event.spec.steps]
    old = {step.name for step in before.spec.steps} if before is not None else set()
    effects = {name: event.effects.get(name, _ALONE if name in old else _NEW) for name in names}
    effects |= {name: one for name, one in event.effects.items() if name not in names}
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
    """One like that before it, instead of an edit that waited."""
    return structs.replace(
        before,
        number=event.generation,
        time=record.time,
        seq=record.seq,
        effects=dict.fromkeys(before.fingerprints, _ALONE),
        before=before,
    )


def between(one: Generation, other: Generation) -> Change:
    """What a step that stood at `one` had before it until `other`.

    Of the next generation what was recorded; of a later one what fingerprints tell.
    """
    return Change(
        workflow=other.workflow,
        before=one.number,
        after=other.number,
        was=one.spec,
        becomes=other.spec,
        steps=other.effects if other.before is one else _by_fingerprints(one, other),
    )


def _by_fingerprints(one: Generation, other: Generation) -> dict[str, StepEffect]:
    found: dict[str, StepEffect] = {}
    for name, fingerprint in other.fingerprints.items():
        if name not in one.fingerprints:
            found[name] = StepEffect("run", Reason.STEP_ADDED, "new since then")
        elif one.fingerprints[name] != fingerprint:
            found[name] = StepEffect("run", Reason.SPEC_CHANGED, "what it does changed since then")
        else:
            found[name] = _ALONE
    for name in one.fingerprints:
        if name not in other.fingerprints:
            found[name] = StepEffect("remove", Reason.STEP_REMOVED, "no longer in the spec")
    return found


def generations_table(generations: Sequence[Generation]) -> Table:
    return Table(
        (
            Column("GEN", right=True),
            Column("ACCEPTED"),
            Column("BY"),
            Column("FILE"),
            Column("STEPS", right=True),
            Column("WHAT IT DID"),
        ),
        [
            (
                Cell(str(one.number)),
                Cell(rfc3339(one.time)[:19] + "Z"),
                Cell(one.by or "-"),
                Cell(one.path),
                Cell(str(len(one.spec.steps))),
                Cell(in_words(one)),
            )
            for one in generations
        ],
    )


def in_words(generation: Generation) -> str:
    """`left 3 alone; removed: old; reset: load (env.REGION changed)`."""
    if generation.number == 1:
        return "began this life"
    by_verb: dict[str, list[str]] = {}
    quiet = 0
    for name, effect in generation.effects.items():
        if effect.reason == Reason.UNCHANGED:
            quiet += 1
            continue
        verb = done(effect)
        why = "" if verb in ("added", "removed") else f" ({words.of_effect(effect)})"
        by_verb.setdefault(verb, []).append(f"{name}{why}")
    parts = [f"left {quiet} alone"] if quiet else []
    for verb, names in sorted(by_verb.items()):
        more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
        parts.append(f"{verb}: {', '.join(names[:_NAMED_MAX])}{more}")
    return "; ".join(parts)
