"""An upgraded controller and the shim that it finds."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.yard import Yard, eventually

from controller.errors import StorageError
from controller.loop.ports import EnvRefs, FromEnv

OLD_SHIM = Path(__file__).with_name("shim_v1.py")
WAIT = "echo x >> ledger; while [ ! -e go ]; do sleep 0.01; done; exit 42"


@pytest.fixture
def old_shim(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    monkeypatch.setenv("HIDDEN", "1")
    monkeypatch.setenv("KEPT", "1")
    command = [sys.executable, str(OLD_SHIM), str(yard.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_newer_controller_uses_an_older_shim_until_it_is_empty(
    yard: Yard, old_shim: subprocess.Popen[str]
) -> None:
    yard.executor(epoch=1).start([yard.launch("long", WAIT)])
    eventually(lambda: yard.file("ledger"))
    yard.executors.pop().close()
    newer = yard.executor(epoch=2)
    yard.forgets = True
    newer.start([yard.launch("short", "exit 3")])
    (short,) = yard.ended(newer, "short")
    assert (short.exit_code, newer.shim.pid, old_shim.poll()) == (3, old_shim.pid, None)
    (yard.work / "go").touch()
    (long,) = yard.ended(newer, "long")
    assert long.exit_code == 42
    yard.until(newer, lambda: newer.shim.synced and newer.shim.pid != old_shim.pid, "another shim")
    assert old_shim.wait(10) == 0
    newer.start([yard.launch("next", "exit 4")])
    (following,) = yard.ended(newer, "next")
    assert following.exit_code == 4
    assert yard.file("ledger") == "x\n"


def test_an_older_shim_starts_a_step_that_inherits_little(
    yard: Yard, old_shim: subprocess.Popen[str]
) -> None:
    executor = yard.executor()
    look = "echo ${HIDDEN-unset} ${KEPT-unset} ${OWN-unset} ${HOME+home} ${SECRET-unset}"
    refs = {"env": {"OWN": "2"}, "env_from": (EnvRefs({"SECRET": FromEnv("HIDDEN")}),)}
    for step, inherit in (("all", True), ("some", ("KEPT",)), ("nothing", False)):
        executor.start([yard.launch(step, "sh", "-c", look, inherit=inherit, **refs)])
    assert [each.exit_code for each in yard.ended(executor, "all", "some", "nothing")] == [0] * 3
    assert executor.shim.pid == old_shim.pid
    assert yard.log("all") == "1 1 2 home 1\n"
    assert yard.log("some") == "unset 1 2 1\n"
    assert yard.log("nothing") == "unset unset 2 1\n"


def test_an_older_controller_leaves_a_newer_shim_alone(
    yard: Yard, old_shim: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("link", "client"):
        monkeypatch.setattr(f"controller.executor.local.{module}.PROTOCOL", 0)
    with pytest.raises(StorageError, match="a newer treadle started the running steps"):
        yard.executor()
    assert old_shim.poll() is None
