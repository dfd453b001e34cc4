"""What the edges saw: the inputs of the core that are not events yet.

The executor tells of attempts, the folder of files and markers, the requests of what people asked
for. The planner turns each into events; `loop.ports` has the calls that bring them.
"""

from typing import Literal

from msgspec import Struct

from controller.errors import Fault
from controller.model.events import Usage
from controller.spec.load import Document


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
        uid, step, attempt = text.split("/")
        return cls(uid, step, int(attempt))


class Started(Struct, frozen=True, kw_only=True):
    """The process exists. `at`: microseconds on the controller's clock.

    `found`: nobody told its pid, it was found by its marks; that may be one of its children.
    """

    id: AttemptId
    pid: int
    start_ticks: int
    at: int
    found: bool = False


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


# ---------------------------------------- the folder
class SeenFile(Struct, frozen=True, kw_only=True):
    """A spec file as last read, or a folder that can't be listed. `path` is relative to the root.

    `by` owns it. `documents` are those of a file without any fault (one bad document rejects its
    whole file); `names` are all workflow names that could be read, faults or not. `steady` is false
    while its writer may still be at work: the rest is then what was read before that, if anything
    was.
    `foreign`: it is no treadle document, by its content; `empty`: it has no content.
    """

    path: str
    digest: str
    by: str = ""
    documents: tuple[Document, ...] = ()
    faults: tuple[Fault, ...] = ()
    names: tuple[str, ...] = ()
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
    steady: bool = True
    problem: str = ""


class FolderSight(Struct, kw_only=True):
    """The folder as the edge saw it last. One object that lives on.

    `path` is absolute, `shown` what the user called it. `root`: `ok`, or why nothing about the
    content can be believed; then `files` and `markers` mean nothing. `scanned` is when the last
    full scan *began*: what vanished since an earlier look is only believed to be absent once such a
    scan has not found it either. `changed` has the paths that came, went or changed since its
    reader last emptied it. `problem`: why it polls.
    """

    path: str
    shown: str = ""
    device: int = 0
    inode: int = 0
    root: Literal["ok", "missing", "unreadable", "file"] = "ok"
    scanned: int = 0
    files: dict[str, SeenFile] = {}
    markers: dict[str, SeenMarker] = {}
    changed: set[str] = set()
    watching: Literal["events", "polling"] = "events"
    problem: str = ""


# ---------------------------------------- people
class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person asked for, as a file in STATE/requests. Applied in the order of names, once.

    `kind`: `retry` (of `steps`, or of all that did not succeed), `run` (begin a life of `document`,
    read from the file `path`; `resume` goes on with the last life), `cancel` (of a `run`, which has
    no file to put a marker beside), `restart` (end what runs, all anew), `suspend` and `resume` (it
    stands until it is taken back), `mark` (one step as succeeded), `delete-all` (confirms an
    absence that is held back). `uid` pins the life it was meant for.
    """

    name: str = ""  # the file's; set by the reader
    problem: str = ""  # why the document can't be taken; set by the reader
    kind: Literal["retry", "run", "cancel", "delete-all", "restart", "suspend", "resume", "mark"]
    workflow: str = ""
    uid: str = ""
    by: str = ""
    steps: list[str] = []
    downstream: bool = False
    document: Document | None = None
    path: str = ""
    resume: bool = False
    reason: str = ""
    drain: bool = False
