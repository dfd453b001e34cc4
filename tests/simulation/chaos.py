"""Stories in which everything goes wrong all the time, looked over after every turn.

The log is the real one, on a disk that tears what was being written when the controller was killed
and that fills up; the shim takes its time, loses what was on its way, dies; the controller is
killed again and again; the folder goes away and comes back. Then the faults stop, and all has to
settle.

One seed is one story. `PYTHONPATH=tests python -m simulation.chaos --seed 7` tells it turn by turn;
`… FIRST LAST` tries these seeds and prints figures.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from unittest.mock import patch

import msgspec
from simulation.edges import FakeExecutor, FakeFolder
from simulation.hooks import Hooks
from simulation.house import Questions
from simulation.reference import depends_on_what_is_not_met, moves_on_from, waits_for
from simulation.scenario import Scenario, a_fate
from simulation.trial import judge, retries_are_counted
from simulation.values import Asked, flaw
from simulation.world import Crash, Process, World

from controller.log import segments, writer
from controller.log.archive import beginning
from controller.log.reader import read
from controller.log.records import encode_turn
from controller.log.snapshots import newest
from controller.log.state_folder import prepare_state
from controller.log.upkeep import keep_up
from controller.log.writer import LogWriter
from controller.loop.ports import AttemptId, End, Launch, Observation
from controller.loop.turn import Controller
from controller.model.apply.fold import apply, replay
from controller.model.events import AttemptScheduled, Record
from controller.model.image import freeze, thaw
from controller.model.indexes import touch_all
from controller.model.invariants import check
from controller.model.observations import Ended, FolderSight
from controller.model.state import SECOND, State
from controller.planner.plan import plan

SEGMENT_BYTES = 8_000
FAULTS_SECONDS = 15.0
TICKS = 40  # in which something may go wrong
QUICK = Path("/dev/shm")  # a disk whose syncs cost nothing; what they mean is played here


class Chaos(World):
    """A world with faults drawn from `faults`; none once that is None."""

    def __init__(self, seed: int, folder: str) -> None:
        scenario = Scenario(seed)
        super().__init__(
            fate=lambda *of: a_fate(seed, *of),
            max_parallel=scenario.max_parallel,
            ahead=scenario.ahead,
            keep_finished=scenario.keep_finished,
        )
        self.scenario = scenario
        self.faults: Random | None = Random(seed)
        self.state_dir = folder
        self.held = False
        self.disk: LogWriter | None = None
        self.unseen: set[AttemptId] = set()  # whose ends nobody will see
        self.shadow = State()  # folded from what the log says, line by line
        self.asked, self.hooks, self.questions = Asked(), Hooks(), Questions()
        self.seen: Counter[str] = Counter()
        self.story: list[str] = []

    def happens(self, probability: float, what: str = "") -> bool:
        hit = self.faults is not None and self.faults.random() < probability
        if hit and what:
            self.seen[what] += 1
            self.story.append(f"{self.boottime / SECOND:8.2f} s: {what}")
        return hit

    # ------------------------------------ the controller

    def effect(self, kind: str) -> None:
        self.effects += 1
        if self.happens(0.03, "killed"):
            raise Crash(kind)

    def new_controller(self) -> Controller:
        if self.disk is not None:
            self.disk.close()
        controller = super().new_controller()
        prepare_state(self.state_dir)
        state, place = newest(self.state_dir)
        log = self.disk = LogWriter(self.state_dir, place)
        controller.passes.state = replay(read(self.state_dir, place=place), state)
        assert controller.state.seq >= self.shadow.seq, "what was acknowledged is gone"
        before = place if place.seq <= self.shadow.seq else beginning(self.state_dir)[1]
        for record in read(self.state_dir, self.shadow.seq, before):
            self.believe(record)  # a turn that was written whole, and nobody lived to know
            self.remember([record])
        assert freeze(controller.state) == freeze(self.shadow), "a start makes something else of it"
        controller.epoch = log.epoch + 1
        controller.edges.log = DiskLog(self, log)
        controller.edges.executor = SlowExecutor(self)
        controller.edges.folder = LostFolder(self)
        return controller

    def turn(self) -> bool:
        controller = self.controller
        changed = super().turn()
        if self.controller is controller:  # a new one has not planned yet
            self.look_over()
        return changed

    def _go_on(self) -> None:
        while True:
            try:
                self.new_controller().start()
            except Crash:
                continue
            return

    # ------------------------------------ what has to hold

    def believe(self, record: Record) -> None:
        """Fold it, and see that it may follow what was before."""
        unmet = depends_on_what_is_not_met(self.shadow, record.event)
        assert not unmet, f"record {record.seq}: {unmet}"
        wrong = (
            self.asked.see(self.shadow, record.event)
            or flaw(self.shadow, record.event, self._file)
            or self.hooks.see(self.shadow, record.event)
            or self.questions.see(self.shadow, record.event)
        )
        assert not wrong, f"record {record.seq}: {wrong}"
        before = moves_on_from(self.shadow, record.event)
        self.story.append(
            f"{self.boottime / SECOND:8.2f} s:     {record.seq} {str(record.event)[:500]}"
        )
        self.log.append(msgspec.json.encode(record))
        apply(self.shadow, record)
        after = before(self.shadow)
        assert not after, f"record {record.seq}: {after}"
        self.shadow.moves.clear()
        self.shadow.touched.clear()

    def _file(self, path: str) -> bytes | None:
        """What an attempt wrote, or what a record names."""
        if path in self.outputs:
            return self.outputs[path]
        return (Path(self.state_dir) / path).read_bytes()

    def look_over(self) -> None:
        """After a turn: memory is what the log says, and the plan has forgotten nobody."""
        controller = self.controller
        check(controller.state)
        assert freeze(controller.state) == freeze(self.shadow), "memory and log differ"
        limits = controller.limits()
        if controller.recorded:
            again = thaw(freeze(controller.state))
            touch_all(again)
            missed = plan(again, controller.passes.now, limits)
            assert not missed, f"the plan of a rebuilt state has more to do: {missed}"
        for life in controller.state.workflows.values():
            why = waits_for(controller.state, life, limits)
            assert why or self.requests, f"{life.name} waits for nothing: {life}"

    # ------------------------------------ what goes wrong

    def something(self) -> None:
        """Between two turns."""
        if self.happens(0.04, "the shim dies"):
            self.shim_dies()
        if self.happens(0.02, "controller and shim die"):
            self.shim_dies(unwatched=True)
            self._go_on()
        if self.happens(0.03, "the controller is killed between turns"):
            self._go_on()
        if self.happens(0.03, "the folder goes away"):
            self.held = True
        elif self.held and self.happens(0.3, "the folder is back"):
            self.held = False
        if self.happens(0.02, "too little room"):
            self.short = "too little room"
        elif self.short and self.happens(0.3, "room again"):
            self.short = ""
        if self.happens(0.05, "upkeep"):
            keep_up(self.state_dir, 1 << 30)

    def calm_down(self) -> None:
        self.faults = None
        self.held, self.short = False, ""
        self.markers.clear()

    def shim_dies(self, unwatched: bool = False) -> None:
        """Who runs goes on; how it ends is known only if somebody was there to see it."""
        for attempt in self.queue:
            del self.processes[attempt]
        self.queue.clear()
        for process in self.processes.values():
            if process.ended is None and (unwatched or self.happens(0.5)):
                self.unseen.add(process.id)
        executor = self.controller.edges.executor
        if not unwatched and isinstance(executor, SlowExecutor):
            executor.offer_again()

    def hears_all(self) -> bool:
        executor = self.controller.edges.executor
        return not (isinstance(executor, SlowExecutor) and executor.on_its_way)

    def _over(self, process: Process, exit_code: int) -> None:
        super()._over(process, exit_code)
        if process.id in self.unseen:
            process.ended = Ended(id=process.id, how="lost", at=self.boottime, problem="unseen")

    # ------------------------------------ the story

    def play(self) -> "Chaos":
        self.files |= self.scenario.begin
        try:
            self.new_controller().start()
        except Crash:
            self._go_on()
        deeds = list(self.scenario.deeds)
        for tick in range(TICKS):
            until = FAULTS_SECONDS * (tick + 1) / TICKS
            while deeds and deeds[0][0] <= until:
                deeds.pop(0)[1](self)
            self.run(FAULTS_SECONDS / TICKS)
            self.something()
        self.calm_down()
        self.scenario.house.open_all(self)
        self.run()
        judge(self, "in the end")
        retries_are_counted(self)
        if self.disk is not None:
            self.disk.close()
        return self

    def records(self) -> list[Record]:
        return list(read(self.state_dir))


class DiskLog:
    """The real log, on a disk that is torn from it in the middle of a turn, or fills up."""

    def __init__(self, world: Chaos, log: LogWriter) -> None:
        self._world = world
        self._log = log

    def append(self, records: Sequence[Record]) -> None:
        world = self._world
        world.effect("append")
        if world.happens(0.02, "the disk is full"):
            raise Crash("it ends with 4")
        if world.happens(0.03, "a turn is torn"):
            self._tear(encode_turn(records))
            raise Crash("killed in a write")
        starts = [one for one in records if isinstance(one.event, AttemptScheduled)]
        assert not (starts and world.held), "it starts what works in a folder that is not there"
        assert not (starts and world.short), "it starts although there is too little room"
        self._log.append(records)
        for record in records:
            world.believe(record)
        world.remember(records)
        world.effect("appended")

    def attach(self, files: Mapping[str, bytes]) -> None:
        self._world.effect("attach")
        self._log.attach(files)

    def last_line(self, log: str) -> str:
        return self._log.last_line(log)

    def attached(self, path: str) -> bytes:
        return self._log.attached(path)

    def _tear(self, data: bytes) -> None:
        """Some of its bytes are there, in front or with a hole, perhaps all of them."""
        random = self._world.faults
        assert random is not None
        end = random.randint(0, len(data))
        kept = bytearray(data[:end])
        if random.random() < 0.3 and end > 20:
            hole = random.randint(0, end - 10)
            kept[hole : hole + 10] = bytes(10)
        path = segments.path(self._world.state_dir, segments.firsts(self._world.state_dir)[-1])
        with open(path, "ab") as file:
            file.write(kept)


class SlowExecutor(FakeExecutor):
    """Orders are on their way for a while, in order; news may be late, and may come twice."""

    def __init__(self, world: Chaos) -> None:
        super().__init__(world)
        self._chaos = world
        self.on_its_way: list[tuple[int, str, object]] = []
        self._launches: dict[AttemptId, Launch] = {}

    def start(self, launches: Sequence[Launch]) -> None:
        self._launches.update({launch.id: launch for launch in launches})
        self._send("start", launches)

    def end(self, orders: Sequence[End]) -> None:
        self._send("end", orders)

    def forget(self, ids: Collection[AttemptId]) -> None:
        for attempt in ids:
            self._launches.pop(attempt, None)
        self._send("forget", ids)

    def offer_again(self) -> None:
        known = self._chaos.processes.keys() | self._chaos.ledger.keys()
        self._send("start", [one for one in self._launches.values() if one.id not in known])

    def observe(self) -> list[Observation]:
        while self.on_its_way and self.on_its_way[0][0] <= self._chaos.boottime:
            _, verb, what = self.on_its_way.pop(0)
            getattr(super(), verb)(what)
        self._chaos.live()
        if self._chaos.happens(0.1):
            for attempt in list(self._told):  # as when it is told again by another shim
                del self._told[attempt]
        return super().observe()

    def next_due(self) -> int | None:
        if not self.on_its_way:
            return None
        return self.on_its_way[0][0] + self._offset

    def _send(self, verb: str, what: object) -> None:
        due = self.on_its_way[-1][0] if self.on_its_way else self._chaos.boottime
        if self._chaos.faults is not None and self._chaos.happens(0.3):
            due = max(due, self._chaos.boottime + self._chaos.faults.randint(1, 2 * SECOND))
        self.on_its_way.append((due, verb, what))


class LostFolder(FakeFolder):
    def look(self, now: int, full: bool = False) -> FolderSight:
        sight = super().look(now, full)
        sight.root = "missing" if self._world.held else "ok"  # type: ignore[attr-defined]
        return sight


def chaos(seed: int) -> Chaos:
    """The whole story of a seed. An AssertionError carries its last lines."""
    where = QUICK if QUICK.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="treadle-chaos-", dir=where) as folder,
        patch.object(writer, "SEGMENT_SIZE_MAX", SEGMENT_BYTES),
    ):
        world = Chaos(seed, folder)
        try:
            return world.play()
        except Exception as error:
            error.add_note("\n".join([*world.story[-25:], f"chaos({seed})"]))
            raise


def figures(seeds: Iterable[int], seconds: float = 1e9) -> str:
    began = time.monotonic()
    stories = turns = 0
    seen: Counter[str] = Counter()
    for seed in seeds:
        world = chaos(seed)
        stories, turns, seen = stories + 1, turns + world.turns, seen + world.seen
        if time.monotonic() - began > seconds:
            break
    a_minute = turns / (time.monotonic() - began) * 60
    faults = ", ".join(f"{what} {number:,}" for what, number in sorted(seen.items()))
    return f"{stories} stories, {turns:,} turns ({a_minute:,.0f} a minute); faults: {faults}"


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        if sys.argv[1] == "--seed":
            world = chaos(int(sys.argv[2]))
            print(*world.story, sep="\n")
        else:
            print(figures(range(int(sys.argv[1]), int(sys.argv[2]) + 1)))
