"""One evaluation, and how it reads values from outside."""

from collections.abc import Callable
from typing import Any

from controller.cel.faults import EvaluationFailed, Missing
from controller.cel.limits import Work, bounded
from controller.cel.types import Type, kind_of, word

Lookup = Callable[[tuple[str, ...]], object]
_UNREAD = object()


class Evaluation(Work):
    """One evaluation: what it has read, and the variables of macros."""

    __slots__ = ("lookup", "seen", "variables")

    def __init__(self, lookup: Lookup, slots: int) -> None:
        super().__init__()
        self.lookup = lookup
        self.seen: dict[tuple[str, ...], object] = {}
        self.variables: list[object] = [None] * slots


Closure = Callable[[Evaluation], Any]


def read(path: tuple[str, ...], type_: Type, offset: int) -> Closure:
    """A value from outside, asked for once in an evaluation."""
    said = ".".join(path)

    def value(evaluation: Evaluation) -> object:
        known = evaluation.seen.get(path, _UNREAD)
        if known is _UNREAD:
            try:
                known = _taken(evaluation.lookup(path), type_, said)
            except EvaluationFailed as failed:
                failed.at(offset)
                raise
            evaluation.seen[path] = known
        return known

    return value


def _taken(value: object, type_: Type, said: str) -> object:
    """What the lookup gave, as the type says. Raises EvaluationFailed."""
    kind = kind_of(value)
    if kind is None and isinstance(value, str):
        value, kind = str.__str__(value), "string"  # a member of an Enum of strings
    if kind == "int" and type_.kind == "double":
        value, kind = float(bounded(value, said)), "double"  # type: ignore[arg-type]
    if type_.kind not in (kind, "dyn"):
        raise EvaluationFailed(f"{said} is {word(value)}, not {type_}")
    return bounded(value, said)


def is_there(of: Closure) -> Closure:
    """Whether there is a value to read."""

    def there(evaluation: Evaluation) -> bool:
        try:
            of(evaluation)
        except Missing:
            return False
        return True

    return there
