"""What a process that drives says: printing never waits for who reads it.

A pipe or a terminal that nobody reads is full at some point, and then a write to it blocks, perhaps
for ever. So while something is driven, a print only puts its bytes into a queue, and a thread of
its own writes them. If the queue is full, what comes is dropped, and that is said where it is
missing. If the reader is gone, all is dropped. At the end there is a moment for what is still in
the queue; a thread that hangs in a write then keeps nobody from leaving.

Cost: a lock and a wake of the thread for each flush, which is one a turn.
"""

import io
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

QUEUE_BYTES_MAX = 1 << 20
LAST_SECONDS = 2.0  # at the end, for what is still in the queues
_MISSING = b"\ntreadle: some lines are missing here: they could not be written\n"


class Outlet:
    """The queue and the thread of one open file."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._changed = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._size = 0  # bytes, those that are being written included
        self._missing = False  # something was dropped, and that is not said yet
        threading.Thread(target=self._write_all, daemon=True).start()

    @property
    def behind(self) -> bool:
        """Whether there is something that the file has not taken yet."""
        return self._size > 0

    def put(self, data: bytes) -> None:
        with self._changed:
            if self._size and self._size + len(data) > QUEUE_BYTES_MAX:
                self._missing = True
                return
            if self._missing:
                self._missing = False
                data = _MISSING + data
            self._queue.append(data)
            self._size += len(data)
            self._changed.notify()

    def empty(self, until: float) -> None:
        """Wait until all is written, but not longer than `until`, of the monotonic clock."""
        with self._changed:
            self._changed.wait_for(lambda: not self._size, max(0.0, until - time.monotonic()))

    def _write_all(self) -> None:
        # Signals are for the loop's own thread. And who is in the background of a terminal with
        # `stty tostop` is stopped by a write, unless that thread blocks SIGTTOU.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                data = self._queue.popleft()
            whole = self._write(data)
            with self._changed:
                self._size -= len(data)
                self._missing |= not whole
                self._changed.notify()

    def _write(self, data: bytes) -> bool:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:  # somebody else made it so: the file is shared
                select.select((), (self._fd,), ())
            except OSError:
                return False
        return True


class _End(io.FileIO):
    """A file that hands what is printed to its outlet."""

    def __init__(self, outlet: Outlet, fd: int) -> None:
        super().__init__(fd, "w", closefd=False)
        self.outlet = outlet

    def write(self, data: Any) -> int:
        self.outlet.put(bytes(data))
        return len(data)


def is_behind(stream: TextIO) -> bool:
    """Whether the file behind the stream has not yet taken all that was printed."""
    end = getattr(stream.buffer, "raw", None)
    return isinstance(end, _End) and end.outlet.behind


def wait_until_taken(stream: TextIO, seconds_max: float) -> None:
    """Wait until the file behind the stream has taken all that was printed."""
    end = getattr(stream.buffer, "raw", None)
    if isinstance(end, _End):
        end.outlet.empty(time.monotonic() + seconds_max)


@contextmanager
def nobody_waits() -> Iterator[None]:
    """In this block no write to stdout or stderr blocks or fails."""
    before = sys.stdout, sys.stderr
    out, err = (stream.fileno() for stream in before)
    outlets = [Outlet(out)]
    if not os.path.sameopenfile(out, err):  # else the order between them would be lost
        outlets.append(Outlet(err))
    sys.stdout, sys.stderr = _stream(before[0], outlets[0]), _stream(before[1], outlets[-1])
    try:
        yield
    finally:
        with suppress(KeyboardInterrupt):
            _end_hurries()
            sys.stdout.flush()
            until = time.monotonic() + LAST_SECONDS
            for outlet in outlets:
                outlet.empty(until)
        sys.stdout, sys.stderr = before


def _end_hurries() -> None:
    """A signal to end cuts the wait short, as Ctrl-C does; how this process ends is decided."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _stream(before: TextIO, outlet: Outlet) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_End(outlet, before.fileno())),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before is sys.stderr or before.isatty(),
    )
