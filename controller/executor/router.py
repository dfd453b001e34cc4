"""One executor of all: each attempt is that of its engine, and the engines don't know each other.

Attempts are processes of this machine unless their record names an engine. An engine is made when
the first attempt of it is met, so one that nobody uses costs nothing: no import, no thread, no
poll. What runs as processes of this machine for an engine (the client of a container program) is
started by `LocalExecutor`, whose news of it the engine hears first.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from controller.executor.surroundings import Machine, Surroundings
from controller.loop.ports import (
    AttemptId,
    AttemptPort,
    Clock,
    End,
    Found,
    Launch,
    Observation,
    Part,
    PartEnd,
    Running,
    Sites,
    Trouble,
)
from controller.spec.placement import LOCAL, Placement, engine_of


class Engine(AttemptPort, Protocol):
    """What runs attempts elsewhere than in plain processes of this machine."""

    def hear(self, seen: Observation) -> list[Observation]:
        """News of a process that it had `LocalExecutor` start, by the id of its attempt."""

    def clients(self, attempts: Collection[Running]) -> list[Running]:
        """Those of its attempts that have a process of this machine, as the machine adopts them.

        It is asked before adopt().
        """

    def close(self) -> None:
        """Finish what takes a moment; the rest is left to the next controller."""


Opener = Callable[[Surroundings], Engine]
T = TypeVar("T", Launch, End, Running, Found)


class Router:
    """Implements `ports.Executor` by asking the engine of each attempt."""

    def __init__(
        self, machine: Machine, openers: Mapping[str, Opener], state_dir: str, clock: Clock
    ) -> None:
        self.machine = machine
        self._openers = openers
        self._around = Surroundings(machine, state_dir, clock)
        self._engines: dict[str, Engine] = {}
        self._engine_of: dict[AttemptId, str] = {}  # of those that are not plain processes
        self._expecting: dict[str, set[str]] = {}  # engines, by the uids of those that name them

    def start(self, launches: Sequence[Launch]) -> None:
        for executor, some in self._shared_out(launches):
            executor.start(some)

    def release(self, launches: Sequence[Launch]) -> None:
        for executor, some in self._shared_out(launches):
            executor.release(some)

    def end(self, orders: Sequence[End]) -> None:
        for executor, some in self._shared_out(orders):
            executor.end(some)

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        if not placements and uid not in self._expecting:
            return
        by_engine: dict[str, list[Placement]] = {name: [] for name in self._expecting.pop(uid, ())}
        for placement in placements:
            by_engine.setdefault(engine_of(placement), []).append(placement)
        for name, some in by_engine.items():
            self._engine(name).expect(uid, some)
        if placements:
            self._expecting[uid] = {engine_of(placement) for placement in placements}

    def adopt(self, attempts: Collection[Running], sites: Sites) -> None:
        shared = {name: list[Running]() for name in sites.by_engine}
        for running in attempts:
            shared.setdefault(running.engine, []).append(self._noted(running))
        processes = shared.pop(LOCAL, [])
        engines = [(self._engine(name), some) for name, some in shared.items()]
        for engine, some in engines:
            processes += engine.clients(some)
        self.machine.adopt(processes, sites)
        for engine, some in engines:
            engine.adopt(some, sites)

    def observe(self) -> list[Observation]:
        if not self._engines:
            return self.machine.observe()
        self._around.rest()
        self._around.calls.collect()
        seen: list[Observation] = []
        for news in self.machine.observe():
            name = self._engine_of.get(news.id)
            seen += [news] if name is None else self._engines[name].hear(news)
        for engine in self._engines.values():
            for news in engine.observe():
                if isinstance(news, Found):
                    self._noted(news)
                seen.append(news)
        return seen

    def forget(self, ids: Collection[AttemptId]) -> None:
        for executor, some in self._by_id(ids):
            executor.forget(some)

    def disown(self, found: Sequence[Found]) -> None:
        for executor, some in self._shared_out(found):
            executor.disown(some)

    def abandon(self, ids: Collection[AttemptId]) -> None:
        for executor, some in self._by_id(ids):
            executor.abandon(some)

    def flush(self) -> None:
        for engine in self._engines.values():
            engine.flush()
        self.machine.flush()

    def outputs(self, log: str) -> bytes | None:
        """What an engine brings from elsewhere, it brings into the state folder."""
        return self.machine.outputs(log)

    def parts(self, log: str) -> dict[Part, PartEnd]:
        return self.machine.parts(log)

    def troubles(self) -> list[Trouble]:
        found = self.machine.troubles()
        for engine in self._engines.values():
            found += engine.troubles()
        return found

    def next_due(self) -> int | None:
        dues = [executor.next_due() for executor in (self.machine, *self._engines.values())]
        return min((due for due in dues if due is not None), default=None)

    def filenos(self) -> list[int]:
        """Each is readable when observe() has something to do. They never change."""
        return [self.machine.fileno(), self._around.fileno()]

    def close(self) -> None:
        """Attempts go on, and so does what engines do for them."""
        for engine in self._engines.values():
            engine.flush()
            engine.close()
        self.machine.close()
        if self._engines:
            self._around.calls.close()  # whose threads may still wake the loop
        else:
            os.close(self._around.fileno())

    # ---------------------------------------- whose it is

    def _executor(self, name: str) -> AttemptPort:
        return self.machine if name == LOCAL else self._engine(name)

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            self._engines[name] = self._openers[name](self._around)
        return self._engines[name]

    def _noted(self, of: T) -> T:
        if of.engine != LOCAL:
            self._engine_of[of.id] = of.engine
        return of

    def _shared_out(self, of: Iterable[T]) -> list[tuple[AttemptPort, list[T]]]:
        """Each to the executor of its engine, in the order in which these are first named."""
        shared: dict[str, list[T]] = defaultdict(list)
        for told in of:
            shared[told.engine].append(self._noted(told))
        return [(self._executor(name), some) for name, some in shared.items()]

    def _by_id(self, ids: Iterable[AttemptId]) -> list[tuple[AttemptPort, list[AttemptId]]]:
        """The ids are not needed again."""
        shared: dict[str, list[AttemptId]] = defaultdict(list)
        for attempt in dict.fromkeys(ids):
            shared[self._engine_of.pop(attempt, LOCAL)].append(attempt)
        return [(self._executor(name), some) for name, some in shared.items()]
