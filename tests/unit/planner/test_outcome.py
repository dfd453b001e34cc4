"""What was seen of a process, and what it means for its attempt."""

from typing import Any

import pytest
from story import Story, a_step

from controller.model.events import AttemptEndFailed, AttemptFinished, AttemptStarted, Usage
from controller.model.observations import AttemptId, Ended, EndFailed, Started
from controller.model.phases import AttemptPhase
from controller.model.state import Attempt, Ending
from controller.planner.outcome import Codes, fact

ID = AttemptId("uid", "a", 1)


def attempt(**fields: Any) -> Attempt:
    known = {"number": 1, "run": 1, "generation": 1, "fingerprint": "1:f", "inputs": {}}
    return Attempt(**{**known, "mark": 1, "log": "l", "phase": AttemptPhase.RUNNING, **fields})


def ending(reason: str, withdraw: bool = False) -> Ending:
    return Ending(reason=reason, message="wanted", since=100, grace=3, withdraw=withdraw)


@pytest.mark.parametrize(
    ("wanted", "seen", "phase", "reason", "message"),
    [
        (None, {"exit_code": 0}, "Succeeded", "Completed", "exit code 0"),
        (None, {"exit_code": 7}, "Failed", "NonZeroExit", "exit code 7"),
        (None, {"signal": 9}, "Failed", "Signalled", "killed by SIGKILL (Killed)"),
        (None, {"signal": 99}, "Failed", "Signalled", "killed by signal 99"),
        (None, {"how": "lost", "problem": "reboot"}, "Interrupted", "Interrupted", "reboot"),
        (
            None,
            {"how": "start-failed", "problem": "no such file"},
            "Failed",
            "StartFailed",
            "could not start: no such file",
        ),
        (
            None,
            {"how": "start-failed", "problem": "no TOKEN", "reason": "SecretMissing"},
            "Failed",
            "SecretMissing",
            "could not start: no TOKEN",
        ),
        (
            ending("Suspended", withdraw=True),
            {"how": "withdrawn"},
            "Cancelled",
            "Withdrawn",
            "withdrawn before it started: wanted",
        ),
        (None, {"how": "withdrawn"}, "Cancelled", "Withdrawn", None),
        (ending("CancelMarker"), {"signal": 15}, "Cancelled", "CancelMarker", "wanted"),
        (ending("CancelMarker"), {"exit_code": 0}, "Cancelled", "CancelMarker", "wanted"),
        (ending("CancelMarker"), {"how": "lost"}, "Cancelled", "CancelMarker", "wanted"),
        (ending("Timeout"), {"signal": 15}, "Failed", "Timeout", "wanted"),
        (ending("Timeout"), {"how": "lost"}, "Failed", "Timeout", "wanted"),
        (ending("ControllerStopped"), {"signal": 15}, "Interrupted", "ControllerStopped", "wanted"),
        # it had ended by itself before anybody wanted it to
        (ending("Timeout"), {"exit_code": 0, "at": 99}, "Succeeded", "Completed", "exit code 0"),
        (ending("Timeout"), {"signal": 11, "at": 99}, "Failed", "Signalled", None),
        # an order not to start says nothing about one that did
        (ending("Suspended", withdraw=True), {"exit_code": 0}, "Succeeded", "Completed", None),
    ],
)
def test_an_end(
    wanted: Ending | None, seen: dict[str, Any], phase: str, reason: str, message: str | None
) -> None:
    found = fact(attempt(ending=wanted), Ended(id=ID, **{"how": "exited", "at": 200, **seen}))
    assert isinstance(found, AttemptFinished)
    assert (found.phase, found.reason) == (phase, reason)
    if message is not None:
        assert found.message == message


NO_TOOL = 'command not found: "tool"'


@pytest.mark.parametrize(
    ("seen", "parts", "reason", "message", "notes"),
    [
        ({"exit_code": 0}, {"before": 0, "command": 0, "after": 0}, "Completed", "exit code 0", []),
        ({"exit_code": 3}, {"before": 3}, "BeforeFailed", "before: exit code 3", []),
        ({"exit_code": 99}, {"before": 99}, "BeforeFailed", "before: exit code 99", []),
        ({"signal": 9}, {"before": -9}, "BeforeFailed", "before: killed by SIGKILL (Killed)", []),
        (
            {"exit_code": 127},
            {"before": NO_TOOL},
            "BeforeFailed",
            f"before: could not start: {NO_TOOL}",
            [],
        ),
        ({"exit_code": 0}, {"command": 0, "after": 4}, "AfterFailed", "after: exit code 4", []),
        (
            {"exit_code": 0},
            {"command": 0, "after": NO_TOOL},
            "AfterFailed",
            f"after: could not start: {NO_TOOL}",
            [],
        ),
        ({"exit_code": 99}, {"command": 99, "after": 4}, "AfterFailed", "after: exit code 4", []),
        (
            {"exit_code": 7},
            {"command": 7, "after": 4},
            "NonZeroExit",
            "exit code 7",
            ["AfterFailed: exit code 4"],
        ),
        (
            {"exit_code": 127},
            {"command": NO_TOOL, "after": 0},
            "StartFailed",
            f"could not start: {NO_TOOL}",
            [],
        ),
        # its runner was killed
        (
            {"signal": 9},
            {"command": 0, "after": None},
            "Signalled",
            "killed by SIGKILL (Killed)",
            ["AfterFailed: killed before it had finished"],
        ),
        ({"signal": 9}, {}, "Signalled", "killed by SIGKILL (Killed)", []),
    ],
)
def test_which_part_failed(
    seen: dict[str, Any], parts: dict[Any, Any], reason: str, message: str, notes: list[str]
) -> None:
    ended = Ended(id=ID, how="exited", at=200, parts=parts, **seen)
    found = fact(attempt(in_parts=True), ended, Codes(success=(0, 3), skip=(99,)))
    assert isinstance(found, AttemptFinished)
    assert (found.reason, found.message, found.notes) == (reason, message, notes)
    assert (found.phase == AttemptPhase.SUCCEEDED) == (reason == "Completed")
    assert found.exit_code == seen.get("exit_code")


def test_an_ending_counts_more_than_what_came_of_its_parts() -> None:
    ended = Ended(id=ID, how="exited", at=200, exit_code=1, parts={"command": 0, "after": 1})
    found = fact(attempt(in_parts=True, ending=ending("CancelMarker")), ended)
    assert isinstance(found, AttemptFinished)
    assert (found.phase, found.message) == ("Cancelled", "wanted")
    assert found.notes == ["AfterFailed: exit code 1"]


def test_a_timeout_counts_as_exit_code_124() -> None:
    seen = Ended(id=ID, how="exited", at=200, signal=15)
    found = fact(attempt(ending=ending("Timeout")), seen)
    assert isinstance(found, AttemptFinished)
    assert (found.exit_code, found.signal) == (124, None)


def test_an_exit_code_that_nobody_knows_is_never_guessed() -> None:
    found = fact(attempt(), Ended(id=ID, how="lost", at=200, problem="gone"))
    assert isinstance(found, AttemptFinished)
    assert (found.exit_code, found.signal) == (None, None)


@pytest.mark.parametrize(("left", "said"), [(1, "1 process"), (2, "2 processes")])
def test_usage_and_what_it_left_running_are_noted(left: int, said: str) -> None:
    usage = Usage(wall_seconds=1.5)
    seen = Ended(id=ID, how="exited", at=200, exit_code=0, usage=usage, left_processes=left)
    found = fact(attempt(), seen)
    assert isinstance(found, AttemptFinished)
    assert (found.usage, found.finished) == (usage, 200)
    assert found.notes == [f"LeftProcesses: stopped {said} that it left running"]


@pytest.mark.parametrize(
    ("pids", "said"), [((7, 8), "pid 7, 8;"), (tuple(range(1, 13)), "9, 10 and 2 more;")]
)
def test_processes_that_were_left_alone_unproven_are_noted(
    pids: tuple[int, ...], said: str
) -> None:
    found = fact(attempt(), Ended(id=ID, how="lost", at=200, problem="gone", unproven=pids))
    assert isinstance(found, AttemptFinished)
    (note,) = found.notes
    assert note.startswith("UnprovenProcesses: not stopped") and said in note


def test_a_start_is_recorded_once() -> None:
    seen = Started(id=ID, pid=7, start_ticks=8, at=9)
    found = fact(attempt(phase=AttemptPhase.SCHEDULED), seen)
    assert found == AttemptStarted(
        uid="uid", step="a", attempt=1, handle="7", pid=7, start_ticks=8, started=9
    )
    assert fact(attempt(), seen) is None


def test_that_a_pid_was_only_found_is_recorded() -> None:
    seen = Started(id=ID, pid=7, start_ticks=8, at=9, found=True)
    recorded = fact(attempt(phase=AttemptPhase.SCHEDULED), seen)
    assert isinstance(recorded, AttemptStarted)
    assert recorded.found


def test_survivors_are_recorded_when_they_change() -> None:
    seen = EndFailed(id=ID, pids=(8, 7))
    found = fact(attempt(), seen)
    assert found == AttemptEndFailed(uid="uid", step="a", attempt=1, pids=[7, 8])
    assert fact(attempt(survivors=[7, 8]), seen) is None


@pytest.mark.parametrize(
    ("codes", "seen", "phase", "message", "noted"),
    [
        ((0, 1), 1, "Succeeded", "exit code 1", True),
        ((0, 1), 0, "Succeeded", "exit code 0", False),
        ((0, 1), 2, "Failed", "exit code 2", False),
        ((1,), 0, "Failed", "exit code 0, which is not one of successExitCodes", False),
    ],
)
def test_which_exit_codes_are_a_success(
    codes: tuple[int, ...], seen: int, phase: str, message: str, noted: bool
) -> None:
    found = fact(attempt(), Ended(id=ID, how="exited", at=200, exit_code=seen), Codes(codes))
    assert isinstance(found, AttemptFinished)
    assert (found.phase, found.exit_code, found.message) == (phase, seen, message)
    note = f"SuccessExitCode: exit code {seen} is one of successExitCodes"
    assert found.notes == ([note] if noted else [])


def test_a_signal_is_never_one_of_the_success_codes() -> None:
    found = fact(attempt(), Ended(id=ID, how="exited", at=200, signal=1), Codes((0, 129)))
    assert isinstance(found, AttemptFinished)
    assert found.phase is AttemptPhase.FAILED


def test_what_counts_is_the_spec_in_force_when_the_attempt_ends() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")]).start("a")
    story.accept([a_step("a", successExitCodes=[0, "3-5"]), a_step("b", "a")])
    assert story.live() == {"a"}, "such an edit starts nothing"
    story.exit("a", 4)
    assert story.phases()["a"] == "Succeeded"
    assert story.step("a").attempts[-1].exit_code == 4
    story.accept([a_step("a", successExitCodes=[0]), a_step("b", "a")])
    assert story.phases()["a"] == "Succeeded", "an attempt is judged once"


def test_outputs_that_cannot_be_read_fail_only_what_declares_some() -> None:
    def seen(**declares: str) -> tuple[str | None, str | None]:
        story = Story().accept([a_step("a", outputs=declares)] if declares else [a_step("a")])
        story.start("a").end("a", exit_code=0, outputs_problem="it is a folder")
        attempt = story.step("a").attempts[-1]
        return attempt.reason, attempt.message

    assert seen() == ("Completed", "exit code 0")
    assert seen(n="integer") == ("OutputInvalid", "$TREADLE_OUTPUT can't be read: it is a folder")
