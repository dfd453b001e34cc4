"""The terminal of the live view: its second screen to draw on, and its keys.

Keys are read only in the foreground, one by one and without an echo; Ctrl-C and Ctrl-Z still send
their signals. The terminal is as before whenever this process does not have it: at the end, after
an exception, and while it is stopped. Nothing here waits: what is drawn goes through `outlet`.
"""

import os
import signal
import sys
import termios
import tty
from contextlib import suppress
from select import select
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console
from rich.control import Control

from controller.host.outlet import is_behind, wait_until_taken

_KEYS = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
}
_COLUMNS, _LINES = 80, 24  # of a terminal that does not say
_READ_BYTES = 1024
_STOP_SECONDS = 0.5  # for the last bytes before Ctrl-Z stops all threads


class Terminal:
    """As a context manager it restores the terminal at the end."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout)
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] | None = None  # the settings, while ours are in force
        self._ours = False  # whether the second screen is shown
        self._shown: list[str] = []
        self._size = (0, 0)
        self._stop_asked = False

    def __enter__(self) -> "Terminal":
        self._handlers = {
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._ask_to_stop),
            # Its handler does nothing: the signal wakes the loop, which looks at the size.
            signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda *_: None),
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        # Not by rich, for which $COLUMNS counts: that is as old as the shell.
        size = os.get_terminal_size(sys.stdout.fileno())
        return size.columns or _COLUMNS, size.lines or _LINES

    @property
    def resized(self) -> bool:
        """Whether it has another size than at the last drawing."""
        return self.size != self._size

    @property
    def in_colour(self) -> bool:
        return self._console.color_system is not None

    def take(self) -> bool:
        """Show the second screen; False in the background, where nothing is drawn or read."""
        if self._stop_asked:
            self._stop()
        if not self._in_foreground():
            return False
        if not self._ours:
            self._ours, self._shown = True, []
            if self._keys is not None:
                self._before = termios.tcgetattr(self._keys)
                tty.setcbreak(self._keys, termios.TCSANOW)
            self._console.set_alt_screen(True)
            self._console.show_cursor(False)
        return True

    def give_back(self) -> None:
        """Show what was there before, and set the terminal as it was."""
        if not self._ours:
            return
        self._ours = False
        self._console.show_cursor(True)
        self._console.set_alt_screen(False)
        sys.stdout.flush()
        if self._keys is not None and self._before is not None:
            with suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._keys, termios.TCSANOW, self._before)
            self._before = None

    # ---------------------------------------- drawing

    def is_behind(self) -> bool:
        """Whether it has not taken the last drawing yet."""
        return is_behind(sys.stdout)

    def draw(self, lines: list[str]) -> None:
        """Show these lines. Only those that changed are written."""
        size = self.size
        if size != self._size:
            self._size, self._shown = size, []
            self._console.control(Control.clear())
        parts = [
            f"\x1b[{number + 1}H{line}\x1b[K"
            for number, line in enumerate(lines)
            if self._shown[number : number + 1] != [line]
        ]
        if len(lines) < len(self._shown):
            parts.append(f"\x1b[{len(lines) + 1}H\x1b[J")
        self._shown = lines
        sys.stdout.write("".join(parts))
        sys.stdout.flush()

    # ---------------------------------------- keys

    def fileno(self) -> int | None:
        """A file that can be read when a key was pressed; None if no keys are read now."""
        return self._keys if self._ours else None

    def keys(self) -> list[str]:
        """The keys pressed since the last call: a character each, or a name such as `up`."""
        if self._keys is None or not self._ours or not select([self._keys], [], [], 0)[0]:
            return []
        try:
            data = os.read(self._keys, _READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._keys = None  # the terminal is gone
        return list(_named(data.decode(errors="ignore")))

    # ---------------------------------------- the foreground

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
        except OSError:
            return False

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_asked = True

    def _stop(self) -> None:
        """Stop, as Ctrl-Z asks; returns when this process goes on."""
        self._stop_asked = False
        self.give_back()
        wait_until_taken(sys.stdout, _STOP_SECONDS)
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, ours)


def _named(text: str) -> "list[str]":
    """Split what was typed into keys. Unknown sequences are left out."""
    names = []
    while text:
        if text[0] == "\x1b" and len(text) > 1:
            end = next(
                (n for n in range(2, len(text)) if text[n].isalpha() or text[n] == "~"), None
            )
            size = len(text) if end is None else end + 1
        else:
            size = 1
        key, text = text[:size], text[size:]
        if name := _KEYS.get(key, key if len(key) == 1 and key.isprintable() else ""):
            names.append(name)
    return names
