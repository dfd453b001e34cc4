"""Pools and locks under random steps, instances, edits, priorities, ends and restarts.

The plan is compared with rules that are said again here in the simplest way: they look at each step
of each workflow, and at nothing that an index knows.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from story import Story, a_step, dump

from controller.model import events as e
from controller.model.image import freeze, thaw
from controller.model.indexes import is_full, kept_back_by, standstill
from controller.model.invariants import check
from controller.model.phases import Phase
from controller.model.state import SECOND, State, Step, Workflow
from controller.planner.actions import Schedule
from controller.planner.permission import Limits, free_slots, why_not
from controller.planner.slots import fill
from controller.spec.uses import Holding

NAMES = ("u", "v", "w")
POOLS = ("api", "gpu")
WAIT = 300 * SECOND

USES: Any = st.lists(
    st.one_of(
        st.sampled_from(POOLS),
        st.builds(
            lambda pool, slots: {"pool": pool, "slots": slots},
            st.sampled_from(POOLS),
            st.integers(1, 3),
        ),
        st.builds(lambda name: {"lock": name}, st.sampled_from(["x", "y", "${{ params.own }}"])),
    ),
    max_size=3,
    unique_by=lambda one: str(one.get("pool", one) if isinstance(one, dict) else one),
)


# ---------------------------------------- the rules, said again


def slots_of(state: State, one: Holding) -> int:
    if one.lock:
        return 1
    return state.pools[one.pool].slots if one.pool in state.pools else 0


def held(state: State, one: Holding, given: list[Step]) -> int:
    uses = [attempt.uses for attempt in state.live.values()] + [step.uses for step in given]
    return sum(each.slots for some in uses for each in some if each.name == one.name)


def several(step: Step) -> bool:
    return sum(one.slots for one in step.uses) > 1


class Waiting(NamedTuple):
    workflow: Workflow
    step: Step

    def may_start(self, state: State) -> bool:
        """Slots and pools aside."""
        return (
            standstill(state, self.workflow) is None
            and not is_full(self.workflow)
            and kept_back_by(self.workflow, self.step) is None
        )

    def fits(self, state: State, given: list[Step]) -> bool:
        return all(
            held(state, one, given) + one.slots <= slots_of(state, one) for one in self.step.uses
        )

    def is_first_for(self, state: State, other: "Waiting") -> bool:
        """Whether the other may not take what this one waits for."""
        shared = {one.name for one in self.step.uses} & {one.name for one in other.step.uses}
        long = several(self.step) and state.time - self.step.since >= WAIT
        could = all(one.slots <= slots_of(state, one) for one in self.step.uses)
        if self.step is other.step or not (shared and long and could and self.may_start(state)):
            return False
        if other.workflow.priority != self.workflow.priority:
            return self.workflow.priority > other.workflow.priority
        both = several(other.step) and state.time - other.step.since >= WAIT
        return not both or self.step.ready_seq < other.step.ready_seq


def waiting(state: State) -> list[Waiting]:
    return [
        Waiting(workflow, step)
        for workflow in state.workflows.values()
        for step in workflow.steps.values()
        if step.phase is Phase.READY and step.live is None and not step.is_parent
    ]


def able(state: State, given: list[Step], limits: Limits) -> Iterator[Waiting]:
    """Those that could start now, wherever they run."""
    others = [one for one in waiting(state) if one.step not in given]
    for one in others:
        waits = any(other.is_first_for(state, one) for other in others)
        where = one.step.definition.slots
        taken = sum(step.definition.slots == where for step in given)
        room = free_slots(state, limits, where) > taken
        if one.may_start(state) and one.fits(state, given) and room and not waits:
            yield one


def check_turn(state: State, starts: list[Schedule], limits: Limits) -> None:
    """Each start is the right one. A definition and its instances count as one."""
    given: list[Step] = []
    whose: list[Workflow] = []

    def rank(one: Waiting) -> tuple[int, int]:
        family = one.workflow.family
        live = sum(life.occupied for life in state.lives.values() if life.family == family)
        return -one.workflow.priority, live + sum(life.family == family for life in whose)

    for start in starts:
        workflow = state.lives[start.uid]
        mine = Waiting(workflow, workflow.steps[start.step])
        found = [one for one in able(state, given, limits) if not _at_its_limit(one, given)]
        assert mine in found, f"{mine.step.name} of {workflow.name} can't start"
        assert rank(mine) == min(map(rank, found)), f"it is not the turn of {mine.step.name}"
        ours = [one.step.since for one in found if one.workflow is workflow]
        assert mine.step.since == min(ours), f"{mine.step.name} has not waited for longest"
        given.append(mine.step)
        whose.append(workflow)


def _at_its_limit(one: Waiting, given: list[Step]) -> bool:
    limit = one.workflow.parallelism
    own = sum(step in one.workflow.steps.values() for step in given)
    return limit is not None and one.workflow.occupied + own >= limit


# ---------------------------------------- what happens


class Machine:
    def __init__(self, slots: int, jobs: int) -> None:
        self.story = Story(Limits(max_parallel=slots, engines={"slurm": jobs}))
        self.story.on_pass = self.check_pass

    def check_pass(self, actions: list[Any]) -> None:
        if actions and all(isinstance(one, Schedule) for one in actions):
            check_turn(self.story.state, actions, self.story.limits)

    def do(self, kind: str, what: Any) -> None:
        story = self.story
        before = len(story.records)
        if kind == "accept":
            name, steps, spec = what
            story.convert(steps, name, **spec)
        elif kind == "begin":
            self.begin(*what)
        elif kind == "pool":
            name, count = what
            if count:
                story.see(e.PoolAccepted(name=name, slots=count, path="p.yaml")).settle()
            elif name in story.state.pools:
                story.see(e.PoolRemoved(name=name)).settle()
        elif kind == "mark":
            story.mark(f"{what}.cancel", what, drain=True)
        elif kind == "unmark":
            if f"{what}.cancel" in story.state.markers:
                story.unmark(f"{what}.cancel", what)
        elif kind == "slots":
            story.limits = Limits(max_parallel=what, engines=story.limits.engines)
            story.settle()
        elif kind == "wait":
            story.wait(what)
        elif kind == "restart":
            story.state = thaw(freeze(story.state))
            story.controller_starts()
            story.settle()
        else:
            self.end(*what)
        self.check_rest(before)

    def begin(self, name: str, count: int) -> None:
        """Some instances, if it is a definition."""
        life = self.story.state.workflows.get(name)
        for _ in range(count if life is not None and life.starter is not None else 0):
            self.story.ask("start", workflow=name)

    def end(self, choice: int, how: str) -> None:
        live = sorted(self.story.state.live)
        if not live:
            return
        uid, step = live[choice % len(live)]
        name = self.story.state.lives[uid].name
        if self.story.attempt(step, name).ending is not None:
            self.story.end(step, name)
        elif how == "lost":
            self.story.end(step, name, how="lost", problem="gone")
        else:
            self.story.exit(step, int(how == "fail"), name)

    def check_rest(self, before: int) -> None:
        state = self.story.state
        check(state)
        for record in self.story.records[before:]:
            if isinstance(record.event, e.AttemptScheduled):
                for one in record.event.uses:
                    assert one.slots <= slots_of(state, one) or record.seq < state.seq
        assert not fill(state, self.story.limits)
        could = able(state, [], self.story.limits)
        left = [one.step.name for one in could if not _at_its_limit(one, [])]
        assert not left, f"{left} could start"
        for one in waiting(state):
            assert why_not(state, one.workflow, one.step, self.story.limits) is not None
        again = thaw(freeze(state))
        assert dump(again) == dump(state)


@st.composite
def documents(
    draw: st.DrawFn, names: tuple[str, ...] = NAMES
) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    steps = [
        a_step(
            f"s{index}",
            *([f"s{index - 1}"] if index and draw(st.sampled_from([False, False, True])) else ()),
            uses=draw(USES),
            executor=draw(st.sampled_from(["local", "local", {"slurm": {}}])),
            **({"forEach": [1, 2]} if draw(st.sampled_from([False] * 5 + [True])) else {}),
            retry={"limit": 1},
        )
        for index in range(draw(st.integers(1, 5)))
    ]
    name = draw(st.sampled_from(names))
    spec: dict[str, Any] = {
        "priority": draw(st.sampled_from([0, 0, 0, 1])),
        "params": {"own": draw(st.sampled_from(["x", name]))},
    }
    if draw(st.sampled_from([False, False, True])):
        spec["parallelism"] = draw(st.integers(1, 3))
    if draw(st.sampled_from([False] * 6 + [True])):
        spec["suspend"] = True
    if draw(st.sampled_from([False, False, True])):
        allow = st.sampled_from(["Allow", "Allow", {"policy": "Queue", "limit": 2}])
        spec |= {"triggers": [], "concurrency": draw(allow)}
    spec["editPolicy"] = draw(st.sampled_from(["Reconcile", "AfterRun"]))
    return name, steps, spec


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), documents()),
        st.tuples(st.just("pool"), st.tuples(st.sampled_from(POOLS), st.integers(0, 4))),
        st.tuples(st.just("wait"), st.sampled_from([1, 100, 301])),
        st.tuples(st.sampled_from(["mark", "unmark"]), st.sampled_from(NAMES)),
        st.tuples(st.just("restart"), st.none()),
        *[st.tuples(st.just("slots"), st.sampled_from([0, 1, 2, 4, 9]))] * 2,
        *[st.tuples(st.just("begin"), st.tuples(st.sampled_from(NAMES), st.integers(1, 4)))] * 2,
        *[
            st.tuples(
                st.just("end"),
                st.tuples(st.integers(0, 9), st.sampled_from(["exit", "exit", "fail", "lost"])),
            )
        ]
        * 4,
    ),
    min_size=10,
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(*[documents((name,)) for name in NAMES]),
    st.sampled_from([1, 2, 4, 9]),
    st.sampled_from([1, 2, 9]),
    DEEDS,
)
def test_whoever_can_start_does_in_its_turn_and_nobody_else(
    waiting: tuple[Any, ...], slots: int, jobs: int, deeds: list[tuple[str, Any]]
) -> None:
    """At first several wait, since there is no slot for them."""
    machine = Machine(0, jobs)
    first = [("accept", one) for one in waiting] + [("begin", (name, 2)) for name in NAMES]
    for kind, what in [*[("pool", (name, 2)) for name in POOLS], *first, ("slots", slots), *deeds]:
        machine.do(kind, what)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 4),
    st.integers(2, 4),
    st.lists(st.integers(0, 9), min_size=40, max_size=40),
    st.booleans(),
)
def test_who_needs_several_waits_no_longer_than_those_that_run(
    total: int, wants: int, ends: list[int], lock: bool
) -> None:
    """Although others of its priority come all the time, and each needs less."""
    wants = min(wants, total)
    story = Story()
    story.see(e.PoolAccepted(name="api", slots=total, path="p.yaml"))
    story.accept([a_step(f"s{index}", uses=["api"]) for index in range(total)], "first")
    uses: list[Any] = [{"pool": "api", "slots": wants}, *([{"lock": "x"}] if lock else [])]
    story.accept([a_step("a", uses=uses)], "big")
    ended_since = 0
    for number, choice in enumerate(ends):
        story.accept([a_step("a", uses=["api"])], f"late-{number}").wait(30)
        if story.live("big"):
            return
        uid, step = sorted(story.state.live)[choice % len(story.state.live)]
        story.exit(step, workflow=story.state.lives[uid].name)
        ended_since += number >= 10
        assert ended_since <= total or story.live("big"), "it was overtaken"
    assert story.live("big")
