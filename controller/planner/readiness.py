"""Which steps may start as far as their dependencies go, and which never can.

Each step counts the conditions still open, and `movement.move_step` keeps the count: a finished
step costs O(its dependents). Skips spread through the turn's passes, one level a pass.
"""

from controller.model.events import StepFailed, StepReady, StepReset, StepRestored, StepSkipped
from controller.model.indexes import is_due, run_to_be
from controller.model.phases import Phase, Reason
from controller.model.state import State, Step, Workflow, is_result
from controller.model.timers import TimerKind
from controller.planner.resolve import ask, sight
from controller.spec.expression import Failed

Decision = StepReady | StepSkipped | StepReset | StepRestored | StepFailed


def decide(state: State, workflow: Workflow, step: Step, now: int) -> Decision | None:
    """For a step without a live attempt that nobody wants to end."""
    if step.phase is Phase.READY and step.has_to_ask:
        message = "its `when` is asked again"
        return StepReset(
            uid=workflow.uid, step=step.name, reason=Reason.SPEC_CHANGED, message=message
        )
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
        return StepSkipped(
            uid=workflow.uid, step=step.name, reason=reason, message=message, stands=True
        )
    if step.open or workflow.suspended is not None:
        return None
    if step.retry_at is not None and not is_due(
        state, workflow.uid, step.name, TimerKind.BACKOFF, now
    ):
        return None
    if _is_still_done(step):
        return StepRestored(uid=workflow.uid, step=step.name)
    if step.has_to_ask:
        return _by_its_when(state, workflow, step)
    return StepReady(uid=workflow.uid, step=step.name)


def _is_still_done(step: Step) -> bool:
    """It was reset, but in the end nothing that its result was made from has run again."""
    kept = step.standing
    if kept is None or kept.is_asked_again or step.retry_at is not None:
        return False
    return kept.fingerprint == step.fingerprint and is_result(kept.phase, step.definition)


def _by_its_when(
    state: State, workflow: Workflow, step: Step
) -> StepReady | StepSkipped | StepFailed:
    uid, name = workflow.uid, step.name
    try:
        answer = ask(sight(workflow, run_to_be(state, workflow)), step.definition)
    except Failed as failure:
        reason, message = Reason.EXPRESSION_FAILED, f"its `when` failed: {failure}"
        return StepFailed(uid=uid, step=name, reason=reason, message=message)
    if answer.yes:
        return StepReady(uid=uid, step=name, when=answer.read)
    reason, message = Reason.WHEN_FALSE, answer.sentence
    return StepSkipped(
        uid=uid, step=name, reason=reason, message=message, when=answer.read, stands=True
    )


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
