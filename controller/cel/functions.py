"""The functions: what they take, what they give, how they do it.

Each takes the steps for its work first (`limits`). Failures get their place from the caller.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from controller.cel.faults import EvaluationFailed, shown
from controller.cel.limits import (
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
    raise EvaluationFailed(f"int can't take {shown(value)}: {_TOO_LARGE}")


def _integer_of_text(work: Work, text: str) -> int:
    work.read(len(text))
    said = text.strip(_SPACE)
    digits = said[1:] if said[:1] in ("+", "-") else said
    if not (digits.isascii() and digits.isdigit()):
        raise EvaluationFailed(f"int can't take {shown(text)}: that is no integer")
    digits = digits.lstrip("0") or "0"
    value = int(digits) if len(digits) <= len(str(INT_MAX)) else INT_MAX + 2
    value = -value if said[0] == "-" else value
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationFailed(f"int can't take {shown(text)}: {_TOO_LARGE}")


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
        raise EvaluationFailed(f"double can't take {shown(text)}: that is no number") from None


def _boolean_of_text(work: Work, text: str) -> bool:
    if text not in _BOOLEANS:
        raise EvaluationFailed(f"bool can't take {shown(text)}: write true or false")
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
            raise EvaluationFailed(f"join can't take {word(part)} in its list: all must be strings")
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
        raise EvaluationFailed(_HALF) from None


def regular_expression(pattern: str) -> Any:
    """Compiled by RE2, which takes time linear in the text. Raises EvaluationFailed."""
    if len(pattern) > PATTERN_MAX:
        raise EvaluationFailed(f"a regular expression has at most {PATTERN_MAX:,} characters")
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.max_mem = PATTERN_MEMORY_MAX
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise EvaluationFailed(_HALF) from None
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise EvaluationFailed(f"{shown(pattern)} is no regular expression: {said[:100]}") from None


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
