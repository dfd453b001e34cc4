"""Label selectors, as kubectl writes them: `team=data,env!=dev,owner,!legacy,tier in (a, b)`.

All parts have to hold. A label that isn't there matches `!=`, `notin` and `!name`.
"""

import re
from collections.abc import Callable, Mapping

from controller.errors import UsageError

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_EQUAL = re.compile(rf"({_KEY})\s*(==?|!=)\s*([^\s,()=!]*)")
_IN = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_HAS = re.compile(rf"(!?)\s*({_KEY})")
_COMMA_OUTSIDE_BRACKETS = re.compile(r",(?![^()]*\))")


def parse_selector(text: str) -> Selector:
    """What `-l TEXT` matches. Raises UsageError."""
    parts = [_part(part.strip(), text) for part in _COMMA_OUTSIDE_BRACKETS.split(text)]
    return lambda labels: all(part(labels) for part in parts)


def _part(part: str, text: str) -> Selector:
    if found := _EQUAL.fullmatch(part):
        return _among(found[1], {found[3]}, wanted=found[2] != "!=")
    if found := _IN.fullmatch(part):
        return _among(found[1], set(re.split(r"\s*,\s*", found[3].strip())), found[2] == "in")
    if found := _HAS.fullmatch(part):
        return _has(found[2], wanted=not found[1])
    raise UsageError(
        f'-l {text!r}: "{part}" is not a condition on a label; try team=data, team!=data or team'
    )


def _among(key: str, values: set[str], wanted: bool) -> Selector:
    return lambda labels: (labels.get(key) in values) == wanted


def _has(key: str, wanted: bool) -> Selector:
    return lambda labels: (key in labels) == wanted
