"""Label selectors, as kubectl has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import UsageError
from controller.view.lists.selector import parse_selector

LABELS = {"team": "data", "example.com/tier": "b", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("team=data", True), ("team==data", True), ("team=web", False), ("team = data", True),
        ("team!=web", True), ("team!=data", False), ("owner!=me", True), ("owner=me", False),
        ("team", True), ("owner", False), ("!owner", True), ("!team", False), ("empty=", True),
        ("team=data,owner", False), ("team=data, !owner", True),
        ("example.com/tier in (a, b)", True), ("team in (web),!owner", False),
        ("team notin (web, ops)", True), ("owner notin (me)", True), ("team notin (data)", False),
    ],
)  # fmt: skip
def test_what_a_selector_matches(text: str, matches: bool) -> None:
    assert parse_selector(text)(LABELS) == matches


@pytest.mark.parametrize("text", ["", "team=a=b", "a,,b", "team in a, b", "team ~ data", "=x"])
def test_what_is_no_selector_says_so(text: str) -> None:
    with pytest.raises(UsageError, match="is not a condition on a label"):
        parse_selector(text)


names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,8}[A-Za-z0-9])?", fullmatch=True)
values = st.from_regex(r"[A-Za-z0-9._-]{0,8}", fullmatch=True)
labels = st.dictionaries(names, values, max_size=3)


@given(labels, names, values)
def test_a_condition_and_its_opposite_share_out_all_labels(
    there: dict[str, str], key: str, value: str
) -> None:
    for one, other in (
        (f"{key}={value}", f"{key}!={value}"),
        (f"{key}", f"!{key}"),
        (f"{key} in ({value}, x)", f"{key} notin ({value}, x)"),
    ):
        assert parse_selector(one)(there) is not parse_selector(other)(there)
    assert parse_selector(f"{key}={value}")(there) is (there.get(key) == value)
    assert parse_selector(key)(there) is (key in there)


@given(labels, st.lists(st.tuples(names, values), min_size=1, max_size=3))
def test_all_conditions_have_to_hold(there: dict[str, str], wanted: list[tuple[str, str]]) -> None:
    text = ",".join(f"{key}={value}" for key, value in wanted)
    assert parse_selector(text)(there) is all(there.get(key) == value for key, value in wanted)


@given(labels)
def test_what_has_these_labels_matches_the_selector_that_names_them_all(
    there: dict[str, str],
) -> None:
    if there:
        assert parse_selector(",".join(f"{key}={value}" for key, value in there.items()))(there)
