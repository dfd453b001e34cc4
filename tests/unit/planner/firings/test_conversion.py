"""Triggers that are taken away while an instance runs, and are back before it has ended."""

from typing import Any

from story import Story, a_step, document

from controller.model import events as e
from controller.planner.editing.accept import accept
from controller.spec.reading.load import Document

EACH_MINUTE = {"triggers": [{"name": "t", "everySeconds": 60}], "concurrency": "Allow"}


def edit(story: Story, **spec: Any) -> Story:
    wanted = Document(workflow=document([a_step("a")], **spec), line=1)
    for action in [*accept(story.life(), wanted, "w.yaml", "")]:
        story.promise(action)
    return story.settle()


def firings(story: Story) -> list[tuple[str, str, str]]:
    events = [one.event for one in story.records if isinstance(one.event, e.FiringDecided)]
    return [(one.outcome, str(one.reason), one.key) for one in events if one.trigger]


def taken_away() -> Story:
    story = Story().accept([a_step("a")], **EACH_MINUTE).ask("start", key="k")
    return edit(story.start("a", workflow="w@k"))


def test_triggers_that_are_back_count_at_once() -> None:
    story = edit(taken_away(), **EACH_MINUTE)
    assert story.life().pending is None
    story.wait(60)
    assert firings(story) == [("Started", "", "20231114T221400Z")]


def test_what_was_due_without_them_is_not_started() -> None:
    story = taken_away().wait(200)
    assert firings(story) == []
    edit(story, **EACH_MINUTE)
    assert firings(story) == [("Skipped", "Suspended", "20231114T221600Z")]
    story.wait(60)
    assert firings(story)[1:] == [("Started", "", "20231114T221700Z")]
