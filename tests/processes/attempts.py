"""Many attempts under one executor, and what they leave behind or cost meanwhile."""

import gc
import os
import time
from pathlib import Path

from processes.yard import Yard, pids, read

AT_ONCE = 200  # offered ahead of the slots


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid: int) -> int:
    """Private and shared memory in use, in KiB."""
    lines = read(pid, "status").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(b"VmRSS"))


def cpu(pid: int) -> float:
    fields = read(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(parents: set[int]) -> list[int]:
    """Zombies and leftovers among them."""
    found = []
    for pid in pids():
        fields = read(pid, "stat").rpartition(b")")[2].split()
        if fields and int(fields[1]) in parents:
            found.append(pid)
    return found


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and "runs" not in path.parts}


def leave_nothing(yard: Yard, attempts: int) -> dict[str, int]:
    """Run them, then count what is more than before: processes, descriptors, files."""
    gc.collect()  # what other tests have left is not counted
    executor = yard.executor()
    yard.forgets = True
    executor.start([yard.launch("first")])
    yard.ended(executor, "first")
    ours = {os.getpid(), executor.shim_pid}
    before = sum(map(descriptors, ours)), files(yard.state), set(children(ours))
    for first in range(0, attempts, AT_ONCE):
        steps = [f"s{number}" for number in range(first, min(first + AT_ONCE, attempts))]
        executor.start([yard.launch(step, log="runs/log") for step in steps])
        yard.ended(executor, *steps)
        yard.seen.clear()

    def left() -> dict[str, int]:
        gc.collect()
        return {
            "descriptors": max(0, sum(map(descriptors, ours)) - before[0]),
            "files": len(files(yard.state) - before[1]),
            "children": len(set(children(ours)) - before[2]),
            "attempts": len(executor.attempts),
        }

    enough = time.monotonic() + 1.0  # the last message may still be on its way
    while any(left().values()) and time.monotonic() < enough:
        executor.observe()
    return left()


def cost_at_once(yard: Yard, steps: int, seconds: float) -> dict[str, float]:
    """Run so many at once: KiB of controller and shim for each, and CPU of both while idle."""
    executor = yard.executor(slots=steps)
    ours = (os.getpid(), executor.shim_pid)
    before = sum(map(memory, ours))
    executor.start([yard.launch(f"s{number}", "/bin/sleep", "600") for number in range(steps)])
    yard.until(executor, lambda: len(yard.starts()) == steps, "all run")
    grown = sum(map(memory, ours)) - before
    worked, began = cpu(executor.shim_pid) + cpu(ours[0]), time.monotonic()
    time.sleep(seconds)  # what is measured is that nothing happens
    executor.observe()
    idle = (cpu(executor.shim_pid) + cpu(ours[0]) - worked) / (time.monotonic() - began)
    later = sum(map(memory, ours)) - before
    return {"KiB an attempt": grown / steps, "KiB later": later / steps, "idle CPU": idle}
