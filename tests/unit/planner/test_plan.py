"""A plan costs what changed: it looks at what was touched, what is due, and the free slots."""

from collections import Counter
from typing import Any

from story import Story, a_step

from controller.model.events import StepReady
from controller.planner.permission import Limits
from controller.planner.plan import plan

WAITING = 10_000


class Counting(dict[str, Any]):
    """A dict that counts who is looked up, and by how much it is walked through."""

    def __init__(self, content: dict[str, Any], looked_at: Counter[str]) -> None:
        super().__init__(content)
        self.looked_at = looked_at

    def __getitem__(self, key: str) -> Any:
        self.looked_at[key] += 1
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.looked_at[key] += 1
        return super().get(key, default)

    def _all(self) -> None:
        self.looked_at.update(super().keys())

    def __iter__(self) -> Any:
        self._all()
        return super().__iter__()

    def keys(self) -> Any:
        self._all()
        return super().keys()

    def values(self) -> Any:
        self._all()
        return super().values()

    def items(self) -> Any:
        self._all()
        return super().items()


def test_one_exit_looks_at_its_dependents_and_the_free_slots() -> None:
    story = Story(Limits(max_parallel=2), checked=False)
    story.accept([a_step(f"s{number}") for number in range(WAITING)], "busy")
    story.accept([a_step("a"), a_step("b", "a"), a_step("c", "a"), a_step("d", "b")], priority=1)
    for name in sorted(story.live("busy")):
        story.exit(name, workflow="busy")
    assert story.live() == {"a"}
    for number in range(1_000):
        story.accept([a_step("x")], f"idle-{number}")
    story.start("a").start(*story.live("busy"), workflow="busy")

    steps: Counter[str] = Counter()
    workflows: Counter[str] = Counter()
    for life in story.state.workflows.values():
        life.steps = Counting(life.steps, steps)
    story.state.lives = Counting(story.state.lives, workflows)
    story.state.workflows = Counting(story.state.workflows, workflows)
    story.exit("a")

    assert story.live() == {"b"}
    assert story.phases()["c"] == "Ready"
    assert steps.keys() == {"a", "b", "c", "d"}, "d is told that b is Ready"
    assert max(steps.values()) < 30
    busy = "uid-1"  # it has attempts that live
    assert workflows.keys() == {"w", story.life().uid, busy}


def test_a_rested_plan_looks_at_nothing() -> None:
    story = Story(Limits(max_parallel=2), checked=False)
    story.accept([a_step(f"s{number}") for number in range(WAITING)])
    steps: Counter[str] = Counter()
    story.life().steps = Counting(story.life().steps, steps)
    assert plan(story.state, story.now, story.limits) == []
    assert not steps


def test_decisions_come_before_starts() -> None:
    """A slot is not given to a step that the next pass would cancel."""
    story = Story(Limits(max_parallel=1)).accept([a_step("a"), a_step("b")], failFast=True)
    story.exit("a", 1)
    assert story.step("b").attempts == []


def test_steps_are_decided_in_the_order_of_the_spec() -> None:
    story = Story().accept([a_step("b"), a_step("c"), a_step("a")])
    ready = [event.step for event in story.decided if isinstance(event, StepReady)]
    assert ready == ["b", "c", "a"]


def test_however_many_instances_wait_only_those_are_looked_at_that_get_a_slot() -> None:
    story = Story(Limits(max_parallel=0), checked=False)
    story.accept([a_step("a"), a_step("b")], "many", triggers=[], concurrency="Allow")
    for number in range(500):
        story.ask("start", workflow="many", key=str(number))
    lives: Counter[str] = Counter()
    story.state.lives = Counting(story.state.lives, lives)
    story.limits = Limits(max_parallel=3)
    story.settle()
    begun = [f"many@{number}" for number in range(3)]
    assert [[*story.live(name)] for name in begun] == [["a"]] * 3
    lives.clear()
    story.start("a", workflow="many@0")
    story.exit("a", workflow="many@0")
    assert [*story.live("many@0")] == ["b"], "it has waited for longest"
    assert len(lives) < 10
