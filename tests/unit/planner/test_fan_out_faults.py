"""Where children, their parent and what it depends on get into each other's way."""

from typing import Any

import pytest
from story import Story, a_step

ITEM = {"ITEM": "${{ item }}"}


def fan(name: str, items: Any, *after: Any, **fields: Any) -> dict[str, Any]:
    return a_step(name, *after, **{"forEach": items, "env": ITEM, **fields})


def gives(names: str) -> bytes:
    return f'{{"names": {names}}}'.encode()


FIND = a_step("find", outputs={"names": "array"})
LOAD = fan("load", "${{ steps.find.outputs.names }}", "find")


# ---------------------------------------- places


def test_a_child_that_leaves_keeps_its_place_until_it_has_ended() -> None:
    story = Story().accept([fan("load", ["a"], parallelism=1)]).start("load[a]")
    story.accept([fan("load", ["b"], parallelism=1)])
    assert story.live() == {"load[a]"}
    story.end("load[a]")
    assert story.live() == {"load[b]"}


def test_a_child_that_runs_counts_when_a_limit_comes_later() -> None:
    story = Story().accept([fan("load", ["a"])]).start("load[a]")
    story.accept([fan("load", ["b"])])
    story.accept([fan("load", ["b", "c"], parallelism=1)])
    story.end("load[a]").end("load[b]", how="withdrawn")
    assert story.live() == {"load[c]"}


def test_a_step_that_becomes_plain_while_a_child_of_a_limit_runs() -> None:
    story = Story().accept([fan("load", ["a", "b"], parallelism=1)]).start("load[a]")
    story.accept([a_step("load")]).end("load[a]").exit("load")
    assert story.life().phase == "Succeeded"


def test_a_start_that_is_withdrawn_takes_the_place_that_was_freed_meanwhile() -> None:
    story = Story().accept([fan("load", ["a", "b"])])
    story.accept([fan("load", ["a", "b"], parallelism=1)])
    story.exit("load[a]")
    story.end("load[b]", how="withdrawn")
    assert story.live() == {"load[b]"}


def test_a_child_in_backoff_that_is_reset_gives_its_place_back() -> None:
    step = fan("load", ["a", "b"], parallelism=1, retry={"limit": 1})
    story = Story().accept([step]).exit("load[a]", 1)
    assert story.why("load[a]") == ("Pending", "BackOff")
    story.mark(steps=["load[a]"])
    assert story.live() == {"load[b]"}


@pytest.mark.parametrize("limit", [1, 2])
def test_a_child_that_has_begun_keeps_its_one_place_when_an_edit_comes(limit: int) -> None:
    steps = [fan("load", ["a", "b"], parallelism=limit, retry={"limit": 1})]
    story = Story().accept(steps).exit("load[a]", 1).wait(2)
    story.accept(steps, suspend=True)
    for name in sorted(story.live()):
        story.end(name, how="withdrawn")
    story.accept(steps, suspend=True, priority=1)
    assert story.step("load").places == limit
    story.accept(steps)
    assert story.live() == {"load[a]", "load[b]"} - ({"load[b]"} if limit == 1 else set())


# ---------------------------------------- plain steps and such with children


@pytest.mark.parametrize("slots", [0, 1])
def test_a_queued_step_that_gets_a_list_is_not_started_itself(slots: int) -> None:
    first = [a_step("other"), a_step("load")]
    story = Story().accept(first, parallelism=1 + slots)
    story.accept([a_step("other"), fan("load", ["a"])], parallelism=2)
    while "load[a]" not in story.live():
        story.end("load")
    assert story.why("load") == ("Pending", "Expanded")


def test_no_result_is_kept_of_another_shape() -> None:
    plain = a_step("load", onChanged="KeepResult", outputs={"n": "integer"})
    many = {**plain, "forEach": ["a"]}
    story = Story().accept([plain]).exit("load", outputs=b"n=1").accept([many])
    assert story.live() == {"load[a]"}
    story.exit("load[a]", outputs=b"n=2").accept([plain])
    assert story.live() == {"load"}
    assert list(story.life().steps) == ["load"]


def test_children_that_leave_are_looked_at_beside_the_plain_step() -> None:
    story = Story().accept([fan("load", ["a", "a"], onRemoved="Finish")])
    story.accept([a_step("load")])
    assert all(story.step(name).live.ending for name in ("load[a]", "load[a#2]"))  # type: ignore[union-attr]


def test_children_that_came_back_with_the_list_run_again() -> None:
    many = fan("load", ["a"])
    story = Story().accept([many]).exit("load[a]")
    story.accept([a_step("load")]).accept([many]).end("load", how="withdrawn")
    story.exit("load[a]")
    assert story.why("load[a]") == ("Succeeded", "Completed")
    assert story.life().phase == "Succeeded"


# ---------------------------------------- a dependency that runs again


def test_a_child_that_starts_after_all_does_not_run_its_parent_before_that_is_expanded() -> None:
    story = Story().accept([FIND, LOAD]).exit("find", outputs=gives('["x"]'))
    story.accept([{**FIND, "run": "other"}, LOAD]).start("load[x]")
    assert story.why("load") == ("Pending", "DependencyReran")


def test_children_let_go_by_a_skip_wait_for_nothing() -> None:
    first = fan("load", ["c"])
    story = Story().accept([first]).start("load[c]")
    alarm = {"step": "find", "condition": "Failed"}
    story.accept([a_step("find"), fan("load", ["c"], alarm)]).exit("find")
    assert story.why("load") == ("Skipped", "DependencySucceeded")
    story.end("load[c]")
    assert sorted(story.life().steps) == ["find", "load"]
    assert story.life().finished


def test_children_wait_while_a_dependency_is_retried() -> None:
    after = {"step": "find", "condition": "Finished"}
    story = Story().accept([a_step("find"), fan("load", ["a", "b"], after, parallelism=1)])
    story.exit("find", 1).exit("load[a]", 1)
    story.ask("retry", "find", "load[a]")
    story.exit("load[b]")
    assert story.live() == {"find"}, "none of the children"
    story.exit("find")
    assert story.live() == {"load[a]"}


def test_a_list_made_again_runs_what_is_new_or_another_and_drops_what_is_gone() -> None:
    load = fan("load", "${{ steps.find.outputs.names }}", "find", key="${{ item.k }}")
    story = Story().accept([FIND, load])
    story.exit("find", outputs=gives('[{"k": "a"}, {"k": "b", "v": 1}, {"k": "c"}]'))
    story.exit("load[a]").exit("load[b]").start("load[c]")
    story.ask("retry", "find")
    assert story.live() == {"find", "load[c]"}, "what runs goes on"
    story.exit("find", outputs=gives('[{"k": "d"}, {"k": "b", "v": 2}, {"k": "c"}]'))
    assert sorted(story.live()) == ["load[b]", "load[c]", "load[d]"]
    assert "load[a]" not in story.life().steps
    assert story.why("load") == ("Running", "Started")


def test_a_child_that_comes_back_while_it_is_stopped_is_not_taken_as_it_was() -> None:
    load = {**LOAD, "onRemoved": "Finish"}
    story = Story().accept([FIND, load]).exit("find", outputs=gives('["x"]')).start("load[x]")
    story.ask("retry", "find")
    story.exit("find", outputs=gives('["y"]'))
    assert story.step("load[x]").leaving is not None
    story.ask("retry", "find")
    story.exit("find", outputs=gives('["x"]'))
    assert story.step("load[x]").leaving is None
    story.end("load[x]")
    assert story.live() >= {"load[x]"}, "it runs again"


@pytest.mark.parametrize(
    ("failed", "why"),
    [("a", "load[a] runs again"), ("ab", "load[a] and 1 more run again")],
)
def test_an_edit_says_which_children_are_tried_again(failed: str, why: str) -> None:
    story = Story().accept([fan("load", ["a", "b"])])
    for key in "ab":
        story.exit(f"load[{key}]", key in failed)
    story.accept([fan("load", ["a", "b"]), a_step("other")])
    assert story.life().effects["load"].message == why


def test_retry_downstream_runs_the_children_again() -> None:
    story = Story().accept([FIND, LOAD, a_step("last", "load")])
    story.exit("find", outputs=gives('["x", "y"]')).exit("load[x]").exit("load[y]").exit("last")
    story.ask("retry", "find", downstream=True)
    assert story.live() == {"find"}
    story.exit("find", outputs=gives('["x", "y"]'))
    assert sorted(story.live()) == ["load[x]", "load[y]"]
    story.exit("load[x]").exit("load[y]")
    assert story.live() == {"last"}


# ---------------------------------------- what a result was made from


def after(name: str) -> dict[str, str]:
    return {"step": name, "condition": "Finished"}


@pytest.mark.parametrize("made", [a_step("find"), fan("find", ["f"])])
def test_children_run_again_after_a_dependency_did(made: dict[str, Any]) -> None:
    steps = [made, fan("load", ["a", "b"], after("find"))]
    story = Story().accept(steps)
    failing = next(iter(story.live()))
    story.exit(failing, 1).exit("load[a]").exit("load[b]")
    story.accept(steps, priority=1)
    assert story.live() == {failing}
    story.exit(failing)
    assert story.live() == {"load[a]", "load[b]"}


def test_children_stand_if_the_edit_is_taken_back_before_the_dependency_runs() -> None:
    load = fan("load", ["a", "b"], "find")
    story = Story().accept([a_step("find"), load]).exit("find").exit("load[a]").exit("load[b]")
    story.accept([a_step("find", run="other"), load], suspend=True)
    assert story.why("load[a]") == ("Pending", "DependencyReran")
    story.accept([a_step("find"), load])
    assert story.life().phase == "Succeeded"
    assert story.step("load[a]").numbered == 1


def test_dependents_run_again_if_a_child_is_skipped_now() -> None:
    steps = [fan("load", ["a"], when="${{ item != params.p }}"), a_step("last", after("load"))]
    story = Story().accept(steps, params={"p": ""}).exit("load[a]", 1).exit("last")
    story.accept(steps, params={"p": "a"})
    assert story.why("load[a]") == ("Skipped", "WhenFalse")
    assert story.live() == {"last"}


def test_dependents_run_again_if_a_skipped_step_has_an_empty_list_now() -> None:
    last = a_step("last", "load")
    story = Story().accept([fan("load", [], when="${{ false }}"), last]).exit("last")
    story.accept([fan("load", []), last])
    assert story.why("load") == ("Succeeded", "Completed")
    assert story.live() == {"last"}


def test_a_step_without_children_has_none_that_failed() -> None:
    last = a_step("last", after("load"), when="${{ steps.load.failed == [] }}")
    steps = [fan("load", "${{ params.l }}", key="${{ item.k }}"), last]
    story = Story().accept(steps, params={"l": [{"k": "a"}]}).exit("load[a]", 1)
    assert story.why("last") == ("Skipped", "WhenFalse")
    story.accept(steps, params={"l": [1]})
    assert story.why("load") == ("Failed", "ExpansionFailed")
    assert story.live() == {"last"}


# ---------------------------------------- a `when`


def test_a_when_that_reads_the_index_is_asked_again_in_another_order() -> None:
    load = {"when": "${{ index < 1 }}"}
    story = Story().accept([fan("load", ["a", "b"], **load)]).exit("load[a]")
    assert story.why("load[b]") == ("Skipped", "WhenFalse")
    story.accept([fan("load", ["b", "a"], **load)])
    assert story.live() == {"load[b]"}
    assert story.why("load[a]") == ("Succeeded", "Completed"), "an edit undoes nothing"


def test_a_when_is_asked_again_of_a_child_that_waits_with_another_item() -> None:
    fields = {"key": "${{ item.k }}", "when": "${{ item.v > 0 }}", "env": {}}
    story = Story().accept([fan("load", [{"k": "a", "v": 1}], **fields)], parallelism=1)
    assert story.live() == {"load[a]"}
    story.accept([fan("load", [{"k": "a", "v": 0}], **fields)], parallelism=1)
    story.end("load[a]", how="withdrawn")
    assert story.why("load[a]") == ("Skipped", "WhenFalse")


def test_a_when_is_asked_again_of_a_child_that_comes_back_with_another_item() -> None:
    fields = {"key": "${{ item.k }}", "when": "${{ item.v > 0 }}"}
    fields["onRemoved"] = "Finish"
    story = Story()
    for items in ([{"k": "a", "v": 1}], [], [{"k": "a", "v": 0}]):
        story.accept([fan("load", items, **fields)])
        assert story.live() == {"load[a]"}
    story.end("load[a]", how="withdrawn")
    assert story.why("load[a]") == ("Skipped", "WhenFalse")


def test_a_when_is_asked_again_if_a_list_made_again_has_another_item() -> None:
    load = fan("load", "${{ steps.find.outputs.names }}", "find", key="${{ item.k }}")
    load |= {"when": "${{ item.v > 0 }}", "env": {}}
    story = Story().accept([FIND, load])
    story.exit("find", outputs=gives('[{"k": "a", "v": 0}, {"k": "b", "v": 1}]'))
    story.start("load[b]")
    story.retry("find")
    story.exit("find", outputs=gives('[{"k": "a", "v": 1}, {"k": "b", "v": 1}]'))
    assert story.live() == {"load[a]", "load[b]"}


def test_a_when_that_becomes_one_of_the_items_is_not_asked_of_the_step() -> None:
    story = Story().accept([fan("load", ["a"], when="${{ false }}")])
    story.accept([fan("load", ["a"], when="${{ item == 'a' }}")])
    assert story.live() == {"load[a]"}


def test_a_when_is_asked_again_of_a_step_that_could_not_be_expanded() -> None:
    load = fan("load", "${{ params.p.l }}", continueOnFailure=True)
    story = Story().accept([{**load, "when": "${{ true }}"}], params={"p": {"default": {}}})
    assert story.why("load") == ("Failed", "ExpansionFailed")
    story.accept([{**load, "when": "${{ false }}"}], params={"p": {"default": {}}})
    assert story.why("load") == ("Skipped", "WhenFalse")


def test_a_when_is_not_asked_again_of_a_step_whose_dependency_did_not_run_in_the_end() -> None:
    steps = [
        a_step("first"),
        a_step("may", after("first"), when="${{ steps.first.phase == 'Skipped' }}"),
        fan("load", ["a"], "may"),
    ]
    story = Story().accept(steps).exit("first", 1).exit("load[a]")
    assert story.why("may") == ("Skipped", "WhenFalse")
    story.accept([*steps[:2], {**steps[2], "when": "${{ false }}"}])
    story.exit("first")
    assert story.why("load[a]") == ("Succeeded", "Completed")
    assert story.step("load[a]").numbered == 1


# ---------------------------------------- others


def test_a_timeout_follows_a_child_that_comes_back() -> None:
    steps = [fan("load", ["a", "b"], timeoutSeconds=5, onRemoved="Finish")]
    story = Story().accept(steps).start("load[a]")
    story.accept([fan("load", ["b"], onRemoved="Finish")]).accept(steps)
    story.wait(6)
    assert story.attempt("load[a]").ending.reason == "Timeout"  # type: ignore[union-attr]


def test_a_run_begins_when_a_child_starts_not_when_it_is_queued() -> None:
    story = Story().accept([fan("load", ["a"])])
    assert not story.life().in_run
    assert story.start("load[a]").life().in_run


def test_a_suspended_workflow_without_a_run_begins_none_by_a_skip() -> None:
    steps = [a_step("a"), a_step("b", "a")]
    story = Story().accept(steps, suspend=True).mark(steps=["a"])
    assert story.why() == ("Suspended", "Suspended")
    assert story.why("b")[0] == "Pending"
    story.unmark().accept(steps)
    assert story.live() == {"a"}


def test_a_step_that_comes_back_before_its_children_of_old_have_ended_starts() -> None:
    story = Story().accept([a_step("load", forEach=["a"])]).start("load[a]")
    story.accept([a_step("load")]).accept([a_step("other")]).end("load")
    assert not story.step("load").live
    story.accept([a_step("load")])
    assert story.step("load").live
