"""Killed before any of its effects, the controller goes on as if nothing had been.

Each seed is a story of workflows, edits, markers, sleeps and reboots, told once in calm and then
once for each effect with a crash before it. To look at one: `Scenario(seed).play(crash_before=n)`.
"""

import pytest
from simulation.scenario import Scenario
from simulation.world import World
from story import dump

from controller.model.apply import replay
from controller.model.invariants import check

STORMS = 30
CALMS = 150


@pytest.mark.parametrize("seed", range(STORMS))
def test_a_crash_before_any_effect_changes_nothing(seed: int) -> None:
    scenario = Scenario(seed)
    calm = scenario.play()
    for effect in range(1, calm.effects + 1):
        stormy = scenario.play(crash_before=effect)
        replay_it = f"Scenario({seed}).play(crash_before={effect})"
        assert not stormy.started_twice(), replay_it
        assert stormy.phases() == calm.phases(), replay_it
        check(stormy.controller.state)


@pytest.mark.parametrize("seed", range(1_000, 1_000 + CALMS))
def test_in_the_end_all_has_settled(seed: int) -> None:
    world = Scenario(seed).play()
    check(world.controller.state)
    assert not world.started_twice()
    assert world.controller.settled()
    assert not world.busy
    for name, phases in world.phases().items():
        assert phases[""] in ("Succeeded", "Failed", "Cancelled", "Suspended"), name
    assert dump(replay(world.records())) == dump(world.controller.state)


def test_the_same_seed_tells_the_same_story() -> None:
    one, other = (Scenario(7).play() for _ in range(2))
    assert one.log == other.log


def test_a_full_disk_stops_the_controller_before_it_does_anything() -> None:
    """What could not be made durable must not have had an effect."""
    world = World()
    world.files.update({path: (workflow,) for path, workflow in Scenario(3).begin})
    world.boot_controller()
    before = (len(world.log), world.effects)

    def full(records: object) -> None:
        raise OSError("no space left on device")

    world.controller.edges.log.append = full  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no space"):
        world.controller.turn()
    assert (len(world.log), world.effects) == before
    assert not world.ledger
