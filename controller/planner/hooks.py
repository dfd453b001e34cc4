"""Which hooks are due: those of onStart once a run, the others when all its steps are done.

How a hook then runs is decided like for a step: `wish`, `retries` and `readiness` know of hooks.
"""

from controller.model.events import HooksBegun
from controller.model.indexes import is_without_hooks
from controller.model.phases import Phase
from controller.model.state import State, Workflow
from controller.spec.hooks import DueHook, HookKind, hooks_in_force

_BY_PHASE: dict[Phase, HookKind] = {
    Phase.SUCCEEDED: "onSuccess",
    Phase.FAILED: "onFailure",
    Phase.CANCELLED: "onCancel",
}


def at_start(state: State, workflow: Workflow) -> HooksBegun | None:
    """The hooks of onStart, once the first attempt of the run has started."""
    if not workflow.onstart_due:
        return None
    return HooksBegun(uid=workflow.uid, hooks=_of(state, workflow, "onStart"))


def at_end(state: State, workflow: Workflow, phase: Phase) -> list[DueHook]:
    """The hooks of a run that has come to this phase. A workflow without a run has none."""
    if not workflow.in_run:
        return []
    return [*_of(state, workflow, _BY_PHASE[phase]), *_of(state, workflow, "onExit")]


def _of(state: State, workflow: Workflow, kind: HookKind) -> list[DueHook]:
    if is_without_hooks(state, workflow):
        return []
    return [*hooks_in_force(workflow.spec).get(kind, ())]
