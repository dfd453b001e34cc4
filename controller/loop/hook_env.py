"""What a hook sees of its run, besides what each step sees."""

import json
from collections.abc import Callable

from controller.model.indexes import phase_before
from controller.model.phases import Phase, Reason
from controller.model.state import SECOND, Attempt, State, Step, Workflow
from controller.spec.hooks import kind_of

FAILED_MAX = 100  # names of failed steps that a hook gets
_MESSAGE_MAX = 2000  # characters

LastLine = Callable[[str], str]  # of the log of an attempt


def hook_env(
    state: State, workflow: Workflow, hook: Step, attempt: Attempt, last_line: LastLine
) -> dict[str, str]:
    """The variables of a hook: what its run came to, and how the run before it ended.

    As long as the hook has not started, they stay the same. So one of onStart, which runs beside
    the steps, does not see how these end.
    """
    if kind_of(hook.name) == "onStart":
        phase, reason, message = (
            str(Phase.RUNNING),
            str(Reason.STARTED),
            f"run {workflow.run} started",
        )
        failed, until = list[Step](), attempt.scheduled
    else:
        end = workflow.end
        assert end is not None, state.story(workflow.uid, hook.name)
        failed = [step for step in workflow.counted if step.fails_its_workflow]
        phase, reason, until = end.phase, end.reason, end.decided
        message = _message(end.message, failed, last_line)
    return {
        "TREADLE_PHASE": phase,
        "TREADLE_REASON": reason,
        "TREADLE_MESSAGE": message,
        "TREADLE_FAILED_STEPS": json.dumps([step.name for step in failed[:FAILED_MAX]]),
        "TREADLE_FAILED_COUNT": str(len(failed)),
        "TREADLE_LAST_PHASE": phase_before(state, workflow),
        "TREADLE_RUN_SECONDS": str((until - (workflow.started or until)) // SECOND),
    }


def _message(said: str, failed: list[Step], last_line: LastLine) -> str:
    """One sentence, with the last line that the first failed step printed."""
    if failed:
        first = min(failed, key=lambda step: step.since)
        said = f"{first.name} failed: {first.message}"
        line = last_line(first.attempt.log).strip() if first.attempt is not None else ""
        said = f"{said}; it printed last: {line}" if line else said
    return "".join(char if char.isprintable() else " " for char in said)[:_MESSAGE_MAX]
