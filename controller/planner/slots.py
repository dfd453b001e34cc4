"""Which ready steps get the free slots, and which queued starts give their place back.

The slots go by priority, fairly between workflows, within limits.

`apply` keeps the workflows that can use a slot in buckets by (-priority, attempts that live). A
slot goes to the longest waiting workflow of the first bucket, which then moves on by one: so of
equal priority the one with the fewest live attempts is next. Cost: O(free slots) to fill them,
whatever waits; O(live attempts) to look for starts to withdraw.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice

from controller.model.events import AttemptEnding
from controller.model.phases import AttemptPhase, Obstacle, Reason
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
    waiting = _in_order(state)
    entry = next(waiting, None)
    heap: list[tuple[int, int, int, str]] = []  # (-priority, occupied, who came first, uid)
    ready: dict[str, Iterator[str]] = {}
    taken: list[Schedule] = []
    while len(taken) < free and (heap or entry):
        # Pull workflows into the heap only as far as they can compete for this slot.
        while entry and (not heap or entry[:2] <= heap[0][:2]):
            workflow = state.lives[entry[3]]
            if why_none_of(workflow, limits) is None:
                ready[workflow.uid] = _startable(workflow, limits)
                heappush(heap, entry)
            entry = next(waiting, None)
        if not heap:
            continue
        priority, occupied, turn, uid = heappop(heap)
        step = next(ready[uid], None)
        if step is None:
            continue
        taken.append(Schedule(uid, step))
        limit = state.lives[uid].parallelism
        if limit is None or occupied + 1 < limit:
            heappush(heap, (priority, occupied + 1, len(state.lives) + turn, uid))
    return taken


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
    Obstacle.NOT_DRIVEN: "this controller starts only what its `treadle run` began",
    Obstacle.SPEC_ABSENT: "its spec is gone from the folder, which is not yet believed",
    Obstacle.FOLDER_HELD: "the specs folder can't be trusted now",
}
_OVERTAKEN = (Reason.WITHDRAWN, "a step of higher priority takes its place")


def overtaken(state: State, limits: Limits) -> list[AttemptEnding]:
    """Queued starts to withdraw, because a step of higher priority waits: lowest and latest first.

    Only while every place is taken. What has started already goes on.
    """
    if not state.queue:
        return []
    highest = -min(key[0] for key in state.queue)
    losers = [
        (workflow, name, attempt)
        for workflow, name, attempt in reversed(_queued(state))
        if workflow.priority < highest
    ]
    if not losers:
        return []
    leaving = sum(attempt.ending is not None for attempt in state.live.values())
    rivals = islice(_rivals(state, limits), leaving, None)  # the first have their places already
    pairs = zip(sorted(losers, key=lambda loser: loser[0].priority), rivals, strict=False)
    return [
        _withdrawn(workflow, name, attempt, *_OVERTAKEN)
        for (workflow, name, attempt), rival in pairs
        if workflow.priority < rival
    ]


def _withdrawn(
    workflow: Workflow, name: str, attempt: Attempt, reason: str, message: str
) -> AttemptEnding:
    return to_end(workflow, workflow.steps[name], attempt, reason, message, withdraw=True)


def _queued(state: State) -> list[tuple[Workflow, str, Attempt]]:
    """The starts that are promised, neither seen nor withdrawn, the earliest first."""
    return [
        (state.lives[uid], name, attempt)
        for (uid, name), attempt in state.live.items()
        if attempt.phase is AttemptPhase.SCHEDULED and attempt.ending is None
    ]


def _rivals(state: State, limits: Limits) -> Iterator[int]:
    """The priorities of the steps that could use a slot, highest first."""
    for priority, occupied, _, uid in _in_order(state):
        workflow = state.lives[uid]
        room = None if workflow.parallelism is None else workflow.parallelism - occupied
        if why_none_of(workflow, limits) is None:
            for _step in islice(_startable(workflow, limits), room):
                yield -priority


def _in_order(state: State) -> Iterator[tuple[int, int, int, str]]:
    for key in sorted(state.queue):
        for place, uid in enumerate(state.queue[key]):
            yield (*key, place, uid)


def _startable(workflow: Workflow, limits: Limits) -> Iterator[str]:
    """The ready steps, the longest waiting first, but for those that run in a held folder."""
    if not limits.held:
        return iter(workflow.ready)
    return (name for name in workflow.ready if why_not_there(workflow, name, limits) is None)
