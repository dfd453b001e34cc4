"""A place to run real attempts in, and a look at them that owes nothing to the code under test."""

import os
import random
import re
import resource
import secrets
import select
import signal
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from controller.clock import SystemClock
from controller.executor.local.executor import LocalExecutor
from controller.loop.ports import AttemptId, End, Ended, Launch, Observation, Running, Started

DEADLINE_SECONDS = 30.0  # for what takes milliseconds on an idle machine
RLIMIT_LOCKS = 10


class Prompt(LocalExecutor):
    """One that sends each order at once; a turn sends all of its orders together."""

    def start(self, launches: Sequence[Launch]) -> None:
        super().start(launches)
        self.flush()

    def end(self, orders: Sequence[End]) -> None:
        super().end(orders)
        self.flush()

    def forget(self, ids: Collection[AttemptId]) -> None:
        super().forget(ids)
        self.flush()


class Yard:
    """One state folder and all that was started in it. Nothing survives `clear()`."""

    def __init__(self, root: Path) -> None:
        self.state = root / "state"
        self.state.mkdir(parents=True)
        self.work = root / "work"
        self.work.mkdir()
        self.uid = secrets.token_hex(6)
        self.marks: dict[str, int] = {}
        self.clock = SystemClock()
        self.executors: list[LocalExecutor] = []
        self.seen: list[Observation] = []
        self.forgets = False  # as soon as an end was seen, as a controller does whose log has it

    # ---------------------------------------------------------------------------------- the actors
    def executor(
        self, epoch: int = 1, slots: int = 4, adopts: Sequence[Running] = ()
    ) -> LocalExecutor:
        executor = Prompt(self.state, epoch, slots, self.clock)
        self.executors.append(executor)
        executor.adopt(adopts)
        return executor

    def id(self, step: str, attempt: int = 1) -> AttemptId:
        return AttemptId(self.uid, step, attempt)

    def mark(self, step: str) -> int:
        return self.marks.setdefault(step, random.getrandbits(60))

    def launch(self, step: str, *argv: str, **changes: object) -> Launch:
        """A step of that name; a single word of argv with blanks is a script."""
        if len(argv) == 1 and " " in argv[0]:
            argv = ("/bin/sh", "-c", argv[0])
        env = {"TREADLE_UID": self.uid, "TREADLE_STEP": step, "TREADLE_ATTEMPT": "1"}
        fields = {
            "id": self.id(step),
            "mark": self.mark(step),
            "argv": argv or ("/bin/true",),
            "env": env | changes.pop("env", {}),  # type: ignore[operator]
            "working_dir": str(self.work),
            "log": f"runs/{step}.1.log",
        }
        return Launch(**{**fields, **changes})  # type: ignore[arg-type]

    def order(self, step: str, grace: float = 3.0, **changes: bool) -> End:
        return End(id=self.id(step), mark=self.mark(step), grace_seconds=grace, **changes)

    # ------------------------------------------------------------------------------- what happened
    def until(
        self,
        executor: LocalExecutor,
        condition: Callable[[], object],
        what: str = "",
    ) -> None:
        """Observe until it holds."""
        enough = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < enough, f"never came true: {what}; seen: {self.seen}"
            seen = executor.observe()
            self.seen += seen
            if self.forgets:
                executor.forget([each.id for each in seen if isinstance(each, Ended)])
            due = executor.next_due()
            pause = 0.02 if due is None else min(0.02, max(0.0, (due - self.clock.now()) / 1e6))
            select.select([executor], [], [], pause)

    def ended(self, executor: LocalExecutor, *steps: str) -> list[Ended]:
        """The ends of these steps, once they have all come."""
        self.until(executor, lambda: set(steps) <= self.ends().keys(), f"end of {steps}")
        return [self.ends()[step] for step in steps]

    def started(self, executor: LocalExecutor, step: str) -> Started:
        self.until(executor, lambda: step in self.starts(), f"start of {step}")
        return self.starts()[step]

    def ends(self) -> dict[str, Ended]:
        return {each.id.step: each for each in self.seen if isinstance(each, Ended)}

    def starts(self) -> dict[str, Started]:
        return {each.id.step: each for each in self.seen if isinstance(each, Started)}

    def log(self, step: str) -> str:
        path = self.state / f"runs/{step}.1.log"
        return path.read_text() if path.exists() else ""

    def file(self, name: str) -> str:
        path = self.work / name
        return path.read_text() if path.exists() else ""

    # ----------------------------------------------------------------------------- the whole world
    def living(self, *steps: str) -> set[int]:
        """All processes with the mark of one of these steps (of any, if none is named)."""
        marks = {self.mark(step) for step in steps} if steps else set(self.marks.values())
        return {pid for pid in pids() if mark_of(pid) in marks and not is_zombie(pid)}

    def shims(self) -> list[int]:
        """Every shim of this state folder."""
        return shims_of(self.state)

    def clear(self) -> None:
        """Leave nothing behind, whatever state the test left things in."""
        for executor in self.executors:
            with suppress(Exception):
                executor.close()
        enough = time.monotonic() + DEADLINE_SECONDS
        while victims := [*self.shims(), *self.living()]:
            assert time.monotonic() < enough, f"these do not go: {victims}"
            kill(victims)
            time.sleep(0.005)


def shims_of(state: Path) -> list[int]:
    """Every shim of this state folder.

    Between fork and exec a step looks like its shim: whoever has a shim for a parent is none.
    """
    wanted = os.fsencode(state)
    found = [
        pid
        for pid in pids()
        if wanted in (words := read(pid, "cmdline").split(b"\0"))
        and any(b"controller.executor.shim.main" in word for word in words)
        and not is_zombie(pid)
    ]
    return [pid for pid in found if parent_of(pid) not in found]


def parent_of(pid: int) -> int:
    fields = read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def pids() -> Iterable[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def mark_of(pid: int) -> int:
    try:
        return resource.prlimit(pid, RLIMIT_LOCKS)[0]
    except ProcessLookupError:
        return -1
    except PermissionError:  # of another user, and we are a root that may not do everything
        shown = re.search(rb"Max file locks +(\d+)", read(pid, "limits"))
        return int(shown[1]) if shown else -1


def read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def is_zombie(pid: int) -> bool:
    return read(pid, "stat").rpartition(b")")[2].split()[:1] in ([], [b"Z"])


def kill(victims: Iterable[int], number: int = signal.SIGKILL) -> None:
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def eventually(condition: Callable[[], object], what: str = "") -> None:
    enough = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < enough, f"never came true: {what}"
        time.sleep(0.005)
