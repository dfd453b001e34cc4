"""How output is shown: on a terminal or in a file, in colour, as JSON or YAML."""

import argparse
import os
import sys
import time
from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from controller.cli.settings import no_state
from controller.printing import note, say, say_data
from controller.view.ink import paint
from controller.view.look import Look
from controller.view.table import Table, render

if TYPE_CHECKING:
    from controller.model.state import State
    from controller.view.shape import ControllerShape

_CANT_MOVE = ("", "dumb", "unknown")  # values of $TERM: nothing is known of such a terminal


def terminal_width() -> int | None:
    """The width of stdout; None if it is not a terminal: then nothing is cut."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def can_draw() -> bool:
    """Whether stdout is a terminal on which a live view can be drawn."""
    knows_unicode = sys.stdout.encoding.lower() == "utf-8"
    return sys.stdout.isatty() and knows_unicode and os.environ.get("TERM", "") not in _CANT_MOVE


def in_colour(stream: TextIO | None = None) -> bool:
    """Whether stdout, or another stream, shows colours."""
    dumb = os.environ.get("TERM") == "dumb" or os.environ.get("NO_COLOR")
    return (stream or sys.stdout).isatty() and not dumb


def look(args: argparse.Namespace, now: int | None = None, stood: int | None = None) -> Look:
    """How this command shows things; `now`: as of that moment, instead of the present."""
    return Look(
        now=time.time_ns() // 1000 if now is None else now,
        zone=UTC if args.utc else None,
        width=terminal_width(),
        colour=in_colour(),
        stood=stood,
    )


def show_table(table: Table) -> None:
    show_lines(render(table, terminal_width(), in_colour()))


def show_lines(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def show(value: Any, form: str) -> None:
    """Print `value` as JSON or YAML."""
    if form == "yaml":
        from controller.view.changes.yaml_text import as_yaml

        say_data(as_yaml(msgspec.to_builtins(value)))
    else:
        say_data(f"{msgspec.json.format(msgspec.json.encode(value)).decode()}\n")


def show_line(value: Any) -> None:
    """Print `value` as one line of JSON."""
    say_data(f"{msgspec.json.encode(value).decode()}\n")


def aside(text: str) -> None:
    """Print a line for people, on stderr, at its place in what is on stdout."""
    sys.stdout.flush()
    note(paint(text, "dim" if in_colour(sys.stderr) else ""))


def note_if_nothing(args: argparse.Namespace, state: "State") -> None:
    """For people, name the folder where there is no record: perhaps another one was meant."""
    if not state.seq and args.output in (None, "wide"):
        note(f"{no_state(args)}; `treadle up` starts a controller")


def controller_lines(state: "State", controller: "ControllerShape") -> list[str]:
    """What a user must know about the controller to understand the table."""
    lines = [
        f"controller: {condition.type}: {condition.message}"
        for condition in controller.conditions
        if condition.status == "True"
    ]
    unfinished = any(not life.finished for life in state.workflows.values())
    if controller.phase == "Stopped" and unfinished:
        lines.append("warning: no controller is running; start one: `treadle up`")
    return lines
