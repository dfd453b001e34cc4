"""Commands of a `treadle` that is loaded once: each is a process of its own, but for its start.

To start an interpreter and to import is most of what a short command costs. So a process loads the
program, and forks for each command that it is asked for: with a pid, streams, signals and an exit
code of its own. What a start decides is not seen here: which modules a command loads, and what an
interpreter reads in its environment. Tests of that start `treadle` as it is installed, as the one
does that types each example of the help.
"""

import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

LATE = ("yaml", "watchdog.observers", "zstandard", "psutil", "jsonschema", "tenacity", "re2")
PROGRAM = "from controller.cli.main import program; program()"
REQUEST_BYTES = 100_000
FILES_MAX = 100  # that it has open
SECONDS = 120.0  # for what takes a moment on an idle machine


def environ() -> dict[str, str]:
    """What commands get: nothing of treadle's, nor the name of the test."""
    left = ("TREADLE_", "PYTEST_CURRENT_TEST")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(left)}
    return {**kept, "TREADLE_MIN_FREE": "0"}


BEFORE = environ()  # any test has changed it


def needs_start(env: dict[str, str]) -> bool:
    """Whether an interpreter would read there, when it starts, what it did not read before."""
    changed = {key for key, _ in env.items() ^ BEFORE.items()}
    return any(key.startswith(("PYTHON", "LANG", "LC_")) for key in changed)


class Command:
    """One that runs, or has ended. It is used as a `Popen` is."""

    def __init__(self, words: list[str], answers: int, **pipes: IO[bytes] | None) -> None:
        self.args = words
        self._answers = os.fdopen(answers, "rb", buffering=0)
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = (pipes.get(name) for name in STREAMS)

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float = SECONDS) -> int:
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def _ended(self, seconds: float) -> int | None:
        if self.returncode is None and select.select([self._answers], [], [], seconds)[0]:
            self.returncode = int(self._answers.readline())
            self._answers.close()
        return self.returncode

    def communicate(self, given: bytes = b"", timeout: float = SECONDS) -> tuple[bytes, bytes]:
        """Give it its stdin, and read what it says to its end."""
        with ThreadPoolExecutor(3) as pool:
            if self.stdin is not None:
                pool.submit(write, self.stdin, given)
            said = [pool.submit(read, file) for file in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        out, err = (one.result() for one in said)
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


STREAMS = ("stdin", "stdout", "stderr")


class Loaded:
    """A process that has loaded the program, and runs what it is asked for."""

    def __init__(self) -> None:
        self._link, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(its.fileno())],
            pass_fds=[its.fileno()],
            env=BEFORE,
            stdin=subprocess.PIPE,  # so its streams fit the pipes of its commands
            stdout=subprocess.PIPE,
        )
        its.close()

    def begin(
        self,
        words: list[str],
        folder: Path,
        env: dict[str, str],
        program: str = PROGRAM,
        **streams: int,
    ) -> Command:
        """Begin a command. Its streams are pipes, but for those that `streams` says are nowhere."""
        os.umask(umask := os.umask(0))
        request = json.dumps([program, str(folder), umask, env, words]).encode()
        answers, its_answers = os.pipe()
        theirs, pipes = [its_answers], {}
        for name in STREAMS:
            if streams.get(name) == subprocess.DEVNULL:
                theirs.append(os.open(os.devnull, os.O_RDWR))
                continue
            ends = os.pipe()
            ours, its = ends if name != "stdin" else ends[::-1]
            theirs.append(its)
            pipes[name] = os.fdopen(ours, "wb" if name == "stdin" else "rb")
        socket.send_fds(self._link, [request], theirs)
        for fd in theirs:
            os.close(fd)
        return Command(words, answers, **pipes)


@cache
def loaded() -> Loaded:
    """The one of this process, which ends with it."""
    return Loaded()


def run(
    words: list[str], folder: Path, program: str = PROGRAM, **more_env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = loaded().begin(words, folder, environ() | more_env, program)
    out, err = command.communicate()
    return subprocess.CompletedProcess(words, command.wait(), out.decode(), err.decode())


def write(file: IO[bytes], data: bytes) -> None:
    with file:
        file.write(data)


def read(file: IO[bytes] | None) -> bytes:
    if file is None:
        return b""
    with file:
        return file.read()


# ---------------------------------------- in the process that has loaded the program


def load() -> None:
    import controller

    for module in pkgutil.walk_packages(controller.__path__, "controller."):
        if not module.name.startswith("controller.server") and "__main__" not in module.name:
            import_module(module.name)
    for name in LATE:
        import_module(name)


def serve(link: socket.socket) -> None:
    """Fork for each request, and answer with the pid, and then with how it ended."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(link, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.data is not None:
                    pid, answers = key.data
                    _, status = os.waitpid(pid, 0)
                    answer(answers, os.waitstatus_to_exitcode(status))
                    os.close(answers)
                    waiting.unregister(key.fd)
                    os.close(key.fd)
                    continue
                request, fds, _, _ = socket.recv_fds(link, REQUEST_BYTES, 4)
                if not request:
                    return
                answers, *streams = fds
                if (pid := os.fork()) == 0:
                    become(request, streams)
                for fd in streams:
                    os.close(fd)
                answer(answers, pid)
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, answers))


def answer(answers: int, number: int) -> None:
    os.write(answers, b"%d\n" % number)


def become(request: bytes, streams: list[int]) -> NoReturn:
    program, folder, umask, env, words = json.loads(request)
    for fd, stream in enumerate(streams):
        os.dup2(stream, fd)
    os.closerange(3, FILES_MAX)
    os.chdir(folder)
    os.umask(umask)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.argv = ["treadle", *words]
    exec(program, {})
    sys.exit()


if __name__ == "__main__":
    load()
    serve(socket.socket(fileno=int(sys.argv[1])))
