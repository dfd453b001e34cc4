"""Images: the id of each that an attempt waits for, pulled first where its spec says so.

Attempts that want the same image wait for it together. An image that can't be pulled is tried again
with a growing pause, whose reason is told; one that is here meanwhile is taken. A pull may take as
long as a slow network needs, so only a few run at once, and other calls have threads left.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from controller.executor.calls import Answer, Calls
from controller.executor.container import program, reading
from controller.loop.ports import AttemptId

LOOK_SECONDS = 30.0
PULL_SECONDS_MAX = 3600.0
PULLS_MAX = 3
PAUSE_US, PAUSE_US_MAX = 5_000_000, 300_000_000


class Wanted(NamedTuple):
    """What an attempt needs to be here."""

    program: str
    image: str
    pull: str


class Ready(NamedTuple):
    id: str


class Refused(NamedTuple):
    """It will never be here."""

    problem: str


class Waits(NamedTuple):
    """Why it is not here yet."""

    reason: str


News = Ready | Refused | Waits


class _Wait(Struct, eq=False):
    attempts: dict[AttemptId, None] = {}
    pulls: bool = False  # next it is pulled, else looked for
    pulled: bool = False
    busy: bool = False
    due: int = 0
    pause: int = PAUSE_US
    reason: str = ""


class Images:
    """`heard` gets news of each attempt that waits, `reached` why a program can't be asked."""

    def __init__(
        self,
        calls: Calls,
        heard: Callable[[AttemptId, News], None],
        reached: Callable[[str, str], None],
    ) -> None:
        self._calls = calls
        self._heard = heard
        self._reached = reached
        self._waits: dict[Wanted, _Wait] = {}
        self._now = 0

    def want(self, attempt: AttemptId, wanted: Wanted) -> None:
        """Tell when it is here. What the attempt wanted before, it wants no more."""
        wait = self._waits.get(wanted)
        if wait is not None and attempt in wait.attempts:
            return
        self.drop(attempt)
        if wait is None:
            wait = self._waits[wanted] = _Wait(pulls=wanted.pull == "always")
        elif wait.reason:
            self._heard(attempt, Waits(wait.reason))
        wait.attempts[attempt] = None

    def drop(self, attempt: AttemptId) -> None:
        """It waits no more."""
        for wanted, wait in list(self._waits.items()):
            wait.attempts.pop(attempt, None)
            if not wait.attempts and not wait.busy:
                self._waits.pop(wanted, None)

    def advance(self, now: int) -> None:
        """Ask what is due."""
        self._now = now
        pulling = sum(wait.busy and wait.pulls for wait in self._waits.values())
        for wanted, wait in self._waits.items():
            if wait.busy or wait.due > now or (wait.pulls and pulling >= PULLS_MAX):
                continue
            wait.busy = True
            if wait.pulls:
                pulling += 1
                self._say(wait, f"pulling image {wanted.image}")
                self._ask(program.pull(*wanted[:2]), wanted, self._pulled, PULL_SECONDS_MAX)
            else:
                self._ask(program.image_id(*wanted[:2]), wanted, self._looked, LOOK_SECONDS)

    def next_due(self) -> int | None:
        return min((wait.due for wait in self._waits.values() if not wait.busy), default=None)

    # ------------------------------------------------------------------------------------- answers
    def _ask(
        self,
        argv: list[str],
        wanted: Wanted,
        then: Callable[[Wanted, _Wait, Answer], None],
        seconds: float,
    ) -> None:
        def heard(answer: Answer) -> None:
            wait = self._waits[wanted]
            wait.busy = False
            then(wanted, wait, answer)
            if not wait.attempts:
                self._waits.pop(wanted, None)

        self._calls.ask(argv, heard, seconds=seconds)

    def _looked(self, wanted: Wanted, wait: _Wait, answer: Answer) -> None:
        if reading.is_no_image_name(answer):
            self._tell(wait, Refused(answer.problem))
            return
        try:
            found = reading.image_id(answer)
        except reading.Unreadable as problem:
            self._reached(wanted.program, str(problem))
            self._pause(wait)
            return
        self._reached(wanted.program, "")
        if found:
            self._tell(wait, Ready(found))
        elif wanted.pull == "never":
            here = f"there is no image {wanted.image} here, and pull is never"
            self._tell(wait, Refused(here))
        elif wait.pulled:
            wait.pulled = False
            self._say(wait, f"image {wanted.image} was pulled, but {wanted.program} has none")
            self._pause(wait)
        else:
            wait.pulls = True

    def _pulled(self, wanted: Wanted, wait: _Wait, answer: Answer) -> None:
        if reading.is_no_image_name(answer):
            self._tell(wait, Refused(answer.problem))
        elif answer.ok:
            wait.pulls, wait.pulled = False, True
        else:
            self._say(wait, answer.problem)
            self._pause(wait)
            wait.pulls = wanted.pull == "always"  # else somebody may bring it meanwhile

    def _pause(self, wait: _Wait) -> None:
        wait.due = self._now + wait.pause
        wait.pause = min(wait.pause * 2, PAUSE_US_MAX)

    def _say(self, wait: _Wait, reason: str) -> None:
        wait.reason = reason
        for attempt in wait.attempts:
            self._heard(attempt, Waits(reason))

    def _tell(self, wait: _Wait, news: Ready | Refused) -> None:
        attempts, wait.attempts = wait.attempts, {}
        for attempt in attempts:
            self._heard(attempt, news)
