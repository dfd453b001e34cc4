"""The slots of the shim: who holds one, who is queued for one, and whose turn is next.

Next is the highest priority; of equal priority the workflow that holds the fewest slots; of these
the one that has waited longest since it got or gave back a slot. A slot that a higher priority
frees is not given to a lower one before the controller has spoken: what follows of the same
workflow may be next. So priorities hold as if there were no queue, and equals take turns, to within
one.

Cost: O(queued) to begin, O(log queued) a start, O(queued) an end.
"""

from collections.abc import Collection, Iterator
from heapq import heapify, heappop, heapreplace
from itertools import count

from controller.executor.shim.spawn import Order

Key = tuple[int, int, int, int, str]


class Life:
    """What a workflow has here. `since`: when it last got or gave back a slot, or came."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.held = 0
        self.queued = 0


class Slots:
    """`total` is what the controller has told; an earlier one may have told more."""

    def __init__(self, held: Collection[str]) -> None:
        self.total = 0
        self.queue: dict[str, Order] = {}
        self.held: dict[str, int] = {}  # attempt → priority
        self.lives: dict[str, Life] = {}
        self.clock = count()
        for attempt in held:
            self.take(attempt, 0)

    @property
    def free(self) -> int:
        return self.total - len(self.held)

    def put(self, order: Order) -> None:
        """Queue it. If it is queued already it keeps its place, and this is what it becomes."""
        if order.id not in self.queue:
            self.life(order.id).queued += 1
        self.queue[order.id] = order

    def drop(self, attempt: str) -> None:
        """It may not be queued at all."""
        if self.queue.pop(attempt, None) is not None:
            self.life(attempt).queued -= 1
            self.tidy(attempt)

    def clear(self) -> None:
        for attempt in list(self.queue):
            self.drop(attempt)

    def take(self, attempt: str, priority: int) -> None:
        life = self.life(attempt)
        life.held, life.since = life.held + 1, next(self.clock)
        self.held[attempt] = priority

    def give_back(self, attempt: str) -> None:
        """It may hold none."""
        if self.held.pop(attempt, None) is not None:
            life = self.life(attempt)
            life.held, life.since = life.held - 1, next(self.clock)
            self.tidy(attempt)

    def outranks(self, attempt: str) -> bool:
        """Whether it keeps its slot until its end is durable: a lower priority is queued."""
        priority = self.held.get(attempt, 0)
        return any(order.priority < priority for order in self.queue.values())

    def in_turn(self) -> Iterator[Order]:
        """What is queued, as it is to start. Those that came before may take their slots."""
        heap = [self.key(place, attempt) for place, attempt in enumerate(self.queue)]
        heapify(heap)
        while heap:
            *_, place, attempt = heap[0]
            now = self.key(place, attempt)
            if now != heap[0]:  # another of its workflow has got a slot
                heapreplace(heap, now)
            else:
                heappop(heap)
                yield self.queue[attempt]

    def key(self, place: int, attempt: str) -> Key:
        life = self.life(attempt)
        return -self.queue[attempt].priority, life.held, life.since, place, attempt

    def life(self, attempt: str) -> Life:
        """The uid in `uid/step/number` names it."""
        uid = attempt.partition("/")[0]
        life = self.lives.get(uid)
        if life is None:
            life = self.lives[uid] = Life(next(self.clock))
        return life

    def tidy(self, attempt: str) -> None:
        life = self.life(attempt)
        if not (life.held or life.queued):
            del self.lives[attempt.partition("/")[0]]
