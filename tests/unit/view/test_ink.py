"""What may be printed: nothing from outside steers a terminal, and our styles do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.view.changes.yaml_text import as_yaml
from controller.view.ink import HIDDEN, as_json, inked, inked_output, paint

HOSTILE = "\x00\x07\x08\t\n\r\x1b[2J\x7f\x85\x9b\u061c\u200b\u200f\u2028\u2029\u202e\u2066\ufeff"
anything = st.text(max_size=40) | st.text(f"ab'\" :#-\\{HOSTILE}\U000e0041é漢", max_size=40)


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("plain", "plain"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("one\ntwo\tthree\r", r"one two three\r"),
        ("a\u202eb\x9b\U000e0041", r"a\u202eb\x9b\U000e0041"),
        ("a\udcffb", r"a\udcffb"),
        (f"a {paint('b', 'red')} c", "a \x1b[31mb\x1b[0m c"),
        (paint("\x1b[2J", "bold"), "\x1b[1m\\x1b[2J\x1b[0m"),
        (paint("", "red") + paint("a", ""), "a"),
    ],
)
def test_a_line_on_its_way_to_a_terminal(line: str, printed: str) -> None:
    assert inked(line) == printed


@given(anything)
def test_no_text_has_a_style_of_its_own(text: str) -> None:
    """Whatever can be written as UTF-8."""
    assert inked(text).isprintable()


@pytest.mark.parametrize(
    ("line", "coloured", "printed"),
    [
        ("\x1b[31mred", True, "\x1b[31mred\x1b[0m"),
        ("\x1b[1;38;5;8mx\x1b[0m y", True, "\x1b[1;38;5;8mx\x1b[0m y\x1b[0m"),
        ("\x1b[31mred", False, r"\x1b[31mred"),
        ("\x1b[2J\x1b[31m\x1b]0;t\x07", True, r"\x1b[2J" "\x1b[31m" r"\x1b]0;t\x07" "\x1b[0m"),
        ("a\tb", True, "a       b"),
    ],
)
def test_what_a_step_printed_keeps_its_colours(line: str, coloured: bool, printed: str) -> None:
    assert inked_output(line, coloured) == printed


@given(anything)
def test_data_says_the_same_without_what_is_hidden(text: str) -> None:
    written = json.dumps({"a": text}, ensure_ascii=False)
    assert json.loads(as_json(written)) == {"a": text}
    assert not HIDDEN.search(as_json(written))


@given(anything)
def test_yaml_says_the_same_without_what_is_hidden(text: str) -> None:
    import yaml

    written = as_yaml({text: [text]})
    assert yaml.safe_load(written) == {text: [text]}
    assert not HIDDEN.search(written)
