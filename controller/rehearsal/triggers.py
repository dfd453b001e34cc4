"""What becomes of the triggers of a definition by an edit, and when each is due then.

Due times are asked of the rules, at the moment that the caller names. Cost: O(triggers).
"""

from collections.abc import Iterator, Mapping

from msgspec import structs

from controller.model.state import Workflow, starter_of
from controller.planner.firings.firing import upcoming
from controller.rehearsal.change import TriggerAction, TriggerChange
from controller.spec.models import Spec
from controller.spec.triggers.due import offset
from controller.spec.triggers.trigger import ResolvedTrigger, is_definition, triggers

NOTHING_CHANGES = "nothing changes"
_NONE: Mapping[str, ResolvedTrigger] = {}


def trigger_changes(life: Workflow | None, becomes: Spec | None, now: int) -> list[TriggerChange]:
    """Of the triggers that a definition has, or will have (None: none at all).

    `now`: seconds since 1970 on the wall clock.
    """
    old = _NONE if life is None or life.starter is None else triggers(life.spec)
    new = _NONE if becomes is None else triggers(becomes)
    before, after = _renamed(new, old), _renamed(old, new)
    found = [
        _of_trigger(life, old[name], trigger, now)
        if life is not None and name in old
        else _new(trigger, before.get(name, ""), now)
        for name, trigger in new.items()
    ]
    for name, trigger in old.items():
        if life is not None and name not in new:
            gone = _timeless(trigger, "gone", _gone(after.get(name, "")))
            found.append(structs.replace(gone, before=_due(life, trigger, now)))
    return found


def between(was: Spec, becomes: Spec) -> list[TriggerChange]:
    """What an edit in the past did to the triggers: without due times, which nobody knows now."""
    old = triggers(was) if is_definition(was) else _NONE
    new = triggers(becomes) if is_definition(becomes) else _NONE
    before, after = _renamed(new, old), _renamed(old, new)
    found = [_changed(old, trigger, before.get(name, "")) for name, trigger in new.items()]
    for name, trigger in old.items():
        if name not in new:
            found.append(_timeless(trigger, "gone", _gone(after.get(name, ""))))
    return found


def _renamed(
    some: Mapping[str, ResolvedTrigger], others: Mapping[str, ResolvedTrigger]
) -> dict[str, str]:
    """The name that `others` has for a trigger of `some`, where all but its name is the same."""
    names = {_nameless(other): name for name, other in others.items() if name not in some}
    nameless = {name: _nameless(one) for name, one in some.items() if name not in others}
    return {name: names[key] for name, key in nameless.items() if key in names}


def _nameless(trigger: ResolvedTrigger) -> str:
    return repr(structs.replace(trigger, name=""))


def _changed(
    old: Mapping[str, ResolvedTrigger], trigger: ResolvedTrigger, renamed: str
) -> TriggerChange:
    was = old.get(trigger.name)
    if was is None:
        return _timeless(trigger, "new", f'renamed from "{renamed}"' if renamed else "new")
    if was.waits_for != trigger.waits_for:
        return _timeless(trigger, "moved", _otherwise(trigger))
    if was == trigger:
        return _timeless(trigger, "keep", NOTHING_CHANGES)
    return _timeless(trigger, "keep", f"{_what_differs(was, trigger)} edited")


def _timeless(trigger: ResolvedTrigger, action: TriggerAction, why: str) -> TriggerChange:
    return TriggerChange(
        name=trigger.name, kind=trigger.kind, action=action, before=None, after=None, why=why
    )


def _otherwise(trigger: ResolvedTrigger) -> str:
    return (
        "its times were edited" if trigger.rule is not None else "it waits for something else now"
    )


def _gone(renamed: str) -> str:
    return f'renamed to "{renamed}"' if renamed else "starts nothing any more"


def _new(trigger: ResolvedTrigger, renamed: str, now: int) -> TriggerChange:
    named = f'renamed from "{renamed}", so it is a new one' if renamed else "new"
    return TriggerChange(
        name=trigger.name,
        kind=trigger.kind,
        action="new",
        before=None,
        after=_first(trigger, now),
        why="; ".join([named, *_begins(trigger)]),
        pattern=trigger.files,
    )


def _begins(trigger: ResolvedTrigger) -> Iterator[str]:
    """What one that counts from now on makes of what is there already; views tell of files."""
    if trigger.after:
        yield f"runs of {trigger.after} that have ended do not count"


def _first(trigger: ResolvedTrigger, now: int) -> int | None:
    return None if trigger.rule is None else trigger.rule.after(now, trigger.exclude)


def _due(life: Workflow, trigger: ResolvedTrigger, now: int) -> int | None:
    """The next due time of a trigger in force."""
    if trigger.rule is None:
        return None
    armed = starter_of(life).triggers[trigger.name]
    is_known = armed.is_armed and not _is_held(life)
    return armed.due if is_known else _upcoming(life, trigger, now)


def _is_held(life: Workflow) -> bool:
    """Whether its triggers start nothing now, or were held since they were armed last."""
    starter = starter_of(life)
    return bool(starter.hold or starter.stood)


def _upcoming(life: Workflow, trigger: ResolvedTrigger, now: int) -> int | None:
    """The next one that is not decided; what is due while its triggers are held is skipped."""
    armed = starter_of(life).triggers[trigger.name]
    if _is_held(life):
        begun = now - offset(life.name, trigger.name, trigger.jitter)
        armed = structs.replace(armed, mark=max(armed.mark, begun))
    return upcoming(life, trigger, armed)


def _of_trigger(
    life: Workflow, was: ResolvedTrigger, trigger: ResolvedTrigger, now: int
) -> TriggerChange:
    before = _due(life, was, now)
    after, moved, why = before, False, NOTHING_CHANGES
    if was.waits_for != trigger.waits_for:
        after, moved = _first(trigger, now), True
        parts = [_otherwise(trigger), *_begins(trigger)]
        if before is not None and before <= now:
            parts.append("what was due before is not caught up")
        why = "; ".join(parts)
    elif was != trigger:
        if trigger.rule is not None:
            after = _upcoming(life, trigger, now)
        moved = before != after or was.jitter != trigger.jitter
        why = f"{_what_differs(was, trigger)} edited; used from the next firing on"
    return TriggerChange(
        name=trigger.name,
        kind=trigger.kind,
        action="moved" if moved else "keep",
        before=before,
        after=after,
        why=why,
        pattern=trigger.files if was.waits_for != trigger.waits_for else "",
    )


_FIELDS = {
    "exclude": "exclude",
    "jitter": "jitterSeconds",
    "deadline": "startingDeadlineSeconds",
    "catches_all": "catchUp",
    "phases": "phase",
    "secret": "webhook",
    "params": "params",
}


def _what_differs(was: ResolvedTrigger, trigger: ResolvedTrigger) -> str:
    """The names of the fields."""
    names = [said for name, said in _FIELDS.items() if getattr(was, name) != getattr(trigger, name)]
    return ", ".join(names)
