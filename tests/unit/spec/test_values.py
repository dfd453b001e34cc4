"""Values of params and outputs: their types, from text and as text."""

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.spec.values import (
    DEPTH_MAX,
    EXPECTED,
    VALUES_BYTES_MAX,
    NotJson,
    ParamType,
    as_text,
    fits,
    is_name,
    mismatch,
    normal,
    parse,
    read_json,
    type_of,
)

KINDS: tuple[ParamType, ...] = get_args(ParamType)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
SCALARS = TEXTS | INTEGERS | FLOATS | st.booleans()
DATA = st.recursive(
    SCALARS | st.none(),
    lambda inside: st.lists(inside) | st.dictionaries(TEXTS, inside),
    max_leaves=20,
)
VALUES = SCALARS | st.lists(DATA) | st.dictionaries(TEXTS, DATA)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "string"),
        ("a\0b", "string"),
        (0, "integer"),
        (True, "boolean"),
        (5.0, "number"),
        ([], "array"),
        ({}, "object"),
        (None, None),
    ],
)
def test_the_type_of_a_default_value(value: object, kind: ParamType | None) -> None:
    assert type_of(value) == kind
    assert [other for other in KINDS if fits(value, other)] == (
        ["integer", "number"] if kind == "integer" else [kind] if kind else []
    )


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        (True, "integer", "expected an integer, found true"),
        (True, "number", "expected a number, found true"),
        (1, "boolean", "expected true or false, found the number 1"),
        (5.0, "integer", "expected an integer, found the number 5.0"),
        ("5", "integer", 'expected an integer, found "5"'),
        (3.1, "string", "expected text, found the number 3.1"),
        ([], "object", "expected a mapping, found a list"),
        ({}, "array", "expected a list, found a mapping"),
        (None, "string", "expected text, found nothing"),
        ("a\nb" * 99, "array", 'expected a list, found "' + r"a\nb" * 20 + '…"'),
        (2**63, "integer", "an integer of more than 64 bits"),
        (-(2**63) - 1, "number", "an integer of more than 64 bits"),
        (10**4000, "string", "expected text, found an integer of more than 64 bits"),
        (float("nan"), "number", "nan is not a number that JSON has"),
        ([float("inf")], "array", "inf is not a number that JSON has"),
        ("\ud800", "string", '"\\ud800" is not valid Unicode'),
        ({"\udfff": 1}, "object", '"\\udfff" is not valid Unicode'),
        ([{"a": 10**30}], "array", "an integer of more than 64 bits"),
        (nested(DEPTH_MAX + 1), "array", f"nested more than {DEPTH_MAX} deep"),
    ],
)
def test_what_does_not_fit(value: object, kind: ParamType, problem: str) -> None:
    assert mismatch(value, kind) == problem
    assert not fits(value, kind)


def test_the_deepest_value_fits() -> None:
    assert fits(nested(DEPTH_MAX), "array")
    assert parse(json.dumps(nested(DEPTH_MAX)), "array") == nested(DEPTH_MAX)


def test_a_number_is_kept_as_a_float() -> None:
    assert repr(normal(5, "number")) == "5.0"
    assert repr(normal(5, "integer")) == "5"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (" a ", "string", " a "),
        ("", "string", ""),
        ("5", "string", "5"),
        ("-5", "integer", -5),
        ("+5", "integer", 5),
        (" 08\r", "integer", 8),
        ("0" * 60_000, "integer", 0),
        ("9223372036854775807", "integer", 2**63 - 1),
        ("-9223372036854775808", "integer", -(2**63)),
        ("5", "number", 5.0),
        (".5", "number", 0.5),
        ("5.", "number", 5.0),
        ("-1e-3 ", "number", -0.001),
        ("true", "boolean", True),
        ("false\r", "boolean", False),
        ('["a", 2, null, 1.0]', "array", ["a", 2, None, 1.0]),
        ('{"a": {"b": true}}', "object", {"a": {"b": True}}),
        ("[10000000000000000000000]", "array", [1e22]),
    ],
)
def test_parse(text: str, kind: ParamType, value: object) -> None:
    assert repr(parse(text, kind)) == repr(value)


_AS_LIST = 'expected a list as JSON, like ["a", 2], found'


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("abc", "integer", 'expected an integer, found "abc"'),
        ("", "integer", 'expected an integer, found ""'),
        ("5.0", "integer", 'expected an integer, found "5.0"'),
        ("1_000", "integer", 'expected an integer, found "1_000"'),
        ("٣", "integer", 'expected an integer, found "٣"'),
        ("9223372036854775808", "integer", 'expected an integer, found "9223372036854775808"'),
        ("1" * 60_000, "integer", 'expected an integer, found "' + "1" * 60 + '…"'),
        ("nan", "number", 'expected a number, found "nan"'),
        ("1e999", "number", 'expected a number, found "1e999"'),
        ("0x1F", "number", 'expected a number, found "0x1F"'),
        ("True", "boolean", 'expected true or false, found "True"'),
        ("yes", "boolean", 'expected true or false, found "yes"'),
        ("1", "boolean", 'expected true or false, found "1"'),
        ("a,b", "array", f'{_AS_LIST} "a,b" (line 1, column 1: expecting value)'),
        ("[NaN]", "array", f'{_AS_LIST} "[NaN]" (NaN is not allowed in JSON)'),
        ("[1e999]", "array", f'{_AS_LIST} "[1e999]" (1e999 is too large for a number)'),
        ("{}", "array", "expected a list, found a mapping"),
        ('{"a": 1, "a": 2}', "object", 'the key "a" appears twice'),
        (r'["\ud800"]', "array", '"\\ud800" is not valid Unicode'),
        (
            json.dumps(nested(DEPTH_MAX + 1)),
            "array",
            f"nested more than {DEPTH_MAX} deep",
        ),
        ("\udc80", "string", '"\\udc80" is not valid Unicode'),
        ("[" + " " * VALUES_BYTES_MAX, "array", "longer than 65,536 characters"),
    ],
)
def test_what_is_no_value(text: str, kind: ParamType, problem: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse(text, kind)
    assert str(raised.value) == problem


def test_nesting_without_end_is_no_recursion() -> None:
    with pytest.raises(NotJson, match="nested more than"):
        read_json("[" * 60_000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a\nb ", " a\nb "),
        (-5, "-5"),
        (5.0, "5.0"),
        (0.1, "0.1"),
        (True, "true"),
        ([1, "ä", None], '[1,"ä",null]'),
        ({"a": {"b": 1.0}}, '{"a":{"b":1.0}}'),
    ],
)
def test_a_value_among_other_text(value: object, text: str) -> None:
    assert as_text(value) == text


def test_null_has_no_text() -> None:
    with pytest.raises(ValueError, match="null has no text"):
        as_text(None)


@given(VALUES)
def test_every_value_comes_back_from_its_text_and_from_the_log(value: Any) -> None:
    kind = type_of(value)
    assert kind is not None
    assert mismatch(value, kind) == ""
    assert repr(parse(as_text(value), kind)) == repr(value)
    assert repr(msgspec.json.decode(msgspec.json.encode(value))) == repr(value)


@given(
    st.text(max_size=40) | st.text('[]{}:,"0123456789.eE+-tfrn \\u', max_size=30),
    st.sampled_from(KINDS),
)
def test_any_text_is_a_value_or_is_refused_in_words(text: str, kind: ParamType) -> None:
    try:
        value = parse(text, kind)
    except ValueError as error:
        assert 0 < len(str(error)) < 300
        assert "\n" not in str(error)
    else:
        assert type_of(value) == kind
        assert fits(value, kind)


@pytest.mark.parametrize("name", ["a", "_", "rows_2", "A" * 63, "trueish"])
def test_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "2a", "a-b", "a\n", "A" * 64, "ä", "a b", "in", "true", "false", "null"]
)
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


def test_every_type_has_words() -> None:
    assert tuple(EXPECTED) == KINDS
