"""The attempts in hand: what is known of each and its job, until its end is in the log."""

from collections.abc import Callable
from enum import Enum, auto
from typing import TypeVar

from msgspec import Struct

from controller.executor.slurm.cluster import Cluster
from controller.executor.slurm.listing import Told
from controller.loop.ports import (
    AttemptId,
    Clock,
    End,
    Ended,
    EndFailed,
    Launch,
    Observation,
    Queued,
    Started,
    Submitted,
)

T = TypeVar("T")

ENGINE = "slurm"


class Stage(Enum):
    """How far an attempt has come. Whatever Slurm has of it is held until it is released."""

    ADOPTED = auto()  # another controller may have submitted it; nobody has asked for it yet
    LOOKING = auto()  # it may have been submitted: a listing has to show it
    WANTED = auto()  # certainly not submitted yet
    HELD = auto()  # its handle is known; nobody has ever released it
    KEPT = auto()  # its handle is in the log: it may be, or have been, released
    RELEASED = auto()
    OVER = auto()  # its end was told, or nobody waits for it any more


class Deed(Enum):
    """What to tell Slurm of an attempt that is to end."""

    NOTHING = auto()  # wait
    HOLD = auto()
    WITHDRAW = auto()  # cancel what waits
    SIGNAL = auto()  # SIGTERM to the runner
    KILL = auto()  # cancel the job
    LEAVE = auto()  # it has started after all, and was only to be withdrawn


class Job(Struct, eq=False):
    """Times are microseconds of the controller's clock. `folder` is "" until it is known."""

    id: AttemptId
    mark: int
    name: str
    cluster: Cluster
    folder: str
    log: str
    stage: Stage
    launch: Launch | None = None
    handle: str = ""
    since: int = 0  # a listing that was asked for earlier says nothing of it
    reason: str = ""  # why it waits, as last told
    started: int | None = None
    requeued: bool = False
    calling: bool = False  # a call for it is under way
    due: int | None = None  # when there is something to do although nothing is heard of it
    # its end
    order: End | None = None
    ordered: int = 0
    held_again: int | None = None  # since when it can't start any more
    withdrawn: bool = False  # it was cancelled when it could not start
    said: Deed | None = None  # what Slurm was last told of that
    said_again_at: int = 0  # when it is to be told that again
    said_problem: str = ""  # why Slurm did not take that
    signalled: int | None = None  # since when its runner knows
    stuck: str = ""  # why it can't be ended, as last told
    gone: int | None = None  # since when its job is over, or not seen
    told: Told | None = None  # how it ended, by Slurm's books
    books_at: int = 0  # when these are to be asked again
    outcome: Ended | None = None


class Jobs:
    """All of them, those that have something to do, and what is to be told of them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.by_id: dict[AttemptId, Job] = {}
        self.by_name: dict[str, Job] = {}
        self._touched: dict[Job, None] = {}
        self._news: list[Observation] = []

    def add(self, job: Job) -> Job:
        self.by_id[job.id] = self.by_name[job.name] = job
        return job

    def pop(self, attempt: AttemptId) -> Job | None:
        """Whatever is still heard of it changes nothing."""
        job = self.by_id.pop(attempt, None)
        if job is not None:
            job.stage = Stage.OVER
            del self.by_name[job.name]
        return job

    def touch(self, job: Job) -> None:
        """Something was heard of it."""
        self._touched[job] = None

    def touch_all(self, cluster: Cluster) -> None:
        self._touched |= {job: None for job in self.by_id.values() if job.cluster is cluster}

    def to_do(self) -> list[Job]:
        """Those that may have something to do, and have no call under way."""
        now = self.clock.now()
        for job in self.by_id.values():
            if job.due is not None and job.due <= now:
                job.due = None
                self._touched[job] = None
        touched, self._touched = self._touched, {}
        return [job for job in touched if not job.calling and job.stage is not Stage.OVER]

    def next_due(self) -> int | None:
        if self._touched or self._news:
            return self.clock.now()
        dues = (job.due for job in self.by_id.values() if not job.calling)
        return min((due for due in dues if due is not None), default=None)

    def need(self, cluster: Cluster) -> int:
        """How many need to hear of the cluster."""
        jobs = self.by_id.values()
        return sum(job.cluster is cluster and job.stage is not Stage.OVER for job in jobs)

    def heard(self, job: Job, then: Callable[[Job, T], None]) -> Callable[[T], None]:
        """What follows from the answer to a call for the job, unless it is over by then."""
        job.calling = True

        def heard(answer: T) -> None:
            job.calling = False
            self.touch(job)
            if job.stage is not Stage.OVER:
                then(job, answer)

        return heard

    # ----------------------------------------------------------------------------------- telling

    def news(self) -> list[Observation]:
        news, self._news = self._news, []
        return news

    def tell(self, news: Observation) -> None:
        self._news.append(news)

    def submitted(self, job: Job, place: dict[str, str], site: str) -> None:
        self.tell(Submitted(id=job.id, handle=job.handle, place=place, site=site))

    def waits(self, job: Job, reason: str) -> None:
        """In the words of the engine; each reason is told once in a row."""
        if reason != job.reason:
            job.reason = reason
            self.tell(Queued(id=job.id, reason=reason))

    def starts(self, job: Job, at: int) -> None:
        if job.started is None:
            job.started = at
            job.cluster.changed()
            self.tell(Started(id=job.id, at=at, engine=ENGINE, handle=job.handle))

    def stuck(self, job: Job, problem: str) -> None:
        if problem and problem != job.stuck:
            job.stuck = problem
            self.tell(EndFailed(id=job.id, problem=problem))

    def ends(self, job: Job, outcome: Ended) -> None:
        job.stage, job.outcome, job.due = Stage.OVER, outcome, None
        job.cluster.changed()
        self.tell(outcome)

    def retell(self, job: Job) -> None:
        """Somebody asks for it again: tell how far it has come, if it is over."""
        if job.outcome is not None:
            self.tell(job.outcome)
