"""The ports of the loop, each a thin view of the World: what a controller holds and a kill takes.

Nothing that has to outlive a controller is kept here. Each call that the world can't take back is
announced by `World.effect` first, so that a crash can come before it.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from controller.loop.ports import (
    AttemptId,
    ClockReading,
    End,
    Found,
    Launch,
    Running,
    Sites,
    Trouble,
)
from controller.model import events as e
from controller.model.events import AttemptEnding, AttemptFinished, AttemptScheduled, Record
from controller.model.observations import (
    Document,
    Ended,
    FolderSight,
    Observation,
    Part,
    PartEnd,
    Request,
    SeenFile,
    Started,
)
from controller.spec.definition import BackoffPolicy
from controller.spec.placement import Placement
from controller.spec.reading.load import load
from controller.spec.values import VALUES_BYTES_MAX

if TYPE_CHECKING:
    from simulation.world import World

SPECS = "/specs"


class FakeClock:
    """As the real one: wall time at start-up, advanced by the clock that counts sleep."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.offset = world.wall - world.boottime

    def now(self) -> int:
        return self._world.boottime + self.offset

    def read(self) -> ClockReading:
        world = self._world
        return ClockReading(f"boot-{world.boots}", world.boottime, world.uptime, world.wall)


# What may happen without another record being the cause.
FROM_OUTSIDE = (
    e.ControllerStarted,
    e.ClockStepped,
    e.MachineSlept,
    e.FileRejected,
    e.FileCleared,
    e.FolderAdopted,
    e.MarkerPlaced,
    e.MarkerRejected,
    e.MarkerRemoved,
    e.PoolAccepted,
    e.PoolRemoved,
    e.DefaultsAccepted,
    e.DefaultsRemoved,
    e.GenerationAccepted,
    e.EditDeferred,
    e.EditTakenBack,
    e.SourceChanged,
    e.DeletionAccepted,
    e.LifeEnded,  # of a run, when its name comes into the folder
    e.RequestApplied,
)


class FakeLog:
    def __init__(self, world: "World") -> None:
        self._world = world

    def append(self, records: Sequence[Record]) -> None:
        lines = [msgspec.json.encode(record) for record in records]
        self._world.effect("append")
        assert records[0].seq == len(self._world.log) + 1, "a gap in the log"
        for record in records:
            assert record.cause < record.seq, f"caused by what follows: {record}"
            assert record.cause or isinstance(record.event, FROM_OUTSIDE), f"no cause: {record}"
        self._world.log += lines
        self._world.remember(records)

    def attach(self, files: Mapping[str, bytes]) -> None:
        self._world.effect("attach")
        self._world.attached |= files

    def last_line(self, log: str) -> str:
        return f"the last line of {log}"

    def attached(self, path: str) -> bytes:
        return self._world.attached[path]


class FakeExecutor:
    """A connection to the parent of the steps; the parent itself is part of the world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._told: dict[AttemptId, int] = {}  # 1: that it started, 2: and that it ended
        self._lost: list[AttemptId] = []
        self._offset = world.wall - world.boottime

    def start(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            self._world.effect("start")
            assert (AttemptScheduled, launch.id) in self._world.durable, "started unannounced"
            self._told.pop(launch.id, None)  # one that is known is told of again
            world = self._world
            world.hear(launch)
            world.start(launch.id, launch.env["TREADLE_WORKFLOW"], launch.priority, launch.log)

    def end(self, orders: Sequence[End]) -> None:
        for order in orders:
            self._world.effect("end")
            assert (AttemptEnding, order.id) in self._world.durable, "ended unannounced"
            self._world.end(order.id, order.withdraw_only)

    def release(self, launches: Sequence[Launch]) -> None:
        raise AssertionError("no engine has any of these")

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        """Its places are there."""

    def disown(self, found: Sequence[Found]) -> None:
        raise AssertionError("no engine has any of these")

    def abandon(self, ids: Collection[AttemptId]) -> None:
        self.forget(ids)

    def adopt(self, attempts: Collection[Running], sites: Sites) -> None:
        known = self._world.processes
        self._lost = [
            one.id for one in attempts if one.id in self._world.ledger and one.id not in known
        ]

    def observe(self) -> list[Observation]:
        now = self._world.boottime + self._offset
        seen: list[Observation] = [
            Ended(id=attempt, how="lost", at=now, problem="the machine was restarted")
            for attempt in self._lost
        ]
        self._lost = []
        for process in self._world.processes.values():
            told = self._told.get(process.id, 0)
            if process.started is not None and told < 1:
                at = process.started + self._offset
                seen.append(Started(id=process.id, pid=1, start_ticks=1, at=at))
                self._told[process.id] = 1
            if process.ended is not None and told < 2:
                at = process.ended.at + self._offset
                seen.append(msgspec.structs.replace(process.ended, at=at))
                self._told[process.id] = 2
        return seen

    def forget(self, ids: Collection[AttemptId]) -> None:
        self._world.effect("forget")
        for attempt in ids:
            process = self._world.processes.get(attempt)
            if process is not None and process.started is not None:
                assert (AttemptFinished, attempt) in self._world.durable, "forgotten too early"
                del self._world.processes[attempt]  # the ledger still knows of it

    def flush(self) -> None:
        """It hears at once."""

    def parts(self, log: str) -> dict[Part, PartEnd]:
        return {}

    def outputs(self, log: str) -> bytes | None:
        found = self._world.outputs.get(log)
        return found and found[: VALUES_BYTES_MAX + 1]

    def troubles(self) -> list[Trouble]:
        return [] if self._world.trouble is None else [self._world.trouble]

    def next_due(self) -> int | None:
        return None


class FakeFolder:
    """Files whose writers are always done. Each scan is a full one."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._sight = FolderSight(path=SPECS, device=1, inode=1)

    def look(self, now: int, full: bool = False) -> FolderSight:
        sight = self._sight
        files = {path: self._seen(path) for path in sorted(self._world.files)}
        markers = dict(sorted(self._world.markers.items()))
        for before, found in ((sight.files, files), (sight.markers, markers)):
            paths = before.keys() | found.keys()
            sight.changed |= {path for path in paths if before.get(path) != found.get(path)}
        sight.files, sight.markers, sight.scanned = files, markers, now
        return sight

    def _seen(self, path: str) -> SeenFile:
        documents = self._world.files[path]
        if isinstance(documents, str):
            return _read(path, documents)
        return SeenFile(
            path=path,
            digest=str(msgspec.json.encode(documents)),
            documents=tuple(Document(workflow=one, line=1) for one in documents),
            names=tuple(one.metadata.name for one in documents),
        )

    def next_due(self) -> int | None:
        return None


@lru_cache
def _read(path: str, text: str) -> SeenFile:
    found = load(text.encode(), path, in_folder=True)
    return SeenFile(
        path=path,
        digest=text,
        documents=found.documents,
        templates=found.templates,
        policies=found.policies,
        faults=found.faults,
        names=found.names,
        template_names=found.template_names,
        policy_names=found.policy_names,
    )


class FakeSpace:
    def __init__(self, world: "World") -> None:
        self._world = world

    def short(self) -> str:
        return self._world.short


class FakeRequests:
    def __init__(self, world: "World") -> None:
        self._world = world

    def waiting(self) -> list[Request]:
        return [one for _, one in sorted(self._world.requests.items())]

    def done(self, names: Collection[str]) -> None:
        self._world.effect("done")
        for name in names:
            self._world.requests.pop(name, None)


class FakeChance:
    """No chance: what is drawn follows from the durable records, so a crash changes no draw."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._drawn = (0, 0)

    def uid(self) -> str:
        durable, drawn = len(self._world.log), self._drawn[1] + 1
        self._drawn = (durable, drawn if self._drawn[0] == durable else 1)
        return f"uid-{durable}-{self._drawn[1]}"

    def mark(self) -> int:
        return len(self._world.log)

    def delay_seconds(self, policy: BackoffPolicy, number: int) -> float:
        return min(policy.max_seconds, policy.initial_seconds * policy.factor ** (number - 1))
