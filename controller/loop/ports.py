"""The edges as the loop sees them: a few calls each, every one safe to repeat.

The real ones live in `controller.log`, `controller.executor`, `controller.folder` and
`controller.requests`; the simulation has fakes of the same shape. Nothing here blocks but
`Wakes.wait` and the sync inside `Log.append`.
"""

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from controller.errors import Fault
from controller.model.events import Record, Usage
from controller.spec.models import Workflow


# ---------------------------------------- clock
class ClockReading(Struct, frozen=True):
    """The kernel's clocks in microseconds; `boottime` counts sleep, `uptime` does not."""

    boot_id: str
    boottime: int
    uptime: int
    wall: int


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since 1970: wall time at start-up, advanced by CLOCK_BOOTTIME."""

    def read(self) -> ClockReading:
        """All clocks at once, to notice sleep and steps of the wall clock."""


class Wakes(Protocol):
    def wait(self, until: int | None) -> None:
        """Block until an edge has something to observe, or `until` (microseconds, `Clock.now`)."""


# ---------------------------------------- log
class Log(Protocol):
    def append(self, records: Sequence[Record]) -> None:
        """One turn: one write, one fdatasync. Raises StorageError; then nothing may be done."""


# ---------------------------------------- executor
class AttemptId(Struct, frozen=True, order=True):
    """Names one attempt on this state folder for ever. As text: `uid/step/number`."""

    uid: str
    step: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.uid}/{self.step}/{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> "AttemptId":
        uid, step, attempt = text.split("/")
        return cls(uid, step, int(attempt))


class Launch(Struct, frozen=True, kw_only=True):
    """All that an executor needs to start one attempt.

    `env` is set on top of the environment of this controller; `log` (stdout and stderr) is relative
    to the state folder; its folder may not exist yet.
    """

    id: AttemptId
    mark: int
    argv: tuple[str, ...]
    env: dict[str, str]
    working_dir: str  # absolute
    log: str


class Running(Struct, frozen=True, kw_only=True):
    """What the log knows of an attempt that may be alive: for adoption."""

    id: AttemptId
    mark: int
    pid: int | None = None  # None: no start is in the log
    start_ticks: int | None = None
    boot_id: str = ""


class End(Struct, frozen=True, kw_only=True):
    """The order to end an attempt: TERM to its tree, `grace_seconds`, KILL, proof.

    `withdraw_only`: if it hasn't started it never shall; if it has, leave it alone.
    """

    id: AttemptId
    mark: int
    grace_seconds: float
    withdraw_only: bool = False


class Started(Struct, frozen=True, kw_only=True):
    """The process exists. `at`: microseconds of `Clock.now`."""

    id: AttemptId
    pid: int
    start_ticks: int
    at: int


class Ended(Struct, frozen=True, kw_only=True):
    """Nothing of the attempt lives any more, proven. `at` is when its first process ended.

    `how`: `exited` has exit_code or signal; `start-failed` never had a process, `problem` says why;
    `withdrawn` was queued and never started; `lost` ended, or never was, and nobody can know how
    (reboot, dead shim). `left_processes`: how many it left running, which were then ended.
    """

    id: AttemptId
    how: Literal["exited", "start-failed", "withdrawn", "lost"]
    at: int
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage | None = None
    left_processes: int = 0
    problem: str = ""


class EndFailed(Struct, frozen=True, kw_only=True):
    """These processes outlive SIGKILL (uninterruptible, another user's); ending goes on."""

    id: AttemptId
    pids: tuple[int, ...]


Observation = Started | Ended | EndFailed


class Executor(Protocol):
    def start(self, launches: Sequence[Launch]) -> None:
        """Start or queue each unless its id was ever started. May return before they exist."""

    def end(self, orders: Sequence[End]) -> None:
        """Asked again after a crash, goes on where it stopped. Nothing to end: `Ended` is observed."""

    def observe(self) -> list[Observation]:
        """What happened since the last call, in order per attempt. Never blocks."""

    def adopt(self, attempts: Collection[Running]) -> None:
        """After a restart: take these over; observe() then tells who ended, and how."""

    def forget(self, ids: Collection[AttemptId]) -> None:
        """The ends of these are in the log: they need not be told again."""

    def next_due(self) -> int | None:
        """When observe() has to be called although nothing wakes the loop (ends of grace periods)."""


# ---------------------------------------- folder
class Document(Struct, frozen=True, kw_only=True):
    """One valid workflow document of a file."""

    workflow: Workflow
    line: int
    warnings: tuple[str, ...] = ()


class SeenFile(Struct, frozen=True, kw_only=True):
    """A spec file as last read. `path` is relative to the folder.

    `documents` are those of a file without any fault (one bad document rejects its whole file);
    `names` are all workflow names that could be read, faults or not. `steady` is false while its
    writer may still be at work; `changed` is when its content last changed (`Clock.now`).
    `foreign`: it is no treadle document, by its content.
    """

    path: str
    digest: str
    changed: int
    documents: tuple[Document, ...] = ()
    faults: tuple[Fault, ...] = ()
    names: tuple[str, ...] = ()
    steady: bool = True
    foreign: bool = False


class SeenMarker(Struct, frozen=True, kw_only=True):
    """A file NAME.cancel. `problem` is set when it can't be carried out as written."""

    path: str
    workflow: str
    digest: str
    by: str = ""
    reason: str = ""
    steps: tuple[str, ...] = ()
    drain: bool = False
    steady: bool = True
    problem: str = ""


class FolderSight(Struct, kw_only=True):
    """The folder as the edge saw it last. The same object lives on; `changed` says what is new.

    `root`: `ok`, or why nothing about the content can be believed: `missing`, `unreadable`,
    `replaced` (another device or inode, and empty), `file`. `scanned` is when the last full scan
    *began*: only what is absent from a full scan is absent. `gone` tells since when (`Clock.now`,
    time of the first full scan without it).
    """

    path: str
    device: int = 0
    inode: int = 0
    root: Literal["ok", "missing", "unreadable", "replaced", "file"] = "ok"
    root_since: int = 0
    scanned: int = 0
    files: dict[str, SeenFile] = {}
    markers: dict[str, SeenMarker] = {}
    gone: dict[str, int] = {}
    changed: set[str] = set()
    watching: Literal["events", "polling"] = "events"
    problem: str = ""


class Folder(Protocol):
    def look(self, now: int) -> FolderSight:
        """Follow the hints since the last call, or scan in full when that is due or asked for."""

    def next_due(self) -> int | None:
        """When look() has something to do although nothing wakes the loop."""


# ---------------------------------------- requests
class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person asked for, as a file in STATE/requests. Applied in the order of names, once.

    `kind`: `retry` (of `steps`, or of all that did not succeed), `run` (begin a life of `document`,
    a file's text from `path`; `resume` goes on with the last life), `cancel` (of a `run`, which has
    no file to put a marker beside), `delete-all` (confirms an absence that is held back). `uid`
    pins the life it was meant for.
    """

    name: str = ""  # the file's; set by the reader
    kind: Literal["retry", "run", "cancel", "delete-all"]
    workflow: str = ""
    uid: str = ""
    by: str = ""
    steps: list[str] = []
    downstream: bool = False
    document: str = ""
    path: str = ""
    resume: bool = False
    reason: str = ""
    drain: bool = False


class Requests(Protocol):
    def waiting(self) -> list[Request]:
        """Every request that is there, by name. Unreadable ones are set aside with a note."""

    def done(self, names: Collection[str]) -> None:
        """Remove these; they are in the log. Asked twice, the second does nothing."""
