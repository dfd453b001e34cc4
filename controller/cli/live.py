"""The live table of `treadle up` on a terminal: workflows, their steps as far as there is room.

Drawn again after each turn, at most ten times a second, and once a second while nothing happens so
that running times move. Everything shown is in the state; nothing is kept here but what to draw.
"""

import sys
import time
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from controller.cli.progress import farewell
from controller.cli.session import Session
from controller.model.phases import TERMINAL, Phase
from controller.model.state import SECOND, State, Step, Workflow

_DRAW_SECONDS_MIN = 0.1
_LINES_SPARE = 5  # of the terminal: title, header, summary

_COLOUR = {
    Phase.PENDING: "dim",
    Phase.READY: "cyan",
    Phase.RUNNING: "bold blue",
    Phase.SUCCEEDED: "green",
    Phase.FAILED: "bold red",
    Phase.SKIPPED: "yellow",
    Phase.CANCELLED: "magenta",
    Phase.SUSPENDED: "yellow",
}


class LiveTable:
    """Shows a session; a context manager that gives the terminal back."""

    refresh_seconds: float | None = 1.0

    def __init__(self, specs: str) -> None:
        self._specs = specs
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._drawn = 0.0
        self._stale = True

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
        if time.monotonic() - self._drawn >= _DRAW_SECONDS_MIN:
            self._draw(session)

    def bye(self, session: Session, *, stopped: bool) -> None:
        self._draw(session)
        self._live.stop()
        for line in farewell(session.controller.state, self._specs, stopped=stopped):
            print(line)
        sys.stdout.flush()

    def _draw(self, session: Session) -> None:
        self._drawn = time.monotonic()
        now = session.controller.edges.clock.now()
        room = max(5, self._console.height - _LINES_SPARE)
        state = session.controller.state
        problems = [
            Text(f"{condition.type}: {condition.message}", style="yellow")
            for condition in session.controller.conditions
        ]
        self._live.update(
            Group(_table(state, now, room), _summary(state, self._specs), *problems), refresh=True
        )


def _table(state: State, now: int, room: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for column in ("WORKFLOW", "PHASE", "STEPS", "TIME"):
        table.add_column(column, no_wrap=True)
    table.add_column("WHY", no_wrap=True, overflow="ellipsis")
    lives = sorted(state.workflows.values(), key=_weight)
    for rows in _fit(lives, now, room):
        table.add_row(*rows)
    return table


def _weight(life: Workflow) -> tuple[int, int]:
    """Running ones first, then those that wait, then the latest finished."""
    if life.phase is Phase.RUNNING:
        return 0, life.order
    return (2, -life.since) if life.finished else (1, life.order)


def _fit(lives: list[Workflow], now: int, room: int) -> Iterator[tuple[Text | str, ...]]:
    """A line for each workflow, and below it its steps while there is room for all workflows."""
    spare = room - len(lives)
    for shown, life in enumerate(lives):
        if shown >= room - 1 and len(lives) > room:
            yield ("", "", "", "", Text(f"… and {len(lives) - shown} more", style="dim"))
            return
        yield _workflow_row(life, now)
        steps = _worth_a_line(life)[: max(0, spare)]
        spare -= len(steps)
        for step in steps:
            yield _step_row(step, now)


def _worth_a_line(life: Workflow) -> list[Step]:
    if life.phase is Phase.SUCCEEDED:
        return []
    order = {Phase.RUNNING: 0, Phase.FAILED: 1, Phase.READY: 2, Phase.PENDING: 3}
    return sorted(life.steps.values(), key=lambda step: (order.get(step.phase, 4), step.index))


def _workflow_row(life: Workflow, now: int) -> tuple[Text | str, ...]:
    done = sum(step.phase in TERMINAL for step in life.steps.values())
    took = ""
    if life.started is not None:
        took = _duration((life.completed or now) - life.started)
    return (
        Text(life.name, style="bold"),
        Text(life.phase, style=_COLOUR[life.phase]),
        f"{done}/{len(life.steps)}",
        took,
        Text(life.message, style="dim"),
    )


def _step_row(step: Step, now: int) -> tuple[Text | str, ...]:
    attempt = step.attempt
    took = ""
    if attempt is not None and attempt.started is not None:
        took = _duration((attempt.finished or now) - attempt.started)
    return (
        f"  {step.name}",
        Text(step.phase, style=_COLOUR[step.phase]),
        f"#{attempt.number}" if attempt is not None else "",
        took,
        Text(step.message, style="dim"),
    )


def _summary(state: State, specs: str) -> Text:
    running = sum(attempt.pid is not None for attempt in state.live.values())
    invalid = f", {len(state.rejected)} invalid" if state.rejected else ""
    text = f"{running} running, {len(state.workflows)} workflows{invalid}; watching {specs}/"
    return Text(f"\n{text}; Ctrl-C stops, running steps go on", style="dim")


def _duration(micros: int) -> str:
    seconds = max(0.0, micros / SECOND)
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
