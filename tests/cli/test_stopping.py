"""How a controller is stopped: what it says, what becomes of the steps, who gets the signal."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.place import DEADLINE_SECONDS, HELD, TREADLE, Place, document

# Tells in a file if a signal reached it that only a terminal sends.
TOLD = f"trap 'touch hit' INT HUP QUIT; touch runs; {HELD}"
DEAF_AT_FIRST = "[ ! -e runs ] || exit 0; trap '' TERM; touch runs; exec sleep 60"

# `treadle` for which no process can be signalled, as if all were another user's.
POWERLESS = """
import signal, sys
from controller.cli.main import main
from controller.executor.local import ending
def refused(*_):
    raise PermissionError
ending.FAILED_SECONDS = 0.2
signal.pidfd_send_signal = refused
sys.exit(main())
"""


def runs(place: Place, name: str = "w", step: str = "a") -> bool:
    life = place.folded().workflows.get(name)
    return life is not None and str(life.steps[step].phase) == "Running"


def attempts(place: Place) -> list[tuple[str, str | None]]:
    (step,) = place.shape("w")["status"]["steps"]
    return [(one["phase"], one["reason"]) for one in step["attempts"]]


def ended(controller: "subprocess.Popen[bytes]") -> tuple[int, str]:
    out, _ = controller.communicate(timeout=DEADLINE_SECONDS)
    return controller.returncode, out.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_running_steps_are_left_running(place: Place, number: int) -> None:
    place.spec("w", a=HELD)
    controller = place.begin("up")
    place.until(lambda: runs(place))
    controller.send_signal(number)
    code, said = ended(controller)
    assert code == 0
    assert "stopped; 1 step left running, the next `treadle up` adopts them" in said
    (place.specs / "go").touch()
    place.says("up", "--once")
    assert attempts(place) == [("Succeeded", "Completed")]


@pytest.mark.parametrize("order", [("controller", "shim", "step"), ("step", "shim", "controller")])
def test_steps_that_are_stopped_with_their_controller_and_shim_are_tried_again(
    place: Place, order: tuple[str, ...]
) -> None:
    """As a service manager does that knows no better, and every orderly shutdown."""
    place.spec("w", a=HELD)
    controller = place.begin("up")
    place.until(lambda: runs(place))
    step = place.folded().workflows["w"].steps["a"].attempt
    assert step is not None and step.pid is not None
    shim = int((place.state / "shim/lock").read_text())
    pids = {"controller": controller.pid, "shim": shim, "step": step.pid}
    for name in order:
        os.kill(pids[name], signal.SIGTERM)
    assert ended(controller)[0] == 0
    (place.specs / "go").touch()
    place.says("up", "--once")
    assert attempts(place) == [("Interrupted", "Interrupted"), ("Succeeded", "Completed")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_running_steps_are_ended_and_tried_again(place: Place, number: int) -> None:
    place.spec("w", a=HELD)
    controller = place.begin("up", "--end-steps")
    place.until(lambda: runs(place))
    controller.send_signal(number)
    code, said = ended(controller)
    assert code == 0
    assert "stopping 1 step; another Ctrl-C exits at once" in said
    assert "stopped; 1 step stopped, the next `treadle up` runs them again" in said
    assert attempts(place) == [("Interrupted", "ControllerStopped")]
    (place.specs / "go").touch()
    place.says("up", "--once")
    assert attempts(place)[1:] == [("Succeeded", "Completed")]


def test_a_second_sigint_leaves_at_once_and_the_next_controller_goes_on_ending(
    place: Place,
) -> None:
    file = place.spec("w", a=DEAF_AT_FIRST)
    grace = '"name": "a", "terminationGracePeriodSeconds": 600'
    file.write_text(file.read_text().replace('"name": "a"', grace))
    controller = place.begin("up", "--end-steps")
    place.until(lambda: (place.specs / "runs").exists() and runs(place))
    controller.send_signal(signal.SIGINT)
    assert controller.stdout is not None
    while b"stopping 1 step" not in (line := controller.stdout.readline()):
        assert line, "it ended without a word"
    controller.send_signal(signal.SIGINT)
    assert ended(controller)[0] == 130
    pid = place.folded().workflows["w"].steps["a"].attempts[0].pid
    assert pid is not None
    os.kill(pid, 0)
    with place.up():
        place.until(lambda: place.folded().workflows["w"].steps["a"].attempts[0].ending is not None)
        os.kill(pid, signal.SIGKILL)
        place.until(lambda: place.phase("w") == "Succeeded")
    assert attempts(place) == [("Interrupted", "ControllerStopped"), ("Succeeded", "Completed")]


def test_what_cannot_be_ended_holds_nobody_up_and_is_named(place: Place) -> None:
    file = place.spec("w", a=HELD)
    grace = '"name": "a", "terminationGracePeriodSeconds": 0'
    file.write_text(file.read_text().replace('"name": "a"', grace))
    controller = place.begin("up", "--end-steps", program=(sys.executable, "-c", POWERLESS))
    place.until(lambda: runs(place))
    pid = place.folded().workflows["w"].steps["a"].attempts[0].pid
    controller.send_signal(signal.SIGTERM)
    code, said = ended(controller)
    assert code == 0
    assert "stopped; 0 of 1 step stopped" in said
    last = said.splitlines()[-1]
    assert str(pid) in last
    assert last.endswith("can't be stopped; the next `treadle up` tries again")
    (place.specs / "go").touch()
    place.says("up", "--once")
    assert attempts(place) == [("Interrupted", "ControllerStopped"), ("Succeeded", "Completed")]


@contextmanager
def on_a_terminal(place: Place, *words: str) -> Iterator[tuple[int, int]]:
    """The command as the foreground job of a terminal of its own: its pid and the master end."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(place.root)
        os.execve(TREADLE, ["treadle", *words], {**os.environ, "TERM": "xterm"})
    try:
        yield pid, master
    finally:
        os.close(master)


def exit_code_of(pid: int, master: int) -> int:
    """Read what it draws until it ends: a terminal that nobody reads blocks who writes."""
    try:
        while os.read(master, 65536):
            pass
    except OSError:
        pass  # EIO: the other end is closed
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("command", ["up", "run"])
def test_ctrl_c_in_a_terminal_reaches_no_step(place: Place, command: str) -> None:
    """`up` leaves the step alone; `run` cancels it, which sends TERM and nothing else."""
    home = place.specs if command == "up" else place.root
    (home / "w.yaml").write_text(document("w", a=TOLD))
    words = ("up",) if command == "up" else ("run", "w.yaml")
    with on_a_terminal(place, *words) as (pid, master):
        place.until(lambda: (home / "runs").exists() and runs(place))
        os.write(master, b"\x03")
        assert exit_code_of(pid, master) == (0 if command == "up" else 130)
    assert_not_hit(home)
    if command == "up":
        assert runs(place)
        (home / "go").touch()
        place.says("up", "--once")
        assert attempts(place) == [("Succeeded", "Completed")]
    assert_not_hit(home)


@pytest.mark.parametrize(
    ("command", "phase", "code"),
    [("up", "Running", 0), ("up --end-steps", "Interrupted", 0), ("run w.yaml", "Cancelled", 129)],
)
def test_a_terminal_that_is_closed_stops_it_as_sigterm_does(
    place: Place, command: str, phase: str, code: int
) -> None:
    home = place.root if command.startswith("run") else place.specs
    (home / "w.yaml").write_text(document("w", a=TOLD))
    with on_a_terminal(place, *command.split()) as (pid, _):
        place.until(lambda: (home / "runs").exists() and runs(place))
    # The master end is closed now, so the kernel hangs the terminal up.
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert attempts(place)[0][0] == phase
    assert_not_hit(home)
    (home / "go").touch()


def test_under_nohup_it_goes_on(place: Place) -> None:
    place.spec("w", a=HELD)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        controller = place.begin("up", "--once")
    finally:
        signal.signal(signal.SIGHUP, before)
    place.until(lambda: runs(place))
    controller.send_signal(signal.SIGHUP)
    (place.specs / "go").touch()
    assert ended(controller)[0] == 0
    assert attempts(place) == [("Succeeded", "Completed")]


def assert_not_hit(home: Path) -> None:
    assert not (home / "hit").exists(), "a signal of the terminal reached the step"
