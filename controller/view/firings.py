"""What a definition waits for, what became of its firings, and who of its instances waits for whom.

Due times are those of the rule; a trigger with jitter starts some seconds later. Cost: O(triggers),
but for `queue_of` and `conditions`, which say theirs.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from controller.model.indexes import definition_of, instances_of
from controller.model.phases import Phase, Reason
from controller.model.state import (
    LOOP_FIRINGS,
    LOOP_TIME,
    SECOND,
    Armed,
    Group,
    LastFiring,
    State,
    Workflow,
    starter_of,
)
from controller.model.timers import TimerKind
from controller.spec.triggers.due import at_in, offset
from controller.spec.triggers.trigger import ResolvedTrigger, triggers
from controller.view.look import Look
from controller.view.times import micros_of, rfc3339

if TYPE_CHECKING:
    from controller.view.shape import FilesWaiting

WORKFLOW_MISSING = "WorkflowMissing"
TRIGGER_LOOPS = "TriggerLoops"

_MISSING = " (no such workflow)"
# Why a firing began no instance, in short. Of what is not here, its own message says it.
_WHY = {
    Reason.OVERLAP: "an earlier instance had not finished",
    Reason.SUSPENDED: "the workflow was suspended",
    Reason.EXPIRED: "it was too late (startingDeadlineSeconds)",
    Reason.EXCLUDED: "its day is excluded",
    Reason.CATCH_UP: "no controller saw it in time",
    Reason.CANCEL_MARKER: "a cancel marker was there",
}


class Due(NamedTuple):
    """The next due time of a trigger, and when it fires: microseconds on the wall clock."""

    trigger: str
    time: int
    fires: int


class DerivedCondition(NamedTuple):
    """A condition that follows from the state. `since`: None if that is not known."""

    type: str
    message: str
    since: int | None = None


def trigger_of(definition: Workflow, name: str) -> ResolvedTrigger:
    return triggers(definition.spec)[name]


# ---------------------------------------- due times


def due_of(definition: Workflow, name: str) -> Due | None:
    """None if it waits for no time, or nothing is decided now."""
    starter = starter_of(definition)
    armed = starter.triggers[name]
    if armed.due is None or starter.hold:
        return None
    later = offset(definition.name, name, trigger_of(definition, name).jitter)
    return Due(name, armed.due * SECOND, (armed.due + later) * SECOND)


def next_due(definition: Workflow) -> Due | None:
    """The first of its triggers to fire."""
    found = (due_of(definition, name) for name in starter_of(definition).triggers)
    return min((due for due in found if due is not None), key=lambda due: due.fires, default=None)


def moment(look: Look, time: int) -> str:
    """A due time hardly has seconds: on a terminal `02:30`, with its date unless it is today."""
    text = look.moment(time)
    return text if look.width is None else text.removesuffix(":00")


def has_passed(due: Due, look: Look) -> bool:
    """Whether it was due while no controller was there."""
    return look.stood is not None and due.fires <= look.now


def due_words(definition: Workflow, look: Look) -> str:
    """`next due 02:30`, `was due 02:30, no controller`, or nothing if it waits for no time."""
    due = next_due(definition)
    if due is None:
        return ""
    of = f" ({due.trigger})" if len(starter_of(definition).triggers) > 1 else ""
    if has_passed(due, look):
        return f"was due {moment(look, due.time)}{of}, no controller"
    return f"next due {moment(look, due.time)}{of}"


def definitions_words(state: State, definitions: Collection[Workflow], look: Look) -> str:
    """`3 definitions wait, next due etl 02:30`. Cost: O(definitions), cheap for many thousands."""
    size, among = len(definitions), {definition.uid for definition in definitions}
    count = "1 definition waits" if size == 1 else f"{size} definitions wait"
    timers = (timer for timer in state.timers if timer.kind is TimerKind.DUE and timer.uid in among)
    soonest = next(timers, None)  # they are sorted
    first = None if soonest is None else state.lives[soonest.uid]
    due = None if soonest is None or first is None else due_of(first, soonest.step)
    if first is None or due is None:
        return count
    if has_passed(due, look):
        return f"{count}, {first.name} was due {moment(look, due.time)}, no controller"
    return f"{count}, next due {first.name} {moment(look, due.time)}"


def in_zone(definition: Workflow, due: Due) -> str:
    """`02:30 Europe/Berlin`."""
    zone = trigger_of(definition, due.trigger).zone
    return f"{at_in(due.time // SECOND, zone)[11:16]} {zone}"


def awaited(state: State, definition: Workflow) -> str:
    """What it waits for besides times: `waits for orders, inbox/*.csv, webhook push`."""
    found = [
        _awaited_by(trigger) + ("" if is_there(state, trigger) else _MISSING)
        for trigger in triggers(definition.spec).values()
        if trigger.rule is None
    ]
    return f"waits for {', '.join(found)}" if found else ""


def _awaited_by(trigger: ResolvedTrigger) -> str:
    return trigger.after or trigger.files or f"webhook {trigger.name}"


def is_there(state: State, trigger: ResolvedTrigger) -> bool:
    """Whether the workflow is there whose end it waits for, if it waits for one."""
    return not trigger.after or trigger.after in state.workflows


def files_of(definition: Workflow, name: str, files: "FilesWaiting") -> int | None:
    """How many files wait for the trigger; None where that is not known."""
    if files is None or trigger_of(definition, name).kind != "files":
        return None
    return files.get(definition.name, {}).get(name)


def rule_words(trigger: ResolvedTrigger) -> str:
    """What the trigger waits for, as its author wrote it."""
    if trigger.kind == "webhook":
        return "deliveries"
    if trigger.rule is None:
        return trigger.files or f"{trigger.after} {'/'.join(sorted(trigger.phases))}"
    if trigger.rule.every:
        return f"every {trigger.rule.every:,} s"
    if trigger.rule.cron:
        return ", ".join(trigger.rule.cron)
    moments = trigger.rule.at
    return at_in(moments[0], trigger.zone) if len(moments) == 1 else f"{len(moments)} moments"


# ---------------------------------------- what became of firings


def last_of(definition: Workflow) -> tuple[str, LastFiring] | None:
    """The trigger that fired last, and what became of it."""
    fired = [
        (name, armed.last)
        for name, armed in starter_of(definition).triggers.items()
        if armed.last is not None
    ]
    return max(fired, key=lambda firing: firing[1].time, default=None)


def outcome_words(last: LastFiring) -> str:
    """`started etl@…`, `skipped: an earlier instance had not finished`."""
    if last.outcome == "Skipped":
        return f"skipped: {_WHY.get(Reason(last.reason), last.message or last.reason)}"
    return f"{last.outcome.lower()} {last.instance}"


def newest(state: State, definition: Workflow) -> Workflow | None:
    """The instance that was born last, backfills aside, unless it is archived."""
    return state.workflows.get(starter_of(definition).latest)


def last_ended(state: State, definition: Workflow) -> Workflow | None:
    """The instance that ended last, backfills aside, unless it is archived."""
    lives = (state.lives[uid] for uid in reversed(starter_of(definition).ended))
    return next(
        (life for life in lives if life.birth is not None and not life.birth.backfill), None
    )


def last_words(state: State, definition: Workflow) -> Iterator[str]:
    """How the last instance ended, and why the last firing began none."""
    fired, life = last_of(definition), last_ended(state, definition)
    if life is not None:
        yield f"last one {life.phase.lower()}"
    if fired is not None and fired[1].outcome == "Skipped":
        yield f"last firing {outcome_words(fired[1])}"


def firing_words(event: Mapping[str, Any], look: Look) -> str:
    """`trigger night, due 02:30: started etl@20261128T013000Z`.

    `event`: the fields of a FiringDecided, its times as scripts read them.
    """
    begun = _begun(event, look)
    if event["outcome"] != "Skipped":
        waits = f", {event['message']}" if event["outcome"] == "Queued" else ""
        return f"{begun}: {event['outcome'].lower()} {event['instance']}{waits}"
    if event["first"] is not None:
        first, last = _shown(event["first"], look), _shown(event["due"], look)
        return f"{begun}: skipped what was due from {first} to {last}: {event['message']}"
    return f"{begun}: skipped: {event['message']}"


def _shown(time: str, look: Look) -> str:
    return moment(look, micros_of(time))


def _begun(event: Mapping[str, Any], look: Look) -> str:
    """What fired."""
    trigger, by = event["trigger"], f"by {event['by'] or 'somebody'}"
    due = "" if event["due"] is None else _shown(event["due"], look)
    if event["backfill"]:
        return f"backfill {by} of {trigger}, due {due}"
    if not trigger:
        return f"start {by}"
    if event["file"] is not None:
        return f"trigger {trigger}, file {event['file'].path}"
    if event["after"]:
        other = event["facts"].workflow
        return f"trigger {trigger}, {other['instance'] or other['name']} {other['phase']}"
    return (
        f"trigger {trigger}, due {due}" if due and event["first"] is None else f"trigger {trigger}"
    )


def armed_words(due: Mapping[str, str | None], look: Look) -> str:
    """`night is next due 02:30`, of the times as scripts read them."""
    return "; ".join(
        f"{name} is never due again" if time is None else f"{name} is next due {_shown(time, look)}"
        for name, time in due.items()
    )


# ---------------------------------------- instances


def instances(state: State, definition: Workflow) -> list[Workflow]:
    """Unfinished ones and those that are kept, in the order of their births."""
    return sorted(instances_of(state, definition), key=lambda life: life.order)


def running(state: State, definition: Workflow) -> list[Workflow]:
    """Those that need not wait for their turn, and have not ended."""
    groups = starter_of(definition).groups.values()
    return [state.lives[uid] for group in groups for uid in group.running]


def counts(definition: Workflow) -> tuple[int, int]:
    """How many instances have begun and not ended, and how many wait for their turn."""
    groups = starter_of(definition).groups.values()
    return sum(len(group.running) for group in groups), sum(len(group.queued) for group in groups)


def busy_words(definition: Workflow) -> str:
    """`2 running, 1 queued`, or nothing."""
    found = zip(counts(definition), ("running", "queued"), strict=True)
    return ", ".join(f"{count} {what}" for count, what in found if count)


def is_superseded(state: State, life: Workflow) -> bool:
    """Whether it is an instance that has ended, and a later one has ended since.

    Backfills are a line of their own.
    """
    definition = definition_of(state, life)
    if definition is None or life.birth is None or not life.finished:
        return False
    for uid in reversed(starter_of(definition).ended):
        other = state.lives[uid]
        if other.birth is not None and other.birth.backfill == life.birth.backfill:
            return other is not life
    return False


IN_FRONT_MAX = 100  # who stands further back need not know it exactly


class QueuePlace(NamedTuple):
    """Where a queued instance stands: who has not ended, and how many are in front of it.

    If these are more than IN_FRONT_MAX, `in_front` is one more than that.
    """

    running: list[str]
    in_front: int


def queue_of(state: State, instance: Workflow) -> QueuePlace:
    """Cost: O(those that run), since a list asks for each of those that are queued."""
    definition, birth = definition_of(state, instance), instance.birth
    if definition is None or birth is None:
        return QueuePlace([], 0)
    group = starter_of(definition).groups.get(birth.line, Group())
    first = islice(group.queued, IN_FRONT_MAX + 1)
    in_front = sum(1 for _ in takewhile(lambda uid: uid != instance.uid, first))
    return QueuePlace([state.lives[uid].name for uid in group.running], in_front)


# ---------------------------------------- conditions


def conditions(state: State, definition: Workflow, now: int) -> Iterator[DerivedCondition]:
    """Those that are true. Cost: O(the files that triggers remember)."""
    for trigger in triggers(definition.spec).values():
        if not is_there(state, trigger):
            said = f'trigger {trigger.name} waits for "{trigger.after}", and no workflow has'
            yield DerivedCondition(WORKFLOW_MISSING, f"{said} that name")
        armed = starter_of(definition).triggers.get(trigger.name)
        if armed is not None:
            yield from _loops(trigger, armed, now)


def _loops(trigger: ResolvedTrigger, armed: Armed, now: int) -> Iterator[DerivedCondition]:
    looping = [
        (path, file.times[-1])
        for path, file in armed.consumed.items()
        if len(file.times) >= LOOP_FIRINGS and file.times[0] + LOOP_TIME > now
    ]
    if looping:
        (path, since), more = looping[0], len(looping) - 1
        who = path if not more else f"{path} and {more} more {'file' if more == 1 else 'files'}"
        said = f"trigger {trigger.name} fired {LOOP_FIRINGS} times in 10 minutes for {who}"
        yield DerivedCondition(TRIGGER_LOOPS, f"{said}, so it waits; does a step write it?", since)


def due_time(due: int | None) -> str | None:
    """For scripts, of seconds since 1970."""
    return None if due is None else rfc3339(due * SECOND)


def is_toggle(was: Phase, phase: Phase) -> bool:
    """A definition goes to and fro between these with each instance."""
    return {was, phase} == {Phase.WAITING, Phase.RUNNING}
