"""A step that is ready starts in this turn, or `why_not` says what keeps it from that."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from properties.test_plan import Steps, a_dag
from story import Story

from controller.model.phases import Obstacle, Phase
from controller.planner.permission import Limits, free_slots, why_not
from controller.planner.slots import fill


@st.composite
def some_limits(draw: st.DrawFn) -> Limits:
    return Limits(
        max_parallel=draw(st.integers(0, 4)),
        ahead=draw(st.integers(0, 2)),
        only=draw(st.sampled_from([None, None, frozenset({"another"})])),
        held=draw(st.sampled_from(["", "", "/specs"])),
        gone=draw(st.sampled_from([frozenset(), frozenset({"w0"})])),
        short=draw(st.sampled_from([False, False, True])),
        stopping=draw(st.sampled_from([False, False, False, True])),
    )


@settings(max_examples=150, deadline=None)
@given(
    dags=st.lists(a_dag(fans=True), min_size=1, max_size=3),
    limits=some_limits(),
    happens=st.lists(st.sampled_from(["exit", "fail", "mark", "suspend"]), max_size=6),
    parallelism=st.sampled_from([None, 1, 2]),
    data=st.data(),
)
def test_ready_with_a_free_slot_and_nothing_in_the_way_means_scheduled(
    dags: list[tuple[Steps, dict[str, Any]]],
    limits: Limits,
    happens: list[str],
    parallelism: int | None,
    data: st.DataObject,
) -> None:
    story = Story(checked=False)
    names = [f"w{number}" for number in range(len(dags))]
    for name, (steps, _) in zip(names, dags, strict=True):
        spec = {} if parallelism is None else {"parallelism": parallelism}
        story.accept(steps, name, **spec)
    for what in happens:
        name = data.draw(st.sampled_from(names))
        if what == "mark":
            story.mark(f"{name}.cancel", name, drain=data.draw(st.booleans()))
        elif what == "suspend":
            story.accept(dags[names.index(name)][0], name, suspend=True)
        elif live := sorted(story.live(name)):
            story.exit(live[0], 0 if what == "exit" else 1, name)
    # From here on the controller is another, with limits of its own.
    story.limits = limits
    before = {
        (life.uid, step.name): why_not(story.state, life, step, limits)
        for life in story.state.workflows.values()
        for step in life.steps.values()
        if step.phase is Phase.READY and step.live is None
    }
    scheduled = {(start.uid, start.step) for start in fill(story.state, limits)}
    free = free_slots(story.state, limits)
    assert scheduled <= {key for key, obstacle in before.items() if obstacle is None}
    may = [key for key, obstacle in before.items() if obstacle is None]

    def uses(uid: str, step: str) -> set[str]:
        return {one.name for one in story.state.lives[uid].steps[step].uses}

    if parallelism is None and not any(uses(*key) for key in may):
        assert len(scheduled) == min(len(may), max(0, free))
    taken = {name for key in scheduled for name in uses(*key)}
    # The others took the last slot, of the workflow or of all, or what they use as well. And what
    # uses something holds up the starts that would be queued ahead.
    waits = free <= limits.ahead + len(scheduled) and any(uses(*key) for key in before)
    for key in set(may) - scheduled:
        of_workflow = sum(uid == key[0] for uid, _ in scheduled)
        full = len(scheduled) == free or (parallelism is not None and of_workflow > 0)
        assert full or waits or uses(*key) & taken
    if free <= 0 and before:
        assert Obstacle.NO_FREE_SLOT in before.values() or None not in before.values()
