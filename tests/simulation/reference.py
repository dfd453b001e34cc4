"""What must hold of any story, written without a look at how the controller does it."""

from collections.abc import Callable

from controller.model import events as e
from controller.model.state import State, Workflow
from controller.planner.permission import Limits

DONE = ("Succeeded", "Failed", "Skipped", "Cancelled")

# Only these may take a step out of a phase that was final.
REOPENS = (
    e.GenerationAccepted,
    e.StepReset,
    e.StepRestored,
    e.StepMarked,
    e.StepRemoved,
    e.RequestApplied,
    e.LifeArchived,
)


def depends_on_what_is_not_met(state: State, event: e.AnyEvent) -> str:
    """An attempt may be promised only when each dependency has come to what is asked of it."""
    if not isinstance(event, e.AttemptScheduled):
        return ""
    steps = state.lives[event.uid].steps
    for need in steps[event.step].definition.requires:
        dependency = steps[need.step]
        phase = str(dependency.phase)
        tolerated = phase == "Failed" and dependency.definition.continue_on_failure
        wanted = {
            "Succeeded": phase == "Succeeded" or tolerated,
            "Failed": phase == "Failed",
            "Finished": phase in DONE and phase != "Cancelled",
        }[need.condition]
        if not wanted:
            return f"{event.step} starts although {need.step} is {phase}, not {need.condition}"
    return ""


def moves_on_from(state: State, event: e.AnyEvent) -> Callable[[State], str]:
    """What is final stays so, but for what may reopen it. To be asked again once it is folded."""
    uid = getattr(event, "uid", "")
    if uid not in state.lives or isinstance(event, REOPENS):
        return lambda _: ""
    final = {
        name: step.phase for name, step in state.lives[uid].steps.items() if str(step.phase) in DONE
    }

    def changed(after: State) -> str:
        steps = after.lives[uid].steps
        gone = [name for name, phase in final.items() if steps[name].phase is not phase]
        return f"{type(event).__name__} moved {gone}, which had ended" if gone else ""

    return changed


def waits_for(state: State, life: Workflow, limits: Limits) -> str:
    """Something that will wake the workflow; empty if nothing ever does."""
    if life.finished:
        return "nothing, it is over"
    if life.suspended is not None:
        return "resume"
    if any(marker.workflow == life.name for marker in state.markers.values()):
        return "a marker to go"
    if any(step.attempts and step.attempts[-1].live for step in life.steps.values()):
        return "an attempt"
    if any(timer.uid == life.uid for timer in state.timers):
        return "time"
    if any(str(step.phase) == "Ready" for step in life.steps.values()):
        if limits.short or limits.held:
            return "room on the disk, or the folder"
        if len(state.live) >= limits.max_parallel + limits.ahead:
            return "a slot"
    return ""
