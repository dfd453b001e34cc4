"""The table of `get` and the page of `status`, as a person sees them."""

import pytest
from story import Story, a_step

from controller.errors import Fault
from controller.model import events as e
from controller.model.phases import Phase
from controller.model.state import SECOND
from controller.view.figures import memory, note, tries
from controller.view.find import NeverValid
from controller.view.lists.listing import list_table, listed
from controller.view.look import Look
from controller.view.pages.page import never_valid_page, page, step_page
from controller.view.table import cells, render


def told() -> Story:
    steps = [a_step("extract"), a_step("load", "extract"), a_step("report", "load")]
    story = Story().accept(steps, name="etl").start("extract", workflow="etl")
    story.wait(12).exit("extract", workflow="etl").start("load", workflow="etl").wait(3)
    fault = Fault(file="specs/new.yaml", line=2, column=1, problem="no kind", hint="say Workflow")
    return story.see(e.FileRejected(path="new.yaml", digest="d", faults=[fault, fault]))


def everything(_labels: dict[str, str]) -> bool:
    return True


def test_the_table_of_get() -> None:
    story = told()
    table = list_table(story.state, listed(story.state, everything), Look(now=story.now))
    assert list(render(table)) == [
        "NAME  PHASE    STEPS  TIME  LAST RUN  MESSAGE",
        "etl   Running    1/3   15s       now  running: load",
        "new   Pending      -     -         -  SpecInvalid: no kind; say Workflow "
        "(specs/new.yaml:2:1; and 1 more)",
    ]


def test_wide_has_more_columns_and_the_message_last() -> None:
    story = told()
    table = list_table(story.state, listed(story.state, everything), Look(now=story.now), wide=True)
    header, first, _ = render(table)
    assert header.split()[4:] == [
        "LAST", "RUN", "AGE", "GEN", "RUN", "UID", "FILE", "LABELS", "PARAMS", "MESSAGE",
    ]  # fmt: skip
    assert first.split()[4:] == [
        "now",
        "15s",
        "1",
        "1",
        "uid-1",
        "etl.yaml",
        "-",
        "-",
        "running:",
        "load",
    ]


def test_a_selector_leaves_out_what_has_no_such_label() -> None:
    assert listed(told().state, lambda labels: "team" in labels) == []


def test_an_invalid_edit_is_told_in_the_row() -> None:
    story = told()
    fault = Fault(file="specs/etl.yaml", problem="is wrong")
    story.see(e.FileRejected(path="etl.yaml", digest="d", faults=[fault], names=["etl"]))
    row = list(render(list_table(story.state, [story.life("etl")], Look(now=story.now))))[1]
    assert row.endswith("[invalid file] running: load")


def test_the_page_of_status() -> None:
    story = told()
    look = Look(now=story.now + SECOND)
    pid = story.attempt("load", "etl").pid
    assert list(page(story.state, story.life("etl"), look)) == [
        "● etl  Running  run 1, 2023-11-14T22:13:20+00:00, has taken 16s",
        "  1 of 3 steps succeeded",
        "  running: load",
        "",
        "  STEP       PHASE      TRY  TIME  EXIT  AFTER    NOTE",
        "  ✓ extract  Succeeded    1   12s     0  -",
        f"  ● load     Running      1  4.0s     -  extract  running (pid {pid})",
        "  ◌ report   Pending      -     -     -  load     waiting for load",
        "",
        "  started by    new spec by somebody",
        "  file          etl.yaml, generation 1",
    ]


def test_a_wide_page_has_conditions_and_recent_changes_too() -> None:
    story = told()
    lines = list(page(story.state, story.life("etl"), Look(now=story.now), wide=True))
    assert "  uid           uid-1" in lines
    assert "  Progressing  True      15s  Started: run 1 started" in lines
    assert "  2023-11-14T22:13:32+00:00  extract     Succeeded  exit code 0" in lines


def test_without_a_controller_the_clocks_stand_and_what_ran_is_marked() -> None:
    story = told()
    stood = story.now + 2 * SECOND
    look = Look(now=story.now + 3600 * SECOND, stood=stood, width=80)
    lines = list(page(story.state, story.life("etl"), look))
    assert lines[0] == "● etl  Running?  run 1, 22:13:20 UTC, has taken 17s"
    (load,) = [line for line in lines if "● load" in line]
    assert load.split()[2:5] == ["Running?", "1", "5.0s"]
    assert "was running when the con" in load
    row = list(render(list_table(story.state, [story.life("etl")], look), 80))[1]
    assert "Running?" in row
    assert "17s" in row


def test_what_a_finished_page_says() -> None:
    steps = [a_step("a", retry={"limit": 2}), a_step("b"), a_step("c", "a", "b"), a_step("d", "c")]
    story = Story().accept(steps).start("a", "b").wait(3).exit("b").wait(2).exit("a", 3)
    story.settle().wait(30).start("a").wait(4).exit("a")
    story.start("c").wait(10).exit("c", 7)
    lines = list(page(story.state, story.life(), Look(now=story.now), printed={"c": ["x", "no"]}))
    assert lines[1] == "  1 failed (c), 1 skipped, 2 of 4 steps succeeded"
    assert lines[3:6] == [
        "── w/c, attempt 1: treadle logs w c ──",
        "  x",
        "  no",
    ]
    at = lines.index("")
    table = [line.split(maxsplit=5) for line in lines if line.startswith(("  ├", "  └", "  ✗"))]
    assert [row[1:4] for row in table[:2]] == [["✓", "a", "Succeeded"], ["✓", "b", "Succeeded"]]
    assert any(line.startswith("  ✗ c    Failed          1") for line in lines[at:])
    assert any(line.endswith("exit 7: no") for line in lines)
    assert "  critical path 14s: a → c" in lines
    assert lines[-1] == "  next          fix the spec and save it, or treadle retry w"


def test_the_page_names_a_second_file_of_that_name() -> None:
    story = told()
    fault = Fault(file="specs/twin.yaml", problem="is already defined")
    story.see(e.FileRejected(path="twin.yaml", digest="d", faults=[fault], names=["etl"]))
    lines = list(page(story.state, story.life("etl"), Look(now=story.now)))
    assert "  rejected      specs/twin.yaml: is already defined" in lines


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_the_page_fits_a_terminal(width: int) -> None:
    story = told()
    lines = list(page(story.state, story.life("etl"), Look(now=story.now, width=width), wide=True))
    assert max(map(len, lines)) <= width
    assert any("AFTER" in line for line in lines) == (width >= 80), "only where there is room"


def test_the_page_of_a_workflow_that_was_never_valid() -> None:
    found = NeverValid("new", told().state.rejected["new.yaml"])
    lines = list(never_valid_page(found, Look(now=0)))
    assert lines[0] == "new  Pending  SpecInvalid"
    assert lines[2] == "  specs/new.yaml:2:1: no kind; say Workflow"


def test_the_page_shows_what_steps_used() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).start("a", "b").wait(3)
    story.end("a", exit_code=0, usage=e.Usage(cpu_seconds=2.04, max_rss_bytes=12 << 20))
    now = {(story.life().uid, "b"): e.Usage(cpu_seconds=1.0, max_rss_bytes=2 << 30)}
    shown = list(page(story.state, story.life(), Look(now=story.now), in_use=now))
    assert "  STEP   PHASE      TRY  TIME  EXIT   CPU   MEM  NOTE" in shown
    assert "  ├ ✓ a  Succeeded    1  3.0s     0  2.0s   12M" in shown
    assert any(line.startswith("  └ ● b  Running      1  3.0s     -  1.0s  2.0G") for line in shown)


# ---------------------------------------- one step


def retried() -> Story:
    story = Story().accept([a_step("a"), a_step("check", "a", retry={"limit": 1})])
    return story.exit("a").exit("check", 1).wait(1).exit("check", 3)


def test_the_page_of_a_step_has_all_its_attempts() -> None:
    story = retried()
    workflow, look = story.life(), Look(now=story.now)
    printed = {"a": ["of another"], "check": ["too few rows"]}
    check = workflow.steps["check"]
    lines = [*step_page(story.state, workflow, check, look, printed=printed)]
    assert lines[0] == "w/check"
    assert [line.split()[:3] for line in lines if line.startswith("  ✗")] == [
        ["✗", "check", "Failed"]
    ]
    assert "── w/check, attempt 2: treadle logs w check ──" in lines
    assert "  too few rows" in lines
    assert "  of another" not in lines
    rows = [line.split()[:2] for line in lines if line.lstrip()[:2] in ("1 ", "2 ")]
    assert rows == [["1", "Failed"], ["2", "Failed"]]
    assert lines[-1] == "  next          treadle explain w check · treadle logs w check"
    past = [*step_page(story.state, workflow, check, look, past=True)]
    assert not any("next" in line for line in past)


@pytest.mark.parametrize("width", [1, 5, 20, 40, 80])
def test_the_page_of_a_step_fits_a_terminal(width: int) -> None:
    story = retried()
    workflow, look = story.life(), Look(now=story.now, width=width)
    printed = {"check": ["日本" * 50]}
    for line in step_page(story.state, workflow, workflow.steps["check"], look, printed=printed):
        assert cells(line) <= max(width, 40)  # a word and its label stay whole


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "1M"), (12 << 20, "12M"), (999 << 20, "999M"), (3 << 29, "1.5G"), (200 << 30, "200.0G")],
)
def test_memory_in_a_narrow_column(size: int, shown: str) -> None:
    assert memory(size) == shown


def test_what_cannot_be_ended_is_seen_with_its_pids() -> None:
    story = Story().accept([a_step("a")]).start("a").mark()
    known = {"uid": story.life().uid, "step": "a", "attempt": 1}
    story.see(e.AttemptEndFailed(**known, pids=[7, 9]))
    lines = "\n".join(page(story.state, story.life(), Look(now=story.now)))
    assert "EndFailed     step a: SIGKILL did not end pid 7, 9; its slot stays taken" in lines
    assert "still running after SIGKILL: pid 7, 9" in lines
    (row,) = list(render(list_table(story.state, [story.life()], Look(now=story.now))))[1:]
    assert "EndFailed" in row
    story.end("a")
    lines = "\n".join(page(story.state, story.life(), Look(now=story.now)))
    assert "EndFailed" not in lines


def test_what_cannot_be_ended_is_seen_while_any_of_it_is_there() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).start("a", "b").mark()
    for step in "ab":
        known = {"uid": story.life().uid, "step": step, "attempt": 1}
        story.see(e.AttemptEndFailed(**known, pids=[ord(step)]))
    story.end("b")
    condition = story.life().conditions["EndFailed"]
    assert (condition.status, "pid 97" in condition.message) == ("True", True)
    story.end("a")
    assert story.life().conditions["EndFailed"].status == "False"


def test_what_the_edit_did_is_for_those_who_ask_for_more() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).exit("a").exit("b")
    story.accept([a_step("a", run="other"), a_step("b")]).exit("a")
    edit = "  edit          1 unchanged; to run again: a (run changed)"
    look = Look(now=story.now)
    assert edit not in page(story.state, story.life(), look), "what began the run says it"
    assert edit in page(story.state, story.life(), look, wide=True)


def test_a_try_that_was_cancelled_before_it_began_is_not_counted() -> None:
    story = Story().accept([a_step("a", retry={"limit": 2})]).exit("a", 1)
    assert tries(story.life(), story.step("a")) == "1 of 3", "it waits for the second one"
    story.mark()
    assert story.step("a").phase is Phase.CANCELLED
    assert tries(story.life(), story.step("a")) == "1 of 3"


def handed_on() -> Story:
    """`a` has handed on something, and `b` runs."""
    a = {**a_step("a"), "outputs": {"rows": "integer", "path": "string"}}
    story = Story().accept([a, a_step("b", "a")], params={"date": "today", "regions": ["eu"]})
    story.start("a").end("a", exit_code=0, outputs=b"rows=5\npath=my file\nextra=1")
    return story.start("b")


def test_params_and_outputs_are_on_the_page() -> None:
    story = handed_on()
    lines = list(page(story.state, story.life(), Look(now=story.now)))
    assert '  params        date=today regions=["eu"]' in lines
    (row,) = [line for line in lines if "✓ a " in line]
    assert row.endswith('  rows=5 path="my file"')


def test_outputs_are_on_the_page_of_their_step() -> None:
    story = handed_on()
    lines = list(step_page(story.state, story.life(), story.step("a"), Look(now=story.now)))
    assert '  outputs       rows=5 path="my file"' in lines
    ignored = 'ignored an output that the step does not declare: "extra"'
    assert f"  note          attempt 1: {ignored}" in lines


def test_what_a_kept_result_handed_on() -> None:
    story = handed_on().exit("b", 1)
    story.accept(
        [
            {**a_step("a"), "outputs": {"rows": "integer", "path": "string"}},
            a_step("b", "a", run="another"),
        ]
    )
    story.start("b")
    assert (
        note(story.state, story.life(), story.step("a"), Look(now=story.now))
        == 'kept from run 1: rows=5 path="my file"'
    )


def test_params_are_in_the_wide_table() -> None:
    story = handed_on()
    table = list_table(story.state, [story.life()], Look(now=story.now), wide=True)
    header, row = render(table)
    assert "PARAMS" in header
    assert 'date=today regions=["eu"]' in row


def test_a_fault_of_the_outputs_is_said_where_the_exit_code_says_nothing() -> None:
    story = Story().accept([a_step("a", outputs={"rows": "integer"})]).exit("a", outputs=b"rows=x")
    why = 'the output "rows" (line 1): expected an integer, found "x"'
    lines = list(page(story.state, story.life(), Look(now=story.now), printed={"a": ["done"]}))
    (row,) = [line for line in lines if "✗ a " in line]
    assert row.endswith(f"  {why}")
    head = lines.index("── w/a, attempt 1: treadle logs w a ──")
    assert lines[head + 1 : head + 3] == [f"  {why}", "  done"]


def test_a_marker_for_several_steps() -> None:
    story = Story().accept([a_step("a"), a_step("b")])
    story.see(e.MarkerPlaced(workflow="w", path="w.cancel", digest="", steps=["a", "b"]))
    text = "\n".join(page(story.state, story.life(), Look(now=story.now)))
    assert "w.cancel: while this file exists, a and b do not start" in text


def test_a_step_that_took_too_long_says_so_and_not_its_exit_code() -> None:
    story = Story().accept([a_step("a", timeoutSeconds=5)]).start("a").wait(6).settle().end("a")
    assert story.step("a").attempts[-1].exit_code == 124
    shown = note(story.state, story.life(), story.step("a"), Look(now=story.now), {"a": ["rows"]})
    assert shown == "timed out after 5 s"


def test_a_workflow_that_its_file_suspends_is_resumed_there() -> None:
    story = Story().accept([a_step("a")], suspend=True)
    shown = list(page(story.state, story.life(), Look(now=story.now)))
    assert shown[-1] == "  next          remove `suspend: true` from w.yaml"
