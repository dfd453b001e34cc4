"""Ends process trees, the same way whoever asks: TERM, grace, KILL, and then proof.

TERM goes to every member once, with CONT, since a stopped process takes it only then. What is left
after the grace period is swept: members are stopped until a pass finds no new one, so that nobody
can fork meanwhile, then all are killed, and so on until a pass finds nobody. That empty pass is the
proof (`marks` says why). Those that carry the mark are stopped by it alone, before each pass.

Nothing here waits. `advance` does what is due in bounded time and says when it wants to be called
again; asked anew after a crash it starts over, which harms nobody. Past FAILED_SECONDS after the
first KILL it reports the pids and goes on. During the grace period only known members are looked
at; a pass over the process table costs some 60 µs a process and serves all trees at once.

`marks`, and psutil with it, is imported by the first pass: most controllers end nothing.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from controller.executor.local.by_mark import freeze
from controller.loop.ports import AttemptId

if TYPE_CHECKING:
    from psutil import Process

    from controller.executor.local.marks import Sight, Tree

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


class TreeEnding(Struct, eq=False):
    """One tree on its way out."""

    tree: "Tree"
    kill_at: int
    due: int
    pause: int = PAUSE_MIN_US
    asked: "set[Process]" = set()  # got TERM
    stopped: "set[Process]" = set()  # got STOP
    killed_at: int | None = None
    stuck: bool = False


class Endings:
    """All trees that are being ended. Times are microseconds of the controller's clock."""

    def __init__(self, spared: Callable[[], set[int]]) -> None:
        self.spared = spared
        self.endings: dict[AttemptId, TreeEnding] = {}

    def __contains__(self, attempt: AttemptId) -> bool:
        return attempt in self.endings

    def begin(self, tree: "Tree", grace_us: int, now: int) -> None:
        """End it. Asked again, the shorter grace counts."""
        known = self.endings.get(tree.id)
        if known is None:
            self.endings[tree.id] = TreeEnding(tree, now + grace_us, now)
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
        while due := [ending for ending in self.endings.values() if ending.due <= now]:
            due = [ending for ending in due if not lingers(ending, now)]
            if not due:
                break
            frozen, sight = self.look(due, now)
            known = {ending.tree.id for ending in due}
            for attempt, ending in list(self.endings.items()):
                gone = not sight.members[attempt]  # perhaps before its time
                if gone or attempt in known:
                    news += self.step(ending, sight, frozen, now)
            if time.monotonic() > enough:
                break
        return news

    def look(self, due: list[TreeEnding], now: int) -> "tuple[set[int], Sight]":
        """Whom the mark alone could stop, where the time has come for that; then who is there."""
        from controller.executor.local.marks import Sight, look

        spared = self.spared()
        # All, not only those due: whose mark is known needs no further look.
        trees = [ending.tree for ending in self.endings.values()]
        marks = {ending.tree.mark for ending in due if now >= ending.kill_at} - {0}
        try:
            frozen = freeze(marks, spared) if marks else set()
            return frozen, look(trees, spared, self.seize)
        except OSError:  # out of descriptors: whoever was not looked at may live
            for ending in due:
                ending.due = now + PAUSE_MAX_US
            return set(), Sight({tree.id: [] for tree in trees}, complete=False)

    def seize(self, attempt: AttemptId, process: "Process") -> None:
        """A member that has just come up: after the grace period it gets no further."""
        ending = self.endings[attempt]
        if ending.killed_at is not None:
            ending.stopped.add(process)
            signal_process(process, signal.SIGSTOP)

    def step(
        self, ending: TreeEnding, sight: "Sight", frozen: set[int], now: int
    ) -> list[Proven | Stuck]:
        # Parents first: a shell whose child was ended before it would go on to its next line.
        members = sight.members[ending.tree.id]
        if not members:
            if not sight.complete:
                return []  # due at once
            del self.endings[ending.tree.id]
            return [Proven(ending.tree.id, len(ending.asked | ending.stopped))]
        if now < ending.kill_at:
            ask(ending, members)
            rest(ending, now, ending.kill_at)
            return []
        return sweep(ending, members, frozen, now)


def lingers(ending: TreeEnding, now: int) -> bool:
    """In its grace period, and a member that got TERM is still there: no need for a full pass."""
    if now >= ending.kill_at or not ending.asked:
        return False
    from controller.executor.local.marks import alive

    if not any(map(alive, ending.asked)):
        return False
    rest(ending, now, ending.kill_at)
    return True


def rest(ending: TreeEnding, now: int, until: int) -> None:
    """Look again after a pause, each a bit longer than the one before."""
    ending.due = min(now + ending.pause, until)
    ending.pause = min(ending.pause * 3 // 2, PAUSE_MAX_US)


def ask(ending: TreeEnding, members: "list[Process]") -> None:
    """TERM to those that did not get it yet."""
    for process in members:
        if process not in ending.asked:
            ending.asked.add(process)
            signal_process(process, signal.SIGTERM, signal.SIGCONT)


def sweep(
    ending: TreeEnding, members: "list[Process]", frozen: set[int], now: int
) -> list[Proven | Stuck]:
    """Stop who is new; once nobody is, kill all."""
    if ending.killed_at is None:
        ending.killed_at = now
        ending.pause = PAUSE_MIN_US
    new = [process for process in members if process not in ending.stopped]
    ending.stopped.update(new)
    at_large = [process for process in new if process.pid not in frozen]
    for process in at_large:
        signal_process(process, signal.SIGSTOP)
    if at_large:
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


def signal_process(process: "Process", *signals: signal.Signals) -> None:
    """Signal this very process; that it is gone, or not ours to signal, shows in the next pass.

    psutil's own looks first and signals then, by pid: between the two the pid may be handed on.
    """
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:  # gone, or out of descriptors; KILL is sent again with every pass
        return
    try:
        if process.is_running():
            for number in signals:
                signal.pidfd_send_signal(pidfd, number)
    except OSError:
        pass
    finally:
        os.close(pidfd)
