"""A cgroup for each attempt, if the system has delegated one to us: the fourth sign, see `marks`.

A process of an attempt stays in its cgroup, even if it raises its limits, clears its environment
and leaves its parent. The shim enters the cgroup only for the moment of a spawn, as it does with
the other signs. The name of the cgroup contains the mark of the attempt: so /proc shows to which
attempt a process belongs, and nobody needs to know where the cgroups are.

Nothing depends on it: without root we have cgroups only if the system gives a part of its tree to
the user, as systemd does under user@.service and for units with Delegate=yes. Cost with cgroups:
35 µs an attempt in a burst, and a few ms for the first one after a pause, because the kernel then
waits for its readers.
"""

import os
from contextlib import suppress

PREFIX = "treadle-"
DELEGATED = ("user.delegate", "trusted.delegate")  # how systemd says so


class Cgroups:
    """The cgroups below the one this process started in; none if we may not use that one."""

    def __init__(self) -> None:
        self.home = delegated_home()

    def enter(self, mark: int) -> None:
        """What is spawned from now on belongs to `mark`. If this fails, the other signs remain."""
        if self.home:
            with suppress(OSError):
                os.mkdir(self.path(mark), 0o755)
                move_to(self.path(mark))

    def leave(self) -> None:
        if self.home:
            with suppress(OSError):
                move_to(self.home)

    def drop(self, mark: int) -> None:
        """No process of the attempt lives, or those that live were left there on purpose."""
        if self.home:
            with suppress(OSError):
                os.rmdir(self.path(mark))

    def path(self, mark: int) -> str:
        return f"{self.home}/{PREFIX}{mark:x}"


def move_to(folder: str) -> None:
    """Move this process, which has one thread, into the cgroup."""
    fd = os.open(f"{folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"0")
    finally:
        os.close(fd)


def delegated_home() -> str:
    """The folder of this process's cgroup if we may make others in it; empty if not.

    root may write anywhere, but could disturb the program that manages the tree. So for root that
    manager must have marked the cgroup as delegated.
    """
    place = own_place()
    root = mounted_at()
    if not place or not root:
        return ""
    folder = root + place.rstrip("/")
    if not all(os.access(path, os.W_OK) for path in (folder, f"{folder}/cgroup.procs")):
        return ""
    return folder if os.geteuid() != 0 or says_delegated(folder) else ""


def says_delegated(folder: str) -> bool:
    for name in DELEGATED:
        with suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False


def own_place() -> str:
    """Where in the tree of cgroups (version 2) this process is; empty if nowhere."""
    return next((line[3:] for line in lines_of("/proc/self/cgroup") if line.startswith("0::")), "")


def mounted_at() -> str:
    """Where that tree is mounted; empty if it isn't."""
    for line in lines_of("/proc/self/mountinfo"):
        # 36 35 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return before.split()[4]
    return ""


def lines_of(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []
