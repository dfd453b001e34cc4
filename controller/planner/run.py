"""When a run is over, and what it came to; when nothing of a suspended workflow runs any more.

And which hooks are due: those of onStart once a run, the others when all its steps are done. How a
hook then runs is decided like for a step: `wish`, `retries` and `readiness` know of hooks.
"""

from controller.model.events import (
    EndDecided,
    HooksBegun,
    LifeEnded,
    WorkflowFinished,
    WorkflowSuspended,
)
from controller.model.indexes import is_to_end, is_without_hooks
from controller.model.phases import FAILING_CANCELS, Phase, Reason
from controller.model.state import State, Workflow
from controller.spec.hooks import DueHook, HookKind, hooks_in_force

_BY_PHASE: dict[Phase, HookKind] = {
    Phase.SUCCEEDED: "onSuccess",
    Phase.FAILED: "onFailure",
    Phase.CANCELLED: "onCancel",
}

Outcome = EndDecided | WorkflowFinished | WorkflowSuspended | LifeEnded


def finish(state: State, workflow: Workflow) -> Outcome | None:
    """What the workflow as a whole has come to, now that its steps have nothing to decide."""
    if workflow.finished:
        return LifeEnded(uid=workflow.uid) if workflow.deleting else None
    if workflow.unsettled:
        return _suspend(state, workflow)
    phase, reason, message = _verdict(workflow)
    hooks = _hooks_at_end(state, workflow, phase) if workflow.end is None else []
    if hooks or (workflow.end is None and workflow.next_hook is not None):
        return EndDecided(
            uid=workflow.uid, phase=phase, reason=reason, message=message, hooks=hooks
        )
    if workflow.next_hook is not None:
        return _suspend(state, workflow)
    return WorkflowFinished(uid=workflow.uid, phase=phase, reason=reason, message=message)


def _suspend(state: State, workflow: Workflow) -> WorkflowSuspended | None:
    if workflow.suspended is None or workflow.occupied or workflow.is_queued:
        return None
    if is_to_end(state, workflow) if workflow.is_ending else workflow.cancel is not None:
        return None
    return None if workflow.phase is Phase.SUSPENDED else WorkflowSuspended(uid=workflow.uid)


def _verdict(workflow: Workflow) -> tuple[Phase, str, str]:
    cancel, end = workflow.cancel, workflow.end
    if end is not None:
        return end.phase, end.reason, end.message
    if cancel is not None and cancel.reason in FAILING_CANCELS:
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


# ---------------------------------------- hooks


def hooks_at_start(state: State, workflow: Workflow) -> HooksBegun | None:
    """The hooks of onStart, once the first attempt of the run has started."""
    if not workflow.onstart_due:
        return None
    return HooksBegun(uid=workflow.uid, hooks=_hooks_of(state, workflow, "onStart"))


def _hooks_at_end(state: State, workflow: Workflow, phase: Phase) -> list[DueHook]:
    """The hooks of a run that has come to this phase. A workflow without a run has none."""
    if not workflow.in_run:
        return []
    return [*_hooks_of(state, workflow, _BY_PHASE[phase]), *_hooks_of(state, workflow, "onExit")]


def _hooks_of(state: State, workflow: Workflow, kind: HookKind) -> list[DueHook]:
    if is_without_hooks(state, workflow):
        return []
    return [*hooks_in_force(workflow.spec).get(kind, ())]
