"""The table of `get` and the page of `status`, as a person sees them."""

import pytest
from story import Story, a_step

from controller.errors import Fault
from controller.model import events as e
from controller.model.state import SECOND
from controller.view.find import NeverValid
from controller.view.listing import list_table, listed
from controller.view.page import memory, never_valid_page, page
from controller.view.table import render


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
    table = list_table(story.state, listed(story.state, everything), story.now)
    assert list(render(table)) == [
        "NAME  PHASE    STEPS  TIME  AGE  MESSAGE",
        "etl   Running    1/3   15s  15s  running: load",
        "new   Pending      -     -    -  SpecInvalid: specs/new.yaml:2:1: no kind; say Workflow"
        " (and 1 more)",
    ]


def test_wide_has_more_columns_and_the_message_last() -> None:
    story = told()
    table = list_table(story.state, listed(story.state, everything), story.now, wide=True)
    header, first, _ = render(table)
    assert header.split() == [
        "NAME", "PHASE", "STEPS", "TIME", "AGE", "GEN", "RUN", "UID", "FILE", "LABELS", "MESSAGE",
    ]  # fmt: skip
    assert first.split()[5:] == ["1", "1", "uid-1", "etl.yaml", "-", "running:", "load"]


def test_a_selector_leaves_out_what_has_no_such_label() -> None:
    assert listed(told().state, lambda labels: "team" in labels) == []


def test_an_invalid_edit_is_told_in_the_row() -> None:
    story = told()
    fault = Fault(file="specs/etl.yaml", problem="is wrong")
    story.see(e.FileRejected(path="etl.yaml", digest="d", faults=[fault], names=["etl"]))
    row = list(render(list_table(story.state, [story.life("etl")], story.now)))[1]
    assert row.endswith("[invalid file] running: load")


def test_the_page_of_status() -> None:
    story = told()
    lines = list(page(story.state, story.life("etl"), story.now + SECOND))
    assert lines[0] == "etl  Running"
    assert "  steps     1 of 3 succeeded" in lines
    assert "  run       1, started 2023-11-14T22:13:20.000000Z, has taken 16s" in lines
    at = lines.index("Steps")
    pid = story.attempt("load", "etl").pid
    assert lines[at + 1 : at + 5] == [
        "  STEP     PHASE      TRY  TIME  CPU  MEM  EXIT  AFTER    MESSAGE",
        "  extract  Succeeded    1   12s    -    -     0  -        exit code 0",
        f"  load     Running      1  4.0s    -    -     -  extract  running (pid {pid})",
        "  report   Pending      -     -    -    -     -  load     waiting for load",
    ]
    assert "  22:13:32  extract     Succeeded  exit code 0" in lines


def test_the_page_names_a_second_file_of_that_name() -> None:
    story = told()
    fault = Fault(file="specs/twin.yaml", problem="is already defined")
    story.see(e.FileRejected(path="twin.yaml", digest="d", faults=[fault], names=["etl"]))
    lines = list(page(story.state, story.life("etl"), story.now))
    assert "  rejected  specs/twin.yaml: is already defined" in lines


def test_the_page_fits_a_terminal() -> None:
    story = told()
    lines = list(page(story.state, story.life("etl"), story.now, width=80))
    assert max(map(len, lines)) <= 80
    assert not any("AFTER" in line for line in lines), "no room for it"


def test_the_page_of_a_workflow_that_was_never_valid() -> None:
    found = NeverValid("new", told().state.rejected["new.yaml"])
    lines = list(never_valid_page(found))
    assert lines[0] == "new  Pending  SpecInvalid"
    assert lines[2] == "  specs/new.yaml:2:1: no kind; say Workflow"


def test_the_page_shows_what_an_attempt_used_where_there_is_room() -> None:
    story = Story().accept([a_step("a")]).start("a").wait(3)
    story.end("a", exit_code=0, usage=e.Usage(cpu_seconds=2.04, max_rss_bytes=12 << 20))
    deep = list(page(story.state, story.life(), story.now, width=100))
    assert "  STEP  PHASE      TRY  TIME   CPU  MEM  EXIT  AFTER  MESSAGE" in deep
    assert "  a     Succeeded    1  3.0s  2.0s  12M     0  -      exit code 0" in deep
    narrow = list(page(story.state, story.life(), story.now, width=80))
    assert "  a     Succeeded    1  3.0s     0  exit code 0" in narrow


def test_the_page_shows_what_a_running_step_uses_now() -> None:
    story = Story().accept([a_step("a")]).start("a").wait(3)
    used = {(story.life().uid, "a"): e.Usage(cpu_seconds=2.04, max_rss_bytes=12 << 20)}
    lines = list(page(story.state, story.life(), story.now, in_use=used))
    assert any(line.startswith("  a     Running    1  3.0s  2.0s  12M     -  -") for line in lines)
    story.end("a", exit_code=0)
    lines = list(page(story.state, story.life(), story.now, in_use=used))
    assert any(line.startswith("  a     Succeeded    1  3.0s    -    -     0  -") for line in lines)


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
    lines = "\n".join(page(story.state, story.life(), story.now))
    assert "EndFailed    True" in lines
    assert "EndFailed: step a: SIGKILL did not end pid 7, 9; its slot stays taken" in lines
    assert "still running after SIGKILL: pid 7, 9" in lines
    (row,) = list(render(list_table(story.state, [story.life()], story.now)))[1:]
    assert "EndFailed" in row
    story.end("a")
    lines = "\n".join(page(story.state, story.life(), story.now))
    assert "EndFailed    False" in lines


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
