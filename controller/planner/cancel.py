"""Who must end, and when a workflow is over.

Many things want a workflow to end: its deletion, a marker, its deadline, failFast, Ctrl-C at `run`.
Each becomes one `CancelAccepted`, and from there on all take the same way: running attempts are
ended, what has not started is cancelled, and when nothing is left unsettled the workflow finishes.
"""

from collections.abc import Iterator

from msgspec import structs

from controller.model.events import (
    AttemptEnding,
    CancelAccepted,
    LifeEnded,
    MarkerPlaced,
    StepCancelled,
    StepRemoved,
    StepReset,
    StepRestored,
    WorkflowFinished,
    WorkflowSuspended,
)
from controller.model.indexes import forbidden, is_due
from controller.model.phases import TERMINAL, AttemptPhase, Phase, Reason
from controller.model.state import Attempt, State, Step, Then, Workflow
from controller.model.timers import TimerKind

_FAILS = frozenset({Reason.DEADLINE_EXCEEDED, Reason.FAIL_FAST})


# --------------------------------------------------------------------------- the wish
def wanted(state: State, workflow: Workflow, now: int) -> CancelAccepted | None:
    """The cancellation that is asked for and not yet in force, if there is one."""
    if workflow.finished:
        return None
    return (
        _deleted(workflow)
        or _marked(state, workflow)
        or _overdue(state, workflow, now)
        or _failed_fast(workflow)
        or _steps_marked(state, workflow)
    )


def _accept(workflow: Workflow, reason: str, message: str) -> CancelAccepted:
    return CancelAccepted(
        uid=workflow.uid, generation=workflow.generation, reason=reason, message=message
    )


def _deleted(workflow: Workflow) -> CancelAccepted | None:
    if not workflow.deleting or (workflow.cancel is not None and not workflow.cancel.drain):
        return None
    return _accept(workflow, Reason.SPEC_DELETED, "its spec was deleted from the folder")


def _marked(state: State, workflow: Workflow) -> CancelAccepted | None:
    marker = forbidden(state, workflow.name)
    before = workflow.cancel
    if marker is None or (before is not None and (marker.drain or not before.drain)):
        return None
    return _by_marker(workflow, marker, [])


def _by_marker(workflow: Workflow, marker: MarkerPlaced, steps: list[str]) -> CancelAccepted:
    why = f": {marker.reason}" if marker.reason else ""
    return CancelAccepted(
        uid=workflow.uid,
        generation=workflow.generation,
        reason=Reason.CANCEL_MARKER,
        message=f"cancelled by {marker.path}{why}",
        steps=steps,
        drain=marker.drain,
        by=marker.by,
    )


def _overdue(state: State, workflow: Workflow, now: int) -> CancelAccepted | None:
    ending = workflow.cancel is not None and not workflow.cancel.drain
    if ending or not is_due(state, workflow.uid, "", TimerKind.DEADLINE, now):
        return None
    message = f"activeDeadlineSeconds ({workflow.deadline_seconds:g}) have passed"
    return _accept(workflow, Reason.DEADLINE_EXCEEDED, message)


def _failed_fast(workflow: Workflow) -> CancelAccepted | None:
    """Strikes for a failure of the present run: an older one is what a `retry` may leave behind."""
    if not workflow.fail_fast or not workflow.failed or workflow.cancel is not None:
        return None
    if not workflow.unsettled or not workflow.in_run:
        return None
    for step in workflow.steps.values():
        if step.phase is Phase.FAILED and not step.tolerated and _of_run(workflow, step):
            return _accept(workflow, Reason.FAIL_FAST, f'failFast: step "{step.name}" failed')
    return None


def _of_run(workflow: Workflow, step: Step) -> bool:
    return step.attempt is not None and step.attempt.run == workflow.run


def _steps_marked(state: State, workflow: Workflow) -> CancelAccepted | None:
    if workflow.cancel is not None and not workflow.cancel.drain:
        return None
    for marker in state.marked.get(workflow.name, {}).values():
        named = [
            name
            for name in marker.steps
            if name in workflow.steps and _unmet(workflow.steps[name], marker.drain)
        ]
        if named:
            return _by_marker(workflow, marker, named)
    return None


def _unmet(step: Step, drain: bool) -> bool:
    if step.phase in TERMINAL or step.then is not None:
        return False
    return not (drain and step.phase is Phase.RUNNING)


# --------------------------------------------------------------------------- carried out
def stop(state: State, workflow: Workflow, step: Step) -> Then | None:
    """Why this step is to leave its present course, if it is.

    What drains may come to its own end, whatever else is to become of it, and what has just ended
    to its result.
    """
    if step.phase in TERMINAL:
        return None
    whole, then = workflow.cancel, step.then
    if then is not None and then.action != "cancel":
        if _drains(state, workflow, step):
            then = structs.replace(then, finish=True)
        elif whole is not None and step.leaving:  # it leaves all the same, but has no time any more
            then = structs.replace(then, finish=False)
    going = step.phase is Phase.RUNNING or step.unjudged
    if whole is None or step.leaving or (whole.drain and going):
        return then
    return Then("cancel", whole.reason, whole.message)


def _drains(state: State, workflow: Workflow, step: Step) -> bool:
    """Whether the whole workflow, or this step of it, starts no more and may end."""
    if workflow.cancel is not None:
        return workflow.cancel.drain
    markers = state.marked.get(workflow.name, {}).values()
    return any(marker.drain and step.name in marker.steps for marker in markers)


def end(state: State, workflow: Workflow, step: Step, attempt: Attempt) -> AttemptEnding | None:
    """Announce the end of a live attempt that somebody wants to end, or to withdraw."""
    if attempt.ending is not None and not attempt.ending.withdraw:
        return None
    why = stop(state, workflow, step)
    if why is not None and why.finish and attempt.phase is AttemptPhase.RUNNING:
        return None
    drains = workflow.cancel is not None and workflow.cancel.drain
    if why is not None and (step.then is not None or not drains):
        return AttemptEnding(
            uid=workflow.uid,
            step=step.name,
            attempt=attempt.number,
            reason=why.reason,
            message=why.message,
            grace=step.definition.grace_seconds,
        )
    if attempt.phase is AttemptPhase.SCHEDULED and attempt.ending is None:
        return _withdraw(workflow, step, attempt)
    return None


def interrupt(state: State) -> Iterator[AttemptEnding]:
    """End all that lives and isn't being ended, since its controller stops.

    No step is cancelled by that: what has not started is withdrawn and waits for a slot again, what
    ran is `Interrupted`.
    """
    for (uid, name), attempt in state.live.items():
        if attempt.ending is None or attempt.ending.withdraw:
            yield AttemptEnding(
                uid=uid,
                step=name,
                attempt=attempt.number,
                reason=Reason.CONTROLLER_STOPPED,
                message="its controller was stopped with --end-steps",
                grace=state.lives[uid].steps[name].definition.grace_seconds,
            )


def _withdraw(workflow: Workflow, step: Step, attempt: Attempt) -> AttemptEnding | None:
    """A start that is still queued, and for which there is no reason any more."""
    if workflow.cancel is not None:
        reason, message = workflow.cancel.reason, workflow.cancel.message
    elif workflow.suspended is not None:
        reason, message = Reason.SUSPENDED, "the workflow is suspended"
    elif step.open or step.broken:
        reason, message = Reason.DEPENDENCY_RERAN, "a dependency is tried anew"
    else:
        return None
    return AttemptEnding(
        uid=workflow.uid,
        step=step.name,
        attempt=attempt.number,
        reason=reason,
        message=message,
        withdraw=True,
    )


def settle(
    workflow: Workflow, step: Step, why: Then
) -> StepCancelled | StepReset | StepRestored | StepRemoved:
    """What becomes of a step that was to stop, now that nothing of it runs."""
    if why.action == "remove":
        return StepRemoved(uid=workflow.uid, step=step.name)
    if why.action == "restore" and step.standing is not None:
        return StepRestored(uid=workflow.uid, step=step.name)
    kind = StepCancelled if why.action == "cancel" else StepReset
    return kind(uid=workflow.uid, step=step.name, reason=why.reason, message=why.message)


# --------------------------------------------------------------------------- over
def finish(workflow: Workflow) -> WorkflowFinished | WorkflowSuspended | LifeEnded | None:
    """What the workflow as a whole has come to, now that its steps have nothing to decide."""
    if workflow.finished:
        return LifeEnded(uid=workflow.uid) if workflow.deleting else None
    if workflow.unsettled:
        return _suspend(workflow)
    phase, reason, message = _verdict(workflow)
    return WorkflowFinished(uid=workflow.uid, phase=phase, reason=reason, message=message)


def _suspend(workflow: Workflow) -> WorkflowSuspended | None:
    if workflow.suspended is None or workflow.occupied or workflow.cancel is not None:
        return None
    return None if workflow.phase is Phase.SUSPENDED else WorkflowSuspended(uid=workflow.uid)


def _verdict(workflow: Workflow) -> tuple[Phase, str, str]:
    cancel = workflow.cancel
    if cancel is not None and cancel.reason in _FAILS:
        return Phase.FAILED, cancel.reason, cancel.message
    if workflow.failed:
        failed = _named(workflow, Phase.FAILED)
        return Phase.FAILED, Reason.STEP_FAILED, f"failed: {failed}"
    if cancel is not None:
        return Phase.CANCELLED, cancel.reason, cancel.message
    if workflow.cancelled:
        cancelled = _named(workflow, Phase.CANCELLED)
        return Phase.CANCELLED, Reason.STEP_CANCELLED, f"cancelled: {cancelled}"
    return Phase.SUCCEEDED, Reason.COMPLETED, "all steps are done"


def _named(workflow: Workflow, phase: Phase) -> str:
    """The steps in this phase, the first few by name."""
    names = [
        step.name
        for step in workflow.steps.values()
        if step.phase is phase and not (phase is Phase.FAILED and step.tolerated)
    ]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
