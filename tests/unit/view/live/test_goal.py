"""What `wait` waits for: true, not yet, or never."""

import pytest
from story import Story, a_step

from controller.errors import UsageError
from controller.view.live.goal import Goal, parse_goal


def verdict(story: Story, goal: str) -> str:
    return parse_goal(goal).verdict(story.state, story.life())


def running() -> Story:
    return Story().accept([a_step("a")]).start("a")


def succeeded() -> Story:
    return running().end("a", exit_code=0)


def failed() -> Story:
    return running().end("a", exit_code=1)


@pytest.mark.parametrize(
    ("goal", "while_running", "after_success", "after_failure"),
    [
        ("phase=Succeeded", "not yet", "yes", "never"),
        ("phase=failed", "not yet", "never", "yes"),
        ("phase=Running", "yes", "never", "never"),
        ("condition=Complete", "not yet", "yes", "yes"),
        ("condition=Progressing=False", "not yet", "yes", "yes"),
        ("condition=Progressing", "yes", "never", "never"),
        ("condition=SpecInvalid", "not yet", "not yet", "not yet"),
        ("condition=Suspended", "not yet", "never", "never"),
        ("generation=1", "yes", "yes", "yes"),
        ("generation=2", "not yet", "not yet", "not yet"),
    ],
)
def test_a_goal(goal: str, while_running: str, after_success: str, after_failure: str) -> None:
    assert verdict(running(), goal) == while_running
    assert verdict(succeeded(), goal) == after_success
    assert verdict(failed(), goal) == after_failure


def test_an_edit_fulfils_its_generation_and_all_before() -> None:
    story = succeeded().accept([a_step("a", run="another")])
    assert verdict(story, "generation=2") == "yes"
    assert verdict(story, "generation=1") == "yes"


def test_a_life_that_is_over_reaches_nothing_more() -> None:
    story = succeeded()
    life = story.life()
    story.delete()
    assert parse_goal("generation=2").verdict(story.state, life) == "never"


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("phase=Succeeded", Goal("phase", "succeeded")),
        ("PHASE=succeeded", Goal("phase", "succeeded")),
        ("condition=Complete=true", Goal("condition", "complete")),
        ("condition=Complete=False", Goal("condition", "complete", "False")),
    ],
)
def test_how_a_goal_is_written(text: str, goal: Goal) -> None:
    assert parse_goal(text) == goal


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Succeeded", "not a goal; try phase=Succeeded"),
        ("phase=", "not a goal"),
        ("phase=Ready", "no workflow has that phase"),
        ("generation=new", "a generation must be a number"),
        ("phase=Failed=False", "only a condition can be False"),
    ],
)
def test_what_is_no_goal_says_why(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_goal(text)
