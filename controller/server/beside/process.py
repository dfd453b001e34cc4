"""The side of the process: a question a line, an answer a line, until nobody asks any more."""

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from controller.errors import TreadleError
from controller.server.answers import status_of
from controller.server.beside.worker import Answer, Folders, Problem

_OBJECTS_UNTIL_GC = 50_000  # those of a log are not garbage


class Jobs(Protocol):
    """Each public method is a job, but for this one."""

    def begin(self) -> None:
        """Get ready, so that no question waits for that."""


def folders_given() -> Folders:
    """What the server has told on the command line; behind it is the folder for scratch files."""
    return msgspec.json.decode(sys.argv[1], type=Folders)


def answer_all(jobs: Jobs) -> None:
    """An empty line says that it is ready. Its scratch files go with it."""
    gc.set_threshold(_OBJECTS_UNTIL_GC)
    tempfile.tempdir = sys.argv[2]  # on a full disk, Python would take another
    answers = sys.stdout.buffer  # noqa: TID251 - the server reads it
    jobs.begin()
    try:
        answers.write(b"\n")
        answers.flush()
        for line in sys.stdin.buffer:
            answers.write(msgspec.json.encode(answer(jobs, line)) + b"\n")
            answers.flush()
    except BrokenPipeError:  # the server was killed
        _clear_away()
        os._exit(1)  # what is left in the buffer has no reader
    _clear_away()


def _clear_away() -> None:
    shutil.rmtree(sys.argv[2], ignore_errors=True)


def answer(jobs: Jobs, line: bytes) -> Answer:
    """To a question, which is a line of JSON."""
    try:
        question = msgspec.json.decode(line)
        job: Callable[..., Any] = getattr(jobs, question["job"])
        return Answer(msgspec.Raw(msgspec.json.encode(job(**question["words"]))))
    except TreadleError as error:
        return Answer(problem=Problem(status_of(error), str(error)))
    except (OSError, ValueError, RecursionError) as error:
        return Answer(problem=Problem(500, f"{type(error).__name__}: {error}"))
