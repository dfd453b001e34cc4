"""treadle as a person runs it: `treadle run FILE --state NEW --max-parallel N`.

Two times a lap: of the whole process, start-up included, and the steady one that the log tells,
from the first AttemptScheduled to WorkflowFinished. Every lap has a state folder of its own.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.rivals import TRUE
from benchmarks.shapes import Shape

TREADLE = Path(sys.executable).with_name("treadle")
CHAIN = 4  # steps of the template that is measured


class Run(NamedTuple):
    """One run that went through: where its log is, and what the controller used."""

    state: Path
    wall: float
    used: resource.struct_rusage

    @property
    def steady(self) -> float:
        return self.moment("WorkflowFinished") - self.moment("AttemptScheduled")

    def moment(self, kind: str) -> float:
        """When the first event of that type was recorded, in seconds since 1970."""
        return float(next(r["time"] for r in self.records() if r["event"]["type"] == kind)) / 1e6

    def records(self) -> Iterator[dict[str, Any]]:
        """The log, as `jq` would read it."""
        for segment in sorted((self.state / "log").glob("*.jsonl")):
            with segment.open("rb") as lines:
                yield from map(json.loads, lines)

    def shim(self) -> psutil.Process:
        """It stays for some seconds after its controller has ended, so it can be asked."""
        for process in psutil.process_iter(["cmdline"]):
            if str(self.state) in (process.info["cmdline"] or []):
                return process
        raise LookupError(f"no shim runs for {self.state}")


class Treadle:
    name = "treadle"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lap(self, shape: Shape, form: str, jobs: int) -> dict[str, float]:
        run = self.run(shape, form, jobs)
        return {"treadle": run.wall, "treadle, steady": run.steady}

    def run(self, shape: Shape, form: str, jobs: int) -> Run:
        """One run in a new state folder."""
        return self._whole(["run", str(write_spec(self._folder, shape, form))], jobs)

    def up(self, specs: Path, jobs: int) -> Run:
        """One `up --once` of this folder in a new state folder."""
        return self._whole(["up", "--once", "--specs", str(specs)], jobs)

    def _whole(self, command: list[str], jobs: int) -> Run:
        state = Path(tempfile.mkdtemp(prefix="state-", dir=self._folder))
        words = [str(TREADLE), *command, "--state", str(state), "--max-parallel", str(jobs)]
        begun = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, words)
        return Run(state, wall, used)


def write_json(path: Path, shape: Shape, changed: str = "", uses: Sequence[str] = ()) -> None:
    """The shape as a JSON spec; the step `changed` has an argument that others have not.

    `uses`: the pools that each step uses.
    """
    steps = [
        {
            "name": name,
            "command": [TRUE, "changed"] if name == changed else [TRUE],
            **({"dependsOn": others} if others else {}),
        }
        for name, others in shape.steps.items()
    ]
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": "bench"},
        "spec": {"steps": steps, **({"defaults": {"uses": [*uses]}} if uses else {})},
    }
    path.write_text(json.dumps(document))


def write_pool(path: Path, name: str, slots: int) -> None:
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Pool",
        "metadata": {"name": name},
        "spec": {"slots": slots},
    }
    path.write_text(json.dumps(document))


def write_spec(folder: Path, shape: Shape, form: str) -> Path:
    """`form`: what a step has: `command`, `run`, or `data`, a command and values that it reads.

    With `children` there is one step, which has as many of them as the shape has steps; with
    `templates` one that calls a template of CHAIN steps, in all as many as the shape has.
    """
    if form == "children":
        return _write_children(folder, len(shape))
    if form == "templates":
        return _write_templates(folder, len(shape) // CHAIN)
    if form == "data":
        return _write_data(folder, shape)
    what = f"command: [{TRUE}]" if form == "command" else f"run: {TRUE}"
    steps = "".join(
        f"    - name: {name}\n      {what}\n"
        + (f"      dependsOn: [{', '.join(others)}]\n" if others else "")
        for name, others in shape.steps.items()
    )
    path = folder / "bench.yaml"
    path.write_text(
        "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: bench}\n"
        f"spec:\n  steps:\n{steps}"
    )
    return path


def _write_children(folder: Path, count: int) -> Path:
    step = {"name": "s", "forEach": list(range(count)), "command": [TRUE]}
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": "bench"},
        "spec": {"steps": [step]},
    }
    path = folder / "bench-children.json"
    path.write_text(json.dumps(document))
    return path


def _write_templates(folder: Path, count: int) -> Path:
    """A chain of steps for each item, which all of them read."""
    steps = [
        {
            "name": f"c{i}",
            "command": [TRUE, "${{ params.item }}"],
            **({"dependsOn": [f"c{i - 1}"]} if i else {}),
        }
        for i in range(CHAIN)
    ]
    template = {"steps": steps, "params": {"item": 0}}
    call = {"name": "chain", "params": {"item": "${{ item }}"}}
    step = {"name": "s", "forEach": list(range(count)), "template": call}
    heads = (("Template", "chain", template), ("Workflow", "bench", {"steps": [step]}))
    path = folder / "bench-templates.yaml"
    path.write_text(
        "\n---\n".join(
            json.dumps(
                {
                    "apiVersion": "treadle.dev/v1",
                    "kind": kind,
                    "metadata": {"name": name},
                    "spec": spec,
                }
            )
            for kind, name, spec in heads
        )
    )
    return path


def _write_data(folder: Path, shape: Shape) -> Path:
    """The first step hands on a number; each of the others reads that and a param."""
    first, *others = shape.steps
    read = {"DAY": "${{ params.day }}", "ROWS": f"${{{{ steps.{first}.outputs.rows }}}}"}
    steps = [
        {
            "name": first,
            "run": 'echo rows=5 > "$TREADLE_OUTPUT"',
            "outputs": {"rows": "integer"},
            "env": {"DAY": read["DAY"]},
        },
        *(
            {"name": name, "command": [TRUE], "dependsOn": shape.steps[name], "env": read}
            for name in others
        ),
    ]
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": "bench"},
        "spec": {"params": {"day": "2026-11-29"}, "steps": steps},
    }
    path = folder / "bench-data.json"
    path.write_text(json.dumps(document))
    return path
