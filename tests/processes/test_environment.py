"""What a step sees of secrets, files and the controller's environment, with a real shim."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes.yard import Yard, eventually, pids, read

from controller.executor import preparation
from controller.executor.local.executor import LocalExecutor
from controller.loop.ports import (
    AsFile,
    AttemptId,
    Ended,
    EnvFile,
    EnvRefs,
    FromEnv,
    FromFile,
)
from controller.spec.values import VALUES_BYTES_MAX, WORD_BYTES_MAX

SECRET = "hunter2-of-this-test"
# The kernel's own account of what the shell was given, before it changes anything.
LOOK = 'cat /proc/$$/environ > "$0.env"; cat /proc/$$/cmdline > "$0.argv"'


def look(yard: Yard, step: str, *words: str, **changes: object) -> object:
    """A launch of a step that notes what it sees; `seen` and `words` read it."""
    argv = ("/bin/sh", "-c", LOOK, f"{yard.work}/{step}", *words)
    return yard.launch(step, *argv, **changes)


def seen(yard: Yard, step: str = "step") -> dict[str, bytes]:
    parts = (yard.work / f"{step}.env").read_bytes().split(b"\0")[:-1]
    pairs = (part.partition(b"=") for part in parts)
    return {name.decode(errors="surrogateescape"): value for name, _, value in pairs}


def run(yard: Yard, executor: LocalExecutor | None = None, **changes: object) -> Ended:
    executor = executor or yard.executor()
    executor.start([look(yard, "step", **changes)])  # type: ignore[list-item]
    return yard.ended(executor, "step")[0]


def write(yard: Yard, name: str, content: bytes) -> str:
    path = yard.work / name
    path.write_bytes(content)
    return str(path)


# ---------------------------------------- secrets


def test_each_source_and_which_of_them_wins(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ABCDEF":
        monkeypatch.setenv(name, "inherited")
    monkeypatch.setitem(os.environb, b"SOURCE", b"from \xe9nv")
    env_file = write(yard, "prod.env", b"B=of the file\nC=x\nD=x\nE=x\nF=x")
    secret = write(yard, "secret", b"from a f\xefle\n")
    ended = run(
        yard,
        env_from=(
            EnvFile(env_file),
            EnvFile(f"{yard.work}/local.env", optional=True),
            EnvRefs({"C": FromEnv("SOURCE"), "D": FromFile(secret), "E": "x", "F": "x"}),
            EnvRefs({"E": AsFile("text of a file\n"), "F": AsFile("x")}),
        ),
        env={"F": "plain"},
    )
    assert ended.exit_code == 0
    found = seen(yard)
    path = found.pop("E")
    assert {name: found[name] for name in "ABCDF"} == {
        "A": b"inherited",
        "B": b"of the file",
        "C": b"from \xe9nv",
        "D": b"from a f\xefle",
        "F": b"plain",
    }
    assert Path(path.decode()).read_bytes() == b"text of a file\n"
    assert Path(path.decode()).is_relative_to(yard.state / "runs")


@pytest.mark.parametrize(
    ("layer", "reason", "problem"),
    [
        (EnvRefs({"A": FromEnv("NOT_SET")}), "SecretMissing", "NOT_SET is not set"),
        (EnvRefs({"A": FromFile("WORK/no")}), "SecretMissing", "no file "),
        (EnvRefs({"A": FromFile("WORK/fifo")}), "SecretMissing", "is not a regular file"),
        (EnvRefs({"A": FromFile("WORK")}), "SecretMissing", "is a folder"),
        (EnvRefs({"A": FromFile("/dev/zero")}), "SecretMissing", "is not a regular file"),
        (EnvRefs({"A": FromFile("WORK/nul")}), "SecretMissing", "has a NUL byte"),
        (EnvRefs({"A": FromFile("WORK/large")}), "ValueTooLarge", "over 100 KiB"),
        (EnvFile("WORK/no"), "SecretMissing", "no file "),
        (EnvFile("WORK/bad.env", optional=True), "SecretMissing", "bad.env:2: not KEY=VALUE"),
    ],
)
def test_what_cannot_be_read_keeps_it_from_starting(
    yard: Yard, layer: EnvFile | EnvRefs, reason: str, problem: str
) -> None:
    os.mkfifo(yard.work / "fifo")
    write(yard, "nul", SECRET.encode() + b"\0")
    write(yard, "large", SECRET.encode() * WORD_BYTES_MAX)
    write(yard, "bad.env", b"A=1\n" + SECRET.encode())
    began = time.monotonic()
    ended = run(yard, env_from=(placed(layer, yard.work),))
    assert time.monotonic() - began < 5, "it waited"
    assert (ended.how, ended.reason) == ("start-failed", reason)
    assert problem in ended.problem and SECRET not in ended.problem
    assert ended.at <= yard.clock.now()
    assert not (yard.work / "step.env").exists() and not yard.starts()


def placed(layer: EnvFile | EnvRefs, work: Path) -> EnvFile | EnvRefs:
    def path(text: str) -> str:
        return text.replace("WORK", str(work))

    if isinstance(layer, EnvFile):
        return EnvFile(path(layer.path), layer.optional)
    return EnvRefs(
        {
            name: FromFile(path(ref.path)) if isinstance(ref, FromFile) else ref
            for name, ref in layer.refs.items()
        }
    )


def test_one_that_lacks_a_secret_does_not_hold_up_the_next(yard: Yard) -> None:
    executor = yard.executor(slots=1)
    lacks = (EnvRefs({"A": FromFile("/no/such/file")}),)
    executor.start([yard.launch("bad", env_from=lacks), yard.launch("good")])
    bad, good = yard.ended(executor, "bad", "good")
    assert (bad.reason, good.exit_code) == ("SecretMissing", 0)
    yard.seen.clear()
    executor.start([yard.launch("bad", env_from=lacks)])  # asked again
    assert yard.ended(executor, "bad") == [bad]


def test_a_secret_is_read_when_it_is_to_start_not_before(yard: Yard) -> None:
    """A queued start that is told again gets what is there now."""
    executor = yard.executor(slots=1)
    yard.forgets = True
    secret = write(yard, "secret", b"old")
    executor.start([yard.launch("runs", "while [ ! -e go ]; do sleep 0.01; done")])
    yard.started(executor, "runs")
    launch = look(yard, "step", env_from=(EnvRefs({"A": FromFile(secret)}),))
    executor.start([launch])  # type: ignore[list-item]
    write(yard, "secret", b"new")
    executor.start([launch])  # type: ignore[list-item]
    (yard.work / "go").touch()
    yard.ended(executor, "step")
    assert seen(yard)["A"] == b"new"


def test_what_has_started_goes_on_although_its_secret_is_gone_by_now(yard: Yard) -> None:
    """The shim alone knows whether it has started: it is asked, and its word counts."""
    executor = yard.executor()
    secret = write(yard, "secret", SECRET.encode())
    refs = (EnvRefs({"A": FromFile(secret)}),)
    wait = "echo x >> ledger; while [ ! -e go ]; do sleep 0.01; done; exit 7"
    launch = yard.launch("step", wait, env_from=refs)
    executor.start([launch])
    eventually(lambda: yard.file("ledger"), "it runs")
    os.unlink(secret)
    executor.start([launch])  # it has not heard yet that it runs
    (yard.work / "go").touch()
    ended = yard.ended(executor, "step")[0]
    assert (ended.how, ended.exit_code) == ("exited", 7)
    assert yard.file("ledger") == "x\n"


def test_one_that_was_refused_stays_refused_when_its_secret_comes(yard: Yard) -> None:
    executor = yard.executor()
    launch = yard.launch("step", env_from=(EnvRefs({"A": FromFile(f"{yard.work}/secret")}),))
    executor.start([launch])
    write(yard, "secret", b"too late")
    executor.start([launch])
    assert yard.ended(executor, "step")[0].reason == "SecretMissing"


def test_one_that_is_cancelled_and_lacks_a_secret_counts_as_withdrawn(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", env_from=(EnvRefs({"A": FromFile("/no")}),))])
    executor.end([yard.order("step")])
    assert yard.ended(executor, "step")[0].how == "withdrawn"


REFUSED_THEN_KILLED = """
import os, signal, sys, time
from pathlib import Path
from controller.clock import SystemClock
from controller.executor.local.executor import LocalExecutor
from controller.loop.ports import AttemptId, EnvRefs, FromFile, Launch
state, work, uid, mark = sys.argv[1:]
executor = LocalExecutor(state, 1, 4, SystemClock())
executor.adopt([])
executor.start([Launch(
    id=AttemptId(uid, "step", 1), mark=int(mark), argv=("/bin/sh", "-c", "echo x >> ledger"),
    env={}, env_from=(EnvRefs({"A": FromFile(work + "/secret")}),), working_dir=work,
    log="runs/step.1.log")])
executor.flush()
journal = Path(state, "shim/journal")
while "withdrawn" not in journal.read_text():
    time.sleep(0.001)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_controller_that_is_killed_before_it_reports_a_missing_secret(yard: Yard) -> None:
    """The next one hears that it never started, so its step is scheduled again."""
    words = [str(yard.state), str(yard.work), yard.uid, str(yard.mark("step"))]
    killed = subprocess.run([sys.executable, "-c", REFUSED_THEN_KILLED, *words], check=False)
    assert killed.returncode == -9
    write(yard, "secret", SECRET.encode())
    executor = yard.executor(epoch=2)
    refs = (EnvRefs({"A": FromFile(f"{yard.work}/secret")}),)
    executor.start([yard.launch("step", "echo x >> ledger", env_from=refs)])
    assert yard.ended(executor, "step")[0].how == "withdrawn"
    again = AttemptId(yard.uid, "step", 2)
    launch = yard.launch("step", "echo x >> ledger", env_from=refs, id=again)
    executor.start([launch])
    yard.until(executor, lambda: any(each.id == again for each in yard.seen), "the next attempt")
    eventually(lambda: yard.file("ledger") == "x\n", "it ran once")


def test_a_secret_is_nowhere_but_in_the_step(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a file of the state folder, nor in the words of a process of ours."""
    monkeypatch.setenv("SOURCE", f"{SECRET}-1")
    env_file = write(yard, "prod.env", f"C={SECRET}-2\nPATH={SECRET}-3".encode())
    secret = write(yard, "secret", f"{SECRET}-4".encode())
    layers = (EnvFile(env_file), EnvRefs({"A": FromEnv("SOURCE"), "B": FromFile(secret)}))
    executor = yard.executor(slots=2)
    wait = "while [ ! -e go ]; do /bin/sleep 0.01; done"
    executor.start(
        [
            yard.launch("runs", wait, env_from=layers),
            yard.launch("not-found", "no-such-program", env_from=layers),
            yard.launch("lacks", env_from=(*layers, EnvRefs({"X": FromEnv("NOT_SET")}))),
        ]
    )
    failed, lacks = yard.ended(executor, "not-found", "lacks")
    assert SECRET not in failed.problem + lacks.problem
    assert 'command not found: "no-such-program"' in failed.problem
    assert SECRET.encode() in read(yard.started(executor, "runs").pid, "environ")
    written = [path for path in yard.state.rglob("*") if path.is_file()]
    assert len(written) > 3
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
    for pid in pids():
        assert SECRET.encode() not in read(pid, "cmdline"), read(pid, "cmdline")
    assert SECRET not in repr(executor.attempts)
    (yard.work / "go").touch()
    yard.ended(executor, "runs")


def test_what_is_short_for_a_moment_is_waited_for(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_write = preparation.write_value

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preparation, "write_value", full)
    monkeypatch.setattr("controller.executor.local.executor.TRY_AGAIN_US", 10_000)
    executor = yard.executor()
    text = EnvRefs({"A": AsFile("text")})
    executor.start([look(yard, "step", env_from=(text,))])  # type: ignore[list-item]
    for _ in range(5):
        time.sleep(0.01)
        assert executor.observe() == []
    (trouble,) = executor.troubles()
    assert trouble.reason == "OutOfResources"
    assert "No space left on device" in trouble.message
    assert executor.next_due() is not None
    monkeypatch.setattr(preparation, "write_value", really_write)
    assert yard.ended(executor, "step")[0].exit_code == 0
    assert executor.troubles() == []


# ---------------------------------------- what is inherited


def test_all_some_or_nothing_of_the_controllers_environment(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("HIDDEN", "1")
    executor = yard.executor()
    own = {"TREADLE_UID", "TREADLE_STEP", "TREADLE_ATTEMPT"}
    for step, inherit, names in [
        ("all", True, os.environ.keys() | own),
        ("some", ("KEPT", "NOT_SET", "KEPT"), {"KEPT"} | own),
        ("nothing", False, own),
        ("none", (), own),
    ]:
        executor.start([look(yard, step, inherit=inherit)])  # type: ignore[list-item]
        yard.ended(executor, step)
        assert seen(yard, step).keys() == names


def test_a_reference_sees_what_the_step_does_not_inherit(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE", "value")
    run(yard, inherit=False, env_from=(EnvRefs({"A": FromEnv("SOURCE")}),))
    assert seen(yard)["A"] == b"value" and "SOURCE" not in seen(yard)


@pytest.mark.parametrize(
    ("env", "found"),
    [
        pytest.param({}, "of the controller", id="the controller's PATH"),
        pytest.param({"PATH": "WORK/other"}, "of the step", id="the step's own PATH"),
    ],
)
def test_its_program_is_found_whatever_it_inherits(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], found: str
) -> None:
    for folder, says in (("bin", "of the controller"), ("other", "of the step")):
        (yard.work / folder).mkdir()
        program = yard.work / folder / "tool"
        program.write_text(f"#!/bin/sh\necho {says} ${{PATH+PATH}}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{yard.work}/bin")
    env = {name: value.replace("WORK", str(yard.work)) for name, value in env.items()}
    executor = yard.executor()
    executor.start([yard.launch("step", "tool", inherit=False, env=env)])
    yard.ended(executor, "step")
    assert yard.log("step").strip().startswith(found)


def test_a_step_that_inherits_nothing_still_names_the_attempts_around_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("UID", "outer"), ("STEP", "a"), ("ATTEMPT", "1"), ("WITHIN", "o/b/2")):
        monkeypatch.setenv(f"TREADLE_{name}", value)
    forged = EnvRefs({"TREADLE_WITHIN": "forged", "TREADLE_UID": "forged"})
    run(yard, inherit=False, env_from=(forged,))
    found = seen(yard)
    assert found["TREADLE_WITHIN"] == b"outer/a/1 o/b/2"
    assert found["TREADLE_UID"] == yard.uid.encode()


# ---------------------------------------- bytes


NASTY = [
    b"'single' \"double\" `back`",
    b"$(touch injected) ${HOME} $HOME ; touch injected & | > injected",
    b"a\nb\r\n\tc\n",
    b"\\n \\ \\\\",
    b"\xff\xfe\xe9 not UTF-8 \xc3",
    "ünïcödé 漢字 🦊 \u2028 \ufeff".encode(),
    b"\x1b[31m\x07\x08\x7f\x01",
    b"",
    b" ",
    b"-n",
    b"a=b=c",
    b"x" * WORD_BYTES_MAX,
    b"\xff" * WORD_BYTES_MAX,
]


def anything(dice: random.Random) -> bytes:
    alphabet = b"\n\r\t \"'`$(){}[]\\|&;<>*?~#=%!\x01\x1b\x7f\x80\xc3\xa9\xed\xa0\xbd\xff" + b"az09"
    return bytes(dice.choices(alphabet, k=dice.randrange(60)))


@pytest.mark.parametrize("seed", range(3))
def test_bytes_arrive_as_they_were_given(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """By every way that there is: no shell, no expansion, no loss."""
    dice = random.Random(seed)
    values = [*NASTY, *(anything(dice) for _ in range(30))]
    executor = yard.executor()
    for number, value in enumerate(values):
        text = value.decode(errors="surrogateescape")
        monkeypatch.setitem(os.environb, b"SOURCE", value)
        line = value.replace(b"\n", b" ").removesuffix(b"\r")
        newline = b"\r\n" if value.endswith(b"\r") else b"\n"
        launch = look(
            yard,
            f"s{number}",
            text,
            "next",
            env={"PLAIN": text},
            env_from=(
                EnvFile(write(yard, f"env{number}", b"LINE='" + line + b"'\n")),
                EnvRefs(
                    {
                        "REF": text,
                        "ENV": FromEnv("SOURCE"),
                        "FILE": FromFile(write(yard, f"file{number}", value + newline)),
                        "TEXT": AsFile(text),
                    }
                ),
            ),
        )
        executor.start([launch])  # type: ignore[list-item]
    yard.ended(executor, *(f"s{number}" for number in range(len(values))))
    for number, value in enumerate(values):
        found = seen(yard, f"s{number}")
        expected = dict.fromkeys(("PLAIN", "REF", "ENV", "FILE"), value)
        assert {name: found[name] for name in expected} == expected
        assert found["LINE"] == value.replace(b"\n", b" ").removesuffix(b"\r")
        assert Path(os.fsdecode(found["TEXT"])).read_bytes() == value
        argv = (yard.work / f"s{number}.argv").read_bytes().split(b"\0")
        assert argv[4:] == [value, b"next", b""]
    assert not (yard.work / "injected").exists()


def test_many_large_values_at_once_reach_the_shim(yard: Yard) -> None:
    """All orders of a turn go out together: no line may become too long for the other end."""
    executor = yard.executor(slots=1)
    value = "\udcff" * WORD_BYTES_MAX  # six times as long on the wire
    steps = [f"s{number}" for number in range(20)]
    for step in steps:
        refs = EnvRefs({f"V{number}": value for number in range(10)})
        LocalExecutor.start(executor, [yard.launch(step, env_from=(refs,))])
    executor.flush()
    assert {each.exit_code for each in yard.ended(executor, *steps)} == {0}


# ---------------------------------------- what is handed on


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("true", None),
        ("echo rows=1 > $TREADLE_OUTPUT", b"rows=1\n"),
        (": > $TREADLE_OUTPUT", b""),
        ("echo a=1 > out; ln -s $PWD/out $TREADLE_OUTPUT", b"a=1\n"),
        ("ln -s nowhere $TREADLE_OUTPUT; true", None),
        ("head -c 65536 /dev/zero > $TREADLE_OUTPUT", b"\0" * VALUES_BYTES_MAX),
        ("head -c 999999 /dev/zero > $TREADLE_OUTPUT", b"\0" * (VALUES_BYTES_MAX + 1)),
    ],
)
def test_what_an_attempt_hands_on(yard: Yard, script: str, found: bytes | None) -> None:
    executor = yard.executor()
    output = {"TREADLE_OUTPUT": f"{yard.state}/runs/step.1.out"}
    executor.start([yard.launch("step", "/bin/sh", "-c", script, env=output)])
    yard.ended(executor, "step")
    assert executor.outputs("runs/step.1.log") == found


@pytest.mark.parametrize(
    "script",
    [
        "mkfifo $TREADLE_OUTPUT",
        "mkdir $TREADLE_OUTPUT",
        "ln -s /dev/zero $TREADLE_OUTPUT",
        "mkfifo pipe; ln -s $PWD/pipe $TREADLE_OUTPUT",
    ],
)
def test_what_is_no_file_is_no_output_and_is_not_waited_for(yard: Yard, script: str) -> None:
    executor = yard.executor()
    output = {"TREADLE_OUTPUT": f"{yard.state}/runs/step.1.out"}
    executor.start([yard.launch("step", "/bin/sh", "-c", script, env=output)])
    yard.ended(executor, "step")
    with pytest.raises(OSError, match=r"is not a regular file|is a folder"):
        executor.outputs("runs/step.1.log")
