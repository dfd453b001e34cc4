"""`concurrency` is edited while instances wait for their turn."""

from typing import Any

from story import Story, a_step

EACH_MINUTE = [{"name": "t", "everySeconds": 60}]


def queued(**fields: Any) -> Story:
    """One instance runs, and two wait for it."""
    story = Story().accept([a_step("a")], triggers=EACH_MINUTE, concurrency="Queue", **fields)
    for key in ("k1", "k2", "k3"):
        story.ask("start", key=key)
    return story


def waiting(story: Story) -> list[str]:
    return [life.name for life in story.state.workflows.values() if life.is_queued]


def test_all_start_at_once_where_nobody_has_to_wait_any_more() -> None:
    story = queued()
    assert waiting(story) == ["w@k2", "w@k3"]
    story.accept([a_step("a")], triggers=EACH_MINUTE, concurrency="Allow")
    assert waiting(story) == []


def test_a_backfill_still_runs_so_many_at_once_as_was_asked() -> None:
    story = queued()
    dues = [1_699_999_200 + 60 * n for n in range(3)]
    story.ask("backfill", trigger="t", dues=dues, parallel=1)
    behind = waiting(story)[2:]
    assert len(behind) == 2
    story.accept([a_step("a")], triggers=EACH_MINUTE, concurrency="Allow")
    assert waiting(story) == behind
