"""Whoever dies, and when: no attempt starts twice, steps run on, exit codes are not lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from processes.yard import Yard, eventually, kill, mark_of

from controller.errors import StorageError
from controller.executor.local.executor import LocalExecutor
from controller.executor.local.identity import PIDFD_GET_INFO, PIDFD_INFO
from controller.loop.ports import Running

WAIT = "echo x >> ledger; while [ ! -e go ]; do sleep 0.01; done; exit 42"


def kernel_tells_exits() -> bool:
    """Does this kernel tell the exit status of a process that somebody else reaped?"""
    import fcntl

    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 42"], {})
    pidfd = os.pidfd_open(child)
    os.waitpid(child, 0)
    try:
        answer = fcntl.ioctl(pidfd, PIDFD_GET_INFO, PIDFD_INFO.pack(8, *[0] * 13))
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return PIDFD_INFO.unpack(answer)[-1] == 42 << 8


def running(yard: Yard, step: str, *, recorded: bool = True, boot_id: str = "") -> Running:
    """What a log knows of it: all, or no more than that it was to start."""
    boot_id = boot_id or yard.clock.read().boot_id
    if not recorded:
        return Running(id=yard.id(step), mark=yard.mark(step), boot_id=boot_id)
    started = yard.starts()[step]
    return Running(
        id=yard.id(step),
        mark=yard.mark(step),
        pid=started.pid,
        start_ticks=started.start_ticks,
        boot_id=boot_id,
    )


def begin(yard: Yard, script: str = WAIT) -> LocalExecutor:
    executor = yard.executor(epoch=1)
    executor.start([yard.launch("step", script)])
    yard.started(executor, "step")
    if script == WAIT:
        eventually(lambda: yard.file("ledger"))
    return executor


def kill_shim(yard: Yard, executor: LocalExecutor) -> None:
    pid = executor.shim.pid
    kill([pid])
    eventually(lambda: pid not in yard.shims(), "the shim is gone")


# ------------------------------------------------------------------------------- a new controller


def test_a_running_step_is_adopted_with_its_exit_code(yard: Yard) -> None:
    begin(yard).close()
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step")])
    assert next_one.observe() == []  # nothing new about it
    (yard.work / "go").touch()
    assert yard.ended(next_one, "step")[0].exit_code == 42
    assert yard.file("ledger") == "x\n"


def test_a_start_that_the_log_does_not_have_is_told(yard: Yard) -> None:
    begin(yard).close()
    seen, yard.seen = yard.seen, []
    next_one = yard.executor(epoch=2, adopts=[Running(id=yard.id("step"), mark=yard.mark("step"))])
    next_one.start([yard.launch("step", WAIT)])
    told = [(each.id, each.pid, each.start_ticks) for each in next_one.observe()]
    assert set(told) == {(each.id, each.pid, each.start_ticks) for each in seen}
    (yard.work / "go").touch()
    yard.ended(next_one, "step")
    assert yard.file("ledger") == "x\n"


def test_an_end_that_nobody_saw_is_told_with_its_true_time(yard: Yard) -> None:
    executor = begin(yard)
    known = running(yard, "step")
    executor.close()
    (yard.work / "go").touch()
    eventually(lambda: '"exited"' in (yard.state / "shim/journal").read_text())
    ended_before = yard.clock.now()
    next_one = yard.executor(epoch=2, adopts=[known])
    ended = yard.ended(next_one, "step")[0]
    assert ended.exit_code == 42
    assert ended.at <= ended_before


def test_an_end_is_told_to_each_controller_until_it_is_forgotten(yard: Yard) -> None:
    begin(yard, "exit 3; true").close()
    for epoch in (2, 3):
        yard.seen.clear()
        executor = yard.executor(epoch)
        assert yard.ended(executor, "step")[0].exit_code == 3
        executor.close()
    executor = yard.executor(epoch=4)
    executor.forget([yard.id("step")])
    executor.close()
    yard.seen.clear()
    assert yard.executor(epoch=5).observe() == []


def test_what_was_never_started_is_not_spoken_of_and_can_start(yard: Yard) -> None:
    executor = yard.executor(adopts=[running(yard, "step", recorded=False)])
    assert executor.observe() == []
    executor.start([yard.launch("step")])
    assert yard.ended(executor, "step")[0].exit_code == 0


def test_after_a_reboot_every_attempt_is_lost(yard: Yard) -> None:
    executor = begin(yard)
    journal = (yard.state / "shim/journal").read_text()
    executor.close()
    kill([*yard.shims(), *yard.living()])
    eventually(lambda: not yard.shims() and not yard.living())
    boot_id = yard.clock.read().boot_id
    (yard.state / "shim/journal").write_text(journal.replace(boot_id, "an-earlier-boot"))
    attempts = [
        running(yard, "step", boot_id="an-earlier-boot"),
        running(yard, "unstarted", recorded=False, boot_id="an-earlier-boot"),
    ]
    next_one = yard.executor(epoch=2, adopts=attempts)
    next_one.start([yard.launch("step", WAIT), yard.launch("unstarted", WAIT)])
    for ended in yard.ended(next_one, "step", "unstarted"):
        assert (ended.how, ended.problem) == ("lost", "the machine was rebooted")
    assert yard.file("ledger") == "x\n"


def test_a_pid_that_was_handed_on_is_nobody_s(yard: Yard) -> None:
    """The log knows a pid that now belongs to another process: that one is left alone."""
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        known = Running(
            id=yard.id("step"),
            mark=yard.mark("step"),
            pid=bystander.pid,
            start_ticks=1,
            boot_id=yard.clock.read().boot_id,
        )
        executor = yard.executor(adopts=[known])
        executor.end([yard.order("step", grace=0)])
        assert yard.ended(executor, "step")[0].how == "lost"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


# ------------------------------------------------------------------------------------ a dead shim


def test_a_step_outlives_its_shim_and_its_exit_code_is_learnt(yard: Yard) -> None:
    executor = begin(yard)
    kill_shim(yard, executor)
    yard.until(executor, lambda: executor.shim.synced and yard.shims(), "another shim")
    assert yard.living("step")
    (yard.work / "go").touch()
    ended = yard.ended(executor, "step")[0]
    if kernel_tells_exits():
        assert (ended.how, ended.exit_code) == ("exited", 42)
    else:
        assert (ended.how, ended.exit_code) == ("lost", None)
    assert yard.file("ledger") == "x\n"
    executor.start([yard.launch("next")])
    assert yard.ended(executor, "next")[0].exit_code == 0


def test_shim_and_controller_die_together(yard: Yard) -> None:
    executor = begin(yard)
    kill_shim(yard, executor)
    executor.close()
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step")])
    next_one.start([yard.launch("step", WAIT)])
    told = [(each.id, each.pid) for each in next_one.observe()]  # again, since it was asked for
    assert told == [(yard.id("step"), yard.starts()["step"].pid)]
    (yard.work / "go").touch()
    ended = yard.ended(next_one, "step")[0]
    assert ended.how == ("exited" if kernel_tells_exits() else "lost")
    assert yard.file("ledger") == "x\n"


def test_both_die_and_the_log_does_not_know_the_start(yard: Yard) -> None:
    executor = begin(yard)
    kill_shim(yard, executor)
    executor.close()
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step", recorded=False)])
    next_one.start([yard.launch("step", WAIT)])
    next_one.end([yard.order("step")])
    yard.ended(next_one, "step")
    assert not yard.living()
    assert yard.file("ledger") == "x\n"


def test_both_die_and_the_journal_is_lost_as_well(yard: Yard) -> None:
    executor = begin(yard)
    kill_shim(yard, executor)
    executor.close()
    (yard.state / "shim/journal").unlink()
    # It is found by its mark.
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step", recorded=False)])
    next_one.start([yard.launch("step", WAIT)])
    (yard.work / "go").touch()
    yard.ended(next_one, "step")
    assert yard.file("ledger") == "x\n"


def test_both_die_and_the_first_line_of_the_journal_is_damaged(yard: Yard) -> None:
    executor = begin(yard)
    kill_shim(yard, executor)
    executor.close()
    journal = yard.state / "shim/journal"
    journal.write_bytes(journal.read_bytes().replace(b"journal", b"jour\0al", 1))
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step")])
    assert next_one.observe() == []
    (yard.work / "go").touch()
    assert yard.ended(next_one, "step")[0].how == ("exited" if kernel_tells_exits() else "lost")
    assert yard.file("ledger") == "x\n"


def test_a_problem_that_is_no_text_in_the_journal_of_an_older_shim_is_made_text(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", "no-such-command")])
    yard.ended(executor, "step")
    kill_shim(yard, executor)
    executor.close()
    journal = yard.state / "shim/journal"
    older = journal.read_text().replace("command not found", r"PATH is /caf\udce9")
    journal.write_text(older)
    yard.seen.clear()
    next_one = yard.executor(epoch=2)
    assert r"PATH is /caf\udce9" in yard.ended(next_one, "step")[0].problem


def test_how_a_step_ended_while_both_were_dead_is_not_guessed(yard: Yard) -> None:
    executor = begin(yard)
    kill_shim(yard, executor)
    executor.close()
    (yard.work / "go").touch()
    eventually(lambda: not yard.living())
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step")])
    next_one.start([yard.launch("step", WAIT)])
    ended = yard.ended(next_one, "step")[0]
    if ended.how == "exited":  # a zombie, since the init of this machine takes its time
        assert ended.exit_code == 42
    else:
        assert (ended.how, ended.exit_code) == ("lost", None)
        assert "nobody saw how the step ended" in ended.problem
    assert yard.file("ledger") == "x\n"


def test_exits_that_a_dead_shim_had_noted_are_not_lost(yard: Yard) -> None:
    executor = begin(yard)
    os.kill(executor.shim.pid, 0)
    (yard.work / "go").touch()
    journal = yard.state / "shim/journal"
    eventually(lambda: '"exited"' in journal.read_text(), "the exit is noted")
    kill_shim(yard, executor)  # we have not read what it told us: a new shim reads the journal
    executor.close()
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step")])
    assert yard.ended(next_one, "step")[0].exit_code == 42


def test_orphans_keep_their_slots(yard: Yard) -> None:
    executor = yard.executor(slots=1)
    executor.start([yard.launch("first", WAIT)])
    yard.started(executor, "first")
    kill_shim(yard, executor)
    executor.start([yard.launch("second")])
    yard.until(executor, lambda: executor.shim.synced and yard.shims(), "another shim")
    for _ in range(20):
        yard.seen += executor.observe()
        time.sleep(0.005)
    assert "second" not in yard.starts()
    (yard.work / "go").touch()
    yard.ended(executor, "first")
    executor.forget([yard.id("first")])
    yard.ended(executor, "second")


def test_starts_that_were_queued_in_a_dead_shim_start_in_the_next(yard: Yard) -> None:
    executor = yard.executor(slots=2)
    steps = [f"s{n}" for n in range(30)]
    executor.start([yard.launch(step, f"echo {step} >> ledger") for step in steps])
    yard.started(executor, "s0")
    yard.forgets = True
    kill_shim(yard, executor)
    ends = yard.ended(executor, *steps)
    lines = yard.file("ledger").split()
    assert len(lines) == len(set(lines))
    assert {end.id.step for end in ends if end.how == "exited"} <= set(lines)


def test_a_pid_that_was_found_is_not_believed_by_the_next_controller_either(yard: Yard) -> None:
    executor = begin(yard)
    kill_shim(yard, executor)
    executor.close()
    adopted = msgspec.structs.replace(running(yard, "step"), found=True)
    next_one = yard.executor(epoch=2, adopts=[adopted])
    (yard.work / "go").touch()
    assert yard.ended(next_one, "step")[0].how == "lost"


# ------------------------------------------------------------ a shim that can't be found, or hangs


def test_a_shim_whose_socket_was_deleted_is_found_again(yard: Yard) -> None:
    executor = begin(yard)
    shim = executor.shim.pid
    (yard.state / "shim/socket").unlink()
    executor.close()
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step")])
    assert next_one.shim.pid == shim
    (yard.work / "go").touch()
    assert yard.ended(next_one, "step")[0].exit_code == 42
    assert yard.file("ledger") == "x\n"


@pytest.mark.parametrize("deleted", ["shim", "shim/lock"])
def test_a_shim_whose_folder_was_deleted_starts_nothing_more(yard: Yard, deleted: str) -> None:
    executor = begin(yard)
    old = executor.shim.pid
    if deleted == "shim":
        shutil.rmtree(yard.state / "shim")
    else:
        (yard.state / deleted).unlink()
    executor.start([yard.launch("next", "echo x >> next")])
    yard.ended(executor, "next")
    assert executor.shim.pid != old
    (yard.work / "go").touch()
    assert yard.ended(executor, "step")[0].how == ("exited" if kernel_tells_exits() else "lost")
    eventually(lambda: old not in yard.shims(), "the old one ends")
    assert (yard.state / "shim/socket").exists()
    assert (yard.file("ledger"), yard.file("next")) == ("x\n", "x\n")


def test_what_a_forgotten_shim_may_have_started_is_not_started_again(yard: Yard) -> None:
    """Its journal is gone with its folder, and it died before it could tell."""
    executor = yard.executor()
    shutil.rmtree(yard.state / "shim")
    os.kill(executor.shim.pid, signal.SIGSTOP)
    executor.start([yard.launch("step", "echo x >> ledger; exit 42")])
    kill_shim(yard, executor)
    (end,) = yard.ended(executor, "step")
    assert (end.how, yard.file("ledger")) == ("lost", "")
    assert "nobody knows whether it ran" in end.problem
    executor.start([yard.launch("next")])
    yard.ended(executor, "next")


def test_a_shim_that_hangs_while_it_has_nothing_to_do_is_told_of(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("link", "client"):
        monkeypatch.setattr(f"controller.executor.local.{module}.SILENT_SECONDS", 0.1)
    executor = begin(yard)
    os.kill(executor.shim.pid, signal.SIGSTOP)
    yard.until(executor, executor.troubles, "trouble")
    os.kill(executor.shim.pid, signal.SIGCONT)
    yard.until(executor, lambda: not executor.troubles(), "no trouble")
    (yard.work / "go").touch()
    assert yard.ended(executor, "step")[0].exit_code == 42


def test_a_hung_shim_that_takes_no_more_connections_is_told_of(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = begin(yard)
    monkeypatch.setattr("controller.executor.local.link.OPEN_SECONDS_MAX", 0.2)
    monkeypatch.setattr("controller.executor.local.client.HELLO_SECONDS_MAX", 0.05)
    os.kill(executor.shim.pid, signal.SIGSTOP)
    for epoch in range(2, 25):
        with pytest.raises(StorageError, match="does not answer"):
            yard.executor(epoch)
    os.kill(executor.shim.pid, signal.SIGCONT)


def test_a_shim_that_hangs_is_told_of(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.executor.local.link.SILENT_SECONDS", 0.1)
    executor = begin(yard)
    assert executor.troubles() == []
    os.kill(executor.shim.pid, signal.SIGSTOP)
    executor.start([yard.launch("next")])
    due = executor.next_due()
    assert due is not None and due - yard.clock.now() <= 1_000_000, "it is looked at again"
    yard.until(executor, executor.troubles, "trouble")
    (trouble,) = executor.troubles()
    assert trouble.reason == "SupervisorSilent"
    assert f"`kill -9 {executor.shim.pid}`" in trouble.message
    os.kill(executor.shim.pid, signal.SIGCONT)
    yard.ended(executor, "next")
    assert executor.troubles() == []


def test_a_controller_that_finds_a_hung_shim_says_how_to_mend_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = begin(yard)
    shim = executor.shim.pid
    executor.close()
    os.kill(shim, signal.SIGSTOP)
    told = f"does not answer; `kill -9 {shim}` lets another one start"
    with monkeypatch.context() as impatient, pytest.raises(StorageError, match=told):
        impatient.setattr("controller.executor.local.client.HELLO_SECONDS_MAX", 0.2)
        yard.executor(epoch=2)
    kill([shim])
    next_one = yard.executor(epoch=3, adopts=[running(yard, "step")])
    (yard.work / "go").touch()
    yard.ended(next_one, "step")
    assert yard.file("ledger") == "x\n"


def test_shims_that_are_killed_without_end_are_no_riddle(yard: Yard) -> None:
    executor = begin(yard)
    with pytest.raises(StorageError, match="something here kills it; the steps keep running"):
        for _ in range(10):
            kill_shim(yard, executor)
            yard.until(executor, lambda: executor.shim.synced and yard.shims(), "another shim")
    assert yard.living("step")


# ---------------------------------------------------------------- the shim, killed at every effect

FAULTY = """
import os, signal, sys
sys.path.append(sys.argv[1])
call, when, nth, once = {fault!r}
count = 0
def wrapped(real):
    def call(*args, **kwargs):
        global count
        count += 1
        fatal = count == nth and not os.path.exists(once)
        if fatal:
            os.close(os.open(once, os.O_CREAT))
        if fatal and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return real(*args, **kwargs)
        finally:
            if fatal:
                os.kill(os.getpid(), signal.SIGKILL)
    return call
import controller.executor.shim.main as shim
setattr(os, call, wrapped(getattr(os, call)))
shim.main(*sys.argv[2:])
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("call", "nth"),
    [("posix_spawn", 1), ("posix_spawn", 2), ("wait4", 1), ("wait4", 3), ("rename", 1)]
    + [("write", nth) for nth in range(1, 12)],
)
def test_the_shim_killed_at_each_effect(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, call: str, nth: int, when: str
) -> None:
    fault = (call, when, nth, str(yard.work / "died"))
    monkeypatch.setattr("controller.executor.local.starting.PROGRAM", FAULTY.format(fault=fault))
    executor = yard.executor(slots=2)
    yard.forgets = True
    steps = ["one", "load[eu]", "site/load", "site[eu]/load", "onExit/tidy"]
    launches = [
        yard.launch(step, f"echo '{step}' >> ledger; exit {n}") for n, step in enumerate(steps)
    ]
    executor.start(launches)
    executor.start(launches)
    for n, end in enumerate(yard.ended(executor, *steps)):
        assert end.how in ("exited", "lost")
        assert end.exit_code in (n, None)
        assert (end.exit_code is None) == (end.how == "lost")
    assert (yard.work / "died").exists() or nth > 3
    lines = yard.file("ledger").split()
    assert len(lines) == len(set(lines)), "started twice"
    assert {end.id.step for end in yard.ends().values() if end.how == "exited"} <= set(lines)


DIES_AT_A_WRAP = """
import os, signal, sys
sys.path.append(sys.argv[1])
once = {once!r}
real = os.posix_spawn
def dying(*args, **kwargs):
    if os.path.exists(once):
        return real(*args, **kwargs)
    os.close(os.open(once, os.O_CREAT))
    with open("/proc/sys/kernel/pid_max") as file:
        highest = int(file.read()) - 2
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(highest))
    real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
os.posix_spawn = dying
import controller.executor.shim.main as shim
shim.main(*sys.argv[2:])
"""


@pytest.mark.skipif(
    not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK), reason="pids can't be chosen here"
)
@pytest.mark.parametrize("turn", range(4))  # whether both start in one tick is chance
def test_a_child_with_a_lower_pid_is_not_taken_for_the_step(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """The step is known by its mark alone, and pids begin anew between it and its child."""
    program = DIES_AT_A_WRAP.format(once=str(yard.work / "died"))
    monkeypatch.setattr("controller.executor.local.starting.PROGRAM", program)
    executor = yard.executor()
    executor.start([yard.launch("step", "sleep 0.3; echo ran >> ledger; exit 65")])
    (end,) = yard.ended(executor, "step")
    assert (end.how, end.exit_code) == ("lost", None)
    assert yard.file("ledger") == "ran\n"


# ------------------------------------------------------- the controller, killed again and again

CONTROLLER = Path(__file__).with_name("a_controller.py")


@pytest.mark.parametrize("both", [False, True], ids=["the controller", "controller and shim"])
def test_killed_again_and_again_nothing_is_lost_or_done_twice(yard: Yard, both: bool) -> None:
    steps = 60
    names = [f"s{n}" if n % 2 else f"site/s{n}" for n in range(steps)]
    plan = {step: (yard.mark(step), n % 7) for n, step in enumerate(names)}
    (yard.work / "plan").write_text(json.dumps({"uid": yard.uid, "steps": plan}))
    rng = random.Random(7)
    kills = 0
    for epoch in range(1, 500):
        command = [sys.executable, str(CONTROLLER), str(yard.state), str(yard.work), str(epoch)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()  # it begins its work
        if kills < 12:
            time.sleep(rng.random() * 0.06)
            process.kill()
            if both:
                kill(yard.shims())
            kills += 1
        code = process.wait()
        process.stdout.close()
        if code == 0:
            break
        assert code == -signal.SIGKILL
    ledger = yard.file("ledger").split()
    assert len(ledger) == len(set(ledger)), "started twice"
    ends = json.loads(yard.file("log"))["ended"]
    assert ends.keys() == plan.keys()
    for step, (_, code) in plan.items():
        assert ends[step] == code or (both and ends[step] is None)
    if not both:
        assert set(ledger) == plan.keys()
    assert not [pid for pid in yard.living() if mark_of(pid) > 0]
