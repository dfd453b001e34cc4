"""Runs attempts as jobs of a Slurm cluster: submits them held, lets them go once, follows them.

A job is submitted held, under a name that only its attempt can have. Only when its number is in the
log it is released. So however often `sbatch` is asked, and whatever comes of that, one job of a
name runs at most; the others stay held, and are cancelled when they are seen.

Each attempt goes through the stages of `Job`, those up to its release in `submitter`, the others in
`follower`. Every answer and every listing has it look again. What nobody has asked for is in
`strangers`.
"""

import os
from collections.abc import Collection, Sequence
from functools import partial

from controller.executor.calls import Calls
from controller.executor.names import Labels, name_of
from controller.executor.slurm import shared
from controller.executor.slurm.cluster import Cluster
from controller.executor.slurm.follower import Follower
from controller.executor.slurm.job import Job, Jobs, Stage
from controller.executor.slurm.listing import Listing
from controller.executor.slurm.strangers import Strangers
from controller.executor.slurm.submitter import Submitter
from controller.executor.surroundings import Surroundings
from controller.loop.ports import (
    AttemptId,
    End,
    Found,
    Launch,
    Observation,
    Running,
    Sites,
    Trouble,
)
from controller.spec.placement import OnSlurm, Placement

HANGS_SECONDS = 30.0  # of a call to a file server


class SlurmEngine:
    """Implements `router.Engine` on Slurm clusters."""

    def __init__(self, around: Surroundings) -> None:
        self._clock = around.clock
        self._state_dir = around.state_dir
        # Apart, so that a file server that hangs holds up no program, and no other engine.
        self._programs = Calls(around.wake)
        self._files = Calls(around.wake)
        self._jobs = Jobs(around.clock)
        self._clusters: dict[str, Cluster] = {}
        self._folder_id = ""
        self._expected: set[str] = set()  # uids of lives whose specs name Slurm
        self._strangers = Strangers(around.clock, self._files)
        self._submitter = Submitter(self._jobs, self._files, self._strangers, around.state_dir)
        self._follower = Follower(self._jobs, self._files, around.state_dir)

    # ---------------------------------------------------------------------------------- the calls

    def adopt(self, attempts: Collection[Running], sites: Sites) -> None:
        self._folder_id = sites.folder_id
        for running in attempts:
            self._adopt(running)
        for place in sites.by_engine.get("slurm", {}).values():
            cluster, shared_dir = self._cluster(place.get("conf", "")), place["sharedDir"]
            work = partial(shared.leftovers, shared_dir, sites.folder_id, self._state_dir)
            self._files.carry_out(work, partial(self._see_folders, cluster))

    def start(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            job = self._jobs.by_id.get(launch.id)
            if job is None:
                job = self._jobs.add(self._new(launch))
            elif job.stage is Stage.ADOPTED:
                job.stage, job.since = Stage.LOOKING, self._clock.now()
                job.cluster.hurry()
            if job.stage in (Stage.LOOKING, Stage.WANTED):
                job.launch = launch
                self._jobs.touch(job)
            else:
                self._jobs.retell(job)

    def release(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            job = self._jobs.by_id.get(launch.id)
            if job is not None and job.stage in (Stage.HELD, Stage.KEPT):
                job.stage, job.launch = Stage.KEPT, launch
                self._jobs.touch(job)
            elif job is not None:
                self._jobs.retell(job)

    def end(self, orders: Sequence[End]) -> None:
        now = self._clock.now()
        for order in orders:
            job = self._jobs.by_id.get(order.id)
            if job is None or job.stage is Stage.OVER:
                if job is not None:
                    self._jobs.retell(job)
                continue
            if job.order is None or job.order.withdraw_only:
                job.ordered, job.said = now, None
            job.order = order
            job.cluster.hurry()
            self._jobs.touch(job)

    def observe(self) -> list[Observation]:
        self._programs.collect()
        self._files.collect()
        for cluster in self._clusters.values():
            for listing in cluster.news():
                self._hear(cluster, listing)
        to_release: dict[Cluster, list[Job]] = {}
        for job in self._jobs.to_do():
            if self._advance(job):
                to_release.setdefault(job.cluster, []).append(job)
        for jobs in to_release.values():
            self._submitter.release(jobs)
        self._submitter.carry_on()
        self._strangers.carry_on()
        for cluster in self._watched():
            cluster.look()
        return self._jobs.news()

    def hear(self, seen: Observation) -> list[Observation]:
        return [seen]  # it has no process of this machine

    def clients(self, attempts: Collection[Running]) -> list[Running]:
        return []

    def forget(self, ids: Collection[AttemptId]) -> None:
        for attempt in ids:
            job = self._jobs.pop(attempt)
            if job is not None:
                self._strangers.remove(job.folder, job.name, job.cluster)
            self._strangers.forget(attempt)

    def disown(self, found: Sequence[Found]) -> None:
        for stranger in found:
            self._strangers.disown(stranger.handle)

    def abandon(self, ids: Collection[AttemptId]) -> None:
        for attempt in ids:
            self._jobs.pop(attempt)

    def flush(self) -> None:
        self._strangers.carry_on()  # what has just been forgotten

    def close(self) -> None:
        """Whatever is under way, the next controller asks for it again."""

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        if placements:
            self._expected.add(uid)
            self._cluster(os.environ.get("SLURM_CONF", ""))  # which is looked at
        else:
            self._expected.discard(uid)

    def troubles(self) -> list[Trouble]:
        waiting = ((cluster, self._jobs.need(cluster)) for cluster in self._clusters.values())
        found = [cluster.trouble(count) for cluster, count in waiting if count or self._expected]
        found += [self._strangers.trouble(), self._trouble_of_files()]
        return [trouble for trouble in found if trouble is not None]

    def next_due(self) -> int | None:
        dues = [cluster.next_due() for cluster in self._watched()]
        dues += [self._jobs.next_due(), self._submitter.next_due(), self._strangers.next_due()]
        return min((due for due in dues if due is not None), default=None)

    # ------------------------------------------------------------------------------------ its jobs

    def _cluster(self, conf: str) -> Cluster:
        if conf not in self._clusters:
            self._clusters[conf] = Cluster(conf, self._programs, self._clock)
        return self._clusters[conf]

    def _watched(self) -> list[Cluster]:
        """The clusters that somebody needs to hear of; each is looked at once at least."""
        return [
            cluster
            for cluster in self._clusters.values()
            if cluster.listing is None or self._jobs.need(cluster) or self._strangers.wants(cluster)
        ]

    def _new(self, launch: Launch) -> Job:
        placement = launch.placement
        assert isinstance(placement, OnSlurm), launch.id
        self._folder_id = launch.folder_id
        step, mark = launch.id.step, launch.mark
        return Job(
            id=launch.id,
            mark=mark,
            name=name_of(step, mark),
            cluster=self._cluster(os.environ.get("SLURM_CONF", "")),
            folder=shared.folder_of(placement.shared_dir, launch.folder_id, step, mark),
            log=launch.log,
            stage=Stage.WANTED,
        )

    def _adopt(self, running: Running) -> None:
        place, step, mark = running.place, running.id.step, running.mark
        conf = place.get("conf", os.environ.get("SLURM_CONF", ""))
        stage = Stage.ADOPTED if not running.handle else Stage.KEPT
        self._jobs.add(
            Job(
                id=running.id,
                mark=mark,
                name=name_of(step, mark),
                cluster=self._cluster(conf),
                folder=shared.folder_of(place["sharedDir"], self._folder_id, step, mark),
                log=running.log,
                stage=stage if running.started is None else Stage.RELEASED,
                handle=running.handle,
                started=running.started,
            )
        )

    def _hear(self, cluster: Cluster, listing: Listing) -> None:
        self._jobs.touch_all(cluster)
        names = self._jobs.by_name
        for found in self._strangers.see(cluster, listing, self._folder_id, names):
            if found.id in self._jobs.by_id:  # its record was lost, and its number used again
                self._strangers.disown(found.handle)
            else:
                self._jobs.tell(found)
        for job in names.values():
            if job.handle and job.cluster is cluster:
                self._submitter.remove_others(job, listing)

    def _see_folders(self, cluster: Cluster, folders: list[tuple[str, Labels]]) -> None:
        for path, whose in folders:
            name = name_of(whose.attempt.step, whose.mark)
            if name not in self._jobs.by_name:
                self._strangers.see_folder(path, whose, name, cluster)

    def _advance(self, job: Job) -> bool:
        """Do what is next for the job; True: it is to be released."""
        listing = job.cluster.listing
        fresh = listing is not None and listing.asked >= job.since
        if job.stage is Stage.ADOPTED and job.order is not None:
            job.stage = Stage.LOOKING
        if job.stage is Stage.WANTED:
            self._submitter.want(job)
        elif job.stage is Stage.KEPT and job.order is None:
            return job.launch is not None and self._submitter.may_release(job)
        elif listing is None or not fresh or not job.cluster.reached:
            pass  # the next listing has it look again
        elif job.stage is Stage.LOOKING:
            self._submitter.look_for(job, listing)
        elif job.stage is Stage.RELEASED or job.order is not None:
            self._follower.follow(job, listing)
        return False

    def _trouble_of_files(self) -> Trouble | None:
        if self._follower.problem:
            message = f"what a job has left can't be fetched: {self._follower.problem}"
            return Trouble("SharedDir", message)
        seconds = self._files.longest_seconds()
        if seconds < HANGS_SECONDS:
            return None
        message = (
            f"sharedDir has not answered for {seconds:.0f} s; attempts on Slurm neither start "
            "nor end until it does"
        )
        return Trouble("SharedDirHangs", message, "EngineUnreachable", engine="slurm")
