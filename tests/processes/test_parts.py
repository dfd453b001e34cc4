"""`before`, command and `after` in one attempt: whatever ends them, and whoever dies meanwhile."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from processes.test_adoption import kernel_tells_exits, kill_shim, running
from processes.yard import Yard, kill

from controller.executor.local.executor import LocalExecutor
from controller.loop.ports import Ended, Launch

PARTS = ("before", "command", "after")
GRACE = 20.0  # more than anything takes here that is not meant to be killed
LOG = "runs/step.1.log"

# A part that says what it does, waits for `go` (in its turn), and tells of a SIGTERM that it gets.
HELD = """
trap 'echo NAME stopped >> ledger; exit 9' TERM
echo NAME >> ledger; touch NAME.runs
while [ ! -e NAME.go ]; do sleep 0.01; done
echo NAME done >> ledger; exit CODE
"""


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script) if script else ()


def launch(yard: Yard, before: str, command: str, after: str, **changes: Any) -> Launch:
    parts = {"before": shell(before), "after": shell(after)}
    return yard.launch("step", *shell(command), **parts, **changes)


def run(yard: Yard, before: str, command: str, after: str, **changes: Any) -> Ended:
    executor = yard.executor()
    executor.start([launch(yard, before, command, after, **changes)])
    return yard.ended(executor, "step")[0]


def reported(yard: Yard) -> dict[Any, Any]:
    return yard.executors[-1].parts(LOG)


def held(name: str, code: int = 0) -> str:
    return HELD.replace("NAME", name).replace("CODE", str(code))


def held_in(yard: Yard, part: str, **codes: int) -> LocalExecutor:
    """An attempt whose parts all wait, and the executor whose attempt has come to this part."""
    executor = yard.executor(epoch=1)
    executor.start([launch(yard, *(held(each, codes.get(each, 0)) for each in PARTS))])
    for each in PARTS:
        yard.until(executor, (yard.work / f"{each}.runs").exists, f"{each} runs")
        if each == part:
            break
        (yard.work / f"{each}.go").touch()
    return executor


def let_go(yard: Yard, *parts: str) -> None:
    for part in parts or PARTS:
        (yard.work / f"{part}.go").touch()


def ledger(yard: Yard) -> list[str]:
    return yard.file("ledger").splitlines()


# ------------------------------------------------------------------------------- by themselves


@pytest.mark.parametrize(
    ("before", "command", "after", "code", "killed_by", "report", "log"),
    [
        ("echo b", "echo c", "echo a", 0, None, {"before": 0, "command": 0, "after": 0}, "bca"),
        ("echo b", "echo c", "", 0, None, {"before": 0, "command": 0}, "bc"),
        ("", "echo c", "echo a", 0, None, {"command": 0, "after": 0}, "ca"),
        ("echo b; exit 3", "echo c", "echo a", 3, None, {"before": 3}, "b"),
        ("kill -KILL $$", "echo c", "echo a", None, 9, {"before": -9}, ""),
        ("", "echo c; exit 7", "echo a", 7, None, {"command": 7, "after": 0}, "ca"),
        ("", "echo c; exit 7", "echo a; exit 8", 7, None, {"command": 7, "after": 8}, "ca"),
        ("", "echo c", "echo a; exit 8", 0, None, {"command": 0, "after": 8}, "ca"),
        ("", "kill -TERM $$", "echo a", None, 15, {"command": -15, "after": 0}, "a"),
        ("", "kill -SEGV $$", "echo a", None, 11, {"command": -11, "after": 0}, "a"),
        ("", "kill -PIPE $$", "echo a", None, 13, {"command": -13, "after": 0}, "a"),
        ("", "echo c", "kill -KILL $$", 0, None, {"command": 0, "after": -9}, "c"),
    ],
)
def test_it_ends_as_the_command_does(
    yard: Yard,
    before: str,
    command: str,
    after: str,
    code: int | None,
    killed_by: int | None,
    report: dict[str, int],
    log: str,
) -> None:
    ended = run(yard, before, command, after)
    assert (ended.how, ended.exit_code, ended.signal) == ("exited", code, killed_by)
    assert reported(yard) == report
    assert yard.log("step").split() == list(log), "nothing of ours is in it"
    assert not ended.left_processes


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (shell("exit 0 "), "0"),
        (shell("exit 75 "), "75"),
        (shell("kill -KILL $$"), "137"),
        (shell("kill -TERM $$"), "143"),
        (("no-such-program",), "127"),
        (("./no-program",), "127"),
    ],
)
def test_what_after_is_told(yard: Yard, command: tuple[str, ...], told: str) -> None:
    executor = yard.executor()
    (yard.work / "no-program").write_text("not executable")
    after = shell('echo "$TREADLE_EXIT_CODE"')
    executor.start([yard.launch("step", *command, after=after)])
    ended = yard.ended(executor, "step")[0]
    assert yard.log("step") == f"{told}\n"
    assert ended.exit_code in (int(told), None)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("no-such-program", 'command not found: "no-such-program"'),
        ("./nothing", "./nothing can't be run: No such file or directory"),
        ("./no-program", "./no-program can't be run: Permission denied"),
    ],
)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_can_not_start(yard: Yard, part: str, program: str, says: str) -> None:
    executor = yard.executor()
    (yard.work / "no-program").write_text("not executable")
    argvs: dict[str, Any] = dict.fromkeys(PARTS, shell("true ")) | {part: (program,)}
    executor.start([yard.launch("step", *argvs.pop("command"), **argvs)])
    ended = yard.ended(executor, "step")[0]
    assert reported(yard)[part] == says
    assert ended.exit_code == (0 if part == "after" else 127)
    assert yard.log("step") == ""


def test_each_part_has_what_a_command_alone_has(yard: Yard) -> None:
    """Environment, folder, signals, descriptors and a session of its own, and nothing of ours."""
    look = """
import os, resource, signal
held = [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)]
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
signals = [status[name].strip() for name in ("SigBlk", "SigIgn")]
print(sorted(open("/proc/self/environ", "rb").read().split(b"\\0")), os.getcwd(), held, signals,
      os.getsid(0) == os.getpid(), sorted(os.listdir("/proc/self/fd"))[:-1], os.umask(0),
      resource.getrlimit(10))
"""
    argv = ("/usr/bin/python3", "-I", "-S", "-c", look)
    executor = yard.executor()
    plain = yard.launch("step", *argv, inherit=False, env={"A": "a\nb"})
    executor.start([plain])
    yard.ended(executor, "step")
    expected = yard.log("step")
    assert expected
    executor.forget([plain.id])
    (yard.state / LOG).unlink()
    yard.seen.clear()
    parts = {"before": argv, "after": argv}
    around = yard.launch("step", *argv, **parts, inherit=False, env={"A": "a\nb"})
    executor.start([around])
    yard.ended(executor, "step")
    first, second, third = yard.log("step").splitlines(keepends=True)
    assert first == second == expected
    assert third == expected.replace("b'TREADLE_STEP", "b'TREADLE_EXIT_CODE=0', b'TREADLE_STEP")


def test_nothing_that_one_sets_is_seen_by_the_next(yard: Yard) -> None:
    before = "export A=1; cd /; umask 0; ulimit -n 7; trap '' TERM"
    command = 'echo "${A-unset} $(pwd) $(umask) $(ulimit -n)"'
    run(yard, before, command, command)
    first, second = yard.log("step").splitlines()
    assert first == second
    assert first.startswith(f"unset {yard.work} ")
    assert not first.endswith(" 7")


def test_what_before_starts_lives_until_the_attempt_ends(yard: Yard) -> None:
    began = time.monotonic()
    ended = run(
        yard, "sleep 300 & echo $! > pid", 'kill -0 "$(cat pid)" && echo up', 'kill -0 "$(cat pid)"'
    )
    assert yard.log("step") == "up\n"
    assert reported(yard) == {"before": 0, "command": 0, "after": 0}
    assert (ended.exit_code, ended.left_processes) == (0, 1)
    assert not yard.living()
    assert time.monotonic() - began < 100, "nobody waited for it"


def test_what_the_command_leaves_may_stay(yard: Yard) -> None:
    ended = run(yard, "", "sleep 300 & echo $! > pid", "true ", leave_processes=True)
    assert (ended.exit_code, ended.left_processes) == (0, 0)
    assert yard.living() == {int(yard.file("pid"))}


def test_a_step_without_parts_is_its_own_first_process(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([yard.launch("step", "echo $$ > pid; exit 0")])
    yard.ended(executor, "step")
    assert yard.starts()["step"].pid == int(yard.file("pid"))
    assert reported(yard) == {}
    assert not (yard.state / "runs/step.1.parts").exists()


# ------------------------------------------------------------------------------- ended by an order

# What becomes of it if it is ended in this part: what is reported, and what happens.
ENDED = {
    "before": ({"before": 9}, ["before", "before stopped"]),
    "command": (
        {"before": 0, "command": 9, "after": 0},
        ["before", "before done", "command", "command stopped", "after", "after done"],
    ),
    "after": (
        {"before": 0, "command": 0, "after": 0},
        ["before", "before done", "command", "command done", "after", "after done"],
    ),
}


@pytest.mark.parametrize("timed_out", [False, True], ids=["cancelled", "timed out"])
@pytest.mark.parametrize("part", PARTS)
def test_ended_in_each_part(yard: Yard, part: str, timed_out: bool) -> None:
    executor = held_in(yard, part)
    executor.end([yard.order("step", GRACE, in_parts=True, timed_out=timed_out)])
    if part != "before":
        yard.until(executor, (yard.work / "after.runs").exists, "after runs")
        assert executor.observe() == [], "it has not ended"
        let_go(yard, "after")
    yard.ended(executor, "step")
    assert (reported(yard), ledger(yard)) == ENDED[part]
    assert not yard.living()


def test_after_is_told_of_a_timeout(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([launch(yard, "", "touch up; sleep 300", "echo $TREADLE_EXIT_CODE")])
    yard.until(executor, (yard.work / "up").exists)
    executor.end([yard.order("step", GRACE, in_parts=True, timed_out=True)])
    ended = yard.ended(executor, "step")[0]
    assert (ended.signal, yard.log("step")) == (15, "124\n")


def test_a_before_that_succeeds_although_it_is_ended_gets_its_after(yard: Yard) -> None:
    """It may have locked something."""
    executor = yard.executor()
    before = "trap 'echo locked; exit 0' TERM; touch up; while :; do sleep 0.01; done"
    executor.start([launch(yard, before, "echo command", "echo after $TREADLE_EXIT_CODE")])
    yard.until(executor, (yard.work / "up").exists)
    executor.end([yard.order("step", GRACE, in_parts=True)])
    ended = yard.ended(executor, "step")[0]
    assert yard.log("step").endswith("locked\nafter 143\n")
    assert reported(yard) == {"before": 0, "command": -15, "after": 0}
    assert ended.signal == 15


DEAF = "trap '' TERM; touch up; while :; do sleep 0.01; done"


def test_a_command_that_ignores_it_is_killed_in_time_for_after(yard: Yard) -> None:
    executor = yard.executor()
    command = f'(setsid sh -c "{DEAF}" &); {DEAF}'
    executor.start(
        [launch(yard, "", command, "echo after $TREADLE_EXIT_CODE; sleep 0.2; echo end")]
    )
    yard.until(executor, (yard.work / "up").exists)
    began = time.monotonic()
    executor.end([yard.order("step", 3.0, in_parts=True)])
    ended = yard.ended(executor, "step")[0]
    assert time.monotonic() - began >= 2.0, "it has two thirds of the grace"
    assert yard.log("step") == "after 137\nend\n", "and `after` has its own time"
    assert (ended.signal, reported(yard)) == (9, {"command": -9, "after": 0})
    assert not yard.living()


@pytest.mark.parametrize("after", ["", "true "])
def test_only_for_after_is_a_command_killed_before_its_time(yard: Yard, after: str) -> None:
    executor = yard.executor()
    command = "trap 'sleep 3.6; echo tidied; exit 5' TERM; touch up; while :; do sleep 0.01; done"
    executor.start([launch(yard, "true ", command, after)])
    yard.until(executor, (yard.work / "up").exists)
    executor.end([yard.order("step", 4.5, in_parts=True)])
    ended = yard.ended(executor, "step")[0]
    assert ended.exit_code == (None if after else 5)
    assert ("tidied" in yard.log("step")) == (not after)


def test_an_after_that_hangs_is_killed_at_the_end_of_the_grace(yard: Yard) -> None:
    executor = yard.executor()
    after = f"touch after; (setsid env -i sleep 300 &); {DEAF}"
    executor.start([launch(yard, "", "touch up; sleep 300", after)])
    yard.until(executor, (yard.work / "up").exists)
    executor.end([yard.order("step", 1.0, in_parts=True)])
    ended = yard.ended(executor, "step")[0]
    assert (ended.signal, reported(yard)) == (9, {"command": -15, "after": None})
    assert (yard.work / "after").exists()
    assert not yard.living()


def test_no_grace_no_after(yard: Yard) -> None:
    executor = held_in(yard, "command")
    executor.end([yard.order("step", 0.0, in_parts=True)])
    yard.ended(executor, "step")
    assert ledger(yard) == ["before", "before done", "command"]
    assert not yard.living()


def test_a_new_controller_in_the_middle_of_an_ending_does_not_disturb_after(yard: Yard) -> None:
    executor = held_in(yard, "command")
    executor.end([yard.order("step", GRACE, in_parts=True)])
    yard.until(executor, (yard.work / "after.runs").exists, "after runs")
    for epoch in (2, 3):
        known = running(yard, "step")
        yard.executors[-1].close()
        executor = yard.executor(epoch, adopts=[known])
        executor.end([yard.order("step", GRACE, in_parts=True)])
        for _ in range(20):
            executor.observe()
            time.sleep(0.01)  # it has time to do something wrong
    let_go(yard, "after")
    yard.ended(executor, "step")
    assert (reported(yard), ledger(yard)) == ENDED["command"]


def test_an_ending_at_any_moment(yard: Yard) -> None:
    """Between two parts, too: `after` runs once if `before` succeeded, and is never disturbed."""
    script = "trap 'echo NAME stopped >> ledger.$TREADLE_STEP; exit 9' TERM; " + (
        "echo NAME >> ledger.$TREADLE_STEP; sleep 0.02; echo NAME done >> ledger.$TREADLE_STEP"
    )
    argvs: dict[str, Any] = {part: shell(script.replace("NAME", part)) for part in PARTS}
    executor, chance = yard.executor(), random.Random(7)
    command, parts = argvs.pop("command"), argvs
    for number in range(40):
        step = f"s{number}"
        executor.start([yard.launch(step, *command, **parts, env={"TREADLE_STEP": step})])
        yard.started(executor, step)
        until = time.monotonic() + chance.random() * 0.15
        yard.until(executor, lambda until=until: time.monotonic() > until)
        executor.end([yard.order(step, GRACE, in_parts=True, timed_out=bool(number % 2))])
        ended = yard.ended(executor, step)[0]
        found = executor.parts(f"runs/{step}.1.log")
        lines = yard.file(f"ledger.{step}").splitlines()
        story = step, found, lines
        assert ("after" in lines) == ("after" in found) == (found.get("before") == 0), story
        assert "after stopped" not in lines, story
        assert found.get("after", 0) == 0, story
        assert lines.count("command") <= 1, story
        assert ended.how == "exited"
        assert not yard.living(step), story


# ------------------------------------------------------------------------------- somebody dies


@pytest.mark.parametrize("part", PARTS)
def test_the_controller_dies_in_each_part(yard: Yard, part: str) -> None:
    held_in(yard, part, command=42).close()
    next_one = yard.executor(epoch=2, adopts=[running(yard, "step")])
    assert next_one.observe() == []
    let_go(yard)
    assert yard.ended(next_one, "step")[0].exit_code == 42
    assert reported(yard) == {"before": 0, "command": 42, "after": 0}
    assert ledger(yard) == ENDED["after"][1]


@pytest.mark.parametrize("part", PARTS)
def test_the_shim_dies_in_each_part(yard: Yard, part: str) -> None:
    executor = held_in(yard, part, command=42)
    kill_shim(yard, executor)
    let_go(yard)
    ended = yard.ended(executor, "step")[0]
    assert (ended.how, ended.exit_code) == (
        ("exited", 42) if kernel_tells_exits() else ("lost", None)
    )
    assert ledger(yard) == ENDED["after"][1], "each part ran once"
    assert not yard.living()


@pytest.mark.parametrize("part", PARTS)
def test_all_die_and_it_is_ended(yard: Yard, part: str) -> None:
    executor = held_in(yard, part)
    known = running(yard, "step")
    executor.close()
    kill_shim(yard, executor)
    executor = yard.executor(epoch=2, adopts=[known])
    executor.end([yard.order("step", GRACE, in_parts=True)])
    let_go(yard, "after")
    yard.ended(executor, "step")
    assert ledger(yard) == ENDED[part][1]
    assert not yard.living()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_kills_its_parent(yard: Yard, part: str) -> None:
    scripts = dict.fromkeys(PARTS, "true ")
    scripts[part] = "kill -KILL $PPID; sleep 300"
    ended = run(yard, scripts["before"], scripts["command"], scripts["after"])
    killed_in_after = {"before": 0, "command": 0, "after": None}
    assert reported(yard) == (killed_in_after if part == "after" else {})
    assert (ended.how, ended.signal) == ("exited", 9)
    assert not yard.living()


def test_a_runner_that_is_gone_leaves_the_rest_to_the_usual_way(yard: Yard) -> None:
    executor = held_in(yard, "command")
    kill([yard.starts()["step"].pid])
    executor.end([yard.order("step", GRACE, in_parts=True)])
    yard.ended(executor, "step")
    assert ledger(yard) == ["before", "before done", "command", "command stopped"]
    assert not yard.living()


def test_a_part_that_kills_its_group_hits_nobody_else(yard: Yard) -> None:
    ended = run(yard, "", "echo c; sleep 300 & kill 0; sleep 300", "echo after $TREADLE_EXIT_CODE")
    assert yard.log("step") == "c\nafter 143\n"
    assert ended.signal == 15
    assert not yard.living()


def test_sigterm_of_somebody_else_ends_it_in_good_order(yard: Yard) -> None:
    executor = held_in(yard, "command")
    os.kill(yard.starts()["step"].pid, signal.SIGTERM)
    let_go(yard, "after")
    ended = yard.ended(executor, "step")[0]
    assert (reported(yard), ledger(yard)) == ENDED["command"]
    assert (ended.how, ended.exit_code) == ("exited", 9)


def test_a_stop_of_the_whole_group_is_ended_in_good_order_too(yard: Yard) -> None:
    executor = yard.executor()
    executor.start([launch(yard, "", "touch up; exec sleep 300", "echo after $TREADLE_EXIT_CODE")])
    yard.until(executor, (yard.work / "up").exists)
    kill([*yard.living(), executor.shim.pid], signal.SIGTERM)
    ended = yard.ended(executor, "step")[0]
    assert yard.log("step") == "after 143\n"
    assert (ended.how, ended.signal) == ("lost", 15), "the next controller tries it again"


# ------------------------------------------------------------------------------- what a step may do


def test_a_report_that_a_step_has_written_itself(yard: Yard) -> None:
    executor = yard.executor()
    path = yard.state / "runs/step.1.parts"
    path.parent.mkdir()
    for content in (b"", b"[", b"[]", b'{"before": []}', b'{"other": 1}', b"\xff", b"{" * 100_000):
        path.write_bytes(content)
        assert executor.parts(LOG) == {}, content
    path.unlink()
    os.mkfifo(path)
    assert executor.parts(LOG) == {}
    path.unlink()
    path.mkdir()
    assert executor.parts(LOG) == {}


def test_a_report_that_can_not_be_written_fails_the_attempt(yard: Yard, tmp_path: Path) -> None:
    (yard.state / "runs").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (yard.state / "runs/step.1.parts").symlink_to(victim)
    ended = run(yard, "", "true ", "true ")
    assert (ended.exit_code, reported(yard)) == (1, {})
    assert victim.read_text() == "mine"
    assert "step.1.parts" in yard.log("step")
