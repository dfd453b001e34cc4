"""The table of edits: what a new generation does to a workflow, all of its steps.

`rows` has the rows of one step, `fans` those of a step with children. The accepted generation
records what `effects` returns; `diff` plays the same generation beforehand.
Cost: O(steps + dependencies), once an edit.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from graphlib import TopologicalSorter
from typing import NamedTuple

from controller.model.children import child_definition
from controller.model.events import (
    STEP_ADDED,
    STEP_UNCHANGED,
    Child,
    GenerationAccepted,
    StepEffect,
)
from controller.model.indexes import run_to_be
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import State, Step, Workflow
from controller.planner.actions import Accept, notes_of
from controller.planner.fans import fan_row
from controller.planner.resolve import Sight, sight, timeout
from controller.planner.rows import (
    ANEW,
    ASKED_AGAIN,
    Upstream,
    asks_otherwise,
    has_result,
    is_judged_again,
    is_unwanted,
    kept_row,
    lacking_outputs,
    removed_row,
    row,
    say_why,
)
from controller.spec.definition import (
    Definition,
    asks_each,
    definitions,
    reads,
)
from controller.spec.expression import Failed
from controller.spec.fingerprint import fingerprints, inputs
from controller.spec.items import child_name
from controller.spec.models import Spec
from controller.spec.params import values

_PLAIN = ("keep", Reason.UNCHANGED)


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
        found, expansions = effects(workflow, seen, prints, kept)
        lost = [name for name in kept if found[name].action in ANEW]
        if not lost:
            differ = {name: one for name, one in kept.items() if one != prints[name]}
            at = dict(_items(seen, expansions))
            ask = [
                name
                for name, step in workflow.steps.items()
                if _is_to_be_asked(workflow, step, at.get(name, seen.of(step)))
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
        ask_each=sorted(
            name
            for name, step in definitions(document.spec).items()
            if asks_each(document.spec, step)
        ),
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
        if any(lacking_outputs(one, definition) for one in made):
            continue
        if has_result(step, definition) and step.standing is not None:
            yield name, step.standing.fingerprint
        elif step.phase is Phase.RUNNING and step.attempt and not is_unwanted(step.attempt):
            yield name, step.attempt.fingerprint


def effects(
    workflow: Workflow,
    seen: Sight,
    fingerprints: dict[str, str],
    kept: Mapping[str, str],
) -> tuple[dict[str, StepEffect], dict[str, list[Child]]]:
    """By step name, steps that go included: a row of the table for each.

    And the children of what stays expanded. `kept` has what dependents see of those that are kept.
    """
    new, read = definitions(seen.spec), reads(seen.spec)
    expansions: dict[str, list[Child]] = {}
    made_of = {**fingerprints, **kept}
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
            found[name] = row(workflow, step, new[name], seen, fingerprints[name], upstream)
            if is_judged_again(step, found[name]):
                judged.add(name)
        else:
            fan = fan_row(workflow, step, seen, fingerprints[name], made_of, upstream)
            found[name], of_children[name] = fan.effect, fan.children
            may_keep = may_keep and fan.is_same_list
            if fan.expansion is not None:
                expansions[name] = fan.expansion
        if may_keep and found[name].reason == Reason.SPEC_CHANGED:
            found[name] = kept_row(step, upstream)
        if found[name] == STEP_UNCHANGED and _is_to_be_asked(workflow, step, seen):
            found[name] = StepEffect("keep", Reason.NOT_KNOWN_YET, ASKED_AGAIN)
        if found[name].reason == Reason.SPEC_CHANGED:
            after = inputs(seen.spec, name, made_of, seen.params)
            found[name] = say_why(workflow, step, found[name], after, new[name])
    ordered: dict[str, StepEffect] = {}
    for name in new:
        ordered[name] = found[name]
        ordered |= of_children.get(name, {})
    gone = [step for name, step in workflow.steps.items() if name not in ordered]
    ordered |= {step.name: removed_row(step) for step in gone if not step.leaving}
    return ordered, expansions


def to_record(found: dict[str, StepEffect]) -> dict[str, StepEffect]:
    """All but what goes without saying: a plain `keep`, and that a new step is new."""
    return {
        name: effect
        for name, effect in found.items()
        if (effect.action, effect.reason) != _PLAIN and effect.reason != Reason.STEP_ADDED
    }


def _items(seen: Sight, expansions: Mapping[str, list[Child]]) -> Iterator[tuple[str, Sight]]:
    """What the expressions of a child see, if its `when` is asked for each."""
    for name, children in expansions.items():
        if asks_each(seen.spec, definitions(seen.spec)[name]):
            for nth, child in enumerate(children):
                yield child_name(name, child.key), seen._replace(item=child.item, nth=nth)


def _is_to_be_asked(workflow: Workflow, step: Step, seen: Sight) -> bool:
    """It waits, its dependencies are satisfied, and the edit changed what its `when` asks."""
    if step.series_from is not None or step.phase in TERMINAL or step.expanded:
        return False
    if step.phase is not Phase.READY and step.answer is None:
        return False
    definition = _defined(step, seen)
    if definition is None or not definition.when:
        return False
    return asks_otherwise(workflow, step, definition, seen)


def _defined(step: Step, seen: Sight) -> Definition | None:
    """The step, or the child, as the new generation has it; None if that has it no more."""
    definition = definitions(seen.spec).get(step.parent or step.name)
    if definition is None or step.parent is None:
        return definition
    if definition.for_each is None:
        return None
    return child_definition(definition, asks_each(seen.spec, definition))


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


def in_order(steps: Mapping[str, Definition]) -> Iterator[str]:
    """Dependencies before dependents."""
    graph = {name: [need.step for need in step.requires] for name, step in steps.items()}
    return iter(TopologicalSorter(graph).static_order())
