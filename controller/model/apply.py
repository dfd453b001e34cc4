"""Folds one durable fact into the state: a table from event type to what it changes.

Pure in the sense that counts: the result depends on the state and the record alone. The state is
changed in place, since copies would cost O(world). Cost: 1 to 10 µs an event, but for a new
generation, which looks at every step of its workflow once.
"""

from collections.abc import Callable, Iterable
from typing import Any

from controller.model import events as e
from controller.model.phases import TERMINAL, AttemptPhase, Phase, Reason
from controller.model.state import (
    REQUESTS_REMEMBERED_MAX,
    SECOND,
    Attempt,
    Cancel,
    Ending,
    Standing,
    State,
    Step,
    Then,
    Workflow,
    explain_wait,
    link,
    move,
    requeue,
    set_condition,
    set_timer,
    touch,
    turn_to,
)
from controller.spec.definition import definitions


def apply(state: State, record: e.Record) -> State:
    """Fold one record. Reads no clock, no file, no chance."""
    state.seq, state.time = record.seq, record.time
    APPLY[type(record.event)](state, record)
    return state


def replay(records: Iterable[e.Record]) -> State:
    """The state after `records`, from the first of the log on."""
    state = State()
    for record in records:
        apply(state, record)
        state.moves.clear()
    return state


# ---------------------------------------- controller, machine


def _controller_started(state: State, record: e.Record) -> None:
    event: e.ControllerStarted = record.event  # type: ignore[assignment]
    seen = state.controller
    if seen.boot_id == event.boot_id:
        # What the kernel says went by since the last start against what the wall clock says.
        _step(state, (record.time - seen.time) - (event.boottime - seen.boottime))
        asleep = (event.boottime - seen.boottime) - (event.uptime - seen.uptime)
        _sleep(state, asleep)
    seen.epoch, seen.pid, seen.version = record.epoch, event.pid, event.version
    seen.boot_id, seen.time = event.boot_id, record.time
    seen.boottime, seen.uptime = event.boottime, event.uptime
    if event.folder:
        seen.folder = event.folder
        seen.folder_device, seen.folder_inode = event.folder_device, event.folder_inode


def _clock_stepped(state: State, record: e.Record) -> None:
    """Noted for people; timers live on the controller's clock, which did not move."""


def _machine_slept(state: State, record: e.Record) -> None:
    event: e.MachineSlept = record.event  # type: ignore[assignment]
    _sleep(state, round(event.seconds * SECOND))
    # So that the next start does not count this sleep again.
    state.controller.uptime -= round(event.seconds * SECOND)


def _step(state: State, length: int) -> None:
    """The wall clock was set between two controllers: what is due stays as far away as it was."""
    for attempt in state.live.values():
        attempt.moved += length
    for workflow in state.workflows.values():
        workflow.stood += length if workflow.in_run else 0
    _shift(state, length, deadlines=True)


def _sleep(state: State, length: int) -> None:
    """Timeouts and backoffs don't count time in which the machine sleeps; deadlines do."""
    if length <= 0:
        return
    for attempt in state.live.values():
        attempt.moved += length
    _shift(state, length, deadlines=False)


def _shift(state: State, length: int, deadlines: bool) -> None:
    """Move what time makes due by `length` microseconds."""
    if not length:
        return
    moved = [
        timer._replace(due=timer.due + length) if deadlines or timer.kind != "deadline" else timer
        for timer in state.timers
    ]
    state.timers = sorted(moved)
    state.timer_of = {(timer.uid, timer.step, timer.kind): timer.due for timer in moved}
    for timer in moved:
        if timer.kind == "backoff":
            state.lives[timer.uid].steps[timer.step].retry_at = timer.due


# ---------------------------------------- folder


def _file_rejected(state: State, record: e.Record) -> None:
    event: e.FileRejected = record.event  # type: ignore[assignment]
    state.rejected[event.path] = event
    for name in event.names:
        workflow = state.workflows.get(name)
        if workflow is not None and workflow.path == event.path:
            problem = "; ".join(str(fault) for fault in event.faults)
            set_condition(state, workflow, "SpecInvalid", True, "SpecInvalid", problem)


def _file_cleared(state: State, record: e.Record) -> None:
    event: e.FileCleared = record.event  # type: ignore[assignment]
    rejected = state.rejected.pop(event.path, None)
    for name in rejected.names if rejected else ():
        workflow = state.workflows.get(name)
        if workflow is not None and "SpecInvalid" in workflow.conditions:
            set_condition(state, workflow, "SpecInvalid", False, "SpecValid", "the file is valid")


def _folder_adopted(state: State, record: e.Record) -> None:
    event: e.FolderAdopted = record.event  # type: ignore[assignment]
    seen = state.controller
    seen.folder, seen.folder_device, seen.folder_inode = event.folder, event.device, event.inode


def _marker_placed(state: State, record: e.Record) -> None:
    event: e.MarkerPlaced = record.event  # type: ignore[assignment]
    state.bad_markers.pop(event.path, None)
    state.markers[event.path] = event
    state.marked.setdefault(event.workflow, {})[event.path] = event
    _look_again(state, event.workflow)


def _marker_rejected(state: State, record: e.Record) -> None:
    event: e.MarkerRejected = record.event  # type: ignore[assignment]
    _forget_marker(state, event.workflow, event.path)
    state.bad_markers[event.path] = event


def _marker_removed(state: State, record: e.Record) -> None:
    event: e.MarkerRemoved = record.event  # type: ignore[assignment]
    state.bad_markers.pop(event.path, None)
    _forget_marker(state, event.workflow, event.path)


def _forget_marker(state: State, name: str, path: str) -> None:
    if state.markers.pop(path, None) is None:
        return
    del state.marked[name][path]
    if not state.marked[name]:
        del state.marked[name]
    _look_again(state, name)


def _look_again(state: State, name: str) -> None:
    workflow = state.workflows.get(name)
    if workflow is not None:
        requeue(state, workflow)
        touch(state, workflow)


# ---------------------------------------- workflow


def _generation_accepted(state: State, record: e.Record) -> None:
    event: e.GenerationAccepted = record.event  # type: ignore[assignment]
    workflow = state.lives.get(event.uid) or _begin_life(state, record.time, event)
    workflow.generation, workflow.spec, workflow.path = event.generation, event.spec, event.path
    workflow.labels, workflow.annotations = event.labels, event.annotations
    workflow.warnings, workflow.by = event.warnings, event.by
    workflow.request = event.request or workflow.request
    workflow.cancel = None
    _take_steps(state, workflow, event)
    link(workflow)
    for name, effect in event.effects.items():
        if name in workflow.steps:
            _carry_out(state, workflow, workflow.steps[name], effect)
    _suspend_or_resume(state, workflow)
    _set_deadline(state, workflow)
    message = f"generation {event.generation} accepted"
    if workflow.phase is not Phase.RUNNING or not workflow.in_run:
        to = Phase.RUNNING if workflow.in_run else Phase.PENDING
        turn_to(state, workflow, to, Reason.ACCEPTED, message)
    for kind in ("Terminating", "Complete"):
        if kind in workflow.conditions:
            set_condition(state, workflow, kind, False, Reason.ACCEPTED, message)
    if "SpecInvalid" in workflow.conditions:
        set_condition(state, workflow, "SpecInvalid", False, "SpecValid", "the file is valid")
    set_condition(state, workflow, "Accepted", True, Reason.ACCEPTED, message)
    set_condition(state, workflow, "Progressing", True, Reason.ACCEPTED, message)
    requeue(state, workflow)
    for name in workflow.steps:
        touch(state, workflow, name)


def _begin_life(state: State, time: int, event: e.GenerationAccepted) -> Workflow:
    workflow = Workflow(
        uid=event.uid,
        name=event.workflow,
        order=len(state.lives),
        origin=event.origin,
        path=event.path,
        created=time,
        generation=0,
        spec=event.spec,
        labels=event.labels,
        annotations=event.annotations,
        since=time,
    )
    state.lives[event.uid] = state.workflows[event.workflow] = workflow
    return workflow


def _take_steps(state: State, workflow: Workflow, event: e.GenerationAccepted) -> None:
    """The steps of the new generation in its order; removed ones stay only while they run."""
    before = workflow.steps
    workflow.steps = {}
    for index, (name, definition) in enumerate(definitions(event.spec).items()):
        step = before.pop(name, None)
        fingerprint = event.fingerprints[name]
        if step is None:
            step = Step(
                name=name,
                index=index,
                definition=definition,
                fingerprint=fingerprint,
                since=state.time,
            )
        elif step.then is not None and step.then.action == "remove":
            step.then = Then("reset", Reason.SPEC_CHANGED, "the step is back in the spec")
        elif step.then is not None and step.then.action == "cancel":
            step.then = Then("reset", Reason.TRIED_ANEW, "a new generation was accepted")
        step.index, step.definition, step.fingerprint = index, definition, fingerprint
        workflow.steps[name] = step
        if step.phase is Phase.RUNNING:
            _set_timeout(state, workflow, step)
    for name, step in before.items():
        set_timer(state, workflow, name, "backoff", None)
        workflow.ready.pop(name, None)
        if step.live is not None:
            effect = event.effects[name]
            step.then = Then("remove", effect.reason, effect.message)
            workflow.steps[name] = step


def _carry_out(state: State, workflow: Workflow, step: Step, effect: e.StepEffect) -> None:
    """One row of the table of edits, as decided when the generation was accepted."""
    if effect.action == "restart":
        step.then = Then("reset", effect.reason, effect.message)
    elif effect.action == "run" and step.phase is not Phase.PENDING:
        _reset(state, workflow, step, effect.reason, effect.message)
    elif effect.action == "run":
        _fresh(state, workflow, step)
        explain_wait(step, effect.reason, effect.message)
    elif effect.action == "keep" and effect.reason == Reason.RESULT_KEPT and step.standing:
        _restore(state, workflow, step)


def _restore(state: State, workflow: Workflow, step: Step) -> None:
    kept = step.standing
    assert kept is not None
    if step.phase is not kept.phase:
        if step.phase is not Phase.PENDING:
            _reset(state, workflow, step, Reason.RESULT_KEPT, "its result from before stands")
        _fresh(state, workflow, step)
        move(state, workflow, step, kept.phase, kept.reason, kept.message)


def _suspend_or_resume(state: State, workflow: Workflow) -> None:
    """A suspended workflow's deadline and backoffs stand still; its running steps don't."""
    wanted = workflow.spec.suspend is True
    if wanted and workflow.suspended is None:
        workflow.suspended = state.time
        for step in workflow.steps.values():
            set_timer(state, workflow, step.name, "backoff", None)
    elif not wanted and workflow.suspended is not None:
        for step in workflow.steps.values():
            if step.retry_at is not None:
                step.retry_at += state.time - max(workflow.suspended, step.since)
                set_timer(state, workflow, step.name, "backoff", step.retry_at)
        if workflow.in_run and workflow.started is not None:
            workflow.stood += state.time - max(workflow.suspended, workflow.started)
        workflow.suspended = None


def _set_deadline(state: State, workflow: Workflow) -> None:
    seconds = workflow.deadline_seconds
    due = None
    if seconds is not None and workflow.in_run and workflow.started is not None:
        due = workflow.started + workflow.stood + round(seconds * SECOND)
    if workflow.suspended is not None or workflow.cancel is not None:
        due = None
    set_timer(state, workflow, "", "deadline", due)


def _source_changed(state: State, record: e.Record) -> None:
    event: e.SourceChanged = record.event  # type: ignore[assignment]
    workflow = state.lives[event.uid]
    workflow.path, workflow.labels, workflow.annotations = (
        event.path,
        event.labels,
        event.annotations,
    )


def _run_started(state: State, record: e.Record) -> None:
    event: e.RunStarted = record.event  # type: ignore[assignment]
    workflow = state.lives[event.uid]
    workflow.run, workflow.in_run = event.run, True
    workflow.started, workflow.completed, workflow.stood = record.time, None, 0
    _set_deadline(state, workflow)
    turn_to(state, workflow, Phase.RUNNING, Reason.STARTED, f"run {event.run} started")
    set_condition(state, workflow, "Progressing", True, Reason.STARTED, workflow.message)


def _cancel_accepted(state: State, record: e.Record) -> None:
    event: e.CancelAccepted = record.event  # type: ignore[assignment]
    workflow = state.lives[event.uid]
    named = event.steps or list(workflow.steps)
    if not event.steps:
        workflow.cancel = Cancel(event.reason, event.message, event.drain)
        set_timer(state, workflow, "", "deadline", None)
        set_condition(state, workflow, "Terminating", True, event.reason, event.message)
    for name in named:
        step = workflow.steps[name]
        if event.steps and step.phase not in TERMINAL:
            step.then = Then("cancel", event.reason, event.message)
        touch(state, workflow, name)
    requeue(state, workflow)
    touch(state, workflow)


def _deletion_accepted(state: State, record: e.Record) -> None:
    event: e.DeletionAccepted = record.event  # type: ignore[assignment]
    workflow = state.lives[event.uid]
    workflow.deleting = True
    set_condition(state, workflow, "Terminating", True, Reason.SPEC_DELETED, event.message)
    requeue(state, workflow)
    touch(state, workflow)


def _workflow_suspended(state: State, record: e.Record) -> None:
    workflow = state.lives[record.event.uid]  # type: ignore[union-attr]
    message = "suspended by its spec; running steps have ended"
    turn_to(state, workflow, Phase.SUSPENDED, Reason.SUSPENDED, message)
    set_condition(state, workflow, "Progressing", False, Reason.SUSPENDED, message)


def _workflow_finished(state: State, record: e.Record) -> None:
    event: e.WorkflowFinished = record.event  # type: ignore[assignment]
    workflow = state.lives[event.uid]
    if workflow.in_run:
        workflow.in_run, workflow.completed = False, record.time
    set_timer(state, workflow, "", "deadline", None)
    turn_to(state, workflow, event.phase, event.reason, event.message)
    set_condition(state, workflow, "Progressing", False, event.reason, event.message)
    set_condition(state, workflow, "Complete", True, event.reason, event.message)
    if "Terminating" in workflow.conditions:
        set_condition(state, workflow, "Terminating", False, event.reason, event.message)


def _life_ended(state: State, record: e.Record) -> None:
    workflow = state.lives[record.event.uid]  # type: ignore[union-attr]
    if state.workflows.get(workflow.name) is workflow:
        del state.workflows[workflow.name]
    state.touched.pop(workflow.uid, None)


# ---------------------------------------- step


def _step_of(state: State, event: Any) -> tuple[Workflow, Step]:
    workflow = state.lives[event.uid]
    return workflow, workflow.steps[event.step]


def _step_ready(state: State, record: e.Record) -> None:
    workflow, step = _step_of(state, record.event)
    step.retry_at = None
    set_timer(state, workflow, step.name, "backoff", None)
    move(state, workflow, step, Phase.READY, Reason.WAITING_FOR_SLOT, "waits for a free slot")


def _settle(to: Phase) -> Callable[[State, e.Record], None]:
    def settle(state: State, record: e.Record) -> None:
        workflow, step = _step_of(state, record.event)
        step.unjudged, step.then, step.retry_at = False, None, None
        set_timer(state, workflow, step.name, "backoff", None)
        event: e.StepSkipped | e.StepFailed = record.event  # type: ignore[assignment]
        move(state, workflow, step, to, event.reason, event.message)
        if to is Phase.FAILED and step.tolerated:
            _remember_result(step)

    return settle


def _step_reset(state: State, record: e.Record) -> None:
    event: e.StepReset = record.event  # type: ignore[assignment]
    workflow, step = _step_of(state, event)
    if workflow.finished:
        turn_to(state, workflow, Phase.PENDING, event.reason, event.message)
        set_condition(state, workflow, "Complete", False, event.reason, event.message)
        set_condition(state, workflow, "Progressing", True, event.reason, event.message)
    if step.live is not None:
        step.then = Then("reset", event.reason, event.message)
        touch(state, workflow, step.name)
    else:
        _reset(state, workflow, step, event.reason, event.message)


def _reset(state: State, workflow: Workflow, step: Step, reason: str, message: str) -> None:
    _fresh(state, workflow, step)
    if step.phase is Phase.PENDING:
        explain_wait(step, reason, message)
        touch(state, workflow, step.name)
    else:
        move(state, workflow, step, Phase.PENDING, reason, message)


def _fresh(state: State, workflow: Workflow, step: Step) -> None:
    """Nothing of the past counts against it: all its retries are there again."""
    step.retries = step.interruptions = 0
    step.series_from = step.retry_at = step.then = None
    step.unjudged = False
    set_timer(state, workflow, step.name, "backoff", None)


def _step_restored(state: State, record: e.Record) -> None:
    workflow, step = _step_of(state, record.event)
    _restore(state, workflow, step)


def _step_removed(state: State, record: e.Record) -> None:
    workflow, step = _step_of(state, record.event)
    set_timer(state, workflow, step.name, "backoff", None)
    workflow.ready.pop(step.name, None)
    del workflow.steps[step.name]
    state.touched.get(workflow.uid, {}).pop(step.name, None)
    link(workflow)
    touch(state, workflow)


def _retry_scheduled(state: State, record: e.Record) -> None:
    event: e.RetryScheduled = record.event  # type: ignore[assignment]
    workflow, step = _step_of(state, event)
    if event.retry:
        step.retries = event.retry
        step.interruptions = 0
    else:
        step.interruptions += 1
    step.unjudged = False
    step.retry_at = record.time + round(event.delay * SECOND)
    if step.phase is not Phase.PENDING:
        move(state, workflow, step, Phase.PENDING, event.reason, event.message)
    if workflow.suspended is None:
        set_timer(state, workflow, step.name, "backoff", step.retry_at)


# ---------------------------------------- attempt


def _attempt_of(state: State, event: Any) -> tuple[Workflow, Step, Attempt]:
    workflow, step = _step_of(state, event)
    attempt = step.attempts[event.attempt - step.attempts[0].number]
    assert attempt.number == event.attempt, state.story(event.uid, event.step)
    return workflow, step, attempt


def _attempt_scheduled(state: State, record: e.Record) -> None:
    event: e.AttemptScheduled = record.event  # type: ignore[assignment]
    workflow, step = _step_of(state, event)
    attempt = Attempt(
        number=event.attempt,
        run=event.run,
        generation=event.generation,
        fingerprint=event.fingerprint,
        inputs=event.inputs,
        mark=event.mark,
        log=event.log,
        scheduled=record.time,
        boot_id=state.controller.boot_id,
    )
    step.attempts.append(attempt)
    state.live[workflow.uid, step.name] = attempt
    workflow.ready.pop(step.name, None)
    workflow.occupied += 1
    requeue(state, workflow)


def _attempt_started(state: State, record: e.Record) -> None:
    event: e.AttemptStarted = record.event  # type: ignore[assignment]
    workflow, step, attempt = _attempt_of(state, event)
    attempt.phase = AttemptPhase.RUNNING
    attempt.pid, attempt.start_ticks, attempt.started = event.pid, event.start_ticks, event.started
    if attempt.ending is not None and attempt.ending.withdraw:
        attempt.ending = None  # too late: it runs, and running steps were to go on
    step.series_from = step.series_from or event.started
    step.standing = None
    for name, _ in step.dependents:
        workflow.steps[name].standing = None  # made from what this step is about to replace
    _set_timeout(state, workflow, step)
    message = f"attempt {attempt.number} runs as pid {event.pid}"
    move(state, workflow, step, Phase.RUNNING, Reason.STARTED, message)


def _set_timeout(state: State, workflow: Workflow, step: Step) -> None:
    attempt, seconds = step.live, step.definition.timeout_seconds
    due = None
    if attempt is not None and attempt.started is not None and seconds is not None:
        due = attempt.started + attempt.moved + round(seconds * SECOND)
    if attempt is not None and attempt.ending is not None:
        due = None
    set_timer(state, workflow, step.name, "timeout", due)
    touch(state, workflow, step.name)


def _attempt_ending(state: State, record: e.Record) -> None:
    event: e.AttemptEnding = record.event  # type: ignore[assignment]
    workflow, step, attempt = _attempt_of(state, event)
    attempt.ending = Ending(event.reason, event.message, record.time, event.grace, event.withdraw)
    if not event.withdraw:
        set_timer(state, workflow, step.name, "timeout", None)


def _attempt_end_failed(state: State, record: e.Record) -> None:
    event: e.AttemptEndFailed = record.event  # type: ignore[assignment]
    workflow, step, attempt = _attempt_of(state, event)
    attempt.survivors = event.pids
    pids = ", ".join(map(str, event.pids))
    message = f"step {step.name}: SIGKILL did not end pid {pids}; its slot stays taken"
    set_condition(state, workflow, "EndFailed", True, "EndFailed", message)


def _attempt_finished(state: State, record: e.Record) -> None:
    event: e.AttemptFinished = record.event  # type: ignore[assignment]
    workflow, step, attempt = _attempt_of(state, event)
    attempt.phase, attempt.reason, attempt.message = event.phase, event.reason, event.message
    attempt.exit_code, attempt.signal = event.exit_code, event.signal
    attempt.finished, attempt.usage, attempt.notes = event.finished, event.usage, event.notes
    if attempt.survivors:
        attempt.survivors = []
        message = f"step {step.name}: all processes are gone"
        set_condition(state, workflow, "EndFailed", False, "Ended", message)
    del state.live[workflow.uid, step.name]
    workflow.occupied -= 1
    set_timer(state, workflow, step.name, "timeout", None)
    if event.phase is AttemptPhase.SUCCEEDED and step.then is None:
        move(state, workflow, step, Phase.SUCCEEDED, event.reason, event.message)
        _remember_result(step)
        return
    if event.reason != Reason.WITHDRAWN:
        step.unjudged = True
    elif step.phase is Phase.READY:
        workflow.ready[step.name] = None
    requeue(state, workflow)
    touch(state, workflow, step.name)


def _remember_result(step: Step) -> None:
    attempt = step.attempt
    assert attempt is not None
    step.standing = Standing(attempt.fingerprint, step.phase, step.reason, step.message)


# ---------------------------------------- people


def _request_applied(state: State, record: e.Record) -> None:
    event: e.RequestApplied = record.event  # type: ignore[assignment]
    state.requests[event.name] = event.refused
    if len(state.requests) > REQUESTS_REMEMBERED_MAX:
        state.requests.popitem(last=False)
    workflow = state.lives.get(event.uid)
    if workflow is not None and event.kind == "retry" and not event.refused:
        workflow.cancel = None
        set_condition(state, workflow, "Terminating", False, Reason.RETRY_REQUESTED, "retried")
        requeue(state, workflow)
        touch(state, workflow)


APPLY: dict[type, Callable[[State, e.Record], None]] = {
    e.ControllerStarted: _controller_started,
    e.ClockStepped: _clock_stepped,
    e.MachineSlept: _machine_slept,
    e.FileRejected: _file_rejected,
    e.FileCleared: _file_cleared,
    e.FolderAdopted: _folder_adopted,
    e.MarkerPlaced: _marker_placed,
    e.MarkerRejected: _marker_rejected,
    e.MarkerRemoved: _marker_removed,
    e.GenerationAccepted: _generation_accepted,
    e.SourceChanged: _source_changed,
    e.RunStarted: _run_started,
    e.CancelAccepted: _cancel_accepted,
    e.DeletionAccepted: _deletion_accepted,
    e.WorkflowSuspended: _workflow_suspended,
    e.WorkflowFinished: _workflow_finished,
    e.LifeEnded: _life_ended,
    e.StepReady: _step_ready,
    e.StepSkipped: _settle(Phase.SKIPPED),
    e.StepCancelled: _settle(Phase.CANCELLED),
    e.StepFailed: _settle(Phase.FAILED),
    e.StepReset: _step_reset,
    e.StepRestored: _step_restored,
    e.StepRemoved: _step_removed,
    e.RetryScheduled: _retry_scheduled,
    e.AttemptScheduled: _attempt_scheduled,
    e.AttemptStarted: _attempt_started,
    e.AttemptEnding: _attempt_ending,
    e.AttemptEndFailed: _attempt_end_failed,
    e.AttemptFinished: _attempt_finished,
    e.RequestApplied: _request_applied,
}
