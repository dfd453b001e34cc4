"""A step that asks a person, as people see it: in tables, pages, the live view and lines."""

from collections.abc import Iterator

import pytest
from story import Story, a_step

from controller.host.lines import line
from controller.planner.permission import Limits
from controller.view.ink import inked
from controller.view.lists.listing import list_table, listed
from controller.view.live.board import Board, BoardContent
from controller.view.look import Look
from controller.view.pages.page import page, step_page
from controller.view.status import workflow_shape
from controller.view.table import cells, render
from controller.view.why.explain import Around, ways
from controller.view.why.explain_step import explanation
from controller.view.why.roots import explanation as explanation_of_all

ASKS = {"message": "Fine,\n\x1b[31m日本?", "timeoutSeconds": 60}
STEPS = [a_step("a"), a_step("ok", "a", approve=ASKS), a_step("b", "ok"), a_step("long")]
SHOWN = "Fine, \\x1b[31m日本?"


def asks() -> Story:
    return Story().accept(STEPS).exit("a").start("long").wait(5)


def all_views(story: Story, look: Look) -> Iterator[list[str]]:
    life, around = story.life(), Around(runs=True, limits=story.limits)
    step = life.steps["ok"]
    table = list_table(story.state, listed(story.state), look)
    yield [*render(table, look.width)]
    yield [*page(story.state, life, look)]
    yield [*step_page(story.state, life, step, look)]
    yield [*explanation_of_all(story.state, life, around, look, {})]
    causes = ways(story.state, life, step, around, look)
    yield [*explanation(story.state, life, step, causes, around, look, {})]


def board(story: Story, width: int = 80) -> list[str]:
    content, look = (
        BoardContent(story.state, "specs", limits=Limits(max_parallel=2)),
        Look(now=story.now, width=width),
    )
    return [one.rstrip() for one in Board().draw(content, look, 20, lambda attempt, count: [])]


@pytest.mark.parametrize("width", [1, 7, 20, 40, 80, None])
def test_every_view_shows_it_and_no_view_lets_it_steer_the_terminal(width: int | None) -> None:
    story = asks()
    for shown in all_views(story, Look(now=story.now, width=width)):
        assert all(one.isprintable() for one in shown), shown
        if width is None:
            assert any("waiting for approval" in one for one in shown)
        else:
            assert all(cells(one) <= width for one in shown) or width < 20
    if width is not None:
        assert all(cells(one) <= width for one in board(story, width))


def test_the_commands_that_answer_are_shown_where_there_is_room() -> None:
    story = asks()
    answers = "treadle approve w ok · treadle approve w ok --reject"
    get, *pages = all_views(story, Look(now=story.now))
    assert get[1].endswith("waiting for approval: ok; running: long")
    assert all(any(answers in one for one in shown) for shown in pages)
    story.accept([a_step("x")], name="z").start("x", workflow="z")
    shown = board(story, 100)
    at = next(n for n, one in enumerate(shown) if one.startswith("     ◌ ok"))
    assert f"waiting for approval: {SHOWN}" in shown[at]
    assert shown[at + 1] == "       └ treadle approve w ok"


def test_the_line_of_a_question_has_the_command_that_answers_it() -> None:
    story = Story().accept(STEPS).exit("a")
    (move,) = (one for one in story.state.moves if one.reason == "AwaitingApproval")
    said = inked(line(move, story.state))
    assert said == f"w/ok Pending: waiting for approval: {SHOWN} (treadle approve w ok)"


def row(story: Story) -> str:
    """What the page says of the step, without blanks that only fill."""
    shown = page(story.state, story.life(), Look(now=story.now))
    return " ".join(next(one for one in shown if "✓ ok" in one).split("✓ ok")[1].split())


def test_how_long_the_answer_took_and_what_it_was() -> None:
    story = asks().answers("ok").wait(9)
    assert row(story) == "Succeeded - 5.0s - a approved by somebody"
    story.exit("b").exit("long")
    story.accept([*STEPS[:2], a_step("b", "ok", run="other"), STEPS[3]]).start("b")
    assert row(story) == "Succeeded - - a kept from run 1"


def test_a_suspension_says_that_its_time_stands_still() -> None:
    story = asks()
    look = Look(now=story.now)
    assert "(until " in " ".join([*page(story.state, story.life(), look)])
    story.accept(STEPS, suspend=True)
    assert "(its timeout is paused while suspended)" in " ".join(
        [*page(story.state, story.life(), look)]
    )


def test_the_shape_for_scripts() -> None:
    story = asks()

    def shape() -> object:
        steps = workflow_shape(story.state, story.life()).status.steps
        asked = steps[1].approval
        assert steps[0].approval is None
        return asked and (asked.number, asked.open, asked.approved, asked.by, asked.due_time)

    assert shape() == (1, True, None, None, "2023-11-14T22:14:20.000000Z")
    story.answers("ok", yes=False)
    assert shape() == (1, False, False, "somebody", None)
    story.accept([STEPS[0], a_step("ok", "a"), *STEPS[2:]])
    assert shape() is None
