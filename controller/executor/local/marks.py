"""Which processes belong to an attempt, wherever they went: psutil tells, told by four marks.

Their union counts: the number in the soft RLIMIT_LOCKS, which every descendant inherits unless it
is set anew; descent from a member; TREADLE_UID, TREADLE_STEP, TREADLE_ATTEMPT in the environment;
and the name of its cgroup, where there are cgroups of ours. The first fails for a step that sets it
anew for its own children, as one that runs treadle does; those are found as descendants, or by
TREADLE_WITHIN, which names the attempts around theirs. Members once found stay members, so that one
whose parent ends is not lost.

One pass over the process table serves many attempts: some 60 µs a process that is younger than the
oldest of them, twice that for one without the first mark, 40 for the rest. Finding nobody in a
listing proves little, since whoever forks and dies in time is never in it. So a pass also looks at
every pid that was given out since it began, until none is left: whoever lives then was either in
the listing or is among those, and an empty pass is a proof. What forks and dies without end is met
while it lives, and can be seized on the spot.

Importing psutil takes 15 ms: this is imported once something has to be ended or found.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import suppress

import psutil
from msgspec import Struct

from controller.executor.local import by_mark
from controller.executor.local.identity import TICKS_PER_SECOND, start_of
from controller.executor.shim.cgroup import PREFIX
from controller.loop.ports import AttemptId


class Tree(Struct, kw_only=True, eq=False):
    """The processes of one attempt. `since`: no member started before it (ticks; 0: unknown)."""

    id: AttemptId
    mark: int
    since: int = 0
    members: Collection[psutil.Process] = ()


class Sight(Struct):
    """What one pass saw, parents first. `complete`: all that lived at its end were looked at."""

    members: dict[AttemptId, list[psutil.Process]]
    complete: bool


Seize = Callable[[AttemptId, psutil.Process], None]


def look(trees: Collection[Tree], spared: Collection[int], seize: Seize | None = None) -> Sight:
    """One pass over the process table.

    `spared` are never members: the controller, its shim. `seize` is called at once with each member
    that came up during the pass. Raises OSError where there is no telling: out of descriptors.
    """
    owners = Owners(trees)
    boot = psutil.boot_time()
    began = by_mark.last_pid() - by_mark.PIDS_UNBORN
    owners.claim(listed(min((tree.since for tree in trees), default=0), boot, spared))
    complete = False
    for pid in by_mark.newborns(began):
        if pid is None:
            # psutil counts starts from a boot that moves with the clock: then `since` was in vain.
            complete = psutil.boot_time() == boot
        elif pid not in spared and (newborn := owners.claim_newborn(pid)) and seize:
            seize(owners.claimed[pid].id, newborn)
    for tree in trees:
        living = (process for process in owners.found[tree.id] if not gone(process))
        tree.members = owners.found[tree.id] = sorted(living, key=age)
    return Sight(owners.found, complete)


def first_process(members: Collection[psutil.Process]) -> psutil.Process:
    """The one that the shim started, as far as can be told: it leads a session, and is no child.

    The lowest pid won't do: pids begin anew, and a start time is a hundredth of a second. It is a
    likelihood still, since the first process may be gone: never enough for an exit code.
    """
    pids = {process.pid for process in members}

    def likelihood(process: psutil.Process) -> tuple[bool, bool, float, int]:
        return parent_of(process) in pids, not leads(process.pid), *age(process)

    return min(members, key=likelihood)


def age(process: psutil.Process) -> tuple[float, int]:
    """Parents come before their children in this order, but for a start in the same tick."""
    return process.create_time(), process.pid


def leads(pid: int) -> bool:
    """A session, of which psutil does not know."""
    with suppress(ProcessLookupError):
        return os.getsid(pid) == pid
    return False


def parent_of(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.ppid()
    return 0


def named(pid: int, start: int) -> psutil.Process | None:
    """The process that the log means, by its start in ticks, if it is still there."""
    try:
        process = psutil.Process(pid)  # first: if the pid is handed on now, this one is dead
    except psutil.NoSuchProcess:
        return None
    return process if start_of(pid) == start else None


def ticks(process: psutil.Process) -> int:
    """Its start as the log keeps it; 0 if it has just ended."""
    start = start_of(process.pid)
    return start if start is not None and process.is_running() else 0


def alive(process: psutil.Process) -> bool:
    """Is this very process still there, or nobody knows? A zombie is not."""
    with suppress(OSError):  # out of descriptors
        return process.is_running() and not gone(process)
    return True


def gone(process: psutil.Process) -> bool:
    """Does nothing of it run any more? In a zombie with more than one thread the others do."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.Error:
        return True


def listed(oldest: int, boot: float, spared: Collection[int]) -> list[psutil.Process]:
    """All processes not older than `oldest`.

    Made anew in each pass: those that psutil keeps may be of a pid that was handed on meanwhile.
    """
    table = []
    for pid in psutil.pids():
        if pid not in spared:
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.create_time() >= oldest / TICKS_PER_SECOND + boot:
                    table.append(process)
    return table


class Owners:
    """Tells of each process whose it is."""

    def __init__(self, trees: Collection[Tree]) -> None:
        self.by_process = {process: tree for tree in trees for process in tree.members}
        self.by_mark = {tree.mark: tree for tree in trees if tree.mark}
        self.by_id = {tree.id: tree for tree in trees}
        self.claimed: dict[int, Tree] = {}
        self.found: dict[AttemptId, list[psutil.Process]] = {tree.id: [] for tree in trees}

    def claim(self, table: Collection[psutil.Process]) -> None:
        """All that belong to an attempt by themselves, and all below them."""
        children = defaultdict(list)
        members = []
        for process in table:
            tree = self.of(process)
            if tree is None:
                children[parent_of(process)].append(process)
            else:
                members.append(self.add(process, tree))
        while members:
            parent = members.pop()
            tree = self.claimed[parent.pid]
            members += [self.add(child, tree) for child in children.pop(parent.pid, ())]

    def claim_newborn(self, pid: int) -> psutil.Process | None:
        """One that came up during the pass. It may have been in the listing as well."""
        if pid in self.claimed:
            return None
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return None
        tree = self.of(process) or self.claimed.get(parent_of(process))
        # Threads have a number too, of which /proc knows although it does not list it.
        return None if tree is None or not psutil.pid_exists(pid) else self.add(process, tree)

    def add(self, process: psutil.Process, tree: Tree) -> psutil.Process:
        self.claimed[process.pid] = tree
        self.found[tree.id].append(process)
        return process

    def of(self, process: psutil.Process) -> Tree | None:
        """Whose it is by itself, descent aside."""
        return (
            self.by_process.get(process)
            or self.by_mark.get(mark_of(process))
            or self.of_cgroup(process.pid)
            or self.of_environment(process)
        )

    def of_environment(self, process: psutil.Process) -> Tree | None:
        attempts = environment_marks(process)
        return next((self.by_id[attempt] for attempt in attempts if attempt in self.by_id), None)

    def of_cgroup(self, pid: int) -> Tree | None:
        marks = marks_in(by_mark.read_file(f"/proc/{pid}/cgroup"))
        return next((self.by_mark[mark] for mark in marks if mark in self.by_mark), None)


def mark_of(process: psutil.Process) -> int:
    """The soft RLIMIT_LOCKS of a process; another user's is only shown in /proc."""
    try:
        return process.rlimit(by_mark.RLIMIT_LOCKS)[0]
    except psutil.AccessDenied:
        return by_mark.shown_mark(process.pid)
    except (psutil.NoSuchProcess, OSError):
        return by_mark.UNMARKED


def environment_marks(process: psutil.Process) -> list[AttemptId]:
    """The attempt that a process was started for, by its environment, and those around that."""
    try:
        found = process.environ()
        own = AttemptId(found["TREADLE_UID"], found["TREADLE_STEP"], int(found["TREADLE_ATTEMPT"]))
        return [own, *map(AttemptId.parse, found.get("TREADLE_WITHIN", "").split())]
    except (psutil.Error, FileNotFoundError, KeyError, ValueError):
        return []


def marks_in(place: bytes) -> list[int]:
    """The marks that the path of a cgroup carries, the innermost last; /proc/PID/cgroup will do."""
    marks = []
    for part in place.rstrip().split(b"/"):
        if part.startswith(PREFIX.encode()):
            with suppress(ValueError):
                marks.append(int(part[len(PREFIX) :], 16))
    return marks
