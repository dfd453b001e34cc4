"""What the executor knows of one attempt, and how it may have ended."""

import os
from signal import SIGTERM

from msgspec import Struct

from controller.executor.secrets import CannotPrepare
from controller.loop.ports import AttemptId, End, Ended, Launch
from controller.model.events import Usage

REBOOTED = "the machine was rebooted"
UNSEEN = "the supervisor of the step died; nobody saw how the step ended"
UNSTARTED = "the supervisor died when it was about to start the step; nobody knows whether it ran"


class TrackedAttempt(Struct, eq=False):
    """What is known of one attempt until its end is durable."""

    id: AttemptId
    mark: int
    launch: Launch | None = None  # until the shim says that it started, or can't
    refusal: CannotPrepare | None = None  # why it must not start; the shim may say that it has
    unprepared: bool = False  # for want of something that becomes free again
    order: End | None = None  # given before the shim reported a start or an end
    pid: int = 0
    start: int = 0
    started: int = 0  # microseconds since boot
    may_leave: bool = False  # processes that it leaves running are not ended
    grace_us: int = 0  # for processes that it leaves running
    offered: bool = False  # its start was sent to a shim
    noted: bool = False  # the shim that we are connected to knows of it
    orphan: bool = False  # the shim that started it is dead
    found: bool = False  # by its mark: `pid` is probably its first process, not certainly
    ordered: bool = False  # we were told to end it
    leaving: bool = False  # it ended by itself; processes that it left are being ended
    outcome: Ended | None = None  # of its first process
    unproven: tuple[int, ...] = ()  # other users' processes with its mark, when its shim was dead
    told: bool = False


def exited(attempt: TrackedAttempt, status: int, at: int, usage: Usage) -> Ended:
    """How it ended, from the wait status of its first process."""
    code = os.waitstatus_to_exitcode(status)
    return Ended(
        id=attempt.id,
        how="exited",
        at=at,
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        usage=usage,
    )


def terminated(outcome: Ended) -> bool:
    """Whether SIGTERM ended it; a shell whose command it ended exits with 143."""
    return outcome.how == "exited" and (outcome.signal == SIGTERM or outcome.exit_code == 143)


def lost(attempt: TrackedAttempt, at: int, problem: str) -> Ended:
    return Ended(id=attempt.id, how="lost", at=at, problem=problem)
