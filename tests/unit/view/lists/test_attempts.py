"""Which attempts `logs` shows, and what it says of the others."""

from typing import Any

import pytest
from story import BEGIN, Story, a_step

from controller.errors import NotFound
from controller.model import events as e
from controller.model.state import SECOND
from controller.view.ink import inked
from controller.view.lists.attempts import (
    AttemptChoice,
    Shown,
    by_number,
    earlier_tries,
    heading,
    of_all_runs,
    of_one_run,
    prefixes,
    printed_nothing,
    running,
)
from controller.view.look import Look

STEPS = [
    a_step("download"),
    a_step("check", "download", retry={"limit": 1}),
    a_step("load", "check"),
]


def sales() -> Story:
    """Run 1 succeeded. In run 2 the check was edited and failed twice, so nothing was loaded."""
    story = Story().accept(STEPS, name="sales")
    for step in ("download", "check", "load"):
        story.exit(step, workflow="sales")
    story.wait(60)
    story.accept([STEPS[0], {**STEPS[1], "run": "stricter"}, STEPS[2]], name="sales")
    return story.exit("check", 1, workflow="sales").wait(1).exit("check", 1, workflow="sales")


def shown(story: Story, **asked: Any) -> list[str]:
    """`check.3` for an attempt; lines as they are."""
    workflow, choice = story.life("sales"), AttemptChoice(word="sales", **asked)
    if choice.attempt is not None:
        told: list[Shown | str] = [*by_number(workflow, choice)]
    else:
        told = [*of_one_run(story.state, workflow, choice)]
    return [one if isinstance(one, str) else f"{one.step.name}.{one.number}" for one in told]


KEPT = "── download: kept from run 1 (attempt 1): treadle logs sales download --run 1 ──"
NOT_RUN = (
    'load did not run in run 2: depends on "check", which failed; '
    "it did in run 1: treadle logs sales load --run 1"
)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        pytest.param({}, [KEPT, "check.3"], id="the present run alone"),
        pytest.param({"steps": ["check"]}, ["check.3"], id="a step of it"),
        pytest.param({"steps": ["download"]}, [KEPT], id="a result that was kept is a line"),
        pytest.param({"steps": ["load"]}, [NOT_RUN], id="a step that did not run says why"),
        pytest.param({"steps": ["load", "check"]}, [NOT_RUN, "check.3"], id="several, as named"),
        pytest.param({"failed": True}, ["check.3"], id="what failed"),
        pytest.param({"failed": True, "steps": ["load"]}, ["no step failed in run 2"], id="or not"),
        pytest.param({"since": BEGIN}, ["check.3"], id="since then, and in this run"),
        pytest.param(
            {"since": BEGIN + 999 * SECOND}, ["no step ran in run 2 since then"], id="too late"
        ),
        pytest.param({"run": 1}, ["download.1", "check.1", "load.1"], id="run 1"),
        pytest.param({"attempt": 1}, ["download.1", "check.1", "load.1"], id="this attempt"),
        pytest.param({"attempt": 3}, ["check.3"], id="which only one step has"),
        pytest.param({"attempt": 2, "steps": ["check"]}, ["check.2"], id="the one before"),
    ],
)
def test_what_is_shown(asked: dict[str, Any], told: list[str]) -> None:
    assert shown(sales(), **asked) == told


@pytest.mark.parametrize("number", [0, -1, 4])
def test_an_attempt_that_never_was(number: int) -> None:
    with pytest.raises(NotFound, match=f"check has no attempt {number}; it has 3"):
        shown(sales(), attempt=number, steps=["check"])


def test_before_anything_ran() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], name="sales", suspend=True)
    assert shown(story)[0].startswith("sales has not run yet: ")
    assert shown(story, steps=["b"])[0].startswith("b has not been tried yet: ")


def test_what_begins_a_run_is_of_it_before_the_run_is_there() -> None:
    story = sales()
    story.accept([a_step("download", run="other"), *STEPS[1:]], name="sales")
    attempt = story.life("sales").steps["download"].attempt
    assert attempt is not None
    assert (attempt.run, story.life("sales").run) == (3, 2)
    assert "download.2" in shown(story)


def test_many_kept_results_are_a_line_for_each_run() -> None:
    names = [f"s{number}" for number in range(6)]
    story = Story().accept([*map(a_step, names), a_step("last")], name="sales")
    for name in [*names, "last"]:
        story.exit(name, workflow="sales")
    story.accept([*map(a_step, names), a_step("last", run="new")], name="sales")
    story.exit("last", workflow="sales")
    assert shown(story) == [
        "── kept from run 1: s0, s1, s2 and 3 more: treadle logs sales --run 1 ──",
        "last.2",
    ]


def test_a_step_that_somebody_marked_is_not_kept() -> None:
    story = sales()
    uid = story.life("sales").uid
    story.see(e.StepMarked(uid=uid, step="load", message="marked as succeeded by ada"))
    (said,) = shown(story, steps=["load"])
    assert said.startswith("load did not run in run 2: marked as succeeded by ada; it did in run 1")


def test_all_runs_in_order() -> None:
    story = sales()
    workflow = story.life("sales")
    every = [*of_all_runs(workflow, AttemptChoice(word="sales"))]
    look = Look(now=story.now, width=80)
    headings = [
        heading(one.step, one.attempt, look)
        for one in every
        if not isinstance(one, str) and one.attempt
    ]
    assert headings == [
        "── run 1, download, attempt 1, 22:13:20: exit code 0 ──",
        "── run 1, check, attempt 1, 22:13:20: exit code 0 ──",
        "── run 1, load, attempt 1, 22:13:20: exit code 0 ──",
        "── run 2, check, attempt 2, 22:14:20: exit code 1 ──",
        "── run 2, check, attempt 3, 22:14:21: exit code 1 ──",
    ]
    failed = [*of_all_runs(workflow, AttemptChoice(word="sales", failed=True, steps=["check"]))]
    assert [one.number for one in failed if not isinstance(one, str)] == [2, 3]
    late = AttemptChoice(word="sales", since=story.now + SECOND)
    assert [*of_all_runs(workflow, late)] == ["no attempt ran"]


def test_attempts_that_the_state_no_longer_has_are_named() -> None:
    story = sales()
    del story.life("sales").steps["check"].attempts[:2]
    first, *_ = of_all_runs(story.life("sales"), AttemptChoice(word="sales", steps=["check"]))
    assert first == (
        "── check: attempts 1 to 2 are left out: treadle logs sales check --attempt 2 ──"
    )
    assert shown(story, attempt=1, steps=["check"]) == ["check.1"]


def followed(story: Story, **asked: Any) -> list[str]:
    told = running(story.state, story.life("sales"), AttemptChoice(word="sales", **asked))
    return [one if isinstance(one, str) else one.step.name for one in told]


def test_what_runs_now() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a"), a_step("c")], name="sales")
    story.exit("a", workflow="sales").start("b", "c", workflow="sales")
    finished = "── 1 step has finished in this run: treadle logs sales ──"
    assert followed(story) == [finished, "b", "c"]
    assert followed(story, steps=["b"]) == ["b"]
    assert followed(story, steps=["a", "c"])[0].endswith(": treadle logs sales a c ──")


def test_what_is_waited_for() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], name="sales")
    story.start("a", workflow="sales")
    assert followed(story, steps=["b"]) == ["── b: waiting for a ──"]
    story = Story().accept([a_step("a"), a_step("b", "a")], name="sales", suspend=True)
    (line,) = followed(story)
    assert line.startswith("── sales: ")
    assert "suspend" in line


def test_an_attempt_that_no_step_has() -> None:
    with pytest.raises(NotFound, match="no step of sales has an attempt 9"):
        shown(sales(), attempt=9)


def test_earlier_tries_of_the_run() -> None:
    story = sales()
    workflow, choice = story.life("sales"), AttemptChoice(word="sales")
    check, download = workflow.steps["check"], workflow.steps["download"]
    assert check.attempt is not None
    assert download.attempt is not None
    assert earlier_tries(workflow, download, download.attempt, choice) == ""
    assert earlier_tries(workflow, check, check.attempts[0], choice) == ""
    assert earlier_tries(workflow, check, check.attempt, choice) == (
        "── check: try 2 of 2 (attempt 3); earlier: treadle logs sales check --attempt 2 ──"
    )


def test_an_attempt_without_output() -> None:
    story = sales()
    workflow = story.life("sales")
    check = workflow.steps["check"]
    assert check.attempt is not None
    said = printed_nothing(story.state, workflow, check, check.attempt)
    assert said == "check printed nothing; attempt 3: exit code 1"
    story.accept([a_step("download", run="other"), *STEPS[1:]], name="sales")
    story.start("download", workflow="sales")
    download = workflow.steps["download"]
    assert download.live is not None
    said = printed_nothing(story.state, workflow, download, download.live)
    assert said.startswith("download has printed nothing so far: ")


def test_prefixes_are_aligned_and_coloured_on_a_terminal() -> None:
    long = "a-name-that-is-much-too-long-to-align"
    workflow = Story().accept([a_step("a"), a_step("load"), a_step(long)], name="w").life("w")
    plain = prefixes(workflow, ["a", "load"], aligned=False, coloured=False)
    assert [plain("a"), plain("load")] == ["[a] ", "[load] "]
    aligned = prefixes(workflow, ["a", "load", long], aligned=True, coloured=False)
    assert [aligned("a"), aligned("load")] == ["[a]    ", "[load] "]
    assert [aligned(long), aligned("new")] == [f"[{long}] ", "[new]  "]
    coloured = prefixes(workflow, ["a", "load"], aligned=True, coloured=True)
    assert coloured("a") != coloured("load")
    assert inked(coloured("a")).endswith("m[a]\x1b[0m    ")
