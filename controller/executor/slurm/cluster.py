"""One Slurm cluster: how it is asked, how often, and whether it answers.

Jobs are looked at by one `squeue` for all: soon after something has happened to one of them, then
ever less often. While Slurm does not answer, nothing is concluded and nothing is submitted.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from controller.executor.calls import Answer, Calls
from controller.executor.slurm.listing import (
    SACCT,
    SQUEUE,
    Garbled,
    Listing,
    Told,
    is_unreachable,
    read_accounting,
    read_job,
    read_kill_wait,
    read_listing,
)
from controller.loop.ports import Clock, Trouble
from controller.model.state import SECOND

CALL_SECONDS = 60.0
SUBMITTING_MAX = 6  # at once, so that there is always a thread for other calls
KILL_WAIT_SECONDS = 30.0  # Slurm's own default
SOONEST_SECONDS, LATEST_SECONDS = 2.0, 30.0  # between two looks
CALM = 10  # a look after a tenth of the time in which nothing has happened
LOAD = 20  # of the time, at most one part of this many is spent on looking
AGAIN_SECONDS = (5.0, 30.0)  # after a call that failed, and at most
_OF_SLURM = ("SLURM", "SBATCH", "SQUEUE", "SCANCEL", "SACCT", "SCONTROL", "SALLOC", "SRUN")
_KEPT = ("SLURM_JWT",)


def pace(calm_seconds: float, took_seconds: float) -> float:
    """How long to wait before the next look. `took_seconds`: how long the last one took."""
    return min(max(SOONEST_SECONDS, calm_seconds / CALM, took_seconds * LOAD), LATEST_SECONDS)


def environment(conf: str, own: Mapping[str, str]) -> dict[str, str]:
    """That of Slurm's programs: they are to do what they are told, and nothing else.

    `conf`: the path of the configuration that names the cluster; "" for that of the machine.
    """
    kept = {k: v for k, v in own.items() if k in _KEPT or not k.startswith(_OF_SLURM)}
    return {**kept, "SLURM_CONF": conf} if conf else kept


class Cluster:
    """`listing` is what was last seen of its jobs; `kill_wait` None until it was first reached."""

    def __init__(self, conf: str, calls: Calls, clock: Clock) -> None:
        self.conf = conf
        self.listing: Listing | None = None
        self.kill_wait: float | None = None
        self.problem = ""  # why it can't be asked
        self.sbatch_problem = ""  # why nothing can be submitted, although it can be asked
        self.submitting = 0
        self._submit_again_at = 0
        self._calls = calls
        self._clock = clock
        self._env = environment(conf, os.environ)
        self._failures = 0
        self._sbatch_failures = 0
        self._changed = clock.now()
        self._asking = False
        self._next = self._changed
        self._news: list[Listing] = []

    @property
    def reached(self) -> bool:
        return not self.problem and self.kill_wait is not None

    @property
    def may_submit(self) -> bool:
        """While `sbatch` fails, one at a time tries it, and then only now and then."""
        if not self.reached or self.submitting >= SUBMITTING_MAX:
            return False
        if not self.sbatch_problem:
            return True
        return not self.submitting and self._clock.now() >= self._submit_again_at

    @property
    def submit_due(self) -> int | None:
        """When it may be tried again, if only the time keeps it from that."""
        waits = self.sbatch_problem and self.reached and not self.submitting
        return self._submit_again_at if waits else None

    # ------------------------------------------------------------------------------------ looking

    def look(self) -> None:
        """Ask for a listing if it is time. Call it only while somebody needs to know."""
        now = self._clock.now()
        if self._asking or now < self._next:
            return
        self._asking = True
        if self.kill_wait is None:
            self.ask(["scontrol", "show", "config"], self._hear_config)
        else:
            user = f"--user={os.geteuid()}"
            self.ask([*SQUEUE, user], lambda answer: self._hear_listing(answer, now))

    def next_due(self) -> int | None:
        """When look() has something to do."""
        return None if self._asking else self._next

    def changed(self) -> None:
        """Something has happened to a job, so that more may follow soon."""
        self._changed = self._clock.now()
        self._next = min(self._next, self._changed + int(SOONEST_SECONDS * SECOND))

    def hurry(self) -> None:
        """Somebody waits for the next listing."""
        self._changed = self._clock.now()
        if not self.problem:
            self._next = self._changed

    def news(self) -> list[Listing]:
        """The listings since the last call."""
        news, self._news = self._news, []
        return news

    def _hear_config(self, answer: Answer) -> None:
        self._asking = False
        if not answer.ok:
            self._fail(answer.problem)
            return
        self.kill_wait = read_kill_wait(answer.out) or KILL_WAIT_SECONDS
        self._next = self._clock.now()

    def _hear_listing(self, answer: Answer, asked: int) -> None:
        self._asking = False
        if not answer.ok:
            self._fail(answer.problem)
            return
        try:
            listing = Listing(asked, read_listing(answer.out))
        except Garbled as fault:
            self._fail(str(fault))
            return
        now = self._clock.now()
        self.problem, self._failures = "", 0
        self.listing = listing
        self._news.append(listing)
        wait = pace((now - self._changed) / SECOND, (now - asked) / SECOND)
        self._next = now + int(wait * SECOND)

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self._failures += 1
        self._next = self._clock.now() + int(_backoff(self._failures) * SECOND)

    # ----------------------------------------------------------------------------------- telling

    def ask(self, argv: Sequence[str], then: Callable[[Answer], None], data: bytes = b"") -> None:
        """Run a program of Slurm for this cluster."""
        self._calls.ask(argv, then, seconds=CALL_SECONDS, data=data, env=self._env)

    def sbatch(self, argv: Sequence[str], script: bytes, then: Callable[[Answer], None]) -> None:
        """Submit a job. Whether it is known to have failed, only a later listing can tell."""

        def heard(answer: Answer) -> None:
            self.submitting -= 1
            if answer.ok or not is_unreachable(answer.code, answer.problem):
                self.sbatch_problem, self._sbatch_failures = "", 0
            else:
                self.cannot_submit(answer.problem)
            then(answer)

        self.submitting += 1
        self.ask(argv, heard, script)

    def cannot_submit(self, problem: str) -> None:
        self.sbatch_problem = problem
        self._sbatch_failures += 1
        wait = int(_backoff(self._sbatch_failures) * SECOND)
        self._submit_again_at = self._clock.now() + wait
        self.hurry()

    def release(self, jobs: Sequence[str], then: Callable[[Answer], None]) -> None:
        self.ask(["scontrol", "release", ",".join(jobs)], then)

    def hold(self, job: str, then: Callable[[Answer], None]) -> None:
        """Keep it from starting. If it runs, this changes nothing."""
        self.ask(["scontrol", "hold", job], then)

    def cancel_pending(self, jobs: Sequence[str], then: Callable[[Answer], None]) -> None:
        self.ask(["scancel", "--state=PENDING", *jobs], then)

    def terminate(self, job: str, then: Callable[[Answer], None]) -> None:
        """SIGTERM to its runner alone."""
        self.ask(["scancel", "--signal=TERM", "--batch", job], then)

    def cancel(self, job: str, then: Callable[[Answer], None]) -> None:
        self.ask(["scancel", job], then)

    def ask_how_it_ended(self, job: str, name: str, then: Callable[[Told | None], None]) -> None:
        """By Slurm's own books, of which there may be none."""

        def heard_job(answer: Answer) -> None:
            told = read_job(answer.out) if answer.ok and f"JobName={name} " in answer.out else None
            if told is not None:
                then(told)
            else:
                self.ask([*SACCT, f"--jobs={job}"], heard_accounting)

        def heard_accounting(answer: Answer) -> None:
            then(read_accounting(answer.out, job, name) if answer.ok else None)

        self.ask(["scontrol", "--oneliner", "show", "job", job], heard_job)

    # ------------------------------------------------------------------------------------ trouble

    def trouble(self, waiting: int) -> Trouble | None:
        """Why it can't be asked; `waiting`: how many attempts have to wait for that."""
        problem = self.problem or self.sbatch_problem
        if not problem:
            return None
        where = f" ({self.conf})" if self.conf else ""
        attempts = "1 attempt waits, and" if waiting == 1 else f"{waiting} attempts wait, and"
        so = f"{attempts if waiting else 'a spec names it, but'} nothing new starts there"
        message = f"Slurm{where} can't be reached: {problem}; {so}"
        missing = [name for name in ("sbatch", "squeue", "scontrol", "scancel") if _absent(name)]
        if missing:
            message += (
                f"; this machine has no {', '.join(missing)}: install Slurm's client programs, "
                "or start treadle on a login node of the cluster"
            )
        return Trouble("SlurmUnreachable", message, "EngineUnreachable", engine="slurm")


def _backoff(failures: int) -> float:
    first, most = AGAIN_SECONDS
    with suppress(OverflowError):
        return float(min(first * 2.0 ** (failures - 1), most))
    return most


def _absent(program: str) -> bool:
    return shutil.which(program) is None
