"""Asking a controller, and waiting for its answer as long as one may be near."""

from collections.abc import Callable
from pathlib import Path

import pytest
from story import Story, a_step

from controller.client.acting import ask as asking
from controller.client.acting.ask import ask, would_follow
from controller.errors import NothingToDo, StorageError, UsageError
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
    came = ask(state_dir, story.state, request(story))
    assert came == "requested; no controller is running, the next `treadle up` applies it"
    assert [(one.kind, one.workflow) for one in waiting(state_dir)] == [("suspend", "etl")]


@pytest.mark.usefixtures("live")
def test_a_controller_that_is_busy(write: Write, story: Story) -> None:
    came = ask(write(story), story.state, request(story))
    assert came == "requested; not applied yet, `treadle events` will show it"


def test_the_answer(write: Write, story: Story, live: pytest.MonkeyPatch) -> None:
    state_dir = write(story)
    live.setattr(asking, "drop", answering(write, story, refused=""))
    assert ask(state_dir, story.state, request(story)) == "applied"


def test_a_refusal(write: Write, story: Story, live: pytest.MonkeyPatch) -> None:
    state_dir = write(story)
    live.setattr(asking, "drop", answering(write, story, refused="too late"))
    with pytest.raises(UsageError, match="etl: refused: too late"):
        ask(state_dir, story.state, request(story))


def test_a_request_that_the_controller_could_not_read(
    write: Write, story: Story, live: pytest.MonkeyPatch
) -> None:
    state_dir = write(story)

    def unreadable(state_dir: str, asked: Request) -> str:
        name = drop(state_dir, asked)
        Path(state_dir, "requests", name).write_text("{")
        RequestBox(state_dir, note=lambda _: None).waiting()
        return name

    live.setattr(asking, "drop", unreadable)
    with pytest.raises(StorageError, match="etl: the controller can't read the request"):
        ask(state_dir, story.state, request(story))


def test_what_would_follow_is_by_the_rule_that_will_apply_it(story: Story) -> None:
    followed = would_follow(story.state, request(story))
    assert followed is not None
    assert [type(action) for action in followed][:1] == [e.RequestApplied]
    with pytest.raises(UsageError, match="etl: "):
        would_follow(story.state, request(story, kind="resume"))


# ---------------------------------------- hooks


@pytest.fixture
def ending() -> Story:
    """`load` has failed, and a hook runs."""
    hooks = {"onExit": [{"name": "tidy", "run": "1"}]}
    story = Story().accept([a_step("load"), a_step("then", "load")], name="etl", hooks=hooks)
    return story.exit("load", 1, workflow="etl").start("onExit/tidy", workflow="etl")


@pytest.mark.parametrize("runs", [True, False])
def test_what_waits_for_hooks_says_so(
    write: Write, ending: Story, monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    monkeypatch.setattr(asking, "is_live", lambda _state_dir: runs)
    came = ask(write(ending), ending.state, request(ending, kind="retry"))
    waits = "when the hooks of run 1 have ended"
    nobody = "requested; no controller is running, the next `treadle up` applies it"
    assert came == (f"requested; it is applied {waits}" if runs else f"{nobody} {waits}")


def test_it_is_judged_by_what_it_will_meet(ending: Story) -> None:
    followed = would_follow(ending.state, request(ending, kind="retry"))
    assert followed is not None
    reset = [action.step for action in followed if isinstance(action, e.StepReset)]
    assert reset == ["load", "then"]
    assert ending.life("etl").is_ending, "only a copy went on"


def test_a_retry_of_a_run_that_succeeds_is_refused_before_its_hooks_have_ended() -> None:
    hooks = {"onExit": [{"name": "tidy", "run": "1"}]}
    story = Story().accept([a_step("load")], name="etl", hooks=hooks).exit("load", workflow="etl")
    with pytest.raises(NothingToDo, match="nothing to retry"):
        would_follow(story.state, request(story, kind="retry"))
