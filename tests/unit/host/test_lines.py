"""What a person reads of a controller where there is no terminal: on stdout what moves, on stderr
what is wrong, each once.
"""

import json
import re
from datetime import UTC
from typing import Any

import pytest
from definitions import EVERY, definition, fire, run
from story import Story, a_step, template

from controller.errors import Fault
from controller.host.farewell import farewell, steps_in_words
from controller.host.lines import ConditionLines, JsonLines, Lines, line
from controller.host.news import News
from controller.model import events as e
from controller.model.phases import Phase
from controller.model.state import Condition, Move, State
from controller.planner.permission import Limits

FAULT = Fault(file="specs/f.yaml", problem="is wrong")


class Seen:
    """What a story brings, turn by turn."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.conditions: list[Condition] = []
        self.told: list[str] = []

    def turn(self, **how: Any) -> News:
        state = self.story.state
        moves, notes = list(state.moves), self.told
        state.moves.clear()
        self.told = []
        return News(state, "/nowhere", self.story.now, moves, self.conditions, notes, **how)


def without_times(text: str) -> list[str]:
    return [re.sub(r"^\S+T\d\d:\d\d:\d\d[+-]\d\d:\d\d ", "", line) for line in text.splitlines()]


Output = pytest.CaptureFixture[str]


# ---------------------------------------- one line


@pytest.mark.parametrize(
    ("step", "message", "text"),
    [
        pytest.param("a", "attempt 1 runs", "w/a Running: attempt 1 runs", id="a step"),
        pytest.param("", "a runs", "w Running: a runs", id="a workflow"),
        pytest.param("a", "", "w/a Running", id="without a message"),
    ],
)
def test_a_line_of_a_phase_that_changed(step: str, message: str, text: str) -> None:
    move = Move(1, "w", "u", step, Phase.READY, Phase.RUNNING, "Started", message)
    assert line(move, State()) == text


def test_what_moved_is_told_and_what_only_became_ready_is_not(capsys: Output) -> None:
    story = Story().accept([a_step("a"), a_step("b", "a", retry={"limit": 1})])
    lines, seen = Lines("specs", "none"), Seen(story)
    story.start("a").wait(1.5).exit("a").start("b").wait(2).exit("b", 3)
    lines.show(seen.turn())
    story.settle().wait(60).start("b").wait(70).exit("b", 4)
    lines.show(seen.turn())
    pids = [attempt.pid for step in story.life().steps.values() for attempt in step.attempts]
    assert without_times(capsys.readouterr().out) == [
        "w Running: run 1 started",
        f"w/a Running: attempt 1, pid {pids[0]}",
        "w/a Succeeded in 1.5s",
        f"w/b Running: attempt 1, pid {pids[1]}",
        "w/b Pending after 2.0s: exit code 3; retry 1 of 1 in 0.50 s",
        f"w/b Running: attempt 2, pid {pids[2]}",
        "w/b Failed after 1m10s: exit code 4; gave up after 2 tries (retry.limit: 1)",
        "w Failed after 2m14s: 1 failed (b)",
    ]
    lines.show(seen.turn())
    assert capsys.readouterr().out == ""


def test_the_beginning_of_a_piece_is_told_by_its_steps(capsys: Output) -> None:
    chain = template(a_step("a", forEach=["p"]))
    site = a_step("site", template={"name": "chain"}, forEach=["x"])
    story = Story().accept([site], templates={"chain": chain}).exit("site[x]/a[p]")
    Lines("specs", "none").show(Seen(story).turn())
    told = [" ".join(line.split()[:2]) for line in without_times(capsys.readouterr().out)]
    assert told == [
        "w Running:",
        "w/site Running:",
        "w/site[x]/a[p] Running:",
        "w/site[x]/a[p] Succeeded",
        "w/site[x]/a Succeeded:",
        "w/site[x] Succeeded:",
        "w/site Succeeded:",
        "w Succeeded",
    ]


def test_what_goes_on_is_adopted_with_its_pid(capsys: Output) -> None:
    story = Story().accept([a_step("a"), a_step("b"), a_step("c", "a")]).start("a")
    Lines("specs").hello(Seen(story).turn())
    pid = story.attempt("a").pid
    assert without_times(capsys.readouterr().out) == [f"w/a adopted, pid {pid}"]


def test_only_the_workflows_of_a_run_are_told_and_what_came_of_them(capsys: Output) -> None:
    story = Story().accept([a_step("a")], "mine").accept([a_step("a")], "other")
    seen, lines = Seen(story), Lines("", "none")
    only = frozenset({story.life("mine").uid})
    story.start("a", workflow="mine").wait(2).exit("a", workflow="mine").exit("a", workflow="other")
    lines.show(seen.turn(only=only))
    lines.bye(seen.turn(only=only), stopped=False, ended=0)
    told = without_times(capsys.readouterr().out)
    assert {line.partition("/")[0].partition(" ")[0] for line in told} == {"mine"}
    assert told[-1] == "mine succeeded in 2.0s: 1 succeeded"


def test_for_programs_each_line_is_an_object(capsys: Output) -> None:
    story = Story().accept([a_step("a")]).start("a").wait(1.5).exit("a")
    lines, seen = JsonLines(), Seen(story)
    seen.told = ["a note"]
    lines.show(seen.turn())
    lines.bye(seen.turn(), stopped=False, ended=0)
    note, *changes, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert (note["type"], note["message"], done["type"]) == ("Note", "a note", "Done")
    assert [(each["step"], each["was"], each["phase"]) for each in changes] == [
        ("a", "Pending", "Ready"),
        (None, "Pending", "Running"),
        ("a", "Ready", "Running"),
        ("a", "Running", "Succeeded"),
        (None, "Running", "Succeeded"),
    ]
    assert [each["durationSeconds"] for each in changes] == [None, None, None, 1.5, 1.5]
    assert changes[3]["time"] == "2023-11-14T22:13:21.500000Z"


# ---------------------------------------- what is wrong


def test_a_fault_is_told_once_and_again_when_it_is_another(capsys: Output) -> None:
    story = Story()
    lines, seen = Lines("specs"), Seen(story)

    def shown() -> list[str]:
        lines.show(seen.turn())
        return capsys.readouterr().err.splitlines()

    story.see(e.FileRejected(path="f.yaml", digest="d", faults=[FAULT, FAULT]))
    assert shown() == ["specs/f.yaml: is wrong"] * 2
    assert shown() == []
    other = Fault(file="specs/f.yaml", problem="is worse")
    story.see(e.FileRejected(path="f.yaml", digest="e", faults=[other]))
    assert shown() == ["specs/f.yaml: is worse"]
    story.see(e.FileCleared(path="f.yaml"))
    assert shown() == []
    story.see(e.FileRejected(path="f.yaml", digest="d", faults=[FAULT]))
    assert shown() == ["specs/f.yaml: is wrong"], "mended and broken again"


def test_a_bad_marker_is_told_with_its_path(capsys: Output) -> None:
    story = Story()
    story.see(e.MarkerRejected(workflow="w", path="w.cancel", digest="d", problem="no step x"))
    Lines("specs").show(Seen(story).turn())
    assert capsys.readouterr().err == "treadle: w.cancel: no step x\n"


def test_names_of_files_and_notes_control_no_terminal(capsys: Output) -> None:
    story = Story()
    story.see(e.MarkerRejected(workflow="w", path="w\x1b[31m.cancel", digest="d", problem="no"))
    seen = Seen(story)
    seen.told = ["a\x1b]52;c;aGk=\x07"]
    Lines("specs").show(seen.turn())
    ConditionLines().show([condition("A", "x\x1b[31m\r")])
    assert capsys.readouterr().err == (
        "treadle: a\\x1b]52;c;aGk=\\x07\ntreadle: w\\x1b[31m.cancel: no\n"
        "treadle: A: x\\x1b[31m\\r\n"
    )


def test_notes_are_told_as_they_come(capsys: Output) -> None:
    lines, seen = Lines("specs"), Seen(Story())
    seen.told = ["one", "two"]
    lines.show(seen.turn())
    lines.show(seen.turn())
    assert capsys.readouterr().err == "treadle: one\ntreadle: two\n"


def condition(kind: str, message: str) -> Condition:
    return Condition(kind, "True", "r", message, 1, 0)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        pytest.param([], [("A", "x")], ["A: x"], id="one that begins"),
        pytest.param([("A", "x")], [("A", "x")], [], id="one that goes on"),
        pytest.param([("A", "x")], [("A", "y")], ["A: y"], id="one that says something else"),
        pytest.param([("A", "x")], [], ["A: no longer"], id="one that ceases"),
        pytest.param(
            [("A", "x")], [("B", "y")], ["B: y", "A: no longer"], id="one in another's place"
        ),
        pytest.param([], [], [], id="none"),
    ],
)
def test_conditions_are_told_when_they_begin_and_cease(
    capsys: Output, before: list[Any], now: list[Any], told: list[str]
) -> None:
    lines = ConditionLines()
    lines.show([condition(*one) for one in before])
    capsys.readouterr()
    lines.show([condition(*one) for one in now])
    assert capsys.readouterr().err.splitlines() == [f"treadle: {text}" for text in told]


# ---------------------------------------- the end


def said(story: Story, **how: Any) -> list[str]:
    return list(farewell(Seen(story).turn(), "specs/", **how))


def running(number: int) -> Story:
    story = Story().accept([a_step(f"s{n}") for n in range(number)] or [a_step("a")])
    return story.start(*(f"s{n}" for n in range(number)))


@pytest.mark.parametrize(
    ("number", "ended", "text"),
    [
        pytest.param(0, 0, "stopped; nothing was running", id="nothing ran"),
        pytest.param(
            1, 0, "stopped; 1 step left running, the next `treadle up` adopts them", id="one runs"
        ),
        pytest.param(
            2, 0, "stopped; 2 steps left running, the next `treadle up` adopts them", id="two run"
        ),
        pytest.param(
            0,
            3,
            "stopped; 3 steps stopped, the next `treadle up` runs them again",
            id="all were ended",
        ),
    ],
)
def test_what_is_said_of_a_stop(number: int, ended: int, text: str) -> None:
    assert said(running(number), stopped=True, ended=ended) == [text]


def test_what_can_not_be_ended_is_named_by_its_pids() -> None:
    story = running(1).mark()
    uid = story.life().uid
    story.see(e.AttemptEndFailed(uid=uid, step="s0", attempt=1, pids=[12, 11]))
    assert said(story, stopped=True, ended=3) == [
        "stopped; 2 of 3 steps stopped",
        "pids 11, 12 can't be stopped; the next `treadle up` tries again",
    ]


def test_what_came_of_it_when_all_is_done() -> None:
    story = Story()
    for name, code in (("u", 0), ("v", 1), ("w", 0)):
        story.accept([a_step("a")], name).exit("a", code, workflow=name)
    assert said(story, stopped=False, ended=0) == [
        "done: 1 failed, 2 succeeded",
        "v failed in 0.0s: 1 failed (a); try again: treadle retry v",
    ]
    assert said(Story(), stopped=False, ended=0)[0] == "done: no workflows"


def test_what_is_invalid_is_counted_and_not_taken_for_nothing() -> None:
    story = Story().accept([a_step("a")], "u").exit("a", workflow="u")
    story.see(e.FileRejected(path="bad.yaml", digest="d", faults=[FAULT], names=["bad"]))
    assert said(story, stopped=False, ended=0) == [
        "done: 1 succeeded, 1 invalid file",
        "to see what is invalid: treadle validate specs",
    ]
    story.see(e.MarkerRejected(path="u.cancel", digest="d", problem="is wrong", workflow="u"))
    assert said(story, stopped=False, ended=0)[0] == "done: 1 succeeded, 2 invalid files"


def test_what_was_cancelled_or_suspended_comes_with_the_command_that_goes_on() -> None:
    story = Story().accept([a_step("a"), a_step("b")], "c").mark("c.cancel", "c")
    story.end("a", "c").end("b", "c")
    story.accept([a_step("a")], "s", suspend=True)
    assert said(story, stopped=False, ended=0) == [
        "done: 1 cancelled, 1 suspended",
        "c cancelled (cancelled by c.cancel): 2 cancelled (a, b); run it again: treadle retry c",
        "s suspended (suspended by its spec; nothing is running); to continue, change s.yaml",
    ]


def test_where_steps_wait_for_room_it_does_not_say_that_nothing_is_left() -> None:
    seen = Seen(Story(Limits(max_parallel=1)).accept([a_step("a"), a_step("b")]))
    seen.conditions = [condition("DiskPressure", "the disk is full")]
    assert list(farewell(seen.turn(), "specs", stopped=False, ended=0)) == [
        "done: 1 pending",
        "steps wait for room on the disk: make room, then run it again",
    ]


@pytest.mark.parametrize(("number", "text"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps")])
def test_steps_in_words(number: int, text: str) -> None:
    assert steps_in_words(number) == text


def test_hooks_have_lines_like_steps(capsys: Output) -> None:
    hooks = {
        "onFailure": [{"name": "page", "run": "1"}],
        "onExit": [{"name": "tidy", "run": "2"}, {"name": "last", "run": "3"}],
    }
    story = Story().accept([a_step("a")], hooks=hooks).exit("a", 1).start("onFailure/page")
    seen, lines = Seen(story), Lines("specs")
    lines.hello(seen.turn())
    assert "w/onFailure/page adopted" in capsys.readouterr().out
    story.wait(2).exit("onFailure/page", 3).exit("onExit/tidy").exit("onExit/last")
    lines.show(seen.turn())
    pid = story.step("onExit/tidy").attempts[0].pid
    assert pid is not None
    assert without_times(capsys.readouterr().out) == [
        "w/onFailure/page Failed after 2.0s: exit code 3",
        "── w/onFailure/page, attempt 1: treadle logs w onFailure/page ──",
        "  (it printed nothing)",
        f"w/onExit/tidy Running: attempt 1, pid {pid}",
        "w/onExit/tidy Succeeded in 0.0s",
        f"w/onExit/last Running: attempt 1, pid {pid + 1}",
        "w/onExit/last Succeeded in 0.0s",
        "w Failed after 2.0s: 1 failed (a), 1 hook failed (onFailure/page)",
    ]
    story.ask("retry").exit("a", 1)
    lines.show(seen.turn())
    assert "waiting for its turn" not in capsys.readouterr().out


# ---------------------------------------- definitions and instances


def firings_of(story: Story) -> list[e.FiringDecided]:
    return [one.event for one in story.records if isinstance(one.event, e.FiringDecided)]


def test_firings_are_told_and_not_that_a_definition_goes_to_and_fro(capsys: Output) -> None:
    story = definition(EVERY)
    lines, seen = Lines("specs", "none", zone=UTC), Seen(story)
    lines.show(seen.turn())
    run(fire(fire(story)))
    lines.show(seen.turn(firings=firings_of(story)))
    name = "etl@20231114T221500Z"
    told = without_times(capsys.readouterr().out)
    assert [one for one in told if "/load" not in one] == [
        "etl Waiting: next due 2023-11-14T22:15:00+00:00",
        f"{name} Running: run 1 started",
        f"{name} Succeeded in 0.0s: all steps are done",
        f"etl: trigger often, due 2023-11-14T22:15:00+00:00: started {name}",
        f"etl: trigger often, due 2023-11-14T22:16:40+00:00: skipped: {name} has not ended",
    ]


def test_that_a_definition_is_suspended_is_told(capsys: Output) -> None:
    story = definition(EVERY)
    lines, seen = Lines("specs", "none", zone=UTC), Seen(story)
    seen.turn()
    story.ask("suspend", workflow="etl", by="ada")
    lines.show(seen.turn())
    story.ask("resume", workflow="etl", by="ada")
    lines.show(seen.turn())
    assert without_times(capsys.readouterr().out) == [
        "etl Suspended: suspended by ada",
        "etl Waiting: next due 2023-11-14T22:15:00+00:00",
    ]


def test_firings_for_programs(capsys: Output) -> None:
    story = fire(fire(definition(EVERY)))
    JsonLines().show(Seen(story).turn(firings=firings_of(story)))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    started, skipped = (one for one in told if one["type"] == "FiringDecided")
    assert (started["workflow"], started["trigger"], started["outcome"], started["reason"]) == (
        "etl",
        "often",
        "Started",
        None,
    )
    assert started["due"] == "2023-11-14T22:15:00.000000Z"
    assert started["instance"] == "etl@20231114T221500Z"
    assert (skipped["reason"], skipped["instance"]) == ("Overlap", None)


def test_at_the_end_definitions_are_counted_apart_and_old_failures_are_not_told() -> None:
    story = definition(EVERY)
    for code in (3, 4, 0, 5):
        run(fire(story), code)
    first, *others = farewell(Seen(story).turn(), "specs", stopped=False, ended=0)
    assert first == "done: 3 failed, 1 succeeded, 1 definition waits"
    assert [line for line in others if line.startswith("etl@")] == [
        "etl@20231114T222000Z failed in 0.0s: 1 failed (load); "
        "try again: treadle retry etl@20231114T222000Z"
    ]
