"""The output of an attempt: it is found by its record, and by nothing that was asked."""

import os
from typing import IO

from msgspec import Struct

from controller.errors import NotFound, StorageError, UsageError, bounded
from controller.log.archive import output
from controller.log.output import LOOK_BACK_BYTES, open_present, start_of_last_lines
from controller.model.state import Attempt, Workflow

BYTES, BYTES_MAX = 64 << 10, 1 << 20  # of one answer


class Part(Struct, frozen=True):
    """Which bytes of an output: from an offset on, or its last lines."""

    offset: int = 0
    tail: int | None = None
    limit: int = BYTES

    def begin(self, file: IO[bytes], size: int) -> int:
        """Where it begins."""
        if self.tail is not None:
            return start_of_last_lines(file, self.tail, min(LOOK_BACK_BYTES, BYTES_MAX))[0]
        return min(self.offset, size)


class Printed(Struct, frozen=True):
    """A part of an output, which has `size` bytes by now. `ended`: it gets no more of them."""

    size: int
    offset: int
    ended: bool
    data: bytes


def attempt_of(life: Workflow, step: str, number: str | None) -> Attempt:
    """Of a step or a hook, by its number; None: the last one. Raises NotFound, UsageError."""
    if not step:
        raise UsageError("step is missing: write ?step=NAME")
    found = life.find(step)
    if found is None:
        raise NotFound(f'{life.name} has no step "{step}"')
    if not found.attempts:
        raise NotFound(f"{life.name}/{step} has no attempt yet")
    if number is None:
        return found.attempts[-1]
    known = next((each for each in found.attempts if str(each.number) == number), None)
    if known is None:
        first, last = found.attempts[0].number, found.attempts[-1].number
        has = f"{first} to {last}" if last > first else f"only {first}"
        raise NotFound(f'{life.name}/{step} has no attempt "{bounded(number)}"; it has {has}')
    return known


def printed(file: IO[bytes], part: Part, attempt: Attempt) -> Printed:
    size = file.seek(0, os.SEEK_END)
    offset = part.begin(file, size)
    file.seek(offset)
    return Printed(size, offset, not attempt.live, file.read(part.limit))


def opened(state_dir: str, step: str, attempt: Attempt) -> IO[bytes]:
    """What it has written so far, where it wrote it. Raises NotFound, StorageError."""
    try:
        return open_present(state_dir, attempt.log, attempt.place.get("output", ""))
    except FileNotFoundError:
        raise _gone(step, attempt) from None
    except OSError as error:  # something else lies in its place
        raise StorageError(
            f"the output of attempt {attempt.number} of {step} can't be read: {error.strerror}"
        ) from error


def unpacked(state_dir: str, step: str, attempt: Attempt) -> IO[bytes]:
    """What it has written, from the archive. Raises NotFound, StorageError.

    Cost: to unpack all outputs that were packed with it, up to this one.
    """
    found = output(state_dir, attempt.log)
    if found is None:
        raise _gone(step, attempt)
    return found


def _gone(step: str, attempt: Attempt) -> NotFound:
    if attempt.started is None:
        return NotFound(f"attempt {attempt.number} of {step} has not begun")
    return NotFound(f"the output of attempt {attempt.number} of {step} is gone")
