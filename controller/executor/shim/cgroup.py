"""A cgroup for each attempt, where the system has delegated one to us: the fourth mark.

What an attempt starts stays in its cgroup, even what raises its limits, clears its environment and
leaves its parent. The shim enters the cgroup for the instant of a spawn, as it puts on the other
marks, and the name of the cgroup carries the mark of the attempt: so /proc tells whose a process
is, and nobody needs to be told where the cgroups are.

A bonus, never the base: without root there is one only where the system hands part of its tree to
the user, as systemd does for what runs under user@.service and for units with Delegate=yes. Cost
where there is one: 35 µs an attempt in a burst, and a few ms for the first one after a pause, since
the kernel then waits for its readers.
"""

import os
from contextlib import suppress

PREFIX = "treadle-"
DELEGATED = ("user.delegate", "trusted.delegate")  # how systemd says so


class Cgroups:
    """Those below the cgroup that this process was born in; none where it is not ours to use."""

    def __init__(self) -> None:
        self.home = delegated_home()

    def enter(self, mark: int) -> None:
        """Whatever is spawned from now on belongs to `mark`. Where that fails, other marks do."""
        if self.home:
            with suppress(OSError):
                os.mkdir(self.path(mark), 0o755)
                move_to(self.path(mark))

    def leave(self) -> None:
        if self.home:
            with suppress(OSError):
                move_to(self.home)

    def drop(self, mark: int) -> None:
        """Nothing of the attempt lives, or what does was left there on purpose."""
        if self.home:
            with suppress(OSError):
                os.rmdir(self.path(mark))

    def path(self, mark: int) -> str:
        return f"{self.home}/{PREFIX}{mark:x}"


def move_to(folder: str) -> None:
    """This process, with its one thread."""
    fd = os.open(f"{folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"0")
    finally:
        os.close(fd)


def delegated_home() -> str:
    """The folder of this process's cgroup if others may be made in it; empty if not.

    root may write anywhere, and would get in the way of whoever manages the tree: so for root it
    takes that manager's word.
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
