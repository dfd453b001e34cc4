"""`before` and `after` as a person has them: whatever stops a step, `after` runs."""

import json
import signal
import time

import pytest
from cli.place import HELD, Place

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: w}\n"
AFTER = "echo unlock $TREADLE_EXIT_CODE >> ledger; sleep 0.1; echo unlocked >> ledger"


def write(place: Place, command: str, fields: str = "", rest: str = "") -> None:
    """Step a, with a file for a lock around it."""
    script = json.dumps(f"touch runs; {command}")
    place.specs.joinpath("w.yaml").write_text(
        f"{HEAD}spec:\n{rest}"
        "  defaults: {terminationGracePeriodSeconds: 20}\n"
        f"  steps:\n    - {{name: a, before: 'echo lock >> ledger', run: {script}, "
        f"after: '{AFTER}'{fields}}}\n"
        "    - {name: b, run: 'until [ -e fails ] || [ -e go ]; do sleep 0.02; done; exit 1'}\n"
    )


def ledger(place: Place) -> list[str]:
    return (place.specs / "ledger").read_text().splitlines()


def attempts(place: Place) -> list[tuple[str, str, int | None]]:
    step = place.shape("w")["status"]["steps"][0]
    return [(one["phase"], one["reason"], one["exitCode"]) for one in step["attempts"]]


# What stops step a, and how its attempt then has ended.
STOPS = {
    "a marker": ("Cancelled", "CancelMarker"),
    "a deletion": ("Cancelled", "SpecDeleted"),
    "an edit": ("Cancelled", "SpecChanged"),
    "a timeout": ("Failed", "Timeout"),
    "a deadline": ("Cancelled", "DeadlineExceeded"),
    "failFast": ("Cancelled", "FailFast"),
}


@pytest.mark.parametrize("cause", STOPS)
def test_whatever_stops_a_step_its_after_runs(place: Place, cause: str) -> None:
    timeout = ", timeoutSeconds: 1" if cause == "a timeout" else ""
    deadline = "  activeDeadlineSeconds: 1\n" if cause == "a deadline" else ""
    write(
        place,
        "exec sleep 300",
        timeout,
        f"{deadline}  failFast: {str(cause == 'failFast').lower()}\n",
    )
    with place.up():
        place.until((place.specs / "runs").exists)
        match cause:
            case "a marker":
                (place.specs / "w.cancel").touch()
            case "a deletion":
                (place.specs / "w.yaml").unlink()
            case "an edit":
                write(place, HELD)
            case "failFast":
                (place.specs / "fails").touch()
        place.until(lambda: attempts(place)[0][0] != "Running")
        assert attempts(place)[0][:2] == STOPS[cause]
        told = 124 if cause == "a timeout" else 143
        assert ledger(place)[:3] == ["lock", f"unlock {told}", "unlocked"]


def test_after_runs_although_the_controller_is_killed_meanwhile(place: Place) -> None:
    write(place, "exec sleep 300")
    slow = "until [ -e go ]; do sleep 0.02; done"
    text = (place.specs / "w.yaml").read_text().replace("sleep 0.1", slow)
    (place.specs / "w.yaml").write_text(text)
    for _ in range(2):
        with place.up() as controller:
            place.until((place.specs / "runs").exists)
            (place.specs / "w.cancel").touch()
            place.until(lambda: "unlock 143" in ledger(place))
            controller.send_signal(signal.SIGKILL)
            controller.wait()
    with place.up():
        time.sleep(0.3)  # time to do something wrong: `after` gets no signal
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Cancelled")
    assert ledger(place) == ["lock", "unlock 143", "unlocked"]
    assert attempts(place) == [("Cancelled", "CancelMarker", None)]


def test_a_queued_step_that_is_given_a_before_runs_it(place: Place) -> None:
    """The start that waits is withdrawn: the next one is made of other parts."""
    steps = "[{name: a, run: 'HELD'}, {name: b, run: echo b EXTRA}]".replace("HELD", HELD)
    path = place.specs / "w.yaml"
    path.write_text(f"{HEAD}spec: {{steps: {steps.replace('EXTRA', '')}}}\n")
    with place.up("--max-parallel", "1"):
        place.until(lambda: place.phase("w") == "Running")
        path.write_text(
            f"{HEAD}spec: {{steps: {steps.replace(' EXTRA', ', before: echo first')}}}\n"
        )
        place.until(lambda: place.folded().workflows["w"].generation == 2)
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")
    assert place.says("logs", "w", "b").endswith("first\nb\n")


def test_what_is_said_of_a_failed_part(place: Place) -> None:
    write(place, "true", ", retry: {limit: 1, exitCodes: [99], backoff: {initialSeconds: 0}}")
    text = (
        (place.specs / "w.yaml").read_text().replace("echo lock >> ledger", "echo held >&2; exit 3")
    )
    (place.specs / "w.yaml").write_text(
        text.replace("until [ -e fails ] || [ -e go ]; do sleep 0.02; done; exit 1", "true")
    )
    place.treadle("up", "--once", code=1)
    assert attempts(place) == [("Failed", "BeforeFailed", 3)] * 2, "exitCodes are of the command"
    assert not (place.specs / "ledger").exists()
    said = place.says("status", "w")
    assert "  before: exit code 3\n  held\n" in said
    assert "before: exit code 3; gave up after 2 tries" in place.says("explain", "w", "a")
    assert place.says("logs", "w", "a", "--attempt", "2").endswith("held\n")
