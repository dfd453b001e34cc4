"""What the edges saw, by name: an attempt's is text that comes back, and orders by its parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.observations import AttemptId

uids = st.text("abc-_0[]", min_size=1, max_size=8)
steps = st.text("abc-_0[]/", min_size=1, max_size=8)  # those of a template have a slash
ids = st.builds(AttemptId, uids, steps, st.integers(1, 10_000))


@given(ids)
def test_the_name_of_an_attempt_comes_back_from_its_text(attempt: AttemptId) -> None:
    assert AttemptId.parse(str(attempt)) == attempt


@given(ids, ids)
def test_two_attempts_have_two_names(one: AttemptId, other: AttemptId) -> None:
    assert (str(one) == str(other)) == (one == other) == (hash(one) == hash(other) and one == other)


def test_attempts_are_in_order_of_life_step_and_number() -> None:
    """By number, not by text: the tenth comes after the second."""
    names = ["u/a/2", "u/a/10", "u/b/1", "v/a/1"]
    assert [str(one) for one in sorted(map(AttemptId.parse, reversed(names)))] == names


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("u/s", id="a part is missing"),
        pytest.param("u/s/one", id="a number that is none"),
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|invalid literal"):
        AttemptId.parse(text)
