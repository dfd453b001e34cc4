"""What a user sees while workflows run and the output does not go to a terminal: lines."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Literal, Protocol

from controller.host.farewell import farewell, lacks, steps_in_words, summaries
from controller.host.faults import show_faults
from controller.host.news import News
from controller.log.output import NewLines, last_lines
from controller.model.phases import WORKFLOW_TERMINAL, AttemptPhase, Phase, Reason
from controller.model.state import SECOND, Condition, Move, State, Step
from controller.printing import complain, say, say_data
from controller.view import words
from controller.view.failure import LINES_SHOWN, block, of_present_run
from controller.view.faults import stays_in_force
from controller.view.firings import due_time, is_toggle
from controller.view.look import Look
from controller.view.pools import is_stuck, of_lack
from controller.view.times import rfc3339, span

Outputs = Literal["failed", "all", "none", "stream"]  # whose output is shown; or while it comes
_STREAM_SECONDS = 0.2
Left = Literal["", "quit", "detach"]  # nothing; to end; to go on in the background


class Progress(Protocol):
    """Something that shows what happens."""

    refresh_seconds: float | None  # show again after this time, even if nothing happened
    left: Left  # what the person at the keys wants of this command

    def keys(self) -> int | None:
        """A file that can be read when there is a key to react to."""

    def hello(self, news: News) -> None: ...
    def show(self, news: News) -> None: ...
    def ending(self, running: int) -> None:
        """Running steps are being stopped."""

    def bye(self, news: News, *, stopped: bool, ended: int) -> None: ...


class Lines:
    """A line for each phase that changes: `…T12:00:01+01:00 etl/load Failed after 3.1s: …`; and
    for each firing.

    `specs`: the folder, of `up`; "" for `run`, which says less at its end.
    """

    refresh_seconds: float | None = None
    left: Left = ""

    def __init__(self, specs: str, outputs: Outputs = "failed", zone: tzinfo | None = None) -> None:
        """`zone` None: the zone of this machine."""
        self._specs = specs
        self._outputs = outputs
        self._zone = zone
        self._streams: dict[tuple[str, str, int], NewLines] = {}  # by uid, step, attempt
        if outputs == "stream":
            self.refresh_seconds = _STREAM_SECONDS
        self._shown: dict[str, object] = {}  # path -> the rejection that was printed
        self._conditions = ConditionLines()

    def keys(self) -> int | None:
        return None

    def hello(self, news: News) -> None:
        for life in news.workflows():
            for step in life.with_hooks:
                if step.live is not None and step.live.pid is not None:
                    self._say(f"{life.name}/{step.name} adopted, pid {step.live.pid}")
                if step.asking is not None:
                    answer = words.answers(life.name, step.name)[0]
                    self._say(f"{life.name}/{step.name} {step.message} ({answer})")
        sys.stdout.flush()

    def show(self, news: News) -> None:
        for note in news.notes:
            complain(note)
        if self._specs:
            self._show_faults(news.state)
        self._conditions.show(list(news.conditions))
        if self._outputs == "stream":
            self._show_streams(news)
        for move in news.moves:
            if not news.shows(move.uid):
                continue
            if not _is_told_otherwise(move, news.state):
                self._say(line(move, news.state, self._look(news)))
            for text in printed(news, move, self._outputs):
                say(text)
        for firing in news.firings:
            if news.shows(firing.uid) and firing.uid in news.state.lives:
                from controller.view.story import of_firing  # in `run` nothing fires

                name = news.state.lives[firing.uid].name
                self._say(f"{name}: {of_firing(firing, self._look(news))}")
        if news.moves or news.firings or self._streams:
            sys.stdout.flush()

    def _look(self, news: News) -> Look:
        """How moments are shown in a line: on a terminal in short, and nothing is cut."""
        return Look(now=news.now, zone=self._zone, width=sys.maxsize if _on_terminal() else None)

    def _show_streams(self, news: News) -> None:
        """What the steps have printed since the last time, each line with the name of its step."""
        attempts = {
            (uid, name, attempt.number): attempt
            for (uid, name), attempt in news.state.live.items()
            if attempt.phase is AttemptPhase.RUNNING and news.shows(uid)
        }
        over = [key for key in self._streams if key not in attempts]
        for move in news.moves:  # it began and ended since the last time
            life = news.state.lives.get(move.uid)
            step = life.find(move.step) if life is not None and news.shows(move.uid) else None
            attempt = of_present_run(life, step) if life is not None and step is not None else None
            if attempt is not None and not attempt.live and move.was is Phase.RUNNING:
                key = (move.uid, move.step, attempt.number)
                if key not in self._streams:
                    self._streams[key] = NewLines(news.state_dir, attempt.log)
                    over.append(key)
        for key, attempt in attempts.items():
            stream = self._streams.setdefault(key, NewLines(news.state_dir, attempt.log))
            _print_all(news.state, key, stream.read())
        for key in over:
            _print_all(news.state, key, self._streams.pop(key).rest())

    def ending(self, running: int) -> None:
        self._say(f"stopping {steps_in_words(running)}; another Ctrl-C exits at once")
        sys.stdout.flush()

    def bye(self, news: News, *, stopped: bool, ended: int) -> None:
        for text in ends(news, self._specs, stopped=stopped, ended=ended):
            self._say(text)

    def _show_faults(self, state: State) -> None:
        """Print each new fault of a file or a marker once, on stderr."""
        new = [
            rejected
            for path, rejected in state.rejected.items()
            if self._shown.get(path) is not rejected
        ]
        names = {name for rejected in new for name in rejected.names}
        faults = [fault for rejected in new for fault in rejected.faults]
        show_faults(faults, stays_in_force(state, sorted(names)))
        for path, bad in state.bad_markers.items():
            if self._shown.get(path) is not bad:
                complain(f"{path}: {bad.problem}")
        self._shown = {**state.rejected, **state.bad_markers}

    def _say(self, text: str) -> None:
        say(f"{_now(self._zone)} {text}")


class JsonLines:
    """The same for programs: a JSON object a line, for each phase that changes and each firing."""

    refresh_seconds: float | None = None
    left: Left = ""

    def __init__(self) -> None:
        self._conditions = ConditionLines()

    def keys(self) -> int | None:
        return None

    def hello(self, news: News) -> None: ...

    def show(self, news: News) -> None:
        for note in news.notes:
            self._say(type="Note", message=note)
        self._conditions.show(list(news.conditions))
        for move in news.moves:
            if news.shows(move.uid):
                taken = duration(move, news.state)
                self._say(
                    type="PhaseChanged",
                    time=rfc3339(move.time),
                    workflow=move.workflow,
                    uid=move.uid,
                    step=move.step or None,
                    was=move.was,
                    phase=move.phase,
                    reason=move.reason,
                    message=move.message,
                    durationSeconds=None if taken is None else taken / SECOND,
                )
        for firing in news.firings:
            if news.shows(firing.uid) and firing.uid in news.state.lives:
                self._say(
                    type="FiringDecided",
                    workflow=news.state.lives[firing.uid].name,
                    uid=firing.uid,
                    trigger=firing.trigger or None,
                    key=firing.key,
                    due=due_time(firing.due),
                    outcome=firing.outcome,
                    reason=firing.reason or None,
                    message=firing.message,
                    instance=firing.instance or None,
                )
        sys.stdout.flush()

    def ending(self, running: int) -> None:
        self._say(type="Stopping", running=running)
        sys.stdout.flush()

    def bye(self, news: News, *, stopped: bool, ended: int) -> None:
        self._say(type="Stopped" if stopped else "Done", running=news.running(), ended=ended)

    @staticmethod
    def _say(**event: object) -> None:
        say_data(json.dumps({"time": rfc3339(time.time_ns() // 1000), **event}) + "\n")


class ConditionLines:
    """Prints on stderr when a condition of the controller begins or ends."""

    def __init__(self) -> None:
        self._shown: list[Condition] = []

    def show(self, now: list[Condition]) -> None:
        before = {condition.message for condition in self._shown}
        types = {condition.type for condition in now}
        for condition in now:
            if condition.message not in before:
                complain(f"{condition.type}: {condition.message}")
        for condition in self._shown:
            if condition.type not in types:
                complain(f"{condition.type}: no longer")
        self._shown = now


def _print_all(state: State, key: tuple[str, str, int], lines: list[str]) -> None:
    uid, step, _ = key
    name = state.lives[uid].name if uid in state.lives else uid
    for text in lines:
        say(f"{name}/{step} | {text}")


def _now(zone: tzinfo | None) -> str:
    """The time: in full where a file or a pipe keeps the line, on a terminal without the date."""
    now = datetime.now(UTC).astimezone(zone)
    return f"{now:%H:%M:%S}" if _on_terminal() else now.isoformat(timespec="seconds")


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def ends(news: News, specs: str, *, stopped: bool, ended: int) -> Iterator[str]:
    """The last lines: of `up` what it left running or did, of `run` how its workflows ended."""
    if specs:
        yield from farewell(news, specs, stopped=stopped, ended=ended)
    else:
        yield from summaries(life for life in news.workflows() if life.finished)
        if lacking := [*lacks(news)]:
            yield from lacking
            yield "when there is such a pool, continue: treadle run --resume FILE"


def printed(news: News, move: Move, outputs: Outputs) -> Iterator[str]:
    """The last lines of output of a step that has just finished, if these are wanted."""
    if not move.step or move.phase not in _SHOWN[outputs]:
        return
    life = news.state.lives.get(move.uid)
    step = life.find(move.step) if life is not None else None
    attempt = of_present_run(life, step) if life is not None and step is not None else None
    if life is not None and attempt is not None:
        lines = last_lines(news.state_dir, attempt.log, LINES_SHOWN)
        yield from block(life, move.step, attempt, lines)


_SHOWN: dict[Outputs, tuple[Phase, ...]] = {
    "failed": (Phase.FAILED,),
    "all": (Phase.FAILED, Phase.SUCCEEDED),
    "none": (),
    "stream": (),
}


def _is_told_otherwise(move: Move, state: State) -> bool:
    """Whether other lines show enough: that of its start, that of another hook before it, or, of a
    child, those of its children. A definition goes to and fro with its instances.
    """
    step = _step_of(move, state)
    if not move.step and is_toggle(move.was, move.phase):
        return True
    if move.reason == Reason.WAITING_FOR_TURN:
        return True
    if move.phase is Phase.READY:
        return step is None or not is_stuck(state, step)
    if step is None or not step.parent or not step.expanded:
        return False
    return move.phase in (Phase.PENDING, Phase.RUNNING)


def _step_of(move: Move, state: State) -> Step | None:
    life = state.lives.get(move.uid)
    return life.find(move.step) if life is not None else None


def line(move: Move, state: State, look: Look | None = None) -> str:
    """`etl/extract Running: attempt 1, pid 4711`; with the time that it took, once it has ended."""
    name = f"{move.workflow}/{move.step}" if move.step else move.workflow
    taken = duration(move, state)
    message = move.message
    life = state.lives.get(move.uid)
    if not move.step and life is not None and life.phase is move.phase and life.finished:
        message = words.verdict(life)
    if move.phase is Phase.WAITING and life is not None and look is not None:
        from controller.view.lists.listing import of_definition  # `run` runs no definitions

        message = of_definition(state, life, look)
    took = "" if taken is None else f" {_TOOK.get(move.phase, 'after')} {span(taken)}"
    if move.phase is Phase.READY and (step := _step_of(move, state)) is not None:
        message = (of_lack(state, step) or ("", message))[1]
    if move.reason == Reason.AWAITING_APPROVAL:
        message = f"{message} ({words.answers(move.workflow, move.step)[0]})"
    why = f": {message}" if message and message != "exit code 0" else ""
    return f"{name} {move.phase}{took}{why}"


_TOOK = {Phase.SUCCEEDED: "in"}


def duration(move: Move, state: State) -> int | None:
    """How long a run or an attempt took that has just ended, in microseconds."""
    life = state.lives.get(move.uid)
    if life is None or move.was is not Phase.RUNNING:
        return None
    if not move.step:
        over = move.phase in WORKFLOW_TERMINAL and life.completed == move.time
        return move.time - life.started if over and life.started is not None else None
    step = life.find(move.step)
    attempt = of_present_run(life, step) if step is not None else None
    if attempt is None or attempt.started is None or attempt.finished is None:
        return None
    return attempt.finished - attempt.started
