"""A place to run attempts in containers, as a controller has it: router, machine, engine."""

import os
import random
import secrets
import select
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from engines.container.worlds import IMAGE, Fake, Podman
from msgspec.structs import replace
from processes.yard import eventually, kill, mark_of, pids, shims_of

from controller.clock import SystemClock
from controller.executor.local.executor import LocalExecutor
from controller.executor.names import name_of
from controller.executor.router import Router
from controller.host.session import OPENERS
from controller.loop.ports import (
    AttemptId,
    End,
    Ended,
    EndFailed,
    Found,
    Launch,
    Observation,
    Queued,
    Running,
    Sites,
    Started,
    Submitted,
)
from controller.spec.placement import InContainer

DEADLINE_SECONDS = 90.0  # podman takes its time on a machine that does other things as well


class Dock:
    """One state folder, its containers, and what its controllers saw."""

    def __init__(self, root: Path, world: Fake | Podman) -> None:
        self.world = world
        self.state, self.work = root / "state", root / "work"
        self.state.mkdir()
        self.work.mkdir()
        self.uid = secrets.token_hex(6)
        self.folder_id = secrets.token_hex(8)
        self.clock = SystemClock()
        self.marks: dict[str, int] = {}
        self.epoch = 0
        self.router = self.next()
        self.seen: list[Observation] = []

    # ------------------------------------------------------------------------------ the controllers
    def next(self, *running: Running, programs: Collection[str] = ("podman",)) -> Router:
        """The next controller, which adopts these."""
        self.epoch += 1
        machine = LocalExecutor(str(self.state), self.epoch, 8, self.clock)
        self.router = Router(machine, OPENERS, str(self.state), self.clock)
        places = {name: {"program": name} for name in programs}
        self.router.adopt(running, Sites(self.folder_id, {"container": places}))
        self.router.flush()
        return self.router

    def crash(self, *steps: str, shim: bool = False) -> Router:
        """The controller dies, perhaps with its shim; the next one knows what the log had."""
        self.router.machine.shim.link.close()
        if shim:
            kill(shims_of(self.state))
            eventually(lambda: not shims_of(self.state), "the shim is dead")
        return self.next(*map(self.running, steps))

    def close(self) -> None:
        with suppress(Exception):
            self.router.close()
        self.world.clear()
        enough = time.monotonic() + DEADLINE_SECONDS
        while victims := [*shims_of(self.state), *self.living()]:
            assert time.monotonic() < enough, f"these do not go: {victims}"
            kill(victims)
            time.sleep(0.005)

    # ----------------------------------------------------------------------------------- the orders
    def id(self, step: str) -> AttemptId:
        return AttemptId(self.uid, step, 1)

    def mark(self, step: str) -> int:
        return self.marks.setdefault(step, random.getrandbits(60))

    def name(self, step: str) -> str:
        return name_of(step, self.mark(step))

    def launch(self, step: str, script: str, **changes: object) -> Launch:
        env = {"TREADLE_UID": self.uid, "TREADLE_STEP": step, "TREADLE_ATTEMPT": "1"}
        placement = {"image": IMAGE, "network": "none", "program": "podman"}
        fields = {
            "id": self.id(step),
            "mark": self.mark(step),
            "argv": ("sh", "-c", script),
            "env": env | changes.pop("env", {}),  # type: ignore[operator]
            "working_dir": str(self.work),
            "log": f"runs/{self.uid}/{step}.1.log",
            "engine": "container",
            "placement": InContainer(**placement | changes.pop("placement", {})),  # type: ignore[operator]
            "folder_id": self.folder_id,
        }
        return Launch(**{**fields, **changes})  # type: ignore[arg-type]

    def submit(self, launch: Launch) -> Launch:
        """As the log has it when it is submitted."""
        self.router.start([launch])
        self.router.flush()
        self.until(lambda: self.last(launch.id.step, Submitted), "it is submitted")
        submitted = self.last(launch.id.step, Submitted)
        return replace(launch, handle=submitted.handle, place=submitted.place)

    def release(self, launch: Launch) -> None:
        self.router.release([launch])
        self.router.flush()

    def run(self, step: str, script: str, **changes: object) -> Launch:
        """Submit it and let it go."""
        launch = self.submit(self.launch(step, script, **changes))
        self.release(launch)
        return launch

    def order(self, step: str, grace: float = 3.0, **changes: bool) -> None:
        place = {"program": "podman"}
        order = End(
            id=self.id(step),
            mark=self.mark(step),
            grace_seconds=grace,
            engine="container",
            handle=self.name(step),
            place=place,
            **changes,
        )
        self.router.end([order])
        self.router.flush()

    def forget(self, *steps: str) -> None:
        self.router.forget([self.id(step) for step in steps])
        self.router.flush()

    # ------------------------------------------------------------------------------- what was seen
    def until(self, condition: Callable[[], object], what: str = "") -> None:
        enough = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < enough, f"never came true: {what}; seen: {self.seen}"
            self.seen += self.router.observe()
            self.router.flush()
            due = self.router.next_due()
            pause = 0.05 if due is None else min(0.05, max(0.0, (due - self.clock.now()) / 1e6))
            select.select(self.router.filenos(), [], [], pause)

    def last(self, step: str, kind: type) -> Observation | None:
        seen = [each for each in self.seen if each.id.step == step and isinstance(each, kind)]
        return seen[-1] if seen else None

    def started(self, step: str) -> Started:
        self.until(lambda: self.last(step, Started), f"start of {step}")
        return self.last(step, Started)

    def ended(self, step: str) -> Ended:
        self.until(lambda: self.last(step, Ended), f"end of {step}")
        return self.last(step, Ended)

    def queued(self, step: str, word: str) -> None:
        """Wait until it waits for a reason with this word."""
        reasons = [Queued, lambda: self.last(step, Queued) or Queued(id=self.id(step), reason="")]
        self.until(lambda: word in reasons[1]().reason, f"{step} waits: {word}")

    def end_failed(self, step: str) -> EndFailed:
        self.until(lambda: self.last(step, EndFailed), f"{step} can't be ended")
        return self.last(step, EndFailed)

    def found(self) -> list[Found]:
        return [each for each in self.seen if isinstance(each, Found)]

    def conditions(self) -> dict[str, str]:
        return {trouble.condition: trouble.message for trouble in self.router.troubles()}

    def running(self, step: str) -> Running:
        """What the log knows of it."""
        started = self.last(step, Started)
        return Running(
            id=self.id(step),
            mark=self.mark(step),
            pid=started.pid if started else None,
            start_ticks=started.start_ticks if started else None,
            started=started.at if started else None,
            boot_id=self.clock.read().boot_id,
            log=f"runs/{self.uid}/{step}.1.log",
            engine="container",
            handle=self.name(step),
            place={"program": "podman"},
        )

    # ----------------------------------------------------------------------------------- the world
    def log(self, step: str) -> str:
        path = self.state / f"runs/{self.uid}/{step}.1.log"
        return path.read_text() if path.exists() else ""

    def file(self, name: str) -> str:
        path = self.work / name
        return path.read_text() if path.exists() else ""

    def appears(self, name: str, text: str = "") -> None:
        """Wait, while the controller goes on, until a step has written this."""
        self.until(lambda: text in self.file(name) and self.file(name), f"{name} is written")

    def living(self, *steps: str) -> set[int]:
        marks = {self.mark(step) for step in steps} if steps else set(self.marks.values())
        return {pid for pid in pids() if mark_of(pid) in marks and alive(pid)}


def alive(pid: int) -> bool:
    with suppress(OSError):
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    return False


def gone(pid: int) -> None:
    eventually(lambda: not os.path.exists(f"/proc/{pid}") or not alive(pid), f"{pid} is gone")
