"""Which ready steps get the free slots, and which queued starts give their place back.

The slots go by priority, fairly between workflows, within limits.

`apply` keeps what can use a slot in buckets by (-priority, attempts that live): families, which are
a workflow alone, or a definition with its instances. A slot goes to the longest waiting family of
the first bucket, which then moves on by one: so of equal priority the one with the fewest live
attempts is next. In a family each workflow gets one step before any gets another one. In the same
way they stand in the line for each pool or lock that keeps a step of theirs waiting. The lines of
those that have a free slot take part, so a step gets what it uses and its slot at once, or nothing.
Cost: O(free slots) to fill them, whatever waits; O(live attempts) to look for starts to withdraw;
with pools O(lines) besides.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import heappop, heappush, merge
from itertools import chain, filterfalse, islice, takewhile
from typing import NamedTuple

from controller.model.events import AttemptEnding
from controller.model.indexes import standstill
from controller.model.phases import Obstacle, Reason
from controller.model.pools import MIXED, free, is_overdue, may_need_engine
from controller.model.queues import SLOTS, find
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
    if places <= 0 or not (find(state, (SLOTS, where)) or state.lines):
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
    held: int  # slots that its family holds without this one
    uid: str
    step: str


def _turns(state: State, limits: Limits, where: str) -> Iterator[_Turn]:
    """The steps that could use a slot there, in the order in which they would get one."""
    left = _Left(state, limits)
    waiting = _Waiting(state, left, where)
    families = waiting.families()
    entry = next(families, None)
    heap: list[_Entry] = []
    steps: dict[tuple[int, str], Iterator[tuple[Workflow, str]]] = {}  # by rank and family
    given, counted = Counter[str](), dict[tuple[int, str], int]()
    while heap or entry:
        # Pull families into the heap only as far as they can compete for this slot.
        while entry and (not heap or entry < heap[0]):
            rank, held, _, family = entry
            workflows = waiting.workflows((rank, held), family)
            steps[rank, family] = _in_turns(state, workflows, limits, left, where)
            counted[rank, family] = 0
            heappush(heap, entry)
            entry = next(families, None)
        rank, held, turn, family = heappop(heap)
        more = given[family] - counted[rank, family]
        if more:  # slots went to those of it that have another priority
            counted[rank, family] += more
            heappush(heap, (rank, held + more, turn, family))
            continue
        found = next(steps[rank, family], None)
        if found is None:
            continue
        workflow, step = found
        yield _Turn(rank, held, workflow.uid, step)
        left.take(workflow, step)
        given[family] += 1
        counted[rank, family] = given[family]
        heappush(heap, (rank, held + 1, len(state.lives) + turn, family))


def _in_turns(
    state: State, workflows: Iterator[Workflow], limits: Limits, left: "_Left", where: str
) -> Iterator[tuple[Workflow, str]]:
    """A step of each of them, as they stand, and then another one of each."""
    new = (
        (workflow, _startable(state, workflow, limits, left, where))
        for workflow in workflows
        if why_none_of(workflow, limits) is None
    )
    begun: deque[tuple[Workflow, Iterator[str]]] = deque()
    own = Counter[str]()
    while (found := next(new, None) or (begun.popleft() if begun else None)) is not None:
        workflow, steps = found
        step = next(steps, None)
        if step is None:
            continue
        yield workflow, step
        own[workflow.uid] += 1
        limit = workflow.parallelism
        if limit is None or workflow.occupied + own[workflow.uid] < limit:
            begun.append(found)


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


_Entry = tuple[int, int, int, str]  # (-priority, attempts that live, who came first, family)


class _Open(NamedTuple):
    """A line of which somebody may have what they use, or the queue for slots."""

    queue: Queue
    name: str  # of the pool or lock
    uses: Sequence[Holding] = ()  # what all of them use; empty if each is asked by itself
    floor: int | None = None  # who has this priority, or a lower one, may not overtake `firsts`
    firsts: Collection[str] = ()  # uids of workflows that have waited too long

    def families(self, state: State, key: QueueKey) -> Iterable[str]:
        families = self.queue[key]
        if self._may_overtake(key):
            return families
        firsts = (state.lives[uid] for uid in self.firsts)
        return [one.family for one in firsts if one.uid in families.get(one.family, ())]

    def members(self, key: QueueKey, family: str) -> Iterable[str]:
        members = self.queue[key][family]
        return members if self._may_overtake(key) else filter(members.__contains__, self.firsts)

    def _may_overtake(self, key: QueueKey) -> bool:
        return self.floor is None or -key[0] > self.floor


class _Waiting:
    """Who can use a slot there: the families in their order, and of each its workflows."""

    def __init__(self, state: State, left: _Left, where: str) -> None:
        self._state, self._left, self._where = state, left, where
        slots = SLOTS, where
        self._open = {
            (name, of): found
            for name, lines in state.lines.items()
            if left.of(name) > 0
            for of, queue in lines.items()
            if (found := self._opened(name, of, queue)) is not None
        }
        self._has_lines = bool(self._open)
        self._open[slots] = _Open(find(state, slots), SLOTS)

    def families(self) -> Iterator[_Entry]:
        seen = set[tuple[QueueKey, str]]()
        entries = [self._entries(line) for line in self._open.values()]
        for place, (key, _, family) in enumerate(merge(*entries)):
            if (key, family) not in seen:
                seen.add((key, family))
                yield (*key, place, family)

    def workflows(self, key: QueueKey, family: str) -> Iterator[Workflow]:
        seats = self._state.seats[family]
        lines = (self._open.get(line) for line, rank in seats if rank == key[0])
        members = [self._members(line, key, family) for line in lines if line is not None]
        seen = set[str]()
        for _, uid in merge(*members):
            if uid not in seen:
                seen.add(uid)
                yield self._state.lives[uid]

    def _entries(self, line: _Open) -> Iterator[tuple[QueueKey, int, str]]:
        for key in sorted(line.queue):
            for family in line.families(self._state, key):
                first = next(self._members(line, key, family), None)
                if first is None:
                    return  # what they use is gone
                yield key, first[0], family

    def _members(self, line: _Open, key: QueueKey, family: str) -> Iterator[tuple[int, str]]:
        """Those that may have what they use, each with the turn of its first step."""
        for uid in line.members(key, family):
            if not self._left.suffices(line.uses):
                return
            yield self._turn(line, uid), uid

    def _turn(self, line: _Open, uid: str) -> int:
        if not self._has_lines:
            return 0  # the queue has them in their order
        workflow = self._state.lives[uid]
        if line.name:
            return min(steps[0][0] for steps in workflow.parked[line.name].values())
        return workflow.step(next(iter(workflow.ready_for(self._where)))).ready_seq

    def _opened(self, name: str, of: str, queue: Queue) -> _Open | None:
        """None if there is not enough for one in the line, or they need a slot elsewhere.

        If somebody may not be overtaken, those of a higher priority take part, and that one.
        """
        if of == MIXED:
            return _Open(queue, name)
        first_step = _first_in(self._state, name, queue)
        uses = first_step.uses
        if first_step.definition.slots != self._where or not self._left.suffices(uses):
            return None
        found = [self._left.first(holding.name) for holding in uses]
        firsts = [first for first in found if first is not None]
        if not firsts:
            return _Open(queue, name, uses)
        floor = max(first.priority for first in firsts)
        return _Open(queue, name, uses, floor, sorted({first.key[0] for first in firsts}))


def _first_in(state: State, name: str, queue: Queue) -> Step:
    """The first step of the line: what it uses, and where, all of them do if it is not mixed."""
    members = next(iter(next(iter(queue.values())).values()))
    workflow = state.lives[next(iter(members))]
    return workflow.steps[next(iter(workflow.parked[name].values()))[0][1]]


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
