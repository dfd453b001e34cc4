"""Containers of this state folder that nobody asked for, at the programs where it had attempts.

They are listed at the start, and again as long as some are left that the log knows nothing of, or
the program does not answer: no attempt waits for that.
"""

from collections.abc import Collection
from functools import partial

from controller.executor.calls import Answer, Calls
from controller.executor.container import program, reading
from controller.executor.container.attempt import Attempts
from controller.executor.container.reading import Container
from controller.executor.container.removal import Removals
from controller.executor.names import Labels
from controller.loop.ports import AttemptId, Found, Trouble

SECONDS = 60.0  # that the program may take
PAUSE_US = 60_000_000
AT_ONCE_MAX = 50


class Strangers:
    def __init__(self, attempts: Attempts, removals: Removals, calls: Calls) -> None:
        self._attempts = attempts
        self._removals = removals
        self._calls = calls
        self._folder_id = ""
        self._now = 0
        self._due: dict[str, int] = {}  # when to list those of a program
        self._found: dict[AttemptId, tuple[str, str]] = {}  # program and name of what was told
        self._left: dict[str, dict[str, None]] = {}  # names, by program, that the log doesn't know

    def list_at(self, folder_id: str, programs: Collection[str]) -> None:
        """Have these listed."""
        self._folder_id = folder_id
        self._due |= dict.fromkeys(programs, 0)

    def remove(self, attempt_id: AttemptId) -> None:
        """The log has its end, or it has never run."""
        if attempt_id in self._found:
            self._removals.add(*self._found.pop(attempt_id), attempt_id)

    def leave(self, attempt_id: AttemptId) -> None:
        """The log knows nothing of it, and it may have run."""
        if attempt_id in self._found:
            self._leave(*self._found.pop(attempt_id))

    def troubles(self) -> list[Trouble]:
        return [
            Trouble(
                "UnknownContainers",
                "the log knows nothing of these containers of this state folder, so they are left "
                f"alone: {', '.join(names)}; `{whose} rm NAME` removes one",
                "UnknownAttempts",
            )
            for whose, names in self._left.items()
        ]

    def advance(self, now: int) -> None:
        """List those that are due."""
        self._now = now
        for whose, due in list(self._due.items()):
            if due <= now:
                del self._due[whose]
                then = partial(self._listed, whose, now)
                self._calls.ask(program.ours(whose, self._folder_id), then, seconds=SECONDS)

    def next_due(self) -> int | None:
        return min(self._due.values(), default=None)

    def _listed(self, whose: str, now: int, answer: Answer) -> None:
        try:
            ids = reading.ids(answer)
        except reading.Unreadable:
            self._due[whose] = now + PAUSE_US
            return
        if self._left.pop(whose, None):
            self._due[whose] = now + PAUSE_US
        for first in range(0, len(ids), AT_ONCE_MAX):
            argv = program.inspect(whose, ids[first : first + AT_ONCE_MAX])
            self._calls.ask(argv, partial(self._looked, whose, now), seconds=SECONDS)

    def _looked(self, whose: str, now: int, answer: Answer) -> None:
        try:
            containers = reading.containers(answer)
        except reading.Unreadable:
            self._due[whose] = now + PAUSE_US
            return
        for container in containers:
            if container.labels is not None and container.name not in self._removals:
                self._meet(whose, container, container.labels)

    def _meet(self, whose: str, container: Container, labels: Labels) -> None:
        attempt = self._attempts.by_id.get(labels.attempt)
        if attempt is None:
            self._found[labels.attempt] = whose, container.name
            held, handle = container.stage == "held", container.name
            found = Found(id=labels.attempt, engine="container", handle=handle, held=held)
            self._attempts.tell(found)
        elif attempt.mark != labels.mark:
            self._leave(whose, container.name)

    def _leave(self, whose: str, name: str) -> None:
        self._left.setdefault(whose, {})[name] = None
        self._due.setdefault(whose, self._now + PAUSE_US)
