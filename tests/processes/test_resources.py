"""What attempts leave behind, and what they cost while they run. `make torture` has larger ones."""

from pathlib import Path

from processes.attempts import cost_at_once, leave_nothing, whole_cost_at_once
from processes.yard import Yard


def test_a_thousand_attempts_leave_nothing_behind(yard: Yard) -> None:
    left = leave_nothing(yard, attempts=1_000)
    assert left == {"descriptors": 0, "files": 0, "children": 0, "attempts": 0}


def test_hundreds_of_steps_at_once_cost_little(yard: Yard) -> None:
    cost = cost_at_once(yard, steps=300, seconds=1.0)
    assert cost["KiB an attempt"] < 50
    assert cost["KiB later"] < 50
    assert cost["idle CPU"] < 0.1


def test_hundreds_of_steps_at_once_under_a_whole_controller(tmp_path: Path) -> None:
    cost = whole_cost_at_once(tmp_path, steps=300, seconds=1.0)
    assert cost["KiB an attempt"] < 50
    assert cost["KiB later"] < 50
    assert cost["idle CPU"] < 0.1
