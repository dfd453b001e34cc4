"""What the person at the keys of the live view has chosen: a row, a filter, the logs, an order."""

from typing import Literal, NamedTuple

from msgspec import Struct, field

from controller.model.phases import Phase
from controller.model.state import State, Step, Workflow
from controller.view.find import word_for

Key = tuple[str, str]  # of a row: uid and step; of a group: "" and its name
Mode = Literal["rows", "filter", "logs", "help", "asks", "leaves"]
# What q does: the controller stops and leaves its steps, or ends them; a follower stops following;
# of `run` it is asked.
Leaving = Literal["stop", "end", "follow", "ask"]


class KeyOrder(NamedTuple):
    """What the person wants to be done: `retry` or `cancel` a workflow or a step; `quit`, which is
    what Ctrl-C does; `detach`: continue in the background."""

    verb: Literal["retry", "cancel", "quit", "detach"]
    workflow: str = ""
    step: str = ""


class Choice(Struct):
    leaving: Leaving = "stop"
    cursor: Key | None = None
    toggled: set[Key] = field(default_factory=set)  # opened, or closed where it is open by itself
    filter: str = ""
    mode: Mode = "rows"
    order: KeyOrder | None = None  # that waits for y or n
    said: str = ""  # what became of the last order
    back: int = 0  # lines scrolled back in the logs
    # of the last drawing
    rows: list[Key] = field(default_factory=list)  # that can be selected
    page: int = 10  # how many rows there was room for

    @property
    def asks(self) -> bool:
        """Whether there is a question to answer."""
        return self.mode in ("asks", "leaves")

    def press(self, key: str, state: State) -> KeyOrder | None:
        """What a key does; the order, if it is one that others carry out."""
        self.said = ""
        match self.mode:
            case "filter":
                self._edit_filter(key)
            case "asks":
                self.mode, order = "rows", self.order
                self.order = None
                return order if key in ("y", "Y") else None
            case "leaves":
                self.mode = "rows"
                return {"c": KeyOrder("quit"), "d": KeyOrder("detach")}.get(key)
            case "help":
                self.mode = "rows"
            case "logs":
                self._read_on(key)
            case _:
                return self._choose(key, state)
        return None

    def _choose(self, key: str, state: State) -> KeyOrder | None:
        if key in (moves := self._moves()):
            self._move(moves[key])
            return None
        match key:
            case "q" if self.leaving != "ask":
                return KeyOrder("quit")
            case "q":
                self.mode = "leaves"
            case "enter" | " " if self.cursor is not None:
                self.toggled ^= {self.cursor}
            case "escape":
                self.filter = ""
            case "l":
                self._open_logs(state)
            case "r" | "c":
                self._ask("retry" if key == "r" else "cancel", state)
            case "/" | "?":
                self.mode = "filter" if key == "/" else "help"
        return None

    def _moves(self) -> dict[str, int]:
        far = len(self.rows)
        return {
            "up": -1, "k": -1, "page up": -self.page, "home": -far,
            "down": 1, "j": 1, "page down": self.page, "end": far,
        }  # fmt: skip

    def _move(self, by: int) -> None:
        if not self.rows:
            return
        if self.cursor not in self.rows:
            self.cursor = self.rows[0]
            return
        at = self.rows.index(self.cursor) + by
        self.cursor = self.rows[max(0, min(at, len(self.rows) - 1))]

    def _edit_filter(self, key: str) -> None:
        if key == "enter":
            self.mode = "rows"
        elif key == "escape":
            self.mode, self.filter = "rows", ""
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif len(key) == 1 and key.isprintable():
            self.filter += key

    def _read_on(self, key: str) -> None:
        if key in ("q", "l", "escape", "enter"):
            self.close_logs()
        elif key == "end":
            self.back = 0
        elif key in (moves := self._moves()):
            self.back = max(0, self.back - moves[key])

    def close_logs(self) -> None:
        self.mode, self.back = "rows", 0

    def selected(self, state: State) -> tuple[Workflow, Step | None] | None:
        life = state.lives.get(self.cursor[0]) if self.cursor is not None else None
        if life is None or self.cursor is None:
            return None
        return life, life.find(self.cursor[1])

    def _open_logs(self, state: State) -> None:
        selected = self.selected(state)
        if selected is None:
            self.said = "select a step first, with ↑ and ↓"
        elif (step := _of_interest(*selected)) is not None:
            self.cursor, self.mode = (selected[0].uid, step.name), "logs"
        else:
            self.said = "it has not started yet, so there is no output"

    def _ask(self, verb: Literal["retry", "cancel"], state: State) -> None:
        selected = self.selected(state)
        if selected is None:
            self.said = f"select what to {verb} first, with ↑ and ↓"
            return
        life, step = selected
        self.order = KeyOrder(verb, word_for(state, life), "" if step is None else step.name)
        self.mode = "asks"


def _of_interest(life: Workflow, step: Step | None) -> Step | None:
    """The step whose output a person most likely wants: one that failed, else one that runs.

    One that is selected is meant itself; of one with children, a child.
    """
    if step is not None and not step.expanded:
        return step if step.attempt is not None else None
    steps = life.with_hooks if step is None else life.leaves(step)
    for phase in (Phase.FAILED, Phase.RUNNING, Phase.SUCCEEDED):
        for candidate in steps:
            if candidate.phase is phase and candidate.attempt is not None:
                return candidate
    return None
