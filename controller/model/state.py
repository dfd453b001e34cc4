"""The actual state: what a fold over the log knows of every workflow, step and attempt.

Besides the facts it keeps indexes, so that a turn costs what changed and not what exists: which
steps were touched since the last plan, which are ready, how many dependencies each still waits for,
which attempts live, what time makes due next, which workflows may use a free slot. Facts are set by
`apply`; indexes only by the functions of this module, and `invariants` computes each one anew.

Times are microseconds since 1970 on the controller's clock.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from typing import Literal, NamedTuple

from msgspec import Struct

from controller.model.events import FileRejected, MarkerPlaced, MarkerRejected, Usage
from controller.model.phases import (
    ATTEMPT_LIVE,
    STEP_MOVES,
    TERMINAL,
    WORKFLOW_TERMINAL,
    AttemptPhase,
    Phase,
    Reason,
)
from controller.spec.definition import Definition
from controller.spec.models import Spec

REQUESTS_REMEMBERED_MAX = 10_000
SECOND = 1_000_000  # microseconds


class Ending(Struct, frozen=True):
    """Why an attempt is being ended. `withdraw`: only if it has not started."""

    reason: str
    message: str
    since: int
    grace: float
    withdraw: bool = False


class Attempt(Struct, kw_only=True):
    number: int
    run: int
    generation: int
    fingerprint: str
    inputs: dict[str, str]
    mark: int
    log: str
    phase: AttemptPhase = AttemptPhase.SCHEDULED
    reason: str | None = None
    message: str | None = None
    notes: list[str] = []
    scheduled: int = 0
    started: int | None = None
    moved: int = 0  # microseconds by which sleep and clock steps moved its timeout
    finished: int | None = None
    pid: int | None = None
    start_ticks: int | None = None
    boot_id: str = ""
    exit_code: int | None = None
    signal: int | None = None
    ending: Ending | None = None
    survivors: list[int] = []  # pids that SIGKILL did not end
    usage: Usage | None = None

    @property
    def live(self) -> bool:
        return self.phase in ATTEMPT_LIVE


class Standing(Struct, frozen=True):
    """The last result of a step that has been reset, as long as nothing has run since."""

    fingerprint: str
    phase: Phase
    reason: str
    message: str


class Then(Struct, frozen=True):
    """What a step does once its live attempt has been ended."""

    action: Literal["reset", "cancel", "remove"]
    reason: str
    message: str


class Step(Struct, kw_only=True):
    name: str
    index: int  # its place in the spec
    definition: Definition
    fingerprint: str
    parent: str | None = None
    phase: Phase = Phase.PENDING
    reason: str = Reason.WAITING_FOR_DEPENDENCIES
    message: str = ""
    since: int = 0
    attempts: list[Attempt] = []
    retries: int = 0  # spent since the last reset
    interruptions: int = 0  # in a row
    series_from: int | None = None  # start of the first attempt since the last reset
    retry_at: int | None = None
    unjudged: bool = False  # its last attempt ended, and nothing followed from that yet
    then: Then | None = None
    standing: Standing | None = None
    # indexes
    open: int = 0  # dependencies whose condition has not come true
    broken: dict[str, str] = {}  # dependencies whose condition no longer can: name -> reason
    dependents: list[tuple[str, str]] = []  # (name, the condition it has on this step)

    @property
    def attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def live(self) -> Attempt | None:
        """Its attempt, if it has one that is scheduled or running."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].live else None

    @property
    def tolerated(self) -> bool:
        return self.definition.continue_on_failure


class Cancel(Struct, frozen=True):
    """Somebody wants all of a workflow to end; final for this generation."""

    reason: str
    message: str
    drain: bool = False


class Condition(Struct, frozen=True, rename="camel"):
    """As in Kubernetes; the transition time moves only with the status."""

    type: str
    status: Literal["True", "False"]
    reason: str
    message: str
    last_transition_time: int
    observed_generation: int


QueueKey = tuple[int, int]  # (-priority, attempts that live)


class Workflow(Struct, kw_only=True):
    uid: str
    name: str
    order: int  # of its creation among all lives
    origin: Literal["folder", "run"]
    path: str
    created: int
    generation: int
    spec: Spec
    labels: dict[str, str]
    annotations: dict[str, str]
    by: str = ""
    warnings: list[str] = []
    steps: dict[str, Step] = {}
    phase: Phase = Phase.PENDING
    reason: str = Reason.ACCEPTED
    message: str = ""
    since: int = 0
    conditions: dict[str, Condition] = {}
    run: int = 0
    in_run: bool = False
    started: int | None = None
    completed: int | None = None
    stood: int = 0  # microseconds of this run in which it was suspended
    cancel: Cancel | None = None
    deleting: bool = False
    request: str = ""  # the name of the one that began this life
    suspended: int | None = None  # since when
    # indexes
    unsettled: int = 0  # steps that are not in a terminal phase, or are to leave
    failed: int = 0  # failed steps that nobody tolerates
    cancelled: int = 0
    occupied: int = 0  # attempts that live
    ready: OrderedDict[str, None] = OrderedDict()  # ready and not scheduled, oldest first
    queued_as: QueueKey | None = None

    @property
    def priority(self) -> int:
        return self.spec.priority if isinstance(self.spec.priority, int) else 0

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
    def finished(self) -> bool:
        return self.phase in WORKFLOW_TERMINAL


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


class Timer(NamedTuple):
    """Something that time alone makes due; `step` is empty for the workflow's deadline."""

    due: int
    uid: str
    step: str
    kind: Literal["deadline", "backoff", "timeout"]


class ControllerSeen(Struct):
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


class State:
    """Everything that the log says, and the indexes over it."""

    def __init__(self) -> None:
        self.seq = 0
        self.time = 0
        self.controller = ControllerSeen()
        self.lives: dict[str, Workflow] = {}  # by uid, ended ones too
        self.workflows: dict[str, Workflow] = {}  # by name, the present life
        self.rejected: dict[str, FileRejected] = {}  # by path
        self.markers: dict[str, MarkerPlaced] = {}  # by path
        self.bad_markers: dict[str, MarkerRejected] = {}  # by path
        self.requests: OrderedDict[str, str] = OrderedDict()  # those applied -> why refused
        # indexes
        self.live: dict[tuple[str, str], Attempt] = {}  # (uid, step) -> its live attempt
        self.timers: list[Timer] = []  # sorted by due
        self.timer_of: dict[tuple[str, str, str], int] = {}  # (uid, step, kind) -> due
        self.queue: dict[QueueKey, OrderedDict[str, None]] = {}  # who may use a free slot
        self.marked: dict[str, dict[str, MarkerPlaced]] = {}  # workflow -> path -> marker
        # for the planner: what apply changed since the last plan; for watchers: phases that changed
        self.touched: dict[str, dict[str, None]] = {}
        self.moves: list[Move] = []

    def story(self, uid: str, step: str = "") -> str:
        """What is known of one workflow or step, for a failed check."""
        workflow = self.lives.get(uid)
        if workflow is None:
            return f"no life {uid}"
        return repr(workflow.steps.get(step, workflow))


# ---------------------------------------- what to look at


def touch(state: State, workflow: Workflow, step: str | None = None) -> None:
    """Have the next plan look at the workflow, and at this step of it."""
    steps = state.touched.setdefault(workflow.uid, {})
    if step is not None:
        steps[step] = None


def touch_all(state: State) -> None:
    """Have the next plan look at everything: after a restart nothing is taken for granted."""
    for workflow in state.workflows.values():
        touch(state, workflow)
        for step in workflow.steps:
            touch(state, workflow, step)


# ---------------------------------------- movement


def move(
    state: State, workflow: Workflow, step: Step, to: Phase, reason: str, message: str
) -> None:
    """The only place that changes a step's phase; keeps every index in step with it."""
    was = step.phase
    assert to in STEP_MOVES[was], f"{was} -> {to}: {state.story(workflow.uid, step.name)}"
    _count(workflow, step, -1)
    step.phase, step.reason, step.message, step.since = to, reason, message, state.time
    _count(workflow, step, +1)
    if was is Phase.READY:
        workflow.ready.pop(step.name, None)
    if to is Phase.READY:
        workflow.ready[step.name] = None
    for name, condition in step.dependents:
        dependent = workflow.steps[name]
        _unhold(dependent, step.name, edge(was, "", step.tolerated, condition))
        _hold(dependent, step.name, edge(to, reason, step.tolerated, condition))
        if dependent.broken or not dependent.open or dependent.phase is Phase.READY:
            touch(state, workflow, name)
    requeue(state, workflow)
    touch(state, workflow, step.name)
    state.moves.append(
        Move(state.time, workflow.name, workflow.uid, step.name, was, to, reason, message)
    )


def explain_wait(step: Step, reason: str, message: str) -> None:
    """A new reason for the same phase."""
    step.reason, step.message = reason, message


def turn_to(state: State, workflow: Workflow, to: Phase, reason: str, message: str) -> None:
    """The only place that changes a workflow's phase."""
    was = workflow.phase
    workflow.reason, workflow.message = reason, message
    if was is to:
        return
    workflow.phase, workflow.since = to, state.time
    touch(state, workflow)
    state.moves.append(Move(state.time, workflow.name, workflow.uid, "", was, to, reason, message))


def set_condition(
    state: State, workflow: Workflow, kind: str, holds: bool, reason: str, message: str
) -> None:
    before = workflow.conditions.get(kind)
    status: Literal["True", "False"] = "True" if holds else "False"
    since = before.last_transition_time if before and before.status == status else state.time
    workflow.conditions[kind] = Condition(kind, status, reason, message, since, workflow.generation)


def _count(workflow: Workflow, step: Step, by: int) -> None:
    if step.phase not in TERMINAL:
        workflow.unsettled += by
    elif step.phase is Phase.FAILED and not step.tolerated:
        workflow.failed += by
    elif step.phase is Phase.CANCELLED:
        workflow.cancelled += by


# ---------------------------------------- dependencies

MET = "met"
OPEN = "open"

_UNMET: dict[tuple[Phase, str], str] = {
    (Phase.FAILED, "Succeeded"): Reason.DEPENDENCY_FAILED,
    (Phase.SUCCEEDED, "Failed"): Reason.DEPENDENCY_SUCCEEDED,
    (Phase.CANCELLED, "Succeeded"): Reason.DEPENDENCY_CANCELLED,
    (Phase.CANCELLED, "Failed"): Reason.DEPENDENCY_CANCELLED,
    (Phase.CANCELLED, "Finished"): Reason.DEPENDENCY_CANCELLED,
    (Phase.SKIPPED, "Succeeded"): Reason.DEPENDENCY_SKIPPED,
    (Phase.SKIPPED, "Failed"): Reason.DEPENDENCY_SKIPPED,
}
_ROOTS = frozenset({Reason.DEPENDENCY_FAILED, Reason.DEPENDENCY_CANCELLED})


def edge(phase: Phase, reason: str, tolerated: bool, condition: str) -> str:
    """What a dependency in this phase means for a dependent: MET, OPEN, or why it never can be.

    A skipped step passes its own reason on, so that the whole branch names the root.
    """
    if phase not in TERMINAL:
        return OPEN
    if phase is Phase.FAILED and tolerated:
        return MET
    unmet = _UNMET.get((phase, condition))
    if unmet is None:
        return MET
    return reason if phase is Phase.SKIPPED and reason in _ROOTS else unmet


def _hold(dependent: Step, name: str, verdict: str) -> None:
    if verdict == MET:
        dependent.open -= 1
    elif verdict != OPEN:
        dependent.broken[name] = verdict


def _unhold(dependent: Step, name: str, verdict: str) -> None:
    if verdict == MET:
        dependent.open += 1
    elif verdict != OPEN:
        dependent.broken.pop(name, None)


def link(workflow: Workflow) -> None:
    """Compute dependents, open and broken dependencies and counts anew: once a generation."""
    workflow.unsettled = workflow.failed = workflow.cancelled = 0
    for step in workflow.steps.values():
        step.dependents = []
        step.broken = {}
    for step in workflow.steps.values():
        _count(workflow, step, +1)
        leaving = step.then is not None and step.then.action == "remove"
        needs = () if leaving else step.definition.requires
        step.open = len(needs)
        for need in needs:
            dependency = workflow.steps[need.step]
            dependency.dependents.append((step.name, need.condition))
            verdict = edge(
                dependency.phase, dependency.reason, dependency.tolerated, need.condition
            )
            _hold(step, need.step, verdict)


# ---------------------------------------- slots


def requeue(state: State, workflow: Workflow) -> None:
    """Put the workflow where it belongs among those that may use a free slot, if it may."""
    key = queue_key(state, workflow)
    if key == workflow.queued_as:
        return
    if workflow.queued_as is not None:
        bucket = state.queue[workflow.queued_as]
        del bucket[workflow.uid]
        if not bucket:
            del state.queue[workflow.queued_as]
    if key is not None:
        state.queue.setdefault(key, OrderedDict())[workflow.uid] = None
    workflow.queued_as = key


def queue_key(state: State, workflow: Workflow) -> QueueKey | None:
    """Where it belongs; None if a free slot is of no use to it."""
    if not workflow.ready or workflow.suspended is not None or workflow.deleting:
        return None
    if workflow.cancel is not None or forbidden(state, workflow.name):
        return None
    limit = workflow.parallelism
    if limit is not None and workflow.occupied >= limit:
        return None
    return (-workflow.priority, workflow.occupied)


def forbidden(state: State, name: str) -> MarkerPlaced | None:
    """The marker because of which nothing of NAME may start; the strictest of several."""
    whole = [marker for marker in state.marked.get(name, {}).values() if not marker.steps]
    return min(whole, key=lambda marker: marker.drain, default=None)


# ---------------------------------------- timers


def set_timer(
    state: State,
    workflow: Workflow,
    step: str,
    kind: Literal["deadline", "backoff", "timeout"],
    due: int | None,
) -> None:
    """Set, move or (`due` None) remove one timer."""
    key = (workflow.uid, step, kind)
    before = state.timer_of.pop(key, None)
    if before is not None:
        del state.timers[bisect_left(state.timers, Timer(before, *key))]
    if due is not None:
        state.timer_of[key] = due
        insort(state.timers, Timer(due, *key))


def is_due(state: State, uid: str, step: str, kind: str, now: int) -> bool:
    due = state.timer_of.get((uid, step, kind))
    return due is not None and due <= now


def next_due(state: State) -> int | None:
    return state.timers[0].due if state.timers else None
