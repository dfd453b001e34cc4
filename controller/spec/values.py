"""Values of params and outputs: their types, how they are read from text, and written as text.

A value is JSON data: text, an integer of 64 bits, a finite float, a boolean, or a list or mapping
of these and null. Text may hold everything but half a surrogate pair, which no UTF-8 has.
As in a spec file, an integer of more than 64 bits is a float.
"""

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, Literal

import msgspec

ParamType = Literal["string", "integer", "number", "boolean", "array", "object"]

EXPECTED: dict[ParamType, str] = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
EMPTY: dict[ParamType, Any] = {
    "string": "",
    "integer": 0,
    "number": 0.0,
    "boolean": False,
    "array": [],
    "object": {},
}
# `$` alone would also match before a final newline.
VALUE_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$(?!\n)"
RESERVED_NAMES = frozenset({"in", "true", "false", "null"})  # words of expressions
VALUE_NAME_HINT = (
    "use letters, digits and _, at most 63; the first can't be a digit, "
    "and in, true, false and null are taken"
)
DEPTH_MAX = 64
WORD_BYTES_MAX = 100 << 10  # of a word of a command, of a variable: the system takes 128 KiB
VALUES_BYTES_MAX = 65_536  # of all outputs of an attempt, of all params given to a life

_SHOWN_MAX = 60  # characters of what was found
_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**63 - 1
# Readers of the log need none of these, so none is compiled before it is used.
_INTEGER = r"([-+]?)0*([0-9]{1,19})"
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_TOO_LONG = "an integer of more than 64 bits"
_BLANKS = " \t\r\n"


class NotJson(ValueError):
    """Its text says what is wrong, and where."""


def is_name(word: str) -> bool:
    """Whether a param or an output may have this name."""
    return re.match(VALUE_NAME, word) is not None and word not in RESERVED_NAMES


def type_of(value: object) -> ParamType | None:
    """The type of a value; None for null, which has none."""
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def fits(value: object, kind: ParamType) -> bool:
    """Whether `value` is valid, and of this type."""
    return not mismatch(value, kind)


def mismatch(value: object, kind: ParamType) -> str:
    """Why `value` isn't a valid one of this type, in words for people; or nothing."""
    actual = type_of(value)
    if actual != kind and not (actual == "integer" and kind == "number"):
        return f"expected {EXPECTED[kind]}, found {found(value)}"
    return next(_invalid(value, DEPTH_MAX), "")


def normal(value: Any, kind: ParamType) -> Any:
    """The form in which a fitting value is kept: a number is a float, if written as `5` too."""
    return float(value) if kind == "number" else value


def parse(text: str, kind: ParamType) -> Any:
    """The value that `text` stands for. Raises ValueError, with words for people."""
    if kind != "string" and len(text) > VALUES_BYTES_MAX:
        raise ValueError(f"longer than {VALUES_BYTES_MAX:,} characters")
    match kind:
        case "string":
            value: object = text
        case "integer":
            value = _integer(text)
        case "number":
            value = _number(text)
        case "boolean":
            value = {"true": True, "false": False}.get(text.strip(_BLANKS))
        case _:
            value = _json(text, kind)
    if value is None:
        raise ValueError(f"expected {EXPECTED[kind]}, found {found(text)}")
    if problem := mismatch(value, kind):
        raise ValueError(problem)
    return normal(value, kind)


def as_text(value: object) -> str:
    """A value among other text: text as it is, all else as JSON. Raises ValueError for null."""
    if value is None:
        raise ValueError("null has no text")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def read_json(text: str) -> tuple[Any, list[str]]:
    """The value of a JSON text, and the keys that appear twice in a mapping: the last counts.

    Raises NotJson, also for numbers that a float can't hold, and for nesting without end.
    """
    import json

    doubled: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in pairs:
            if key in made:
                doubled.append(key)
            made[key] = value
        return made

    def constant(word: str) -> float:
        raise NotJson(f"{word} is not allowed in JSON")

    def decimal(digits: str) -> float:
        if isfinite(number := float(digits)):
            return number
        raise NotJson(f"{_cut(digits)} is too large for a number")

    def integer(digits: str) -> int | float:
        number = _integer(digits)
        return decimal(digits) if number is None else number

    try:
        value = json.loads(
            text,
            object_pairs_hook=mapping,
            parse_constant=constant,
            parse_float=decimal,
            parse_int=integer,
        )
    except json.JSONDecodeError as error:
        problem = json_problem(error.msg)
        raise NotJson(f"line {error.lineno}, column {error.colno}: {problem}") from None
    except RecursionError:
        raise NotJson(f"nested more than {DEPTH_MAX} deep") from None
    return value, doubled


def json_problem(said: str) -> str:
    """What `json` says of a text, for people."""
    return _JSON_PROBLEMS.get(said, f"{said[0].lower()}{said[1:]}")


_JSON_PROBLEMS = {
    "Invalid control character at": "a text has a line break, or another control character; "
    r"write \n for a line break",
    "Unterminated string starting at": "this text has no closing quote",
    "Extra data": "there is more text behind its end",
}


def found(value: object) -> str:
    """A value in a message: `"abc"`, `the number 5`, `a list`. Cut after 60 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and not _INTEGER_MIN <= value <= _INTEGER_MAX:
        return _TOO_LONG
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        shown = _cut(value).replace("\n", "\\n")
        return f'"{shown.encode(errors="backslashreplace").decode()}"'
    return "a list" if isinstance(value, list) else "a mapping"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _integer(text: str) -> int | None:
    if not (digits := re.fullmatch(_INTEGER, text.strip(_BLANKS))):
        return None
    number = int(digits[1] + digits[2])
    return number if _INTEGER_MIN <= number <= _INTEGER_MAX else None


def _number(text: str) -> float | None:
    if not re.fullmatch(_NUMBER, text := text.strip(_BLANKS)):
        return None
    return number if isfinite(number := float(text)) else None


def _json(text: str, kind: ParamType) -> Any:
    example = '["a", 2]' if kind == "array" else '{"a": 2}'
    try:
        value, doubled = read_json(text)
    except NotJson as error:
        raise ValueError(
            f"expected {EXPECTED[kind]} as JSON, like {example}, found {found(text)} ({error})"
        ) from None
    if doubled:
        raise ValueError(f"the key {found(doubled[0])} appears twice")
    return value


def _invalid(value: object, depth: int) -> Iterator[str]:
    """What no log can hold in a value that may have `depth` more levels."""
    if isinstance(value, list | dict):
        if not depth:
            yield f"nested more than {DEPTH_MAX} deep"
            return
        for item in value.values() if isinstance(value, dict) else value:
            yield from _invalid(item, depth - 1)
        if isinstance(value, dict):
            yield from (problem for key in value for problem in _invalid(key, 0))
    elif isinstance(value, str):
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            yield f"{found(value)} is not valid Unicode"
    elif isinstance(value, float):
        if not isfinite(value):
            yield f"{value} is not a number that JSON has"
    elif isinstance(value, int) and not _INTEGER_MIN <= value <= _INTEGER_MAX:
        yield _TOO_LONG
