"""A machine that exists in memory only: clock, disk, processes, a folder and people.

The real loop runs on it through the same ports. What outlives a controller on a real machine
outlives it here: durable records, the processes and the journal of their parent, the folder and the
requests. `Crash` is raised before the effect that a test names, as a kill would; the next
controller is built from the durable records alone.

Every effect is counted, so a test can run a story once in calm, and then once for each of its
effects with a crash before it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from signal import SIGTERM

import msgspec
from simulation.cluster import Cluster, FakeEngines, FakeSlurm
from simulation.edges import (
    SPECS,
    FakeChance,
    FakeClock,
    FakeExecutor,
    FakeFolder,
    FakeLog,
    FakeRequests,
    FakeSpace,
)
from simulation.reference import may_not_start
from story import orders

from controller.intake import desired
from controller.loop.ports import AttemptId, Launch, Trouble
from controller.loop.turn import Controller, Edges, Settings
from controller.model.apply.fold import replay
from controller.model.events import (
    ApprovalAsked,
    AttemptEnding,
    AttemptFinished,
    AttemptScheduled,
    AttemptSubmitted,
    Record,
    RunStarted,
    StepExpanded,
    StepFailed,
    StepSkipped,
)
from controller.model.image import freeze, thaw
from controller.model.observations import (
    Ended,
    Request,
    SeenMarker,
)
from controller.model.state import SECOND
from controller.spec.models import Workflow

BEGIN = 1_700_000_000 * SECOND
TURNS_MAX = 5_000  # of one story; they take some hundreds
TURNS_AT_ONCE_MAX = 200  # without time going by; more is a loop that turns for nothing
# A crash begins a wait for stillness anew. That is right, but it would shift the rest of a story.
AT_ONCE = desired.AbsenceSettings(settle_seconds=0, mass_settle_seconds=0)


class Crash(Exception):
    """The controller was killed."""


class Fate(msgspec.Struct, frozen=True):
    """What an attempt does if nobody interferes, and how long it resists being ended.

    `problem`: why it can't start. `outputs`: what it hands on, in whatever way it ends.
    """

    seconds: float = 1.0
    exit_code: int = 0
    deaf_seconds: float = 0.0
    problem: str = ""
    outputs: bytes = b""


class Process(msgspec.Struct, kw_only=True):
    """An attempt as its parent's journal has it."""

    id: AttemptId
    workflow: str = ""
    log: str = ""
    fate: Fate = Fate()  # known once it starts
    priority: int = 0
    started: int | None = None  # None: queued
    ends: int | None = None
    ended: Ended | None = None


class World:
    """All that is not the controller, and the count of what the controller did to it."""

    def __init__(
        self,
        fate: Callable[[str, str, int], Fate] = lambda workflow, step, nth: Fate(),
        max_parallel: int = 4,
        ahead: int = 0,
        crash_before: int | None = None,
        keep_finished: int | None = None,
    ) -> None:
        self.fate = fate
        self.max_parallel = max_parallel
        self.engines = {"slurm": 3}
        self.ahead = ahead
        self.crash_before = crash_before
        self.keep_finished = keep_finished
        self.effects = 0
        self.turns = 0
        # the machine
        self.short = ""  # why the disk is nearly full
        self.outputs: dict[str, bytes] = {}  # what attempts handed on, by their logs
        self.trouble: Trouble | None = None  # what the executor complains of
        self.wall, self.boottime, self.uptime, self.boots = BEGIN, SECOND, SECOND, 1
        self.log: list[bytes] = []
        self.attached: dict[str, bytes] = {}
        self.durable: set[tuple[type, AttemptId]] = set()  # what the log says of attempts
        self.epochs = 0
        self.files: dict[str, tuple[Workflow, ...] | str] = {}  # documents, or their text
        self.markers: dict[str, SeenMarker] = {}
        self.requests: dict[str, Request] = {}
        # the parent of the steps, and its journal: how often each attempt was ever started
        self.processes: dict[AttemptId, Process] = {}
        self.queue: dict[AttemptId, Process] = {}
        self.ledger: Counter[AttemptId] = Counter()
        self.told: dict[AttemptId, object] = {}  # with what each attempt is to be started
        self.begun: Counter[tuple[str, str]] = Counter()  # starts by workflow and step
        self.busy = 0
        self._ends: list[tuple[int, AttemptId]] = []
        self.cluster = Cluster(self)
        self.controller: Controller

    # ------------------------------------ the controller

    def effect(self, kind: str) -> None:
        """Something is about to be done that cannot be undone."""
        self.effects += 1
        if self.effects == self.crash_before:
            raise Crash(kind)

    def new_controller(self) -> Controller:
        """As after a kill: from the durable records, with new edges."""
        records = (msgspec.json.decode(line, type=Record) for line in self.log)
        self.epochs += 1
        edges = Edges(
            log=FakeLog(self),
            executor=FakeEngines(FakeExecutor(self), FakeSlurm(self)),
            requests=FakeRequests(self),
            clock=FakeClock(self),
            space=FakeSpace(self),
            folder=FakeFolder(self),
            chance=FakeChance(self),
        )
        settings = Settings(
            version="0",
            pid=self.epochs,
            user="somebody",
            host="nowhere",
            state_dir="/state",
            max_parallel=self.max_parallel,
            engines=self.engines,
            ahead=self.ahead,
            folder=SPECS,
            keep_finished=self.keep_finished,
            rules=AT_ONCE,
        )
        for attempt in self.queue:  # no controller, no starts
            del self.processes[attempt]
        self.queue = {}
        known = replay(records)
        state = thaw(freeze(known))  # as one that begins with a snapshot
        assert orders(state) == orders(known), "an image has another order"
        self.controller = Controller(state, self.epochs, edges, settings)
        return self.controller

    def boot_controller(self) -> None:
        try:
            self.new_controller().start()
        except Crash:
            self._go_on()

    def turn(self) -> bool:
        """One turn; a crash in it is followed by a new controller."""
        self.turns += 1
        assert self.turns < TURNS_MAX, "it never comes to an end"
        self.live()
        try:
            return self.controller.turn()
        except Crash:
            self._go_on()
            return True

    def _go_on(self) -> None:
        self.crash_before = None
        self.new_controller().start()

    def come_to_rest(self) -> None:
        """Turn until a turn does nothing, at this very moment."""
        for _ in range(TURNS_AT_ONCE_MAX):
            if not self.turn():
                return
        raise AssertionError("it turns and turns")

    def run(self, seconds_max: float = 1e6) -> None:
        """Let time go by until nothing is due any more, or so much has passed."""
        until = self.boottime + round(seconds_max * SECOND)
        self.come_to_rest()
        while (next_at := self.next_at()) is not None and next_at <= until:
            self.pass_time(max(0, next_at - self.boottime))
            self.come_to_rest()
        if self.boottime < until and seconds_max < 1e6:
            self.pass_time(until - self.boottime)
            self.come_to_rest()

    def next_at(self) -> int | None:
        """When anything happens next, as the kernel's clock counts."""
        due = self.controller.due()
        now = self.controller.edges.clock.now()
        times = [self.boottime + max(0, due - now)] if due is not None else []
        times += [self._ends[0][0]] if self._ends else []
        of_cluster = self.cluster.next_in()
        times += [] if of_cluster is None else [self.boottime + of_cluster]
        return min(times, default=None)

    def remember(self, records: Sequence[Record]) -> None:
        """They are durable: what they promise may be done."""
        for record in records:
            event = record.event
            if isinstance(event, RunStarted):
                begun = any(one.uid == event.uid for one in self.ledger)
                done = any(
                    isinstance(one.event, StepSkipped | StepFailed | StepExpanded | ApprovalAsked)
                    and one.event.uid == event.uid
                    for one in records
                )
                assert begun or done, "a run begins with what is only queued"
            if isinstance(
                event, AttemptScheduled | AttemptSubmitted | AttemptEnding | AttemptFinished
            ):
                attempt = AttemptId(event.uid, event.step, event.attempt)
                self.durable.add((type(event), attempt))
            if isinstance(event, AttemptScheduled):
                assert event.engine == "local" or not self.cluster.away, "given to nobody"
                life = self.controller.state.lives[event.uid]
                limit = life.parallelism
                assert limit is None or life.occupied <= limit, f"{life.name}: too many at once"

    # ------------------------------------ time

    def pass_time(self, length: int) -> None:
        self.wall += length
        self.boottime += length
        self.uptime += length
        self.cluster.time += length

    def sleep(self, seconds: float) -> None:
        """The machine sleeps: nothing runs, and what runs goes on afterwards."""
        length = round(seconds * SECOND)
        self.wall += length
        self.boottime += length
        self.cluster.time += length
        self._ends = []
        for process in self.processes.values():
            if process.ends is not None and process.ended is None:
                self._ends_at(process, process.ends + length)

    def set_wall(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)

    def reboot(self) -> None:
        """Every process is gone, and nobody saw how they ended."""
        self.boots += 1
        self.boottime = self.uptime = SECOND
        self.processes = {one.id: one for one in self.processes.values() if one.ended is not None}
        for process in self.processes.values():  # the clock that these times were of is gone
            process.ended = msgspec.structs.replace(process.ended, at=SECOND)
            process.started = None if process.started is None else SECOND
        self.queue, self._ends, self.busy = {}, [], 0
        self.boot_controller()

    # ------------------------------------ processes

    def start(self, attempt: AttemptId, workflow: str, priority: int, log: str = "") -> None:
        """At most once for each attempt, whoever asks and however often."""
        if attempt in self.queue:
            self.queue[attempt].priority = priority
        if attempt in self.processes or attempt in self.ledger:
            return
        process = Process(id=attempt, workflow=workflow, priority=priority, log=log)
        self.processes[attempt] = self.queue[attempt] = process

    def hear(self, launch: Launch) -> None:
        """What an attempt is started with is worked out once, and offered again as it was."""
        texts = launch.argv, launch.env.get("N"), launch.env.get("T"), launch.env.get("PHASE")
        told = *texts, launch.env.get("TREADLE_MESSAGE"), launch.env.get("TREADLE_RUN_SECONDS")
        known = self.told.setdefault(launch.id, told)
        assert known == told, f"{launch.id} was to be started with {known}, now with {told}"
        assert not any("${{" in str(text) for text in texts), f"not filled in: {texts}"

    def live(self) -> None:
        """Let processes and jobs end whose time has come, and start what is queued."""
        self.cluster.live()
        while True:
            while self._ends and self._ends[0][0] <= self.boottime:
                at, attempt = heappop(self._ends)
                process = self.processes.get(attempt)
                if process is not None and process.ended is None and process.ends == at:
                    self._over(process, exit_code=process.fate.exit_code)
            if not self.queue or self.busy >= self.max_parallel:
                return
            self._begin(self.queue.pop(self._next()))

    def _next(self) -> AttemptId:
        """The highest priority; then the life that holds the fewest slots; then the first."""
        held = Counter(
            one.id.uid for one in self.processes.values() if one.started and one.ended is None
        )
        return min(
            self.queue, key=lambda attempt: (-self.queue[attempt].priority, held[attempt.uid])
        )

    def _begin(self, process: Process) -> None:
        if self.hears_all():
            state, limits = self.controller.state, self.controller.limits()
            problem = may_not_start(state, process.id, limits, self.ledger)
            assert not problem, f"{process.id} starts although {problem}"
            assert process.priority == state.lives[process.id.uid].priority, "an old priority"
        self.ledger[process.id] += 1
        # Not by the number: what was withdrawn has one too, and a crash changes what is withdrawn.
        self.begun[process.workflow, process.id.step] += 1
        nth = self.begun[process.workflow, process.id.step]
        process.fate = self.fate(process.workflow, process.id.step, nth)
        if process.fate.problem:
            how = {"how": "start-failed", "problem": process.fate.problem}
            process.ended = Ended(id=process.id, at=self.boottime, **how)
            return
        self.busy += 1
        process.started = self.boottime
        self.outputs[process.log] = process.fate.outputs
        self._ends_at(process, self.boottime + round(process.fate.seconds * SECOND))

    def hears_all(self) -> bool:
        """Whether the parent of the steps has heard all that the controller said to it."""
        return True

    def _ends_at(self, process: Process, at: int) -> None:
        process.ends = at
        heappush(self._ends, (at, process.id))

    def end(self, attempt: AttemptId, withdraw_only: bool) -> None:
        process = self.processes.get(attempt)
        if process is None and attempt not in self.ledger:
            process = self.processes[attempt] = Process(id=attempt)
            process.ended = Ended(id=attempt, how="withdrawn", at=self.boottime)  # it never shall
        elif process is None or process.ended is not None:
            return
        elif process.started is None:
            del self.queue[attempt]
            process.ended = Ended(id=attempt, how="withdrawn", at=self.boottime)
        elif not withdraw_only:
            deaf = self.boottime + round(process.fate.deaf_seconds * SECOND)
            if process.ends is None or deaf < process.ends:
                process.fate = msgspec.structs.replace(process.fate, exit_code=-SIGTERM)
                self._ends_at(process, deaf)

    def _over(self, process: Process, exit_code: int) -> None:
        how = {"exit_code": exit_code} if exit_code >= 0 else {"signal": -exit_code}
        process.ended = Ended(id=process.id, how="exited", at=self.boottime, **how)
        self.busy -= 1

    # ------------------------------------ how it stands

    def records(self) -> list[Record]:
        return [msgspec.json.decode(line, type=Record) for line in self.log]

    def started_twice(self) -> list[AttemptId]:
        return [attempt for attempt, times in self.ledger.items() if times > 1]

    def phases(self) -> dict[str, dict[str, str]]:
        """Of every name that lives, the workflow's own under the empty name.

        Of hooks, those of the last run: what earlier runs had of onStart may hang on the moment of
        a crash, if their first step was stopped as it started.
        """
        return {
            name: {
                "": str(life.phase),
                **{step.name: str(step.phase) for step in life.steps.values()},
                **{hook.name: str(hook.phase) for hook in life.present_hooks},
            }
            for name, life in sorted(self.controller.state.workflows.items())
        }
