"""The standard streams of a command: what becomes of its output when nobody reads it.

A write to a pipe without a reader fails. For a command that only lists something, that is its end.
But what another command does, and the exit code that it ends with, must not depend on who listens;
so there the output that nobody reads is dropped, and on stderr always.
"""

import io
import os
import sys
from typing import Any, TextIO


class _Unheard(io.FileIO):
    """A file that goes on taking bytes when its reader is gone."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def open_standard_streams() -> TextIO:
    """Make each stream usable, even if it is closed or its reader is gone.

    A closed one becomes /dev/null, else the next file gets its number. A character that stdout's
    encoding lacks is written as an escape, as on stderr. Returns the stdout that fails without a
    reader.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: SIM115 - until the process ends
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)  # it is closed if nobody has it
    failing = sys.stdout
    if isinstance(failing, io.TextIOWrapper):
        failing.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = _unheard(sys.stdout), _unheard(sys.stderr)
    return failing


def _unheard(stream: TextIO) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Unheard(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream is sys.stderr or stream.isatty(),
    )


def write_nowhere() -> None:
    """Redirect stdout, so that the flush at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
