"""What this machine offers to find an attempt's processes, and how a process of a dead shim ended.

This is for people, in `version -v`. Other code doesn't ask here: it notices by itself when it can't
read something. Each offer is tried once; that costs two processes.
"""

import os
from collections.abc import Callable
from functools import cache

import psutil
from msgspec import Struct

from controller.executor.local.by_mark import last_pid
from controller.executor.local.identity import reaped_status
from controller.executor.shim.cgroup import delegated_home
from controller.executor.shim.spawn import can_mark

CHILDREN = "/proc/thread-self/children"


class Available(Struct, frozen=True, kw_only=True):
    resource_limit: bool  # a number in RLIMIT_LOCKS, which every descendant inherits
    descendants: bool  # psutil shows parents
    environment: bool  # psutil shows environments
    cgroup: bool  # a part of the tree of cgroups is delegated to us
    leftovers: bool  # the kernel lists children: what a step left running is known at once
    newborns: bool  # the newest pid is known: proves that no process was missed
    foreign_exits: bool  # PIDFD_GET_INFO: exit codes are known even if the shim dies


@cache
def available() -> Available:
    return Available(
        resource_limit=can_mark(),
        descendants=tells(psutil.Process().ppid),
        environment=tells(psutil.Process().environ),
        cgroup=bool(delegated_home()),
        leftovers=os.path.exists(CHILDREN),
        newborns=tells_newborns(),
        foreign_exits=tells_exits(),
    )


def tells(ask: Callable[[], object]) -> bool:
    try:
        return bool(ask())
    except (psutil.Error, OSError):
        return False


def tells_newborns() -> bool:
    """Does the newest pid change when a process starts?"""
    before = last_pid()
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    return last_pid() != before


def tells_exits() -> bool:
    """Does the kernel give the wait status of a process that was reaped?"""
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 42"], {})
    try:
        pidfd = os.pidfd_open(child)
    except OSError:
        return False
    finally:
        _, status = os.waitpid(child, 0)
    try:
        return reaped_status(pidfd) == status
    finally:
        os.close(pidfd)
