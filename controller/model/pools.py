"""Pools and locks: who holds their slots, and which ready steps wait for them.

Who holds what is known from the attempts that live, so nothing has to be given back: `held` only
finds them by the name of a pool or lock. A ready step that needs one slot waits in `ready`, like
one that uses nothing, as long as there is a free one. When the last one is taken, all steps that
need one are parked, once. What needs several slots at once is parked from the beginning, and so are
all that need what it needs. A step stays parked until it starts or is reset.

It is parked under the first name that it uses, together with the steps of its workflow that use the
same, and need a slot of the same engine: if the oldest of them can't start, neither can the others.
Workflows of which all that is parked under a name uses the same stand in one line. So a turn looks
at no step that waits for a full pool, however many there are: it looks at the lines of names that
have free slots, and of such a line only as far as its steps can start. Cost: O(1), but O(names
under which it has parked steps) for a workflow that starts or ends an attempt.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from controller.model import queues
from controller.model.phases import Obstacle
from controller.model.state import SECOND, Attempt, State, Step, Workflow
from controller.spec.definition import Definition
from controller.spec.placement import SLOTS_OF_ENGINES
from controller.spec.uses import Holding, wants_several

T = TypeVar("T", tuple[int, str], tuple[int, tuple[str, str]])

MIXED = ""  # the line of those workflows whose steps under a name use different things
PATIENCE = 300 * SECOND  # after which nothing may overtake a step that needs several slots

# ---------------------------------------- what there is


def slots(state: State, name: str) -> int:
    """How many the pool or lock has; none if nobody defines the pool."""
    kind, _, of = name.partition(" ")
    if kind == "lock":
        return 1
    return state.pools[of].slots if of in state.pools else 0


def free(state: State, name: str) -> int:
    """How many of its slots nobody holds; negative if there are fewer now than are held."""
    return slots(state, name) - sum(state.held.get(name, {}).values())


def lack(state: State, uses: Sequence[Holding]) -> tuple[Obstacle, Holding] | None:
    """What a step that uses this lacks, the most serious first."""
    for holding in uses:
        if holding.pool and holding.pool not in state.pools:
            return Obstacle.POOL_MISSING, holding
    for holding in uses:
        if holding.slots > slots(state, holding.name):
            return Obstacle.POOL_TOO_SMALL, holding
    for holding in uses:
        if holding.slots > free(state, holding.name):
            return Obstacle.POOL, holding
    return None


def is_overdue(state: State, step: Step) -> bool:
    """Whether nothing of its priority may overtake it any more, where its pools are concerned.

    As of the last record: nothing changes before there is another one.
    """
    return wants_several(step.uses) and state.time - step.since >= PATIENCE


# ---------------------------------------- who holds


def hold(state: State, workflow: Workflow, step: Step, attempt: Attempt) -> list[Workflow]:
    """The attempt holds what it uses; gives the workflows of which steps were parked by that."""
    others: dict[str, Workflow] = {}
    for holding in attempt.uses:
        state.held.setdefault(holding.name, {})[workflow.uid, step.name] = holding.slots
        others |= {life.uid: life for life in park(state, holding.name)}
    return [*others.values()]


def release(state: State, workflow: Workflow, step: Step, attempt: Attempt) -> None:
    for holding in attempt.uses:
        holders = state.held[holding.name]
        del holders[workflow.uid, step.name]
        if not holders:
            del state.held[holding.name]


def park(state: State, name: str) -> list[Workflow]:
    """Park those that need one slot of it, if they can't have it; gives their workflows."""
    if name not in state.takers or not _is_short(state, name):
        return []
    steps = [(state.lives[uid], step) for uid, step in state.takers.pop(name)]
    found = [(workflow, workflow.steps[step]) for workflow, step in steps]
    for workflow, step in sorted(found, key=lambda taker: taker[1].ready_seq):
        strike(workflow, step)
        _park(state, workflow, step)
    return [workflow for workflow, _ in found]


def _is_short(state: State, name: str) -> bool:
    """Whether who needs one slot has to wait, or may have to: for one that needs several."""
    return name in state.several or free(state, name) <= 0


# ---------------------------------------- who waits


def wait(state: State, workflow: Workflow, step: Step) -> list[Workflow]:
    """Only a slot is missing, or something that it uses. Where it waits already, it stays.

    Gives the workflows of which steps were parked by that.
    """
    if is_ready(workflow, step) or is_parked(workflow, step):
        return []
    return wait_anew(state, workflow, step)


def wait_anew(state: State, workflow: Workflow, step: Step) -> list[Workflow]:
    """As `wait`, once it is forgotten what it used. If it stays in `ready`, then at its place."""
    if not step.uses:
        enlist(workflow, step)
        return []
    first, key = step.uses[0].name, (workflow.uid, step.name)
    if not wants_several(step.uses) and not _is_short(state, first):
        enlist(workflow, step)
        state.takers.setdefault(first, {})[key] = None
        return []
    strike(workflow, step)
    _park(state, workflow, step)
    if not wants_several(step.uses):
        return []
    for holding in step.uses:
        insort(state.several.setdefault(holding.name, []), (step.ready_seq, key))
    return [life for holding in step.uses for life in park(state, holding.name)]


def leave(state: State, workflow: Workflow, step: Step) -> None:
    """It waits for nothing, or no longer does."""
    forget(state, workflow, step)
    strike(workflow, step)


def change_slots(state: State, workflow: Workflow, step: Step, definition: Definition) -> None:
    """A parked step is to need a slot of another engine, or of this machine."""
    _unpark(state, workflow, step)
    step.definition = definition
    _park(state, workflow, step)


def forget(state: State, workflow: Workflow, step: Step) -> None:
    """It waits for nothing that it uses, or no longer does."""
    if step.uses:
        key = workflow.uid, step.name
        if is_ready(workflow, step):
            takers = state.takers[step.uses[0].name]
            del takers[key]
            if not takers:
                del state.takers[step.uses[0].name]
        elif is_parked(workflow, step):
            _unpark(state, workflow, step)
            for holding in step.uses if wants_several(step.uses) else ():
                _take_out(state.several, holding.name, (step.ready_seq, key))


def is_ready(workflow: Workflow, step: Step) -> bool:
    """Whether only a slot is missing."""
    return step.name in workflow.ready_for(step.definition.slots)


def enlist(workflow: Workflow, step: Step) -> None:
    """Only a slot is missing; where it stands already, it stays."""
    slots = step.definition.slots
    ready = workflow.ready_on.setdefault(slots, OrderedDict()) if slots else workflow.ready
    ready[step.name] = None


def strike(workflow: Workflow, step: Step) -> None:
    """It no longer is one of those that only miss a slot."""
    slots = step.definition.slots
    ready = workflow.ready_for(slots)
    ready.pop(step.name, None)
    if slots and not ready:
        workflow.ready_on.pop(slots, None)


def is_parked(workflow: Workflow, step: Step) -> bool:
    groups = workflow.parked.get(step.uses[0].name, {}) if step.uses else {}
    steps, own = groups.get(alike(step), []), (step.ready_seq, step.name)
    place = bisect_left(steps, own)
    return place < len(steps) and steps[place] == own


def waiting(workflow: Workflow) -> Iterator[str]:
    """The steps that may start as soon as there is a slot, and what they use."""
    yield from workflow.ready
    for ready in workflow.ready_on.values():
        yield from ready
    yield from parked(workflow)


def parked(workflow: Workflow) -> Iterator[str]:
    for groups in workflow.parked.values():
        for steps in groups.values():
            yield from (name for _, name in steps)


def in_words(uses: Sequence[Holding]) -> str:
    """`pool api (3 slots), lock db-acme`."""
    return ", ".join(
        holding.name if holding.slots == 1 else f"{holding.name} ({holding.slots} slots)"
        for holding in uses
    )


def alike(step: Step) -> str:
    """The same for those that use the same, and need a slot of the same engine besides, or one of
    this machine. No name has a line break.
    """
    uses = "\n".join(f"{holding.slots} {holding.name}" for holding in step.uses)
    return f"{uses}\n{where}" if (where := step.definition.slots) else uses


def may_need_engine(line: str) -> bool:
    """Whether a step in the line may need a slot of an engine."""
    return line == MIXED or line.rpartition("\n")[2] in SLOTS_OF_ENGINES


def _park(state: State, workflow: Workflow, step: Step) -> None:
    first = step.uses[0].name
    groups = workflow.parked.setdefault(first, {})
    before = dict.fromkeys(islice(groups, 2))
    insort(groups.setdefault(alike(step), []), (step.ready_seq, step.name))
    _change_line(state, workflow, first, before)


def _unpark(state: State, workflow: Workflow, step: Step) -> None:
    first = step.uses[0].name
    groups = workflow.parked[first]
    before = dict.fromkeys(islice(groups, 2))
    _take_out(groups, alike(step), (step.ready_seq, step.name))
    _change_line(state, workflow, first, before)
    if not groups:
        del workflow.parked[first]
    if not workflow.parked:
        workflow.line_rank = None


def line_of(groups: Mapping[str, object]) -> str:
    """The line in which their workflow stands: by what they use."""
    return MIXED if len(groups) > 1 else next(iter(groups))


def _change_line(
    state: State, workflow: Workflow, first: str, groups: Mapping[str, object]
) -> None:
    """`groups`: those that were parked under this name before."""
    now = workflow.parked[first]
    if groups and now and line_of(groups) == line_of(now):
        return
    rank = workflow.line_rank
    if groups:
        queues.move(state, (first, line_of(groups)), workflow, rank, None)
    if now:
        queues.move(state, (first, line_of(now)), workflow, None, rank)


def line_up(state: State, workflow: Workflow, rank: int | None) -> None:
    """Put the workflow into its place in all lines in which it stands, or take it out."""
    if not workflow.parked:
        return
    for first, groups in workflow.parked.items():
        queues.move(state, (first, line_of(groups)), workflow, workflow.line_rank, rank)
    workflow.line_rank = rank


def _take_out(lines: dict[str, list[T]], name: str, entry: T) -> None:
    line = lines[name]
    del line[bisect_left(line, entry)]
    if not line:
        del lines[name]


def find_again(state: State) -> None:
    """Make those indexes again that follow from the others: a state was read back."""
    for (uid, name), attempt in state.live.items():
        hold(state, state.lives[uid], state.lives[uid].step(name), attempt)
    for workflow in state.lives.values():
        for name in waiting(workflow):
            step, key = workflow.step(name), (workflow.uid, name)
            for holding in step.uses:
                if wants_several(step.uses):
                    state.several.setdefault(holding.name, []).append((step.ready_seq, key))
                elif is_ready(workflow, step):
                    state.takers.setdefault(holding.name, {})[key] = None
    for line in state.several.values():
        line.sort()
