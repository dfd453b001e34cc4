"""Why a whole workflow is as it is: by root cause, each thing once, in few lines."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import Story, a_step

from controller.errors import Fault
from controller.model import events as e
from controller.model.phases import Phase
from controller.planner.permission import Limits
from controller.view.look import Look
from controller.view.why.explain import Around
from controller.view.why.roots import explanation

UP = Around(runs=True, limits=Limits(max_parallel=2))
SALES = [
    a_step("download"),
    a_step("check-rows", "download"),
    *(a_step(f"clean-{zone}", "check-rows") for zone in ("eu", "us", "apac")),
    a_step("load", "clean-eu", "clean-us", "clean-apac"),
    a_step("report", "load"),
]


def told(
    story: Story,
    around: Around = UP,
    width: int | None = None,
    printed: dict[str, list[str]] | None = None,
) -> list[str]:
    look = Look(now=story.now, width=width)
    return list(explanation(story.state, story.life(), around, look, printed or {}))


def test_a_failure_comes_with_its_output_and_all_that_it_kept_from_running() -> None:
    story = Story().accept(SALES).exit("download").exit("check-rows", 1)
    printed = {"check-rows": ["20000 rows, min 50000", "too few rows: 20000"]}
    assert told(story, printed=printed) == [
        "✗ w is Failed: 1 failed (check-rows), 5 skipped",
        "✗ check-rows failed (exit 1: too few rows: 20000) "
        "→ skipped: clean-eu, clean-us, clean-apac, load, report",
        "    │ 20000 rows, min 50000",
        "    │ too few rows: 20000",
        "next: treadle logs w check-rows · treadle retry w",
    ]


def test_faults_in_its_file_are_named_even_if_all_is_done() -> None:
    story = Story().accept([a_step("a")]).exit("a")
    faults = [Fault(file="w.yaml", problem="no step is named \x1b[2J")]
    story.see(e.FileRejected(path="w.yaml", faults=faults, digest=""))
    assert told(story) == [
        "✓ w is Succeeded: all steps are done",
        r"fault: w.yaml: no step is named \x1b[2J (generation 1 stays in force)",
    ]


def test_an_edit_is_told_until_another_run_begins_then_what_began_that_one() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).exit("a").exit("b").wait(1)
    story.accept([a_step("a", run="echo other"), a_step("b")]).exit("a").wait(1)
    assert told(story)[1].startswith("generation 2 from w.yaml, ")
    again = e.StepReset(
        uid=story.life().uid, step="a", reason="RetryRequested", message="retry requested by ada"
    )
    story.see(again).settle().exit("a")
    assert told(story)[1] == "run 3: retry by ada"


def test_a_narrow_terminal_gets_what_was_skipped_in_a_line_of_its_own() -> None:
    story = Story().accept(SALES).exit("download").exit("check-rows", 1)
    assert told(story, width=50) == [
        "✗ w is Failed: 1 failed (check-rows), 5 skipped",
        "✗ check-rows failed (exit 1)",
        "    → skipped: clean-eu, clean-us and 3 more",
        "next: treadle logs w check-rows · treadle retry w",
    ]


def test_what_waits_is_grouped_by_what_it_waits_for() -> None:
    steps = [*SALES, *(a_step(f"s{n}") for n in range(13))]
    story = Story(Limits(max_parallel=2)).accept(steps).start("download", "s0")
    assert told(story) == [
        "● w is Running: 0 of 20 steps succeeded",
        "● 2 steps running: download, s0",
        "◌ 12 steps waiting for a slot (2 of 2 busy: w/download, w/s0): "
        "s1, s2, s3, s4, s5, s6, s7, s8 and 4 more",
        "◌ check-rows: waiting for download",
        "◌ 5 steps waiting for steps that are waiting themselves: "
        "clean-eu, clean-us, clean-apac, load, report",
        "next: treadle logs -f w",
    ]


@pytest.mark.parametrize(
    ("steps", "deeds", "line"),
    [
        pytest.param(
            [a_step("a", retry={"limit": 1})],
            lambda story: story.exit("a", 1),
            r"◌ a: exit code 1; retry 1 of 1 in 0\.\d+ s \(due .*\)",
            id="a backoff",
        ),
        pytest.param(
            [a_step("a", retry={"limit": 1})],
            lambda story: story.exit("a", 1).wait(5).exit("a", 1),
            r"✗ a failed after 2 tries \(exit 1\)",
            id="retries that are used up",
        ),
        pytest.param(
            [a_step("a", continueOnFailure=True)],
            lambda story: story.exit("a", 9),
            r"✗ a failed \(exit 9\); tolerated, since it has continueOnFailure",
            id="a tolerated failure",
        ),
        pytest.param(
            [a_step("a"), a_step("b", "a"), a_step("c", "b")],
            lambda story: story.start("a").mark(reason="not today").end("a"),
            r"■ 3 steps cancelled by w\.cancel: not today: a, b, c",
            id="a marker",
        ),
        pytest.param(
            [a_step("a"), a_step("b", {"step": "a", "condition": "Failed"}), a_step("c", "b")],
            lambda story: story.exit("a"),
            r'· 2 steps skipped \(runs only if "a" fails, and that succeeded\): b, c',
            id="a failure that did not happen",
        ),
        pytest.param(
            [a_step("a"), a_step("b")],
            lambda story: (
                story.exit("a").exit("b", 1).accept([a_step("a"), a_step("b", run="x")]).start("b")
            ),
            r"✓ a: kept from an earlier run",
            id="a result that is kept",
        ),
        pytest.param(
            [a_step("a", onRemoved="Finish"), a_step("b")],
            lambda story: story.start("a").accept([a_step("b")]),
            r"● a: running; then it is removed, since the spec no longer has it",
            id="what leaves when it has finished",
        ),
    ],
)
def test_a_line_for_each_kind(
    steps: list[dict[str, Any]], deeds: Callable[[Story], object], line: str
) -> None:
    story = Story().accept(steps)
    deeds(story)
    lines = told(story)
    assert any(re.fullmatch(line, one) for one in lines), lines


def test_of_what_ran_without_a_controller_nobody_knows() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")]).start("a")
    lines = told(story, Around(runs=False))
    assert "● a: running when the controller stopped" in lines
    assert lines[-1] == "next: treadle up · treadle logs -f w"


def test_a_deep_dag_whose_root_failed_takes_few_lines() -> None:
    rows = [[f"r{row}-{column}" for column in range(4)] for row in range(8)]
    above = [["root"], *rows]
    steps = [a_step(name, *above[row]) for row in range(8) for name in rows[row]]
    lines = told(Story().accept([a_step("root"), *steps]).exit("root", 3))
    assert len(lines) == 3


def test_many_failures_are_counted_after_the_first_few() -> None:
    steps = [one for n in range(40) for one in (a_step(f"f{n}"), a_step(f"s{n}", f"f{n}"))]
    story = Story().accept(steps)
    for n in range(40):
        story.exit(f"f{n}", 1)
    lines = told(story)
    assert len(lines) == 1 + 5 + 1 + 1
    assert lines[6].startswith(
        "✗ 35 steps failed as well: f5, f6, f7, f8, f9, f10, f11, f12 and 27"
    )


def test_nothing_that_a_step_printed_controls_the_terminal() -> None:
    story = Story().accept([a_step("a")]).exit("a", 1)
    lines = told(story, printed={"a": ["one\x1b[2J", "two\x1b]0;x\x07"]})
    assert "\x1b" not in "".join(lines) and "two" in lines[1]


@given(
    st.lists(st.sets(st.integers(0, 30), max_size=3), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 29), st.sampled_from([0, 1, None])), max_size=40),
    st.integers(1, 200),
)
def test_whatever_happened_each_step_is_counted_once(
    needs: list[set[int]], deeds: list[tuple[int, int | None]], width: int
) -> None:
    steps = [
        a_step(f"s{n}", *(f"s{need}" for need in sorted(of) if need < n))
        for n, of in enumerate(needs)
    ]
    story = Story(Limits(max_parallel=3)).accept(steps)
    for n, code in deeds:
        name = f"s{n}"
        if name not in story.life().steps or story.step(name).live is None:
            continue
        if code is not None:
            story.exit(name, code)
        elif story.step(name).phase is Phase.READY:
            story.start(name)
    counted = 0
    for line in told(story)[1:]:
        head, _, skipped = line.partition(" → skipped: ")
        counted += _steps_of(head) + (_named(skipped) if skipped else 0)
    succeeded = sum(step.phase is Phase.SUCCEEDED for step in story.life().steps.values())
    assert counted == len(steps) - succeeded
    assert all(len(line) <= max(width, 12) for line in told(story, width=width))


def _steps_of(line: str) -> int:
    if line.startswith("next: "):
        return 0
    many = re.match(r". (\d+) steps ", line)
    return int(many[1]) if many else 1


def _named(names: str) -> int:
    more = re.search(r" and (\d+) more", names)
    return names.count(",") + 1 + (int(more[1]) if more else 0)
