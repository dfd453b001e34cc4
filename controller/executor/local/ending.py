"""Ends process trees, the same way whoever asks: TERM, grace, KILL, and then proof.

TERM goes to every member once, with CONT, since a stopped process takes it only then. What is left
after the grace period is swept: members are stopped until a pass finds no new one, so that nobody
can fork meanwhile, then all are killed, and so on until a pass finds nobody. That empty pass is the
proof (`marks` says why).

Nothing here waits. `advance` does what is due in bounded time and says when it wants to be called
again; asked anew after a crash it starts over, which harms nobody. Past FAILED_SECONDS after the
first KILL it reports the pids and goes on. During the grace period only known members are looked
at, a few µs each; a pass over the process table costs some 15 µs a process and serves all trees at
once.
"""

import os
import signal
import time
from collections.abc import Callable

from msgspec import Struct

from controller.executor.local.identity import Stat, alive, open_process
from controller.executor.local.marks import Sight, Tree, look
from controller.loop.ports import AttemptId

FAILED_SECONDS = 30.0
BUDGET_SECONDS = 0.02  # of one call, if there is more to do
PAUSE_MIN_US, PAUSE_MAX_US = 1_000, 100_000
PAUSE_FAILED_US = 1_000_000


class Proven(Struct, frozen=True):
    """Nothing of the attempt lives. `found`: how many processes had to be ended."""

    id: AttemptId
    found: int


class Stuck(Struct, frozen=True):
    """These don't go, although they were killed; ending goes on."""

    id: AttemptId
    pids: tuple[int, ...]


class Ending(Struct, eq=False):
    """One tree on its way out."""

    tree: Tree
    kill_at: int
    due: int
    pause: int = PAUSE_MIN_US
    asked: set[tuple[int, int]] = set()  # got TERM
    stopped: set[tuple[int, int]] = set()  # got STOP
    killed_at: int | None = None
    stuck: bool = False


class Endings:
    """All trees that are being ended. Times are microseconds of the controller's clock."""

    def __init__(self, spared: Callable[[], set[int]]) -> None:
        self.spared = spared
        self.endings: dict[AttemptId, Ending] = {}

    def __contains__(self, attempt: AttemptId) -> bool:
        return attempt in self.endings

    def begin(self, tree: Tree, grace_us: int, now: int) -> None:
        """End it. Asked again, the shorter grace counts."""
        known = self.endings.get(tree.id)
        if known is None:
            self.endings[tree.id] = Ending(tree, now + grace_us, now)
        else:
            known.kill_at = min(known.kill_at, now + grace_us)
            known.due = now

    def hurry(self, attempt: AttemptId, now: int) -> None:
        """Something of it ended: look now, not when the pause is over."""
        self.endings[attempt].due = now

    def drop(self, attempt: AttemptId) -> None:
        self.endings.pop(attempt, None)

    def next_due(self) -> int | None:
        return min((ending.due for ending in self.endings.values()), default=None)

    def advance(self, now: int) -> list[Proven | Stuck]:
        """Do what is due; bounded, so a tree that keeps on forking does not hold up the rest."""
        news: list[Proven | Stuck] = []
        enough = time.monotonic() + BUDGET_SECONDS
        while due := [each for each in self.endings.values() if each.due <= now]:
            due = [each for each in due if not lingers(each, now)]
            if not due:
                break
            sight = look([each.tree for each in due], self.spared(), self.seize)
            for ending in due:
                news += self.step(ending, sight, now)
            if time.monotonic() > enough:
                break
        return news

    def seize(self, attempt: AttemptId, process: Stat) -> None:
        """A member that has just come up: after the grace period it gets no further."""
        ending = self.endings[attempt]
        if ending.killed_at is not None:
            stop(ending, process)

    def step(self, ending: Ending, sight: Sight, now: int) -> list[Proven | Stuck]:
        # Parents first: a shell whose child was ended before it would go on to its next line.
        members = sorted(sight.members[ending.tree.id], key=lambda each: (each.start, each.pid))
        if not members:
            if not sight.complete:
                return []  # due at once
            del self.endings[ending.tree.id]
            return [Proven(ending.tree.id, len(ending.asked | ending.stopped))]
        if now < ending.kill_at:
            ask(ending, members)
            rest(ending, now, ending.kill_at)
            return []
        return sweep(ending, members, now)


def lingers(ending: Ending, now: int) -> bool:
    """In its grace period, and a member that got TERM is still there: no need for a full pass."""
    if now >= ending.kill_at or not ending.asked:
        return False
    if not any(alive(*member) for member in ending.asked):
        return False
    rest(ending, now, ending.kill_at)
    return True


def rest(ending: Ending, now: int, until: int) -> None:
    """Look again after a pause, each a bit longer than the one before."""
    ending.due = min(now + ending.pause, until)
    ending.pause = min(ending.pause * 3 // 2, PAUSE_MAX_US)


def ask(ending: Ending, members: list[Stat]) -> None:
    """TERM to those that did not get it yet."""
    for process in members:
        identity = (process.pid, process.start)
        if identity not in ending.asked:
            ending.asked.add(identity)
            signal_process(process, signal.SIGTERM, signal.SIGCONT)


def sweep(ending: Ending, members: list[Stat], now: int) -> list[Proven | Stuck]:
    """Stop who is new; once nobody is, kill all."""
    if ending.killed_at is None:
        ending.killed_at = now
        ending.pause = PAUSE_MIN_US
    new = [each for each in members if (each.pid, each.start) not in ending.stopped]
    for process in new:
        stop(ending, process)
    if new:
        return []  # due at once: they may have forked before
    for process in members:
        signal_process(process, signal.SIGKILL)
    failed_at = ending.killed_at + int(FAILED_SECONDS * 1_000_000)
    if now < failed_at:
        rest(ending, now, failed_at)
        return []
    ending.due = now + PAUSE_FAILED_US
    if ending.stuck:
        return []
    ending.stuck = True
    return [Stuck(ending.tree.id, tuple(sorted(process.pid for process in members)))]


def stop(ending: Ending, process: Stat) -> None:
    ending.stopped.add((process.pid, process.start))
    signal_process(process, signal.SIGSTOP)


def signal_process(process: Stat, *signals: signal.Signals) -> None:
    """Signal this very process; that it is gone, or not ours to signal, shows in the next pass."""
    try:
        pidfd = open_process(process.pid, process.start)
    except OSError:  # out of descriptors; KILL is sent again with every pass
        return
    if pidfd is None:
        return
    try:
        for number in signals:
            signal.pidfd_send_signal(pidfd, number)
    except (ProcessLookupError, PermissionError):
        pass
    finally:
        os.close(pidfd)
