"""The rows of the table of edits: what a new generation does to one step, or to one child.

By the phase the step is in, whether what it does has changed (its fingerprint), and whether a step
it ran after is tried anew. Each row says why, in words.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import json, structs

from controller.model.events import (
    STEP_UNCHANGED,
    EffectAction,
    StepEffect,
)
from controller.model.movement import MET, OPEN, edge
from controller.model.phases import TERMINAL, AttemptPhase, Phase, Reason
from controller.model.scope import scope_of
from controller.model.state import Attempt, Standing, Step, Workflow, is_result
from controller.planner.resolve import Sight, ask, given_to, inputs_of
from controller.spec.definition import Definition, definitions, own_when
from controller.spec.expression import Failed, items_read, params_read
from controller.spec.fingerprint import input_in_words
from controller.spec.values import fits

ANEW = frozenset({"restart", "run"})
GOES_ON = StepEffect("continue", Reason.UNCHANGED, "what it does is unchanged")
ASKED_AGAIN = "its `when` is asked again"
_DEPENDENCY = "dependsOn."  # as the inputs of a fingerprint have it


class Upstream(NamedTuple):
    """The steps whose results a step is made from, and what becomes of all steps before it.

    `judged`: those before it that a dependency skipped, and that may be skipped again.
    """

    names: list[str]
    effects: dict[str, StepEffect]
    judged: set[str]

    @property
    def anew(self) -> list[str]:
        """Those that are tried anew."""
        return [name for name in self.names if self.effects[name].action in ANEW]


def has_result(step: Step, definition: Definition) -> bool:
    return step.phase is not Phase.SKIPPED and is_result(step.phase, definition)


def lacking_outputs(step: Step, definition: Definition) -> list[str]:
    """Declared outputs that the result, or what runs, does not give with their types."""
    if step.phase is Phase.RUNNING and step.attempt is not None:
        given: Mapping[str, object] = step.attempt.declares
        return [name for name, kind in definition.outputs.items() if given.get(name) != kind]
    outputs = step.outputs if step.phase is Phase.SUCCEEDED else {}
    return [
        name
        for name, kind in definition.outputs.items()
        if name not in outputs or not fits(outputs[name], kind)
    ]


def row(
    workflow: Workflow,
    step: Step,
    definition: Definition,
    seen: Sight,
    fingerprint: str,
    upstream: Upstream,
) -> StepEffect:
    """The row of a step, or of a child."""
    if step.expanded:
        return changed_row("run")  # it had children
    if step.phase is Phase.SKIPPED:
        return _skipped(workflow, step, definition, seen, fingerprint, upstream)
    return _own_row(workflow, step, definition, seen, fingerprint, upstream)


def say_why(
    workflow: Workflow,
    step: Step,
    effect: StepEffect,
    after: dict[str, str],
    becomes: Definition,
) -> StepEffect:
    """What changed in it: `after` has the inputs of its fingerprint."""
    differ = _differing(workflow, step, after)
    return _say_lacking(_say_what(workflow, step, effect, differ, becomes), step, becomes)


def removed_row(step: Step, why: str = "no longer in the spec") -> StepEffect:
    finish = step.live is not None and step.definition.on_removed == "Finish"
    return StepEffect("remove", Reason.STEP_REMOVED, why, finish)


def kept_row(step: Step, upstream: Upstream) -> StepEffect:
    """What it does changed, and yet its result stands, unless something it ran after runs again."""
    if upstream.anew:
        return reran_row(upstream, "restart" if step.phase is Phase.RUNNING else "run")
    message = "what it does changed; its result is kept (onChanged: KeepResult)"
    action: EffectAction = "continue" if step.phase is Phase.RUNNING else "keep"
    return StepEffect(action, Reason.KEEP_RESULT, message)


def _own_row(
    workflow: Workflow,
    step: Step,
    definition: Definition,
    seen: Sight,
    fingerprint: str,
    upstream: Upstream,
) -> StepEffect:
    kept = step.standing
    same = kept is not None and kept.fingerprint == fingerprint
    if is_result(step.phase, definition):
        if not same:
            return changed_row("run")
        if _never_ran(step) and asks_otherwise(workflow, step, definition, seen):
            return StepEffect("run", Reason.TRIED_ANEW, "its `when` changed")
        if step.reason == Reason.EXPANSION_FAILED and _fits(definition, seen):
            return StepEffect("run", Reason.TRIED_ANEW, "its template takes what it is given now")
        return reran_row(upstream, "run") if upstream.anew else STEP_UNCHANGED
    if (
        kept is not None
        and same
        and not kept.is_asked_again
        and is_result(kept.phase, definition)
        and _all_stand(workflow, upstream)
    ):
        message = "its earlier result still counts"
        return StepEffect("keep", Reason.RESULT_KEPT, message)
    if step.live is not None and step.live.phase is AttemptPhase.SCHEDULED:
        return _queued(step, step.live, definition, fingerprint)
    if step.live is not None or step.unjudged:
        return _running(step, definition, fingerprint, upstream)
    if step.phase in TERMINAL:
        return tried_anew_row(step)
    return _waiting(step, definition, fingerprint)


def _skipped(
    workflow: Workflow,
    step: Step,
    definition: Definition,
    seen: Sight,
    fingerprint: str,
    upstream: Upstream,
) -> StepEffect:
    """It stays skipped, unless the reason why it was is gone."""
    if step.fingerprint != fingerprint:
        return changed_row("run")
    by_its_when = step.reason == Reason.WHEN_FALSE
    if upstream.anew:
        if by_its_when:
            return StepEffect("run", Reason.NOT_KNOWN_YET, ASKED_AGAIN)
        return reran_row(upstream, "run")
    if by_its_when:
        return _asked_again(workflow, step, definition, seen)
    if _skipped_itself(step) or _is_broken(workflow, definition, seen, upstream):
        return STEP_UNCHANGED
    return StepEffect("run", Reason.TRIED_ANEW, "its dependencies are satisfied now")


def _skipped_itself(step: Step) -> bool:
    """By the exit code of an attempt."""
    return step.reason == Reason.SKIPPED_ITSELF


def is_judged_again(step: Step, effect: StepEffect) -> bool:
    """It was skipped because of a dependency, which runs again: it may be skipped again."""
    reran = step.phase is Phase.SKIPPED and effect.reason == Reason.DEPENDENCY_RERAN
    return reran and not _skipped_itself(step)


def _asked_again(workflow: Workflow, step: Step, definition: Definition, seen: Sight) -> StepEffect:
    """Its `when` decides at once: all that it reads is there."""
    if not own_when(seen.spec, definition):
        return StepEffect("run", Reason.TRIED_ANEW, "it has no `when` any more")
    if not asks_otherwise(workflow, step, definition, seen):
        return STEP_UNCHANGED
    try:
        answer = ask(seen, definition)
    except Failed as failure:
        return StepEffect("run", Reason.TRIED_ANEW, f"its `when` fails now: {failure}")
    if answer.yes:
        return StepEffect("run", Reason.TRIED_ANEW, "its `when` gives true now")
    return StepEffect("keep", Reason.WHEN_FALSE, answer.sentence)


def asks_otherwise(workflow: Workflow, step: Step, definition: Definition, seen: Sight) -> bool:
    """Whether the edit changed its `when`, or a param, or of a child the item, that this reads."""
    when = own_when(seen.spec, definition)
    if _own_when_before(workflow, step) != when:
        return True
    asked, before = [when] if when else [], params_before(workflow, step)
    if any(
        not is_same(seen.params[name], before.get(name)) for name in params_read(seen.spec, asked)
    ):
        return True
    of_item = items_read(seen.spec, asked) if step.is_of_list else ()
    return ("item" in of_item and not is_same(seen.item, step.item)) or (
        "index" in of_item and seen.nth != step.nth
    )


def _own_when_before(workflow: Workflow, step: Step) -> str:
    """The `when` that decided about the step itself until now."""
    definition = step.definition
    if definition.for_each is None or not definition.when:
        return definition.when
    return own_when(scope_of(workflow, step).spec, definition)


def params_before(workflow: Workflow, step: Step) -> Mapping[str, Any]:
    """The params that its expressions read until now: of its template, or of the spec."""
    return workflow.steps[step.piece].params if step.piece else workflow.params


def _never_ran(step: Step) -> bool:
    """An expression of it failed before its first attempt, or before it had children."""
    failed = step.reason in (Reason.EXPRESSION_FAILED, Reason.EXPANSION_FAILED)
    return failed and step.series_from is None


def _fits(definition: Definition, seen: Sight) -> bool:
    """Whether a template can be called so. No step of it need read what did not fit."""
    if definition.template is None or definition.for_each is not None:
        return False
    try:
        given_to(seen, definition.template)
    except Failed:
        return False
    return True


def is_same(one: object, other: object) -> bool:
    """Also of the same type: 1, 1.0 and true are three values."""
    return json.encode(one) == json.encode(other)


def _is_broken(workflow: Workflow, definition: Definition, seen: Sight, upstream: Upstream) -> bool:
    """Whether the end of a dependency still keeps it from starting."""
    new = definitions(seen.spec)
    for need in definition.requires:
        name = seen.full_name(need.step)
        end: Step | Standing = workflow.steps[name]
        if upstream.effects[name].reason == Reason.RESULT_KEPT:
            end = workflow.steps[name].standing or end
        tolerated = new[need.step].continue_on_failure
        if edge(end.phase, end.reason, tolerated, need.condition) not in (MET, OPEN):
            return True
    return False


def _queued(step: Step, attempt: Attempt, definition: Definition, fingerprint: str) -> StepEffect:
    """As one that waits. Should it have started before it is withdrawn, it is one that runs."""
    if is_unwanted(attempt):
        tried = StepEffect("run", Reason.TRIED_ANEW, "was being stopped; queued again")
        return tried if attempt.fingerprint == fingerprint else changed_row("run")
    effect = _waiting(step, definition, fingerprint)
    changed = effect.reason == Reason.SPEC_CHANGED
    return structs.replace(effect, finish=changed and definition.on_changed == "FinishFirst")


def _running(
    step: Step, definition: Definition, fingerprint: str, upstream: Upstream
) -> StepEffect:
    """Also one whose attempt has ended and was not judged yet: the new policy judges it."""
    attempt, anew = step.attempt, upstream.anew
    assert attempt is not None
    first = definition.on_changed == "FinishFirst"
    if attempt.fingerprint != fingerprint and not (first and anew):
        running = attempt.phase is AttemptPhase.RUNNING and not is_unwanted(attempt)
        return structs.replace(changed_row("restart"), finish=first and running)
    if anew:
        return reran_row(upstream, "restart")
    if is_unwanted(attempt):
        message = "was being stopped; queued again"
        return StepEffect("restart", Reason.TRIED_ANEW, message)
    return GOES_ON if step.phase is Phase.RUNNING else STEP_UNCHANGED


def _waiting(step: Step, definition: Definition, fingerprint: str) -> StepEffect:
    """Pending or Ready: it takes the new definition, and what it waits for stays."""
    if step.fingerprint != fingerprint:
        return changed_row("run" if step.tried else "keep")
    if step.retry_at is not None and step.definition.retry != definition.retry:
        message = "its retry policy changed; it is tried again at once"
        return StepEffect("run", Reason.TRIED_ANEW, message)
    return STEP_UNCHANGED


def is_unwanted(attempt: Attempt) -> bool:
    """Somebody cancelled it; a timeout is an end of its own making."""
    ending = attempt.ending
    return ending is not None and not ending.withdraw and ending.reason != Reason.TIMEOUT


def _all_stand(workflow: Workflow, upstream: Upstream) -> bool:
    """Whether everything this step ran after is finished, and stays so."""
    for name in upstream.names:
        effect = upstream.effects[name]
        finished = name in workflow.steps and workflow.steps[name].phase in TERMINAL
        if effect.action != "keep" or not (finished or effect.reason == Reason.RESULT_KEPT):
            return False
    return True


def tried_anew_row(step: Step) -> StepEffect:
    return StepEffect("run", Reason.TRIED_ANEW, f"was {step.phase}; queued again")


def changed_row(action: EffectAction) -> StepEffect:
    return StepEffect(action, Reason.SPEC_CHANGED, "what it does changed")


def reran_row(upstream: Upstream, action: EffectAction) -> StepEffect:
    """If none of them runs in the end, the result that it made still counts."""
    certain = [
        name
        for name in upstream.anew
        if name not in upstream.judged and upstream.effects[name].reason != Reason.NOT_KNOWN_YET
    ]
    if certain:
        message = f'depends on "{certain[0]}", which runs again'
        return StepEffect(action, Reason.DEPENDENCY_RERAN, message)
    message = f'depends on "{upstream.anew[0]}", which may run'
    return StepEffect(action, Reason.NOT_KNOWN_YET, message)


def _differing(workflow: Workflow, step: Step, after: dict[str, str]) -> list[str]:
    """The inputs of the fingerprint that are not what they were."""
    attempt, kept = step.attempt, step.standing
    made_by_last_attempt = kept is None or (
        attempt is not None and attempt.fingerprint == kept.fingerprint
    )
    # Otherwise it had that attempt when it was another step.
    of_attempt = made_by_last_attempt and step.definition.has_attempts
    of_attempt |= step.leaving is not None  # the spec in force no longer has that one
    before = attempt.inputs if attempt and of_attempt else inputs_of(workflow, step)
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _say_what(
    workflow: Workflow, step: Step, effect: StepEffect, differ: list[str], becomes: Definition
) -> StepEffect:
    if not differ:
        return effect
    own = [key for key in differ if not key.startswith(_DEPENDENCY)]
    if own:
        more = f" and {len(own) - 3} more" if len(own) > 3 else ""
        message = f"{', '.join(map(input_in_words, own[:3]))}{more} changed"
    else:
        message = _dependency_words(workflow, step, differ[0].removeprefix(_DEPENDENCY), becomes)
    if effect.action == "keep":
        message += "; not started yet"
    return structs.replace(effect, message=message)


def _say_lacking(effect: StepEffect, step: Step, definition: Definition) -> StepEffect:
    """Its result was to be kept. Of a step with children, these say it."""
    if definition.on_changed != "KeepResult" or effect.action not in ANEW or step.is_parent:
        return effect
    lacking = lacking_outputs(step, definition)
    if not lacking:
        return effect
    message = f"its result can't be kept: it lacks the output {', '.join(lacking[:3])}"
    return structs.replace(effect, reason=Reason.OUTPUTS_CHANGED, message=message)


def _dependency_words(workflow: Workflow, step: Step, name: str, becomes: Definition) -> str:
    before, after = (
        next((need.condition for need in definition.requires if need.step == name), None)
        for definition in (step.definition, becomes)
    )
    # In a template, one that the step does not have itself is of the step that calls it.
    name = sibling if (sibling := step.sibling(name)) in workflow.steps else name
    if before == after:
        return f'depends on "{name}", which changed'
    if before is None:
        return f'depends on "{name}" now'
    if after is None:
        return f'no longer depends on "{name}"'
    return f'depends on "{name}" with another condition: {after}, no longer {before}'
