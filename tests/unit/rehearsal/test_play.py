"""One workflow's future on a copy: nothing of the state that was given changes."""

from msgspec import to_builtins
from story import Story, a_step, document

from controller.model.image import copy_of, freeze
from controller.model.invariants import check
from controller.planner.accept import accept
from controller.planner.permission import Limits
from controller.rehearsal.play import Play
from controller.spec.load import Document

CHAIN = [a_step("a"), a_step("b", "a")]


def an_edit(story: Story, **spec: object) -> list[object]:
    edited = Document(workflow=document([a_step("a", run="new"), CHAIN[1]], **spec), line=1)
    return list(accept(story.life(), edited, "w.yaml", "ada"))


def test_a_copy_has_one_workflow_whole_and_nothing_else() -> None:
    story = Story(Limits(max_parallel=3)).accept(CHAIN).accept(CHAIN, "v").start("a")
    story.mark("v.cancel", "v", drain=True)
    for name in ("v", "w"):
        copy = copy_of(story.state, name)
        check(copy)
        assert list(copy.workflows) == [name]
        assert to_builtins(copy.workflows[name]) == to_builtins(story.life(name))
        assert copy.markers.keys() == ({"v.cancel"} if name == "v" else set())


def test_what_is_played_leaves_the_state_alone() -> None:
    story = Story().accept(CHAIN).start("a")
    before = freeze(story.state)
    play = Play(story.state, "w")
    play.want(an_edit(story))  # type: ignore[arg-type]
    play.let_end()
    assert play.life.generation == 2 and play.life.steps["a"].phase == "Ready"
    assert freeze(story.state) == before


def test_a_run_is_played_to_its_end_and_the_edit_that_waited_comes_into_force() -> None:
    story = Story().accept(CHAIN).start("a")
    play = Play(story.state, "w")
    play.want(an_edit(story, editPolicy="AfterRun"))  # type: ignore[arg-type]
    assert play.life.pending is not None
    play.run_out()
    assert play.life.pending is None and play.life.generation == 2
    assert play.life.effects["a"].action == "run", "it has ended by itself meanwhile"


def test_a_run_that_stands_still_has_no_end() -> None:
    story = Story().accept(CHAIN, suspend=True)
    story.accept(CHAIN).start("a").accept(CHAIN, suspend=True)
    play = Play(story.state, "w")
    play.want(an_edit(story, editPolicy="AfterRun", suspend=True))  # type: ignore[arg-type]
    play.run_out()
    assert play.life.pending is not None and play.life.steps["a"].phase == "Succeeded"
