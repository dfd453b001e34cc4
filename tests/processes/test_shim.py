"""The shim: one to a state folder, deaf to nonsense, gone when there is nothing to do."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from processes.yard import Yard, eventually, kill, read

import controller
from controller.errors import LockHeld, StorageError
from controller.executor.shim import main as shim


def raw_connection(yard: Yard) -> socket.socket:
    wire = socket.socket(socket.AF_UNIX)
    fd = os.open(yard.state / "shim", os.O_RDONLY)
    wire.connect(f"/proc/self/fd/{fd}/socket")
    os.close(fd)
    return wire


def test_it_imports_nothing_but_the_standard_library_and_little_of_that() -> None:
    """What it imports is its start-up time and its memory, for as long as anything runs."""
    code = "import sys; sys.path.append(sys.argv[1]); import controller.executor.shim.main; "
    code += "print(*sys.modules)"
    root = str(Path(controller.__path__[0]).parent)
    command = [sys.executable, "-I", "-S", "-c", code, root]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    rooms = {name for name in modules if name.startswith("controller")}
    own = ("main", "spawn", "slots", "cgroup", "checks", "children", "door", "journal", "wire")
    above = {"controller", "controller.regular", "controller.executor", "controller.executor.shim"}
    assert rooms == above | {f"controller.executor.shim.{name}" for name in own}
    assert {name.split(".")[0] for name in modules} - sys.stdlib_module_names == {
        "controller",
        "__main__",
    }
    assert not {"subprocess", "asyncio", "logging", "tempfile"} & set(modules)


def test_it_is_small_and_in_a_session_of_its_own(yard: Yard) -> None:
    pid = yard.executor().shim.pid
    assert os.getsid(pid) == pid
    peak_kib = int(read(pid, "status").split(b"VmHWM:")[1].split()[0])
    assert peak_kib < 16_000


def test_it_holds_open_only_what_it_needs(yard: Yard) -> None:
    executor = yard.executor(slots=50)
    count = len(os.listdir(f"/proc/{executor.shim.pid}/fd"))
    assert count <= 14
    steps = [f"s{n}" for n in range(200)]
    executor.start([yard.launch(step) for step in steps])
    yard.ended(executor, *steps)
    assert len(os.listdir(f"/proc/{executor.shim.pid}/fd")) == count


def test_no_zombies(yard: Yard) -> None:
    executor = yard.executor(slots=8)
    steps = [f"s{n}" for n in range(100)]
    executor.start([yard.launch(step, "(sleep 0.01 &) ; exit 0") for step in steps])
    yard.forgets = True
    yard.ended(executor, *steps)
    children = Path(f"/proc/{executor.shim.pid}/task/{executor.shim.pid}/children")
    eventually(lambda: children.read_text() == "", "all reaped")


def test_idle_and_alone_it_ends(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", "sleep 0.1; true")])
    yard.started(executor, "step")
    executor.close()
    assert shim.IDLE_SECONDS == 5
    eventually(lambda: yard.shims() == [], "the shim ends by itself")
    assert not (yard.state / "shim/socket").exists()


def test_it_does_not_end_while_a_step_runs_or_a_controller_is_there(yard: Yard) -> None:
    executor = yard.executor()
    pid = executor.shim.pid
    os.kill(pid, signal.SIGTERM)  # makes it impatient, no more
    executor.start([yard.launch("step", "sleep 60; true")])
    yard.started(executor, "step")
    executor.close()
    again = yard.executor()
    assert again.shim.pid == pid
    again.end([yard.order("step")])
    yard.ended(again, "step")
    again.close()
    eventually(lambda: yard.shims() == [], "told to end, it does not linger")


def test_told_to_end_it_rests_until_its_step_has_ended(yard: Yard) -> None:
    executor = yard.executor()
    pid = executor.shim.pid
    os.kill(pid, signal.SIGTERM)
    executor.start([yard.launch("step", "sleep 60; true")])
    yard.started(executor, "step")
    executor.close()
    shim_process = psutil.Process(pid)
    before = sum(shim_process.cpu_times()[:2])
    time.sleep(0.5)  # the time that is measured
    assert sum(shim_process.cpu_times()[:2]) - before < 0.1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE])
def test_it_is_deaf_to_signals_of_terminals(yard: Yard, number: int) -> None:
    executor = yard.executor()
    pid = executor.shim.pid
    os.kill(pid, number)
    executor.start([yard.launch("step")])
    yard.ended(executor, "step")
    assert executor.shim.pid == pid


def test_controllers_that_race_start_one_shim(yard: Yard) -> None:
    def start(epoch: int) -> int:
        with suppress(LockHeld):
            return yard.executor(epoch).shim.pid
        return 0

    with ThreadPoolExecutor(8) as pool:
        pids = set(pool.map(start, range(1, 9))) - {0}
    assert len(pids) == 1
    assert set(yard.shims()) == pids


def test_a_newer_controller_takes_over_and_an_older_one_is_refused(yard: Yard) -> None:
    old = yard.executor(epoch=4, slots=1)
    old.start([yard.launch("running", "sleep 60; true"), yard.launch("queued")])
    yard.started(old, "running")
    new = yard.executor(epoch=5, slots=1)
    with pytest.raises(LockHeld, match=r"epoch 5.* taken over"):
        yard.until(old, lambda: False)
    with pytest.raises(LockHeld, match="epoch 5"):
        yard.executor(epoch=4)
    yard.seen.clear()
    new.end([yard.order("running"), yard.order("queued", withdraw_only=True)])
    running, queued = yard.ended(new, "running", "queued")
    assert (running.signal, queued.how) == (15, "withdrawn")
    assert yard.log("queued") == ""


def test_a_lower_epoch_is_refused_by_the_next_shim_too(yard: Yard) -> None:
    executor = yard.executor(epoch=7)
    kill([executor.shim.pid])
    executor.close()
    with pytest.raises(LockHeld, match="epoch 7"):
        yard.executor(epoch=6)
    yard.executor(epoch=7)


def test_without_a_controller_nothing_is_started(yard: Yard) -> None:
    executor = yard.executor(epoch=1, slots=1)
    script = "while [ ! -e go ]; do sleep 0.01; done"
    executor.start([yard.launch("first", script), yard.launch("second", "echo x >> ledger")])
    yard.started(executor, "first")
    executor.close()
    (yard.work / "go").touch()
    eventually(lambda: not yard.living(), "the first ends")
    again = yard.executor(epoch=2, slots=1)
    yard.ended(again, "first")
    assert "second" not in yard.starts() and yard.file("ledger") == ""
    again.start([yard.launch("second", "echo x >> ledger")])
    yard.ended(again, "second")
    assert yard.file("ledger") == "x\n"


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"\0\xff\xfe nonsense\n", id="no JSON"),
        pytest.param(b"{}\n[1]\n[[]]\n", id="other JSON"),
        pytest.param(b'[["hello", {}]]\n', id="an empty hello"),
        pytest.param(b'[["start", "u/s/1"]]\n', id="no hello"),
        pytest.param(b'[["hello", {"epoch": 1, "slots"', id="half a line"),
        pytest.param(b"[" * 100_000 + b"\n", id="deep"),
    ],
)
def test_nonsense_on_the_wire_harms_nobody_else(yard: Yard, nonsense: bytes) -> None:
    executor = yard.executor()
    pid = executor.shim.pid
    stranger = raw_connection(yard)
    stranger.sendall(nonsense)
    executor.start([yard.launch("step")])
    yard.ended(executor, "step")
    stranger.close()
    executor.start([yard.launch("next")])
    yard.ended(executor, "next")
    assert executor.shim.pid == pid


def test_orders_that_arrive_in_pieces_are_carried_out(yard: Yard) -> None:
    yard.executor().close()
    wire = raw_connection(yard)
    hello = {"epoch": 9, "slots": 1, "env": {}, "umask": 0o77, "limits": {}}
    order = [f"{yard.uid}/s/1", yard.mark("s"), ["/bin/true"], {}, str(yard.work), "log"]
    line = json.dumps([["hello", hello], ["start", *order]]).encode() + b"\n"
    for at in range(0, len(line), 7):
        wire.send(line[at : at + 7])
    received = b""
    while b'"exited"' not in received:
        received += wire.recv(4096)
    assert b'"started"' in received


def test_a_controller_that_does_not_read_holds_up_nothing(yard: Yard) -> None:
    slow = yard.executor(epoch=1, slots=8)
    steps = [f"s{n:04}" + "x" * 50 for n in range(1500)]
    slow.start([yard.launch(step, "./no-such") for step in steps])  # much to tell of each
    slow.start([yard.launch("last", "echo x > done")])
    eventually(lambda: yard.file("done") or slow.shim.link.wire.flush(), "all were started")
    yard.ended(slow, "last", *steps)


def test_a_state_folder_deeper_than_a_socket_path_may_be_long(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 50] * 5)
    yard = Yard(deep)
    try:
        executor = yard.executor()
        executor.start([yard.launch("step")])
        assert yard.ended(executor, "step")[0].exit_code == 0
    finally:
        yard.clear()


def test_a_shim_that_cannot_start_is_said_in_one_line(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "controller.executor.local.starting.PROGRAM", "raise SystemExit('broken on purpose')"
    )
    with pytest.raises(StorageError, match=r"dies again and again; .*shim/errors says why"):
        yard.executor()
    assert "broken on purpose" in (yard.state / "shim/errors").read_text()


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        pytest.param(errno.EPERM, "it needs a Unix socket", id="no sockets"),
        pytest.param(errno.EACCES, "this user has to be able to", id="not allowed"),
        pytest.param(errno.EMFILE, "raise the limit on open files", id="no descriptors"),
        pytest.param(errno.ENOMEM, "there is no room for another process", id="no memory"),
        pytest.param(errno.ENOSPC, "make room or repair the disk", id="no room"),
    ],
)
def test_what_keeps_a_shim_from_starting_is_said_with_a_hint(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("controller.executor.local.starting.start_shim", refused)
    with pytest.raises(
        StorageError, match=f"{os.strerror(number)}: no shim can be started; {hint}"
    ):
        yard.executor()


def test_the_journal_stays_small_however_much_was_done(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = yard.executor(slots=8)
    for batch in range(6):
        steps = [f"{'x' * 60}{batch}-{n}" for n in range(400)]
        executor.start([yard.launch(step, "/no/such/" + "x" * 3000) for step in steps])
        ids = [each.id for each in yard.ended(executor, *steps)]
        executor.forget(ids)
    executor.start([yard.launch("last")])
    yard.ended(executor, "last")
    assert (yard.state / "shim/journal").stat().st_size < 5_000_000
