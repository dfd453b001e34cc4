"""When time alone ends an attempt. `readiness` sees the end of a backoff, or of a question that
nobody answered, `cancel` a deadline.

The timers of the state are sorted, so looking costs O(what is due). A timer only makes the planner
look; the step or workflow then decides from its own state.
"""

from controller.model.events import AttemptEnding
from controller.model.indexes import is_due
from controller.model.phases import AttemptPhase, Reason
from controller.model.state import State, Step, Workflow, timeout_seconds
from controller.model.timers import TimerKind
from controller.planner.actions import to_end


def timeout(state: State, workflow: Workflow, step: Step, now: int) -> AttemptEnding | None:
    """End an attempt that ran longer than its step allows."""
    attempt = step.live
    if attempt is None or attempt.phase is not AttemptPhase.RUNNING:
        return None
    if not is_due(state, workflow.uid, step.name, TimerKind.TIMEOUT, now):
        return None
    message = f"timed out after {timeout_seconds(step, attempt):g} s"
    return to_end(workflow, step, attempt, Reason.TIMEOUT, message)
