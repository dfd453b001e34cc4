"""Hooks of real runs: what people see of them, and what stops them or waits for them."""

import json
import signal
from typing import Any

import pytest
from cli.place import DEADLINE_SECONDS, Place, document

HELD = "until [ -e ../go ]; do sleep 0.02; done"
HELD_IN_ROOT = "until [ -e go ]; do sleep 0.02; done"


def with_hooks(name: str, step: str, **hooks: str) -> str:
    """One step, and hooks that are named after their kinds."""
    written: dict[str, Any] = json.loads(document(name, load=step))
    written["spec"]["hooks"] = {
        kind: [{"name": f"its-{kind[2:].lower()}", "run": script}] for kind, script in hooks.items()
    }
    return json.dumps(written, indent=2)


def put(place: Place, step: str, **hooks: str) -> None:
    (place.specs / "job.yaml").write_text(with_hooks("job", step, **hooks))


def runs(place: Place, hook: str) -> bool:
    life = next(iter(place.folded().workflows.values()), None)
    found = None if life is None else life.find(hook)
    return found is not None and found.phase == "Running"


def test_logs_status_and_shapes(place: Place) -> None:
    put(place, "echo no; exit 1", onFailure="echo $TREADLE_PHASE", onExit="echo bye; exit 3")
    out = place.says("up", "--once", code=1)
    assert "── job/onExit/its-exit, attempt 1: treadle logs job onExit/its-exit ──" in out
    assert out.splitlines()[-1].endswith(
        "1 failed (load); hook failed: onExit/its-exit; try again: treadle retry job"
    )
    assert place.says("logs", "job").splitlines() == [
        "[load] no", "[onFailure/its-failure] Failed", "[onExit/its-exit] bye",
    ]  # fmt: skip
    assert place.says("logs", "job/onFailure/its-failure") == "Failed\n"
    assert place.says("logs", "job", "onExit", "--attempt", "1") == "bye\n"
    said = place.says("status", "job")
    assert "onExit/its-exit: exit code 3 (treadle logs job onExit/its-exit)" in said
    assert "HOOK" in said
    shape = place.shape("job")["status"]
    assert [hook["name"] for hook in shape["hooks"]] == ["onFailure/its-failure", "onExit/its-exit"]
    one = json.loads(place.says("status", "job", "onExit/its-exit", "-o", "json"))
    assert one == shape["hooks"][1]
    explained = json.loads(place.says("explain", "job", "-o", "json"))
    assert [one["step"] for one in explained][1:] == ["onFailure/its-failure", "onExit/its-exit"]
    refused = place.complains("explain", "job", "onExit/its-exit", "--inputs", code=2)
    assert "is a hook: it runs whenever it is due, so it has no inputs" in refused
    assert "onSuccess hooks run" in place.complains("logs", "job", "onSuccess/x", code=5)
    put(place, "echo yes", onExit="echo bye again")
    place.treadle("up", "--once")
    assert place.says("logs", "job") == "[load] yes\n[onExit/its-exit] bye again\n"
    assert place.says("logs", "job", "onFailure", "--run", "1") == "Failed\n"


def test_a_hook_of_one_step_is_followed_with_names(place: Place) -> None:
    put(place, "echo one; exit 1", onFailure=f"echo paging; {HELD}")
    with place.up():
        place.until(lambda: runs(place, "onFailure/its-failure"))
        following = place.begin("logs", "-f", "job")
        waiting = place.begin("wait", "job", "--for", "phase=Failed")
        assert place.shape("job")["status"]["reason"] == "Ending"
        assert waiting.poll() is None
        (place.root / "go").touch()
        out, _ = following.communicate(timeout=DEADLINE_SECONDS)
        assert out.decode().splitlines()[-1] == "[onFailure/its-failure] paging"
        assert waiting.wait(DEADLINE_SECONDS) == 0


def test_a_retry_waits_for_hooks_and_a_killed_controller_forgets_neither(place: Place) -> None:
    put(place, "test -e ../mended", onFailure=f"{HELD}", onExit="true")
    with place.up() as controller:
        place.until(lambda: runs(place, "onFailure/its-failure"))
        (place.root / "mended").touch()
        said = place.says("retry", "job")
        assert (
            said
            == "job: retrying load (requested; it is applied when the hooks of run 1 have ended)\n"
        )
        said = place.says("explain", "job")
        assert "it waits until the hooks of run 1 have ended" in said
        assert "● onFailure/its-failure: running" in said
        controller.kill()
        controller.wait(DEADLINE_SECONDS)
    assert "Running?" in place.says("status", "job")
    with place.up():
        (place.root / "go").touch()
        place.until(lambda: place.phase("job") == "Succeeded")
    life = next(iter(place.folded().workflows.values()))
    assert life.run == 2
    assert [len(hook.attempts) for hook in life.hooks.values()] == [1, 2]


def test_up_once_carries_out_what_waits_for_hooks(place: Place) -> None:
    put(place, "test -e ../mended", onExit=HELD)
    controller = place.begin("up", "--once")
    place.until(lambda: runs(place, "onExit/its-exit"))
    (place.root / "mended").touch()
    place.treadle("retry", "job")
    (place.root / "go").touch()
    assert controller.wait(DEADLINE_SECONDS) == 0
    assert place.phase("job") == "Succeeded"


@pytest.mark.parametrize("command", ["retry", "cancel", "mark", "approve"])
def test_of_a_hook_nothing_can_be_asked(place: Place, command: str) -> None:
    put(place, "true", onExit="true")
    place.treadle("up", "--once")
    more = ("--succeeded", "--reason", "x") if command == "mark" else ()
    said = place.complains(command, "job", "onExit/its-exit", *more, code=2)
    assert '"onExit/its-exit" is a hook: ' in said
    assert not list(place.specs.glob("*.cancel"))


def test_cancel_without_hooks(place: Place) -> None:
    put(place, HELD, onCancel="true")
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        assert place.says("cancel", "job", "--no-hooks") == (
            "job: cancelling, without its hooks (specs/job.cancel)\n"
        )
        place.until(lambda: place.phase("job") == "Cancelled")
    assert not next(iter(place.folded().workflows.values())).hooks


def test_cancel_while_only_hooks_run(place: Place) -> None:
    put(place, "true", onExit=HELD)
    with place.up():
        place.until(lambda: runs(place, "onExit/its-exit"))
        said = "its steps have finished, only its hooks run; to stop these: "
        assert place.says("cancel", "job") == f"job: {said}treadle cancel job --no-hooks\n"
        assert "leave out load" in place.complains("cancel", "job", "load", "--no-hooks", code=2)
        assert place.says("cancel", "job", "--no-hooks", "--dry-run") == (
            "job: would stop its hooks (specs/job.cancel)\n"
        )
        place.treadle("cancel", "job", "--no-hooks")
        place.until(lambda: place.phase("job") == "Succeeded")


# ---------------------------------------- treadle run


def begin(place: Place, step: str, **hooks: str) -> Any:
    (place.root / "job.yaml").write_text(with_hooks("job", step, **hooks))
    return place.begin("run", "job.yaml")


def test_run_ends_with_the_decided_phase_after_its_hooks(place: Place) -> None:
    run = begin(place, "true", onSuccess="echo done", onExit="exit 3")
    out, _ = run.communicate(timeout=DEADLINE_SECONDS)
    assert run.returncode == 0
    assert "job/onSuccess/its-success Succeeded in" in out.decode()
    assert out.decode().splitlines()[-1].endswith("1 succeeded; hook failed: onExit/its-exit")


def test_a_first_ctrl_c_waits_for_hooks_and_a_second_leaves_them(place: Place) -> None:
    run = begin(place, "true", onSuccess=HELD_IN_ROOT)
    place.until(lambda: runs(place, "onSuccess/its-success"))
    run.send_signal(signal.SIGINT)
    line = run.stderr.readline()
    while b"SIGINT" not in line:
        line = run.stderr.readline()
    said = "waiting for hooks; another Ctrl-C exits at once and leaves them running"
    assert line.decode() == f"treadle: SIGINT: {said}\n"
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    assert run.wait(DEADLINE_SECONDS) == 130
    assert runs(place, "onSuccess/its-success"), "nobody has seen its end"
    (place.root / "go").touch()
    place.treadle("run", "--resume", "job.yaml")
    assert place.phase("job") == "Succeeded"


def test_ctrl_c_while_steps_run_cancels_and_runs_the_hooks_of_that(place: Place) -> None:
    run = begin(place, HELD_IN_ROOT, onCancel="echo undone")
    place.until(lambda: place.phase("job") == "Running")
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=DEADLINE_SECONDS)
    assert run.returncode == 130
    assert "job/onCancel/its-cancel Succeeded in" in out.decode()
    assert place.phase("job") == "Cancelled"


def test_what_run_began_is_cancelled_without_hooks_by_a_request(place: Place) -> None:
    run = begin(place, "true", onSuccess=HELD_IN_ROOT, onExit="true")
    place.until(lambda: runs(place, "onSuccess/its-success"))
    assert place.says("cancel", "job", "--no-hooks", "--reason", "late") == (
        "job: stopping its hooks (applied)\n"
    )
    assert run.wait(DEADLINE_SECONDS) == 0
    life = next(iter(place.folded().workflows.values()))
    assert [hook.phase for hook in life.hooks.values()] == ["Cancelled", "Cancelled"]
