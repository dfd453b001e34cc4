"""What an edit would do while markers are there: told beforehand, and then seen."""

from typing import Any

from story import Story, a_step, document, template

from controller.rehearsal.foresee import Change, of_document
from controller.spec.reading.load import Document as Loaded


def foreseen(story: Story, steps: list[dict[str, Any]]) -> Change:
    return of_document(story.state, Loaded(workflow=document(steps), line=1))


def actions(change: Change) -> dict[str, str]:
    return {name: effect.action for name, effect in change.steps.items()}


def tries(story: Story) -> dict[str, int]:
    return {name: step.numbered for name, step in story.life().steps.items()}


def chain(first: str = "a") -> list[dict[str, Any]]:
    return [a_step("a", run=first), a_step("b", "a"), a_step("c", "b"), a_step("lone")]


def test_a_step_under_a_marker_and_what_depends_on_it_start_nothing() -> None:
    story = Story().accept(chain()).exit("lone").start("a").mark(steps=["a"]).end("a")
    change = foreseen(story, chain("new"))
    assert set(actions(change).values()) == {"keep"}
    assert change.note == "w.cancel keeps a from starting"
    assert change.steps["b"].message == (
        'does not start: it depends on "a", which w.cancel keeps from starting'
    )
    before = tries(story)
    story.accept(chain("new"))
    assert tries(story) == before
    assert story.phases() == {"a": "Cancelled", "b": "Skipped", "c": "Skipped", "lone": "Succeeded"}


def test_what_is_lost_and_what_is_ended_is_told() -> None:
    """`keep` would be untrue of a result that is gone, and of a step that is ended."""
    story = Story().accept(chain()).exit("lone").exit("a").start("b").mark(steps=["a"])
    change = foreseen(story, chain("new"))
    assert actions(change) == {"a": "run", "b": "restart", "c": "keep", "lone": "keep"}
    assert change.steps["a"].message == (
        "run changed; its result is dropped, and it does not start while w.cancel exists"
    )
    story.accept(chain("new")).end("b")
    assert story.life().effects["a"].message == "run changed", "the record has what the edit does"
    assert tries(story) == {"a": 1, "b": 1, "c": 0, "lone": 1}
    assert story.phases()["a"] == "Cancelled" and story.phases()["b"] == "Skipped"


def test_a_new_step_that_a_marker_bars_starts_nothing() -> None:
    story = Story().accept(chain()).exit("lone").start("a").mark(steps=["a"]).end("a")
    edited = [*chain("new"), a_step("e", "b")]
    change = foreseen(story, edited)
    assert change.steps["e"].reason == "CancelMarker"
    story.accept(edited)
    assert story.life().effects["e"].reason == "StepAdded"
    assert tries(story)["e"] == 0 and story.phases()["e"] == "Skipped"


def test_taken_back_under_the_marker_it_stands_again() -> None:
    story = Story().accept(chain()).exit("lone").start("a").mark(drain=True)
    story.accept(chain("new")).exit("a")
    assert story.phases()["a"] == "Cancelled"
    story.accept(chain())
    assert story.phases()["a"] == "Succeeded", "what it came to is still there"


def test_what_may_start_all_the_same_is_told_as_such() -> None:
    """A dependent on `Finished` of a skipped step, and one that was never in the way."""
    steps = [*chain()[:2], a_step("after", {"step": "b", "condition": "Finished"})]
    edited = [*chain("new")[:2], steps[2], a_step("d")]
    story = Story().accept(steps).start("a").mark(steps=["a"]).end("a").exit("after")
    change = foreseen(story, edited)
    assert actions(change) == {"a": "keep", "b": "keep", "after": "run", "d": "run"}
    story.accept(edited)
    assert tries(story) == {"a": 1, "b": 0, "after": 2, "d": 1}


def test_a_marker_on_a_step_that_the_edit_leaves_alone_is_no_news() -> None:
    story = Story().accept(chain()).exit("a").exit("b").exit("c").mark(steps=["a"])
    change = foreseen(story, [*chain(), a_step("d")])
    assert actions(change)["d"] == "run" and actions(change)["lone"] == "keep"
    assert change.note == ""


def test_what_drains_may_end_and_starts_no_more() -> None:
    story = Story().accept(chain()).start("a").mark(drain=True)
    change = foreseen(story, chain("new"))
    assert actions(change) == {"a": "continue", "b": "keep", "c": "keep", "lone": "keep"}
    assert change.note == "cancelled by w.cancel"
    story.accept(chain("new"))
    assert story.attempt("a").ending is None
    story.exit("a").end("lone")
    assert tries(story) == {"a": 1, "b": 0, "c": 0, "lone": 1}
    assert set(story.phases().values()) == {"Cancelled"}


def test_one_step_that_drains_may_end_as_well() -> None:
    story = Story().accept(chain()).exit("lone").start("a").mark(steps=["a"], drain=True)
    change = foreseen(story, chain("new"))
    assert actions(change) == {"a": "continue", "b": "keep", "c": "keep", "lone": "keep"}
    story.accept(chain("new"))
    assert story.attempt("a").ending is None
    story.exit("a")
    assert tries(story) == {"a": 1, "b": 0, "c": 0, "lone": 1}
    assert story.phases()["a"] == "Cancelled"


def test_a_removed_step_that_drains_may_end() -> None:
    story = Story().accept(chain()).start("a", "lone").mark(drain=True).accept([a_step("lone")])
    assert story.attempt("a").ending is None
    story.exit("a").exit("lone")
    assert list(story.life().steps) == ["lone"]
    assert story.life().phase == "Cancelled"


# ---------------------------------------- children


def fanned(items: Any, find: str = "find", **fields: Any) -> list[dict[str, Any]]:
    finds = a_step("find", run=find, outputs={"names": "array"})
    return [finds, a_step("load", "find", forEach=items, env={"N": "${{ item }}"}, **fields)]


def of_the_list(story: Story, steps: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    change = foreseen(story, steps)
    return {name: (effect.action, effect.reason) for name, effect in change.steps.items()}


def test_of_a_new_step_the_children_are_named_as_far_as_they_are_known() -> None:
    assert list(of_the_list(Story(), fanned(["a", "b"]))) == ["find", "load", "load[a]", "load[b]"]
    assert list(of_the_list(Story(), fanned("${{ steps.find.outputs.names }}"))) == ["find", "load"]


def test_of_an_edited_list_each_child_is_named() -> None:
    story = Story().accept(fanned(["a", "b"])).exit("find", outputs=b"names=[]")
    story.exit("load[a]").exit("load[b]")
    found = of_the_list(story, fanned(["b", "c"]))
    assert found["load[a]"] == ("remove", "StepRemoved")
    assert found["load[b]"] == ("keep", "Unchanged")
    assert found["load[c]"] == ("run", "StepAdded")


def test_a_list_that_is_known_is_told_also_if_a_dependency_runs_again() -> None:
    story = Story().accept(fanned(["a", "b"])).exit("find", outputs=b"names=[]")
    story.exit("load[a]").exit("load[b]")
    found = of_the_list(story, fanned(["b", "c"], find="other"))
    assert found["load[a]"] == ("remove", "StepRemoved")
    assert found["load[b]"] == ("run", "DependencyReran")
    assert found["load[c]"] == ("run", "StepAdded")


def test_of_a_list_that_is_made_again_nothing_is_known_yet() -> None:
    items = "${{ steps.find.outputs.names }}"
    story = Story().accept(fanned(items)).exit("find", outputs=b'names=["a"]').exit("load[a]")
    change = foreseen(story, fanned(items, find="other"))
    effect = change.steps["load[a]"]
    assert (effect.action, effect.reason) == ("run", "NotKnownYet")
    assert effect.message == (
        'its list is made again, since it depends on "find", which runs again'
    )


# ---------------------------------------- templates

LOAD = a_step("load", env={"N": "${{ params.n }}"})


def calls(items: Any, *after: str, steps: Any = (LOAD,)) -> dict[str, Any]:
    """A document whose step `site` calls a template for these items."""
    call = {"name": "chain", "params": {"n": "${{ item }}"}}
    site = a_step("site", *after, template=call, forEach=items)
    first = a_step("find", outputs={"names": "array"})
    chain = template(*steps, params={"n": "x"})
    return {"steps": [first, site], "templates": {"chain": chain}}


def of_calls(story: Story, asked: dict[str, Any]) -> dict[str, tuple[str, str]]:
    change = of_document(story.state, Loaded(workflow=document(**asked), line=1))
    return {name: (effect.action, effect.message) for name, effect in change.steps.items()}


def test_the_steps_of_pieces_to_come_are_named_as_far_as_they_are_known() -> None:
    new = ("run", "new")
    assert of_calls(Story(), calls(["a"], "find")) == dict.fromkeys(
        ["find", "site", "site[a]", "site[a]/load"], new
    )
    unknown = calls("${{ steps.find.outputs.names }}", "find")
    assert list(of_calls(Story(), unknown)) == ["find", "site"]


def test_pieces_and_steps_that_go_say_where_they_no_longer_are() -> None:
    story = Story().accept(**calls(["a", "b"], steps=[LOAD, a_step("old")]))
    found = of_calls(story, calls(["b", "c"]))
    in_list, in_template = (("remove", f"no longer in the {one}") for one in ("list", "template"))
    assert (found["site[a]"], found["site[a]/load"]) == (in_list, in_list)
    assert found["site[b]/old"] == in_template
    assert found["site[b]/load"][0] == "keep"
    assert found["site[c]/load"] == ("run", "new in this generation")


def test_a_marker_that_names_a_caller_keeps_its_steps_from_starting() -> None:
    story = Story().accept(**calls(["a"])).exit("find", outputs=b"names=[]").exit("site[a]/load")
    story.mark(steps=["site"])
    found = of_calls(story, calls(["a"], steps=[a_step("load", run="other")]))
    assert found["site[a]/load"][1].endswith("it does not start while w.cancel exists")
