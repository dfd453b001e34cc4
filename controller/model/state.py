"""The actual state: what a fold over the log knows of every workflow, step and attempt.

Besides the facts it keeps indexes, so that the cost of a turn depends on what changed, not on what
exists: which steps were touched since the last plan, which are ready, how many dependencies each
still waits for, which attempts live, which timer is due next, which workflows may use a free slot.
`apply` sets the facts; only `movement` and `indexes` set the indexes. `invariants` checks them all.

Times are microseconds since 1970 on the controller's clock.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from msgspec import Struct, field

from controller.model.events import (
    DefaultsAccepted,
    EditDeferred,
    FileRejected,
    MarkerPlaced,
    MarkerRejected,
    Origin,
    StepEffect,
    Usage,
)
from controller.model.metrics import Metrics
from controller.model.phases import (
    ATTEMPT_LIVE,
    TERMINAL,
    WORKFLOW_TERMINAL,
    AttemptPhase,
    Phase,
    Reason,
    RunStage,
)
from controller.model.timers import TimerKind
from controller.spec.definition import Definition
from controller.spec.effective import effective
from controller.spec.items import inner_name, number_of
from controller.spec.linked import Linked
from controller.spec.placement import LOCAL, slots_of
from controller.spec.triggers.trigger import Firing
from controller.spec.uses import Holding
from controller.spec.values import ParamType

REQUESTS_REMEMBERED_MAX = 10_000
RECENT_MAX = 16
ATTEMPTS_MAX = 100  # of one step
RUNS_MAX = 20  # of one name
NAMES_MAX = 10_000  # without a life, whose runs are remembered
SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
KEYS_MAX = 100_000  # of one definition
KEY_TIME = 30 * DAY  # a key, and a file that is gone, is remembered so long
LOOP_FIRINGS = 10  # of one path
LOOP_TIME = 600 * SECOND


class Ending(Struct, frozen=True):
    """Why an attempt is being ended. `withdraw`: only if it has not started."""

    reason: str
    message: str
    since: int
    grace: float
    withdraw: bool = False
    seq: int = 0  # of the record that says so


class Attempt(Struct, kw_only=True, omit_defaults=True):
    number: int
    run: int
    generation: int
    fingerprint: str
    inputs: dict[str, str]
    mark: int
    log: str
    values: dict[str, Any] = {}  # what its expressions gave, by their text
    values_file: str = ""  # where that is, if it is long
    timeout: float | None = None  # seconds, if an expression gave it
    declares: dict[str, ParamType] = {}
    in_parts: bool = False  # a runner runs `before`, the command and `after` in turn
    uses: list[Holding] = []  # what it holds until it has finished
    outputs: dict[str, Any] = {}
    seq: int = 0  # of the record that promised it
    why: str = ""  # why it was tried again; empty for the first time
    phase: AttemptPhase = AttemptPhase.SCHEDULED
    reason: str | None = None
    message: str | None = None
    notes: list[str] = []
    scheduled: int = 0
    started: int | None = None
    moved: int = 0  # microseconds by which sleep and clock steps moved its timeout
    finished: int | None = None
    engine: str = LOCAL
    handle: str = ""  # what the engine calls it
    place: dict[str, str] = {}  # where the engine has it, in its own words
    engine_reason: str = ""  # why it waits there, or how it ended, in its own words
    pid: int | None = None
    start_ticks: int | None = None
    boot_id: str = ""
    found: bool = False  # by its mark: `pid` is probably its first process, not certainly
    exit_code: int | None = None
    signal: int | None = None
    ending: Ending | None = None
    survivors: list[int] = []  # pids that SIGKILL did not end
    end_problem: str = ""  # why it can't be ended, if its engine says more than pids
    usage: Usage | None = None

    @property
    def live(self) -> bool:
        return self.phase in ATTEMPT_LIVE

    @property
    def queued(self) -> bool:
        """Its start is promised, neither seen nor being withdrawn. Its step is Ready."""
        return self.phase is AttemptPhase.SCHEDULED and self.ending is None

    @property
    def is_stuck(self) -> bool:
        """It could not be ended so far."""
        return bool(self.survivors or self.end_problem)

    @property
    def slots(self) -> str:
        """Which limit counts it: that of this machine (MACHINE), or of its engine."""
        return slots_of(self.engine)

    @property
    def gives_way(self) -> bool:
        """Another one may have its place at once. Whatever else withdraws it, its step gets it."""
        ending = self.ending
        withdrawn = ending is not None and ending.reason == Reason.WITHDRAWN
        return withdrawn and self.phase is AttemptPhase.SCHEDULED


def timeout_seconds(step: "Step", attempt: Attempt) -> float | None:
    """How long the attempt may take, by the step's present definition; None: no limit."""
    written = step.definition.timeout_seconds
    return attempt.timeout if isinstance(written, str) else written


def handle_of(attempt: Attempt) -> str:
    """`pid 4711`, in the words of its engine."""
    if attempt.engine == LOCAL:
        return f"pid {attempt.pid}"
    return f"{attempt.engine} {attempt.handle}"


class Question(Struct, kw_only=True, omit_defaults=True):
    """What a step asked a person last; if it was answered, that as well.

    A question that was taken back, or that nobody answered in time, has no answer and is not open.
    """

    number: int
    run: int
    message: str
    asked: int
    moved: int = 0  # microseconds by which a suspension and clock steps moved its timeout
    open: bool = True
    approved: bool | None = None  # None: nobody has answered
    by: str = ""
    reason: str = ""  # of the person who answered
    answered: int | None = None


class Standing(Struct, frozen=True):
    """The last result of a step, and what it was made from.

    It survives a reset by an edit, as long as neither the step nor one of its dependencies has run
    since then: if the edit is taken back, the result is restored.
    """

    fingerprint: str
    phase: Phase
    reason: str
    message: str

    @property
    def is_asked_again(self) -> bool:
        """It is not what an attempt gave: its dependencies, or its `when`, kept it from running."""
        return self.phase is Phase.SKIPPED and self.reason != Reason.SKIPPED_ITSELF


def is_result(phase: Phase, definition: Definition) -> bool:
    """Whether dependents may build on a step in this phase."""
    if phase is Phase.FAILED:
        return definition.continue_on_failure
    return phase in (Phase.SUCCEEDED, Phase.SKIPPED)


class Cancel(Struct, frozen=True):
    """Somebody wants a workflow, or a step, to end.

    It holds until the next generation, or until a request overrules it.
    """

    reason: str
    message: str
    drain: bool = False  # of a workflow: running steps may finish
    hooks: bool = True  # of a workflow: false stops them, too


class RunEnd(Struct, frozen=True):
    """What a run has come to, while its last hooks still run."""

    phase: Phase
    reason: str
    message: str
    decided: int


class Asked(Struct, frozen=True):
    """Somebody wants a step to run again although it still has an attempt."""

    reason: str
    message: str


class Step(Struct, kw_only=True, omit_defaults=True):
    """A step of the spec, or a hook of a run: that is like a step, but nothing depends on it."""

    name: str
    index: int  # its place in the spec; of a child, that of its parent
    definition: Definition
    fingerprint: str
    reads: list[str] = []  # steps on which it does not directly depend
    is_hook: bool = False
    parent: str | None = None  # the step whose child it is
    piece: str = ""  # the step whose template it is from, if it is from one
    key: str = ""  # of a child: of its item, or its name in the template
    item: Any = None
    nth: int = -1  # its place among the children
    above: list[int] = []  # the places of the children whose child it is, from the top
    spared: bool = False  # its failure is tolerated further up
    children: list[str] = []  # in the order of the items, or of the template
    expanded: bool = False  # they are those of the present list, and may start
    params: dict[str, Any] = {}  # of its template, since it began
    failed_keys: list[str] = []  # of those that failed, when it last completed
    stale: bool = False  # what they were made from has been replaced
    phase: Phase = Phase.PENDING
    reason: str = Reason.WAITING_FOR_DEPENDENCIES
    message: str = "waiting for its dependencies"
    since: int = 0
    attempts: list[Attempt] = []  # the latest, ATTEMPTS_MAX at most
    numbered: int = 0  # the highest number an attempt of it ever had
    retries: int = 0  # spent since the last reset
    interruptions: int = 0  # in a row
    # start of the first attempt since the last reset, or when a person was asked
    series_from: int | None = None
    question: Question | None = None  # the last one
    questions: int = 0  # the highest number a question of it ever had
    retry_at: int | None = None
    why: str = ""  # why it will be tried again; empty once it is
    unjudged: bool = False  # its last attempt ended; what follows is not decided yet
    # what is wanted of it: a field for each source that needs one, see `planner.wish`
    leaving: StepEffect | None = None  # the spec no longer has it
    cancel: Cancel | None = None
    asked: Asked | None = None
    edit: StepEffect | None = None  # the generation in force found an attempt
    standing: Standing | None = None
    outputs: dict[str, Any] = {}  # of its last success; they count while it is Succeeded
    answer: dict[str, str] | None = None  # what its `when` read; None: not asked since its reset
    uses: list[Holding] = []  # what it needs besides a slot, since it was ready last
    ready_seq: int = 0  # of the record that made it ready last
    cause: int = 0  # seq of the record that last gave it something to decide
    # indexes
    open: int = 0  # dependencies whose condition has not come true
    broken: dict[str, str] = {}  # dependencies whose condition no longer can: name -> reason
    dependents: list[tuple[str, str]] = []  # (name, the condition it has on this step)
    unsettled: int = 0  # children that are not in a terminal phase
    admitted: bool = False  # a child that may start, or has begun and not ended
    places: int = 0  # children that are admitted
    kept_back: dict[str, None] = {}  # children that are ready, but not admitted

    @property
    def attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def live(self) -> Attempt | None:
        """Its attempt, if it has one that is scheduled or running."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].live else None

    @property
    def asking(self) -> Question | None:
        """Its question, while a person is to answer it."""
        return self.question if self.question is not None and self.question.open else None

    def succeeded_in(self, run: int) -> bool:
        """Whether its result is of that run: not of an earlier one, and not marked by a person."""
        if self.definition.approve is not None:
            return self.question is not None and self.question.run == run
        last = self.attempt
        return last is not None and last.run == run and last.phase is AttemptPhase.SUCCEEDED

    @property
    def is_parent(self) -> bool:
        """It has no attempts: its children do what it says."""
        return self.definition.is_parent

    @property
    def children_are(self) -> str:
        """What people call its children."""
        return "steps" if self.definition.for_each is None else "children"

    @property
    def children_counted(self) -> str:
        """`1 child`, `3 children`; of a template `3 steps`."""
        return number_of(len(self.children), self.definition.for_each is not None)

    @property
    def is_of_list(self) -> bool:
        """It is the child of a step with `forEach`, for one of its items."""
        return self.parent is not None and self.parent != self.piece

    @property
    def has_begun(self) -> bool:
        """It has started or asked since its reset, it or a step of its template, and not ended.

        Also one that is back in the list while steps below it still run, from before it left.
        """
        remains = self.unsettled > 0 and not self.children
        began = self.series_from is not None or self.expanded or remains
        return began and self.phase not in TERMINAL

    @property
    def limit(self) -> int | None:
        """How many of its children may have begun and not ended at once."""
        fan = self.definition.for_each
        return None if fan is None else fan.parallelism

    @property
    def outputs_stand(self) -> bool:
        """Whether others can read its outputs: of one with `forEach`, once all items have ended."""
        is_list = self.expanded and self.definition.for_each is not None
        return self.phase is Phase.SUCCEEDED or (is_list and self.phase in TERMINAL)

    @property
    def tolerated(self) -> bool:
        return self.definition.continue_on_failure

    @property
    def fails_its_workflow(self) -> bool:
        """It has failed, and nobody tolerates that."""
        return self.phase is Phase.FAILED and not (self.tolerated or self.spared)

    def sibling(self, name: str) -> str:
        """The full name of a step that it names: one of the same template, or of the spec."""
        return inner_name(self.piece, name) if self.piece else name

    @property
    def has_to_ask(self) -> bool:
        """Its `when` is to be asked before it starts. It is not asked again once it has begun."""
        return bool(self.definition.when) and self.answer is None and self.series_from is None

    @property
    def tried(self) -> bool:
        """It has had an attempt since its reset, or asked; a new definition begins anew."""
        times = self.series_from, self.retry_at
        return bool(self.retries or self.interruptions) or times != (None, None)

    @property
    def is_wanted(self) -> bool:
        """Whether one of these four is set."""
        return bool(self.leaving or self.cancel or self.asked or self.edit)

    def want_nothing(self) -> None:
        """What was wanted of it is done, or no longer counts."""
        self.leaving = self.cancel = self.asked = self.edit = None


class Condition(Struct, frozen=True, rename="camel"):
    """As in Kubernetes; the transition time moves only with the status."""

    type: str
    status: Literal["True", "False"]
    reason: str
    message: str
    last_transition_time: int
    observed_generation: int


class RunShort(Struct, array_like=True):
    """What is remembered of a run for as long as its name is.

    The counts are those of its end. Where `ended` is 0 although it has completed, an older treadle
    wrote this, and they are not known.
    """

    number: int
    started: int
    why: str
    phase: Phase = Phase.RUNNING
    reason: str = Reason.STARTED
    completed: int | None = None
    message: str = ""
    ended: int = 0  # seq of the record of its end
    stood: int = 0  # microseconds in which it was suspended
    steps: int = 0
    succeeded: int = 0
    kept: int = 0  # of those that succeeded: not run in this run


class Move(NamedTuple):
    """A phase that changed: of a step, or of the workflow (`step` empty)."""

    time: int
    workflow: str
    uid: str
    step: str
    was: Phase
    phase: Phase
    reason: str
    message: str


class Missed(Struct, array_like=True):
    """Due times that were skipped since no controller ran, as far as the wall clock told.

    Should that have been ahead, they are due again: `before` is what had been decided until then.
    """

    before: int
    last: int
    at: int  # microseconds, when it was recorded


class Consumed(Struct, array_like=True):
    """A file that a trigger has fired for."""

    size: int
    mtime: int  # nanoseconds
    times: list[int]  # when the path has fired, the latest LOOP_FIRINGS at most


class LastFiring(Struct, frozen=True, omit_defaults=True):
    """The last decision of a trigger. `message`: why it began no instance, or what it waits for."""

    key: str
    due: int | None
    time: int
    outcome: str
    reason: str
    instance: str
    message: str = ""


class Armed(Struct, kw_only=True, omit_defaults=True):
    """A trigger in force. Due times are seconds since 1970 on the wall clock.

    `mark`: all due times up to it are decided; so are those of the pairs in `beyond`, later than
    the first and up to the second. `due`: the next one, if it `is_armed`.
    """

    kind: str
    since: int  # from here on it counts
    mark: int
    is_armed: bool = False
    due: int | None = None
    beyond: list[tuple[int, int]] = []
    missed: list[Missed] = []
    catching: int | None = None  # missed due times up to it are all started
    last: LastFiring | None = None
    consumed: dict[str, Consumed] = {}  # by path
    gone: dict[str, int] = {}  # consumed files that are not there any more, and since when
    device: int = 0  # of the folder of its files


class Arrival(Struct, frozen=True):
    """A run has ended that a trigger waits for, and what follows is not decided yet."""

    trigger: str
    key: str
    params: dict[str, Any]
    workflow: dict[str, str]


class Group(Struct, omit_defaults=True):
    """Instances that count together, by uid, each table in the order of their births."""

    running: dict[str, None] = {}
    queued: dict[str, None] = {}


class Starter(Struct, kw_only=True, omit_defaults=True):
    """What a definition has instead of steps: its triggers, and its instances."""

    triggers: dict[str, Armed] = {}
    arrivals: list[Arrival] = []
    keys: OrderedDict[str, tuple[int, str]] = field(default_factory=OrderedDict)
    firings: dict[str, int] = {}  # outcome -> how many decisions
    hold: str = ""  # why nothing is decided now
    # Why no due time was started, and until when (seconds on the wall clock): not recorded yet.
    stood: list[tuple[str, int]] = []
    latest: str = ""  # the name of the instance that was born last, backfills aside
    # indexes
    occupied: int = 0  # attempts of all instances that live
    unfinished: dict[str, None] = {}  # uids of instances
    ended: dict[str, None] = {}  # the same of those that have ended, oldest first
    groups: dict[str, Group] = {}


class Birth(Struct, kw_only=True, omit_defaults=True):
    """How an instance began. `line`: what it counts together with."""

    definition: str  # the uid of its life
    facts: Firing
    group: str = ""
    backfill: str = ""
    parallel: int = 1
    due: int | None = None
    queued: bool = False
    counts: bool = True  # for maxQueued
    behind: bool = False  # its definition has a generation that means something else for it

    @property
    def line(self) -> str:
        return f"\0{self.backfill}" if self.backfill else self.group


StepKey = tuple[str, str]  # (uid of its workflow, name of a step or a trigger)
QueueKey = tuple[int, int]  # (-priority, attempts that live)
# families, and of each the uids of the workflows that wait: see `model.queues`
Queue = dict[QueueKey, OrderedDict[str, OrderedDict[str, None]]]
# for slots: ("", of which engine, or of this machine); for a pool or lock: (its name, for what)
Line = tuple[str, str]


_NOBODY: OrderedDict[str, None] = OrderedDict()


class Workflow(Struct, kw_only=True, omit_defaults=True):
    uid: str
    name: str
    order: int  # of its creation among all lives
    origin: Origin
    path: str
    created: int
    generation: int
    spec: Linked
    labels: dict[str, str]
    annotations: dict[str, str]
    given: dict[str, Any] = {}  # params, when this life began
    params: dict[str, Any] = {}  # all, as the generation in force has them
    by: str = ""
    warnings: list[str] = []
    steps: dict[str, Step] = {}
    hooks: dict[str, Step] = {}  # by full name; of the present run, and of the last one with hooks
    due_hooks: list[str] = []  # those of the present run, in the order in which they run
    phase: Phase = Phase.PENDING
    reason: str = Reason.ACCEPTED
    message: str = ""
    since: int = 0
    conditions: dict[str, Condition] = {}
    run: int = 0
    stage: RunStage = RunStage.NONE  # of that run
    has_started: bool = False  # an attempt of that run has
    onstart_due: bool = False  # since then its onStart hooks are to be recorded
    end: RunEnd | None = None  # of that run, once that is decided
    started: int | None = None
    completed: int | None = None
    stood: int = 0  # microseconds of this run in which it was suspended
    accepted: int = 0  # when its generation was
    effects: dict[str, StepEffect] = {}  # what that did to its steps; without untouched steps
    edited: list[str] = []  # steps that are defined otherwise than in the generation before
    kept: dict[str, str] = {}  # steps that keep a result, with the fingerprint it was made under
    pending: EditDeferred | None = None  # it waits until the present run has ended
    cancel: Cancel | None = None
    deleting: bool = False
    request: str = ""  # the name of the one that began this life
    suspended: int | None = None  # since when
    suspension: str = ""  # the request in force: who asked and why
    left: dict[str, int] = {}  # steps that were removed -> the highest number of their attempts
    recent: list[Move] = []  # its latest phase changes, RECENT_MAX at most
    starter: Starter | None = None  # of a definition, which has no steps
    birth: Birth | None = None  # of an instance
    cause: int = 0  # seq of the record that last gave it, or a step of it, something to decide
    # indexes
    unsettled: int = 0  # steps that are not in a terminal phase, removed ones too
    failed: int = 0  # failed steps without continueOnFailure
    cancelled: int = 0
    occupied: int = 0  # attempts that live
    # ready and not scheduled, the longest waiting first
    ready: OrderedDict[str, None] = field(default_factory=OrderedDict)
    # the same of those for which a pool or a lock has no slot, or that need several slots at once:
    # by the first that they use, then by all that they use
    parked: dict[str, dict[str, list[tuple[int, str]]]] = {}
    rank: int | None = None  # in the queue for slots of this machine: -priority
    # the same of steps that wait for a slot of an engine, by the engine
    ready_on: dict[str, OrderedDict[str, None]] = {}
    rank_on: dict[str, int] = {}
    line_rank: int | None = None  # in the lines for what these wait for

    @property
    def document(self) -> str:
        """The name of the document that it comes from: of an instance, that of its definition."""
        return document_of(self.name)

    @property
    def family(self) -> str:
        """Whose attempts count together where slots are shared: those of a definition do."""
        return self.uid if self.birth is None else self.birth.definition

    @property
    def is_queued(self) -> bool:
        """An instance whose turn has not come."""
        return self.birth is not None and self.birth.queued

    @property
    def counted(self) -> list["Step"]:
        """The steps of all figures: those that do something, without those that have children."""
        # As `is_parent`, without two calls for each of perhaps 100,000 steps.
        return [
            step
            for step in self.steps.values()
            if step.definition.for_each is None and step.definition.template is None
        ]

    def ready_for(self, slots: str) -> OrderedDict[str, None]:
        """Those that wait for a slot of this machine (MACHINE), or of an engine."""
        return self.ready_on.get(slots, _NOBODY) if slots else self.ready

    def parent_of(self, step: "Step") -> "Step | None":
        """The step whose child it is."""
        return self.steps.get(step.parent) if step.parent is not None else None

    def above(self, step: "Step") -> "Iterator[Step]":
        """Its parent, the parent of that, and so on, from the inside."""
        while (parent := self.parent_of(step)) is not None:
            yield parent
            step = parent

    def below(self, step: "Step") -> "Iterator[Step]":
        """Its children, each before its own children."""
        for name in step.children:
            if (child := self.steps.get(name)) is not None:
                yield child
                if child.children:
                    yield from self.below(child)

    def leaves(self, step: "Step") -> "list[Step]":
        """The steps that stand for it: those below it which have no children, or it alone."""
        below = self.below(step) if step.expanded else [step]
        return [leaf for leaf in below if not leaf.expanded]

    def stands(self, step: "Step") -> bool:
        """Whether the spec in force has it as it is: a piece that begins again may have others."""
        piece = self.steps.get(step.piece)
        return step.leaving is None and (not step.piece or (piece is not None and piece.expanded))

    def step(self, name: str) -> Step:
        """The step or hook with this full name. Raises KeyError."""
        return self.hooks[name] if name in self.hooks else self.steps[name]

    def find(self, name: str) -> "Step | None":
        """The step or hook with this full name, if there is one."""
        return self.hooks.get(name) or self.steps.get(name)

    @property
    def with_hooks(self) -> list[Step]:
        """All that can have attempts: its steps and its hooks."""
        return [*self.steps.values(), *self.hooks.values()]

    @property
    def present_hooks(self) -> list[Step]:
        """The hooks of the present run, or of the last one, in the order in which they run."""
        return [self.hooks[name] for name in self.due_hooks]

    @property
    def next_hook(self) -> Step | None:
        """The hook that runs or is to run now: they run one after the other."""
        return next((hook for hook in self.present_hooks if hook.phase not in TERMINAL), None)

    @property
    def is_ending(self) -> bool:
        """What its run has come to is decided; only hooks still run."""
        return self.stage is RunStage.ENDING

    @property
    def suspended_by_spec(self) -> bool:
        """Whether the spec says so; while only hooks run, the one that waits for these.

        That of a definition means its triggers, not its instances.
        """
        if self.birth is not None:
            return False
        waits = self.pending if self.is_ending else None
        spec = self.spec if waits is None else waits.document.spec
        return spec.suspend is True

    @property
    def in_run(self) -> bool:
        return self.stage is not RunStage.NONE

    @property
    def latest(self) -> int:
        """The newest generation, in force or not."""
        return self.generation if self.pending is None else self.pending.generation

    @property
    def priority(self) -> int:
        """A backfill is one below its definition."""
        below = self.birth is not None and self.birth.backfill != ""
        return (self.spec.priority if isinstance(self.spec.priority, int) else 0) - below

    @property
    def parallelism(self) -> int | None:
        return self.spec.parallelism if isinstance(self.spec.parallelism, int) else None

    @property
    def fail_fast(self) -> bool:
        return self.spec.fail_fast is True

    @property
    def deadline_seconds(self) -> float | None:
        given = self.spec.active_deadline_seconds
        return given if isinstance(given, float | int) else None

    @property
    def ttl_seconds(self) -> float | None:
        given = effective(self.spec).ttl_seconds_after_finished
        return given if isinstance(given, float | int) else None

    @property
    def being_ended(self) -> bool:
        """All of it is cancelled, what runs as well: it does not drain."""
        return self.cancel is not None and not self.cancel.drain

    @property
    def finished(self) -> bool:
        return self.phase in WORKFLOW_TERMINAL

    def stood_until(self, now: int) -> int:
        """Microseconds of its run, up to `now`, in which it was suspended."""
        if self.suspended is None or self.started is None:
            return self.stood
        return self.stood + now - max(self.suspended, self.started)


def document_of(name: str) -> str:
    """The name of the document of a workflow: an instance is NAME@KEY."""
    return name.partition("@")[0]


def starter_of(definition: Workflow) -> Starter:
    """For where it is known to be a definition; a plain workflow and an instance have None."""
    assert definition.starter is not None, definition.name
    return definition.starter


class Timer(NamedTuple):
    """Something that time alone makes due; `step` is empty for the workflow's deadline."""

    due: int
    uid: str
    step: str
    kind: TimerKind


class Pool(Struct, frozen=True):
    """A number of slots that steps of all workflows share, and the file that says so."""

    slots: int
    path: str

    @property
    def is_outside(self) -> bool:
        """Whether a `run` brought it, from a file that is not in the specs folder."""
        return self.path.startswith("/")


class LastController(Struct):
    """The last controller that started on this log, and its machine's clocks at that moment."""

    epoch: int = 0
    pid: int = 0
    version: str = ""
    boot_id: str = ""
    boottime: int = 0
    uptime: int = 0
    time: int = 0
    folder: str = ""
    folder_device: int = 0
    folder_inode: int = 0
    ahead: int = 0  # microseconds by which the wall clock is ahead of the controller's
    present: int = 0  # microseconds on the wall clock: since then it runs, and has not slept


class State:
    """Everything that the log says, and the indexes over it."""

    def __init__(self) -> None:
        self.seq = 0
        self.epoch = 0
        self.time = 0  # of the last record
        self.time_before = 0  # of the one before it
        self.controller = LastController()
        self.lives: dict[str, Workflow] = {}  # by uid, ended ones too, but for archived ones
        self.begun = 0  # lives, archived ones too
        self.workflows: dict[str, Workflow] = {}  # by name, the present life
        self.rejected: dict[str, FileRejected] = {}  # by path
        self.markers: dict[str, MarkerPlaced] = {}  # by path
        self.bad_markers: dict[str, MarkerRejected] = {}  # by path
        self.pools: dict[str, Pool] = {}  # by name
        self.defaults: dict[str, DefaultsAccepted] = {}  # by folder
        self.requests: OrderedDict[str, str] = OrderedDict()  # those applied -> why refused
        self.runs: dict[str, list[RunShort]] = {}  # by name, its latest, RUNS_MAX at most
        self.metrics = Metrics()
        self.folder_id = ""  # the name of this state folder for engines; empty before it needs one
        # where attempts were submitted, by engine: each site with what is needed to ask there again
        self.sites: dict[str, dict[str, dict[str, str]]] = {}
        # indexes
        self.gone: OrderedDict[str, None] = OrderedDict()  # names in `runs` that are free again
        self.live: dict[StepKey, Attempt] = {}  # the attempts that live
        self.timers: list[Timer] = []  # sorted by due
        self.timer_of: dict[tuple[str, str, TimerKind], int] = {}  # (uid, step, kind) -> due
        self.awaited: dict[str, int] = {}  # uid -> how many timers it waits for to settle
        self.queue: Queue = {}  # who may use a free slot of this machine
        self.queue_on: dict[str, Queue] = {}  # and of an engine
        self.seats: dict[str, dict[tuple[Line, int], None]] = {}  # family -> (where, rank)
        # of pools and locks, by their full names: see `model.pools`
        self.held: dict[str, dict[StepKey, int]] = {}  # who holds how many slots
        self.lines: dict[str, dict[str, Queue]] = {}  # whose steps are parked under it
        self.takers: dict[str, dict[StepKey, None]] = {}  # in `ready`: need one slot of it
        self.several: dict[str, list[tuple[int, StepKey]]] = {}  # need several slots at once
        self.followers: dict[str, dict[StepKey, None]] = {}  # workflow -> (definition, trigger)
        self.inboxes: dict[StepKey, None] = {}  # triggers that wait for files
        self.surplus: dict[str, None] = {}  # definitions with more ended instances than they keep
        self.over: OrderedDict[str, None] = OrderedDict()  # may go to the archive, oldest first
        self.markers_of: dict[str, dict[str, MarkerPlaced]] = {}  # workflow -> path -> marker
        # `touched` is for the planner: what changed since the last plan; `moves` is for watchers
        self.touched: dict[str, dict[str, None]] = {}
        self.moves: list[Move] = []

    def story(self, uid: str, step: str = "") -> str:
        """All that is known of one workflow or step, for the message of a failed check."""
        workflow = self.lives.get(uid)
        if workflow is None:
            return f"no life {uid}"
        return repr(workflow.find(step) or workflow)
