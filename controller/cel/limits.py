"""How much an expression and its data may be, and may take.

An evaluation has a number of steps. What takes time or memory takes steps for it before it begins,
so that the worst evaluation takes tenths of a second and some ten megabytes.
"""

from collections.abc import Iterable
from itertools import chain
from math import isfinite

from controller.cel.faults import EvaluationFailed, Exhausted

EXPRESSION_MAX = 10_000  # characters
NESTING_MAX = 50  # levels of a tree of operators, calls and brackets
STEPS_MAX = 100_000  # of one evaluation
OPERATIONS_A_STEP = 10  # of a macro's body, in one of its rounds
ELEMENTS_A_STEP = 10  # compared with each other
CHARACTERS_A_STEP = 100  # read or made
STRING_MAX = 1 << 20  # characters of a string, or of all strings of a value
ELEMENTS_MAX = 100_000  # of a value, at all depths
DEPTH_MAX = 64  # of lists and maps within each other
PATTERN_MAX = 1_000  # characters of a regular expression
PATTERN_MEMORY_MAX = 1 << 17  # bytes of what it is compiled to
PATTERN_STEPS = (500, 20)  # to compile one that is not known before: for all, for each character
MATCHED_A_STEP = 1_000  # characters times instructions of the regular expression
INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1


class Work:
    """What one evaluation may still do."""

    __slots__ = ("patterns", "steps")

    def __init__(self) -> None:
        self.steps = STEPS_MAX
        self.patterns: dict[str, object] = {}  # regular expressions that were compiled for it

    def take(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Exhausted(f"the expression takes more than {STEPS_MAX:,} steps")

    def read(self, characters: int) -> None:
        """Before this many characters are gone through."""
        if characters >= CHARACTERS_A_STEP:
            self.take(characters // CHARACTERS_A_STEP)

    def make(self, characters: int) -> None:
        """Before a string of this length is made."""
        if characters > STRING_MAX:
            raise Exhausted(f"the string would be longer than {STRING_MAX:,} characters")
        self.read(characters)


def bounded(value: object, said: str) -> object:
    """The value, if it is plain data within the limits: what JSON can say.

    `said`: how messages call it. Raises EvaluationFailed.
    """
    if type(value) is bool or (type(value) is str and len(value) <= STRING_MAX):
        return value
    if why := _unfit(value):
        raise EvaluationFailed(f"{said} can't be used: {why}")
    return value


def _unfit(value: object) -> str:
    """Why the value can't be taken; empty: it can."""
    characters = elements = 0
    around: list[tuple[object, int]] = [(value, 1)]
    while around:
        part, depth = around.pop()
        if isinstance(part, str):
            characters += len(part)
        elif isinstance(part, list | dict):
            if depth > DEPTH_MAX:
                return f"it is more than {DEPTH_MAX} lists and maps deep"
            elements += len(part)
            if elements > ELEMENTS_MAX:
                return f"it has more than {ELEMENTS_MAX:,} elements"
            # The keys are looked at like values; that none is anything but a string comes first.
            if isinstance(part, dict) and not all(isinstance(key, str) for key in part):
                return "it has a map with a key that is no string"
            around += [(inner, depth + 1) for inner in _inner(part)]
        elif why := _unfit_scalar(part):
            return why
        if characters > STRING_MAX:
            return f"it has more than {STRING_MAX:,} characters"
    return ""


def _inner(value: list[object] | dict[object, object]) -> Iterable[object]:
    return chain(value, value.values()) if isinstance(value, dict) else value


def _unfit_scalar(value: object) -> str:
    kind = type(value)
    if kind is int:
        within = INT_MIN <= value <= INT_MAX  # type: ignore[operator]
        return "" if within else "it has an integer of more than 64 bits"
    if kind is float:
        return "" if isfinite(value) else "it has a number that is not finite"  # type: ignore[arg-type]
    if value is None or kind is bool:
        return ""
    return f"it has something that is no plain data: {kind.__name__}"
