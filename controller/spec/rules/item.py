"""Rules for `forEach`: literal lists and matrices that can be expanded, and keys that tell apart.

What an expression gives is known only when the step is expanded; `items` judges it then.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from msgspec import UNSET, UnsetType

from controller.spec.expression import OPEN, Malformed, Unusable, codes, items_read
from controller.spec.items import CHILDREN_MAX, too_many
from controller.spec.models import Items, Matrix, Spec, Step, given
from controller.spec.path_fault import Path, PathFault, did_you_mean, steps_of
from controller.spec.values import RESERVED_NAMES, VALUE_NAME_HINT, is_name, mismatch

_AS_A_LIST = "write one expression that gives the whole list"
_AS_A_ROW = "write the value itself"


def for_each(spec: Spec) -> Iterator[PathFault]:
    for path, step in steps_of(spec):
        at = (*path, "forEach")
        if isinstance(step.for_each, UnsetType):
            yield from _without_items(path, step)
        elif isinstance(step.for_each, Matrix):
            yield from _matrix(at, step.for_each)
        else:
            yield from _items(at, step.for_each)


def keys(spec: Spec) -> Iterator[PathFault]:
    """A key differs from item to item."""
    for path, step in steps_of(spec):
        if isinstance(step.key, UnsetType) or step.for_each is UNSET:
            continue
        try:
            read = items_read(spec, [code.text for code in codes(step.key)])
        except (Malformed, Unusable):
            continue  # that has a fault already
        if not read:
            name = step.key.strip()
            hint = f"write ${{{{ item.{name} }}}}" if is_name(name) else "let it read item"
            problem = "the key is the same for all items"
            yield PathFault(path=(*path, "key"), problem=problem, hint=hint)


def _without_items(path: Path, step: Step) -> Iterator[PathFault]:
    for field, value, hint in (
        ("key", step.key, "remove it, or write forEach"),
        ("parallelism", step.parallelism, "write forEach, or parallelism under spec"),
    ):
        if value is not UNSET:
            problem = f"{field} needs forEach"
            yield PathFault(path=(*path, field), problem=problem, hint=hint, key=True)


def _items(path: Path, items: Items) -> Iterator[PathFault]:
    if isinstance(items, str):
        return
    if len(items) > CHILDREN_MAX:
        yield PathFault(path=path, problem=f"has {too_many(len(items), 'items')}")
    elif problem := mismatch(items, "array"):
        yield PathFault(path=path, problem=problem)
    else:
        yield from expressions_in(path, items, _AS_A_LIST)


def _matrix(path: Path, written: Matrix) -> Iterator[PathFault]:
    lists = written.matrix
    at = (*path, "matrix")
    if not lists:
        hint = "write matrix: {NAME: [one, another]}"
        yield PathFault(path=at, problem="the matrix has no lists", hint=hint)
    for name, items in lists.items():
        yield from _list((*at, name), name, items)
    sizes = [len(items) for items in lists.values() if isinstance(items, list)]
    if len(sizes) == len(lists) and max(sizes, default=0) <= CHILDREN_MAX < prod(sizes):
        yield PathFault(path=at, problem=f"has {too_many(prod(sizes), 'combinations')}")
    for index, row in enumerate(given(written.exclude, [])):
        yield from _excluded((*path, "exclude", index), row, lists)
    include = given(written.include, [])
    if len(include) > CHILDREN_MAX:
        yield PathFault(path=(*path, "include"), problem=f"has {too_many(len(include), 'rows')}")
        return
    for index, row in enumerate(include):
        yield from _included((*path, "include", index), row, lists)


def _list(path: Path, name: str, items: Items) -> Iterator[PathFault]:
    if name in RESERVED_NAMES:
        problem = f'a list can\'t be named "{name}"'
        yield PathFault(path=path, problem=problem, hint=VALUE_NAME_HINT, key=True)
    if items == []:
        yield PathFault(path=path, problem="the list is empty")
    yield from _items(path, items)


def _excluded(path: Path, row: dict[str, Any], lists: dict[str, Items]) -> Iterator[PathFault]:
    if not row:
        yield PathFault(path=path, problem="the row is empty, so it would leave out everything")
    for name in row:
        if name not in lists:
            hint = did_you_mean(name, lists) or f"the lists are {', '.join(lists)}"
            problem = f'the matrix has no list "{name}"'
            yield PathFault(path=(*path, name), problem=problem, hint=hint, key=True)
    yield from _row(path, row)


def _included(path: Path, row: dict[str, Any], lists: dict[str, Items]) -> Iterator[PathFault]:
    for name in lists:
        if name not in row:
            hint = "a row has a value for each list of the matrix"
            yield PathFault(path=path, problem=f'the row has no "{name}"', hint=hint)
    yield from _row(path, row)


def _row(path: Path, row: dict[str, Any]) -> Iterator[PathFault]:
    if problem := mismatch(row, "object"):
        yield PathFault(path=path, problem=problem)
    else:
        yield from expressions_in(path, row, _AS_A_ROW)


def expressions_in(path: Path, value: object, hint: str) -> Iterator[PathFault]:
    """Each one in literal values, whose depth is bounded."""
    if isinstance(value, str):
        if OPEN in value:
            problem = "an expression can't be used here"
            yield PathFault(path=path, problem=problem, hint=hint, at=value.find(OPEN))
    elif isinstance(value, list | dict):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from expressions_in((*path, key), inner, hint)


ITEM_RULES: tuple[Callable[[Spec], Iterator[PathFault]], ...] = (for_each, keys)
