"""A graph without cycles, as numbers: its order, the edges that others imply, and its layers.

Nodes are 0, 1, 2 …, in the order in which they are to be read. Cost: O(edges), but for the implied
edges, which take O(edges * nodes) bits; a graph of more than `REDUCED_MAX` nodes keeps them.
"""

from collections.abc import Sequence, Set
from itertools import pairwise

REDUCED_MAX = 12_000  # nodes

Edges = list[list[int]]  # of each node, the nodes at the other ends


def turned(edges: Edges) -> Edges:
    """The same edges from their other ends."""
    others: Edges = [[] for _ in edges]
    for node, ends in enumerate(edges):
        for end in ends:
            others[end].append(node)
    return others


def in_order(needs: Edges) -> list[int]:
    """All nodes, each after those that it needs. Raises ValueError if they wait for each other."""
    dependents, missing = turned(needs), [len(ends) for ends in needs]
    order = [node for node, count in enumerate(missing) if not count]
    for node in order:  # it grows
        for dependent in dependents[node]:
            missing[dependent] -= 1
            if not missing[dependent]:
                order.append(dependent)
    if len(order) < len(needs):
        raise ValueError(f"nodes wait for each other: {[n for n, m in enumerate(missing) if m]}")
    return order


def without_implied(
    needs: Edges, order: Sequence[int], kept: Set[tuple[int, int]] = frozenset()
) -> Edges:
    """Without the edges that a longer way says, too.

    `kept`: edges (node, need) that stay whatever the others say, and imply nothing.
    """
    if len(needs) > REDUCED_MAX:
        return needs
    above = [0] * len(needs)  # of each node, those before it: a bit for each
    reduced = list(needs)
    for node in order:
        farther, own = 0, 0
        for need in needs[node]:
            if (node, need) not in kept:
                farther |= above[need]
                own |= 1 << need
        if farther & own:
            reduced[node] = [
                need for need in needs[node] if (node, need) in kept or not farther >> need & 1
            ]
        above[node] = farther | own
    return reduced


def levels(needs: Edges, dependents: Edges, order: Sequence[int]) -> list[int]:
    """The layer of each node, from 0: as early as it can be, but near its dependents if they are
    more than its needs. So no edge is longer than it has to be for that.
    """
    level = [0] * len(needs)
    for node in order:
        for need in needs[node]:
            if level[need] >= level[node]:
                level[node] = level[need] + 1
    for node in reversed(order):
        if len(dependents[node]) > len(needs[node]):
            level[node] = min([level[other] for other in dependents[node]]) - 1
    return level


def components(needs: Edges, dependents: Edges) -> list[list[int]]:
    """The parts that no edge joins, each in order, the first node's part first."""
    seen = bytearray(len(needs))
    found = []
    for first in range(len(needs)):
        if seen[first]:
            continue
        seen[first] = 1
        part = [first]
        for node in part:  # it grows
            for other in (*needs[node], *dependents[node]):
                if not seen[other]:
                    seen[other] = 1
                    part.append(other)
        part.sort()
        found.append(part)
    return found


# ---------------------------------------- layers


class Layered:
    """The layers of a graph whose long edges bend in every layer that they pass.

    A bend is a node, too, numbered after the others. All long edges of a node share one line, the
    trunk, which they leave in the layer before their end. `before` and `after` have neighbours in
    the layers next to a node, so they tell of all edges but those in `direct`, for whose bends the
    graph is too large.
    """

    def __init__(self, needs: Edges, dependents: Edges, level: Sequence[int], bends_max: int):
        self.count = len(needs)
        self.level = list(level)
        self.layers: list[list[int]] = [[] for _ in range(max(level, default=-1) + 1)]
        self.before: Edges = [[] for _ in needs]
        self.after: Edges = [[] for _ in needs]
        self.trunks: dict[int, list[int]] = {}
        self.direct = set[tuple[int, int]]()
        ends = [max([level[other] for other in others], default=0) for others in dependents]
        long = [node for node, end in enumerate(ends) if end > level[node] + 1]
        for node in sorted(long, key=lambda node: ends[node] - level[node]):
            bends_max -= ends[node] - level[node] - 1
            if bends_max < 0:
                break
            self._bend(node, ends[node])
        for node, others in enumerate(dependents):
            for other in others:
                self._join(node, other)
        self._begin_in_depth()

    def _bend(self, node: int, end: int) -> None:
        begin = len(self.level)
        trunk = list(range(begin, begin + end - self.level[node] - 1))
        self.trunks[node] = trunk
        self.level += range(self.level[node] + 1, end)
        self.before += [[] for _ in trunk]
        self.after += [[] for _ in trunk]
        for one, next_ in pairwise((node, *trunk)):
            self.after[one].append(next_)
            self.before[next_].append(one)

    def _join(self, node: int, other: int) -> None:
        passed = self.level[other] - self.level[node] - 1
        if passed and node not in self.trunks:
            self.direct.add((node, other))
            return
        near = self.trunks[node][passed - 1] if passed else node
        self.after[near].append(other)
        self.before[other].append(near)

    def _begin_in_depth(self) -> None:
        """Fill the layers branch after branch: what belongs together begins together."""
        seen = bytearray(len(self.level))
        for first in range(self.count):
            way = [] if self.before[first] else [first]
            while way:
                node = way.pop()
                if not seen[node]:
                    seen[node] = 1
                    self.layers[self.level[node]].append(node)
                    way += reversed(self.after[node])
