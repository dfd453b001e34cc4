"""What a step with `forEach` runs for, and by which key each item is known."""

from collections.abc import Callable
from hashlib import sha256
from time import process_time
from typing import Any

import pytest

from controller.spec.definition import ForEach
from controller.spec.expression import Failed
from controller.spec.items import CHILDREN_MAX, Item, child_name, expand

GIVEN: dict[str, Any] = {
    "some": ["x", "y"],
    "none": [],
    "many": list(range(CHILDREN_MAX + 1)),
    "text": "x",
    "null": None,
    "map": {"a": 1},
}


def expanded(
    for_each: ForEach, key_of: Callable[[Any, int], str] = lambda _, __: "never asked"
) -> list[Item]:
    return expand(for_each, GIVEN.__getitem__, key_of)


def keys(for_each: ForEach) -> list[str]:
    return [item.key for item in expanded(for_each)]


def hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


# ---------------------------------------- values


def test_a_list_in_its_order() -> None:
    assert expanded(ForEach(items=["eu", "us"])) == [("eu", "eu", 0), ("us", "us", 1)]
    assert expanded(ForEach(items="some")) == [("x", "x", 0), ("y", "y", 1)]
    assert expanded(ForEach(items="none")) == expanded(ForEach(items=[])) == []


def rows(for_each: ForEach) -> list[str]:
    """Each row in short: `a1`."""
    return ["".join(map(str, item.value.values())) for item in expanded(for_each)]


MATRIX: dict[str, list[Any] | str] = {"p": ["a", "b"], "q": [1, 2]}


@pytest.mark.parametrize(
    ("for_each", "found"),
    [
        pytest.param(
            ForEach([], MATRIX), ["a1", "a2", "b1", "b2"], id="the last list varies fastest"
        ),
        pytest.param(ForEach([], {"p": "some", "q": [1]}), ["x1", "y1"], id="by an expression"),
        pytest.param(ForEach([], {"p": "some", "q": "none"}), [], id="of nothing, nothing"),
        pytest.param(
            ForEach([], MATRIX, exclude=[{"p": "a"}]), ["b1", "b2"], id="a value leaves out"
        ),
        pytest.param(
            ForEach([], MATRIX, exclude=[{"q": 1, "p": "a"}, {"p": "b", "q": 2}]),
            ["a2", "b1"],
            id="all values must match",
        ),
        pytest.param(
            ForEach([], MATRIX, exclude=[{"q": "1"}, {"p": "c"}, {"q": True}, {"z": 1}]),
            ["a1", "a2", "b1", "b2"],
            id="what nothing matches leaves out nothing",
        ),
        pytest.param(
            ForEach([], MATRIX, include=[{"p": "c", "q": 3}]),
            ["a1", "a2", "b1", "b2", "c3"],
            id="a row is added at the end",
        ),
        pytest.param(
            ForEach([], MATRIX, include=[{"q": 2, "p": "a"}]),
            ["a1", "a2", "b1", "b2"],
            id="not one that is there",
        ),
        pytest.param(
            ForEach([], MATRIX, exclude=[{"q": 1}], include=[{"q": 1, "p": "a"}] * 2),
            ["a2", "b2", "a1"],
            id="one that was left out comes back, once",
        ),
        pytest.param(
            ForEach([], {"p": "none"}, include=[{"z": 9, "p": "a"}]),
            ["a9"],
            id="a row with more than the matrix has",
        ),
    ],
)
def test_the_rows_of_a_matrix(for_each: ForEach, found: list[str]) -> None:
    assert rows(for_each) == found


@pytest.mark.parametrize(
    ("for_each", "words"),
    [
        (ForEach(items="text"), 'forEach: expected a list, found "x"'),
        (ForEach(items="null"), "forEach: expected a list, found null"),
        (ForEach(items="map"), "forEach: expected a list, found a mapping"),
        (ForEach(items="many"), "forEach has 10,001 items; at most 10,000 are possible"),
        (ForEach([], {"p": [1], "q": "text"}), 'matrix.q: expected a list, found "x"'),
        (
            ForEach([], {"p": "many", "q": "some"}),
            "the matrix has 20,002 combinations; at most 10,000 are possible",
        ),
        (
            ForEach([], {"p": GIVEN["many"][1:]}, include=[{"p": -1}]),
            "forEach has 10,001 items; at most 10,000 are possible",
        ),
    ],
)
def test_what_can_t_be_expanded(for_each: ForEach, words: str) -> None:
    with pytest.raises(Failed) as failed:
        expanded(for_each)
    assert str(failed.value) == words


# ---------------------------------------- keys


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("eu-west_1.a", "eu-west_1.a"),
        ("x" * 40, "x" * 40),
        ("x" * 41, hashed(f'"{"x" * 41}"')),
        ("", hashed('""')),
        ("a b", hashed('"a b"')),
        ("a\n", hashed(r'"a\n"')),
        ("a/b", hashed('"a/b"')),
        ("é", hashed('"é"')),
        ("eu#2", hashed('"eu#2"')),
        (-3, "-3"),
        (2.5, "2.5"),
        (True, "true"),
        (None, "null"),
        ([1], hashed("[1]")),
        ({"b": 1, "a": [2, "x"]}, hashed('{"a":[2,"x"],"b":1}')),
    ],
)
def test_the_key_of_an_item(value: object, key: str) -> None:
    assert keys(ForEach(items=[value])) == [key]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"p": "a", "q": 1}, "a-1"),
        ({"p": "a", "q": [1]}, hashed('{"p":"a","q":[1]}')),
        ({"p": "a" * 30, "q": "b" * 10}, hashed(f'{{"p":"{"a" * 30}","q":"{"b" * 10}"}}')),
    ],
)
def test_the_key_of_a_row(row: dict[str, Any], key: str) -> None:
    matrix: dict[str, list[Any] | str] = {name: [value] for name, value in row.items()}
    assert keys(ForEach([], matrix)) == [key]


def test_a_written_key() -> None:
    for_each = ForEach(items=[{"id": "a"}, {"id": "b c"}, {"id": "a"}], key="${{ item.id }}")
    asked: list[int] = []

    def key_of(value: Any, index: int) -> str:
        asked.append(index)
        return str(value["id"])

    assert [item.key for item in expanded(for_each, key_of)] == ["a", hashed("b c"), "a#2"]
    assert asked == [0, 1, 2]


def test_equal_keys_are_numbered() -> None:
    found = keys(ForEach(items=["eu", "us", "eu", "eu#2", 3, "3", "eu"]))
    assert found == ["eu", "us", "eu#2", hashed('"eu#2"'), "3", "3#2", "eu#3"]


def test_the_name_of_a_child() -> None:
    assert child_name("load", "eu#2") == "load[eu#2]"
    assert len(child_name("x" * 158, "y" * 40)) == 200
    with pytest.raises(Failed) as failed:
        child_name("x" * 159, "y" * 40)
    assert str(failed.value) == (
        f"the name {'x' * 159}[…] of an item would have 201 characters; 200 are possible"
    )


def test_many_rows_that_exclude_cost_little() -> None:
    # Each names other lists, so that none of them can be looked up by the same names.
    lists: dict[str, list[Any] | str] = {f"n{at}": [0, 1] for at in range(12)}
    exclude = [
        {name: 2 for at, name in enumerate(lists) if bits >> at & 1} for bits in range(1, 4096)
    ]
    begin = process_time()
    assert len(expanded(ForEach([], lists, exclude))) == 4096
    assert process_time() - begin < 2  # some 0.2 s


@pytest.mark.parametrize("value", ["text of an item", {"name": "a", "more": [1, 2]}, 7])
def test_it_is_fast(value: Any) -> None:
    for_each = ForEach(items=[value] * CHILDREN_MAX)
    begin = process_time()
    expanded(for_each)
    assert process_time() - begin < 0.5  # some 0.04 s
