"""How an attempt ended, from what its runner left and what Slurm's books say."""

from typing import Any

import pytest

from controller.executor.slurm.listing import Told
from controller.executor.slurm.shared import ExitFile, Left
from controller.executor.slurm.verdict import LATE_SECONDS, UNTOLD_SECONDS, Known, verdict
from controller.loop.ports import AttemptId, Ended
from controller.model.state import SECOND

NOW = 1000 * SECOND
UNPROVEN = "EndUnproven: nobody has seen its processes end; look at node n7"


def known(waited: float = 0.0, **changes: Any) -> Known:
    fields: dict[str, Any] = {
        "id": AttemptId("uid", "load", 1),
        "job": "17",
        "folder": "/s/f",
        "left": Left(claimed=True),
        "told": None,
        "gone": NOW - int(waited * SECOND),
        "now": NOW,
        "started": NOW - 100 * SECOND,
    }
    return Known(**{**fields, **changes})


def said(**changes: Any) -> Left:
    fields: dict[str, Any] = {"version": 1, "how": "exited", "host": "n7", "wall_seconds": 60.0}
    return Left(exit=ExitFile(**{**fields, **changes}), claimed=True, timeout_seconds=57.5)


def ended(found: Known) -> Ended:
    outcome = verdict(found)
    assert outcome is not None
    return outcome


# ------------------------------------------------------------------------------- the runner's word


def test_the_runner_tells_durations_and_the_controller_moments() -> None:
    outcome = ended(known(left=said(exit_code=3, cpu_seconds=1.5, max_rss_bytes=7, left=2)))
    assert (outcome.how, outcome.exit_code, outcome.signal) == ("exited", 3, None)
    assert outcome.at == NOW - 40 * SECOND
    assert outcome.usage is not None and outcome.usage.wall_seconds == 60.0
    assert (outcome.usage.cpu_seconds, outcome.usage.max_rss_bytes) == (1.5, 7)
    assert outcome.left_processes == 2


@pytest.mark.parametrize(
    ("left", "started"),
    [
        pytest.param(said(exit_code=0, wall_seconds=101.0), NOW - 100 * SECOND, id="it ran longer"),
        pytest.param(said(exit_code=0), None, id="nobody saw it start"),
        pytest.param(said(signal=15, ended_by="order"), NOW - 100 * SECOND, id="we ended it"),
    ],
)
def test_no_end_is_later_than_now_or_earlier_than_the_order(left: Left, started: int) -> None:
    assert ended(known(left=left, started=started)).at == NOW


def test_a_timeout_says_how_long() -> None:
    outcome = ended(known(left=said(signal=9, timed_out=True, ended_by="timeout")))
    assert outcome.timed_out and outcome.problem == "timed out after 57.5 s"


@pytest.mark.parametrize(
    ("left", "how", "problem"),
    [
        (said(how="start-failed", problem="/x: No such file"), "start-failed", "node n7: /x: No"),
        (said(how="start-failed", parts={"before": "no sh"}), "exited", ""),
        (said(exit_code=1, parts={"before": 1}), "exited", ""),
    ],
)
def test_a_start_that_failed(left: Left, how: str, problem: str) -> None:
    outcome = ended(known(left=left))
    assert outcome.how == how and outcome.problem.startswith(problem)


def test_processes_that_can_not_be_ended_are_noted() -> None:
    outcome = ended(known(left=said(exit_code=0, survivors=[7, 8])))
    assert outcome.notes == ("EndUnproven: node n7: SIGKILL did not end pid 7, 8",)


@pytest.mark.parametrize(
    ("state", "how", "timed_out"),
    [
        pytest.param("PREEMPTED", "lost", False, id="for somebody else"),
        pytest.param("CANCELLED by 0", "lost", False, id="by somebody"),
        pytest.param("TIMEOUT", "exited", True, id="by its time limit"),
        pytest.param("FAILED", "lost", False, id="a signal that nobody here sent"),
    ],
)
def test_ended_by_a_stranger(state: str, how: str, timed_out: bool) -> None:
    left = said(signal=15, ended_by="stranger")
    outcome = ended(known(left=left, told=Told(state, node="n7")))
    assert (outcome.how, outcome.timed_out) == (how, timed_out)
    assert outcome.engine_reason == state and not outcome.notes
    assert outcome.usage is not None


# --------------------------------------------------------------------------------- without its word


@pytest.mark.parametrize(
    ("told", "waited", "over"),
    [
        (None, UNTOLD_SECONDS - 1, False),
        (None, UNTOLD_SECONDS, True),
        (Told("COMPLETED"), UNTOLD_SECONDS - 1, False),
        (Told("FAILED", 1), UNTOLD_SECONDS, True),
        (Told("NODE_FAIL"), LATE_SECONDS - 1, False),
        (Told("NODE_FAIL"), LATE_SECONDS, True),
        (Told("CANCELLED by 7"), LATE_SECONDS, True),
    ],
)
def test_files_and_books_are_late(told: Told | None, waited: float, over: bool) -> None:
    outcome = verdict(known(waited, told=told))
    assert (outcome is not None) == over
    assert outcome is None or outcome.how == "lost"


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (None, "job 17 is gone, and nothing tells how it ended"),
        (Told("NODE_FAIL", node="n7"), "job 17 ended on n7: NODE_FAIL"),
        (
            Told("FAILED", 0, 9, "n7"),
            "job 17 ended on n7 with signal 9, and its runner did not say how it went",
        ),
        (
            Told("COMPLETED", node="n7"),
            "job 17 ended on n7 with exit code 0, and its runner did not say how it went",
        ),
    ],
)
def test_what_is_said_of_a_loss(told: Told | None, problem: str) -> None:
    outcome = ended(known(UNTOLD_SECONDS, told=told))
    assert outcome.problem == problem
    assert outcome.engine_reason == (told.state if told else "")
    assert outcome.notes == (UNPROVEN if told else UNPROVEN.replace("node n7", "its node"),)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (Told("FAILED", 121, 0, "n7"), "node n7 does not see /s/f; sharedDir must be"),
        (Told("FAILED", 0, 53, "n7"), "node n7 does not see /s/f; sharedDir must be"),
        (Told("FAILED", 127, 0, "n7"), "node n7 can't run python3: it is not there"),
        (Told("BOOT_FAIL"), "its node could not be booted"),
    ],
)
def test_what_never_began_has_not_started(told: Told, problem: str) -> None:
    outcome = ended(known(left=Left(), told=told, started=None))
    assert outcome.how == "start-failed" and outcome.problem.startswith(problem)


def test_an_exit_code_of_the_step_itself_is_not_taken_for_a_failed_start() -> None:
    assert verdict(known(told=Told("FAILED", 127))) is None


@pytest.mark.parametrize(
    ("told", "never", "left", "how"),
    [
        (Told("CANCELLED"), False, Left(), "withdrawn"),
        (None, True, Left(), "withdrawn"),
        (None, False, Left(), None),
        (Told("CANCELLED"), True, Left(claimed=True), None),
    ],
)
def test_withdrawn_is_what_no_runner_has_taken(
    told: Told | None, never: bool, left: Left, how: str | None
) -> None:
    outcome = verdict(known(left=left, told=told, started=None, ordered=True, never=never))
    assert (outcome.how if outcome else None) == how


def test_one_that_nobody_here_cancelled_before_it_started_is_lost() -> None:
    outcome = ended(known(LATE_SECONDS, left=Left(), told=Told("CANCELLED"), started=None))
    assert outcome.how == "lost" and not outcome.notes
