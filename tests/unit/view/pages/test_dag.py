"""The steps as a tree: forks, joins, sequences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import Story, a_step

from controller.view.pages import dag
from controller.view.pages.dag import tree

Needs = dict[str, str]  # step -> the names of its dependencies, a letter each


def drawn(needs: Needs) -> list[str]:
    steps = [a_step(name, *before) for name, before in needs.items()]
    life = Story(checked=False).accept(steps).life()
    return [f"{branch.lead}{branch.step.name}" for branch in tree(life.steps)]


@pytest.mark.parametrize(
    ("needs", "lines"),
    [
        pytest.param({"a": "", "b": "a", "c": "b"}, ["a", "b", "c"], id="a chain"),
        pytest.param({"a": "", "b": ""}, ["├ a", "└ b"], id="nothing in common"),
        pytest.param(
            {"a": "", "b": "a", "c": "ab"}, ["a", "b", "c"], id="an edge that adds nothing"
        ),
        pytest.param(
            {"a": "", "b": "a", "c": "a", "d": "bc"}, ["a", "├ b", "└ c", "d"], id="a diamond"
        ),
        pytest.param(
            {"a": "", "b": "a", "c": "b", "d": "a", "e": "cd", "f": "e"},
            ["a", "├ b", "│ c", "└ d", "e", "f"],
            id="a branch of two steps",
        ),
        pytest.param(
            {"a": "", "b": "a", "c": "a", "d": "b", "e": "b", "f": "de", "g": "cf"},
            ["a", "├ b", "│ ├ d", "│ └ e", "│ f", "└ c", "g"],
            id="a fork in a fork",
        ),
        pytest.param(
            {"a": "", "b": "", "c": "ab", "d": "ab"},
            ["├ a", "└ b", "┌ c", "└ d"],
            id="two full layers",
        ),
        pytest.param({"c": "b", "b": "a", "a": ""}, ["a", "b", "c"], id="written backwards"),
    ],
)
def test_a_dag_as_a_tree(needs: Needs, lines: list[str]) -> None:
    assert drawn(needs) == lines


@st.composite
def dags(draw: st.DrawFn) -> Needs:
    names = "abcdefghijkl"[: draw(st.integers(1, 12))]
    order = draw(st.permutations(names))
    needs = {
        name: "".join(sorted(draw(st.sets(st.sampled_from(order[:at]), max_size=3)) if at else []))
        for at, name in enumerate(order)
    }
    return {name: needs[name] for name in names}


@given(dags())
def test_every_step_is_there_once_behind_its_dependencies(needs: Needs) -> None:
    names = [line[-1] for line in drawn(needs)]
    assert sorted(names) == sorted(needs)
    assert all(names.index(need) < names.index(name) for name in needs for need in needs[name])


@given(dags())
def test_a_corner_is_the_last_of_a_fork_and_no_line_hangs_in_the_air(needs: Needs) -> None:
    lines = drawn(needs)
    for above, line in zip(["", *lines], lines, strict=False):
        for column, char in enumerate(line[:-1]):
            if char == "│":
                assert above[column : column + 1] in ("│", "├", "┌"), "\n".join(lines)


def test_a_long_chain_needs_no_deep_stack() -> None:
    count = dag.STEPS_MAX
    steps = [a_step(f"s{n}", *([f"s{n + 1}"] if n + 1 < count else [])) for n in range(count)]
    branches = tree(Story(checked=False).accept(steps).life().steps)
    assert [branch.step.name for branch in branches] == [f"s{n}" for n in reversed(range(count))]
    assert {branch.lead for branch in branches} == {""}


def test_what_no_picture_has_room_for_is_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag, "STEPS_MAX", 2)
    assert drawn({"c": "ab", "b": "", "a": ""}) == ["a", "b", "c"]
