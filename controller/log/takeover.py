"""Another controller holds the state folder: wait until it is gone, or end it.

Only the process that holds the lock may be ended, never a later process with the same pid. So the
kernel must name the holder (/proc/locks), the text in the lock must agree, and the signal goes
through a pidfd that was opened before these two checks: an open pidfd always means the same
process. A holder on another machine or in another container is not in /proc/locks here, so it is
not ended: the take-over is refused.

Some holders do more than stop on SIGTERM: they end their steps (`up --end-steps`) or cancel their
workflows (`run`). The text in the lock says so. Such a holder is killed at once; the log, the shim
and the steps survive that like any crash.
"""

import os
import select
import signal
import time
from collections.abc import Callable

from controller.errors import ExitCode, LockHeld, TreadleError
from controller.log.lock import Holder, StateLock, holder, lock_path

TERM_SECONDS_MAX = 5.0  # between SIGTERM and SIGKILL
GONE_SECONDS_MAX = 10.0  # after SIGKILL; and for the text of a lock that was just taken
_LOOK_SECONDS = 0.2

Acquire = Callable[[], StateLock]


class StoodBy(TreadleError):
    """A controller was stopped while it waited for the lock."""

    exit_code = ExitCode.FINE


def stand_by(
    acquire: Acquire, stopped: Callable[[], bool], say: Callable[[str], None]
) -> StateLock:
    """The lock, as soon as nobody else holds it."""
    said = ""
    while not stopped():
        try:
            return acquire()
        except LockHeld as held:
            if str(held) != said:  # again when another one holds it
                said = str(held)
                say(f"standing by: {said.partition(';')[0]}")
        time.sleep(_LOOK_SECONDS)
    raise StoodBy("stopped while standing by")


def take_over(state_dir: str, acquire: Acquire, say: Callable[[str], None]) -> StateLock:
    """The lock. If another controller holds it, that one is ended first."""
    until = time.monotonic() + GONE_SECONDS_MAX
    while True:
        try:
            return acquire()
        except LockHeld as held:
            if time.monotonic() > until:
                raise LockHeld(f"{held}; it can't be taken over") from None
        if _end_holder(state_dir, say):
            until = time.monotonic() + GONE_SECONDS_MAX
        else:
            time.sleep(_LOOK_SECONDS)


def _end_holder(state_dir: str, say: Callable[[str], None]) -> bool:
    """End the holder of the lock and wait until it is gone; False if it isn't known for certain."""
    by = holder(state_dir)
    if by is None:
        return True
    if by.host and by.host != os.uname().nodename:
        raise LockHeld(f"{state_dir}: held by pid {by.pid} on {by.host}: take it over there")
    try:
        pidfd = os.pidfd_open(by.pid)
    except (OSError, AttributeError):
        return False  # it is gone, its text is not written yet, or this is not Linux
    try:
        if holder(state_dir) != by or by.pid not in _kernel_holders(state_dir):
            return False
        say(f"taking over: stopping pid {by.pid} ({by.command})")
        _end(pidfd, by)
    finally:
        os.close(pidfd)
    return True


def _end(pidfd: int, by: Holder) -> None:
    gone = select.poll()
    gone.register(pidfd, select.POLLIN)
    try:
        if not by.ends_steps:
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
            if gone.poll(TERM_SECONDS_MAX * 1000):
                return
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        raise LockHeld(f"pid {by.pid}, which holds the lock, is another user's") from None
    if not gone.poll(GONE_SECONDS_MAX * 1000):
        raise LockHeld(f"pid {by.pid}, which holds the lock, survives SIGKILL")


def _kernel_holders(state_dir: str) -> set[int]:
    """The pids that the kernel names for an exclusive flock on the inode of the lock.

    The device is not compared: on some file systems it differs from the one that stat() shows.
    """
    try:
        inode = os.stat(lock_path(state_dir)).st_ino
        with open("/proc/locks", encoding="ascii") as locks:
            lines = [line.split() for line in locks]
    except OSError:
        return set()
    # 12: FLOCK  ADVISORY  WRITE 4711 08:02:393229 0 EOF
    return {
        int(line[4])
        for line in lines
        if line[1] == "FLOCK" and line[3] == "WRITE" and line[5].endswith(f":{inode}")
    }
