"""Steps with `forEach`: what they become, who of their children may begin, what they come to."""

from typing import Any

import pytest
from story import Story, a_step

from controller.model.state import Step

REGIONS = "${{ params.regions }}"
ITEM = {"ITEM": "${{ item }}"}


def fan(name: str = "load", *after: str, **fields: Any) -> dict[str, Any]:
    return a_step(name, *after, **{"forEach": REGIONS, "env": ITEM, **fields})


def regions(*names: Any) -> dict[str, Any]:
    return {"params": {"regions": list(names)}}


def children(story: Story, name: str = "load") -> list[Step]:
    return [story.step(child) for child in story.step(name).children]


def test_one_child_for_each_item_and_then_what_depends_on_it() -> None:
    story = Story().accept([fan(), a_step("last", "load")], **regions("eu", "us"))
    assert [child.name for child in children(story)] == ["load[eu]", "load[us]"]
    assert story.why("load") == ("Pending", "Expanded")
    assert sorted(story.live()) == ["load[eu]", "load[us]"]
    story.start("load[us]")
    assert story.why("load") == ("Running", "Started")
    story.exit("load[us]").exit("load[eu]")
    assert story.why("load") == ("Succeeded", "Completed")
    assert story.live() == {"last"} or list(story.live()) == ["last"]
    story.exit("last")
    assert story.life().phase == "Succeeded"
    run = story.state.runs["w"][-1]
    assert (run.steps, run.succeeded) == (3, 3), "a parent counts in no figure"


def test_an_empty_list_succeeds_at_once() -> None:
    story = Story().accept([fan(), a_step("last", "load")], **regions())
    assert story.why("load") == ("Succeeded", "Completed")
    assert list(story.live()) == ["last"]


def test_a_workflow_of_nothing_but_an_empty_list_has_a_run() -> None:
    story = Story().accept([fan()], **regions())
    assert (story.life().phase, story.life().run) == ("Succeeded", 1)


def test_a_failing_item_stops_no_sibling() -> None:
    steps = [
        fan(),
        a_step("ok", "load"),
        a_step("bad", {"step": "load", "condition": "Failed"}),
        a_step("end", {"step": "load", "condition": "Finished"}),
    ]
    story = Story().accept(steps, **regions("eu", "us", "jp"))
    story.exit("load[us]", 1).exit("load[eu]").exit("load[jp]")
    assert story.why("load") == ("Failed", "StepFailed")
    assert story.step("load").message == "1 of 3 children failed: us"
    assert story.why("ok") == ("Skipped", "DependencyFailed")
    assert sorted(story.live()) == ["bad", "end"]


def test_fail_fast_stops_them() -> None:
    story = Story().accept([fan()], failFast=True, **regions("eu", "us")).start("load[eu]")
    story.exit("load[us]", 1)
    assert story.step("load[eu]").live.ending.reason == "FailFast"
    story.end("load[eu]")
    assert story.why("load") == ("Failed", "StepFailed")
    assert story.life().phase == "Failed"


def test_outputs_are_collected_in_the_order_of_the_items() -> None:
    last = a_step(
        "last",
        {"step": "load", "condition": "Finished"},
        command=["echo", "${{ steps.load.outputs.rows }}", "${{ steps.load.failed }}"],
        env={"N": "${{ size(steps.load.outputs.rows) }}"},
    )
    last["command"] = ["echo", "x${{ steps.load.outputs.rows }}", "${{ steps.load.failed }}"]
    story = Story().accept([fan(outputs={"rows": "integer"}), last], **regions("b", "c", "a"))
    story.exit("load[a]", outputs=b"rows=1").exit("load[c]", 1).exit("load[b]", outputs=b"rows=3")
    assert story.step("load").outputs == {"rows": [3, None, 1]}
    assert story.attempt("last").values == {
        "steps.load.outputs.rows": [3, None, 1],
        "steps.load.failed": ["c"],
        "size(steps.load.outputs.rows)": 3,
    }


def test_its_own_parallelism_counts_those_that_have_begun() -> None:
    story = Story().accept([fan(parallelism=2, retry={"limit": 1})], **regions("a", "b", "c", "d"))
    assert sorted(story.live()) == ["load[a]", "load[b]"]
    story.exit("load[a]", 1)
    assert story.why("load[a]") == ("Pending", "BackOff")
    assert sorted(story.live()) == ["load[b]"], "one that waits to be tried again has begun"
    story.exit("load[b]")
    assert sorted(story.live()) == ["load[c]"]
    story.wait(2)
    assert sorted(story.live()) == ["load[a]", "load[c]"]
    story.exit("load[a]").exit("load[c]").exit("load[d]")
    assert story.life().phase == "Succeeded"


def test_its_parallelism_edited_while_it_runs() -> None:
    names = ("a", "b", "c", "d")
    story = Story().accept([fan(parallelism=1)], **regions(*names)).start("load[a]")
    story.accept([fan(parallelism=3)], **regions(*names))
    assert sorted(story.live()) == ["load[a]", "load[b]", "load[c]"]
    story.accept([fan(parallelism=2)], **regions(*names))
    story.end("load[c]", how="withdrawn")
    assert sorted(story.live()) == ["load[a]", "load[b]"]
    story.accept([fan()], **regions(*names))
    assert sorted(story.live()) == ["load[a]", "load[b]", "load[c]", "load[d]"]


def test_a_step_that_depends_on_what_gives_its_list() -> None:
    find = a_step("find", outputs={"names": "array"})
    load = a_step("load", "find", forEach="${{ steps.find.outputs.names }}", env=ITEM)
    story = Story().accept([find, load])
    assert story.why("load") == ("Pending", "WaitingForDependencies")
    story.exit("find", outputs=b'{"names": ["x", {"a": 1}, "x", 5]}')
    keys = [child.key for child in children(story)]
    assert (keys[0], keys[2], keys[3]) == ("x", "x#2", "5")
    assert [child.item for child in children(story)] == ["x", {"a": 1}, "x", 5]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b'{"names": 5}', ("Skipped", "DependencyFailed")),
        (b'{"names": {}}', ("Skipped", "DependencyFailed")),
    ],
)
def test_a_list_that_is_none(given: bytes, why: tuple[str, str]) -> None:
    find = a_step("find", outputs={"names": "array"})
    load = a_step("load", "find", forEach="${{ steps.find.outputs.names }}", env=ITEM)
    story = Story().accept([find, load]).exit("find", outputs=given)
    assert story.why("load") == why


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"forEach": "${{ params.l[7] }}"},
            "forEach: ${{ params.l[7] }} failed: the list has 1 element, and none with the index 7",
        ),
        ({"forEach": "${{ params.l[0] }}"}, "forEach: expected a list, found a mapping"),
        (
            {"forEach": "${{ params.many }}"},
            "forEach has 10,001 items; at most 10,000 are possible",
        ),
        (
            {"forEach": {"matrix": {"a": "${{ params.many.map(x, [x]) }}", "b": [1, 2]}}},
            "the matrix has 20,002 combinations; at most 10,000 are possible",
        ),
        (
            {"forEach": "${{ params.l }}", "key": "${{ item.b }}"},
            'key of the item with index 0: ${{ item.b }} failed: the map has no key "b"',
        ),
        (
            {"forEach": "${{ params.l }}", "key": "${{ item.none }}"},
            "key of the item with index 0: ${{ item.none }} gives null, which has no text",
        ),
    ],
)
def test_why_a_list_can_not_be_made(fields: dict[str, Any], message: str) -> None:
    params = {"l": [{"none": None}], "many": list(range(10_001))}
    story = Story().accept([a_step("load", **fields)], params=params)
    assert story.life().steps["load"].message == message
    assert story.why("load") == ("Failed", "ExpansionFailed")


def test_a_list_that_fails_fails_the_step() -> None:
    load = fan(forEach="${{ params.regions[7] }}")
    story = Story().accept([load], **regions("a"))
    assert story.why("load") == ("Failed", "ExpansionFailed")
    assert story.life().phase == "Failed"
    assert story.life().run == 1


def test_when_is_asked_once_or_for_each() -> None:
    once = Story().accept([fan(when="${{ size(params.regions) > 5 }}")], **regions("a"))
    assert once.why("load") == ("Skipped", "WhenFalse")
    each = Story().accept([fan(when="${{ item != 'b' }}")], **regions("a", "b", "c"))
    assert each.why("load[b]") == ("Skipped", "WhenFalse")
    each.exit("load[a]").exit("load[c]")
    assert each.why("load") == ("Succeeded", "Completed")


# ---------------------------------------- edits


def test_an_edit_of_the_list_runs_what_is_new_and_drops_what_is_gone() -> None:
    steps = [fan(), a_step("last", "load")]
    story = Story().accept(steps, **regions("a", "b")).exit("load[a]").exit("load[b]").exit("last")
    story.accept(steps, **regions("b", "c"))
    assert [child.name for child in children(story)] == ["load[b]", "load[c]"]
    assert "load[a]" not in story.life().steps
    assert list(story.live()) == ["load[c]"]
    assert story.why("load[b]") == ("Succeeded", "Completed")
    story.exit("load[c]")
    assert list(story.live()) == ["last"], "what depends on the list runs again"
    assert story.step("load[b]").numbered == 1


def test_another_order_runs_only_what_depends_on_it_and_who_uses_the_index() -> None:
    steps = [fan(), fan("at", env={"N": "${{ index }}"}), a_step("last", "load")]
    story = Story().accept(steps, **regions("a", "b"))
    for name in ("load[a]", "load[b]", "at[a]", "at[b]", "last"):
        story.exit(name)
    story.accept(steps, **regions("b", "a"))
    assert sorted(story.live()) == ["at[a]", "at[b]", "last"]


def test_a_list_edited_while_others_run() -> None:
    story = Story().accept([fan()], **regions("a", "b", "c")).start("load[a]", "load[b]")
    story.exit("load[c]")
    story.accept([fan()], **regions("a", "d"))
    assert story.step("load[b]").live.ending.reason == "StepRemoved"
    assert sorted(story.live()) == ["load[a]", "load[b]", "load[d]"]
    assert story.step("load").phase == "Running"
    story.exit("load[a]").exit("load[d]")
    assert story.step("load").phase == "Running", "it waits for what is being stopped"
    story.end("load[b]")
    assert story.why("load") == ("Succeeded", "Completed")
    assert sorted(story.life().steps) == ["load", "load[a]", "load[d]"]


def test_an_edit_of_what_a_child_does_runs_all() -> None:
    story = Story().accept([fan()], **regions("a", "b")).exit("load[a]").start("load[b]")
    story.accept([fan(run="other")], **regions("a", "b"))
    assert story.step("load[b]").live.ending.reason == "SpecChanged"
    assert sorted(story.live()) == ["load[a]", "load[b]"]


def test_a_dependency_that_runs_again_has_the_list_made_again() -> None:
    find = a_step("find", outputs={"names": "array"})
    load = a_step("load", "find", forEach="${{ steps.find.outputs.names }}", env=ITEM)
    story = Story().accept([find, load]).exit("find", outputs=b'{"names": ["x", "y"]}')
    story.exit("load[x]").exit("load[y]")
    story.accept([{**find, "run": "other"}, load])
    assert story.why("load") == ("Pending", "DependencyReran")
    assert story.why("load[x]") == ("Pending", "NotKnownYet")
    assert list(story.live()) == ["find"]
    story.exit("find", outputs=b'{"names": ["y", "z"]}')
    assert sorted(story.live()) == ["load[y]", "load[z]"]
    story.exit("load[y]").exit("load[z]")
    assert story.life().phase == "Succeeded"


def test_from_a_plain_step_to_one_with_children_and_back() -> None:
    story = Story().accept([a_step("load")], **regions("a")).start("load")
    story.accept([fan()], **regions("a"))
    assert story.step("load").live.ending.reason == "SpecChanged"
    story.end("load")
    assert list(story.live()) == ["load[a]"]
    story.start("load[a]")
    story.accept([a_step("load")], **regions("a"))
    assert story.step("load[a]").live.ending.reason == "StepRemoved"
    story.end("load[a]").exit("load")
    assert story.life().phase == "Succeeded"
    assert list(story.life().steps) == ["load"]


def test_cancelled_as_a_whole_or_by_name() -> None:
    story = Story().accept([fan()], **regions("a", "b")).start("load[a]")
    story.mark(steps=["load"])
    story.end("load[a]").end("load[b]")
    assert story.why("load") == ("Cancelled", "StepCancelled")
    other = Story().accept([fan()], **regions("a", "b")).start("load[a]").mark()
    assert other.step("load").phase == "Running"
    other.end("load[a]").end("load[b]")
    assert other.step("load").phase == "Cancelled"
    assert other.life().phase == "Cancelled"


# ---------------------------------------- retries


def test_a_child_that_is_tried_again_waits_for_what_its_parent_depends_on() -> None:
    steps = [
        fan(),
        fan(
            "verify",
            {"step": "load", "condition": "Finished"},
            when="${{ !(item in steps.load.failed) }}",
        ),
    ]
    for order in (("load[b]", "verify[b]"), ("verify[b]", "load[b]")):
        story = Story().accept(steps, **regions("a", "b"))
        story.exit("load[a]").exit("load[b]", 1).exit("verify[a]")
        assert story.why("verify[b]") == ("Skipped", "WhenFalse")
        story.retry(*order)
        assert "load[b]" in story.live()
    story = Story().accept(steps, **regions("a", "b"))
    story.exit("load[a]").exit("load[b]", 1).exit("verify[a]").retry("load[b]", "verify[b]")
    assert story.why("verify") == ("Pending", "DependencyReran")
    assert story.step("verify[b]").phase == "Pending"
    story.exit("load[b]")
    assert list(story.live()) == ["verify[b]"], "verify[a] keeps its result"
    story.exit("verify[b]")
    assert story.life().phase == "Succeeded"


def test_a_dependency_that_is_tried_again_while_children_run() -> None:
    steps = [a_step("first"), fan("load", "first", parallelism=1), a_step("last", "load")]
    story = Story().accept(steps, **regions("a", "b", "c")).exit("first").start("load[a]")
    story.retry("first")
    assert sorted(story.live()) == ["first", "load[a]"]
    story.exit("load[a]")
    assert list(story.live()) == ["first"], "the others wait"
    story.exit("first").exit("load[b]").exit("load[c]").exit("last")
    assert story.life().phase == "Succeeded"

    story = Story().accept(steps, **regions("a", "b", "c")).exit("first").start("load[a]")
    story.retry("first").exit("first")
    assert story.step("load").phase == "Running"
    story.exit("load[a]").exit("load[b]").exit("load[c]").exit("last")
    assert story.life().phase == "Succeeded"

    story = Story().accept(steps, **regions("a", "b", "c")).exit("first").exit("load[a]")
    story.retry("first").exit("first", 1).end("load[b]")
    assert story.why("load") == ("Skipped", "DependencyFailed")
    assert story.life().phase == "Failed"
