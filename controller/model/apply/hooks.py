"""What the events of hooks change: which are to run, and that a run's end is decided.

A hook has a step of its own beside those of the spec, in `Workflow.hooks`. It counts in no figure,
and no step waits for it. What happens to it and its attempts is told by the events of steps.
"""

from controller.model import events as e
from controller.model.children import new_step
from controller.model.indexes import set_timer, touch
from controller.model.movement import (
    clear_condition,
    explain_wait,
    move_run,
    move_step,
    move_workflow,
    set_condition,
)
from controller.model.phases import Phase, Reason, RunStage
from controller.model.state import RunEnd, State, Step, Workflow
from controller.model.timers import TimerKind
from controller.spec.hooks import DueHook, hook_definition, hooks_in_force


def begun(state: State, event: e.HooksBegun) -> None:
    workflow = state.lives[event.uid]
    workflow.onstart_due = False
    for due in event.hooks:
        _take(state, workflow, due)


def begin_ending(state: State, event: e.EndDecided) -> None:
    workflow = state.lives[event.uid]
    workflow.end = RunEnd(event.phase, event.reason, event.message, state.time)
    for due in event.hooks:
        _take(state, workflow, due)
    move_run(state, workflow, RunStage.ENDING)
    set_timer(state, workflow, "", TimerKind.DEADLINE, None)
    say_ending(state, workflow)
    touch(state, workflow)


def say_ending(state: State, workflow: Workflow) -> None:
    """Its hooks run, or are about to."""
    end = workflow.end
    assert end is not None, state.story(workflow.uid)
    message = f"ending as {end.phase} ({end.message}); its hooks run"
    move_workflow(state, workflow, Phase.RUNNING, Reason.ENDING, message)
    set_condition(state, workflow, "Progressing", True, Reason.ENDING, message)


def _take(state: State, workflow: Workflow, due: DueHook) -> None:
    """It is to run after those that the run has had so far."""
    definition = hook_definition(workflow.spec, due)
    hook = workflow.hooks.get(due.name)
    if hook is None:
        hook = new_step(state, workflow, due.name, definition)
        hook.is_hook, workflow.hooks[due.name] = True, hook
    hook.index, hook.definition = len(workflow.due_hooks), definition
    hook.retries = hook.interruptions = 0
    hook.series_from = hook.answer = hook.standing = None
    hook.why = ""
    message = "waiting for its turn"
    if hook.phase is Phase.PENDING:
        explain_wait(hook, Reason.WAITING_FOR_TURN, message)
    else:
        move_step(state, workflow, hook, Phase.PENDING, Reason.WAITING_FOR_TURN, message)
    workflow.due_hooks.append(due.name)
    touch(state, workflow, hook)


def hook_failed(state: State, workflow: Workflow, hook: Step) -> None:
    """People are to see it, though it changes nothing of what the run came to."""
    message = f"{hook.name}: {hook.message}"
    set_condition(state, workflow, "HookFailed", True, hook.reason, message)


def begin_run(state: State, workflow: Workflow) -> None:
    """Of the hooks of earlier runs, only those of the last one are still known."""
    workflow.has_started = workflow.onstart_due = False
    for name in [name for name in workflow.hooks if name not in workflow.due_hooks]:
        workflow.left[name] = workflow.hooks.pop(name).numbered
    workflow.due_hooks = []
    clear_condition(state, workflow, "HookFailed", Reason.STARTED, "a new run has started")


def note_start(workflow: Workflow, step: Step) -> None:
    """An attempt has started: the first one of the run's steps makes the onStart hooks due."""
    if not (step.is_hook or workflow.has_started):
        workflow.has_started = True
        workflow.onstart_due = bool(hooks_in_force(workflow.spec).get("onStart"))
