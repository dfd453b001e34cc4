"""What sheds every other mark is still found by its cgroup, where one is delegated."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from processes.yard import Yard, eventually, pids, read

from controller.executor.local.marks import marks_in
from controller.executor.shim.cgroup import (
    PREFIX,
    Cgroups,
    delegated_home,
    mounted_at,
    move_to,
    own_place,
)

SLEEPER = "300.0625"  # seconds; told from others by its command line alone

# Sets its limit anew, clears its environment, leaves its session and its parent.
SHEDS_ALL = f"""
import os, resource
resource.setrlimit(10, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "{SLEEPER}"], {{}})
    os._exit(0)
os.wait()
open("up", "w").write("up")
"""


@pytest.fixture
def delegated() -> Iterator[Path]:
    """This process in a cgroup that it may divide, as a service with Delegate=yes."""
    if os.geteuid() != 0:
        pytest.skip("only root can delegate a cgroup")
    root = mounted_at()
    before = root + own_place()
    home = Path(f"{root}{own_place().rstrip('/')}/delegated-{os.getpid()}")
    try:
        home.mkdir()
        os.setxattr(home, "user.delegate", b"1")
        move_to(str(home))
    except OSError as fault:
        pytest.skip(f"no cgroup can be made here: {fault}")
    yield home
    move_to(before)

    def gone() -> bool:
        for path, _, _ in os.walk(home, topdown=False):
            with suppress(OSError):
                os.rmdir(path)
        return not home.exists()

    eventually(gone, "the cgroup is empty")


def sleepers() -> list[int]:
    return [pid for pid in pids() if SLEEPER.encode() in read(pid, "cmdline").split(b"\0")]


@pytest.mark.parametrize("how", ["left", "ended"])
def test_it_is_found_by_its_cgroup(delegated: Path, yard: Yard, how: str) -> None:
    (yard.work / "shed.py").write_text(SHEDS_ALL)
    hold = "; sleep 300; true" if how == "ended" else ""
    executor = yard.executor()
    executor.start([yard.launch("step", f"python3 shed.py{hold}")])
    yard.until(executor, lambda: yard.file("up"))
    eventually(sleepers)
    if how == "ended":
        executor.end([yard.order("step", grace=1.0)])
    (end,) = yard.ended(executor, "step")
    assert not sleepers()
    assert end.left_processes == (1 if how == "left" else 0)
    executor.forget([end.id])
    yard.until(executor, lambda: not list(delegated.glob(f"{PREFIX}*")), "its cgroup is gone")


def test_a_spawn_leaves_the_shim_where_it_was(delegated: Path) -> None:
    before = own_place()
    cgroups = Cgroups()
    cgroups.enter(77)
    assert marks_in(own_place().encode()) == [77]
    cgroups.leave()
    assert own_place() == before
    cgroups.drop(77)
    assert not list(delegated.glob(f"{PREFIX}*"))


def test_root_leaves_a_tree_alone_that_nobody_delegated() -> None:
    if os.geteuid() != 0 or not own_place().endswith("/"):
        pytest.skip("only in the root of the tree")
    assert delegated_home() == ""


@pytest.mark.parametrize(
    ("place", "marks"),
    [
        (b"0::/", []),
        (b"0::/user.slice/treadle-4d\n", [77]),
        (b"0::/treadle-4d/treadle-1", [77, 1]),
        (b"0::/treadle-/treadle-xyz", []),
    ],
)
def test_the_name_of_a_cgroup_carries_the_mark(place: bytes, marks: list[int]) -> None:
    assert marks_in(place) == marks
