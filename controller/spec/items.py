"""What a step with `forEach` runs for: its items, each with a key that stays through edits.

The key names the child, so a child is the same one as long as an edit leaves its key: the text of
`key`, else the item itself if it can be a name, else a hash of it. Equal keys are numbered in the
order of the list. Cost: some 5 µs an item.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

import msgspec

from controller.spec.definition import ForEach
from controller.spec.expression import Failed
from controller.spec.values import found

CHILDREN_MAX = 10_000
NAME_MAX = 200  # characters of the full name of a step

_KEY = r"[A-Za-z0-9._-]{1,40}"
_STEP = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\[[A-Za-z0-9._-]{1,40}(#\d+)?\])?"
_HASH_LENGTH = 12

Row = dict[str, Any]


class Item(NamedTuple):
    """One of a list: its key there, its value, and its place, which begins with 0."""

    key: str
    value: Any
    index: int  # type: ignore[assignment]  # it hides the method of tuples, which nothing needs


def expand(
    for_each: ForEach,
    evaluate: Callable[[str], Any],
    key_of: Callable[[Any, int], str],
) -> list[Item]:
    """The items, in order. Raises Failed if it is no list, or too long.

    `evaluate` gives what an expression of the list gives; `key_of` the text of `key` for the value
    and index of an item, and is asked only where `key` is written.
    """
    if for_each.matrix:
        values = _rows(for_each, evaluate)
    else:
        values = _list("forEach", for_each.items, evaluate)
    if len(values) > CHILDREN_MAX:
        raise Failed(f"forEach has {too_many(len(values), 'items')}")
    texts: Iterable[str]
    if for_each.key:
        texts = [_usable(key_of(value, index)) for index, value in enumerate(values)]
    else:
        texts = map(_row_key if for_each.matrix else _key, values)
    keys = _numbered(texts)
    return [
        Item(key, value, index) for index, (key, value) in enumerate(zip(keys, values, strict=True))
    ]


def child_name(parent: str, key: str) -> str:
    """The full name of a child. Raises Failed if it is too long."""
    return _possible(f"{parent}[{key}]", f"the name {parent}[…] of an item")


def inner_name(parent: str, step: str) -> str:
    """The full name of a step of the template that `parent` calls."""
    return f"{parent}/{step}"


def check_inner_name(parent: str, step: str) -> None:
    """Raises Failed if the full name of a step of a template is too long."""
    _possible(inner_name(parent, step), f"the name …/{step}")


def _possible(name: str, what: str) -> str:
    if len(name) > NAME_MAX:
        raise Failed(f"{what} would have {len(name)} characters; {NAME_MAX} are possible")
    return name


def is_full_name(text: str) -> bool:
    """Whether a step, or a child of one, can have this name."""
    return len(text) <= NAME_MAX and re.fullmatch(f"{_STEP}(/{_STEP})?", text) is not None


def parent_name(child: str) -> str:
    """The step whose child has this full name; "" if it is no child's."""
    return child.rpartition("[" if child.endswith("]") else "/")[0]


def top_name(name: str) -> str:
    """The name of the step of the spec that it is, or that it is below."""
    return name.partition("/")[0].partition("[")[0]


def names_above(child: str) -> Iterator[str]:
    """The full names of the steps that it is below, from its parent on."""
    while child := parent_name(child):
        yield child


def key_in(child: str) -> str:
    """The key in the full name of a child; its name in the template, if it is from one."""
    return child[len(parent_name(child)) + 1 :].removesuffix("]")


def canonical(value: object) -> bytes:
    """The JSON of a value in one form: the order of keys, which has no meaning, does not show."""
    return msgspec.json.encode(value, order="deterministic")


def too_many(count: int, of: str) -> str:
    """`10,001 items; at most 10,000 are possible`."""
    return f"{count:,} {of}; at most {CHILDREN_MAX:,} are possible"


def number_of(count: int, of_list: bool) -> str:
    """`1 child`, `3 children`; of a template `3 steps`."""
    one, many = ("child", "children") if of_list else ("step", "steps")
    return f"{count:,} {one if count == 1 else many}"


# ---------------------------------------- values


def _list(place: str, items: list[Any] | str, evaluate: Callable[[str], Any]) -> list[Any]:
    given = evaluate(items) if isinstance(items, str) else items
    if not isinstance(given, list):
        shown = "null" if given is None else found(given)
        raise Failed(f"{place}: expected a list, found {shown}")
    return given


def _rows(for_each: ForEach, evaluate: Callable[[str], Any]) -> list[Row]:
    """The rows of a matrix: those of the product that no `exclude` matches, then `include`."""
    lists = {
        name: _list(f"matrix.{name}", items, evaluate) for name, items in for_each.matrix.items()
    }
    if (count := prod(map(len, lists.values()))) > CHILDREN_MAX:
        raise Failed(f"the matrix has {too_many(count, 'combinations')}")
    rows = (dict(zip(lists, row, strict=True)) for row in product(*lists.values()))
    kept = list(_without(rows, lists, for_each.exclude))
    there = {canonical(row) for row in kept} if for_each.include else set()
    for row in for_each.include:
        if (text := canonical(row)) not in there:
            there.add(text)
            # The names of the matrix come first, whatever the order in which a row has them.
            kept.append({**{name: row[name] for name in lists if name in row}, **row})
    return kept


def _without(rows: Iterable[Row], names: Iterable[str], exclude: Sequence[Row]) -> Iterator[Row]:
    """The rows that no row of `exclude` matches.

    A set of rows of `exclude` is kept as the bits of a number, so that many of them cost little.
    """
    unnamed = dict.fromkeys(names, 0)  # those that a list has no part in
    having: dict[tuple[str, bytes], int] = {}  # those with this value of this list
    every = 0
    for index, excluded in enumerate(exclude):
        if excluded.keys() <= unnamed.keys():
            every |= 1 << index
            for name in unnamed.keys() - excluded.keys():
                unnamed[name] |= 1 << index
            for name, value in excluded.items():
                place = name, canonical(value)
                having[place] = having.get(place, 0) | 1 << index
    for row in rows:
        matching = every
        for name, value in row.items():
            if matching:
                matching &= unnamed[name] | having.get((name, canonical(value)), 0)
        if not matching:
            yield row


# ---------------------------------------- keys


def _key(value: object) -> str:
    text = _text(value)
    return text if re.fullmatch(_KEY, text) else _hash(canonical(value))


def _row_key(row: Row) -> str:
    text = "-".join(map(_text, row.values()))
    return text if re.fullmatch(_KEY, text) else _hash(canonical(row))


def _usable(text: str) -> str:
    return text if re.fullmatch(_KEY, text) else _hash(text.encode())


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _hash(data: bytes) -> str:
    from hashlib import sha256  # loads OpenSSL

    return sha256(data).hexdigest()[:_HASH_LENGTH]


def _numbered(keys: Iterable[str]) -> Iterator[str]:
    """The second of equal keys gets `#2`, and so on. No key has a `#` of its own."""
    counts: dict[str, int] = {}
    for key in keys:
        counts[key] = count = counts.get(key, 0) + 1
        yield key if count == 1 else f"{key}#{count}"
