"""The parts of a page: tables, paragraphs, and texts behind a label."""

from collections.abc import Iterable, Iterator

from controller.view.look import Look
from controller.view.table import Table, render

INDENT = "  "
_LABEL_WIDTH = 13
_LABELS_FROM_WIDTH = 40  # on a narrower terminal texts are not below each other


def section(heading: str, table: Table, look: Look) -> Iterator[str]:
    if not table.rows:
        return
    yield ""
    if heading:
        yield heading
    width = None if look.width is None else look.width - len(INDENT)
    yield from (INDENT + line for line in render(table, width, look.colour))


def labelled(pairs: Iterable[tuple[str, str]], look: Look) -> Iterator[str]:
    indent = _LABEL_WIDTH if look.width is None or look.width >= _LABELS_FROM_WIDTH else 2
    for label, text in pairs:
        yield from paragraph(f"{label:<{indent}} {text}", look, indent + 1)


def paragraph(text: str, look: Look, indent: int = 0, margin: str = INDENT) -> Iterator[str]:
    """Text that says all of it, in as many lines as it needs."""
    yield from look.wrapped(f"{margin}{text}", len(margin) + indent)
