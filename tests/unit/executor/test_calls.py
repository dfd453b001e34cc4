"""Programs that are asked beside the loop."""

import sys
import time
from threading import Event

import pytest

from controller.executor.calls import Answer, Calls, ask

SECONDS = 30


class Loop:
    """What is woken, and then collects."""

    def __init__(self) -> None:
        self.woken = Event()
        self.calls = Calls(self.woken.set)

    def until_woken(self) -> None:
        assert self.woken.wait(SECONDS)
        self.woken.clear()
        self.calls.collect()


@pytest.mark.parametrize(
    ("script", "code", "out", "problem"),
    [
        ("print('hello')", 0, "hello\n", ""),
        ("import sys; print(sys.stdin.read())", 0, "data\n", ""),
        ("import sys; sys.exit('it is  not\\n there')", 1, "", "it is not there"),
        ("raise SystemExit(3)", 3, "", "exit code 3"),
        ("import sys; print('out'); sys.exit(4)", 4, "out\n", "out"),
        ("import os; os.kill(os.getpid(), 9)", None, "", "was killed by signal 9: "),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", 0, "\ufffd", ""),
    ],
)
def test_answers(script: str, code: int | None, out: str, problem: str) -> None:
    answer = ask([sys.executable, "-c", script], SECONDS, b"data")
    assert (answer.code, answer.out) == (code, out)
    assert answer.problem.endswith(problem)
    assert answer.ok == (code == 0) == (answer.problem == "")


@pytest.mark.parametrize("program", ["/no/such/program", "nul\0byte"])
def test_a_program_that_is_not_there_is_an_answer(program: str) -> None:
    answer = ask([program], SECONDS)
    assert (answer.code, answer.out) == (None, "")
    assert answer.problem.startswith(f"{program} can't be run: ")


def test_one_that_hangs_is_killed_with_what_it_started() -> None:
    """Its child has the pipe as well: without the child's end, nobody would see the end of it."""
    began = time.monotonic()
    answer = ask(["/bin/sh", "-c", "sleep 600 & sleep 600"], 0.2)
    assert answer == Answer(None, "", "/bin/sh did not answer within 0.2 s")
    assert time.monotonic() - began < SECONDS


def test_what_follows_runs_in_the_loop() -> None:
    loop, seen = Loop(), list[object]()
    loop.calls.ask(["echo", "a"], seen.append, seconds=SECONDS)
    loop.until_woken()
    assert seen == [Answer(0, "a\n", "")]
    loop.calls.carry_out(lambda: 7, seen.append)
    loop.until_woken()
    assert seen[1:] == [7]


def test_nothing_follows_by_itself() -> None:
    loop, seen = Loop(), list[object]()
    loop.calls.ask(["echo", "a"], seen.append, seconds=SECONDS)
    assert loop.woken.wait(SECONDS)
    assert not seen
    loop.calls.collect()
    assert len(seen) == 1


def test_a_controller_that_ends_waits_for_nobody() -> None:
    script = (
        "from controller.executor.calls import Calls; c = Calls(print)\n"
        "c.ask(['sleep', '600'], print, seconds=600); c.close()"
    )
    answer = ask([sys.executable, "-c", script], SECONDS)
    assert answer == Answer(0, "", "")
