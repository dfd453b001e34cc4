"""Folds one durable fact into the state: a table from event type to what it changes.

The result depends on the state and the record alone. The state is changed in place, because copies
would cost O(world). Cost: 1 to 10 µs an event; a new generation costs more, because it looks at
every step of its workflow once.

This file handles the controller, its machine, the folder and the requests of people. The files
beside it handle the events of a kind of thing each.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from msgspec import structs

from controller.errors import StorageError
from controller.model import events as e
from controller.model.apply import attempt as apply_attempt
from controller.model.apply import defaults as apply_defaults
from controller.model.apply import firing as apply_firing
from controller.model.apply import hooks as apply_hooks
from controller.model.apply import step as apply_step
from controller.model.apply import workflow as apply_workflow
from controller.model.indexes import displace_marker, place_marker, resize, shift_timers, wall
from controller.model.movement import clear_condition, restate, set_condition
from controller.model.state import REQUESTS_REMEMBERED_MAX, SECOND, Pool, State
from controller.model.timers import MOVED_BY_CLOCK, SLEEPERS, TimerKind

FAULT_SHOWN_MAX = 200  # characters


def apply(state: State, record: e.Record) -> State:
    """Fold one record. Reads no clock, no file, no chance."""
    state.seq, state.epoch = record.seq, record.epoch
    state.time_before, state.time = state.time, record.time
    APPLY[type(record.event)](state, record.event)
    return state


def fold_read(state: State, record: e.Record) -> State:
    """Fold one record that was read. Raises StorageError if it can't follow those before it."""
    try:
        return apply(state, record)
    except Exception as fault:  # whatever was made of the state, it is not what we wrote
        raise StorageError(
            f"record {record.seq} of the log ({type(record.event).__name__}) contradicts those "
            f"before it ({type(fault).__name__}: {str(fault)[:FAULT_SHOWN_MAX]}); put the log back "
            "from a copy"
        ) from fault


def replay(records: Iterable[e.Record], state: State | None = None) -> State:
    """The state after `records`. They start at the first of the log, or they follow `state`."""
    state = State() if state is None else state
    for record in records:
        fold_read(state, record)
        state.moves.clear()
    return state


# ---------------------------------------- controller, machine


def _controller_started(state: State, event: e.ControllerStarted) -> None:
    seen = state.controller
    wall_before = wall(state, state.time_before)
    if seen.boot_id == event.boot_id:
        # The kernel and the wall clock may differ on how much time passed since the last start.
        went_by = event.boottime - seen.boottime
        _step(state, (state.time - seen.time) - went_by)
        _sleep(state, went_by - (event.uptime - seen.uptime))
    else:
        # The kernel's clocks started again at 0. We can only see whether time went back.
        _step(state, min(0, state.time - state.time_before))
    seen.epoch, seen.pid, seen.version = state.epoch, event.pid, event.version
    seen.boot_id, seen.time = event.boot_id, state.time
    seen.boottime, seen.uptime = event.boottime, event.uptime
    apply_firing.began_anew(state, wall_before)
    if event.folder and event.folder != seen.folder:
        # The same path with another inode may be an unmounted disk: `intake` decides about that.
        seen.folder = event.folder
        seen.folder_device, seen.folder_inode = event.folder_device, event.folder_inode


def _folder_named(state: State, event: e.StateFolderNamed) -> None:
    state.folder_id = event.id


def _clock_stepped(state: State, event: e.ClockStepped) -> None:
    """Timers live on the controller's clock, which did not move, but for due times."""
    apply_firing.clock_set(state, state.controller.ahead + round(event.seconds * SECOND))


def _machine_slept(state: State, event: e.MachineSlept) -> None:
    length = round(event.seconds * SECOND)
    _sleep(state, length)
    state.controller.uptime -= length  # so that the next start doesn't count this sleep again
    state.controller.present = wall(state, state.time)


def _step(state: State, length: int) -> None:
    """The wall clock was set between two controllers: each timer keeps the time it had left."""
    if not length:
        return
    for life in state.workflows.values():
        if life.in_run and life.suspended is None:
            life.stood += length
        for step in life.with_hooks:
            if step.series_from is not None:
                step.series_from += length
            if step.asking is not None and life.suspended is None:
                step.asking.moved += length
    for running in state.live.values():
        if running.ending is not None:
            since = running.ending.since + length
            running.ending = structs.replace(running.ending, since=since)
    _shift(state, length, MOVED_BY_CLOCK)


def _sleep(state: State, length: int) -> None:
    """Timeouts, backoffs and the time for all attempts don't count it; deadlines do."""
    if length <= 0:
        return
    for life in state.workflows.values():
        for step in life.with_hooks:
            # While it is suspended that stands still anyway, for as long as the machine slept too.
            if step.series_from is not None and life.suspended is None:
                step.series_from += length
    _shift(state, length, SLEEPERS)


def _shift(state: State, length: int, kinds: Collection[TimerKind]) -> None:
    for running in state.live.values():
        if running.started is not None:
            running.moved += length
    shift_timers(state, length, kinds)
    for timer in state.timers:
        if timer.kind is TimerKind.BACKOFF:
            state.lives[timer.uid].step(timer.step).retry_at = timer.due


# ---------------------------------------- folder


def _file_rejected(state: State, event: e.FileRejected) -> None:
    state.rejected[event.path] = event
    for name in event.names:
        life = state.workflows.get(name)
        if life is not None and life.path == event.path:
            problem = "; ".join(str(fault) for fault in event.faults)
            set_condition(state, life, "SpecInvalid", True, "SpecInvalid", problem)


def _file_cleared(state: State, event: e.FileCleared) -> None:
    rejected = state.rejected.pop(event.path, None)
    for life in map(state.workflows.get, rejected.names if rejected is not None else []):
        if life is not None:
            clear_condition(state, life, "SpecInvalid", "SpecValid", "the file is valid")


def _folder_adopted(state: State, event: e.FolderAdopted) -> None:
    seen = state.controller
    seen.folder, seen.folder_device, seen.folder_inode = event.folder, event.device, event.inode


def _marker_placed(state: State, event: e.MarkerPlaced) -> None:
    state.bad_markers.pop(event.path, None)
    before = state.markers.get(event.path)
    place_marker(state, event)
    _tell_of_marker(state, event.workflow)
    if before is not None and before.workflow != event.workflow:
        _tell_of_marker(state, before.workflow)


def _marker_rejected(state: State, event: e.MarkerRejected) -> None:
    displace_marker(state, event.path)
    state.bad_markers[event.path] = event
    _tell_of_marker(state, event.workflow)


def _marker_removed(state: State, event: e.MarkerRemoved) -> None:
    state.bad_markers.pop(event.path, None)
    displace_marker(state, event.path)
    _tell_of_marker(state, event.workflow)


def _tell_of_marker(state: State, name: str) -> None:
    """A marker of a definition also holds its triggers."""
    workflow = state.workflows.get(name)
    if workflow is not None and workflow.starter is not None:
        restate(state, workflow)


def _pool_accepted(state: State, event: e.PoolAccepted) -> None:
    resize(state, event.name, Pool(event.slots, event.path))


def _pool_removed(state: State, event: e.PoolRemoved) -> None:
    resize(state, event.name, None)


# ---------------------------------------- people


def _request_applied(state: State, event: e.RequestApplied) -> None:
    state.requests[event.name] = event.refused
    if len(state.requests) > REQUESTS_REMEMBERED_MAX:
        state.requests.popitem(last=False)
    life = state.lives.get(event.uid)
    if life is None or event.refused:
        return
    if event.kind == "run":  # it continues this life
        life.request = event.name
    if event.kind in ("retry", "run", "restart") or (event.kind == "mark" and life.finished):
        apply_workflow.uncancel(state, life)
    if event.kind in ("suspend", "resume"):
        apply_workflow.suspension_asked(state, life, event)


APPLY: dict[type[e.Event], Callable[[State, Any], None]] = {
    e.ControllerStarted: _controller_started,
    e.ClockStepped: _clock_stepped,
    e.MachineSlept: _machine_slept,
    e.FileRejected: _file_rejected,
    e.FileCleared: _file_cleared,
    e.FolderAdopted: _folder_adopted,
    e.MarkerPlaced: _marker_placed,
    e.MarkerRejected: _marker_rejected,
    e.MarkerRemoved: _marker_removed,
    e.PoolAccepted: _pool_accepted,
    e.PoolRemoved: _pool_removed,
    e.DefaultsAccepted: apply_defaults.accepted,
    e.DefaultsRemoved: apply_defaults.removed,
    e.GenerationAccepted: apply_workflow.accepted,
    e.EditRejected: apply_workflow.edit_rejected,
    e.EditDeferred: apply_workflow.edit_deferred,
    e.EditTakenBack: apply_workflow.edit_taken_back,
    e.SourceChanged: apply_workflow.source_changed,
    e.RunStarted: apply_workflow.run_started,
    e.HooksBegun: apply_hooks.begun,
    e.EndDecided: apply_workflow.end_decided,
    e.CancelAccepted: apply_workflow.cancel_accepted,
    e.DeletionAccepted: apply_workflow.deletion_accepted,
    e.WorkflowSuspended: apply_workflow.suspended,
    e.WorkflowFinished: apply_workflow.finished,
    e.LifeEnded: apply_workflow.life_ended,
    e.LifeArchived: apply_workflow.life_archived,
    e.AttemptsArchived: apply_workflow.attempts_archived,
    e.TriggersArmed: apply_firing.armed,
    e.FiringDecided: apply_firing.decided,
    e.TurnCame: apply_firing.turn_came,
    e.GenerationFollowed: apply_firing.followed,
    e.InputsSeen: apply_firing.inputs_seen,
    e.StepReady: apply_step.ready,
    e.ApprovalAsked: apply_step.asked,
    e.ApprovalAnswered: apply_step.answered,
    e.StepExpanded: apply_step.expanded,
    e.StepCompleted: apply_step.completed,
    e.StepSkipped: apply_step.skipped,
    e.StepCancelled: apply_step.cancelled,
    e.StepFailed: apply_step.failed,
    e.StepReset: apply_step.reset_asked,
    e.StepMarked: apply_step.marked,
    e.StepRestored: apply_step.restored,
    e.StepRemoved: apply_step.removed,
    e.RetryScheduled: apply_step.retry_scheduled,
    e.AttemptScheduled: apply_attempt.scheduled,
    e.StateFolderNamed: _folder_named,
    e.AttemptSubmitted: apply_attempt.submitted,
    e.AttemptQueued: apply_attempt.queued,
    e.AttemptStarted: apply_attempt.started,
    e.AttemptEnding: apply_attempt.ending,
    e.AttemptEndFailed: apply_attempt.end_failed,
    e.AttemptFinished: apply_attempt.finished,
    e.RequestApplied: _request_applied,
}
