"""The log as events: every change of a phase is visible, with its reason."""

import re
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from story import Story, a_step, document, template

from controller.errors import Fault
from controller.model import events as e
from controller.model.apply import apply
from controller.model.state import State
from controller.planner.actions import Accept
from controller.spec.uses import Holding
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
    for line in shown(story, width=width, colour=colour):
        assert cell_len(re.sub("\x1b\\[[0-9]*m", "", line)) <= width


def test_a_terminal_gets_colours_and_short_times() -> None:
    story = Story().accept([a_step("a")]).exit("a")
    told = shown(story, width=100, colour=True)
    assert any("\x1b[32m-> Succeeded\x1b[0m" in line for line in told)
    assert all(" 22:13:20  " in line for line in told)
    assert all("\x1b" not in line for line in shown(story, width=100))


def test_every_event_type_makes_a_line() -> None:
    """No sentence names a field that its event has not."""
    for kind in e.AnyEvent.__args__:  # type: ignore[attr-defined]
        fields = {field.name: _sample(field) for field in msgspec.structs.fields(kind)}
        event = kind(**fields)
        record = e.Record(seq=1, turn=1, time=0, epoch=1, event=event)
        state = Story().accept([a_step("a")]).state
        assert list(lines(0, list(happened(state, record, [])), Look(now=0), everything=True))


def _sample(field: msgspec.structs.FieldInfo) -> Any:
    samples = {
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
