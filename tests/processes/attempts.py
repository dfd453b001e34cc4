"""Many attempts under one executor or controller: what they leave behind, or cost meanwhile."""

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from processes.yard import Yard, eventually, kill, pids, read, shims_of

from controller.log.reader import read as read_log
from controller.log.status_file import read_status
from controller.model.events import AttemptFinished, AttemptStarted, Event

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
    ours = {os.getpid(), executor.shim.pid}
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
    ours = (os.getpid(), executor.shim.pid)
    before = sum(map(memory, ours))
    executor.start([yard.launch(f"s{number}", "/bin/sleep", "600") for number in range(steps)])
    yard.until(executor, lambda: len(yard.starts()) == steps, "all run")
    return idle_cost(ours, before, steps, seconds)


def idle_cost(ours: tuple[int, ...], before: int, steps: int, seconds: float) -> dict[str, float]:
    """Of these processes, which took `before` KiB, while so many attempts run."""
    grown = sum(map(memory, ours)) - before
    worked, began = sum(map(cpu, ours)), time.monotonic()
    time.sleep(seconds)  # what is measured is that nothing happens
    idle = (sum(map(cpu, ours)) - worked) / (time.monotonic() - began)
    later = sum(map(memory, ours)) - before
    return {"KiB an attempt": grown / steps, "KiB later": later / steps, "idle CPU": idle}


def whole_cost_at_once(root: Path, steps: int, seconds: float) -> dict[str, float]:
    """As `cost_at_once` for a whole `treadle up`; then a marker cancels all of them."""
    specs, state = root / "specs", root / "state"
    specs.mkdir(parents=True)
    where = ["--specs", str(specs), "--state", str(state)]
    words = ["up", "--max-parallel", str(steps), *where]
    with (root / "errors").open("wb") as errors:
        controller = subprocess.Popen(
            [sys.executable, "-m", "controller.cli", *words],
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        eventually(lambda: shims_of(state), "it has a shim")
        (shim,) = shims_of(state)
        ours = (controller.pid, shim)
        eventually(lambda: read_status(str(state)).phase == "Running", "it is up")
        before = sum(map(memory, ours))
        (specs / "many.yaml").write_text(many(steps))
        eventually(lambda: counted(state, AttemptStarted) == steps, "all run")
        cost = idle_cost(ours, before, steps, seconds)
        began = time.monotonic()
        (specs / "many.cancel").touch()
        eventually(lambda: counted(state, AttemptFinished) == steps, "all are ended")
        assert not children({shim})
        cost["seconds to end"] = time.monotonic() - began
    finally:
        controller.terminate()
        controller.wait()
        kill(shims_of(state))
    assert (root / "errors").read_text() == ""
    return cost


def many(steps: int) -> str:
    each = [{"name": f"s{number}", "command": ["/bin/sleep", "600"]} for number in range(steps)]
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": "many"},
        "spec": {"steps": each},
    }
    return json.dumps(document)


def counted(state: Path, event: type[Event]) -> int:
    return sum(isinstance(record.event, event) for record in read_log(str(state)))
