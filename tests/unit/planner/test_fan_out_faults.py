"""Where children, their parent and what it depends on get into each other's way."""

from typing import Any

import pytest
from story import Story, a_step

from controller.intake.requests import answer
from controller.model.observations import Request

ITEM = {"ITEM": "${{ item }}"}


def fan(name: str, items: Any, *after: Any, **fields: Any) -> dict[str, Any]:
    return a_step(name, *after, **{"forEach": items, "env": ITEM, **fields})


def ask(story: Story, kind: str, *steps: str, **fields: Any) -> None:
    request = Request(
        name=f"{len(story.records)}",
        kind=kind,  # type: ignore[arg-type]
        workflow="w",
        steps=list(steps),
        **fields,
    )
    for action in answer(story.state, request) or ():
        story.promise(action)
    story.settle()


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
    story.end("load[a]").end("load[b]", how="withdrawn") if "load[b]" in story.live() else None
    assert len(story.live()) == 1


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
    ask(story, "retry", "find", "load[a]")
    story.exit("load[b]")
    assert story.live() == {"find"}, "none of the children"
    story.exit("find")
    assert story.live() == {"load[a]"}


def test_a_list_made_again_runs_what_is_new_or_another_and_drops_what_is_gone() -> None:
    load = fan("load", "${{ steps.find.outputs.names }}", "find", key="${{ item.k }}")
    story = Story().accept([FIND, load])
    story.exit("find", outputs=gives('[{"k": "a"}, {"k": "b", "v": 1}, {"k": "c"}]'))
    story.exit("load[a]").exit("load[b]").start("load[c]")
    ask(story, "retry", "find")
    assert story.live() == {"find", "load[c]"}, "what runs goes on"
    story.exit("find", outputs=gives('[{"k": "d"}, {"k": "b", "v": 2}, {"k": "c"}]'))
    assert sorted(story.live()) == ["load[b]", "load[c]", "load[d]"]
    assert "load[a]" not in story.life().steps
    assert story.why("load") == ("Running", "Started")


def test_a_child_that_comes_back_while_it_is_stopped_is_not_taken_as_it_was() -> None:
    load = {**LOAD, "onRemoved": "Finish"}
    story = Story().accept([FIND, load]).exit("find", outputs=gives('["x"]')).start("load[x]")
    ask(story, "retry", "find")
    story.exit("find", outputs=gives('["y"]'))
    assert story.step("load[x]").leaving is not None
    ask(story, "retry", "find")
    story.exit("find", outputs=gives('["x"]'))
    assert story.step("load[x]").leaving is None
    story.end("load[x]")
    assert story.live() >= {"load[x]"}, "it runs again"


def test_retry_downstream_runs_the_children_again() -> None:
    story = Story().accept([FIND, LOAD, a_step("last", "load")])
    story.exit("find", outputs=gives('["x", "y"]')).exit("load[x]").exit("load[y]").exit("last")
    ask(story, "retry", "find", downstream=True)
    assert story.live() == {"find"}
    story.exit("find", outputs=gives('["x", "y"]'))
    assert sorted(story.live()) == ["load[x]", "load[y]"]
    story.exit("load[x]").exit("load[y]")
    assert story.live() == {"last"}


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
