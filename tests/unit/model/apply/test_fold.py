"""The fold: what single events change that no table of the planner shows."""

import msgspec
import pytest
from story import Story, a_step, dump

from controller.errors import Fault
from controller.model import events as e
from controller.model.apply.fold import APPLY, apply, replay
from controller.model.indexes import forbidden
from controller.model.state import REQUESTS_REMEMBERED_MAX, Pool, State
from controller.planner.permission import Limits

STEPS = [a_step("a"), a_step("b", "a")]


def test_every_event_has_its_place_in_the_table() -> None:
    assert set(APPLY) == set(e.AnyEvent.__args__)  # type: ignore[attr-defined]


def test_a_replay_through_the_log_s_form_gives_the_same_state() -> None:
    story = Story().accept(STEPS).exit("a").accept([a_step("a", run="another"), a_step("b", "a")])
    lines = [msgspec.json.encode(record) for record in story.records]
    again = replay(msgspec.json.decode(line, type=e.Record) for line in lines)
    assert dump(again) == dump(story.state)


def test_a_pool_has_the_slots_of_its_last_document() -> None:
    story = Story().see(e.PoolAccepted(name="gpu", slots=2, path="pools.yaml"))
    story.see(e.PoolAccepted(name="api", slots=9, path="pools.yaml"))
    story.see(e.PoolAccepted(name="gpu", slots=1, path="gpu.yaml"))
    assert story.state.pools == {"gpu": Pool(1, "gpu.yaml"), "api": Pool(9, "pools.yaml")}
    story.see(e.PoolRemoved(name="gpu"))
    assert story.state.pools == {"api": Pool(9, "pools.yaml")}


def test_lives_don_t_share_what_they_wait_for() -> None:
    story = Story(Limits(max_parallel=0)).accept([a_step("a")], "v")
    story.accept([a_step("b")], "w")
    assert list(story.life("v").ready) == ["a"]
    assert list(story.life("w").ready) == ["b"]


def test_an_attempt_out_of_order_is_refused() -> None:
    story = Story().accept(STEPS)
    scheduled = next(r.event for r in story.records if isinstance(r.event, e.AttemptScheduled))
    with pytest.raises(AssertionError):
        story.see(scheduled)


def test_conditions_move_their_time_with_their_status_only() -> None:
    story = Story().accept(STEPS)
    before = story.life().conditions["Accepted"].last_transition_time
    story.wait(10).accept([*STEPS, a_step("c")])
    accepted = story.life().conditions["Accepted"]
    assert (accepted.last_transition_time, accepted.observed_generation) == (before, 2)


def test_conditions_follow_the_life() -> None:
    story = Story().accept(STEPS)
    held = {kind: one.status for kind, one in story.life().conditions.items()}
    assert held == {"Accepted": "True", "Progressing": "True"}
    story.exit("a").mark().end("b")
    held = {kind: one.status for kind, one in story.life().conditions.items()}
    assert held == {
        "Accepted": "True",
        "Progressing": "False",
        "Terminating": "False",
        "Complete": "True",
    }


def test_a_rejected_edit_is_said_and_changes_nothing() -> None:
    story = Story().accept(STEPS)
    fault = Fault(file="w.yaml", problem="broken")
    story.see(e.FileRejected(path="w.yaml", digest="d", faults=[fault], names=["w"]))
    assert story.life().conditions["SpecInvalid"].status == "True"
    assert story.life().generation == 1
    story.see(e.FileCleared(path="w.yaml"))
    assert story.life().conditions["SpecInvalid"].status == "False"


def test_the_strictest_of_several_markers_counts() -> None:
    story = (
        Story().mark("a/w.cancel", drain=True).mark("b/w.cancel").mark("c/w.cancel", steps=["x"])
    )
    found = forbidden(story.state, "w")
    assert found is not None
    assert found.path == "b/w.cancel"
    story.unmark("b/w.cancel")
    assert forbidden(story.state, "w").drain  # type: ignore[union-attr]
    story.unmark("a/w.cancel")
    assert forbidden(story.state, "w") is None


def test_a_marker_that_names_another_workflow_now() -> None:
    story = Story().mark("x.cancel", "v").mark("x.cancel", "w")
    assert list(story.state.markers_of) == ["w"]


def test_a_marker_that_became_bad_is_in_force_no_more() -> None:
    story = Story().mark()
    story.see(e.MarkerRejected(workflow="w", path="w.cancel", digest="d", problem="no such step"))
    assert forbidden(story.state, "w") is None
    assert list(story.state.bad_markers) == ["w.cancel"]
    story.mark()
    assert not story.state.bad_markers


def test_what_outlives_sigkill_is_a_condition_until_it_is_gone() -> None:
    story = Story().accept(STEPS).start("a").mark()
    uid = story.life().uid
    story.see(e.AttemptEndFailed(uid=uid, step="a", attempt=1, pids=[7]))
    assert story.life().conditions["EndFailed"].status == "True"
    story.end("a")
    assert story.life().conditions["EndFailed"].status == "False"
    assert story.step("a").attempts[0].survivors == []


def test_names_of_requests_are_remembered_up_to_a_limit() -> None:
    state = State()
    for number in range(REQUESTS_REMEMBERED_MAX + 1):
        event = e.RequestApplied(name=f"{number}", kind="retry", workflow="w", by="me")
        apply(state, e.Record(seq=1, turn=1, time=1, epoch=1, event=event))
    assert len(state.requests) == REQUESTS_REMEMBERED_MAX
    assert "0" not in state.requests


def test_every_phase_has_a_reason_and_a_message() -> None:
    story = Story(Limits(max_parallel=0)).accept(STEPS)
    for of in (story.life(), story.step("a"), story.step("b")):
        assert of.reason
        assert of.message
