"""The generations of a workflow, as the log has them."""

from collections.abc import Callable

import pytest
from story import Story, a_step

from controller.client.history import read_history
from controller.errors import NotFound

Write = Callable[[Story], str]


def edited() -> Story:
    story = Story().accept([a_step("a")], name="etl").exit("a", workflow="etl")
    story.accept([a_step("a"), a_step("b")], name="etl").exit("b", workflow="etl")
    return story.accept([a_step("b")], name="etl").accept([a_step("x")], name="other")


def test_each_knows_the_one_before_it(write: Write) -> None:
    found = read_history(write(edited()), "etl")
    assert found.life.name == "etl"
    assert [one.number for one in found.generations] == [1, 2, 3]
    assert [one.before.number if one.before else 0 for one in found.generations] == [0, 1, 2]


def test_neighbours(write: Write) -> None:
    found = read_history(write(edited()), "etl")
    assert (found.before(3).number, found.after(1).number, found.pick(2).number) == (2, 2, 2)


def test_what_is_missing_is_said(write: Write) -> None:
    found = read_history(write(edited()), "etl")
    with pytest.raises(NotFound, match="no generation 4; history has 1, 2, 3"):
        found.pick(4)
    with pytest.raises(NotFound, match="no generation before 1"):
        found.before(1)
    with pytest.raises(NotFound, match="no generation after 3"):
        found.after(3)


def test_a_name_that_nobody_had(write: Write) -> None:
    with pytest.raises(NotFound, match='no workflow is named "elt"; did you mean "etl"'):
        read_history(write(edited()), "elt")
