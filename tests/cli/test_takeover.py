"""A second controller: it waits for the first, or ends it; one that was given up does no harm."""

import os
import signal
import subprocess
from pathlib import Path

import msgspec
import pytest
from cli.place import DEADLINE_SECONDS, HELD, Place, document

from controller.log.lock import Holder
from controller.log.reader import read
from controller.log.status_file import read_status

FOREIGN = Holder(pid=1, host="elsewhere", epoch=1, since=1, command="treadle up")


def runs(place: Place) -> bool:
    return place.phase("w") == "Running"


def holds(place: Place, controller: "subprocess.Popen[bytes]") -> bool:
    status = read_status(str(place.state))
    return (status.phase, status.pid) == ("Running", controller.pid)


def first_line(controller: "subprocess.Popen[bytes]") -> str:
    assert controller.stderr is not None
    return controller.stderr.readline().decode()


def stop(controller: "subprocess.Popen[bytes]") -> None:
    controller.terminate()
    controller.communicate(timeout=DEADLINE_SECONDS)
    assert controller.returncode == 0


def attempts(place: Place) -> list[str]:
    (step,) = place.shape("w")["status"]["steps"]
    return [one["phase"] for one in step["attempts"]]


def finish(place: Place, controller: "subprocess.Popen[bytes]") -> None:
    """The step ends well, under this controller and in its first attempt."""
    place.until(lambda: holds(place, controller))
    for home in (place.specs, place.root):
        (home / "go").touch()
    place.until(lambda: place.phase("w") == "Succeeded")
    assert attempts(place) == ["Succeeded"]
    stop(controller)


def test_one_that_stands_by_goes_on_when_the_first_is_gone(place: Place) -> None:
    place.spec("w", a=HELD)
    first = place.begin("up")
    place.until(lambda: runs(place))
    second = place.begin("up", "--standby")
    said = first_line(second)
    assert said.startswith("treadle: standing by: ")
    assert f"holds this state folder: pid {first.pid} on " in said
    first.kill()
    first.communicate(timeout=DEADLINE_SECONDS)
    finish(place, second)


def test_one_that_stands_by_can_be_stopped(place: Place) -> None:
    place.spec("w", a=HELD)
    first = place.begin("up")
    place.until(lambda: runs(place))
    second = place.begin("up", "--standby")
    first_line(second)
    stop(second)
    assert first.poll() is None
    stop(first)


@pytest.mark.parametrize("stopped", [False, True])
def test_the_holder_is_ended_and_its_steps_are_adopted(place: Place, stopped: bool) -> None:
    place.spec("w", a=HELD)
    first = place.begin("up", *(["--end-steps"] if stopped else []))
    place.until(lambda: runs(place))
    if stopped:
        first.send_signal(signal.SIGSTOP)
    second = place.begin("up", "--take-over")
    assert first_line(second).startswith(
        f"treadle: taking over: stopping pid {first.pid} (treadle up"
    )
    first.communicate(timeout=DEADLINE_SECONDS)
    assert first.returncode == (-signal.SIGKILL if stopped else 0)
    finish(place, second)


def test_what_a_run_drives_is_taken_over_and_not_cancelled(place: Place) -> None:
    (place.root / "w.yaml").write_text(document("w", a=HELD))
    first = place.begin("run", "w.yaml")
    place.until(lambda: runs(place))
    second = place.begin("up", "--take-over")
    first.communicate(timeout=DEADLINE_SECONDS)
    assert first.returncode == -signal.SIGKILL
    finish(place, second)


def test_nobody_to_take_over_from_is_a_plain_start(place: Place) -> None:
    place.spec("w", a="true")
    assert b"taking over" not in place.treadle("up", "--once", "--take-over").stderr


def test_a_holder_on_another_host_is_refused(place: Place) -> None:
    place.spec("w", a=HELD)
    first = place.begin("up")
    place.until(lambda: runs(place))
    lock_says(place.state, FOREIGN)
    said = place.complains("up", "--take-over", code=3)
    assert said.endswith("held by pid 1 on elsewhere: take it over there")
    assert first.poll() is None
    stop(first)


def test_one_that_was_given_up_and_comes_back_writes_and_starts_nothing(place: Place) -> None:
    """Its lock file was deleted while it was stopped, so another could start beside it."""
    place.spec("w", a=HELD)
    first = place.begin("up")
    place.until(lambda: runs(place))
    first.send_signal(signal.SIGSTOP)
    (place.state / "lock").unlink()
    second = place.begin("up")
    place.until(lambda: holds(place, second))
    place.spec("other", a="true")
    place.until(lambda: place.phase("other") == "Succeeded")
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=DEADLINE_SECONDS)
    assert first.returncode in (3, 4), err
    assert b"taken over" in err or b"somebody else wrote here" in err
    finish(place, second)
    epochs = [record.epoch for record in read(str(place.state))]
    assert epochs == sorted(epochs)


def lock_says(state: Path, by: Holder) -> None:
    with open(state / "lock", "r+b") as file:
        os.pwrite(file.fileno(), msgspec.json.encode(by).ljust(511) + b"\n", 0)
