"""What keys do to the live view."""

import pytest
from story import Story, a_step

from controller.model import events as e
from controller.view.live.choice import Choice, KeyOrder, Leaving


def told() -> Story:
    steps = [a_step("a"), a_step("b"), a_step("c", "a")]
    return Story().accept(steps).start("a", "b").exit("b", 1)


def choice(story: Story, leaving: Leaving = "stop") -> Choice:
    uid = story.life().uid
    rows = [(uid, ""), (uid, "a"), (uid, "b"), (uid, "c"), ("", "done")]
    return Choice(leaving, rows=rows, page=2)


def press(chosen: Choice, story: Story, *keys: str) -> list[KeyOrder]:
    orders = (chosen.press(key, story.state) for key in keys)
    return [order for order in orders if order is not None]


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        ([], None),
        (["down"], 0),
        (["up"], 0),
        (["down", "down"], 1),
        (["j", "j", "k"], 0),
        (["down", "page down"], 2),
        (["down", "end"], 4),
        (["down", "end", "down"], 4),
        (["down", "end", "page up"], 2),
        (["down", "end", "home"], 0),
        (["x", "7", "backspace"], None),
    ],
)
def test_moving_stays_among_the_rows(keys: list[str], row: int | None) -> None:
    story = told()
    chosen = choice(story)
    assert press(chosen, story, *keys) == []
    assert chosen.cursor == (None if row is None else chosen.rows[row])


def test_nothing_to_select() -> None:
    story = told()
    chosen = Choice()
    assert press(chosen, story, "down", "enter", "l", "r") == []
    assert (chosen.cursor, chosen.mode) == (None, "rows")
    assert chosen.said == "select what to retry first, with ↑ and ↓"


def test_a_row_opens_and_closes() -> None:
    story = told()
    chosen = choice(story)
    press(chosen, story, "down", "enter")
    assert chosen.toggled == {chosen.rows[0]}
    press(chosen, story, " ")
    assert not chosen.toggled


@pytest.mark.parametrize(
    ("keys", "orders"),
    [
        (["down", "r", "y"], [KeyOrder("retry", "w")]),
        (["down", "c", "Y"], [KeyOrder("cancel", "w")]),
        (["down", "down", "down", "r", "y"], [KeyOrder("retry", "w", "b")]),
        (["down", "r", "n"], []),
        (["down", "r", "escape"], []),
        (["down", "r", "r", "y"], []),
        (["q"], [KeyOrder("quit")]),
        (["end", "end", "r"], []),
    ],
)
def test_an_order_is_given_after_a_yes(keys: list[str], orders: list[KeyOrder]) -> None:
    story = told()
    assert press(choice(story), story, *keys) == orders


def test_an_order_for_an_earlier_life_does_not_reach_the_present_one() -> None:
    story = Story().accept([a_step("a")]).start("a").exit("a", 1)
    before = story.life()
    story.see(e.LifeEnded(uid=before.uid)).accept([a_step("a")])
    assert story.life().uid != before.uid
    chosen = Choice(rows=[(before.uid, "a")])
    assert press(chosen, story, "down", "r", "y") == [KeyOrder("retry", before.uid[:8], "a")]


@pytest.mark.parametrize(
    ("keys", "orders"),
    [
        (["q"], []),
        (["q", "c"], [KeyOrder("quit")]),
        (["q", "d"], [KeyOrder("detach")]),
        (["q", "escape"], []),
        (["q", "q"], []),
    ],
)
def test_a_run_is_left_in_one_of_two_ways(keys: list[str], orders: list[KeyOrder]) -> None:
    story = told()
    chosen = choice(story, "ask")
    assert press(chosen, story, *keys) == orders
    assert chosen.mode == ("leaves" if keys == ["q"] else "rows")


def test_a_filter_is_typed_kept_and_taken_back() -> None:
    story = told()
    chosen = choice(story)
    press(chosen, story, "/", "q", "w", "é", "backspace", "up")
    assert (chosen.filter, chosen.mode) == ("qw", "filter")
    press(chosen, story, "enter")
    assert (chosen.filter, chosen.mode) == ("qw", "rows")
    press(chosen, story, "escape")
    assert chosen.filter == ""
    press(chosen, story, "/", "a", "escape")
    assert (chosen.filter, chosen.mode) == ("", "rows")


def test_the_logs_of_a_step_and_of_the_most_interesting_one() -> None:
    story = told()
    chosen = choice(story)
    press(chosen, story, "down", "l")
    assert (chosen.mode, chosen.cursor) == ("logs", (story.life().uid, "b")), "it failed"
    press(chosen, story, "up", "page up")
    assert chosen.back == 3
    press(chosen, story, "down")
    assert chosen.back == 2
    press(chosen, story, "end")
    assert chosen.back == 0
    press(chosen, story, "down", "q")
    assert (chosen.mode, chosen.back) == ("rows", 0)
    press(chosen, story, "down", "l")
    assert chosen.mode == "rows"
    assert chosen.said == "it has not started yet, so there is no output"


def test_any_key_closes_the_help() -> None:
    story = told()
    chosen = choice(story)
    press(chosen, story, "?")
    assert chosen.mode == "help"
    assert press(chosen, story, "q") == []
    assert chosen.mode == "rows"
