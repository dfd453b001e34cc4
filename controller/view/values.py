"""Params and outputs on one line: `date=2026-11-23 regions=["eu","us"]`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from controller.spec.values import as_text

_VALUE_MAX = 40  # characters of one value
_NAMED_MAX = 12  # values; the others are counted


def in_short(values: Mapping[str, Any]) -> str:
    """Each name with its value, which is cut; the first dozen."""
    shown = [f"{name}={_short(value)}" for name, value in list(values.items())[:_NAMED_MAX]]
    more = len(values) - _NAMED_MAX
    return " ".join([*shown, *([f"and {more:,} more"] if more > 0 else [])])


def _short(value: object) -> str:
    """A text with blanks, or an empty one, is in quotes, so that one sees where it ends."""
    text = as_text(value)
    cut = text if len(text) <= _VALUE_MAX else f"{text[: _VALUE_MAX - 1]}…"
    if isinstance(value, str) and (not text or any(char.isspace() or char == '"' for char in text)):
        return msgspec.json.encode(cut).decode()
    return cut
