"""Stories of definitions: what has triggers, and the instances that these begin."""

from typing import Any

from story import Story, a_step

from controller.model.state import SECOND, Starter, Workflow

EVERY = {"name": "often", "everySeconds": 100}  # due at the beginning of each story


def definition(
    *triggers: dict[str, Any], name: str = "etl", story: Story | None = None, **spec: Any
) -> Story:
    """A definition with these triggers, and one step."""
    steps = spec.pop("steps", [a_step("load")])
    return (story or Story()).accept(steps, name, triggers=list(triggers), **spec)


def fire(story: Story, seconds: int = 100) -> Story:
    """Time passes, so that something is due."""
    return story.wait(seconds)


def newest(story: Story, name: str = "etl") -> Workflow:
    """The instance that was born last."""
    return story.life(starter(story, name).latest)


def starter(story: Story, name: str = "etl") -> Starter:
    found = story.life(name).starter
    assert found is not None
    return found


def run(story: Story, code: int = 0, name: str = "etl", step: str = "load") -> Story:
    """The newest instance runs to its end."""
    return story.exit(step, code, workflow=newest(story, name).name)


def at(story: Story, seconds: int) -> int:
    """Microseconds, so long from the present of the story."""
    return story.now + seconds * SECOND
