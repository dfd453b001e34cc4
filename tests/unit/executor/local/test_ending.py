"""When trees are looked at, and what is asked of them next: by a clock that the test moves."""

import pytest

from controller.executor.local import ending as ending_module
from controller.executor.local.ending import Endings, Proven, Stuck
from controller.executor.local.identity import Stat
from controller.executor.local.marks import Sight, Tree
from controller.loop.ports import AttemptId

SECOND = 1_000_000
ATTEMPT = AttemptId("u", "s", 1)


class ProcessTable:
    """A process table that the test fills; what was signalled, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.processes: list[Stat] = []
        self.complete = True
        self.looks = 0
        self.signals: list[tuple[int, str]] = []
        monkeypatch.setattr(ending_module, "look", self.look)
        monkeypatch.setattr(ending_module, "alive", self.alive)
        monkeypatch.setattr(ending_module, "signal_process", self.signal)

    def look(self, trees: list[Tree], *_: object) -> Sight:
        self.looks += 1
        return Sight({tree.id: list(self.processes) for tree in trees}, self.complete)

    def alive(self, pid: int, start: int) -> bool:
        return any((each.pid, each.start) == (pid, start) for each in self.processes)

    def signal(self, process: Stat, *signals: object) -> None:
        self.signals += [(process.pid, number.name) for number in signals]  # type: ignore[attr-defined]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    return ProcessTable(monkeypatch)


def process(pid: int, start: int = 1) -> Stat:
    return Stat(pid, 1, pid, start, gone=False)


def begun(grace_us: int) -> Endings:
    endings = Endings(set)
    endings.begin(Tree(id=ATTEMPT, mark=7, members={}), grace_us, now=0)
    return endings


def test_an_empty_tree_is_proven_at_once(table: ProcessTable) -> None:
    assert begun(3 * SECOND).advance(0) == [Proven(ATTEMPT, 0)]


def test_a_pass_that_may_have_missed_someone_proves_nothing(table: ProcessTable) -> None:
    endings = begun(3 * SECOND)
    table.complete = False
    assert endings.advance(0) == []
    assert ATTEMPT in endings and endings.next_due() == 0
    table.complete = True
    assert endings.advance(0) == [Proven(ATTEMPT, 0)]


def test_term_and_cont_once_to_each_parents_first(table: ProcessTable) -> None:
    endings = begun(3 * SECOND)
    table.processes = [process(9, start=5), process(4, start=2)]
    for now in range(0, SECOND, SECOND // 10):
        endings.advance(now)
    names = [(4, "SIGTERM"), (4, "SIGCONT"), (9, "SIGTERM"), (9, "SIGCONT")]
    assert table.signals == names


def test_one_that_comes_up_in_the_grace_period_is_asked_too(table: ProcessTable) -> None:
    endings = begun(3 * SECOND)
    table.processes = [process(4)]
    endings.advance(0)
    table.processes = [process(5)]
    endings.advance(SECOND)
    assert (5, "SIGTERM") in table.signals


def test_in_the_grace_period_the_process_table_is_not_read_while_a_member_lives(
    table: ProcessTable,
) -> None:
    endings = begun(3 * SECOND)
    table.processes = [process(4)]
    for now in range(0, 2 * SECOND, 1000):
        endings.advance(now)
    assert table.looks == 1


def test_after_the_grace_period_all_are_stopped_before_any_is_killed(table: ProcessTable) -> None:
    endings = begun(SECOND)
    table.processes = [process(4), process(5)]
    endings.advance(0)
    table.signals.clear()
    endings.advance(SECOND)
    assert table.signals == [(4, "SIGSTOP"), (5, "SIGSTOP"), (4, "SIGKILL"), (5, "SIGKILL")]
    table.processes = []
    assert endings.advance(2 * SECOND) == [Proven(ATTEMPT, 2)]
    assert endings.next_due() is None


def test_no_grace_no_term(table: ProcessTable) -> None:
    endings = begun(0)
    table.processes = [process(4)]
    endings.advance(0)
    assert {name for _, name in table.signals} == {"SIGSTOP", "SIGKILL"}


def test_asked_again_the_shorter_grace_counts(table: ProcessTable) -> None:
    endings = begun(100 * SECOND)
    table.processes = [process(4)]
    endings.advance(0)
    tree = Tree(id=ATTEMPT, mark=7, members={})
    endings.begin(tree, 200 * SECOND, now=0)
    endings.begin(tree, SECOND, now=0)
    endings.advance(SECOND)
    assert (4, "SIGKILL") in table.signals


def test_what_does_not_go_is_told_once_and_ending_goes_on(table: ProcessTable) -> None:
    endings = begun(0)
    table.processes = [process(5), process(4)]
    news = []
    now = 0
    while now < 60 * SECOND:
        news += endings.advance(now)
        due = endings.next_due()
        assert due is not None
        now = max(due, now + 1)
    assert news == [Stuck(ATTEMPT, (4, 5))]
    kills = len(table.signals)
    endings.advance(now + SECOND)
    assert len(table.signals) > kills
    table.processes = []
    assert endings.advance(now + 3 * SECOND) == [Proven(ATTEMPT, 2)]


def test_a_call_is_bounded_however_fast_a_tree_grows(
    table: ProcessTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending_module, "BUDGET_SECONDS", 0.0)
    endings = begun(0)
    table.processes = [process(4)]
    assert endings.advance(0) == []
    assert table.looks == 1
    assert endings.next_due() == 0
