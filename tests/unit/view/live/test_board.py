"""The live view as a person sees it."""

import pytest
from definitions import EVERY, definition, fire, run
from hypothesis import given, settings
from hypothesis import strategies as st
from story import Story, a_step

from controller.errors import Fault
from controller.model import events as e
from controller.model.state import SECOND, Attempt
from controller.planner.permission import Limits
from controller.view.live.board import KEYS, Board, BoardContent
from controller.view.look import Look
from controller.view.table import cells

RULE = "─" * 80
OUTPUT = {"s1": ["41,200 of 88,000 rows"], "bad": ["begin", "no \x1b[31mserver", "refused"]}


def tail(attempt: Attempt, count: int) -> list[str]:
    step = attempt.log.rpartition("/")[2].partition(".")[0]
    return OUTPUT.get(step, [])[-count:]


LIMITS = Limits(max_parallel=2)


def screen(
    story: Story, board: Board | None = None, width: int = 80, height: int = 20, **how: object
) -> list[str]:
    look = Look(now=story.now, width=width)
    content = BoardContent(story.state, "specs", limits=LIMITS, **how)  # type: ignore[arg-type]
    lines = (board or Board()).draw(content, look, height, tail)
    assert len(lines) == height
    assert all(cells(line) <= width for line in lines), lines
    return [line.rstrip() for line in lines]


def rows(story: Story, board: Board | None = None, **how: object) -> list[str]:
    shown = screen(story, board, **how)[2:-2]  # type: ignore[arg-type]
    return [line for line in shown if line]


def many() -> Story:
    """A failed one, a running one, two that wait, one that is done."""
    story = Story()
    for name in ("bad", "runs", "later", "last", "done"):
        steps = {
            "bad": [a_step("ok"), a_step("bad", "ok"), a_step("next", "bad")],
            "runs": [a_step("s0"), a_step("s1", "s0"), a_step("s2", "s1")],
        }
        story.accept(steps.get(name, [a_step("one")]), name)
    story.start("ok", workflow="bad").exit("ok", workflow="bad").start("bad", workflow="bad")
    story.wait(3).exit("bad", 3, workflow="bad").exit("one", workflow="done")
    return (
        story.start("s0", workflow="runs")
        .exit("s0", workflow="runs")
        .start("s1", workflow="runs")
        .wait(2)
    )


def test_what_failed_then_what_runs_then_who_waits_then_what_is_done() -> None:
    story = many()
    assert screen(story)[:2] == [
        "treadle  specs  22:13:25   slots 1/2   1 failed · 1 running · 2 waiting · 1 done", RULE
    ]  # fmt: skip
    assert rows(story) == [
        " ✗ bad                         ███!!!!░░░      1/3    3.0s  1 failed (bad), 1 s…",
        "     ✗ bad                        3.0s  exit 3",
        "       │ no \\x1b[31mserver",
        "       │ refused",
        "       └ treadle logs bad bad",
        " ● runs                        ███░░░░░░░      1/3    2.0s  running: s1",
        "     ● s1                         2.0s  │ 41,200 of 88,000 rows",
        " ◌ 2 waiting to start  later last",
        " ✓ 1 done  done",
    ]
    assert screen(story)[-2:] == [RULE, "  ".join((*KEYS, "q quit"))]


def test_a_single_workflow_is_open_with_its_steps_in_the_order_of_the_dag() -> None:
    story = many()
    only = frozenset({story.life("bad").uid})
    assert rows(story, only=only)[1:] == [
        "   ✓ ok                           0.0s",
        "   ✗ bad                          3.0s  exit 3: refused",
        '   · next                            -  depends on "bad", which failed',
    ]
    board = Board()
    board.choice.cursor = (story.life("bad").uid, "")
    board.choice.press("enter", story.state)
    assert rows(story, board, only=only)[1].split()[:2] == ["✗", "bad"], "closed"


@pytest.mark.parametrize(
    ("width", "foot"),
    [
        (91, "  ".join((*KEYS, "q quit (steps keep running)"))),
        (80, "  ".join((*KEYS, "q quit"))),
        (60, "↑↓ select  ⏎ open  l logs  r retry  c cancel  ? help  q quit"),
        (20, "? help  q quit"),
        (10, "? help  q…"),
    ],
)
def test_keys_that_have_no_room_are_left_out(width: int, foot: str) -> None:
    assert screen(many(), width=width, leaving="q quit (steps keep running)")[-1] == foot


def test_the_help_names_all_keys_and_what_q_does() -> None:
    story, board = many(), Board()
    board.choice.press("?", story.state)
    shown = rows(story, board, leaving="q quit (steps keep running)")
    assert shown[-1] == "q               quit (steps keep running)"
    assert not any(line.endswith("…") for line in shown)


def test_a_group_opens() -> None:
    story, board = many(), Board()
    screen(story, board)
    board.choice.press("end", story.state)
    board.choice.press("end", story.state)
    board.choice.press("enter", story.state)
    assert rows(story, board)[-2:] == [
        "▸✓ 1 done  done",
        " ✓ done                        ██████████      1/1    0.0s  all steps are done",
    ]


def test_a_filter_leaves_the_others_out() -> None:
    story, board = many(), Board()
    board.choice.filter = "la"
    assert rows(story, board) == [" ◌ 2 waiting to start  later last"]
    assert screen(story, board)[-1].startswith("/la (Esc shows all)  ↑↓ select")


def test_what_was_never_valid_and_what_troubles_the_controller() -> None:
    story = Story()
    fault = Fault(file="specs/new.yaml", line=2, column=1, problem="no kind", hint="say Workflow")
    story.see(e.FileRejected(path="new.yaml", digest="d", faults=[fault]))
    lines = screen(story, problems=("DiskPressure: the disk is full",))
    assert lines[2] == " ✗ new: specs/new.yaml:2:1: no kind; say Workflow"
    assert lines[-3] == "DiskPressure: the disk is full"

    only = frozenset({"new"})
    assert rows(story, only=only) == [" ✗ new: specs/new.yaml:2:1: no kind; say Workflow"]


def test_logs_of_a_step_that_is_gone_are_closed() -> None:
    story, board = many(), Board()
    board.choice.cursor, board.choice.mode = (story.life("bad").uid, "gone"), "logs"
    assert screen(story, board)[0].startswith("treadle  specs")
    assert board.choice.mode == "rows", "keys do what the foot says"


def test_how_long_it_will_still_take_is_shown_after_three_runs() -> None:
    story = Story().accept([a_step("a")])
    for _ in range(3):
        story.start("a").wait(60).exit("a")
        uid = story.life().uid
        story.see(e.StepReset(uid=uid, step="a", reason="RestartRequested", message="again"))
        story.settle()
    story.start("a").wait(20)
    assert rows(story)[0].endswith("20s  about 40s left, run…")


def test_the_logs_of_a_step() -> None:
    story, board = many(), Board()
    board.choice.cursor, board.choice.mode = (story.life("bad").uid, "bad"), "logs"
    assert screen(story, board, height=7) == [
        "bad/bad, attempt 1  Failed 3.0s",
        RULE,
        "begin",
        "no \\x1b[31mserver",
        "refused",
        RULE,
        "↑↓ PgUp PgDn scroll  q back  (the end; new lines appear here)   treadle logs ba…",
    ]
    board.choice.back = 9
    assert screen(story, board, height=4)[1:3] == ["begin", "no \\x1b[31mserver"]
    assert board.choice.back == 1, "no further than the beginning"


def test_more_rows_than_lines_follow_the_cursor() -> None:
    story, board = Story(), Board()
    story.accept([a_step(f"s{n:02}") for n in range(30)])
    assert screen(story, board, height=10)[-3] == " … 26 more lines below"
    for _ in range(12):
        board.choice.press("down", story.state)
        screen(story, board, height=10)
    assert any(line.startswith("▸  ├ ◌ s10") for line in screen(story, board, height=10))
    board.choice.press("end", story.state)
    assert screen(story, board, height=10)[-3].startswith("▸  └ ◌ s29")


@pytest.mark.parametrize("height", range(1, 12))
def test_a_low_screen_still_shows_the_question_and_what_is_selected(height: int) -> None:
    story, board = many(), Board()
    trouble = ("x" * 200,) * 3
    screen(story, board, height=height, problems=trouble)
    for key in ("down", "down", "c"):
        board.choice.press(key, story.state)
        lines = screen(story, board, height=height, problems=trouble)
    assert lines[-1] == "cancel bad bad? y/n"
    assert height == 1 or any(line.startswith("▸") and "✗ bad" in line for line in lines)


def test_without_a_keyboard_no_keys_are_offered() -> None:
    assert screen(many(), keys=(), leaving="Ctrl-C quits")[-1] == "Ctrl-C quits"


def test_without_a_controller_the_head_says_so() -> None:
    story = many()
    look = Look(now=story.now + 99 * SECOND, stood=story.now, width=80)
    lines = Board().draw(BoardContent(story.state, "specs"), look, 20, tail)
    assert "no controller is running · 1 failed · 1 running" in lines[0]
    assert any("● runs" in line and " 2.0s " in line for line in lines), "the clock stands"
    lines = Board().draw(BoardContent(story.state, "specs", only=frozenset()), look, 20, tail)
    assert lines[0].endswith("no controller is running · no workflows")


@pytest.mark.parametrize("mode", ["rows", "filter", "logs", "help", "asks", "leaves"])
@settings(max_examples=30)
@given(
    width=st.integers(1, 130),
    height=st.integers(1, 40),
    keys=st.lists(st.sampled_from([*"l/d", "down", "up", "enter", "end", "page up"]), max_size=8),
)
def test_it_fits_every_screen(mode: str, width: int, height: int, keys: list[str]) -> None:
    story, board = many(), Board("ask")
    screen(story, board, width, height)
    for key in keys:
        board.choice.press(key, story.state)
        screen(story, board, width, height)
    board.choice.mode = mode  # type: ignore[assignment]
    screen(story, board, width, height, problems=("x" * 200,) * 3)


# ---------------------------------------- children


def fanned(count: int) -> Story:
    load = a_step("load", forEach="${{ params.keys }}", env={"N": "${{ item }}"})
    keys = [f"k{n}" for n in range(count)]
    return Story().accept([load, a_step("end", "load")], params={"keys": keys})


def names_of(story: Story, board: Board) -> list[str]:
    return [line.split()[1] for line in rows(story, board, height=60)]


def test_children_stand_below_their_parent() -> None:
    assert names_of(fanned(2).start("load[k1]"), Board()) == [
        "w", "load", "load[k0]", "load[k1]", "end"
    ]  # fmt: skip


def test_many_children_are_folded_until_a_person_opens_their_parent() -> None:
    story, board = fanned(30).start("load[k2]").exit("load[k1]", 1), Board()
    assert names_of(story, board) == ["w", "load", "load[k1]", "load[k2]", "end"]
    for key in ("down", "down", "enter"):
        board.choice.press(key, story.state)
    assert len(names_of(story, board)) == 33
    assert " 0/31 " in rows(story, Board())[0], "a parent counts in no figure"


def test_logs_of_a_parent_are_those_of_the_child_that_failed() -> None:
    story, board = fanned(3).start("load[k2]").exit("load[k1]", 1), Board()
    names_of(story, board)
    for key in ("down", "down", "l"):
        board.choice.press(key, story.state)
    assert screen(story, board)[0].startswith("w/load[k1]")


# ---------------------------------------- definitions and instances


def of_triggers() -> Story:
    """Three definitions, and instances of one: failed before and now, queued, running."""
    story = definition(EVERY, concurrency="Queue")
    definition({"name": "slow", "everySeconds": 5000}, name="slow", story=story)
    definition({"name": "feed", "after": {"workflow": "slow"}}, name="feed", story=story)
    for code in (1, 0, 2):
        run(fire(story), code)
    fire(fire(story))
    return story.start("load", workflow="etl@20231114T222000Z")


def test_definitions_are_one_line_and_their_instances_workflows_like_any() -> None:
    shown = [line.split("  ")[0] for line in rows(of_triggers()) if line[1:3] != "  "]
    assert shown == [
        " ✗ etl@20231114T221820Z",
        " ● etl@20231114T222000Z",
        " ○ 3 definitions wait, next due etl 22:23:20",
        " ◌ 1 queued",
        " ✓ 1 done",
        " ✗ 1 failed earlier",
    ]


def test_the_head_does_not_count_old_failures() -> None:
    head = screen(of_triggers(), width=120)[0]
    assert head.endswith("slots 1/2   1 failed · 1 running · 1 queued · 1 done")


def test_opened_each_definition_has_a_line() -> None:
    board, story = Board(), of_triggers()
    screen(story, board)
    board.choice.toggled.add(("", "definitions"))
    told = [line.rstrip() for line in rows(story, board, width=120) if line.startswith(" ○")]
    names = [line.split()[1] for line in told[1:]]
    assert (names, len(told)) == (["slow", "feed"], 3)
    assert told[2].endswith("waits for slow")


def test_a_single_definition_shows_when_it_is_due() -> None:
    assert rows(definition(EVERY)) == [" ○ etl                         next due 22:15"]


@pytest.mark.parametrize("width", [10, 20, 40, 80])
def test_no_line_of_a_definition_is_wider_than_the_screen(width: int) -> None:
    board = Board()
    board.choice.toggled.add(("", "definitions"))
    screen(of_triggers(), board, width=width)
