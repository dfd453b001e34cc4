"""The page as a child of the controller: `up --serve` starts `treadle serve` beside it.

The child is told by a pipe that its controller has gone, so it ends with it, also after kill -9. If
it ends before that, it is started again, later each time. A thread of its own waits for it, so no
turn ever does.
"""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from controller.errors import UsageError

AGAIN_SECONDS, AGAIN_SECONDS_MAX = 1.0, 60.0
STEADY_SECONDS = 60.0  # who has run so long begins with a short pause again
STOP_SECONDS = 3.0
LINK = "open "  # what it prints before the link to it
_LIBRARIES = ("starlette", "uvicorn")
_LINE_MAX = 500  # characters


def require_libraries() -> None:
    """They are an extra: who has no page needs none of them. Raises UsageError."""
    if lacking := [name for name in _LIBRARIES if find_spec(name) is None]:
        raise UsageError(
            f"serve needs {lacking[0]}, which is not installed: install treadle with its page, "
            "as in pipx install './treadle[web]'"
        )


class Page:
    """`problem`: why the page is not there; empty while it is. `lines`: what it has printed."""

    def __init__(self, words: Sequence[str], wake: Callable[[], None]) -> None:
        """`words`: the arguments of `treadle serve`. `wake` is called from another thread."""
        self.problem = ""
        self.lines: deque[str] = deque(maxlen=100)
        self._words = list(words)
        self._wake = wake
        self._stop = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep, name="page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the child, and wait for that."""
        self._stop.set()
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join(STOP_SECONDS)

    def _keep(self) -> None:
        """Start it, and again whenever it has ended, until `close`."""
        pause = AGAIN_SECONDS
        while not self._stop.is_set():
            began = time.monotonic()
            said = self._run()
            if time.monotonic() - began >= STEADY_SECONDS:
                pause = AGAIN_SECONDS
            if self._stop.is_set():
                return
            self._tell(f"the page is not served, and starts again soon: {said}")
            self._stop.wait(pause)
            pause = min(2 * pause, AGAIN_SECONDS_MAX)

    def _run(self) -> str:
        """From its start to its end; returns the last thing that it said."""
        alive, life = os.pipe()
        try:
            # -P: a file in the present folder can't replace one of our modules.
            process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "controller.cli", "serve"),
                    *(*self._words, "--lifeline", str(alive)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[alive],
                start_new_session=True,  # Ctrl-C is for the controller, which then ends it
                text=True,
                errors="replace",
            )
        except OSError as error:
            os.close(life)
            return f"it can't be started: {error.strerror}"
        finally:
            os.close(alive)
        self._process = process
        last = ""
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                said = line.rstrip()[:_LINE_MAX].removeprefix("treadle: ")
                if said.startswith(LINK):
                    self.problem = ""
                    self.lines.append(said.removeprefix(LINK))
                    self._wake()
                else:
                    last = said
                    if not self.problem:  # else it is told as the problem, when it has ended
                        self.lines.append(said)
                        self._wake()
        how = "signal" if process.returncode < 0 else "exit code"
        return last or f"it ended with {how} {abs(process.returncode)}"

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._wake()
