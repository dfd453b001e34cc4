"""The table of edits, row by row: what a new generation does to a step in each phase."""

from collections.abc import Callable
from typing import Any

import pytest
from story import Story, a_step, document

from controller.model.events import GenerationAccepted, StepReset
from controller.planner.editing import edits
from controller.planner.permission import Limits

RETRIES: dict[str, Any] = {"limit": 5, "backoff": {"initialSeconds": 10, "jitter": 0}}
Steps = list[dict[str, Any]]

# a -> b -> c; what happens to b is the question.


def steps(**b: Any) -> Steps:
    return [a_step("a"), a_step("b", "a", **{"retry": RETRIES, **b}), a_step("c", "b")]


def pending(story: Story) -> None:
    story.start("a")


def ready(story: Story) -> None:
    story.limits = Limits(max_parallel=0)
    story.exit("a")


def running(story: Story) -> None:
    story.exit("a").start("b")


def backing_off(story: Story) -> None:
    story.exit("a").exit("b", 1)


def succeeded(story: Story) -> None:
    story.exit("a").exit("b")


def failed(story: Story) -> None:
    story.exit("a")
    for _ in range(1 + RETRIES["limit"]):
        story.exit("b", 1).wait(1000)
    assert story.why("b") == ("Failed", "NonZeroExit")


def skipped(story: Story) -> None:
    story.exit("a", 1)
    assert story.why("b") == ("Skipped", "DependencyFailed")


def cancelled(story: Story) -> None:
    story.exit("a").mark(steps=["b"]).end("b").unmark()
    assert story.why("b") == ("Cancelled", "CancelMarker")


SAME = steps()
CHANGED = steps(run="another")
POLICY = steps(timeoutSeconds=77)
RETRY = steps(retry={**RETRIES, "limit": 6})
AFTER_CHANGE = [a_step("a", run="another"), *steps()[1:]]
ELSEWHERE = [*steps(), a_step("d")]


@pytest.mark.parametrize(
    ("was", "edit", "phase", "reason"),
    [
        pytest.param(succeeded, POLICY, "Succeeded", "Completed", id="policy re-runs nothing"),
        pytest.param(succeeded, ELSEWHERE, "Succeeded", "Completed", id="nor a step elsewhere"),
        pytest.param(succeeded, CHANGED, "Ready", "WaitingForSlot", id="a change re-runs"),
        pytest.param(succeeded, AFTER_CHANGE, "Pending", "SpecChanged", id="so does one before it"),
        pytest.param(running, POLICY, "Running", "Started", id="policy lets it run on"),
        pytest.param(running, ELSEWHERE, "Running", "Started", id="so does a step elsewhere"),
        pytest.param(failed, ELSEWHERE, "Ready", "WaitingForSlot", id="a failed one is tried anew"),
        pytest.param(skipped, ELSEWHERE, "Pending", "DependencyReran", id="what it skipped too"),
        pytest.param(cancelled, ELSEWHERE, "Ready", "WaitingForSlot", id="and a cancelled one"),
        pytest.param(pending, CHANGED, "Pending", "WaitingForDependencies", id="pending stays"),
        pytest.param(ready, CHANGED, "Ready", "WaitingForSlot", id="ready stays"),
        pytest.param(backing_off, ELSEWHERE, "Pending", "BackOff", id="a backoff goes on"),
        pytest.param(backing_off, POLICY, "Pending", "BackOff", id="unless it is about retries"),
        pytest.param(backing_off, RETRY, "Ready", "WaitingForSlot", id="new retries end a backoff"),
        pytest.param(backing_off, CHANGED, "Ready", "WaitingForSlot", id="a change ends it too"),
    ],
)
def test_a_row_of_the_table(
    was: Callable[[Story], None], edit: Steps, phase: str, reason: str
) -> None:
    story = Story().accept(SAME)
    was(story)
    story.accept(edit)
    assert story.why("b") == (phase, reason)


@pytest.mark.parametrize("edit", [CHANGED, AFTER_CHANGE])
def test_a_running_step_that_changed_is_ended_and_runs_again(edit: Steps) -> None:
    story = Story().accept(SAME)
    running(story)
    story.accept(edit)
    ending = story.attempt("b").ending
    assert ending is not None
    assert ending.reason == "SpecChanged"
    assert story.why("b") == ("Running", "Started"), "until it has ended"
    story.end("b")
    if "a" in story.live():
        assert story.why("b") == ("Pending", "SpecChanged")
        story.exit("a")
    story.exit("b").exit("c")
    assert story.why() == ("Succeeded", "Completed")
    assert [attempt.phase for attempt in story.step("b").attempts] == ["Cancelled", "Succeeded"]


@pytest.mark.parametrize("queued", [False, True])
def test_a_change_gives_fresh_retries_also_when_a_backoff_is_over(queued: bool) -> None:
    story = Story().accept(SAME)
    backing_off(story)
    story.limits = Limits(max_parallel=1 if queued else 0)
    story.wait(10)
    assert (story.why("b"), story.step("b").retries) == (("Ready", "WaitingForSlot"), 1)
    story.accept(CHANGED)
    story.limits = Limits(max_parallel=1)
    story.end("b") if queued else story.settle()
    assert story.step("b").retries == 0
    assert story.attempt("b").why == "run changed"


def test_a_change_gives_fresh_retries_and_says_what_changed() -> None:
    story = Story().accept(SAME)
    failed(story)
    story.accept(CHANGED)
    step = story.step("b")
    assert (step.retries, step.phase) == (0, "Ready")
    story.exit("b", 1)
    assert story.why("b") == ("Pending", "BackOff")


def test_a_failure_that_is_tolerated_is_a_result() -> None:
    tolerant = [a_step("a", continueOnFailure=True), a_step("b", "a")]
    story = Story().accept(tolerant).exit("a", 1).exit("b")
    story.accept([*tolerant, a_step("d")])
    assert story.why("a") == ("Failed", "NonZeroExit")
    assert story.why("b") == ("Succeeded", "Completed")
    story.accept([a_step("a"), a_step("b", "a"), a_step("d")])
    assert story.why("a") == ("Ready", "WaitingForSlot"), "tolerated no more"
    assert story.why("b") == ("Pending", "DependencyReran")


def test_a_failure_that_becomes_tolerated_stands_unless_the_step_changed() -> None:
    for run, phase in (("a", "Failed"), ("another", "Ready")):
        story = Story().accept([a_step("a"), a_step("b", "a")]).exit("a", 1)
        story.accept([a_step("a", run=run, continueOnFailure=True), a_step("b", "a")])
        assert story.phases()["a"] == phase


def test_what_ran_after_a_step_that_is_tried_anew_is_reset() -> None:
    after = {"step": "a", "condition": "Finished"}
    for edit in (lambda s: s.exit("b"), lambda s: s.start("b")):
        story = Story().accept([a_step("a"), a_step("b", after)]).exit("a", 1)
        edit(story)
        story.accept([a_step("a"), a_step("b", after), a_step("d")])
        if "b" in story.live():
            story.end("b")
        assert story.why("a") == ("Ready", "WaitingForSlot")
        assert story.why("b") == ("Pending", "DependencyReran")


def test_a_revert_before_it_ran_again_restores_the_result() -> None:
    story = Story(checked=True).accept(SAME).exit("a").exit("b").exit("c")
    story.limits = Limits(max_parallel=0)
    story.accept(CHANGED)
    assert story.phases() == {"a": "Succeeded", "b": "Ready", "c": "Pending"}
    story.accept(SAME)
    assert story.phases() == {"a": "Succeeded", "b": "Succeeded", "c": "Succeeded"}
    assert story.why() == ("Succeeded", "Completed")
    assert story.step("b").numbered == 1


def test_a_revert_withdraws_a_start_that_is_still_queued() -> None:
    story = Story().accept(SAME).exit("a").exit("b").exit("c").accept(CHANGED).accept(SAME)
    assert story.attempt("b").ending is not None
    story.end("b", how="withdrawn")
    assert story.why("b") == ("Succeeded", "Completed")
    assert story.why() == ("Succeeded", "Completed")


def test_a_revert_after_it_started_again_comes_too_late() -> None:
    story = Story().accept(SAME).exit("a").exit("b").exit("c").accept(CHANGED).start("b")
    story.accept(SAME).end("b")
    assert story.why("b") == ("Ready", "WaitingForSlot")
    story.exit("b").exit("c")
    assert story.why() == ("Succeeded", "Completed")


def test_a_revert_does_not_take_back_a_retry_that_was_asked_for() -> None:
    story = Story().accept(SAME).exit("a").exit("b").exit("c")
    story.limits = Limits(max_parallel=0)
    story.see(
        StepReset(uid=story.life().uid, step="b", reason="RetryRequested", message="asked")
    ).settle()
    story.accept(ELSEWHERE)
    assert story.phases()["b"] == "Ready"


def test_a_revert_does_not_take_back_a_restart_that_came_while_its_start_was_queued() -> None:
    story = Story().accept(SAME).exit("a").exit("b").exit("c").accept(CHANGED)
    assert story.live() == {"b"}
    asked = {"reason": "RestartRequested", "message": "asked"}
    story.see(StepReset(uid=story.life().uid, step="b", **asked)).settle()
    story.accept(SAME).end("b", how="withdrawn")
    assert story.why("b") == ("Ready", "WaitingForSlot")


def test_an_edit_does_not_take_back_a_retry_of_what_has_just_succeeded() -> None:
    story = Story().accept(SAME).exit("a").start("b").wait(5)
    asked = {"reason": "RetryRequested", "message": "asked"}
    story.see(StepReset(uid=story.life().uid, step="b", **asked)).settle()
    story.end("b", exit_code=0, at=story.now - 1, settle=False).accept(ELSEWHERE)
    assert story.why("b") == ("Ready", "WaitingForSlot")


def test_a_revert_just_when_it_succeeded_leaves_it_succeeded() -> None:
    changed = steps(run="another", onChanged="FinishFirst")
    story = Story().accept(SAME).exit("a").start("b").accept(changed)
    asked = {"reason": "RetryRequested", "message": "asked"}
    story.see(StepReset(uid=story.life().uid, step="a", **asked)).settle()
    story.end("b", exit_code=0, settle=False).accept(SAME)
    assert story.why("b") == ("Succeeded", "Completed")


def test_a_result_is_not_forgotten_when_a_dependency_is_retried() -> None:
    story = Story().accept(SAME).exit("a").exit("b").exit("c")
    story.see(
        StepReset(uid=story.life().uid, step="a", reason="RetryRequested", message="asked")
    ).settle()
    story.exit("a")
    assert story.why("b") == ("Succeeded", "Completed")
    story.accept(CHANGED)
    assert story.why("b") == ("Ready", "WaitingForSlot")


def test_a_removed_step_leaves_when_nothing_of_it_runs() -> None:
    story = Story().accept(SAME).exit("a").start("b")
    story.accept([a_step("a")])
    assert story.phases() == {"a": "Succeeded", "b": "Running"}
    assert story.why()[0] == "Running"
    story.end("b")
    assert story.phases() == {"a": "Succeeded"}
    assert story.why() == ("Succeeded", "Completed")


def test_a_step_that_comes_back_goes_on_counting_its_attempts() -> None:
    story = Story().accept(SAME).exit("a").exit("b").exit("c")
    story.accept([a_step("a")]).accept(SAME)
    assert story.step("b").numbered == 2, "number 1 was spent in its life before"
    story.exit("b")
    assert [attempt.number for attempt in story.step("b").attempts] == [2]


def test_a_step_that_comes_back_while_it_ends_runs_again() -> None:
    story = Story().accept(SAME).exit("a").start("b").accept([a_step("a")]).accept(SAME)
    story.end("b")
    assert story.why("b") == ("Ready", "WaitingForSlot")
    assert story.attempt("b").number == 2


def test_a_step_with_a_result_from_before_comes_back_while_its_start_is_withdrawn() -> None:
    story = Story().accept([a_step("a"), a_step("z")]).exit("a").start("z")
    story.accept([a_step("a", run="two"), a_step("z")]).accept([a_step("z")])
    story.accept([a_step("a", run="three"), a_step("z")])
    assert story.life().effects["a"].message == "run changed"
    story.end("a").exit("a")
    assert story.why("a") == ("Succeeded", "Completed")


def test_an_edit_while_everything_is_being_cancelled_runs_it_again() -> None:
    story = Story().accept(SAME).exit("a").start("b").mark().unmark()
    assert story.attempt("b").ending is not None
    story.accept(ELSEWHERE).end("b")
    assert story.why("b") == ("Ready", "WaitingForSlot")
    assert story.why() == ("Running", "Accepted")


def test_a_new_timeout_holds_for_what_runs() -> None:
    story = Story().accept(SAME).exit("a").start("b").wait(100)
    story.accept(steps(timeoutSeconds=60))
    ending = story.attempt("b").ending
    assert ending is not None
    assert ending.reason == "Timeout"


def test_an_attempt_that_has_just_ended_is_judged_by_the_new_policy() -> None:
    story = Story().accept([a_step("a")]).start("a")
    story.end("a", exit_code=1, settle=False)
    story.accept([a_step("a", retry=RETRIES)])
    assert story.why("a") == ("Pending", "BackOff")


def test_an_attempt_that_has_just_ended_and_changed_runs_again() -> None:
    story = Story().accept([a_step("a")]).start("a")
    story.end("a", exit_code=1, settle=False)
    story.accept([a_step("a", run="another")])
    assert story.why("a") == ("Ready", "WaitingForSlot")


def test_a_ready_step_with_a_new_dependency_waits_again() -> None:
    story = Story().accept([a_step("a"), a_step("b")])
    story.accept([a_step("a"), a_step("b", "a")])
    ending = story.attempt("b").ending
    assert ending is not None
    story.end("b", how="withdrawn")
    assert story.why("b")[0] == "Pending"
    story.exit("a").exit("b")
    assert story.why() == ("Succeeded", "Completed")


def test_an_edit_says_what_changed() -> None:
    story = Story().accept(SAME).exit("a").exit("b").exit("c")
    story.accept(steps(run="another", env={"X": "1"}))
    assert "run" in story.attempt("b").inputs
    effects = [r.event for r in story.records if isinstance(r.event, GenerationAccepted)][
        -1
    ].effects
    assert effects["b"].message == "env.X, run changed"
    assert effects.keys() == {"b", "c"}, "what is kept need not stand in the log"


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (["a"], [{"step": "a", "condition": "Finished"}],
         'depends on "a" with another condition: Finished, no longer Succeeded'),
        ([], ["a"], 'depends on "a" now'),
        (["a"], [], 'no longer depends on "a"'),
    ],
)  # fmt: skip
def test_what_changed_of_a_dependency_is_said(
    was: list[Any], becomes: list[Any], said: str
) -> None:
    story = Story().accept([a_step("a"), a_step("b", *was)]).exit("a").exit("b")
    story.accept([a_step("a"), a_step("b", *becomes)])
    assert story.life().effects["b"].message == said
    assert story.attempt("b").why == said


def test_what_was_only_queued_is_met_as_one_that_waits() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).start("a")
    story.accept([a_step("a", run="other"), a_step("b", run="other")])
    effects = story.life().effects
    assert (effects["a"].action, effects["b"].action) == ("restart", "keep")
    story.end("a").end("b").exit("a").exit("b")
    assert story.life().phase == "Succeeded"
    assert {name: story.step(name).numbered for name in "ab"} == {"a": 2, "b": 2}


def test_a_step_that_waits_takes_up_what_changed_and_that_is_said() -> None:
    story = Story().accept([a_step("b", "a"), a_step("a"), a_step("c")]).start("a")
    found = edits.judge(
        story.state,
        story.life(),
        document([a_step("b", "a", run="other"), a_step("a"), a_step("d")]).spec,
    ).effects
    assert list(found) == ["b", "a", "d", "c"], "in the order of the spec, what goes last"
    assert found["b"].message == "run changed; not started yet"
    assert (found["b"].action, found["b"].reason) == ("keep", "SpecChanged")
