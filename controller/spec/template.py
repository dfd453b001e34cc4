"""What the children of a step do: those of a list, and those of a template.

What a caller says for all of its steps holds for those of a template. Its expressions read the
params of the caller, not those of the template, so each gets a mark (`expression.OF_CALLER`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from msgspec import UNSET, UnsetType, structs

from controller.spec.definition import Definition, definitions
from controller.spec.effective import effective
from controller.spec.expression import marked_as_callers
from controller.spec.identity import Identity
from controller.spec.items import key_in, parent_name
from controller.spec.linked import Body, Linked, body_alone, called
from controller.spec.models import (
    Defaults,
    EnvValue,
    Executor,
    Reference,
    Spec,
    Use,
    Uses,
)
from controller.spec.models import Placement as Written

T = TypeVar("T")

_BODIES_MAX = 64


def body(spec: Spec, name: str) -> Body:
    """The template as the spec of its steps, for this caller."""
    return _body(Identity(spec), name)


def child_definition(definition: Definition, ask_each: bool) -> Definition:
    """What the child of a step with `forEach` does. It has no dependencies of its own."""
    when = definition.when if ask_each else ""
    return structs.replace(definition, for_each=None, requires=(), when=when)


def template_definitions(spec: Spec, caller: Definition) -> Mapping[str, Definition]:
    """What the steps of the template do that this step of `spec` calls, by name there."""
    assert caller.template is not None
    return definitions(body(spec, caller.template.name))


def definition_named(spec: Spec, name: str) -> Definition | None:
    """What the step with this full name does by `spec`; None if it can't have such a step."""
    above = parent_name(name)
    if not above:
        return definitions(spec).get(name)
    parent = definition_named(spec, above)
    if parent is None or (parent.for_each is not None) != name.endswith("]"):
        return None
    if parent.for_each is not None:
        return child_definition(parent, ask_each=False)
    return None if parent.template is None else template_definitions(spec, parent).get(key_in(name))


@lru_cache(_BODIES_MAX)
def _body(of: Identity, name: str) -> Body:
    spec, template = effective(of.spec), called(of.spec)[name]
    return structs.replace(
        body_alone(template.spec),
        env=_environment(spec.env),
        env_from=spec.env_from,
        inherit_env=spec.inherit_env,
        working_dir=_text(spec.working_dir),
        shell=spec.shell,
        defaults=_defaults(spec.defaults),
        executor=_executor(spec.executor),
        engines=spec.engines if isinstance(spec, Linked | Body) else UNSET,
        caller=of.spec,
        home=template.home,
    )


def _environment(env: dict[str, EnvValue] | UnsetType) -> dict[str, EnvValue] | UnsetType:
    if isinstance(env, UnsetType):
        return env
    return {name: _variable(value) for name, value in env.items()}


def _variable(value: EnvValue) -> EnvValue:
    if isinstance(value, Reference):
        return structs.replace(value, as_file=_text(value.as_file))
    return _text(value)


def _defaults(defaults: Defaults | UnsetType) -> Defaults | UnsetType:
    if isinstance(defaults, UnsetType):
        return UNSET
    return structs.replace(
        defaults, timeout_seconds=_text(defaults.timeout_seconds), uses=_uses(defaults.uses)
    )


def _executor(executor: Written) -> Written:
    """Only the name of an image can hold expressions."""
    if not isinstance(executor, Executor) or isinstance(executor.container, UnsetType):
        return executor
    container = structs.replace(executor.container, image=_text(executor.container.image))
    return structs.replace(executor, container=container)


def _uses(written: Uses) -> Uses:
    if isinstance(written, UnsetType):
        return written
    return [
        structs.replace(use, lock=_text(use.lock)) if isinstance(use, Use) else use
        for use in written
    ]


def _text(value: T) -> T:
    return marked_as_callers(value) if isinstance(value, str) else value  # type: ignore[return-value]
