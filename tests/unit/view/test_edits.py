"""What the generation in force did to the steps."""

from story import Story, a_step

from controller.view.edits import effect_of, generation_lines, generation_words

CHAIN = [a_step("a"), a_step("b", "a"), a_step("c", "b"), a_step("d", "c")]


def test_what_a_generation_did() -> None:
    story = Story().accept(CHAIN).exit("a").exit("b").exit("c").exit("d")
    assert effect_of(story.life(), story.step("a")).message == "the first version of the workflow"
    edited = [CHAIN[0], CHAIN[1], {**CHAIN[2], "run": "echo other"}, a_step("e")]
    story.accept(edited)
    assert generation_words(story.life()) == "2 unchanged; added: e; removed: d; to run again: c"
    lines = list(generation_lines(story.life()))
    assert lines[0].startswith("generation 2 from w.yaml")
    assert lines[1:] == [
        "  unchanged: a, b",
        "  to run again: c (run changed)",
        "  removed: d (no longer in the spec)",
        "  added: e (new in this generation)",
    ]
    assert effect_of(story.life(), story.step("a")).reason == "Unchanged"


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
    assert generation_words(story.life()) == "1 unchanged; added: c"
    assert effect_of(story.life(), story.step("a")).action == "remove"
    story.accept([a_step("a", onRemoved="Finish"), a_step("b"), a_step("c")])
    assert effect_of(story.life(), story.step("a")).action == "continue", "it came back in time"
    story.accept([a_step("b"), a_step("c")]).exit("a")
    assert "a" not in story.life().steps
