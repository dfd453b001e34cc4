"""What Slurm's programs say of jobs, read into plain values. Nothing here asks anybody.

What can't be read is `Garbled`: nothing is concluded from such an answer.
"""

import re
from typing import NamedTuple

from controller.executor.names import Labels
from controller.executor.slurm.submission import whose

# Names and comments of other jobs may have any character, so each job begins with one of its own.
_JOB, _FIELD = "\x1e", "\x1f"
SQUEUE = (
    "squeue",
    "--noheader",
    "--states=all",
    "--format=" + _JOB + _FIELD.join(("%A", "%T", "%N", "%j", "%k", "%r")),
)
SACCT = (
    "sacct",
    "--noheader",
    "--parsable2",
    "--allocations",
    "--format=JobIDRaw,JobName,State,ExitCode,NodeList",
)

_WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"})
_OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)
_HELD = ("JobHeldUser", "JobHeldAdmin")
_UNREACHABLE = (
    "unable to contact",
    "socket timed out",
    "connection refused",
    "connection reset",
    "transport endpoint",
    "zero bytes were transmitted",
    "unable to resolve",
    "unexpected message",
    "standby mode",
    "munge",
    "authentication",
    "credential",
    "configuration source",
    "configuration file",
    "unspecified error",
    "temporarily unavailable",
    "no route to host",
)
_PASSING = ("violates accounting/qos policy", "temporarily unable to accept", "currently disabled")
_SHELL_CODES = 126  # and above: what was to run never did


class Garbled(Exception):
    """A program said something that can't be read; the text is for people."""


class Seen(NamedTuple):
    """A job as `squeue` shows it."""

    job: str
    state: str
    node: str
    name: str
    labels: Labels | None
    reason: str

    @property
    def over(self) -> bool:
        """No process of it lives, as far as Slurm knows."""
        return self.state in _OVER

    @property
    def waits(self) -> bool:
        return self.state in _WAITING

    @property
    def pending(self) -> bool:
        return self.state == "PENDING"

    @property
    def held(self) -> bool:
        """It waits, and will not start by itself."""
        return self.pending and self.reason in _HELD


class Told(NamedTuple):
    """How a job ended, by Slurm's own books."""

    state: str  # `CANCELLED by 1000`
    exit_code: int = 0
    signal: int = 0
    node: str = ""

    @property
    def word(self) -> str:
        return self.state.partition(" ")[0]


class Listing:
    """All jobs of this user. `asked`: when, in microseconds; later jobs may be missing."""

    def __init__(self, asked: int, jobs: list[Seen]) -> None:
        self.asked = asked
        self.jobs = {job.job: job for job in jobs}
        self.by_name: dict[str, list[Seen]] = {}
        for job in jobs:
            self.by_name.setdefault(job.name, []).append(job)

    def get(self, job: str, name: str) -> Seen | None:
        """The job, unless its number has been given to another one meanwhile."""
        seen = self.jobs.get(job)
        return seen if seen is not None and seen.name == name else None


def read_listing(text: str) -> list[Seen]:
    """What SQUEUE printed, without the jobs that have no name of ours. Raises Garbled."""
    before, *records = text.split(_JOB)
    if before.strip():
        raise Garbled(f"squeue said: {_short(before)}")
    jobs = []
    for record in records:
        fields = record.rstrip("\n").split(_FIELD)
        if len(fields) < 6 or not fields[0].isdigit() or not fields[1].isupper():
            raise Garbled(f"squeue said: {_short(record)}")
        job, state, node, name = fields[:4]
        if name.startswith("treadle-") and len(fields) == 6:
            jobs.append(Seen(job, state, node, name, whose(fields[4]), fields[5]))
    return jobs


def read_handle(text: str) -> str:
    """The number of the job that `sbatch --parsable` has made. Raises Garbled."""
    job = text.strip().partition(";")[0]
    if not job.isdigit():
        raise Garbled(f"sbatch said: {_short(text)}")
    return job


def read_job(text: str) -> Told | None:
    """What `scontrol --oneliner show job` printed; None if that is no job that has ended."""
    found = dict(re.findall(r"(?:^| )(JobState|ExitCode|BatchHost)=(\S*)", text))
    if found.get("JobState") not in _OVER:
        return None
    return _told(found["JobState"], found.get("ExitCode", ""), found.get("BatchHost", ""))


def read_accounting(text: str, job: str, name: str) -> Told | None:
    """What SACCT printed of the job; None if it doesn't know it, or not its end."""
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) == 5 and fields[:2] == [job, name]:
            told = _told(*fields[2:])
            return told if told.word in _OVER else None
    return None


def read_kill_wait(text: str) -> float | None:
    """The seconds between SIGTERM and SIGKILL, from `scontrol show config`."""
    found = re.search(r"^KillWait\s*=\s*(\d+)", text, re.MULTILINE)
    return float(found[1]) if found else None


def is_unreachable(code: int | None, problem: str) -> bool:
    """Whether a failed call says nothing but that Slurm can't be asked, or not known to be."""
    said = problem.lower()
    return code is None or code >= _SHELL_CODES or any(text in said for text in _UNREACHABLE)


def is_passing(problem: str) -> bool:
    """Whether a refused job may be taken later: limits of a user, a partition that is closed."""
    return any(text in problem.lower() for text in _PASSING)


def _told(state: str, exit_code: str, node: str) -> Told:
    code, _, signal = exit_code.partition(":")
    return Told(
        state,
        int(code) if code.isdigit() else 0,
        int(signal) if signal.isdigit() else 0,
        "" if node in ("(null)", "None assigned") else node,
    )


def _short(text: str) -> str:
    said = " ".join(text.split())
    return repr(said if len(said) <= 80 else f"{said[:79]}…")
