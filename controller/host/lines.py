"""What a user sees while a controller runs and its output does not go to a terminal."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, Protocol

from controller.host.farewell import farewell, steps_in_words
from controller.host.faults import show_faults
from controller.host.session import Session
from controller.log.output import last_lines
from controller.model.phases import Phase
from controller.model.state import Condition, Move, State
from controller.view.failure import LINES_SHOWN, block, of_present_run
from controller.view.faults import stays_in_force
from controller.view.table import visible

Outputs = Literal["failed", "all", "none"]  # whose output is shown


class Progress(Protocol):
    refresh_seconds: float | None  # draw again after this time, even if nothing happened

    def hello(self, session: Session) -> None: ...
    def show(self, session: Session) -> None: ...
    def ending(self, running: int) -> None: ...
    def bye(self, session: Session, *, stopped: bool, ended: int) -> None: ...


class Lines:
    """A line for each phase that changes: `2026-11-23T12:00:01+01:00 etl/extract Running: …`."""

    refresh_seconds: float | None = None

    def __init__(self, specs: str, outputs: Outputs = "failed") -> None:
        self._specs = specs
        self._outputs = outputs
        self._shown: dict[str, object] = {}  # path -> the rejection that was printed
        self._conditions = ConditionLines()

    def hello(self, session: Session) -> None:
        for life in session.controller.state.workflows.values():
            for step in life.steps.values():
                if step.live is not None and step.live.pid is not None:
                    self._say(f"{life.name}/{step.name} adopted, pid {step.live.pid}")
        sys.stdout.flush()

    def show(self, session: Session) -> None:
        for note in session.notes():
            print(f"treadle: {note}", file=sys.stderr)
        self._show_faults(session.controller.state)
        self._conditions.show(session.controller.conditions)
        for move in session.moves:
            if move.phase is not Phase.READY:
                self._say(line(move))
            for text in printed(session.controller.state, session.state_dir, move, self._outputs):
                print(text)
        if session.moves:
            sys.stdout.flush()

    def ending(self, running: int) -> None:
        self._say(f"stopping {steps_in_words(running)}; another Ctrl-C exits at once")
        sys.stdout.flush()

    def bye(self, session: Session, *, stopped: bool, ended: int) -> None:
        for line in farewell(session, self._specs, stopped=stopped, ended=ended):
            self._say(line)

    def _show_faults(self, state: State) -> None:
        """Print each new fault of a file or a marker once, on stderr."""
        new = [one for path, one in state.rejected.items() if self._shown.get(path) is not one]
        names = {name for rejected in new for name in rejected.names}
        faults = [fault for rejected in new for fault in rejected.faults]
        show_faults(faults, stays_in_force(state, sorted(names)))
        for path, bad in state.bad_markers.items():
            if self._shown.get(path) is not bad:
                print(f"treadle: {path}: {bad.problem}", file=sys.stderr)
        self._shown = {**state.rejected, **state.bad_markers}

    @staticmethod
    def _say(text: str) -> None:
        print(f"{_now()} {text}")


class ConditionLines:
    """Prints on stderr when a condition of the controller begins or ends."""

    def __init__(self) -> None:
        self._shown: list[Condition] = []

    def show(self, now: list[Condition]) -> None:
        before = {condition.message for condition in self._shown}
        types = {condition.type for condition in now}
        for condition in now:
            if condition.message not in before:
                print(f"treadle: {condition.type}: {condition.message}", file=sys.stderr)
        for condition in self._shown:
            if condition.type not in types:
                print(f"treadle: {condition.type}: no longer", file=sys.stderr)
        self._shown = now


def _now() -> str:
    """Local time: in full where a file or a pipe keeps the line, on a terminal without the date."""
    now = datetime.now().astimezone()
    return f"{now:%H:%M:%S}" if sys.stdout.isatty() else now.isoformat(timespec="seconds")


def printed(state: State, state_dir: str, move: Move, outputs: Outputs) -> Iterator[str]:
    """The last lines of output of a step that has just finished, if these are wanted."""
    if not move.step or move.phase not in _SHOWN[outputs]:
        return
    life = state.lives.get(move.uid)
    step = life.steps.get(move.step) if life is not None else None
    attempt = of_present_run(life, step) if life is not None and step is not None else None
    if life is not None and attempt is not None:
        lines = last_lines(state_dir, attempt.log, LINES_SHOWN)
        yield from block(life, move.step, attempt, lines)


_SHOWN: dict[Outputs, tuple[Phase, ...]] = {
    "failed": (Phase.FAILED,),
    "all": (Phase.FAILED, Phase.SUCCEEDED),
    "none": (),
}


def line(move: Move) -> str:
    """`etl/extract Running: attempt 1, pid 4711`."""
    name = f"{move.workflow}/{move.step}" if move.step else move.workflow
    why = f": {visible(move.message)}" if move.message else ""
    return f"{name} {move.phase}{why}"
