"""The wall clock is set by an hour under a real controller: no timer fires early, none hangs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes.yard import eventually

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
# libfaketime spoils the absolute time to which Python's `sleep` sleeps.
FAKED = """
import select, sys, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
from controller.cli.main import main
sys.exit(main())
"""
SPEC = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: clock}
spec:
  failFast: false
  defaults: {retry: {limit: 0}}
  steps:
    - {name: ends, run: touch begun; sleep 60, timeoutSeconds: 2}
    - {name: stays, run: sleep 3, timeoutSeconds: 600}
    - name: again
      run: '[ "$TREADLE_ATTEMPT" = 2 ]'
      retry: {limit: 1, backoff: {initialSeconds: 2, jitter: 0}}
"""


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")
@pytest.mark.parametrize("step", ["+3600", "-3600"])
def test_a_wall_clock_that_is_set_moves_no_timer(tmp_path: Path, step: str) -> None:
    specs, state, offset = tmp_path / "specs", tmp_path / "state", tmp_path / "offset"
    specs.mkdir()
    (specs / "clock.yaml").write_text(SPEC)
    offset.write_text("+0")
    env = {
        **os.environ,
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    words = ["up", "--once", "--max-parallel", "3", "--specs", str(specs), "--state", str(state)]
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", FAKED, *words], env=env) as controller:
        eventually((specs / "begun").exists, "it runs")
        offset.write_text(step)
        assert controller.wait(30) == 1  # `ends` has timed out
    assert 2 <= time.monotonic() - began < 20
    log = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file()).decode()
    assert "ClockStepped" in log
    story = subprocess.run(
        [sys.executable, "-m", "controller.cli", "get", "-o", "json", *words[-4:]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert story.count('"Timeout"') >= 1
    phases = phases_of(story)
    assert phases == {"ends": "Failed", "stays": "Succeeded", "again": "Succeeded"}


def phases_of(story: str) -> dict[str, str]:
    (workflow,) = json.loads(story)["items"]
    return {step["name"]: step["phase"] for step in workflow["status"]["steps"]}
