"""Rules for the values of params: what a step gives to a template, or a trigger to a workflow.

What an expression gives is known only later, but often its type is known before.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from controller.spec.expression import (
    Code,
    Malformed,
    Scope,
    Unusable,
    codes,
    fill,
    program,
    whole,
)
from controller.spec.models import Param, ParamValue, Spec
from controller.spec.params import misfit, type_of_param
from controller.spec.path_fault import QUOTE_IT, Path, PathFault
from controller.spec.rules.item import expressions_in
from controller.spec.values import EXPECTED, ParamType, mismatch, parse, type_of

_NAMED_MAX = 8  # names in a hint
_AS_A_VALUE = "write one expression that gives the whole value, like ${{ [params.a, params.b] }}"
# The types of expressions that a param of each type takes.
_GIVEN_BY: dict[ParamType, tuple[str, ...]] = {
    "string": ("string", "dyn"),
    "integer": ("int", "dyn"),
    "number": ("double", "int", "dyn"),
    "boolean": ("bool", "dyn"),
    "array": ("list", "dyn"),
    "object": ("map", "dyn"),
}


def impossible(path: Path, value: object) -> Iterator[PathFault]:
    """Why no param can have what is written here."""
    kind = type_of(value)
    if kind is None:
        problem, hint = "expected a value, found nothing", "give it a value, or remove it"
        yield PathFault(path=path, problem=problem, hint=hint)
    elif problem := mismatch(value, kind):
        yield PathFault(path=path, problem=problem)
    elif kind in ("array", "object"):
        yield from expressions_in(path, value, _AS_A_VALUE)


def misfitting(
    spec: Spec, path: Path, value: Any, param: Param | ParamValue, scope: Scope = "any"
) -> Iterator[PathFault]:
    """Why this param can't have the value, as far as that can be known before there is one.

    `scope`: that of its expressions. They are expressions of `spec`, which may not have the param.
    """
    kind = type_of_param(param)
    try:
        found = list(codes(value)) if isinstance(value, str) else []
        alone = whole(value) is not None if found else False
    except Malformed:
        return  # another rule reports it
    if not found:
        literal = fill(value, {}) if isinstance(value, str) else value
        if problem := misfit(param, literal):
            yield PathFault(path=path, problem=problem, hint=_hint(value, kind))
    elif alone:
        yield from _expression(spec, path, found[0], kind, scope)
    elif kind != "string":
        problem = f"expected {EXPECTED[kind]}; with other text, an expression gives text"
        yield PathFault(path=path, problem=problem, hint="write one expression and nothing else")


def listed(words: str, names: Collection[str]) -> str:
    """A hint with these names, if they are not too many."""
    return f"{words} {', '.join(sorted(names))}" if 0 < len(names) <= _NAMED_MAX else ""


def _expression(
    spec: Spec, path: Path, code: Code, kind: ParamType, scope: Scope
) -> Iterator[PathFault]:
    try:
        gives = program(spec, code.text, scope).type
    except Unusable:
        return  # another rule reports it
    if gives.kind not in (*_GIVEN_BY[kind], "null"):  # null has a fault of its own
        problem = f"expected an expression that gives {EXPECTED[kind]}; this one gives {gives}"
        yield PathFault(path=path, problem=problem, at=code.at)


def _hint(value: object, kind: ParamType) -> str:
    if kind == "string" and isinstance(value, bool | int | float):
        return QUOTE_IT
    if isinstance(value, str) and kind in ("integer", "number", "boolean"):
        with suppress(ValueError):
            parse(value, kind)
            return "write it without quotes"
    return ""
