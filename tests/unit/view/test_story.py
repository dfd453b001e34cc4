"""The log as events: every change of a phase is visible, with its reason."""

from typing import Any

import msgspec
from story import Story, a_step

from controller.errors import Fault
from controller.model import events as e
from controller.model.apply import apply
from controller.model.state import State
from controller.view.story import concerns, happened, lines


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


def test_people_hear_of_a_change_once() -> None:
    story = Story().accept([a_step("a")]).start("a")
    by_record = [list(lines([record, change])) for record, change in [told(story)[-2:]]]
    assert len(by_record[0]) == 1
    assert "-> Running" in by_record[0][0]
    assert by_record[0][0].split()[2] == "w/a"


def test_every_event_type_makes_a_line() -> None:
    """No sentence names a field that its event has not."""
    for kind in e.AnyEvent.__args__:  # type: ignore[attr-defined]
        fields = {field.name: _sample(field) for field in msgspec.structs.fields(kind)}
        event = kind(**fields)
        record = e.Record(seq=1, turn=1, time=0, epoch=1, event=event)
        state = Story().accept([a_step("a")]).state
        assert list(lines(list(happened(state, record, []))))


def _sample(field: msgspec.structs.FieldInfo) -> Any:
    samples = {
        "uid": "uid-1",
        "spec": None,
        "effects": {},
        "faults": [Fault(file="f", problem="p")],
        "seconds": 1.0,
    }
    return samples.get(field.name, 1)
