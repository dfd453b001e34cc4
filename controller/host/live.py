"""The live view on a terminal, for `up` and `run`, and for those that follow.

It is drawn when something changes, and once a second while nothing does, so that running times
advance. A drawing that takes long is followed by a pause that is longer, so that all drawing
together takes less than a twentieth of a core, whatever the number of steps. In the background it
prints lines.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from types import TracebackType

from controller.host.farewell import steps_in_words
from controller.host.lines import Left, Lines, Outputs, ends
from controller.host.news import News
from controller.host.terminal import Terminal
from controller.log.output import last_lines
from controller.model.phases import Phase
from controller.model.state import Attempt, State
from controller.printing import complain, say
from controller.view.failure import LINES_SHOWN, block, failed
from controller.view.faults import short
from controller.view.live.board import KEYS, Board, BoardContent
from controller.view.live.choice import KeyOrder, Leaving
from controller.view.look import Look

_REFRESH_SECONDS = 1.0
_DRAW_SECONDS_MIN = 0.1
_SHARE_MAX = 0.04  # of a core, for drawing
_KEEP_NOTES = 2
_BLOCKS_MAX = 5  # outputs of failed steps, at the end

_HOW_TO_LEAVE: dict[Leaving, str] = {
    "stop": "q quit (steps keep running)",
    "end": "q quit (stops running steps)",
    "follow": "q stop following",
    "ask": "q quit",
}
_WITHOUT_KEYS: dict[Leaving, str] = {
    "stop": "Ctrl-C quits (steps keep running)",
    "end": "Ctrl-C quits (stops running steps)",
    "follow": "Ctrl-C stops following",
    "ask": "Ctrl-C cancels running steps",
}


class LiveView:
    """Shows news. As a context manager it restores the terminal at the end.

    `words`: the options that tell other commands which folders these are. `zone` None: the zone of
    this machine.
    """

    refresh_seconds: float | None = _REFRESH_SECONDS
    left: Left = ""

    def __init__(
        self,
        specs: str,
        words: Sequence[str],
        outputs: Outputs = "failed",
        leaving: Leaving = "stop",
        title: str = "",
        zone: tzinfo | None = None,
    ) -> None:
        self._specs, self._words, self._outputs, self._leaving = specs, words, outputs, leaving
        self._title = title or specs.rstrip("/")
        self._zone = zone
        self._terminal = Terminal()
        self._board = Board(leaving)
        self._lines = Lines(specs, outputs, zone)
        self._drawn, self._drawn_seq, self._pause = 0.0, 0, _DRAW_SECONDS_MIN
        self._width: int | None = None  # at the last drawing: now the terminal may be gone
        self._notes: list[str] = []
        self._failed: set[tuple[str, str]] = set()  # uid and step, since this began
        self._command: subprocess.Popen[str] | None = None
        self._ending = ""

    def __enter__(self) -> "LiveView":
        self._terminal.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._terminal.__exit__(kind, error, trace)

    def keys(self) -> int | None:
        return self._terminal.fileno()

    def hello(self, news: News) -> None:
        self.show(news)

    def show(self, news: News) -> None:
        if not self._terminal.take():
            self.refresh_seconds = _REFRESH_SECONDS
            self._lines.show(news)
            return
        self._notes += news.notes
        self._failed |= {(move.uid, move.step) for move in news.moves if move.phase is Phase.FAILED}
        pressed = self._terminal.keys()
        for key in pressed:
            order = self._board.choice.press(key, news.state)
            if order is not None:
                self._carry_out(order)
            if self._board.choice.asks:
                # Only who has seen the question answers it, not what was typed or pasted before.
                self._terminal.forget_typed()
                break
        since = time.monotonic() - self._drawn
        said, changed = self._look_at_command(), news.state.seq != self._drawn_seq
        at_once = said or bool(pressed) or self._terminal.resized
        pause = 0.0 if at_once else self._pause if changed else _REFRESH_SECONDS
        if since < pause or self._terminal.is_behind():
            self.refresh_seconds = max(_DRAW_SECONDS_MIN, pause - since)
        else:
            self._draw(news)
            self.refresh_seconds = max(_REFRESH_SECONDS, self._pause)

    def ending(self, running: int) -> None:
        self._ending = f"stopping {steps_in_words(running)}; Ctrl-C exits at once"

    def bye(self, news: News, *, stopped: bool, ended: int) -> None:
        self._terminal.give_back()
        for note in self._notes:
            complain(note)
        if self._outputs != "none":
            for text in self._failures(news):
                say(text)
        look = Look(now=news.now, width=self._width)
        for text in ends(news, self._specs, stopped=stopped, ended=ended):
            say(*look.wrapped(text, hang=2))
        sys.stdout.flush()

    # ---------------------------------------- drawing

    def _draw(self, news: News) -> None:
        self._drawn, self._drawn_seq = time.monotonic(), news.state.seq
        self._width, height = self._terminal.size
        look = Look(
            now=news.now,
            zone=self._zone,
            width=self._width,
            colour=self._terminal.in_colour,
            stood=news.stood,
        )
        has_keys = self._terminal.has_keys
        content = BoardContent(
            news.state,
            self._title,
            only=news.only,
            limits=news.limits,
            problems=tuple(self._problems(news)),
            keys=KEYS if has_keys else (),
            leaving=self._ending or (_HOW_TO_LEAVE if has_keys else _WITHOUT_KEYS)[self._leaving],
        )

        def tail(attempt: Attempt, count: int) -> list[str]:
            return last_lines(news.state_dir, attempt.log, count)

        self._terminal.draw(self._board.draw(content, look, height, tail))
        took = time.monotonic() - self._drawn
        self._pause = max(_DRAW_SECONDS_MIN, took / _SHARE_MAX)

    def _problems(self, news: News) -> Iterator[str]:
        """The controller's conditions, its last notes, and the faults of files and markers."""
        for condition in news.conditions:
            yield f"{condition.type}: {condition.message}"
        yield from self._notes[-_KEEP_NOTES:]
        if self._specs:
            yield from _faults(news.state)

    def _failures(self, news: News) -> Iterator[str]:
        """The output of the steps that failed meanwhile, for the screen that stays."""
        blocks = [
            (life, step, attempt)
            for life in news.workflows()
            for step, attempt in failed(life)
            if (life.uid, step) in self._failed
        ]
        for life, step, attempt in blocks[:_BLOCKS_MAX]:
            lines = last_lines(news.state_dir, attempt.log, LINES_SHOWN)
            yield from block(life, step, attempt, lines)

    # ---------------------------------------- orders

    def _carry_out(self, order: KeyOrder) -> None:
        """Do what a key asked for, by the command that a person would type."""
        if order.verb == "detach" or (order.verb == "quit" and self._leaving == "follow"):
            self.left = order.verb
        elif order.verb == "quit":
            os.kill(os.getpid(), signal.SIGINT)
        elif self._command is not None:
            self._board.choice.said = "the last command is not done yet"
        else:
            # -P: no file in the current folder is imported instead of a module of ours.
            program = [sys.executable, "-P", "-m", "controller.cli", order.verb, *self._words]
            try:
                self._command = subprocess.Popen(
                    [*program, "--", order.workflow, *filter(None, [order.step])],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            except OSError as error:
                self._board.choice.said = f"treadle {order.verb}: {error.strerror}"

    def _look_at_command(self) -> bool:
        """Show what it did, or why it didn't, once it has ended: then this is true."""
        if self._command is None or self._command.poll() is None:
            return False
        done, advice = self._command.communicate()
        self._command = None
        self._board.choice.said = "; ".join((done or advice).splitlines())
        return True


def _faults(state: State) -> Iterator[str]:
    for rejected in state.rejected.values():
        yield from map(short, rejected.faults)
    for bad in state.bad_markers.values():
        yield f"{bad.path}: {bad.problem}"
