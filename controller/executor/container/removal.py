"""Removes the containers of attempts whose ends are in the log: in the background, until done.

Each is looked at first: what has the name without the labels of its attempt is somebody else's.
What runs is refused by the program, and tried again later. A controller that ends before this is
done leaves it to the next one, which finds them by their label.
"""

from collections import defaultdict
from functools import partial

from msgspec import Struct

from controller.executor.calls import Answer, Calls
from controller.executor.container import program, reading
from controller.loop.ports import AttemptId

SECONDS = 60.0  # that the program may take
AT_ONCE_MAX = 50
PAUSE_US, PAUSE_US_MAX = 1_000_000, 60_000_000


class _Removal(Struct, eq=False):
    program: str
    name: str
    attempt: AttemptId
    busy: bool = False
    due: int = 0
    pause: int = PAUSE_US


class Removals:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._todo: dict[str, _Removal] = {}  # by the name of the container
        self._now = 0

    def add(self, whose: str, name: str, attempt: AttemptId) -> None:
        self._todo.setdefault(name, _Removal(whose, name, attempt))

    @property
    def hopeful(self) -> bool:
        """Whether there are some that have not been refused yet."""
        return any(removal.pause == PAUSE_US for removal in self._todo.values())

    def __contains__(self, name: str) -> bool:
        return name in self._todo

    def advance(self, now: int) -> None:
        """Ask what is due."""
        self._now = now
        due: dict[str, list[_Removal]] = defaultdict(list)
        for removal in self._todo.values():
            if not removal.busy and removal.due <= now and len(due[removal.program]) < AT_ONCE_MAX:
                due[removal.program].append(removal)
        for whose, some in due.items():
            if some:
                for removal in some:
                    removal.busy = True
                argv = program.inspect(whose, (removal.name for removal in some))
                self._calls.ask(argv, partial(self._looked, whose, some), seconds=SECONDS)

    def next_due(self) -> int | None:
        return min(
            (removal.due for removal in self._todo.values() if not removal.busy), default=None
        )

    def _looked(self, whose: str, some: list[_Removal], answer: Answer) -> None:
        try:
            found = reading.by_name(reading.containers(answer))
        except reading.Unreadable:
            self._later(some)
            return
        ours = {}
        for removal in some:
            container = found.get(removal.name)
            labels = None if container is None else container.labels
            if container is not None and labels is not None and labels.attempt == removal.attempt:
                ours[container.id] = removal
            else:
                self._done(removal)
        if ours:
            then = partial(self._removed, list(ours.values()))
            self._calls.ask(program.remove(whose, ours), then, seconds=SECONDS)

    def _removed(self, some: list[_Removal], answer: Answer) -> None:
        if not answer.ok:
            self._later(some)
            return
        for removal in some:
            self._done(removal)

    def _done(self, removal: _Removal) -> None:
        self._todo.pop(removal.name, None)

    def _later(self, some: list[_Removal]) -> None:
        for removal in some:
            removal.busy = False
            removal.due = self._now + removal.pause
            removal.pause = min(removal.pause * 2, PAUSE_US_MAX)
