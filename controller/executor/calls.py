"""Programs of engines that are asked beside the loop, and files that are carried beside it.

No call of an engine may block the loop, and a program such as `sbatch` may take a second or hang.
So each runs in one of a few threads, in the order in which they were asked for, and what is to
follow from its answer runs in the loop, when that calls `collect`. A program that takes too long is
killed with all that it started, and that is an answer as well.

The threads are daemons: a controller that ends waits for no program that hangs. Those of
`concurrent.futures` would be waited for.
"""

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple, TypeVar

T = TypeVar("T")

THREADS = 8
ANSWER_BYTES_MAX = 64 * 1024 * 1024  # of what a program says
PROBLEM_CHARACTERS_MAX = 500


class Answer(NamedTuple):
    """What a program said. `code` is None if it could not run, was killed, or took too long."""

    code: int | None
    out: str
    problem: str  # "" if it exited with 0; else why not, in one line

    @property
    def ok(self) -> bool:
        return self.code == 0


class Calls:
    """The programs of all engines of a controller. `wake` has the loop call `collect`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._threads: list[Thread] = []
        self._todo: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._done: deque[Callable[[], None]] = deque()
        self._begun: dict[object, float] = {}  # what is under way: since when

    def ask(
        self,
        argv: Sequence[str],
        then: Callable[[Answer], None],
        *,
        seconds: float,
        data: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run a program with `data` as its standard input; `then` gets what it said.

        After `seconds` it is killed. `env` None: that of this controller.
        """
        self.carry_out(lambda: ask(argv, seconds, data, env), then)

    def carry_out(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do `work` in a thread; `then` gets what it gave. `work` must not raise."""

        def both() -> None:
            self._begun[both] = time.monotonic()
            given = work()
            self._done.append(lambda: then(given))
            del self._begun[both]
            self._wake()

        if len(self._threads) < THREADS:
            thread = Thread(target=self._work, name="engine call", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._todo.put(both)

    def _work(self) -> None:
        while (task := self._todo.get()) is not None:
            task()

    def collect(self) -> None:
        """Let follow what follows from the answers that have come."""
        for _ in range(len(self._done)):
            self._done.popleft()()

    def longest_seconds(self) -> float:
        """For how long the oldest of those that are under way has been so."""
        began = min(list(self._begun.values()), default=None)
        return 0.0 if began is None else time.monotonic() - began

    def close(self) -> None:
        """What has not begun is dropped; what runs ends by itself, and nobody hears of it."""
        while not self._todo.empty():
            self._todo.get()
        for _ in self._threads:
            self._todo.put(None)


def ask(
    argv: Sequence[str], seconds: float, data: bytes = b"", env: Mapping[str, str] | None = None
) -> Answer:
    """Run a program and wait for its answer; see `Calls.ask`. It blocks, but never for ever."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if data else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            start_new_session=True,  # a Ctrl-C at the terminal is not meant for it
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Answer(None, "", f"{argv[0]} can't be run: {reason}")
    try:
        out, err = process.communicate(data or None, timeout=seconds)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Answer(None, "", f"{argv[0]} did not answer within {seconds:g} s")
    text = out[:ANSWER_BYTES_MAX].decode(errors="replace")
    if process.returncode == 0:
        return Answer(0, text, "")
    said = " ".join((err or out).decode(errors="replace").split())[:PROBLEM_CHARACTERS_MAX]
    how = f"exit code {process.returncode}"
    if process.returncode < 0:
        return Answer(None, text, f"{argv[0]} was killed by signal {-process.returncode}: {said}")
    return Answer(process.returncode, text, f"{argv[0]}: {said or how}")
