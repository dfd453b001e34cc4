"""How a controller sleeps between its turns."""

import selectors
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

from controller.clock import SystemClock
from controller.model.state import SECOND

IDLE_WAIT_MAX_SECONDS = 30.0  # the rescan of the folder would wake us anyway


class Wakes:
    """Blocks until an edge has something to observe, a signal arrives, or the time is over."""

    def __init__(self, clock: SystemClock, files: Sequence[int]) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._signals, self._wake_end = socket.socketpair()
        for end in (self._signals, self._wake_end):
            end.setblocking(False)
        for file in (*files, self._signals.fileno()):
            self._selector.register(file, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wake_end.fileno(), warn_on_full_buffer=False)

    def wait(self, until: int | None, keys: int | None = None) -> None:
        """`keys`: a file that wakes it this time, besides those it always listens to."""
        timeout = IDLE_WAIT_MAX_SECONDS
        if until is not None:
            timeout = min(timeout, max(0.0, (until - self._clock.now()) / SECOND))
        if keys is not None:
            self._selector.register(keys, selectors.EVENT_READ)
        for key, _ in self._selector.select(timeout):
            if key.fd == self._signals.fileno():
                self._signals.recv(4096)
        if keys is not None:
            self._selector.unregister(keys)

    def wake(self) -> None:
        """End the present wait, or the next one. Any thread may call it."""
        with suppress(BlockingIOError, OSError):  # it is awake, or closed
            self._wake_end.send(b"\0")

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._signals.close()
        self._wake_end.close()
