"""Steps that call a template: what they become, what their steps see, what an edit does."""

from typing import Any

import pytest
from story import Story, a_step, template

CHAIN = template(
    a_step("prepare", env={"SITE": "${{ params.site }}"}),
    a_step("load", "prepare", outputs={"rows": "integer"}),
    params={"site": "x"},
    outputs={"rows": "${{ steps.load.outputs.rows }}"},
)


def call(name: str, *after: Any, template: str = "chain", **fields: Any) -> dict[str, Any]:
    params = fields.pop("params", None)
    given = {"name": template} | ({"params": params} if params is not None else {})
    return a_step(name, *after, template=given, **fields)


def each(name: str, items: Any, *after: Any, **fields: Any) -> dict[str, Any]:
    return call(name, *after, forEach=items, params={"site": "${{ item }}"}, **fields)


def test_its_steps_take_the_place_of_a_step() -> None:
    story = Story().accept([call("site"), a_step("end", "site")], templates={"chain": CHAIN})
    assert story.live() == {"site/prepare"}
    story.exit("site/prepare")
    assert story.live() == {"site/load"}
    story.exit("site/load", outputs=b'{"rows": 7}')
    assert story.live() == {"end"}
    assert story.step("site").outputs == {"rows": 7}
    assert story.exit("end").life().phase == "Succeeded"


def test_each_item_has_a_chain_of_its_own() -> None:
    story = Story().accept([each("site", ["a", "b"])], templates={"chain": CHAIN})
    assert story.live() == {"site[a]/prepare", "site[b]/prepare"}
    story.exit("site[a]/prepare")
    assert story.live() == {"site[a]/load", "site[b]/prepare"}  # no barrier
    story.exit("site[a]/load", outputs=b'{"rows": 1}').exit("site[b]/prepare", 1)
    assert story.why("site[b]/load") == ("Skipped", "DependencyFailed")
    assert story.step("site").outputs == {"rows": [1, None]}
    assert story.step("site").failed_keys == ["b"]
    assert story.life().phase == "Failed"


@pytest.mark.parametrize("limit", [1, 2])
def test_a_limit_counts_whole_pieces(limit: int) -> None:
    step = each("site", ["a", "b", "c"], parallelism=limit)
    story = Story().accept([step], templates={"chain": CHAIN})
    assert story.live() == {f"site[{key}]/prepare" for key in "abc"[:limit]}
    story.exit("site[a]/prepare")
    assert "site[a]/load" in story.live() and len(story.live()) == limit
    story.exit("site[a]/load", outputs=b'{"rows": 1}')
    assert f"site[{'abc'[limit]}]/prepare" in story.live() and len(story.live()) == limit


def test_an_edit_of_the_template_runs_what_it_touches_again() -> None:
    steps = [each("site", ["a", "b"]), a_step("end", "site")]
    story = Story().accept(steps, templates={"chain": CHAIN})
    for key in "ab":
        story.exit(f"site[{key}]/prepare").exit(f"site[{key}]/load", outputs=b'{"rows": 1}')
    assert story.exit("end").life().phase == "Succeeded"
    prepare, load = CHAIN["spec"]["steps"]
    edited = {**CHAIN, "spec": {**CHAIN["spec"], "steps": [prepare, {**load, "run": "new"}]}}
    story.accept(steps, templates={"chain": edited})
    assert story.live() == {"site[a]/load", "site[b]/load"}
    for key in "ab":
        story.exit(f"site[{key}]/load", outputs=b'{"rows": 2}')
    assert story.live() == {"end"}
    assert story.step("site").outputs == {"rows": [2, 2]}


def test_an_edit_of_the_list_leaves_the_other_pieces_alone() -> None:
    story = Story().accept([each("site", ["a", "b"])], templates={"chain": CHAIN})
    story.exit("site[a]/prepare")
    story.accept([each("site", ["b", "c"])], templates={"chain": CHAIN})
    assert story.live() == {"site[a]/load", "site[b]/prepare", "site[c]/prepare"}
    story.end("site[a]/load")
    assert "site[a]" not in story.life().steps
    assert not [name for name in story.life().steps if name.startswith("site[a]")]


def test_a_new_param_of_the_call_runs_again_what_reads_it() -> None:
    story = Story().accept([call("site", params={"site": "x"})], templates={"chain": CHAIN})
    story.exit("site/prepare").exit("site/load", outputs=b'{"rows": 7}')
    story.accept([call("site", params={"site": "y"})], templates={"chain": CHAIN})
    assert story.live() == {"site/prepare"}


def test_a_piece_comes_back_as_a_plain_step_before_its_steps_have_left() -> None:
    chain = template(a_step("i", forEach=["b"]))
    piece = call("u", forEach=["c"])
    story = Story().accept([piece], templates={"chain": chain})
    story.accept([{**piece, "forEach": []}], templates={"chain": chain})
    story.accept([a_step("u", forEach=["c"])])
    assert story.end("u[c]/i[b]").exit("u[c]").life().phase == "Succeeded"


def test_retry_of_one_step_waits_for_a_place_of_its_piece() -> None:
    step = each("site", ["a", "b"], parallelism=1)
    story = Story().accept([step], templates={"chain": CHAIN})
    story.exit("site[a]/prepare", 1)
    assert story.live() == {"site[b]/prepare"}
    story.retry("site[a]/prepare")
    assert story.live() == {"site[b]/prepare"}
    story.exit("site[b]/prepare", 1)
    assert story.live() == {"site[a]/prepare"}


def test_what_leaves_may_come_back_with_a_template_that_was_gone() -> None:
    chain = {"templates": {"chain": CHAIN}}
    story = Story().accept([a_step("site")]).accept([call("site")], **chain)
    story.accept([a_step("other")], suspend=True).accept([call("site")], **chain)
    assert story.live() == {"site"}  # what it was is being ended
    story.end("site").exit("site/prepare").exit("site/load", outputs=b'{"rows": 7}')
    assert story.life().phase == "Succeeded"


@pytest.mark.parametrize("ended", [False, True])
def test_what_becomes_a_step_of_its_own_has_no_result_to_keep(ended: bool) -> None:
    story = Story().accept([each("site", ["a"])], templates={"chain": CHAIN})
    story.exit("site[a]/prepare")
    if ended:
        story.exit("site[a]/load", outputs=b'{"rows": 7}')
    story.accept([a_step("site", forEach=["a"], onChanged="KeepResult")])
    if not ended:
        story.end("site[a]/load")
    assert story.live() == {"site[a]"}


def test_a_failure_that_is_tolerated_from_now_on_is_none_for_who_calls() -> None:
    steps = [call("site"), a_step("end", "site")]
    story = Story().accept(steps, templates={"chain": template(a_step("prepare"))})
    story.exit("site/prepare", 1)
    assert story.why("end") == ("Skipped", "DependencyFailed")
    tolerant = template(a_step("prepare", continueOnFailure=True))
    story.accept(steps, templates={"chain": tolerant})
    assert story.why("site") == ("Succeeded", "Completed")
    assert story.live() == {"end"}


def test_a_tolerated_call_is_tried_again_once_its_params_fit() -> None:
    """Also if no step of the template reads them."""
    chain = {"chain": template(a_step("prepare"), params={"sites": ["x"]})}
    tolerated = {"continueOnFailure": True}
    steps = [call("a", params={"sites": "${{ params.s }}"}, **tolerated), a_step("end", "a")]
    story = Story().accept(steps, params={"s": 5}, templates=chain)
    assert story.why("a") == ("Failed", "ExpansionFailed")
    story.exit("end").accept(steps, params={"s": 6}, templates=chain)
    assert not story.live(), "it does not fit yet"
    story.accept(steps, params={"s": ["y"]}, templates=chain)
    assert story.live() == {"a/prepare"}


def test_a_run_names_the_step_whose_template_has_another_default() -> None:
    story = Story().accept([call("site"), a_step("b")], templates={"chain": CHAIN})
    story.exit("site/prepare").exit("site/load", outputs=b'{"rows": 1}').exit("b")
    edited = {**CHAIN, "spec": {**CHAIN["spec"], "params": {"site": "y"}}}
    story.accept([call("site"), a_step("b")], templates={"chain": edited}).start("site/prepare")
    why = "edit of site by somebody: what its template does changed"
    assert story.state.runs["w"][-1].why == why


def test_a_piece_that_becomes_a_step_of_its_own_gives_its_place_back() -> None:
    story = Story().accept([each("site", ["a"], parallelism=1)], templates={"chain": CHAIN})
    fails = a_step("site", forEach=["a"], key="${{ item.k }}")  # so it is not expanded
    story.accept([fails], suspend=True)
    story.end("site[a]/prepare").accept([fails])
    assert story.why("site") == ("Failed", "ExpansionFailed")


@pytest.mark.parametrize("code", [0, 1])
def test_a_list_that_could_not_be_made_for_a_while_has_whole_pieces_again(code: int) -> None:
    listed = each("site", "${{ params.sites }}", key="${{ item.name }}")
    good, bad = {"sites": [{"name": "a"}]}, {"sites": ["a"]}
    steps, of = [a_step("prepare"), a_step("load", "prepare")], {"site": {"type": "object"}}
    whole, less = (template(*some, params=of) for some in (steps, steps[:1]))
    story = Story().accept([listed], templates={"chain": whole}, params=good)
    story.exit("site[a]/prepare", code)
    if code == 0:
        story.exit("site[a]/load")
    story.accept([listed], templates={"chain": less}, params=bad, suspend=True)
    story.accept([listed], templates={"chain": whole}, params=good)
    assert story.live() == {"site[a]/prepare" if code else "site[a]/load"}
    assert story.step("site[a]").children == ["site[a]/prepare", "site[a]/load"]


def test_what_depends_on_a_call_that_may_be_skipped_again_is_not_known_yet() -> None:
    after = a_step("end", {"step": "site", "condition": "Finished"})
    steps = [a_step("first"), call("site", "first"), after]
    story = Story().accept(steps, templates={"chain": CHAIN}).exit("first", 1).exit("end")
    story.accept(steps, templates={"chain": CHAIN}, params={"p": 1})
    assert story.life().effects["site"].reason == "DependencyReran"
    assert story.life().effects["end"].reason == "NotKnownYet"
    assert story.exit("first", 1).life().phase == "Failed", "the end was not run again"


def test_a_call_whose_outputs_failed_is_tried_anew_as_any_step_that_failed() -> None:
    skips = a_step("load", when="${{ params.site != 'x' }}", outputs={"rows": "integer"})
    outputs = {"rows": "${{ steps.load.outputs.rows }}"}
    chain = {"chain": template(skips, params={"site": "x"}, outputs=outputs)}
    after = a_step("end", "site")
    story = Story().accept([call("site", continueOnFailure=True), after], templates=chain)
    assert story.why("site") == ("Failed", "ExpressionFailed")
    story.exit("end").accept([call("site"), after], templates=chain)
    assert story.why("end") == ("Skipped", "DependencyFailed")


def test_a_list_of_a_template_becomes_a_plain_step_while_its_piece_can_not_begin() -> None:
    step = each("site", ["a"])
    listed = template(a_step("load", forEach=[]), params={"site": "x"})
    plain = template(a_step("load"), params={"site": {"type": "integer"}})
    story = Story().accept([step], templates={"chain": listed})
    story.accept([step], templates={"chain": plain}, suspend=True)
    story.accept([step], templates={"chain": plain})
    assert story.why("site[a]") == ("Failed", "ExpansionFailed")


def test_a_call_that_fails_as_before_runs_nothing_again() -> None:
    steps = [
        a_step("first"),
        a_step("second", "first"),
        each("site", ["a"], {"step": "second", "condition": "Finished"}, continueOnFailure=True),
        a_step("end", {"step": "site", "condition": "Failed"}),
    ]
    chain = {"chain": template(a_step("load"), params={"site": 1})}
    story = Story().accept(steps, templates=chain).exit("first", 1).exit("end")
    story.accept(steps, templates=chain, params={"p": 1}).exit("first", 1)
    assert story.life().finished and story.step("end").numbered == 1
