"""Who wants a workflow, or steps of it, to end.

Many things do: its deletion, a marker, its deadline, failFast, Ctrl-C at `run`. Each becomes one
`CancelAccepted`; what that does to each step is for `wish` to say.
"""

from controller.model.events import CancelAccepted, MarkerPlaced
from controller.model.indexes import forbidden, is_due, markers_for
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import State, Step, Workflow
from controller.model.timers import TimerKind


def wanted(state: State, workflow: Workflow, now: int) -> CancelAccepted | None:
    """The cancellation that is asked for and not yet in force, if there is one."""
    if workflow.finished or workflow.is_ending:
        return None
    return (
        _deleted(workflow)
        or _by_marker_of_workflow(state, workflow)
        or _overdue(state, workflow, now)
        or _failed_fast(workflow)
        or _by_marker_of_steps(state, workflow)
    )


def _accept(workflow: Workflow, reason: str, message: str) -> CancelAccepted:
    return CancelAccepted(
        uid=workflow.uid, generation=workflow.generation, reason=reason, message=message
    )


def _deleted(workflow: Workflow) -> CancelAccepted | None:
    if not workflow.deleting or workflow.being_ended:
        return None
    return _accept(workflow, Reason.SPEC_DELETED, "its spec was removed from the folder")


def _by_marker_of_workflow(state: State, workflow: Workflow) -> CancelAccepted | None:
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
    if workflow.being_ended or not is_due(state, workflow.uid, "", TimerKind.DEADLINE, now):
        return None
    due = state.timer_of[workflow.uid, "", TimerKind.DEADLINE]
    if all(_was_over_by(due, workflow, step) for step in workflow.steps.values()):
        return None  # the run kept its deadline, whenever that is seen
    message = f"the deadline has passed (activeDeadlineSeconds: {workflow.deadline_seconds:g})"
    return _accept(workflow, Reason.DEADLINE_EXCEEDED, message)


def _was_over_by(due: int, workflow: Workflow, step: Step) -> bool:
    """Whether it is settled or only to be judged, and its last attempt had ended by then."""
    if step.expanded:
        return True  # its children are asked
    of_run, ended = _of_run(workflow, step), _ended(step)
    if of_run and ended is not None and ended > due:
        return False
    return step.phase in TERMINAL or (step.unjudged and of_run)


def _ended(step: Step) -> int | None:
    """When its last attempt ended, or its question was answered."""
    if step.definition.approve is not None:
        return None if step.question is None else step.question.answered
    return None if step.attempt is None else step.attempt.finished


def _failed_fast(workflow: Workflow) -> CancelAccepted | None:
    """Strikes for a failure of the present run: an older one is what a `retry` may leave behind."""
    if not workflow.fail_fast or not workflow.failed or workflow.cancel is not None:
        return None
    if not workflow.unsettled or not workflow.in_run:
        return None
    for step in workflow.steps.values():
        if step.fails_its_workflow and _of_run(workflow, step):
            return _accept(workflow, Reason.FAIL_FAST, f'failFast: step "{step.name}" failed')
    return None


def _of_run(workflow: Workflow, step: Step) -> bool:
    """Its attempt, or question, was one of the present run; or it failed in this, before any."""
    if step.reason in (Reason.EXPRESSION_FAILED, Reason.EXPANSION_FAILED):
        return workflow.started is not None and step.since >= workflow.started
    if step.definition.approve is not None:
        return step.question is not None and step.question.run == workflow.run
    return step.attempt is not None and step.attempt.run == workflow.run


def _by_marker_of_steps(state: State, workflow: Workflow) -> CancelAccepted | None:
    if workflow.being_ended:
        return None
    for marker in markers_for(state, workflow.name).values():
        named = [
            name
            for step in marker.steps
            for name in of_name(workflow, step)
            if _unmet(workflow.steps[name], marker.drain)
        ]
        if named:
            return _by_marker(workflow, marker, named)
    return None


def of_name(workflow: Workflow, name: str) -> list[str]:
    """The steps that somebody means who names this one: of a parent, those below it."""
    step = workflow.steps.get(name)
    return [] if step is None else [leaf.name for leaf in workflow.leaves(step)]


def _unmet(step: Step, drain: bool) -> bool:
    if step.phase in TERMINAL or step.is_wanted:
        return False
    return not (drain and step.phase is Phase.RUNNING)
