"""Steps by the machine and by a cluster in one loop: crashes at each effect, edits, no contact."""

import pytest
from simulation.trial import afar, check_holders, judge
from simulation.world import Fate, World
from specs_folder import documents, pool
from story import a_step, document

from controller.model.events import AttemptQueued, AttemptScheduled
from controller.model.observations import AttemptId, Request, SeenMarker

JOB = {"slurm": {"sharedDir": "/s"}}


def fate(workflow: str, step: str, number: int) -> Fate:
    failed = step == "fails" and number == 1
    lost = "its node is gone" if step == "lost" and number == 1 else ""
    return Fate(seconds=2, exit_code=int(failed), deaf_seconds=0.5, problem=lost)


def write(world: World, run: str = "x") -> None:
    retry = {"limit": 2, "backoff": {"initialSeconds": 1, "jitter": 0}}
    one = [
        a_step("a", run=run),
        a_step("fails", retry=retry),
        a_step("lost"),
        a_step("here", executor="local"),
        a_step("each", forEach=["x", "y", "z"], uses=["gpu"]),
        a_step("slow", run=run, timeoutSeconds=1),
        a_step("last", "a", "fails", "lost", {"step": "slow", "condition": "Failed"}),
    ]
    hooks = {"onExit": [{"name": "tidy", "run": "x", "executor": JOB}]}
    world.files["one.yaml"] = (document(one, "one", executor=JOB, hooks=hooks, priority=1),)
    two = [a_step(f"s{index}", run=run, executor=JOB) for index in range(3)]
    world.files["two.yaml"] = (document(two, "two"),)


def told(crash_before: int | None = None) -> World:
    """An edit, a machine that sleeps and one that restarts, a suspension, a deletion."""
    world = World(fate=fate, max_parallel=2, crash_before=crash_before)
    world.files["pools.yaml"] = documents(pool("gpu", 2))
    write(world)
    world.boot_controller()
    world.run(1)
    world.requests["1"] = Request(name="1", kind="suspend", workflow="two", by="ada")
    world.run(2)
    write(world, run="y")
    world.run(1)
    world.requests["2"] = Request(name="2", kind="resume", workflow="two", by="ada")
    world.sleep(1)
    world.run(1.2)
    world.reboot()
    world.run(3)
    world.files.pop("two.yaml", None)
    world.run(200)
    return world


def test_a_crash_before_any_effect_around_jobs_changes_nothing() -> None:
    quiet = told()
    judge(quiet, "told")
    check_holders(quiet)
    assert quiet.phases()["one"][""] == "Failed", "of the timeout"
    assert quiet.begun["one", "fails"] == 2 and quiet.begun["one", "lost"] == 2
    for effect in range(1, quiet.effects + 1):
        stormy = told(effect)
        judge(stormy, f"told({effect})")
        check_holders(stormy)
        assert stormy.phases() == quiet.phases(), effect
        assert stormy.begun == quiet.begun, effect


@pytest.mark.parametrize("seed", range(40))
def test_any_mix_of_engines(seed: int) -> None:
    afar(seed)


def job(world: World, step: str = "a") -> AttemptId:
    (found,) = [one.id for one in world.cluster.jobs.values() if one.id.step == step]
    return found


def in_contact(*steps: dict[str, object], **settings: int) -> World:
    world = World(fate=lambda *of: Fate(seconds=10), **settings)
    world.files["w.yaml"] = (document([*steps] or [a_step("a", executor=JOB)], "w"),)
    world.boot_controller()
    world.run(1)
    return world


def kinds(world: World) -> list[str]:
    return [type(record.event).__name__ for record in world.records()]


def test_the_way_of_a_job() -> None:
    world = in_contact()
    reasons = [one.event.reason for one in world.records() if isinstance(one.event, AttemptQueued)]
    assert reasons == ["Held", "Priority"]
    assert kinds(world)[3:] == [
        "StateFolderNamed",
        "AttemptScheduled",
        "AttemptSubmitted",
        "AttemptQueued",
        "AttemptQueued",
        "RunStarted",
        "AttemptStarted",
    ]


def test_without_contact_jobs_go_on_and_nothing_new_is_given_away() -> None:
    world = in_contact(a_step("a", executor=JOB), a_step("b", "a", executor=JOB), a_step("c", "a"))
    world.cluster.away = True
    world.run(100)
    assert [one.type for one in world.controller.conditions] == ["EngineUnreachable"]
    assert world.phases()["w"] == {"": "Running", "a": "Running", "b": "Pending", "c": "Pending"}
    assert not world.controller.settled()
    world.cluster.away = False
    world.run(1)
    assert world.phases()["w"]["a"] == "Succeeded"
    world.cluster.away = True
    world.run(20)
    assert world.phases()["w"] == {
        "": "Running",
        "a": "Succeeded",
        "b": "Running",
        "c": "Succeeded",
    }
    world.cluster.away = False
    world.run()
    judge(world, "back in contact")


def test_what_is_ready_without_contact_waits_and_is_no_reason_to_settle() -> None:
    world = in_contact()
    world.cluster.away = True
    world.files["v.yaml"] = (document([a_step("a", executor=JOB)], "v"),)
    world.files.pop("w.yaml")
    world.requests["1"] = Request(name="1", kind="abandon", workflow="w", by="ada", reason="gone")
    world.run(10)
    assert world.phases()["v"] == {"": "Pending", "a": "Ready"}
    assert not world.controller.state.live and not world.controller.settled()
    world.cluster.away = False
    world.run()
    judge(world, "v has run, and what was given up is removed")
    assert world.phases()["v"]["a"] == "Succeeded"


def test_what_was_given_up_is_not_tried_again_and_is_removed_when_contact_is_back() -> None:
    world = in_contact(a_step("a", executor=JOB, retry={"limit": 3}))
    asked = Request(name="1", kind="abandon", workflow="w", by="ada", steps=["a"], reason="gone")
    world.requests["1"] = asked
    world.run(1)
    assert "can be stopped: slurm can be reached" in world.controller.state.requests["1"]
    world.cluster.away = True
    world.come_to_rest()
    world.requests["2"] = Request(name="2", kind="abandon", workflow="w", by="ada", reason="gone")
    world.run(60)
    assert world.phases()["w"] == {"": "Failed", "a": "Failed"}
    assert len(world.cluster.jobs) == 1, "nobody can remove it yet"
    world.boot_controller()
    world.cluster.away = False
    world.run(60)
    judge(world, "abandoned")
    assert world.begun["w", "a"] == 1


def test_a_job_of_a_lost_log_is_removed_if_it_is_held_and_left_alone_if_it_may_have_run() -> None:
    world = in_contact()
    for handle, released in (("x1", None), ("x2", 0)):
        lost = AttemptId("uid-of-a-lost-log", handle, 1)
        mine = world.cluster.jobs["1"]
        world.cluster.jobs[handle] = type(mine)(
            handle=handle, id=lost, mark=1, folder_id=mine.folder_id, workflow="w", fate=Fate(),
            released=released,
        )  # fmt: skip
    other = world.cluster.jobs["x2"]
    world.cluster.jobs["x3"] = type(other)(
        handle="x3", id=AttemptId("theirs", "a", 1), mark=1, folder_id="theirs", workflow="w",
        fate=Fate(),
    )  # fmt: skip
    world.run(1)
    assert sorted(world.cluster.jobs) == ["1", "x2", "x3"]


def test_a_second_job_of_one_name_is_never_let_go() -> None:
    """The answer of the first submission was lost."""
    world = World(fate=lambda *of: Fate(seconds=10))
    world.files["w.yaml"] = (document([a_step("a", executor=JOB)], "w"),)
    world.boot_controller()
    world.turn()
    first = world.cluster.jobs["1"]
    world.cluster.jobs = {"0": first, "1": first}
    first.handle = "0"
    world.boot_controller()
    world.run()
    assert not world.started_twice()


def test_end_steps_leaves_jobs_alone() -> None:
    world = in_contact(a_step("a", executor=JOB), a_step("here"), max_parallel=1)
    world.controller.stopping = True
    world.come_to_rest()
    assert world.phases()["w"] == {"": "Running", "a": "Running", "here": "Pending"}
    world.boot_controller()
    world.run()
    judge(world, "stopped")
    assert world.begun["w", "a"] == 1


def test_a_marker_withdraws_a_job_that_waits_and_ends_one_that_runs() -> None:
    world = in_contact()
    world.files["v.yaml"] = (document([a_step("a", executor=JOB)], "v"),)
    world.come_to_rest()
    for name in ("v", "w"):
        world.markers[name] = SeenMarker(path=f"{name}.cancel", workflow=name, digest="d")
    world.run()
    assert world.phases() == {
        "v": {"": "Cancelled", "a": "Cancelled"},
        "w": {"": "Cancelled", "a": "Cancelled"},
    }
    assert world.begun["v", "a"] == 0
    assert not world.cluster.jobs


def test_no_more_jobs_than_the_limit_says_and_no_slot_of_the_machine_is_taken() -> None:
    jobs = [a_step(f"j{index}", executor=JOB) for index in range(9)]
    here = [a_step(f"h{index}") for index in range(3)]
    world = in_contact(*jobs, *here, max_parallel=2)
    scheduled = [r.event for r in world.records() if isinstance(r.event, AttemptScheduled)]
    assert sum(event.engine == "slurm" for event in scheduled) == 3
    assert sum(event.engine == "local" for event in scheduled) == 2
    world.run()
    judge(world, "limits")
