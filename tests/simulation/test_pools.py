"""Pools and locks in the whole loop: edits of both while steps run, and crashes at each effect."""

import pytest
from simulation.trial import check_holders, judge, shared
from simulation.world import Fate, World
from specs_folder import documents, pool
from story import a_step, document, template

TEMPLATE = template(
    a_step("get", uses=["api"]),
    a_step("put", "get", uses=[{"lock": "of-${{ params.of }}"}]),
    params={"of": "x"},
)


def fate(workflow: str, step: str, number: int) -> Fate:
    failed = step == "fails" and number == 1
    return Fate(seconds=2, exit_code=int(failed), deaf_seconds=0.5)


def write(world: World, wants: int = 2, lock: str = "db") -> None:
    call = {"name": "t", "params": {"of": "${{ item }}"}}
    retry = {"limit": 2, "backoff": {"initialSeconds": 1, "jitter": 0}}
    one = [
        a_step("a", uses=["gpu"]),
        a_step("fails", uses=["gpu", {"lock": lock}], retry=retry),
        a_step("each", forEach=["x", "y", "z"], uses=[{"pool": "api", "slots": wants}]),
        a_step("site", template=call, forEach=["eu", "us"], parallelism=1),
        a_step("last", "a", "fails", "each", "site"),
    ]
    two = [a_step(f"s{index}", uses=[{"lock": lock}]) for index in range(3)]
    world.files["one.yaml"] = (document(one, "one", templates={"t": TEMPLATE}),)
    world.files["two.yaml"] = (document(two, "two", priority=1),)


def told(crash_before: int | None = None) -> World:
    """Pools come, grow, shrink and go while steps use them; what they use is edited."""
    world = World(fate=fate, max_parallel=4, ahead=2, crash_before=crash_before)
    write(world)
    world.boot_controller()
    world.run(3)  # `gpu` and `api` are missing
    world.files["pools.yaml"] = documents(pool("gpu", 1), pool("api", 3))
    world.run(3)
    write(world, wants=1, lock="other")
    world.run(2)
    world.files["pools.yaml"] = documents(pool("gpu", 2), pool("api", 1))
    world.run(3)
    world.files["pools.yaml"] = pool("gpu", 2)
    world.run(5)  # `api` is gone
    world.files["api.yaml"] = pool("api", 9)
    world.run(200)
    return world


def test_a_crash_before_any_effect_around_pools_changes_nothing() -> None:
    quiet = told()
    judge(quiet, "told")
    check_holders(quiet)
    ended = {phase for phases in quiet.phases().values() for phase in phases.values()}
    assert ended == {"Succeeded"}
    assert quiet.begun["one", "fails"] == 2
    for effect in range(1, quiet.effects + 1):
        stormy = told(effect)
        judge(stormy, f"told({effect})")
        check_holders(stormy)
        assert stormy.phases() == quiet.phases(), effect
        assert stormy.begun == quiet.begun, effect


@pytest.mark.parametrize("seed", range(20))
def test_any_edits_of_pools_and_of_what_is_used(seed: int) -> None:
    world = shared(seed)
    assert all(phases[""] == "Succeeded" for phases in world.phases().values())
