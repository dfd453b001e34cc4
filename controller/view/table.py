"""Tables for people: rows as data first, text only at the very end.

A `Table` has cells with a text and a style; the caller decides how to show them. `render` makes
plain lines, in colour and cut to a width if asked. Styles are words: green, red, bold …

Text from a spec or a process can contain anything, so control characters are made visible: shown
text can never control the terminal.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from controller.model.phases import Phase

GAP = 2  # columns between cells
LAST_COLUMN_MIN = 16  # a narrower column can't be read: it is better to let the terminal wrap
_ELLIPSIS = "…"

_ANSI = {"green": 32, "red": 31, "yellow": 33, "cyan": 36, "dim": 2, "bold": 1}

PHASE_STYLES: dict[str, str] = {
    Phase.RUNNING: "cyan",
    Phase.SUCCEEDED: "green",
    Phase.FAILED: "red",
    Phase.CANCELLED: "yellow",
    Phase.SUSPENDED: "yellow",
    Phase.SKIPPED: "dim",
    Phase.PENDING: "dim",
}


class Cell(NamedTuple):
    text: str
    style: str = ""


class Column(NamedTuple):
    title: str
    right: bool = False  # aligned to the right, for numbers


class Table(Struct, frozen=True):
    """The last column gets the remaining width; the other columns are never cut."""

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]


def phase_cell(phase: str) -> Cell:
    return Cell(phase, PHASE_STYLES.get(phase, ""))


def render(table: Table, width: int | None = None, colour: bool = False) -> Iterator[str]:
    """Lines of text; `width` None: nothing is cut."""
    titles = tuple(Cell(column.title, "bold") for column in table.columns)
    lines = [titles, *table.rows]
    widths = [max(len(visible(row[n].text)) for row in lines) for n in range(len(titles))]
    if width is not None:
        before = sum(widths[:-1]) + GAP * (len(widths) - 1)
        widths[-1] = max(LAST_COLUMN_MIN, width - before)
    for row in lines:
        yield _line(row, table.columns, widths, cut=width is not None, colour=colour)


def _line(
    row: tuple[Cell, ...], columns: tuple[Column, ...], widths: list[int], cut: bool, colour: bool
) -> str:
    parts = []
    last = len(row) - 1
    for n, cell in enumerate(row):
        text = visible(cell.text)
        if n == last:
            text = shorten(text, widths[n]) if cut else text
        elif columns[n].right:
            text = text.rjust(widths[n])
        padding = "" if n == last else " " * (widths[n] - len(text))
        parts.append(paint(text, cell.style if colour else "") + padding)
    return (" " * GAP).join(parts).rstrip()


def paint(text: str, style: str) -> str:
    return f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if style and text else text


# ---------------------------------------- text of a certain width


def cells(text: str) -> int:
    """How many columns of a terminal it takes: some characters take two, some none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def shorten(text: str, width: int) -> str:
    """Its beginning, if it is wider than `width`."""
    if cells(text) <= width:
        return text
    return f"{_start(text, width - 1)}{_ELLIPSIS}" if width > 0 else ""


def _start(text: str, width: int) -> str:
    text = text[:width]  # hardly a character takes less than one column
    while cells(text) > width:
        text = text[:-1]
    return text


def visible(text: str) -> str:
    """One line without control characters."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char in "\n\t" else f"\\x{ord(char):02x}"
        for char in text
    )
