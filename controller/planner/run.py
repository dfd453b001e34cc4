"""When a run is over, and what it came to; when nothing of a suspended workflow runs any more."""

from controller.model.events import LifeEnded, WorkflowFinished, WorkflowSuspended
from controller.model.phases import Phase, Reason
from controller.model.state import Workflow

_FAILS = frozenset({Reason.DEADLINE_EXCEEDED, Reason.FAIL_FAST})


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
        if step.phase is phase
        and (step.fails_its_workflow or phase is not Phase.FAILED)
        and (not step.expanded or step.reason == Reason.EXPRESSION_FAILED)
    ]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
