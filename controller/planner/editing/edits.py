"""The table of edits: what a new generation does to a workflow, all of its steps.

`rows` has the rows of one step, `judgement` goes through all of them. The accepted generation
records what `judge` returns; `diff` plays the same generation beforehand.
Cost: O(steps + dependencies), once an edit.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from controller.model.apply.defaults import defaults_above
from controller.model.events import Child, GenerationAccepted, GenerationFollowed, StepEffect
from controller.model.phases import Phase, Reason
from controller.model.scope import Scope
from controller.model.state import State, Workflow
from controller.planner.actions import Accept, notes_of
from controller.planner.editing.judgement import Judgement
from controller.planner.editing.rows import has_result, is_unwanted, lacking_outputs
from controller.planner.resolve import sight, timeout
from controller.spec.definition import asking_each, definitions, reads
from controller.spec.expression import Failed
from controller.spec.fingerprint import fingerprints
from controller.spec.linked import below, called
from controller.spec.models import Spec
from controller.spec.params import values
from controller.spec.template import definition_named
from controller.spec.triggers.trigger import is_definition

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
    params: dict[str, dict[str, Any]] = {}
    each: list[str] = []


def judge(state: State, workflow: Workflow, spec: Spec) -> Edit:
    """What `spec` does to the workflow as it is now.

    A step that is to keep its result can't if something it ran after runs again; then those that
    depend on it are compared by what it really does. So the kept ones are found by leaving out, in
    at most as many rounds as there are of them.
    """
    seen = sight(state, workflow)
    seen = seen._replace(spec=spec, params=values(spec, workflow.given))
    kept = dict(_keepers(workflow, spec))
    while True:
        found = Judgement(workflow, spec, kept)
        scope = Scope(spec, seen.params)
        prints = fingerprints(spec, seen.params, kept=scope.local(kept))
        found.judge(scope, seen, prints, [])
        lost = [name for name in kept if not found.stands(name)]
        if not lost:
            steps = workflow.steps.values()
            return Edit(
                fingerprints={name: prints[name] for name in definitions(spec)},
                kept={
                    name: fingerprint
                    for name, fingerprint in kept.items()
                    if fingerprint != found.prints[name]
                },
                effects=found.in_order_of_spec(definitions(spec)),
                ask=[step.name for step in steps if found.is_to_be_asked(step)],
                timeouts=dict(_timeouts(workflow, found)),
                expansions=found.expansions,
                params=found.params,
                each=found.each,
            )
        for name in lost:
            del kept[name]


def complete(state: State, action: Accept, uid: str) -> GenerationAccepted:
    """The event, with what the table of edits says of each step. `uid`: of the life."""
    document, before = action.document, state.lives.get(uid)
    origin = action.origin if before is None else before.origin
    spec = below(document.spec, defaults_above(state, origin, action.path, document.spec))
    given = action.params if before is None else before.given
    if is_definition(spec):
        edit, generation = Edit({}), 1 if before is None else before.latest + 1
    elif before is None:
        edit, generation = Edit(fingerprints(spec, values(spec, given))), 1
    else:
        edit = judge(state, before, spec)
        generation = before.latest if action.waited else before.latest + 1
    labels, annotations = notes_of(document.metadata)
    return GenerationAccepted(
        uid=uid,
        workflow=document.metadata.name,
        generation=generation,
        spec=spec if origin == "run" else below(spec, ()),
        path=action.path,
        labels=labels,
        annotations=annotations,
        origin=action.origin,
        by=action.by,
        warnings=list(action.warnings),
        request=action.request,
        params=given,
        **_recorded(edit, spec),
    )


def follow(state: State, instance: Workflow) -> GenerationFollowed:
    """The event by which an instance gets the newest generation of its definition."""
    assert instance.birth is not None
    definition = state.lives[instance.birth.definition]
    return GenerationFollowed(
        uid=instance.uid,
        generation=definition.generation,
        **_recorded(judge(state, instance, definition.spec), definition.spec),
    )


def _recorded(edit: Edit, spec: Spec) -> dict[str, Any]:
    """The fields that tell what `edit` does; both kinds of events have them."""
    return {
        "fingerprints": edit.fingerprints,
        "effects": to_record(edit.effects),
        "kept": edit.kept,
        "timeouts": edit.timeouts,
        "ask": edit.ask,
        "reads": dict(reads(spec)),
        "expansions": edit.expansions,
        "template_params": edit.params,
        "ask_each": sorted([*edit.each, *asking_each(spec)]),
    }


def _keepers(workflow: Workflow, spec: Spec) -> Iterator[tuple[str, str]]:
    """Steps whose result, or what runs, is to be kept, and the fingerprint it was made under.

    A child of a list is judged by itself: no step depends on it alone.
    """
    if not _anybody_keeps(spec):
        return
    for step in workflow.steps.values():
        definition = None if step.is_of_list else definition_named(spec, step.name)
        if definition is None or definition.on_changed != "KeepResult":
            continue
        if step.is_parent != definition.is_parent:
            continue  # outputs of children are lists
        made = [workflow.steps[child] for child in step.children] if step.expanded else [step]
        if any(lacking_outputs(maker, definition) for maker in made):
            continue
        if has_result(step, definition) and step.standing is not None:
            yield step.name, step.standing.fingerprint
        elif step.phase is Phase.RUNNING and step.attempt and not is_unwanted(step.attempt):
            yield step.name, step.attempt.fingerprint


def _anybody_keeps(spec: Spec) -> bool:
    steps = [spec.steps, *(template.spec.steps for template in called(spec).values())]
    return any(step.on_changed == "KeepResult" for some in steps for step in some)


def to_record(found: dict[str, StepEffect]) -> dict[str, StepEffect]:
    """All but what goes without saying: a plain `keep`, and that a new step is new."""
    return {
        name: effect
        for name, effect in found.items()
        if (effect.action, effect.reason) != _PLAIN and effect.reason != Reason.STEP_ADDED
    }


def _timeouts(workflow: Workflow, found: Judgement) -> Iterator[tuple[str, float]]:
    """The timeouts of what runs, where an expression gives them. One that fails changes none."""
    for name, step in workflow.steps.items():
        if step.live is None or name not in found.seen:
            continue
        definition, seen = found.seen[name]
        with suppress(Failed):
            seconds = timeout(seen, definition)
            if seconds is not None and seconds != step.live.timeout:
                yield name, seconds
