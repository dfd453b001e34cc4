"""What can go wrong once there are values: the problem, and the place of it."""

from enum import StrEnum

import pytest

from controller.cel.program import EvaluationFailed, Missing
from controller.cel.program import compile as compiled
from controller.cel.types import BOOL, DOUBLE, DYN, INT, STRING, Type, list_of, map_of, record

NAMES = {
    "any": DYN,
    "text": STRING,
    "count": INT,
    "share": DOUBLE,
    "yes": BOOL,
    "list": list_of(DYN),
    "map": map_of(DYN),
    "steps": record({"load": record({"rows": INT})}),
}
DATA: dict[str, object] = {
    "any": 1,
    "text": "abc",
    "count": 2**63 - 1,
    "share": 1e19,
    "yes": True,
    "list": [1, None, "a"],
    "map": {"a": [1]},
}

# The text, with » before the place of the failure, and the problem.
FAILURES = [
    ("count »+ 1", "the result has more than 64 bits"),
    ("count »* 2", "the result has more than 64 bits"),
    ("-2 »- count", "the result has more than 64 bits"),
    ("»-(-count - 1)", "the result has more than 64 bits"),
    ("(-count - 1) »/ -1", "the result has more than 64 bits"),
    ("(-count - 1) »% -1", "the result has more than 64 bits"),
    ("1 »/ 0", "division by zero"),
    ("1 »% 0", "division by zero"),
    ("any »+ 'a'", "+ can't take an integer and a string"),
    ("any »- 1.0", "- can't take an integer and a double"),
    ("list[1] »+ 1", "+ can't take null and an integer"),
    ("»-list[2]", "- can't take a string"),
    ("any »< 'a'", "< can't take an integer and a string"),
    ("list[1] »>= 1", ">= can't take null and an integer"),
    ("1 »in any", "in can't take an integer on its right side"),
    ("list[1] »in map", "in can't take null and a map"),
    ("list»[[0.5, 'a'][0]]", "the index of a list is a number from 0, not a double"),
    ("»!any", "! takes a boolean, not an integer"),
    ("yes »&& any", "&& takes a boolean, not an integer"),
    ("any »|| false", "|| takes a boolean, not an integer"),
    ("yes && 1 »/ 0 > 0", "division by zero"),
    ("any »? 1 : 2", "? takes a boolean, not an integer"),
    ("map.»z", 'the map has no key "z"'),
    ("map»['z']", 'the map has no key "z"'),
    ("map»[any]", "the map has no key 1"),
    ("any.»a", "an integer has no field a"),
    ("has(any.»a)", "an integer has no field a"),
    ("list»[3]", "the list has 3 elements, and none with the index 3"),
    ("list»[-1]", "the list has 3 elements, and none with the index -1"),
    ("list»[list[2]]", "the index of a list is a number from 0, not a string"),
    ("any»[0]", "an integer has no elements that could be read with [ ]"),
    ("{'a': 1, »'a': 2}", 'the map has the key "a" twice'),
    ("{»any: 1}", "a key of a map is a string, not an integer"),
    ("any.»map(x, x)", "map goes through a list or a map, not an integer"),
    ("list.»filter(x, x)", "filter takes a boolean, not an integer"),
    ("list.»map(x, x, x)", "map takes a boolean, not an integer"),
    ("[0, 1].exists(x, 4 »/ x == 8)", "division by zero"),
    ("[1, 0].exists_one(x, 4 »/ x == 4)", "division by zero"),
    ("list.»all(x, x)", "all takes a boolean, not an integer"),
    ("»size(any)", "size can't take an integer"),
    ("any.»contains('a')", "contains can't take an integer and a string"),
    ("list.»join()", "join can't take an integer in its list: all must be strings"),
    ("any.»matches('a')", "matches can't take an integer"),
    ("map»[list[1]]", "the map has no key null"),
    ("map»[[[1], 'a'][0]]", "the map has no key a list"),
    ("[true, 'a'][0] »+ any", "+ can't take a boolean and an integer"),
    ("[true, 'a'][0] »+ [true, 'a'][0]", "+ can't take a boolean and a boolean"),
    ("any »% [1.5, 'a'][0]", "% can't take an integer and a double"),
    ("»string(list[1])", "string can't take null"),
    ("»int(text)", 'int can\'t take "abc": that is no integer'),
    ("»int('0x1f')", 'int can\'t take "0x1f": that is no integer'),
    ("»int('1_0')", 'int can\'t take "1_0": that is no integer'),
    (r"»int('\u0661')", 'int can\'t take "\u0661": that is no integer'),
    (
        "»int('9223372036854775808')",
        'int can\'t take "9223372036854775808": an integer has at most 64 bits',
    ),
    ("»int(share)", "int can't take 1e+19: an integer has at most 64 bits"),
    ("»double(text)", 'double can\'t take "abc": that is no number'),
    ("»double('1_0')", 'double can\'t take "1_0": that is no number'),
    ("»bool('yes')", 'bool can\'t take "yes": write true or false'),
    ("text.»matches('(' + '')", '"(" is no regular expression: missing ): ('),
    ("»1.0 / 0.0", "the result can't be used: it has a number that is not finite"),
]


@pytest.mark.parametrize(("text", "problem"), FAILURES, ids=[text for text, _ in FAILURES])
def test_a_failure_says_what_and_where(text: str, problem: str) -> None:
    program = compiled(text.replace("»", ""), NAMES)
    with pytest.raises(EvaluationFailed) as raised:
        program.evaluate(lambda path: DATA[path[0]])
    assert (raised.value.offset, raised.value.problem) == (text.index("»"), problem)


@pytest.mark.parametrize("text", ["text.»matches('a')", "'a'.»matches(text)"])
def test_half_a_character_matches_nothing(text: str) -> None:
    with pytest.raises(EvaluationFailed, match="half a surrogate pair") as raised:
        compiled(text.replace("»", ""), NAMES).evaluate(lambda path: "a\ud800")
    assert raised.value.offset == text.index("»")


def test_values_in_messages_are_short() -> None:
    with pytest.raises(EvaluationFailed) as raised:
        compiled("int(text)", NAMES).evaluate(lambda path: "x\n" * 1000)
    assert len(raised.value.problem) < 200
    assert "\n" not in raised.value.problem


# ------------------------------------------------------------------------------------- the lookup


def missing(path: tuple[str, ...]) -> object:
    raise Missing(f"{path[1]} gave no {path[2]}")


def test_a_failing_lookup_has_the_place_of_the_name() -> None:
    with pytest.raises(EvaluationFailed) as raised:
        compiled("1 + steps.load.rows", NAMES).evaluate(missing)
    assert (raised.value.problem, raised.value.offset) == ("load gave no rows", 15)


def test_has_asks_whether_there_is_a_value() -> None:
    there = compiled("has(steps.load.rows) && steps.load.rows > 0", NAMES)
    assert there.paths == (("steps", "load", "rows"),)
    assert there.evaluate(missing) is False
    assert there.evaluate(lambda path: 1) is True


def test_has_fails_if_the_lookup_fails_for_another_reason() -> None:
    def lookup(path: tuple[str, ...]) -> object:
        raise EvaluationFailed("not known yet")

    with pytest.raises(EvaluationFailed, match="not known yet"):
        compiled("has(steps.load.rows)", NAMES).evaluate(lookup)


def test_a_missing_value_does_not_matter_where_another_decides() -> None:
    assert compiled("steps.load.rows > 0 || true", NAMES).evaluate(missing) is True


BAD_DATA: list[tuple[Type, object, str]] = [
    (INT, "1", "x is a string, not an integer"),
    (INT, True, "x is a boolean, not an integer"),
    (INT, None, "x is null, not an integer"),
    (STRING, 1, "x is an integer, not a string"),
    (DOUBLE, 10**400, "x can't be used: it has an integer of more than 64 bits"),
    (DYN, 2**63, "x can't be used: it has an integer of more than 64 bits"),
    (DYN, [[float("inf")]], "x can't be used: it has a number that is not finite"),
    (DYN, float("nan"), "x can't be used: it has a number that is not finite"),
    (DYN, {1: 2}, "x can't be used: it has a map with a key that is no string"),
    (DYN, [b"a"], "x can't be used: it has something that is no plain data: bytes"),
    (DYN, (1, 2), "x can't be used: it has something that is no plain data: tuple"),
    (list_of(DYN), {}, "x is a map, not a list"),
]


@pytest.mark.parametrize(("type_", "value", "problem"), BAD_DATA)
def test_data_that_is_not_as_declared_fails(type_: Type, value: object, problem: str) -> None:
    with pytest.raises(EvaluationFailed) as raised:
        compiled("[x]", {"x": type_}).evaluate(lambda path: value)
    assert (raised.value.problem, raised.value.offset) == (problem, 1)


class Phase(StrEnum):
    DONE = "Done"


def test_a_member_of_an_enum_of_strings_is_a_string() -> None:
    assert compiled("x == 'Done'", {"x": STRING}).evaluate(lambda path: Phase.DONE) is True
    assert type(compiled("x", {"x": STRING}).evaluate(lambda path: Phase.DONE)) is str
