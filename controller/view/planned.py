"""Steps as they will be: of a spec that has not run, and of templates that have not begun.

A step that calls a template has the steps of that below it. What `forEach` makes is known when the
step starts, so nothing is below it before. Cost: O(steps).
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from controller.model.children import full_name
from controller.model.phases import TERMINAL, Phase
from controller.model.state import Step, Workflow
from controller.spec.definition import Definition, definitions
from controller.spec.linked import Linked
from controller.spec.template import template_definitions


def planned(spec: Linked) -> dict[str, Step]:
    """All steps of the spec by their full names, those below others last."""
    steps = {
        name: Step(name=name, index=index, definition=definition, fingerprint="")
        for index, (name, definition) in enumerate(definitions(spec).items())
    }
    return _completed(spec, steps)


def with_planned(workflow: Workflow) -> dict[str, Step]:
    """All steps, and those that templates will make when they begin."""
    return _completed(workflow.spec, workflow.steps)


def _completed(spec: Linked, steps: Mapping[str, Step]) -> dict[str, Step]:
    whole = dict(steps)
    for step in steps.values():
        if below := list(_below(spec, step)):
            children = [child.name for child in below if child.parent == step.name]
            whole[step.name] = replace(step, children=children)
            whole |= {child.name: child for child in below}
    return whole


def _below(spec: Linked, parent: Step) -> Iterator[Step]:
    """The steps of its template, if it has not begun: they share how it ended, if it has."""
    if parent.children:
        return
    for nth, (key, definition) in enumerate(_inside(spec, parent.definition).items()):
        child = Step(
            name=full_name(parent, key),
            index=parent.index,
            definition=definition,
            fingerprint="",
            parent=parent.name,
            piece=parent.name,
            key=key,
            nth=nth,
            phase=parent.phase if parent.phase in TERMINAL else Phase.PENDING,
        )
        below = list(_below(spec, child))
        yield replace(child, children=[one.name for one in below if one.parent == child.name])
        yield from below


def _inside(spec: Linked, definition: Definition) -> Mapping[str, Definition]:
    if definition.template is None or definition.for_each is not None:
        return {}
    return template_definitions(spec, definition)
