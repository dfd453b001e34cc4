"""What time alone makes due: timeouts, ends of backoffs, the deadline of a run.

The timers of the state are sorted, so looking costs O(what is due). A timer only makes the planner
look; the step or workflow then decides from its own state.
"""

from collections.abc import Iterator

from controller.model.events import AttemptEnding
from controller.model.indexes import is_due
from controller.model.phases import AttemptPhase, Reason
from controller.model.state import State, Step, Workflow
from controller.model.timers import TimerKind
from controller.planner.actions import to_end


def timeout(state: State, workflow: Workflow, step: Step, now: int) -> AttemptEnding | None:
    """End an attempt that ran longer than its step allows."""
    attempt = step.live
    if attempt is None or attempt.phase is not AttemptPhase.RUNNING:
        return None
    if not is_due(state, workflow.uid, step.name, TimerKind.TIMEOUT, now):
        return None
    message = f"timed out after {step.definition.timeout_seconds:g} s"
    return to_end(workflow, step, attempt, Reason.TIMEOUT, message)


def interrupt(state: State) -> Iterator[AttemptEnding]:
    """End all that lives and isn't being ended, since its controller stops.

    No step is cancelled by that: what has not started is withdrawn and waits for a slot again, what
    ran is `Interrupted`.
    """
    message = "its controller was stopped with --end-steps"
    for (uid, name), attempt in state.live.items():
        if attempt.ending is None or attempt.ending.withdraw:
            workflow = state.lives[uid]
            step = workflow.steps[name]
            yield to_end(workflow, step, attempt, Reason.CONTROLLER_STOPPED, message)
