"""The queues for slots, and the lines for what steps use: who stands where.

What stands in them is families: a workflow alone, or a definition with all its instances that wait.
Each family has one place for each priority in it: the bucket of its rank (the priority, negative)
and of its attempts that live. So if one of them starts or ends, the family moves as a whole,
however many of its instances wait. Cost: O(1) to enter and to leave; O(places of the family) for an
attempt that starts or ends.
"""

from collections import OrderedDict

from controller.model.state import Line, Queue, Starter, State, Workflow
from controller.spec.placement import MACHINE

SLOTS = ""  # stands for the name of a pool or lock where the line is for slots themselves
HERE: Line = (SLOTS, MACHINE)


def occupied(state: State, workflow: Workflow) -> int:
    """The attempts that live, of its whole family."""
    starter = _starter_above(state, workflow)
    return workflow.occupied if starter is None else starter.occupied


def count_attempt(state: State, workflow: Workflow, by: int) -> None:
    """An attempt lives (+1), or no longer does (-1)."""
    family, before = workflow.family, occupied(state, workflow)
    workflow.occupied += by
    starter = _starter_above(state, workflow)
    if starter is not None:
        starter.occupied += by
    for line, rank in state.seats.get(family, ()):
        queue = find(state, line)
        members = _take_out(queue, (rank, before), family)
        queue.setdefault((rank, before + by), OrderedDict())[family] = members


def move(state: State, line: Line, workflow: Workflow, was: int | None, to: int | None) -> None:
    """From one rank in a line to another one; None: it does not stand there."""
    if was == to:
        return
    if was is not None:
        _leave(state, line, workflow, was)
    if to is not None:
        _enter(state, line, workflow, to)


def find(state: State, line: Line) -> Queue:
    """Those that stand in this line; an empty queue that belongs to nobody if there are none."""
    name, of = line
    if name:
        return state.lines.get(name, {}).get(of, {})
    return state.queue_on.get(of, {}) if of else state.queue


def _starter_above(state: State, workflow: Workflow) -> Starter | None:
    """That of the definition of an instance, which counts for all of them."""
    definition = state.lives.get(workflow.family)
    return None if definition is None else definition.starter


def _enter(state: State, line: Line, workflow: Workflow, rank: int) -> None:
    name, of = line
    if name:
        queue = state.lines.setdefault(name, {}).setdefault(of, {})
    else:
        queue = state.queue_on.setdefault(of, {}) if of else state.queue
    families = queue.setdefault((rank, occupied(state, workflow)), OrderedDict())
    family = workflow.family
    if family not in families:
        families[family] = OrderedDict()
        state.seats.setdefault(family, {})[line, rank] = None
    families[family][workflow.uid] = None


def _leave(state: State, line: Line, workflow: Workflow, rank: int) -> None:
    family, queue = workflow.family, find(state, line)
    key = rank, occupied(state, workflow)
    members = queue[key][family]
    del members[workflow.uid]
    if members:
        return
    _take_out(queue, key, family)
    del state.seats[family][line, rank]
    if not state.seats[family]:
        del state.seats[family]
    if not queue:
        _close(state, line)


def _take_out(queue: Queue, key: tuple[int, int], family: str) -> OrderedDict[str, None]:
    families = queue[key]
    members = families.pop(family)
    if not families:
        del queue[key]
    return members


def _close(state: State, line: Line) -> None:
    name, of = line
    if name:
        del state.lines[name][of]
        if not state.lines[name]:
            del state.lines[name]
    elif of:
        del state.queue_on[of]
