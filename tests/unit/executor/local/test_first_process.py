"""Which of an attempt's processes was started first, where only its mark is known."""

import pytest

from controller.executor.local.identity import Stat
from controller.executor.local.marks import first_process


def process(pid: int, parent: int, session: int, start: int = 5) -> Stat:
    return Stat(pid=pid, parent=parent, session=session, start=start, gone=False)


@pytest.mark.parametrize(
    ("members", "first"),
    [
        pytest.param([process(9, 1, 9), process(10, 9, 9)], 9, id="the parent"),
        pytest.param([process(32767, 1, 32767), process(300, 32767, 32767)], 32767, id="a wrap"),
        pytest.param([process(9, 1, 9), process(7, 9, 7)], 9, id="a child in its own session"),
        pytest.param([process(7, 1, 9), process(9, 1, 9)], 9, id="an orphan beside it"),
        pytest.param([process(7, 1, 7, 8), process(9, 1, 9, 5)], 9, id="a younger daemon"),
        pytest.param([process(7, 1, 3)], 7, id="all that is left"),
    ],
)
def test_it_leads_a_session_and_is_nobody_s_child(members: list[Stat], first: int) -> None:
    for order in (members, members[::-1]):
        assert first_process(order).pid == first
