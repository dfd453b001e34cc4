"""Asking a controller, and waiting for its answer as long as one may be near."""

from collections.abc import Callable
from pathlib import Path

import pytest
from story import Story

from controller.client import ask as asking
from controller.client.ask import ask, would_follow
from controller.errors import StorageError, UsageError
from controller.model import events as e
from controller.model.observations import Request
from controller.requests import RequestBox, drop, waiting

Write = Callable[[Story], str]


def request(story: Story, **fields: str) -> Request:
    known = {"kind": "suspend", "workflow": "etl", "uid": story.life("etl").uid, "by": "me"}
    return Request(**{**known, **fields})  # type: ignore[arg-type]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A controller runs."""
    monkeypatch.setattr(asking, "is_live", lambda _state_dir: True)
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.05)
    return monkeypatch


def answering(write: Write, story: Story, refused: str) -> Callable[[str, Request], str]:
    def dropped(_state_dir: str, asked: Request) -> str:
        for name in ("another's", "ours"):
            known = {"kind": asked.kind, "workflow": asked.workflow, "by": asked.by}
            story.see(e.RequestApplied(name=name, refused=refused, **known))
        write(story)
        return "ours"

    return dropped


def test_without_a_controller_the_request_waits(write: Write, story: Story) -> None:
    state_dir = write(story)
    came = ask(state_dir, story.state.seq, request(story))
    assert came == "requested; no controller is running, the next `treadle up` applies it"
    assert [(one.kind, one.workflow) for one in waiting(state_dir)] == [("suspend", "etl")]


@pytest.mark.usefixtures("live")
def test_a_controller_that_is_busy(write: Write, story: Story) -> None:
    came = ask(write(story), story.state.seq, request(story))
    assert came == "requested; not applied yet, `treadle events` will show it"


def test_the_answer(write: Write, story: Story, live: pytest.MonkeyPatch) -> None:
    state_dir, seq = write(story), story.state.seq
    live.setattr(asking, "drop", answering(write, story, refused=""))
    assert ask(state_dir, seq, request(story)) == "applied"


def test_a_refusal(write: Write, story: Story, live: pytest.MonkeyPatch) -> None:
    state_dir, seq = write(story), story.state.seq
    live.setattr(asking, "drop", answering(write, story, refused="too late"))
    with pytest.raises(UsageError, match="etl: refused: too late"):
        ask(state_dir, seq, request(story))


def test_a_request_that_the_controller_could_not_read(
    write: Write, story: Story, live: pytest.MonkeyPatch
) -> None:
    state_dir, seq = write(story), story.state.seq

    def unreadable(state_dir: str, asked: Request) -> str:
        name = drop(state_dir, asked)
        Path(state_dir, "requests", name).write_text("{")
        RequestBox(state_dir, note=lambda _: None).waiting()
        return name

    live.setattr(asking, "drop", unreadable)
    with pytest.raises(StorageError, match="etl: the controller can't read the request"):
        ask(state_dir, seq, request(story))


def test_what_would_follow_is_by_the_rule_that_will_apply_it(story: Story) -> None:
    followed = would_follow(story.state, request(story))
    assert followed is not None
    assert [type(action) for action in followed][:1] == [e.RequestApplied]
    with pytest.raises(UsageError, match="etl: "):
        would_follow(story.state, request(story, kind="resume"))
