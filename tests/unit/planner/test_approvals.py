"""A step that asks a person: what ends its wait, and what becomes of a question in each phase."""

from collections.abc import Callable

import pytest
from story import Story, a_step, document, dump

from controller.intake.requests import answer
from controller.model import events as e
from controller.model.apply.fold import replay
from controller.model.image import freeze, thaw
from controller.model.observations import Request
from controller.model.phases import Phase
from controller.planner.plan import settled

YES = {"steps": ["s"], "question": 1}
ASKS = {"message": "Fine?"}
TIMED = {"message": "Fine?", "timeoutSeconds": 60}
STEPS = [a_step("a"), a_step("s", "a", approve=TIMED), a_step("b", "s")]
Tell = Callable[[Story], Story]


def asks(**policies: object) -> Story:
    return Story().accept(STEPS, **policies).exit("a")


def cancel(story: Story) -> Story:
    return story.ask("cancel", by="ada")


def edit(*steps: dict[str, object]) -> Tell:
    return lambda story: story.accept(list(steps))


A, S, B = STEPS
OTHER = a_step("a", run="other")
CHANGED = a_step("s", approve=TIMED)


@pytest.mark.parametrize(
    ("tell", "phase", "reason", "number"),
    [
        pytest.param(lambda s: s.answers("s"), "Succeeded", "Approved", 1, id="yes"),
        pytest.param(lambda s: s.answers("s", yes=False), "Failed", "Rejected", 1, id="no"),
        pytest.param(lambda s: s.wait(60), "Failed", "Timeout", 1, id="its timeout"),
        pytest.param(lambda s: s.wait(59), "Pending", "AwaitingApproval", 1, id="still time"),
        pytest.param(cancel, "Cancelled", "RunInterrupted", 1, id="a cancel"),
        pytest.param(lambda s: s.mark(), "Cancelled", "CancelMarker", 1, id="a marker"),
        pytest.param(lambda s: s.mark(steps=["s"]), "Cancelled", "CancelMarker", 1, id="its own"),
        pytest.param(lambda s: s.mark(drain=True), "Cancelled", "CancelMarker", 1, id="a drain"),
        pytest.param(lambda s: s.delete(), "Cancelled", "SpecDeleted", 1, id="a deletion"),
        pytest.param(lambda s: s.retry("s"), "Pending", "AwaitingApproval", 2, id="a retry"),
        pytest.param(lambda s: s.retry("a"), "Pending", "DependencyReran", 1, id="what it needs"),
        pytest.param(
            lambda s: s.retry("a").exit("a"), "Pending", "AwaitingApproval", 2, id="and that again"
        ),
        pytest.param(edit(OTHER, S, B), "Pending", "SpecChanged", 1, id="an edit of that"),
        pytest.param(edit(A, CHANGED, B), "Pending", "AwaitingApproval", 2, id="an edit of it"),
        pytest.param(
            edit(A, a_step("s", "a", approve=ASKS), B), "Pending", "AwaitingApproval", 1, id="words"
        ),
        pytest.param(edit(A, a_step("s", "a"), B), "Ready", "WaitingForSlot", 1, id="it runs now"),
        pytest.param(
            edit(A, a_step("s", "a", approve=TIMED, when="${{ false }}"), B),
            "Pending",
            "AwaitingApproval",
            1,
            id="a when that comes too late",
        ),
        pytest.param(
            lambda s: s.see(e.MachineSlept(seconds=1_000.0)).wait(59),
            "Pending",
            "AwaitingApproval",
            1,
            id="a sleep that was short",
        ),
        pytest.param(
            lambda s: s.ask("mark", "s"), "Pending", "AwaitingApproval", 1, id="marked by hand"
        ),
        pytest.param(
            lambda s: s.ask("suspend").answers("s"), "Succeeded", "Approved", 1, id="suspended"
        ),
    ],
)
def test_what_becomes_of_a_step_that_asks(tell: Tell, phase: str, reason: str, number: int) -> None:
    story = asks()
    assert story.why("s") == ("Pending", "AwaitingApproval")
    (life,) = story.state.lives.values()
    tell(story)
    step = life.steps["s"]
    assert (step.phase, step.reason) == (phase, reason)
    assert step.questions == number
    assert (step.asking is not None) == (reason == "AwaitingApproval")
    assert dump(replay(story.records)) == dump(story.state)
    assert freeze(thaw(freeze(story.state))) == freeze(story.state)


def test_a_restart_asks_nobody_again() -> None:
    story = asks()
    for tell in (lambda: None, lambda: story.answers("s")):
        tell()
        before = story.state.seq
        story.state = thaw(freeze(story.state))
        for step in story.life().steps:
            story.state.touched.setdefault(story.life().uid, {})[step] = None
        story.settle()
        assert story.state.seq == before


@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize(
    ("tell", "step", "said"),
    [
        (lambda s: s.answers("s"), "s", "any more: it is Succeeded (approved by somebody)"),
        (lambda s: s.retry("s"), "s", "asks another question by now (number 2, not 1)"),
        (lambda s: s.retry("a"), "s", "any more: it is Pending (waiting for a dependency again)"),
        (cancel, "s", "any more: it is Cancelled (cancelled by ada)"),
        (lambda s: s, "a", "it has no `approve`"),
        (lambda s: s, "x", 'w has no step "x"'),
        (lambda s: s.accept([A, B | {"dependsOn": []}]), "s", 'w has no step "s"'),
        (lambda s: s.delete(), "s", "no workflow is named w"),
    ],
)
def test_what_nobody_asks_is_not_answered(tell: Tell, step: str, said: str, yes: bool) -> None:
    story = tell(asks())
    phases = story.phases() if "w" in story.state.workflows else {}
    story.ask("approve", step, question=1, approved=yes)
    applied = story.records[-1].event
    assert isinstance(applied, e.RequestApplied)
    assert said in applied.refused
    assert phases == (story.phases() if phases else {})


@pytest.mark.parametrize(("kind", "steps"), [("cancel", []), ("cancel", ["s"]), ("retry", ["a"])])
def test_what_is_about_to_end_is_not_answered(kind: str, steps: list[str]) -> None:
    """The answer comes in the same turn as what takes the question back."""
    story = asks()
    asked = {"name": "1", "kind": kind, "steps": steps}, {"name": "2", "kind": "approve", **YES}
    for fields in asked:
        for action in answer(story.state, Request(workflow="w", **fields)) or ():
            story.promise(action)
    applied = story.records[-1].event
    assert isinstance(applied, e.RequestApplied)
    assert "is not waiting for a person any more" in applied.refused


def test_a_request_that_names_no_step_answers_nothing() -> None:
    story = asks().ask("approve", question=1)
    applied = story.records[-1].event
    assert isinstance(applied, e.RequestApplied)
    assert applied.refused == "it names no step"


def test_its_number_is_spent_when_the_step_is_removed_and_comes_back() -> None:
    story = asks().accept([A, a_step("b")]).accept(STEPS)
    assert story.step("s").questions == 2
    assert story.asking() == ["s"]


def test_its_timeout_stands_still_in_suspension_and_follows_an_edit() -> None:
    story = asks().wait(30)
    story.ask("suspend").wait(1_000)
    assert story.why() == ("Suspended", "Suspended")
    story.ask("resume").wait(29)
    assert story.asking() == ["s"]
    longer = a_step("s", "a", approve={"message": "Fine?", "timeoutSeconds": 90})
    story.accept([A, longer, B]).wait(30)
    assert story.asking() == ["s"]
    assert story.wait(1).why("s") == ("Failed", "Timeout")


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_its_timeout_keeps_what_it_had_left_when_the_clock_is_set_between_controllers(
    seconds: int,
) -> None:
    story = asks().wait(30)
    boottime = story.now
    story.now += seconds * 1_000_000
    story.controller_starts(boottime=boottime, uptime=boottime)
    story.settle().wait(29)
    assert story.asking() == ["s"]
    assert story.wait(1).why("s") == ("Failed", "Timeout")


def test_it_goes_on_without_a_controller_and_while_the_machine_sleeps() -> None:
    story = asks()
    story.now += 61 * 1_000_000
    story.controller_starts(boottime=story.now, uptime=story.now - 61 * 1_000_000)
    assert story.settle().why("s") == ("Failed", "Timeout")


def test_a_failure_by_a_person_is_one_for_fail_fast_and_tolerance() -> None:
    story = Story().accept([S | {"dependsOn": []}, a_step("b")], failFast=True)
    ending = story.answers("s", yes=False).attempt("b").ending
    assert ending is not None and ending.reason == "FailFast"
    story = Story().accept([a_step("s", approve=ASKS, continueOnFailure=True), B])
    assert story.answers("s", yes=False).phases() == {"s": "Failed", "b": "Ready"}


def test_an_answer_after_the_deadline_does_not_keep_it() -> None:
    story = Story().accept([a_step("s", approve=ASKS)], activeDeadlineSeconds=60)
    story.now += 61 * 1_000_000
    assert story.answers("s").why() == ("Failed", "DeadlineExceeded")
    story = Story().accept([a_step("s", approve=ASKS)], activeDeadlineSeconds=60).wait(59)
    assert story.answers("s").wait(9).why() == ("Succeeded", "Completed")


def test_the_run_begins_with_the_question_and_counts_the_answer_as_its_own() -> None:
    story = Story().accept([a_step("s", approve=ASKS), a_step("b", "s")])
    assert (story.life().run, story.life().in_run) == (1, True)
    story.wait(5).answers("s").exit("b")
    run = story.state.runs["w"][-1]
    assert (run.succeeded, run.kept, run.completed and run.completed - run.started) == (
        2,
        0,
        5_000_000,
    )
    story.accept([a_step("s", approve=ASKS), a_step("b", "s", run="other")]).exit("b")
    run = story.state.runs["w"][-1]
    assert (run.number, run.succeeded, run.kept) == (2, 2, 1)


@pytest.mark.parametrize(
    ("before", "policies", "reason"),
    [
        (lambda s: s, {"suspend": True}, "WaitingForDependencies"),
        (lambda s: s.mark(), {}, "CancelMarker"),
        (lambda s: s.mark(steps=["s"]), {}, "CancelMarker"),
    ],
)
def test_what_is_born_suspended_or_cancelled_asks_nobody(
    before: Tell, policies: dict[str, object], reason: str
) -> None:
    story = before(Story()).accept([a_step("s", approve=ASKS), a_step("b", "s")], **policies)
    assert story.step("s").questions == 0
    assert story.why("s")[1] == reason


def test_it_counts_as_settled_and_takes_no_slot() -> None:
    story = asks()
    assert settled(story.state, story.limits)
    assert (story.life().occupied, [*story.life().ready]) == (0, [])
    story.answers("s")
    assert not settled(story.state, story.limits)


def test_a_step_that_runs_is_ended_before_it_asks() -> None:
    story = Story().accept([a_step("s")]).start("s").accept([a_step("s", approve=ASKS)])
    assert story.why("s") == ("Running", "Started")
    story.end("s")
    assert story.asking() == ["s"]
    story.accept([a_step("s")])
    assert story.why("s") == ("Ready", "WaitingForSlot")
    assert story.attempt("s").number == 2


def test_an_edit_that_waits_comes_when_the_answer_has_ended_the_run() -> None:
    story = Story().accept([a_step("s", approve=ASKS)], editPolicy="AfterRun")
    later = document([a_step("s", approve=ASKS), a_step("x")], editPolicy="AfterRun")
    uid = story.life().uid
    story.see(e.EditDeferred(uid=uid, generation=2, document=later, path="w.yaml")).settle()
    assert story.life().generation == 1
    story.answers("s")
    assert story.life().generation == 2
    assert story.phases() == {"s": "Succeeded", "x": "Ready"}


def test_the_message_may_be_too_long() -> None:
    asked = {"message": "${{ params.p }}"}
    story = Story().accept([a_step("s", approve=asked)], params={"p": "é" * 3_000})
    assert story.why("s") == ("Failed", "ExpressionFailed")
    assert "it would have 6,000 bytes" in story.step("s").message


def test_nothing_that_it_depends_on_can_move_it_once_it_has_ended() -> None:
    story = asks().answers("s").exit("b")
    assert story.step("s").phase is Phase.SUCCEEDED
    assert story.retry("a").exit("a").why("s") == ("Succeeded", "Approved")
