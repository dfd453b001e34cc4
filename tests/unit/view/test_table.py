"""Rows as data become lines that fit and that never steer the terminal."""

import pytest

from controller.view.table import Cell, Column, Table, render, shorten, visible

TABLE = Table(
    (Column("NAME"), Column("N", right=True), Column("MESSAGE")),
    [
        (Cell("a", "bold"), Cell("1"), Cell("short", "green")),
        (Cell("a-long-name"), Cell("12345"), Cell("a message that goes on and on and on")),
    ],
)


def test_columns_line_up_and_nothing_trails() -> None:
    assert list(render(TABLE)) == [
        "NAME             N  MESSAGE",
        "a                1  short",
        "a-long-name  12345  a message that goes on and on and on",
    ]


def test_only_the_last_column_is_cut() -> None:
    lines = list(render(TABLE, width=40))
    assert lines[2] == "a-long-name  12345  a message that goes…"
    assert max(map(len, lines)) == 40


def test_a_terminal_too_narrow_leaves_something_to_read() -> None:
    assert list(render(TABLE, width=10))[2].endswith("a message that …")


def test_colour_is_around_the_text_and_moves_nothing() -> None:
    plain, coloured = list(render(TABLE))[1], list(render(TABLE, colour=True))[1]
    assert "\x1b[1ma\x1b[0m" in coloured
    assert "\x1b[32mshort\x1b[0m" in coloured
    assert coloured.replace("\x1b[1m", "").replace("\x1b[32m", "").replace("\x1b[0m", "") == plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain, ünïcode", "plain, ünïcode", id="letters stay"),
        pytest.param("two\nlines\tone", "two lines one", id="a newline is a blank"),
        pytest.param("\x1b[31mred", "\\x1b[31mred", id="an escape is shown, not obeyed"),
        pytest.param("bell\x07", "bell\\x07", id="nor a bell"),
    ],
)
def test_what_a_cell_shows(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_shorten_counts_the_ellipsis() -> None:
    assert shorten("12345", 5) == "12345"
    assert shorten("123456", 5) == "1234…"
