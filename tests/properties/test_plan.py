"""Whatever happens, in whatever order: the plan misses nothing, comes to rest, and stays safe.

Random workflows meet random deeds of the world and of people. After every event the invariants are
checked (by Story); at every pass the incremental plan is compared with that of a state rebuilt from
the records, which has everything to look at.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from story import Story, a_step, dump

from controller.model import events as e
from controller.model.apply.fold import apply
from controller.model.indexes import touch_all
from controller.model.phases import Phase
from controller.model.state import SECOND, State, Step, Workflow
from controller.planner.actions import Action
from controller.planner.permission import Limits
from controller.planner.plan import plan

NAMES = ("v", "w")
LIMITS = Limits(max_parallel=3, ahead=1)
CONDITIONS = ("Succeeded", "Succeeded", "Failed", "Finished")
LONG = 100_000.0

Steps = list[dict[str, Any]]


class Watched(Story):
    """A story that watches over what must never happen."""

    def __init__(self) -> None:
        self.numbers: set[tuple[str, str, int]] = set()
        self.rebuilt = State()
        super().__init__(LIMITS)
        self.on_pass = self.compare_with_rebuilt

    def compare_with_rebuilt(self, actions: list[Action]) -> None:
        """`rebuilt` folds what the log would give back, and has never been planned for."""
        touch_all(self.rebuilt)
        assert plan(self.rebuilt, self.now, self.limits) == actions
        if not actions:
            assert dump(self.rebuilt) == dump(self.state)

    def see(self, event: e.AnyEvent, cause: int = 0) -> Story:
        if isinstance(event, e.AttemptScheduled):
            self.watch_start(event)
        super().see(event, cause)
        apply(self.rebuilt, _through_the_log(self.records[-1]))
        return self

    def watch_start(self, event: e.AttemptScheduled) -> None:
        life = self.state.lives[event.uid]
        step = life.steps[event.step]
        number = (event.uid, event.step, event.attempt)
        assert number not in self.numbers, "an attempt number was used twice"
        self.numbers.add(number)
        assert all(_holds(life, need.step, need.condition) for need in step.definition.requires)
        places = [one for one in self.state.live.values() if not one.gives_way]
        assert len(places) < LIMITS.max_parallel + LIMITS.ahead
        assert life.parallelism is None or len(self.live(life.name)) < life.parallelism
        assert life.cancel is None and life.suspended is None and not life.deleting
        assert not any(
            not marker.steps for marker in self.state.markers_of.get(life.name, {}).values()
        )


def _through_the_log(record: e.Record) -> e.Record:
    return msgspec.json.decode(msgspec.json.encode(record), type=e.Record)


def _holds(life: Workflow, name: str, condition: str) -> bool:
    """The contract's words on conditions, said once more and differently."""
    step = life.steps[name]
    tolerated = step.phase is Phase.FAILED and step.definition.continue_on_failure
    if condition == "Succeeded":
        by_itself = step.phase is Phase.SKIPPED and step.reason == "WhenFalse"
        return step.phase is Phase.SUCCEEDED or tolerated or by_itself
    if condition == "Failed":
        return step.phase is Phase.FAILED
    return step.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED)


# ---------------------------------------- what may happen


@st.composite
def a_dag(draw: st.DrawFn, fans: bool = False) -> tuple[Steps, dict[str, Any]]:
    """Some steps and fields of the spec; with `fans` some of the steps have children."""
    steps = []
    for index in draw(st.lists(st.sampled_from(range(5)), unique=True, min_size=1, max_size=5)):
        earlier = sorted(one["name"] for one in steps)
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
        fields: dict[str, Any] = {"run": draw(st.sampled_from(["one", "two"]))}
        if draw(st.booleans()):
            fields["retry"] = {"limit": draw(st.integers(0, 2)), "backoff": {"jitter": 0}}
        if draw(st.integers(0, 4)) == 0:
            fields["continueOnFailure"] = True
        if draw(st.integers(0, 4)) == 0:
            fields["timeoutSeconds"] = 5
        if draw(st.integers(0, 3)) == 0:
            fields["onChanged"] = draw(st.sampled_from(["FinishFirst", "KeepResult"]))
        if draw(st.integers(0, 4)) == 0:
            fields["onRemoved"] = "Finish"
        if draw(st.integers(0, 3)) == 0:
            locks = draw(st.sampled_from(["x", "xy"]))
            fields["uses"] = [{"lock": name} for name in locks]
        if fans and draw(st.integers(0, 1)) == 0:
            fields |= draw(a_fan())
        on = [{"step": need, "condition": draw(st.sampled_from(CONDITIONS))} for need in needs]
        steps.append(a_step(f"s{index}", *on, **fields))
    spec: dict[str, Any] = {}
    for key, values in {
        "parallelism": [1, 2],
        "priority": [-1, 1],
        "failFast": [True],
        "suspend": [True],
        "activeDeadlineSeconds": [20],
    }.items():
        if draw(st.integers(0, 4)) == 0:
            spec[key] = draw(st.sampled_from(values))
    return steps, spec


@st.composite
def a_fan(draw: st.DrawFn) -> dict[str, Any]:
    """What makes a step one with children."""
    fields: dict[str, Any] = {"forEach": draw(st.lists(st.sampled_from("abca"), max_size=3))}
    if draw(st.booleans()):
        fields["env"] = {"ITEM": draw(st.sampled_from(["${{ item }}", "${{ index }}"]))}
    if draw(st.booleans()):
        fields["parallelism"] = draw(st.integers(1, 2))
    if draw(st.integers(0, 3)) == 0:
        fields["when"] = draw(st.sampled_from(["${{ item != 'b' }}", "${{ run.number > 1 }}"]))
    return fields


def accept(story: Story, name: str, pick: int, dag: tuple[Steps, dict[str, Any]]) -> None:
    life = story.state.workflows.get(name)
    if life is None or not life.deleting:
        story.accept(dag[0], name, **dag[1])


def _running(story: Story, name: str, pick: int) -> str | None:
    live = sorted(story.live(name)) if name in story.state.workflows else []
    return live[pick % len(live)] if live else None


def exit_(story: Story, name: str, pick: int, dag: Any) -> None:
    step = _running(story, name, pick)
    if step is not None and story.attempt(step, name).ending is None:
        story.exit(step, code=int(pick % 3 == 0), workflow=name)


def start(story: Story, name: str, pick: int, dag: Any) -> None:
    step = _running(story, name, pick)
    if step is not None and story.step(step, name).phase is Phase.READY:
        story.start(step, workflow=name)


def end(story: Story, name: str, pick: int, dag: Any) -> None:
    """The executor has carried out an order to end."""
    step = _running(story, name, pick)
    if step is None:
        return
    ending = story.attempt(step, name).ending
    if ending is not None and not (ending.withdraw and story.step(step, name).phase != "Ready"):
        story.end(step, name, settle=pick % 2 == 0)


def lose(story: Story, name: str, pick: int, dag: Any) -> None:
    step = _running(story, name, pick)
    if step is not None:
        story.end(step, name, how="lost", problem="nobody saw it")


def fail_to_start(story: Story, name: str, pick: int, dag: Any) -> None:
    step = _running(story, name, pick)
    if step is not None and story.step(step, name).phase is Phase.READY:
        story.end(step, name, how="start-failed", problem="not found", settle=pick % 2 == 0)


def mark(story: Story, name: str, pick: int, dag: Any) -> None:
    life = story.state.workflows.get(name)
    named = sorted(life.steps)[: pick % 3] if life is not None else []
    story.mark(f"{pick % 2}/{name}.cancel", name, steps=named, drain=pick % 5 == 0)


def unmark(story: Story, name: str, pick: int, dag: Any) -> None:
    for path, marker in list(story.state.markers.items()):
        story.unmark(path, marker.workflow)


def delete(story: Story, name: str, pick: int, dag: Any) -> None:
    life = story.state.workflows.get(name)
    if life is not None and not life.deleting:
        story.delete(name)


def request(story: Story, name: str, pick: int, dag: Any) -> None:
    life = story.state.workflows.get(name)
    named = sorted(life.steps)[: pick % 3] if life is not None else []
    kind = "cancel" if pick % 7 == 0 else "retry"
    story.ask(kind, *named, workflow=name, downstream=pick % 2 == 0)


def wait(story: Story, name: str, pick: int, dag: Any) -> None:
    story.wait(pick % 30)


def sleep(story: Story, name: str, pick: int, dag: Any) -> None:
    story.now += 60 * SECOND
    story.see(e.MachineSlept(seconds=60)).settle()


def restart(story: Story, name: str, pick: int, dag: Any) -> None:
    """Another controller, perhaps after somebody set the clock."""
    boottime = story.now
    story.now += (pick % 3 - 1) * 3600 * SECOND
    story.controller_starts(boottime=boottime, uptime=boottime)
    story.chance.drawn += 1
    touch_all(story.state)
    story.settle()


DEEDS = [accept, exit_, exit_, exit_, start, start, end, end, lose, fail_to_start, mark, unmark]
DEEDS += [delete, request, wait, sleep, restart]
deeds = st.lists(
    st.tuples(
        st.sampled_from(DEEDS), st.sampled_from(NAMES), st.integers(0, 999), a_dag(fans=True)
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(first=a_dag(fans=True), second=a_dag(fans=True), deeds=deeds)
def test_the_plan_misses_nothing_and_all_settles(
    first: tuple[Steps, dict[str, Any]],
    second: tuple[Steps, dict[str, Any]],
    deeds: list[tuple[Callable[..., None], str, int, Any]],
) -> None:
    story = Watched()
    accept(story, "v", 0, first)
    accept(story, "w", 0, second)
    for deed, name, pick, dag in deeds:
        deed(story, name, pick, dag)
    let_all_end(story)
    for life in story.state.workflows.values():
        assert life.finished or life.phase is Phase.SUSPENDED, story.state.story(life.uid)


def let_all_end(story: Story) -> None:
    story.settle()
    for _ in range(500):
        busy = [(name, step) for name in list(story.state.workflows) for step in story.live(name)]
        if not busy and not story.state.timers:
            return
        for name, step in busy:
            if name in story.state.workflows and step in story.live(name):
                _end_as_wanted(story, name, story.step(step, name))
        story.wait(LONG)
    raise AssertionError("it never ends")


def _end_as_wanted(story: Story, name: str, step: Step) -> None:
    attempt = step.live
    assert attempt is not None
    if attempt.ending is None or (attempt.ending.withdraw and step.phase is Phase.RUNNING):
        story.exit(step.name, workflow=name)
    else:
        story.end(step.name, name)
