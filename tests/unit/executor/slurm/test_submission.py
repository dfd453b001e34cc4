"""What sbatch is told of an attempt."""

import ast
from typing import Any

import pytest

from controller.executor.names import Labels
from controller.executor.slurm.submission import argv, comment, order, script, whose
from controller.loop.ports import AttemptId, Launch
from controller.spec.placement import Needs, OnSlurm

FOLDER = "/scratch/me/folder/treadle-load-00000000000002a"


def launch(**changes: Any) -> Launch:
    fields: dict[str, Any] = {
        "id": AttemptId("uid", "load", 2),
        "mark": 42,
        "argv": ("echo", "a b"),
        "env": {"A": "b", "TREADLE_OUTPUT": "/state/out"},
        "working_dir": "/data",
        "log": "runs/uid/load.2.log",
        "engine": "slurm",
        "placement": OnSlurm(shared_dir="/scratch/me"),
        "folder_id": "folder",
    }
    return Launch(**{**fields, **changes})


def test_an_attempt_is_held_under_its_own_name() -> None:
    assert argv(launch(), FOLDER) == [
        "sbatch",
        "--parsable",
        "--hold",
        "--no-requeue",
        "--job-name=treadle-load-00000000000002a",
        "--comment=treadle.folder=folder treadle.attempt=uid/load/2 treadle.mark=00000000000002a",
        f"--output={FOLDER}/runner.log",
        "--open-mode=append",
        "--export=NONE",
        "--chdir=/",
    ]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        pytest.param({"timeout_seconds": 27.0}, ["--time=1"], id="timeout, grace, time to start"),
        pytest.param({"timeout_seconds": 27.1}, ["--time=2"], id="rounded up"),
        pytest.param(
            {"timeout_seconds": 600.0, "grace_seconds": 90.0}, ["--time=12"], id="a long grace"
        ),
        pytest.param({"needs": Needs(cpu=2.5)}, ["--cpus-per-task=3"], id="parts of a core"),
        pytest.param({"needs": Needs(cpu=0.1)}, ["--cpus-per-task=1"], id="one core at least"),
        pytest.param({"needs": Needs(memory_bytes=1 << 30)}, ["--mem=1024M"], id="memory"),
        pytest.param({"needs": Needs(memory_bytes=1)}, ["--mem=1M"], id="memory, rounded up"),
        pytest.param({"needs": Needs(gpu=2)}, ["--gpus=2"], id="GPUs"),
        pytest.param({"needs": Needs(gpu=0)}, ["--gpus=0"], id="no GPU, and it was said"),
        pytest.param(
            {"placement": OnSlurm(partition="gpu", shared_dir="/s", args=("--qos=x", "--nice"))},
            ["--partition=gpu", "--qos=x", "--nice"],
            id="as given, and last",
        ),
    ],
)
def test_options(changes: dict[str, Any], options: list[str]) -> None:
    assert argv(launch(**changes), FOLDER)[10:] == options


def test_the_script_is_the_runner_and_the_folder_alone() -> None:
    text = script('/scratch/it\'s "ü"/x').decode()
    assert text.startswith("#!/usr/bin/env python3\n") and text.isascii()
    last = ast.parse(text).body[-1]
    assert ast.unparse(last) == "sys.exit(main_on_node('/scratch/it\\'s \"ü\"/x'))"


def test_the_order_has_all_that_the_attempt_gets() -> None:
    ordered = order(launch(before=("b",)), {"A": "c"}, FOLDER, 30.0, 0o027)
    assert ordered == {
        "version": 1,
        "argv": ["echo", "a b"],
        "before": ["b"],
        "after": [],
        "env": {"A": "c", "SLURM_EXPORT_ENV": "ALL", "TREADLE_OUTPUT": f"{FOLDER}/outputs"},
        "working_dir": "/data",
        "mark": 42,
        "timeout_seconds": None,
        "grace_seconds": 3.0,
        "kill_wait": 30.0,
        "umask": 0o027,
    }


@pytest.mark.parametrize("step", ["load", "each[a.b-c_1#2]/sub-step"])
def test_labels_come_back(step: str) -> None:
    labels = Labels("folder", AttemptId("uid", step, 3), 7)
    assert whose(comment(labels)) == labels


@pytest.mark.parametrize("text", ["", "(null)", "billing=7", "treadle.folder=x treadle.mark=7"])
def test_other_comments_are_nobodys_labels(text: str) -> None:
    assert whose(text) is None
