"""The params of a spec: their types, the values that they have, and what may not be given."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import UNSET, UnsetType

from controller.spec.models import Param, ParamValue, Spec
from controller.spec.values import ParamType, found, mismatch, normal, type_of

NOTHING: Mapping[str, Any] = MappingProxyType({})


def declared(spec: Spec) -> Mapping[str, Param | ParamValue]:
    """The params as they are written."""
    return NOTHING if isinstance(spec.params, UnsetType) else spec.params


def values(spec: Spec, given: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """The value of each param: the given one, else the default. One without either is missing."""
    return {
        name: normal(value, type_of_param(param))
        for name, param in declared(spec).items()
        if not isinstance(value := given.get(name, default(param)), UnsetType)
    }


def required(spec: Spec) -> list[str]:
    """The params that have no default."""
    return [name for name, param in declared(spec).items() if default(param) is UNSET]


def default(param: Param | ParamValue) -> Any:
    """The value if none is given; UNSET for a param that must be given."""
    return param.default if isinstance(param, Param) else param


def type_of_param(param: Param | ParamValue) -> ParamType:
    """The declared type, else that of the default, else that of the first value of the enum."""
    if not isinstance(param, Param):
        return type_of(param) or "string"
    if not isinstance(param.type, UnsetType):
        return param.type
    if param.default is not UNSET:
        return type_of(param.default) or "string"
    return (None if isinstance(param.enum, UnsetType) else type_of(param.enum[0])) or "string"


def allowed(param: Param | ParamValue) -> list[Any] | None:
    """The only values that it can have; None: all of its type."""
    return (
        param.enum if isinstance(param, Param) and not isinstance(param.enum, UnsetType) else None
    )


def misfit(param: Param | ParamValue, value: object) -> str:
    """Why the param can't have this value, in words for people; or nothing."""
    kind, only = type_of_param(param), allowed(param)
    if problem := mismatch(value, kind):
        return problem
    if only is not None and normal(value, kind) not in [normal(option, kind) for option in only]:
        shown = [found(option).removeprefix("the number ") for option in (value, *only)]
        return f"{shown[0]} is not one of {', '.join(shown[1:])}"
    return ""


def misfits(spec: Spec, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What keeps these values from being given to this spec: names of params, with a problem."""
    known = declared(spec)
    for name, value in given.items():
        if name not in known:
            yield name, "there is no such param"
        elif problem := misfit(known[name], value):
            yield name, problem
    for name in required(spec):
        if name not in given:
            yield name, "it has no default, so it needs a value"
