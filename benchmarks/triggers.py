"""Definitions that wait: what they cost, and how long a due time waits for its process.

CPU is that of the controller, from /proc. A due time is that of the wall clock, and the moment of
its process the one that the shim noted, so the two are of one clock.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.measure import summary
from benchmarks.ours import TREADLE
from controller.log.reader import Tail, read
from controller.model import events as e

MANY = 10_000
A_FILE = 500  # documents
TICK = "tick"


def waiting(folder: Path, rounds: int) -> Iterator[str]:
    """One definition that fires each second, alone and beside others that wait."""
    seconds = 12 * rounds
    late: dict[str, list[float]] = {}
    for name, count, trigger in (
        ("alone", 0, {}),
        (f"beside {MANY:,} with a time", MANY, {"schedule": "0 3 1 1 *"}),
        ("beside 1,000 with files", 1_000, {"files": {"path": "../inbox/{}-*.csv"}}),
    ):
        with _up(folder / f"triggers-{count}", count, trigger, ticks=True) as (state, _):
            time.sleep(seconds)
        late[name] = _late(state)
    unit = quantiles(late["alone"], n=100)[98]
    for name, found in late.items():
        p50, p99 = quantiles(found, n=100)[49], quantiles(found, n=100)[98]
        shown = f"p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms, {p99 / unit:.1f} x alone"
        yield f"  due to process, {name:<26} {shown} (goal: 100 ms)"
    for name, count, trigger, goal in (
        ("with a time", MANY, {"schedule": "0 3 1 1 *"}, " (goal: 0.5 %)"),
        ("with files of one folder", 1_000, {"files": {"path": "../inbox/{}-*.csv"}}, ""),
        ("with files of one folder", MANY, {"files": {"path": "../inbox/{}-*.csv"}}, ""),
        ("with files, a folder each", 1_000, {"files": {"path": "../inbox-{}/*.csv"}}, ""),
    ):
        root = folder / f"waits-{name.replace(' ', '-')}-{count}"
        with _up(root, count, trigger, ticks=False) as (_, pid):
            shares = [_share(pid, 10.0) for _ in range(rounds)]
        yield f"  {count:,} {name:<28} {summary(shares, '{:.2f}')} % of a CPU{goal}"


@contextmanager
def _up(root: Path, count: int, trigger: dict[str, Any], ticks: bool) -> Iterator[tuple[Path, int]]:
    """A controller that has armed all of these."""
    specs, state = root / "specs", root / "state"
    specs.mkdir(parents=True)
    (root / "inbox").mkdir()
    documents = [_document(f"w{number}", _numbered(trigger, number)) for number in range(count)]
    for number in range(count if "inbox-" in json.dumps(trigger) else 0):
        (root / f"inbox-{number}").mkdir()
    for first in range(0, count, A_FILE):
        some = documents[first : first + A_FILE]
        (specs / f"{first}.yaml").write_text("\n---\n".join(some))
    if ticks:
        (specs / "tick.yaml").write_text(_document(TICK, {"everySeconds": 1}))
    words = [TREADLE, "up", "--specs", specs, "--state", state, "--max-parallel", "2"]
    with (root / "said").open("wb") as said:
        controller = subprocess.Popen(words, stdout=said, stderr=said)
    try:
        _until_accepted(state, count + ticks, controller.pid)
        yield state, controller.pid
    finally:
        controller.send_signal(signal.SIGTERM)
        controller.wait()


def _document(name: str, trigger: dict[str, Any]) -> str:
    head = {"apiVersion": "treadle.dev/v1", "kind": "Workflow", "metadata": {"name": name}}
    steps = [{"name": "a", "run": "true"}]
    return json.dumps({**head, "spec": {"triggers": [trigger], "steps": steps}})


def _numbered(trigger: dict[str, Any], number: int) -> dict[str, Any]:
    return dict(json.loads(json.dumps(trigger).replace("{}", str(number))))


def _until_accepted(state: Path, count: int, pid: int) -> None:
    """Until all are in force, and what this took is over."""
    while not state.exists():
        time.sleep(0.1)
    tail = Tail(str(state))
    while count > 0:
        count -= sum(isinstance(one.event, e.GenerationAccepted) for one in tail.poll())
        time.sleep(0.1)
    while _share(pid, 2.0) > 50:
        pass


def _share(pid: int, seconds: float) -> float:
    """How much of a CPU it uses in that time, in percent."""
    before = _used(pid)
    time.sleep(seconds)
    return 100 * (_used(pid) - before) / seconds


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _late(state: Path) -> list[float]:
    """Seconds from each due time to the process of its instance; without the first two."""
    dues: dict[str, int] = {}
    found = []
    for record in read(str(state)):
        match record.event:
            case e.FiringDecided(life=life, due=int(due)):
                dues[life] = due
            case e.AttemptStarted(uid=uid, started=started) if uid in dues:
                found.append(started / 1e6 - dues[uid])
    return found[2:]
