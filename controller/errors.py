"""What can be wrong, in words that help a person to fix it.

A `Fault` is a value: one problem at one place in a file; a file may have many. A `TreadleError` is
raised when a command can't go on, and carries the exit code that scripts rely on.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

FAULTS_MAX = 1000  # of one file; of more, one fault says that there are more
TEXT_MAX = 2000  # characters of a message, or of a text from outside in a record


def bounded(text: str) -> str:
    """The beginning of a text that is longer than anybody reads."""
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


class ExitCode(IntEnum):
    """The exit codes of every command."""

    FINE = 0
    FAILED = 1  # a workflow failed or was cancelled
    USAGE = 2  # wrong usage, or an invalid spec
    HELD = 3  # another controller holds the state folder
    STORAGE = 4  # the log is damaged, the disk is full, the state folder can't be used
    NOT_FOUND = 5
    TIMED_OUT = 124  # `wait` gave up


class Excerpt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The line of a fault, or the part of a long line around it.

    The wrong word is `length` characters long and begins at `start`, which counts from 0.
    """

    text: str
    start: int = 0
    length: int = 1


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One problem in a file: where it is, what it is, and how to fix it.

    `line` and `column` count from 1; 0 means that the fault belongs to the file as a whole.
    `path` is the place in the document, like `spec.steps[2].dependsOn[0]`, or empty; `step` is the
    name of the step around it. A fault of the command line has no file, and its option as `path`.
    A warning rejects nothing. What it quotes can be of any length, but no text of it is.
    """

    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    problem: str
    hint: str = ""
    step: str = ""
    severity: Literal["error", "warning"] = "error"
    excerpt: Excerpt | None = None

    def __post_init__(self) -> None:
        for field in ("path", "problem", "hint", "step"):
            if len(text := getattr(self, field)) > TEXT_MAX:
                force_setattr(self, field, bounded(text))

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.place, self.path, self.advice)))

    @property
    def place(self) -> str:
        """The file, with line and column if they are known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def advice(self) -> str:
        """What is wrong and how to fix it, without the place."""
        return f"{self.problem}; {self.hint}" if self.hint else self.problem


class TreadleError(Exception):
    """Something that ends a command. Its text is one clear line for a person."""

    exit_code = ExitCode.FAILED


class UsageError(TreadleError):
    """The command can't be carried out as given."""

    exit_code = ExitCode.USAGE


class InvalidSpec(UsageError):
    """A command can't continue with these faults of specs."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


class NothingToDo(UsageError):
    """What was asked for is so already. For a command it is no failure."""


class Outdated(UsageError):
    """Somebody acts on what they have seen, and it is no longer so."""


class NotUtf8(UsageError):
    """A word with other bytes: no log can hold it. Python has them as lone surrogates."""

    def __init__(self, word: str) -> None:
        shown = word.encode(errors="surrogateescape").decode(errors="backslashreplace")
        super().__init__(f"{shown}: this is not UTF-8")


class LockHeld(TreadleError):
    """Another controller holds the state folder."""

    exit_code = ExitCode.HELD


class StorageError(TreadleError):
    """The state folder can't be used, or its log can't be trusted."""

    exit_code = ExitCode.STORAGE


MEND_DISK = "make room or repair the disk, then start again"


class NotFound(TreadleError):
    """No workflow, step or file of that name."""

    exit_code = ExitCode.NOT_FOUND


class NoRecords(NotFound):
    """No workflow of that name, as the state folder has no record at all: perhaps a wrong folder.

    Whoever prints it adds which folder that is.
    """
