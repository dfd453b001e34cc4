"""Whom treadle is measured against: bare `posix_spawn` from C, and `make -j` with the same DAG.

Both are whole processes timed from outside, as treadle is. `posix_spawn` knows no dependencies: it
is the floor of what processes cost here. For `run:` both go through `/bin/sh -euc`, as treadle
does. Left alone, make starts a simple recipe without a shell even then; shell flags other than its
own make it ask the shell.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

from benchmarks.shapes import Shape

TRUE = "/bin/true"
SHELL = ["/bin/sh", "-euc"]


class Missing(Exception):
    """What a rival needs is not on this machine."""


class PosixSpawn:
    name = "posix_spawn"

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise Missing("no C compiler (cc) here")
        self._program = folder / "spawn"
        source = Path(__file__).with_name("spawn.c")
        subprocess.run([compiler, "-O2", "-o", self._program, source], check=True)

    def lap(self, shape: Shape, form: str, jobs: int) -> dict[str, float]:
        argv = [TRUE] if form == "command" else [*SHELL, TRUE]
        jobs = min(jobs, shape.width)
        return {self.name: timed([str(self._program), str(len(shape)), str(jobs), *argv])}


class Make:
    name = "make"

    def __init__(self, folder: Path) -> None:
        self._makefile = folder / "Makefile"
        program = shutil.which("make")
        if program is None:
            raise Missing("no make here")
        self._program = program

    def lap(self, shape: Shape, form: str, jobs: int) -> dict[str, float]:
        self._makefile.write_text(_makefile(shape, form))
        words = [self._program, "-rs", f"-j{jobs}", "-f", str(self._makefile)]
        return {self.name: timed(words)}


def _makefile(shape: Shape, form: str) -> str:
    shell = "" if form == "command" else ".SHELLFLAGS := -euc\n"
    rules = "".join(
        f"{name}: {' '.join(others)}\n\t{TRUE}\n" for name, others in shape.steps.items()
    )
    names = " ".join(shape.steps)
    return f"{shell}.PHONY: all {names}\nall: {names}\n{rules}"


def timed(words: list[str]) -> float:
    """Seconds of one command, from its start to its end."""
    # Under `make bench` the make that is measured must not ask the one above for its jobs.
    env = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    begun = time.perf_counter()
    subprocess.run(words, check=True, env=env, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun
