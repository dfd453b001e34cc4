"""A specs folder, a state folder and `treadle`, as a person has them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loaded import Command, environ, loaded, needs_start

from controller.log.reader import read
from controller.log.state_folder import prepare_state
from controller.log.status_file import read_status
from controller.log.writer import LogWriter
from controller.model.apply.fold import replay
from controller.model.events import Record
from controller.model.state import State

TREADLE = Path(sys.executable).with_name("treadle")
DEADLINE_SECONDS = 30.0  # for what takes milliseconds on an idle machine

HELD = "until [ -e go ]; do sleep 0.02; done"  # a step that runs until the place is cleared


class Place:
    """Commands run in `root`; `specs` and `state` are where they are by default."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.specs = root / "specs"
        self.specs.mkdir()
        self.state = root / ".treadle"
        self._begun: list[Command | subprocess.Popen[bytes]] = []

    # ------------------------------------ commands

    def begin(
        self, *words: str, program: Sequence[str | Path] = (TREADLE,), **how: Any
    ) -> subprocess.Popen[bytes]:
        """Start `treadle` as it is installed, or another program."""
        env = environ() | how.pop("more_env", {})
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        begun = subprocess.Popen([*program, *words], cwd=self.root, env=env, **{**pipes, **how})
        self._begun.append(begun)
        return begun

    def fork(self, *words: str, **how: Any) -> Command | subprocess.Popen[bytes]:
        """Begin a command, or another `program` in Python, without the start of an interpreter."""
        env = environ() | how.pop("more_env", {})
        if needs_start(env):
            return self.begin(*words, **{"stdin": subprocess.PIPE, **how})
        begun = loaded().begin([*words], self.root, env, **how)
        self._begun.append(begun)
        return begun

    def treadle(
        self, *words: str, code: int = 0, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end, which has to be this exit code."""
        begun = self.fork(*words)
        out, err = begun.communicate(stdin, timeout=DEADLINE_SECONDS)
        assert begun.returncode == code, (words, begun.returncode, out, err)
        return subprocess.CompletedProcess(words, begun.returncode, out, err)

    def says(self, *words: str, code: int = 0, stdin: bytes = b"") -> str:
        """What a command prints on stdout."""
        return self.treadle(*words, code=code, stdin=stdin).stdout.decode()

    def complains(self, *words: str, code: int) -> str:
        """The one line that a command prints on stderr, and nothing on stdout."""
        done = self.treadle(*words, code=code)
        assert done.stdout == b""
        assert done.stderr.count(b"\n") == 1, done.stderr
        return done.stderr.decode().strip()

    def shape(self, name: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.says("get", name, "-o", "json"))
        return shown

    def phase(self, name: str) -> str:
        """The phase of the newest life of that name, empty as long as there is none.

        Asked often while waiting, so it folds the log here instead of starting a command.
        """
        lives = [life for life in self.folded().lives.values() if life.name == name]
        return str(lives[-1].phase) if lives else ""

    def folded(self) -> State:
        return replay(read(str(self.state)))

    # ------------------------------------ folder and log

    def spec(self, name: str, file: str = "", **steps: str) -> Path:
        """Write a workflow whose steps are these scripts, one after the other."""
        path = self.specs / (file or f"{name}.yaml")
        path.write_text(document(name, **steps))
        return path

    def log(self, records: list[Record]) -> None:
        """Write these records as a controller would have."""
        prepare_state(str(self.state))
        writer = LogWriter(str(self.state))
        for record in records:
            writer.append([record])
        writer.close()

    # ------------------------------------ controllers

    @contextmanager
    def up(self, *options: str) -> Iterator[Command | subprocess.Popen[bytes]]:
        """A controller that runs until the end of the block, unless it is killed in it."""
        nowhere = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        controller = self.fork("up", *options, **nowhere)
        self.until(lambda: read_status(str(self.state)).phase == "Running")
        yield controller
        if controller.poll() is None:
            controller.send_signal(signal.SIGCONT)
            controller.terminate()
        controller.wait(DEADLINE_SECONDS)

    def until(self, holds: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)

    def clear(self) -> None:
        """Let every held step end, and every command that a failed test has left."""
        for folder in (self.root, self.specs):
            if folder.is_dir():
                (folder / "go").touch()
        for begun in self._begun:
            if begun.poll() is None:
                begun.kill()
                begun.wait(DEADLINE_SECONDS)


def document(name: str, **steps: str) -> str:
    """The YAML of a workflow whose steps are these scripts, one after the other."""
    written: list[dict[str, Any]] = []
    for step, script in steps.items():
        after = {"dependsOn": [written[-1]["name"]]} if written else {}
        written.append({"name": step, "run": script, **after})
    return json.dumps(
        {
            "apiVersion": "treadle.dev/v1",
            "kind": "Workflow",
            "metadata": {"name": name},
            "spec": {"steps": written},
        },
        indent=2,
    )
