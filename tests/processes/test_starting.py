"""What a step finds when it starts, and what is said when it can't."""

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from processes.yard import Yard, eventually, shims_of

from controller.executor.local.starting import AHEAD, STARTED, load_ahead, start_if_none
from controller.loop.ports import Ended

STARTING = "from controller.executor.local.starting import *;"


def run(yard: Yard, *argv: str, **changes: object) -> Ended:
    executor = yard.executor()
    executor.start([yard.launch("step", *argv, **changes)])
    return yard.ended(executor, "step")[0]


@pytest.mark.parametrize(
    ("script", "exit_code", "signal"),
    [
        pytest.param("exit 0", 0, None, id="success"),
        pytest.param("exit 75", 75, None, id="an exit code"),
        pytest.param("exit 255", 255, None, id="the highest exit code"),
        pytest.param("kill -9 $$", None, 9, id="killed"),
        pytest.param("kill -15 $$", None, 15, id="terminated"),
    ],
)
def test_how_a_step_ended(
    yard: Yard, script: str, exit_code: int | None, signal: int | None
) -> None:
    ended = run(yard, script)
    assert (ended.how, ended.exit_code, ended.signal) == ("exited", exit_code, signal)
    assert ended.left_processes == 0


def test_a_shim_that_was_started_before_its_controller_is_the_one(yard: Yard) -> None:
    before = set(STARTED)
    for _ in range(2):
        start_if_none(str(yard.state), yard.clock.read().boot_id)
    (early,) = STARTED - before
    assert yard.executor().shim.pid == early
    assert run(yard, "exit 7").exit_code == 7


def test_a_shim_that_was_loaded_ahead_is_the_one(yard: Yard) -> None:
    load_ahead(str(yard.state))
    ahead = AHEAD[str(yard.state)].pid
    load_ahead(str(yard.state))
    assert yard.executor().shim.pid == ahead
    assert run(yard, "exit 7").exit_code == 7
    assert len(shims_of(yard.state)) == 1


def test_a_shim_that_died_while_it_loaded_is_replaced(yard: Yard) -> None:
    load_ahead(str(yard.state))
    ahead = AHEAD[str(yard.state)].pid
    os.kill(ahead, signal.SIGKILL)
    os.waitpid(ahead, 0)
    assert run(yard, "exit 7").exit_code == 7


def test_none_is_loaded_ahead_for_a_folder_that_has_one(yard: Yard) -> None:
    yard.executor()
    load_ahead(str(yard.state))
    assert not AHEAD


def test_one_loaded_ahead_is_gone_when_another_was_first(yard: Yard) -> None:
    state = str(yard.state)
    load_ahead(state)
    ahead = AHEAD[state].pid
    program = f"{STARTING} start_if_none({state!r}, {yard.clock.read().boot_id!r})"
    subprocess.run([sys.executable, "-c", program], check=True)
    (first,) = set(shims_of(yard.state)) - {ahead}
    assert yard.executor().shim.pid == first
    assert not Path(f"/proc/{ahead}").exists()


def test_one_loaded_ahead_ends_with_a_process_that_had_no_use_for_it(yard: Yard) -> None:
    state = f"{yard.state}/not-there"
    program = f"{STARTING} load_ahead({state!r}); print(AHEAD[{state!r}].pid)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    eventually(lambda: not Path(f"/proc/{int(done.stdout)}").exists(), "it has ended")
    assert not os.path.exists(state)


def test_a_step_is_told_to_have_started_before_it_ended(yard: Yard) -> None:
    ended = run(yard, "exit 0")
    started = yard.starts()["step"]
    assert yard.seen == [started, ended]
    assert started.at <= ended.at <= yard.clock.now()
    assert yard.clock.now() - started.at < 60_000_000


def test_both_outputs_go_to_one_file_as_written(yard: Yard) -> None:
    run(yard, "echo one; echo two >&2; echo three")
    assert yard.log("step") == "one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("script", "output"),
    [
        pytest.param("wc -c < /dev/stdin", "0", id="nothing on stdin"),
        pytest.param("ls /proc/$$/fd; true", "0\n1\n2", id="no descriptors but the three"),
        pytest.param("pwd", "WORK", id="its working directory"),
        pytest.param("echo $GREETING from $TREADLE_STEP", "hello from step", id="its environment"),
        pytest.param("echo $OF_THE_CONTROLLER", "inherited", id="the controller's environment"),
        pytest.param("test $(ps -o sid= -p $$) = $$; echo $?", "0", id="a session of its own"),
        pytest.param("umask; true", "0027", id="the controller's umask"),
        pytest.param("ulimit -t", "3000", id="the controller's limits"),
    ],
)
def test_what_a_step_inherits(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, script: str, output: str
) -> None:
    monkeypatch.setenv("OF_THE_CONTROLLER", "inherited")
    limits = {resource.RLIMIT_CPU: 3000}
    monkeypatch.setattr("controller.executor.local.link.step_limits", lambda: limits)
    before = os.umask(0o027)
    try:
        run(yard, script, env={"GREETING": "hello"})
    finally:
        os.umask(before)
    assert yard.log("step").strip() == output.replace("WORK", str(yard.work))


def test_signals_are_those_of_a_fresh_process(yard: Yard) -> None:
    """Python ignores SIGPIPE and SIGXFSZ, the shim a few more: no step may notice."""
    run(yard, "grep", "-E", "SigIgn|SigBlk", "/proc/self/status")
    own_to_libc = 1 << 31 | 1 << 32
    masks = [int(line.split()[1], 16) for line in yard.log("step").splitlines()]
    assert [mask & ~own_to_libc for mask in masks] == [0, 0]


def test_the_shim_itself_does_not_live_under_the_limits_of_the_steps(yard: Yard) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, before[1]))
    try:
        executor = yard.executor()
        executor.start([yard.launch("step", "ulimit -f")])
        yard.ended(executor, "step")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert resource.prlimit(executor.shim.pid, resource.RLIMIT_FSIZE)[0] == before[1]


def test_a_mark_is_put_on_each_attempt_and_not_left_on_the_shim(yard: Yard) -> None:
    executor = yard.executor()
    own = resource.getrlimit(10)[0]
    executor.start([yard.launch("a", "sleep 60; true"), yard.launch("b", "sleep 60; true")])
    for step in ("a", "b"):
        pid = yard.started(executor, step).pid
        assert resource.prlimit(pid, 10)[0] == yard.mark(step)
    assert resource.prlimit(executor.shim.pid, 10)[0] == own


def test_the_start_time_told_is_that_of_the_process_table(yard: Yard) -> None:
    executor = yard.executor(slots=40)
    steps = [f"s{n}" for n in range(40)]
    executor.start([yard.launch(step, "sleep 60; true") for step in steps])
    for step in steps:
        started = yard.started(executor, step)
        fields = Path(f"/proc/{started.pid}/stat").read_text().rpartition(")")[2].split()
        assert int(fields[19]) == started.start_ticks


def test_what_a_step_used(yard: Yard) -> None:
    ballast = b"x" * 150_000_000  # the controller's own peak is not the step's
    del ballast
    ended = run(yard, "head -c 60000000 /dev/zero | tail -c 50000000 >/dev/null")
    assert ended.usage is not None
    assert (ended.usage.wall_seconds or 0) > 0
    assert (ended.usage.cpu_seconds or 0) > 0
    assert (ended.usage.max_rss_bytes or 0) > 40_000_000


def executable(yard: Yard, name: str, content: bytes, mode: int = 0o755) -> str:
    path = yard.work / name
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def test_a_command_is_looked_up_in_the_path_of_the_attempt(yard: Yard) -> None:
    (yard.work / "bin").mkdir()
    executable(yard, "bin/only-here", b"#!/bin/sh\necho found\n")
    ended = run(yard, "only-here", env={"PATH": f"/nowhere:{yard.work}/bin"})
    assert (ended.exit_code, yard.log("step")) == (0, "found\n")


def test_a_relative_command_is_found_from_the_working_directory(yard: Yard) -> None:
    executable(yard, "here.sh", b"#!/bin/sh\necho found\n")
    assert run(yard, "./here.sh").exit_code == 0


@pytest.mark.parametrize(
    ("argv", "changes", "problem"),
    [
        pytest.param(["no-such"], {}, 'command not found: "no-such"', id="not found in PATH"),
        pytest.param(["./no-such"], {}, "no file ./no-such in ", id="no such file"),
        pytest.param(["./plain"], {}, "not executable; try: chmod +x", id="not executable"),
        pytest.param(["plain"], {"env": {"PATH": "."}}, "chmod +x", id="not executable, in PATH"),
        pytest.param(["./folder"], {}, "is a directory, not a command", id="a directory"),
        pytest.param(["./no-bang"], {}, "no #! line", id="no program"),
        pytest.param(
            ["./bad-bang"], {}, "names an interpreter that does not exist", id="no interpreter"
        ),
        pytest.param(
            ["true"], {"working_dir": "/no/where"}, "no folder /no/where", id="no directory"
        ),
        pytest.param(["true"], {"working_dir": "/dev/null"}, "is not a directory", id="a file"),
        pytest.param(["echo", "a\0b"], {}, "embedded null", id="a NUL in an argument"),
        pytest.param(["tr\0ue"], {}, "embedded null", id="a NUL in the command"),
        pytest.param(["true"], {"env": {"A": "\0"}}, "embedded null", id="a NUL in env"),
        pytest.param(["true"], {"env": {"A=B": "c"}}, "illegal environment", id="= in a name"),
        pytest.param(["echo", "\ud800"], {}, "surrogates", id="text that is no text"),
        pytest.param(["no"], {"env": {"PATH": "/caf\udce9"}}, r"/caf\udce9", id="bytes in PATH"),
        pytest.param(["true", "x" * 2_200_000], {}, "longer than the system takes", id="2 MiB"),
        pytest.param([""], {}, 'command not found: ""', id="an empty command"),
    ],
)
def test_an_attempt_that_cannot_start_says_why(
    yard: Yard, argv: list[str], changes: dict[str, object], problem: str
) -> None:
    executable(yard, "plain", b"#!/bin/sh\n", mode=0o644)
    executable(yard, "no-bang", b"\x01\x02\x03")
    executable(yard, "bad-bang", b"#!/no/such/interpreter\n")
    (yard.work / "folder").mkdir()
    ended = run(yard, *argv, **changes)
    assert (ended.how, ended.exit_code) == ("start-failed", None)
    assert problem in ended.problem
    ended.problem.encode()  # or the log could not take it


def test_a_log_that_cannot_be_made_says_why(yard: Yard) -> None:
    (yard.state / "runs").write_text("a file where a folder should be")
    ended = run(yard, "true")
    assert ended.how == "start-failed"
    assert "runs/step.1.log can't be written" in ended.problem


@pytest.mark.parametrize("kind", ["a pipe", "a pipe that is read", "a link"])
def test_a_log_that_is_no_file_holds_nothing_up(yard: Yard, kind: str) -> None:
    log = yard.state / "runs/step.1.log"
    log.parent.mkdir()
    if kind == "a link":
        log.symlink_to(yard.work / "elsewhere")
    else:
        os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK) if "read" in kind else None
    ended = run(yard, "true")
    assert ended.how == "start-failed"
    assert "runs/step.1.log can't be written" in ended.problem
    assert not (yard.work / "elsewhere").exists()
    if reader is not None:
        os.close(reader)


def test_one_that_cannot_start_does_not_hold_up_the_next(yard: Yard) -> None:
    executor = yard.executor(slots=1)
    executor.start([yard.launch("bad", "no-such"), yard.launch("good", "true")])
    bad, good = yard.ended(executor, "bad", "good")
    assert (bad.how, good.how) == ("start-failed", "exited")


def test_out_of_descriptors_it_waits_and_tries_again(yard: Yard) -> None:
    executor = yard.executor()
    limit = resource.prlimit(executor.shim.pid, resource.RLIMIT_NOFILE)
    in_use = max(int(fd) for fd in os.listdir(f"/proc/{executor.shim.pid}/fd"))
    resource.prlimit(executor.shim.pid, resource.RLIMIT_NOFILE, (in_use + 1, limit[1]))
    executor.start([yard.launch("step", "true")])
    for _ in range(5):
        assert executor.observe() == []
    resource.prlimit(executor.shim.pid, resource.RLIMIT_NOFILE, limit)
    assert yard.ended(executor, "step")[0].exit_code == 0


def test_no_more_run_at_once_than_there_are_slots(yard: Yard) -> None:
    executor = yard.executor(slots=3)
    steps = [f"s{n}" for n in range(12)]
    script = "echo + >> seen; while [ ! -e go ]; do sleep 0.01; done; echo - >> seen"
    executor.start([yard.launch(step, script) for step in steps])
    yard.until(executor, lambda: yard.file("seen").count("+") == 3, "three run")
    assert len(yard.starts()) <= 3
    (yard.work / "go").touch()
    yard.ended(executor, *steps)
    running = peak = 0
    for line in yard.file("seen").split():
        running += 1 if line == "+" else -1
        peak = max(peak, running)
    assert peak == 3


def test_the_queue_starts_in_the_order_it_was_given(yard: Yard) -> None:
    executor = yard.executor(slots=1)
    steps = [f"s{n}" for n in range(20)]
    executor.start([yard.launch(step, f"echo {step} >> order") for step in steps])
    yard.ended(executor, *steps)
    assert yard.file("order").split() == steps


def test_a_higher_priority_overtakes_in_the_queue(yard: Yard) -> None:
    executor = yard.executor(slots=1)
    yard.forgets = True
    write = "echo $TREADLE_STEP >> ledger; while [ ! -e go ]; do sleep 0.01; done"
    executor.start([yard.launch("runs", write)])
    yard.started(executor, "runs")
    executor.start([yard.launch("low", write), yard.launch("high", write, priority=1)])
    (yard.work / "go").touch()
    yard.ended(executor, "runs", "low", "high")
    assert yard.file("ledger").split() == ["runs", "high", "low"]


def test_what_follows_a_higher_priority_comes_before_a_lower_one(yard: Yard) -> None:
    """The slot that it frees waits for the controller, which knows what follows."""
    executor = yard.executor(slots=1)
    write = "echo $TREADLE_STEP >> ledger; exit 3"
    executor.start([yard.launch("first", write, priority=1), yard.launch("low", write)])
    yard.ended(executor, "first")
    executor.start([yard.launch("second", write, priority=1)])
    executor.forget([yard.id("first")])
    yard.forgets = True
    yard.ended(executor, "second", "low")
    assert yard.file("ledger").split() == ["first", "second", "low"]


def test_a_queued_start_is_made_as_it_was_last_told(yard: Yard) -> None:
    """An edit may change what is not part of what a step does."""
    executor = yard.executor(slots=1)
    yard.forgets = True
    executor.start([yard.launch("runs", "while [ ! -e go ]; do sleep 0.01; done")])
    yard.started(executor, "runs")
    executor.start([yard.launch("next", "sleep 60 & exit 3")])
    executor.start([yard.launch("next", "sleep 60 & exit 3", leave_processes=True)])
    (yard.work / "go").touch()
    assert yard.ended(executor, "next")[0].left_processes == 0
    assert len(yard.living("next")) == 1, "what it may leave lives"


def test_a_queued_start_is_withdrawn_and_never_starts(yard: Yard) -> None:
    executor = yard.executor(slots=1)
    os.mkfifo(yard.work / "fifo")
    executor.start([yard.launch("first", "cat fifo"), yard.launch("second", "true")])
    yard.started(executor, "first")
    executor.end([yard.order("second", withdraw_only=True)])
    assert yard.ended(executor, "second")[0].how == "withdrawn"
    executor.start([yard.launch("second", "true")])  # it stays withdrawn
    executor.end([yard.order("first")])
    yard.ended(executor, "first")
    assert yard.log("second") == ""
    assert "second" not in yard.starts()


def test_withdrawing_leaves_alone_what_has_started(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", "while [ ! -e go ]; do sleep 0.01; done; exit 7")])
    yard.started(executor, "step")
    executor.end([yard.order("step", withdraw_only=True)])
    (yard.work / "go").touch()
    assert yard.ended(executor, "step")[0].exit_code == 7


def test_ending_what_nobody_has_heard_of_makes_sure_it_never_starts(yard: Yard) -> None:
    executor = yard.executor()
    executor.end([yard.order("ghost")])
    assert yard.ended(executor, "ghost")[0].how == "withdrawn"
    yard.seen.clear()
    executor.start([yard.launch("ghost", "echo boo")])
    assert yard.ended(executor, "ghost")[0].how == "withdrawn"
    assert yard.log("ghost") == ""


def test_asked_again_it_tells_again_and_starts_nothing(yard: Yard) -> None:
    executor = yard.executor()
    launch = yard.launch("step", "echo x >> ledger; exit 4")
    executor.start([launch, launch])
    executor.start([launch])
    first = yard.ended(executor, "step")[0]
    yard.seen.clear()
    executor.start([launch])
    assert yard.ended(executor, "step")[0] == first
    executor.end([yard.order("step")])
    assert executor.observe() == [first]
    assert yard.file("ledger") == "x\n"


def test_files_of_an_attempt_are_for_its_owner_alone(yard: Yard) -> None:
    run(yard, "true")
    for path in ("runs", "runs/step.1.log", "shim", "shim/journal"):
        mode = stat.S_IMODE((yard.state / path).stat().st_mode)
        assert mode & 0o077 == 0, path


def test_nothing_that_the_controller_has_open_reaches_shim_or_step(yard: Yard) -> None:
    out, into = os.pipe()
    os.set_inheritable(into, True)
    executor = yard.executor()
    executor.start([yard.launch("step", "sleep 60; true")])
    step = yard.started(executor, "step").pid
    os.close(into)
    for pid in (executor.shim.pid, step):
        eventually(lambda pid=pid: os.listdir(f"/proc/{pid}/fd"))
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert not any(os.readlink(f"/proc/self/fd/{out}") == link for link in links)
    assert os.read(out, 1) == b""  # nobody holds the other end
    os.close(out)
