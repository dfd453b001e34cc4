"""What the state folders of these tests have in them."""

from pathlib import Path

from story import CountedChance, Story, a_step


class RealUids(CountedChance):
    """As long as those of a controller, so that they are taken for uids."""

    def uid(self) -> str:
        return f"{super().uid()}-0000-4000-8000"


def a_story() -> Story:
    """`etl` has a running step with an output, and one that waits."""
    story = Story()
    story.chance = RealUids()
    steps = [a_step("extract"), a_step("load", "extract")]
    return story.accept(steps, name="etl").start("extract", workflow="etl")


def output_of(state: Path, story: Story, step: str = "extract", name: str = "etl") -> Path:
    """Where the last attempt of a step prints."""
    attempt = story.life(name).step(step).attempts[-1]
    path = state / attempt.log
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
