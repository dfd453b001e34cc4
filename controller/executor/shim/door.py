"""Where a shim is found: its lock, and the socket that controllers connect to.

Both come from the controller that started it, as descriptors. Either may be deleted while steps
run. Without its socket a shim makes another. Without its lock it is not the shim of this folder any
more: a controller that looks finds none and starts one, so it starts nothing itself from then on.
"""

import contextlib
import os
import socket

LISTENER, LOCK, ERRORS = 0, 1, 2  # the descriptors that the controller hands over
BACKLOG = 16

Identity = tuple[int, int]


class Door:
    """The current folder is that of the state."""

    def __init__(self) -> None:
        os.closerange(ERRORS + 1, max(map(int, os.listdir("/dev/fd"))) + 1)  # one could hang others
        self.listener = socket.socket(fileno=os.dup(LISTENER))
        self.listener.setblocking(False)
        self.lock = os.dup(LOCK)  # held as long as this process lives
        for fd, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):
            null = os.open(os.devnull, flags)
            os.dup2(null, fd)
            os.close(null)
        with contextlib.suppress(OSError):  # for people, should this process hang
            os.ftruncate(self.lock, 0)
            os.pwrite(self.lock, str(os.getpid()).encode(), 0)
        self.locked = identity(os.fstat(self.lock))
        self.bound = at("shim/socket")

    def is_ours(self) -> bool:
        """Is this still the shim that a controller would find? 2 µs."""
        return at("shim/lock") == self.locked

    def accept(self) -> socket.socket | None:
        """None if who knocked is gone; OSError if there is no descriptor for it now."""
        try:
            return self.listener.accept()[0]
        except (BlockingIOError, ConnectionError):
            return None

    def mend(self) -> bool:
        """Listen anew if nobody can find the socket; tells whether that was so."""
        if at("shim/socket") == self.bound or not self.is_ours():
            return False
        listener = socket.socket(socket.AF_UNIX)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink("shim/socket")
            listener.bind("shim/socket")
            listener.listen(BACKLOG)
        except OSError:  # no room, say; the next time
            listener.close()
            return False
        listener.setblocking(False)
        self.listener.close()
        self.listener, self.bound = listener, at("shim/socket")
        return True

    def close(self) -> None:
        if at("shim/socket") == self.bound and self.is_ours():
            os.unlink("shim/socket")


def at(path: str) -> Identity | None:
    try:
        return identity(os.stat(path))
    except OSError:
        return None


def identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
