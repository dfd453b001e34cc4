"""A `run` that has finished is deleted by a request; a crash in between changes nothing."""

import msgspec
from simulation.world import World
from story import a_step, document

from controller.model.events import DeletionAccepted, LifeEnded, Record
from controller.model.invariants import check
from controller.model.observations import Request
from controller.spec.reading.load import Document


def asked(name: str, kind: str, **fields: object) -> Request:
    return Request(**{"name": name, "kind": kind, "workflow": "w", "by": "ada", **fields})  # type: ignore[arg-type]


def played(crash_before: int | None = None) -> World:
    """Two runs of one name, each deleted: the first while it runs, which is refused."""
    world = World()
    world.boot_controller()
    world.crash_before = None if crash_before is None else world.effects + crash_before
    of_w = Document(workflow=document([a_step("a")], "w"), line=1)
    for name in ("1", "2"):
        world.requests[name] = asked(name, "run", document=of_w, path="/w.yaml")
        world.come_to_rest()
        world.requests[f"{name}1"] = asked(f"{name}1", "delete")
        world.run()
        world.requests[f"{name}2"] = asked(f"{name}2", "delete")
        world.run()
    return world


def kinds(world: World) -> list[str]:
    events = [msgspec.json.decode(line, type=Record).event for line in world.log]
    return [type(one).__name__ for one in events if isinstance(one, DeletionAccepted | LifeEnded)]


def test_each_run_is_deleted_once_it_has_finished_whenever_the_controller_crashes() -> None:
    calm = played()
    assert kinds(calm) == ["DeletionAccepted", "LifeEnded"] * 2
    state = calm.controller.state
    assert state.workflows == {} and len(state.over) == 2, "they may go to the archive"
    assert state.requests["11"].startswith("it has not finished; cancel it first")
    for crash in range(1, calm.effects + 1):
        stormy = played(crash)
        check(stormy.controller.state)
        assert kinds(stormy) == kinds(calm), f"played({crash})"
        assert stormy.controller.state.requests == state.requests, f"played({crash})"
        assert not stormy.requests
