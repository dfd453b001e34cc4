"""What the generation in force did to the steps, and the edit that waits, in words."""

from collections.abc import Iterable, Iterator, Mapping

from controller.intake.requests import waits_for_hooks
from controller.model.events import STEP_UNCHANGED, StepEffect, in_the_name_of
from controller.model.observations import Request
from controller.model.phases import TERMINAL, Reason
from controller.model.state import State, Step, Workflow
from controller.spec.triggers.trigger import is_definition
from controller.view import words
from controller.view.children import parents
from controller.view.look import Look

_VERBS = {
    "keep": "kept",
    "continue": "left running",
    "restart": "stopped, to run again",
    "run": "to run again",
}
_NAMED_MAX = 2
_FIRST = StepEffect("run", Reason.STEP_ADDED, "the first version of the workflow")


def is_news(state: State, workflow: Workflow) -> bool:
    """Whether the generation in force is an edit, and no run before the present one was its."""
    return not is_first(workflow) and not any(
        run.number < workflow.run and run.started >= workflow.accepted
        for run in state.runs.get(workflow.name, ())
    )


def is_first(workflow: Workflow) -> bool:
    """Whether the generation in force is the one that it began with.

    An instance begins with that of its definition, whatever its number.
    """
    if workflow.birth is not None:
        return workflow.accepted == workflow.created
    return workflow.generation == 1


def pending_words(workflow: Workflow) -> str:
    """What the waiting edit waits for; "" if no edit waits."""
    edit = workflow.pending
    if edit is None:
        return ""
    by = f" by {edit.by}" if edit.by else ""
    after_run = edit.document.spec.edit_policy == "AfterRun"
    why = " (editPolicy: AfterRun)" if after_run else ", which is being stopped"
    until = f"waits until run {workflow.run} has finished{why}"
    if workflow.starter is not None:
        until = "waits until all instances have finished, then the workflow has no triggers"
    elif is_definition(edit.document.spec):
        until = (
            f"waits until run {workflow.run} has finished, then the workflow becomes a definition"
        )
    elif workflow.is_ending:
        until = f"waits until the hooks of run {workflow.run} have ended"
    return f"generation {edit.generation} from {edit.path}{by} {until}"


def to_come(workflow: Workflow, asked: Iterable[Request]) -> Iterator[str]:
    """The edit that waits, and what was asked for and waits until the hooks have ended.

    `asked`: the requests that no controller has applied, of all workflows.
    """
    if edit := pending_words(workflow):
        yield edit
    for request in asked:
        if workflow.is_ending and request.workflow == workflow.name and waits_for_hooks(request):
            of = f" of {words.listed(request.steps)}" if request.steps else ""
            said = in_the_name_of(request.by, f"{request.kind}{of} requested", request.reason)
            yield f"{said}; it waits until the hooks of run {workflow.run} have ended"


def _touched(workflow: Workflow) -> dict[str, StepEffect]:
    """What the generation in force did, without the steps that it did not change."""
    effects = workflow.effects.items()
    return {name: effect for name, effect in effects if effect.reason != Reason.UNCHANGED}


def _unchanged(workflow: Workflow) -> list[str]:
    touched, steps = _touched(workflow), workflow.counted
    return [step.name for step in steps if step.name not in touched and not step.leaving]


def effect_of(workflow: Workflow, step: Step) -> StepEffect:
    """What the generation in force did to the step, or an earlier one that removed it."""
    if step.leaving is not None:
        return step.leaving
    if is_first(workflow):
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
    if effect.reason == Reason.NOT_KNOWN_YET and effect.action == "run":
        return "may run again"
    if effect.action == "restart" and effect.finish:
        return "to run again"
    return _VERBS.get(effect.action, "removed")


def of_step(workflow: Workflow, step: Step) -> str:
    """What the generation in force did to the step, and whether it has run since."""
    effect, attempt = effect_of(workflow, step), step.attempt
    if effect.reason == Reason.UNCHANGED:
        return f"generation {workflow.generation} did not change what it does"
    did = done(effect)
    if effect.action == "run" and step.expanded and step.phase in TERMINAL:
        did = "ran again"
    elif (
        effect.action in ("run", "restart") and attempt is not None and attempt.started is not None
    ):
        ran = attempt.generation == workflow.generation
        did = "ran again" if ran and attempt.number > 1 else did
    elif did == "was waiting":
        did = "was waiting when the edit came"
    return f"generation {workflow.generation}: {did} ({_why(effect)})"


def _why(effect: StepEffect) -> str:
    """Without that it had not started, which `done` says."""
    return words.of_effect(effect).removesuffix("; not started yet")


def generation_line(workflow: Workflow, look: Look) -> str:
    """Whose edit the generation in force is, from when, and what it did."""
    by = f" by {workflow.by}" if workflow.by else ""
    since = f"{workflow.path}{by}, {look.moment(workflow.accepted)}"
    did = in_force_words(workflow)
    return f"generation {workflow.generation} from {since}{f': {did}' if did else ''}"


def in_force_words(workflow: Workflow) -> str:
    steps = workflow.steps
    alone = {  # without those whose children stand for them
        name: effect
        for name, effect in _touched(workflow).items()
        if name not in steps or not steps[name].children
    }
    return in_words(alone, len(_unchanged(workflow)))


def in_words(touched: Mapping[str, StepEffect], unchanged: int) -> str:
    """`3 unchanged; removed: old; to run again: load (env.REGION changed) and 2 more`.

    Of those that run again only because another does, a few are named at most.
    """
    by_verb: dict[str, list[str]] = {}
    above = parents(touched)  # their children stand for them
    alone = {name: effect for name, effect in touched.items() if name not in above}
    for name, effect in sorted(alone.items(), key=lambda item: _follows(item[1])):
        verb = done(effect)
        why = "" if verb in ("added", "removed") else f" ({_why(effect)})"
        by_verb.setdefault(verb, []).append(f"{name}{why}")
    parts = [f"{unchanged} unchanged"] if unchanged else []
    for verb, names in sorted(by_verb.items()):
        more = f" and {len(names) - _NAMED_MAX:,} more" if len(names) > _NAMED_MAX else ""
        parts.append(f"{verb}: {', '.join(names[:_NAMED_MAX])}{more}")
    return "; ".join(parts)


def _follows(effect: StepEffect) -> bool:
    return effect.reason == Reason.DEPENDENCY_RERAN
