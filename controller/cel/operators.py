"""The operators: what they do with two values.

Each takes the steps for its work first (`limits`). Failures get their place from the caller.
"""

import math
from collections.abc import Callable
from typing import Any

from controller.cel.faults import EvaluationFailed
from controller.cel.limits import CHARACTERS_A_STEP, ELEMENTS_A_STEP, INT_MAX, INT_MIN, Work
from controller.cel.types import word

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
        raise EvaluationFailed("division by zero")
    quotient = abs(left) // abs(right)
    return _in_range(quotient if (left < 0) == (right < 0) else -quotient)


def remainder(work: Work, left: Any, right: Any) -> object:
    """With the sign of the left side."""
    if type(left) is not int or type(right) is not int:
        raise mismatched("%", left, right)
    if right == 0:
        raise EvaluationFailed("division by zero")
    if left == INT_MIN and right == -1:
        raise EvaluationFailed(_OVERFLOW)
    rest = abs(left) % abs(right)
    return rest if left >= 0 else -rest


def negate(value: Any) -> object:
    if type(value) is int:
        return _in_range(-value)
    if type(value) is float:
        return -value
    raise EvaluationFailed(f"- can't take {word(value)}")


_OVERFLOW = "the result has more than 64 bits"


def _number(operator: str, left: object, right: object) -> type:
    kind = type(left)
    if kind is type(right) and (kind is int or kind is float):
        return kind
    raise mismatched(operator, left, right)


def _in_range(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationFailed(_OVERFLOW)


def _divide_doubles(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def mismatched(operator: str, left: object, right: object) -> EvaluationFailed:
    return EvaluationFailed(f"{operator} can't take {word(left)} and {word(right)}")


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
        raise EvaluationFailed(f"in can't take {word(right)} on its right side")
    work.take(len(right) // ELEMENTS_A_STEP)
    if type(left) is str and len(left) < CHARACTERS_A_STEP:
        return left in right
    return any(equal(work, left, element) for element in right)


COMPARISONS: dict[str, Operator] = {
    "==": equal,
    "!=": unequal,
    "<": less,
    "<=": less_or_equal,
    ">": greater,
    ">=": greater_or_equal,
    "in": within,
}
