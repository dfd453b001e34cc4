"""Trees that do not want to end, ended without survivors: as root where we are, and as nobody."""

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from processes.yard import DEADLINE_SECONDS, Yard, eventually, kill, pids, read, shims_of

from controller.executor.local import by_mark
from controller.loop.ports import Running

NOBODY = 65534
PYTHON = sys.executable

DEAF = "trap '' TERM; while :; do sleep 0.05; done"

TREES = {
    "plain": "echo up > up; sleep 300; true",
    "a child that outlives its parent": "sleep 300 & echo up > up; exit 0",
    "nohup": "nohup sleep 300 & echo up > up; wait",
    "deaf to TERM": f"echo up > up; {DEAF}",
    "stopped": "sleep 300 & kill -STOP $!; echo up > up; wait",
    "itself stopped": "echo up > up; kill -STOP $$; true",
    "in a session of its own": "setsid sleep 300 & echo up > up; wait",
    "double fork": "(setsid sh -c 'sleep 300 & exit 0' &) ; echo up > up; exit 0",
    "cleared environment": "(setsid env -i sleep 300 &); echo up > up; sleep 300; true",
    "all of these together": (
        "(setsid env -i nohup /bin/sh -c \"trap '' TERM HUP; (sh -c 'kill -STOP \\$\\$') & "
        'while :; do sleep 0.05; done" >/dev/null 2>&1 &); '
        "sleep 0.1; echo up > up; exit 0"
    ),
    "a pair that revives each other": "SCRIPT revive",
    "a comet": "SCRIPT comet",
    "spawns while being ended": "SCRIPT spawner",
    "two hundred deep": "SCRIPT deep",
    "three hundred wide": "SCRIPT wide",
    "the first thread gone before the others": "SCRIPT headless",
}

# Programs that need more than a shell. Each is told its name and writes `up` when it is at work.
SCRIPT = """
import os, signal, sys, threading, time
def up():
    open("up", "w").write("up")
def revive():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    up()
    while True:  # whoever loses its partner starts another
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            os.setsid()
            parent = os.getppid()
            while os.getppid() == parent:
                time.sleep(0.002)
def comet():
    up()
    while True:  # each lives for the time of one fork
        if os.fork():
            os._exit(0)
        os.setsid()
def spawner():
    signal.signal(signal.SIGTERM, lambda *_: None)
    up()
    for _ in range(400):
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork():
                os._exit(0)
            time.sleep(300)
        time.sleep(0.001)
    time.sleep(300)
def deep():
    for _ in range(200):
        if os.fork():
            time.sleep(300)
            os._exit(0)
    up()
    time.sleep(300)
def wide():
    for _ in range(300):
        if os.fork() == 0:
            os.setsid()
            time.sleep(300)
    up()
    os._exit(0)
def headless():
    import ctypes
    threading.Thread(target=lambda: (up(), time.sleep(300))).start()
    ctypes.CDLL(None).pthread_exit(None)
globals()[sys.argv[1]]()
"""


def as_user(uid: int, act: Callable[[], None]) -> None:
    """Run it in a child that is this user, whose failure is ours."""
    if uid == os.geteuid():
        act()
        return
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # else /proc/self belongs to root
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def python_for(uid: int) -> str:
    """An interpreter that this user may run."""
    for candidate in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        if candidate is None:
            continue
        version = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(version, user=uid, check=False, cwd="/").returncode == 0:
                return candidate
        except PermissionError:
            continue
    pytest.skip("this user can run no Python of at least 3.11")


@pytest.fixture(params=["root", "an ordinary user"])
def user(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    if os.geteuid() != 0:
        if request.param == "root":
            pytest.skip("not root")
        return os.geteuid()
    if request.param == "root":
        return 0
    package = Path(__file__).parents[2] / "controller"
    if subprocess.run(["test", "-r", str(package)], user=NOBODY, check=False).returncode:
        pytest.skip("the package is in a folder that others may not read")
    monkeypatch.setattr(sys, "executable", python_for(NOBODY))
    return NOBODY


def let_in(path: Path) -> None:
    """Let other users pass through this folder of ours, and those above it."""
    for folder in [path, *path.parents]:
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)


@pytest.fixture
def open_yard(user: int, tmp_path: Path, yard: Yard) -> Yard:
    """A yard that belongs to the user, below folders that let them in."""
    if user != os.geteuid():
        let_in(tmp_path)
        os.chown(yard.state, user, user)
        os.chown(yard.work, user, user)
    return yard


def script(tree: str, yard: Yard) -> str:
    if not tree.startswith("SCRIPT "):
        return tree
    (yard.work / "script.py").write_text(SCRIPT)
    return f"exec {sys.executable} -S script.py {tree.split()[1]}"


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES.keys())
def test_no_survivors(open_yard: Yard, user: int, tree: str) -> None:
    yard = open_yard
    command = script(tree, yard)
    yard.mark("tree")

    def act() -> None:
        executor = yard.executor()
        executor.start([yard.launch("tree", command)])
        yard.until(executor, lambda: yard.file("up"), "the tree has grown")
        executor.end([yard.order("tree", grace=0.3)])
        yard.ended(executor, "tree")
        assert not yard.living("tree"), "survivors"
        executor.close()

    as_user(user, act)
    time.sleep(0.05)
    assert not yard.living("tree"), "survivors that came up later"


def test_term_gets_its_chance(yard: Yard) -> None:
    executor = yard.executor()
    program = "trap 'echo tidied >> log; exit 9' TERM; echo up > up; while :; do sleep 0.01; done"
    executor.start([yard.launch("step", program)])
    yard.until(executor, lambda: yard.file("up"))
    executor.end([yard.order("step", grace=20)])
    assert yard.ended(executor, "step")[0].exit_code == 9
    assert yard.file("log") == "tidied\n"


def test_the_grace_period_is_kept(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", f"echo up > up; {DEAF}")])
    yard.until(executor, lambda: yard.file("up"))
    asked = yard.clock.now()
    executor.end([yard.order("step", grace=0.5)])
    ended = yard.ended(executor, "step")[0]
    assert ended.signal == signal.SIGKILL
    assert 0.5 <= (ended.at - asked) / 1e6 < 3
    assert ended.left_processes == 0


def test_asked_again_with_less_patience(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", f"echo up > up; {DEAF}")])
    yard.until(executor, lambda: yard.file("up"))
    executor.end([yard.order("step", grace=600)])
    yard.seen += executor.observe()
    executor.end([yard.order("step", grace=0)])
    assert yard.ended(executor, "step")[0].signal == signal.SIGKILL


def test_an_end_ordered_before_the_start_is_known_is_carried_out(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", "sleep 300; true")])
    executor.end([yard.order("step", grace=0)])
    yard.ended(executor, "step")
    assert not yard.living()


def test_what_a_step_leaves_running_is_ended_before_its_end_is_told(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", "sleep 300 & (setsid env -i sleep 300 &); exit 5")])
    ended = yard.ended(executor, "step")[0]
    assert (ended.exit_code, ended.left_processes) == (5, 2)
    assert not yard.living()


def test_leftovers_keep_the_slot_until_the_end_is_durable(yard: Yard) -> None:
    executor = yard.executor(slots=1)
    executor.start([yard.launch("leaver", "sleep 300 & exit 0"), yard.launch("next")])
    yard.ended(executor, "leaver")
    for _ in range(10):
        yard.seen += executor.observe()
    assert "next" not in yard.starts()
    executor.forget([yard.id("leaver")])
    yard.ended(executor, "next")


def test_a_daemon_of_a_step_that_runs_is_no_leftover_of_others(yard: Yard) -> None:
    executor = yard.executor()
    daemon = "(setsid sleep 300 &) ; echo up > up; while [ ! -e go ]; do sleep 0.01; done"
    executor.start([yard.launch("holder", daemon)])
    yard.until(executor, lambda: yard.file("up"))
    executor.start([yard.launch("other")])
    assert yard.ended(executor, "other")[0].left_processes == 0
    assert len(yard.living("holder")) >= 2
    (yard.work / "go").touch()
    assert yard.ended(executor, "holder")[0].left_processes == 1


def test_one_attempt_is_ended_and_the_others_run_on(yard: Yard) -> None:
    executor = yard.executor(slots=4)
    steps = ["a", "b", "c", "d"]
    tree = "(setsid sleep 300 &); sleep 300; true"
    executor.start([yard.launch(step, tree) for step in steps])
    for step in steps:
        yard.started(executor, step)
        eventually(lambda step=step: len(yard.living(step)) >= 2)
    executor.end([yard.order("b", grace=1), yard.order("c", grace=1)])
    yard.ended(executor, "b", "c")
    assert not yard.living("b", "c")
    assert len(yard.living("a")) >= 2
    assert len(yard.living("d")) >= 2


def test_an_ending_goes_on_after_a_crash_in_the_middle(yard: Yard) -> None:
    executor = yard.executor(epoch=1)
    executor.start([yard.launch("step", f'(setsid sh -c "{DEAF}" &) ; echo up > up; {DEAF}')])
    yard.until(executor, lambda: yard.file("up"))
    executor.end([yard.order("step", grace=600)])
    yard.seen += executor.observe()  # TERM is out
    executor.close()
    next_one = yard.executor(epoch=2)
    next_one.end([yard.order("step", grace=0.1)])
    assert yard.ended(next_one, "step")[0].signal == signal.SIGKILL
    assert not yard.living()


def test_a_crash_in_the_middle_of_the_sweep_leaves_no_one_stopped_for_good(yard: Yard) -> None:
    executor = yard.executor(epoch=1)
    executor.start([yard.launch("step", f"echo up > up; {DEAF}")])
    pid = yard.started(executor, "step").pid
    yard.until(executor, lambda: yard.file("up"))
    kill([pid], signal.SIGSTOP)
    executor.close()
    next_one = yard.executor(epoch=2)
    next_one.end([yard.order("step", grace=0)])
    assert yard.ended(next_one, "step")[0].signal == signal.SIGKILL


@pytest.mark.parametrize("alive", [True, False], ids=["the inner shim lives", "it is dead"])
def test_a_step_that_runs_treadle_s_own_shim_is_ended_with_all_it_runs(
    yard: Yard, alive: bool
) -> None:
    """The inner shim gives its steps marks of its own: they are found as its descendants.

    If it is dead they are found by their environment.
    """
    inner = yard.work / "inner"
    inner.mkdir()
    program = Path(__file__).with_name("a_controller.py")
    plan = '{"uid": "inner", "steps": {"sleepy": [4242424242, 0]}}'
    (yard.work / "plan").write_text(plan)
    executor = yard.executor()
    inner_step = "of the inner step"
    yard.marks[inner_step] = 4242424242
    sleepy = f"mkfifo {yard.work}/ledger; exec {PYTHON} {program} {inner} {yard.work} 1"
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    executor.start([yard.launch("outer", sleepy, env=environment)])
    yard.until(executor, lambda: runs_within(yard.living(inner_step)), "the inner step runs")
    if not alive:
        inner_ones = [*shims_of(inner), *yard.living("outer")]
        kill([pid for pid in inner_ones if pid not in yard.living(inner_step)])
    executor.end([yard.order("outer", grace=0.2)])
    yard.ended(executor, "outer")
    assert not yard.living()
    inner_path = os.fsencode(inner)
    assert not [pid for pid in pids() if inner_path in read(pid, "cmdline")]


def runs_within(found: set[int]) -> bool:
    """Is it the step itself, no longer the instant between its fork and its exec?"""
    return any(b"TREADLE_WITHIN=" in read(pid, "environ") for pid in found)


def test_a_thousand_steps_are_ended_at_once(yard: Yard) -> None:
    executor = yard.executor(slots=200)
    steps = [f"s{n}" for n in range(200)]
    executor.start([yard.launch(step, "sleep", "300") for step in steps])
    yard.until(executor, lambda: len(yard.starts()) == 200)
    executor.end([yard.order(step) for step in steps])
    longest = 0.0
    enough = time.monotonic() + DEADLINE_SECONDS
    while len(yard.ends()) < 200:
        assert time.monotonic() < enough
        began = time.monotonic()
        yard.seen += executor.observe()
        longest = max(longest, time.monotonic() - began)
    assert not yard.living()
    assert longest < 5, "observe() is to return soon"


def test_pids_that_cannot_be_ended_are_told_and_ending_goes_on(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with another user's process: signals to it are refused for a while."""
    from controller.executor.local import ending

    monkeypatch.setattr(ending, "FAILED_SECONDS", 0.2)
    monkeypatch.setattr(ending, "PAUSE_FAILED_US", 50_000)
    real = signal.pidfd_send_signal

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(signal, "pidfd_send_signal", refused)
    executor = yard.executor()
    executor.start([yard.launch("step", "sleep", "300")])
    pid = yard.started(executor, "step").pid
    executor.end([yard.order("step", grace=0)])

    def failed() -> list[tuple[int, ...]]:
        return [each.pids for each in yard.seen if hasattr(each, "pids")]

    yard.until(executor, failed, "EndFailed")
    assert failed() == [(pid,)]
    monkeypatch.setattr(signal, "pidfd_send_signal", real)
    assert yard.ended(executor, "step")[0].signal == signal.SIGKILL
    assert failed() == [(pid,)], "told once"


def test_what_a_step_may_leave_is_left_alone(yard: Yard) -> None:
    executor = yard.executor(slots=1)
    yard.forgets = True
    server = "sleep 60 & echo $! > pid; exit 3"
    executor.start([yard.launch("server", server, leave_processes=True), yard.launch("next")])
    end, _ = yard.ended(executor, "server", "next")
    assert (end.exit_code, end.left_processes) == (3, 0)
    assert yard.living("server") == {int(yard.file("pid"))}


def test_what_a_step_may_leave_outlives_the_shim_as_well(yard: Yard) -> None:
    executor = yard.executor()
    script = "sleep 60 & while [ ! -e go ]; do sleep 0.01; done"
    executor.start([yard.launch("server", script, leave_processes=True)])
    yard.started(executor, "server")
    kill([executor.shim.pid])
    (yard.work / "go").touch()
    (end,) = yard.ended(executor, "server")
    assert end.left_processes == 0
    assert len(yard.living("server")) == 1


def test_what_a_step_may_leave_outlives_shim_and_controller(yard: Yard) -> None:
    executor = yard.executor()
    script = "sleep 60 & while [ ! -e go ]; do sleep 0.01; done"
    executor.start([yard.launch("server", script, leave_processes=True)])
    start = yard.started(executor, "server")
    kill([executor.shim.pid])
    executor.close()
    (yard.work / "go").touch()
    eventually(lambda: len(yard.living("server")) == 1, "only what it left is there")
    known = Running(
        id=yard.id("server"),
        mark=yard.mark("server"),
        pid=start.pid,
        start_ticks=start.start_ticks,
        leave_processes=True,
    )
    next_one = yard.executor(epoch=2, adopts=[known])
    (end,) = yard.ended(next_one, "server")
    assert end.left_processes == 0
    assert len(yard.living("server")) == 1


def test_what_a_step_leaves_gets_the_grace_of_the_step(yard: Yard) -> None:
    executor = yard.executor()
    left = "trap '' TERM; (while :; do sleep 0.05; done) & exit 3"
    executor.start([yard.launch("step", left, grace_seconds=3600.0)])
    yard.until(executor, lambda: executor.attempts[str(yard.id("step"))].leaving, "it is ending")
    kept = executor.endings.endings[yard.id("step")].kill_at - yard.clock.now()
    assert 3_500_000_000 < kept <= 3_600_000_000
    executor.end([yard.order("step", grace=0.0)])
    (end,) = yard.ended(executor, "step")
    assert end.exit_code == 3
    assert not yard.living()


@pytest.mark.parametrize("sources", [("/no/such", "/proc/loadavg"), ("/no/such", "/nor/such")])
def test_where_the_kernel_does_not_tell_the_newest_pid(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, sources: tuple[str, str]
) -> None:
    """Kernels without CHECKPOINT_RESTORE lack the first file; some sandboxes have neither."""
    monkeypatch.setattr(by_mark, "NEWEST_PID", sources)
    executor = yard.executor()
    executor.start([yard.launch("step", "(setsid sleep 300 &) ; sleep 300; true")])
    yard.started(executor, "step")
    executor.end([yard.order("step", grace=0.1)])
    yard.ended(executor, "step")
    assert not yard.living()


def test_a_cancel_ends_what_the_step_may_leave_too(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("server", "sleep 60 & sleep 60", leave_processes=True)])
    yard.started(executor, "server")
    executor.end([yard.order("server", grace=1.0)])
    yard.ended(executor, "server")
    assert not yard.living("server")


def test_out_of_processes_a_start_waits_and_is_tried_again(open_yard: Yard, user: int) -> None:
    if user == 0:
        pytest.skip("root may have as many processes as there are")
    yard = open_yard
    yard.mark("step")

    def act() -> None:
        executor = yard.executor()
        limit = resource.prlimit(executor.shim.pid, resource.RLIMIT_NPROC)
        resource.prlimit(executor.shim.pid, resource.RLIMIT_NPROC, (1, limit[1]))
        executor.start([yard.launch("step", "exit 3")])
        journal = yard.state / "shim/journal"
        yard.until(executor, lambda: journal.read_text().count('"starting"') > 2, "tried again")
        assert not yard.seen
        yard.until(executor, executor.troubles, "it is told")
        (trouble,) = executor.troubles()
        assert trouble.reason == "OutOfResources"
        assert "temporarily unavailable" in trouble.message
        resource.prlimit(executor.shim.pid, resource.RLIMIT_NPROC, limit)
        assert yard.ended(executor, "step")[0].exit_code == 3
        assert executor.troubles() == []
        executor.close()

    as_user(user, act)


def test_what_it_may_leave_is_swept_when_that_is_asked_for(yard: Yard) -> None:
    """And then its end is told again."""
    executor = yard.executor()
    executor.start([yard.launch("step", "sleep 600 & exit 3", leave_processes=True)])
    (first,) = yard.ended(executor, "step")
    assert yard.living("step")
    yard.seen.clear()
    executor.sweep([yard.order("step", grace=0.1)])
    (again,) = yard.ended(executor, "step")
    assert again == first
    assert not yard.living("step")
