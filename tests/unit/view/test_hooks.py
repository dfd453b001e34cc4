"""Hooks in the views: what they say while hooks run, and of each hook."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from story import Story, a_step, document

from controller.errors import NotFound
from controller.model.observations import Request
from controller.model.state import Attempt
from controller.planner.editing.accept import accept
from controller.spec.reading.load import Document
from controller.view import words
from controller.view.find import pick_steps
from controller.view.lists.attempts import AttemptChoice, Shown, of_all_runs, of_one_run, running
from controller.view.lists.listing import list_table, listed
from controller.view.lists.runs import latest, runs_table
from controller.view.live.board import Board, BoardContent
from controller.view.look import Look
from controller.view.pages.page import page, step_page
from controller.view.status import workflow_shape
from controller.view.table import render
from controller.view.why.explain import Around, ways
from controller.view.why.explain_step import explanation as of_step
from controller.view.why.roots import explanation

STEPS = [a_step("a"), a_step("b", "a"), a_step("c", "b")]
HOOKS: dict[str, Any] = {
    "onStart": [{"name": "hello", "run": "1"}],
    "onFailure": [{"name": "page", "run": "1"}, {"name": "ticket", "run": "2"}],
    "onExit": [{"name": "tidy", "run": "3"}],
}


def begun(**hooks: Any) -> Story:
    return Story().accept(STEPS, hooks=hooks or HOOKS).start("a")


def ending() -> Story:
    """`b` has failed, and the first hook of that runs."""
    return begun().exit("onStart/hello").wait(1).exit("a").exit("b", 3).start("onFailure/page")


def ended() -> Story:
    """The second hook has failed."""
    return ending().exit("onFailure/page").exit("onFailure/ticket", 4).exit("onExit/tidy")


def fine() -> Story:
    """All steps have succeeded, and a hook runs."""
    story = begun(onExit=HOOKS["onExit"])
    return story.exit("a").exit("b").exit("c").start("onExit/tidy")


def suspended() -> Story:
    story = begun(onExit=HOOKS["onExit"]).ask("suspend")
    return story.exit("a", 1)


def deleted() -> Story:
    return fine().delete()


def deadline() -> Story:
    story = Story().accept(STEPS, hooks=HOOKS, activeDeadlineSeconds=5).start("a")
    return story.exit("onStart/hello").wait(6).end("a").start("onFailure/page")


def late_start() -> Story:
    """A hook of onStart runs longer than the steps."""
    story = Story().accept([a_step("a")], hooks=HOOKS).start("a").start("onStart/hello")
    return story.exit("a")


def tried_again() -> Story:
    story = begun(onExit=[{"name": "tidy", "run": "3", "retry": {"limit": 1}}]).exit("a", 1)
    return story.exit("onExit/tidy", 1)


# ---------------------------------------- the workflow


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (ending, "ending as Failed: 1 failed (b), 1 skipped; running its hook onFailure/page, "
         "2 more follow"),
        (lambda: ending().exit("onFailure/page", 1), "ending as Failed: 1 failed (b), 1 skipped, "
         "1 hook failed (onFailure/page); its hook onFailure/ticket waits for a slot, "
         "1 more follows"),
        (fine, "ending as Succeeded; running its hook onExit/tidy"),
        (late_start, "ending as Succeeded; running its hook onStart/hello, 1 more follows"),
        (suspended, "ending as Failed: 1 failed (a), 2 skipped; its hook onExit/tidy waits: "
         "suspended by somebody"),
        (lambda: fine().ask("suspend"), "ending as Succeeded; running its hook onExit/tidy; "
         "suspended by somebody"),
        (deleted, "ending as Succeeded; running its hook onExit/tidy; then it is deleted"),
        (deadline, "ending as Failed: the deadline has passed (activeDeadlineSeconds: 5); "
         "3 cancelled; running its hook onFailure/page, 2 more follow"),
        (tried_again, "ending as Failed: 1 failed (a), 2 skipped; its hook onExit/tidy is about "
         "to run again"),
    ],
)  # fmt: skip
def test_what_it_is_about_to_end_as(told: Callable[[], Story], says: str) -> None:
    assert words.of_workflow(told().life()) == ("Ending", says)


def test_while_steps_run_a_hook_that_runs_is_named_with_them() -> None:
    story = begun().start("onStart/hello")
    assert words.of_workflow(story.life()) == ("Started", "running: a, onStart/hello")
    story.mark()
    said = "cancelled by w.cancel; waiting for 1 running step and a hook"
    assert words.of_workflow(story.life()) == ("CancelMarker", said)


def test_a_hook_that_failed_is_counted_and_named() -> None:
    story = ended()
    table = list_table(story.state, listed(story.state), Look(now=story.now))
    assert list(render(table))[1].endswith(
        "Failed    1/3  1.0s       now  1 failed (b), 1 skipped, 1 hook failed (onFailure/ticket)"
    )
    said = "w failed in 1.0s: 1 succeeded, 1 failed (b), 1 skipped (c); hook failed: "
    assert words.summary(story.life()) == f"{said}onFailure/ticket"


def test_the_list_of_runs_says_what_it_is_about_to_end_as() -> None:
    story = ending()
    table = runs_table(story.state, latest(story.state.runs, 1), Look(now=story.now), named=False)
    assert [cell.text for cell in table.rows[0]][-2:] == [
        "ending as Failed, 1 of 3", "new spec by somebody",
    ]  # fmt: skip


# ---------------------------------------- a hook


@pytest.mark.parametrize(
    ("told", "hook", "says"),
    [
        (ending, "onStart/hello", ("Completed", "exit code 0")),
        (ending, "onFailure/page", ("Started", r"running \(pid \d+\)")),
        (ending, "onExit/tidy", ("WaitingForTurn", "waiting until onFailure/page has ended")),
        (suspended, "onExit/tidy", ("Suspended", "nothing starts: suspended by somebody")),
        (tried_again, "onExit/tidy", ("BackOff", r"exit code 1; retry 1 of 1 in 0.50 s \(due .*")),
        (lambda: ended().ask("retry").exit("b"), "onFailure/ticket",
         ("NonZeroExit", "not due in run 2; in run 1: exit code 4")),
    ],
)  # fmt: skip
def test_why_a_hook_is_as_it_is(
    told: Callable[[], Story], hook: str, says: tuple[str, str]
) -> None:
    story = told()
    reason, message = words.of_step(story.state, story.life(), story.step(hook))
    assert reason == says[0]
    assert re.fullmatch(says[1], message), message


def test_a_hook_that_waits_names_the_one_before_it() -> None:
    story = ending()
    around = Around(runs=True, limits=story.limits)
    step, look = story.step("onExit/tidy"), Look(now=story.now)
    causes = ways(story.state, story.life(), step, around, look)
    assert [(cause.depth, cause.step) for cause in causes] == [
        (0, "onExit/tidy"), (1, "onFailure/page"),
    ]  # fmt: skip
    said = list(of_step(story.state, story.life(), step, causes, around, look, {}))
    assert said[2:] == ["", "onExit hooks run at the end of each run, after all other hooks"]


def test_nobody_is_told_to_retry_a_hook() -> None:
    story, look = ended(), Look(now=0)
    step, around = story.step("onFailure/ticket"), Around(runs=True)
    causes = ways(story.state, story.life(), step, around, look)
    said = list(of_step(story.state, story.life(), step, causes, around, look, {}))
    assert said[-1] == "next: treadle logs w onFailure/ticket"


# ---------------------------------------- pages


def test_the_page_has_a_table_of_hooks() -> None:
    story = ended()
    shown = list(page(story.state, story.life(), Look(now=story.now)))
    at = next(n for n, line in enumerate(shown) if "HOOK" in line)
    assert shown[at : at + 6] == [
        "  HOOK                PHASE      TRY  TIME  EXIT  NOTE",
        "  ✓ onStart/hello     Succeeded    1  0.0s     0",
        "  ✓ onFailure/page    Succeeded    1  0.0s     0",
        "  ✗ onFailure/ticket  Failed       1  0.0s     4  exit 4",
        "  ✓ onExit/tidy       Succeeded    1  0.0s     0",
        "",
    ]
    logs = "onFailure/ticket: exit code 4 (treadle logs w onFailure/ticket)"
    assert f"  HookFailed    {logs}" in shown


def test_the_page_says_what_it_is_about_to_end_as() -> None:
    story = ending()
    shown = list(page(story.state, story.life(), Look(now=story.now)))
    assert shown[1:3] == [
        "  1 failed (b), 1 skipped, 1 of 3 steps succeeded",
        "  ending as Failed; running its hook onFailure/page, 2 more follow",
    ]
    shown = list(page((story := deadline()).state, story.life(), Look(now=story.now)))
    said = "ending as Failed (the deadline has passed (activeDeadlineSeconds: 5))"
    assert shown[2] == f"  {said}; running its hook onFailure/page, 2 more follow"


def test_without_hooks_the_page_has_no_such_table() -> None:
    story = Story().accept(STEPS).exit("a")
    assert not any("HOOK" in one for one in page(story.state, story.life(), Look(now=0)))


def test_one_hook_has_a_page() -> None:
    story = ended()
    shown = list(step_page(story.state, story.life(), story.step("onExit/tidy"), Look(now=0)))
    assert shown[0] == "w/onExit/tidy"
    assert shown[2].split() == ["HOOK", "PHASE", "TRY", "TIME", "EXIT", "NOTE"]
    assert shown[-1].endswith("treadle explain w onExit/tidy · treadle logs w onExit/tidy")


def test_explain_groups_hooks_that_wait() -> None:
    story = ending()
    around = Around(runs=True, limits=story.limits)
    assert list(explanation(story.state, story.life(), around, Look(now=0), {})) == [
        "● w is Running: 1 failed (b), 1 skipped, 1 of 3 steps succeeded; ending as Failed",
        "✗ b failed (exit 3) → skipped: c",
        "● onFailure/page: running",
        "◌ 2 hooks waiting until onFailure/page has ended: onFailure/ticket, onExit/tidy",
        "next: treadle logs w b",
    ]


def test_what_waits_for_hooks_is_shown() -> None:
    story = ending()
    edited = Document(workflow=document([*STEPS, a_step("d")], hooks=HOOKS), line=1)
    for action in accept(story.life(), edited, "w.yaml", ""):
        story.promise(action)
    asked = Request(kind="retry", workflow="w", by="ada", steps=["b"], reason="it is back")
    other = Request(kind="retry", workflow="v", by="ada")
    around = Around(runs=True, limits=story.limits, asked=[asked, other])
    look = Look(now=story.now)
    edit = "generation 2 from w.yaml waits until the hooks of run 1 have ended"
    retry = "retry of b requested by ada: it is back; it waits until the hooks of run 1 have ended"
    said = list(explanation(story.state, story.life(), around, look, {}))
    assert said[1:3] == [edit, retry]
    step = story.step("b")
    causes = ways(story.state, story.life(), step, around, look)
    assert list(of_step(story.state, story.life(), step, causes, around, look, {}))[1:3] == [
        edit, retry,
    ]  # fmt: skip
    shown = list(page(story.state, story.life(), look, asked=around.asked))
    assert [line for line in shown if "waiting  " in line] == [
        f"  waiting       {edit}", f"  waiting       {retry}",
    ]  # fmt: skip


# ---------------------------------------- the live view


def nothing(_attempt: Attempt, _count: int) -> list[str]:
    return []


def rows(story: Story, board: Board | None = None, width: int = 100) -> list[str]:
    content = BoardContent(story.state, "specs")
    shown = (board or Board()).draw(content, Look(now=story.now, width=width), 20, nothing)
    return [line.strip() for line in shown[2:-2] if line.strip()]


def test_hooks_that_run_or_failed_are_rows_of_the_live_view() -> None:
    story, board = ending().exit("onFailure/page", 1).start("onFailure/ticket"), Board()
    board.choice.toggled.add((story.life().uid, ""))  # the only one is open by itself
    shown = rows(story, board)
    assert [line.split()[:2] for line in shown] == [
        ["●", "w"],
        ["✗", "b"],
        ["└", "treadle"],
        ["✗", "onFailure/page"],
        ["└", "treadle"],
        ["●", "onFailure/ticket"],
    ]


def test_an_opened_workflow_has_its_hooks_below_its_steps() -> None:
    story, board = ending(), Board()
    rows(story, board)
    assert [name for _, name in board.choice.rows] == [
        "", "a", "b", "c", "onStart/hello", "onFailure/page", "onFailure/ticket", "onExit/tidy",
    ]  # fmt: skip


def test_the_output_of_a_selected_hook_can_be_read() -> None:
    story, board = ending(), Board()
    rows(story, board)
    board.choice.cursor = (story.life().uid, "onFailure/page")
    board.choice.press("l", story.state)
    assert board.choice.mode == "logs"
    assert rows(story, board) == ["(it printed nothing)"]
    board.choice.press("q", story.state)
    board.choice.press("r", story.state)
    assert board.choice.order is not None
    assert board.choice.order.step == "onFailure/page"


@pytest.mark.parametrize("width", [1, 5, 20, 40, 80])
def test_nothing_breaks_at_narrow_widths(width: int) -> None:
    story, look = ended(), Look(now=0, width=width)
    rows(story, width=width)
    for line in page(story.state, story.life(), look, wide=True):
        assert line.isprintable()


# ---------------------------------------- logs


def shown(told: list[Shown | str]) -> list[str]:
    return [one if isinstance(one, str) else f"{one.step.name}.{one.number}" for one in told]


def test_logs_have_hooks_after_the_steps() -> None:
    story = ended()
    told = of_one_run(story.state, story.life(), AttemptChoice(word="w"))
    assert shown([*told]) == [
        "a.1", "b.1", "onStart/hello.1", "onFailure/page.1", "onFailure/ticket.1", "onExit/tidy.1",
    ]  # fmt: skip


def test_logs_leave_out_hooks_of_an_earlier_run_without_a_word() -> None:
    story = ended().wait(1).ask("retry").exit("b").exit("onStart/hello").start("c")
    told = shown([*of_one_run(story.state, story.life(), AttemptChoice(word="w"))])
    assert told[1:] == ["b.2", "c.1", "onStart/hello.2"]  # the first is a line about a
    named = AttemptChoice(word="w", steps=["onFailure/page"])
    assert shown([*of_one_run(story.state, story.life(), named)]) == [
        "onFailure/page did not run in run 2: not due in run 2; in run 1: exit code 0; "
        "it did in run 1: treadle logs w onFailure/page --run 1"
    ]
    every = shown([*of_all_runs(story.life(), AttemptChoice(word="w"))])
    assert {"onFailure/page.1", "onStart/hello.1", "onStart/hello.2"} <= {*every}


def test_logs_follow_a_hook() -> None:
    story = ending()
    told = shown([*running(story.state, story.life(), AttemptChoice(word="w"))])
    assert told[-1] == "onFailure/page.1"


# ---------------------------------------- names


@pytest.mark.parametrize(
    ("word", "means"),
    [
        ("onFailure/page", ["onFailure/page"]),
        ("onFailure", ["onFailure/page", "onFailure/ticket"]),
        ("onFailure/*", ["onFailure/page", "onFailure/ticket"]),
        ("*", ["a", "b", "c"]),
    ],
)
def test_the_names_of_hooks(word: str, means: list[str]) -> None:
    assert pick_steps(ending().life(), [word]) == means


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("onFailure/pag", 'w had no hook "onFailure/pag" in run 1; did you mean "onFailure/page"?'),
        (
            "onCancel/undo",
            'w had no hook "onCancel/undo" in run 1; onCancel hooks run when all steps are done '
            "and the run was cancelled",
        ),
    ],
)
def test_a_hook_that_was_not_due(word: str, says: str) -> None:
    with pytest.raises(NotFound) as problem:
        pick_steps(ending().life(), [word])
    assert str(problem.value) == says


# ---------------------------------------- for scripts


def test_the_shape_has_the_hooks_of_the_present_run() -> None:
    story = ended()
    hooks = msgspec.to_builtins(workflow_shape(story.state, story.life()).status.hooks)
    assert [(one["name"], one["kind"], one["phase"], len(one["attempts"])) for one in hooks] == [
        ("onStart/hello", "onStart", "Succeeded", 1),
        ("onFailure/page", "onFailure", "Succeeded", 1),
        ("onFailure/ticket", "onFailure", "Failed", 1),
        ("onExit/tidy", "onExit", "Succeeded", 1),
    ]
    assert {*hooks[0]} == {"name", "kind", "phase", "reason", "message", "attempts"}
    story.ask("retry").exit("b").exit("onStart/hello").exit("c")
    hooks = workflow_shape(story.state, story.life()).status.hooks
    assert [one.name for one in hooks] == ["onStart/hello", "onExit/tidy"]


def test_steps_and_hooks_of_one_fate_are_counted_as_such() -> None:
    hooks = {"onStart": [{"name": "hello", "run": "1"}, {"name": "later", "run": "2"}]}
    story = Story().accept([a_step("a"), a_step("b", "a")], hooks=hooks).start("a")
    story.mark().end("a").end("onStart/hello")
    shown = list(explanation(story.state, story.life(), Around(runs=True), Look(now=0), {}))
    said = "4 steps and hooks cancelled by w.cancel: a, b, onStart/hello, onStart/later"
    assert shown[1] == f"■ {said}"
