"""Which of an attempt's processes was started first, where only its mark is known."""

import os
from typing import NamedTuple

import pytest

from controller.executor.local.marks import first_process


class Process(NamedTuple):
    """As much of one of psutil's as is looked at."""

    pid: int
    parent: int
    session: int
    start: float = 5

    def ppid(self) -> int:
        return self.parent

    def create_time(self) -> float:
        return self.start


@pytest.mark.parametrize(
    ("members", "first"),
    [
        pytest.param([Process(9, 1, 9), Process(10, 9, 9)], 9, id="the parent"),
        pytest.param([Process(32767, 1, 32767), Process(300, 32767, 32767)], 32767, id="a wrap"),
        pytest.param([Process(9, 1, 9), Process(7, 9, 7)], 9, id="a child in its own session"),
        pytest.param([Process(7, 1, 9), Process(9, 1, 9)], 9, id="an orphan beside it"),
        pytest.param([Process(7, 1, 7, 8), Process(9, 1, 9, 5)], 9, id="a younger daemon"),
        pytest.param([Process(7, 1, 3)], 7, id="all that is left"),
    ],
)
def test_it_leads_a_session_and_is_nobody_s_child(
    members: list[Process], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = {process.pid: process.session for process in members}
    monkeypatch.setattr(os, "getsid", sessions.__getitem__)
    for order in (members, members[::-1]):
        assert first_process(order).pid == first  # type: ignore[arg-type]
