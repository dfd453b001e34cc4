"""What hooks see of their run."""

import pytest
from story import Story, a_step

from controller.loop.hook_env import hook_env
from controller.planner.resolve import sight

HOOKS = {kind: [{"name": "one", "run": "1"}] for kind in ("onStart", "onFailure")}
SEEN_FIRST = {
    "TREADLE_PHASE": "Running",
    "TREADLE_REASON": "Started",
    "TREADLE_MESSAGE": "run 1 started",
    "TREADLE_FAILED_STEPS": "[]",
    "TREADLE_FAILED_COUNT": "0",
    "TREADLE_LAST_PHASE": "",
    "TREADLE_RUN_SECONDS": "0",
}


def seen(story: Story, hook: str, printed: str = "") -> dict[str, str]:
    step, attempt = story.step(hook), story.attempt(hook)
    return hook_env(story.state, story.life(), step, attempt, lambda log: f"{printed}\n")


def test_a_hook_of_the_start_sees_the_same_however_late_it_starts() -> None:
    """It may be started by the next controller, when the steps are done."""
    story = Story().accept([a_step("a")], hooks=HOOKS).start("a")
    assert seen(story, "onStart/one") == SEEN_FIRST
    story.wait(5).accept([a_step("a")], hooks=HOOKS, priority=1)
    assert seen(story, "onStart/one") == SEEN_FIRST
    story.exit("a", 3)
    assert story.life().is_ending
    assert seen(story, "onStart/one") == SEEN_FIRST
    step = story.step("onStart/one")
    assert sight(story.state, story.life()).of(step).phase == "Running"


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("no\x1b[2J rows", "a failed: exit code 3; it printed last: no [2J rows"),
        ("", "a failed: exit code 3"),
    ],
)
def test_a_hook_of_the_end_sees_what_failed(printed: str, message: str) -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], hooks={**HOOKS, "onStart": []})
    story.start("a").wait(90).exit("a", 3)
    assert seen(story, "onFailure/one", printed) == {
        **SEEN_FIRST,
        "TREADLE_PHASE": "Failed",
        "TREADLE_REASON": "StepFailed",
        "TREADLE_MESSAGE": message,
        "TREADLE_FAILED_STEPS": '["a"]',
        "TREADLE_FAILED_COUNT": "1",
        "TREADLE_RUN_SECONDS": "90",
    }
    step = story.step("onFailure/one")
    assert sight(story.state, story.life()).of(step).phase == "Failed"
