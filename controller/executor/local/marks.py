"""Which processes belong to an attempt, even if they left their parent: four signs show it.

A process belongs to an attempt if one of these is true: the mark in its soft RLIMIT_LOCKS, which
every descendant inherits unless it sets a new one; a member is its parent; TREADLE_UID,
TREADLE_STEP, TREADLE_ATTEMPT in its environment; the name of its cgroup, where we have cgroups. The
first fails if a step sets it for its own children, as a step that runs treadle does. Those are
found as descendants, or by TREADLE_WITHIN, which names the attempts around theirs. A member stays a
member, so that it isn't lost when its parent ends.

Other users can copy the mark, the environment and the name of a cgroup. So a process that isn't
ours altogether counts only if it also descends from a member or from a shim (the shim is a
subreaper: while it lives, all that its steps start is below it), or if its cgroup is a folder of
ours, which nobody else can enter. All others are strangers: they are never signalled, and an empty
pass is a proof although they are there.

One pass over the process table serves many attempts: some 60 µs for a process that is younger than
the oldest attempt, twice that for one without the first sign, 40 µs for the rest. A listing without
a member proves little, because a process that forks and dies in time is never listed. So a pass
also looks at every pid that was given out since it began, until none is left. A process that lives
then was either listed or is one of those, so a pass that met nobody is a proof. One that met a
member proves nothing, even if the member is gone when the pass ends: it may have been forking, and
its child's pid was looked at before there was a child to see. Processes that fork and die all the
time are met while they live, and can be seized at once.

Importing psutil takes 15 ms, so this is imported only when something must be ended or found.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import suppress

import psutil
from msgspec import Struct

from controller.executor.local import by_mark
from controller.executor.local.identity import TICKS_PER_SECOND, start_of
from controller.executor.shim.cgroup import PREFIX, mounted_at
from controller.loop.ports import AttemptId


class Tree(Struct, kw_only=True, eq=False):
    """The processes of one attempt. `since`: no member started before it (ticks; 0: unknown)."""

    id: AttemptId
    mark: int
    since: int = 0
    members: Collection[psutil.Process] = ()


class Sight(Struct):
    """Who lived when the pass met them, parents first; some may be gone by now.

    `complete`: it met every process that lives at its end. So if it met nobody, nobody is there.
    `strangers`: processes of other users that carry a sign of the attempt, but nothing proves more.
    """

    members: dict[AttemptId, list[psutil.Process]]
    complete: bool
    strangers: dict[AttemptId, set[psutil.Process]] = {}


Seize = Callable[[AttemptId, psutil.Process], None]
Children = dict[int, list[psutil.Process]]  # by the pid of their parent


def look(
    trees: Collection[Tree],
    spared: Collection[int],
    seize: Seize | None = None,
    shims: Collection[int] = (),
) -> Sight:
    """One pass over the process table.

    `spared` are never members: the controller, its shim. `seize` is called at once with each member
    that started during the pass. `shims` live, and have started nothing but attempts of ours.
    Raises OSError if we can't know: out of descriptors.
    """
    owners = Owners(trees, shims)
    boot = psutil.boot_time()
    began = by_mark.last_pid() - by_mark.PIDS_UNBORN
    owners.claim(listed(min((tree.since for tree in trees), default=0), boot, spared))
    complete = False
    for pid in by_mark.newborns(began):
        if pid is None:
            # psutil's boot time moves with the clock; if it moved now, `since` was useless.
            complete = psutil.boot_time() == boot
        elif pid not in spared and (newborn := owners.claim_newborn(pid)) and seize:
            seize(owners.claimed[pid].id, newborn)
    for tree in trees:
        tree.members = owners.found[tree.id] = sorted(owners.found[tree.id], key=age)
    return Sight(owners.found, complete, owners.strangers)


def first_process(members: Collection[psutil.Process]) -> psutil.Process:
    """The process that the shim probably started: it leads a session, and no member is its parent.

    The lowest pid is not enough: pids start again at 1, and start times are exact to 10 ms only. It
    is not certain, because the first process may be gone; so never use it for an exit code.
    """
    pids = {process.pid for process in members}

    def likelihood(process: psutil.Process) -> tuple[bool, bool, float, int]:
        return parent_of(process) in pids, not leads(process.pid), *age(process)

    return min(members, key=likelihood)


def age(process: psutil.Process) -> tuple[float, int]:
    """Sorts parents before their children, unless both started in the same tick."""
    return process.create_time(), process.pid


def leads(pid: int) -> bool:
    """Whether it leads a session; psutil doesn't show that."""
    with suppress(ProcessLookupError):
        return os.getsid(pid) == pid
    return False


def parent_of(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.ppid()
    return 0


def parent_pid(pid: int) -> int:
    """As `parent_of`, of a mere number; 0 if it is gone. Raises OSError if we can't know."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0


def named(pid: int, start: int) -> psutil.Process | None:
    """The process that the log names by its start in ticks, if it is still there."""
    try:
        # First this: if another process gets the pid now, this one counts as dead.
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return process if start_of(pid) == start else None


def ticks(process: psutil.Process) -> int:
    """Its start as the log has it; 0 if it has just ended."""
    start = start_of(process.pid)
    return start if start is not None and process.is_running() else 0


def alive(process: psutil.Process) -> bool:
    """Is exactly this process still there? True also if nobody knows. A zombie is not."""
    with suppress(OSError):  # out of descriptors
        return process.is_running() and not gone(process)
    return True


def gone(process: psutil.Process) -> bool:
    """Has all of it stopped? A zombie with more than one thread still has running threads."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.Error:
        return True


def listed(oldest: int, boot: float, spared: Collection[int]) -> list[psutil.Process]:
    """All processes not older than `oldest`.

    Each pass makes new objects: psutil keeps old ones, whose pid may belong to another process now.
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
    """Finds out to which attempt each process belongs."""

    def __init__(self, trees: Collection[Tree], shims: Collection[int]) -> None:
        self.by_process = {process: tree for tree in trees for process in tree.members}
        self.by_mark = {tree.mark: tree for tree in trees if tree.mark}
        self.by_id = {tree.id: tree for tree in trees}
        self.claimed: dict[int, Tree] = {}
        self.found: dict[AttemptId, list[psutil.Process]] = {tree.id: [] for tree in trees}
        self.strangers: dict[AttemptId, set[psutil.Process]] = {tree.id: set() for tree in trees}
        self.within = set(shims)  # what descends from these is ours
        self.outside: set[int] = set()  # what descends from these is not
        self.root_of_cgroups: str | None = None

    def claim(self, table: Collection[psutil.Process]) -> None:
        """Add all processes that belong to an attempt by themselves, and all their descendants."""
        children: Children = defaultdict(list)
        members, alleged = [], []
        for process in table:
            tree = self.of(process)
            if tree is not None and self.is_proof(process, tree):
                members.append(self.add(process, tree))
                continue
            children[parent_of(process)].append(process)
            if tree is not None:
                alleged.append((process, tree))
        self.add_descendants(members, children)
        for process, tree in alleged:  # last, because members are known now
            if process.pid not in self.claimed and (member := self.add_if_ours(process, tree)):
                self.add_descendants([member], children)

    def add_descendants(self, members: list[psutil.Process], children: "Children") -> None:
        while members:
            parent = members.pop()
            tree = self.claimed[parent.pid]
            new = [each for each in children.pop(parent.pid, ()) if each.pid not in self.claimed]
            members += [self.add(child, tree) for child in new]

    def add_if_ours(self, process: psutil.Process, tree: Tree) -> psutil.Process | None:
        """Add another user's process with a sign of the attempt if it comes from one of ours."""
        if self.descends(process.pid):
            return self.add(process, tree)
        self.strangers[tree.id].add(process)
        return None

    def claim_newborn(self, pid: int) -> psutil.Process | None:
        """Add a process that started during the pass. It may have been in the listing as well."""
        if pid in self.claimed:
            return None
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return None
        alleged = self.of(process)
        tree = alleged or self.claimed.get(parent_of(process))
        # A thread has a number too: /proc knows it, but does not list it.
        if tree is None or not psutil.pid_exists(pid):
            return None
        if alleged is None or self.is_proof(process, alleged):
            return self.add(process, tree)
        return self.add_if_ours(process, alleged)

    def add(self, process: psutil.Process, tree: Tree) -> psutil.Process:
        """Asks at once whether it is gone: it may end later in the pass, but fork before that."""
        self.claimed[process.pid] = tree
        if not gone(process):
            self.found[tree.id].append(process)
        return process

    def is_proof(self, process: psutil.Process, tree: Tree) -> bool:
        """Are its own signs enough?"""
        return (
            process in self.by_process
            or by_mark.is_ours(process.pid)
            or self.in_its_cgroup(process.pid, tree)
        )

    def descends(self, pid: int) -> bool:
        """Whether it comes from a member or a shim; if it is gone, its children are met later.

        What is found out is kept: a stranger's tree may be deep.
        """
        line, parent = [pid], parent_pid(pid)
        while line:
            if parent in self.claimed or parent in self.within:
                self.within.update(line)
                return True
            if parent == 0:  # this one has ended meanwhile, and its child has got another parent
                line.pop()
                parent = parent_pid(line[-1]) if line else 0
                continue
            if parent == 1 or parent in self.outside:
                self.outside.update(line)
                return False
            above = parent_pid(parent)
            if (now := parent_pid(line[-1])) == parent:
                line.append(parent)  # no other process had its pid when we asked it
                parent = above
            else:
                parent = now
        return False

    def in_its_cgroup(self, pid: int, tree: Tree) -> bool:
        """In a folder of ours: anybody can make one of that name, but not enter ours."""
        lines = by_mark.read_file(f"/proc/{pid}/cgroup").decode(errors="replace").splitlines()
        place = next((line[3:] for line in lines if line.startswith("0::")), "").split("/")
        name = f"{PREFIX}{tree.mark:x}"
        if name not in place or ".." in place:
            return False
        if self.root_of_cgroups is None:
            self.root_of_cgroups = mounted_at()
        folder = self.root_of_cgroups + "/".join(place[: place.index(name) + 1])
        with suppress(OSError):
            return os.stat(folder).st_uid == os.geteuid()
        return False

    def of(self, process: psutil.Process) -> Tree | None:
        """Its attempt by its own signs, without looking at its parent."""
        return (
            self.by_process.get(process)
            or self.by_mark.get(mark_of(process))
            or self.of_cgroup(process.pid)
            or self.of_environment(process)
        )

    def of_environment(self, process: psutil.Process) -> Tree | None:
        attempts = attempts_in_environment(process)
        return next((self.by_id[attempt] for attempt in attempts if attempt in self.by_id), None)

    def of_cgroup(self, pid: int) -> Tree | None:
        marks = marks_in(by_mark.read_file(f"/proc/{pid}/cgroup"))
        return next((self.by_mark[mark] for mark in marks if mark in self.by_mark), None)


def mark_of(process: psutil.Process) -> int:
    """The soft RLIMIT_LOCKS of a process; for another user's process only /proc shows it."""
    try:
        return process.rlimit(by_mark.RLIMIT_LOCKS)[0]
    except psutil.AccessDenied:
        return by_mark.shown_mark(process.pid)
    except (psutil.NoSuchProcess, OSError):
        return by_mark.UNMARKED


def attempts_in_environment(process: psutil.Process) -> list[AttemptId]:
    """The attempt of a process by its environment, and the attempts around that one."""
    try:
        found = process.environ()
        own = AttemptId(found["TREADLE_UID"], found["TREADLE_STEP"], int(found["TREADLE_ATTEMPT"]))
        return [own, *map(AttemptId.parse, found.get("TREADLE_WITHIN", "").split())]
    except (psutil.Error, FileNotFoundError, KeyError, ValueError):
        return []


def marks_in(place: bytes) -> list[int]:
    """The marks in the path of a cgroup (or in /proc/PID/cgroup), the innermost last."""
    marks = []
    for part in place.rstrip().split(b"/"):
        if part.startswith(PREFIX.encode()):
            with suppress(ValueError):
                marks.append(int(part[len(PREFIX) :], 16))
    return marks
