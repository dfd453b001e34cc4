"""The wall clock is set over due times, or the controller stands still: none starts twice."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.firings import seconds_of
from processes.test_clock import FAKED, LIBRARIES
from processes.yard import eventually, kill, shims_of

from controller.log.reader import read
from controller.model import events as e

EVERY = 600
SPEC = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {{name: w}}
spec:
  triggers:
    - {{name: t, everySeconds: 600, catchUp: {catch_up}}}
    - {{name: wakes, files: {{path: ../*.csv}}}}
  concurrency: Allow
  steps: [{{name: a, run: 'echo "$TREADLE_INSTANCE" >> ../ledger'}}]
"""


class Clocked:
    """A controller whose wall clock the test sets. Its other clocks are the machine's."""

    def __init__(self, root: Path, catch_up: str) -> None:
        self.specs, self.state, self.offset = root / "specs", root / "state", root / "offset"
        self.ledger = root / "ledger"
        self.specs.mkdir()
        (self.specs / "w.yaml").write_text(SPEC.format(catch_up=catch_up))
        self.offset.write_text("+0")
        words = ["up", "--specs", str(self.specs), "--state", str(self.state)]
        fake = {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.offset),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.controller = subprocess.Popen(
            [sys.executable, "-c", FAKED, *words],
            env={**os.environ, **fake},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def begin(self) -> None:
        eventually(lambda: self.events(e.TriggersArmed), "it is armed")

    def events(self, kind: type[e.Event]) -> list[e.Event]:
        if not self.state.exists():
            return []
        return [one.event for one in read(str(self.state)) if isinstance(one.event, kind)]

    def set(self, hours: float) -> None:
        """Set the clock to so many hours ahead of the machine's; returns when it is known."""
        before = len(self.events(e.ClockStepped))
        self.offset.write_text(f"{hours * 3600:+.0f}")
        eventually(lambda: len(self.events(e.ClockStepped)) > before, "the step is recorded")

    def started(self) -> list[int]:
        return [one.due for one in self.firings() if one.outcome != "Skipped"]

    def firings(self) -> list[e.FiringDecided]:
        return self.events(e.FiringDecided)  # type: ignore[return-value]

    def ran(self) -> list[str]:
        return self.ledger.read_text().split() if self.ledger.exists() else []

    def settle(self) -> None:
        eventually(lambda: len(self.ran()) >= len(self.started()), "all have run")


@pytest.fixture
def clocked(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Clocked]:
    clocked = Clocked(tmp_path, getattr(request, "param", "Latest"))
    try:
        clocked.begin()
        yield clocked
    finally:
        kill([clocked.controller.pid])
        clocked.controller.wait()
        kill(shims_of(clocked.state))


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")
@pytest.mark.parametrize("clocked", ["Latest", "All"], indirect=True)
def test_a_clock_that_is_set_forward_and_back_starts_none_twice(clocked: Clocked) -> None:
    clocked.set(2)
    eventually(clocked.started, "a missed one was started")
    for hours in (0.0, 2.0, 1.0, 3.0, -1.0, 3.0):
        clocked.set(hours)
        clocked.settle()
    newest = max(due for one in clocked.firings() for due in seconds_of(one))
    eventually(lambda: newest in clocked.started(), "the newest of those missed was started")
    clocked.settle()
    assert max(Counter(clocked.started()).values()) == 1
    assert sorted(clocked.ran()) == sorted({*clocked.ran()})
    assert len(clocked.ran()) == len(clocked.started())


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")
def test_a_clock_that_is_set_back_and_right_again_fires_nothing(clocked: Clocked) -> None:
    clocked.set(-2)
    clocked.set(0)
    due_meanwhile = clocked.started()
    assert len(due_meanwhile) <= 1  # the machine's own time goes on
    assert all(one.outcome == "Started" for one in clocked.firings())
