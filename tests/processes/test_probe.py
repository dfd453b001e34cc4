"""What `version -v` tells of this machine."""

import os
import resource

from controller.executor.local.probe import available
from controller.executor.shim.spawn import RLIMIT_LOCKS


def test_the_probe_says_what_linux_has_and_leaves_no_trace() -> None:
    before = resource.getrlimit(RLIMIT_LOCKS), len(os.listdir("/proc/self/fd"))
    found = available()
    assert found.resource_limit
    assert found.descendants
    assert found.environment
    assert found.newborns
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    assert not found.foreign_exits or release >= (6, 15)
    assert (resource.getrlimit(RLIMIT_LOCKS), len(os.listdir("/proc/self/fd"))) == before
