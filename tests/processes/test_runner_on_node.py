"""The runner as a job of a cluster: a process of its own, a folder, and nobody else.

The job is a plain process here. What a real cluster adds is in tests/engines.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from controller.executor import runner
from tests.processes.yard import eventually

MARK = (1 << 59) + 12345
DEAF = "trap '' TERM"
FOREVER = "while :; do sleep 0.1; done"


class Job:
    """What a node does with one attempt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700)

    def order(self, script: str, **given: Any) -> None:
        order = {
            "version": 1,
            "argv": ["/bin/sh", "-euc", script],
            "before": [],
            "after": [],
            "env": {"TREADLE_OUTPUT": str(self.folder / "outputs")},
            "working_dir": str(self.folder),
            "mark": MARK,
            "timeout_seconds": None,
            "grace_seconds": 3.0,
            "kill_wait": 30.0,
            "umask": 0o022,
        }
        self.write("order.json", order | given)

    def write(self, name: str, what: dict[str, Any]) -> None:
        path = self.folder / name
        path.write_text(json.dumps(what))
        path.chmod(0o600)

    def start(self, folder: Path | None = None) -> subprocess.Popen[bytes]:
        """Run the script that a job has: the runner's text, and a call with the folder."""
        text = Path(runner.__file__).read_text()
        script = f"{text}\nsys.exit(main_on_node({str(folder or self.folder)!r}))\n"
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "NODE": "n1"},
        )
        assert self.process.stdin is not None
        self.process.stdin.write(script.encode())
        self.process.stdin.close()
        self.process.stdin = None
        return self.process

    def run(self, script: str, **given: Any) -> dict[str, Any]:
        self.order(script, **given)
        self.start()
        return self.exit()

    def exit(self) -> dict[str, Any]:
        assert self.process is not None
        self.process.wait(30)
        found: dict[str, Any] = json.loads((self.folder / "exit.json").read_text())
        return found

    def says(self, line: str) -> bool:
        path = self.folder / "output"
        return path.exists() and line in path.read_text()


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    job = Job(tmp_path / "treadle-s-1")
    yield job
    for process in marked():
        process.kill()
    if job.process is not None:
        job.process.kill()
        job.process.wait()


def marked() -> list[psutil.Process]:
    """All that lives with the mark of the attempt, the runner aside."""
    found = []
    for process in psutil.process_iter():
        try:
            is_marked = process.rlimit(runner.RLIMIT_LOCKS)[0] == MARK
            if is_marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            pass
    return found


def test_what_an_attempt_leaves(job: Job) -> None:
    found = job.run(
        'echo hello; echo "rows=3" > "$TREADLE_OUTPUT"; echo "$NODE $GREETING"; exit 7',
        env={"TREADLE_OUTPUT": str(job.folder / "outputs"), "GREETING": "a\nb"},
    )
    assert (found["how"], found["exit_code"], found["signal"]) == ("exited", 7, None)
    assert (found["ended_by"], found["timed_out"], found["left"]) == ("", False, 0)
    assert found["parts"] == {"command": 7}
    assert found["version"] == runner.VERSION
    assert (job.folder / "output").read_text() == "hello\nn1 a\nb\n"
    assert (job.folder / "outputs").read_text() == "rows=3\n"
    assert json.loads((job.folder / "started.json").read_text())["host"] == found["host"]
    assert not (job.folder / "order.json").exists(), "it may hold secrets"
    assert job.process is not None
    assert job.process.returncode == 7


def test_a_signal_is_no_exit_code(job: Job) -> None:
    found = job.run("kill -SEGV $$")
    assert (found["exit_code"], found["signal"]) == (None, signal.SIGSEGV)
    assert job.process is not None
    assert job.process.returncode == 128 + signal.SIGSEGV


def test_only_the_first_runner_runs_it(job: Job) -> None:
    job.run("echo once")
    job.order("echo twice")
    again = job.start()
    assert again.wait(30) == 0
    assert (job.folder / "output").read_text() == "once\n"


def test_a_node_that_does_not_see_the_folder(job: Job, tmp_path: Path) -> None:
    process = job.start(tmp_path / "elsewhere")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == runner.NOT_SEEN_EXIT_CODE
    assert b"does not see" in out


@pytest.mark.parametrize("path", [".", "order.json"])
def test_what_others_can_change_is_not_run(job: Job, path: str) -> None:
    job.order("echo never")
    (job.folder / path).chmod(0o777)
    assert job.start().wait(30) == runner.NOT_SEEN_EXIT_CODE
    assert not (job.folder / "claim").exists()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"argv": ["no-such-program"]}, 'command not found: "no-such-program"'),
        ({"working_dir": "/no/such/folder"}, "/no/such/folder: No such file or directory"),
    ],
)
def test_what_can_not_start(job: Job, given: dict[str, Any], problem: str) -> None:
    found = job.run("", **given)
    assert (found["how"], found["problem"]) == ("start-failed", problem)


def test_before_and_after(job: Job) -> None:
    after = ["/bin/sh", "-c", "echo after $TREADLE_EXIT_CODE"]
    found = job.run("echo command; exit 3", before=["echo", "before"], after=after)
    assert found["parts"] == {"before": 0, "command": 3, "after": 0}
    assert (job.folder / "output").read_text() == "before\ncommand\nafter 3\n"


def test_its_time_is_over(job: Job) -> None:
    found = job.run("sleep 60", timeout_seconds=0.3)
    assert (found["timed_out"], found["ended_by"]) == (True, "timeout")
    assert 0.2 < found["wall_seconds"] < 20
    assert not marked()


TREE = (
    f'{DEAF}; setsid sh -c "{DEAF}; echo a; {FOREVER}" & '
    f'(sh -c "{DEAF}; echo b; {FOREVER}" &) ; echo ready; {FOREVER}'
)


def test_an_order_to_end_reaches_all(job: Job) -> None:
    """Deaf to TERM, in sessions of their own, without their parents."""
    job.order(TREE)
    process = job.start()
    eventually(lambda: job.says("ready") and job.says("a") and job.says("b"), "all run")
    job.write("end.json", {"grace_seconds": 0.3, "timed_out": False})
    process.send_signal(signal.SIGTERM)
    found = job.exit()
    assert (found["ended_by"], found["timed_out"]) == ("order", False)
    assert found["survivors"] == []
    assert not marked()


def test_a_stranger_leaves_less_time(job: Job) -> None:
    """Who sends TERM without an order kills soon: the end is written down before."""
    job.order(TREE, grace_seconds=600.0, kill_wait=2.3)
    process = job.start()
    eventually(lambda: job.says("ready"), "it runs")
    process.send_signal(signal.SIGTERM)
    found = job.exit()
    assert found["ended_by"] == "stranger"
    assert not marked()


def test_the_order_may_be_seen_late(job: Job) -> None:
    job.order(f"{DEAF}; echo ready; sleep 0.2; sleep 0.2; sleep 60", kill_wait=600.0)
    process = job.start()
    eventually(lambda: job.says("ready"), "it runs")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)  # the signal was heard without the file, or both are seen at once
    job.write("end.json", {"grace_seconds": 0.1, "timed_out": True})
    found = job.exit()
    assert (found["ended_by"], found["timed_out"]) == ("order", True)


def test_what_it_leaves_running_is_ended(job: Job) -> None:
    found = job.run(
        f"(setsid sh -c '{DEAF}; sleep 60' &) ; (sleep 60 &); exit 0", grace_seconds=0.2
    )
    assert (found["exit_code"], found["ended_by"]) == (0, "")
    assert found["left"] >= 2
    assert not marked()


def test_after_gets_what_is_left_of_the_grace(job: Job) -> None:
    after = ["/bin/sh", "-c", "echo after $TREADLE_EXIT_CODE"]
    job.order(f"{DEAF}; echo ready; while :; do sleep 0.1; done", after=after)
    process = job.start()
    eventually(lambda: job.says("ready"), "it runs")
    job.write("end.json", {"grace_seconds": 1.5, "timed_out": False})
    process.send_signal(signal.SIGTERM)
    found = job.exit()
    assert found["parts"] == {"command": -9, "after": 0}
    assert job.says("after 137")
