"""Identifies a process: a pid is used again, but (pid, start time) within one boot never is.

The start time counts clock ticks since boot and is read from /proc/PID/stat. psutil has it only in
seconds since a boot time that moves with the clock. And this is done for every step that outlives
the message about its start; psutil needs three times as long. A process is signalled or watched
only through a pidfd: open it, *then* compare the start time. If the time is right, the descriptor
is that of the right process. If another process got the pid in between, the descriptor's process is
dead, so no stranger is hit. One comparison costs about 15 µs.

Only its parent learns how a process ended. There are two exceptions for the steps of a dead shim:
Linux 6.15 and later keeps the wait status for every pidfd that was opened in time, and /proc shows
it for a zombie that its parent did not reap. Elsewhere nobody can know.
"""

import fcntl
import os
import struct

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, struct pidfd_info of 64 bytes)
PIDFD_INFO = struct.Struct("=QQ11Ii")  # mask, cgroup, pid and eleven ids in all, wait status
PIDFD_INFO_EXIT = 1 << 3


def ticks_to_us(ticks: int) -> int:
    return ticks * 1_000_000 // TICKS_PER_SECOND


def stat_fields(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on; empty if there is no such process."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return []
    try:
        # The name may hold blanks and parentheses; what follows the last one does not.
        return os.read(fd, 4096).rpartition(b")")[2].split()
    except OSError:
        return []
    finally:
        os.close(fd)


def start_of(pid: int) -> int | None:
    fields = stat_fields(pid)
    return int(fields[19]) if fields else None


def open_process(pid: int, start: int) -> int | None:
    """A pidfd of exactly this process (it may be a zombie), or None if it is gone.

    Raises OSError if we can't know: out of descriptors, or a system without pidfds.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if start_of(pid) != start:
        os.close(pidfd)
        return None
    return pidfd


def exit_status(pidfd: int, pid: int, start: int) -> int | None:
    """The wait status of an ended process that somebody else reaps; None if nobody can know."""
    status = reaped_status(pidfd)
    if status is None:
        # It is not reaped yet, so it is a zombie. If it is reaped just now, the kernel knows.
        status = zombie_status(pid, start)
    return reaped_status(pidfd) if status is None else status


def reaped_status(pidfd: int) -> int | None:
    request = PIDFD_INFO.pack(PIDFD_INFO_EXIT, *[0] * 13)
    try:
        answer = fcntl.ioctl(pidfd, PIDFD_GET_INFO, request)
    except OSError:  # an older kernel, or not reaped yet
        return None
    mask, *_, status = PIDFD_INFO.unpack(answer)
    return int(status) if mask & PIDFD_INFO_EXIT else None


def zombie_status(pid: int, start: int) -> int | None:
    fields = stat_fields(pid)
    if not fields or fields[0] != b"Z" or int(fields[19]) != start:
        return None
    return int(fields[49])
