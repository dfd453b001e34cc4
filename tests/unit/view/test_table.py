"""Rows as data become lines that fit and that never steer the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.view.table import (
    GAP,
    LAST_COLUMN_MIN,
    Cell,
    Column,
    Table,
    cells,
    render,
    shorten,
    visible,
)

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


texts = st.text(max_size=30) | st.text("ab\n\t\x1b\x00\x7fé\u202e\u2028", max_size=30)


@given(texts)
def test_whatever_a_text_holds_it_is_shown_as_one_printable_line(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert visible(shown) == shown
    if text.isprintable():
        assert shown == text


@given(texts, st.integers(1, 40))
def test_a_shortened_text_fits_and_says_that_it_goes_on(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cells(short) <= width
    if short != text:
        assert cells(text) > width
        assert text.startswith(short[:-1])
        assert short.endswith("…")


@given(st.lists(st.tuples(texts, texts, texts), max_size=5), st.integers(1, 100))
def test_a_row_is_a_line_and_no_line_is_longer_than_the_terminal(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    table = Table(TABLE.columns, [tuple(map(Cell, row)) for row in rows])
    lines = list(render(table, width))
    assert len(lines) == len(rows) + 1
    before = sum(
        max(len(visible(row[n])) for row in [("NAME", "N", ""), *rows]) + GAP for n in range(2)
    )
    for line in lines:
        assert line.isprintable()
        assert len(line) <= max(width, before + LAST_COLUMN_MIN)


@given(st.lists(st.tuples(texts, texts, texts), max_size=5))
def test_the_columns_begin_at_the_same_place_in_every_line(
    rows: list[tuple[str, str, str]],
) -> None:
    """With a mark at the front of each last cell, which nothing cuts."""
    table = Table(
        TABLE.columns,
        [(Cell(name), Cell(number), Cell(f"\u2502{message}")) for name, number, message in rows],
    )
    places = {
        line.rindex("\u2502") for line in list(render(table))[1:] if line.count("\u2502") == 1
    }
    assert len(places) <= 1
