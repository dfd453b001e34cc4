"""While the disk is nearly full nothing new is started; what runs goes on, and is recorded."""

from simulation.world import World
from story import a_step, document

from controller.loop.ports import Trouble

NEARLY_FULL = "less than 1024 MiB are free"


def test_what_runs_ends_and_nothing_starts_until_there_is_room() -> None:
    world = World()
    world.files["w.yaml"] = (document([a_step("a"), a_step("b", "a")]),)
    world.boot_controller()
    world.run(0.5)
    assert world.phases()["w"]["a"] == "Running"
    world.short = NEARLY_FULL
    world.run(10)
    assert world.phases()["w"] == {"": "Running", "a": "Succeeded", "b": "Ready"}
    (condition,) = world.controller.conditions
    assert (condition.type, condition.status) == ("DiskPressure", "True")
    assert "nothing new is started until there is more" in condition.message
    assert world.controller.settled()
    since = condition.last_transition_time
    world.run(5)
    assert world.controller.conditions[0].last_transition_time == since
    world.short = ""
    world.run(5)
    assert world.phases()["w"][""] == "Succeeded"
    assert world.controller.conditions == []


def test_trouble_of_the_executor_is_a_condition_while_it_lasts() -> None:
    world = World()
    world.boot_controller()
    world.trouble = Trouble("OutOfResources", "nothing can be started: no processes; tried again")
    world.run(5)
    (condition,) = world.controller.conditions
    assert (condition.type, condition.reason) == ("ExecutorTrouble", "OutOfResources")
    assert condition.message == world.trouble.message
    world.trouble = None
    world.run(5)
    assert world.controller.conditions == []
