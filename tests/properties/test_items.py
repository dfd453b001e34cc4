"""Keys of items tell apart and stay; a matrix has the rows that its definition says."""

import re
from collections import Counter
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from controller.spec.definition import ForEach
from controller.spec.items import Item, expand

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False, width=16)
    | st.sampled_from(["eu", "eu#2", "eu#3", "a b", "1", "true", "null", "", "x" * 41, "é"])
)
VALUES = st.recursive(
    SCALARS, lambda of: st.lists(of, max_size=2) | st.dictionaries(st.sampled_from("ab"), of)
)
LISTS = st.lists(VALUES, max_size=12)
KEY = re.compile(r"[A-Za-z0-9._-]{1,40}(#[1-9][0-9]*)?")


def expanded(for_each: ForEach) -> list[Item]:
    return expand(for_each, lambda _: None, lambda value, _: as_json(value))


def as_json(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def without_number(key: str) -> str:
    return key.partition("#")[0]


@given(LISTS, st.sampled_from(["", "${{ item }}"]))
def test_keys_tell_apart_and_are_the_same_each_time(values: list[Any], key: str) -> None:
    items = expanded(ForEach(items=values, key=key))
    assert [(as_json(item.value), item.index) for item in items] == [
        (as_json(value), index) for index, value in enumerate(values)
    ]
    assert len({item.key for item in items}) == len(items)
    assert all(KEY.fullmatch(item.key) for item in items)
    again = msgspec.json.decode(msgspec.json.encode(values))
    assert [item.key for item in expanded(ForEach(items=again, key=key))] == [
        item.key for item in items
    ]


@given(LISTS.flatmap(lambda values: st.tuples(st.just(values), st.permutations(values))))
def test_another_order_moves_keys_and_makes_none(lists: tuple[list[Any], list[Any]]) -> None:
    before, after = (expanded(ForEach(items=values)) for values in lists)
    assert {item.key for item in before} == {item.key for item in after}
    base = {as_json(item.value): without_number(item.key) for item in before}
    assert all(base[as_json(item.value)] == without_number(item.key) for item in after)


@given(LISTS, VALUES)
def test_what_is_added_at_the_end_leaves_the_other_keys(values: list[Any], more: Any) -> None:
    before = expanded(ForEach(items=values))
    assert [*expanded(ForEach(items=[*values, more]))[:-1]] == before


SMALL = st.integers(0, 2) | st.booleans() | st.sampled_from(["a", "b"])
NAMES = st.sampled_from("pqr")
MATRICES = st.dictionaries(NAMES, st.lists(SMALL, max_size=3), min_size=1)
ROWS = st.lists(st.dictionaries(NAMES, SMALL, min_size=1), max_size=4)


@given(MATRICES, ROWS, ROWS)
def test_the_rows_of_a_matrix(
    matrix: dict[str, list[Any]], exclude: list[dict[str, Any]], include: list[dict[str, Any]]
) -> None:
    lists: dict[str, list[Any] | str] = {**matrix}
    items = expanded(ForEach([], lists, exclude, include))
    expected = [
        row for row in combinations([*matrix.items()]) if not any(has(row, one) for one in exclude)
    ]
    for row in include:
        if not any(has(row, one) and has(one, row) for one in expected):
            expected.append(row)
    assert [as_json(item.value) for item in items] == [as_json(row) for row in expected]
    assert max(Counter(item.key for item in items).values(), default=1) == 1


def combinations(lists: list[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
    if not lists:
        return [{}]
    (name, values), *rest = lists
    return [{name: value, **row} for value in values for row in combinations(rest)]


def has(row: dict[str, Any], part: dict[str, Any]) -> bool:
    """Whether the row has all that the part has; `1` and `true` are two values."""
    return all(name in row and as_json(row[name]) == as_json(part[name]) for name in part)
