"""A spec together with the templates that it calls: what is in force, and what the log carries.

What is in force also has the Defaults above it. In the log these have events of their own.

A template that is called is read as a spec of its own, its `Body`: its steps and params, with what
holds for all steps of the caller. So all that is known of the steps of a spec, definitions,
fingerprints, expressions, holds for those of a template too.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import UNSET, Struct, UnsetType, structs

from controller.spec.models import DefaultsSpec, Engines, Spec, TemplateSpec, Workflow


class Called(Struct, frozen=True, omit_defaults=True):
    """A template that a spec calls. `home`: its folder, seen from that of the caller's file."""

    spec: TemplateSpec
    home: str = "."


class Above(Struct, frozen=True, omit_defaults=True):
    """Defaults of a folder above a spec. `home`: that folder, seen from that of the spec's file.

    `path`: of the file that has them, in the specs folder.
    """

    spec: DefaultsSpec
    path: str
    home: str = "."


class Linked(Spec, frozen=True):
    """A spec with the templates that its steps call, by their names.

    `above`: the Defaults that hold for it, the nearest first. `engines`: what they say of engines,
    once they have been merged (`effective`).
    """

    templates: dict[str, Called] = {}
    above: tuple[Above, ...] = ()
    engines: Engines | UnsetType = UNSET


class LinkedWorkflow(Workflow, frozen=True):
    """A document whose templates have been found."""

    spec: Linked


class Body(Spec, frozen=True):
    """A template as the spec of its steps: alone, or for the spec that calls it.

    `outputs`: the texts of what it hands on. Paths in its steps are seen from `home`, the others
    from the folder of the caller's file.
    """

    caller: Spec | None = None
    outputs: dict[str, str] = {}
    home: str = "."
    engines: Engines | UnsetType = UNSET


def body_alone(template: TemplateSpec) -> Body:
    """A template as the spec of its steps, without a caller."""
    outputs = {} if isinstance(template.outputs, UnsetType) else template.outputs
    return Body(steps=template.steps, params=template.params, outputs=outputs)


_NONE: Mapping[str, Called] = MappingProxyType({})


def called(spec: Spec) -> Mapping[str, Called]:
    """The templates that the spec calls, by name; none before they have been found."""
    return spec.templates if isinstance(spec, Linked) else _NONE


def joined(workflow: Workflow, templates: Mapping[str, Called] = _NONE) -> LinkedWorkflow:
    """The document with these templates."""
    spec = Linked(**{**structs.asdict(workflow.spec), "templates": dict(templates)})
    return LinkedWorkflow(**{**structs.asdict(workflow), "spec": spec})


def written(spec: Spec) -> Spec:
    """The spec as its file has it."""
    if isinstance(spec, Linked) and (spec.templates or spec.above):
        return structs.replace(spec, templates={}, above=())
    return spec


def above(spec: Spec) -> tuple[Above, ...]:
    """The Defaults that hold for the spec, the nearest first; none before it is in force."""
    return spec.above if isinstance(spec, Linked) else ()


def below(spec: Linked, defaults: tuple[Above, ...]) -> Linked:
    """The spec with these Defaults above it."""
    return spec if spec.above == defaults else structs.replace(spec, above=defaults)


def homes_of(spec: Spec) -> dict[str, str]:
    """The folder of each template that the spec calls, by name."""
    return {name: template.home for name, template in called(spec).items()}


def with_homes(spec: Linked, homes: Mapping[str, str]) -> Linked:
    """The spec whose templates have moved to these folders."""
    moved = {
        name: structs.replace(template, home=homes.get(name, template.home))
        for name, template in spec.templates.items()
    }
    return structs.replace(spec, templates=moved)
