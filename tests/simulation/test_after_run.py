"""`editPolicy: AfterRun`: an edit waits until the run has ended, but for what never waits."""

from typing import Any

import msgspec
import pytest
from msgspec import structs
from simulation.world import Fate, World
from story import Story, a_step, document

from controller.errors import Fault
from controller.model import events as e
from controller.model.events import GenerationAccepted
from controller.model.invariants import check
from controller.planner.editing.accept import accept
from controller.rehearsal.foresee import of_document
from controller.spec.models import Spec
from controller.spec.reading.load import Document as Loaded
from controller.view.status import workflow_shape


def chain(b: str = "old") -> list[dict[str, Any]]:
    return [a_step("a"), a_step("b", "a", run=b)]


@pytest.fixture
def world() -> World:
    """`a` runs for ten seconds, then `b`; half of the time of `a` has passed."""
    world = World(fate=lambda *_: Fate(seconds=10))
    world.files["w.yaml"] = (document(chain(), "w", editPolicy="AfterRun"),)
    world.boot_controller()
    world.run(5)
    return world


def edit(world: World, b: str, policy: str = "AfterRun", **spec: Any) -> None:
    world.files["w.yaml"] = (document(chain(b), "w", editPolicy=policy, **spec),)
    world.run(0.1)


def generations(world: World) -> list[str]:
    accepted = [one.event for one in world.records() if isinstance(one.event, GenerationAccepted)]
    return [str(event.spec.steps[1].run) for event in accepted]


def pending(world: World) -> str | None:
    condition = world.controller.state.workflows["w"].conditions.get("EditPending")
    return None if condition is None else condition.status


def test_it_waits_and_is_then_put_in_force(world: World) -> None:
    edit(world, "new")
    state = world.controller.state
    life = state.workflows["w"]
    assert (pending(world), life.generation) == ("True", 1)
    shape = workflow_shape(state, life)
    assert (shape.metadata.generation, shape.status.observed_generation) == (2, 1)
    world.run()
    life = world.controller.state.workflows["w"]
    assert (life.phase, life.generation, pending(world)) == ("Succeeded", 2, "False")
    assert generations(world) == ["old", "new"]
    assert {name: step.numbered for name, step in life.steps.items()} == {"a": 1, "b": 2}
    check(world.controller.state)


def test_only_the_newest_counts(world: World) -> None:
    for each in ("one", "two", "three"):
        edit(world, each)
    world.run()
    assert generations(world) == ["old", "three"]


def test_one_that_is_taken_back_never_comes(world: World) -> None:
    edit(world, "new")
    edit(world, "old")
    assert pending(world) == "False"
    world.run()
    assert generations(world) == ["old"]


def test_suspend_does_not_wait(world: World) -> None:
    edit(world, "new", suspend=True)
    life = world.controller.state.workflows["w"]
    assert life.suspended is not None
    assert pending(world) == "True"
    assert generations(world) == ["old", "old"]
    edit(world, "new")
    world.run()
    assert world.controller.state.workflows["w"].phase == "Succeeded"
    assert generations(world)[-1] == "new"


def test_an_edit_that_says_so_goes_at_once(world: World) -> None:
    edit(world, "new")
    edit(world, "newer", policy="Reconcile")
    assert (pending(world), generations(world)) == ("False", ["old", "newer"])


def test_a_deletion_does_not_wait(world: World) -> None:
    edit(world, "new")
    del world.files["w.yaml"]
    world.run()
    assert "w" not in world.controller.state.workflows
    assert generations(world) == ["old"]


def test_no_number_is_given_twice(world: World) -> None:
    """Whoever waits for the generation that they saw must not be shown another edit under it."""
    edit(world, "new")
    edit(world, "newer")
    assert world.controller.state.workflows["w"].latest == 3
    edit(world, "old")
    life = world.controller.state.workflows["w"]
    assert (life.generation, life.latest) == (4, 4), "taken back: as it was, under a new number"
    edit(world, "last")
    world.boot_controller()
    world.run()
    life = world.controller.state.workflows["w"]
    assert (life.phase, life.generation, life.steps["b"].numbered) == ("Succeeded", 5, 2)
    numbers = [
        one.event.generation
        for one in world.records()
        if isinstance(one.event, GenerationAccepted | e.EditDeferred | e.EditTakenBack)
    ]
    assert numbers == [1, 2, 3, 4, 5, 5], "the last waits, then comes into force"


def as_read(spec: Spec) -> Loaded:
    return Loaded(workflow=structs.replace(document(chain()), spec=spec), line=1)


def test_that_it_is_taken_back_is_foretold(world: World) -> None:
    edit(world, "new")
    state = world.controller.state
    life = state.workflows["w"]
    back = of_document(state, as_read(life.spec))
    assert (back.before, back.after, back.note) == (1, 3, "takes back the edit that is waiting")
    assert life.pending is not None
    assert of_document(state, as_read(life.pending.document.spec)).after == 2


def test_it_outlives_its_controller_and_a_broken_file(world: World) -> None:
    edit(world, "new")
    world.boot_controller()
    world.run(1)
    assert pending(world) == "True"
    world.run()
    assert generations(world) == ["old", "new"]


def test_without_a_run_nothing_waits(world: World) -> None:
    world.run()
    edit(world, "new")
    assert generations(world) == ["old", "new"]


def test_what_it_will_do_is_judged_as_of_the_end_of_the_run(world: World) -> None:
    state = world.controller.state
    steps = [a_step("a", run="other"), *chain()[1:]]
    wanted = Loaded(workflow=document(steps, "w", editPolicy="AfterRun"), line=1)
    foreseen = of_document(state, wanted)
    assert foreseen.note == "waits until run 1 has finished"
    assert {name: one.action for name, one in foreseen.steps.items()} == {"a": "run", "b": "run"}
    world.files["w.yaml"] = (document(steps, "w", editPolicy="AfterRun"),)
    world.run()
    life = world.controller.state.workflows["w"]
    assert {name: step.numbered for name, step in life.steps.items()} == {"a": 2, "b": 2}


def test_labels_and_a_new_name_of_the_file_are_not_lost(world: World) -> None:
    edit(world, "new")
    (one,) = world.files.pop("w.yaml")
    labelled = msgspec.structs.replace(one.metadata, labels={"team": "data"})
    world.files["renamed.yaml"] = (msgspec.structs.replace(one, metadata=labelled),)
    world.run()
    life = world.controller.state.workflows["w"]
    assert (life.path, life.labels, life.generation) == ("renamed.yaml", {"team": "data"}, 2)


def test_a_file_that_is_broken_meanwhile_stays_invalid() -> None:
    story = Story().accept(chain(), "w").start("a")
    later = document(chain("new"), "w", editPolicy="AfterRun")
    story.see(e.EditDeferred(uid=story.life().uid, generation=2, document=later, path="w.yaml"))
    fault = Fault(file="w.yaml", problem="no YAML")
    story.see(e.FileRejected(path="w.yaml", digest="d", faults=[fault], names=["w"]))
    story.exit("a").exit("b")
    assert story.life().generation == 2
    assert story.life().conditions["SpecInvalid"].status == "True"


def test_one_that_can_never_come_no_longer_waits() -> None:
    story = Story().accept(chain(), "w").start("a")
    later = document(chain("new"), "w", editPolicy="AfterRun")
    uid = story.life().uid
    story.see(e.EditDeferred(uid=uid, generation=2, document=later, path="w.yaml"))
    story.delete().end("a")
    life = story.state.lives[uid]
    assert life.conditions["EditPending"].status == "False"
    assert (life.generation, life.latest) == (1, 1)


def test_while_a_run_is_being_ended_all_of_an_edit_waits_for_its_end() -> None:
    """A generation would call the end off, so `suspend` waits too."""
    story = Story().accept(chain(), "w", activeDeadlineSeconds=60).start("a").wait(60)
    later = Loaded(workflow=document(chain("new"), "w", suspend=True), line=1)
    foreseen = of_document(story.state, later)
    assert foreseen.note.startswith("waits until run 1 has finished; suspended")
    for action in list(accept(story.life(), later, "w.yaml", "")):
        story.promise(action)
    story.settle()
    assert story.life().cancel is not None
    story.end("a")
    assert story.life().generation == foreseen.after == 2
    assert story.state.runs["w"][-1].reason == "DeadlineExceeded"
    assert story.why() == ("Suspended", "Suspended")
