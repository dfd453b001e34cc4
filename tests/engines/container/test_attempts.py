"""Attempts in containers: each runs once, whatever dies, and its end is what podman says."""

import os
import signal
import time
from pathlib import Path

import pytest
from engines.container.dock import Dock, gone
from engines.container.worlds import Podman
from processes.yard import eventually, kill, shims_of

from controller.loop.ports import AsFile, EnvFile, EnvRefs, FromEnv, Started
from controller.spec.placement import ContainerMount


def test_a_step_runs_once_and_leaves_nothing(dock: Dock) -> None:
    dock.run("step", "echo ran >> ledger; exit 7")
    started, ended = dock.started("step"), dock.ended("step")
    assert (started.engine, started.handle) == ("container", dock.name("step"))
    assert (ended.how, ended.exit_code) == ("exited", 7)
    assert ended.at >= started.at
    assert ended.usage is not None
    assert ended.usage.wall_seconds is not None
    assert dock.file("ledger") == "ran\n"
    dock.forget("step")
    dock.until(lambda: not dock.world.containers(), "it is removed")
    assert not dock.living()


def test_output_is_in_the_order_of_printing(dock: Dock) -> None:
    dock.run("step", "for i in 1 2 3 4 5 6 7 8; do echo out $i; echo err $i >&2; done")
    dock.ended("step")
    lines = [f"{stream} {number}" for number in range(1, 9) for stream in ("out", "err")]
    assert dock.log("step").splitlines() == lines


def test_every_byte_of_a_variable_arrives(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that would mean something to podman, and one with line breaks."""
    monkeypatch.setenv("A_SECRET", "of two\nlines\n ")
    monkeypatch.setenv("PASSED_ON", "by name")
    dock.crash()  # what is inherited is what a controller had when it began
    (dock.work / "env").write_text('QUOTED="  x"\n')
    layers = (
        EnvFile(path=f"{dock.work}/env"),
        EnvRefs(refs={"TOKEN": FromEnv(name="A_SECRET"), "TEXT": AsFile(text="in a file\n")}),
    )
    env = {"PATH": "/bin:/usr/bin", "HOME": "/root", "XDG_RUNTIME_DIR": "/nowhere", "EMPTY": ""}
    script = 'printf "%s|" "$TOKEN" "$PATH" "$HOME" "$XDG_RUNTIME_DIR" "${EMPTY-unset}" "$QUOTED" '
    script += '"$PASSED_ON" "${UNSET-unset}" "$(cat $TEXT)" > values'
    dock.run("step", script, env=env, env_from=layers, inherit=("PASSED_ON", "UNSET"))
    assert dock.ended("step").exit_code == 0, dock.log("step")
    assert dock.file("values").split("|")[:-1] == [
        "of two\nlines\n ",
        "/bin:/usr/bin",
        "/root",
        "/nowhere",
        "",
        "  x",
        "by name",
        "unset",
        "in a file",
    ]


def test_only_what_is_said_is_handed_on(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_CONTROLLER", "x")
    dock.crash()
    dock.run("step", "env > values")
    dock.ended("step")
    assert "OF_THE_CONTROLLER" not in dock.file("values")


def test_what_it_hands_on_is_brought_out_of_the_container(dock: Dock) -> None:
    launch = dock.run("step", 'echo rows=5 > "$TREADLE_OUTPUT"')
    assert dock.ended("step").exit_code == 0
    assert dock.router.outputs(launch.log) == b"rows=5\n"


def test_a_link_in_the_place_of_the_output_leads_nowhere(dock: Dock) -> None:
    (dock.work / "secret").write_text("of this machine")
    launch = dock.run("step", f'ln -s {dock.work}/secret "$TREADLE_OUTPUT"')
    ended = dock.ended("step")
    assert [note.partition(":")[0] for note in ended.notes] == ["OutputIgnored"]
    assert dock.router.outputs(launch.log) is None


def test_steps_of_a_workflow_share_a_folder(dock: Dock) -> None:
    folder = f"{dock.state}/work/{dock.uid}"
    dock.run("one", "echo x > $TREADLE_WORK_DIR/file", env={"TREADLE_WORK_DIR": folder})
    dock.ended("one")
    dock.run("two", "cat $TREADLE_WORK_DIR/file", env={"TREADLE_WORK_DIR": folder})
    dock.ended("two")
    assert dock.log("two") == "x\n"


def test_a_command_that_is_not_in_the_image(dock: Dock) -> None:
    dock.run("step", "", argv=("no-such-program",))
    ended = dock.ended("step")
    assert ended.how == "start-failed"
    assert ended.problem.startswith("Error: ")


def test_a_missing_folder_is_named(dock: Dock) -> None:
    dock.run("step", "true", working_dir=f"{dock.work}/none")
    ended = dock.ended("step")
    assert ended.how == "start-failed"
    assert "none" in ended.problem


@pytest.mark.parametrize("pull", ["missing", "never"])
def test_a_name_that_no_image_can_have(dock: Dock, pull: str) -> None:
    dock.router.start([dock.launch("step", "true", placement={"image": "No Image", "pull": pull})])
    ended = dock.ended("step")
    assert ended.how == "start-failed"
    assert "invalid reference format" in ended.problem


def test_an_image_that_is_never_pulled(dock: Dock) -> None:
    image = "localhost/treadle-test/none"
    dock.router.start([dock.launch("step", "true", placement={"image": image, "pull": "never"})])
    ended = dock.ended("step")
    assert ended.how == "start-failed"
    assert f"there is no image {image} here" in ended.problem


def test_a_secret_that_is_missing(dock: Dock) -> None:
    layer = EnvRefs(refs={"TOKEN": FromEnv(name="NO_SUCH_VARIABLE")})
    dock.run("step", "echo ran >> ledger", env_from=(layer,))
    ended = dock.ended("step")
    assert (ended.how, ended.reason) == ("start-failed", "SecretMissing")
    assert not dock.file("ledger")
    assert not dock.world.containers()


# ---------------------------------------- ends


def test_it_is_stopped(dock: Dock) -> None:
    dock.run(
        "step", "trap 'echo stopped; exit 5' TERM; echo runs > go; while :; do sleep 0.1; done"
    )
    dock.appears("go")
    dock.order("step", grace=20.0)
    ended = dock.ended("step")
    assert (ended.how, ended.exit_code) == ("exited", 5)
    assert dock.log("step") == "stopped\n"
    assert not dock.living("step")


def test_what_heeds_no_signal_is_killed_after_the_grace(dock: Dock) -> None:
    dock.run("step", "trap '' TERM; echo runs > go; while :; do sleep 0.1; done")
    dock.appears("go")
    before = dock.clock.now()
    dock.order("step", grace=0.5)
    ended = dock.ended("step")
    assert (ended.how, ended.exit_code) == ("exited", 137)
    assert ended.at >= before
    assert not dock.living("step")
    dock.forget("step")
    dock.until(lambda: not dock.world.containers(), "it is removed")


def test_what_is_not_let_go_is_withdrawn(dock: Dock) -> None:
    dock.submit(dock.launch("step", "echo ran >> ledger"))
    dock.order("step", withdraw_only=True)
    assert dock.ended("step").how == "withdrawn"
    assert not dock.world.containers()


def test_a_withdrawal_that_comes_too_late_ends_nothing(dock: Dock) -> None:
    dock.run("step", "echo runs > go; while [ ! -e end ]; do sleep 0.05; done")
    dock.appears("go")
    dock.order("step", withdraw_only=True)
    (dock.work / "end").touch()
    assert dock.ended("step").exit_code == 0


def test_an_ending_survives_the_controller(dock: Dock) -> None:
    dock.run("step", "trap '' TERM; echo runs > go; while :; do sleep 0.1; done")
    dock.appears("go")
    dock.order("step", grace=30.0)
    dock.seen += dock.router.observe()
    dock.crash("step")
    dock.order("step", grace=0.2)
    assert dock.ended("step").exit_code == 137


# ---------------------------------------- what dies


def client(dock: Dock, step: str) -> int:
    """Its client, when that has nothing left to do but to wait."""
    dock.until(lambda: dock.world.runs(step), "podman has noted that it runs")
    return dock.started(step).pid


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, "ran"])
def test_a_client_that_is_killed_at_its_work(dock: Dock, moment: float | str) -> None:
    """Whatever podman had noted by then: it ran once at most, and nothing of it is left."""
    dock.run("step", "echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done; exit 4")
    pid = dock.started("step").pid
    if isinstance(moment, str):
        eventually(lambda: dock.file("ledger"), "it runs")
    else:
        time.sleep(moment)  # another window each time
    kill([pid])
    (dock.work / "end").touch()
    ended = dock.ended("step")
    assert (ended.how, ended.exit_code) in [("lost", None), ("exited", 4)]
    assert dock.file("ledger") in ("ran\n", "")
    assert dock.file("ledger") or ended.how == "lost"
    dock.forget("step")
    dock.until(lambda: not dock.world.containers(), "it is removed")
    assert not dock.living("step")


def test_the_container_outlives_its_client(dock: Dock) -> None:
    dock.run(
        "step", "echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done; echo last; exit 4"
    )
    dock.appears("ledger")
    pid = client(dock, "step")
    kill([pid])
    gone(pid)
    dock.seen += dock.router.observe()
    assert dock.last("step", Started)
    (dock.work / "end").touch()
    ended = dock.ended("step")
    assert (ended.how, ended.exit_code) == ("exited", 4)
    assert dock.file("ledger") == "ran\n"
    assert dock.log("step") == "last\n"


def test_it_is_stopped_without_its_client(dock: Dock) -> None:
    dock.run("step", "trap '' TERM; echo ran >> ledger; while :; do sleep 0.05; done")
    dock.appears("ledger")
    kill([client(dock, "step")])
    before = dock.clock.now()
    dock.order("step", grace=0.2)
    ended = dock.ended("step")
    assert (ended.how, ended.exit_code) == ("exited", 137)
    assert ended.at >= before, "what was ended was not over before"


def test_a_dead_monitor_leaves_an_end_that_nobody_knows(dock: Dock) -> None:
    dock.run("step", "echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done; exit 4")
    dock.appears("ledger")
    client_pid = client(dock, "step")
    kill([dock.world.state("step")["ConmonPid"]])
    (dock.work / "end").touch()
    kill([client_pid])  # else it is looked at now and then only
    ended = dock.ended("step")
    assert ended.how == "lost"
    assert "died" in ended.problem
    assert dock.file("ledger") == "ran\n"
    dock.forget("step")
    dock.until(lambda: not dock.world.containers(), "it is removed")


def test_it_runs_on_without_its_monitor(dock: Dock) -> None:
    """And can be stopped."""
    dock.run("step", "trap '' TERM; echo ran >> ledger; while :; do sleep 0.05; done")
    dock.appears("ledger")
    client(dock, "step")
    kill([dock.world.state("step")["ConmonPid"]])
    pid = dock.world.state("step")["Pid"]
    for _ in range(3):
        dock.seen += dock.router.observe()
    assert os.path.exists(f"/proc/{pid}")
    dock.order("step", grace=0.2)
    assert dock.ended("step").how == "lost"
    gone(pid)
    assert not dock.living("step"), "the client that waits for ever is ended too"


@pytest.mark.parametrize("shim", [False, True], ids=["controller", "controller and shim"])
def test_the_next_controller_goes_on(dock: Dock, shim: bool) -> None:
    dock.run("step", "echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done; exit 4")
    dock.appears("ledger")
    dock.started("step")
    dock.crash("step", shim=shim)
    dock.seen += dock.router.observe()
    (dock.work / "end").touch()
    ended = dock.ended("step")
    assert (ended.how, ended.exit_code) == ("exited", 4)
    assert dock.file("ledger") == "ran\n"


@pytest.mark.parametrize("shim", [False, True], ids=["controller", "controller and shim"])
def test_an_end_that_no_controller_saw(dock: Dock, shim: bool) -> None:
    launch = dock.run("step", "echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done; exit 4")
    dock.appears("ledger")
    dock.started("step")
    dock.router.machine.shim.link.close()
    if shim:
        kill(shims_of(dock.state))
    (dock.work / "end").touch()
    gone(dock.last("step", Started).pid)
    dock.next(dock.running("step"))
    dock.release(launch)  # it may come again
    ended = dock.ended("step")
    assert (ended.how, ended.exit_code) == ("exited", 4)
    assert dock.file("ledger") == "ran\n"


def test_a_container_whose_client_and_shim_died_unseen_runs_on(dock: Dock) -> None:
    """What an attempt leaves is swept when its shim is dead, but not a container."""
    dock.run("step", "echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done; exit 4")
    pid = client(dock, "step")
    dock.router.machine.shim.link.close()
    kill([*shims_of(dock.state), pid])
    gone(pid)
    dock.next(dock.running("step"))
    dock.run("other", "true")
    dock.ended("other")
    (dock.work / "end").touch()
    assert dock.ended("step").exit_code == 4
    assert dock.file("ledger") == "ran\n"


def test_a_start_that_was_told_but_not_recorded(dock: Dock) -> None:
    launch = dock.run("step", "echo ran >> ledger; exit 4")
    dock.appears("ledger")
    dock.seen.clear()
    dock.crash("step")
    dock.release(launch)
    assert dock.ended("step").exit_code == 4
    assert dock.file("ledger") == "ran\n"


def test_a_reboot(dock: Dock) -> None:
    dock.run("step", "exit 4")
    dock.ended("step")
    before = dock.running("step")
    dock.seen.clear()
    from msgspec.structs import replace

    dock.next(replace(before, boot_id="another"))
    ended = dock.ended("step")
    assert (ended.how, ended.problem) == ("lost", "the machine was rebooted")


# ---------------------------------------- strangers


def test_a_name_that_is_taken(dock: Dock) -> None:
    dock.world.make_foreign(dock.name("step"))
    dock.run("step", "echo ran >> ledger")
    ended = dock.ended("step")
    assert ended.how == "start-failed"
    assert "taken" in ended.problem
    dock.forget("step")
    dock.seen += dock.router.observe()
    dock.run("after", "true")
    dock.ended("after")
    assert [each["Name"] for each in dock.world.containers() if "step" in each["Name"]]


def test_what_the_log_does_not_know_is_left_alone(dock: Dock) -> None:
    dock.run("step", "echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done")
    dock.appears("ledger")
    dock.crash()  # the log was lost
    dock.until(dock.found, "it is found")
    (found,) = dock.found()
    assert (found.id, found.held) == (dock.id("step"), False)
    dock.router.disown([found])
    assert dock.name("step") in dock.conditions()["UnknownAttempts"]
    assert dock.world.state("step")["Status"] == "running"
    (dock.work / "end").touch()


def test_what_was_not_removed_in_time_is_removed_by_the_next_controller(dock: Dock) -> None:
    dock.run("step", "exit 4")
    dock.ended("step")
    dock.crash()
    dock.until(dock.found, "it is found")
    dock.forget("step")
    dock.until(lambda: not dock.world.containers(), "it is removed")


def test_a_controller_that_stops_removes_what_has_ended(dock: Dock) -> None:
    dock.run("step", "exit 4")
    dock.ended("step")
    dock.forget("step")
    dock.router.close()
    assert not dock.world.containers()


def test_containers_of_other_folders_are_not_touched(dock: Dock) -> None:
    dock.run("step", "exit 4")
    dock.ended("step")
    dock.router.close()
    dock.folder_id = "another"
    dock.next()
    dock.run("other", "true")
    dock.ended("other")
    assert not dock.found()


# ---------------------------------------- what it gets


def test_mounts(dock: Dock, tmp_path: Path) -> None:
    if not isinstance(dock.world, Podman):
        pytest.skip("what plays podman mounts nothing")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("x\n")
    mount = ContainerMount(source=f"{tmp_path}/data", target="/data", read_only=True)
    dock.run("step", "cat /data/file; echo y > /data/file", placement={"mounts": (mount,)})
    assert dock.ended("step").exit_code == 1
    assert dock.log("step").startswith("x\n")
    assert "Read-only" in dock.log("step")
    assert (tmp_path / "data/file").read_text() == "x\n"


def test_signals_to_the_client_do_not_reach_the_container(dock: Dock) -> None:
    dock.run(
        "step", "trap 'exit 9' TERM; echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done"
    )
    dock.appears("ledger")
    pid = client(dock, "step")
    kill([pid], signal.SIGTERM)
    gone(pid)
    (dock.work / "end").touch()
    assert dock.ended("step").exit_code == 0


def test_a_signal_to_the_whole_group_spares_the_container(dock: Dock) -> None:
    """As when a service manager stops a unit: the container is in no group of it."""
    dock.run("step", "echo ran >> ledger; while [ ! -e end ]; do sleep 0.05; done; exit 4")
    pid = client(dock, "step")
    kill([*shims_of(dock.state), pid], signal.SIGTERM)
    gone(pid)
    (dock.work / "end").touch()
    assert dock.ended("step").exit_code == 4
    assert dock.file("ledger") == "ran\n"
