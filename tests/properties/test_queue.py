"""What queued steps do is what would happen with a queue of no depth, but for time.

A story, and beside it the slots of a shim, which start the queued attempts as soon as they can.
People and processes do random things, one at a time; then both talk until neither has news. At each
start no step that could have started may have come first, and no slot may stay empty.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from story import Story, a_step

from controller.executor.shim.slots import Slots
from controller.executor.shim.spawn import Order
from controller.loop.ports import AttemptId
from controller.model.events import PoolAccepted
from controller.model.indexes import standstill
from controller.model.pools import lack
from controller.model.state import Attempt, Workflow
from controller.planner.permission import Limits

NAMES = ("u", "v", "w")
TALKS_MAX = 50


class Machine:
    """Controller and shim, in step."""

    def __init__(self, slots: int, ahead: int) -> None:
        self.story = Story(Limits(max_parallel=slots, ahead=ahead))
        self.story.see(PoolAccepted(name="gpu", slots=2, path="p.yaml"))
        self.slots = Slots(())
        self.slots.total = slots
        self.ahead = ahead
        self.unseen = ""  # whose step has just ended, which the controller does not know yet

    def do(self, deed: Callable[[Story], Any]) -> None:
        deed(self.story)
        self.story.settle()
        for _ in range(TALKS_MAX):
            before = self.story.state.seq
            self.talk()
            self.start()
            if self.story.state.seq == before:
                return self.nothing_is_idle()
        raise AssertionError("they talk and talk")

    def talk(self) -> None:
        """As one turn: withdrawals and ends, then starts, then what need not be kept."""
        for text, (uid, step), attempt in self.live():
            if attempt.ending is not None:
                self.slots.drop(text)
                self.story.end(step, self.story.state.lives[uid].name)
        for text, (uid, _), attempt in self.live():
            if attempt.queued:
                priority = self.story.state.lives[uid].priority
                self.slots.put(Order(text, 1, [], {}, "/", "log", priority=priority))
        known = {text for text, _, _ in self.live()}
        for text in [one for one in self.slots.held if one not in known]:
            self.slots.give_back(text)

    def live(self) -> list[tuple[str, tuple[str, str], Attempt]]:
        live = self.story.state.live.items()
        return [(str(AttemptId(*key, one.number)), key, one) for key, one in live]

    def start(self) -> list[Workflow]:
        """Whose steps were started."""
        started = []
        for order in self.slots.in_turn():
            if self.slots.free <= 0:
                break
            uid, step, _ = order.id.split("/")
            self.comes_first(uid)
            self.slots.take(order.id, order.priority)
            self.slots.drop(order.id)
            self.story.start(step, workflow=self.story.state.lives[uid].name)
            started.append(self.story.state.lives[uid])
        return started

    def accept(self, name: str, made: list[dict[str, Any]], spec: dict[str, Any]) -> None:
        """What runs holds its slot under the priority that it was started with."""
        life = self.story.state.workflows.get(name)
        if life is not None and self.running(life):
            spec = {**spec, "priority": life.priority}
        self.do(lambda story: story.accept(made, name, **spec))

    def exits(self, choice: int, code: int) -> None:
        """One of the running steps ends; the shim sees it before the controller does."""
        running = sorted(self.slots.held)
        if not running:
            return
        text = running[choice % len(running)]
        uid, step, _ = text.split("/")
        kept_out = self.wait_for_pools()
        if not self.slots.outranks(text):
            self.slots.give_back(text)
            self.unseen = uid
        hasty = self.start()
        self.unseen = ""
        self.do(lambda story: story.exit(step, code, story.state.lives[uid].name))
        for own in hasty:
            for other in self.story.state.workflows.values():
                first = other.priority > own.priority and self.could_start(other)
                # The shim does not know that the slot came with what the other one waited for.
                assert other.uid in kept_out or not first, (
                    f"{own.name} got the slot, and {other.name} follows"
                )

    # ------------------------------------ what must hold

    def running(self, life: Workflow) -> int:
        """As the controller knows it: whose turn it is can't depend on what nobody has told it."""
        held = sum(text.startswith(f"{life.uid}/") for text in self.slots.held)
        return held + (life.uid == self.unseen)

    def wait_for_pools(self) -> set[str]:
        """The lives with a step that waits for what others hold."""
        state = self.story.state
        return {
            life.uid
            for life in state.workflows.values()
            if any(
                str(step.phase) == "Ready" and lack(state, step.uses)
                for step in life.steps.values()
            )
        }

    def could_start(self, life: Workflow) -> bool:
        """By the words of the contract: a queued step is ready, and only what runs counts."""
        ready = [step for step in life.steps.values() if str(step.phase) == "Ready"]
        waiting = [step for step in ready if step.live or not lack(self.story.state, step.uses)]
        full = life.parallelism is not None and self.running(life) >= life.parallelism
        return bool(waiting) and not full and standstill(self.story.state, life) is None

    def comes_first(self, uid: str) -> None:
        own = self.story.state.lives[uid]
        assert self.could_start(own), f"{own.name} may not start anything"
        tolerance = 1 if self.ahead else 0
        for other in self.story.state.workflows.values():
            if not self.could_start(other):
                continue
            assert other.priority <= own.priority, f"{own.name} overtakes {other.name}"
            if other.priority == own.priority:
                fewer = self.running(own) - self.running(other)
                assert fewer <= tolerance, f"it was the turn of {other.name}, not of {own.name}"

    def nothing_is_idle(self) -> None:
        if self.slots.free > 0:
            idle = [life for life in self.story.state.workflows.values() if self.could_start(life)]
            assert not idle, f"{idle[0].name} could start, and a slot is free"


USES: Any = st.sampled_from([[], [], [], ["gpu"], [{"lock": "x"}], ["gpu", {"lock": "x"}]])


def steps(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 8))
    chain = draw(st.sampled_from([False, False, True]))
    return [
        a_step(f"s{index}", *([f"s{index - 1}"] if chain and index else ()), uses=draw(USES))
        for index in range(count)
    ]


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    spec: dict[str, Any] = {"priority": draw(st.sampled_from([0, 0, 0, 1]))}
    if draw(st.sampled_from([False, False, True])):
        spec["parallelism"] = draw(st.integers(1, 3))
    return draw(st.sampled_from(NAMES)), steps(draw), spec


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), documents()),
        *[st.tuples(st.just("exits"), st.tuples(st.integers(0, 9), st.sampled_from([0, 0, 1])))]
        * 3,
        st.tuples(st.just("mark"), st.sampled_from(NAMES)),
        st.tuples(st.just("unmark"), st.sampled_from(NAMES)),
    ),
    min_size=10,
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 3), st.integers(0, 4), DEEDS)
def test_no_start_overtakes_and_no_slot_is_idle(
    slots: int, ahead: int, deeds: list[tuple[str, Any]]
) -> None:
    machine = Machine(slots, ahead)
    for kind, what in deeds:
        if kind == "exits":
            machine.exits(*what)
        elif kind == "accept":
            machine.accept(*what)
        elif kind == "mark":
            machine.do(lambda story, n=what: story.mark(f"{n}.cancel", n, drain=True))
        else:
            machine.do(lambda story, n=what: story.unmark(f"{n}.cancel", n))
