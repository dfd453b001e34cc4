"""Tables for people: rows as data first, text only at the very end.

A `Table` has cells with a text and a style; the caller decides how to show them. `render` makes
plain lines, in colour and cut to a width if asked. All text is made visible before it is measured.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from controller.model.phases import Phase
from controller.view.ink import paint, visible

GAP = 2  # columns between cells
LAST_COLUMN_MIN = 16  # so much of it is shown before another column is
NAME_MIN = 12  # of a column that shrinks
_ELLIPSIS = "…"

PHASE_STYLES: dict[str, str] = {
    Phase.RUNNING: "cyan",
    Phase.SUCCEEDED: "green",
    Phase.FAILED: "red",
    Phase.CANCELLED: "yellow",
    Phase.SUSPENDED: "yellow",
    Phase.SKIPPED: "dim",
    Phase.PENDING: "dim",
    Phase.READY: "dim",
    Phase.WAITING: "dim",
}
PHASE_MARKS: dict[str, str] = {
    Phase.RUNNING: "●",
    Phase.SUCCEEDED: "✓",
    Phase.FAILED: "✗",
    Phase.CANCELLED: "■",
    Phase.SUSPENDED: "‖",
    Phase.SKIPPED: "·",
    Phase.PENDING: "◌",
    Phase.READY: "◌",
    Phase.WAITING: "○",
}


class Cell(NamedTuple):
    text: str
    style: str = ""


class Column(NamedTuple):
    title: str
    right: bool = False  # aligned to the right, for numbers
    rank: int = 0  # on a narrow terminal the highest is left out first; 0 stays
    shrinks: bool = False  # names: shortened in the middle, to a third of the width


class Table(Struct, frozen=True):
    """The last column gets the remaining width."""

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]

    def only(self, wanted: Callable[[Column, list[str]], bool]) -> "Table":
        """Without the columns that are not wanted, judged by their texts."""
        shown = [
            n
            for n, column in enumerate(self.columns)
            if wanted(column, [row[n].text for row in self.rows])
        ]
        return Table(
            tuple(self.columns[n] for n in shown),
            [tuple(row[n] for n in shown) for row in self.rows],
        )


def phase_cell(phase: str) -> Cell:
    return Cell(phase, PHASE_STYLES.get(phase, ""))


def mark_cell(phase: str) -> Cell:
    """The phase as one character."""
    return Cell(PHASE_MARKS.get(phase, " "), PHASE_STYLES.get(phase, ""))


def render(table: Table, width: int | None = None, colour: bool = False) -> Iterator[str]:
    """Lines of text, none wider than `width`; None: nothing is cut, no column is left out."""
    titles = tuple(Cell(column.title, "bold") for column in table.columns)
    lines = [
        [Cell(visible(cell.text), cell.style) for cell in row] for row in (titles, *table.rows)
    ]
    widths = [max(cells(row[n].text) for row in lines) for n in range(len(titles))]
    shown = list(range(len(titles)))
    if width is not None:
        widths = _shrunk(table.columns, widths, width)
        shown = _with_room(table.columns, widths, width)
        # The last one gets what is left, and a single one is cut.
        if shown[-1] == len(titles) - 1 or len(shown) == 1:
            widths[shown[-1]] = max(0, width - _taken(widths, shown[:-1]))
    for row in lines:
        yield _line(row, table.columns, widths, shown, colour)


def _shrunk(columns: tuple[Column, ...], widths: list[int], width: int) -> list[int]:
    """Shorter names, if not all columns have room."""
    if _taken(widths[:-1], range(len(widths) - 1)) + LAST_COLUMN_MIN <= width:
        return widths
    name_max = max(NAME_MIN, width // 3)
    return [
        min(size, name_max) if column.shrinks else size
        for column, size in zip(columns, widths, strict=True)
    ]


def _with_room(columns: tuple[Column, ...], widths: list[int], width: int) -> list[int]:
    """The columns that there is room for."""
    wanted = [*widths[:-1], min(widths[-1], LAST_COLUMN_MIN)]
    shown = list(range(len(columns)))
    for n in sorted(shown, key=lambda n: -columns[n].rank):
        if columns[n].rank == 0 or _taken(wanted, shown) - GAP <= width:
            break
        shown.remove(n)
    # What is never left out may still be too wide: then the end of the line is.
    least = [*widths[:-1], 1]
    while len(shown) > 1 and _taken(least, shown) - GAP > width:
        shown.pop()
    return shown


def _taken(widths: Sequence[int], shown: Iterable[int]) -> int:
    return sum(widths[n] + GAP for n in shown)


def _line(
    row: list[Cell],
    columns: tuple[Column, ...],
    widths: list[int],
    shown: list[int],
    colour: bool,
) -> str:
    parts = []
    for n in shown:
        cut = middle if columns[n].shrinks else shorten
        text = cut(row[n].text, widths[n])
        padding = " " * (widths[n] - cells(text))
        painted = paint(text, row[n].style if colour else "")
        parts.append(padding + painted if columns[n].right else painted + padding)
    return (" " * GAP).join(parts).rstrip()


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


def middle(text: str, width: int) -> str:
    """Its beginning and its end, if it is wider than `width`: names often differ at the end."""
    if cells(text) <= width:
        return text
    if width < 1:
        return ""
    end = (width - 1) // 2
    return f"{_start(text, width - 1 - end)}{_ELLIPSIS}{_start(text[::-1], end)[::-1]}"


def _start(text: str, width: int) -> str:
    text = text[:width]  # hardly a character takes less than one column
    while cells(text) > width:
        text = text[:-1]
    return text


def wrap(text: str, width: int, first: int = 0) -> Iterator[str]:
    """Lines of whole words; on the first one, `first` columns are taken already."""
    room, line = max(width - first, 1), ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= room:
            line = joined
            continue
        if line:
            yield line
            room = width
        line = word
        while len(line) > room or cells(line) > room:
            part = _start(line, room) or line[:1]
            yield part
            line, room = line[len(part) :], width
    yield line
