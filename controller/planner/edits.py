"""The table of edits: what a new generation does to each step.

Every outcome is one row: by the phase the step is in, whether what it does has changed (its
fingerprint), and whether a step it ran after is tried anew. The accepted generation records
what `effects` returns; `diff` plays the same generation beforehand.
Cost: O(steps + dependencies), once an edit.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from graphlib import TopologicalSorter
from typing import NamedTuple

from msgspec import json, structs

from controller.model.children import child_definition
from controller.model.events import (
    STEP_ADDED,
    STEP_UNCHANGED,
    Child,
    EffectAction,
    GenerationAccepted,
    StepEffect,
)
from controller.model.indexes import run_to_be
from controller.model.movement import MET, OPEN, edge
from controller.model.phases import TERMINAL, AttemptPhase, Phase, Reason
from controller.model.state import Attempt, Standing, State, Step, Workflow, is_result
from controller.planner.actions import Accept, notes_of
from controller.planner.resolve import Expansion, Sight, ask, expansion, sight, timeout
from controller.spec.definition import (
    Definition,
    asks_each,
    definitions,
    expansion_expressions,
    reads,
)
from controller.spec.expression import Failed, params_read, steps_read
from controller.spec.fingerprint import fingerprints, inputs
from controller.spec.items import Item, child_name
from controller.spec.models import Spec
from controller.spec.params import values
from controller.spec.values import fits

_ANEW = frozenset({"restart", "run"})
_DEPENDENCY = "dependsOn."  # as the inputs of a fingerprint have it
_GOES_ON = StepEffect("continue", Reason.UNCHANGED, "what it does is unchanged")
_PLAIN = ("keep", Reason.UNCHANGED)
_ASKED_AGAIN = "its `when` is asked again"


class Edit(NamedTuple):
    """What a new generation comes to. `kept`: steps that stand under another fingerprint.

    `ask`: steps that wait, and whose `when` is asked again. `timeouts`: those that expressions give
    for what runs, in seconds.
    """

    fingerprints: dict[str, str]
    kept: dict[str, str] = {}
    effects: dict[str, StepEffect] = {}
    ask: list[str] = []
    timeouts: dict[str, float] = {}
    expansions: dict[str, list[Child]] = {}


class Fan(NamedTuple):
    """What becomes of a step that is expanded, and of its children.

    `expansion`: its children from now on; None if it is to be expanded again.
    """

    effect: StepEffect
    children: dict[str, StepEffect]
    expansion: list[Child] | None
    is_same_list: bool = True


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
        return [name for name in self.names if self.effects[name].action in _ANEW]


def judge(state: State, workflow: Workflow, spec: Spec) -> Edit:
    """What `spec` does to the workflow as it is now.

    A step that is to keep its result can't if something it ran after runs again; then those that
    depend on it are compared by what it really does. So the kept ones are found by leaving out, in
    at most as many rounds as there are of them.
    """
    seen = sight(workflow, run_to_be(state, workflow))
    seen = seen._replace(spec=spec, params=values(spec, workflow.given))
    kept = dict(_keepers(workflow, definitions(spec)))
    while True:
        prints = fingerprints(spec, seen.params, kept=kept)
        expansions: dict[str, list[Child]] = {}
        found = effects(workflow, seen, prints, kept, expansions)
        lost = [name for name in kept if found[name].action in _ANEW]
        if not lost:
            differ = {name: one for name, one in kept.items() if one != prints[name]}
            ask = [
                name
                for name, step in workflow.steps.items()
                if _is_to_be_asked(workflow, step, seen)
            ]
            timeouts = dict(_timeouts(workflow, seen))
            return Edit(prints, differ, found, ask, timeouts, expansions)
        for name in lost:
            del kept[name]


def complete(state: State, action: Accept, uid: str) -> GenerationAccepted:
    """The event, with what the table of edits says of each step. `uid`: of the life."""
    document, before = action.document, state.lives.get(uid)
    given = action.params if before is None else before.given
    if before is None:
        edit, generation = Edit(fingerprints(document.spec, values(document.spec, given))), 1
    else:
        edit = judge(state, before, document.spec)
        generation = before.latest if action.waited else before.latest + 1
    labels, annotations = notes_of(document.metadata)
    return GenerationAccepted(
        uid=uid,
        workflow=document.metadata.name,
        generation=generation,
        spec=document.spec,
        path=action.path,
        fingerprints=edit.fingerprints,
        effects=to_record(edit.effects),
        kept=edit.kept,
        labels=labels,
        annotations=annotations,
        origin=action.origin,
        by=action.by,
        warnings=list(action.warnings),
        request=action.request,
        params=given,
        timeouts=edit.timeouts,
        ask=edit.ask,
        reads=dict(reads(document.spec)),
        expansions=edit.expansions,
        ask_each=sorted(asks_each(document.spec)),
    )


def _keepers(workflow: Workflow, new: Mapping[str, Definition]) -> Iterator[tuple[str, str]]:
    """Steps whose result, or what runs, is to be kept, and the fingerprint it was made under."""
    for name, definition in new.items():
        step = workflow.steps.get(name)
        if step is None or definition.on_changed != "KeepResult":
            continue
        if step.is_parent != (definition.for_each is not None):
            continue  # outputs of children are lists
        made = [workflow.steps[child] for child in step.children] if step.expanded else [step]
        if any(_lacking(one, definition) for one in made):
            continue
        if _has_result(step, definition) and step.standing is not None:
            yield name, step.standing.fingerprint
        elif step.phase is Phase.RUNNING and step.attempt and not _is_unwanted(step.attempt):
            yield name, step.attempt.fingerprint


def _has_result(step: Step, definition: Definition) -> bool:
    return step.phase is not Phase.SKIPPED and is_result(step.phase, definition)


def _lacking(step: Step, definition: Definition) -> list[str]:
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


def effects(
    workflow: Workflow,
    seen: Sight,
    fingerprints: dict[str, str],
    kept: Mapping[str, str],
    expansions: dict[str, list[Child]],
) -> dict[str, StepEffect]:
    """By step name, steps that go included: a row of the table for each.

    The children of what stays expanded are added to `expansions`.
    """
    new, read = definitions(seen.spec), reads(seen.spec)
    found: dict[str, StepEffect] = {}
    of_children: dict[str, dict[str, StepEffect]] = {}
    judged: set[str] = set()
    for name in in_order(new):
        step = workflow.steps.get(name)
        if step is None:
            found[name] = STEP_ADDED
            continue
        needs = [need.step for need in new[name].requires]
        upstream = Upstream([*needs, *read.get(name, [])], found, judged)
        may_keep = name in kept
        if new[name].for_each is None:
            found[name] = _of_step(workflow, step, new[name], seen, fingerprints[name], upstream)
            if _is_judged_again(step, found[name]):
                judged.add(name)
        else:
            fan = _fan(workflow, step, seen, {**fingerprints, **kept}, upstream)
            found[name], of_children[name] = fan.effect, fan.children
            may_keep = may_keep and fan.is_same_list
            if fan.expansion is not None:
                expansions[name] = fan.expansion
        if may_keep and found[name].reason == Reason.SPEC_CHANGED:
            found[name] = _kept(step, upstream)
        if found[name] == STEP_UNCHANGED and _is_to_be_asked(workflow, step, seen):
            found[name] = StepEffect("keep", Reason.NOT_KNOWN_YET, _ASKED_AGAIN)
        if found[name].reason == Reason.SPEC_CHANGED:
            after = inputs(seen.spec, name, fingerprints, seen.params)
            found[name] = _say_why(workflow, step, found[name], after, new[name])
    ordered: dict[str, StepEffect] = {}
    for name in new:
        ordered[name] = found[name]
        ordered |= of_children.get(name, {})
    gone = [step for name, step in workflow.steps.items() if name not in ordered]
    return ordered | {step.name: _removed(step) for step in gone if not step.leaving}


def _of_step(
    workflow: Workflow,
    step: Step,
    definition: Definition,
    seen: Sight,
    fingerprint: str,
    upstream: Upstream,
) -> StepEffect:
    """The row of a step, or of a child."""
    if step.expanded:
        return _changed("run")  # it had children
    if step.phase is Phase.SKIPPED:
        return _skipped(workflow, step, definition, seen, fingerprint, upstream)
    return _row(workflow, step, definition, seen, fingerprint, upstream)


def _say_why(
    workflow: Workflow,
    step: Step,
    effect: StepEffect,
    after: dict[str, str],
    becomes: Definition,
) -> StepEffect:
    """What changed in it: `after` has the inputs of its fingerprint."""
    differ = _differing(workflow, step, after)
    return _say_lacking(_say_what(effect, differ, step.definition, becomes), step, becomes)


def _fan(
    workflow: Workflow,
    parent: Step,
    seen: Sight,
    fingerprints: dict[str, str],
    upstream: Upstream,
) -> Fan:
    """What becomes of a step with `forEach`: a row for it, and for each child."""
    definition = definitions(seen.spec)[parent.name]
    if not parent.expanded:
        effect = _of_step(workflow, parent, definition, seen, fingerprints[parent.name], upstream)
        if parent.phase is Phase.READY and effect.action == "keep":
            effect = structs.replace(effect, action="run")  # it had no `forEach`
        return Fan(effect, _collapsed(workflow, parent), None)
    if upstream.anew:
        return Fan(_reran(upstream, "run"), _of_fan_anew(workflow, parent, seen, upstream), None)
    needs = {need.step: fingerprints[need.step] for need in definition.requires}
    needs[parent.name] = fingerprints[parent.name]
    try:
        found = expansion(seen, definition, needs, _same_items(workflow, parent, seen))
    except Failed as failure:
        stay = dict.fromkeys(parent.children, STEP_UNCHANGED)
        return Fan(StepEffect("run", Reason.SPEC_CHANGED, f"forEach: {failure}"), stay, None)
    children = _rows(workflow, parent, seen, needs, found, upstream)
    is_same_list = list(children) == parent.children
    effect = _of_parent(parent, fingerprints[parent.name], children)
    return Fan(effect, children, found.children, is_same_list)


def _of_fan_anew(
    workflow: Workflow, parent: Step, seen: Sight, upstream: Upstream
) -> dict[str, StepEffect]:
    """Its children, if something that they all ran after runs again."""
    definition = definitions(seen.spec)[parent.name]
    hangs = bool(steps_read(seen.spec, expansion_expressions(definition)))
    rows: dict[str, StepEffect] = {}
    for name in parent.children:
        action: EffectAction = "restart" if workflow.steps[name].phase is Phase.RUNNING else "run"
        rows[name] = _reran(upstream, action)
        if hangs:
            message = f"its list is made again, since it {rows[name].message}"
            rows[name] = StepEffect(action, Reason.NOT_KNOWN_YET, message)
    return rows


def _rows(
    workflow: Workflow,
    parent: Step,
    seen: Sight,
    needs: dict[str, str],
    found: Expansion,
    upstream: Upstream,
) -> dict[str, StepEffect]:
    """A row for each child: of the items that stay, of new ones, of those that are gone."""
    definition = definitions(seen.spec)[parent.name]
    inner = child_definition(definition, parent.name in asks_each(seen.spec))
    rows: dict[str, StepEffect] = {}
    for item, child in zip(found.items, found.children, strict=True):
        name = child_name(parent.name, child.key)
        step = workflow.steps.get(name)
        if step is None:
            rows[name] = STEP_ADDED
            continue
        at = seen._replace(item=item.value, nth=item.index)
        effect = _of_step(workflow, step, inner, at, child.fingerprint, upstream)
        if effect.reason == Reason.SPEC_CHANGED and _keeps(step, inner):
            effect = _kept(step, upstream)
        if effect.reason == Reason.SPEC_CHANGED:
            prints = {**needs, parent.name: child.fingerprint}
            after = inputs(seen.spec, parent.name, prints, seen.params, item)
            effect = _say_why(workflow, step, effect, after, inner)
        rows[name] = effect
    for name in parent.children:
        if name not in rows:
            gone = _removed(workflow.steps[name])
            rows[name] = structs.replace(gone, message="no longer in the list")
    return rows


def _keeps(step: Step, definition: Definition) -> bool:
    """Whether a child keeps its result, or what runs, although it does something else now."""
    if definition.on_changed != "KeepResult" or _lacking(step, definition):
        return False
    return _has_result(step, definition) or step.phase is Phase.RUNNING


def _same_items(workflow: Workflow, parent: Step, seen: Sight) -> list[Item] | None:
    """The items that it has, if the edit can't have changed them; None: they are to be found."""
    definition = definitions(seen.spec)[parent.name]
    if parent.definition.for_each != definition.for_each:
        return None
    read = params_read(seen.spec, expansion_expressions(definition))
    if any(not _is_same(seen.params[name], workflow.params.get(name)) for name in read):
        return None
    children = [workflow.steps[name] for name in parent.children]
    return [Item(child.key, child.item, child.nth) for child in children]


def _of_parent(parent: Step, fingerprint: str, children: dict[str, StepEffect]) -> StepEffect:
    """It completes anew if its list or a child did; those that depend on it compare its hash."""
    over = parent.phase in TERMINAL
    if parent.fingerprint != fingerprint:
        going: EffectAction = "continue" if parent.phase is Phase.RUNNING else "keep"
        return _changed("run" if over else going)
    anew = [name for name, effect in children.items() if effect.action in _ANEW]
    if over and anew:
        more = f" and {len(anew) - 1:,} more" if len(anew) > 1 else ""
        return StepEffect("run", Reason.TRIED_ANEW, f"{anew[0]}{more} runs again")
    return _GOES_ON if parent.phase is Phase.RUNNING else STEP_UNCHANGED


def _collapsed(workflow: Workflow, parent: Step) -> dict[str, StepEffect]:
    """Its children wait until it is expanded again; what still runs of them is to end."""
    again = StepEffect("restart", Reason.DEPENDENCY_RERAN, f"{parent.name} is expanded again")
    return {
        name: again if workflow.steps[name].live else STEP_UNCHANGED
        for name in parent.children
        if name in workflow.steps
    }


def _removed(step: Step) -> StepEffect:
    finish = step.live is not None and step.definition.on_removed == "Finish"
    return StepEffect("remove", Reason.STEP_REMOVED, "no longer in the spec", finish)


def _kept(step: Step, upstream: Upstream) -> StepEffect:
    """What it does changed, and yet its result stands, unless something it ran after runs again."""
    if upstream.anew:
        return _reran(upstream, "restart" if step.phase is Phase.RUNNING else "run")
    message = "what it does changed; its result is kept (onChanged: KeepResult)"
    action: EffectAction = "continue" if step.phase is Phase.RUNNING else "keep"
    return StepEffect(action, Reason.KEEP_RESULT, message)


def to_record(found: dict[str, StepEffect]) -> dict[str, StepEffect]:
    """All but what goes without saying: a plain `keep`, and that a new step is new."""
    return {
        name: effect
        for name, effect in found.items()
        if (effect.action, effect.reason) != _PLAIN and effect.reason != Reason.STEP_ADDED
    }


def _row(
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
            return _changed("run")
        if _never_ran(step) and _asks_otherwise(step, definition, seen, workflow.params):
            return StepEffect("run", Reason.TRIED_ANEW, "its `when` changed")
        return _reran(upstream, "run") if upstream.anew else STEP_UNCHANGED
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
        message = f"was {step.phase}; queued again"
        return StepEffect("run", Reason.TRIED_ANEW, message)
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
        return _changed("run")
    by_its_when = step.reason == Reason.WHEN_FALSE
    if upstream.anew:
        if by_its_when:
            return StepEffect("run", Reason.NOT_KNOWN_YET, _ASKED_AGAIN)
        return _reran(upstream, "run")
    if by_its_when:
        return _asked_again(step, definition, seen, workflow.params)
    if _skipped_itself(step) or _is_broken(workflow, definition, seen, upstream):
        return STEP_UNCHANGED
    return StepEffect("run", Reason.TRIED_ANEW, "its dependencies are satisfied now")


def _skipped_itself(step: Step) -> bool:
    """By the exit code of an attempt."""
    return step.reason == Reason.SKIPPED_ITSELF


def _is_judged_again(step: Step, effect: StepEffect) -> bool:
    """It was skipped because of a dependency, which runs again: it may be skipped again."""
    reran = step.phase is Phase.SKIPPED and effect.reason == Reason.DEPENDENCY_RERAN
    return reran and not _skipped_itself(step)


def _asked_again(
    step: Step, definition: Definition, seen: Sight, before: Mapping[str, object]
) -> StepEffect:
    """Its `when` decides at once: all that it reads is there."""
    if not definition.when:
        return StepEffect("run", Reason.TRIED_ANEW, "it has no `when` any more")
    if not _asks_otherwise(step, definition, seen, before):
        return STEP_UNCHANGED
    try:
        answer = ask(seen, definition)
    except Failed as failure:
        return StepEffect("run", Reason.TRIED_ANEW, f"its `when` fails now: {failure}")
    if answer.yes:
        return StepEffect("run", Reason.TRIED_ANEW, "its `when` gives true now")
    return StepEffect("keep", Reason.WHEN_FALSE, answer.sentence)


def _asks_otherwise(
    step: Step, definition: Definition, seen: Sight, before: Mapping[str, object]
) -> bool:
    """Whether the edit changed its `when`, or a param that this reads (its value `before`)."""
    if step.definition.when != definition.when:
        return True
    read = params_read(seen.spec, [definition.when] if definition.when else [])
    return any(not _is_same(seen.params[name], before.get(name)) for name in read)


def _never_ran(step: Step) -> bool:
    """An expression of it failed before its first attempt."""
    return step.reason == Reason.EXPRESSION_FAILED and step.series_from is None


def _is_same(one: object, other: object) -> bool:
    """Also of the same type: 1, 1.0 and true are three values."""
    return json.encode(one) == json.encode(other)


def _is_broken(workflow: Workflow, definition: Definition, seen: Sight, upstream: Upstream) -> bool:
    """Whether the end of a dependency still keeps it from starting."""
    new = definitions(seen.spec)
    for need in definition.requires:
        end: Step | Standing = workflow.steps[need.step]
        if upstream.effects[need.step].reason == Reason.RESULT_KEPT:
            end = workflow.steps[need.step].standing or end
        tolerated = new[need.step].continue_on_failure
        if edge(end.phase, end.reason, tolerated, need.condition) not in (MET, OPEN):
            return True
    return False


def _is_to_be_asked(workflow: Workflow, step: Step, seen: Sight) -> bool:
    """It waits, its dependencies are satisfied, and the edit changed what its `when` asks."""
    if step.series_from is not None or step.phase in TERMINAL:
        return False
    if step.phase is not Phase.READY and step.answer is None:
        return False
    definition = _defined(step, seen)
    if definition is None or not definition.when:
        return False
    return _asks_otherwise(step, definition, seen, workflow.params)


def _defined(step: Step, seen: Sight) -> Definition | None:
    """The step, or the child, as the new generation has it; None if that has it no more."""
    definition = definitions(seen.spec).get(step.parent or step.name)
    if definition is None or step.parent is None:
        return definition
    if definition.for_each is None:
        return None
    return child_definition(definition, step.parent in asks_each(seen.spec))


def _timeouts(workflow: Workflow, seen: Sight) -> Iterator[tuple[str, float]]:
    """The timeouts of what runs, where an expression gives them. One that fails changes none."""
    for name, step in workflow.steps.items():
        definition = _defined(step, seen) if step.live is not None else None
        if step.live is None or definition is None:
            continue
        with suppress(Failed):
            seconds = timeout(seen.of(step), definition)
            if seconds is not None and seconds != step.live.timeout:
                yield name, seconds


def _queued(step: Step, attempt: Attempt, definition: Definition, fingerprint: str) -> StepEffect:
    """As one that waits. Should it have started before it is withdrawn, it is one that runs."""
    if _is_unwanted(attempt):
        tried = StepEffect("run", Reason.TRIED_ANEW, "was being stopped; queued again")
        return tried if attempt.fingerprint == fingerprint else _changed("run")
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
        running = attempt.phase is AttemptPhase.RUNNING and not _is_unwanted(attempt)
        return structs.replace(_changed("restart"), finish=first and running)
    if anew:
        return _reran(upstream, "restart")
    if _is_unwanted(attempt):
        message = "was being stopped; queued again"
        return StepEffect("restart", Reason.TRIED_ANEW, message)
    return _GOES_ON if step.phase is Phase.RUNNING else STEP_UNCHANGED


def _waiting(step: Step, definition: Definition, fingerprint: str) -> StepEffect:
    """Pending or Ready: it takes the new definition, and what it waits for stays."""
    if step.fingerprint != fingerprint:
        return _changed("run" if step.tried else "keep")
    if step.retry_at is not None and step.definition.retry != definition.retry:
        message = "its retry policy changed; it is tried again at once"
        return StepEffect("run", Reason.TRIED_ANEW, message)
    return STEP_UNCHANGED


def _is_unwanted(attempt: Attempt) -> bool:
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


def _changed(action: EffectAction) -> StepEffect:
    return StepEffect(action, Reason.SPEC_CHANGED, "what it does changed")


def _reran(upstream: Upstream, action: EffectAction) -> StepEffect:
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
    is_of_it = kept is None or (attempt is not None and attempt.fingerprint == kept.fingerprint)
    of_attempt = is_of_it or step.leaving is not None  # the spec in force no longer has that one
    before = attempt.inputs if attempt and of_attempt else inputs_of(workflow, step)
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def inputs_of(workflow: Workflow, step: Step) -> dict[str, str]:
    """What its fingerprint is made of, by the spec in force."""
    defined = step if step.parent is None else workflow.steps[step.parent]
    prints = {
        need.step: workflow.steps[need.step].fingerprint for need in defined.definition.requires
    }
    prints[defined.name] = step.fingerprint
    item = None if step.parent is None else Item(step.key, step.item, step.nth)
    return inputs(workflow.spec, defined.name, prints, workflow.params, item)


def _say_what(
    effect: StepEffect, differ: list[str], was: Definition, becomes: Definition
) -> StepEffect:
    if not differ:
        return effect
    own = [key for key in differ if not key.startswith(_DEPENDENCY)]
    if own:
        more = f" and {len(own) - 3} more" if len(own) > 3 else ""
        message = f"{', '.join(own[:3])}{more} changed"
    else:
        message = _dependency_words(differ[0].removeprefix(_DEPENDENCY), was, becomes)
    if effect.action == "keep":
        message += "; not started yet"
    return structs.replace(effect, message=message)


def _say_lacking(effect: StepEffect, step: Step, definition: Definition) -> StepEffect:
    """Its result was to be kept."""
    if definition.on_changed != "KeepResult" or effect.action not in _ANEW:
        return effect
    lacking = _lacking(step, definition)
    if not lacking:
        return effect
    message = f"its result can't be kept: it lacks the output {', '.join(lacking[:3])}"
    return structs.replace(effect, reason=Reason.OUTPUTS_CHANGED, message=message)


def _dependency_words(name: str, was: Definition, becomes: Definition) -> str:
    before, after = (
        next((need.condition for need in one.requires if need.step == name), None)
        for one in (was, becomes)
    )
    if before == after:
        return f'depends on "{name}", which changed'
    if before is None:
        return f'depends on "{name}" now'
    if after is None:
        return f'no longer depends on "{name}"'
    return f'depends on "{name}" with another condition: {after}, no longer {before}'


def in_order(steps: Mapping[str, Definition]) -> Iterator[str]:
    """Dependencies before dependents."""
    graph = {name: [need.step for need in step.requires] for name, step in steps.items()}
    return iter(TopologicalSorter(graph).static_order())
