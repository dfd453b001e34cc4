"""From what is wanted to a released job: each step can be repeated, and none takes effect twice.

    WANTED -- sbatch --hold --> HELD -- in the log --> KEPT -- scontrol release --> RELEASED
      ^                           ^
      +-- not there -- LOOKING -- it is there

`sbatch` that failed may have submitted all the same, and another controller may have died while it
asked. Then a listing decides. Should a job appear later still, it is held, and only a second one.
"""

from functools import partial

from controller.executor.calls import Answer, Calls
from controller.executor.names import labels
from controller.executor.secrets import CannotPrepare
from controller.executor.shim.spawn import NotNow
from controller.executor.slurm import shared, submission
from controller.executor.slurm.cluster import Cluster
from controller.executor.slurm.job import Job, Jobs, Stage
from controller.executor.slurm.listing import (
    Garbled,
    Listing,
    is_passing,
    is_unreachable,
    read_handle,
)
from controller.executor.slurm.strangers import Strangers
from controller.loop.ports import Ended, Launch
from controller.model.phases import Reason
from controller.model.state import SECOND
from controller.spec.placement import OnSlurm

AGAIN_US = 5 * SECOND  # after something that failed, and may pass
REFUSED_AGAIN_US = 30 * SECOND  # after Slurm took no job because of a limit
RELEASED_AT_ONCE_MAX = 100

Prepared = str | CannotPrepare | NotNow


class Submitter:
    """Submits and releases the attempts in hand."""

    def __init__(self, jobs: Jobs, files: Calls, strangers: Strangers, state_dir: str) -> None:
        self._jobs = jobs
        self._files = files
        self._strangers = strangers
        self._state_dir = state_dir
        self._clock = jobs.clock
        self._wanted: dict[Job, None] = {}

    # ----------------------------------------------------------------------------------- to look

    def look_for(self, job: Job, listing: Listing) -> None:
        """Whether it was submitted before: take one job of its name, and remove the others."""
        launch = job.launch
        there = [seen for seen in listing.by_name.get(job.name, ()) if seen.state != "CANCELLED"]
        whose = {seen.labels for seen in there}
        if launch is not None and there and whose != {labels(launch)}:
            problem = f"job {there[0].job} has the name {job.name}, but not its labels"
            self._cannot_start(job, problem)
            return
        there.sort(key=lambda seen: (seen.pending, int(seen.job)))
        if there:
            self._take(job, there[0].job)
            self.remove_others(job, listing)
        else:
            job.stage, job.due = Stage.WANTED, None
            self._jobs.touch(job)

    def remove_others(self, job: Job, listing: Listing) -> None:
        """Jobs of its name that are held beside its own."""
        others = [
            seen.job
            for seen in listing.by_name.get(job.name, ())
            if seen.job != job.handle and seen.pending
        ]
        self._strangers.unwanted(job.cluster, others)

    def _take(self, job: Job, handle: str) -> None:
        job.handle, job.stage, job.due = handle, Stage.HELD, None
        job.since = self._clock.now()
        job.cluster.changed()
        if job.order is None:
            self._jobs.submitted(job, *self._place(job))
        self._jobs.touch(job)

    def _place(self, job: Job) -> tuple[dict[str, str], str]:
        assert job.launch is not None, job.id
        shared_dir, conf = _shared_dir(job.launch), job.cluster.conf
        place = {"sharedDir": shared_dir, "conf": conf, "output": f"{job.folder}/output"}
        return place, f"{conf}:{shared_dir}"

    # --------------------------------------------------------------------------------- to submit

    def want(self, job: Job) -> None:
        """It is to be submitted when its cluster takes jobs, unless it is to end."""
        if job.order is None and job.launch is not None:
            self._wanted[job] = None
        else:
            now = self._clock.now()
            self._jobs.ends(job, Ended(id=job.id, how="withdrawn", at=now))

    def carry_on(self) -> None:
        """Submit what is wanted, as far as the clusters take jobs now."""
        now, busy = self._clock.now(), set[Cluster]()
        for job in list(self._wanted):
            if job.stage is not Stage.WANTED or job.calling:
                del self._wanted[job]
            elif job.cluster in busy or (job.due is not None and now < job.due):
                pass
            elif job.cluster.may_submit:
                del self._wanted[job]
                self._submit(job)
            else:
                busy.add(job.cluster)

    def next_due(self) -> int | None:
        """When a cluster that took no job may be asked again."""
        dues = (job.cluster.submit_due for job in self._wanted)
        return min((due for due in dues if due is not None), default=None)

    def _submit(self, job: Job) -> None:
        """Prepare its folder, then ask for a held job."""
        launch, cluster = job.launch, job.cluster
        assert launch is not None, job.id
        assert cluster.kill_wait is not None, cluster.conf
        job.due = None
        cluster.submitting += 1
        work = partial(_prepare, self._state_dir, _shared_dir(launch), launch, cluster.kill_wait)
        then = self._jobs.heard(job, partial(self._prepared, launch))

        def prepared(given: Prepared) -> None:
            cluster.submitting -= 1
            then(given)

        self._files.carry_out(work, prepared)

    def _prepared(self, launch: Launch, job: Job, prepared: Prepared) -> None:
        if job.order is not None:
            return
        if isinstance(prepared, NotNow):
            self._jobs.waits(job, str(prepared))
            job.due = self._clock.now() + AGAIN_US
        elif isinstance(prepared, CannotPrepare):
            self._cannot_start(job, str(prepared), prepared.reason)
        elif not prepared:
            now, problem = self._clock.now(), "a runner has taken it, and its job can't be found"
            self._jobs.ends(job, Ended(id=job.id, how="lost", at=now, problem=problem))
        else:
            argv, script = submission.argv(launch, prepared), submission.script(prepared)
            job.cluster.sbatch(argv, script, self._jobs.heard(job, self._submitted))

    def _submitted(self, job: Job, answer: Answer) -> None:
        now = self._clock.now()
        if answer.ok:
            try:
                self._take(job, read_handle(answer.out))
                return
            except Garbled as fault:
                job.cluster.cannot_submit(str(fault))
        elif not is_unreachable(answer.code, answer.problem):
            if is_passing(answer.problem):
                self._jobs.waits(job, answer.problem)
                job.due = now + REFUSED_AGAIN_US
            else:
                self._cannot_start(job, answer.problem)
            return
        job.stage, job.since = Stage.LOOKING, now

    def _cannot_start(self, job: Job, problem: str, reason: str = Reason.START_FAILED) -> None:
        self._jobs.ends(
            job,
            Ended(
                id=job.id,
                how="start-failed",
                at=self._clock.now(),
                problem=problem,
                reason=reason,
            ),
        )

    # -------------------------------------------------------------------------------- to release

    def may_release(self, job: Job) -> bool:
        """Whether it is still to be released, as far as is known, and may be now."""
        listing, now = job.cluster.listing, self._clock.now()
        if listing is not None and listing.asked >= job.since:
            seen = listing.get(job.handle, job.name)
            if seen is None or not seen.held:
                job.stage, job.due = Stage.RELEASED, None
                self._jobs.touch(job)
                return False
        return job.cluster.reached and (job.due is None or now >= job.due)

    def release(self, jobs: list[Job]) -> None:
        """All of these are in the log, and of one cluster that can be asked."""
        for first in range(0, len(jobs), RELEASED_AT_ONCE_MAX):
            some = jobs[first : first + RELEASED_AT_ONCE_MAX]
            for job in some:
                job.calling, job.due = True, None
            handles = [job.handle for job in some]
            some[0].cluster.release(handles, partial(self._released, some))

    def _released(self, jobs: list[Job], answer: Answer) -> None:
        now = self._clock.now()
        for job in jobs:
            job.calling, job.since = False, now
            if job.stage is Stage.OVER:
                continue
            if answer.ok:
                job.stage = Stage.RELEASED
            else:  # some of them may be released: a listing shows which
                job.due = now + AGAIN_US
                if len(jobs) == 1:
                    self._jobs.waits(job, answer.problem)
            self._jobs.touch(job)
        jobs[0].cluster.changed()


def _prepare(state_dir: str, shared_dir: str, launch: Launch, kill_wait: float) -> Prepared:
    try:
        return shared.prepare(state_dir, shared_dir, launch, kill_wait)
    except (CannotPrepare, NotNow) as why:
        return why


def _shared_dir(launch: Launch) -> str:
    assert isinstance(launch.placement, OnSlurm), launch.id
    return launch.placement.shared_dir
