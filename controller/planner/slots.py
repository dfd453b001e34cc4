"""Which ready steps get the free slots, and which queued starts give their place back.

The slots go by priority, fairly between workflows, within limits.

`apply` keeps the workflows that can use a slot in buckets by (-priority, attempts that live). A
slot goes to the longest waiting workflow of the first bucket, which then moves on by one: so of
equal priority the one with the fewest live attempts is next; a definition with its instances counts
as one. In the same way they stand in the line
for each pool or lock that keeps a step of theirs waiting. The lines of those that have a free slot
take part, so a step gets what it uses and its slot at once, or nothing. Cost: O(free slots) to fill
them, whatever waits; O(live attempts) to look for starts to withdraw; with pools O(lines) besides.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush, merge
from itertools import chain, filterfalse, islice, takewhile
from typing import NamedTuple

from controller.model.events import AttemptEnding
from controller.model.indexes import standstill
from controller.model.phases import Obstacle, Reason
from controller.model.pools import MIXED, free, is_overdue, may_need_engine
from controller.model.state import Attempt, Queue, QueueKey, State, Step, Workflow
from controller.planner.actions import Schedule, to_end
from controller.planner.permission import (
    Limits,
    Overdue,
    free_slots,
    may_overtake,
    overdue,
    why_none_of,
    why_not_by,
    why_not_there,
    why_not_with,
    why_nothing,
)
from controller.spec.placement import LOCAL, MACHINE, SLOTS_OF_ENGINES
from controller.spec.uses import Holding


def fill(state: State, limits: Limits) -> list[Schedule]:
    """A `Schedule` for each slot that is free and of use, in the order they are to start.

    A step that uses something is never queued ahead: it would hold that without running. When it is
    its turn, no step behind it is queued either, so that it gets the next slot that really is free.

    Where several have free slots, those whose turn it is go first, wherever they run; as soon as it
    is the turn of another one, the next pass goes on: what one takes, the others can't have.
    """
    if not (state.queue or state.queue_on or state.lines) or why_nothing(limits) is not None:
        return []
    if not (state.queue_on or any(map(may_need_engine, _lines(state)))):
        return [Schedule(turn.uid, turn.step) for turn in _starts(state, limits, MACHINE)]
    lines = [_starts(state, limits, where) for where in (MACHINE, *SLOTS_OF_ENGINES)]
    heads = [(_rank_of(state, turn), turn, line) for line in lines for turn in islice(line, 1)]
    if not heads:
        return []
    (_, first, line), *others = sorted(heads, key=lambda head: head[0])
    if others:
        line = takewhile(lambda turn: _rank_of(state, turn) < others[0][0], line)
    return [Schedule(turn.uid, turn.step) for turn in chain([first], line)]


def _lines(state: State) -> Iterator[str]:
    return chain.from_iterable(state.lines.values())


def _rank_of(state: State, turn: "_Turn") -> tuple[int, int, int]:
    return turn.sinks, turn.held, state.lives[turn.uid].step(turn.step).ready_seq


def _starts(state: State, limits: Limits, where: str) -> Iterator["_Turn"]:
    """Those that may start now on this machine (MACHINE), or by an engine."""
    places = free_slots(state, limits, where)
    if places <= 0 or not (_queue(state, where) or state.lines):
        return
    ahead = 0 if where else limits.ahead
    for number, turn in enumerate(islice(_turns(state, limits, where), places)):
        step = state.lives[turn.uid].step(turn.step) if state.lines or state.takers else None
        if step is not None and step.uses and number >= places - ahead:
            return
        yield turn
        if step is not None and is_overdue(state, step):
            return  # what was kept for it no longer is: the next pass goes on


class _Turn(NamedTuple):
    """A slot for this step. The smaller, the sooner: by priority, then fewest slots."""

    sinks: int  # the priority, negative
    held: int  # slots that its workflow holds without this one
    uid: str
    step: str


def _queue(state: State, where: str) -> Queue:
    return state.queue_on.get(where, {}) if where else state.queue


def _turns(state: State, limits: Limits, where: str) -> Iterator[_Turn]:
    """The steps that could use a slot there, in the order in which they would get one."""
    left = _Left(state, limits)
    waiting = _in_order(state, left, where)
    entry = next(waiting, None)
    heap: list[tuple[int, int, int, str]] = []  # (-priority, held, who came first, uid)
    ready: dict[str, Iterator[str]] = {}
    given, counted, own = Counter[str](), dict[str, int](), Counter[str]()
    while heap or entry:
        # Pull workflows into the heap only as far as they can compete for this slot.
        while entry and (not heap or entry < heap[0]):
            workflow = state.lives[entry[3]]
            if why_none_of(workflow, limits) is None:
                ready[workflow.uid] = _startable(state, workflow, limits, left, where)
                heappush(heap, entry)
                counted[workflow.uid] = 0
            entry = next(waiting, None)
        if not heap:
            continue
        sinks, held, turn, uid = heappop(heap)
        workflow = state.lives[uid]
        more = given[workflow.family] - counted[uid]
        if more:  # slots went to other instances of its definition
            counted[uid] += more
            heappush(heap, (sinks, held + more, turn, uid))
            continue
        step = next(ready[uid], None)
        if step is None:
            continue
        yield _Turn(sinks, held, uid, step)
        left.take(workflow, step)
        given[workflow.family] += 1
        own[uid] += 1
        counted[uid] = given[workflow.family]
        limit = workflow.parallelism
        if limit is None or workflow.occupied + own[uid] < limit:
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
        and obstacle in _MESSAGES
        and not (attempt.slots and obstacle is Obstacle.FOLDER_HELD)
    ]


_MESSAGES = {
    Obstacle.DISK_PRESSURE: "the disk is nearly full",
    Obstacle.NOT_DRIVEN: "the controller is a `treadle run`, which starts only its own workflows",
    Obstacle.SPEC_ABSENT: "its spec is missing from the folder, or not read yet",
    Obstacle.FOLDER_HELD: "the specs folder can't be trusted now",
}


def overtaken(state: State, limits: Limits) -> list[AttemptEnding]:
    """Queued starts to withdraw, because it is the turn of steps that wait: the last ones first.

    Only while every place is taken, and only on this machine: in the queue of an engine, its place
    would be lost. What has started already goes on. Of equal priority, a
    workflow gives a place to one that holds at least two fewer, so that nothing is swapped back.
    """
    if not (state.queue or state.lines) or why_nothing(limits) is not None:
        return []
    places = sorted(_places(state), key=_rank, reverse=True)
    pairs = zip(places, _turns(state, limits, MACHINE), strict=False)
    return [
        _give_way(state, place, turn)
        for place, turn in takewhile(lambda pair: _rank(pair[1]) < _rank(pair[0]), pairs)
    ]


def _rank(turn: _Turn) -> tuple[int, int]:
    return turn.sinks, turn.held


def _places(state: State) -> Iterator[_Turn]:
    """The queued starts, the last ones first, as the turns in which they got their places."""
    lives = state.lives
    held = Counter(
        lives[uid].family for (uid, _), attempt in state.live.items() if not attempt.gives_way
    )
    for workflow, step, attempt in reversed(_queued(state)):
        if attempt.engine != LOCAL and attempt.slots != MACHINE:
            continue
        held[workflow.family] -= 1
        yield _Turn(-workflow.priority, held[workflow.family], workflow.uid, step)


def _give_way(state: State, place: _Turn, turn: _Turn) -> AttemptEnding:
    workflow = state.lives[place.uid]
    who = "higher priority" if turn.sinks < place.sinks else "a workflow that holds fewer slots"
    attempt = state.live[place.uid, place.step]
    message = f"a step of {who} takes its place"
    return _withdrawn(workflow, place.step, attempt, Reason.WITHDRAWN, message)


def _withdrawn(
    workflow: Workflow, name: str, attempt: Attempt, reason: str, message: str
) -> AttemptEnding:
    return to_end(workflow, workflow.step(name), attempt, reason, message, withdraw=True)


def _queued(state: State) -> list[tuple[Workflow, str, Attempt]]:
    """The queued starts, the earliest first."""
    return [
        (state.lives[uid], name, attempt)
        for (uid, name), attempt in state.live.items()
        if attempt.queued
    ]


# ---------------------------------------- whose turn it is


class _Left:
    """What this plan has not given away yet of pools and locks."""

    def __init__(self, state: State, limits: Limits) -> None:
        self._state, self._limits = state, limits
        self._free: dict[str, int] = {}
        self._first: dict[str, Overdue | None] = {}

    def of(self, name: str) -> int:
        """The free slots of the pool or lock."""
        if name not in self._free:
            self._free[name] = free(self._state, name)
        return self._free[name]

    def first(self, name: str) -> Overdue | None:
        """Which of those that wait for it may not be overtaken."""
        if name not in self._first:
            self._first[name] = overdue(self._state, name, self._limits)
        return self._first[name]

    def suffices(self, uses: Iterable[Holding]) -> bool:
        return all(holding.slots <= self.of(holding.name) for holding in uses)

    def has(self, workflow: Workflow, name: str) -> bool:
        """Whether the step can have all that it uses."""
        uses = workflow.step(name).uses
        firsts = (self.first(holding.name) for holding in uses)
        return self.suffices(uses) and all(
            first is None or may_overtake(workflow, name, first) for first in firsts
        )

    def take(self, workflow: Workflow, name: str) -> None:
        for holding in workflow.step(name).uses:
            self._free[holding.name] = self.of(holding.name) - holding.slots


_Entry = tuple[QueueKey, int, str]  # of a workflow: the turn of its first step, its uid


def _in_order(state: State, left: _Left, where: str) -> Iterator[tuple[int, int, int, str]]:
    """The workflows that can use a slot: (-priority, attempts that live, place, uid)."""
    open_lines = [
        entries
        for name, lines in state.lines.items()
        if left.of(name) > 0
        for line, queue in lines.items()
        for entries in _of_line(state, name, line, queue, left, where)
    ]
    if not open_lines:
        queue = _queue(state, where)
        entries = ((key, uid) for key in sorted(queue) for uid in queue[key])
        yield from ((*key, place, uid) for place, (key, uid) in enumerate(entries))
        return
    seen = set[str]()
    for place, (key, _, uid) in enumerate(merge(_of_queue(state, where), *open_lines)):
        if uid not in seen:
            seen.add(uid)
            yield (*key, place, uid)


def _of_queue(state: State, where: str) -> Iterator[_Entry]:
    queue = _queue(state, where)
    for key in sorted(queue):
        for uid in queue[key]:
            workflow = state.lives[uid]
            yield key, workflow.step(next(iter(workflow.ready_for(where)))).ready_seq, uid


def _of_line(
    state: State, name: str, line: str, queue: Queue, left: _Left, where: str
) -> Iterator[Iterable[_Entry]]:
    """Those of the line that may have what they use; none if there is not enough for one, or if
    they need a slot elsewhere.

    If somebody may not be overtaken, those of a higher priority, and that one.
    """
    if line == MIXED:  # each of these workflows is asked by itself
        yield _parked(state, name, queue)
        return
    first_step = _first_in(state, name, queue)
    uses = first_step.uses
    if first_step.definition.slots != where or not left.suffices(uses):
        return
    firsts = [first for holding in uses if (first := left.first(holding.name)) is not None]
    entries = _parked(state, name, queue)
    if firsts:
        floor = max(first.priority for first in firsts)
        entries = takewhile(lambda entry: -entry[0][0] > floor, entries)
        for uid, step in {first.key for first in firsts}:
            life = state.lives[uid]
            if life.lined_as is not None:
                yield [(life.lined_as, life.steps[step].ready_seq, uid)]
    yield takewhile(lambda _: left.suffices(uses), entries)


def _first_in(state: State, name: str, queue: Queue) -> Step:
    """The first step of the line: what it uses, and where, all of them do if it is not mixed."""
    workflow = state.lives[next(iter(next(iter(queue.values()))))]
    return workflow.steps[next(iter(workflow.parked[name].values()))[0][1]]


def _parked(state: State, name: str, queue: Queue) -> Iterator[_Entry]:
    for key in sorted(queue):
        for uid in queue[key]:
            groups = state.lives[uid].parked[name].values()
            yield key, min(steps[0][0] for steps in groups), uid


def _startable(
    state: State, workflow: Workflow, limits: Limits, left: _Left, where: str
) -> Iterator[str]:
    """Its ready hook, then its ready steps that can have what they use, the longest waiting first.

    But for those that run in a held folder, or by an engine that can't be reached. Of steps that
    use the same, only the first is asked.
    """
    yield from _there(
        workflow,
        filter(workflow.hooks.__contains__, islice(workflow.ready_for(where), 1)),
        limits,
    )
    if standstill(state, workflow) is not None:
        return
    ready = filterfalse(workflow.hooks.__contains__, workflow.ready_for(where))
    if not (workflow.parked or state.takers):  # what is ready uses nothing
        yield from _there(workflow, ready, limits)
        return
    parked = [
        (name for _, name in steps)
        for groups in workflow.parked.values()
        for steps in groups.values()
        if workflow.steps[steps[0][1]].definition.slots == where
    ]
    lines = [_there(workflow, names, limits) for names in (ready, *parked)]
    heads = [next(line, None) for line in lines]
    while True:
        found = []
        for place, line in enumerate(lines):
            while (name := heads[place]) is not None and not left.has(workflow, name):
                heads[place] = None if place else next(line, None)
            if name is not None:
                found.append((workflow.steps[name].ready_seq, place, name))
        if not found:
            return
        _, place, name = min(found)
        yield name
        heads[place] = next(lines[place], None)


def _there(workflow: Workflow, names: Iterable[str], limits: Limits) -> Iterator[str]:
    if not (limits.held or limits.away):
        return iter(names)
    return (
        name
        for name in names
        if why_not_there(workflow, name, limits) is None
        and why_not_with(workflow, name, limits) is None
    )
