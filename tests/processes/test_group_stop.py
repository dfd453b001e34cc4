"""SIGTERM for a whole group, as at a shutdown: the steps get it, and the shim too."""

import os
import signal

import pytest
from processes.yard import Yard, eventually

from controller.executor.local import executor as local
from controller.executor.local.executor import LocalExecutor
from controller.loop.ports import Ended, Running

SLEEPS = "exec sleep 60"
# As a shell does under -e if the command that it waits for gets the signal first.
TELLS_BY_CODE = "trap 'exit 143' TERM; touch ready; while :; do sleep 0.01; done"


def terminated(yard: Yard, executor: local.LocalExecutor) -> None:
    """SIGTERM for the step alone; returns when the shim has noted how it ended."""
    os.kill(yard.started(executor, "step").pid, signal.SIGTERM)
    journal = yard.state / "shim/journal"
    eventually(lambda: b'"exited"' in journal.read_bytes(), "the exit is noted")


def is_part_of_the_stop(ended: Ended) -> bool:
    return ended.how == "lost" and "together with the supervisor" in ended.problem


@pytest.mark.parametrize("first", ["step", "shim"])
def test_a_step_that_ended_with_its_group_is_interrupted(yard: Yard, first: str) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", SLEEPS)])
    pid = yard.started(executor, "step").pid
    if first == "step":
        terminated(yard, executor)
        yard.seen += executor.observe()  # the exit is heard before the shim knows more
    os.kill(executor.shim.pid, signal.SIGTERM)
    if first == "shim":
        os.kill(pid, signal.SIGTERM)
    (ended,) = yard.ended(executor, "step")
    assert is_part_of_the_stop(ended)
    assert (ended.signal, ended.usage is None) == (signal.SIGTERM, False)


def test_so_is_one_whose_shell_tells_of_the_signal_by_its_code(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", TELLS_BY_CODE)])
    eventually((yard.work / "ready").exists)
    os.kill(executor.shim.pid, signal.SIGTERM)
    os.kill(yard.started(executor, "step").pid, signal.SIGTERM)
    (ended,) = yard.ended(executor, "step")
    assert is_part_of_the_stop(ended)
    assert ended.exit_code == 143


@pytest.mark.parametrize("shim_dies", [False, True])
def test_the_next_controller_hears_the_same(yard: Yard, shim_dies: bool) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", SLEEPS)])
    started = yard.started(executor, "step")
    executor.close()
    shim = executor.shim.pid
    os.kill(started.pid, signal.SIGTERM)
    os.kill(shim, signal.SIGTERM)
    if shim_dies:
        eventually(lambda: yard.shims() == [], "the shim ends")
    running = Running(
        id=yard.id("step"),
        mark=yard.mark("step"),
        pid=started.pid,
        start_ticks=started.start_ticks,
        boot_id=yard.clock.read().boot_id,
    )
    (ended,) = yard.ended(yard.executor(epoch=2, adopts=[running]), "step")
    assert is_part_of_the_stop(ended)


def test_one_that_somebody_ended_alone_has_failed(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", SLEEPS)])
    terminated(yard, executor)
    (ended,) = yard.ended(executor, "step")
    assert (ended.how, ended.signal) == ("exited", signal.SIGTERM)
    os.kill(executor.shim.pid, signal.SIGTERM)  # much later: another matter
    executor.start([yard.launch("next")])
    yard.ended(executor, "next")
    assert len([each for each in yard.seen if each.id.step == "step"]) == 2


def test_what_left_processes_is_told_once_these_are_ended(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", f"(trap '' TERM; {SLEEPS}) & {SLEEPS}", grace_seconds=0.1)])
    terminated(yard, executor)
    os.kill(executor.shim.pid, signal.SIGTERM)
    (ended,) = yard.ended(executor, "step")
    assert is_part_of_the_stop(ended)
    assert ended.left_processes > 0
    assert yard.living() == set()


def test_nobody_waits_for_one_that_was_ended_on_purpose(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "DOUBT_US", 1 << 40)
    executor = yard.executor()
    executor.start([yard.launch("step", SLEEPS)])
    yard.started(executor, "step")
    executor.end([yard.order("step")])
    (ended,) = yard.ended(executor, "step")
    assert (ended.how, ended.signal) == ("exited", signal.SIGTERM)


def stopped_beside_a_queue(yard: Yard) -> LocalExecutor:
    """Shim and step get SIGTERM while another start waits for the only slot."""
    executor = yard.executor(slots=1)
    executor.start([yard.launch("step", SLEEPS), yard.launch("next", "touch began")])
    pid = yard.started(executor, "step").pid
    os.kill(executor.shim.pid, signal.SIGTERM)
    os.kill(pid, signal.SIGTERM)
    return executor


def test_a_slot_that_the_stop_frees_stays_free(yard: Yard) -> None:
    """What began now would miss the signal, and whoever stops the group would wait for it."""
    executor = stopped_beside_a_queue(yard)
    yard.ended(executor, "step")
    executor.forget([yard.id("step")])
    executor.close()
    eventually(lambda: yard.shims() == [], "the shim ends")
    assert not (yard.work / "began").exists()


def test_a_controller_that_stays_goes_on_with_the_queue(yard: Yard) -> None:
    executor = stopped_beside_a_queue(yard)
    yard.ended(executor, "step", "next")


def test_a_stop_is_over_when_a_controller_serves_on(yard: Yard) -> None:
    """Somebody sent the signal to the shim alone: later exits mean what they say."""
    executor = yard.executor()
    executor.start([yard.launch("long", SLEEPS)])
    yard.started(executor, "long")
    os.kill(executor.shim.pid, signal.SIGTERM)
    executor.start([yard.launch("later", "exit 143")])
    (ended,) = yard.ended(executor, "later")
    assert (ended.how, ended.exit_code) == ("exited", 143)
