"""The runs of a name: what each came to, how long one usually takes, when the next should end."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import BEGIN, Story, a_step

from controller.model.events import RequestApplied, StepMarked, StepReset
from controller.model.phases import Phase
from controller.model.state import SECOND, RunShort
from controller.view.lists.runs import (
    USUAL_MIN,
    expected_end,
    full,
    latest,
    median,
    result,
    runs_table,
    shape,
    usual,
    usual_of,
    usual_words,
    why,
)
from controller.view.look import Look
from controller.view.table import cells, render

ASKED = "asked for by"
STEPS = [a_step("a"), a_step("b", "a")]


def restart(story: Story, *steps: str) -> Story:
    uid = story.life().uid
    for step in steps:
        story.see(StepReset(uid=uid, step=step, reason="RestartRequested", message="again"))
    return story.settle()


def ran(*lengths: float) -> Story:
    """Full runs of two steps, which took so many seconds."""
    story = Story()
    for number, length in enumerate(lengths):
        if number:
            restart(story, "a", "b")
        else:
            story.accept(STEPS)
        run_all(story, length)
    return story


def run_all(story: Story, length: float) -> Story:
    return story.start("a").wait(length).exit("a").exit("b")


def ask(story: Story, kind: str) -> Story:
    request = RequestApplied(
        name=f"{kind}-{story.now}", kind=kind, workflow="w", by="ada", uid=story.life().uid
    )
    return story.see(request).settle()


def by_hand(story: Story) -> Story:
    """Step a fails, and somebody does it."""
    restart(story, "a", "b").exit("a", 1)
    done = StepMarked(uid=story.life().uid, step="a", message="by hand", by="ada")
    story.see(done)
    return restart(story, "b")


# ---------------------------------------- usual


@pytest.mark.parametrize(
    ("lengths", "seconds"),
    [
        pytest.param([], None, id="none"),
        pytest.param([9, 9], None, id="two are too few"),
        pytest.param([1, 60, 2], 2, id="the middle one of three"),
        pytest.param([1, 60, 2, 4], 3, id="between the middle two of four"),
    ],
)
def test_the_usual_length_is_the_median(lengths: list[float], seconds: float | None) -> None:
    story = ran(*lengths)
    assert usual(story.state, "w") == (None if seconds is None else seconds * SECOND)


@given(st.lists(st.integers(min_value=0), min_size=USUAL_MIN))
def test_as_many_are_shorter_as_are_longer(lengths: list[int]) -> None:
    middle = median(lengths)
    assert middle is not None
    assert sum(length < middle for length in lengths) <= len(lengths) / 2
    assert sum(length > middle for length in lengths) <= len(lengths) / 2 + 1


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(lambda s: restart(s, "b").exit("b"), id="a step that ran again alone"),
        pytest.param(lambda s: restart(s, "a", "b").exit("a").exit("b", 1), id="a failure"),
        pytest.param(lambda s: restart(s, "a", "b").start("a"), id="one that is not over"),
        pytest.param(lambda s: by_hand(s).exit("b"), id="a step that a person did"),
    ],
)
def test_only_full_runs_that_succeeded_are_compared(deed: Callable[[Story], object]) -> None:
    story = ran(5, 5)
    deed(story)
    assert usual(story.state, "w") is None
    assert [run.number for run in full(story.state.runs["w"])] == [1, 2]


def test_time_in_which_it_was_suspended_does_not_count() -> None:
    story = ran(5, 5)
    restart(story, "a", "b").exit("a")
    ask(story, "suspend").wait(1000)
    ask(story, "resume").wait(5).exit("b")
    assert usual(story.state, "w") == 5 * SECOND


def test_a_run_may_end_while_it_is_suspended() -> None:
    story = Story().accept([a_step("a")]).start("a").wait(3)
    ask(story, "suspend").wait(9).exit("a")
    [run] = story.state.runs["w"]
    assert (run.phase, run.stood) == ("Succeeded", 9 * SECOND)


def test_runs_of_lives_that_are_over_count() -> None:
    story = ran(5, 5)
    story.delete().accept(STEPS)
    run_all(story, 8)
    assert usual(story.state, "w") == 5 * SECOND


# ---------------------------------------- expected end


def test_the_present_run_should_end_as_the_others_did() -> None:
    story = ran(5, 5, 5)
    began = restart(story, "a", "b").now
    assert expected_end(story.state, story.life(), story.now) is None, "it has not begun"
    story.start("a").wait(2)
    assert expected_end(story.state, story.life(), story.now) == began + 5 * SECOND
    ask(story, "suspend").wait(10)
    assert expected_end(story.state, story.life(), story.now) is None, "it is suspended"
    ask(story, "resume")
    assert expected_end(story.state, story.life(), story.now) == began + 15 * SECOND
    story.wait(3)
    assert expected_end(story.state, story.life(), story.now) is None, "it is late"


def test_nothing_is_expected_of_a_run_that_keeps_results() -> None:
    story = restart(ran(5, 5, 5), "b").start("b")
    assert expected_end(story.state, story.life(), story.now) is None
    assert usual_of(story.state, story.exit("b").life()) is None, "so it can't be compared"
    assert usual_of(story.state, ran(5).life()) == 5 * SECOND


def test_nothing_is_expected_of_a_run_that_is_being_ended() -> None:
    story = restart(ran(5, 5, 5), "a", "b").start("a").mark()
    assert expected_end(story.state, story.life(), story.now) is None


def test_nothing_is_expected_of_the_first_runs() -> None:
    story = restart(ran(5, 5), "a", "b").start("a")
    assert expected_end(story.state, story.life(), BEGIN) is None


# ---------------------------------------- the list


def rows(
    story: Story, name: str = "", count: int | None = None, stood: int | None = None
) -> list[str]:
    look = Look(now=story.now, width=80, stood=stood)
    known = {name: story.state.runs[name]} if name else story.state.runs
    table = runs_table(story.state, latest(known, count), look, named=not name)
    return [" | ".join(cell.text for cell in row) for row in table.rows]


def test_the_newest_is_the_first() -> None:
    story = Story().accept(STEPS).start("a").wait(4).exit("a").exit("b")
    restart(story.wait(60), "b").start("b").wait(2).exit("b", 3)
    story.wait(60).accept([a_step("a"), a_step("b", "a", run="x")]).start("b").wait(1)
    assert rows(story, "w") == [
        "● | 3 | 22:15:26 | 1.0s | 1 of 2 so far | edit of b by somebody",
        "✗ | 2 | 22:14:24 | 2.0s | failed: b | again",
        "✓ | 1 | 22:13:20 | 4.0s | 2 of 2 | new spec by somebody",
    ]
    assert rows(story, "w", 1) == rows(story, "w")[:1]


def test_those_of_several_names_are_in_one_order() -> None:
    story = Story().accept(STEPS).accept(STEPS, "v").start("a", workflow="v").wait(9).start("a")
    assert [row.split(" | ")[1:3] for row in rows(story)] == [["w", "1"], ["v", "1"]]


def headings(story: Story, zone: str, width: int | None) -> list[str]:
    look = Look(now=story.now, zone=ZoneInfo(zone), width=width)
    table = runs_table(story.state, latest(story.state.runs, None), look, named=False)
    return [column.title for column in table.columns]


def test_the_zones_of_the_moments_are_in_the_heading() -> None:
    story = restart(ran(5).wait(200 * 86_400), "a").start("a")  # from November to June
    assert headings(story, "Europe/Berlin", 80)[2] == "STARTED (CEST/CET)"
    assert headings(story, "UTC", 80)[2] == "STARTED (UTC)"
    assert headings(story, "Europe/Berlin", None)[2] == "STARTED", "each has its offset"


@pytest.mark.parametrize("width", [1, 5, 12, 20, 40, 80])
def test_on_a_narrow_terminal_nothing_is_wider_than_it(width: int) -> None:
    story = restart(ran(5), "b").start("b").accept([a_step("x")], "a-name-that-is-rather-long")
    story.start("x", workflow="a-name-that-is-rather-long")
    look = Look(now=story.now, width=width)
    table = runs_table(story.state, latest(story.state.runs, None), look, named=True)
    assert all(cells(line) <= width for line in render(table, width))


def test_where_no_controller_runs_the_time_stands() -> None:
    story = Story().accept([a_step("a")]).start("a").wait(900)
    [row] = rows(story, "w", stood=BEGIN + 7 * SECOND)
    assert " | 7.0s | running?, 0 of 1 so far | " in row


def test_a_run_that_is_suspended_says_so() -> None:
    story = ask(Story().accept(STEPS).start("a"), "suspend").exit("a")
    [row] = rows(story, "w")
    assert row.startswith("‖ | 1 | ") and " | suspended, 1 of 2 so far | " in row


@pytest.mark.parametrize(
    ("run", "words"),
    [
        pytest.param({"steps": 8, "succeeded": 8}, "8 of 8", id="all"),
        pytest.param({"steps": 8, "succeeded": 7}, "7 of 8", id="one was skipped"),
        pytest.param({"steps": 8, "succeeded": 8, "kept": 2}, "6 ran, 2 kept", id="in part"),
        pytest.param({}, "succeeded", id="as an older treadle remembers it"),
        pytest.param(
            {"phase": Phase.FAILED, "message": "failed: load", "steps": 8, "kept": 2},
            "failed: load",
            id="a failure",
        ),
        pytest.param(
            {"phase": Phase.CANCELLED, "reason": "CancelMarker"},
            "cancelled: CancelMarker",
            id="old",
        ),
    ],
)
def test_what_a_run_came_to(run: dict[str, Any], words: str) -> None:
    over = {"phase": Phase.SUCCEEDED, "completed": 5, **run}
    assert result(RunShort(number=1, started=1, why="", **over)) == words


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ("new spec by ada", "new spec by ada"),
        ("retry requested by ada: the disk is back", "retry by ada: the disk is back"),
        ("restart asked for by ada", "restart by ada"),
        (f"resume {ASKED} ada: it was {ASKED} eve", f"resume by ada: it was {ASKED} eve"),
        ("generation 1 accepted", "new spec"),
        ("generation 12 accepted", "edit (generation 12)"),
        ("", ""),
    ],
)
def test_why_a_run_began(recorded: str, words: str) -> None:
    assert why(RunShort(number=1, started=1, why=recorded)) == words


def test_how_long_it_usually_takes_in_words() -> None:
    story = ran(5, 7, 9)
    restart(story, "b").exit("b")
    said = "usually takes 7.0s (median of 3 full runs that succeeded)"
    assert usual_words(story.state.runs["w"]) == said
    assert usual_words(story.state.runs["w"][1:]) == ""


def test_as_scripts_read_it() -> None:
    story = restart(ran(5), "b").start("b")
    first, second = (shape(one) for one in latest(story.state.runs, None)[::-1])
    assert (first.workflow, first.number, first.phase) == ("w", 1, "Succeeded")
    assert (first.message, first.steps, first.succeeded, first.kept) == (
        "all steps are done",
        2,
        2,
        0,
    )
    assert (second.completion_time, second.message, second.steps) == (None, None, None)
