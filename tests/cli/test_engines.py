"""Engines as people meet them: one that can't be reached, what is given up, and `doctor`."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.place import DEADLINE_SECONDS, HELD, Place
from cli.test_stopping import POWERLESS, runs

from controller.log.status_file import read_status


@pytest.fixture
def no_cluster(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slurm's programs are there, and none of them reaches a cluster."""
    programs = place.root / "bin"
    programs.mkdir()
    for name in ("sbatch", "squeue", "scontrol", "scancel", "sacct"):
        program = programs / name
        program.write_text(
            "#!/bin/sh\necho 'error: Unable to contact slurm controller' >&2\nexit 1\n"
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return programs


def write(place: Place, name: str = "far", **executor: Any) -> None:
    step = {"name": "a", "run": "echo hello", "executor": executor or {"slurm": {}}}
    spec = {"steps": [step], "executor": {"slurm": {"sharedDir": str(place.root / "shared")}}}
    head = {"apiVersion": "treadle.dev/v1", "kind": "Workflow", "metadata": {"name": name}}
    (place.specs / f"{name}.yaml").write_text(json.dumps({**head, "spec": spec}))


def unreachable(place: Place) -> bool:
    conditions = read_status(str(place.state)).conditions
    return any(one.type == "EngineUnreachable" for one in conditions)


@pytest.mark.usefixtures("no_cluster")
def test_a_cluster_that_can_t_be_reached_and_a_step_that_is_given_up(place: Place) -> None:
    write(place)
    place.spec("near", b="echo near")
    with place.up():
        place.until(lambda: unreachable(place) and place.phase("near") == "Succeeded")
        assert place.phase("far") == "Pending"
        assert "EngineUnreachable" in place.treadle("get").stderr.decode()
        said = " ".join(place.says("explain", "far", "a").split())
        assert "far/a is Ready (EngineUnreachable): Slurm can't be reached" in said
        assert "needs a --reason" in place.complains("cancel", "far", "a", "--abandon", code=2)
        why = ("--abandon", "--reason", "it is gone")
        refused = place.complains("cancel", "near", "b", *why, code=2)
        assert 'nothing of "b" runs' in refused
        would = place.says("cancel", "far", "a", *why, "--dry-run")
        assert would == "far: would give up a\n"
        done = place.treadle("cancel", "far", "a", *why)
        assert done.stdout == b"far: giving up a (applied)\n"
        assert "it is gone; what slurm got of it may still run" in done.stderr.decode()
        place.until(lambda: place.phase("far") == "Failed")
    (attempt,) = place.shape("far")["status"]["steps"][0]["attempts"]
    assert (attempt["phase"], attempt["reason"]) == ("Interrupted", "Abandoned")
    assert attempt["engine"] == "slurm"
    found = [json.loads(line) for line in place.says("doctor", "-o", "json", code=1).splitlines()]
    assert {(one["of"], one["fine"]) for one in found} >= {
        ("slurm", False),
        ("given up: far/a attempt 1", False),
    }


@pytest.mark.usefixtures("no_cluster")
def test_without_a_controller_nobody_knows_what_can_be_reached(place: Place) -> None:
    write(place)
    with place.up():
        place.until(lambda: unreachable(place))
    refused = place.complains("cancel", "far", "a", "--abandon", "--reason", "x", code=2)
    assert "without a controller, nobody knows whether an engine can be reached" in refused


def test_a_process_that_can_t_be_stopped_is_given_up(place: Place) -> None:
    place.spec("w", a=HELD)
    controller = place.begin("up", program=(sys.executable, "-c", POWERLESS))
    try:
        place.until(lambda: runs(place))
        why = ("--abandon", "--reason", "it hangs in the kernel")
        assert "can be stopped" in place.complains("cancel", "w", "a", *why, code=2)
        place.says("cancel", "w", "a")
        place.until(lambda: bool(place.folded().workflows["w"].steps["a"].attempts[0].survivors))
        pid = place.folded().workflows["w"].steps["a"].attempts[0].pid
        place.says("cancel", "w", "a", *why)
        place.until(lambda: place.phase("w") == "Cancelled")
        assert f"pid {pid}" in place.says("doctor", code=1)
    finally:
        controller.send_signal(signal.SIGTERM)
        controller.communicate(timeout=DEADLINE_SECONDS)


def test_with_no_engine_there_is_nothing_to_check(place: Place) -> None:
    place.spec("w", a="echo")
    done = place.treadle("doctor")
    assert done.stdout == b""
    assert done.stderr == b"no spec and no attempt names an engine: there is nothing to check\n"


@pytest.mark.usefixtures("no_cluster")
def test_doctor_reads_the_folder_before_any_controller_does(place: Place) -> None:
    write(place)
    said = place.says("doctor", code=1)
    assert "✗ slurm: " in said and "Unable to contact slurm controller" in said
    assert "✓ sharedDir " in said
    assert not place.state.exists(), "it writes nothing"


@pytest.mark.usefixtures("no_cluster")
def test_what_is_missing_is_said_before_a_step_needs_it(place: Place) -> None:
    """Until the spec no longer names it."""
    write(place)
    path = place.specs / "far.yaml"
    spec = json.loads(path.read_text())
    first = {"name": "first", "run": HELD, "executor": "local"}
    spec["spec"]["steps"] = [first, {**spec["spec"]["steps"][0], "dependsOn": ["first"]}]
    path.write_text(json.dumps(spec))
    with place.up():
        place.until(lambda: unreachable(place))
        assert place.phase("far") in ("Pending", "Running")
        spec["spec"] = {"steps": [first]}
        path.write_text(json.dumps(spec))
        place.until(lambda: not unreachable(place))
