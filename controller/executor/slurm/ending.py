"""What to do next for an attempt that is to end while its job is in the queue or runs.

A job that waits is held again first. Once a later listing shows that it still waits, it can't start
any more, and is cancelled. One that runs gets SIGTERM for its runner alone, which finds the order
beside it, ends the attempt within its grace, and proves that. Only a runner that does not answer is
killed with its job.
"""

from controller.executor.slurm.job import Deed, Job, Stage
from controller.executor.slurm.listing import Seen
from controller.model.state import SECOND

AGAIN_US = 10 * SECOND  # an order is repeated: it may have been lost
RUNNER_US = 15 * SECOND  # for a runner beyond the grace
STUCK_US = 60 * SECOND  # after which a job that was killed should be gone


def next_deed(job: Job, seen: Seen, listed: int, now: int) -> Deed:
    """`seen`: the job in the listing that was asked for at `listed`; it is not over."""
    deed = _deed(job, seen, listed, now)
    return Deed.NOTHING if deed is job.said and now < job.said_again_at else deed


def _deed(job: Job, seen: Seen, listed: int, now: int) -> Deed:
    if seen.pending:
        held_since = job.held_again is not None and listed >= job.held_again
        if held_since or seen.held or job.requeued or job.stage is Stage.HELD:
            return Deed.WITHDRAW
        return Deed.HOLD if job.held_again is None else Deed.NOTHING
    order = job.order
    if order is None:
        return Deed.NOTHING
    if order.withdraw_only:
        return Deed.NOTHING if seen.waits else Deed.LEAVE
    killed_at = kill_at(job)
    if killed_at is not None and now >= killed_at:
        return Deed.KILL
    return Deed.NOTHING if seen.waits or seen.state == "COMPLETING" else Deed.SIGNAL


def kill_at(job: Job) -> int | None:
    """When its runner should have ended it; None while it has not been told."""
    if job.order is None or job.signalled is None:
        return None
    return job.signalled + int(job.order.grace_seconds * SECOND) + RUNNER_US


def stuck_at(job: Job) -> int | None:
    """When people are to be told that it does not end; None if it need not have started to."""
    if job.order is None or job.order.withdraw_only:
        return None
    return (kill_at(job) or job.ordered) + STUCK_US


def why_stuck(job: Job, seen: Seen, now: int) -> str:
    """What to tell people of an end that takes too long; "" if it does not."""
    at = stuck_at(job)
    if at is None or now < at:
        return ""
    where = f" on {seen.node}" if seen.node else ""
    why = f": {job.said_problem}" if job.said_problem else ", although it was cancelled"
    return f"job {job.handle} is still {seen.state}{where}{why}"


def next_due(job: Job, now: int) -> int | None:
    """When next_deed() or why_stuck() may say something else, although nothing is heard."""
    times = [job.said_again_at, kill_at(job), stuck_at(job)]
    return min((time for time in times if time is not None and time > now), default=None)
