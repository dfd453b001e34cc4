"""What to do next for an attempt that is to end."""

from typing import Any

import pytest

from controller.executor.slurm.ending import (
    RUNNER_US,
    STUCK_US,
    Deed,
    next_deed,
    next_due,
    why_stuck,
)
from controller.executor.slurm.job import Job, Stage
from controller.executor.slurm.listing import Seen
from controller.loop.ports import AttemptId, End
from controller.model.state import SECOND

ID = AttemptId("uid", "load", 1)
ORDERED = 1000 * SECOND
GRACE_US = 3 * SECOND


def job(**changes: Any) -> Job:
    fields: dict[str, Any] = {
        "id": ID,
        "mark": 1,
        "name": "treadle-load-000000000000001",
        "cluster": None,
        "folder": "/s/f",
        "log": "log",
        "stage": Stage.RELEASED,
        "handle": "17",
        "order": End(id=ID, mark=1, grace_seconds=3.0),
        "ordered": ORDERED,
    }
    return Job(**{**fields, **changes})


def seen(state: str, reason: str = "None") -> Seen:
    return Seen("17", state, "n7", "treadle-load-000000000000001", None, reason)


WITHDRAW = End(id=ID, mark=1, grace_seconds=3.0, withdraw_only=True)


@pytest.mark.parametrize(
    ("state", "changes", "deed"),
    [
        pytest.param("PENDING", {}, Deed.HOLD, id="it may start any moment"),
        pytest.param("PENDING", {"stage": Stage.HELD}, Deed.WITHDRAW, id="nobody released it"),
        pytest.param("PENDING", {"held_again": ORDERED + 1}, Deed.NOTHING, id="held since then"),
        pytest.param("PENDING", {"held_again": ORDERED - 1}, Deed.WITHDRAW, id="held before"),
        pytest.param("PENDING", {"order": None, "requeued": True}, Deed.WITHDRAW, id="requeued"),
        pytest.param("CONFIGURING", {}, Deed.NOTHING, id="its node boots"),
        pytest.param("RUNNING", {}, Deed.SIGNAL, id="it runs"),
        pytest.param("SUSPENDED", {}, Deed.SIGNAL, id="it is suspended"),
        pytest.param("COMPLETING", {}, Deed.NOTHING, id="it ends already"),
        pytest.param("RUNNING", {"order": WITHDRAW}, Deed.LEAVE, id="it has started after all"),
        pytest.param("CONFIGURING", {"order": WITHDRAW}, Deed.NOTHING, id="it may start"),
        pytest.param("RUNNING", {"order": None}, Deed.NOTHING, id="nobody wants it to end"),
    ],
)
def test_what_is_next(state: str, changes: dict[str, Any], deed: Deed) -> None:
    assert next_deed(job(**changes), seen(state), ORDERED, ORDERED) is deed


def test_a_job_that_is_held_can_not_start() -> None:
    held = seen("PENDING", "JobHeldUser")
    assert next_deed(job(), held, ORDERED, ORDERED) is Deed.WITHDRAW


@pytest.mark.parametrize(
    ("past", "deed"),
    [
        (0, Deed.SIGNAL),
        (GRACE_US + RUNNER_US - 1, Deed.SIGNAL),
        (GRACE_US + RUNNER_US, Deed.KILL),
    ],
)
@pytest.mark.parametrize("state", ["RUNNING", "CONFIGURING", "COMPLETING"])
def test_only_a_runner_that_does_not_answer_is_killed(state: str, past: int, deed: Deed) -> None:
    told = job(signalled=ORDERED)
    if state != "RUNNING" and deed is Deed.SIGNAL:
        deed = Deed.NOTHING
    assert next_deed(told, seen(state), ORDERED, ORDERED + past) is deed


def test_who_was_never_told_is_never_killed() -> None:
    assert next_deed(job(), seen("RUNNING"), ORDERED, ORDERED + 3600 * SECOND) is Deed.SIGNAL


def test_the_same_is_said_again_only_after_a_while_another_thing_at_once() -> None:
    told = job(said=Deed.HOLD, said_again_at=ORDERED + 1)
    assert next_deed(told, seen("PENDING"), ORDERED, ORDERED) is Deed.NOTHING
    assert next_deed(told, seen("PENDING"), ORDERED, ORDERED + 1) is Deed.HOLD
    assert next_deed(told, seen("RUNNING"), ORDERED, ORDERED) is Deed.SIGNAL


def test_what_takes_too_long_is_told() -> None:
    told = job(signalled=ORDERED)
    stuck = ORDERED + GRACE_US + RUNNER_US + STUCK_US
    assert why_stuck(told, seen("COMPLETING"), stuck - 1) == ""
    said = "job 17 is still COMPLETING on n7, although it was cancelled"
    assert why_stuck(told, seen("COMPLETING"), stuck) == said
    refused = job(said_problem="scancel: Access denied")
    said = "job 17 is still RUNNING on n7: scancel: Access denied"
    assert why_stuck(refused, seen("RUNNING"), ORDERED + STUCK_US) == said
    assert why_stuck(job(order=WITHDRAW), seen("PENDING"), stuck) == ""


def test_it_looks_again_when_something_may_change() -> None:
    told = job(signalled=ORDERED, said_again_at=ORDERED + SECOND)
    dues = [ORDERED + SECOND, ORDERED + GRACE_US + RUNNER_US]
    dues.append(dues[-1] + STUCK_US)
    now, found = ORDERED, []
    while (due := next_due(told, now)) is not None:
        found.append(due)
        now = due
    assert found == dues
