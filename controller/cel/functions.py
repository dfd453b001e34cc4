"""The operators on values, and the functions: what they take, what they give, how they do it.

Each takes the steps for its work first (`limits`). Failures get their place from the caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from controller.cel.faults import Failed, shown
from controller.cel.limits import (
    CHARACTERS_A_STEP,
    ELEMENTS_A_STEP,
    INT_MAX,
    INT_MIN,
    MATCHED_A_STEP,
    PATTERN_MAX,
    PATTERN_MEMORY_MAX,
    PATTERN_STEPS,
    Work,
)
from controller.cel.types import BOOL, DOUBLE, DYN, INT, STRING, Type, list_of, map_of, word

# ---------------------------------------------------------------------------------- arithmetic

Operator = Callable[[Work, Any, Any], object]


def add(work: Work, left: Any, right: Any) -> object:
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return _in_range(left + right)
        if kind is float:
            return left + right
        if kind is str:
            work.make(len(left) + len(right))
            return left + right
        if kind is list:
            work.take(len(left) + len(right))
            return left + right
    raise mismatched("+", left, right)


def subtract(work: Work, left: Any, right: Any) -> object:
    kind = _number("-", left, right)
    return _in_range(left - right) if kind is int else left - right


def multiply(work: Work, left: Any, right: Any) -> object:
    kind = _number("*", left, right)
    return _in_range(left * right) if kind is int else left * right


def divide(work: Work, left: Any, right: Any) -> object:
    """Integers are rounded towards zero."""
    if _number("/", left, right) is float:
        return _divide_doubles(left, right)
    if right == 0:
        raise Failed("division by zero")
    quotient = abs(left) // abs(right)
    return _in_range(quotient if (left < 0) == (right < 0) else -quotient)


def remainder(work: Work, left: Any, right: Any) -> object:
    """With the sign of the left side."""
    if type(left) is not int or type(right) is not int:
        raise mismatched("%", left, right)
    if right == 0:
        raise Failed("division by zero")
    if left == INT_MIN and right == -1:
        raise Failed(_OVERFLOW)
    rest = abs(left) % abs(right)
    return rest if left >= 0 else -rest


def negate(value: Any) -> object:
    if type(value) is int:
        return _in_range(-value)
    if type(value) is float:
        return -value
    raise Failed(f"- can't take {word(value)}")


_OVERFLOW = "the result has more than 64 bits"


def _number(operator: str, left: object, right: object) -> type:
    kind = type(left)
    if kind is type(right) and (kind is int or kind is float):
        return kind
    raise mismatched(operator, left, right)


def _in_range(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise Failed(_OVERFLOW)


def _divide_doubles(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def mismatched(operator: str, left: object, right: object) -> Failed:
    return Failed(f"{operator} can't take {word(left)} and {word(right)}")


ARITHMETIC: dict[str, Operator] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
}

# ---------------------------------------------------------------------------------- comparison

_ORDERED = {(kind, kind) for kind in (str, int, float, bool)} | {(int, float), (float, int)}


def equal(work: Work, left: Any, right: Any) -> bool:
    """Numbers by value, whatever their types; lists and maps by what is in them."""
    kind = type(left)
    if kind is type(right):
        if kind is str:
            if len(left) == len(right):
                work.read(len(left))
            return bool(left == right)
        if kind is list or kind is dict:
            return _equal_within(work, left, right)
        return bool(left == right)
    if (kind is int or kind is float) and type(right) in (int, float):
        return bool(left == right)
    return False


def _equal_within(work: Work, left: Any, right: Any) -> bool:
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        kind = type(one)
        if kind is not type(other) or (kind is not list and kind is not dict):
            if not equal(work, one, other):
                return False
        elif len(one) != len(other):
            return False
        else:
            work.take(1 + len(one) // ELEMENTS_A_STEP)
            if kind is list:
                pairs += zip(one, other, strict=True)
                continue
            work.read(sum(map(len, one)))
            if one.keys() == other.keys():
                pairs += [(value, other[key]) for key, value in one.items()]
            else:
                return False
    return True


def unequal(work: Work, left: Any, right: Any) -> bool:
    return not equal(work, left, right)


def less(work: Work, left: Any, right: Any) -> object:
    _orderable(work, "<", left, right)
    return left < right


def less_or_equal(work: Work, left: Any, right: Any) -> object:
    _orderable(work, "<=", left, right)
    return left <= right


def greater(work: Work, left: Any, right: Any) -> object:
    _orderable(work, ">", left, right)
    return left > right


def greater_or_equal(work: Work, left: Any, right: Any) -> object:
    _orderable(work, ">=", left, right)
    return left >= right


def _orderable(work: Work, operator: str, left: Any, right: Any) -> None:
    if (type(left), type(right)) not in _ORDERED:
        raise mismatched(operator, left, right)
    if type(left) is str:
        work.read(min(len(left), len(right)))


def within(work: Work, left: Any, right: Any) -> bool:
    """`in`: an element of a list, or a key of a map."""
    if type(right) is dict:
        if left is None or type(left) in (list, dict):
            raise mismatched("in", left, right)
        if type(left) is not str:
            return False
        work.read(len(left))
        return left in right
    if type(right) is not list:
        raise Failed(f"in can't take {word(right)} on its right side")
    work.take(len(right) // ELEMENTS_A_STEP)
    if type(left) is str and len(left) < CHARACTERS_A_STEP:
        return left in right
    return any(equal(work, left, each) for each in right)


COMPARISONS: dict[str, Operator] = {
    "==": equal,
    "!=": unequal,
    "<": less,
    "<=": less_or_equal,
    ">": greater,
    ">=": greater_or_equal,
    "in": within,
}

# ---------------------------------------------------------------------------------- conversions

_SPACE = " \t\n\v\f\r"
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "f", "0"), False),
}
_TOO_LARGE = "an integer has at most 64 bits"
_HALF = "matches can't take a string with half a surrogate pair"
_NUMBER_MAX = 400  # characters of a double as text
_PLAIN_EXPONENTS = range(-4, 6)  # of doubles that are written without an exponent


def _same(work: Work, value: object) -> object:
    return value


def _text_of_integer(work: Work, value: int) -> str:
    return str(value)


def _text_of_boolean(work: Work, value: bool) -> str:
    return "true" if value else "false"


def _text_of_double(work: Work, value: float) -> str:
    """The fewest digits that give the same double: 1, 0.25, 1e+06."""
    if not math.isfinite(value):
        return str(value)
    shortest = Decimal(repr(value)).normalize()
    digits, exponent = len(shortest.as_tuple().digits), shortest.adjusted()
    if exponent in _PLAIN_EXPONENTS:
        return f"{value:.{max(digits - 1 - exponent, 0)}f}"
    return f"{value:.{digits - 1}e}"


def _integer_of_double(work: Work, value: float) -> int:
    if math.isfinite(value) and INT_MIN < value < INT_MAX + 1:
        return int(value)
    raise Failed(f"int can't take {shown(value)}: {_TOO_LARGE}")


def _integer_of_text(work: Work, text: str) -> int:
    work.read(len(text))
    said = text.strip(_SPACE)
    digits = said[1:] if said[:1] in ("+", "-") else said
    if not (digits.isascii() and digits.isdigit()):
        raise Failed(f"int can't take {shown(text)}: that is no integer")
    digits = digits.lstrip("0") or "0"
    value = int(digits) if len(digits) <= len(str(INT_MAX)) else INT_MAX + 2
    value = -value if said[0] == "-" else value
    if INT_MIN <= value <= INT_MAX:
        return value
    raise Failed(f"int can't take {shown(text)}: {_TOO_LARGE}")


def _double_of_integer(work: Work, value: int) -> float:
    return float(value)


def _double_of_text(work: Work, text: str) -> float:
    work.read(len(text))
    said = text.strip(_SPACE)
    try:
        if len(said) > _NUMBER_MAX or not said.isascii() or "_" in said:
            raise ValueError
        return float(said)
    except ValueError:
        raise Failed(f"double can't take {shown(text)}: that is no number") from None


def _boolean_of_text(work: Work, text: str) -> bool:
    if text not in _BOOLEANS:
        raise Failed(f"bool can't take {shown(text)}: write true or false")
    return _BOOLEANS[text]


# ---------------------------------------------------------------------------------- strings

# Unicode's White_Space. What Python's strip() removes is more.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def _size(work: Work, value: str | list[object] | dict[str, object]) -> int:
    return len(value)


def _contains(work: Work, text: str, part: str) -> bool:
    work.read(len(text))
    return part in text


def _starts_with(work: Work, text: str, part: str) -> bool:
    work.read(len(part))
    return text.startswith(part)


def _ends_with(work: Work, text: str, part: str) -> bool:
    work.read(len(part))
    return text.endswith(part)


def _lower_ascii(work: Work, text: str) -> str:
    work.make(len(text))
    return _bytes(text).lower().decode("utf-8", "surrogatepass")


def _upper_ascii(work: Work, text: str) -> str:
    work.make(len(text))
    return _bytes(text).upper().decode("utf-8", "surrogatepass")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _trim(work: Work, text: str) -> str:
    work.make(len(text))
    return text.strip(_WHITE)


def _replace(work: Work, text: str, old: str, new: str, limit: int = -1) -> str:
    """`limit`: of replacements; below 0 all."""
    work.read(len(text))
    times = text.count(old)
    if limit >= 0:
        times = min(times, limit)
    work.make(len(text) + times * (len(new) - len(old)))
    return text.replace(old, new, times)


def _split(work: Work, text: str, separator: str, limit: int = -1) -> list[str]:
    """`limit`: of parts; below 0 all. An empty separator parts all characters."""
    work.make(len(text))
    parts = text.count(separator) + 1 if separator else max(len(text), 1)
    if limit >= 0:
        parts = min(parts, limit)
    work.take(parts)
    if parts == 0:
        return []
    if separator:
        return text.split(separator, parts - 1)
    return [*text[: parts - 1], text[parts - 1 :]]


def _join(work: Work, parts: list[object], separator: str = "") -> str:
    work.take(len(parts) // ELEMENTS_A_STEP)
    length = max(len(parts) - 1, 0) * len(separator)
    for part in parts:
        if type(part) is not str:
            raise Failed(f"join can't take {word(part)} in its list: all must be strings")
        length += len(part)
    work.make(length)
    return separator.join(parts)  # type: ignore[arg-type]


def _matches(work: Work, text: str, pattern: str) -> bool:
    if pattern not in work.patterns:
        at_least, each = PATTERN_STEPS
        work.take(at_least + each * len(pattern))
        work.patterns[pattern] = regular_expression(pattern)
    return matched(work, text, work.patterns[pattern])


def matched(work: Work, text: str, expression: Any) -> bool:
    """Whether it is found anywhere in the text."""
    work.take(len(text) * expression.programsize // MATCHED_A_STEP)
    try:
        return expression.search(text) is not None
    except UnicodeEncodeError:
        raise Failed(_HALF) from None


def regular_expression(pattern: str) -> Any:
    """Compiled by RE2, which takes time linear in the text. Raises Failed."""
    if len(pattern) > PATTERN_MAX:
        raise Failed(f"a regular expression has at most {PATTERN_MAX:,} characters")
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.max_mem = PATTERN_MEMORY_MAX
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise Failed(_HALF) from None
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise Failed(f"{shown(pattern)} is no regular expression: {said[:100]}") from None


# ---------------------------------------------------------------------------------- the table


class Overload(Struct, frozen=True):
    takes: tuple[Type, ...]  # with what stands before the point
    gives: Type
    run: Callable[..., object]


class Function(Struct, frozen=True):
    usage: str
    overloads: tuple[Overload, ...]
    of: bool = True  # may be called as `x.name()`
    alone: bool = False  # may be called as `name(x)`


_LIST, _MAP, _STRINGS = list_of(DYN), map_of(DYN), list_of(STRING)


def _conversion(usage: str, gives: Type, *ways: tuple[Type, Callable[..., object]]) -> Function:
    overloads = tuple(Overload((takes,), gives, run) for takes, run in ways)
    return Function(usage, overloads, of=False, alone=True)


def _of_text(
    usage: str, gives: Type, run: Callable[..., object], *more: tuple[Type, ...]
) -> Function:
    """A method of strings; `more`: what it takes in brackets, in each way that it can be called."""
    return Function(usage, tuple(Overload((STRING, *takes), gives, run) for takes in more))


FUNCTIONS: Mapping[str, Function] = {
    "size": Function(
        "size(x)",
        tuple(Overload((takes,), INT, _size) for takes in (STRING, _LIST, _MAP)),
        alone=True,
    ),
    "string": _conversion(
        "string(x)",
        STRING,
        (STRING, _same),
        (INT, _text_of_integer),
        (DOUBLE, _text_of_double),
        (BOOL, _text_of_boolean),
    ),
    "int": _conversion(
        "int(x)", INT, (INT, _same), (DOUBLE, _integer_of_double), (STRING, _integer_of_text)
    ),
    "double": _conversion(
        "double(x)", DOUBLE, (DOUBLE, _same), (INT, _double_of_integer), (STRING, _double_of_text)
    ),
    "bool": _conversion("bool(x)", BOOL, (BOOL, _same), (STRING, _boolean_of_text)),
    "contains": _of_text('text.contains("part")', BOOL, _contains, (STRING,)),
    "startsWith": _of_text('text.startsWith("part")', BOOL, _starts_with, (STRING,)),
    "endsWith": _of_text('text.endsWith("part")', BOOL, _ends_with, (STRING,)),
    "lowerAscii": _of_text("text.lowerAscii()", STRING, _lower_ascii, ()),
    "upperAscii": _of_text("text.upperAscii()", STRING, _upper_ascii, ()),
    "trim": _of_text("text.trim()", STRING, _trim, ()),
    "replace": _of_text(
        'text.replace("old", "new")', STRING, _replace, (STRING, STRING), (STRING, STRING, INT)
    ),
    "split": _of_text('text.split(",")', _STRINGS, _split, (STRING,), (STRING, INT)),
    "join": Function(
        'list.join(",")',
        (Overload((_STRINGS,), STRING, _join), Overload((_STRINGS, STRING), STRING, _join)),
    ),
    "matches": Function(
        'text.matches("^[a-z]+$")',
        (Overload((STRING, STRING), BOOL, _matches),),
        alone=True,
    ),
}

# Functions of CEL and of what extends it, and names that stand before them.
LEFT_OUT = {
    *("uint", "bytes", "type", "dyn", "timestamp", "duration", "format", "charAt", "indexOf"),
    *("lastIndexOf", "substring", "reverse", "sort", "sortBy", "distinct", "flatten", "slice"),
    *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours"),
    *("getMilliseconds", "getMinutes", "getMonth", "getSeconds", "existsOne", "transformList"),
    *("transformMap", "transformMapEntry", "optMap", "optFlatMap", "orValue", "hasValue", "now"),
    *("math", "strings", "sets", "lists", "optional", "cel", "base64", "regex", "google", "re"),
}

# What other languages call them.
HABITS = {
    "len": "write size(x)",
    "length": "write size(x)",
    "count": "write size(x)",
    "str": "write string(x)",
    "float": "write double(x)",
    "boolean": "write bool(x)",
    "integer": "write int(x)",
    "lower": "write text.lowerAscii()",
    "upper": "write text.upperAscii()",
    "toLower": "write text.lowerAscii()",
    "toUpper": "write text.upperAscii()",
    "strip": "write text.trim()",
    "any": "write list.exists(x, x > 1)",
    "some": "write list.exists(x, x > 1)",
    "every": "write list.all(x, x > 1)",
    "match": 'write text.matches("^[a-z]+$")',
    "existsOne": "write list.exists_one(x, x > 1)",
}
