"""Which ends of an attempt are followed by another: cause, exit code, limit, time."""

from typing import Any

import pytest
from story import Story, a_step

from controller.model.events import MachineSlept
from controller.model.state import SECOND

NO_WAIT = {"backoff": {"initialSeconds": 0, "jitter": 0}}


def after(retry: dict[str, Any] | None, *ends: dict[str, Any], timeout: float = 5) -> Story:
    """A step with this `retry`, after attempts that ended so."""
    fields = {} if retry is None else {"retry": {**NO_WAIT, **retry}}
    story = Story().accept([a_step("a", timeoutSeconds=timeout, **fields)])
    for end in ends:
        if end.get("how") != "start-failed":
            story.start("a")
        if end == TIMEOUT:
            story.wait(timeout)
            assert story.attempt("a").ending is not None
        story.end("a", **end)
        story.wait(2)  # longer than the default backoff
    return story


def code(number: int) -> dict[str, Any]:
    return {"exit_code": number}


TIMEOUT: dict[str, Any] = {"signal": 15}
LOST: dict[str, Any] = {"how": "lost", "problem": "the machine was restarted"}
START_FAILED: dict[str, Any] = {"how": "start-failed", "problem": "not found"}
NO_SECRET: dict[str, Any] = {**START_FAILED, "reason": "SecretMissing"}
SEGV: dict[str, Any] = {"signal": 11}
BEFORE: dict[str, Any] = {"exit_code": 2, "parts": {"before": 2}}
AFTER: dict[str, Any] = {"exit_code": 0, "parts": {"command": 0, "after": 2}}
NO_COMMAND: dict[str, Any] = {"exit_code": 127, "parts": {"command": "command not found"}}
AGAIN = "Ready"


@pytest.mark.parametrize(
    ("retry", "ends", "phase", "reason"),
    [
        (None, [code(1)], "Failed", "NonZeroExit"),
        ({}, [code(1)], "Failed", "NonZeroExit"),
        ({"limit": 0}, [code(1)], "Failed", "NonZeroExit"),
        ({"limit": 1}, [code(1)], AGAIN, None),
        ({"limit": 1}, [code(1), code(1)], "Failed", "NonZeroExit"),
        ({"limit": 2}, [code(1), TIMEOUT, code(0)], "Succeeded", "Completed"),
        # causes
        ({"limit": 1, "on": ["Timeout"]}, [code(1)], "Failed", "NonZeroExit"),
        ({"limit": 1, "on": ["Timeout"]}, [TIMEOUT], AGAIN, None),
        ({"limit": 1, "on": ["NonZeroExit"]}, [TIMEOUT], "Failed", "Timeout"),
        ({"limit": 1, "on": ["NonZeroExit"]}, [SEGV], AGAIN, None),
        # exit codes; a signal n is 128+n; a timeout goes by `on` alone
        ({"limit": 1, "exitCodes": [75, "100-110"]}, [code(75)], AGAIN, None),
        ({"limit": 1, "exitCodes": [75, "100-110"]}, [code(110)], AGAIN, None),
        ({"limit": 1, "exitCodes": [75, "100-110"]}, [code(111)], "Failed", "NonZeroExit"),
        ({"limit": 1, "exitCodes": [139]}, [SEGV], AGAIN, None),
        ({"limit": 1, "exceptExitCodes": [139]}, [SEGV], "Failed", "Signalled"),
        ({"limit": 1, "exceptExitCodes": [2]}, [code(2)], "Failed", "NonZeroExit"),
        ({"limit": 1, "exitCodes": [75]}, [BEFORE], AGAIN, None),
        ({"limit": 1, "exceptExitCodes": [2]}, [BEFORE], AGAIN, None),
        ({"limit": 1, "exitCodes": [75]}, [AFTER], AGAIN, None),
        ({"limit": 1, "on": ["Timeout"]}, [BEFORE], "Failed", "BeforeFailed"),
        ({"limit": 1, "on": ["Timeout"]}, [AFTER], "Failed", "AfterFailed"),
        ({"limit": 9}, [NO_COMMAND], "Failed", "StartFailed"),
        ({"limit": 1, "exceptExitCodes": [2]}, [code(1)], AGAIN, None),
        ({"limit": 1, "exitCodes": [75]}, [TIMEOUT], AGAIN, None),
        ({"limit": 1, "exceptExitCodes": [124]}, [TIMEOUT], AGAIN, None),
        # what can't be started is not retried
        ({"limit": 3}, [START_FAILED], "Failed", "StartFailed"),
        ({"limit": 3}, [NO_SECRET], "Failed", "SecretMissing"),
        # an end that nobody saw: whatever limit is, three times in a row
        (None, [LOST], AGAIN, None),
        (None, [LOST] * 3, AGAIN, None),
        (None, [LOST] * 4, "Failed", "Interrupted"),
        ({"limit": 1}, [LOST] * 3 + [code(1)], AGAIN, None),
        ({"limit": 1}, [LOST] * 3 + [code(1)] + [LOST] * 3, AGAIN, None),  # the row was broken
        ({"limit": 1}, [LOST] * 3 + [code(1)] + [LOST] * 4, "Failed", "Interrupted"),
        ({"limit": 9, "on": ["NonZeroExit"]}, [LOST], "Failed", "Interrupted"),
        ({"on": ["Interrupted"]}, [LOST], AGAIN, None),
        ({"on": ["Interrupted"]}, [code(1)], "Failed", "NonZeroExit"),
    ],
)
def test_what_follows(
    retry: dict[str, Any] | None, ends: list[dict[str, Any]], phase: str, reason: str | None
) -> None:
    story = after(retry, *ends)
    assert story.phases()["a"] == phase
    if reason is not None:
        assert story.why("a")[1] == reason


def test_the_backoff_is_recorded_and_doubles() -> None:
    backoff = {"initialSeconds": 1, "factor": 2, "maxSeconds": 3, "jitter": 0}
    story = Story().accept([a_step("a", retry={"limit": 3, "backoff": backoff})])
    for seconds in (1, 2, 3):
        story.exit("a", 1)
        assert story.why("a") == ("Pending", "BackOff")
        story.wait(seconds - 0.1)
        assert story.phases()["a"] == "Pending"
        story.wait(0.1)
        assert story.phases()["a"] == "Ready"


def test_a_wait_that_would_pass_the_time_for_retries_is_not_begun() -> None:
    retry = {"limit": 9, "maxElapsedSeconds": 10, "backoff": {"initialSeconds": 4, "jitter": 0}}
    story = Story().accept([a_step("a", retry=retry)]).start("a").wait(5)
    story.end("a", exit_code=1)
    assert story.why("a") == ("Pending", "BackOff")
    story.wait(4).exit("a", 1)
    assert story.why("a") == ("Failed", "NonZeroExit")
    assert "maxElapsedSeconds" in story.step("a").message


def test_the_message_says_which_retry_and_why_no_more() -> None:
    story = after({"limit": 1}, code(3), code(3))
    assert story.step("a").message == "exit code 3; gave up after 2 tries (retry.limit: 1)"


def test_defaults_give_retries_field_by_field() -> None:
    story = Story().accept(
        [a_step("a", retry={"exitCodes": [7]})], defaults={"retry": {"limit": 1, **NO_WAIT}}
    )
    story.exit("a", 7).settle()
    assert story.phases()["a"] == "Ready"


@pytest.mark.parametrize("meanwhile", ["suspended", "asleep", "both", "nothing"])
def test_max_elapsed_counts_neither_a_suspension_nor_a_sleep(meanwhile: str) -> None:
    retry = {"limit": 9, "maxElapsedSeconds": 3, "backoff": {"initialSeconds": 1, "jitter": 0}}
    steps = [a_step("a", retry=retry)]
    story = Story().accept(steps).exit("a", 1)
    if meanwhile in ("suspended", "both"):
        story.accept(steps, suspend=True)
    story.now += 60 * SECOND
    if meanwhile in ("asleep", "both"):
        story.see(MachineSlept(seconds=60)).settle()
    if meanwhile in ("suspended", "both"):
        story.accept(steps)
    story.wait(1).exit("a", 1)
    assert story.phases()["a"] == ("Failed" if meanwhile == "nothing" else "Pending")
