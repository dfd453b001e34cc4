"""What `sbatch` is told of an attempt: its options, the script, and the order for the runner.

The script is the runner itself, so nothing that lies in a shared folder is executed. It holds no
secret: Slurm keeps scripts. What the attempt is to do stands in the order, a file that only its
owner can read, and which the runner removes when it has read it.
"""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from controller.executor.names import Labels, labels, name_of, read
from controller.loop.ports import Launch
from controller.spec.placement import OnSlurm

VERSION = 1  # of the order
STARTING_SECONDS = 30.0  # between the start of a job and that of the attempt in it
MIB = 1 << 20
RUNNER = Path(__file__).parents[1] / "runner.py"


def argv(launch: Launch, folder: str) -> list[str]:
    """The call of `sbatch`, which reads the script from its standard input.

    `folder`: that of the attempt, which the nodes share.
    """
    words = [
        "sbatch",
        "--parsable",
        "--hold",
        "--no-requeue",
        f"--job-name={name_of(launch.id.step, launch.mark)}",
        f"--comment={comment(labels(launch))}",
        f"--output={folder}/runner.log",
        "--open-mode=append",
        "--export=NONE",
        "--chdir=/",
    ]
    if launch.timeout_seconds is not None:
        seconds = launch.timeout_seconds + launch.grace_seconds + STARTING_SECONDS
        words.append(f"--time={math.ceil(seconds / 60)}")
    needs = launch.needs
    if needs.cpu is not None:
        words.append(f"--cpus-per-task={max(1, math.ceil(needs.cpu))}")
    if needs.memory_bytes is not None:
        words.append(f"--mem={max(1, math.ceil(needs.memory_bytes / MIB))}M")
    if needs.gpu is not None:
        words.append(f"--gpus={needs.gpu}")
    placement = launch.placement
    assert isinstance(placement, OnSlurm), placement
    if placement.partition:
        words.append(f"--partition={placement.partition}")
    return [*words, *placement.args]


def script(folder: str) -> bytes:
    """What runs on the node: the runner, which is told the folder of its attempt."""
    return f"#!/usr/bin/env python3\n{_runner()}\nsys.exit(main_on_node({folder!a}))\n".encode()


@cache
def _runner() -> str:
    return RUNNER.read_text(encoding="utf-8")


def order(
    launch: Launch, env: Mapping[str, str], folder: str, kill_wait: float, umask: int
) -> dict[str, Any]:
    """What the runner is told. `env` is all that the attempt gets besides the node's environment.

    `kill_wait`: how long the cluster waits between SIGTERM and SIGKILL.
    """
    return {
        "version": VERSION,
        "argv": list(launch.argv),
        "before": list(launch.before),
        "after": list(launch.after),
        "env": {
            # Without it, `srun` would take over what `sbatch` was told of the environment.
            "SLURM_EXPORT_ENV": "ALL",
            **env,
            "TREADLE_OUTPUT": f"{folder}/outputs",
        },
        "working_dir": launch.working_dir,
        "mark": launch.mark,
        "timeout_seconds": launch.timeout_seconds,
        "grace_seconds": launch.grace_seconds,
        "kill_wait": kill_wait,
        "umask": umask,
    }


def comment(whose: Labels) -> str:
    """The labels of an attempt, as its job has them."""
    return " ".join(f"{name}={value}" for name, value in whose.as_texts().items())


def whose(comment: str) -> Labels | None:
    """The labels in the comment of a job; None if it is none of ours."""
    words = (word.partition("=") for word in comment.split(" "))
    return read({name: value for name, _, value in words})
