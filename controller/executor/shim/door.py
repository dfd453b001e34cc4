"""How a shim is found: its lock, and the socket that controllers connect to.

The controller that starts it hands both over as descriptors. Either may be deleted while steps run.
If the socket is deleted, the shim makes another. If the lock is deleted, it is no longer the shim
of this folder: a controller finds no shim and starts one, so this one starts nothing any more.
"""

import contextlib
import os
import socket

LINE = 0  # the descriptor through which a controller hands over these:
LISTENER, LOCK, ERRORS = 0, 1, 2
BOOT_ID_BYTES_MAX = 256
BACKLOG = 16

Identity = tuple[int, int]


def handed_over() -> str:
    """Wait until a controller needs this shim, and take the descriptors; returns the boot id.

    It is empty if no controller does.
    """
    with socket.socket(fileno=os.dup(LINE)) as line:
        boot_id, handed, _, _ = socket.recv_fds(line, BOOT_ID_BYTES_MAX, ERRORS + 1)
    if len(handed) <= ERRORS:
        return ""
    for place, fd in enumerate(handed):
        os.dup2(fd, place)
    return boot_id.decode()


class Door:
    """The lock and the socket. The current folder must be the state folder."""

    def __init__(self) -> None:
        os.closerange(
            ERRORS + 1, max(map(int, os.listdir("/dev/fd"))) + 1
        )  # an open copy could make others wait
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
        """The next connection; None if it is gone. OSError if there is no free descriptor."""
        try:
            return self.listener.accept()[0]
        except (BlockingIOError, ConnectionError):
            return None

    def mend(self) -> bool:
        """If nobody can find the socket, make a new one; returns whether it did."""
        if at("shim/socket") == self.bound or not self.is_ours():
            return False
        listener = socket.socket(socket.AF_UNIX)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink("shim/socket")
            listener.bind("shim/socket")
            listener.listen(BACKLOG)
        except OSError:  # no room, for example; try again the next time
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
