"""How an attempt ended, by the wait status of its first process."""

import pytest

from controller.executor.local.attempt import TrackedAttempt, exited, lost
from controller.loop.ports import AttemptId
from controller.model.events import Usage

ATTEMPT = TrackedAttempt(id=AttemptId("u", "s", 1), mark=7)
USED = Usage(wall_seconds=1.5)


@pytest.mark.parametrize(
    ("status", "code", "signal"),
    [
        pytest.param(0, 0, None, id="it exited with 0"),
        pytest.param(1 << 8, 1, None, id="it exited with 1"),
        pytest.param(255 << 8, 255, None, id="it exited with the highest code"),
        pytest.param(137 << 8, 137, None, id="a shell told of a signal, which is an exit"),
        pytest.param(15, None, 15, id="SIGTERM ended it"),
        pytest.param(9, None, 9, id="SIGKILL ended it"),
        pytest.param(11 | 0x80, None, 11, id="a fault ended it, and left a core"),
    ],
)
def test_an_exit_has_a_code_or_a_signal_and_never_both(
    status: int, code: int | None, signal: int | None
) -> None:
    ended = exited(ATTEMPT, status, 99, USED)
    assert (ended.exit_code, ended.signal) == (code, signal)
    assert (ended.id, ended.how, ended.at, ended.usage) == (ATTEMPT.id, "exited", 99, USED)


def test_of_one_that_is_lost_no_code_is_guessed() -> None:
    ended = lost(ATTEMPT, 99, "the machine was rebooted")
    assert (ended.how, ended.exit_code, ended.signal, ended.usage) == ("lost", None, None, None)
    assert ended.problem == "the machine was rebooted"
