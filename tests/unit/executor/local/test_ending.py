"""When trees are looked at, and what is asked of them next: by a clock that the test moves."""

import errno
from signal import SIGALRM, SIGTERM, Signals
from typing import NamedTuple

import pytest

from controller.executor.local import ending as ending_module
from controller.executor.local import marks as marks_module
from controller.executor.local.ending import Endings, Proven, RunnerProcess, Stuck
from controller.executor.local.marks import Sight, Tree
from controller.loop.ports import AttemptId

SECOND = 1_000_000
ATTEMPT = AttemptId("u", "s", 1)


class Process(NamedTuple):
    """As much of one of psutil's as an ending needs."""

    pid: int


class ProcessTable:
    """A process table that the test fills; what was signalled, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.processes: list[Process] = []
        self.frozen: set[int] = set()  # by the mark alone
        self.complete = True
        self.looks = 0
        self.signals: list[tuple[int, str]] = []
        monkeypatch.setattr(marks_module, "look", self.look)
        monkeypatch.setattr(marks_module, "alive", self.alive)
        monkeypatch.setattr(ending_module, "freeze", lambda *_: self.frozen)
        monkeypatch.setattr(ending_module, "signal_process", self.signal)

    def look(self, trees: list[Tree], *_: object) -> Sight:
        self.looks += 1
        return Sight({tree.id: list(self.processes) for tree in trees}, self.complete)

    def alive(self, process: Process) -> bool:
        return process in self.processes

    def signal(self, process: Process, *signals: object) -> None:
        self.signals += [(process.pid, number.name) for number in signals]  # type: ignore[attr-defined]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    return ProcessTable(monkeypatch)


def begun(grace_us: int) -> Endings:
    endings = Endings(set)
    endings.begin(Tree(id=ATTEMPT, mark=7), grace_us, now=0)
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


def test_out_of_descriptors_nothing_is_proven_and_it_is_tried_again_later(
    table: ProcessTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> Sight:
        raise OSError(errno.EMFILE, "Too many open files")

    endings = begun(3 * SECOND)
    monkeypatch.setattr(marks_module, "look", none_left)
    assert endings.advance(0) == []
    assert endings.next_due() == ending_module.PAUSE_MAX_US
    monkeypatch.setattr(marks_module, "look", table.look)
    assert endings.advance(SECOND) == [Proven(ATTEMPT, 0)]


def test_term_and_cont_once_to_each_in_the_order_of_the_pass(table: ProcessTable) -> None:
    endings = begun(3 * SECOND)
    table.processes = [Process(4), Process(9)]
    for now in range(0, SECOND, SECOND // 10):
        endings.advance(now)
    names = [(4, "SIGTERM"), (4, "SIGCONT"), (9, "SIGTERM"), (9, "SIGCONT")]
    assert table.signals == names


def test_one_that_comes_up_in_the_grace_period_is_asked_too(table: ProcessTable) -> None:
    endings = begun(3 * SECOND)
    table.processes = [Process(4)]
    endings.advance(0)
    table.processes = [Process(5)]
    endings.advance(SECOND)
    assert (5, "SIGTERM") in table.signals


def test_in_the_grace_period_the_process_table_is_not_read_while_a_member_lives(
    table: ProcessTable,
) -> None:
    endings = begun(3 * SECOND)
    table.processes = [Process(4)]
    for now in range(0, 2 * SECOND, 1000):
        endings.advance(now)
    assert table.looks == 1


def test_after_the_grace_period_all_are_stopped_before_any_is_killed(table: ProcessTable) -> None:
    endings = begun(SECOND)
    table.processes = [Process(4), Process(5)]
    endings.advance(0)
    table.signals.clear()
    endings.advance(SECOND)
    assert table.signals == [(4, "SIGSTOP"), (5, "SIGSTOP"), (4, "SIGKILL"), (5, "SIGKILL")]
    table.processes = []
    assert endings.advance(2 * SECOND) == [Proven(ATTEMPT, 2)]
    assert endings.next_due() is None


def test_who_was_frozen_by_the_mark_alone_is_killed_in_the_same_pass(table: ProcessTable) -> None:
    endings = begun(0)
    table.processes, table.frozen = [Process(4), Process(5)], {4, 5}
    endings.advance(0)
    assert table.looks == 1
    assert table.signals == [(4, "SIGKILL"), (5, "SIGKILL")]
    table.processes = []
    assert endings.advance(SECOND) == [Proven(ATTEMPT, 2)]


def test_a_pass_for_one_proves_the_others_that_are_gone_too(table: ProcessTable) -> None:
    other = AttemptId("u", "other", 1)
    endings = begun(3 * SECOND)
    table.processes = [Process(4)]
    endings.advance(0)
    table.processes = []
    endings.begin(Tree(id=other, mark=8), SECOND, now=1)
    assert endings.advance(1) == [Proven(ATTEMPT, 1), Proven(other, 0)]


def test_no_grace_no_term(table: ProcessTable) -> None:
    endings = begun(0)
    table.processes = [Process(4)]
    endings.advance(0)
    assert {name for _, name in table.signals} == {"SIGSTOP", "SIGKILL"}


def test_asked_again_the_shorter_grace_counts(table: ProcessTable) -> None:
    endings = begun(100 * SECOND)
    table.processes = [Process(4)]
    endings.advance(0)
    tree = Tree(id=ATTEMPT, mark=7)
    endings.begin(tree, 200 * SECOND, now=0)
    endings.begin(tree, SECOND, now=0)
    endings.advance(SECOND)
    assert (4, "SIGKILL") in table.signals


def with_runner(table: ProcessTable, notice: Signals = SIGTERM) -> Endings:
    """Process 4 is the runner of the attempt, 5 its command; two thirds of its grace are 2 s."""
    table.processes = [Process(4), Process(5)]
    endings = Endings(set)
    runner = RunnerProcess(Process(4), notice)  # type: ignore[arg-type]
    endings.begin(Tree(id=ATTEMPT, mark=7), 3 * SECOND, 0, runner)
    endings.advance(0)
    return endings


@pytest.mark.parametrize("notice", [SIGTERM, SIGALRM])
def test_the_runner_of_an_attempt_is_told_alone(table: ProcessTable, notice: Signals) -> None:
    endings = with_runner(table, notice)
    table.processes = [Process(4), Process(6)]  # it has started `after`
    for now in range(0, 2 * SECOND, SECOND // 10):
        endings.advance(now)
    assert table.signals == [(4, notice.name), (4, "SIGCONT")]


def test_the_runner_is_told_once_when_it_has_to_hurry(table: ProcessTable) -> None:
    endings = with_runner(table)
    table.signals.clear()
    now, told_at = 0, []
    while now < 3 * SECOND - 1:
        now = endings.next_due() or 0
        endings.advance(min(now, 3 * SECOND - 1))
        if table.signals:
            told_at.append(now)
            assert table.signals == [(4, "SIGQUIT")]
            table.signals.clear()
    assert told_at == [2 * SECOND]
    endings.advance(3 * SECOND)
    assert {(4, "SIGKILL"), (5, "SIGKILL")} <= {*table.signals}


def test_a_shorter_grace_is_one_for_the_runner_too(table: ProcessTable) -> None:
    endings = with_runner(table)
    table.signals.clear()
    endings.begin(Tree(id=ATTEMPT, mark=7), SECOND * 3 // 2, now=0)
    endings.advance(SECOND - 1)
    assert not table.signals
    endings.advance(SECOND)
    assert table.signals == [(4, "SIGQUIT")]


def test_without_its_runner_each_process_is_asked(table: ProcessTable) -> None:
    endings = with_runner(table, SIGALRM)
    table.signals.clear()
    table.processes = [Process(5), Process(6)]
    endings.advance(SECOND)
    assert [each for each in table.signals if each[1] != "SIGCONT"] == [
        (5, "SIGTERM"),
        (6, "SIGTERM"),
    ]


def test_what_does_not_go_is_told_once_and_ending_goes_on(table: ProcessTable) -> None:
    endings = begun(0)
    table.processes = [Process(5), Process(4)]
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
    table.processes = [Process(4)]
    assert endings.advance(0) == []
    assert table.looks == 1
    assert endings.next_due() == 0
