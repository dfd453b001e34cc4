"""The machine sleeps: timeouts and backoffs stand still meanwhile, deadlines do not."""

import pytest
from simulation.world import Fate, World
from story import a_step, document

from controller.model.events import MachineSlept
from controller.model.state import SECOND

BACKOFF = {"initialSeconds": 10, "jitter": 0}


def slept_through(
    crashed: bool, *steps: dict[str, object], seconds: float, **spec: object
) -> World:
    """A world one second after its steps began, and after a sleep; perhaps nobody saw it begin."""

    def fate(workflow: str, step: str, number: int) -> Fate:
        fails = step == "fails" and number == 1
        return Fate(seconds=0 if fails else seconds, exit_code=int(fails))

    world = World(fate)
    world.files["w.yaml"] = (document([*steps], **spec),)
    world.boot_controller()
    world.run(1)
    world.sleep(3600)
    if crashed:
        world.boot_controller()
    world.come_to_rest()
    return world


@pytest.mark.parametrize("crashed", [False, True])
def test_timeouts_and_backoffs_go_on_where_they_stood(crashed: bool) -> None:
    steps = [
        a_step("long", timeoutSeconds=20),
        a_step("fails", retry={"limit": 1, "backoff": BACKOFF}),
    ]
    world = slept_through(crashed, *steps, seconds=15)
    assert world.phases()["w"] == {"": "Running", "long": "Running", "fails": "Pending"}
    slept = [one.event.seconds for one in world.records() if isinstance(one.event, MachineSlept)]
    assert slept == ([] if crashed else [3600])
    world.run(8)
    assert world.phases()["w"]["fails"] == "Pending"
    world.run(1.5)
    assert world.phases()["w"]["fails"] == "Running"
    world.run()
    assert {*world.phases()["w"].values()} == {"Succeeded"}


@pytest.mark.parametrize("crashed", [False, True])
def test_a_timeout_comes_as_much_later(crashed: bool) -> None:
    world = slept_through(crashed, a_step("long", timeoutSeconds=20), seconds=1_000)
    woke = world.controller.edges.clock.now()
    world.run()
    (attempt,) = world.controller.state.workflows["w"].steps["long"].attempts
    assert (attempt.reason, attempt.finished) == ("Timeout", woke + 19 * SECOND)


@pytest.mark.parametrize("crashed", [False, True])
def test_a_deadline_that_passed_in_the_sleep_ends_the_run(crashed: bool) -> None:
    world = slept_through(crashed, a_step("long"), seconds=1_000, activeDeadlineSeconds=600)
    assert world.controller.state.workflows["w"].reason == "DeadlineExceeded"
