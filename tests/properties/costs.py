"""What deeds around a DAG cost, at two sizes: the calls of functions, the same on every machine.

What C does in one call, like copying a dictionary, counts as one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from cProfile import Profile
from random import Random
from typing import Any

import msgspec
from story import Story, a_step, document

from controller.planner.actions import Accept
from controller.planner.permission import Limits
from controller.rehearsal.foresee import changes_of
from controller.spec.reading.load import load
from controller.view import status
from controller.view.changes import difference
from controller.view.lists import listing
from controller.view.look import Look
from controller.view.pages import page
from controller.view.why.explain import Around, causes, ways
from controller.view.why.roots import explanation

RATIO_MAX = 12  # for ten times the steps
LIMITS = Limits(max_parallel=2)
LOOK = Look(now=0, width=80)
UP = Around(runs=True, limits=LIMITS)

Needs = Callable[[int, int], list[int]]
Costs = Iterator[tuple[str, int]]


def too_dear(life: Callable[[int], Costs], size: int) -> dict[str, tuple[int, int]]:
    """The deeds that cost more than they should at ten times the steps, with both costs."""
    small, large = dict(life(size)), dict(life(10 * size))
    return {
        deed: (small[deed], large[deed]) for deed in small if large[deed] > RATIO_MAX * small[deed]
    }


def a_life(count: int) -> Costs:
    first = written(three_before, count)
    edited = written(three_before, count, run="new")
    story = Story(LIMITS, checked=False)
    yield "accept", calls_of(lambda: accept(story, first))
    yield from showing(story, count)
    yield "diff", calls_of(lambda: diff(story, edited))
    yield "edit", calls_of(lambda: accept(story, edited))
    yield "all are skipped", calls_of(lambda: story.exit("s0", code=1))
    yield from (("skipped, " + deed, calls) for deed, calls in showing(story, count))


def a_chain(count: int) -> Costs:
    """What goes from step to step, as far as there are any."""
    first = written(one_before, count)
    waiting = written(one_before, count, run="new", editPolicy="AfterRun")
    story = Story(LIMITS, checked=False)
    accept(story, first)
    yield "diff of an edit that waits", calls_of(lambda: diff(story, waiting))
    story.mark(steps=("s1",))
    yield "skipped, diff under a marker", calls_of(lambda: diff(story, waiting))
    yield from (("skipped, " + deed, calls) for deed, calls in showing(story, count))


def a_fan(count: int) -> Costs:
    """Its list and what it does are edited, and all its children are skipped."""

    def steps(numbers: Iterable[int], **fields: Any) -> list[dict[str, Any]]:
        env = {"N": "${{ item }}"}
        fan = a_step("s", forEach=list(numbers), env=env, parallelism=7, **fields)
        return [fan, a_step("last", "s")]

    story = Story(LIMITS, checked=False)
    yield "expand", calls_of(lambda: story.accept(steps(range(count))))
    yield "another list", calls_of(lambda: story.accept(steps(range(5, count + 5))))
    yield "another order", calls_of(lambda: story.accept(steps(reversed(range(count)))))
    yield "another command", calls_of(lambda: story.accept(steps(range(count), run="other")))
    yield "no list", calls_of(lambda: story.accept(steps([])))
    for name in sorted(story.live() - {"last"}):
        story.end(name)
    story.exit("last")
    skip = "${{ item < 0 }}"
    yield "all are skipped", calls_of(lambda: story.accept(steps(range(count), when=skip)))


def showing(story: Story, count: int) -> Costs:
    state, life = story.state, story.life()
    step = life.steps[f"s{count - 1}"]
    look = Look(now=story.now, width=100)
    yield "status", calls_of(lambda: all_of(page.page(state, life, look)))
    yield "get", calls_of(lambda: listing.list_table(state, [life], look))
    yield "get -o json", calls_of(lambda: status.workflow_shape(state, life))
    yield "explain a step", calls_of(lambda: causes(state, life, step, UP))
    yield "explain a step to people", calls_of(lambda: ways(state, life, step, UP, LOOK))
    yield "explain all", calls_of(lambda: all_of(explanation(state, life, UP, LOOK, {})))


def written(needs: Needs, count: int, run: str = "old", **spec: Any) -> bytes:
    """A document of so many steps; the one in the middle runs `run`."""
    steps = [
        a_step(f"s{n}", *(f"s{other}" for other in needs(n, count)), run=run)
        if n == count // 2
        else a_step(f"s{n}", *(f"s{other}" for other in needs(n, count)))
        for n in range(count)
    ]
    return msgspec.json.encode(document(steps, **spec))


def three_before(step: int, count: int) -> list[int]:
    """Three of the tenth before it: so both sizes have the same form."""
    known = range(max(0, step - count // 10), step)
    return Random(step).sample(known, min(3, len(known)))


def one_before(step: int, _count: int) -> list[int]:
    return [step - 1] if step else []


def accept(story: Story, data: bytes) -> None:
    """From the bytes of a file to the last decision that follows at once."""
    life = story.state.workflows.get("w")
    (found,) = load(data, "w.json").documents
    uid = life.uid if life is not None else None
    story.promise(Accept(document=found.workflow, path="w.json", uid=uid))
    story.settle()


def diff(story: Story, data: bytes) -> None:
    (found,) = load(data, "w.json").documents
    changes = changes_of(story.state, found)
    assert changes[0].is_change
    for change in changes:
        all_of(difference.lines(change, LOOK))


def all_of(lines: Iterable[object]) -> None:
    deque(lines, maxlen=0)


def calls_of(deed: Callable[[], object]) -> int:
    """How many functions it calls, those written in C too; each step of a generator counts."""
    profile = Profile()
    profile.runcall(deed)
    return sum(entry.callcount for entry in profile.getstats())
