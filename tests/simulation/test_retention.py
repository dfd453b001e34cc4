"""What is over leaves the state, and nothing runs because of it."""

import msgspec
from simulation.world import Fate, World
from story import a_step, document

from controller.model.events import AttemptsArchived, LifeArchived, Record
from controller.model.invariants import check
from controller.model.observations import Request


def records(world: World) -> list[Record]:
    return [*map(msgspec.json.Decoder(Record).decode, world.log)]


def archived(world: World) -> list[str]:
    events = [record.event for record in records(world)]
    return [event.workflow for event in events if isinstance(event, LifeArchived)]


def test_a_life_whose_document_is_gone_goes_when_its_time_is_up() -> None:
    world = World()
    world.files["w.yaml"] = (document([a_step("a")], "w", ttlSecondsAfterFinished=60),)
    world.boot_controller()
    world.run(30)
    del world.files["w.yaml"]
    world.run(29)
    assert archived(world) == [] and len(world.controller.state.lives) == 1
    world.run()
    assert archived(world) == ["w"]
    assert world.controller.state.lives == {}
    assert world.controller.state.timers == []
    world.files["w.yaml"] = (document([a_step("a")], "w"),)
    world.run()
    (life,) = world.controller.state.lives.values()
    assert (life.phase, life.order) == ("Succeeded", 1)
    check(world.controller.state)


def test_of_a_document_that_is_there_only_old_attempts_go_and_nothing_runs() -> None:
    world = World(fate=lambda _, step, number: Fate(exit_code=int(step == "a" and number < 3)))
    steps = [a_step("a", retry={"limit": 2, "backoff": {"initialSeconds": 0}}), a_step("b", "a")]
    world.files["w.yaml"] = (document(steps, "w", ttlSecondsAfterFinished=60),)
    world.boot_controller()
    world.run(30)
    life = world.controller.state.workflows["w"]
    assert [one.number for one in life.steps["a"].attempts] == [1, 2, 3]
    started = sum(world.ledger.values())
    world.run()
    assert [one.number for one in life.steps["a"].attempts] == [3]
    assert [one.number for one in life.steps["b"].attempts] == [1]
    assert (life.phase, sum(world.ledger.values())) == ("Succeeded", started)
    assert sum(isinstance(record.event, AttemptsArchived) for record in records(world)) == 1
    restart = Request(name="1", kind="retry", workflow="w", steps=["a"], by="somebody")
    world.requests["1"] = restart
    world.run()
    assert [one.number for one in life.steps["a"].attempts] == [4]
    check(world.controller.state)


def test_of_those_that_are_over_the_oldest_go() -> None:
    world = World(keep_finished=3)
    world.boot_controller()
    for number in range(20):
        world.files = {f"w{number}.yaml": (document([a_step("a")], f"w{number}"),)}
        world.run(20)
        assert len(world.controller.state.lives) <= 3 + 2
    assert archived(world)[:10] == [f"w{number}" for number in range(10)]
    assert "w19" in world.controller.state.workflows


def test_what_has_just_ended_stays_for_those_who_wait_for_it() -> None:
    world = World(keep_finished=0)
    world.files["w.yaml"] = (document([a_step("a")], "w", ttlSecondsAfterFinished=0),)
    world.boot_controller()
    world.run(5)
    del world.files["w.yaml"]
    world.run(3)
    assert archived(world) == []
    world.run()
    assert archived(world) == ["w"]


def test_a_step_keeps_only_so_many_attempts_in_the_state() -> None:
    world = World(fate=lambda _workflow, _step, _number: Fate(seconds=0, exit_code=1))
    steps = [a_step("a", retry={"limit": 150, "backoff": {"initialSeconds": 0}})]
    world.files["w.yaml"] = (document(steps, "w"),)
    world.boot_controller()
    world.run()
    (step,) = world.controller.state.workflows["w"].steps.values()
    assert (len(step.attempts), step.numbered) == (100, 151)
    check(world.controller.state)
