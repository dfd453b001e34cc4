"""Who must end, when a workflow is over, and what it has come to."""

from typing import Any

import pytest
from story import Story, a_step

from controller.model.events import RequestApplied, StepReset

CHAIN = [a_step("a"), a_step("b", "a"), a_step("c", "b")]


def test_a_marker_ends_what_runs_and_cancels_what_has_not_started() -> None:
    story = Story().accept(CHAIN).exit("a").start("b").mark(reason="enough")
    assert story.phases() == {"a": "Succeeded", "b": "Running", "c": "Cancelled"}
    assert story.why() == ("Running", "Started")
    story.end("b")
    assert story.phases() == {"a": "Succeeded", "b": "Cancelled", "c": "Cancelled"}
    assert story.why() == ("Cancelled", "CancelMarker")
    assert story.life().message == "cancelled by w.cancel: enough"


def test_a_cancel_is_final_for_its_generation() -> None:
    story = Story().accept(CHAIN).start("a").mark().end("a").unmark()
    assert story.why() == ("Cancelled", "CancelMarker")
    assert not story.live()
    story.accept([*CHAIN, a_step("d")])
    assert story.live() == {"a", "d"}


def test_a_generation_accepted_under_a_marker_counts_as_cancelled() -> None:
    story = Story().accept(CHAIN).mark()
    story.end("a").accept([*CHAIN, a_step("d")])
    assert story.why() == ("Cancelled", "CancelMarker")
    assert story.phases()["d"] == "Cancelled"
    story.unmark()
    assert not story.live()


def test_a_marker_waits_for_its_workflow() -> None:
    story = Story().mark().accept(CHAIN)
    assert story.why() == ("Cancelled", "CancelMarker")
    assert story.step("a").attempts == []


def test_a_marker_on_what_has_ended_changes_nothing() -> None:
    story = Story().accept([a_step("a")]).exit("a").mark()
    assert story.why() == ("Succeeded", "Completed")


def test_a_drain_lets_running_steps_finish() -> None:
    story = Story().accept([*CHAIN, a_step("d", "a")]).exit("a").start("b", "d")
    story.mark(drain=True)
    assert all(story.attempt(name).ending is None for name in "bd")
    story.exit("b").exit("d", 1)
    assert story.phases() == {"a": "Succeeded", "b": "Succeeded", "c": "Cancelled", "d": "Failed"}
    assert story.why() == ("Failed", "StepFailed")


def test_a_drain_spends_no_retries() -> None:
    story = Story().accept([a_step("a", retry={"limit": 3})]).start("a").mark(drain=True)
    story.exit("a", 1)
    assert story.why("a") == ("Failed", "NonZeroExit")


def test_a_drain_withdraws_what_is_queued_and_spares_what_has_just_started() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).mark(drain=True)
    endings = [story.attempt(name).ending for name in "ab"]
    assert all(ending is not None and ending.withdraw for ending in endings)
    story.start("a").end("b", how="withdrawn")
    assert story.phases() == {"a": "Running", "b": "Cancelled"}
    story.exit("a")
    assert story.why() == ("Cancelled", "CancelMarker")


def test_a_second_marker_turns_a_drain_into_an_end() -> None:
    story = Story().accept(CHAIN).start("a").mark(drain=True).mark(path="x/w.cancel")
    assert story.attempt("a").ending is not None


def test_a_drain_does_not_outlive_the_deadline() -> None:
    story = Story().accept(CHAIN, activeDeadlineSeconds=60).start("a").mark(drain=True).wait(60)
    story.end("a")
    assert story.why() == ("Failed", "DeadlineExceeded")


def test_a_drain_lets_a_changed_step_end_and_not_run_again() -> None:
    story = Story().accept([a_step("a")]).start("a").accept([a_step("a", run="another")])
    story.mark(drain=True).end("a")
    assert story.why("a") == ("Cancelled", "CancelMarker")


def test_what_a_drain_spared_is_ended_once_it_drains_no_more() -> None:
    edited = [a_step("a", run="another"), a_step("b", "a")]
    of_step = Story().accept(CHAIN).start("a").mark(steps=["a"], drain=True).accept(edited)
    assert of_step.attempt("a").ending is None
    of_step.unmark()
    assert of_step.attempt("a").ending is not None

    of_all = Story().accept(CHAIN).start("a").mark(drain=True).accept(edited).unmark()
    assert of_all.attempt("a").ending is None
    of_all.see(RequestApplied(name="1", kind="retry", workflow="w", by="", uid=of_all.life().uid))
    assert of_all.settle().attempt("a").ending is not None


def test_a_marker_for_steps_skips_their_dependents() -> None:
    steps = [a_step("a"), a_step("b", "a"), a_step("c", "b"), a_step("d", "a")]
    story = Story().accept(steps).exit("a").start("b", "d").mark(steps=["b"]).end("b")
    assert story.why("b") == ("Cancelled", "CancelMarker")
    assert story.why("c") == ("Skipped", "DependencyCancelled")
    story.exit("d")
    assert story.why() == ("Cancelled", "StepCancelled")


def test_a_marker_for_steps_that_drains_spares_them_while_they_run() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")]).start("a")
    story.mark(steps=["a", "b"], drain=True).exit("a")
    assert story.phases() == {"a": "Succeeded", "b": "Cancelled"}


def test_a_step_that_finished_before_its_end_was_ordered_keeps_its_result() -> None:
    for marker in ({}, {"steps": ["a"]}):
        story = Story().accept([a_step("a")]).start("a").wait(5)
        story.mark(**marker)
        story.end("a", exit_code=0, at=story.now - 1)
        assert story.why("a") == ("Succeeded", "Completed"), marker


def test_cancelling_during_a_backoff_is_immediate() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1})]).exit("a", 1).mark()
    assert story.why() == ("Cancelled", "CancelMarker")
    assert not story.state.timers


def test_fail_fast_ends_the_rest() -> None:
    story = Story().accept([a_step("a"), a_step("b"), a_step("c", "b")], failFast=True)
    story.start("b").exit("a", 1)
    assert story.phases()["c"] == "Cancelled"
    story.end("b")
    assert story.why() == ("Failed", "FailFast")
    assert story.life().message == 'failFast: step "a" failed'


def test_fail_fast_tolerates_what_is_tolerated() -> None:
    steps = [a_step("a", continueOnFailure=True), a_step("b")]
    story = Story().accept(steps, failFast=True).exit("a", 1).exit("b")
    assert story.why() == ("Succeeded", "Completed")


def test_the_deadline_of_a_run_counts_from_its_first_step() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], activeDeadlineSeconds=60)
    story.start("a").wait(59.9)
    assert story.attempt("a").ending is None
    story.wait(0.1).end("a")
    assert story.why() == ("Failed", "DeadlineExceeded")
    assert story.phases() == {"a": "Cancelled", "b": "Cancelled"}


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ({"a": 0, "b": 0}, ("Succeeded", "Completed")),
        ({"a": 1, "b": 0}, ("Failed", "StepFailed")),
        ({"a": 1, "b": None}, ("Failed", "StepFailed")),
        ({"a": 0, "b": None}, ("Cancelled", "StepCancelled")),
    ],
)
def test_failed_before_cancelled_before_succeeded(ends: dict[str, Any], verdict: Any) -> None:
    story = Story().accept([a_step("a"), a_step("b")])
    for name, code in ends.items():
        if code is None:
            story.mark(steps=[name]).end(name)
        else:
            story.exit(name, code)
    assert story.why() == verdict


def test_a_dependent_on_failure_does_not_tolerate_it() -> None:
    story = Story().accept([a_step("a"), a_step("b", {"step": "a", "condition": "Failed"})])
    story.exit("a", 1).exit("b")
    assert story.why() == ("Failed", "StepFailed")


def test_deletion_ends_the_life() -> None:
    story = Story().accept(CHAIN).start("a")
    uid = story.life().uid
    story.delete()
    assert story.why() == ("Running", "Started")
    story.end("a")
    assert "w" not in story.state.workflows
    assert story.state.lives[uid].reason == "SpecDeleted"
    story.accept(CHAIN)
    assert story.life().uid != uid


def test_deletion_overrules_a_drain() -> None:
    story = Story().accept(CHAIN).start("a").mark(drain=True).delete()
    assert story.attempt("a").ending is not None


def test_a_life_that_is_over_is_no_longer_being_ended() -> None:
    story = Story().accept([a_step("a")]).exit("a").wait(6)
    life = story.life()
    story.delete()
    assert life.conditions["Terminating"].status == "False"
    ended = life.conditions["Ended"]
    assert (ended.status, ended.last_transition_time) == ("True", story.now)


def test_deleting_what_has_ended_keeps_its_phase() -> None:
    story = Story().accept([a_step("a")]).exit("a")
    uid = story.life().uid
    story.delete()
    assert story.state.lives[uid].phase == "Succeeded"
    assert "w" not in story.state.workflows


# ---------------------------------------- suspend


def test_a_suspended_workflow_starts_nothing_and_lets_run() -> None:
    story = Story().accept(CHAIN).start("a").accept(CHAIN, suspend=True)
    assert story.attempt("a").ending is None
    assert story.why()[0] == "Running"
    story.exit("a")
    assert story.why() == ("Suspended", "Suspended")
    assert not story.live()
    story.accept(CHAIN).exit("b").exit("c")
    assert story.why() == ("Succeeded", "Completed")


def test_suspending_withdraws_what_is_queued() -> None:
    story = Story().accept(CHAIN).accept(CHAIN, suspend=True)
    ending = story.attempt("a").ending
    assert ending is not None
    assert ending.withdraw
    story.end("a", how="withdrawn")
    assert story.why() == ("Suspended", "Suspended")
    assert story.step("a").retries == 0
    story.accept(CHAIN)
    assert story.attempt("a").number == 2


def test_deadline_and_backoffs_stand_still_while_suspended() -> None:
    steps = [a_step("a", retry={"limit": 1, "backoff": {"initialSeconds": 10, "jitter": 0}})]
    story = Story().accept(steps, activeDeadlineSeconds=60).exit("a", 1).wait(4)
    story.accept(steps, activeDeadlineSeconds=60, suspend=True).wait(1000)
    assert story.why() == ("Suspended", "Suspended")
    assert not story.state.timers
    story.accept(steps, activeDeadlineSeconds=60).wait(5.9)
    assert story.why("a") == ("Pending", "BackOff")
    story.wait(0.1).start("a").wait(49.9)
    assert story.attempt("a").ending is None
    story.wait(0.1).end("a")
    assert story.why() == ("Failed", "DeadlineExceeded")


def test_a_backoff_that_begins_while_suspended_waits_in_full() -> None:
    steps = [a_step("a", retry={"limit": 1, "backoff": {"initialSeconds": 10, "jitter": 0}})]
    story = Story().accept(steps).start("a").accept(steps, suspend=True).wait(100)
    story.exit("a", 1).wait(100).accept(steps).wait(9.9)
    assert story.phases()["a"] == "Pending"
    story.wait(0.1)
    assert story.phases()["a"] == "Ready"


def test_the_timeout_of_a_running_step_does_not_stand_still() -> None:
    steps = [a_step("a", timeoutSeconds=10)]
    story = Story().accept(steps).start("a").accept(steps, suspend=True).wait(10)
    assert story.attempt("a").ending is not None


def test_an_edit_of_a_suspended_workflow_leaves_it_suspended() -> None:
    story = Story().accept(CHAIN, suspend=True)
    since = story.life().since
    story.wait(10).accept([*CHAIN, a_step("d")], suspend=True)
    assert story.why()[0] == "Suspended"
    assert story.life().since == since


def test_fail_fast_does_not_strike_for_a_failure_of_an_older_run() -> None:
    story = Story().accept([a_step("a"), a_step("b")], failFast=True).exit("b").exit("a", 1)
    assert story.why() == ("Failed", "StepFailed")
    story.see(StepReset(uid=story.life().uid, step="b", reason="RetryRequested", message="asked"))
    story.settle().exit("b")
    assert story.why("b") == ("Succeeded", "Completed")
    assert story.why() == ("Failed", "StepFailed")
