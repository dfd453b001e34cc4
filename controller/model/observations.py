"""What the edges saw: the inputs of the core that are not events yet.

The executor reports attempts, the folder reports files and markers, the inbox reports the files
that triggers wait for, and requests hold what people ask for. The planner turns each into events;
the calls that bring them are in `loop.ports`.
"""

from typing import Any, Literal, NamedTuple

from msgspec import Struct

from controller.errors import Fault
from controller.model.events import Usage
from controller.spec.placement import LOCAL
from controller.spec.reading.load import Document, PolicyDocument, PolicyName, TemplateDocument


# ---------------------------------------- attempts
class AttemptId(Struct, frozen=True, order=True):
    """Names one attempt on this state folder for ever. As text: `uid/step/number`."""

    uid: str
    step: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.uid}/{self.step}/{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> "AttemptId":
        uid, rest = text.split("/", 1)
        step, attempt = rest.rsplit("/", 1)
        return cls(uid, step, int(attempt))


class Submitted(Struct, frozen=True, kw_only=True):
    """An engine has it, and waits to be told to let it go; see AttemptSubmitted."""

    id: AttemptId
    handle: str
    place: dict[str, str]
    site: str


class Queued(Struct, frozen=True, kw_only=True):
    """Why its engine has not started it yet, in the engine's own words."""

    id: AttemptId
    reason: str


class Started(Struct, frozen=True, kw_only=True):
    """It runs. `at`: microseconds on the controller's clock.

    Where its engine has a process of this machine, `pid` and `start_ticks` name that; the `handle`
    is then the pid, if there is no other. `found`: its pid was not reported. It was found by its
    mark, and may be one of its children.
    """

    id: AttemptId
    at: int
    pid: int | None = None
    start_ticks: int | None = None
    found: bool = False
    engine: str = LOCAL
    handle: str = ""


class Found(Struct, frozen=True, kw_only=True):
    """An engine has an object with the labels of this attempt, which nobody has asked it for.

    `held`: it has certainly not run.
    """

    id: AttemptId
    engine: str
    handle: str
    held: bool = False


Part = Literal["before", "command", "after"]
PartEnd = int | str | None


class Ended(Struct, frozen=True, kw_only=True):
    """No process of the attempt lives any more; this is proven. `at`: when its first process ended.

    `how`: `exited` has exit_code or signal; `start-failed` never had a process, `problem` says why,
    and `reason` is a word for it if there is a better one than StartFailed; `exited` may have
    `timed_out`: its engine ended it because its time was over; `withdrawn` was queued
    and never started; `lost` ended or never started, and nobody can know how (reboot, dead shim),
    or it was stopped together with the shim. `left_processes`: how many it left running, which were
    then ended. `unproven`: pids of other users' processes that have its mark; its shim is dead, so
    nothing shows whether they are its own, and they were left alone. `outputs`: the content of its
    output file, if it declares outputs and made one; `outputs_problem`: why that can't be read.
    `parts`: how each part ended that a runner ran: its exit code, -n for signal n, why it
    could not start, or None if it had not ended. It is empty if the runner was killed before that.
    """

    id: AttemptId
    how: Literal["exited", "start-failed", "withdrawn", "lost"]
    at: int
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage | None = None
    left_processes: int = 0
    unproven: tuple[int, ...] = ()
    problem: str = ""
    reason: str = ""
    outputs: bytes = b""
    outputs_problem: str = ""
    parts: dict[Part, PartEnd] = {}
    timed_out: bool = False
    engine_reason: str = ""  # in the words of its engine
    notes: tuple[str, ...] = ()  # of its engine, each a word and what it means


class EndFailed(Struct, frozen=True, kw_only=True):
    """These processes survive SIGKILL (uninterruptible, another user's); ending them goes on.

    `problem`: what an engine says instead.
    """

    id: AttemptId
    pids: tuple[int, ...] = ()
    problem: str = ""


class Trouble(NamedTuple):
    """What keeps attempts from starting or ending as they should."""

    reason: str  # a word for programs
    message: str  # for people: what is wrong, what has to wait for it, how to mend it
    condition: str = "ExecutorTrouble"  # its type
    engine: str = ""  # what can't be reached as a whole, so that nothing new is given to it


Observation = Submitted | Queued | Started | Ended | EndFailed | Found


# ---------------------------------------- the folder
class SeenFile(Struct, frozen=True, kw_only=True):
    """A spec file as last read, or a folder that can't be listed. `path` is relative to the root.

    `by` owns it. `documents`, `templates` and `policies` are those of a file without any fault (one
    bad one rejects its whole file); `names`, `template_names` and `policy_names` are all that could
    be read, with or without faults. `steady` is false while its writer may still be at work, or we
    still read it: the other fields then hold what was read before, if anything. `foreign`: its
    content is not a treadle document; `empty`: it has no content.
    """

    path: str
    digest: str
    by: str = ""
    documents: tuple[Document, ...] = ()
    templates: tuple[TemplateDocument, ...] = ()
    policies: tuple[PolicyDocument, ...] = ()
    faults: tuple[Fault, ...] = ()
    names: tuple[str, ...] = ()
    template_names: tuple[str, ...] = ()
    policy_names: tuple[PolicyName, ...] = ()
    steady: bool = True
    foreign: bool = False
    empty: bool = False


class SeenMarker(Struct, frozen=True, kw_only=True):
    """A file NAME.cancel; `by` owns it. `problem`: why it can't be carried out as written."""

    path: str
    workflow: str
    digest: str
    by: str = ""
    reason: str = ""
    steps: tuple[str, ...] = ()
    drain: bool = False
    hooks: bool = True  # false: hooks are stopped, too
    steady: bool = True
    problem: str = ""


class FolderSight(Struct, kw_only=True):
    """The folder as the edge last saw it. The same object is updated all the time.

    `path` is absolute; `shown` is the user's name for it. `root`: `ok`, or why nothing about the
    content can be believed; then `files` and `markers` mean nothing. `scanned` is when the last
    full scan *began*: a file that vanished is only believed to be absent when such a scan has not
    found it either. `changed` has the paths that came, went or changed since its reader last
    emptied it. `unread`: reading continues with the next look; what is known so far is no whole, so
    it must not be judged. `problem`: why the folder is polled. `shared`: another controller of this
    machine looks at it too. `danger` and `mend`: why an `insecure` root is that, and what to do
    about it. `loose`: what else somebody else can change, and who, each once; its reader empties
    it.
    """

    path: str
    shown: str = ""
    device: int = 0
    inode: int = 0
    root: Literal["ok", "missing", "unreadable", "file", "insecure"] = "ok"
    danger: str = ""
    mend: str = ""
    loose: list[str] = []
    scanned: int = 0
    files: dict[str, SeenFile] = {}
    markers: dict[str, SeenMarker] = {}
    changed: set[str] = set()
    unread: bool = False
    watching: Literal["events", "polling"] = "events"
    problem: str = ""
    shared: bool = False


# ---------------------------------------- what triggers wait for
class SeenInput(Struct, frozen=True):
    """A regular file that matches a pattern, and whose writer is done.

    `path` is absolute; `size` is in bytes, `mtime` in nanoseconds, both of the target if it is a
    symlink.
    """

    path: str
    size: int
    mtime: int


class InputSight(Struct, frozen=True, kw_only=True):
    """What one pattern shows. `root` is the state of its longest folder part without wildcards.

    Unless `root` is `ok`, nothing is known about the files, and all else is empty. `device` is
    that of the root: an unmounted disk shows as another one. `files` are those whose writers are
    done, by path; `restless` are the paths of those whose writers may still be at work. `not_utf8`:
    how many match that have no name which a log can hold. `unreadable`: how many files and folders
    below the root can't be looked at. `in_state`: the root lies in the state folder, so no file
    counts.
    """

    pattern: str
    root: Literal["ok", "missing", "unreadable"]
    device: int = 0
    files: dict[str, SeenInput] = {}
    restless: frozenset[str] = frozenset()
    not_utf8: int = 0
    unreadable: int = 0
    in_state: bool = False

    @property
    def unsteady(self) -> int:
        """How many are restless."""
        return len(self.restless)


# ---------------------------------------- people
class GivenPool(Struct, frozen=True):
    """A pool for what a `run` begins. `path` of a file outside of the specs folder is absolute."""

    name: str
    slots: int
    path: str


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person asked for, as a file in STATE/requests. Applied in the order of names, once.

    `kind`: `retry` (of `steps`, or of all that did not succeed), `run` (begin a life of `document`,
    read from the file `path`; `resume` continues the last life), `cancel` (of a `run`, which has no
    file to put a marker beside), `delete` (of a `run` that has finished), `restart` (end what runs,
    and run everything again), `suspend` (until `resume`), `resume`, `mark` (one step as succeeded),
    `approve` (answer the question of one step: that with the number `question`, with yes or no),
    `abandon` (the proof that attempts of `steps`, or of all, have ended, where it can't be had),
    `delete-all` (confirms an absence that is held back), `start` (an instance of a definition,
    with `params`, by this `key`), `deliver` (the `body` of a delivery to its `trigger`, a webhook,
    by this `key`), `backfill` (an instance for each of `dues`, due times of a `trigger` in seconds
    since 1970; `parallel` of them at once; `again`: also where one has that name). `uid` is the
    life that was meant, so that a later one isn't hit; `run` is the run of it that the asker saw, 0
    if that makes no difference.
    """

    name: str = ""  # the file's; set by the reader
    problem: str = ""  # why the document can't be taken; set by the reader
    kind: Literal[
        "retry",
        "run",
        "cancel",
        "delete",
        "delete-all",
        "restart",
        "suspend",
        "resume",
        "mark",
        "approve",
        "abandon",
        "start",
        "deliver",
        "backfill",
    ]
    workflow: str = ""
    uid: str = ""
    run: int = 0
    by: str = ""
    steps: list[str] = []
    downstream: bool = False
    params: dict[str, Any] = {}  # given to a `run`, or an instance; of a backfill, they win
    outputs: dict[str, Any] = {}  # of the step that is marked
    question: int = 0  # of the step that is approved, or not
    approved: bool = True
    document: Document | None = None
    path: str = ""
    pools: list[GivenPool] = []  # those that a `run` found, for the case that there are none yet
    resume: bool = False
    reason: str = ""
    drain: bool = False
    hooks: bool = True  # of what is cancelled; false stops them, too
    key: str = ""
    trigger: str = ""
    body: dict[str, Any] | list[Any] = {}
    dues: list[int] = []
    parallel: int = 1
    again: bool = False
    keep_spec: bool = False  # an instance that is tried again keeps its generation
