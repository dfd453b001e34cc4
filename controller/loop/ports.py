"""The edges as the loop sees them: a few calls each, every one safe to repeat.

The real ones live in `controller.log`, `controller.executor`, `controller.folder` and
`controller.requests`; the simulation has fakes of the same shape. Nothing here blocks but the sync
inside `Log.append`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from controller.model.events import Record
from controller.model.observations import (
    AttemptId,
    Ended,
    EndFailed,
    FolderSight,
    Found,
    InputSight,
    Observation,
    Part,
    PartEnd,
    Queued,
    Request,
    SeenFile,
    SeenInput,
    SeenMarker,
    Started,
    Submitted,
    Trouble,
)
from controller.spec.definition import BackoffPolicy
from controller.spec.placement import LOCAL, NOTHING, Needs, Placement

__all__ = [
    "AsFile",
    "AttemptId",
    "AttemptPort",
    "Chance",
    "Clock",
    "ClockReading",
    "End",
    "EndFailed",
    "Ended",
    "EnvFile",
    "EnvRefs",
    "Executor",
    "Folder",
    "FolderSight",
    "Found",
    "FromEnv",
    "FromFile",
    "InputSight",
    "Inputs",
    "Launch",
    "Log",
    "Observation",
    "Part",
    "PartEnd",
    "Queued",
    "Request",
    "Requests",
    "Running",
    "SeenFile",
    "SeenInput",
    "SeenMarker",
    "Started",
    "Submitted",
    "Trouble",
]


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


# ---------------------------------------- log
class Log(Protocol):
    def append(self, records: Sequence[Record]) -> None:
        """One turn: one write, one fdatasync. Raises StorageError; then nothing may be done."""

    def attach(self, files: Mapping[str, bytes]) -> None:
        """Make these durable before the records that name them, by path in the state folder.

        Repeatable: a path always has the same content. Raises StorageError.
        """

    def last_line(self, log: str) -> str:
        """The last line that the attempt with this log printed; "" if it can't be read."""

    def attached(self, path: str) -> bytes:
        """The content of such a file. Raises StorageError if it is damaged or gone."""


# ---------------------------------------- executor


class FromEnv(Struct, frozen=True, tag=True):
    """The value of a variable of this controller, whether or not steps inherit it."""

    name: str


class FromFile(Struct, frozen=True, tag=True):
    """The content of a file (absolute path), without the newline at its end if there is one."""

    path: str


class EnvFile(Struct, frozen=True, tag=True):
    """A file (absolute path) of `KEY=VALUE` lines. An optional one may be missing."""

    path: str
    optional: bool = False


class AsFile(Struct, frozen=True, tag=True):
    """A text that is written to a file of the attempt; the variable gets its path."""

    text: str


class EnvRefs(Struct, frozen=True, tag=True):
    """Variables by reference, or as plain text."""

    refs: dict[str, str | FromEnv | FromFile | AsFile]


class Launch(Struct, frozen=True, kw_only=True):
    """All that an executor needs to start one attempt.

    The environment of the attempt, later ones winning: what it inherits from this controller,
    `env_from` in order, `env`. What `env_from` names is read when the attempt
    is to start, and its values are written nowhere. If it can't be read, the attempt never starts:
    `Ended` has `start-failed`, with the reason SecretMissing or ValueTooLarge.

    `before` and `after` are argvs, each empty if there is none. They are run in turn with `argv`,
    as `controller.executor.runner` says.

    `log` (stdout and stderr) is relative to the state folder; its folder may not exist yet.
    """

    id: AttemptId
    mark: int
    argv: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    env: dict[str, str]
    env_from: tuple[EnvFile | EnvRefs, ...] = ()
    inherit: bool | tuple[str, ...] = True  # the environment of this controller, or these of it
    working_dir: str  # absolute
    home: str = ""  # the folder of the spec's file, absolute; only for messages
    log: str
    leave_processes: bool = False  # what it leaves running is not ended with it
    grace_seconds: float = 3.0  # for what it leaves running
    priority: int = 0  # of those that are queued, which starts first
    # for an engine
    engine: str = LOCAL
    placement: Placement | None = None  # what the spec says of it; its paths are absolute
    needs: Needs = NOTHING
    timeout_seconds: float | None = None
    folder_id: str = ""  # of the state folder
    handle: str = ""  # what the engine called it when it was submitted
    place: dict[str, str] = {}  # and where that was

    @property
    def in_parts(self) -> bool:
        return bool(self.before or self.after)


class Running(Struct, frozen=True, kw_only=True):
    """What the log knows of an attempt that may be alive: for adoption.

    `found`: the pid was found by the attempt's marks, so it may be that of a child.
    """

    id: AttemptId
    mark: int
    pid: int | None = None  # None: no start is in the log
    start_ticks: int | None = None
    boot_id: str = ""
    found: bool = False
    leave_processes: bool = False
    grace_seconds: float = 3.0
    log: str = ""
    engine: str = LOCAL
    handle: str = ""
    place: dict[str, str] = {}
    started: int | None = None  # microseconds on the controller's clock


class Sites(Struct, frozen=True):
    """Where an engine has had attempts of this state folder: its id there, and by site a place."""

    folder_id: str
    by_engine: dict[str, dict[str, dict[str, str]]]


class End(Struct, frozen=True, kw_only=True):
    """The order to end an attempt: TERM to its tree, `grace_seconds`, KILL, proof.

    `withdraw_only`: if it has not started, it must never start; if it has, leave it alone.
    `in_parts`: a runner runs it, which alone gets TERM: it ends the command and runs `after`.
    `timed_out`: `after` is told so.
    """

    id: AttemptId
    mark: int
    grace_seconds: float
    withdraw_only: bool = False
    in_parts: bool = False
    timed_out: bool = False
    engine: str = LOCAL
    handle: str = ""
    place: dict[str, str] = {}


class AttemptPort(Protocol):
    """Attempts by their ids. Those of an engine go the way of `Submitted`: made to exist under a
    name that only they can have, written down, let go.
    """

    def start(self, launches: Sequence[Launch]) -> None:
        """Start or queue each, except ids that were started before. It need not wait for them.

        One that is still queued is started as the latest call says. Of the queued, those of the
        highest priority start first, then those of the workflow with the fewest slots. An engine
        starts nothing yet: observe() gives `Submitted`.
        """

    def release(self, launches: Sequence[Launch]) -> None:
        """The `Submitted` of these is in the log: the engine lets each go, once."""

    def end(self, orders: Sequence[End]) -> None:
        """Called again after a crash, it goes on. If no process lives, observe() gives `Ended`."""

    def observe(self) -> list[Observation]:
        """What happened since the last call, in order per attempt. Never blocks."""

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        """Attempts of this life may come to these places. Later calls replace earlier ones.

        An engine looks whether it is there; if not, troubles() says what is missing.
        """

    def adopt(self, attempts: Collection[Running], sites: Sites) -> None:
        """The first call, also if there are none: take these over. observe() reports their ends.

        What an engine still has of others at its sites, it reports as `Found`.
        """

    def forget(self, ids: Collection[AttemptId]) -> None:
        """The ends of these are in the log: they need not be told again.

        An engine removes what it has of them, in the background, until that is done.
        """

    def disown(self, found: Sequence[Found]) -> None:
        """The log knows nothing of these: what is held is removed, the rest is left alone."""

    def abandon(self, ids: Collection[AttemptId]) -> None:
        """Nobody waits for the ends of these any more, proven or not."""

    def flush(self) -> None:
        """All that was said since the last observe() is on its way, in the order it was said."""

    def troubles(self) -> list[Trouble]:
        """What keeps attempts from starting or ending as they should, as of now."""

    def next_due(self) -> int | None:
        """When observe() has to be called although nothing wakes the loop: ends of grace."""


class Executor(AttemptPort, Protocol):
    """All attempts, and what they leave in the state folder, wherever they ran."""

    def outputs(self, log: str) -> bytes | None:
        """What the attempt with this log handed on, at most VALUES_BYTES_MAX + 1 bytes of it.

        None if it made no file. Raises OSError, with a message for people in `strerror`, if that is
        no regular file or can't be read. Never blocks.
        """

    def parts(self, log: str) -> dict[Part, PartEnd]:
        """How the parts of the attempt with this log ended, as `Ended` has it. Never blocks."""


# ---------------------------------------- chance
class Chance(Protocol):
    def uid(self) -> str:
        """The uid of a new life; no other life, on any machine, ever gets it."""

    def mark(self) -> int:
        """60 bits for a resource limit; never a counter, since state folders share a machine."""

    def delay_seconds(self, policy: BackoffPolicy, number: int) -> float:
        """The wait before retry `number`, jitter included."""


# ---------------------------------------- folder
class Folder(Protocol):
    def look(self, now: int, full: bool = False) -> FolderSight:
        """Follow the hints since the last call, or scan in full when that is due or asked for."""

    def next_due(self) -> int | None:
        """When look() has something to do although nothing wakes the loop."""


class Inputs(Protocol):
    def look(
        self, patterns: Collection[str], now: int, full: bool = False
    ) -> Mapping[str, InputSight]:
        """What each of these absolute patterns shows, by pattern; `now` in microseconds.

        It scans when that is due or asked for (`full`), and at once for a pattern that is new.
        While nothing changes, the answer is the same object as before, and so is each sight in it.
        None of them changes later. Whatever is in a folder, this raises nothing.
        """

    def next_due(self) -> int | None:
        """When look() has something to do although nothing wakes the loop; None: no patterns."""


# ---------------------------------------- disk
class Space(Protocol):
    def short(self) -> str:
        """Why nothing new may start, if the disk is nearly full; "" while there is room."""


# ---------------------------------------- requests
class Requests(Protocol):
    def waiting(self) -> list[Request]:
        """Every request that is there, by name. Unreadable ones are set aside with a note."""

    def done(self, names: Collection[str]) -> None:
        """Remove these; they are in the log. Asked twice, the second does nothing."""
