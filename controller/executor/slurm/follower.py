"""From a job that is released to the end of its attempt, by itself or because it is to end."""

from functools import partial

from controller.executor.calls import Answer, Calls
from controller.executor.slurm import shared
from controller.executor.slurm.ending import AGAIN_US as SAY_AGAIN_US
from controller.executor.slurm.ending import next_deed, next_due, why_stuck
from controller.executor.slurm.job import Deed, Job, Jobs
from controller.executor.slurm.listing import Listing, Seen, Told
from controller.executor.slurm.shared import Left
from controller.executor.slurm.verdict import Known, verdict
from controller.loop.ports import Ended
from controller.model.state import SECOND

LOOK_AGAIN_US = 2 * SECOND  # for files that are late
BOOKS_AGAIN_US = 10 * SECOND  # jobs are in Slurm's books later than in its queue
FETCH_AGAIN_US = 5 * SECOND
_SAY_LITTLE = ("COMPLETED", "FAILED")  # an exit code says more
_NO_REASON = ("None", "")


class Follower:
    """Follows the jobs of the attempts in hand. `problem`: why what one has left can't be had."""

    def __init__(self, jobs: Jobs, files: Calls, state_dir: str) -> None:
        self.problem = ""
        self._jobs = jobs
        self._files = files
        self._state_dir = state_dir
        self._clock = jobs.clock

    def follow(self, job: Job, listing: Listing) -> None:
        """What the listing says of it, and what is to be done about that."""
        seen, now = listing.get(job.handle, job.name), self._clock.now()
        if seen is None or seen.over:
            self._gone(job, seen)
            return
        job.gone = job.due = None
        if not seen.waits:
            self._jobs.starts(job, now)
        elif job.started is not None:
            job.requeued = True
        elif seen.reason not in _NO_REASON:
            self._jobs.waits(job, seen.reason)
        if job.order is not None or job.requeued:
            self._carry_out(job, seen, listing.asked)

    # ------------------------------------------------------------------------------------ to end

    def _carry_out(self, job: Job, seen: Seen, listed: int) -> None:
        now, cluster, handle = self._clock.now(), job.cluster, job.handle
        if problem := why_stuck(job, seen, now):
            self._jobs.stuck(job, problem)
        deed = next_deed(job, seen, listed, now)
        if deed is Deed.LEAVE:
            job.order = None
            return
        job.due = next_due(job, now)
        if deed is Deed.NOTHING:
            return
        job.said, job.said_again_at = deed, now + SAY_AGAIN_US
        if deed is Deed.HOLD:
            cluster.hold(handle, self._jobs.heard(job, self._held))
            return
        said = self._jobs.heard(job, self._said)
        match deed:
            case Deed.WITHDRAW:
                job.withdrawn = True
                cluster.cancel_pending([handle], said)
            case Deed.KILL:
                cluster.cancel(handle, said)
            case Deed.SIGNAL:
                assert job.order is not None, job.id
                work = partial(shared.order_end, job.folder, job.order)
                self._files.carry_out(work, lambda _: cluster.terminate(handle, said))

    def _held(self, job: Job, answer: Answer) -> None:
        job.said_problem = answer.problem
        if answer.ok:
            job.held_again = self._clock.now()
        job.cluster.hurry()

    def _said(self, job: Job, answer: Answer) -> None:
        job.said_problem = answer.problem
        if answer.ok and job.said is Deed.SIGNAL and job.signalled is None:
            job.signalled = self._clock.now()
        job.cluster.changed()

    # ---------------------------------------------------------------------------------- the end

    def _gone(self, job: Job, seen: Seen | None) -> None:
        """Nothing of it is in the queue any more. Look what its runner has left."""
        now = self._clock.now()
        if job.gone is None:
            job.gone = now
            job.cluster.changed()
        elif job.due is not None and now < job.due:
            return
        work = partial(shared.look, job.folder)
        self._files.carry_out(work, self._jobs.heard(job, partial(self._looked, seen)))

    def _looked(self, seen: Seen | None, job: Job, left: Left) -> None:
        now = self._clock.now()
        self.problem = left.problem
        if left.problem:
            job.due = now + FETCH_AGAIN_US
            return
        silent = left.exit is None or left.exit.ended_by == "stranger"
        if silent and job.told is None and seen is not None and seen.state not in _SAY_LITTLE:
            job.told = Told(seen.state, node=seen.node)
        elif silent and job.told is None and now >= job.books_at:
            job.books_at = now + BOOKS_AGAIN_US
            then = self._jobs.heard(job, partial(self._heard_books, left))
            job.cluster.ask_how_it_ended(job.handle, job.name, then)
            return
        self._judge(job, left)

    def _heard_books(self, left: Left, job: Job, told: Told | None) -> None:
        job.told = told
        self._judge(job, left)

    def _judge(self, job: Job, left: Left) -> None:
        now = self._clock.now()
        assert job.gone is not None, job.id
        if left.claimed:
            wall = left.exit.wall_seconds if left.exit is not None else 0.0
            self._jobs.starts(job, max(job.since, now - int(wall * SECOND)))
        known = Known(
            id=job.id,
            job=job.handle,
            folder=job.folder,
            left=left,
            told=job.told,
            gone=job.gone,
            now=now,
            started=job.started,
            ordered=job.order is not None,
            requeued=job.requeued,
            never=job.withdrawn,
        )
        outcome = verdict(known)
        if outcome is None:
            job.due = now + LOOK_AGAIN_US
            return
        work = partial(shared.fetch, job.folder, self._state_dir, job.log, left)
        self._files.carry_out(work, self._jobs.heard(job, partial(self._fetched, outcome)))

    def _fetched(self, outcome: Ended, job: Job, problem: str) -> None:
        self.problem = problem
        if problem:
            job.due = self._clock.now() + FETCH_AGAIN_US
        else:
            self._jobs.ends(job, outcome)
