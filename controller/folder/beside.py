"""Reads one large spec file in a process of its own, so that no turn of the loop waits for it.

The content goes to that process in memory, and what `load` makes of it comes back in the same way:
nothing is written to a disk, and neither side ever waits for the other. The process has a limit of
memory and one of CPU time, and exits with the controller. If it fails, that is a fault of the one
file that it reads.
Cost: a quarter of a second for the process, and some 2 µs for each step that comes back.
"""

import gc
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

from controller.errors import Fault
from controller.spec.reading.load import Loaded, load

if TYPE_CHECKING:
    import subprocess

MEMORY_MAX = 1 << 30  # bytes; a file may take 64 times its size besides
CPU_SECONDS_MAX = 60  # and 10 for each MiB
TOO_LARGE = 3  # exit code: there is not enough memory

_MIB = 1 << 20


class Limits(NamedTuple):
    """What the process may use for a file."""

    memory: int  # bytes
    cpu_seconds: int


class Work(NamedTuple):
    """A file to read: its name in messages, its content, and what its size may be."""

    shown: str
    data: bytes
    bytes_max: int

    @property
    def limits(self) -> Limits:
        size = len(self.data)
        return Limits(MEMORY_MAX + 64 * size, CPU_SECONDS_MAX + 10 * (size // _MIB))


class Reading:
    """One file that is being read. Raises OSError if no process can be started."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._answer = os.memfd_create("treadle-answer")
        try:
            self._process, self._life = _begin(work, self._answer)
        except OSError:
            os.close(self._answer)
            raise

    def result(self) -> Loaded | Fault | None:
        """What the file holds, or why it can't be read; None while it is being read.

        Once it has answered, it must not be asked again.
        """
        code = self._process.poll()
        if code is None:
            return None
        os.close(self._life)
        with open(self._answer, "rb") as answer:
            if code != 0:
                return self._failed(code)
            answer.seek(0)
            # Not from anybody: nobody but the process that we started could write this.
            loaded: Loaded = pickle.load(answer)  # noqa: S301
            return loaded

    def stop(self) -> None:
        """Nobody needs the result any more."""
        self._process.kill()
        self._process.wait()
        os.close(self._life)
        os.close(self._answer)

    def _failed(self, code: int) -> Fault:
        memory, seconds = self._work.limits
        if code == TOO_LARGE:
            problem = f"can't be read: it takes more than {memory // _MIB:,} MiB of memory"
        elif code == -signal.SIGXCPU:
            problem = f"can't be read: it takes more than {seconds} seconds of CPU time"
        else:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            problem = f"can't be read: the process that read it ended with {how}"
            return Fault(
                file=self._work.shown, problem=problem, hint="save it again to try once more"
            )
        return Fault(file=self._work.shown, problem=problem, hint="split it")


def _begin(work: Work, answer: int) -> tuple["subprocess.Popen[bytes]", int]:
    """The process, and a pipe that tells it whether its controller lives."""
    import subprocess  # most folders never need it

    memory, seconds = work.limits
    content = os.memfd_create("treadle-spec")
    try:
        with open(content, "wb", closefd=False) as file:
            file.write(work.data)
        os.lseek(content, 0, os.SEEK_SET)
        alive, life = os.pipe()
        try:
            # -P: a file in the present folder can't replace one of our modules.
            words = [
                "-m",
                __name__,
                work.shown,
                *map(str, (work.bytes_max, alive, memory, seconds)),
            ]
            process = subprocess.Popen(
                [sys.executable, "-P", *words],
                stdin=content,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                pass_fds=[alive],
                start_new_session=True,  # Ctrl-C is for the controller
            )
        except OSError:
            os.close(life)
            raise
        finally:
            os.close(alive)
    finally:
        os.close(content)
    return process, life


def _exit_with(alive: int) -> None:
    """Exit as soon as the controller has, whatever the file is doing to us."""
    os.read(alive, 1)
    os._exit(1)


def main(shown: str, bytes_max: int, alive: int, memory: int, cpu_seconds: int) -> int:
    """Read the file at stdin; the answer goes to stdout."""
    import resource
    from threading import Thread

    for kind, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu_seconds)):
        soft, hard = resource.getrlimit(kind)
        if soft == resource.RLIM_INFINITY or soft > limit:
            resource.setrlimit(kind, (limit, hard))
    Thread(target=_exit_with, args=[alive], daemon=True).start()
    gc.disable()  # what a spec is made of is in use until it is sent
    try:
        loaded = load(sys.stdin.buffer.read(), shown, max_bytes=bytes_max, in_folder=True)
        answer = sys.stdout.buffer  # noqa: TID251 - a file that the controller reads
        pickle.dump(loaded, answer, pickle.HIGHEST_PROTOCOL)
        answer.flush()
    except MemoryError:
        return TOO_LARGE
    return 0


if __name__ == "__main__":
    # Nothing has to be tidied up, and the kernel is faster.
    os._exit(main(sys.argv[1], *map(int, sys.argv[2:])))
