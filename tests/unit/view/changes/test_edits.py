"""What the generation in force did to the steps."""

from story import Story, a_step, document

from controller.planner.editing.accept import accept
from controller.spec.reading.load import Document
from controller.view.changes.edits import (
    effect_of,
    generation_line,
    in_force_words,
    is_first,
    is_news,
    of_step,
    pending_words,
)
from controller.view.look import Look

CHAIN = [a_step("a"), a_step("b", "a"), a_step("c", "b"), a_step("d", "c")]


def test_what_a_generation_did() -> None:
    story = Story().accept(CHAIN).exit("a").exit("b").exit("c").exit("d")
    assert effect_of(story.life(), story.step("a")).message == "the first version of the workflow"
    edited = [CHAIN[0], CHAIN[1], {**CHAIN[2], "run": "echo other"}, a_step("e")]
    story.accept(edited)
    did = "2 unchanged; added: e; removed: d; to run again: c (run changed)"
    assert in_force_words(story.life()) == did
    line = generation_line(story.life(), Look(now=story.now))
    assert line == f"generation 2 from w.yaml, 2023-11-14T22:13:20+00:00: {did}"
    assert effect_of(story.life(), story.step("a")).reason == "Unchanged"


def test_what_an_edit_did_to_a_step_is_past_once_it_has_run_since() -> None:
    story = Story().accept(CHAIN).exit("a").start("b")
    story.accept([*CHAIN[:2], {**CHAIN[2], "run": "echo other"}, CHAIN[3], a_step("e")])
    waited = "generation 2: was waiting when the edit came (run changed)"
    assert of_step(story.life(), story.step("c")) == waited
    story.exit("b").exit("c")
    assert of_step(story.life(), story.step("c")) == waited
    unchanged = "generation 2 did not change what it does"
    assert of_step(story.life(), story.step("a")) == unchanged
    assert of_step(story.life(), story.step("e")) == "generation 2: added (new in this generation)"
    story.accept([{**CHAIN[0], "run": "echo new"}, *CHAIN[1:], a_step("e")])
    assert of_step(story.life(), story.step("a")) == "generation 3: to run again (run changed)"
    story.exit("a")
    assert of_step(story.life(), story.step("a")) == "generation 3: ran again (run changed)"


def test_those_that_only_follow_are_named_last_and_few_at_all() -> None:
    story = Story().accept(CHAIN).exit("a").exit("b").exit("c").exit("d")
    story.accept([*CHAIN[:2], a_step("c", "b", run="echo other"), CHAIN[3]])
    assert in_force_words(story.life()).endswith(
        'to run again: c (run changed), d (depends on "c", which changed)'
    )


def test_what_ran_when_the_edit_came_was_let_go_on() -> None:
    story = Story().accept(CHAIN).exit("a").start("b")
    story.accept([*CHAIN, a_step("e")])
    assert effect_of(story.life(), story.step("a")).action == "keep"
    assert effect_of(story.life(), story.step("b")).action == "continue"
    story.wait(1).exit("b").start("c")
    assert effect_of(story.life(), story.step("b")).action == "continue"
    assert effect_of(story.life(), story.step("c")).action == "keep", "it only waited then"


def test_a_step_that_leaves_is_not_left_alone_by_what_comes_after() -> None:
    story = Story().accept([a_step("a", onRemoved="Finish"), a_step("b")]).start("a")
    story.accept([a_step("b")]).accept([a_step("b"), a_step("c")])
    assert in_force_words(story.life()) == "1 unchanged; added: c"
    assert effect_of(story.life(), story.step("a")).action == "remove"
    story.accept([a_step("a", onRemoved="Finish"), a_step("b"), a_step("c")])
    assert effect_of(story.life(), story.step("a")).action == "continue", "it came back in time"
    story.accept([a_step("b"), a_step("c")]).exit("a")
    assert "a" not in story.life().steps


def test_what_hangs_on_a_condition_may_run_again() -> None:
    asks = a_step(
        "b", {"step": "a", "condition": "Finished"}, when='${{ steps.a.phase == "Succeeded" }}'
    )
    story = Story().accept([a_step("a"), asks, a_step("c", "b")]).exit("a", 1).exit("c")
    story.accept([a_step("a"), asks, a_step("c", "b"), a_step("d")])
    words = 'generation 2: may run again (depends on "b", which may run)'
    assert of_step(story.life(), story.step("c")) == words
    assert in_force_words(story.life()) == (
        "added: d; may run again: b (its `when` is asked again), "
        'c (depends on "b", which may run); to run again: a (was Failed; queued again)'
    )


def test_children_stand_for_their_parent() -> None:
    load = a_step("load", forEach="${{ params.l }}", env={"I": "${{ item }}"})
    story = Story().accept([load], params={"l": ["a", "b"]}).exit("load[a]").exit("load[b]")
    story.accept([load], params={"l": ["b", "c"]})
    assert in_force_words(story.life()) == "1 unchanged; added: load[c]; removed: load[a]"
    words = "generation 2: added (new in this generation)"
    assert of_step(story.life(), story.step("load[c]")) == words
    story.accept([{**load, "run": "new"}], params={"l": ["b", "c"]})
    assert in_force_words(story.life()) == (
        "to run again: load[b] (run changed); was waiting: load[c] (run changed)"
    )


def a_definition() -> Story:
    """Its present generation is the second one; one instance runs."""
    story = Story().accept(CHAIN, triggers=[])
    story.accept([*CHAIN, a_step("e")], triggers=[]).ask("start", key="k")
    return story.start("a", workflow="w@k").wait(1)


def edited(story: Story, **spec: object) -> Story:
    wanted = Document(workflow=document([a_step("a")], **spec), line=1)
    for action in [*accept(story.life(), wanted, "w.yaml", "ada")]:
        story.promise(action)
    return story.settle()


def test_an_instance_begins_with_the_generation_of_its_definition() -> None:
    story = a_definition()
    born = story.life("w@k")
    assert born.generation == 2 and is_first(born) and not is_news(story.state, born)
    assert effect_of(born, born.step("a")).message == "the first version of the workflow"
    edited(story, triggers=[])
    assert born.generation == 3 and not is_first(born) and is_news(story.state, born)
    assert of_step(born, born.step("a")) == "generation 3 did not change what it does"
    line = generation_line(story.life(), Look(now=story.now))
    assert line == "generation 3 from w.yaml by ada, 2023-11-14T22:13:21+00:00"


def test_what_an_edit_waits_for_that_adds_triggers_or_takes_them_away() -> None:
    assert pending_words(edited(a_definition()).life()) == (
        "generation 3 from w.yaml by ada waits until all instances have finished, "
        "then the workflow has no triggers"
    )
    plain = Story().accept(CHAIN).start("a")
    assert pending_words(edited(plain, triggers=[]).life()) == (
        "generation 2 from w.yaml by ada waits until run 1 has finished, "
        "then the workflow becomes a definition"
    )
