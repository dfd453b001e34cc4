"""A controller that is told to stop and to end its steps, and killed while it does."""

import pytest
from simulation.world import Fate, World
from story import a_step, document

from controller.model.invariants import check

STEPS = [a_step("a"), a_step("b"), a_step("c"), a_step("d", "a"), a_step("e", "b", "d")]


def play(crash_before: int | None = None) -> World:
    """Steps run and wait; the controller stops, and another one comes."""

    def fate(workflow: str, step: str, number: int) -> Fate:
        first = number == 1 and step != "b"
        return Fate(seconds=1_000 if first else 2, deaf_seconds=1.5 if step == "c" else 0)

    world = World(fate, max_parallel=2, ahead=2, crash_before=crash_before)
    world.files["w.yaml"] = (document(STEPS),)
    world.boot_controller()
    world.run(1)
    while True:
        world.controller.stopping = True
        world.run(3)
        if not world.controller.state.live:
            break
    assert not world.busy
    world.boot_controller()
    world.run()
    return world


def test_the_next_controller_tries_again_what_was_ended() -> None:
    world = play()
    steps = world.controller.state.workflows["w"].steps
    assert [str(one.phase) for one in steps["a"].attempts] == ["Interrupted", "Succeeded"]
    assert steps["a"].attempts[0].reason == "ControllerStopped"
    assert {*world.phases()["w"].values()} == {"Succeeded"}


@pytest.mark.parametrize("effect", range(1, play().effects + 1))
def test_killed_before_any_effect_it_comes_to_the_same(effect: int) -> None:
    world = play(crash_before=effect)
    assert not world.started_twice()
    assert {*world.phases()["w"].values()} == {"Succeeded"}
    check(world.controller.state)
