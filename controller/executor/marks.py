"""Which processes belong to an attempt, wherever they went.

Three marks, and their union: the number in the soft RLIMIT_LOCKS, which every descendant inherits
and nothing sheds; descent from a member; and TREADLE_UID, TREADLE_STEP, TREADLE_ATTEMPT in the
environment. The first fails for a step that sets it anew for its own children, as one that runs
treadle does; those are found as descendants. Members once found stay members, so that one whose
parent ends is not lost.

One pass over /proc serves many attempts: some 15 µs a process that is younger than the oldest of
them. It looks at the newest pids first, because what forks and dies fast is always the newest; and
it says whether a process vanished before it was looked at, since then finding nobody proves
nothing.
"""

import os
import resource
from collections import defaultdict
from collections.abc import Collection

from msgspec import Struct

from controller.executor.identity import Stat, stat
from controller.loop.ports import AttemptId

RLIMIT_LOCKS = 10
UNMARKED = resource.RLIM_INFINITY


class Tree(Struct, kw_only=True, eq=False):
    """The processes of one attempt. `since`: no member started before it (ticks; 0: unknown)."""

    id: AttemptId
    mark: int
    since: int = 0
    members: dict[int, int]  # pid → start


class Sight(Struct):
    """What one pass saw: the living members of each tree, and whether none can have been missed."""

    members: dict[AttemptId, list[Stat]]
    complete: bool


def look(trees: Collection[Tree], spared: Collection[int]) -> Sight:
    """One pass over the process table. `spared` are never members: the controller, its shim."""
    oldest = min((tree.since for tree in trees), default=0)
    table, complete = processes(oldest, spared)
    by_parent = defaultdict(list)
    for process in table:
        by_parent[process.parent].append(process)
    owner = Owners(trees).of
    members: dict[AttemptId, list[Stat]] = {tree.id: [] for tree in trees}
    owned: dict[int, AttemptId] = {}
    for process in table:
        tree = owner(process)
        if tree is not None:
            adopt_descendants(process, tree.id, by_parent, owned, members[tree.id])
    for tree in trees:
        tree.members = {process.pid: process.start for process in members[tree.id]}
    return Sight(members, complete)


def processes(oldest: int, spared: Collection[int]) -> tuple[list[Stat], bool]:
    """All living processes not older than `oldest`, newest pid first; and: did none vanish?"""
    table = []
    complete = True
    for pid in sorted(map(int, filter(str.isdigit, os.listdir("/proc"))), reverse=True):
        process = stat(pid)
        if process is None:
            complete = False
        elif process.start >= oldest and not process.gone and pid not in spared:
            table.append(process)
    return table, complete


def adopt_descendants(
    root: Stat,
    attempt: AttemptId,
    by_parent: dict[int, list[Stat]],
    owned: dict[int, AttemptId],
    into: list[Stat],
) -> None:
    waiting = [root]
    while waiting:
        process = waiting.pop()
        if process.pid not in owned:
            owned[process.pid] = attempt
            into.append(process)
            waiting += by_parent.get(process.pid, ())


class Owners:
    """Tells of a process whose it is by itself, descent aside."""

    def __init__(self, trees: Collection[Tree]) -> None:
        self.by_process = {item: tree for tree in trees for item in tree.members.items()}
        self.by_mark = {tree.mark: tree for tree in trees}
        self.by_id = {tree.id: tree for tree in trees}

    def of(self, process: Stat) -> Tree | None:
        known = self.by_process.get((process.pid, process.start))
        if known is not None:
            return known
        mark = mark_of(process.pid)
        if mark != UNMARKED:  # another mark: another attempt
            return self.by_mark.get(mark)
        attempt = environment_mark(process.pid)
        return None if attempt is None else self.by_id.get(attempt)


def mark_of(pid: int) -> int:
    """The soft RLIMIT_LOCKS of a process; another user's is only shown in /proc."""
    try:
        return resource.prlimit(pid, RLIMIT_LOCKS)[0]
    except PermissionError:
        return shown_mark(pid)
    except OSError:
        return UNMARKED


def shown_mark(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            soft = next(line.split()[3] for line in file if line.startswith(b"Max file locks"))
    except (OSError, StopIteration):
        return UNMARKED
    return int(soft) if soft.isdigit() else UNMARKED


def environment_mark(pid: int) -> AttemptId | None:
    """The attempt that a process was started for, by its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read()
    except OSError:
        return None
    if b"TREADLE_UID=" not in environ:
        return None
    found = dict(item.partition(b"=")[::2] for item in environ.split(b"\0"))
    try:
        uid, step = found[b"TREADLE_UID"].decode(), found[b"TREADLE_STEP"].decode()
        return AttemptId(uid, step, int(found[b"TREADLE_ATTEMPT"]))
    except (KeyError, ValueError):
        return None
