"""Steps with `forEach` and their children, as people and scripts see them."""

import json
import sys
from typing import Any

import msgspec
import pytest
from story import Story, a_step

from controller.model import events as e
from controller.planner.permission import Limits
from controller.view import words
from controller.view.children import in_order, meant, opened, progress, shown
from controller.view.lists.attempts import AttemptChoice, Shown, of_one_run, prefixes
from controller.view.lists.listing import list_table, listed
from controller.view.look import Look
from controller.view.pages.dag import tree, with_children
from controller.view.pages.page import critical_path, page, step_page
from controller.view.status import workflow_shape
from controller.view.story import happened, lines, names_step
from controller.view.table import render
from controller.view.why.explain import Around, causes, waits, ways
from controller.view.why.explain_step import explanation as of_step
from controller.view.why.roots import explanation

LOOK = Look(now=0)
UP = Around(runs=True, limits=Limits(max_parallel=4))
ITEM = {"ITEM": "${{ item }}"}


def fan(name: str = "load", *after: Any, **fields: Any) -> dict[str, Any]:
    return a_step(name, *after, **{"forEach": "${{ params.keys }}", "env": ITEM, **fields})


def told(
    *keys: Any,
    steps: list[dict[str, Any]] | None = None,
    slots: int = 4,
    checked: bool = True,
) -> Story:
    story = Story(Limits(max_parallel=slots), checked)
    return story.accept(steps or [fan(), a_step("report", "load")], params={"keys": list(keys)})


def of_a_failure() -> Story:
    """`us` failed, `eu` succeeded, `jp` runs."""
    story = told("eu", "us", "jp").start("load[jp]")
    return story.exit("load[us]", 1).exit("load[eu]")


def many(count: int = 1000) -> Story:
    """Too many for checks of everything after every event."""
    return told(*(f"k{n}" for n in range(count)), checked=False)


# ---------------------------------------- order, folding


def test_children_stand_below_their_parent_in_the_order_of_the_items() -> None:
    story = told("b", "a", steps=[fan(), a_step("x"), a_step("report", "load")])
    names = [step.name for step in in_order(story.life())]
    assert names == ["load", "load[b]", "load[a]", "x", "report"]


def test_what_an_edit_took_away_comes_last_until_it_has_ended() -> None:
    story = told("a", "b").start("load[a]")
    story.accept([fan(), a_step("report", "load")], params={"keys": ["b"]})
    names = [step.name for step in in_order(story.life())]
    assert names == ["load", "load[b]", "report", "load[a]"]


def test_children_are_in_the_tree_below_their_parent() -> None:
    steps = [fan(), fan("each", "x"), a_step("x"), a_step("end", "load", "each")]
    life = told("a", "b", steps=steps).exit("x").life()
    drawn = with_children(tree(life.steps), lambda parent: shown(life, parent), opened)
    assert [f"{branch.lead}{branch.step.name}" for branch in drawn] == [
        "├ load",
        "│   load[a]",
        "│   load[b]",
        "└ x",
        "  each",
        "    each[a]",
        "    each[b]",
        "end",
    ]


def test_past_twenty_they_are_folded_to_the_first_few_that_failed_or_run() -> None:
    assert len(shown((few := many(20)).life(), few.step("load"))) == 20
    story = many(21)
    assert [step.name for step in shown(story.life(), story.step("load"))] == []
    story.start("load[k0]").exit("load[k1]").exit("load[k3]", 1)
    names = [step.name for step in shown(story.life(), story.step("load"))]
    assert names == ["load[k0]", "load[k3]"]
    for n in range(4, 12):
        story.exit(f"load[k{n}]", 1)
    assert len(shown(story.life(), story.step("load"))) == 5


def test_progress_counts_each_phase() -> None:
    story = of_a_failure()
    assert progress(story.life(), story.step("load")) == "1 of 3 succeeded: 1 running, 1 failed"


def test_a_name_means_the_children_once() -> None:
    life = told("a", "b").life()
    assert meant(life, ["load[b]", "load", "report"]) == ["load[b]", "load[a]", "report"]


# ---------------------------------------- figures


def test_a_parent_counts_in_no_figure() -> None:
    story = of_a_failure()
    row = list(render(list_table(story.state, listed(story.state), LOOK)))[1]
    assert " 1/4 " in row
    assert row.endswith("running: load[jp]; 1 failed")
    story.exit("load[jp]")
    life = story.life()
    assert words.verdict(life) == "1 failed (load[us]), 1 skipped"
    assert ": 2 succeeded, 1 failed (load[us]), 1 skipped (report)" in words.summary(life)


def test_a_parent_without_children_is_named_where_it_fails() -> None:
    story = told("a", steps=[fan(forEach="${{ params.keys[7] }}")])
    assert words.verdict(story.life()) == "load could not be expanded"
    assert words.summary(story.life()).endswith(": load could not be expanded")


# ---------------------------------------- what each one says


def says(story: Story, step: str) -> tuple[str, str]:
    return words.of_step(story.state, story.life(), story.step(step))


def test_a_parent_says_how_far_its_children_are() -> None:
    story = told("a", "b")
    assert says(story, "load") == ("Expanded", "its 2 children have not started")
    story.exit("load[a]").start("load[b]")
    assert says(story, "load") == ("Started", "1 of 2 succeeded: 1 running")
    story.exit("load[b]")
    assert says(story, "load") == ("Completed", "all 2 children are done")


def test_a_child_that_the_limit_of_its_parent_keeps_back() -> None:
    story = told("a", "b", "c", steps=[fan(parallelism=2)]).start("load[a]")
    said = "waiting for other children of load (parallelism: 2)"
    assert says(story, "load[c]") == ("WaitingForSlot", said)
    reason, message = waits(story.state, story.life(), story.step("load[c]"), UP)
    assert (reason, message) == (
        "WaitingForSlot",
        "waiting for other children of load (parallelism: 2; running: a, b)",
    )


def test_a_child_waits_until_its_parent_is_expanded_again() -> None:
    find = a_step("find", outputs={"names": "array"})
    load = a_step("load", "find", forEach="${{ steps.find.outputs.names }}", env=ITEM)
    story = Story().accept([find, load]).exit("find", outputs=b'{"names": ["x"]}').exit("load[x]")
    story.accept([{**find, "run": "other"}, load])
    reason, message = says(story, "load[x]")
    assert reason == "NotKnownYet"
    assert message.endswith("; waiting until load is expanded")
    chain = causes(story.state, story.life(), story.step("load[x]"), UP)
    assert [cause.step for cause in chain] == ["load[x]", "load", "find"]


def why(story: Story, step: str) -> list[str]:
    life, one = story.life(), story.step(step)
    chain = ways(story.state, life, one, UP, LOOK)
    return list(of_step(story.state, life, one, chain, UP, LOOK, {}))


def test_explain_of_a_parent_groups_its_children() -> None:
    assert why(of_a_failure(), "load")[:4] == [
        "w/load is Running (Started): 1 of 3 succeeded: 1 running, 1 failed",
        "it has 3 children: eu, us, jp",
        "✗ load[us] failed (exit 1)",
        "● load[jp]: running",
    ]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ("${{ params.keys }}", "it will have 2 children: a, b"),
        ([], "it will have no children: the list is empty"),
        (
            "${{ steps.find.outputs.names }}",
            "its children are not known yet: their list is made from what find will give",
        ),
        ("${{ params.keys[7] }}", "it can't be expanded: "),
    ],
)
def test_explain_of_a_parent_says_what_it_will_be(items: Any, said: str) -> None:
    find = a_step("find", outputs={"names": "array"})
    story = told("a", "b", steps=[find, fan("load", "find", forEach=items)])
    assert why(story, "load")[2].startswith(said)


def test_what_a_parent_skipped_follows_from_the_child_that_failed() -> None:
    story = of_a_failure().exit("load[jp]")
    lines = list(explanation(story.state, story.life(), UP, LOOK, {}))
    assert lines[1] == "✗ load[us] failed (exit 1) → skipped: report"
    chain = causes(story.state, story.life(), story.step("report"), UP)
    assert [cause.step for cause in chain] == ["report", "load", "load[us]"]


def test_explain_groups_children_by_cause() -> None:
    story = told(*"abcdefgh", steps=[fan(parallelism=2)]).start("load[a]", "load[b]")
    lines = list(explanation(story.state, story.life(), UP, LOOK, {}))
    assert lines[1] == "● load: 2 children running: a, b"
    assert lines[2].partition(" ")[2] == (
        "load: 6 children waiting for other children of load (parallelism: 2; running: a, b): "
        "c, d, e, f, g, h"
    )


# ---------------------------------------- pages


def test_the_page_has_the_tree_with_children() -> None:
    story = of_a_failure()
    text = "\n".join(page(story.state, story.life(), Look(now=story.now)))
    rows = [line.split()[:3] for line in text.splitlines() if "load" in line and "─" not in line]
    assert rows[-5:-1] == [
        ["●", "load", "Running"],
        ["✓", "load[eu]", "Succeeded"],
        ["✗", "load[us]", "Failed"],
        ["●", "load[jp]", "Running"],
    ]


def test_the_page_folds_many_and_that_of_the_parent_does_not() -> None:
    story = many().start("load[k2]").exit("load[k1]", 1)
    text = "\n".join(page(story.state, story.life(), Look(now=story.now)))
    assert "0 of 1,000 succeeded: 1 running, 1 failed" in text
    assert "load[k1]" in text
    assert "load[k2]" in text
    assert "load[k9]" not in text
    whole = list(step_page(story.state, story.life(), story.step("load"), Look(now=story.now)))
    assert sum("load[k" in line for line in whole) == 1000


def test_the_page_of_a_child_has_its_item() -> None:
    story = told("eu", {"a": 1})
    name = next(name for name in story.step("load").children if name != "load[eu]")
    text = "\n".join(step_page(story.state, story.life(), story.step(name), LOOK))
    assert '{"a":1} (index 1 of load)' in text
    assert f"treadle explain w '{name}'" in text


def test_the_critical_path_goes_through_children() -> None:
    story = told("a", "b", steps=[a_step("x"), fan("load", "x"), a_step("y", "load")])
    story.exit("x").exit("load[b]").wait(1).exit("load[a]").exit("y")
    assert [step.name for step in critical_path(story.life())] == ["x", "load[a]", "y"]


# ---------------------------------------- scripts


def test_the_shape_of_parents_and_children() -> None:
    story = told("eu", steps=[fan(outputs={"rows": "integer"})])
    story.exit("load[eu]", outputs=b"rows=3")
    steps = json.loads(msgspec.json.encode(workflow_shape(story.state, story.life()).status.steps))
    parent, child = ({key: step[key] for key in KEYS} for step in steps)
    assert parent == {
        "name": "load", "parent": None, "key": None, "item": None, "index": None,
        "outputs": {"rows": [3]},
    }  # fmt: skip
    assert child == {
        "name": "load[eu]", "parent": "load", "key": "eu", "item": "eu", "index": 0,
        "outputs": {"rows": 3},
    }  # fmt: skip
    assert steps[0]["attempts"] == []


KEYS = ("name", "parent", "key", "item", "index", "outputs")


# ---------------------------------------- logs, events


def test_logs_of_a_parent_are_those_of_its_children() -> None:
    story = of_a_failure()
    shown_ = of_one_run(story.state, story.life(), AttemptChoice(word="w", steps=["load"]))
    names = [one.step.name for one in shown_ if isinstance(one, Shown)]
    assert names == ["load[eu]", "load[us]", "load[jp]"]


def test_of_many_children_none_is_said_to_have_no_output() -> None:
    story = many().exit("load[k3]")
    shown_ = list(of_one_run(story.state, story.life(), AttemptChoice(word="w", steps=["load"])))
    assert [one.step.name for one in shown_ if isinstance(one, Shown)] == [
        "load[k0]", "load[k1]", "load[k2]", "load[k3]", "load[k4]"
    ]  # fmt: skip
    assert len(shown_) == 5, "a line for each of the others would help nobody"


def test_prefixes_of_children_stay_short() -> None:
    life = told("eu").life()
    assert prefixes(life, ["load[eu]"], True, False)("load[eu]") == "[load[eu]] "
    assert len(prefixes(life, [], True, False)(f"load[{'x' * 190}]")) <= 43


def test_events_of_children() -> None:
    story, seen = told("eu", "us"), []
    story.exit("load[eu]").exit("load[us]")
    for record in story.records:
        found = list(happened(story.state, record, []))
        if isinstance(record.event, e.StepExpanded | e.StepCompleted):
            seen += [line.split("  ")[-1].strip() for line in lines(0, found, LOOK)]
            assert names_step(found[0], {"load"})
    assert seen == ["2 children: eu, us", "all 2 children are done"]
    assert names_step({"step": "load[eu]"}, {"load"})
    assert not names_step({"step": "loads[eu]"}, {"load"})


def test_to_explain_costs_the_same_for_each_child_that_waits() -> None:
    """Counted in looks at children: twice as many take twice as many, not four times."""

    def looks(count: int) -> int:
        story = Story(Limits(max_parallel=4), checked=False)
        keys = [f"k{n}" for n in range(count)]
        story.accept([fan(parallelism=2)], params={"keys": keys}).start("load[k0]")
        calls = 0

        def count_call(frame: Any, event: str, _arg: Any) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count_call)
        try:
            list(explanation(story.state, story.life(), UP, LOOK, {}))
        finally:
            sys.setprofile(None)
        return calls

    assert looks(400) < 2.5 * looks(200)
