"""The output of an attempt: it is found by its record, and by nothing that was asked."""

from typing import IO

from controller.errors import NotFound, StorageError, UsageError
from controller.log.output import open_output
from controller.model.state import Attempt, Workflow


def attempt_of(life: Workflow, step: str, number: int) -> Attempt:
    """Of a step or a hook, by its number; 0: the last one. Raises NotFound, UsageError."""
    if not step:
        raise UsageError("step is missing: write ?step=NAME")
    found = life.find(step)
    if found is None:
        raise NotFound(f'{life.name} has no step "{step}"')
    if not number and found.attempts:
        return found.attempts[-1]
    known = next((attempt for attempt in found.attempts if attempt.number == number), None)
    if known is None:
        raise NotFound(f"{life.name}/{step} has no attempt {number or 'yet'}")
    return known


def opened(state_dir: str, step: str, attempt: Attempt) -> IO[bytes]:
    """What it has written so far. Raises NotFound, StorageError."""
    try:
        return open_output(state_dir, attempt.log, attempt.place.get("output", ""))
    except FileNotFoundError:
        if attempt.started is None:
            raise NotFound(f"attempt {attempt.number} of {step} has not begun") from None
        raise NotFound(f"the output of attempt {attempt.number} of {step} is gone") from None
    except OSError as error:  # something else lies in its place
        raise StorageError(
            f"the output of attempt {attempt.number} of {step} can't be read: {error.strerror}"
        ) from error
