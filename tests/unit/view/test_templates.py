"""Steps of templates, as people and scripts see them: a tree below the step that calls one."""

import json
from typing import Any

import msgspec
import pytest
from story import Story, a_step, template

from controller.model import events as e
from controller.planner.permission import Limits
from controller.planner.resolve import inputs_of
from controller.rehearsal.foresee import Change
from controller.view import words
from controller.view.changes.difference import lines as of_change
from controller.view.changes.difference import plan
from controller.view.changes.edits import of_step as did_to
from controller.view.children import in_order, meant, opened, shown
from controller.view.lists.attempts import AttemptChoice, Shown, of_one_run
from controller.view.live.board import Board, BoardContent
from controller.view.look import Look
from controller.view.pages.dag import tree, with_children
from controller.view.pages.page import critical_path, page, step_page
from controller.view.status import workflow_shape
from controller.view.story import happened, lines, names_step
from controller.view.why.explain import Around, causes, ways
from controller.view.why.explain_step import explanation as of_step
from controller.view.why.explain_step import inputs_lines
from controller.view.why.inputs import input_line
from controller.view.why.roots import explanation

LOOK = Look(now=0)
UP = Around(runs=True, limits=Limits(max_parallel=4))
CHAIN = template(
    a_step("prepare", env={"SITE": "${{ params.site }}"}),
    a_step("load", "prepare", forEach=["p", "q"], env={"PART": "${{ item }}"}),
    a_step("check", "load"),
    params={"site": "x"},
)


def call(name: str = "site", *after: Any, **fields: Any) -> dict[str, Any]:
    return a_step(name, *after, **{"template": {"name": "chain"}, **fields})


def each(items: Any, *after: Any, **fields: Any) -> dict[str, Any]:
    given = {"name": "chain", "params": {"site": "${{ item }}"}}
    return call("site", *after, **{"forEach": items, "template": given, **fields})


def told(*steps: dict[str, Any], slots: int = 8, **templates: Any) -> Story:
    story = Story(Limits(max_parallel=slots))
    return story.accept(list(steps), templates={"chain": CHAIN, **templates})


def of_a_failure() -> Story:
    """In `us` the first step failed; `eu` has done its list; `end` waits for both."""
    story = told(each(["eu", "us"]), a_step("end", "site"))
    story.exit("site[us]/prepare", 1).exit("site[eu]/prepare")
    return story.exit("site[eu]/load[p]").exit("site[eu]/load[q]")


def over() -> Story:
    return of_a_failure().exit("site[eu]/check")


def drawn(story: Story) -> list[str]:
    life = story.life()
    branches = with_children(tree(life.steps), lambda parent: shown(life, parent), opened)
    return [f"{branch.lead}{branch.name}" for branch in branches]


def says(story: Story, step: str) -> str:
    return words.of_step(story.state, story.life(), story.step(step))[1]


def why(story: Story, step: str) -> list[str]:
    life, one = story.life(), story.step(step)
    chain = ways(story.state, life, one, UP, LOOK)
    return list(of_step(story.state, life, one, chain, UP, LOOK, {}))


# ---------------------------------------- order, folding


def test_all_below_a_step_follows_it() -> None:
    assert [step.name for step in in_order(of_a_failure().life())] == [
        "site",
        "site[eu]",
        "site[eu]/prepare",
        "site[eu]/load",
        "site[eu]/load[p]",
        "site[eu]/load[q]",
        "site[eu]/check",
        "site[us]",
        "site[us]/prepare",
        "site[us]/load",
        "site[us]/check",
        "end",
    ]


def test_a_name_means_what_is_at_the_end_of_its_children() -> None:
    life = of_a_failure().life()
    assert meant(life, ["site[eu]/load", "site[us]"]) == [
        "site[eu]/load[p]",
        "site[eu]/load[q]",
        "site[us]/prepare",
        "site[us]/load",  # skipped, so it never had children
        "site[us]/check",
    ]
    assert meant(life, ["site"]) == [
        step.name for step in in_order(life) if step.name.startswith("site") and not step.expanded
    ]


def test_one_that_failed_or_runs_is_open_and_others_have_one_line() -> None:
    assert drawn(of_a_failure()) == [
        "site",
        "  site[eu]",
        "    prepare",
        "    load",
        "    check",
        "  site[us]",
        "    prepare",
        "    load",
        "    check",
        "end",
    ]
    assert drawn(over())[:3] == ["site", "  site[eu]", "  site[us]"]


def test_the_steps_of_a_template_are_a_tree_of_their_own() -> None:
    fork = template(a_step("a"), a_step("b", "a"), a_step("c", "a"), a_step("d", "b", "c"))
    story = told(a_step("x"), call(template={"name": "fork"}), fork=fork)
    assert drawn(story) == ["├ x", "└ site", "    a", "    ├ b", "    └ c", "    d"]


def test_at_most_five_of_a_list_are_open() -> None:
    story = told(each([f"k{n}" for n in range(12)]), slots=20)
    for n in range(12):
        story.start(f"site[k{n}]/prepare")
    story.exit("site[k9]/prepare", 1)
    rows = drawn(story)
    assert sum(row == "    prepare" for row in rows) == 5
    assert rows[rows.index("  site[k9]") + 1] == "    prepare", "what failed comes first"


def test_the_live_view_opens_and_closes_what_is_chosen() -> None:
    story, board, look = over(), Board(), Look(now=0, width=100)
    content = BoardContent(story.state, "specs")

    def rows() -> list[str]:
        lines = board.draw(content, look, 40, lambda attempt, count: [])
        return [line[1:39].rstrip() for line in lines if "site" in line or "    " in line[:4]]

    uid = story.life().uid
    assert any("✗ prepare" in row for row in rows())
    board.choice.toggled = {(uid, "site[eu]"), (uid, "site[us]")}
    assert "✓ check" in " ".join(rows())
    assert not any("✗ prepare" in row for row in rows())


# ---------------------------------------- what each one says


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("site", "0 of 2 succeeded: 1 running, 1 failed"),
        ("site[eu]", "2 of 3 succeeded"),
        ("site[us]", "1 of 3 steps failed: prepare"),
        ("site[eu]/load", "all 2 children are done"),
        ("site[us]/load", 'depends on "site[us]/prepare", which failed'),
    ],
)
def test_each_says_how_far_its_children_are(step: str, said: str) -> None:
    assert says(of_a_failure(), step) == said


def test_a_piece_waits_for_its_place_and_its_steps_for_it() -> None:
    story = told(each(["eu", "us"], parallelism=1))
    chain = causes(story.state, story.life(), story.step("site[us]"), UP)
    wait = "waiting for other children of site (parallelism: 1; running: eu)"
    assert chain[0].message == wait
    assert words.of_workflow(story.life())[1] == "waiting for a slot: site[eu]/prepare"
    story.exit("site[eu]/prepare", 1).retry("site[eu]/prepare")  # `us` has the place now
    assert says(story, "site[eu]/prepare") == "asked; waiting until site[eu] begins"
    assert [cause.step for cause in causes(story.state, story.life(), story.step("site[eu]/prepare"), UP)] == ["site[eu]/prepare", "site[eu]"]  # fmt: skip # noqa: E501


def test_explain_says_what_it_has_and_what_it_will_have() -> None:
    first = a_step("first", outputs={"names": "array"})
    story = told(first, each(["eu", "us"], "first"), call("one", "first"))
    assert "it will have 2 children: eu, us, each with 3 steps: prepare, load, check" in why(
        story, "site"
    )
    assert "it will have 3 steps: prepare, load, check" in why(story, "one")
    story.exit("first", outputs=b"names=[]")
    assert "it has 2 children: eu, us" in why(story, "site")
    assert why(story, "site[eu]")[1:3] == [
        "it has 3 steps: prepare, load, check",
        "params of its template: site=eu",
    ]
    unknown = told(first, each("${{ steps.first.outputs.names }}", "first"))
    assert why(unknown, "site")[-1].endswith("; each will have 3 steps: prepare, load, check")


def test_of_a_piece_that_begins_again_nothing_is_foretold() -> None:
    """Its template may have other steps by then."""
    first = a_step("first")
    story = told(first, call("site", "first")).exit("first").exit("site/prepare")
    story.start("site/load[p]")
    changed = template(a_step("other"), a_step("load", "other", forEach=["p"]))
    story.accept([{**first, "run": "new"}, call("site", "first")], templates={"chain": changed})
    assert not story.life().stands(story.step("site/load"))
    assert not [line for line in why(story, "site/load") if "it will have" in line]


def test_what_ran_in_this_run_is_not_kept_from_an_earlier_one() -> None:
    said = "\n".join(why(over(), "site"))
    assert "kept" not in said
    assert "✗ site[us]/prepare failed (exit 1) → skipped: end, site[us]/check" in said


def test_what_was_kept_is_named_by_the_step_that_ran() -> None:
    story = over().retry("site[us]/prepare", "site[us]/load", "site[us]/check", "end")
    story.exit("site[us]/prepare")
    lines = list(explanation(story.state, story.life(), UP, LOOK, {}))
    kept = "✓ 4 steps kept from an earlier run: site[eu]/prepare, site[eu]/load[p], site[eu]/load[q], site[eu]/check"  # noqa: E501
    assert kept in lines


def test_the_reason_of_a_failure_is_followed_to_the_step_that_failed() -> None:
    story = over()
    chain = causes(story.state, story.life(), story.step("end"), UP)
    assert [cause.step for cause in chain] == ["end", "site", "site[us]", "site[us]/prepare"]
    lines = list(explanation(story.state, story.life(), UP, LOOK, {}))
    assert lines[1] == "✗ site[us]/prepare failed (exit 1) → skipped: end, site[us]/check"
    assert why(story, "site")[-1] == (
        "next: treadle logs w 'site[us]/prepare' · treadle retry w site"
    )


def test_a_failure_is_counted_once_however_deep_it_is() -> None:
    story = of_a_failure().start("site[eu]/check")
    assert story.step("site[us]").fails_its_workflow
    assert words.of_workflow(story.life())[1] == "running: site[eu]/check; 1 failed"


def test_a_failure_that_the_caller_tolerates_is_counted_so() -> None:
    story = told(call(continueOnFailure=True), a_step("end", "site")).exit("site/prepare", 1)
    assert story.exit("end").life().phase == "Succeeded"
    assert words.verdict(story.life()) == (
        "all steps are done; 1 skipped, 1 failure tolerated (site/prepare)"
    )
    lines = list(explanation(story.state, story.life(), UP, LOOK, {}))
    assert "tolerated, since site has continueOnFailure" in lines[1]


def test_a_template_that_has_nothing_to_hand_on_is_named() -> None:
    bare = template(
        a_step("a", skipExitCodes=[9], outputs={"n": "integer"}),
        outputs={"n": "${{ steps.a.outputs.n }}"},
    )
    story = told(call(template={"name": "bare"}), bare=bare).exit("site/a", 9)
    assert story.life().phase == "Failed"
    assert words.verdict(story.life()) == "1 skipped, site could not hand on outputs"
    assert "(ExpressionFailed): outputs.n of the template: " in why(story, "site")[0]
    lines = list(explanation(story.state, story.life(), UP, LOOK, {}))
    assert lines[1].startswith("✗ site failed (outputs.n of the template: ")


def test_the_critical_path_goes_through_templates() -> None:
    story = told(a_step("x"), call("site", "x"), a_step("end", "site")).exit("x")
    story.exit("site/prepare").exit("site/load[q]").wait(1).exit("site/load[p]")
    story.wait(1).exit("site/check").wait(1).exit("end")
    names = [step.name for step in critical_path(story.life())]
    assert names == ["x", "site/prepare", "site/load[p]", "site/check", "end"]


def test_one_with_children_ran_again_when_it_has() -> None:
    story = told(call())
    story.exit("site/prepare").exit("site/load[p]").exit("site/load[q]").exit("site/check")
    changed = template(
        a_step("prepare", run="new"), a_step("load", "prepare"), a_step("check", "load")
    )
    story.accept([call()], templates={"chain": changed})
    assert did_to(story.life(), story.step("site")) == (
        "generation 2: to run again (what its template does changed)"
    )
    story.exit("site/prepare").exit("site/load").exit("site/check")
    assert did_to(story.life(), story.step("site")) == (
        "generation 2: ran again (what its template does changed)"
    )


# ---------------------------------------- pages, scripts, events


def test_pages_have_the_tree() -> None:
    story = over()
    text = "\n".join(page(story.state, story.life(), LOOK))
    assert "      ✗ prepare  Failed" in text
    assert "1 failed (site[us]/prepare), 2 skipped, 4 of 7 steps succeeded" in text
    piece = "\n".join(step_page(story.state, story.life(), story.step("site[eu]"), LOOK))
    assert "params        site=eu" in piece
    assert 'item          "eu" (index 0 of site)' in piece
    inner = "\n".join(step_page(story.state, story.life(), story.step("site[eu]/check"), LOOK))
    assert "✓ site[eu]/check" in inner
    assert "item" not in inner


@pytest.mark.parametrize("width", [1, 8, 20, 40, 80])
def test_no_width_is_too_narrow(width: int) -> None:
    story, look = over(), Look(now=0, width=width, colour=True)
    assert list(page(story.state, story.life(), look))
    for step in story.life().steps.values():
        assert list(step_page(story.state, story.life(), step, look))


def test_the_shape_for_scripts() -> None:
    story = over()
    steps = json.loads(msgspec.json.encode(workflow_shape(story.state, story.life()).status.steps))
    keys = ("parent", "key", "item", "index", "params", "dependsOn")
    found = {step["name"]: tuple(step[key] for key in keys) for step in steps}
    assert found["site"] == (None, None, None, None, None, [])
    assert found["site[us]"] == ("site", "us", "us", 1, {"site": "us"}, [])
    assert found["site[eu]/load"] == (
        "site[eu]", "load", None, None, None, ["site[eu]/prepare"],
    )  # fmt: skip
    assert found["site[eu]/load[q]"] == ("site[eu]/load", "q", "q", 1, None, [])


def test_logs_of_a_step_are_those_of_all_below_it() -> None:
    story = over()
    told_ = of_one_run(story.state, story.life(), AttemptChoice(word="w", steps=["site[eu]"]))
    assert [one.step.name for one in told_ if isinstance(one, Shown)] == [
        "site[eu]/prepare",
        "site[eu]/load[p]",
        "site[eu]/load[q]",
        "site[eu]/check",
    ]


def test_events_say_steps_of_a_template_and_children_of_a_list() -> None:
    story = told(each(["eu"]), call("one"))
    seen = [
        line.split("  ")[-1].strip()
        for record in story.records
        if isinstance(record.event, e.StepExpanded)
        for line in lines(0, list(happened(story.state, record, [])), LOOK)
    ]
    assert seen == [
        "1 child: eu",
        "3 steps: prepare, load, check; params: site=x",
        "3 steps: prepare, load, check; params: site=eu",
    ]
    assert names_step({"step": "site[eu]/load[p]"}, {"site"})
    assert not names_step({"step": "site[eu]/load[p]"}, {"site[eu]/check"})


# ---------------------------------------- inputs


@pytest.mark.parametrize(
    ("name", "text", "shown_"),
    [
        ("run", "a", "run: a"),
        ("run", None, "run: (not set)"),
        ("params.@region", '"eu"', 'params.region of the workflow: "eu"'),
        (
            "env.R",
            "x-${{ @params.region }}",
            "env.R: x-${{ params.region }} (of the workflow)",
        ),
        ("env.R", "$${{ @params", "env.R: $${{ @params"),
        (
            "params.rows",
            '{"params":{},"text":"${{ steps.a.outputs.rows }}"}',
            "params.rows: ${{ steps.a.outputs.rows }}",
        ),
        ("params.map", '{"params":{}}', 'params.map: {"params":{}}'),
        ("env.MAP", '{"params":{', 'env.MAP: {"params":{'),
    ],
)
def test_an_input_is_read_by_people(name: str, text: str | None, shown_: str) -> None:
    assert input_line(name, text) == shown_


def test_inputs_of_the_workflow_that_calls_are_marked_as_such() -> None:
    story = Story().accept(
        [call()],
        templates={"chain": CHAIN},
        params={"region": "eu"},
        env={"REGION": "${{ params.region }}"},
    )
    step = story.step("site/prepare")
    attempt = story.attempt("site/prepare")
    assert list(inputs_lines(attempt, inputs_of(story.life(), step)))[1:] == [
        "    env.REGION: ${{ params.region }} (of the workflow)",
        "    env.SITE: ${{ params.site }}",
        '    params.region of the workflow: "eu"',
        '    params.site: "x"',
        "    run: prepare",
    ]


# ---------------------------------------- diff


def effects(**steps: tuple[str, str]) -> Change:
    found = {name: e.StepEffect(action, reason, "why") for name, (action, reason) in steps.items()}
    return Change(workflow="w", before=1, after=2, was=None, becomes=None, steps=found)


KEEP, RUN = ("keep", "Unchanged"), ("run", "SpecChanged")
NEW, GONE = ("run", "StepAdded"), ("remove", "StepRemoved")


def rows(change: Change) -> list[str]:
    return [" ".join(line.split()) for line in of_change(change, LOOK)][2:-1]


def piece(key: str, *of: tuple[str, str]) -> dict[str, tuple[str, str]]:
    whole, *steps = of
    names = [f"site[{key}]", *(f"site[{key}]/{name}" for name in ("a", "b"))]
    return dict(zip(names, (whole, *steps), strict=True))


def test_a_piece_that_comes_or_goes_is_one_row_and_of_others_what_is_touched() -> None:
    change = effects(
        site=RUN,
        end=RUN,
        **piece("eu", RUN, KEEP, RUN),
        **piece("us", KEEP, KEEP, KEEP),
        **piece("jp", NEW, NEW, NEW),
        **piece("cn", GONE, GONE, GONE),
    )
    assert rows(change) == [
        "site run again why; nothing changes for 3 of 8 steps",
        "site[eu]/b run again why",
        "site[jp] new why, with 2 steps",
        "site[cn] remove why, with 2 steps",
        "end run again why",
    ]
    assert plan([change]) == ("Plan: 2 are new, 2 run again, 2 are removed, 3 keep their results")


def test_many_of_one_step_of_a_template_are_one_row() -> None:
    many = {
        name: effect
        for n in range(30)
        for name, effect in piece(f"k{n}", *((RUN, RUN, KEEP) if n else [KEEP] * 3)).items()
    }
    assert rows(effects(site=RUN, **many)) == [
        "site run again why; nothing changes for 31 of 60 steps",
        "site[…]/a run again 29 of 30: why",
    ]
