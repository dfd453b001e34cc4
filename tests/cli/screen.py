"""A real terminal with a command in it."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cli.place import TREADLE, Place


class Screen:
    """A terminal with a program in it, and all that was written to it."""

    def __init__(self, pid: int, master: int) -> None:
        self.pid, self.master = pid, master
        self.written = b""
        self._closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # EIO: the other end is closed
            while not self._closed:
                if select.select([self.master], [], [], 0.05)[0]:
                    self.written += os.read(self.master, 65536)

    def close(self) -> None:
        """Hang up. The reader ends first: the next terminal may get the number of this file."""
        if not self._closed:
            self._closed = True
            self._reader.join()
            os.close(self.master)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def exit_code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def on_a_screen(
    place: Place, *words: str, program: str = "", hears_hangup: bool = True, **more_env: str
) -> Iterator[Screen]:
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(place.root)
        if not hears_hangup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        env = {**os.environ, "TERM": "xterm", "PS1": "prompt: ", **more_env}
        os.execvpe(program or TREADLE, [program or "treadle", *words], env)
    screen = Screen(pid, master)
    screen.resize(80, 24)
    try:
        yield screen
    finally:
        screen.close()
