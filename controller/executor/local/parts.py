"""How the runner of an attempt is started, and what it has reported."""

import os
import sys

import msgspec

from controller.loop.ports import Launch, Part, PartEnd
from controller.model.places import parts_file
from controller.regular import read_below

RUNNER = os.path.abspath(f"{__file__}/../../runner.py")
REPORT_BYTES_MAX = 64 << 10


def command(state: str, launch: Launch) -> tuple[str, ...]:
    """What the shim is to start: the command itself, or the runner where there are parts."""
    if not launch.in_parts:
        return launch.argv
    report = f"{state}/{parts_file(launch.log)}"
    counts = str(len(launch.before)), str(len(launch.argv))
    words = *launch.before, *launch.argv, *launch.after
    return sys.executable, "-I", "-S", RUNNER, report, *counts, *words


def reported(state: str, log: str) -> dict[Part, PartEnd]:
    """How each part ended; empty if the runner has not said it. Steps can write this file, too."""
    try:
        content = read_below(state, parts_file(log), REPORT_BYTES_MAX)
        return msgspec.json.decode(content, type=dict[Part, PartEnd])
    except (OSError, msgspec.DecodeError, RecursionError):
        return {}
