"""A cluster without Slurm, and a controller that is nothing but an engine and what a log keeps.

The programs are real ones, on PATH, so threads, time limits and garbage are as they are. The clock
is not: it jumps to what is due next when no program runs.
"""

import fcntl
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.executor.calls import Calls
from controller.executor.names import name_of
from controller.executor.slurm.engine import SlurmEngine
from controller.executor.surroundings import Surroundings
from controller.loop.ports import (
    AttemptId,
    ClockReading,
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
from controller.model.state import SECOND
from controller.spec.placement import OnSlurm

FOLDER_ID = "folder-1"
PROGRAMS = Path(__file__).with_name("programs.py")
REAL_SECONDS = 30
SPINS_MAX = 20


class VirtualClock:
    def __init__(self) -> None:
        self.time = 1_000_000 * SECOND

    def now(self) -> int:
        self.time += 1  # so that what happens later is later
        return self.time

    def read(self) -> ClockReading:
        return ClockReading("boot", self.time, self.time, self.time)


class FakeCluster:
    """What the programs know: a file, which a test may change."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir(parents=True)
        for name in ("sbatch", "squeue", "scontrol", "scancel", "sacct"):
            path = programs / name
            path.write_text(f"#!{sys.executable} -IS\n" + PROGRAMS.read_text())
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_SLURM", str(folder))
        monkeypatch.delenv("SLURM_CONF", raising=False)
        state = {
            "next": 1,
            "jobs": {},
            "calls": [],
            "confs": [],  # that of each call
            "ran": [],
            "twice": [],
            "ghosts": [],
            "misbehave": {},
            "books": [],
            "queue": False,  # released jobs wait
            "go_on": False,  # running ones go on
            "deaf": False,  # runners hear no signal
        }
        (folder / "state.json").write_text(json.dumps(state))

    @contextmanager
    def changed(self) -> Iterator[Any]:
        """Its state, to be changed by a test."""
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = json.loads((self.folder / "state.json").read_text())
            yield state
            (self.folder / "state.json").write_text(json.dumps(state))

    @property
    def state(self) -> Any:
        with self.changed() as state:
            return state

    def jobs(self, name: str = "") -> list[Any]:
        return [job for job in self.state["jobs"].values() if name in job["name"]]

    def job(self, name: str) -> Any:
        (job,) = self.jobs(name)
        return job

    def set(self, **what: Any) -> None:
        with self.changed() as state:
            state.update(what)

    def set_job(self, handle: str, **what: Any) -> None:
        with self.changed() as state:
            state["jobs"][handle].update(what)

    def misbehave(self, program: str, *how: str) -> None:
        with self.changed() as state:
            state["misbehave"].setdefault(program, []).extend(how)

    def calls(self, *words: str) -> list[list[str]]:
        """The calls that begin so."""
        return [call for call in self.state["calls"] if call[: len(words)] == list(words)]


class Killed(Exception):
    """The controller was killed here."""


class KeptAttempt:
    """What the log has of an attempt."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.handle = ""
        self.place = {"sharedDir": launch.placement.shared_dir}  # type: ignore[union-attr]
        self.started: int | None = None
        self.ended: Ended | None = None
        self.order: End | None = None


class World:
    """All that outlives a controller: the cluster, the log, the clock."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster = FakeCluster(folder / "cluster", monkeypatch)
        self.clock = VirtualClock()
        self.state_dir = folder / "state"
        self.state_dir.mkdir()
        self.shared = folder / "shared"
        self.log: dict[AttemptId, KeptAttempt] = {}
        self.sites: dict[str, dict[str, str]] = {}
        self.seen: list[Observation] = []
        self.kill_at = ""

    def point(self, name: str) -> None:
        """Somewhere a controller can be killed."""
        if name == self.kill_at:
            self.kill_at = ""
            raise Killed(name)

    def launch(self, step: str, **changes: Any) -> Launch:
        number = len(self.log) + 1
        fields: dict[str, Any] = {
            "id": AttemptId("uid", step, 1),
            "mark": number,
            "argv": ("true",),
            "env": {"A": "b"},
            "working_dir": "/",
            "log": f"runs/uid/{step}.1.log",
            "engine": "slurm",
            "placement": OnSlurm(shared_dir=str(self.shared)),
            "folder_id": FOLDER_ID,
        }
        return Launch(**{**fields, **changes})

    def folder(self, step: str) -> Path:
        launch = next(kept.launch for attempt, kept in self.log.items() if attempt.step == step)
        return self.shared / FOLDER_ID / name_of(step, launch.mark)

    def of(self, step: str, kind: type[Any]) -> list[Any]:
        return [news for news in self.seen if news.id.step == step and isinstance(news, kind)]

    def ended(self, step: str) -> Ended | None:
        return next((kept.ended for a, kept in self.log.items() if a.step == step), None)

    def reasons(self, step: str) -> list[str]:
        return [news.reason for news in self.of(step, Queued)]

    def end_problems(self, step: str) -> list[str]:
        return [news.problem for news in self.of(step, EndFailed)]


class Machine:
    """Nothing of this engine runs on this machine."""

    def outputs(self, _: str) -> bytes | None:
        return None


class Controller:
    """An engine, and the order in which a turn asks it."""

    def __init__(self, world: World) -> None:
        self.world = world
        around = Surroundings(Machine(), str(world.state_dir), world.clock)  # type: ignore[arg-type]
        self.around = around
        self.engine = SlurmEngine(around)
        live = [kept for kept in world.log.values() if kept.ended is None]
        self.engine.adopt(
            [_running(kept) for kept in live], Sites(FOLDER_ID, {"slurm": world.sites})
        )
        self._carry_out([kept for kept in live if kept.order is None])
        self.engine.end([kept.order for kept in live if kept.order is not None])

    def start(self, *launches: Launch) -> None:
        kept = [KeptAttempt(launch) for launch in launches]
        self.world.log |= {one.launch.id: one for one in kept}
        self.world.point("scheduled")
        self._carry_out(kept)

    def end(self, step: str, *, withdraw_only: bool = False, timed_out: bool = False) -> None:
        kept = next(kept for attempt, kept in self.world.log.items() if attempt.step == step)
        kept.order = End(
            id=kept.launch.id,
            mark=kept.launch.mark,
            grace_seconds=3.0,
            withdraw_only=withdraw_only,
            timed_out=timed_out,
            engine="slurm",
            handle=kept.handle,
            place=kept.place,
        )
        self.engine.end([kept.order])

    def turn(self) -> None:
        self._points_before_it_hears()
        self.around.rest()
        seen = self.engine.observe()
        self.world.seen += seen
        for news in seen:
            self._record_and_act(news)
        self.engine.flush()

    def _points_before_it_hears(self) -> None:
        if self.world.kill_at in ("unheard", "released unheard"):
            state, kept = self.world.cluster.state, self.world.log.values()
            if state["jobs"] and not any(one.handle for one in kept):
                self.world.point("unheard")
            if state["ran"] and not any(one.started for one in kept):
                self.world.point("released unheard")

    def until(self, done: Callable[[], object], seconds: float = 600.0) -> None:
        """Take turns until then; the clock may jump so far."""
        until = self.world.clock.time + int(seconds * SECOND)
        spins = 0
        while True:
            self.turn()
            if done():
                return
            if self.busy:
                self._wait()
                continue
            due = self.engine.next_due()
            if due is None or due > until:
                raise AssertionError(self.world.seen)
            spins = 0 if due > self.world.clock.time else spins + 1
            assert spins < SPINS_MAX, "it asks for a turn again and again, and does nothing in it"
            self.world.clock.time = max(self.world.clock.time, due)

    def until_ended(self, *steps: str) -> None:
        names = steps or [attempt.step for attempt in self.world.log]
        self.until(lambda: all(self.world.ended(name) is not None for name in names))

    def rest(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.world.clock.time + int(seconds * SECOND)
        self.until(lambda: self.world.clock.time >= until or self._nothing_before(until), seconds)

    def _nothing_before(self, until: int) -> bool:
        due = self.engine.next_due()
        if self.busy or (due is not None and due <= until):
            return False
        self.world.clock.time = until
        return True

    @property
    def busy(self) -> bool:
        return any(_is_busy(calls) for calls in (self.engine._programs, self.engine._files))

    def _wait(self) -> None:
        ready, _, _ = select.select([self.around.fileno()], [], [], REAL_SECONDS)
        assert ready, self.world.cluster.state["calls"][-5:]

    def _carry_out(self, live: list[KeptAttempt]) -> None:
        self.engine.start([kept.launch for kept in live if not kept.handle])
        self.engine.release(
            [_launch(kept) for kept in live if kept.handle and kept.started is None]
        )

    def _record_and_act(self, news: Observation) -> None:
        world, kept = self.world, self.world.log.get(news.id)
        known = kept is not None and kept.ended is None
        match news:
            case Submitted() if known and kept is not None and not kept.handle:
                world.point("answered")
                kept.handle, kept.place = news.handle, news.place
                world.sites[news.site] = news.place
                world.point("kept")
                if kept.order is None:
                    self.engine.release([_launch(kept)])
                world.point("let go")
            case Started() if known and kept is not None and kept.started is None:
                world.point("started")
                kept.started = news.at
                world.point("start kept")
            case Ended() if known and kept is not None:
                world.point("ended")
                kept.ended = news
                world.point("end kept")
                self.engine.forget([news.id])
                self.engine.flush()
                world.point("forgotten")
            case Found() if kept is None:
                self.engine.disown([news])
            case Found() if not known:
                self.engine.forget([news.id])


def _is_busy(calls: Calls) -> bool:
    return bool(calls._begun or calls._done or not calls._todo.empty())


def _launch(kept: KeptAttempt) -> Launch:
    fields = {name: getattr(kept.launch, name) for name in kept.launch.__struct_fields__}
    return Launch(**{**fields, "handle": kept.handle, "place": kept.place})


def _running(kept: KeptAttempt) -> Running:
    return Running(
        id=kept.launch.id,
        mark=kept.launch.mark,
        log=kept.launch.log,
        engine="slurm",
        handle=kept.handle,
        place=kept.place,
        started=kept.started,
    )


def wait_for(done: Callable[[], object]) -> None:
    """For something that no controller brings about."""
    until = time.monotonic() + REAL_SECONDS
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)
