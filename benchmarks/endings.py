"""What it takes to end a tree of 1,000 processes, against signalling pids that are known already.

The bare way is told whom to signal and trusts the numbers: it looks at nobody, proves nothing and
misses whoever is born meanwhile. Both end trees of the same form; the processes of the one ignore
SIGTERM, so that a sweep is timed, those of the other end by it.
"""

import os
import select
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.measure import summary
from controller.clock import SystemClock
from controller.executor.local.executor import LocalExecutor
from controller.loop.ports import AttemptId, End, Ended, Launch, Started

Seen = TypeVar("Seen", Started, Ended)

PROCESSES = 1_000
MARK = 0x7EAD1E
STEP = AttemptId("bench", "tree", 1)
TREE = f"""
import os, signal, sys, time
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for branch in range(10):
    if os.fork() == 0:
        for leaf in range({PROCESSES // 10 - 1}):
            if os.fork() == 0:
                break
        time.sleep(600)
time.sleep(600)
"""


def ending(folder: Path, rounds: int) -> Iterator[str]:
    """In units of `kill` for each pid, and the wait until all are gone."""
    for form, title, number in (
        ("plain", "SIGTERM to each", signal.SIGTERM),
        ("deaf", "a sweep", signal.SIGKILL),
    ):
        seconds, ratios = [], []
        for _ in range(rounds):
            bare = _bare(form, number)
            seconds.append(_ours(folder, form))
            ratios.append(seconds[-1] / bare)
        spent = f"{1000 * statistics.median(seconds):,.0f} ms"
        yield f"  {title:<18}{summary(ratios)} x kill of each pid   {spent}"


def _bare(form: str, number: int) -> float:
    """All hold a pipe: its end is that of the last."""
    ours, theirs = os.pipe()
    files = [(os.POSIX_SPAWN_DUP2, theirs, 1)]
    root = os.posix_spawn(sys.executable, _argv(form), os.environ, file_actions=files)
    os.close(theirs)
    victims = [root, *_grown(root)]
    begun = time.perf_counter()
    for pid in victims:
        os.kill(pid, number)
    os.read(ours, 1)
    spent = time.perf_counter() - begun
    os.close(ours)
    os.waitpid(root, 0)
    return spent


def _ours(folder: Path, form: str) -> float:
    """From the order to the proof, by the executor alone: no log, no planner."""
    state = Path(tempfile.mkdtemp(prefix="endings-", dir=folder))
    executor = LocalExecutor(str(state), epoch=1, slots=1, clock=SystemClock())
    executor.adopt([])
    launch = Launch(id=STEP, mark=MARK, argv=_argv(form), env={}, working_dir=str(state), log="log")
    executor.start([launch])
    _grown(_observed(executor, Started).pid)
    begun = time.perf_counter()
    grace = 0.0 if form == "deaf" else 60.0
    executor.end([End(id=STEP, mark=MARK, grace_seconds=grace)])
    _observed(executor, Ended)
    spent = time.perf_counter() - begun
    executor.forget([STEP])
    executor.close()
    return spent


def _argv(form: str) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", TREE, form


def _grown(root: int) -> list[int]:
    """The pids below it, once all are there."""
    while len(below := psutil.Process(root).children(recursive=True)) < PROCESSES:
        time.sleep(0.1)
    return [process.pid for process in below]


def _observed(executor: LocalExecutor, kind: type[Seen]) -> Seen:
    """The first such news, which its controller would have waited for like this."""
    while True:
        for news in executor.observe():
            if isinstance(news, kind):
                return news
        due = executor.next_due()
        pause = 1.0 if due is None else (due - executor.clock.now()) / 1e6
        select.select([executor], [], [], max(0.0, pause))
