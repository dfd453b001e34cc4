"""Triggers under kill -9: due times each second, files, runs that follow others, and a ledger.

Two definitions fire each second: `queue` lets its instances wait in turn, `allow` lets them meet.
`chain` follows each run of `queue`, `link` each run of `chain`, and `drop` has an instance for each
file that a feeder puts down in one of several ways. Two controllers stand by for each other all the
time; one of them, or the shim, is killed at random instants and another one begins. In the end the
definitions are suspended, and when all has settled the log is held against the clock, against the
files that there were, and against what the steps wrote into the ledger.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from processes.yard import eventually, kill, pids, shims_of
from processes.yard import read as read_proc

from controller.folder.scan import STILL
from controller.log.archive import beginning
from controller.log.reader import read
from controller.model import events as e

# `treadle` that has snapshots taken, and begins segments, often.
EAGER = """
import sys
from controller.cli.main import main
from controller.log import upkeep, writer
upkeep.EVERY_RECORDS = 400
writer.SEGMENT_SIZE_MAX = 100_000
sys.exit(main())
"""
SETTLE_SECONDS = 300
GAVE_UP = 4  # what a controller says whose shims die again and again
TIMED = ("queue", "allow")
FOLLOWED = {"chain": "queue", "link": "chain"}
SPECS = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {{name: queue}}
spec:
  suspend: {suspend}
  triggers: [{{name: second, everySeconds: 1, catchUp: All}}]
  concurrency: {{policy: Queue, limit: 2, maxQueued: 10000}}
  defaults: {{retry: {{limit: 20, backoff: {{initialSeconds: 0.01, maxSeconds: 0.05}}}}}}
  steps:
    - {{name: a, run: {write}; sleep 0.1}}
    - {{name: b, run: {write}, dependsOn: [a]}}
---
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {{name: allow}}
spec:
  suspend: {suspend}
  triggers: [{{name: second, everySeconds: 1}}]
  concurrency: Allow
  defaults: {{retry: {{limit: 20, backoff: {{initialSeconds: 0.01, maxSeconds: 0.05}}}}}}
  steps:
    - {{name: a, run: {write}; sleep 1.2}}
---
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {{name: chain}}
spec:
  triggers: [{{after: {{workflow: queue, phase: [Succeeded, Failed]}}}}]
  concurrency: Allow
  steps:
    - {{name: a, run: {write}}}
---
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {{name: link}}
spec:
  triggers: [{{after: {{workflow: chain, phase: [Succeeded, Failed]}}}}]
  concurrency: Queue
  steps:
    - {{name: a, run: {write}}}
---
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {{name: drop}}
spec:
  params: {{files: {{type: array, default: []}}}}
  triggers: [{{files: {{path: ../inbox/*.csv}}, params: {{files: "${{{{ trigger.files }}}}"}}}}]
  concurrency: {{policy: Queue, limit: 3}}
  steps:
    - {{name: a, env: {{FILE: "${{{{ params.files[0] }}}}"}}, run: {write}}}
"""


@dataclass
class Figures:
    """What a campaign came to; all that is not a number should be empty."""

    kills: int = 0
    started: int = 0
    skipped: int = 0
    files: int = 0
    attempts: int = 0
    interrupted: int = 0
    undecided: list[str] = field(default_factory=list)  # due times, runs and files without one
    twice: list[str] = field(default_factory=list)  # decided twice, or an attempt that ran twice
    lost: list[str] = field(default_factory=list)  # it ran, and the log does not know it
    unrun: list[str] = field(default_factory=list)  # steps of instances that did not run
    unfinished: list[str] = field(default_factory=list)
    survivors: list[int] = field(default_factory=list)

    def faults(self) -> dict[str, Any]:
        lists = {name: found for name, found in vars(self).items() if isinstance(found, list)}
        return {name: found for name, found in lists.items() if found}

    def __str__(self) -> str:
        counts = {name: len(found) for name, found in vars(self).items() if isinstance(found, list)}
        numbers = {name: n for name, n in vars(self).items() if isinstance(n, int)}
        return ", ".join(f"{name} {n}" for name, n in {**numbers, **counts}.items())


class Feeder:
    """Puts files into a folder. `sure`: those of which a scan can't have seen a part at rest."""

    def __init__(self, inbox: Path, rng: random.Random) -> None:
        self.inbox = inbox
        self.rng = rng
        self.sure: set[str] = set()
        self.written: set[str] = set()
        self._numbers = count()
        self._open: tuple[Any, str, int] | None = None  # file, path, writes that are left
        self._last = 0.0
        self._steady = True

    def step(self) -> None:
        """One more file, or some more bytes of one that is being written."""
        if self._open is not None:
            return self._go_on()
        name = f"{next(self._numbers)}.csv"
        path = self.inbox / name
        match self.rng.choice(["rename", "rename", "write", "slow", "none", "none"]):
            case "rename":
                before = self.inbox / f".{name}"
                before.write_text("x" * self.rng.randrange(1000))
                before.rename(path)
                self._is_there(path, sure=True)
            case "write":
                path.write_text("x" * self.rng.randrange(1000))
                self._is_there(path, sure=True)
            case "slow":
                self._open = path.open("wb", buffering=0), str(path), self.rng.randrange(2, 20)
                self._last, self._steady = time.monotonic(), True
                self._go_on()
        return None

    def _go_on(self) -> None:
        assert self._open is not None
        file, path, left = self._open
        file.write(b"y" * 100)
        now = time.monotonic()
        self._steady &= now - self._last < STILL / 1e6 * 0.8
        self._last = now
        self._open = file, path, left - 1
        if left == 1:
            self.close()

    def close(self) -> None:
        if self._open is not None:
            file, path, _ = self._open
            file.close()
            self._open = None
            self._is_there(Path(path), sure=self._steady)

    def _is_there(self, path: Path, sure: bool) -> None:
        self.written.add(str(path))
        if sure:
            self.sure.add(str(path))


class Firings:
    def __init__(self, root: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.specs, self.state, self.inbox = root / "specs", root / "state", root / "inbox"
        self.ledger, self.errors = root / "ledger", root / "errors"
        self.specs.mkdir(parents=True)
        self.inbox.mkdir()
        self.ledger.touch()
        self.feeder = Feeder(self.inbox, self.rng)
        self._write_specs(suspend=False)

    def _write_specs(self, suspend: bool) -> None:
        write = f'echo "$TREADLE_INSTANCE $TREADLE_STEP $TREADLE_ATTEMPT" >> {self.ledger}'
        text = SPECS.format(write=write, suspend=str(suspend).lower())
        (self.specs / ".new").write_text(text)
        (self.specs / ".new").rename(self.specs / "all.yaml")

    def where(self) -> list[str]:
        return ["--specs", str(self.specs), "--state", str(self.state)]

    def up(self, *options: str) -> subprocess.Popen[bytes]:
        words = ["up", *options, "--max-parallel", "8", *self.where()]
        with self.errors.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-c", EAGER, *words],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    def run(self, seconds: float, longest: float, shims: bool = True) -> Figures:
        """Kill one of two controllers, or the shim too, each time after up to `longest` seconds."""
        figures = Figures()
        controllers = [self.up("--standby"), self.up("--standby")]
        try:
            self._kill_for(seconds, longest, shims, controllers, figures)
            self.feeder.close()
            self._write_specs(suspend=True)
        finally:
            for controller in controllers:
                kill([controller.pid])
                controller.wait()
        self._settle()
        self.judge(figures)
        return figures

    def _kill_for(
        self,
        seconds: float,
        longest: float,
        shims: bool,
        controllers: list[subprocess.Popen[bytes]],
        figures: Figures,
    ) -> None:
        enough = time.monotonic() + seconds
        while time.monotonic() < enough:
            later = time.monotonic() + self.rng.random() * longest
            while time.monotonic() < later:
                self.feeder.step()
                time.sleep(0.03)
            for controller in controllers:
                assert controller.poll() in (None, GAVE_UP), self.errors.read_text()[-2000:]
            chosen = [self.rng.randrange(2)]
            if self.rng.random() < 0.2:
                chosen = [0, 1]
            victims = [controllers[one].pid for one in chosen]
            if shims and self.rng.random() < 0.3:
                victims += shims_of(self.state)
            self.rng.shuffle(victims)
            for pid in victims:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            figures.kills += 1
            for one in chosen:
                controllers[one].wait()
            if len(chosen) == 2:  # nobody is there for some due times
                time.sleep(self.rng.random() * 4)
            for one in chosen:
                controllers[one] = self.up("--standby")

    def _settle(self) -> None:
        """Let one controller bring to an end what there is."""
        while True:
            last = self.up("--once")
            try:
                code = last.wait(SETTLE_SECONDS)
            finally:
                kill([last.pid])
                last.wait()
            assert code in (0, 1, GAVE_UP), self.errors.read_text()[-2000:]
            if code != GAVE_UP:
                return

    # ---------------------------------------- judge

    def judge(self, figures: Figures) -> None:
        story = Story(self.state)
        self._judge_times(story, figures)
        self._judge_chains(story, figures)
        self._judge_files(story, figures)
        self._judge_steps(story, figures)
        for name, firings in story.firings.items():
            figures.skipped += sum(one.outcome == "Skipped" for one in firings)
            for one in firings:
                if one.life and one.life not in story.ends:
                    figures.unfinished.append(f"{name}@{one.key}")
        figures.started = len(story.instances)
        whose = f"TREADLE_STATE={self.state}".encode()
        uids = [f"TREADLE_UID={uid}".encode() for uid in story.instances]
        for pid in pids():
            environ = read_proc(pid, "environ")
            if whose not in environ and any(uid in environ for uid in uids):
                figures.survivors.append(pid)
        kill(shims_of(self.state), signal.SIGTERM)
        eventually(lambda: not shims_of(self.state), "the shim has ended")
        verify = [sys.executable, "-m", "controller.cli", "replay", "--verify", *self.where()]
        assert b"consistent" in subprocess.run(verify, capture_output=True, check=True).stdout

    def _judge_times(self, story: "Story", figures: Figures) -> None:
        """Each second since the trigger was armed, until it was suspended, has one decision."""
        for name in TIMED:
            decided = Counter(due for one in story.firings[name] for due in seconds_of(one))
            figures.twice += [f"{name} {due}" for due, times in decided.items() if times > 1]
            every = range(story.armed[name], story.watched[name] // 1_000_000)
            figures.undecided += [f"{name} {due}" for due in every if due not in decided]

    def _judge_chains(self, story: "Story", figures: Figures) -> None:
        """Each run that ended has one decision of what follows it."""
        for name, other in FOLLOWED.items():
            decided = Counter(one.key for one in story.firings[name])
            ended = {
                one.instance.partition("@")[2]
                for one in story.firings[other]
                if story.ends.get(one.life) in ("Succeeded", "Failed")
            }
            figures.twice += [f"{name} {key}" for key, times in decided.items() if times > 1]
            figures.undecided += [f"{name} {key}" for key in ended - decided.keys()]
            figures.lost += [f"{name} {key}" for key in decided.keys() - ended]

    def _judge_files(self, story: "Story", figures: Figures) -> None:
        """Each file has been consumed once, as it is in the end."""
        taken = [one.file for one in story.firings["drop"] if one.file is not None]
        times = Counter(file.path for file in taken)
        last = {file.path: (file.size, file.mtime) for file in taken}
        figures.files = len(self.feeder.written)
        for path in self.feeder.written:
            status = os.stat(path)
            if last.get(path) != (status.st_size, status.st_mtime_ns):
                figures.undecided.append(path)
            if path in self.feeder.sure and times[path] > 1:
                figures.twice.append(path)
        figures.lost += list(times.keys() - self.feeder.written)

    def _judge_steps(self, story: "Story", figures: Figures) -> None:
        """What the steps have written is what the log says, once each."""
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        ran = Counter((instance, step, int(number)) for instance, step, number in lines)
        figures.twice += [f"{key}" for key, times in ran.items() if times > 1]
        logged = {(story.instances[uid], step, number): code
                  for (uid, step, number), code in story.attempts.items()}  # fmt: skip
        figures.attempts = len(logged)
        figures.lost += [f"{key}" for key in ran.keys() - logged.keys()]
        for key, reason in logged.items():
            if reason in ("Interrupted", "Withdrawn"):
                figures.interrupted += reason == "Interrupted"
            elif reason != "Completed" or not ran[key]:
                figures.unrun.append(f"{key} {reason}")
        for uid, instance in story.instances.items():
            wanted = ("a", "b") if instance.startswith("queue@") else ("a",)
            ends = [sum(story.attempts.get((uid, step, number)) == "Completed"
                        for number in range(1, 30)) for step in wanted]  # fmt: skip
            if story.ends.get(uid) == "Succeeded" and ends != [1] * len(wanted):
                figures.unrun.append(f"{instance} {ends}")


def seconds_of(firing: e.FiringDecided) -> Iterator[int]:
    """The due times that it decides."""
    if firing.due is not None:
        yield from range(firing.first or firing.due, firing.due + 1)


class Story:
    """The whole log, as far as triggers are concerned."""

    def __init__(self, state: Path) -> None:
        self.firings: dict[str, list[e.FiringDecided]] = {
            name: [] for name in (*TIMED, *FOLLOWED, "drop")
        }
        self.armed: dict[str, int] = {}
        # Until when a controller was there before the definition was suspended: what came due
        # between is decided when it counts again.
        self.watched: dict[str, int] = {}
        self.instances: dict[str, str] = {}  # names, by uid
        self.attempts: dict[tuple[str, str, int], str] = {}  # what they came to
        self.ends: dict[str, str] = {}  # the phase of each instance, by uid
        names: dict[str, str] = {}
        turn, time_of_turn, time_before = 0, 0, 0
        for record in read(str(state), 0, beginning(str(state))[1]):
            if record.turn != turn and not isinstance(record.event, e.ControllerStarted):
                time_before, time_of_turn, turn = time_of_turn, record.time, record.turn
            match record.event:
                case e.GenerationAccepted() as one:
                    names[one.uid] = one.workflow
                    if one.generation == 2:
                        self.watched[one.workflow] = time_before
                case e.TriggersArmed() as one:
                    self.armed.setdefault(names[one.uid], one.due.get("second") or 0)
                case e.FiringDecided() as one:
                    self.firings[names[one.uid]].append(one)
                    if one.life:
                        self.instances[one.life] = one.instance
                case e.AttemptScheduled() as one:
                    self.attempts[one.uid, one.step, one.attempt] = "Scheduled"
                case e.AttemptFinished() as one:
                    self.attempts[one.uid, one.step, one.attempt] = one.reason
                case e.WorkflowFinished() as one:
                    self.ends[one.uid] = str(one.phase)


# ---------------------------------------- a controller that stands still

STOPPED = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {{name: allow}}
spec:
  triggers: [{{name: second, everySeconds: 1}}]
  concurrency: Allow
  steps: [{{name: a, run: 'echo "$TREADLE_INSTANCE" >> {ledger}'}}]
"""


def stopped_for(root: Path, seconds: float) -> tuple[Counter[str], list[str]]:
    """SIGSTOP a controller over due times; what became of them, and what is wrong with that."""
    specs, state, ledger = root / "specs", root / "state", root / "ledger"
    specs.mkdir(parents=True)
    ledger.touch()
    (specs / "all.yaml").write_text(STOPPED.format(ledger=ledger))
    words = ["up", "--specs", str(specs), "--state", str(state)]
    controller = subprocess.Popen(
        [sys.executable, "-m", "controller.cli", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(ledger.read_text, "the first one has run")
        os.kill(controller.pid, signal.SIGSTOP)
        stopped = int(time.time())
        time.sleep(seconds)
        os.kill(controller.pid, signal.SIGCONT)
        eventually(
            lambda: any(one.due > stopped + seconds + 1 for one in Story(state).firings["allow"]),
            "it is there again",
        )
        eventually(lambda: not _unrun(Story(state), ledger), "all have run")
        controller.terminate()
        controller.wait()
        story = Story(state)
    finally:
        kill([controller.pid])
        controller.wait()
        kill(shims_of(state))
    firings = story.firings["allow"]
    decided = Counter(due for one in firings for due in seconds_of(one))
    every = range(story.armed["allow"], max(decided) + 1)
    wrong = [f"{due} undecided" for due in every if due not in decided]
    wrong += [f"{due} twice" for due, times in decided.items() if times > 1]
    wrong += [f"{one} did not run once" for one in _unrun(story, ledger)]
    return Counter(one.reason or one.outcome for one in firings for _ in seconds_of(one)), wrong


def _unrun(story: Story, ledger: Path) -> list[str]:
    ran = Counter(ledger.read_text().split())
    return [name for name in story.instances.values() if ran[name] != 1]
