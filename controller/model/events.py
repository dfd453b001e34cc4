"""The durable facts: what the log is made of, for ever.

An event says in the past tense what happened or what was decided. Whatever a clock, chance or the
environment had to do with it is a field of the event, so folding it again gives the same state.
Times are microseconds since 1970 on the controller's clock, delays are seconds.

A field may be added with a default; nothing is ever renamed or removed. `RESERVED` names the types
that later features will use, so that no other meaning can take them.
"""

from typing import Literal

from msgspec import Struct

from controller.errors import Fault
from controller.model.phases import AttemptPhase, Phase
from controller.spec.models import Spec
from controller.spec.models import Workflow as Document

SCHEMA = 1  # of the records below; a reader refuses a higher one

RESERVED = frozenset(
    {
        "ApprovalAsked",
        "AttemptSubmitted",  # {handle, place}
        "DefaultsAccepted",
        "EndDecided",
        "FiringDecided",
        "HookFinished",
        "HookScheduled",
        "HookStarted",
        "OutputsRecorded",
        "PoolAccepted",
        "StepExpanded",
        "TemplateAccepted",
    }
)


class Event(Struct, frozen=True, kw_only=True, tag_field="type", tag=True, omit_defaults=True):
    """One fact. `uid` is the workflow's life, not its name: a name can live twice."""


# ---------------------------------------- the controller and its machine


class ControllerStarted(Event, frozen=True):
    """A controller took the lock. Times of the log go on from here under its clock.

    `boottime` (counts sleep) and `uptime` (does not) are the kernel's clocks in microseconds at the
    time of this record: with those of the start before they tell a step of the wall clock from time
    that went by, and how long the machine slept.
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


class ClockStepped(Event, frozen=True):
    """Somebody set the wall clock. Timers don't move: the controller's clock does not follow it."""

    seconds: float


class MachineSlept(Event, frozen=True):
    """The machine slept: running timeouts and backoffs move by as much."""

    seconds: float


# ---------------------------------------- the folder


class FileRejected(Event, frozen=True):
    """A spec file can't be taken as it is; what its documents said before stays in force.

    `names` are the workflows that the file defines, or tries to, as far as they could be read.
    """

    path: str
    digest: str
    faults: list[Fault]
    names: list[str] = []


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


class MarkerRejected(Event, frozen=True):
    """A marker that can't be carried out as written. It cancels nothing."""

    workflow: str
    path: str
    digest: str
    problem: str


class MarkerRemoved(Event, frozen=True):
    workflow: str
    path: str


# ---------------------------------------- the workflow


EffectAction = Literal["keep", "continue", "restart", "run", "remove"]


class StepEffect(Struct, frozen=True, array_like=True):
    """What a new generation does to one step: a row of the table of edits."""

    action: EffectAction
    reason: str
    message: str
    finish: bool = False  # first what runs may come to its own end


class GenerationAccepted(Event, frozen=True):
    """A semantic change of a spec is in force; generation 1 begins the workflow's life.

    `fingerprints` has every step; `effects` those of the table of edits (none for generation 1).
    `kept` has the steps whose result stands although it was made under another fingerprint, which
    is what those that depend on them were compared by.
    """

    uid: str
    workflow: str
    generation: int
    spec: Spec
    path: str
    fingerprints: dict[str, str]
    effects: dict[str, StepEffect] = {}
    kept: dict[str, str] = {}
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    origin: Literal["folder", "run"] = "folder"
    by: str = ""
    warnings: list[str] = []
    request: str = ""  # the name of the one that asked for it


class EditDeferred(Event, frozen=True):
    """A valid edit waits until the present run has ended; it takes the place of one that waited.

    `generation` is its number already; that of one whose place was taken is never given again.
    """

    uid: str
    generation: int
    document: Document
    path: str
    by: str = ""
    warnings: list[str] = []


class EditTakenBack(Event, frozen=True):
    """What waited was taken back before it came into force: a generation like the one before it."""

    uid: str
    generation: int


class SourceChanged(Event, frozen=True):
    """The document moved, or its labels or annotations changed: no new generation."""

    uid: str
    path: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class RunStarted(Event, frozen=True):
    """The first step since the last terminal phase is about to start.

    `run` counts over the lives of a name. `why` says in words what began it.
    """

    uid: str
    run: int
    why: str = ""


class CancelAccepted(Event, frozen=True):
    """Somebody or something wants (part of) a workflow to end. `steps` empty: all of it.

    Final for this generation. `drain`: running steps finish, nothing new starts.
    """

    uid: str
    generation: int
    reason: str
    message: str
    steps: list[str] = []
    drain: bool = False
    by: str = ""


class DeletionAccepted(Event, frozen=True):
    """The document is gone from the folder: the life ends when nothing of it runs any more."""

    uid: str
    message: str
    by: str = ""


class WorkflowSuspended(Event, frozen=True):
    """Nothing of a suspended workflow runs any more."""

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
    """An ended life leaves the state; what the log has of it remains readable."""

    uid: str
    workflow: str
    message: str


class AttemptsArchived(Event, frozen=True):
    """All attempts but the last of each step leave the state; their numbers stay spent."""

    uid: str
    message: str


# ---------------------------------------- the step


class StepReady(Event, frozen=True):
    """Everything it waits for has come true; it wants a slot."""

    uid: str
    step: str


class StepSkipped(Event, frozen=True):
    uid: str
    step: str
    reason: str
    message: str


class StepCancelled(Event, frozen=True):
    uid: str
    step: str
    reason: str
    message: str


class StepFailed(Event, frozen=True):
    """The last attempt failed and no other follows."""

    uid: str
    step: str
    reason: str
    message: str


class StepReset(Event, frozen=True):
    """Back to Pending with fresh retries, to be run anew."""

    uid: str
    step: str
    reason: str
    message: str


class StepMarked(Event, frozen=True):
    """Somebody did it by hand: it counts as succeeded, under the fingerprint it has now."""

    uid: str
    step: str
    message: str
    by: str = ""


class StepRestored(Event, frozen=True):
    """An edit was taken back before the step ran again: its old result still stands."""

    uid: str
    step: str


class StepRemoved(Event, frozen=True):
    """A step that the spec no longer has left the status, now that nothing of it runs."""

    uid: str
    step: str


class RetryScheduled(Event, frozen=True):
    """Another attempt is due in `delay` seconds, counted from this record."""

    uid: str
    step: str
    retry: int  # 1 for the first retry; 0 after an interruption, which spends none
    delay: float
    reason: str
    message: str


# ---------------------------------------- the attempt


class AttemptScheduled(Event, frozen=True):
    """Promise of a process. Durable before it exists; started at most once.

    `mark` is random, 60 bits, and stands in a resource limit of every process of the attempt.
    `inputs` tells what the fingerprint was made of: short values in full, long ones as a hash.
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


class AttemptStarted(Event, frozen=True):
    """The process exists.

    `handle` is what `engine` calls it. For `local` that is its pid as text, and (`pid`,
    `start_ticks`) and the boot id name it for good. `found`: its supervisor died before it told the
    pid; this one was found by the attempt's marks, and may be that of a child, so its exit code
    says nothing of the step.
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
    """The attempt is to be ended, or, if `withdraw` and it has not started, never to start."""

    uid: str
    step: str
    attempt: int
    reason: str
    message: str
    grace: float = 0.0
    withdraw: bool = False


class AttemptEndFailed(Event, frozen=True):
    """Processes of the attempt outlive SIGKILL; ending goes on, the slot stays taken."""

    uid: str
    step: str
    attempt: int
    pids: list[int]


class Usage(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an attempt used, where the system tells."""

    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None


class AttemptFinished(Event, frozen=True):
    """The last process of the attempt is gone, proven by the executor (or it never started)."""

    uid: str
    step: str
    attempt: int
    phase: AttemptPhase
    reason: str
    message: str
    exit_code: int | None = None  # None: ended by a signal, or nobody saw it; never a guess
    signal: int | None = None
    finished: int | None = None
    usage: Usage | None = None
    notes: list[str] = []


# ---------------------------------------- the people


class RequestApplied(Event, frozen=True):
    """A request was carried out by the events beside it, or refused; by its name, so only once."""

    name: str
    kind: str
    workflow: str
    by: str
    uid: str = ""
    refused: str = ""
    steps: list[str] = []
    downstream: bool = False
    reason: str = ""  # why it was asked for, in that person's words


def in_the_name_of(by: str, what: str, reason: str = "") -> str:
    """`retry asked for by ada: the disk is back`: who wanted it, and why if they said so."""
    return f"{what} by {by or 'somebody'}{f': {reason}' if reason else ''}"


AnyEvent = (
    ControllerStarted
    | ClockStepped
    | MachineSlept
    | FileRejected
    | FileCleared
    | FolderAdopted
    | MarkerPlaced
    | MarkerRejected
    | MarkerRemoved
    | GenerationAccepted
    | EditDeferred
    | EditTakenBack
    | SourceChanged
    | RunStarted
    | CancelAccepted
    | DeletionAccepted
    | WorkflowSuspended
    | WorkflowFinished
    | LifeEnded
    | LifeArchived
    | AttemptsArchived
    | StepReady
    | StepSkipped
    | StepCancelled
    | StepFailed
    | StepReset
    | StepMarked
    | StepRestored
    | StepRemoved
    | RetryScheduled
    | AttemptScheduled
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

    seq: int
    turn: int
    time: int
    epoch: int
    event: AnyEvent
    schema: int = SCHEMA
    cause: int = 0
