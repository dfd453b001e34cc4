"""Params and outputs on one line."""

from typing import Any

import pytest

from controller.view.ink import visible
from controller.view.values import in_short


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"date": "2026-11-23", "rows": 5}, "date=2026-11-23 rows=5"),
        ({"share": 5.0, "dry": False}, "share=5.0 dry=false"),
        ({"regions": ["eu", 1], "sizes": {"a": None}}, 'regions=["eu",1] sizes={"a":null}'),
        ({"a": "", "b": "x y", "c": 'say "x"'}, r'a="" b="x y" c="say \"x\""'),
        ({"a": "two\nlines\t"}, r'a="two\nlines\t"'),
        ({"a": "x" * 41}, f"a={'x' * 39}…"),
        ({"a": "x " * 30}, f'a="{"x " * 19}x…"'),
        ({"a": ["x" * 60]}, f'a=["{"x" * 37}…'),
        ({f"a{n}": n for n in range(14)}, " ".join(f"a{n}={n}" for n in range(12)) + " and 2 more"),
    ],
)
def test_in_short(values: dict[str, Any], text: str) -> None:
    assert in_short(values) == text


def test_a_value_controls_no_terminal() -> None:
    assert "\x1b" not in visible(in_short({"a": "\x1b[2J", "b": ["\x1b[2J"]}))
