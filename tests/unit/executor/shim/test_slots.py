"""Whose turn it is among the queued starts of the shim."""

import pytest

from controller.executor.shim.slots import Slots
from controller.executor.shim.spawn import Order


def order(attempt: str, priority: int = 0) -> Order:
    return Order(attempt, 1, ["true"], {}, "/", "log", priority=priority)


def slots(*queued: Order, held: tuple[str, ...] = (), total: int = 1) -> Slots:
    made = Slots(held)
    made.total = total
    for one in queued:
        made.put(one)
    return made


def drained(made: Slots) -> list[str]:
    """The order in which they start where each ends before the next one starts."""
    started = []
    while made.queue:
        turn = next(made.in_turn())
        made.take(turn.id, turn.priority)
        made.drop(turn.id)
        made.give_back(turn.id)
        started.append(turn.id)
    return started


@pytest.mark.parametrize(
    ("queued", "expected"),
    [
        pytest.param(["u/a/1", "u/b/1", "u/c/1"], "abc", id="of one workflow, as they came"),
        pytest.param(["u/a/1", "u/b/1", "v/c/1", "v/d/1"], "acbd", id="equals take turns"),
        pytest.param(["u/a/1", "u/b/1", "w/c/1!"], "cab", id="a higher priority first"),
        pytest.param(["u/a/1", "u/b/1!", "v/c/1!"], "bca", id="turns within a priority"),
    ],
)
def test_the_order_of_starts(queued: list[str], expected: str) -> None:
    made = slots(*(order(one.strip("!"), one.count("!")) for one in queued))
    assert "".join(one.split("/")[1] for one in drained(made)) == expected


def test_who_holds_the_fewest_slots_is_next() -> None:
    made = slots(order("u/b/1"), order("v/c/1"), held=("u/a/1",), total=9)
    assert next(made.in_turn()).id == "v/c/1"


def test_a_slot_that_is_taken_counts_for_the_very_next_turn() -> None:
    made = slots(*(order(f"u/{step}/1") for step in "abc"), order("v/d/1"), total=9)
    turns = []
    for turn in made.in_turn():
        made.take(turn.id, turn.priority)
        made.drop(turn.id)
        turns.append(turn.id[2])
    assert turns == ["a", "d", "b", "c"]


def test_an_order_that_comes_again_keeps_its_place_and_is_what_it_says_now() -> None:
    made = slots(order("u/a/1"), order("u/b/1"))
    made.put(order("u/a/1")._replace(leave=True))
    assert [(one.id, one.leave) for one in made.in_turn()] == [("u/a/1", True), ("u/b/1", False)]


@pytest.mark.parametrize(("ended", "queued", "keeps"), [(5, 0, True), (0, 0, False), (0, 5, False)])
def test_a_slot_is_kept_where_a_lower_priority_would_get_it(
    ended: int, queued: int, keeps: bool
) -> None:
    made = slots(order("v/b/1", queued))
    made.take("u/a/1", ended)
    assert made.outranks("u/a/1") is keeps


def test_nothing_is_remembered_of_a_workflow_that_has_nothing_here() -> None:
    made = slots(order("u/a/1"), order("v/b/1"), held=("w/c/1",))
    made.give_back("w/c/1")
    made.give_back("w/c/1")
    made.drop("u/a/1")
    made.drop("u/a/1")
    made.clear()
    assert (made.lives, made.queue, made.held, made.free) == ({}, {}, {}, 1)
