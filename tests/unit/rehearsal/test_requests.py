"""A request is judged by the state that it will meet: after those that wait, without markers."""

from story import Story, a_step, document

from controller.model.observations import Request
from controller.planner.editing.accept import accept
from controller.rehearsal.requests import after_hooks, carry_out, without_markers
from controller.spec.reading.load import Document

CHAIN = [a_step("a"), a_step("b", "a")]


def a_request(kind: str, name: str = "1", **fields: object) -> Request:
    return Request(**{"name": name, "kind": kind, "workflow": "w", "by": "ada", **fields})  # type: ignore[arg-type]


def test_what_follows_from_a_request_follows_here_as_well() -> None:
    story = Story().accept(CHAIN).exit("a", 1)
    carry_out(story.state, [a_request("retry")])
    assert story.phases() == {"a": "Ready", "b": "Pending"}
    assert not story.live(), "nothing starts"
    assert story.state.requests == {"1": ""}


def test_a_request_counts_once() -> None:
    story = Story().accept(CHAIN).exit("a", 1)
    carry_out(story.state, [a_request("retry"), a_request("retry")])
    carry_out(story.state, [a_request("retry")])
    assert list(story.state.requests) == ["1"]


def test_each_run_that_waits_begins_a_life_of_its_own() -> None:
    story = Story()
    asked = [
        a_request(
            "run", name, workflow=name, document=Document(workflow=document(CHAIN, name), line=1)
        )
        for name in ("v", "w")
    ]
    carry_out(story.state, asked)
    assert story.state.workflows.keys() == {"v", "w"} and len(story.state.lives) == 2


def test_a_retry_is_judged_without_the_marker_that_it_removes() -> None:
    story = Story().accept(CHAIN).mark().end("a")
    assert story.why() == ("Cancelled", "CancelMarker")
    without_markers(story.state, "w")
    carry_out(story.state, [a_request("retry")])
    assert story.phases() == {"a": "Ready", "b": "Pending"}


def test_the_log_has_none_of_it() -> None:
    """A command reads on from `seq` for the answer to its own request."""
    story = Story().accept(CHAIN).mark().end("a")
    last = story.state.seq
    without_markers(story.state, "w")
    carry_out(story.state, [a_request("retry")])
    assert story.state.seq == last


def test_after_its_hooks_a_workflow_has_ended_and_nothing_else_has_begun() -> None:
    hooks = {"onFailure": [{"name": "page", "run": "1"}], "onExit": [{"name": "tidy", "run": "2"}]}
    story = Story().accept(CHAIN, hooks=hooks).exit("a", 1)
    edited = Document(workflow=document([a_step("a", run="new")], hooks=hooks), line=1)
    for action in accept(story.life(), edited, "w.yaml", ""):
        story.promise(action)
    later = after_hooks(story.state, "w").workflows["w"]
    assert (later.generation, later.run, later.end) == (2, 1, None)
    assert later.steps["a"].phase == "Ready"
    assert story.life().is_ending


def test_hooks_of_a_suspended_workflow_do_not_end() -> None:
    hooks = {"onExit": [{"name": "tidy", "run": "1"}]}
    story = Story().accept([a_step("a")], hooks=hooks).start("a").ask("suspend").exit("a")
    assert after_hooks(story.state, "w").workflows["w"].is_ending


def test_hooks_of_a_deleted_workflow_are_its_last() -> None:
    hooks = {"onExit": [{"name": "tidy", "run": "1"}]}
    story = Story().accept([a_step("a")], hooks=hooks).exit("a").delete()
    assert after_hooks(story.state, "w").workflows == {}


# ---------------------------------------- of definitions and instances


def a_definition() -> Story:
    """Last night's instance has failed, today's runs, and the spec has been mended since."""
    about = {"triggers": [{"name": "t", "everySeconds": 60}], "concurrency": "Queue"}
    story = Story().accept(CHAIN, **about).ask("start", key="k1").exit("a", 1, workflow="w@k1")
    story.ask("start", key="k2").start("a", workflow="w@k2")
    return story.accept([a_step("a", run="mended"), CHAIN[1]], **about)


def test_a_retry_of_an_instance_brings_it_to_the_newest_generation_here_as_well() -> None:
    story = a_definition()
    carry_out(story.state, [a_request("retry", workflow="w@k1")])
    assert story.life("w@k1").generation == 2
    assert story.phases("w@k1") == {"a": "Ready", "b": "Pending"}
    assert not story.live("w@k1"), "nothing starts"


def test_a_retry_may_keep_the_spec() -> None:
    story = a_definition()
    carry_out(story.state, [a_request("retry", workflow="w@k1", keep_spec=True)])
    assert story.life("w@k1").generation == 1
    assert story.phases("w@k1") == {"a": "Ready", "b": "Pending"}


def test_a_start_begins_an_instance_that_the_next_request_may_be_about() -> None:
    story = a_definition()
    about_it = a_request("cancel", "2", workflow="w@k3")
    carry_out(story.state, [a_request("start", "1", key="k3"), about_it])
    assert story.why(workflow="w@k3") == ("Cancelled", "RunInterrupted")
    assert story.life("w@k2").cancel is None


def test_no_due_time_comes_while_requests_are_judged() -> None:
    story = a_definition()
    born = list(story.state.lives)
    carry_out(story.state, [a_request("suspend", "1"), a_request("resume", "2")])
    assert list(story.state.lives) == born
    assert story.why() == ("Running", "Started")


def test_after_its_hooks_an_instance_has_ended() -> None:
    hooks = {"onExit": [{"name": "tidy", "run": "1"}]}
    story = Story().accept([a_step("a")], hooks=hooks, triggers=[]).ask("start", key="k")
    story.exit("a", workflow="w@k")
    assert story.life("w@k").is_ending
    assert str(after_hooks(story.state, "w@k").workflows["w@k"].phase) == "Succeeded"
