"""What follows from a request: the events that carry it out, a refusal, or a wait."""

from typing import Any

import pytest
from story import BEGIN, Story, a_step, document, template

from controller.intake.requests import answer, overtakes
from controller.model.events import EditRejected, PoolAccepted, RequestApplied, StepReset
from controller.model.observations import GivenPool, Request
from controller.model.state import SECOND
from controller.planner.permission import Limits
from controller.spec.reading.load import Document

CHAIN = [a_step("a"), a_step("b", "a"), a_step("c", "b")]


def ask(story: Story, kind: str, **fields: Any) -> str | None:
    """Carry it out; returns the refusal, empty if there is none, None if it has to wait."""
    request = Request(**{"name": "r1", "kind": kind, "workflow": "w", "by": "me", **fields})
    actions = answer(story.state, request)
    if actions is None:
        return None
    for action in actions:
        story.promise(action)
    story.settle()
    applied = actions[0]
    assert isinstance(applied, RequestApplied)
    if applied.refused:
        told = all(isinstance(action, EditRejected) for action in actions[1:])
        assert told, "a refusal has no other consequence"
    return applied.refused


def as_read(steps: list[dict[str, Any]], name: str = "w", **spec: Any) -> Document:
    return Document(workflow=document(steps, name, **spec), line=1)


# ---------------------------------------- retry


def test_retry_tries_anew_what_did_not_succeed() -> None:
    story = Story().accept(CHAIN).exit("a").exit("b", 1)
    assert story.why() == ("Failed", "StepFailed")
    assert ask(story, "retry") == ""
    assert story.phases() == {"a": "Succeeded", "b": "Ready", "c": "Pending"}
    assert story.step("b").retries == 0
    story.exit("b").exit("c")
    assert story.why() == ("Succeeded", "Completed")
    assert story.life().run == 2


def test_retry_of_a_step_runs_it_even_if_it_succeeded() -> None:
    story = Story().accept(CHAIN).exit("a").exit("b").exit("c")
    assert ask(story, "retry", steps=["b"]) == ""
    assert story.phases() == {"a": "Succeeded", "b": "Ready", "c": "Succeeded"}


def test_retry_downstream_takes_what_depends_on_it() -> None:
    story = Story().accept(CHAIN).exit("a").exit("b").exit("c")
    assert ask(story, "retry", steps=["b"], downstream=True) == ""
    assert story.phases() == {"a": "Succeeded", "b": "Ready", "c": "Pending"}


def test_what_was_skipped_for_a_step_has_its_chance_again() -> None:
    story = Story().accept(CHAIN).exit("a", 1)
    assert ask(story, "retry", steps=["a"]) == ""
    assert story.phases() == {"a": "Ready", "b": "Pending", "c": "Pending"}


def test_retry_of_a_running_step_ends_it_first() -> None:
    story = Story().accept(CHAIN).start("a")
    assert ask(story, "retry", steps=["a"]) == ""
    story.end("a")
    assert story.attempt("a").number == 2


def test_retry_has_nothing_to_do() -> None:
    assert ask(Story().accept(CHAIN), "retry") is not None
    assert "nothing to retry" in (ask(Story().accept(CHAIN), "retry") or "")
    assert "no step" in (ask(Story().accept(CHAIN), "retry", steps=["x"]) or "")
    assert "no workflow" in (ask(Story(), "retry") or "")


def test_a_step_that_leaves_is_none_of_the_spec() -> None:
    story = Story().accept(CHAIN).start("a").accept([a_step("b")])
    assert "no step" in (ask(story, "retry", steps=["a"]) or "")
    assert "no step" in (ask(story, "cancel", steps=["a"]) or "")
    story.end("a")
    assert story.phases() == {"b": "Ready"}


def test_retry_waits_while_a_marker_is_there() -> None:
    for marker in ({}, {"steps": ["a"]}):
        story = Story().accept(CHAIN).mark(**marker).end("a")
        assert ask(story, "retry") is None
        story.unmark()
        assert ask(story, "retry") == ""
        assert story.live() == {"a"}


def test_retry_waits_until_what_was_cancelled_has_ended() -> None:
    story = Story().accept(CHAIN).start("a").mark().unmark()
    assert ask(story, "retry") is None
    story.end("a")
    assert ask(story, "retry") == ""
    assert story.phases() == {"a": "Ready", "b": "Pending", "c": "Pending"}


def test_retry_overrules_a_drain_at_once() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], activeDeadlineSeconds=60).start("a")
    story.mark(drain=True).unmark()
    assert story.phases()["b"] == "Cancelled"
    assert ask(story, "retry") == ""
    story.exit("a").exit("b")
    assert story.why() == ("Succeeded", "Completed")


def test_a_request_for_an_older_life_is_dropped() -> None:
    story = Story().accept(CHAIN)
    assert "an earlier w" in (ask(story, "retry", uid="uid-of-before", steps=["a"]) or "")
    assert ask(story, "retry", uid=story.life().uid, steps=["a"]) == ""


@pytest.mark.parametrize("kind", ["retry", "cancel", "suspend"])
def test_a_request_for_another_run_is_dropped(kind: str) -> None:
    """Of somebody who saw an older one: two clicks at once are one."""
    story = Story().accept(CHAIN).exit("a", 1)
    assert ask(story, "retry", run=1) == ""
    story.start("a")
    assert story.life().run == 2
    assert "run 1, and w is in run 2" in (ask(story, kind, run=1) or "")
    assert "run 3, and w is in run 2" in (ask(story, kind, run=3) or "")
    assert ask(story, "suspend", run=2) == ""
    assert ask(story, "resume") == "", "0: whichever it is"


# ---------------------------------------- run


def test_run_begins_a_life() -> None:
    story = Story()
    assert ask(story, "run", document=as_read(CHAIN), path="/x/w.yaml") == ""
    life = story.life()
    assert (life.origin, life.request, life.by, life.path) == ("run", "r1", "me", "/x/w.yaml")


def test_each_run_is_a_new_life_unless_it_resumes() -> None:
    story = Story()
    ask(story, "run", document=as_read(CHAIN))
    first = story.life().uid
    assert "has not finished" in (ask(story, "run", document=as_read(CHAIN)) or "")
    story.exit("a").exit("b", 1)
    assert ask(story, "run", document=as_read(CHAIN), resume=True) == ""
    assert story.life().uid == first
    assert story.life().generation == 1, "nothing about the spec is new"
    assert story.phases() == {"a": "Succeeded", "b": "Ready", "c": "Pending"}
    story.exit("b", 1)
    changed = as_read([a_step("a"), a_step("b", "a", run="else"), a_step("c", "b")])
    assert ask(story, "run", name="r2", document=changed, resume=True) == ""
    assert (story.life().generation, story.life().request) == (2, "r2")
    story.exit("b").exit("c")
    assert ask(story, "run", name="r3", document=changed, path="/y", resume=True) == ""
    assert (story.life().request, story.life().path) == ("r3", "/y")
    assert story.why() == ("Succeeded", "Completed"), "there was nothing left to do"
    assert ask(story, "run", document=as_read(CHAIN)) == ""
    assert story.life().uid != first
    assert story.phases()["a"] == "Ready"


def test_a_run_is_resumed_when_what_was_cancelled_has_ended() -> None:
    for spec in (CHAIN, [a_step("a", run="else"), a_step("b", "a")]):
        story = Story()
        ask(story, "run", document=as_read(CHAIN))
        story.start("a")
        ask(story, "cancel", name="r2")
        assert ask(story, "run", name="r3", document=as_read(spec), resume=True) is None
        story.end("a")
        assert story.why() == ("Cancelled", "RunInterrupted")
        assert ask(story, "run", name="r3", document=as_read(spec), resume=True) == ""
        assert story.live() == {"a"}
        assert story.life().pending is None


def test_a_resumed_run_that_is_edited_waits_like_any_other_if_its_edit_says_so() -> None:
    story = Story()
    ask(story, "run", document=as_read(CHAIN))
    story.start("a")
    changed = [a_step("a", run="else"), *CHAIN[1:]]
    later = as_read(changed, editPolicy="AfterRun")
    assert ask(story, "run", name="r2", document=later, resume=True) == ""
    assert story.attempt("a").ending is None
    assert (story.life().generation, story.life().latest, story.life().request) == (1, 2, "r2")
    assert ask(story, "run", name="r3", document=as_read(CHAIN), resume=True) == ""
    assert (story.life().generation, story.life().pending) == (3, None), "taken back"
    assert ask(story, "run", name="r4", document=later, resume=True) == ""
    story.exit("a").exit("b").exit("c")
    assert (story.life().generation, story.live()) == (4, {"a"})


def test_run_refuses_what_it_cannot_run() -> None:
    assert "no run to resume" in (ask(Story(), "run", document=as_read(CHAIN), resume=True) or "")
    assert ask(Story(), "run", path="x.yaml") == "it has no spec of w"
    assert ask(Story(), "run", document=as_read(CHAIN), problem="a cycle") == "a cycle"
    assert "no workflow named" in (ask(Story(), "run", document=as_read(CHAIN, "v")) or "")
    refused = ask(Story().accept(CHAIN), "run", document=as_read(CHAIN)) or ""
    assert "treadle restart w" in refused, "it is in the specs folder"


# ---------------------------------------- cancel


def test_cancel_ends_a_run() -> None:
    story = Story().accept(CHAIN).start("a")
    assert ask(story, "cancel", reason="enough") == ""
    story.end("a")
    assert story.why() == ("Cancelled", "RunInterrupted")
    assert story.life().message == "cancelled by me: enough"
    assert "already finished" in (ask(story, "cancel") or "")


def test_cancel_of_nothing_is_refused() -> None:
    assert "no workflow" in (ask(Story(), "cancel") or "")


def test_cancel_of_steps_spares_the_others() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).start("a", "b")
    assert ask(story, "cancel", steps=["a"]) == ""
    story.end("a").exit("b")
    assert story.phases() == {"a": "Cancelled", "b": "Succeeded"}
    story = Story().accept([a_step("a"), a_step("b")]).exit("a")
    assert "already finished" in (ask(story, "cancel", steps=["a"]) or "")


def test_cancel_that_drains_spares_running_steps() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")]).start("a")
    assert ask(story, "cancel", steps=["a", "b"], drain=True) == ""
    story.exit("a")
    assert story.phases() == {"a": "Succeeded", "b": "Cancelled"}


def test_each_request_is_remembered_by_its_name() -> None:
    story = Story().accept(CHAIN)
    ask(story, "retry", name="20261123-1")
    ask(story, "delete-all", name="20261123-2")
    assert list(story.state.requests) == ["20261123-1", "20261123-2"]


# ---------------------------------------- delete


def test_a_run_that_has_finished_is_deleted_and_its_name_is_free() -> None:
    story = Story()
    ask(story, "run", document=as_read([a_step("a")]))
    uid = story.life().uid
    assert "cancel it first: treadle cancel w" in (ask(story, "delete", uid=uid) or "")
    story.exit("a")
    assert ask(story, "delete", uid=uid) == ""
    assert "w" not in story.state.workflows and uid in story.state.over
    ended = story.state.lives[uid].conditions["Ended"]
    assert (ended.status, ended.message) == ("True", "deleted; its name is free")
    assert "no workflow is named w" in (ask(story, "delete") or "")
    assert "earlier w" in (ask(story, "delete", uid=uid) or "")
    assert ask(story, "run", document=as_read([a_step("a")])) == ""
    assert story.exit("a").life().run == 2, "the name remembers its runs"


def test_what_the_folder_has_is_not_deleted_by_a_request() -> None:
    story = Story().accept(CHAIN).exit("a").exit("b").exit("c")
    assert "remove its file (w.yaml)" in (ask(story, "delete") or "")
    assert "w" in story.state.workflows


# ---------------------------------------- restart, suspend, resume, mark


def test_restart_ends_what_runs_and_resets_all() -> None:
    story = Story().accept(CHAIN).exit("a").start("b")
    uid = story.life().uid
    assert ask(story, "restart") == ""
    assert story.attempt("a").number == 2
    story.end("b").exit("a")
    assert story.attempt("b").number == 2
    assert (story.life().uid, story.life().generation) == (uid, 1)


def test_restart_of_what_has_finished_is_another_run() -> None:
    story = Story().accept(CHAIN).exit("a").exit("b").exit("c")
    assert ask(story, "restart") == ""
    assert story.phases() == {"a": "Ready", "b": "Pending", "c": "Pending"}
    assert story.start("a").life().run == 2


def test_restart_waits_for_the_marker_that_it_overrules() -> None:
    story = Story().accept(CHAIN).start("a").mark()
    assert ask(story, "restart") is None
    story.unmark()
    assert ask(story, "restart") is None
    story.end("a")
    assert ask(story, "restart") == ""
    assert story.why("a") == ("Ready", "WaitingForSlot")


def test_a_suspension_stands_over_edits_until_it_is_taken_back() -> None:
    story = Story().accept(CHAIN, activeDeadlineSeconds=100).start("a").wait(10)
    assert ask(story, "suspend", reason="maintenance") == ""
    story.exit("a")
    assert story.why() == ("Suspended", "Suspended")
    assert "by me: maintenance" in story.life().message
    story.accept(CHAIN[:2], activeDeadlineSeconds=100).wait(500)
    assert story.phases() == {"a": "Succeeded", "b": "Pending"}
    assert ask(story, "resume") == ""
    assert story.why() == ("Running", "ResumeRequested")
    assert story.live() == {"b"}
    assert story.wait(89).why()[0] == "Running"
    story.wait(2).end("b")
    assert story.why() == ("Failed", "DeadlineExceeded")


def test_resume_leaves_what_the_file_says() -> None:
    story = Story().accept(CHAIN, suspend=True)
    assert "remove `suspend: true` there" in (ask(story, "resume") or "")
    assert ask(story, "suspend") == ""
    assert ask(story, "resume") == ""
    assert story.why() == ("Suspended", "Suspended")
    assert "is not suspended" in (ask(Story().accept(CHAIN), "resume") or "")


def test_what_is_marked_counts_as_succeeded_until_it_changes() -> None:
    story = Story().accept(CHAIN).exit("a", 1)
    assert ask(story, "mark", steps=["a"], reason="by hand") == ""
    assert story.why("a") == ("Succeeded", "Marked")
    assert story.step("a").message == "marked as succeeded by me: by hand"
    story.exit("b").exit("c")
    assert story.why() == ("Succeeded", "Completed")
    story.accept([*CHAIN, a_step("d", "a")])
    assert story.live() == {"d"}
    story.accept([{**CHAIN[0], "run": "other"}, *CHAIN[1:]]).end("d")
    assert "a" in story.live()


def test_a_mark_before_the_first_attempt() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")])
    assert ask(story, "mark", steps=["b"]) == ""
    story.exit("a")
    assert story.why() == ("Succeeded", "Completed")


@pytest.mark.parametrize(
    ("steps", "answered"),
    [(["b"], None), (["b", "x"], "no step"), (["b", "a"], "is running"), (["b", "c"], None)],
)
def test_a_mark_waits_only_for_what_lets_it_count(steps: list[str], answered: str | None) -> None:
    names = [a_step(name) for name in "abcd"]
    story = Story(Limits(max_parallel=1, ahead=1)).accept(names).start("a")
    assert story.attempt("b").queued
    said = ask(story, "mark", steps=steps)
    assert said is None if answered is None else answered in (said or "")


def test_a_mark_is_refused() -> None:
    story = Story().accept(CHAIN).start("a")
    assert "is running" in (ask(story, "mark", steps=["a"]) or "")
    assert "no step" in (ask(story, "mark", steps=["x"]) or "")
    assert "being cancelled" in (ask(story.mark(), "mark", steps=["b"]) or "")
    story = Story().accept(CHAIN).exit("a")
    assert "already succeeded" in (ask(story, "mark", steps=["a"]) or "")


HANDS_ON = [{**a_step("a"), "outputs": {"rows": "integer", "share": "number"}}, a_step("b", "a")]


def test_a_mark_hands_on_the_outputs_that_the_step_declares() -> None:
    story = Story().accept(HANDS_ON).exit("a", 1)
    assert ask(story, "mark", steps=["a"], outputs={"rows": 5, "share": 1}) == ""
    assert repr(story.step("a").outputs) == "{'rows': 5, 'share': 1.0}"
    assert "b" in story.live()


def test_a_mark_is_refused_with_all_that_is_wrong_with_its_outputs() -> None:
    story = Story().accept(HANDS_ON).exit("a", 1)
    assert ask(story, "mark", steps=["a"], outputs={"rows": "5", "shar": 1}) == (
        'a: the output "rows": expected an integer, found "5"; the step does not declare the '
        'output "shar"; did you mean "share"?; the output "share" is missing'
    )
    assert ask(story, "mark", steps=["b"], outputs={"rows": 5}) == (
        'b: the step does not declare the output "rows"'
    )
    assert story.why("a") == ("Failed", "NonZeroExit")


# ---------------------------------------- params and outputs


DAILY = {"params": {"day": {"type": "string"}, "rows": 5}}
READS = [
    a_step("a", env={"DAY": "${{ params.day }}"}),
    a_step("b", env={"N": "${{ params.rows }}"}),
]


def run(story: Story, name: str = "r1", resume: bool = False, **given: Any) -> str | None:
    read = as_read(READS, **DAILY)
    return ask(story, "run", name=name, document=read, path="/w.yaml", params=given, resume=resume)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "param day: it has no default, so it needs a value"),
        ({"day": 5}, "param day: expected text, found the number 5"),
        ({"day": "x", "dya": "y"}, "param dya: there is no such param"),
        (
            {"rows": "x"},
            'param rows: expected an integer, found "x"; param day: it has no default, so it needs '
            "a value",
        ),
    ],
)
def test_a_run_is_refused_params_that_do_not_fit(given: dict[str, Any], why: str) -> None:
    story = Story()
    assert run(story, **given) == why
    assert not story.state.lives


def test_what_was_given_stays_for_the_life_and_defaults_follow_the_spec() -> None:
    story = Story()
    assert run(story, day="today") == ""
    assert story.life().params == {"day": "today", "rows": 5}
    story.exit("a").exit("b")
    edited = as_read(READS, params={"day": "yesterday", "rows": 6})
    assert ask(story, "run", name="r2", document=edited, path="/w.yaml", resume=True) == ""
    assert story.life().params == {"day": "today", "rows": 6}
    assert sorted(story.live()) == ["b"], "only what reads the default that was edited"


def test_an_edit_that_does_not_fit_what_was_given_is_rejected_and_that_is_said_until_it_fits() -> (
    None
):
    story = Story()
    assert run(story, day="today") == ""
    story.exit("a").exit("b")
    edited = as_read(READS, params={"day": 7, "rows": 6})
    problem = 'param day: expected an integer, found "today"'
    for name in ("r2", "r3"):
        refused = ask(story, "run", name=name, document=edited, path="/w.yaml", resume=True)
        assert refused == f"the spec does not fit the params that were given: {problem}"
    rejected = story.life().conditions["EditRejected"]
    assert (rejected.status, rejected.message) == ("True", problem)
    told = [one.event for one in story.records if isinstance(one.event, EditRejected)]
    assert len(told) == 1, "said once"
    assert (story.life().generation, story.life().phase) == (1, "Succeeded")
    assert run(story, "r4", resume=True) == ""
    assert story.life().conditions["EditRejected"].status == "False"


# ---------------------------------------- templates

INNER = template(
    a_step("a"),
    a_step("b", "a", forEach=["p", "q"]),
    a_step("c", "b", outputs={"n": "integer"}, skipExitCodes=[9]),
    outputs={"n": "${{ steps.c.outputs.n }}"},
)


def with_a_template(each: bool = True) -> Story:
    """`site` calls it for two items, or once; the steps of its last piece are done."""
    fan = {"forEach": ["x", "y"]} if each else {}
    site = a_step("site", template={"name": "inner"}, **fan)
    story = Story().accept([site, a_step("end", "site")], templates={"inner": INNER})
    last = "site[y]" if each else "site"
    story.exit(f"{last}/a").exit(f"{last}/b[p]").exit(f"{last}/b[q]")
    return story.exit(f"{last}/c", outputs=b"n=1")


def reset(story: Story, *steps: str, **fields: Any) -> set[str]:
    """What a retry of these resets."""
    asked = Request(name="r", kind="retry", workflow="w", by="me", steps=[*steps], **fields)
    actions = answer(story.state, asked)
    return {action.step for action in actions or () if isinstance(action, StepReset)}


def test_retry_of_a_template_means_what_did_not_succeed_below_it() -> None:
    story = with_a_template().exit("site[x]/a").exit("site[x]/b[p]", 1).exit("site[x]/b[q]")
    failed = {"site[x]/b[p]", "site[x]/c", "end"}
    for steps in ([], ["site"], ["site[x]"], ["site[x]/b"]):
        assert reset(story, *steps) == failed, steps
    assert reset(story, "site[y]") == {
        "site[y]/a", "site[y]/b[p]", "site[y]/b[q]", "site[y]/c", "end"
    }  # fmt: skip
    assert ask(story, "retry", steps=["site"]) == ""
    story.exit("site[x]/b[p]").exit("site[x]/c", outputs=b"n=2").exit("end")
    assert story.why() == ("Succeeded", "Completed")


def test_what_depends_on_a_step_of_a_template_is_beside_it_and_beside_its_caller() -> None:
    story = with_a_template(each=False).exit("end")
    assert reset(story, "site/a", downstream=True) == {
        "site/a", "site/b", "site/b[p]", "site/b[q]", "site/c", "end"
    }  # fmt: skip
    assert reset(story, "site/b[q]", downstream=True) == {"site/b[q]", "site/c", "end"}
    assert reset(story, "site/c", downstream=True) == {"site/c", "end"}


def test_retry_of_a_template_without_outputs_to_hand_on_runs_all_of_it() -> None:
    share = template(
        a_step("a"),
        a_step("b", outputs={"n": "integer"}),
        outputs={"share": "${{ 12 / steps.b.outputs.n }}"},
    )
    site = a_step("site", template={"name": "share"})
    story = Story().accept([site], templates={"share": share})
    story.exit("site/a").exit("site/b", outputs=b"n=0")
    assert story.why("site") == ("Failed", "ExpressionFailed")
    assert ask(story, "retry") == ""
    story.exit("site/a").exit("site/b", outputs=b"n=3")
    assert story.why() == ("Succeeded", "Completed")
    assert story.step("site").outputs == {"share": 4}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("site", "stands for the steps of a template; mark one of them: treadle mark w site/a"),
        ("late", "treadle mark w 'late[KEY]/a'"),
        ("lists", "treadle mark w 'lists[KEY]/a[KEY]'"),
        ("site/b", "\"site/b\" has children; mark a child instead: treadle mark w 'site/b[KEY]'"),
    ],
)
def test_the_mark_of_a_template_names_a_step_of_it(step: str, said: str) -> None:
    steps = [
        a_step("site", template={"name": "inner"}),
        a_step("late", "site", template={"name": "inner"}, forEach=[1]),
        a_step("lists", "site", template={"name": "list"}, forEach=[1]),
    ]
    templates = {"inner": INNER, "list": template(a_step("a", forEach=[1]))}
    story = Story().accept(steps, templates=templates)
    assert f"{said} --succeeded" in (ask(story, "mark", steps=[step]) or "")


# ---------------------------------------- hooks


HOOKS = {"onStart": [{"name": "hello", "run": "1"}], "onExit": [{"name": "tidy", "run": "2"}]}


def ending() -> Story:
    """`a` has failed, and the hook of the end runs."""
    story = Story().accept(CHAIN, hooks=HOOKS).start("a").exit("onStart/hello").exit("a", 1)
    return story.start("onExit/tidy")


@pytest.mark.parametrize("kind", ["retry", "restart", "mark"])
def test_what_begins_a_run_waits_for_hooks(kind: str) -> None:
    story = ending()
    fields = {"steps": ["a"]} if kind == "mark" else {}
    assert ask(story, kind, **fields) is None
    story.exit("onExit/tidy")
    assert ask(story, kind, **fields) == ""


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("retry", '"onExit/tidy" is a hook: hooks run again with the next run: treadle retry w'),
        ("cancel", '"onExit/tidy" is a hook: all hooks are stopped together: treadle cancel w '
         "--no-hooks"),
        ("mark", '"onExit/tidy" is a hook: no step waits for it, and the run ends when its hooks '
         "have ended"),
        ("approve", '"onExit/tidy" is a hook: it asks nobody'),
    ],
)  # fmt: skip
def test_of_a_hook_nothing_can_be_asked(kind: str, says: str) -> None:
    assert ask(ending(), kind, steps=["onExit/tidy"]) == says


def test_only_what_concerns_hooks_overtakes_what_waits_for_them() -> None:
    kinds = ("cancel", "suspend", "resume", "retry", "mark", "delete")
    asked = [Request(kind=kind, workflow="w") for kind in kinds]  # type: ignore[arg-type]
    assert [overtakes(ending().state, one) for one in asked] == [True] * 3 + [False] * 3
    running = Story().accept(CHAIN, hooks=HOOKS).start("a")
    assert not any(overtakes(running.state, one) for one in asked)


def test_a_cancel_while_only_hooks_run_stops_them_or_nothing() -> None:
    story = ending()
    said = "its steps have finished, only its hooks run; to stop these: treadle cancel w --no-hooks"
    assert ask(story, "cancel") == said
    assert ask(story, "cancel", hooks=False, reason="enough") == ""
    assert ask(story, "cancel", hooks=False) == (
        "its steps have finished, and its hooks are already being stopped"
    )
    assert story.why("onExit/tidy") == ("Running", "Started")
    assert story.end("onExit/tidy").why("onExit/tidy") == ("Cancelled", "RunInterrupted")
    assert story.why() == ("Failed", "StepFailed"), "the decided phase stays"
    assert ask(story, "retry") == ""
    assert story.exit("a", 1).life().next_hook is not None, "the next run has hooks again"


def test_a_cancel_without_hooks_starts_none() -> None:
    story = Story().accept(CHAIN, hooks=HOOKS).start("a").start("onStart/hello")
    assert ask(story, "cancel") == ""
    assert "already being stopped" in (ask(story, "cancel") or "")
    assert ask(story, "cancel", hooks=False) == ""
    assert "already being stopped" in (ask(story, "cancel", hooks=False) or "")
    story.end("a").end("onStart/hello")
    assert story.why() == ("Cancelled", "RunInterrupted")
    assert "onExit/tidy" not in story.life().hooks


def test_a_deadline_that_is_over_stays_the_reason_if_hooks_are_stopped_as_well() -> None:
    story = Story().accept(CHAIN, hooks=HOOKS, activeDeadlineSeconds=5).start("a")
    story.exit("onStart/hello").wait(6)
    assert ask(story, "cancel", hooks=False) == ""
    story.end("a")
    assert story.why() == ("Failed", "DeadlineExceeded")


# ---------------------------------------- what a run and a backfill bring


def test_a_run_brings_pools_unless_the_folder_has_them() -> None:
    story = Story().see(PoolAccepted(name="mine", slots=1, path="mine.yaml"))
    story.see(PoolAccepted(name="old", slots=1, path="/home/ada/old.yaml"))
    given = [
        GivenPool("mine", 9, "/srv/mine.yaml"),
        GivenPool("old", 2, "/srv/old.yaml"),
        GivenPool("new", 3, "new.yaml"),
    ]
    assert ask(story, "run", document=as_read(CHAIN), pools=given) == ""
    slots = {name: (pool.slots, pool.path) for name, pool in story.state.pools.items()}
    assert slots == {
        "mine": (1, "mine.yaml"),
        "old": (2, "/srv/old.yaml"),
        "new": (3, "new.yaml"),
    }


def test_params_of_a_backfill_win_over_those_of_its_trigger() -> None:
    trigger = {"name": "t", "everySeconds": 60, "params": {"day": "${{ trigger.date }}", "n": 1}}
    params = {"day": {"type": "string"}, "n": 0}
    story = Story().accept([a_step("a")], name="job", triggers=[trigger], params=params)
    due = BEGIN // SECOND // 60 * 60
    story.ask("backfill", workflow="job", trigger="t", dues=[due], params={"n": 7})
    (instance,) = [life for life in story.state.lives.values() if life.birth is not None]
    assert instance.given == {"day": "2023-11-14", "n": 7}
