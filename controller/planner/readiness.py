"""Which steps may start as far as their dependencies go, and which never can.

Each step counts the conditions still open, and `movement.move_step` keeps the count: a finished
step costs O(its dependents). Skips spread through the turn's passes, one level a pass.
"""

from controller.model.events import StepReady, StepReset, StepSkipped
from controller.model.indexes import is_due
from controller.model.phases import Phase, Reason
from controller.model.state import State, Step, Workflow
from controller.model.timers import TimerKind


def decide(
    state: State, workflow: Workflow, step: Step, now: int
) -> StepReady | StepSkipped | StepReset | None:
    """For a step without a live attempt that nobody wants to end."""
    waits_no_more = step.phase is Phase.READY or step.retry_at is not None
    if waits_no_more and (step.open or step.broken):
        message = "waiting for a dependency again"
        return StepReset(
            uid=workflow.uid, step=step.name, reason=Reason.DEPENDENCY_RERAN, message=message
        )
    if step.phase is not Phase.PENDING:
        return None
    if step.broken:
        dependency, reason = next(iter(step.broken.items()))
        message = skip_message(workflow, dependency)
        return StepSkipped(uid=workflow.uid, step=step.name, reason=reason, message=message)
    if step.open or workflow.suspended is not None:
        return None
    if step.retry_at is not None and not is_due(
        state, workflow.uid, step.name, TimerKind.BACKOFF, now
    ):
        return None
    return StepReady(uid=workflow.uid, step=step.name)


def skip_message(workflow: Workflow, dependency: str) -> str:
    """Why a step that depends on `dependency` will not run."""
    step = workflow.steps[dependency]
    if step.phase is Phase.SUCCEEDED:
        return f'runs only if "{dependency}" fails, and that succeeded'
    if step.phase is Phase.SKIPPED:
        # Not its message as well: down a long branch that would grow with every step.
        return f'depends on "{dependency}", which was skipped'
    return f'depends on "{dependency}", which {_ENDED[step.phase]}'


_ENDED = {Phase.FAILED: "failed", Phase.CANCELLED: "was cancelled"}
