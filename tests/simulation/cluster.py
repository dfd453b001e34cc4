"""A batch system beside the machine: it holds jobs, lets them go, and outlives every controller.

It is as simple as such systems are: whoever submits twice has two jobs. So what it does shows
whether the controller keeps the law: a job is let go only when the log knows its handle, once, and
is removed only when the log has its end.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import chain
from signal import SIGTERM
from typing import TYPE_CHECKING

import msgspec

from controller.loop.ports import (
    AttemptId,
    End,
    Executor,
    Found,
    Launch,
    Observation,
    Part,
    PartEnd,
    Queued,
    Running,
    Sites,
    Started,
    Submitted,
    Trouble,
)
from controller.model.events import (
    AttemptEnding,
    AttemptFinished,
    AttemptScheduled,
    AttemptSubmitted,
)
from controller.model.observations import Ended
from controller.model.state import SECOND
from controller.spec.placement import Placement

if TYPE_CHECKING:
    from simulation.world import Fate, World

PATIENCE = SECOND // 2  # how long a job waits after it was let go


class Job(msgspec.Struct, kw_only=True):
    handle: str
    id: AttemptId
    mark: int
    folder_id: str
    workflow: str
    released: int | None = None
    started: int | None = None
    ends: int | None = None
    ended: Ended | None = None
    fate: "Fate"


class Cluster:
    """`time` counts the sleep of the machine as well, and no reboot of it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.time = 0
        self.jobs: dict[str, Job] = {}
        self.away = False  # the network is down: jobs go on, and nobody hears of them
        self.submitted = 0
        self._fates: Callable[[str, str, int], Fate] = world.fate

    def submit(self, launch: Launch) -> None:
        assert (AttemptScheduled, launch.id) in self.world.durable, "submitted unannounced"
        self.submitted += 1
        handle = str(self.submitted)
        self.jobs[handle] = Job(
            handle=handle,
            id=launch.id,
            mark=launch.mark,
            folder_id=launch.folder_id,
            workflow=launch.env["TREADLE_WORKFLOW"],
            fate=self._fates("", "", 0),
        )

    def release(self, handle: str) -> None:
        job = self.jobs[handle]
        assert (AttemptSubmitted, job.id) in self.world.durable, "let go before it was written down"
        if job.released is None and job.ended is None:
            job.released = self.time

    def cancel(self, handle: str) -> None:
        """Of one that has not started, for good; of one that runs, SIGTERM."""
        job = self.jobs[handle]
        if job.ended is not None:
            return
        if job.started is None:
            job.ended = Ended(id=job.id, how="withdrawn", at=0)
            return
        deaf = self.time + round(job.fate.deaf_seconds * SECOND)
        assert job.ends is not None
        if deaf < job.ends:
            job.ends = deaf
            job.fate = msgspec.structs.replace(job.fate, exit_code=-SIGTERM)

    def live(self) -> None:
        """Let jobs start and end whose time has come."""
        for job in self.jobs.values():
            if job.ended is not None:
                continue
            if job.started is None and job.released is not None:
                if self.time >= job.released + PATIENCE:
                    self._begin(job)
            elif job.ends is not None and self.time >= job.ends:
                self._over(job)

    def _begin(self, job: Job) -> None:
        world = self.world
        world.ledger[job.id] += 1
        world.begun[job.workflow, job.id.step] += 1
        nth = world.begun[job.workflow, job.id.step]
        job.fate = world.fate(job.workflow, job.id.step, nth)
        job.started = self.time
        job.ends = self.time + round(job.fate.seconds * SECOND)

    def _over(self, job: Job) -> None:
        fate = job.fate
        if fate.problem:
            job.ended = Ended(id=job.id, how="lost", at=0, problem=fate.problem)
            return
        how = {"exit_code": fate.exit_code} if fate.exit_code >= 0 else {"signal": -fate.exit_code}
        job.ended = Ended(id=job.id, how="exited", at=0, **how)

    def next_in(self) -> int | None:
        """How long until anything happens here by itself."""
        times = [
            at - self.time
            for job in self.jobs.values()
            if job.ended is None
            for at in [job.ends if job.started is not None else self._starts(job)]
            if at is not None
        ]
        return min(times, default=None)

    def _starts(self, job: Job) -> int | None:
        return None if job.released is None else job.released + PATIENCE


class FakeSlurm:
    """The controller's side of it: all that is here is gone with the controller."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._cluster = world.cluster
        self._offset = world.wall - world.boottime
        self._folder_id = ""
        self._mine: set[AttemptId] = set()  # all that it was ever told to care for
        self._wanted: dict[AttemptId, Launch] = {}
        self._to_release: list[str] = []
        self._orders: dict[AttemptId, End] = {}
        self._handles: dict[AttemptId, str] = {}
        self._told: dict[AttemptId, object] = {}
        self._strangers: dict[AttemptId, str] = {}  # of which the controller has heard
        self._to_remove: list[str] = []

    def has(self, attempt: AttemptId) -> bool:
        return attempt in self._mine or attempt in self._strangers

    def adopt(self, attempts: Collection[Running], sites: Sites) -> None:
        self._folder_id = sites.folder_id
        self._mine = {one.id for one in attempts}
        self._handles = {one.id: one.handle for one in attempts if one.handle}

    def start(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            self._folder_id = launch.folder_id
            self._mine.add(launch.id)
            self._wanted.setdefault(launch.id, launch)
        self._carry_on()

    def release(self, launches: Sequence[Launch]) -> None:
        self._to_release += [launch.handle for launch in launches]
        self._carry_on()

    def end(self, orders: Sequence[End]) -> None:
        for order in orders:
            assert (AttemptEnding, order.id) in self._world.durable, "ended unannounced"
            self._orders[order.id] = order
        self._carry_on()

    def _carry_on(self) -> None:
        """Do what was asked for, as far as the network is there. Each call may be the last."""
        if self._cluster.away:
            return
        for attempt, launch in list(self._wanted.items()):
            if attempt not in self._orders and self._found(attempt) is None:
                self._world.effect("submit")
                self._cluster.submit(launch)
            del self._wanted[attempt]
        while self._to_release:
            self._world.effect("release")
            self._cluster.release(self._to_release.pop(0))
        for attempt, order in self._orders.items():
            job = self._found(attempt)
            if job is not None and not (order.withdraw_only and job.started is not None):
                self._world.effect("end")
                self._cluster.cancel(job.handle)
        while self._to_remove:
            self._world.effect("remove")
            self._cluster.jobs.pop(self._to_remove.pop(0), None)

    def _found(self, attempt: AttemptId) -> Job | None:
        """Its job, by the handle that the log has, or by its name."""
        if attempt in self._handles:
            return self._cluster.jobs.get(self._handles[attempt])
        ours = [job for job in self._cluster.jobs.values() if job.id == attempt]
        return ours[0] if ours else None

    def observe(self) -> list[Observation]:
        if self._cluster.away:
            return []
        self._carry_on()
        seen = list(chain.from_iterable(map(self._news, [*self._cluster.jobs.values()])))
        for attempt in self._orders:
            if self._found(attempt) is None and self._told.get(attempt) != "ended":
                self._told[attempt] = "ended"
                seen.append(Ended(id=attempt, how="withdrawn", at=self._now()))
        return seen

    def _now(self) -> int:
        return self._world.boottime + self._offset

    def _news(self, job: Job) -> list[Observation]:
        if job.id not in self._mine:
            if job.folder_id != self._folder_id or job.id in self._strangers:
                return []
            self._strangers[job.id] = job.handle
            held = job.released is None and job.started is None
            return [Found(id=job.id, engine="slurm", handle=job.handle, held=held)]
        self._handles[job.id] = job.handle
        told, now, seen = self._told.get(job.id), self._now(), list[Observation]()
        if told is None:
            place = {"queue": "all"}
            seen.append(Submitted(id=job.id, handle=job.handle, place=place, site="all"))
        if job.started is not None and told != "started" and told != "ended":
            at = now - (self._cluster.time - job.started)
            seen.append(Started(id=job.id, at=at, engine="slurm", handle=job.handle))
        elif job.started is None:
            seen.append(Queued(id=job.id, reason="Held" if job.released is None else "Priority"))
        if job.ended is not None and told != "ended":
            seen.append(msgspec.structs.replace(job.ended, at=now))
        started = "started" if job.started is not None else "waits"
        self._told[job.id] = "ended" if job.ended is not None else started
        return seen

    def forget(self, ids: Collection[AttemptId]) -> None:
        for attempt in ids:
            assert (AttemptFinished, attempt) in self._world.durable, "forgotten too early"
            job = self._found(attempt)
            self._to_remove += [] if job is None else [job.handle]
        self.abandon(ids)
        self._carry_on()

    def abandon(self, ids: Collection[AttemptId]) -> None:
        self._mine -= {*ids}
        for known in (self._handles, self._wanted, self._orders, self._told, self._strangers):
            for attempt in ids:
                known.pop(attempt, None)

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        """It is always there."""

    def disown(self, found: Sequence[Found]) -> None:
        for stranger in found:
            if stranger.held:
                self._to_remove.append(stranger.handle)
        self._carry_on()

    def troubles(self) -> list[Trouble]:
        if not self._cluster.away:
            return []
        return [Trouble("NetworkDown", "slurm can't be reached", "EngineUnreachable", "slurm")]


class FakeEngines:
    """The machine's processes, and the cluster; each attempt is that of its engine."""

    def __init__(self, machine: Executor, slurm: FakeSlurm) -> None:
        self._machine, self._slurm = machine, slurm

    def start(self, launches: Sequence[Launch]) -> None:
        self._slurm.start([one for one in launches if one.engine == "slurm"])
        self._machine.start([one for one in launches if one.engine == "local"])

    def release(self, launches: Sequence[Launch]) -> None:
        self._slurm.release(launches)

    def end(self, orders: Sequence[End]) -> None:
        self._slurm.end([one for one in orders if one.engine == "slurm"])
        self._machine.end([one for one in orders if one.engine == "local"])

    def adopt(self, attempts: Collection[Running], sites: Sites) -> None:
        self._slurm.adopt([one for one in attempts if one.engine == "slurm"], sites)
        self._machine.adopt([one for one in attempts if one.engine == "local"], sites)

    def observe(self) -> list[Observation]:
        return [*self._machine.observe(), *self._slurm.observe()]

    def forget(self, ids: Collection[AttemptId]) -> None:
        theirs = [one for one in ids if self._slurm.has(one)]
        self._slurm.forget(theirs)
        self._machine.forget([one for one in ids if one not in theirs])

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        """It is always there."""

    def disown(self, found: Sequence[Found]) -> None:
        self._slurm.disown(found)

    def abandon(self, ids: Collection[AttemptId]) -> None:
        theirs = [one for one in ids if self._slurm.has(one)]
        self._slurm.abandon(theirs)
        self._machine.abandon([one for one in ids if one not in theirs])

    def flush(self) -> None:
        self._machine.flush()

    def parts(self, log: str) -> dict[Part, PartEnd]:
        return self._machine.parts(log)

    def outputs(self, log: str) -> bytes | None:
        return self._machine.outputs(log)

    def troubles(self) -> list[Trouble]:
        return [*self._machine.troubles(), *self._slurm.troubles()]

    def next_due(self) -> int | None:
        return self._machine.next_due()
