"""What can be said and done by the mark alone: the standard library, prlimit and /proc, no more.

The mark of an attempt is the number in the soft RLIMIT_LOCKS, which every descendant inherits
unless it is set anew. It is random and never comes back, so it tells who is meant as well as a
start time does: open a pidfd, *then* look at the mark.

A sweep begins with it, since nothing is faster: 1 µs a process, 10 for each that is stopped. And it
tells what psutil can't: who came up during a pass, and the mark of another user's process.
"""

import os
import resource
import signal
import time
from collections.abc import Collection, Iterator
from itertools import chain

RLIMIT_LOCKS = 10
UNMARKED = resource.RLIM_INFINITY
CHASE_SECONDS = 0.02  # of one pass
PIDS_UNBORN = 64  # may be given out at any time to processes that can't be seen yet
NEWEST_PID = ("/proc/sys/kernel/ns_last_pid", "/proc/loadavg")  # its last word; not all have both


def freeze(marks: Collection[int], spared: Collection[int]) -> set[int]:
    """Stop all that carry one of these marks, also who comes up meanwhile; the pids of the stopped.

    One pass will do: who lives at its end was listed or is newborn, unless it was broken off.
    """
    began = last_pid() - PIDS_UNBORN
    listed = map(int, filter(str.isdigit, os.listdir("/proc")))
    frozen: set[int] = set()
    for pid in chain(listed, newborns(began)):
        if pid is not None and pid not in spared and pid not in frozen and stop(pid, marks):
            frozen.add(pid)
    return frozen


def stop(pid: int, marks: Collection[int]) -> bool:
    """False: it carries none of these marks, is gone, or is not ours to stop."""
    if mark_of(pid) not in marks:
        return False
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:  # also if the number is a thread's
        return False
    try:
        if mark_of(pid) not in marks:
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True


def mark_of(pid: int) -> int:
    try:
        return resource.prlimit(pid, RLIMIT_LOCKS)[0]
    except OSError:
        return UNMARKED


def shown_mark(pid: int) -> int:
    """That of another user's process, whose limits are no longer asked but read."""
    for line in read_file(f"/proc/{pid}/limits").splitlines():
        if line.startswith(b"Max file locks"):
            soft = line.split()[3]
            return int(soft) if soft.isdigit() else UNMARKED
    return UNMARKED


def newborns(seen: int) -> Iterator[int | None]:
    """Pids (of threads, too) that were given out after `seen`; None once there is no other."""
    enough = time.monotonic() + CHASE_SECONDS
    while time.monotonic() < enough:
        newest = last_pid()
        if newest == seen:
            yield None
            return
        if newest < seen:  # the pids have begun anew: another pass will do
            return
        yield from range(max(seen, 0) + 1, newest + 1)
        seen = newest


def last_pid() -> int:
    """The pid that was given out last, whether to a process or to a thread.

    A kernel without CHECKPOINT_RESTORE has only the second file; in a container a file system may
    stand in for it that is behind, and then an empty listing is all there is for a proof.
    """
    told = next(filter(None, map(read_file, NEWEST_PID)), b"0")
    return int(told.split()[-1])


def read_file(path: str) -> bytes:
    """All of it, or nothing where there is no such process or it is not ours to read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
