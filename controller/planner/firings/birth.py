"""What becomes of a firing: the instance that it begins, at once or in its turn, or why none.

Asked when the firing is recorded, since what runs by then decides. Cost: O(steps) for the
fingerprints of the instance.
"""

from collections.abc import Mapping
from itertools import chain, count
from typing import Any

from msgspec import structs

from controller.model.events import FiringDecided
from controller.model.indexes import forbidden, wall
from controller.model.phases import Reason
from controller.model.state import SECOND, Group, State, Workflow, starter_of
from controller.planner.actions import Fire
from controller.spec.definition import asking_each, reads
from controller.spec.expression import Failed
from controller.spec.fingerprint import fingerprints
from controller.spec.models import Spec
from controller.spec.params import misfits, values
from controller.spec.triggers.due import at_in, day_of, key_of
from controller.spec.triggers.keys import remembered_as
from controller.spec.triggers.trigger import (
    Firing,
    ResolvedTrigger,
    given_by,
    group_of,
    overlap,
    seen_by,
    triggers,
)


class _Skipped(Exception):
    """The firing begins no instance: a reason for programs, and its text for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def decide(state: State, fire: Fire, now: int, life: str) -> FiringDecided:
    """The record of the decision, at `now` (microseconds of the controller's clock).

    `life`: the uid of the instance, if one begins.
    """
    definition = state.lives[fire.uid]
    fire = _dated(state, definition, fire, wall(state, now) // SECOND)
    said = {name: getattr(fire, name) for name in _SAME}
    try:
        return _begun(state, definition, fire, life, said)
    except _Skipped as skipped:
        return FiringDecided(**said, outcome="Skipped", reason=skipped.reason, message=str(skipped))


def _dated(state: State, definition: Workflow, fire: Fire, now: int) -> Fire:
    """One that is no due time has the moment of its decision; one that was asked for, if need be,
    a key that is made of it.
    """
    facts = fire.facts
    if not facts.due:
        zone = triggers(definition.spec)[fire.trigger].zone if fire.trigger else "UTC"
        due, date = at_in(now, zone), str(day_of(now, zone))
        facts = structs.replace(facts, due=due, date=date)
    if fire.key:
        return structs.replace(fire, facts=facts)
    first = f"{'w' if fire.trigger else 'm'}{key_of(now)}"
    tries = chain([first], (f"{first}-{number}" for number in count(2)))
    taken = starter_of(definition).keys
    names = ((key, f"{definition.name}@{key}") for key in tries)
    key = next(
        key
        for key, name in names
        if name not in state.workflows and remembered_as(fire.trigger, key) not in taken
    )
    return structs.replace(fire, key=key, facts=structs.replace(facts, key=key))


_SAME = (
    "uid",
    "trigger",
    "key",
    "due",
    "next",
    "missed",
    "after",
    "file",
    "facts",
    "backfill",
    "parallel",
    "by",
    "request",
    "given_key",
)


def _begun(
    state: State, definition: Workflow, fire: Fire, life: str, said: dict[str, Any]
) -> FiringDecided:
    name = _name(state, definition, fire.key)
    _check_hold(state, definition, fire)
    given = _params(definition, fire)
    spec = definition.spec
    params = values(spec, given)
    group = _group(spec, fire.facts, params)
    waits_for = _waits_for(state, definition, fire, group)
    return FiringDecided(
        **said,
        outcome="Queued" if waits_for else "Started",
        message=waits_for,
        life=life,
        instance=name,
        params=given,
        group=group,
        fingerprints=fingerprints(spec, params),
        reads=dict(reads(spec)),
        ask_each=asking_each(spec),
    )


def _name(state: State, definition: Workflow, key: str) -> str:
    """`NAME@KEY`, with a number if a living instance has that name."""
    name = f"{definition.name}@{key}"
    number = 2
    while name in state.workflows:
        name = f"{definition.name}@{key}-{number}"
        number += 1
    return name


def _check_hold(state: State, definition: Workflow, fire: Fire) -> None:
    own = forbidden(state, f"{definition.name}@{fire.key}")
    if own is not None:
        raise _Skipped(Reason.CANCEL_MARKER, f"the file {own.path} keeps it from starting")
    by_hand = not fire.trigger or fire.backfill
    if definition.suspended is not None and not by_hand:
        said = definition.suspension or "suspended by its spec"
        raise _Skipped(Reason.SUSPENDED, f"{definition.name} is {said}")


def _params(definition: Workflow, fire: Fire) -> dict[str, Any]:
    given = fire.given
    if given is None:
        trigger = _trigger(definition, fire)
        try:
            seen = seen_by(fire.facts, values(definition.spec))
            given = {**given_by(definition.spec, trigger, seen), **fire.over}
        except Failed as failure:
            raise _Skipped(Reason.INVALID_PARAMS, str(failure)) from None
    found = [f"param {name}: {problem}" for name, problem in misfits(definition.spec, given)]
    if found:
        raise _Skipped(Reason.INVALID_PARAMS, "; ".join(found))
    return given


def _group(spec: Spec, facts: Firing, params: Mapping[str, Any]) -> str:
    try:
        return group_of(spec, seen_by(facts, params))
    except Failed as failure:
        raise _Skipped(Reason.INVALID_PARAMS, str(failure)) from None


def line_of(definition: Workflow, trigger: ResolvedTrigger, facts: Firing) -> str:
    """The group of the instance that this firing would begin; "" if it would begin none."""
    spec = definition.spec
    if not overlap(spec).group:
        return ""
    try:
        fire = Fire(uid=definition.uid, trigger=trigger.name, key=facts.key, facts=facts)
        return _group(spec, facts, values(spec, _params(definition, fire)))
    except _Skipped:
        return ""


def has_room(definition: Workflow, group: str, kind: str) -> bool:
    """Whether a firing of this kind would begin an instance now, at once or in its turn."""
    written, groups = overlap(definition.spec), starter_of(definition).groups
    others = groups.get(group, Group())
    policy = written.policy_of(kind)
    if policy == "Allow" or len(others.running) + len(others.queued) < written.limit:
        return True
    queued = sum(len(members.queued) for members in groups.values())
    return policy == "Queue" and queued < written.max_queued


def _trigger(definition: Workflow, fire: Fire) -> ResolvedTrigger:
    return triggers(definition.spec)[fire.trigger]


def _waits_for(state: State, definition: Workflow, fire: Fire, group: str) -> str:
    """Why the instance is queued; "" if it starts at once. Raises _Skipped."""
    line = f"\0{fire.backfill}" if fire.backfill else group
    others = starter_of(definition).groups.get(line, Group())
    written = overlap(definition.spec)
    policy = written.policy_of(fire.facts.kind)
    limit = fire.parallel if fire.backfill else written.limit
    if fire.backfill or fire.missed is not None:
        policy = "Queue"
    if policy == "Allow" or len(others.running) + len(others.queued) < limit:
        return ""
    first = next(iter({**others.running, **others.queued}))
    holder = state.lives[first].name
    if policy == "Forbid":
        raise _Skipped(Reason.OVERLAP, f"{holder} has not ended")
    return f"waits for its turn: {holder} has not ended"
