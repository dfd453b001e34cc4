"""What the events of an attempt change: scheduled, started, being ended, finished."""

from typing import Protocol

from controller.model import events as e
from controller.model.apply.hooks import note_start, say_ending
from controller.model.apply.step import keep_no_longer
from controller.model.indexes import (
    occupy,
    set_timeout,
    set_timer,
    take_place,
    touch,
    vacate,
    want_slot_again,
)
from controller.model.movement import (
    clear_condition,
    move_attempt,
    move_step,
    replace_result,
    set_condition,
)
from controller.model.phases import AttemptPhase, Phase, Reason
from controller.model.state import (
    ATTEMPTS_MAX,
    Attempt,
    Ending,
    Standing,
    State,
    Step,
    Workflow,
    handle_of,
)
from controller.model.timers import TimerKind


class _OfAttempt(Protocol):
    @property
    def uid(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def attempt(self) -> int: ...


def _of(state: State, event: _OfAttempt) -> tuple[Workflow, Step, Attempt]:
    workflow = state.lives[event.uid]
    step = workflow.step(event.step)
    attempt = step.live
    assert attempt is not None, state.story(event.uid, event.step)
    assert attempt.number == event.attempt, state.story(event.uid, event.step)
    return workflow, step, attempt


def scheduled(state: State, event: e.AttemptScheduled) -> None:
    workflow = state.lives[event.uid]
    step = workflow.step(event.step)
    assert step.live is None, state.story(event.uid, event.step)
    assert event.attempt == step.numbered + 1, state.story(event.uid, event.step)
    attempt = Attempt(
        number=event.attempt,
        run=event.run,
        generation=event.generation,
        fingerprint=event.fingerprint,
        inputs=event.inputs,
        mark=event.mark,
        log=event.log,
        values=event.values,
        values_file=event.values_file,
        timeout=event.timeout,
        declares=event.declares,
        in_parts=event.in_parts,
        uses=event.uses,
        engine=event.engine,
        place=event.place,
        seq=state.seq,
        why=step.why,
        scheduled=state.time,
        boot_id=state.controller.boot_id,
    )
    step.why = ""
    if workflow.phase is Phase.SUSPENDED:  # nothing but a hook of its end starts then
        say_ending(state, workflow)
    keep_no_longer(workflow, step)
    step.attempts.append(attempt)
    del step.attempts[:-ATTEMPTS_MAX]
    step.numbered = event.attempt
    occupy(state, workflow, step, attempt)


def submitted(state: State, event: e.AttemptSubmitted) -> None:
    _, _, attempt = _of(state, event)
    attempt.handle, attempt.place = event.handle, event.place
    state.sites.setdefault(attempt.engine, {})[event.site] = event.place


def queued(state: State, event: e.AttemptQueued) -> None:
    _, _, attempt = _of(state, event)
    attempt.engine_reason = event.reason


def started(state: State, event: e.AttemptStarted) -> None:
    workflow, step, attempt = _of(state, event)
    move_attempt(state, workflow, step, attempt, AttemptPhase.RUNNING)
    attempt.engine, attempt.handle, attempt.engine_reason = event.engine, event.handle, ""
    attempt.pid, attempt.start_ticks, attempt.started = event.pid, event.start_ticks, event.started
    attempt.found = event.found
    if attempt.ending is not None and attempt.ending.withdraw:
        attempt.ending = None  # too late: it has started, and a started step was to keep running
    state.metrics.ready_waits.add(event.started - step.since)
    if step.series_from is None:
        step.series_from = event.started
    step.standing = None
    note_start(workflow, step)
    take_place(workflow, step)
    replace_result(workflow, step)
    set_timeout(state, workflow, step)
    message = f"attempt {attempt.number}, {handle_of(attempt)}"
    move_step(state, workflow, step, Phase.RUNNING, Reason.STARTED, message)


def ending(state: State, event: e.AttemptEnding) -> None:
    workflow, step, attempt = _of(state, event)
    attempt.ending = Ending(
        event.reason, event.message, state.time, event.grace, event.withdraw, state.seq
    )
    if not event.withdraw:
        set_timer(state, workflow, step.name, TimerKind.TIMEOUT, None)


def end_failed(state: State, event: e.AttemptEndFailed) -> None:
    workflow, step, attempt = _of(state, event)
    attempt.survivors, attempt.end_problem = event.pids, event.problem
    _tell_survivors(state, workflow, step, attempt)


def _tell_survivors(state: State, workflow: Workflow, step: Step, attempt: Attempt) -> None:
    pids = ", ".join(map(str, attempt.survivors))
    problem = attempt.end_problem or f"SIGKILL did not end pid {pids}"
    message = f"step {step.name}: {problem}; its slot stays taken"
    set_condition(state, workflow, "EndFailed", True, "EndFailed", message)


def _tell_of_others(state: State, workflow: Workflow, step: Step, event: e.AttemptFinished) -> None:
    """The condition stays while another step can't be ended."""
    for other in workflow.with_hooks:
        if other.live is not None and other.live.is_stuck:
            _tell_survivors(state, workflow, other, other.live)
            return
    message = f"step {step.name}: all processes are gone"
    if event.reason == Reason.ABANDONED:
        message = f"step {step.name}: {event.message}"
    clear_condition(state, workflow, "EndFailed", "Ended", message)


def finished(state: State, event: e.AttemptFinished) -> None:
    workflow, step, attempt = _of(state, event)
    move_attempt(state, workflow, step, attempt, event.phase)
    attempt.reason, attempt.message = event.reason, event.message
    attempt.exit_code, attempt.signal = event.exit_code, event.signal
    attempt.finished, attempt.usage, attempt.notes = event.finished, event.usage, event.notes
    attempt.outputs, attempt.engine_reason = event.outputs, event.engine_reason
    length = None if attempt.started is None else (event.finished or state.time) - attempt.started
    state.metrics.attempt_ended(workflow.document, event.phase, length)
    if attempt.is_stuck:
        if event.reason != Reason.ABANDONED:
            attempt.survivors, attempt.end_problem = [], ""
        _tell_of_others(state, workflow, step, event)
    set_timer(state, workflow, step.name, TimerKind.TIMEOUT, None)
    if event.exit_code is not None or event.signal is not None:  # nobody saw its start
        note_start(workflow, step)
    succeeded = event.phase is AttemptPhase.SUCCEEDED
    to = Phase.SKIPPED if event.reason == Reason.SKIPPED_ITSELF else Phase.SUCCEEDED
    if succeeded and step.asked is None:  # if an edit is taken back later, this is its result
        step.standing = Standing(attempt.fingerprint, to, str(event.reason), str(event.message))
        step.outputs = event.outputs if to is Phase.SUCCEEDED else {}
    if succeeded and not (step.leaving or step.asked or step.edit):
        step.cancel = None  # the cancellation came too late
        move_step(state, workflow, step, to, event.reason, event.message)
    elif event.reason != Reason.WITHDRAWN:
        step.unjudged = True
    else:
        effect = step.edit
        if effect and (effect.action, effect.reason) == ("keep", Reason.SPEC_CHANGED):
            step.edit = None  # it had not started: it waits on, and does what the edit says
        want_slot_again(state, workflow, step)
    vacate(state, workflow, step)
    touch(state, workflow, step)
