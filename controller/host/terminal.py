"""The terminal of the live view: its second screen to draw on, and its keys.

Keys are read only in the foreground, one by one and without an echo; Ctrl-C and Ctrl-Z still send
their signals. The terminal is as before whenever this process does not have it: at the end, after
an exception or a signal, and while it is stopped. Nothing here waits: what is drawn goes through
`outlet`.
"""

import codecs
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
from controller.view.ink import inked

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
_WRAPS, _WRAPS_NOT = "\x1b[?7h", "\x1b[?7l"  # at the right border
_COLUMNS, _LINES = 80, 24  # of a terminal that does not say
_READ_BYTES = 1024
_SEQUENCE_MAX = 32  # characters; no key sends more
_STOP_SECONDS = 0.5  # for the last bytes before Ctrl-Z stops all threads


class Terminal:
    """As a context manager it restores the terminal at the end."""

    def __init__(self) -> None:
        # It is one, whatever rich makes of the environment.
        self._console = Console(file=sys.stdout, force_terminal=True)
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] | None = None  # the settings, while ours are in force
        self._ours = False  # whether the second screen is shown
        self._shown: list[str] = []
        self._size = (0, 0)
        self._stop_asked = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._held = ""  # the beginning of a key, the rest of which is still to come

    def __enter__(self) -> "Terminal":
        self._handlers = {
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._ask_to_stop),
            # Its handler does nothing: the signal wakes the loop, which looks at the size.
            signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda *_: None),
            # After SIGSTOP, which nobody can prepare for, others have written on the screen.
            signal.SIGCONT: signal.signal(signal.SIGCONT, self._draw_all),
        }
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # nobody else ends in order
                self._handlers[number] = signal.signal(number, _end)
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
        """Columns and lines; of a terminal that is gone, those that it had."""
        # Not by rich, for which $COLUMNS counts: that is as old as the shell.
        try:
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, lines = self._size
        return columns or _COLUMNS, lines or _LINES

    @property
    def resized(self) -> bool:
        """Whether it has another size than at the last drawing."""
        return self.size != self._size

    @property
    def in_colour(self) -> bool:
        return self._console.color_system is not None and not self._console.no_color

    @property
    def has_keys(self) -> bool:
        return self._keys is not None

    def take(self) -> bool:
        """Show the second screen; False in the background, where nothing is drawn or read."""
        if self._stop_asked:
            self._stop()
        if not self._in_foreground():
            self.give_back()  # after SIGSTOP, or if the terminal is gone
            return False
        if not self._ours:
            if self._keys is not None:
                try:
                    self._before = termios.tcgetattr(self._keys)
                    tty.setcbreak(self._keys, termios.TCSANOW)
                except termios.error:
                    return False  # the terminal is gone
            self._ours, self._shown = True, []
            self._console.set_alt_screen(True)
            self._console.show_cursor(False)
            sys.stdout.write(_WRAPS_NOT)
        return True

    def give_back(self) -> None:
        """Show what was there before, and set the terminal as it was."""
        if not self._ours:
            return
        self._ours = False
        before, self._before = self._before, None
        with suppress(OSError, termios.error):  # the terminal is gone
            # In the background its settings are those that others need now, and to set them stops.
            if before is not None and self._keys is not None and self._in_foreground():
                termios.tcsetattr(self._keys, termios.TCSANOW, before)
            sys.stdout.write(_WRAPS)
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)
            sys.stdout.flush()

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
            # Cleared first: behind a line of the full width, that would take its last character.
            f"\x1b[{number + 1}H\x1b[K{inked(line)}"
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
        keys, self._held = _named(self._held + self._decoder.decode(data))
        return keys

    def forget_typed(self) -> None:
        """Drop the keys that were pressed and not read yet."""
        self._held = ""
        if self._keys is not None and self._ours:
            with suppress(termios.error):  # the terminal is gone
                termios.tcflush(self._keys, termios.TCIFLUSH)

    # ---------------------------------------- the foreground

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
        except OSError:
            return False

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_asked = True

    def _draw_all(self, _number: int, _frame: FrameType | None) -> None:
        self._size = (0, 0)

    def _stop(self) -> None:
        """Stop, as Ctrl-Z asks; returns when this process continues."""
        self._stop_asked = False
        self.give_back()
        wait_until_taken(sys.stdout, _STOP_SECONDS)
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, ours)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _named(text: str) -> tuple[list[str], str]:
    """Split what was typed into keys, and the beginning of one that is not whole.

    Unknown sequences are left out.
    """
    names: list[str] = []
    while text:
        size = 1
        if text[:2] in ("\x1b[", "\x1bO"):
            end = next(
                (n for n in range(2, len(text)) if text[n].isalpha() or text[n] == "~"), None
            )
            if end is None:
                return names, text[:_SEQUENCE_MAX]
            size = end + 1
        key, text = text[:size], text[size:]
        if name := _KEYS.get(key, key if len(key) == 1 and key.isprintable() else ""):
            names.append(name)
    return names, ""
