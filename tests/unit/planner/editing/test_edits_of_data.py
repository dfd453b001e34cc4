"""The table of edits for what steps are given and hand on: params, outputs, `when`, exit codes."""

from typing import Any

import pytest
from story import Story, a_step, document

from controller.model.events import AttemptScheduled
from controller.planner.editing import edits
from controller.planner.permission import Limits

Steps = list[dict[str, Any]]
NONE, MANY = Limits(max_parallel=0), Limits(max_parallel=1_000)
Z = a_step("z")  # comes with an edit that concerns nobody else


def attempts(story: Story) -> dict[str, int]:
    return {name: step.numbered for name, step in story.life().steps.items()}


def run_out(story: Story, **outputs: bytes) -> Story:
    while story.live():
        name = min(story.live())
        story.exit(name, outputs=outputs.get(name, b""))
    return story


# ---------------------------------------- skipped steps
# a -> b -> c: b is skipped by its `when`, and c has run after it.


def skips(when: str = "${{ params.wanted && steps.a.outputs.n > 0 }}", run: str = "1") -> Steps:
    a = a_step("a", run=run, outputs={"n": "integer"})
    return [a, a_step("b", "a", when=when), a_step("c", "b")]


def skipped(wanted: bool = False) -> Story:
    story = Story().accept(skips(), params={"wanted": wanted})
    story.exit("a", outputs=b"n=0").exit("c")
    assert story.why("b") == ("Skipped", "WhenFalse")
    return story


ASKS_THE_SAME = "${{ steps.a.outputs.n > 0 && params.wanted }}"
NO_WHEN = [skips()[0], a_step("b", "a"), a_step("c", "b")]
ALWAYS, BROKEN = skips("${{ true }}"), skips("${{ 1 / steps.a.outputs.n > 0 }}")


@pytest.mark.parametrize(
    ("edit", "params", "what"),
    [
        pytest.param([*skips(), Z], {"wanted": False}, "keep Unchanged", id="elsewhere"),
        pytest.param(skips(ASKS_THE_SAME), {"wanted": False}, "keep WhenFalse", id="same answer"),
        pytest.param(skips(), {"wanted": True}, "keep WhenFalse", id="a param, the same answer"),
        pytest.param(ALWAYS, {"wanted": False}, "run TriedAnew", id="another answer"),
        pytest.param(NO_WHEN, {"wanted": False}, "run TriedAnew", id="not asked any more"),
        pytest.param(BROKEN, {"wanted": False}, "run TriedAnew", id="no answer"),
    ],
)
def test_an_edit_of_a_skipped_step(edit: Steps, params: dict[str, Any], what: str) -> None:
    story = skipped()
    before = attempts(story)
    found = edits.judge(story.state, story.life(), document(edit, params=params).spec).effects["b"]
    assert f"{found.action} {found.reason}" == what
    story.accept(edit, params=params)
    run_out(story)
    runs = edit in (ALWAYS, NO_WHEN)
    assert attempts(story)["b"] == (1 if runs else 0)
    kept = what.startswith("keep") or edit is BROKEN
    assert attempts(story)["c"] == before["c"] + (0 if kept else 1)
    if edit is BROKEN:
        assert story.why("b") == ("Failed", "ExpressionFailed")
        assert story.why("c") == ("Skipped", "DependencyFailed")


def test_the_same_answer_says_what_it_is_made_of_now() -> None:
    story = skipped().accept(skips(), params={"wanted": True})
    assert story.step("b").message == (
        "`when` is false: params.wanted is true, steps.a.outputs.n is 0"
    )


@pytest.mark.parametrize(
    ("n", "phase"), [(b"n=0", ("Skipped", "WhenFalse")), (b"n=1", ("Succeeded", "Completed"))]
)
def test_a_retry_asks_again_and_leaves_alone_what_ran_after_it(
    n: bytes, phase: tuple[str, str]
) -> None:
    story = skipped(wanted=True).retry("a", "b").exit("a", outputs=n)
    run_out(story)
    assert story.why("b") == phase
    assert attempts(story)["c"] == 1


def failing(*more: dict[str, Any], **policy: Any) -> Steps:
    """a fails, b has its `when`, c comes after b: an edit elsewhere tries a anew."""
    b = a_step("b", {"step": "a", "condition": "Finished"}, when='${{ steps.a.phase != "Failed" }}')
    return [a_step("a", **policy), b, a_step("c", "b"), a_step("d", "c"), *more]


@pytest.mark.parametrize(
    ("code", "b", "again"),
    [
        pytest.param(1, ("Skipped", "WhenFalse"), set[str](), id="the same answer"),
        pytest.param(0, ("Succeeded", "Completed"), {"b", "c", "d"}, id="another answer"),
    ],
)
def test_what_ran_after_it_runs_again_only_if_the_answer_is_another(
    code: int, b: tuple[str, str], again: set[str]
) -> None:
    story = Story().accept(failing()).exit("a", 1).exit("c").exit("d")
    assert story.why("b") == ("Skipped", "WhenFalse")
    before = attempts(story)
    story.accept(failing(Z))
    effects = story.life().effects
    assert [str(effects[name].reason) for name in "bcd"] == ["NotKnownYet"] * 3
    assert effects["b"].message == "its `when` is asked again"
    assert effects["c"].message == 'depends on "b", which may run'
    story.exit("a", code)
    run_out(story)
    assert story.why("b") == b
    assert {name for name in "bcd" if attempts(story)[name] > before[name]} == again
    assert story.phases()["d"] == "Succeeded"


def test_a_skip_that_takes_the_place_of_a_success_makes_what_ran_after_it_run_again() -> None:
    def steps(**policy: Any) -> Steps:
        c = a_step("c", {"step": "b", "condition": "Finished"})
        return [a_step("a", **policy), a_step("b", "a"), c]

    story = Story().accept(steps(continueOnFailure=True)).exit("a", 1).exit("b").exit("c")
    story.accept(steps()).exit("a", 1)
    assert story.why("b") == ("Skipped", "DependencyFailed")
    assert story.why("c") == ("Ready", "WaitingForSlot"), "it ran after a success"
    story.exit("c")
    story.accept([*steps(), Z]).exit("a", 1)
    assert story.why("b") == ("Skipped", "DependencyFailed")
    assert story.why("c") == ("Succeeded", "Completed"), "it ran after this very skip"
    assert attempts(story)["c"] == 2


def test_a_skipped_step_stays_so_if_a_restored_dependency_still_breaks_it() -> None:
    def steps(run: str) -> Steps:
        c = a_step("c", {"step": "b", "condition": "Finished"})
        return [a_step("a", run=run), a_step("b", {"step": "a", "condition": "Failed"}), c]

    story = Story().accept(steps("1")).exit("a").exit("c")
    story.limits = NONE
    story.accept(steps("2")).accept(steps("1"))
    story.limits = MANY
    story.settle()
    assert story.why("b") == ("Skipped", "DependencySucceeded")
    assert attempts(story) == {"a": 1, "b": 0, "c": 1}


def test_tolerating_a_failure_lets_what_it_skipped_run() -> None:
    steps = [a_step("a"), a_step("b", "a", when='${{ steps.a.phase == "Failed" }}')]
    story = Story().accept(steps).exit("a", 1)
    assert story.why("b") == ("Skipped", "DependencyFailed")
    story.accept([a_step("a", continueOnFailure=True), steps[1]])
    assert story.why("a") == ("Failed", "NonZeroExit")
    run_out(story)
    assert story.why("b") == ("Succeeded", "Completed")
    assert story.why() == ("Succeeded", "Completed")


# ---------------------------------------- `when` of a step that is not skipped


def gated(when: str, **b: Any) -> Steps:
    retry = {"limit": 3, "backoff": {"initialSeconds": 100, "jitter": 0}}
    return [a_step("a"), a_step("b", "a", when=when, retry=retry, **b)]


YES, NO = "${{ true }}", "${{ false }}"


@pytest.mark.parametrize(
    ("was", "phase"),
    [
        pytest.param("pending", ("Skipped", "WhenFalse"), id="pending: asked once, later"),
        pytest.param("ready", ("Skipped", "WhenFalse"), id="ready: asked again"),
        pytest.param("queued", ("Skipped", "WhenFalse"), id="queued: withdrawn, asked again"),
        pytest.param("queued, started", ("Running", "Started"), id="too late to withdraw"),
        pytest.param("running", ("Running", "Started"), id="running: ends nothing"),
        pytest.param("backoff", ("Pending", "BackOff"), id="it has started: not asked"),
        pytest.param("succeeded", ("Succeeded", "Completed"), id="succeeded: undoes nothing"),
    ],
)
@pytest.mark.parametrize("before", [None, YES])
def test_an_edit_of_when(was: str, phase: tuple[str, str], before: str | None) -> None:
    first = gated(YES)
    if before is None:
        del first[1]["when"]
    story = Story().accept(first)
    if was == "ready":
        story.limits = NONE
    if was != "pending":
        story.exit("a")
    if was in ("running", "backoff", "succeeded"):
        story.start("b")
    if was in ("backoff", "succeeded"):
        story.exit("b", 1 if was == "backoff" else 0)
    story.accept(gated(NO))
    if was == "pending":
        story.exit("a")
    if was.startswith("queued"):
        ending = story.attempt("b").ending
        assert ending is not None
        assert ending.withdraw
        story.start("b") if was.endswith("started") else story.end("b")
    assert story.why("b") == phase
    if was == "backoff":
        story.wait(1000)
        assert story.phases()["b"] == "Ready", "asked once, before its first attempt"


def test_a_param_that_when_reads_counts_as_an_edit_of_it() -> None:
    story = Story().accept(gated("${{ params.go }}"), params={"go": True})
    story.limits = NONE
    story.exit("a").accept(gated("${{ params.go }}"), params={"go": False})
    assert story.why("b") == ("Skipped", "WhenFalse")


def test_and_so_does_one_of_another_type() -> None:
    when = '${{ string(params.x) == "1" }}'
    story = Story().accept(gated(when), params={"x": 1.5}).exit("a")
    assert story.why("b") == ("Skipped", "WhenFalse")
    story.accept(gated(when), params={"x": True})
    assert story.why("b") == ("Skipped", "WhenFalse")
    story.accept(gated(when), params={"x": 1})
    assert story.why("b") == ("Ready", "WaitingForSlot")


@pytest.mark.parametrize("queued", [False, True])
def test_an_edit_elsewhere_asks_nobody_again(queued: bool) -> None:
    story = Story().accept(gated(YES))
    story.limits = MANY if queued else NONE
    story.exit("a").accept([*gated(YES), Z])
    assert story.why("b") == ("Ready", "WaitingForSlot")
    assert story.step("b").answer is not None
    assert not queued or story.attempt("b").ending is None


def test_a_skip_is_no_result_to_be_kept_once_the_answer_was_yes() -> None:
    """Between the answer and the start its old skip must not come back."""
    story = Story().accept(failing()).exit("a", 1).exit("c").exit("d").accept(failing(Z))
    story.exit("a", 0)
    assert story.why("b") == ("Ready", "WaitingForSlot")
    story.accept([*failing(Z), a_step("y")])
    assert story.attempt("b").ending is None
    run_out(story)
    assert story.why("b") == ("Succeeded", "Completed")


def test_a_revert_that_also_edits_when_asks_it() -> None:
    def steps(run: str, when: str) -> Steps:
        return [a_step("a", run=run), a_step("b", "a", when=when), a_step("c", "b")]

    story = Story().accept(steps("1", NO)).exit("a").exit("c")
    story.limits = NONE
    story.accept(steps("2", NO)).accept(steps("1", YES))
    assert story.why("a") == ("Succeeded", "Completed")
    assert story.why("b") == ("Ready", "WaitingForSlot")


def test_a_revert_costs_nothing_where_a_step_is_skipped() -> None:
    story = skipped()
    story.limits = NONE
    story.accept(skips(run="2"), params={"wanted": False})
    story.accept(skips(), params={"wanted": False})
    story.limits = MANY
    story.settle()
    assert attempts(story) == {"a": 1, "b": 0, "c": 1}
    assert story.why("b") == ("Skipped", "WhenFalse")
    assert story.why() == ("Succeeded", "Completed")


def test_a_tolerated_failure_of_when_is_mended_by_an_edit_of_when() -> None:
    def steps(when: str, *more: dict[str, Any]) -> Steps:
        return [a_step("a", when=when, continueOnFailure=True), a_step("b", "a"), *more]

    story = Story().accept(steps("${{ 1 / params.x > 0 }}"), params={"x": 0})
    assert story.why("a") == ("Failed", "ExpressionFailed")
    story.exit("b").accept(steps("${{ 1 / params.x > 0 }}", Z), params={"x": 0})
    assert story.why("a") == ("Failed", "ExpressionFailed"), "an edit elsewhere"
    story.accept(steps("${{ 1 / params.x > 0 }}", Z), params={"x": 1})
    assert story.why("a") == ("Ready", "WaitingForSlot")
    run_out(story)
    assert attempts(story) == {"a": 1, "b": 2, "z": 1}


# ---------------------------------------- exit codes


@pytest.mark.parametrize(
    ("before", "after", "code", "phase"),
    [
        ({}, {"successExitCodes": [0, 7]}, 7, ("Succeeded", "Completed")),
        ({"successExitCodes": [0, 7]}, {}, 7, ("Failed", "NonZeroExit")),
        ({}, {"skipExitCodes": [7]}, 7, ("Skipped", "SkippedItself")),
        ({"skipExitCodes": [7]}, {}, 7, ("Failed", "NonZeroExit")),
        ({}, {"successExitCodes": [7]}, 0, ("Failed", "NonZeroExit")),
    ],
)
def test_exit_codes_count_for_what_ends_after_their_edit(
    before: dict[str, Any], after: dict[str, Any], code: int, phase: tuple[str, str]
) -> None:
    story = Story().accept([a_step("a", **before)]).start("a").accept([a_step("a", **after)])
    story.exit("a", code)
    assert story.why("a") == phase
    again = Story().accept([a_step("a", **before)]).exit("a", code)
    ended, count = again.why("a"), attempts(again)
    again.accept([a_step("a", **after), Z])
    if ended[0] != "Failed":
        assert again.why("a") == ended, "not for what has ended"
        assert attempts(again)["a"] == count["a"]


def test_a_step_that_skipped_itself_runs_again_only_if_what_it_ran_after_does() -> None:
    def steps(run: str, *more: dict[str, Any]) -> Steps:
        b = a_step("b", "a", skipExitCodes=[9])
        return [a_step("a", run=run), b, a_step("c", "b"), *more]

    story = Story().accept(steps("1")).exit("a").exit("b", 9).exit("c")
    story.accept(steps("1", Z))
    run_out(story)
    assert attempts(story) == {"a": 1, "b": 1, "c": 1, "z": 1}
    story.limits = NONE
    story.accept(steps("2", Z)).accept(steps("1", Z))
    assert story.why("b") == ("Skipped", "SkippedItself"), "taken back"
    story.limits = MANY
    story.accept(steps("2", Z)).exit("a").exit("b", 9).exit("c")
    assert attempts(story) == {"a": 2, "b": 2, "c": 2, "z": 1}


# ---------------------------------------- outputs


def handing_on(kept: bool = False, **outputs: str) -> Steps:
    policy = {"onChanged": "KeepResult"} if kept else {}
    return [a_step("a", outputs=outputs, **policy), a_step("b", "a")]


def test_declared_outputs_are_part_of_what_a_step_does() -> None:
    story = Story().accept(handing_on(n="integer")).exit("a", outputs=b"n=1").exit("b")
    story.accept(handing_on(n="string"))
    assert story.life().effects["a"].message == "outputs changed"
    story.exit("a", outputs=b"n=1").exit("b")
    assert story.step("a").outputs == {"n": "1"}
    assert attempts(story) == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"n": "integer"}, "KeepResult"),
        ({"n": "number"}, "KeepResult"),  # an integer is a number
        ({"n": "string"}, "OutputsChanged"),
        ({"n": "integer", "m": "integer"}, "OutputsChanged"),
    ],
)
def test_a_result_is_kept_if_it_has_what_is_declared_now(
    outputs: dict[str, str], reason: str
) -> None:
    first = handing_on(kept=True, n="integer", extra="string")
    story = Story().accept(first).exit("a", outputs=b"n=1\nextra=x").exit("b")
    story.accept(handing_on(kept=True, **outputs))
    assert str(story.life().effects["a"].reason) == reason
    run_out(story, a=b"n=1\nm=2")
    assert attempts(story) == ({"a": 1, "b": 1} if reason == "KeepResult" else {"a": 2, "b": 2})


def test_a_failure_that_is_tolerated_has_no_outputs_to_keep() -> None:
    def steps(run: str) -> Steps:
        policy: dict[str, Any] = {"onChanged": "KeepResult", "continueOnFailure": True}
        return [a_step("a", run=run, outputs={"n": "integer"}, **policy)]

    story = Story().accept(steps("1")).exit("a", outputs=b"n=1").retry("a").exit("a", 1)
    story.accept(steps("2"))
    assert str(story.life().effects["a"].reason) == "OutputsChanged"


@pytest.mark.parametrize(
    ("outputs", "what"),
    [({"n": "integer"}, "continue KeepResult"), ({"n": "string"}, "restart OutputsChanged")],
)
def test_what_runs_is_kept_if_it_will_hand_on_what_is_declared_now(
    outputs: dict[str, str], what: str
) -> None:
    story = Story().accept(handing_on(kept=True, n="integer", extra="string")).start("a")
    story.accept(handing_on(kept=True, **outputs))
    effect = story.life().effects["a"]
    assert f"{effect.action} {effect.reason}" == what


# ---------------------------------------- params


def reading(*params: str) -> Steps:
    """One step for each param, which reads it; and one that reads none."""
    env = {name: {"X": f"${{{{ params.{name} }}}}"} for name in params}
    return [a_step("none"), *(a_step(name, env=env[name]) for name in params)]


def test_a_default_that_is_edited_runs_exactly_its_readers_again() -> None:
    story = Story().accept(reading("x", "y"), params={"x": 1, "y": 1})
    run_out(story).accept(reading("x", "y"), params={"x": 2, "y": 1})
    assert attempts(story) == {"none": 1, "x": 2, "y": 1}
    assert story.life().effects["x"].message == "params.x changed"
    scheduled = [one.event for one in story.records if isinstance(one.event, AttemptScheduled)]
    assert scheduled[-1].values == {"params.x": 2}
    assert scheduled[-1].inputs["params.x"] == "2"


def test_a_param_that_was_given_stays() -> None:
    story = Story()
    found = document(reading("x", "y"), params={"x": 1, "y": 1})
    story.begin(found, params={"x": 7})
    run_out(story)
    story.accept(reading("x", "y"), params={"x": 2, "y": 2})
    assert attempts(story) == {"none": 1, "x": 1, "y": 2}
    assert story.life().params == {"x": 7, "y": 2}


@pytest.mark.parametrize("seconds", ["${{ params.t }}", "${{ params.t / 0 }}"])
def test_a_timeout_that_fails_stops_no_start_that_was_made(seconds: str) -> None:
    story = Story().accept([a_step("a", timeoutSeconds=5)], params={"t": 0}).start("a")
    story.accept([a_step("a", timeoutSeconds=seconds)], params={"t": 0}).wait(1000)
    assert story.attempt("a").ending is None, "no timeout is known"
    story.exit("a", 1)
    story.accept([a_step("a", timeoutSeconds=seconds), Z], params={"t": 0})
    assert story.why("a") == ("Failed", "ExpressionFailed")


def test_a_timeout_may_read_what_has_not_finished() -> None:
    """An edit asks for the timeouts of what runs, whatever the steps before it do just then."""
    a = a_step("a", outputs={"n": "integer"})
    late = {"timeoutSeconds": "${{ steps.a.outputs.n }}", "onChanged": "FinishFirst"}
    story = Story().accept([a_step("b")]).start("b").accept([a, a_step("b", "a", **late)])
    assert story.why("b") == ("Running", "Started"), "a step that is new"
    story.end("b").exit("a", outputs=b"n=30").start("b")
    again = {**a, "run": "another"}
    story.accept([again, a_step("b", "a", **late)]).start("a")
    story.accept([again, a_step("b", "a", **late), Z])
    assert story.why("b") == ("Running", "Started"), "a step that runs"


# ---------------------------------------- a step that is read from afar


def test_a_step_waits_for_what_it_reads_without_depending_on_it() -> None:
    a = a_step("a", outputs={"n": "integer"})
    c = a_step("c", "b", env={"N": "${{ steps.a.outputs.n }}"})
    story = Story().accept([a, a_step("b", "a"), c]).exit("a", outputs=b"n=1")
    story.retry("a")
    assert story.why("a")[0] == "Ready"
    story.exit("b")
    assert story.why("c") == ("Pending", "WaitingForDependencies")
    story.exit("a", outputs=b"n=2")
    assert story.attempt("c").values == {"steps.a.outputs.n": 2}


def test_a_start_that_is_queued_is_withdrawn_when_what_it_reads_runs_again() -> None:
    a = a_step("a", outputs={"n": "integer"})
    c = a_step("c", "b", env={"N": "${{ steps.a.outputs.n }}"})
    story = Story().accept([a, a_step("b", "a"), c]).exit("a", outputs=b"n=1").exit("b")
    story.retry("a")
    ending = story.attempt("c").ending
    assert ending is not None
    assert ending.withdraw
    story.end("c").exit("a", outputs=b"n=2")
    assert story.attempt("c").values == {"steps.a.outputs.n": 2}
