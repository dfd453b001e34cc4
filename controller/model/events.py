"""The durable facts: what the log is made of, for ever.

An event says in the past tense what happened or what was decided. What came from a clock, chance or
the environment is a field of the event, so folding it again gives the same state. Times are
microseconds since 1970 on the controller's clock; delays are seconds.

A field may be added with a default; nothing is ever renamed or removed.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from controller.errors import Fault
from controller.model.phases import AttemptPhase, Phase, Reason
from controller.spec.hooks import DueHook
from controller.spec.linked import Linked
from controller.spec.linked import LinkedWorkflow as Document
from controller.spec.models import DefaultsSpec
from controller.spec.triggers.trigger import Firing
from controller.spec.uses import Holding
from controller.spec.values import ParamType

EPOCH_MAX = 1 << 40
TIME_MAX = 250_300_000_000_000_000  # in the year 9901: rules end before, no calendar does
SCHEMA = 1  # of the records below; a reader refuses a higher one


Count = Annotated[int, Meta(ge=0, lt=1 << 62)]


class Event(Struct, frozen=True, kw_only=True, tag_field="type", tag=True, omit_defaults=True):
    """One fact. `uid` is one life of a workflow; a name can have several, one after another."""


# ---------------------------------------- the controller and its machine


class ControllerStarted(Event, frozen=True):
    """A controller took the lock. From here on the times in the log are those of its clock.

    `boottime` (counts sleep) and `uptime` (does not) are the kernel's clocks in microseconds at the
    time of this record. Compared with those of the start before, they show whether the wall clock
    was set, and how long the machine slept.
    """

    version: str
    pid: int
    user: str
    boot_id: str
    boottime: int
    uptime: int
    host: str = ""
    folder: str = ""  # absolute; empty for a controller without one (`treadle run`)
    folder_device: int = 0
    folder_inode: int = 0


class StateFolderNamed(Event, frozen=True):
    """The name of this state folder for engines, which may serve others: drawn once."""

    id: str


class ClockStepped(Event, frozen=True):
    """Somebody set the wall clock. Timers don't move: the controller's clock does not follow it."""

    seconds: float


class MachineSlept(Event, frozen=True):
    """The machine slept: running timeouts and backoffs move by as much."""

    seconds: float


# ---------------------------------------- the folder


class FileRejected(Event, frozen=True):
    """A spec file has faults; the earlier version of its documents stays in force.

    `names` are the workflows that the file defines, or tries to, as far as they could be read.
    `templates` are those that came from it, and that no other file has now.
    """

    path: str
    digest: str
    faults: list[Fault]
    names: list[str] = []
    templates: list[str] = []


class FileCleared(Event, frozen=True):
    """A file that was rejected is valid again, or gone."""

    path: str


class FolderAdopted(Event, frozen=True):
    """Another folder, or a replaced one, was accepted as the home of the specs."""

    folder: str
    device: int
    inode: int


class MarkerPlaced(Event, frozen=True):
    """A cancel marker is in force. It names a workflow that may not exist yet."""

    workflow: str
    path: str
    digest: str
    by: str = ""
    reason: str = ""
    steps: list[str] = []  # empty: all of it
    drain: bool = False
    hooks: bool = True  # false: no hook runs any more


class MarkerRejected(Event, frozen=True):
    """A marker that can't be carried out as written. It cancels nothing."""

    workflow: str
    path: str
    digest: str
    problem: str


class MarkerRemoved(Event, frozen=True):
    workflow: str
    path: str


class PoolAccepted(Event, frozen=True):
    """A pool is in force, new or with another number of slots, or its file has moved."""

    name: str
    slots: int
    path: str


class DefaultsAccepted(Event, frozen=True):
    """Defaults are in force for the workflows of a folder and below, new or edited; or their file
    has another name now. `folder`: relative to the specs folder, which is "". `by` owns the file.
    """

    folder: str
    path: str
    spec: DefaultsSpec
    by: str = ""


class DefaultsRemoved(Event, frozen=True):
    """The folder has no Defaults any more."""

    folder: str


class PoolRemoved(Event, frozen=True):
    """The document of a pool is gone. Attempts that hold its slots go on."""

    name: str


# ---------------------------------------- the workflow


# `trigger`: the life of an instance, which a firing of its definition began.
Origin = Literal["folder", "run", "trigger"]
EffectAction = Literal["keep", "continue", "restart", "run", "remove"]


class StepEffect(Struct, frozen=True, array_like=True):
    """What a new generation does to one step: a row of the table of edits."""

    action: EffectAction
    reason: str
    message: str
    finish: bool = False  # a running attempt may finish first


class Child(Struct, frozen=True, omit_defaults=True):
    """One of the steps that a step with `forEach` or `template` becomes, at its place among them.

    `key`: of its item; or its name in the template. `reads`: the steps of the template that it
    reads although it does not directly depend on them.
    """

    key: str
    fingerprint: str
    item: Any = None
    reads: list[str] = []


STEP_ADDED = StepEffect("run", Reason.STEP_ADDED, "new in this generation")
STEP_UNCHANGED = StepEffect("keep", Reason.UNCHANGED, "what it does is unchanged")


class GenerationAccepted(Event, frozen=True):
    """A semantic change of a spec is in force; generation 1 begins the workflow's life.

    `fingerprints` has every step; `effects` those of the table of edits (none for generation 1).
    `kept` has the steps that keep a result made under another fingerprint; their dependents were
    compared by that fingerprint. `params` are the values given when the life began. `timeouts` has
    the running steps whose timeout an expression gives: in seconds, as the new spec has it. `ask`
    has the steps that wait and whose `when` is to be asked again. `reads`: the steps that others
    read although they do not directly depend on them. `expansions` has the children of steps that
    stay expanded, parents first; `template_params` what their templates are given now, where that
    changed; `ask_each`: steps whose `when` is asked for each child.
    """

    uid: str
    workflow: str
    generation: int
    spec: Linked
    path: str
    fingerprints: dict[str, str]
    effects: dict[str, StepEffect] = {}
    kept: dict[str, str] = {}
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    origin: Origin = "folder"
    by: str = ""
    warnings: list[str] = []
    request: str = ""  # the name of the one that asked for it
    params: dict[str, Any] = {}
    timeouts: dict[str, float] = {}
    ask: list[str] = []
    reads: dict[str, list[str]] = {}
    expansions: dict[str, list[Child]] = {}
    template_params: dict[str, dict[str, Any]] = {}
    ask_each: list[str] = []


class EditRejected(Event, frozen=True):
    """A valid spec does not fit the params given to this life, so its last generation stays.

    `problem` is empty once the spec fits again without being an edit.
    """

    uid: str
    path: str
    problem: str


class EditDeferred(Event, frozen=True):
    """A valid edit waits until the present run has ended. It replaces an edit that waited before.

    `generation` is its number already; the number of a replaced edit is never used again.
    """

    uid: str
    generation: int
    document: Document
    path: str
    by: str = ""
    warnings: list[str] = []


class EditTakenBack(Event, frozen=True):
    """A waiting edit was taken back before it came into force: this generation is like the last."""

    uid: str
    generation: int


class SourceChanged(Event, frozen=True):
    """The document moved, or its labels or annotations changed: no new generation.

    `homes`: the folders of the templates that it calls, by name, seen from that of its file.
    """

    uid: str
    path: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    homes: dict[str, str] = {}


class RunStarted(Event, frozen=True):
    """The first attempt since the last terminal phase has started, or has failed to.

    `run` goes on counting from one life of a name to the next. `why` says in words what began it.
    `began`: when that attempt started; 0: when this was recorded.
    """

    uid: str
    run: int
    why: str = ""
    began: int = 0


class HooksBegun(Event, frozen=True):
    """The first attempt of the run has started: these hooks run beside the steps.

    They are those in force then, one after the other. From here on a hook is like a step: it has
    the events of a step and of its attempts, under its full name.
    """

    uid: str
    hooks: list[DueHook]


class EndDecided(Event, frozen=True):
    """All steps are done, and this is what the run came to; these hooks are still to run.

    They are those in force then, one after the other, and after those of onStart that have not
    ended. WorkflowFinished follows the last one.
    """

    uid: str
    phase: Phase
    reason: str
    message: str
    hooks: list[DueHook]


class CancelAccepted(Event, frozen=True):
    """Somebody or something wants (part of) a workflow to end. `steps` empty: all of it.

    It holds until the next generation, or until a request overrules it. `drain`: running steps
    finish, nothing new starts. `hooks` false: its hooks are stopped as well.
    """

    uid: str
    generation: int
    reason: str
    message: str
    steps: list[str] = []
    drain: bool = False
    hooks: bool = True
    by: str = ""


class DeletionAccepted(Event, frozen=True):
    """The document is gone from the folder: the life ends when none of its steps runs any more."""

    uid: str
    message: str
    by: str = ""


class WorkflowSuspended(Event, frozen=True):
    """No step of a suspended workflow runs any more."""

    uid: str


class WorkflowFinished(Event, frozen=True):
    uid: str
    phase: Phase
    reason: str
    message: str


class LifeEnded(Event, frozen=True):
    """The name is free again."""

    uid: str


class LifeArchived(Event, frozen=True):
    """An ended life leaves the state; its records in the log stay readable."""

    uid: str
    workflow: str
    message: str


class AttemptsArchived(Event, frozen=True):
    """For each step, all attempts except the last leave the state; their numbers stay used."""

    uid: str
    message: str


# ---------------------------------------- the definition

FiringOutcome = Literal["Started", "Queued", "Skipped"]


class TriggersArmed(Event, frozen=True):
    """The next due time of each of these triggers of a definition; None: there is none any more.

    Due times are seconds since 1970 on the wall clock of their zone, without jitter.
    """

    uid: str
    due: dict[str, int | None]


class FileTaken(Struct, frozen=True):
    """The file that a firing has consumed; one that has changed since is another one."""

    path: str
    size: int
    mtime: int  # nanoseconds


class FiringDecided(Event, frozen=True):
    """What became of a firing of the definition `uid`: it began an instance, or it was skipped.

    `trigger` is empty for one by hand. `due`: as in TriggersArmed, of one that waited for a time;
    with `first`, all due times from `first` to `due` were skipped for the same reason. `next`: the
    due time after it. `missed`: it is one of those without a controller, up to the due time that it
    names, which are all started.

    `life` and `instance` are the uid and the name of the instance. It has the definition's present
    generation, so what its steps do is not repeated here. `facts` are what its expressions read as
    `trigger`, `params` what it was given; the other fields are as in GenerationAccepted. Instances
    of one `group` count together; those of a backfill, which has the name of its request, only
    with each other, and `parallel` of them run at once. `after`: it followed the oldest run that
    waited to be decided.
    """

    uid: str
    outcome: FiringOutcome
    trigger: str = ""
    reason: str = ""
    message: str = ""
    key: str = ""
    due: int | None = None
    first: int | None = None
    next: int | None = None
    missed: int | None = None
    after: bool = False
    file: FileTaken | None = None
    life: str = ""
    instance: str = ""
    facts: Firing = Firing()
    params: dict[str, Any] = {}
    group: str = ""
    backfill: str = ""
    parallel: int = 1
    fingerprints: dict[str, str] = {}
    reads: dict[str, list[str]] = {}
    ask_each: list[str] = []
    by: str = ""
    request: str = ""
    given_key: bool = False  # by who asked: the same key again is no new firing


class TurnCame(Event, frozen=True):
    """An instance that was queued may start."""

    uid: str


class GenerationFollowed(Event, frozen=True):
    """An instance has the newest generation of its definition now.

    The fields are those of GenerationAccepted.
    """

    uid: str
    generation: int
    fingerprints: dict[str, str]
    effects: dict[str, StepEffect] = {}
    kept: dict[str, str] = {}
    timeouts: dict[str, float] = {}
    ask: list[str] = []
    reads: dict[str, list[str]] = {}
    expansions: dict[str, list[Child]] = {}
    template_params: dict[str, dict[str, Any]] = {}
    ask_each: list[str] = []


class InputsSeen(Event, frozen=True):
    """Consumed files of a trigger are gone, or are back as they were. `device`: of their folder."""

    uid: str
    trigger: str
    gone: list[str] = []
    back: list[str] = []
    device: int = 0


# ---------------------------------------- the step


class StepReady(Event, frozen=True):
    """All its dependencies are met; it waits for a slot.

    `when`: if that was asked now and gave true, the values that it read, as JSON, cut if long;
    `not there` for an output that was not given. `uses`: what it waits for besides a slot. If it
    was ready before, an edit has changed that.
    """

    uid: str
    step: str
    when: dict[str, str] | None = None
    uses: list[Holding] = []


class ApprovalAsked(Event, frozen=True):
    """All its dependencies are met; it waits for a person to answer.

    `number` counts the questions of the step over the life, and is never used again. `message`:
    with what its expressions gave. `when`: as in StepReady.
    """

    uid: str
    step: str
    number: int
    message: str
    when: dict[str, str] | None = None


class ApprovalAnswered(Event, frozen=True):
    """A person has answered the question of a step, which ends with that."""

    uid: str
    step: str
    number: int
    approved: bool
    by: str = ""
    reason: str = ""  # in the words of that person


class StepExpanded(Event, frozen=True):
    """A step with `forEach` has its children, in the order of the items; or one with `template`.

    `when`: as in StepReady. `ask_each`: it reads the item, so it is asked for each child. `params`:
    what the template is given.
    """

    uid: str
    step: str
    children: list[Child]
    when: dict[str, str] | None = None
    ask_each: bool = False
    params: dict[str, Any] = {}


class StepCompleted(Event, frozen=True):
    """All children of a step have ended: this is what it came to.

    `outputs`: what the steps of its template hand on together.
    """

    uid: str
    step: str
    phase: Phase
    reason: str
    message: str
    outputs: dict[str, Any] = {}


class StepSkipped(Event, frozen=True):
    """It will not run. `when`: as in StepReady, if that gave false.

    `stands`: this is its result, and what ran after another one can't be restored. It is always
    true, but older versions did not write it.
    """

    uid: str
    step: str
    reason: str
    message: str
    when: dict[str, str] | None = None
    stands: bool = False


class StepCancelled(Event, frozen=True):
    uid: str
    step: str
    reason: str
    message: str


class StepFailed(Event, frozen=True):
    """The last attempt failed, and there is no further retry; or an expression gave no value."""

    uid: str
    step: str
    reason: str
    message: str


class StepReset(Event, frozen=True):
    """Back to Pending with all its retries, to run again."""

    uid: str
    step: str
    reason: str
    message: str


class StepMarked(Event, frozen=True):
    """Somebody did it by hand: it counts as succeeded, with its present fingerprint."""

    uid: str
    step: str
    message: str
    by: str = ""
    outputs: dict[str, Any] = {}


class StepRestored(Event, frozen=True):
    """An edit was taken back before the step ran again: its old result is valid again."""

    uid: str
    step: str


class StepRemoved(Event, frozen=True):
    """A step that is no longer in the spec left the status, because it no longer runs."""

    uid: str
    step: str


class RetryScheduled(Event, frozen=True):
    """Another attempt is due in `delay` seconds, counted from this record."""

    uid: str
    step: str
    retry: int  # 1 for the first retry; 0 after an interruption, which uses no retry
    delay: float
    reason: str
    message: str


# ---------------------------------------- the attempt


class AttemptScheduled(Event, frozen=True):
    """A promise of a process: durable before the process exists, and started at most once.

    `mark` is random, 60 bits; every process of the attempt carries it in a resource limit.
    `inputs` shows what the fingerprint was made of: short values in full, long ones as a hash.
    `values` has what the expressions of the step gave, by their text; if that is long, it is in
    the file `values_file` of the state folder, named by the hash of its content. `timeout`: in
    seconds, if an expression gave it. `declares`: the outputs that the attempt has to give.
    `in_parts`: it has a `before` or an `after`, so a runner runs these and the command in turn.
    `uses`: what it holds until it has finished. `engine`: what is to run it; `place`: what the spec
    says of where, in the words of the engine.
    """

    uid: str
    step: str
    attempt: int
    run: int
    generation: int
    fingerprint: str
    mark: int
    log: str
    inputs: dict[str, str] = {}
    values: dict[str, Any] = {}
    values_file: str = ""
    timeout: float | None = None
    declares: dict[str, ParamType] = {}
    in_parts: bool = False
    uses: list[Holding] = []
    engine: str = "local"
    place: dict[str, str] = {}


class AttemptSubmitted(Event, frozen=True):
    """An engine has the attempt, and holds it until it is told to let it go.

    `handle` is the name that the engine gives it. `place`: all that is needed to ask the engine for
    it again, in the words of the engine; `site` is the part of it that other attempts share.
    """

    uid: str
    step: str
    attempt: int
    handle: str
    place: dict[str, str] = {}
    site: str = ""


class AttemptQueued(Event, frozen=True):
    """Why its engine has not started it yet, in the engine's own words; each change of them."""

    uid: str
    step: str
    attempt: int
    reason: str


class AttemptStarted(Event, frozen=True):
    """The process exists.

    `handle` is the name that `engine` gives it. For `local` that is its pid as text. Where the
    engine has a process of this machine, (`pid`, `start_ticks`) and the boot id together never name
    another one. `found`: its supervisor died
    before it reported the pid. This pid was found by the attempt's mark and may be a child's, so
    its exit code says nothing about the step.
    """

    uid: str
    step: str
    attempt: int
    started: int
    handle: str = ""
    engine: str = "local"
    pid: int | None = None
    start_ticks: int | None = None
    found: bool = False


class AttemptEnding(Event, frozen=True):
    """The attempt must end. With `withdraw`: it must not start; if it has started, it goes on."""

    uid: str
    step: str
    attempt: int
    reason: str
    message: str
    grace: float = 0.0
    withdraw: bool = False


class AttemptEndFailed(Event, frozen=True):
    """Processes of the attempt survive SIGKILL; ending them goes on, and the slot stays taken.

    `problem`: what its engine says instead of `pids`.
    """

    uid: str
    step: str
    attempt: int
    pids: list[int]
    problem: str = ""


class Usage(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an attempt used, as far as the system reports it."""

    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None


class AttemptFinished(Event, frozen=True):
    """The last process of the attempt is gone, or it never started; the executor proved it.

    `outputs`: the declared ones that it gave, also if it failed. `engine_reason`: how it ended, in
    the words of its engine.
    """

    uid: str
    step: str
    attempt: int
    phase: AttemptPhase
    reason: str
    message: str
    exit_code: int | None = None  # None: a signal ended it, or nobody saw its end; never a guess
    signal: int | None = None
    finished: int | None = None
    usage: Usage | None = None
    notes: list[str] = []
    outputs: dict[str, Any] = {}
    engine_reason: str = ""


# ---------------------------------------- the people


class RequestApplied(Event, frozen=True):
    """A request was carried out by the events beside it, or refused; each `name` only once."""

    name: str
    kind: str
    workflow: str
    by: str
    uid: str = ""
    refused: str = ""
    steps: list[str] = []
    downstream: bool = False
    reason: str = ""  # why, in the words of the person who asked
    instance: str = ""  # the one that a firing with the same key had begun before


def in_the_name_of(by: str, what: str, reason: str = "") -> str:
    """`retry asked for by ada: the disk is back`: who wanted it, and why if a reason was given."""
    return f"{what} by {by or 'somebody'}{f': {reason}' if reason else ''}"


AnyEvent = (
    ControllerStarted
    | StateFolderNamed
    | ClockStepped
    | MachineSlept
    | FileRejected
    | FileCleared
    | FolderAdopted
    | MarkerPlaced
    | MarkerRejected
    | MarkerRemoved
    | PoolAccepted
    | PoolRemoved
    | DefaultsAccepted
    | DefaultsRemoved
    | GenerationAccepted
    | EditRejected
    | EditDeferred
    | EditTakenBack
    | SourceChanged
    | RunStarted
    | HooksBegun
    | EndDecided
    | CancelAccepted
    | DeletionAccepted
    | WorkflowSuspended
    | WorkflowFinished
    | LifeEnded
    | LifeArchived
    | AttemptsArchived
    | TriggersArmed
    | FiringDecided
    | TurnCame
    | GenerationFollowed
    | InputsSeen
    | StepReady
    | ApprovalAsked
    | ApprovalAnswered
    | StepExpanded
    | StepCompleted
    | StepSkipped
    | StepCancelled
    | StepFailed
    | StepReset
    | StepMarked
    | StepRestored
    | StepRemoved
    | RetryScheduled
    | AttemptScheduled
    | AttemptSubmitted
    | AttemptQueued
    | AttemptStarted
    | AttemptEnding
    | AttemptEndFailed
    | AttemptFinished
    | RequestApplied
)


class Record(Struct, frozen=True):
    """An event with its place in the log: what `apply` folds and the log writes as one line.

    `seq` counts from 1 without a gap; `turn` is the seq of the first record of the same turn;
    `time` is in microseconds since 1970; `epoch` counts the starts of controllers. `cause` is the
    seq of the record that this one follows from; 0 where the outside world is the cause.
    """

    seq: Count
    turn: Count
    time: Annotated[int, Meta(ge=0, le=TIME_MAX)]
    epoch: Annotated[int, Meta(ge=0, le=EPOCH_MAX)]
    event: AnyEvent
    schema: int = SCHEMA
    cause: Count = 0
