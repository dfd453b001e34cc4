"""Ends process trees, always in the same way: TERM, grace, KILL, and then proof.

Every member gets TERM once, with CONT, because a stopped process only reacts after CONT. After the
grace period the rest is swept: members are stopped until a pass finds no new one, so that none can
fork meanwhile. Then all are killed, and so on until a pass finds nobody. That empty pass is the
proof (`marks` says why). Before each pass, processes are stopped by their mark alone.

Nothing here waits. `advance` does what is due in bounded time and says when to call it again. After
a crash everything starts from the beginning, which does no harm. FAILED_SECONDS after the first
KILL it reports the pids and goes on. During the grace period it looks only at known members; a pass
over the process table costs some 60 µs a process and serves all trees at once.

The runner of an attempt (`controller.executor.runner`) gets its signal alone: it passes TERM on to
the rest, and runs `after`. What is left of the command when two thirds of the grace period are over
is killed by it. If there is no runner any more, all is as above.

The first pass imports `marks`, and psutil with it: most controllers never end anything.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

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
    """No process of the attempt lives. `found`: how many processes had to be ended.

    `strangers`: processes of other users that have its mark, and were left alone.
    """

    id: AttemptId
    found: int
    strangers: tuple[int, ...] = ()


class Stuck(Struct, frozen=True):
    """These processes are still there after KILL; ending them goes on."""

    id: AttemptId
    pids: tuple[int, ...]


class RunnerProcess(NamedTuple):
    """The first process of an attempt with `before` or `after`. `notice`: how it is told to end."""

    process: "Process"
    notice: signal.Signals


class TreeEnding(Struct, eq=False):
    """One tree that is being ended."""

    tree: "Tree"
    kill_at: int
    due: int
    runner: RunnerProcess | None = None
    hurry_at: int | None = None  # when its runner has to kill the command
    pause: int = PAUSE_MIN_US
    asked: "set[Process]" = set()  # got TERM
    stopped: "set[Process]" = set()  # got STOP
    killed_at: int | None = None
    stuck: bool = False


class Endings:
    """All trees that are being ended. Times are microseconds of the controller's clock."""

    def __init__(self, spared: Callable[[], set[int]], shims: Callable[[], set[int]] = set) -> None:
        self.spared = spared
        self.shims = shims
        self.endings: dict[AttemptId, TreeEnding] = {}

    def __contains__(self, attempt: AttemptId) -> bool:
        return attempt in self.endings

    def begin(
        self, tree: "Tree", grace_us: int, now: int, runner: RunnerProcess | None = None
    ) -> None:
        """End it. If this is called twice, the shorter grace counts."""
        kill_at, hurry_at = now + grace_us, now + grace_us * 2 // 3
        known = self.endings.get(tree.id)
        if known is None:
            hurry = None if runner is None else hurry_at
            self.endings[tree.id] = TreeEnding(tree, kill_at, now, runner, hurry)
            return
        known.due = now
        if kill_at < known.kill_at:
            known.kill_at = kill_at
            known.hurry_at = known.hurry_at and hurry_at

    def hurry(self, attempt: AttemptId, now: int) -> None:
        """One of its processes ended: look now, not when the pause is over."""
        self.endings[attempt].due = now

    def drop(self, attempt: AttemptId) -> None:
        self.endings.pop(attempt, None)

    def next_due(self) -> int | None:
        return min((ending.due for ending in self.endings.values()), default=None)

    def advance(self, now: int) -> list[Proven | Stuck]:
        """Do what is due in bounded time, so a tree that keeps forking doesn't block others."""
        news: list[Proven | Stuck] = []
        enough = time.monotonic() + BUDGET_SECONDS
        while due := [ending for ending in self.endings.values() if ending.due <= now]:
            due = [ending for ending in due if not lingers(ending, now)]
            if not due:
                break
            frozen, sight = self.look(due, now)
            known = {ending.tree.id for ending in due}
            for attempt, ending in list(self.endings.items()):
                gone = not sight.members[attempt]  # perhaps before it was due
                if gone or attempt in known:
                    news += self.step(ending, sight, frozen, now)
            if time.monotonic() > enough:
                break
        return news

    def look(self, due: list[TreeEnding], now: int) -> "tuple[set[int], Sight]":
        """Stop processes by mark, for trees whose grace is over; then see which processes exist."""
        from controller.executor.local.marks import Sight, look

        spared = self.spared()
        # All trees, not only those due: a process with a known mark needs no further look.
        trees = [ending.tree for ending in self.endings.values()]
        marks = {ending.tree.mark for ending in due if now >= ending.kill_at} - {0}
        try:
            frozen = freeze(marks, spared) if marks else set()
            return frozen, look(trees, spared, self.seize, self.shims())
        except OSError:  # out of descriptors: processes that we did not see may live
            for ending in due:
                ending.due = now + PAUSE_MAX_US
            return set(), Sight({tree.id: [] for tree in trees}, complete=False)

    def seize(self, attempt: AttemptId, process: "Process") -> None:
        """A member that has just started: after the grace period it is stopped at once."""
        ending = self.endings[attempt]
        if ending.killed_at is not None:
            ending.stopped.add(process)
            signal_process(process, signal.SIGSTOP)

    def step(
        self, ending: TreeEnding, sight: "Sight", frozen: set[int], now: int
    ) -> list[Proven | Stuck]:
        # Parents first: if a shell's child ended first, the shell would run its next line.
        members = sight.members[ending.tree.id]
        if not members:
            if not sight.complete:
                return []  # due at once
            del self.endings[ending.tree.id]
            strangers = sight.strangers.get(ending.tree.id, ())
            pids = tuple(sorted(process.pid for process in strangers))
            return [Proven(ending.tree.id, len(ending.asked | ending.stopped), pids)]
        if now < ending.kill_at:
            ask(ending, members)
            rest(ending, now, ending.hurry_at or ending.kill_at)
            return []
        return sweep(ending, members, frozen, now)


def lingers(ending: TreeEnding, now: int) -> bool:
    """Whether, in the grace period, a member that got TERM still lives: then skip the full pass."""
    if now >= ending.kill_at or not ending.asked:
        return False
    from controller.executor.local.marks import alive

    if not any(map(alive, ending.asked)):
        return False
    hurry(ending, now)
    rest(ending, now, ending.hurry_at or ending.kill_at)
    return True


def hurry(ending: TreeEnding, now: int) -> None:
    """Leave time for `after`."""
    runner, at = ending.runner, ending.hurry_at
    if runner is not None and at is not None and now >= at:
        ending.hurry_at = None
        signal_process(runner.process, signal.SIGQUIT)


def rest(ending: TreeEnding, now: int, until: int) -> None:
    """Look again after a pause; each pause is a bit longer than the last."""
    ending.due = min(now + ending.pause, until)
    ending.pause = min(ending.pause * 3 // 2, PAUSE_MAX_US)


def ask(ending: TreeEnding, members: "list[Process]") -> None:
    """Send TERM to the members that did not get it yet, or only to the runner its signal."""
    number, runner = signal.SIGTERM, ending.runner
    if runner is not None and runner.process in members:
        number, members = runner.notice, [runner.process]
    for process in members:
        if process not in ending.asked:
            ending.asked.add(process)
            signal_process(process, number, signal.SIGCONT)


def sweep(
    ending: TreeEnding, members: "list[Process]", frozen: set[int], now: int
) -> list[Proven | Stuck]:
    """Stop new members; if there are none, kill all members."""
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
    """Signal exactly this process. If it is gone or we may not signal it, the next pass shows that.

    psutil checks first and then signals by pid: in between, another process may get the pid.
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
