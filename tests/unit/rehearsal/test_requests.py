"""A request is judged by the state that it will meet: after those that wait, without markers."""

from story import Story, a_step, document

from controller.model.observations import Request
from controller.rehearsal.requests import carry_out, without_markers
from controller.spec.load import Document

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
