"""Shows faults of specs on stderr: a picture of each on a terminal, else one line each."""

import os
import sys
from collections.abc import Sequence

from controller.errors import Fault
from controller.model.state import State
from controller.printing import note
from controller.view.faults import pictures, short, stays_in_force


def show_faults(faults: Sequence[Fault], outcome: str = "") -> None:
    """`outcome`: what comes of them, for a person: `generation 4 stays in force`."""
    if not faults:
        return
    width = _width()
    if width is None:
        lines = list(map(short, faults))
    else:
        lines = list(pictures(faults, width, not os.environ.get("NO_COLOR"), outcome))
    note(*lines)


def in_force(state: State, specs: str, faults: Sequence[Fault]) -> str:
    """Which version of the workflows in these files counts until the files are mended."""
    files = {os.path.abspath(fault.file) for fault in faults if fault.severity == "error"}
    homes = {
        life.name: os.path.abspath(os.path.join(specs, life.path))
        for life in state.workflows.values()
        if life.origin == "folder"
    }
    return stays_in_force(state, [name for name, home in homes.items() if home in files])


def _width() -> int | None:
    """The width of stderr; None if it is not a terminal that can be drawn on."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns):
        return int(columns)
    return os.get_terminal_size(sys.stderr.fileno()).columns or 80
