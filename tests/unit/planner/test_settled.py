"""Is there nothing left that the controller could do or wait for by itself?"""

from collections.abc import Callable

import pytest
from story import Story, a_step

from controller.planner.permission import Limits
from controller.planner.plan import settled

STEPS = [a_step("a", retry={"limit": 1})]
HELD = Limits(max_parallel=9, held="/specs")


@pytest.mark.parametrize(
    ("tell", "limits", "is_settled"),
    [
        pytest.param(lambda s: s, None, True, id="nothing there"),
        pytest.param(lambda s: s.accept(STEPS), None, False, id="a start queued"),
        pytest.param(lambda s: s.accept(STEPS).start("a"), None, False, id="a step runs"),
        pytest.param(lambda s: s.accept(STEPS).exit("a", 1), None, False, id="a backoff"),
        pytest.param(lambda s: s.accept(STEPS).exit("a"), None, True, id="all done"),
        pytest.param(lambda s: s.accept(STEPS, suspend=True), None, True, id="suspended"),
        pytest.param(lambda s: s.mark().accept(STEPS), None, True, id="a marker"),
        pytest.param(lambda s: s.accept(STEPS), HELD, True, id="a held folder"),
        pytest.param(
            lambda s: s.accept(STEPS),
            Limits(max_parallel=9, only=frozenset({"r1"})),
            True,
            id="not ours",
        ),
        pytest.param(
            lambda s: s.accept([a_step("a", executor={"slurm": {}})]),
            Limits(max_parallel=9, away=frozenset({"slurm"})),
            False,
            id="an engine that may come back",
        ),
        pytest.param(
            lambda s: s.accept(STEPS).exit("a", 0),
            Limits(max_parallel=9, away=frozenset({"slurm"})),
            True,
            id="an engine that nobody waits for",
        ),
    ],
)
def test_what_counts_as_settled(
    tell: Callable[[Story], Story], limits: Limits | None, is_settled: bool
) -> None:
    story = Story(limits)
    tell(story)
    assert settled(story.state, story.limits) is is_settled


def test_what_was_touched_and_not_yet_planned_is_not_settled() -> None:
    story = Story().accept(STEPS).start("a").end("a", settle=False, exit_code=0)
    assert not settled(story.state, story.limits)
