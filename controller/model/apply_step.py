"""What the events of a step change: ready, skipped, reset, marked, restored, removed and others."""

from collections.abc import Callable

from controller.model import events as e
from controller.model.indexes import set_timer, touch
from controller.model.movement import drop, explain_wait, move_step, move_workflow, set_condition
from controller.model.phases import Phase, Reason
from controller.model.state import SECOND, Asked, Standing, State, Step, Workflow
from controller.model.timers import TimerKind
from controller.spec.fingerprint import fingerprints, version_of

# Resets that an edit caused. If the edit is taken back, they are undone.
_BY_EDIT = frozenset({Reason.SPEC_CHANGED, Reason.DEPENDENCY_RERAN})


def ready(state: State, event: e.StepReady) -> None:
    workflow = state.lives[event.uid]
    step = workflow.steps[event.step]
    stop_waiting(state, workflow, step)
    move_step(state, workflow, step, Phase.READY, Reason.WAITING_FOR_SLOT, "waiting for a slot")


def ended_as(to: Phase) -> Callable[[State, e.StepSkipped | e.StepCancelled | e.StepFailed], None]:
    def ended(state: State, event: e.StepSkipped | e.StepCancelled | e.StepFailed) -> None:
        workflow = state.lives[event.uid]
        step = workflow.steps[event.step]
        step.unjudged = False
        step.want_nothing()
        stop_waiting(state, workflow, step)
        move_step(state, workflow, step, to, event.reason, event.message)
        if to is Phase.FAILED:
            remember_result(step)

    return ended


def reset_asked(state: State, event: e.StepReset) -> None:
    workflow = state.lives[event.uid]
    step = workflow.steps[event.step]
    _reopen(state, workflow, event.reason, event.message)
    if step.live is None:
        reset(state, workflow, step, event.reason, event.message)
        return
    if event.reason not in _BY_EDIT:
        step.standing = None  # not only when it has ended: an edit may be taken back before
    step.cancel, step.asked = None, Asked(event.reason, event.message)
    touch(state, workflow, step)


def marked(state: State, event: e.StepMarked) -> None:
    """Treat it as if an attempt had succeeded; its dependents may start from now on."""
    workflow = state.lives[event.uid]
    step = workflow.steps[event.step]
    _reopen(state, workflow, Reason.MARKED, event.message)
    reset(state, workflow, step, Reason.MARKED, event.message)
    move_step(state, workflow, step, Phase.SUCCEEDED, Reason.MARKED, event.message)
    step.standing = Standing(step.fingerprint, step.phase, step.reason, step.message)
    touch(state, workflow)


def _reopen(state: State, workflow: Workflow, reason: str, message: str) -> None:
    """A finished workflow has something to do or to check again."""
    if workflow.finished:
        move_workflow(state, workflow, Phase.PENDING, reason, message)
        set_condition(state, workflow, "Complete", False, reason, message)
        set_condition(state, workflow, "Progressing", True, reason, message)


def restored(state: State, event: e.StepRestored) -> None:
    workflow = state.lives[event.uid]
    restore(state, workflow, workflow.steps[event.step])


def removed(state: State, event: e.StepRemoved) -> None:
    workflow = state.lives[event.uid]
    remove(state, workflow, workflow.steps[event.step])
    touch(state, workflow)


def retry_scheduled(state: State, event: e.RetryScheduled) -> None:
    workflow = state.lives[event.uid]
    step = workflow.steps[event.step]
    if event.retry:
        step.retries, step.interruptions = event.retry, 0
    elif step.attempts[-1].reason != Reason.CONTROLLER_STOPPED:
        step.interruptions += 1
    state.metrics.retried(workflow.name, step.attempts[-1].reason or "")
    step.unjudged = False
    step.why = event.message
    move_step(state, workflow, step, Phase.PENDING, event.reason, event.message)
    step.retry_at = state.time + round(event.delay * SECOND)
    if workflow.suspended is None:
        set_timer(state, workflow, step.name, TimerKind.BACKOFF, step.retry_at)


# ---------------------------------------- what several events do


def reset(state: State, workflow: Workflow, step: Step, reason: str, message: str) -> None:
    """Back to Pending: past failures no longer count, and all retries are available again."""
    step.retries = step.interruptions = 0
    step.series_from = None
    step.unjudged = False
    step.want_nothing()
    step.why = message if step.attempts else ""
    stop_waiting(state, workflow, step)
    if reason not in _BY_EDIT:
        step.standing = None
    if step.phase is not Phase.PENDING:
        move_step(state, workflow, step, Phase.PENDING, reason, message)
    else:
        explain_wait(step, reason, message)
        touch(state, workflow, step)


def restore(state: State, workflow: Workflow, step: Step) -> None:
    """Its result from before an edit is valid again."""
    kept = step.standing
    assert kept is not None, state.story(workflow.uid, step.name)
    reset(state, workflow, step, Reason.SPEC_CHANGED, "the edit was taken back")
    step.why = ""
    move_step(state, workflow, step, kept.phase, kept.reason, kept.message)


def remember_result(step: Step) -> None:
    attempt = step.attempt
    assert attempt is not None
    step.standing = Standing(attempt.fingerprint, step.phase, step.reason, step.message)


def keep_no_longer(workflow: Workflow, step: Step) -> None:
    """It runs with its present definition, so its dependents are now compared by that one."""
    if workflow.kept.pop(step.name, None) is not None:
        version = version_of(step.fingerprint)
        prints = fingerprints(workflow.spec, version, workflow.kept)
        for name, fingerprint in prints.items():
            workflow.steps[name].fingerprint = fingerprint


def stop_waiting(state: State, workflow: Workflow, step: Step) -> None:
    """Its backoff is over, or no longer matters."""
    if step.retry_at is not None:
        step.retry_at = None
        set_timer(state, workflow, step.name, TimerKind.BACKOFF, None)


def remove(state: State, workflow: Workflow, step: Step) -> None:
    """It leaves the status; the number of its last attempt is remembered."""
    stop_waiting(state, workflow, step)
    drop(state, workflow, step)
