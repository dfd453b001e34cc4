"""What goes wrong with Slurm, and what comes of it: a condition, a reason, or the right end."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from engines.slurm.fake import FOLDER_ID, REAL_SECONDS, Controller, World, wait_for

from controller.executor.names import Labels
from controller.executor.slurm import shared
from controller.executor.slurm.submission import comment
from controller.loop.ports import AsFile, AttemptId, EnvRefs, FromEnv
from controller.model.state import SECOND
from controller.spec.placement import OnSlurm


@pytest.fixture
def controller(world: World) -> Controller:
    return Controller(world)


def running(world: World, controller: Controller, **changes: Any) -> Any:
    """An attempt of the step `a` that goes on until it is told otherwise; gives its job."""
    world.cluster.set(go_on=True)
    controller.start(world.launch("a", **changes))
    controller.until(lambda: world.log[AttemptId("uid", "a", 1)].started is not None)
    return world.cluster.job("-a-")


def conditions(controller: Controller) -> dict[str, str]:
    return {trouble.condition: trouble.message for trouble in controller.engine.troubles()}


# ------------------------------------------------------------------------------------ contact lost


@pytest.mark.parametrize(
    "answer", ["fail slurm_load_jobs error: Unable to contact slurm controller", "say Hello!"]
)
def test_while_slurm_does_not_answer_nothing_is_submitted_or_concluded(
    world: World, controller: Controller, answer: str
) -> None:
    running(world, controller)
    asked = len(world.cluster.calls("sbatch"))
    world.cluster.set(go_on=False)
    world.cluster.misbehave("squeue", *[answer] * 6)
    controller.until(lambda: conditions(controller))
    assert "1 attempt waits" in conditions(controller)["EngineUnreachable"]
    controller.start(world.launch("b"))
    controller.until(lambda: not world.cluster.state["misbehave"]["squeue"])
    assert len(world.cluster.calls("sbatch")) == asked
    assert world.ended("a") is None
    controller.until_ended()
    assert not conditions(controller)


def test_a_cluster_that_nobody_needs_any_more_is_no_trouble(
    world: World, controller: Controller
) -> None:
    controller.start(world.launch("a"))
    controller.until_ended()
    world.cluster.misbehave("squeue", *["fail Unable to contact slurm controller"] * 3)
    again = Controller(world)
    again.until(lambda: not world.cluster.state["misbehave"]["squeue"])
    assert not conditions(again)


def test_an_ending_is_repeated_when_contact_is_back(world: World, controller: Controller) -> None:
    running(world, controller)
    down = "fail scancel: error: Unable to contact slurm controller"
    world.cluster.misbehave("scancel", down, down)
    controller.end("a")
    controller.until_ended()
    assert world.ended("a").signal == 15  # type: ignore[union-attr]
    assert len(world.cluster.calls("scancel")) == 3


def test_programs_that_are_missing_are_named(
    world: World, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/no/such")
    other = Controller(world)
    other.start(world.launch("a"))
    other.until(lambda: conditions(other))
    assert (
        "this machine has no sbatch, squeue, scontrol, scancel: install"
        in (conditions(other)["EngineUnreachable"])
    )
    assert world.ended("a") is None


def test_an_attempt_stays_with_its_cluster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next controller has another one for new attempts."""
    monkeypatch.setenv("SLURM_CONF", "/etc/first.conf")
    running(world, Controller(world))
    monkeypatch.setenv("SLURM_CONF", "/etc/second.conf")
    asked = len(world.cluster.state["confs"])
    world.cluster.set(go_on=False)
    Controller(world).until_ended()
    assert set(world.cluster.state["confs"][asked:]) == {"/etc/first.conf"}


# ---------------------------------------------------------------------------------------- refusals


def test_what_no_waiting_mends_is_a_failed_start(world: World, controller: Controller) -> None:
    text = "sbatch: error: Batch job submission failed: Invalid partition name specified"
    world.cluster.misbehave("sbatch", f"fail {text}")
    controller.start(world.launch("a"))
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and ended.how == "start-failed"
    assert "Invalid partition name specified" in ended.problem


def test_a_limit_of_the_cluster_is_waited_for(world: World, controller: Controller) -> None:
    text = "Batch job submission failed: Job violates accounting/QOS policy (job submit limit)"
    world.cluster.misbehave("sbatch", f"fail {text}", f"fail {text}")
    controller.start(world.launch("a"))
    controller.until_ended()
    assert text in world.reasons("a")[0] and len(world.reasons("a")) == 1
    assert world.ended("a").exit_code == 0  # type: ignore[union-attr]


def test_why_it_waits_is_told_in_slurms_words(world: World, controller: Controller) -> None:
    world.cluster.set(queue=True)
    controller.start(world.launch("a"))
    controller.until(lambda: world.cluster.jobs() and world.cluster.job("-a-")["releases"])
    world.cluster.set_job("1", reason="Resources")
    controller.until(lambda: world.reasons("a"))
    assert world.reasons("a") == ["Resources"]


@pytest.mark.parametrize(
    ("arrange", "problem"),
    [
        (lambda path: path.mkdir(0o750), "is open to other users; close it: chmod 700"),
        (lambda path: path.write_text(""), "is no folder"),
        (lambda path: None, ""),
    ],
    ids=["mode", "file", "missing"],
)
def test_the_shared_folder_is_ours_alone(
    world: World, controller: Controller, arrange: Any, problem: str
) -> None:
    arrange(world.shared)
    controller.start(world.launch("a"))
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and problem in ended.problem
    if problem:
        assert ended.how == "start-failed" and not world.cluster.calls("sbatch")
    else:
        assert world.shared.stat().st_mode & 0o777 == 0o700


def test_a_shared_folder_in_no_folder_is_not_made(world: World, controller: Controller) -> None:
    placement = OnSlurm(shared_dir="/no/such/folder")
    controller.start(world.launch("a", placement=placement))
    controller.until_ended()
    problem = world.ended("a").problem  # type: ignore[union-attr]
    assert problem == "sharedDir /no/such/folder: there is no folder /no/such"


# ----------------------------------------------------------------------------------------- secrets


def test_secrets_are_in_the_order_alone(
    world: World, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    world.cluster.set(queue=True)
    refs = EnvRefs({"A": FromEnv("TOKEN"), "B": AsFile("a text")})
    controller.start(world.launch("a", env_from=(refs,), inherit=("LANG",)))
    controller.until(lambda: world.cluster.jobs() and world.cluster.job("-a-")["releases"])
    folder = world.folder("a")
    order = folder / "order.json"
    assert order.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700
    env = json.loads(order.read_text())["env"]
    assert env["A"] == "s3cret" or env["A"] == "b"
    assert Path(env["B"]).read_text() == "a text"
    assert env["TREADLE_OUTPUT"] == f"{folder}/outputs"
    assert Path(env["TREADLE_WORK_DIR"]).is_dir()
    assert "s3cret" not in json.dumps(world.cluster.state)


def test_a_secret_that_is_missing_fails_the_start(world: World, controller: Controller) -> None:
    refs = EnvRefs({"A": FromEnv("NO_SUCH_VARIABLE")})
    controller.start(world.launch("a", env_from=(refs,)))
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and (ended.how, ended.reason) == ("start-failed", "SecretMissing")


# ------------------------------------------------------------------------------------------ ending


def test_a_running_one_is_told_by_its_runner_alone(world: World, controller: Controller) -> None:
    job = running(world, controller)
    controller.end("a", timed_out=True)
    controller.until(lambda: world.cluster.calls("scancel"))
    assert world.cluster.calls("scancel") == [["scancel", "--signal=TERM", "--batch", job["id"]]]
    order = json.loads((world.folder("a") / "end.json").read_text())
    assert order == {"grace_seconds": 3.0, "timed_out": True}
    controller.until_ended()


def test_a_runner_that_does_not_answer_is_killed_with_its_job(
    world: World, controller: Controller
) -> None:
    job = running(world, controller)
    world.cluster.set(deaf=True)
    ordered = world.clock.time
    controller.end("a")
    controller.until_ended()
    assert ["scancel", job["id"]] in world.cluster.calls("scancel")
    assert world.clock.time - ordered > 18 * SECOND
    ended = world.ended("a")
    assert ended is not None and ended.how == "lost"
    assert ended.notes == ("EndUnproven: nobody has seen its processes end; look at node n1",)


def test_a_job_that_does_not_go_is_told(world: World, controller: Controller) -> None:
    job = running(world, controller)
    world.cluster.set_job(job["id"], state="COMPLETING")
    controller.end("a")
    controller.until(lambda: world.end_problems("a"))
    assert world.end_problems("a") == ["job 1 is still COMPLETING on n1, although it was cancelled"]
    world.cluster.set_job(job["id"], state="CANCELLED")
    controller.until_ended()


@pytest.mark.parametrize("withdraw_only", [True, False])
def test_one_that_waits_is_held_then_cancelled(
    world: World, controller: Controller, withdraw_only: bool
) -> None:
    world.cluster.set(queue=True)
    controller.start(world.launch("a"))
    controller.until(lambda: world.cluster.jobs() and world.cluster.job("-a-")["releases"])
    controller.until(lambda: not controller.busy)
    controller.end("a", withdraw_only=withdraw_only)
    controller.until_ended()
    assert world.ended("a").how == "withdrawn"  # type: ignore[union-attr]
    assert world.cluster.calls("scontrol", "hold") == [["scontrol", "hold", "1"]]
    assert world.cluster.calls("scancel") == [["scancel", "--state=PENDING", "1"]]
    assert not world.cluster.state["ran"]


def test_one_that_has_started_meanwhile_is_not_withdrawn(
    world: World, controller: Controller
) -> None:
    running(world, controller)
    controller.end("a", withdraw_only=True)
    controller.rest(60)
    assert world.ended("a") is None and not world.cluster.calls("scancel")
    controller.end("a")
    controller.until_ended()
    assert world.ended("a").signal == 15  # type: ignore[union-attr]


def test_one_that_slurm_has_not_got_is_withdrawn_at_once(
    world: World, controller: Controller
) -> None:
    world.cluster.misbehave("scontrol", *["fail Unable to contact slurm controller"] * 3)
    controller.start(world.launch("a"))
    controller.end("a")
    controller.turn()
    assert world.ended("a").how == "withdrawn"  # type: ignore[union-attr]


@pytest.mark.parametrize("answer", ["", "lost", "ghost"])
def test_one_that_is_being_submitted_never_starts(
    world: World, controller: Controller, answer: str
) -> None:
    world.cluster.misbehave("sbatch", answer)
    controller.start(world.launch("a"))
    controller.until(lambda: world.cluster.calls("sbatch"))
    controller.end("a")
    controller.until_ended()
    assert world.ended("a").how == "withdrawn"  # type: ignore[union-attr]
    assert not world.cluster.state["ran"]
    controller.start(world.launch("b"))  # so that somebody looks at the queue
    controller.until_ended()
    controller.rest(120)
    assert [job["state"] for job in world.cluster.jobs("-a-")] in ([], ["CANCELLED"])


# -------------------------------------------------------------------------------------- the end


def without_exit_file(world: World, state: str, exit_code: str = "0:0") -> None:
    world.cluster.set_job("1", state=state, exit=exit_code)


@pytest.mark.parametrize(
    ("state", "how", "problem"),
    [
        ("NODE_FAIL", "lost", "job 1 ended on n1: NODE_FAIL"),
        ("PREEMPTED", "lost", "job 1 ended on n1: PREEMPTED"),
        ("OUT_OF_MEMORY", "lost", "job 1 ended on n1: OUT_OF_MEMORY"),
        ("CANCELLED", "lost", "job 1 ended on n1: CANCELLED"),
        ("TIMEOUT", "exited", "job 1 reached its time limit on n1"),
    ],
)
def test_killed_without_an_exit_file(
    world: World, controller: Controller, state: str, how: str, problem: str
) -> None:
    running(world, controller)
    without_exit_file(world, state)
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None
    assert (ended.how, ended.problem, ended.engine_reason) == (how, problem, state)
    assert ended.timed_out == (state == "TIMEOUT")
    assert ended.notes == ("EndUnproven: nobody has seen its processes end; look at node n1",)
    assert (world.state_dir / "runs/uid/a.1.log").read_text() == "hello\n"


def test_an_exit_file_that_comes_late_counts(world: World, controller: Controller) -> None:
    running(world, controller)
    without_exit_file(world, "COMPLETED")
    controller.rest(80)
    assert world.ended("a") is None
    (world.folder("a") / "exit.json").write_text('{"version": 1, "how": "exited", "exit_code": 7}')
    controller.until_ended()
    assert world.ended("a").exit_code == 7  # type: ignore[union-attr]


def test_gone_without_a_trace_is_lost_after_a_while(world: World, controller: Controller) -> None:
    running(world, controller)
    with world.cluster.changed() as state:
        del state["jobs"]["1"]
    controller.until(lambda: len(world.cluster.calls("sacct")) >= 2)
    gone = world.clock.time
    controller.rest(60)
    assert world.ended("a") is None
    controller.until_ended()
    assert world.clock.time - gone < 95 * SECOND
    ended = world.ended("a")
    assert ended is not None and ended.how == "lost"
    assert ended.problem == "job 1 is gone, and nothing tells how it ended"
    assert len(world.cluster.calls("sbatch")) == 1


def test_the_books_tell_of_one_that_is_gone(world: World, controller: Controller) -> None:
    job = running(world, controller)
    with world.cluster.changed() as state:
        del state["jobs"]["1"]
        state["books"] = [f"1|{job['name']}|CANCELLED by 1000|0:15|n1", "1|other|FAILED|1:0|n2"]
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and ended.engine_reason == "CANCELLED by 1000"


def test_a_job_number_that_is_used_again_is_not_ours(world: World, controller: Controller) -> None:
    running(world, controller)
    world.cluster.set_job("1", name="treadle-other-000000000000999", state="RUNNING")
    controller.until_ended()
    assert world.ended("a").how == "lost"  # type: ignore[union-attr]
    assert world.cluster.jobs()[0]["state"] == "RUNNING"


@pytest.mark.parametrize("exit_code", ["121:0", "0:53"])
def test_a_node_that_does_not_see_the_folder(
    world: World, controller: Controller, exit_code: str
) -> None:
    world.cluster.set(queue=True)
    controller.start(world.launch("a"))
    controller.until(lambda: world.cluster.jobs() and world.cluster.job("-a-")["releases"])
    world.cluster.set_job("1", state="FAILED", node="n7", exit=exit_code)
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and ended.how == "start-failed"
    assert ended.problem.startswith(f"node n7 does not see {world.folder('a')}; sharedDir must")


def test_a_node_without_python(world: World, controller: Controller) -> None:
    world.cluster.set(queue=True)
    controller.start(world.launch("a"))
    controller.until(lambda: world.cluster.jobs() and world.cluster.job("-a-")["releases"])
    (world.folder("a") / "runner.log").write_text("env: 'python3': No such file or directory\n")
    world.cluster.set_job("1", state="FAILED", node="n7", exit="127:0")
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and ended.how == "start-failed"
    assert ended.problem == "node n7 can't run python3: env: 'python3': No such file or directory"


def test_somebody_elses_scancel_is_no_failure_of_the_step(
    world: World, controller: Controller
) -> None:
    job = running(world, controller)
    exit_file = {"version": 1, "how": "exited", "signal": 15, "ended_by": "stranger", "host": "n1"}
    (world.folder("a") / "exit.json").write_text(json.dumps(exit_file))
    world.cluster.set_job(job["id"], state="CANCELLED")
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and (ended.how, ended.engine_reason) == ("lost", "CANCELLED")
    assert ended.notes == ()


def test_one_that_is_put_back_into_the_queue_never_runs_again(
    world: World, controller: Controller
) -> None:
    job = running(world, controller)
    world.cluster.set_job(job["id"], state="PENDING", reason="BeginTime")
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and ended.how == "lost"
    assert "was put back into the queue" in ended.problem
    assert len(world.cluster.state["ran"]) == 1


def test_output_that_cannot_be_fetched_is_fetched_later(
    world: World, controller: Controller
) -> None:
    running(world, controller)
    blocked = world.state_dir / "runs"
    blocked.write_text("")
    world.cluster.set(go_on=False)
    controller.until(lambda: conditions(controller))
    assert "what a job has left can't be fetched" in conditions(controller)["ExecutorTrouble"]
    assert world.ended("a") is None
    blocked.unlink()
    controller.until_ended()
    assert not conditions(controller)


def test_while_the_shared_folder_is_away_nothing_is_lost(
    world: World, controller: Controller
) -> None:
    running(world, controller)
    away = world.shared.with_name("away")
    world.cluster.set(go_on=False)
    finished(world)
    world.shared.rename(away)
    controller.rest(300)
    assert world.ended("a") is None
    assert str(world.shared) in conditions(controller)["ExecutorTrouble"]
    away.rename(world.shared)
    controller.until_ended()
    assert world.ended("a").exit_code == 0  # type: ignore[union-attr]
    assert not conditions(controller)


def finished(world: World) -> None:
    exit_file = {"version": 1, "how": "exited", "exit_code": 0, "host": "n1"}
    (world.folder("a") / "exit.json").write_text(json.dumps(exit_file))
    world.cluster.set_job("1", state="COMPLETED")


def test_a_folder_that_somebody_has_removed_tells_nothing(
    world: World, controller: Controller
) -> None:
    running(world, controller)
    shutil.rmtree(world.folder("a"))
    world.cluster.set_job("1", state="COMPLETED")
    controller.until_ended()
    assert world.ended("a").how == "lost"  # type: ignore[union-attr]


# ---------------------------------------------------------------------------------------- strangers


def add_job(world: World, step: str, mark: int, folder_id: str = FOLDER_ID, **what: Any) -> str:
    """A job that no controller here has asked for; gives its number."""
    whose = Labels(folder_id, AttemptId("gone", step, 1), mark)
    name = f"treadle-{step}-{mark:015x}"
    with world.cluster.changed() as state:
        number = str(state["next"])
        state["next"] += 1
        state["jobs"][number] = {
            "id": number,
            "name": name,
            "comment": comment(whose),
            "folder": f"{world.shared}/{FOLDER_ID}/{name}",
            "state": "PENDING",
            "reason": "JobHeldUser",
            "node": "",
            "exit": "0:0",
            "releases": 0,
            **what,
        }
    return number


def test_held_jobs_that_the_log_does_not_know_are_removed(
    world: World, controller: Controller
) -> None:
    ours = add_job(world, "x", 77)
    others = add_job(world, "y", 78, folder_id="folder-2")
    controller.start(world.launch("a"))
    controller.until_ended()
    controller.until(lambda: world.cluster.state["jobs"][ours]["state"] == "CANCELLED")
    assert world.cluster.state["jobs"][others]["state"] == "PENDING"
    assert not conditions(controller)


def test_one_that_may_run_is_left_alone_and_told(world: World, controller: Controller) -> None:
    ours = add_job(world, "x", 77, state="RUNNING")
    world.cluster.set(go_on=True)
    controller.start(world.launch("a"))
    controller.until(lambda: conditions(controller))
    assert f"that its log does not know: {ours};" in conditions(controller)["UnknownAttempts"]
    assert world.cluster.state["jobs"][ours]["state"] == "RUNNING"


def test_duplicates_of_an_attempt(world: World, controller: Controller) -> None:
    """Three submissions by controllers that died; a fourth comes when one of them was taken."""
    launch = world.launch("a")
    world.kill_at = "scheduled"
    with pytest.raises(Exception, match="scheduled"):
        controller.start(launch)
    whose = Labels(FOLDER_ID, launch.id, launch.mark)
    numbers = [add_job(world, "a", launch.mark, comment=comment(whose)) for _ in range(3)]
    world.folder("a").mkdir(0o700, parents=True)
    world.cluster.set(go_on=True)
    controller = Controller(world)
    controller.until(lambda: world.log[launch.id].started is not None)
    numbers.append(add_job(world, "a", launch.mark, comment=comment(whose)))
    world.cluster.set(go_on=False)
    controller.until_ended()
    controller.until(lambda: not [job for job in world.cluster.jobs() if job["state"] == "PENDING"])
    jobs = world.cluster.state["jobs"]
    assert [jobs[number]["state"] for number in numbers] == ["COMPLETED"] + ["CANCELLED"] * 3
    assert not world.cluster.calls("sbatch")
    assert len(world.cluster.state["ran"]) == 1


def test_a_name_that_somebody_else_has(world: World, controller: Controller) -> None:
    launch = world.launch("a")
    world.kill_at = "scheduled"
    with pytest.raises(Exception, match="scheduled"):
        controller.start(launch)
    taken = add_job(world, "a", launch.mark, comment="billing=7")
    controller = Controller(world)
    controller.until_ended()
    ended = world.ended("a")
    assert ended is not None and ended.how == "start-failed"
    assert "but not its labels" in ended.problem
    assert world.cluster.state["jobs"][taken]["state"] == "PENDING"


def test_a_folder_that_cannot_be_removed_is_removed_later(
    world: World, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left() -> list[str]:
        return [path.name for path in (world.shared / FOLDER_ID).iterdir() if path.name != "work"]

    with monkeypatch.context() as patch:
        patch.setattr(shared, "remove_below", lambda *_: None)
        controller.start(world.launch("a"))
        controller.until_ended()
        controller.rest(40)
        assert len(left()) == 1
    controller.rest(40)
    assert not left()


def test_a_folder_that_is_half_removed_is_removed_by_the_next_controller(
    world: World, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(base: str, name: str) -> None:
        (Path(base) / name / "attempt.json").unlink()

    with monkeypatch.context() as patch:
        patch.setattr(shared, "remove_below", killed)
        controller.start(world.launch("a"))
        controller.until_ended()
        controller.rest(1)
    left = world.shared / FOLDER_ID
    assert [path.name for path in left.iterdir() if path.name != "work"]
    again = Controller(world)
    again.until(lambda: [path.name for path in left.iterdir()] == ["work"])


def test_work_folders_go_with_those_of_the_state(world: World, controller: Controller) -> None:
    controller.start(world.launch("a"))
    controller.until_ended()
    work = world.shared / FOLDER_ID / "work/uid"
    Controller(world).rest(10)
    assert work.is_dir()
    (world.state_dir / "work/uid").rmdir()
    again = Controller(world)
    again.until(lambda: not work.exists())


def test_an_abandoned_one_is_left_alone(world: World, controller: Controller) -> None:
    job = running(world, controller)
    attempt = AttemptId("uid", "a", 1)
    controller.engine.abandon([attempt])
    world.log[attempt].ended = world.log[attempt].ended or _given_up(attempt)
    controller.start(world.launch("b"))
    controller.until(lambda: world.log[AttemptId("uid", "b", 1)].started is not None)
    controller.rest(60)
    assert world.cluster.state["jobs"][job["id"]]["state"] == "RUNNING"
    assert world.folder("a").exists()


def _given_up(attempt: AttemptId) -> Any:
    from controller.loop.ports import Ended

    return Ended(id=attempt, how="lost", at=0)


def test_a_file_server_that_hangs_holds_up_no_listing(
    world: World, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controller.executor.slurm import engine

    running(world, controller)
    os.mkfifo(world.folder("a") / "hung")
    monkeypatch.setattr(engine, "HANGS_SECONDS", 0.1)
    monkeypatch.setattr(shared, "look", lambda _: (world.folder("a") / "hung").read_text())
    world.cluster.set(go_on=False)
    looks = len(world.cluster.calls("squeue"))

    def later() -> bool:
        controller.turn()
        world.clock.time += SECOND
        return bool(conditions(controller)) and len(world.cluster.calls("squeue")) > looks + 2

    wait_for(later)
    assert "sharedDir has not answered" in conditions(controller)["EngineUnreachable"]
    with (world.folder("a") / "hung").open("w") as pipe:
        pipe.write("")
    assert REAL_SECONDS
