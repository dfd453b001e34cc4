"""The log as events: every change of a phase is visible, with its reason."""

import json
import re
from typing import Any

import msgspec
import pytest
from definitions import EVERY, definition, fire, newest, run
from rich.cells import cell_len
from story import Story, a_step, document, template

from controller.errors import Fault
from controller.model import events as e
from controller.model.apply.fold import apply
from controller.model.state import State
from controller.planner.actions import Accept
from controller.spec.triggers.trigger import Firing
from controller.spec.uses import Holding
from controller.view.ink import inked
from controller.view.look import Look
from controller.view.story import concerns, happened, lines, names_step


def told(story: Story) -> list[dict[str, Any]]:
    """All events of the story, as a reader of its log sees them."""
    state, events = State(), []
    for record in story.records:
        apply(state, record)
        events += happened(state, record, state.moves)
        state.moves = []
    return events


def test_every_event_has_the_common_fields() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1})]).exit("a", 1).wait(1).exit("a").mark()
    for event in told(story):
        assert list(event)[:6] == ["seq", "time", "type", "workflow", "uid", "cause"]
        assert msgspec.json.encode(event)
    assert [event["uid"] for event in told(story)][:2] == [None, story.life().uid]
    assert told(story)[0]["cause"] is None


def test_each_event_names_the_record_that_it_follows_from() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1}), a_step("b", "a")])
    story.exit("a", 1).wait(1).exit("a").start("b").mark(steps=["b"]).end("b")
    events = [event for event in told(story) if event["type"] != "PhaseChanged"]
    types = {event["seq"]: event["type"] for event in events}
    follows = [(event["type"], types.get(event["cause"])) for event in events[1:]]
    assert follows == [
        ("GenerationAccepted", None),
        ("StepReady", "GenerationAccepted"),
        ("AttemptScheduled", "StepReady"),
        ("RunStarted", "AttemptScheduled"),
        ("AttemptStarted", "AttemptScheduled"),
        ("AttemptFinished", "AttemptScheduled"),
        ("RetryScheduled", "AttemptFinished"),
        ("StepReady", "RetryScheduled"),
        ("AttemptScheduled", "StepReady"),
        ("AttemptStarted", "AttemptScheduled"),
        ("AttemptFinished", "AttemptScheduled"),
        ("StepReady", "AttemptFinished"),
        ("AttemptScheduled", "StepReady"),
        ("AttemptStarted", "AttemptScheduled"),
        ("MarkerPlaced", None),
        ("CancelAccepted", "MarkerPlaced"),
        ("AttemptEnding", "CancelAccepted"),
        ("AttemptFinished", "AttemptEnding"),
        ("StepCancelled", "AttemptFinished"),
        ("WorkflowFinished", "StepCancelled"),
    ]


def test_phases_can_be_followed_without_a_gap() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1}), a_step("b", "a")])
    story.exit("a", 1).wait(1).exit("a").exit("b", 1)
    phases: dict[str | None, str] = {}
    for event in told(story):
        if event["type"] == "PhaseChanged":
            assert event["was"] == phases.get(event["step"], "Pending")
            assert event["reason"]
            assert event["message"]
            phases[event["step"]] = event["phase"]
    assert phases == {**story.phases(), None: "Failed"}


def test_a_change_shares_the_number_of_its_record() -> None:
    story = Story().accept([a_step("a")]).start("a")
    record, change = told(story)[-2:]
    assert (record["type"], change["type"]) == ("AttemptStarted", "PhaseChanged")
    assert record["seq"] == change["seq"] == story.state.seq


def test_fields_are_spelled_and_told_as_everywhere() -> None:
    story = Story().accept([a_step("a")]).exit("a", 3)
    finished = next(event for event in told(story) if event["type"] == "AttemptFinished")
    assert finished["exitCode"] == 3
    assert finished["finished"].endswith("Z")
    started = next(event for event in told(story) if event["type"] == "AttemptStarted")
    assert started["startTicks"] == 1


def test_effects_of_an_edit_have_names() -> None:
    story = Story().accept([a_step("a")]).exit("a").accept([a_step("a", run="new")])
    accepted = [event for event in told(story) if event["type"] == "GenerationAccepted"]
    assert accepted[1]["effects"]["a"].keys() == {"action", "reason", "message", "finish"}


def test_what_concerns_a_workflow() -> None:
    story = Story().accept([a_step("a")], name="w").accept([a_step("a")], name="other").mark()
    fault = Fault(file="w.yaml", problem="is wrong")
    story.see(e.FileRejected(path="w.yaml", digest="d", faults=[fault], names=["w"]))
    about = [r.event for r in story.records if concerns(story.state, r.event, "w")]
    assert {type(event).__name__ for event in about} >= {"MarkerPlaced", "FileRejected"}
    assert {getattr(event, "uid", "uid-1") for event in about} == {story.life("w").uid}
    assert not any(isinstance(event, e.ControllerStarted) for event in about)


# ---------------------------------------- for people


def shown(
    story: Story, everything: bool = False, steps: set[str] | None = None, **look: Any
) -> list[str]:
    """All lines of the story, in one space each."""
    state, told = State(), []
    view = Look(now=story.now, **look)
    for record in story.records:
        apply(state, record)
        events = [*happened(state, record, state.moves)]
        if steps is not None:
            events = [event for event in events if names_step(event, steps)]
        told += lines(record.time, events, view, everything) if events else []
        state.moves = []
    return told


def words(told: list[str]) -> list[str]:
    """Without the numbers, the times and the columns."""
    return [re.sub(r", pid 1\d+$", "", " ".join(line.split()[2:])) for line in told]


def test_people_hear_of_starts_ends_and_decisions() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1}), a_step("b", "a")])
    story.exit("a", 1).wait(1).exit("a").exit("b")
    story.accept([a_step("a", retry={"limit": 1}, run="new"), a_step("b", "a")])
    story.start("a").mark().end("a")
    assert words(shown(story)) == [
        "- ControllerStarted treadle 0, pid 1, by u on with",
        "w GenerationAccepted generation 1 from w.yaml",
        "w -> Running run 1 started",
        "w/a -> Running attempt 1",
        "w/a -> Pending exit code 1; retry 1 of 1 in 0.50 s",
        "w/a -> Running attempt 2",
        "w/a -> Succeeded exit code 0",
        "w/b -> Running attempt 1",
        "w/b -> Succeeded exit code 0",
        "w -> Succeeded all steps are done",
        "w GenerationAccepted generation 2 from w.yaml; 2 steps run again",
        "w -> Running run 2 started",
        "w/a -> Running attempt 3",
        "w MarkerPlaced w.cancel",
        "w CancelAccepted cancelled by w.cancel",
        "w/a AttemptEnding cancelled by w.cancel",
        "w/b -> Cancelled cancelled by w.cancel",
        "w/a -> Cancelled cancelled by w.cancel",
        "w -> Cancelled cancelled by w.cancel",
    ]


def test_a_step_with_children_does_not_count_among_those_that_run_again() -> None:
    load = a_step("load", forEach="${{ params.l }}", env={"I": "${{ item }}"})
    steps = [load, a_step("b", "load"), a_step("first"), {**load, "name": "c", "dependsOn": ["b"]}]
    story = Story().accept(steps, params={"l": ["x"]})
    story.exit("first").exit("load[x]").exit("b").exit("c[x]")
    story.accept(steps, params={"l": ["x", "y"]})
    assert "w GenerationAccepted generation 2 from w.yaml; 2 steps run again" in words(shown(story))


def test_a_piece_that_has_its_place_does_not_run_again() -> None:
    chain = template(a_step("load"))
    step = a_step("site", template={"name": "chain"}, forEach=["a"])
    story = Story().accept([step], templates={"chain": chain})
    assert not [line for line in shown(story) if "again" in line]


def test_everything_has_also_what_follows() -> None:
    story = Story().accept([a_step("a")]).exit("a")
    assert words(shown(story, everything=True))[1:] == [
        "w GenerationAccepted generation 1 from w.yaml",
        "w/a -> Ready waiting for a slot",
        "w/a AttemptScheduled attempt 1",
        "w -> Running run 1 started",
        "w/a -> Running attempt 1",
        "w/a AttemptFinished exit code 0",
        "w/a -> Succeeded exit code 0",
        "w -> Succeeded all steps are done",
    ]


def test_the_params_that_were_given_are_told() -> None:
    story = Story()
    found = document([a_step("a")], "w", params={"date": "today", "rows": 5})
    story.promise(Accept(document=found, path="w.yaml", uid=None, params={"date": "a b"}))
    assert words(shown(story))[1] == 'w GenerationAccepted generation 1 from w.yaml with date="a b"'


def test_every_line_is_also_in_everything() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1}), a_step("b", "a")])
    story.exit("a", 1).wait(1).start("a").mark(steps=["a"]).end("a").delete()
    everything = {line.partition(";")[0] for line in shown(story, everything=True)}
    assert {line.partition(";")[0] for line in shown(story)} < everything


def test_of_one_step() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")]).exit("a").exit("b")
    story.accept([a_step("a"), a_step("b", "a", run="new")])
    assert words(shown(story, steps={"b"})) == [
        "w/b -> Running attempt 1",
        "w/b -> Succeeded exit code 0",
        "w GenerationAccepted generation 2 from w.yaml; 1 step runs again",
    ]


@pytest.mark.parametrize("width", [10, 20, 40, 60, 79, 80, 120])
@pytest.mark.parametrize("colour", [False, True])
def test_no_line_is_wider_than_the_terminal(width: int, colour: bool) -> None:
    name = "a-very-long-name-of-a-workflow-that-nobody-can-read"
    story = Story().accept([a_step("step-with-a-long-name"), a_step("b")], name=name)
    story.exit("step-with-a-long-name", 1, workflow=name)
    fault = Fault(file="日本" * 30, problem="is wrong")
    story.see(e.FileRejected(path="日本" * 30, digest="d", faults=[fault]))
    for line in map(inked, shown(story, width=width, colour=colour)):
        assert cell_len(re.sub("\x1b\\[[0-9]*m", "", line)) <= width


def test_a_terminal_gets_colours_and_short_times() -> None:
    story = Story().accept([a_step("a")]).exit("a")
    told = [inked(line) for line in shown(story, width=100, colour=True)]
    assert any("\x1b[32m-> Succeeded\x1b[0m" in line for line in told)
    assert all(" 22:13:20  " in line for line in told)
    assert all("\x1b" not in inked(line) for line in shown(story, width=100))


def test_every_event_type_makes_a_line() -> None:
    """No sentence names a field that its event has not."""
    for kind in e.AnyEvent.__args__:  # type: ignore[attr-defined]
        fields = {field.name: _sample(field) for field in msgspec.structs.fields(kind)}
        event = kind(**fields)
        record = e.Record(seq=1, turn=1, time=0, epoch=1, event=event)
        state = Story().accept([a_step("a")]).state
        assert list(lines(0, list(happened(state, record, [])), Look(now=0), everything=True))


def _sample(field: msgspec.structs.FieldInfo) -> Any:
    if field.name == "due" and "dict" in str(field.type):
        return {"often": 1}
    samples = {
        "outcome": "Started",
        "facts": Firing(),
        "file": None,
        "gone": [],
        "back": [],
        "uid": "uid-1",
        "workflow": "w",
        "spec": None,
        "effects": {},
        "expansions": {},
        "children": [],
        "uses": [Holding(pool="gpu")],
        "hooks": [],
        "params": {},
        "faults": [Fault(file="f", problem="p")],
        "seconds": 1.0,
    }
    return samples.get(field.name, 1)


# ---------------------------------------- definitions and instances


def of_definition(story: Story) -> list[str]:
    """What is said of firings and of due times, without what is around it."""
    kinds = ("FiringDecided", "TriggersArmed", "TurnCame", "RequestApplied")
    said = [line for line in shown(story, width=500) if any(kind in line for kind in kinds)]
    return [re.split(r"  +", line.strip(), maxsplit=3)[3] for line in said]


def test_each_firing_is_a_sentence() -> None:
    story = fire(fire(definition(EVERY)))
    first = "etl@20231114T221500Z"
    assert of_definition(story) == [
        "often is next due 22:15",
        f"trigger often, due 22:15: started {first}",
        f"trigger often, due 22:16:40: skipped: {first} has not ended",
    ]


def test_due_times_that_are_skipped_together_are_told_by_the_first_and_the_last() -> None:
    story = definition(EVERY).ask("suspend", workflow="etl").wait(350)
    story.ask("resume", workflow="etl")
    assert of_definition(story)[2:] == [
        "resume by somebody",
        "trigger often: skipped what was due from 22:15 to 22:18:20: the workflow was suspended",
        "often is next due 22:20",
    ]


def test_a_firing_by_hand_and_one_that_waits_for_its_turn() -> None:
    story = definition(concurrency="Queue")
    for key in ("a", "b", "a"):
        story.ask("start", workflow="etl", by="ada", key=key)
    story.exit("load", workflow="etl@a")
    assert of_definition(story) == [
        "start by ada",
        "start by ada: started etl@a",
        "start by ada",
        "start by ada: queued etl@b, waits for its turn: etl@a has not ended",
        "start by ada: etl@a has that key",
        "its turn has come",
    ]


def test_a_delivery() -> None:
    story = definition({"name": "push", "webhook": {"secret": {"fromFile": "s"}}})
    for key in ("a", "a", "b"):
        story.ask("deliver", workflow="etl", trigger="push", key=key)
    story.exit("load", workflow="etl@a")
    assert of_definition(story) == [
        "deliver by somebody",
        "trigger push: started etl@a",
        "deliver by somebody: etl@a has that key",
        "deliver by somebody",
        "trigger push: queued etl@b, waits for its turn: etl@a has not ended",
        "its turn has come",
    ]


def test_a_firing_names_the_run_that_it_followed() -> None:
    story = definition({"name": "feed", "after": {"workflow": "orders"}})
    story.accept([a_step("a")], "orders").exit("a", workflow="orders")
    assert of_definition(story)[-1].startswith("trigger feed, orders Succeeded: started etl@")


def test_a_definition_that_goes_to_and_fro_is_no_news() -> None:
    story = run(fire(definition(EVERY)))
    told = [line for line in shown(story) if " -> " in line and "etl@" not in line]
    assert told == []
    assert len([line for line in shown(story, everything=True) if "-> Waiting" in line]) == 2
    story.ask("suspend", workflow="etl").ask("resume", workflow="etl")
    phases = [words([line])[0] for line in shown(story) if " -> " in line and "etl@" not in line]
    assert phases == [
        "etl -> Suspended suspended by somebody",
        "etl -> Waiting waits for its triggers",
    ]


def test_a_firing_is_a_part_of_the_story_of_its_instance() -> None:
    story = fire(definition(EVERY))
    life = newest(story)
    for word in ("etl", life.name):
        about = [r.event for r in story.records if concerns(story.state, r.event, word)]
        assert e.FiringDecided in map(type, about), word
    assert not concerns(story.state, story.records[-1].event, "another")


def test_due_times_are_told_to_scripts_as_other_times() -> None:
    story = fire(definition(EVERY))
    of_type = {event["type"]: event for event in told(story)}
    assert of_type["TriggersArmed"]["due"] == {"often": "2023-11-14T22:15:00.000000Z"}
    fired = of_type["FiringDecided"]
    assert (fired["due"], fired["next"]) == (
        "2023-11-14T22:15:00.000000Z",
        "2023-11-14T22:16:40.000000Z",
    )
    assert json.loads(msgspec.json.encode(fired))["facts"]["name"] == "often"
