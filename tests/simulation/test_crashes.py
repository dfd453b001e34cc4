"""Killed before any of its effects, the controller goes on as if nothing had been.

Each seed is a story of workflows, edits, markers, sleeps and reboots, told once in calm and then
once for each effect with a crash before it. To look at one: `Scenario(seed).play(crash_before=n)`.
"""

import pytest
from simulation.mutants import MUTANTS, caught
from simulation.scenario import Scenario
from simulation.trial import calm, crowd, storm
from simulation.world import World

STORMS = 15  # `make torture` tells more, for a minute
CALMS = 150
CROWDS = 40


@pytest.mark.parametrize("seed", range(STORMS))
def test_a_crash_before_any_effect_changes_nothing(seed: int) -> None:
    storm(seed)


@pytest.mark.parametrize("seed", range(1_000, 1_000 + CALMS))
def test_in_the_end_all_has_settled(seed: int) -> None:
    calm(seed)


@pytest.mark.parametrize("seed", range(CROWDS))
def test_what_is_queued_starts_as_what_is_ready_would(seed: int) -> None:
    crowd(seed)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_controller_that_is_broken_is_noticed(name: str) -> None:
    seed, how = caught(name)
    assert seed >= 0, f"a controller that {name} passes for a good one"
    assert how


def test_the_same_seed_tells_the_same_story() -> None:
    one, other = (Scenario(7).play() for _ in range(2))
    assert one.log == other.log


def test_a_full_disk_stops_the_controller_before_it_does_anything() -> None:
    """What could not be made durable must not have had an effect."""
    world = World()
    world.files |= Scenario(3).begin
    world.boot_controller()
    before = (len(world.log), world.effects)

    def full(records: object) -> None:
        raise OSError("no space left on device")

    world.controller.edges.log.append = full  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no space"):
        world.controller.turn()
    assert (len(world.log), world.effects) == before
    assert not world.ledger
