"""Which processes belong to an attempt, wherever they went.

Four marks, and their union: the number in the soft RLIMIT_LOCKS, which every descendant inherits
unless it is set anew; descent from a member; TREADLE_UID, TREADLE_STEP, TREADLE_ATTEMPT in the
environment; and the name of its cgroup, where there are cgroups of ours. The first fails for a step
that sets it anew for its own children, as one that runs treadle does; those are found as
descendants, or by TREADLE_WITHIN, which names the attempts around theirs. Members once found stay
members, so that one whose parent ends is not lost.

One pass over /proc serves many attempts: some 15 µs a process that is younger than the oldest of
them. Finding nobody in a listing proves little, since whoever forks and dies in time is never in
it. So a pass also looks at every pid that was given out since it began, until none is left: whoever
lives then was either in the listing or is among those, and an empty pass is a proof. What forks and
dies without end is met while it lives, and can be seized on the spot.
"""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

from msgspec import Struct

from controller.executor.local.identity import Stat, stat
from controller.executor.shim.cgroup import marks_in
from controller.loop.ports import AttemptId

RLIMIT_LOCKS = 10
UNMARKED = resource.RLIM_INFINITY
CHASE_SECONDS = 0.02  # of one pass
PIDS_UNBORN = 64  # may be given out at any time to processes that can't be seen yet
NEWEST_PID = ("/proc/sys/kernel/ns_last_pid", "/proc/loadavg")  # its last word; not all have both


class Tree(Struct, kw_only=True, eq=False):
    """The processes of one attempt. `since`: no member started before it (ticks; 0: unknown)."""

    id: AttemptId
    mark: int
    since: int = 0
    members: dict[int, int]  # pid → start


class Sight(Struct):
    """What one pass saw. `complete`: every process that lived when it ended was looked at."""

    members: dict[AttemptId, list[Stat]]
    complete: bool


Seize = Callable[[AttemptId, Stat], None]


def look(trees: Collection[Tree], spared: Collection[int], seize: Seize | None = None) -> Sight:
    """One pass over the process table.

    `spared` are never members: the controller, its shim. `seize` is called at once with each member
    that came up during the pass.
    """
    owners = Owners(trees)
    found: dict[AttemptId, list[Stat]] = {tree.id: [] for tree in trees}
    began = last_pid() - PIDS_UNBORN
    table = listed(min((tree.since for tree in trees), default=0), spared)
    by_parent = defaultdict(list)
    for process in table:
        by_parent[process.parent].append(process)
    for process in table:
        tree = owners.of(process)
        if tree is not None:
            found[tree.id] += owners.claim_descendants(process, tree, by_parent)
    complete = False
    for newborn in chase(began):
        if newborn is None:
            complete = True
        elif newborn.pid not in spared and (tree := owners.of_newborn(newborn)) is not None:
            found[tree.id].append(newborn)
            if seize is not None:
                seize(tree.id, newborn)
    for tree in trees:
        tree.members = {process.pid: process.start for process in found[tree.id]}
    return Sight(found, complete)


def first_process(members: Collection[Stat]) -> Stat:
    """The one that the shim started, as far as can be told: it leads a session, and is no child.

    The lowest pid won't do: pids begin anew, and a start time is a hundredth of a second. It is a
    likelihood still, since the first process may be gone: never enough for an exit code.
    """
    pids = {process.pid for process in members}

    def likelihood(process: Stat) -> tuple[bool, bool, int, int]:
        child, leads = process.parent in pids, process.session == process.pid
        return child, not leads, process.start, process.pid

    return min(members, key=likelihood)


def listed(oldest: int, spared: Collection[int]) -> list[Stat]:
    """All living processes not older than `oldest`."""
    table = map(stat, map(int, filter(str.isdigit, os.listdir("/proc"))))
    return [
        process
        for process in table
        if process and process.start >= oldest and not process.gone and process.pid not in spared
    ]


def chase(seen: int) -> Iterator[Stat | None]:
    """The living processes whose pids were given out after `seen`; None once there is no other."""
    enough = time.monotonic() + CHASE_SECONDS
    while time.monotonic() < enough:
        newest = last_pid()
        if newest == seen:
            yield None
            return
        if newest < seen:  # the pids have begun anew: another pass will do
            return
        for pid in range(seen + 1, newest + 1):
            process = stat(pid)
            if process is not None and not process.gone and is_process(pid):
                yield process
        seen = newest


def last_pid() -> int:
    """The pid that was given out last, whether to a process or to a thread.

    A kernel without CHECKPOINT_RESTORE has only the second file; in a container a file system may
    stand in for it that is behind, and then an empty listing is all there is for a proof.
    """
    told = next(filter(None, map(read_file, NEWEST_PID)), b"0")
    return int(told.split()[-1])


def is_process(pid: int) -> bool:
    """Threads have a number too, of which /proc knows although it does not list it."""
    return f"\nTgid:\t{pid}\n".encode() in read_file(f"/proc/{pid}/status")


class Owners:
    """Tells of a process whose it is by itself, descent aside."""

    def __init__(self, trees: Collection[Tree]) -> None:
        self.by_process = {item: tree for tree in trees for item in tree.members.items()}
        self.by_mark = {tree.mark: tree for tree in trees if tree.mark}
        self.by_id = {tree.id: tree for tree in trees}
        self.claimed: dict[int, Tree] = {}

    def claim_descendants(
        self, root: Stat, tree: Tree, by_parent: dict[int, list[Stat]]
    ) -> list[Stat]:
        """A member and all below it, but for those that were claimed before."""
        claimed = []
        waiting = [root]
        while waiting:
            process = waiting.pop()
            if process.pid not in self.claimed:
                self.claimed[process.pid] = tree
                claimed.append(process)
                waiting += by_parent.get(process.pid, ())
        return claimed

    def of_newborn(self, process: Stat) -> Tree | None:
        """One that came up during the pass. It may have been in the listing as well."""
        if process.pid in self.claimed:
            return None
        tree = self.of(process) or self.claimed.get(process.parent)
        if tree is not None:
            self.claimed[process.pid] = tree
        return tree

    def of(self, process: Stat) -> Tree | None:
        known = self.by_process.get((process.pid, process.start))
        if known is not None:
            return known
        mark = mark_of(process.pid)
        tree = self.by_mark.get(mark) or self.of_cgroup(process.pid)
        if tree is not None:
            return tree
        attempts = environment_marks(process.pid)
        return next((self.by_id[each] for each in attempts if each in self.by_id), None)

    def of_cgroup(self, pid: int) -> Tree | None:
        marks = marks_in(read_file(f"/proc/{pid}/cgroup"))
        return next((self.by_mark[mark] for mark in marks if mark in self.by_mark), None)


def mark_of(pid: int) -> int:
    """The soft RLIMIT_LOCKS of a process; another user's is only shown in /proc."""
    try:
        return resource.prlimit(pid, RLIMIT_LOCKS)[0]
    except PermissionError:
        return shown_mark(pid)
    except OSError:
        return UNMARKED


def shown_mark(pid: int) -> int:
    for line in read_file(f"/proc/{pid}/limits").splitlines():
        if line.startswith(b"Max file locks"):
            soft = line.split()[3]
            return int(soft) if soft.isdigit() else UNMARKED
    return UNMARKED


def environment_marks(pid: int) -> list[AttemptId]:
    """The attempt that a process was started for, by its environment, and those around that."""
    environ = read_file(f"/proc/{pid}/environ")
    if b"TREADLE_UID=" not in environ:
        return []
    found = dict(item.partition(b"=")[::2] for item in environ.split(b"\0"))
    try:
        uid, step = found[b"TREADLE_UID"].decode(), found[b"TREADLE_STEP"].decode()
        own = AttemptId(uid, step, int(found[b"TREADLE_ATTEMPT"]))
        around = found.get(b"TREADLE_WITHIN", b"").decode().split()
        return [own, *map(AttemptId.parse, around)]
    except (KeyError, ValueError):
        return []


def read_file(path: str) -> bytes:
    """All of it, or nothing where there is no such process or it is not ours to read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
