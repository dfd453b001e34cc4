"""Watches first processes whose shim is dead, and learns from the kernel how they ended.

A pidfd is opened for each process that outlives the message about its start. Only a pidfd that was
opened while the process lived can give its exit code after somebody else has reaped it. It is added
to the epoll set only when the shim is gone, so that a normal exit wakes the loop only once. If
there is no free descriptor, we look into the process table from time to time.
"""

import os
import select
from contextlib import suppress

from msgspec import Struct

from controller.executor.local.identity import exit_status, open_process
from controller.loop.ports import AttemptId

ASK_AGAIN_US = 1_000_000


class Held(Struct, eq=False):
    pid: int
    start: int
    pidfd: int = -1
    watched: bool = False


class Orphans:
    def __init__(self, poll: select.epoll) -> None:
        self.poll = poll
        self.held: dict[AttemptId, Held] = {}
        self.by_pidfd: dict[int, AttemptId] = {}
        self.asked: set[AttemptId] = set()  # watched without a pidfd

    def hold(self, attempt: AttemptId, pid: int, start: int) -> bool:
        """Hold a pidfd of a process while its shim lives. False: the process is gone already."""
        if attempt in self.held:
            return True
        try:
            pidfd = open_process(pid, start)
        except OSError:  # no free descriptor
            pidfd = -1
        if pidfd is None:
            return False
        self.held[attempt] = Held(pid, start, pidfd)
        return True

    def watch(self, attempt: AttemptId, pid: int, start: int) -> bool:
        """From now on ended() reports its end. False: it is gone already."""
        if not self.hold(attempt, pid, start):
            return False
        held = self.held[attempt]
        if not held.watched:
            held.watched = True
            if held.pidfd < 0:
                self.asked.add(attempt)
            else:
                self.by_pidfd[held.pidfd] = attempt
                self.poll.register(held.pidfd, select.EPOLLIN)
        return True

    def release(self, attempt: AttemptId) -> None:
        held = self.held.pop(attempt, None)
        if held is None:
            return
        self.asked.discard(attempt)
        if held.pidfd >= 0:
            if self.by_pidfd.pop(held.pidfd, None) is not None:
                # First, because a child that is about to call exec may keep the description open.
                self.poll.unregister(held.pidfd)
            os.close(held.pidfd)

    def ended(self) -> list[tuple[AttemptId, int | None]]:
        """Those that have ended, each with its wait status, or None if nobody can know."""
        ended: list[tuple[AttemptId, int | None]] = []
        if self.by_pidfd:
            for fd, _ in self.poll.poll(0):
                if fd in self.by_pidfd:
                    held = self.held[self.by_pidfd[fd]]
                    status = exit_status(held.pidfd, held.pid, held.start)
                    ended.append((self.by_pidfd[fd], status))
        ended += [(attempt, None) for attempt in self.asked if is_gone(self.held[attempt])]
        return ended

    def next_due(self, now: int) -> int | None:
        return now + ASK_AGAIN_US if self.asked else None

    def close(self) -> None:
        for attempt in list(self.held):
            self.release(attempt)


def is_gone(held: Held) -> bool:
    from controller.executor.local.marks import alive, named

    with suppress(OSError):
        process = named(held.pid, held.start)
        return process is None or not alive(process)
    return False
