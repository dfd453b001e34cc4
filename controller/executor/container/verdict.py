"""How the end of an attempt is judged, by what its container and its client came to."""

from collections.abc import Callable
from typing import Literal

from controller.executor.container.attempt import ContainerAttempt
from controller.executor.container.reading import Container
from controller.loop.ports import ClockReading, Ended
from controller.model.events import Usage
from controller.model.state import SECOND

NEVER_STARTED = range(125, 128)  # what a client exits with if its container did not start
KILLED = (128 + 9, 128 + 15)
DOUBTS_MAX = 2  # looks in a row
UNWATCHED = "the process that watches over the container for podman died; nobody saw how it ended"

Stage = Literal["making", "runs"]


def judge(
    attempt: ContainerAttempt,
    seen: Container | None,
    clocks: ClockReading,
    now: int,
    last_words: Callable[[], str],
) -> Ended | Stage:
    """What a look at its container means: its end, or that it runs, or that it is being made.

    `last_words` reads the end of the log: if no container ran, its client wrote that.
    """
    client = attempt.client
    if attempt.doubts >= DOUBTS_MAX:
        return lost(attempt, now, UNWATCHED)
    if seen is not None and is_its(attempt, seen):
        if seen.stage == "alive":
            return "runs"
        if seen.stage == "over" and seen.started:
            return _ended(attempt, seen, _end_of(attempt, seen, clocks, now))
    if client is None:
        return "making"
    if client.exit_code in NEVER_STARTED and not attempt.ran:
        problem = _why_not(attempt, seen) or last_words()
        return Ended(id=attempt.id, how="start-failed", at=client.at, problem=problem)
    killed = f"its {attempt.program} client was killed when it started the container"
    removed = f"there is no container {attempt.name} any more: somebody removed it"
    ran = attempt.ran or client.exit_code is not None  # which is that of the container
    return lost(attempt, client.at, removed if ran else killed)


def is_its(attempt: ContainerAttempt, seen: Container) -> bool:
    """Whether the container is that of the attempt: a name alone proves nothing."""
    labels = seen.labels
    return labels is not None and (labels.attempt, labels.mark) == (attempt.id, attempt.mark)


def lost(attempt: ContainerAttempt, at: int, problem: str) -> Ended:
    """Nobody can know how it ended."""
    return Ended(id=attempt.id, how="lost", at=at, problem=problem)


def _why_not(attempt: ContainerAttempt, seen: Container | None) -> str:
    if seen is None:
        return ""
    if not is_its(attempt, seen):
        return f"the name {attempt.name} is taken by a container that is not of this attempt"
    return seen.problem


def _ended(attempt: ContainerAttempt, seen: Container, at: int) -> Ended:
    client, code = attempt.client, seen.exit_code
    if code is None:
        return lost(attempt, at, f"{attempt.program} does not know how the container ended")
    if client is not None and _stopped_with_shim(client) and code in KILLED:
        return lost(attempt, at, client.problem)
    return Ended(
        id=attempt.id,
        how="exited",
        at=at,
        exit_code=code,
        usage=Usage(wall_seconds=seen.seconds),
        engine_reason="OOMKilled" if seen.out_of_memory else "",
        notes=_notes(attempt),
    )


def _end_of(attempt: ContainerAttempt, seen: Container, clocks: ClockReading, now: int) -> int:
    """When it ended, by our clock: as long ago as the wall clock says."""
    client = attempt.client
    if client is not None and client.exit_code == seen.exit_code:
        return client.at
    age = max(0, clocks.wall - round(seen.ended * SECOND))
    return max(now - age, attempt.started or 0)


def _stopped_with_shim(client: Ended) -> bool:
    """Whether a signal for all processes, those of the shim too, ended it."""
    return client.how == "lost" and (client.exit_code is not None or client.signal is not None)


def _notes(attempt: ContainerAttempt) -> tuple[str, ...]:
    client = attempt.client
    if attempt.program != "docker" or client is None or client.signal is None:
        return ()
    return ("OutputGap: the docker client died, so what was printed after that is missing",)
