"""What the generation in force did to the steps, and the edit that waits, in words."""

from collections.abc import Iterator

from controller.model.events import STEP_UNCHANGED, StepEffect
from controller.model.phases import Reason
from controller.model.state import Step, Workflow
from controller.view import words
from controller.view.times import rfc3339

_VERBS = {
    "keep": "kept",
    "continue": "left running",
    "restart": "stopped, to run again",
    "run": "to run again",
}
_FIRST = StepEffect("run", Reason.STEP_ADDED, "the first version of the workflow")


def generation_words(workflow: Workflow) -> str:
    """In one line what the generation in force did: `3 unchanged; to run again: load, report`."""
    if workflow.generation == 1:
        return pending_words(workflow)
    unchanged = len(_unchanged(workflow))
    names: dict[str, list[str]] = {}
    for name, effect in _touched(workflow).items():
        names.setdefault(done(effect), []).append(name)
    parts = [f"{unchanged} unchanged"] if unchanged else []
    parts += [f"{verb}: {words.named(those)}" for verb, those in sorted(names.items())]
    return "; ".join(filter(None, (*parts, pending_words(workflow))))


def pending_words(workflow: Workflow) -> str:
    """What the waiting edit waits for; "" if no edit waits."""
    edit = workflow.pending
    if edit is None:
        return ""
    by = f" by {edit.by}" if edit.by else ""
    after_run = edit.document.spec.edit_policy == "AfterRun"
    why = " (editPolicy: AfterRun)" if after_run else ", which is being stopped"
    until = f"waits until run {workflow.run} has finished{why}"
    return f"generation {edit.generation} from {edit.path}{by} {until}"


def _touched(workflow: Workflow) -> dict[str, StepEffect]:
    """What the generation in force did, without the steps that it did not change."""
    effects = workflow.effects.items()
    return {name: effect for name, effect in effects if effect.reason != Reason.UNCHANGED}


def _unchanged(workflow: Workflow) -> list[str]:
    touched, steps = _touched(workflow), workflow.steps.values()
    return [step.name for step in steps if step.name not in touched and not step.leaving]


def effect_of(workflow: Workflow, step: Step) -> StepEffect:
    """What the generation in force did to the step, or an earlier one that removed it."""
    if step.leaving is not None:
        return step.leaving
    if workflow.generation == 1:
        return _FIRST
    return workflow.effects.get(step.name, STEP_UNCHANGED)


def done(effect: StepEffect) -> str:
    """What a generation did to a step, as a verb in the past tense.

    "to run again", not "ran again": only the attempts show whether the step did.
    """
    if effect.reason == Reason.STEP_ADDED:
        return "added"
    if effect.reason == Reason.SPEC_CHANGED and effect.action == "keep":
        return "was waiting"
    if effect.action == "restart" and effect.finish:
        return "to run again"
    return _VERBS.get(effect.action, "removed")


def generation_lines(workflow: Workflow) -> Iterator[str]:
    """What the generation in force kept, reset and removed."""
    by = f" by {workflow.by}" if workflow.by else ""
    yield f"generation {workflow.generation} from {workflow.path}{by}, {rfc3339(workflow.accepted)}"
    if waits := pending_words(workflow):
        yield f"  {waits}"
    if workflow.generation == 1:
        return
    if unchanged := _unchanged(workflow):
        yield f"  unchanged: {words.named(unchanged)}"
    for name, effect in _touched(workflow).items():
        yield f"  {done(effect)}: {name} ({words.of_effect(effect)})"
