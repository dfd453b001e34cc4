"""What the events of a definition change: its triggers, and the instances that it begins.

Each trigger remembers up to which due time all are decided, and the next one, which the log names:
so a fold asks no zone database. Due times follow the wall clock. They are armed as timers of the
controller's clock, and armed anew when the wall clock was set. Cost: O(1) a firing and O(steps) for
the instance; O(triggers) for a step of the wall clock.
"""

from typing import Any

from controller.model import events as e
from controller.model.apply.workflow import accepted
from controller.model.indexes import set_due, touch, wall
from controller.model.movement import move_workflow, tell_definition
from controller.model.phases import Phase, Reason
from controller.model.state import (
    DAY,
    KEY_TIME,
    KEYS_MAX,
    LOOP_FIRINGS,
    LOOP_TIME,
    SECOND,
    Armed,
    Birth,
    Consumed,
    LastFiring,
    Missed,
    Starter,
    State,
    Workflow,
    starter_of,
)
from controller.spec.triggers.keys import remembered_as

_MISSED_MAX = 16


def armed(state: State, event: e.TriggersArmed) -> None:
    definition = state.lives[event.uid]
    starter_of(definition).stood.clear()
    for name, due in event.due.items():
        trigger = starter_of(definition).triggers[name]
        trigger.is_armed, trigger.due = True, due
        set_due(state, definition, name)
    touch(state, definition)  # it may have more to decide: whose turn it is, say


def decided(state: State, event: e.FiringDecided) -> None:
    definition = state.lives[event.uid]
    starter = starter_of(definition)
    starter.firings[event.outcome] = starter.firings.get(event.outcome, 0) + 1
    state.metrics.fired(definition.document, event.outcome)
    trigger = None if event.backfill else starter.triggers.get(event.trigger)
    if event.after:
        del starter.arrivals[0]
    if event.given_key:
        _remember_key(state, starter, event)
    if trigger is not None:
        _note(state, trigger, event)
        set_due(state, definition, event.trigger)
    if event.outcome != "Skipped":
        _begin(state, definition, event)
    touch(state, definition)


def _remember_key(state: State, starter: Starter, event: e.FiringDecided) -> None:
    keys = starter.keys
    keys[remembered_as(event.trigger, event.key)] = state.time, event.instance
    while len(keys) > KEYS_MAX or next(iter(keys.values()))[0] + KEY_TIME < state.time:
        keys.popitem(last=False)


def _note(state: State, trigger: Armed, event: e.FiringDecided) -> None:
    trigger.last = LastFiring(
        event.key,
        event.due,
        state.time,
        event.outcome,
        event.reason,
        event.instance,
        event.message,
    )
    if event.file is not None:
        _consume(state, trigger, event.file)
    if event.due is None or event.file is not None or event.after:
        return
    if event.reason in (Reason.CATCH_UP, Reason.EXPIRED):
        missed = Missed(trigger.mark, event.due, state.time)
        recent = [earlier for earlier in trigger.missed if earlier.at + DAY >= state.time]
        trigger.missed = [*recent, missed][-_MISSED_MAX:]
    trigger.mark = max(trigger.mark, event.due)
    while trigger.beyond and trigger.beyond[0][0] <= trigger.mark:
        trigger.mark = max(trigger.mark, trigger.beyond.pop(0)[1])
    trigger.is_armed, trigger.due = True, event.next
    trigger.catching = event.missed
    if trigger.catching is not None and trigger.catching <= event.due:
        trigger.catching = None


def _consume(state: State, trigger: Armed, file: e.FileTaken) -> None:
    before = trigger.consumed.pop(file.path, None)
    trigger.gone.pop(file.path, None)
    recent = [] if before is None else [at for at in before.times if at + LOOP_TIME > state.time]
    times = [*recent, state.time][-LOOP_FIRINGS:]
    trigger.consumed[file.path] = Consumed(file.size, file.mtime, times)


def inputs_seen(state: State, event: e.InputsSeen) -> None:
    """Those that have been gone for long enough are forgotten: the oldest stand first."""
    trigger = starter_of(state.lives[event.uid]).triggers[event.trigger]
    trigger.device = event.device or trigger.device
    for path in event.back:
        del trigger.gone[path]
    for path in event.gone:
        trigger.gone[path] = state.time
    for path, since in list(trigger.gone.items()):
        if since + KEY_TIME >= state.time:
            break
        del trigger.gone[path], trigger.consumed[path]


def _begin(state: State, definition: Workflow, event: e.FiringDecided) -> None:
    """The instance is a workflow like any, with the present generation of its definition."""
    birth = Birth(
        definition=definition.uid,
        facts=event.facts,
        group=event.group,
        backfill=event.backfill,
        parallel=event.parallel,
        due=event.due,
        queued=event.outcome == "Queued",
        counts=event.missed is None and not event.backfill,
    )
    generation = _generation_of(
        definition,
        event,
        uid=event.life,
        workflow=event.instance,
        by=event.by,
        request=event.request,
        params=event.params,
    )
    accepted(state, generation, birth)
    instance = state.lives[event.life]
    if birth.queued:
        move_workflow(state, instance, Phase.PENDING, Reason.QUEUED, event.message)
    if not birth.backfill:
        starter_of(definition).latest = instance.name
    tell_definition(state, instance)


def _generation_of(
    definition: Workflow, event: e.FiringDecided | e.GenerationFollowed, **own: Any
) -> e.GenerationAccepted:
    """The present generation of the definition, for an instance; `own`: its own fields."""
    return e.GenerationAccepted(
        generation=definition.generation,
        spec=definition.spec,
        path=definition.path,
        labels=definition.labels,
        annotations=definition.annotations,
        origin="trigger",
        fingerprints=event.fingerprints,
        reads=event.reads,
        ask_each=event.ask_each,
        **own,
    )


def turn_came(state: State, event: e.TurnCame) -> None:
    instance = state.lives[event.uid]
    assert instance.birth is not None
    instance.birth.queued = False
    move_workflow(state, instance, Phase.PENDING, Reason.ACCEPTED, "its turn has come")
    tell_definition(state, instance)
    for step in instance.steps.values():
        touch(state, instance, step)


_ASKED_FOR = (Reason.RETRY_REQUESTED, Reason.RESTART_REQUESTED)


def followed(state: State, event: e.GenerationFollowed) -> None:
    instance = state.lives[event.uid]
    birth = instance.birth
    assert birth is not None
    definition = state.lives[birth.definition]
    asked = (instance.reason, instance.message) if instance.reason in _ASKED_FOR else None
    birth.behind = False
    generation = _generation_of(
        definition,
        event,
        uid=event.uid,
        workflow=instance.name,
        by=instance.by if instance.started is None else definition.by,
        params=instance.given,
        effects=event.effects,
        kept=event.kept,
        timeouts=event.timeouts,
        ask=event.ask,
        expansions=event.expansions,
        template_params=event.template_params,
    )
    accepted(state, generation)
    if asked is not None and instance.phase is Phase.PENDING:
        move_workflow(state, instance, Phase.PENDING, *asked)  # that, not an edit, begins the run
    if birth.queued:
        message = f"generation {event.generation} accepted; it still waits for its turn"
        move_workflow(state, instance, Phase.PENDING, Reason.QUEUED, message)


# ---------------------------------------- the wall clock


def clock_set(state: State, ahead: int) -> None:
    """The wall clock is `ahead` of the controller's by so many microseconds now."""
    before = state.controller.ahead
    state.controller.ahead = ahead
    state.controller.present = wall(state, state.time)
    _wall_set(state, went_back=ahead < before)


def began_anew(state: State, before: int) -> None:
    """A controller has started, with the wall clock as its own; `before`: the last one's wall."""
    state.controller.ahead = 0
    state.controller.present = state.time
    _wall_set(state, went_back=state.time < before)


def _wall_set(state: State, went_back: bool) -> None:
    """Arm the timers of all triggers by the wall clock as it is now."""
    for definition in state.workflows.values():
        if definition.starter is None:
            continue
        for name, trigger in definition.starter.triggers.items():
            if went_back:
                _undo_missed(state, trigger)
            set_due(state, definition, name)
        touch(state, definition)


def _undo_missed(state: State, trigger: Armed) -> None:
    """What was skipped as missed, in a time that has not come by this clock, is due again."""
    now = wall(state, state.time) // SECOND
    while trigger.missed and trigger.missed[-1].last >= now:
        missed = trigger.missed.pop()
        if missed.at + DAY < state.time:
            continue
        if missed.last < trigger.mark:
            trigger.beyond = [(missed.last, trigger.mark), *trigger.beyond]
        trigger.mark = min(trigger.mark, missed.before)
        trigger.is_armed, trigger.due, trigger.catching = False, None, None
