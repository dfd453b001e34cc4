"""Follows containers from the start of their clients to their ends, and ends those that are to end.

A container is looked at when its client has ended, now and then while it runs, and often while it
is being stopped. The sweep by marks would take the container along, whose processes inherit the
mark. So it is used only when the program says that no container of the attempt runs.

podman takes a container for running if its monitor was killed, and would wait for ever. It is gone
if two looks in a row find neither the monitor nor the first process of the container, by the mark.
"""

from collections import defaultdict
from functools import partial

from controller.executor.calls import Answer
from controller.executor.container import program, reading
from controller.executor.container.attempt import (
    LOOK_US_MAX,
    LOOK_US_MIN,
    Attempts,
    ContainerAttempt,
)
from controller.executor.container.client import last_words
from controller.executor.container.contact import Contact
from controller.executor.container.reading import Container
from controller.executor.container.verdict import DOUBTS_MAX, is_its, judge
from controller.executor.shim.children import mark_of
from controller.executor.shim.spawn import can_mark
from controller.executor.surroundings import Surroundings
from controller.loop.ports import End, Ended, EndFailed

LOOK_SECONDS = 30.0  # that a program may take to answer
LOOKS_AT_ONCE_MAX = 50
ASK_AGAIN_US = 5_000_000  # a program that can't be asked
HANGS_US = 10_000_000  # so long a client may live on when its container has ended
CLIENT_GRACE_SECONDS = 1.0


class Follower:
    def __init__(self, attempts: Attempts, around: Surroundings, contact: Contact) -> None:
        self._attempts = attempts
        self._around = around
        self._contact = contact
        self._marks = can_mark()

    def advance(self, now: int) -> None:
        """Look at those that are due."""
        due: dict[str, list[ContainerAttempt]] = defaultdict(list)
        for attempt in self._attempts.by_id.values():
            if attempt.due is not None and attempt.due <= now and not attempt.busy:
                due[attempt.program].append(attempt)
        for whose, some in due.items():
            for first in range(0, len(some), LOOKS_AT_ONCE_MAX):
                self._ask(whose, some[first : first + LOOKS_AT_ONCE_MAX])

    def _ask(self, whose: str, some: list[ContainerAttempt]) -> None:
        for attempt in some:
            attempt.busy = True
        argv = program.inspect(whose, (attempt.name for attempt in some))
        self._around.calls.ask(argv, partial(self._looked, whose, some), seconds=LOOK_SECONDS)

    def _looked(self, whose: str, some: list[ContainerAttempt], answer: Answer) -> None:
        now = self._around.clock.now()
        for attempt in some:
            attempt.busy = False
        try:
            found = reading.by_name(reading.containers(answer))
        except reading.Unreadable as problem:
            self._contact.note(whose, str(problem))
            for attempt in some:
                attempt.due = now + ASK_AGAIN_US
            return
        self._contact.note(whose, "")
        for attempt in some:
            if attempt.stale:  # what was seen may have been before the end of its client
                attempt.stale, attempt.due = False, now
            elif attempt.outcome is None and attempt.id in self._attempts.by_id:
                self._consider(attempt, found.get(attempt.name), now)

    def _consider(self, attempt: ContainerAttempt, seen: Container | None, now: int) -> None:
        """What a look means, and what is to be done."""
        if seen is not None and is_its(attempt, seen):
            attempt.ran = attempt.ran or seen.started
            self._doubt(attempt, seen)
        words = partial(last_words, self._attempts.state, attempt.log)
        verdict = judge(attempt, seen, self._around.clock.read(), now, words)
        if attempt.doubts >= DOUBTS_MAX and not attempt.given_up:
            attempt.given_up = True  # podman must know it, or the container can't be removed
            self._tell(attempt, program.give_up(attempt.program, attempt.name), now)
        elif verdict == "runs" and seen is not None:
            self._goes_on(attempt, seen, now)
        elif isinstance(verdict, Ended) and attempt.client is not None:
            if (seen is not None and seen.stage == "over") or self._is_cleared(attempt, seen, now):
                self._attempts.finish(attempt, verdict)
        elif isinstance(verdict, Ended) or attempt.ending is not None:
            patience = HANGS_US if attempt.ending is None and not attempt.doubts else 0
            self._end_client(attempt, patience, now)
        else:
            attempt.due = now + LOOK_US_MAX

    def _is_cleared(self, attempt: ContainerAttempt, seen: Container | None, now: int) -> bool:
        """Nothing of it runs, as far as its program knows: make sure that nothing will.

        A client that is killed in the moment of a start leaves a container that runs although
        podman has not noted it, or one that docker's daemon is about to start.
        """
        if not attempt.swept:
            attempt.swept, attempt.due = True, None  # until its end is told again
            self._around.machine.sweep([self._at_once(attempt)])
        elif seen is not None and is_its(attempt, seen) and not attempt.removed:
            attempt.removed = True
            self._tell(attempt, program.remove(attempt.program, [seen.id]), now)
        else:
            return True
        return False

    def _doubt(self, attempt: ContainerAttempt, seen: Container) -> None:
        """podman says that it runs: does it? Once that is settled, it stays so."""
        if attempt.doubts >= DOUBTS_MAX:
            return
        processes = seen.pid, seen.monitor
        silent = (
            attempt.program == "podman"
            and self._marks
            and seen.stage == "alive"
            and not any(pid and mark_of(pid) == attempt.mark for pid in processes)
        )
        attempt.doubts = attempt.doubts + 1 if silent else 0

    def _goes_on(self, attempt: ContainerAttempt, seen: Container, now: int) -> None:
        """Look again later; if it is to end, do the next thing for that."""
        ending = attempt.ending
        if ending is not None:
            if ending.has_failed(now):
                problem = ending.problem or f"container {attempt.name} runs on after SIGKILL"
                self._attempts.tell(EndFailed(id=attempt.id, problem=problem))
            call = ending.next_call(attempt.program, seen, now)
            attempt.due = ending.look_again(now)
            if call is not None:
                self._tell(attempt, call, attempt.due)
        elif attempt.doubts:
            attempt.due = now + LOOK_US_MIN
        elif attempt.client is None:
            attempt.due = now + LOOK_US_MAX
        else:
            attempt.due = now + attempt.pause
            attempt.pause = min(attempt.pause * 3 // 2, LOOK_US_MAX)

    def _tell(self, attempt: ContainerAttempt, argv: list[str], due: int) -> None:
        """Have its program do something, and then look what came of it, at `due`."""

        def told(answer: Answer) -> None:
            attempt.busy = attempt.stale = False
            if attempt.ending is not None:
                attempt.ending.heard(answer)

        attempt.busy, attempt.due = True, due
        self._around.calls.ask(argv, told, seconds=LOOK_SECONDS)

    def _end_client(self, attempt: ContainerAttempt, patience: int, now: int) -> None:
        """No container of it runs, so its client is to end; if it does not, it is ended."""
        attempt.hangs_at = attempt.hangs_at or now + patience
        attempt.due = attempt.hangs_at
        if now >= attempt.hangs_at:
            self._around.machine.end([self._at_once(attempt)])
            attempt.due = now + LOOK_US_MAX

    def _at_once(self, attempt: ContainerAttempt) -> End:
        return End(id=attempt.id, mark=attempt.mark, grace_seconds=CLIENT_GRACE_SECONDS)

    def next_due(self) -> int | None:
        attempts = self._attempts.by_id.values()
        dues = (attempt.due for attempt in attempts if not attempt.busy)
        return min((due for due in dues if due is not None), default=None)
