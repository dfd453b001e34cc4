"""What the log tells of the triggers of a definition, through edits, skips and its deletion."""

from collections.abc import Callable
from typing import Any

from story import Story, a_step

from controller.client.reading.audit import read_past
from controller.model.state import SECOND
from controller.view.lists.schedule import audit, timed, what

Write = Callable[[Story], str]

BEGIN = 1_700_000_100  # a multiple of 60; a story begins 100 s earlier


def accept(story: Story, **trigger: Any) -> None:
    triggers = [{"name": "beat", "everySeconds": 60, **trigger}]
    spec = {"triggers": triggers, "concurrency": "Allow"}
    story.accept([a_step("only")], name="job", **spec)


def told(state_dir: str, story: Story, trigger: str = "beat") -> list[str]:
    """Every due time from BEGIN on: how many seconds later, and what became of it."""
    state, past, kept_since = read_past(state_dir, "job")
    assert kept_since == 0
    now = story.now // SECOND
    life = state.workflows.get("job")
    present = timed(state, [life] if life is not None else [], now, True)
    lines = audit(past, present, "job", trigger, BEGIN, now)
    return [f"{one.due - BEGIN} {what(one).partition(' job@')[0]}" for one in lines]


def test_each_due_time_is_told_once_through_edits_and_the_end(write: Write) -> None:
    story = Story()
    story.wait(BEGIN - story.now // SECOND)
    accept(story)
    story.wait(60).wait(60)
    story.ask("suspend", workflow="job").wait(60).ask("resume", workflow="job").wait(60)
    accept(story, everySeconds=120)
    story.wait(120)
    state_dir = write(story)
    before = [
        "60 Started",
        "120 Started",
        "180 Skipped (Suspended): the workflow was suspended",
        "240 Started",
        "300 Started",
    ]
    assert told(state_dir, story) == before
    story.delete("job").wait(240)
    write(story)
    assert told(state_dir, story) == before


def test_other_dates_to_leave_out_count_from_what_was_decided(write: Write) -> None:
    story = Story()
    story.wait(BEGIN - story.now // SECOND)
    accept(story)
    story.wait(60)
    accept(story, exclude=["2023-11-14"])
    story.wait(60)
    assert told(write(story), story) == ["60 Started", "120 skipped: its day is excluded"]
    story.wait(2 * 3600)
    accept(story, exclude=["2023-11-15"])
    story.wait(60)
    lines = told(write(story), story)
    assert lines[:2] == ["60 Started", "120 Skipped (Excluded): its day is excluded"]
    assert lines[-2:] == ["7320 Started", "7380 skipped: its day is excluded"]


def test_a_trigger_that_comes_goes_and_comes_back(write: Write) -> None:
    story = Story()
    story.wait(BEGIN - story.now // SECOND)
    accept(story)
    story.wait(60)
    accept(story, name="other")
    story.wait(60)
    accept(story)
    story.wait(60)
    state_dir = write(story)
    assert told(state_dir, story) == ["60 Started", "180 Started"]
    assert told(state_dir, story, "other") == ["120 Started"]
    assert told(state_dir, story, "nobody") == []


def test_a_backfill_is_told_beside_what_became_of_the_due_time(write: Write) -> None:
    story = Story()
    story.wait(BEGIN - story.now // SECOND)
    accept(story, everySeconds=60)
    story.ask("suspend", workflow="job").wait(60).ask("resume", workflow="job")
    story.ask("backfill", workflow="job", trigger="beat", dues=[BEGIN + 60])
    _, past, _ = read_past(write(story), "job")
    assert list(past.filled.values()) == [["job@20231114T221600Z"]]
