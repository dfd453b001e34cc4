"""One turn of the loop: observe, plan, append, act.

The turn is where the pure core meets the world. It turns what the edges saw into events, lets the
planner decide until nothing is left to decide, makes all of it durable with one append, and only
then does what the new events promise. Killed between any two lines, the next controller ends up the
same: what was not appended did not happen, and what was appended but not done is done again by
calls that are safe to repeat.
"""

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from controller.intake import conditions, desired, inputs
from controller.intake.requests import FIRES, answer, overtakes, withdrawals
from controller.loop import causes
from controller.loop.effects import Key, RootFolders, alive, effects, sites
from controller.loop.passes import Passes
from controller.loop.ports import (
    AttemptId,
    Chance,
    Clock,
    ClockReading,
    Ended,
    Executor,
    Folder,
    Found,
    Inputs,
    Log,
    Observation,
    Requests,
    Space,
)
from controller.model import events as e
from controller.model.indexes import next_due, touch_all
from controller.model.phases import Reason
from controller.model.state import SECOND, Attempt, Condition, State, Workflow
from controller.planner import outcome
from controller.planner.permission import Limits
from controller.planner.plan import settled
from controller.spec.engines import placements

LOOK_AGAIN = SECOND  # for room on the disk, say
CLOCK_TOLERANCE = SECOND  # smaller steps and sleeps are the kernel's own corrections


class Edges(Struct, kw_only=True):
    """The world, as ports. A controller without a folder is that of `treadle run`."""

    log: Log
    executor: Executor
    requests: Requests
    clock: Clock
    space: Space
    chance: Chance
    folder: Folder | None = None
    inputs: Inputs | None = None


class Settings(Struct, kw_only=True):
    """What this controller was told: none of it is a fact of the log."""

    version: str
    pid: int
    user: str
    host: str
    state_dir: str  # absolute
    max_parallel: int  # on this machine
    ahead: int
    engines: dict[str, int] = {}  # of each other engine, where it is not the default
    folder: str = ""  # absolute; empty without one
    keep_finished: int | None = None  # lives that are over; None: all
    # Start only the lives that these began, and those that are asked for meanwhile.
    only_requests: frozenset[str] | None = None
    rules: desired.AbsenceSettings = desired.AbsenceSettings()  # how long an absence has to last


class Controller:
    """The loop's own memory; everything in it except the edges can be rebuilt from the log."""

    def __init__(self, state: State, epoch: int, edges: Edges, settings: Settings) -> None:
        self.epoch = epoch
        self.passes = Passes(state, epoch, edges.chance)
        self.edges = edges
        self.settings = settings
        self.memory = desired.Memory()
        self.inputs = inputs.InputMemory()
        self._of_machine: list[Condition] = []
        self._of_inputs: list[Condition] = []
        self._short = False  # of room on the disk
        self._away = frozenset[str]()  # the engines that can't be reached
        self.notes: list[str] = []
        self.stopping = False  # start nothing more and end what runs
        self._stale: list[AttemptId] = []  # reported again although the log has their end
        self._unknown: list[Found] = []  # what an engine has, and the log does not know
        self._postponed: set[str] = set()  # requests whose time has not come
        self._folder_due: int | None = None
        self._unread: frozenset[str] | None = None  # while the folder is read: what may not start
        self._promised: dict[Key, None] = {}  # steps whose attempts are to be started or ended
        self._only = settings.only_requests
        self._clocks: ClockReading = edges.clock.read()
        self._stepped = 0  # microseconds by which the wall clock was set, too little to be recorded

    @property
    def state(self) -> State:
        return self.passes.state

    @property
    def conditions(self) -> list[Condition]:
        """What holds of the controller itself, as seen in the last turn."""
        return [*self.memory.conditions, *self._of_machine, *self._of_inputs]

    @property
    def recorded(self) -> Sequence[e.Record]:
        """The records of the last turn."""
        return self.passes.batch

    # ---------------------------------------- life

    def start(self) -> None:
        """Record the start, then take over what the log says may be alive."""
        state, settings = self.state, self.settings
        self._begin_turn()
        self._clocks = clocks = self.edges.clock.read()
        device, inode = self._folder_identity()
        self.passes.fold(
            e.ControllerStarted(
                version=settings.version,
                pid=settings.pid,
                user=settings.user,
                host=settings.host,
                boot_id=clocks.boot_id,
                boottime=clocks.boottime,
                uptime=clocks.uptime,
                folder=settings.folder,
                folder_device=device,
                folder_inode=inode,
            )
        )
        touch_all(state)
        self.edges.log.append(self.passes.batch)
        self.edges.executor.adopt(alive(state), sites(state))
        for life in state.workflows.values():
            self._expect(life)
        self._promised = dict.fromkeys(state.live)  # an edit or a request may come before them

    def turn(self) -> bool:
        """One pass of the loop; tells whether anything happened."""
        self._begin_turn()
        self._observe()
        self.passes.rest(self.limits())
        self._look_at_postponed()
        self._look_at_inputs()
        if self.passes.attached:
            self.edges.log.attach(self.passes.attached)
        if self.passes.batch:
            self.edges.log.append(self.passes.batch)  # if it raises, nothing below is done
        happens = bool(self.passes.batch or self._promised)
        self._act()
        return happens

    def due(self) -> int | None:
        """When the next turn has something to do although nothing wakes the loop."""
        folder = self.edges.folder
        times = (
            next_due(self.state, without_triggers=self._only is not None),
            self.edges.executor.next_due(),
            self._folder_due,
            folder.next_due() if folder is not None else None,
            self.edges.clock.now() + LOOK_AGAIN if self._of_machine else None,
            self._inputs_due(),
        )
        return min((time for time in times if time is not None), default=None)

    def _inputs_due(self) -> int | None:
        edge = self.edges.inputs
        if edge is None or self._only is not None or not self.state.inboxes:
            return None
        if self.inputs.again:
            return self.edges.clock.now()
        times = edge.next_due(), self.inputs.due
        return min((time for time in times if time is not None), default=None)

    def settled(self) -> bool:
        """Nothing is left that this controller could do or wait for by itself."""
        if not self.inputs.settled(self.state):
            return False
        if self._folder_due is not None or self._unread is not None:
            return False
        if any(request.name not in self._postponed for request in self.edges.requests.waiting()):
            return False
        return settled(self.state, self.limits())

    # ---------------------------------------- observe

    def _begin_turn(self) -> None:
        self._stale, self._unknown = [], []
        self.passes.begin(self.edges.clock.now())

    def _observe(self) -> None:
        self._observe_clocks()
        for seen in self.edges.executor.observe():
            self._observe_attempt(seen)
        self._observe_machine()
        folder = self.edges.folder
        if folder is not None:
            self._observe_folder(folder)
        confirmed = self._observe_requests()
        if folder is not None and confirmed:
            self._observe_folder(
                folder, confirmed
            )  # what was held back is deleted, because of that record

    def _observe_clocks(self) -> None:
        before, now = self._clocks, self.edges.clock.read()
        self._clocks = now
        boottime = now.boottime - before.boottime
        slept = boottime - (now.uptime - before.uptime)
        self._stepped += (now.wall - before.wall) - boottime
        if slept > CLOCK_TOLERANCE:
            self.passes.fold(e.MachineSlept(seconds=slept / SECOND))
        if abs(self._stepped) > CLOCK_TOLERANCE:
            self.passes.fold(e.ClockStepped(seconds=self._stepped / SECOND))
            self._stepped = 0

    def _observe_attempt(self, seen: Observation) -> None:
        attempt = self.state.live.get((seen.id.uid, seen.id.step))
        if attempt is None or attempt.number != seen.id.attempt:
            # If the log does not know it, its record was cut off with the tail. Its number will be
            # used again, and then only the executor's memory prevents a second start.
            over = outcome.is_over(self.state, seen.id)
            if isinstance(seen, Found) and not (over and seen.id.uid in self.state.lives):
                self._unknown.append(seen)
            elif over:
                self._stale.append(seen.id)
            return
        workflow = self.state.lives[seen.id.uid]
        if isinstance(seen, Ended) and seen.how == "exited":
            if attempt.declares:
                seen = self._with_outputs(attempt, seen)
            if attempt.in_parts:
                seen = replace(seen, parts=self.edges.executor.parts(attempt.log))
        for fact in outcome.facts(workflow, attempt, seen):
            self.passes.fold(fact, causes.of_news(attempt, fact))

    def _with_outputs(self, attempt: Attempt, seen: Ended) -> Ended:
        try:
            return replace(seen, outputs=self.edges.executor.outputs(attempt.log) or b"")
        except OSError as error:
            return replace(seen, outputs_problem=error.strerror or "it can't be read")

    def _observe_machine(self) -> None:
        short = self.edges.space.short()
        self._short = bool(short)
        troubles = self.edges.executor.troubles()
        self._away = frozenset(trouble.engine for trouble in troubles if trouble.engine)
        said = conditions.of_space(short) | conditions.of_executor(troubles)
        self._of_machine = conditions.as_conditions(said, self._of_machine, self.passes.now)

    def _observe_folder(self, folder: Folder, cause: int = 0) -> None:
        rules, memory = self.settings.rules, self.memory
        sight = folder.look(self.passes.now, full=memory.scan_due(self.passes.now))
        if sight.unread:
            self._unread = desired.unproven(self.state, sight, memory)
            return
        self._unread = None
        verdict = desired.judge(self.state, sight, self.passes.now, rules, memory)
        self._folder_due = verdict.due
        self.notes += verdict.notes
        self.passes.promise(verdict.actions, cause)

    def _look_at_postponed(self) -> None:
        """Apply the requests whose time has come in this turn: nothing else wakes the loop."""
        while self._postponed and self.passes.batch:
            before = self._postponed
            self._observe_requests(before)
            if self._postponed == before:
                return
            self.passes.rest(self.limits())

    def _look_at_inputs(self) -> None:
        """Begin an instance for each file that may have one by now."""
        edge = self.edges.inputs
        if edge is None or self._only is not None or not (self.state.inboxes or self.inputs.lines):
            return
        memory, now = self.inputs, self.passes.now
        due = self._inputs_due()
        at_rest = not memory.busy and due is not None and due > now
        if at_rest and not any(inputs.concerns(record.event) for record in self.passes.batch):
            return
        sights = edge.look(inputs.patterns(self.state, self.settings.folder, memory), now)
        while True:
            before = len(self.passes.batch)
            for action in inputs.judge(self.state, sights, now, memory):
                self.passes.promise([action])
            if len(self.passes.batch) == before:
                break
            self.passes.rest(self.limits())
            if memory.again:
                break
        said = inputs.said(self.state, memory)
        self._of_inputs = conditions.as_conditions(said, self._of_inputs, now)

    def _observe_requests(self, only: Collection[str] | None = None) -> int:
        """Apply what was asked for; tells which record confirmed an absence, 0 if none.

        `only`: the names of those to look at; None: all.
        """
        applied: list[str] = []
        confirmed = 0
        self._postponed = set()
        waiting_for: set[str] = set()
        planned = False
        for request in self.edges.requests.waiting():
            if only is not None and request.name not in only:
                continue
            if request.name in self.state.requests:
                applied.append(request.name)  # a crash came between its record and its removal
                continue
            actions = None
            in_turn = request.workflow not in waiting_for  # in the order of their names
            if in_turn or overtakes(self.state, request):
                if request.kind in FIRES and not planned:
                    # It takes the room of who has just ended, and only the plan says who has.
                    self.passes.rest(self.limits())
                    planned = True
                actions = answer(self.state, request, self._away)
                for wanted in withdrawals(self.state, request) if actions is None else ():
                    self.passes.promise([wanted], causes.of_decision(self.state, wanted))
            if actions is None:
                waiting_for.add(request.workflow)
                self._postponed.add(request.name)
                continue
            if request.kind == "run" and self._only is not None:
                self._only |= {request.name}  # another `treadle run` left it to this controller
            if request.kind == "delete-all":
                self.memory.confirm()
                confirmed = self.state.seq + 1
            asked, *consequences = actions
            self.passes.promise([asked])
            self.passes.promise(consequences, self.state.seq)
        if applied:
            self.edges.requests.done(applied)
        return confirmed

    # ---------------------------------------- plan

    def limits(self) -> Limits:
        """How much may start now, and what may not."""
        settings = self.settings
        return Limits(
            max_parallel=settings.max_parallel,
            engines=settings.engines,
            away=self._away,
            ahead=settings.ahead,
            only=self._only,
            held=settings.folder if self.memory.held else "",
            gone=frozenset(self.memory.absences.documents()) | (self._unread or frozenset()),
            short=self._short,
            stopping=self.stopping,
            keep_finished=settings.keep_finished,
        )

    # ---------------------------------------- act

    def _act(self) -> None:
        """Do what the events of this turn promise; each call is safe to repeat after a crash."""
        promised, self._promised = self._promised, {}
        ended, abandoned, applied = self._stale, list[AttemptId](), list[str]()
        for record in self.passes.batch:
            match record.event:
                case (
                    e.AttemptScheduled(uid=uid, step=name)
                    | e.AttemptSubmitted(uid=uid, step=name)
                    | e.AttemptEnding(uid=uid, step=name)
                ):
                    promised[uid, name] = None
                case e.GenerationAccepted(uid=life) | e.SourceChanged(uid=life):
                    # What is queued starts as the document in force says.
                    promised |= {key: None for key in self.state.live if key[0] == life}
                    self._expect(self.state.lives[life])
                case e.LifeEnded(uid=life):
                    self.edges.executor.expect(life, ())
                case e.AttemptFinished(uid=uid, step=name, attempt=number, reason=reason):
                    over = abandoned if reason == Reason.ABANDONED else ended
                    over.append(AttemptId(uid, name, number))
                case e.RequestApplied(name=name):
                    applied.append(name)
        if promised:
            self._carry_out(promised)
        if ended:  # after what follows of them: a slot that one has kept goes to that
            self.edges.executor.forget(ended)
        if abandoned:
            self.edges.executor.abandon(abandoned)
        if self._unknown:
            self.edges.executor.disown(self._unknown)
        self.edges.executor.flush()
        if applied:
            self.edges.requests.done(applied)

    def _carry_out(self, promised: Iterable[Key]) -> None:
        """Have the executor start and end what the log says of these attempts."""
        settings, executor = self.settings, self.edges.executor
        launches, releases, orders = effects(
            self.state,
            promised,
            self.passes.now,
            RootFolders(settings.state_dir, settings.folder),
            self.edges.log,
        )
        if orders:
            executor.end(orders)
        if launches:
            executor.start(launches)
        if releases:
            executor.release(releases)

    def _expect(self, life: Workflow) -> None:
        """Have its engines say in time what is missing there. Instances have those of theirs."""
        if life.birth is None:
            self.edges.executor.expect(life.uid, placements(life.spec))

    def _folder_identity(self) -> tuple[int, int]:
        if self.edges.folder is None:
            return 0, 0
        return desired.identity(self.state, self.edges.folder.look(self.passes.now))
