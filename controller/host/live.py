"""The live table of `treadle up` on a terminal: workflows, and their steps if there is room.

It is drawn after each turn, at most ten times a second, and once a second while nothing happens, so
that running times advance. Everything shown comes from the state.
"""

import sys
import time
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from controller.host.farewell import farewell, steps_in_words
from controller.host.lines import Outputs, printed
from controller.host.outlet import is_behind
from controller.host.session import Session
from controller.model.phases import Phase
from controller.model.state import State, Step, Workflow
from controller.view import figures
from controller.view.find import NeverValid
from controller.view.listing import Entry, list_row, listed
from controller.view.look import Look
from controller.view.table import Cell, Column, Table, phase_cell, render, shorten, visible

_DRAW_SECONDS_MIN = 0.1
_REFRESH_SECONDS = 1.0
_LINES_SPARE = 4  # of the terminal: titles, summary, and the line of the cursor
_PROBLEMS_MAX = 6
_COLUMNS = (
    Column("WORKFLOW"),
    Column("PHASE"),
    Column("STEPS"),
    Column("TIME", right=True),
    Column("MESSAGE"),
)


class LiveTable:
    """Shows a session. As a context manager it restores the terminal at the end."""

    refresh_seconds: float | None = _REFRESH_SECONDS

    def __init__(self, specs: str, outputs: Outputs = "failed", *, end_steps: bool) -> None:
        self._specs = specs
        self._outputs = outputs
        self._ctrl_c = (
            "Ctrl-C also stops running steps" if end_steps else "Ctrl-C stops, running steps go on"
        )
        self._terminal = sys.stdout
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._drawn = 0.0

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def hello(self, session: Session) -> None:
        self._draw(session)

    def show(self, session: Session) -> None:
        for note in session.notes():
            self._console.print(f"[yellow]{note}[/]", highlight=False)
        for move in session.moves:
            for text in printed(session.controller.state, session.state_dir, move, self._outputs):
                self._console.print(Text(text))  # above the table, where it stays
        self.refresh_seconds = _REFRESH_SECONDS
        if is_behind(self._terminal):
            return  # it has not taken the last drawing yet
        if time.monotonic() - self._drawn >= _DRAW_SECONDS_MIN:
            self._draw(session)
        else:
            self.refresh_seconds = _DRAW_SECONDS_MIN  # so that old news is replaced soon

    def ending(self, running: int) -> None:
        self._ctrl_c = f"stopping {steps_in_words(running)}, another Ctrl-C exits at once"

    def bye(self, session: Session, *, stopped: bool, ended: int) -> None:
        self._draw(session)
        self._live.stop()
        for line in farewell(session, self._specs, stopped=stopped, ended=ended):
            print(line)
        sys.stdout.flush()

    def _draw(self, session: Session) -> None:
        self._drawn = time.monotonic()
        now = session.controller.edges.clock.now()
        size = self._console.size
        state = session.controller.state
        problems = list(_problems(session))[:_PROBLEMS_MAX]
        room = max(3, size.height - _LINES_SPARE - len(problems))
        table = Table(_COLUMNS, list(_fit(state, _in_order(state), now, room)))
        lines = [
            *render(table, size.width - 1, colour=self._console.color_system is not None),
            "",
            shorten(self._summary(session), size.width - 1),
            *(shorten(visible(problem), size.width - 1) for problem in problems),
        ]
        # A wrapped line would push another line off the screen.
        shown = Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop")
        self._live.update(shown, refresh=True)

    def _summary(self, session: Session) -> str:
        count = len(session.controller.state.workflows)
        workflows = "1 workflow" if count == 1 else f"{count} workflows"
        watching = f"watching {self._specs.rstrip('/')}"
        return f"{session.running()} running, {workflows}; {watching}; {self._ctrl_c}"


def _problems(session: Session) -> Iterator[str]:
    """The controller's conditions, and the faults of files and markers."""
    for condition in session.controller.conditions:
        yield f"{condition.type}: {condition.message}"
    state = session.controller.state
    for rejected in state.rejected.values():
        yield from map(str, rejected.faults)
    for bad in state.bad_markers.values():
        yield f"{bad.path}: {bad.problem}"


def _in_order(state: State) -> list[Entry]:
    return sorted(listed(state, lambda _labels: True), key=_weight)


def _weight(entry: Entry) -> tuple[int, int]:
    """Order: never valid, running, waiting, then finished with the latest first."""
    if isinstance(entry, NeverValid):
        return 0, 0
    if entry.phase is Phase.RUNNING:
        return 1, entry.order
    return (3, -entry.since) if entry.finished else (2, entry.order)


def _fit(state: State, entries: list[Entry], now: int, room: int) -> Iterator[tuple[Cell, ...]]:
    """A row for each workflow, with its steps below if there is room for all workflows."""
    spare = room - len(entries)
    for shown, entry in enumerate(entries):
        if shown >= room - 1 and len(entries) > room:
            yield (Cell(f"… and {len(entries) - shown} more", "dim"), *(Cell(""),) * 4)
            return
        yield _workflow_row(state, entry, now)
        if isinstance(entry, NeverValid) or entry.phase is Phase.SUCCEEDED:
            continue
        steps = _worth_a_line(entry)[: max(0, spare)]
        spare -= len(steps)
        for step in steps:
            yield _step_row(state, entry, step, now)


def _worth_a_line(workflow: Workflow) -> list[Step]:
    order = {Phase.RUNNING: 0, Phase.FAILED: 1, Phase.READY: 2, Phase.PENDING: 3}
    return sorted(workflow.steps.values(), key=lambda step: (order.get(step.phase, 4), step.index))


def _workflow_row(state: State, entry: Entry, now: int) -> tuple[Cell, ...]:
    """The row of `get`, without the age."""
    name, phase, steps, took, _age, message = list_row(state, entry, Look(now=now))
    return name, phase, steps, took, message


def _step_row(state: State, life: Workflow, step: Step, now: int) -> tuple[Cell, ...]:
    look = Look(now=now)
    took, note = figures.took(life, step, look), figures.note(state, life, step, look)
    return Cell(f"  {step.name}"), phase_cell(step.phase), Cell(""), Cell(took), Cell(note)
