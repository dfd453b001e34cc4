"""The only way of a text to stdout and stderr.

Whatever a command prints, some of it may come from outside: names, paths, reasons, the output of
steps, what others have written into the state folder. So a line goes out through `say` or `note`,
where all but our own styles is made visible (`view/ink`), and a newline inside it begins no line.
Data for programs goes out through `say_data`, with the escapes of JSON. Nothing else in treadle
may print, which the linter checks; only the live view moves the cursor, and `logs` hands on bytes.
"""

import io
import sys
from types import TracebackType

from controller.view.ink import as_json, inked


def say(*lines: str) -> None:
    """Print lines on stdout."""
    sys.stdout.write("".join(f"{inked(line)}\n" for line in lines))


def note(*lines: str) -> None:
    """Print lines on stderr, for people: they are no part of a result."""
    sys.stderr.write("".join(f"{inked(line)}\n" for line in lines))


def complain(text: str) -> None:
    """Print a line on stderr that names treadle, for it may stand among lines of others."""
    note(f"treadle: {text}")


def say_data(text: str) -> None:
    """Print JSON, or other text for programs: always in UTF-8, whatever the locale is."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.encoding.lower() != "utf-8":
        out.reconfigure(encoding="utf-8", errors="backslashreplace")
    out.write(as_json(text))


def note_crash(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a traceback, for `sys.excepthook`: the text of an exception may come from outside."""
    import traceback

    for part in traceback.format_exception(kind, error, trace):
        note(*part.splitlines())
