"""How an attempt ended, from what its runner left and what Slurm's books say.

The runner's word counts: it was there to the end. Without it, its job's state says why; but file
servers are late and books have gaps, so both are waited for. What nobody tells within
`UNTOLD_SECONDS` is lost.
"""

from msgspec import Struct

from controller.executor.slurm.listing import Told
from controller.executor.slurm.shared import ExitFile, Left
from controller.loop.ports import AttemptId, Ended
from controller.model.events import Usage
from controller.model.state import SECOND

LATE_SECONDS = 30.0  # for the files of a job that was killed
UNTOLD_SECONDS = 90.0  # for any word at all
NOT_SEEN_EXIT_CODE = 121  # the runner does not see its folder
OUTPUT_SIGNAL = 53  # as Slurm says that it can't open the output of a job
NO_PROGRAM_EXIT_CODES = (126, 127)  # of /usr/bin/env, which looks for python3
_BY_ITSELF = ("COMPLETED", "FAILED")


class Known(Struct, frozen=True, kw_only=True):
    """All that is known of an attempt whose job is over. Times in microseconds.

    `gone`: since when the job is not seen any more. `ordered`: it was to be ended; `never`: and
    can't have started.
    """

    id: AttemptId
    job: str
    folder: str
    left: Left
    told: Told | None
    gone: int
    now: int
    started: int | None = None
    ordered: bool = False
    requeued: bool = False
    never: bool = False


def verdict(known: Known) -> Ended | None:
    """How it ended; None while somebody may still say more."""
    left, told = known.left, known.told
    if left.exit is not None:
        return _as_runner_said(known, left.exit)
    waited = (known.now - known.gone) / SECOND
    cancelled = known.never if told is None else told.word == "CANCELLED"
    if known.ordered and cancelled and not left.claimed and known.started is None:
        return Ended(id=known.id, how="withdrawn", at=known.now)
    if told is None:
        if waited < UNTOLD_SECONDS:
            return None
        return _lost(known, f"job {known.job} is gone, and nothing tells how it ended")
    if not left.claimed and (problem := _why_it_never_began(known, told)):
        return Ended(
            id=known.id,
            how="start-failed",
            at=known.now,
            problem=problem,
            engine_reason=told.state,
        )
    if waited < (UNTOLD_SECONDS if told.word in _BY_ITSELF else LATE_SECONDS):
        return None
    return _as_slurm_said(known, told)


def _as_runner_said(known: Known, said: ExitFile) -> Ended:
    told = known.told
    if said.ended_by == "stranger" and told is not None and told.word not in _BY_ITSELF:
        return _as_slurm_said(known, told, said)
    if said.ended_by == "stranger" and not known.ordered:
        return _lost(known, f"job {known.job}: somebody sent it SIGTERM", said)
    if said.how != "exited" and "before" not in said.parts:
        where = f"node {said.host}: " if said.host else ""
        problem = f"{where}{said.problem}"
        return Ended(id=known.id, how="start-failed", at=known.now, problem=problem)
    by_itself = said.ended_by in ("", "timeout")
    return Ended(
        id=known.id,
        how="exited",
        at=_ended_at(known, said) if by_itself else known.now,
        exit_code=said.exit_code,
        signal=said.signal,
        usage=_usage(said),
        left_processes=said.left,
        timed_out=said.timed_out,
        problem=_timed_out(known) if said.timed_out else "",
        engine_reason=told.state if told is not None else "",
        notes=_survivors(said),
    )


def _as_slurm_said(known: Known, told: Told, said: ExitFile | None = None) -> Ended:
    """Slurm ended it, or its node. `said`: what its runner had to say of that."""
    where = f" on {told.node}" if told.node else ""
    if told.word == "TIMEOUT":
        return Ended(
            id=known.id,
            how="exited",
            at=known.now,
            usage=_usage(said),
            timed_out=True,
            problem=f"job {known.job} reached its time limit{where}",
            engine_reason=told.state,
            notes=_unproven(known, told.node, said),
        )
    if told.word in _BY_ITSELF:
        code = f"signal {told.signal}" if told.signal else f"exit code {told.exit_code}"
        text = f"job {known.job} ended{where} with {code}, and its runner did not say how it went"
        return _lost(known, text, said)
    if known.requeued:
        return _lost(known, f"job {known.job} was put back into the queue{where}", said)
    return _lost(known, f"job {known.job} ended{where}: {told.state}", said)


def _why_it_never_began(known: Known, told: Told) -> str:
    """Why no waiting helps; "" if that is not certain."""
    node = f"node {told.node}" if told.node else "its node"
    if told.exit_code == NOT_SEEN_EXIT_CODE or told.signal == OUTPUT_SIGNAL:
        return (
            f"{node} does not see {known.folder}; "
            "sharedDir must be a folder that this machine and all nodes share"
        )
    if told.word == "FAILED" and told.exit_code in NO_PROGRAM_EXIT_CODES:
        return f"{node} can't run python3: {known.left.said or 'it is not there'}"
    if told.word == "BOOT_FAIL":
        return f"{node} could not be booted"
    return ""


def _lost(known: Known, problem: str, said: ExitFile | None = None) -> Ended:
    told = known.told
    return Ended(
        id=known.id,
        how="lost",
        at=known.now,
        usage=_usage(said),
        problem=problem,
        engine_reason=told.state if told is not None else "",
        notes=_unproven(known, told.node if told is not None else "", said),
    )


def _ended_at(known: Known, said: ExitFile) -> int:
    """Nodes tell durations, never moments."""
    if known.started is None:
        return known.now
    return min(known.now, known.started + int(said.wall_seconds * SECOND))


def _timed_out(known: Known) -> str:
    seconds = known.left.timeout_seconds
    return "timed out" if seconds is None else f"timed out after {seconds:g} s"


def _usage(said: ExitFile | None) -> Usage | None:
    if said is None:
        return None
    return Usage(
        wall_seconds=said.wall_seconds,
        cpu_seconds=said.cpu_seconds,
        max_rss_bytes=said.max_rss_bytes,
    )


def _survivors(said: ExitFile) -> tuple[str, ...]:
    if not said.survivors:
        return ()
    pids = ", ".join(map(str, said.survivors[:10]))
    return (f"EndUnproven: node {said.host}: SIGKILL did not end pid {pids}",)


def _unproven(known: Known, node: str, said: ExitFile | None) -> tuple[str, ...]:
    """Whether processes of it may live on, for all that is known."""
    if said is not None:
        return _survivors(said)
    if not known.left.claimed and known.started is None:
        return ()
    where = f"node {node}" if node else "its node"
    return (f"EndUnproven: nobody has seen its processes end; look at {where}",)
