"""Which ready steps get the free slots, and which queued starts give their place back.

The slots go by priority, fairly between workflows, within limits.

`apply` keeps the workflows that can use a slot in buckets by (-priority, attempts that live). A
slot goes to the longest waiting workflow of the first bucket, which then moves on by one: so of
equal priority the one with the fewest live attempts is next. Cost: O(free slots) to fill them,
whatever waits; O(live attempts) to look for starts to withdraw.
"""

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice, takewhile
from typing import NamedTuple

from controller.model.events import AttemptEnding
from controller.model.phases import Obstacle, Reason
from controller.model.state import Attempt, State, Workflow
from controller.planner.actions import Schedule, to_end
from controller.planner.permission import (
    Limits,
    free_slots,
    why_none_of,
    why_not_by,
    why_not_there,
    why_nothing,
)


def fill(state: State, limits: Limits) -> list[Schedule]:
    """A `Schedule` for each slot that is free and of use, in the order they are to start."""
    free = free_slots(state, limits)
    if free <= 0 or not state.queue or why_nothing(limits) is not None:
        return []
    return [Schedule(turn.uid, turn.step) for turn in islice(_turns(state, limits), free)]


class _Turn(NamedTuple):
    """A slot for this step. The smaller, the sooner: by priority, then fewest slots."""

    sinks: int  # the priority, negative
    held: int  # slots that its workflow holds without this one
    uid: str
    step: str


def _turns(state: State, limits: Limits) -> Iterator[_Turn]:
    """The steps that could use a slot, in the order in which they would get one."""
    waiting = _in_order(state)
    entry = next(waiting, None)
    heap: list[tuple[int, int, int, str]] = []  # (-priority, held, who came first, uid)
    ready: dict[str, Iterator[str]] = {}
    while heap or entry:
        # Pull workflows into the heap only as far as they can compete for this slot.
        while entry and (not heap or entry[:2] <= heap[0][:2]):
            workflow = state.lives[entry[3]]
            if why_none_of(workflow, limits) is None:
                ready[workflow.uid] = _startable(workflow, limits)
                heappush(heap, entry)
            entry = next(waiting, None)
        if not heap:
            continue
        sinks, held, turn, uid = heappop(heap)
        step = next(ready[uid], None)
        if step is None:
            continue
        yield _Turn(sinks, held, uid, step)
        limit = state.lives[uid].parallelism
        if limit is None or held + 1 < limit:
            heappush(heap, (sinks, held + 1, len(state.lives) + turn, uid))


def forbidden(state: State, limits: Limits) -> list[AttemptEnding]:
    """Queued starts to withdraw, since what keeps a ready step from starting keeps them as well.

    What the log knows of that is a wish; this is what only the controller knows.
    """
    if not (limits.short or limits.held or limits.gone or limits.only is not None):
        return []
    return [
        _withdrawn(workflow, name, attempt, obstacle, _MESSAGES[obstacle])
        for workflow, name, attempt in _queued(state)
        if (obstacle := why_not_by(workflow, name, limits)) is not None
    ]


_MESSAGES = {
    Obstacle.DISK_PRESSURE: "the disk is nearly full",
    Obstacle.NOT_DRIVEN: "the controller is a `treadle run`, which starts only its own workflows",
    Obstacle.SPEC_ABSENT: "its spec is missing from the folder",
    Obstacle.FOLDER_HELD: "the specs folder can't be trusted now",
}


def overtaken(state: State, limits: Limits) -> list[AttemptEnding]:
    """Queued starts to withdraw, because it is the turn of steps that wait: the last ones first.

    Only while every place is taken. What has started already goes on. Of equal priority, a
    workflow gives a place to one that holds at least two fewer, so that nothing is swapped back.
    """
    if not state.queue or why_nothing(limits) is not None:
        return []
    places = sorted(_places(state), key=_rank, reverse=True)
    pairs = zip(places, _turns(state, limits), strict=False)
    return [
        _give_way(state, place, turn)
        for place, turn in takewhile(lambda pair: _rank(pair[1]) < _rank(pair[0]), pairs)
    ]


def _rank(turn: _Turn) -> tuple[int, int]:
    return turn.sinks, turn.held


def _places(state: State) -> Iterator[_Turn]:
    """The queued starts, the last ones first, as the turns in which they got their places."""
    held = Counter(uid for (uid, _), one in state.live.items() if not one.gives_way)
    for workflow, step, _ in reversed(_queued(state)):
        held[workflow.uid] -= 1
        yield _Turn(-workflow.priority, held[workflow.uid], workflow.uid, step)


def _give_way(state: State, place: _Turn, turn: _Turn) -> AttemptEnding:
    workflow = state.lives[place.uid]
    who = "higher priority" if turn.sinks < place.sinks else "a workflow that holds fewer slots"
    attempt = state.live[place.uid, place.step]
    message = f"a step of {who} takes its place"
    return _withdrawn(workflow, place.step, attempt, Reason.WITHDRAWN, message)


def _withdrawn(
    workflow: Workflow, name: str, attempt: Attempt, reason: str, message: str
) -> AttemptEnding:
    return to_end(workflow, workflow.steps[name], attempt, reason, message, withdraw=True)


def _queued(state: State) -> list[tuple[Workflow, str, Attempt]]:
    """The queued starts, the earliest first."""
    return [
        (state.lives[uid], name, attempt)
        for (uid, name), attempt in state.live.items()
        if attempt.queued
    ]


def _in_order(state: State) -> Iterator[tuple[int, int, int, str]]:
    for key in sorted(state.queue):
        for place, uid in enumerate(state.queue[key]):
            yield (*key, place, uid)


def _startable(workflow: Workflow, limits: Limits) -> Iterator[str]:
    """The ready steps, the longest waiting first, but for those that run in a held folder."""
    if not limits.held:
        return iter(workflow.ready)
    return (name for name in workflow.ready if why_not_there(workflow, name, limits) is None)
