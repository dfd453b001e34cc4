"""Rows as data become lines that fit and that never steer the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.view.ink import inked, visible
from controller.view.table import Cell, Column, Table, cells, middle, render, shorten

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


def test_the_last_column_gets_what_is_left() -> None:
    lines = list(render(TABLE, width=40))
    assert lines[2] == "a-long-name  12345  a message that goes…"
    assert max(map(len, lines)) == 40


LISTING = Table(
    (
        Column("NAME", shrinks=True),
        Column("PHASE"),
        Column("STEPS", right=True, rank=1),
        Column("AGE", right=True, rank=2),
        Column("MESSAGE"),
    ),
    [tuple(map(Cell, ("nightly-regional-sales-export", "Running", "3/41", "12s", "load runs")))],
)


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (200, "nightly-regional-sales-export  Running   3/41  12s  load runs"),
        (60, "nightly-re…es-export  Running   3/41  12s  load runs"),
        (50, "nightly-…-export  Running   3/41  12s  load runs"),
        (38, "nightl…xport  Running  load runs"),
        (32, "nightl…xport  Running  load runs"),
        (24, "nightl…xport  Running  …"),
        (14, "nightly…export"),
        (9, "nigh…port"),
    ],
)
def test_on_a_narrow_terminal_names_shrink_and_then_columns_go(width: int, row: str) -> None:
    assert list(render(LISTING, width))[1] == row


def test_colour_is_around_the_text_and_moves_nothing() -> None:
    plain, coloured = list(render(TABLE))[1], inked(list(render(TABLE, colour=True))[1])
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


@given(texts.map(visible), st.integers(0, 40))
def test_a_shortened_text_fits_and_says_that_it_goes_on(text: str, width: int) -> None:
    for short in (shorten(text, width), middle(text, width)):
        assert cells(short) <= width
        if cells(text) <= width:
            assert short == text
        elif width:
            first, last = short.split("…", 1) if text.count("…") == 0 else ("", "")
            assert text.startswith(first)
            assert text.endswith(last)


def test_a_wide_character_counts_as_it_is_wide() -> None:
    assert shorten("日本語の名前", 7) == "日本語…"
    assert middle("日本語の名前", 7) == "日…前"
    table = Table(
        (Column("NAME"), Column("N")), [(Cell("日本"), Cell("1")), (Cell("abcd"), Cell("2"))]
    )
    assert list(render(table)) == ["NAME  N", "日本  1", "abcd  2"]


@given(st.lists(st.tuples(texts, texts, texts), max_size=5), st.integers(1, 100))
def test_a_row_is_a_line_and_no_line_is_longer_than_the_terminal(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    for columns in (TABLE.columns, (Column("A", shrinks=True), Column("B", rank=1), Column("C"))):
        lines = list(render(Table(columns, [tuple(map(Cell, row)) for row in rows]), width))
        assert len(lines) == len(rows) + 1
        assert all(line.isprintable() and cells(line) <= width for line in lines)


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
        cells(line[: line.rindex("\u2502")])
        for line in list(render(table))[1:]
        if line.count("\u2502") == 1
    }
    assert len(places) <= 1
