"""The rows of `get`: who is in the list, what succeeded, and what the message says first."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from definitions import EVERY, definition, fire, run
from story import BEGIN, Story, a_step

from controller.errors import Fault
from controller.model import events as e
from controller.model.state import SECOND
from controller.view import firings
from controller.view.find import NeverValid
from controller.view.lists.listing import (
    grouped_lines,
    list_row,
    listed,
    run_time,
    shape_of,
    succeeded_count,
)
from controller.view.look import Look

FAULT = Fault(file="f.yaml", problem="is wrong")


def reject(story: Story, path: str, *names: str, faults: int = 1) -> Story:
    return story.see(
        e.FileRejected(path=path, digest="d", faults=[FAULT] * faults, names=list(names))
    )


def texts(story: Story, name: str = "w", wide: bool = False) -> list[str]:
    return [
        cell.text for cell in list_row(story.state, story.life(name), Look(now=story.now), wide)
    ]


# ---------------------------------------- who is in it


def test_all_that_live_or_were_never_valid_by_name() -> None:
    story = Story()
    for name in ("w", "b", "m"):
        story.accept([a_step("a")], name)
    reject(story, "x.yaml", "c", "b")
    assert [one.name for one in listed(story.state, lambda labels: True)] == ["b", "c", "m", "w"]


def test_what_was_never_valid_has_no_labels() -> None:
    story = reject(Story(), "x.yaml", "c")
    assert len(listed(story.state, lambda labels: "team" not in labels)) == 1
    assert listed(story.state, lambda labels: "team" in labels) == []


def test_each_has_the_shape_of_a_workflow() -> None:
    story = reject(Story().accept([a_step("a")]), "x.yaml", "c")
    shapes = [shape_of(story.state, one) for one in listed(story.state, lambda labels: True)]
    assert [shape.metadata.name for shape in shapes] == ["c", "w"]
    assert [shape.metadata.generation for shape in shapes] == [0, 1]


# ---------------------------------------- what is done

Deed = Callable[[Story], object]


@pytest.mark.parametrize(
    ("deed", "succeeded"),
    [
        pytest.param(lambda s: s, 0, id="nothing has ended"),
        pytest.param(lambda s: s.start("a"), 0, id="it runs"),
        pytest.param(lambda s: s.exit("a"), 1, id="a success"),
        pytest.param(lambda s: s.exit("a", 1), 0, id="a failure, and what it skips"),
        pytest.param(lambda s: s.exit("a").start("b").mark().end("b"), 1, id="a cancelled one"),
    ],
)
def test_how_many_steps_succeeded(deed: Deed, succeeded: int) -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")])
    deed(story)
    assert succeeded_count(story.life()) == succeeded
    assert texts(story)[2] == f"{succeeded}/2"


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (lambda s: s.exit("a").exit("b").exit("c"), "all steps are done"),
        (lambda s: s.exit("a", 1).exit("c"), "1 failed (a), 1 skipped"),
        (
            lambda s: s.exit("a").exit("b").exit("c", 1),
            "all steps are done; 1 failure tolerated (c)",
        ),
        (
            lambda s: s.exit("a").start("b", "c").mark().end("b").end("c"),
            "cancelled by w.cancel; 2 cancelled",
        ),
    ],
)
def test_what_did_not_succeed_is_counted_in_words(deed: Deed, said: str) -> None:
    story = Story().accept([a_step("a"), a_step("b", "a"), a_step("c", continueOnFailure=True)])
    deed(story)
    assert texts(story)[-1] == said


# ---------------------------------------- how long


def test_before_it_runs_it_took_no_time() -> None:
    story = Story().accept([a_step("a")], suspend=True)
    assert run_time(story.life(), story.now) == "-"


def test_a_run_takes_time_until_it_has_ended() -> None:
    story = Story().accept([a_step("a")]).start("a")
    assert run_time(story.life(), story.now + 5 * SECOND) == "5.0s"
    story.wait(7).exit("a")
    assert run_time(story.life(), story.now + 1_000 * SECOND) == "7.0s"


def since_run(story: Story, now: int, stood: int | None = None) -> str:
    return list_row(story.state, story.life(), Look(now=now, stood=stood))[4].text


def test_how_long_ago_the_last_run_was() -> None:
    story = Story().accept([a_step("a")])
    assert since_run(story, story.now) == "-"
    began = story.start("a").now
    assert since_run(story, began + 9 * SECOND) == "now"
    assert since_run(story, began + 9 * SECOND, stood=began + 2 * SECOND) == "7s ago"
    ended = story.wait(5).exit("a").now
    assert since_run(story, ended + 300 * SECOND) == "5m ago"
    assert since_run(story, ended + 72 * 3600 * SECOND) == "3d ago"
    story.accept([a_step("a", run="another")])
    assert since_run(story, ended + 300 * SECOND) == "5m ago", "the next one has not begun"


# ---------------------------------------- the message


def fails_to_end(story: Story) -> None:
    story.start("a").mark()
    uid = story.life().uid
    story.see(e.AttemptEndFailed(uid=uid, step="a", attempt=1, pids=[4711]))


@pytest.mark.parametrize(
    ("deed", "begins"),
    [
        pytest.param(lambda s: s.start("a"), "running: a", id="what it does"),
        pytest.param(
            lambda s: reject(s, "w.yaml", "w"),
            "[invalid file] ",
            id="first of all that its file is invalid",
        ),
        pytest.param(fails_to_end, "EndFailed: ", id="what can't be ended"),
        pytest.param(
            lambda s: (fails_to_end(s), reject(s, "w.yaml", "w")),
            "[invalid file] EndFailed: ",
            id="both",
        ),
    ],
)
def test_what_the_message_says_first(deed: Deed, begins: str) -> None:
    story = Story().accept([a_step("a")])
    deed(story)
    assert texts(story)[-1].startswith(begins)


def test_an_ended_life_says_so() -> None:
    story = Story().accept([a_step("a")]).exit("a")
    life = story.life()
    story.delete()
    assert "w" not in story.state.workflows
    row = list_row(story.state, life, Look(now=story.now))
    assert row[-1].text.startswith("(no longer in force) ")


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        pytest.param(1, "SpecInvalid: is wrong (f.yaml)", id="its one fault"),
        pytest.param(3, "SpecInvalid: is wrong (f.yaml; and 2 more)", id="the first of several"),
    ],
)
def test_what_was_never_valid_says_why(faults: int, message: str) -> None:
    story = reject(Story(), "x.yaml", "c", faults=faults)
    (one,) = listed(story.state, lambda labels: True)
    assert isinstance(one, NeverValid)
    for wide in (False, True):
        row = list_row(story.state, one, Look(now=BEGIN), wide)
        assert (row[0].text, row[1].text, row[-1].text) == ("c", "Pending", message)


def test_a_wide_row_has_every_column_whoever_it_is_of() -> None:
    story = reject(Story().accept([a_step("a")]), "x.yaml", "c")
    rows = [
        list_row(story.state, one, Look(now=story.now), wide=True)
        for one in listed(story.state, lambda labels: True)
    ]
    assert {len(row) for row in rows} == {13}
    assert [row[9].text for row in rows] == ["x.yaml", "w.yaml"]


def test_labels_are_in_the_order_of_their_names() -> None:
    story = Story().accept([a_step("a")])
    labels: dict[str, Any] = {"z": "1", "a": "2"}
    story.see(e.SourceChanged(uid=story.life().uid, path="w.yaml", labels=labels))
    assert texts(story, wide=True)[10] == "a=2,z=1"


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("folder", {". (1)": ["b"], "nightly (2)": ["a", "c"], "sales (1)": ["new"]}),
        ("team", {"team=data (1)": ["c"], "(none) (3)": ["a", "b", "new"]}),
        ("unknown", {"(none) (4)": ["a", "b", "c", "new"]}),
    ],
)
def test_groups_have_headings_and_one_table(by: str, groups: dict[str, list[str]]) -> None:
    story = Story()
    for name, path in (("a", "nightly/a.yaml"), ("b", "b.yaml"), ("c", "nightly/c.yaml")):
        story.accept([a_step("one")], name)
        story.life(name).path = path
    story.life("c").labels = {"team": "data"}
    fault = Fault(file="specs/sales/new.yaml", problem="is wrong")
    story.see(e.FileRejected(path="sales/new.yaml", digest="d", faults=[fault], names=["new"]))
    entries = listed(story.state, lambda _labels: True)
    heading, *lines = grouped_lines(story.state, entries, by, Look(now=story.now))
    assert heading.split() == ["NAME", "PHASE", "STEPS", "TIME", "LAST", "RUN", "MESSAGE"]
    found: dict[str, list[str]] = {}
    for line in lines:
        if re.search(r" \(\d+\)$", line):
            found[line] = []
        else:
            found[list(found)[-1]].append(line.split()[0])
    assert found == groups


# ---------------------------------------- definitions and instances


def told(story: Story, name: str = "etl", **how: Any) -> str:
    """The message of its row."""
    look = Look(**{"now": story.now, "width": 200, **how})
    return list_row(story.state, story.life(name), look)[-1].text


def test_a_definition_has_no_figures_of_steps() -> None:
    story = fire(definition(EVERY))
    row = list_row(story.state, story.life("etl"), Look(now=story.now))
    assert [cell.text for cell in row[:5]] == ["etl", "Running", "-", "-", "-"]
    run(story)
    row = list_row(story.state, story.life("etl"), Look(now=story.now + 5 * SECOND))
    assert [cell.text for cell in row[:5]] == ["etl", "Waiting", "-", "-", "5s ago"]


def test_a_definition_says_when_it_is_due_and_what_came_of_the_last_one() -> None:
    story = definition(EVERY)
    assert told(story) == "next due 22:15"
    fire(story)
    assert told(story) == "next due 22:16:40; 1 running"
    assert told(run(story, 1)) == "next due 22:16:40; last one failed"
    fire(fire(story))
    assert told(story) == (
        "next due 22:20; 1 running; last one failed; "
        "last firing skipped: an earlier instance had not finished"
    )


def test_with_several_triggers_it_says_which_is_due() -> None:
    story = definition({"name": "slow", "everySeconds": 5000}, EVERY)
    assert told(story) == "next due 22:15 (often)"


def test_without_a_controller_it_was_due() -> None:
    story = definition({"name": "often", "everySeconds": 100, "jitterSeconds": 50})
    fires = firings.next_due(story.life("etl"))
    assert fires is not None
    assert fires.fires - fires.time > 0
    assert told(story, now=fires.fires - 1, stood=story.now) == "next due 22:15"
    assert told(story, now=fires.fires, stood=story.now) == "was due 22:15, no controller"
    assert told(story, now=fires.fires) == "next due 22:15"


def test_a_definition_that_waits_for_no_time() -> None:
    story = definition(
        {"name": "feed", "after": {"workflow": "orders"}}, {"files": {"path": "in/*.csv"}}
    )
    assert told(story) == "waits for orders (no such workflow), in/*.csv"
    story.accept([a_step("a")], "orders")
    assert told(story) == "waits for orders, in/*.csv"
    hook = {"name": "push", "webhook": {"secret": {"fromFile": "s"}}}
    assert told(definition(hook)) == "waits for webhook push"
    assert told(definition()) == "starts only by `treadle start`"


def test_a_definition_that_is_suspended_is_not_due() -> None:
    story = definition(EVERY).ask("suspend", workflow="etl", by="ada")
    assert told(story) == "suspended by ada"


def test_who_waits_for_its_turn_is_told_who_is_in_front_now() -> None:
    story = definition(concurrency="Queue")
    for key in ("a", "b", "c"):
        story.ask("start", workflow="etl", key=key)
    assert told(story, "etl@b") == "waits for its turn: etl@a has not ended"
    assert told(story, "etl@c") == "waits for its turn: etl@a has not ended; 1 in front"
    assert told(story) == "1 running, 2 queued; starts only by `treadle start`"
    story.exit("load", workflow="etl@a")
    assert told(story, "etl@c") == "waits for its turn: etl@b has not ended"
    story.ask("suspend", workflow="etl@c", by="ada")
    assert told(story, "etl@c").startswith("suspended by ada")


def test_of_a_long_queue_only_the_front_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a list of all that wait would cost the square of their number."""
    monkeypatch.setattr("controller.view.firings.IN_FRONT_MAX", 2)
    monkeypatch.setattr("controller.view.words.IN_FRONT_MAX", 2)
    story = definition(concurrency="Queue")
    for key in ("a", "b", "c", "d", "e", "f"):
        story.ask("start", workflow="etl", key=key)
    assert told(story, "etl@d") == "waits for its turn: etl@a has not ended; 2 in front"
    assert told(story, "etl@e") == "waits for its turn: etl@a has not ended; over 2 in front"
    assert told(story, "etl@f") == "waits for its turn: etl@a has not ended; over 2 in front"


def test_a_definition_did_not_run_when_its_controller_stopped() -> None:
    story = fire(definition(EVERY))
    row = list_row(story.state, story.life("etl"), Look(now=story.now, stood=story.now))
    assert row[1].text == "Running"
