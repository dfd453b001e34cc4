"""One workflow's future on a copy: nothing of the state that was given changes."""

from msgspec import to_builtins
from story import Story, a_step, document

from controller.model.events import FolderAdopted
from controller.model.image import copy_of, freeze
from controller.model.invariants import check
from controller.model.state import SECOND
from controller.planner.editing.accept import accept
from controller.planner.permission import Limits
from controller.rehearsal.play import Play
from controller.spec.reading.load import Document

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


HOURLY = {"triggers": [{"name": "t", "everySeconds": 3600}], "concurrency": "Queue"}


def a_definition() -> Story:
    """One instance has ended, one runs, one waits for its turn."""
    story = Story().accept(CHAIN, **HOURLY).accept(CHAIN, "other", **HOURLY)
    story.ask("start", key="x", workflow="other")
    for key in ("old", "k1", "k2"):
        story.ask("start", key=key)
        if key == "old":
            story.exit("a", workflow="w@old").exit("b", workflow="w@old")
    return story.start("a", workflow="w@k1")


def test_a_copy_of_a_definition_has_its_unfinished_instances_and_no_due_times() -> None:
    story = a_definition()
    story.mark("w@k2.cancel", "w@k2", steps=["b"])
    copy = copy_of(story.state, "w")
    check(copy)
    assert list(copy.workflows) == ["w", "w@k1", "w@k2"]
    for name in ("w@k1", "w@k2"):
        assert to_builtins(copy.workflows[name]) == to_builtins(story.life(name))
        assert copy.workflows[name].spec is copy.workflows["w"].spec
    assert copy.markers.keys() == {"w@k2.cancel"}
    assert [life for life, _ in copy.live] == [story.life("w@k1").uid]
    assert not [timer for timer in copy.timers if timer.kind == "due"]
    copied, whole = copy.workflows["w"].starter, story.life().starter
    assert copied is not None and whole is not None
    assert (copied.unfinished, copied.groups) == (whole.unfinished, whole.groups)
    assert not copied.ended and whole.ended


def test_a_copy_of_an_instance_has_the_spec_of_its_definition_and_its_markers() -> None:
    story = a_definition()
    story.mark("w.cancel", "w", drain=True)
    copy = copy_of(story.state, "w@k1")
    check(copy)
    assert list(copy.workflows) == ["w@k1"]
    assert [life.name for life in copy.lives.values()] == ["w@k1", "w"]
    assert copy.markers.keys() == {"w.cancel"}


def test_nothing_fires_in_a_play_not_even_what_was_due_while_no_controller_was_there() -> None:
    story = a_definition()
    story.see(FolderAdopted(folder="/specs", device=1, inode=1))
    story.now += 10_000 * SECOND
    story.see(FolderAdopted(folder="/specs", device=1, inode=1))
    before = freeze(story.state)
    play = Play(story.state, "w")
    edited = document([a_step("a", run="new"), CHAIN[1]], **HOURLY)
    play.want(accept(story.life(), Document(workflow=edited, line=1), "w.yaml", "ada"))
    play.let_end()
    assert list(play.state.workflows) == ["w", "w@k1", "w@k2"]
    assert [play.state.workflows[name].generation for name in play.state.workflows] == [2, 2, 2]
    assert not play.state.live, "what ran was stopped, and nothing started"
    assert freeze(story.state) == before


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
