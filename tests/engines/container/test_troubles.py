"""podman that is missing, fails, hangs, or talks nonsense: attempts wait, and none starts twice."""

import json
import os
from pathlib import Path

import pytest
from engines.container.dock import Dock, gone
from engines.container.worlds import IMAGE, Fake
from processes.yard import eventually, kill, shims_of

from controller.executor.container import follower, images, submitter
from controller.loop.ports import EnvRefs, FromEnv, Started, Submitted

LOOP = "echo ran >> ledger; while [ ! -e end ]; do sleep 0.02; done; exit 4"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of seconds are too long for a test."""
    monkeypatch.setattr(submitter, "TRY_AGAIN_US", 50_000)
    monkeypatch.setattr(follower, "ASK_AGAIN_US", 50_000)
    monkeypatch.setattr(follower, "LOOK_SECONDS", 2.0)
    monkeypatch.setattr(images, "PAUSE_US", 50_000)
    monkeypatch.setattr(images, "LOOK_SECONDS", 2.0)


def fake(dock: Dock) -> Fake:
    assert isinstance(dock.world, Fake)
    return dock.world


# ---------------------------------------- what is said to it


def test_nothing_of_a_step_stands_in_an_argument(
    played: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "hidden-value")
    refs = {"TOKEN": FromEnv(name="A_SECRET"), "DOCKER_AUTH": FromEnv(name="A_SECRET")}
    played.run("step", "echo $TOKEN $DOCKER_AUTH", env_from=(EnvRefs(refs=refs),))
    played.ended("step")
    assert played.log("step") == "hidden-value hidden-value\n"
    calls = fake(played).calls()
    assert "hidden-value" not in json.dumps(calls)
    assert not list(played.state.rglob("*.env")), "the file with variables is removed"


def test_no_word_starts_anything_a_second_time(played: Dock) -> None:
    played.run("step", "exit 4")
    played.ended("step")
    played.forget("step")
    played.until(lambda: not played.world.containers(), "it is removed")
    words = fake(played).calls()
    assert sum("run" in call for call in words) == 1
    assert not {"create", "start", "restart", "--rm", "-f", "--force"} & {
        w for c in words for w in c
    }


# ---------------------------------------- before it is let go


def test_a_program_that_is_not_installed_is_waited_for(played: Dock) -> None:
    program = fake(played).program
    hidden = program.with_name("hidden")
    program.rename(hidden)
    os.environ["PATH"] = str(program.parent)
    played.router.start([played.launch("step", "echo ran >> ledger")])
    played.queued("step", "podman is not installed")
    assert "podman is not installed" in played.conditions()["EngineUnreachable"]
    hidden.rename(program)
    os.environ["PATH"] = f"{program.parent}:/usr/bin:/bin"
    played.until(lambda: played.last("step", Submitted), "it is submitted")
    assert "EngineUnreachable" not in played.conditions()


@pytest.mark.parametrize(
    ("verb", "answer", "word"),
    [
        ("image", {"code": 125, "err": "Error: cannot connect"}, "cannot connect"),
        ("image", {"hang": True}, "did not answer within"),
        ("image", {"code": 0, "out": "what is this?"}, "what is this?"),
        ("image", {"code": 0, "out": ""}, "can't be read"),
    ],
)
def test_a_program_that_does_not_answer_is_asked_again(
    played: Dock, verb: str, answer: dict[str, object], word: str
) -> None:
    fake(played).answer(verb, **answer)
    played.router.start([played.launch("step", "true")])
    played.until(lambda: "EngineUnreachable" in played.conditions(), "it is said")
    assert word in played.conditions()["EngineUnreachable"]
    fake(played).as_before(verb)
    played.until(lambda: played.last("step", Submitted), "it is submitted")
    assert "EngineUnreachable" not in played.conditions()


def test_an_image_that_cant_be_pulled_is_tried_again(played: Dock) -> None:
    image = "registry.example/x"
    fake(played).answer("pull", code=125, err="Error: initializing source: no such host")
    played.router.start([played.launch("step", "true", placement={"image": image})])
    played.queued("step", f"pulling image {image}")
    played.queued("step", "no such host")
    fake(played).as_before("pull")
    played.until(lambda: played.last("step", Submitted), "it is submitted")
    assert not played.conditions()


def test_an_image_that_somebody_brings_meanwhile(played: Dock) -> None:
    image = "registry.example/x"
    fake(played).answer("pull", code=125, err="Error: no such host")
    played.router.start([played.launch("step", "true", placement={"image": image})])
    played.queued("step", "no such host")
    (fake(played).folder / "images.json").write_text(json.dumps({image: "1" * 64}))
    played.until(lambda: played.last("step", Submitted), "it is submitted")
    assert played.last("step", Submitted).place == {"program": "podman", "image": "1" * 64}


def test_an_image_is_pulled_once_for_all_that_wait(played: Dock) -> None:
    steps = ["a", "b", "c"]
    launches = [played.launch(step, "true", placement={"image": "x"}) for step in steps]
    played.router.start(launches)
    played.until(lambda: all(played.last(step, Submitted) for step in steps), "all are")
    assert sum("pull" in call for call in fake(played).calls()) == 1


def test_an_image_that_is_always_pulled(played: Dock) -> None:
    placement = {"image": IMAGE, "pull": "always"}
    played.submit(played.launch("step", "true", placement=placement))
    verbs = [call for call in fake(played).calls() if "pull" in call or "image" in call]
    assert "pull" in verbs[0]


def test_an_image_that_is_gone_when_it_is_let_go(played: Dock) -> None:
    launch = played.submit(played.launch("step", "echo ran >> ledger"))
    (fake(played).folder / "images.json").write_text("{}")
    played.release(launch)
    ended = played.ended("step")
    assert ended.how == "start-failed"
    assert "image not known" in ended.problem


def test_it_can_be_withdrawn_while_its_image_is_pulled(played: Dock) -> None:
    fake(played).answer("pull", code=125, err="Error: no such host")
    played.router.start([played.launch("step", "true", placement={"image": "x"})])
    played.queued("step", "no such host")
    played.order("step", withdraw_only=True)
    assert played.ended("step").how == "withdrawn"
    played.forget("step")
    fake(played).as_before("pull")
    played.run("other", "true")
    played.ended("other")
    assert not played.last("step", Submitted)


@pytest.mark.parametrize("field", ["before", "leave_processes"])
def test_what_a_container_cant_do_is_refused(played: Dock, field: str) -> None:
    """The caller of a template chose the engine, so no spec could be refused."""
    value = ("sh", "-c", "true") if field == "before" else True
    played.router.start([played.launch("step", "true", **{field: value})])
    ended = played.ended("step")
    assert ended.how == "start-failed"
    assert "can't run in a container" in ended.problem


def test_a_variable_that_podman_would_read_has_no_line_break(played: Dock) -> None:
    played.run("step", "true", env={"DOCKER_HOST": "a\nb"})
    ended = played.ended("step")
    assert (ended.how, ended.reason) == ("start-failed", "StartFailed")
    assert ended.problem.startswith("DOCKER_HOST: ")


def test_a_program_that_one_step_lacks_holds_up_no_other(played: Dock) -> None:
    """But what any program would do for is missing for all."""
    path = os.environ["PATH"]
    os.environ["PATH"] = str(fake(played).program.parent)
    played.router.start([played.launch("one", "true", placement={"program": "docker"})])
    played.queued("one", "docker is not installed")
    os.environ["PATH"] = "/nowhere"
    played.router.start([played.launch("two", "true", placement={"program": "auto"})])
    played.queued("two", "podman or docker is not installed")
    os.environ["PATH"] = path
    engine = played.router._engines["container"]  # the router may know better whose it is
    assert {trouble.engine for trouble in engine.troubles()} == {"", "container"}


# ---------------------------------------- while it runs


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"code": 125, "err": "Error: database is locked"}, "database is locked"),
        ({"hang": True}, "did not answer within"),
        ({"code": 0, "out": "no JSON"}, "can't be read"),
        ({"code": 0, "out": '[{"Id": "x"}]'}, "can't be read"),
        ({"code": 0, "out": "{}"}, "can't be read"),
    ],
)
def test_an_end_that_cant_be_read_is_asked_for_again(
    played: Dock, answer: dict[str, object], word: str
) -> None:
    played.run("step", LOOP)
    played.appears("ledger")
    fake(played).answer("inspect", **answer)
    (played.work / "end").touch()
    played.until(lambda: "EngineUnreachable" in played.conditions(), "it is said")
    assert word in played.conditions()["EngineUnreachable"]
    fake(played).as_before("inspect")
    assert played.ended("step").exit_code == 4
    assert not played.conditions()
    assert played.file("ledger") == "ran\n"


def test_an_ending_goes_on_when_podman_answers_again(
    played: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.run("step", "trap '' TERM; " + LOOP)
    played.appears("ledger")
    fake(played).answer("inspect", code=125, err="Error: busy")
    played.order("step", grace=0.1)
    played.until(lambda: "EngineUnreachable" in played.conditions(), "it is said")
    fake(played).as_before("inspect")
    assert played.ended("step").exit_code == 137


def test_what_cant_be_killed_is_said_and_tried_again(
    played: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controller.executor.container import ending

    monkeypatch.setattr(ending, "FAILED_US", 200_000)
    played.run("step", "trap '' TERM; " + LOOP)
    played.appears("ledger")
    fake(played).answer("kill", code=125, err="Error: permission denied")
    played.order("step", grace=0.1)
    assert "permission denied" in played.end_failed("step").problem
    fake(played).as_before("kill")
    assert played.ended("step").exit_code == 137


def test_a_removal_that_fails_is_tried_again(played: Dock) -> None:
    played.run("step", "exit 4")
    played.ended("step")
    fake(played).answer("rm", code=125, err="Error: device or resource busy")
    played.forget("step")
    played.until(lambda: any("rm" in call for call in fake(played).calls()), "it is tried")
    fake(played).as_before("rm")
    played.until(lambda: not played.world.containers(), "it is removed")


def test_somebody_removes_it(played: Dock) -> None:
    played.run("step", LOOP)
    played.appears("ledger")
    state = played.world.state("step")
    for path in (fake(played).folder / "containers").iterdir():
        path.unlink()
    kill([state["Pid"]])
    ended = played.ended("step")
    assert ended.how == "lost"
    assert "there is no container" in ended.problem


def test_a_listing_that_fails_is_asked_for_again(
    played: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controller.executor.container import strangers

    monkeypatch.setattr(strangers, "PAUSE_US", 50_000)
    played.run("step", "exit 4")
    played.ended("step")
    fake(played).answer("ps", code=125, err="Error: busy")
    played.crash()
    played.until(lambda: sum("ps" in call for call in fake(played).calls()) > 1, "again")
    assert not played.conditions(), "nothing waits for that"
    fake(played).as_before("ps")
    played.until(played.found, "it is found")


# ---------------------------------------- kill -9 at each moment of the client


def reached(played: Dock, point: str) -> None:
    if point in ("note", "wait"):
        played.appears("ledger")
    elif point == "start":
        eventually(played.world.containers, "it is created")
    if point == "wait":
        eventually(played.world.running, "it is noted")


@pytest.mark.parametrize("shim", [False, True], ids=["controller", "controller and shim"])
@pytest.mark.parametrize("point", ["create", "start", "note", "wait"])
def test_killed_while_the_client_works(played: Dock, point: str, shim: bool) -> None:
    """The client alone goes on, and the next controller gets its end."""
    fake(played).hold(point)
    played.run("step", LOOP)
    played.started("step")
    reached(played, point)
    played.crash("step", shim=shim)
    fake(played).go_on(point)
    (played.work / "end").touch()
    assert played.ended("step").exit_code == 4
    assert played.file("ledger") == "ran\n"


@pytest.mark.parametrize("point", ["create", "start", "note", "wait"])
def test_the_client_is_killed(played: Dock, point: str) -> None:
    fake(played).hold(point)
    played.run("step", LOOP)
    pid = played.started("step").pid
    reached(played, point)
    kill([pid])
    gone(pid)
    if point == "wait":
        (played.work / "end").touch()
    ended = played.ended("step")
    if point == "wait":
        assert ended.exit_code == 4
    else:
        assert ended.how == "lost"
        assert not played.living(), "what podman has not noted is ended"
    played.forget("step")
    played.until(lambda: not played.world.containers(), "nothing is left")


@pytest.mark.parametrize("point", ["create", "start", "note"])
def test_it_is_ended_while_the_client_works(played: Dock, point: str) -> None:
    fake(played).hold(point)
    played.run("step", LOOP)
    played.started("step")
    reached(played, point)
    played.order("step", grace=0.1)
    ended = played.ended("step")
    assert ended.how == "lost"
    assert not played.living()
    fake(played).go_on(point)


def test_a_shim_that_dies_before_it_starts_the_client(played: Dock) -> None:
    """Nobody can know whether it ran, but podman can: it did not."""
    launch = played.submit(played.launch("step", "echo ran >> ledger"))
    played.router.machine.shim.link.close()
    kill(shims_of(played.state))
    eventually(lambda: not shims_of(played.state), "the shim is dead")
    played.seen.clear()
    played.next(played.running("step"))
    played.release(launch)
    assert played.ended("step").exit_code == 0
    assert played.file("ledger") == "ran\n"


def test_a_client_that_hangs_is_ended(played: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "HANGS_US", 100_000)
    monkeypatch.setattr(follower, "LOOK_US_MAX", 100_000)
    fake(played).hold("wait")
    played.run("step", LOOP)
    (played.work / "end").touch()
    ended = played.ended("step")
    assert (ended.how, ended.exit_code) == ("exited", 4)
    assert not played.living()
    assert played.last("step", Started)


def test_a_docker_whose_client_dies_has_a_gap(
    played: Dock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = fake(played).program
    podman.rename(podman.with_name("docker"))
    launch = played.submit(played.launch("step", LOOP, placement={"program": "docker"}))
    assert launch.place["program"] == "docker"
    played.release(launch)
    played.appears("ledger")
    kill([played.started("step").pid])
    (played.work / "end").touch()
    ended = played.ended("step")
    assert ended.exit_code == 4
    assert [note.partition(":")[0] for note in ended.notes] == ["OutputGap"]
    (call,) = [call for call in fake(played).calls() if "run" in call]
    assert "--log-driver=none" in call
