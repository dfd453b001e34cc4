"""What is said of a step to people: its causes, what the edit did, its attempts."""

import re
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from story import Story, a_step

from controller.planner.permission import Limits
from controller.view.figures import note, took
from controller.view.look import Look
from controller.view.why.explain import Around, causes, ways
from controller.view.why.explain_step import attempts_table, explanation, inputs_lines

CHAIN = [a_step("a"), a_step("b", "a"), a_step("c", "b"), a_step("d", "c")]
LOOK = Look(now=0)
UP = Around(runs=True, limits=Limits(max_parallel=1))


def test_why_each_attempt_was_made() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1})]).exit("a", 1).wait(5).exit("a")
    story.accept([a_step("a", run="echo other", retry={"limit": 1})]).exit("a")
    table = attempts_table(story.step("a"), LOOK)
    why = [row[5].text for row in table.rows]
    assert why[0] == "dependencies met"
    assert why[1].startswith("exit code 1; retry 1 of 1 in ")
    assert why[2] == "run changed"


def test_what_is_the_same_for_all_attempts_has_no_column() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1})]).exit("a", 1)
    titles = [column.title for column in attempts_table(story.step("a"), LOOK).columns]
    assert titles == ["ATTEMPT", "PHASE", "AT", "MESSAGE"]
    story.wait(5).exit("a")
    titles = [column.title for column in attempts_table(story.step("a"), LOOK).columns]
    assert titles == ["ATTEMPT", "PHASE", "AT", "WHY", "MESSAGE"]


def said(story: Story, step: str, look: Look = LOOK, **printed: list[str]) -> list[str]:
    life = story.life()
    chain = ways(story.state, life, life.steps[step], UP, look)
    return list(explanation(story.state, life, life.steps[step], chain, UP, look, printed))


def test_a_person_sees_one_way_to_each_root_its_output_and_what_to_do() -> None:
    rows = [[f"r{row}-{column}" for column in range(4)] for row in range(3)]
    above = [["a"], *rows]
    steps = [a_step(name, *above[row]) for row in range(3) for name in rows[row]]
    story = Story().accept([a_step("a"), *steps]).exit("a", 3)
    assert said(story, "r2-3", a=["one", "two\x1b[2J"]) == [
        'w/r2-3 is Skipped (DependencyFailed): depends on "r1-0", which was skipped',
        '  r1-0 is Skipped (DependencyFailed): depends on "r0-0", which was skipped',
        '    r0-0 is Skipped (DependencyFailed): depends on "a", which failed',
        "      a is Failed (NonZeroExit): exit code 3",
        "        │ one",
        "        │ two\\x1b[2J",
        "",
        "next: treadle logs w a · treadle retry w a",
    ]


def test_of_a_long_way_the_middle_is_left_out_and_never_the_root() -> None:
    names = [f"s{n}" for n in range(80)]
    chain = [a_step(names[0]), *(a_step(b, a) for a, b in pairwise(names))]
    lines = said(Story().accept(chain).exit("s0", 3), "s79")
    assert len(lines) == 12 + 1 + 2
    assert lines[6].strip() == "… 68 more between"
    assert lines[12].strip() == "s0 is Failed (NonZeroExit): exit code 3"


def test_each_root_of_a_skip_is_shown() -> None:
    story = Story().accept([a_step("a"), a_step("b"), a_step("c", "a"), a_step("d", "c", "b")])
    lines = said(story.exit("b", 1).exit("a", 2), "d")
    roots = [line.strip() for line in lines if "Failed (" in line]
    assert roots == [
        "a is Failed (NonZeroExit): exit code 2",
        "b is Failed (NonZeroExit): exit code 1",
    ]


def test_a_tolerated_failure_says_so() -> None:
    story = Story().accept([a_step("a", continueOnFailure=True), a_step("b")]).exit("a", 2)
    assert said(story, "a")[0].endswith(": exit code 2; tolerated, since it has continueOnFailure")


def test_what_an_edit_changed_is_shown_with_both_values() -> None:
    def edited(region: str) -> list[dict[str, Any]]:
        return [a_step("a", env={"REGION": region, "TEXT": region * 200}), a_step("b", "a")]

    story = Story().accept(edited("eu")).exit("a").exit("b").accept(edited("us"))
    story.exit("a").exit("b")
    assert said(story, "a")[2:4] == [
        "generation 2: ran again (env.REGION, env.TEXT changed)",
        "  env.REGION: eu → us",
    ]
    assert not [line for line in said(story, "b") if "→" in line], "its dependency says it"


def test_a_result_of_an_earlier_run_is_said_to_be_kept() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).exit("a").exit("b")
    story.accept([a_step("a"), a_step("b", run="x")]).exit("b")
    lines = said(story, "a")
    assert "its result is kept from run 1" in lines
    assert "generation 2 did not change what it does" in lines
    assert not [line for line in said(story, "b") if "kept" in line]


def test_of_a_life_that_is_over_nothing_is_next() -> None:
    story = Story().accept([a_step("a")]).exit("a", 1)
    life = story.life()
    assert said(story, "a")[-1].startswith("next: ")
    story.delete()
    lines = list(explanation(story.state, life, life.steps["a"], [], UP, LOOK, {}))
    assert not [line for line in lines if line.startswith("next: ")]


def test_the_zone_stands_once_where_moments_do_not_have_it() -> None:
    story = Story().accept([a_step("a")]).exit("a", 1)
    look = Look(now=story.now, zone=ZoneInfo("Asia/Tokyo"), width=100)
    assert [column.title for column in attempts_table(story.step("a"), look).columns][
        2
    ] == "AT (JST)"


def test_people_get_the_time_of_a_retry_as_their_clocks_have_it() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1})]).exit("a", 1)
    look = Look(now=story.now, zone=ZoneInfo("Asia/Tokyo"), width=100)
    assert re.search(r"\(due 07:13:\d\d\)", said(story, "a", look)[0])
    (first, *_) = causes(story.state, story.life(), story.step("a"), UP)
    assert re.search(r"\(due 22:13:\d\d UTC\)", first.message), "in JSON"


@pytest.mark.parametrize("width", [1, 8, 20, 40, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    story = Story().accept(CHAIN).exit("a", 3)
    look = Look(now=story.now, width=width)
    lines = said(story, "d", look, a=["a very long line of output that has to be cut"])
    assert max(map(len, lines)) <= max(width, 20)


def test_what_a_fingerprint_was_made_of() -> None:
    story = Story().accept([a_step("a", env={"X": "1"})]).exit("a")
    attempt = story.step("a").attempts[0]
    lines = list(inputs_lines(attempt, {**attempt.inputs, "env.X": "2", "env.Y": "3"}))
    assert lines[0] == f"attempt 1, generation 1: {attempt.fingerprint}"
    assert lines[1:] == [
        "  - env.X: 1",
        "  + env.X: 2",
        "  - env.Y: (not set)",
        "  + env.Y: 3",
        f"    run: {attempt.inputs['run']}",
    ]


def reads(**fields: Any) -> Story:
    """`a` declares an output, skips itself, and `b` reads it."""
    a = a_step("a", outputs={"n": "integer"}, skipExitCodes=[9])
    return Story().accept([a, a_step("b", "a", **fields)]).exit("a", 9)


def test_what_never_started_has_no_output_to_look_at() -> None:
    assert said(reads(env={"N": "${{ steps.a.outputs.n }}"}), "b") == [
        "w/b is Failed (ExpressionFailed): ${{ steps.a.outputs.n }} failed: "
        '"a" was skipped, so it has no output "n"',
        "",
        "next: treadle retry w b",
    ]


def test_a_condition_that_fails_is_no_condition_that_is_false() -> None:
    failed = said(reads(when="${{ steps.a.outputs.n > 0 }}"), "b")
    assert failed[0] == (
        "w/b is Failed (ExpressionFailed): its `when` failed: "
        '"a" was skipped, so it has no output "n"'
    )
    false = said(reads(when="${{ has(steps.a.outputs.n) }}"), "b")
    assert false == [  # a retry would ask the same
        "w/b is Skipped (WhenFalse): `when` is false: steps.a.outputs.n is not there"
    ]


def test_why_a_step_with_a_condition_runs() -> None:
    story = reads(when='${{ steps.a.phase == "Skipped" }}')
    assert '`when` is true: steps.a.phase is "Skipped"' in said(story.exit("b"), "b")


def test_the_attempts_of_a_step_are_not_those_of_what_it_became() -> None:
    fan = a_step("a", forEach=["x"])
    story = Story().accept([a_step("a")]).exit("a").accept([fan]).exit("a[x]")
    assert note(story.state, story.life(), story.step("a"), LOOK) == "its child is done"
    assert not any("kept" in line for line in said(story, "a"))
    story = Story().accept([a_step("a")]).start("a").accept([fan]).end("a").exit("a[x]")
    assert took(story.life(), story.step("a"), LOOK) == "-"
    assert note(story.state, story.life(), story.step("a"), LOOK) == "its child is done"


def test_why_a_parent_changed_is_not_compared_with_an_attempt_from_before() -> None:
    story = Story().accept([a_step("a")]).exit("a").accept([a_step("a", forEach=["x"])])
    story.start("a[x]").accept([a_step("a", forEach=["x"], run="other")])
    assert story.life().effects["a"].message == "run changed"
