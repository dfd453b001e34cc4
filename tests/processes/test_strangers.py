"""Processes of other users: whoever copies a mark holds up nothing and is never signalled."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from processes.test_cgroup import delegated  # noqa: F401 - a fixture
from processes.test_ending import TREES, let_in, python_for, script
from processes.yard import RLIMIT_LOCKS, Yard, eventually, kill, read

from controller.executor import runner
from controller.executor.local import by_mark, marks
from controller.executor.shim.cgroup import PREFIX

STRANGER, OTHER = 65534, 54321
HOLD = "echo up > up; sleep 300; true"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")

Copy = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def copy() -> Iterator[Copy]:
    """Start a program with this mark as another user, away from all steps."""
    begun = []

    def begin(
        mark: int, *argv: str, uid: int = STRANGER, **more: object
    ) -> subprocess.Popen[bytes]:
        def become() -> None:
            resource.setrlimit(RLIMIT_LOCKS, (mark, resource.RLIM_INFINITY))
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)

        begun.append(
            subprocess.Popen(
                argv or ("/bin/sleep", "300"),
                preexec_fn=become,  # noqa: PLW1509 - there are no threads
                start_new_session=True,
                cwd="/",
                **more,  # type: ignore[call-overload]
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def state_of(pid: int) -> bytes:
    return read(pid, "stat").rpartition(b")")[2].split()[0]


def is_unharmed(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None and state_of(process.pid) == b"S"


def test_a_stranger_with_the_mark_keeps_no_step_from_ending(yard: Yard, copy: Copy) -> None:
    executor = yard.executor(slots=1)
    yard.forgets = True
    executor.start([yard.launch("step", f"(setsid sleep 300 &); {HOLD}"), yard.launch("next")])
    yard.until(executor, lambda: yard.file("up"))
    stranger = copy(yard.mark("step"))
    executor.end([yard.order("step", grace=0.2)])
    end, _ = yard.ended(executor, "step", "next")
    assert end.unproven == ()
    assert yard.living("step") == {stranger.pid}
    assert is_unharmed(stranger)


def test_nor_by_what_it_leaves_running(yard: Yard, copy: Copy) -> None:
    executor = yard.executor()
    stranger = copy(yard.mark("step"))
    executor.start([yard.launch("step", "sleep 300 & exit 3")])
    (end,) = yard.ended(executor, "step")
    assert (end.exit_code, end.left_processes) == (3, 1)
    assert yard.living("step") == {stranger.pid}
    assert is_unharmed(stranger)


def test_the_environment_can_be_copied_as_well(yard: Yard, copy: Copy) -> None:
    executor = yard.executor()
    launch = yard.launch("step", HOLD)
    executor.start([launch])
    yard.until(executor, lambda: yard.file("up"))
    stranger = copy(1, env=launch.env)
    executor.end([yard.order("step", grace=0.2)])
    yard.ended(executor, "step")
    assert is_unharmed(stranger)


@pytest.mark.parametrize("real", [STRANGER, 0])
def test_a_program_that_is_half_a_stranger_s_is_a_stranger(
    yard: Yard, copy: Copy, real: int
) -> None:
    """As one with the set-user-ID bit that waits for a password."""
    effective = 0 if real else STRANGER
    half = f"import os, time; os.setresuid({real}, {effective}, 0); print(flush=True); "
    stranger = copy(
        yard.mark("step"),
        *("python3", "-c", f"{half} time.sleep(300)"),
        uid=0,
        stdout=subprocess.PIPE,
    )
    assert stranger.stdout is not None
    stranger.stdout.read(1)
    assert by_mark.freeze({yard.mark("step")}, ()) == set()
    tree = marks.Tree(id=yard.id("step"), mark=yard.mark("step"))
    sight = marks.look([tree], ())
    assert not sight.members[tree.id]
    assert [process.pid for process in sight.strangers[tree.id]] == [stranger.pid]
    assert is_unharmed(stranger)


CHANGES = {
    "setpriv": f"setpriv --reuid {OTHER} --clear-groups sleep 300 & {HOLD}",
    "the first process": f"echo up > up; exec setpriv --reuid {OTHER} --clear-groups sleep 300",
    "su": "su -s /bin/sh nobody -c 'sleep 300; true' & " + HOLD,
    "a daemon": (
        f"(setsid setpriv --reuid {OTHER} --clear-groups env -i sh -c "
        "'(setsid sleep 300 &) ; sleep 300 & exit 0' &); sleep 0.2; " + HOLD
    ),
    "a daemon that the step leaves": (
        f"(setsid setpriv --reuid {OTHER} --clear-groups env -i sleep 300 &); "
        "sleep 0.2; echo up > up; exit 0"
    ),
    "a comet": (
        f"setpriv --reuid {OTHER} --clear-groups {shutil.which('python3', path='/usr/bin')} -c "
        "'import os\nwhile 1:\n if os.fork(): os._exit(0)\n os.setsid()' & sleep 0.3; " + HOLD
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_steps_that_change_their_user_are_ended_without_survivors(
    yard: Yard, copy: Copy, change: str
) -> None:
    if "None" in change:
        pytest.skip("another user can run no Python here")
    stranger = copy(yard.mark("step"))
    executor = yard.executor()
    executor.start([yard.launch("step", change)])
    yard.until(executor, lambda: yard.file("up"))
    executor.end([yard.order("step", grace=0.3)])
    yard.ended(executor, "step")
    time.sleep(0.05)  # no survivor comes up later
    assert yard.living("step") == {stranger.pid}
    assert is_unharmed(stranger)


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES.keys())
def test_whole_trees_of_another_user_are_ended_without_survivors(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: str
) -> None:
    """The controller is root, and the step begins with a change of its user."""
    monkeypatch.setattr(sys, "executable", python_for(OTHER))
    let_in(tmp_path)
    os.chown(yard.work, OTHER, OTHER)
    become = ["setpriv", "--reuid", str(OTHER), "--regid", str(OTHER), "--clear-groups"]
    executor = yard.executor()
    executor.start([yard.launch("tree", *become, "/bin/sh", "-c", script(tree, yard))])
    yard.until(executor, lambda: yard.file("up"), "the tree has grown")
    executor.end([yard.order("tree", grace=0.3)])
    yard.ended(executor, "tree")
    time.sleep(0.05)  # no survivor comes up later
    assert not yard.living("tree"), "survivors"


def test_they_are_ended_below_a_shim_that_was_sent_away(yard: Yard) -> None:
    """Its lock was deleted, so that the controller has another; it lives, and is theirs."""
    executor = yard.executor()
    executor.start([yard.launch("step", CHANGES["a daemon"])])
    yard.until(executor, lambda: yard.file("up"))
    first = executor.shim.pid
    (yard.state / "shim/lock").unlink()
    executor.start([yard.launch("next")])
    yard.ended(executor, "next")
    assert executor.shim.pid != first
    executor.end([yard.order("step", grace=0.2)])
    yard.ended(executor, "step")
    assert not yard.living("step")


def test_with_a_dead_shim_a_stranger_is_a_note(yard: Yard, copy: Copy) -> None:
    executor = yard.executor(slots=1)
    executor.start([yard.launch("step", f"setpriv --reuid {OTHER} sleep 300 & {HOLD}")])
    yard.until(executor, lambda: yard.file("up"))
    stranger = copy(yard.mark("step"))
    eventually(lambda: len(yard.living("step")) == 4)
    kill([executor.shim.pid])
    yard.until(executor, lambda: executor.attempts[str(yard.id("step"))].orphan, "a new shim")
    executor.end([yard.order("step", grace=0.2)])
    (end,) = yard.ended(executor, "step")
    assert end.unproven == (stranger.pid,)
    assert yard.living("step") == {stranger.pid}
    assert is_unharmed(stranger)


def test_a_stranger_is_not_taken_for_an_attempt_that_is_only_known_by_its_mark(
    yard: Yard, copy: Copy
) -> None:
    stranger = copy(yard.mark("step"))
    (yard.state / "shim").mkdir(mode=0o700)
    starting = f'["starting", "{yard.id("step")}", {yard.mark("step")}, 1]\n'
    (yard.state / "shim/journal").write_text(starting)
    executor = yard.executor()
    (end,) = yard.ended(executor, "step")
    assert (end.how, end.unproven) == ("lost", (stranger.pid,))
    assert is_unharmed(stranger)


@pytest.mark.parametrize("whose", [0, STRANGER])
def test_only_a_cgroup_of_ours_is_a_proof(
    delegated: Path,  # noqa: F811
    yard: Yard,
    copy: Copy,
    whose: int,
) -> None:
    """Others can make one of that name where a part of the tree is theirs."""
    process = copy(1)
    folder = delegated / f"{PREFIX}{yard.mark('step'):x}"
    folder.mkdir()
    os.chown(folder, whose, whose)
    (folder / "cgroup.procs").write_text(str(process.pid))
    tree = marks.Tree(id=yard.id("step"), mark=yard.mark("step"))
    sight = marks.look([tree], ())
    found = sight.members if whose == 0 else sight.strangers
    assert [each.pid for each in found[tree.id]] == [process.pid]
    assert sum(map(len, [*sight.members.values(), *sight.strangers.values()])) == 1


def test_a_deep_tree_of_a_stranger_takes_no_long_look(yard: Yard, copy: Copy) -> None:
    deep = "import os, time\nfor _ in range(300):\n if os.fork(): break\ntime.sleep(300)"
    copy(yard.mark("step"), "/usr/bin/env", "python3", "-c", deep)
    eventually(lambda: len(yard.living("step")) >= 300)
    tree = marks.Tree(id=yard.id("step"), mark=yard.mark("step"))
    began = time.process_time()
    sight = marks.look([tree], ())
    assert time.process_time() - began < 2
    assert len(sight.strangers[tree.id]) >= 300 and not sight.members[tree.id]


def test_nothing_is_frozen_by_a_mark_that_a_stranger_has_copied(
    yard: Yard, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where root may ask every process for its limits, as in no container."""
    stranger, own = copy(yard.mark("step")), copy(yard.mark("step"), uid=0)
    monkeypatch.setattr(by_mark, "mark_of", by_mark.shown_mark)
    assert by_mark.freeze({yard.mark("step")}, ()) == {own.pid}
    assert is_unharmed(stranger)


def test_a_runner_passes_its_signal_on_to_its_own_alone(yard: Yard, copy: Copy) -> None:
    """It has a process of another user below it, and a stranger beside it."""
    stranger = copy(yard.mark("step"))
    program = (
        "import runpy, subprocess, time; "
        f"others = runpy.run_path({runner.__file__!r})['others']; "
        f"child = subprocess.Popen(['setpriv', '--reuid', '{OTHER}', 'sleep', '300']); "
        f"marked = (child.pid, {stranger.pid}); time.sleep(0.3); "
        "others.__globals__['has_mark'] = lambda pid, mark: pid in marked; "
        "print(child.pid, *(pid for _, pid in others()), flush=True)"
    )
    shell = ("/bin/sh", "-c", '"$@"; true', "as-a-shim", sys.executable, "-c", program)
    first = copy(yard.mark("step"), *shell, uid=0, stdout=subprocess.PIPE)
    assert first.stdout is not None
    child, *found = map(int, first.stdout.readline().split())
    assert found == [child]
