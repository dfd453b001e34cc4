"""Label selectors, as kubectl has them."""

import pytest

from controller.errors import UsageError
from controller.view.selector import parse_selector

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
    with pytest.raises(UsageError, match="is no condition on a label"):
        parse_selector(text)
