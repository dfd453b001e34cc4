"""Where in its layer each node stands: near its neighbours, far enough from the next.

Each layer in turn is put where the layer beside it wants it. What is wanted may overlap; the places
that are nearest to it, by the sum of squares, and keep order and distance, are found as an isotonic
regression: nodes that are in each other's way are joined to a block, which stands at their mean. So
a line that nothing is in the way of is straight. Cost: O(nodes + edges) a pass, a few passes.
"""

from collections.abc import Sequence

from controller.view.graph.dag import Edges, Layered

_PASSES_MAX = 6
_PASSED_MAX = 60_000  # edges and nodes, in all passes; one pass is always done


def places(graph: Layered, room: Sequence[float], gap: float) -> list[float]:
    """The middle of each node, across its layer, from some beginning.

    `room`: how much of the layer each takes. `gap`: what must be free between two nodes; beside a
    bend half of it is enough.
    """
    size = len(graph.level) + sum(map(len, graph.after))
    middle = [0.0] * len(graph.level)
    offsets = [_offsets(layer, graph, room, gap) for layer in graph.layers]
    for layer, offset in zip(graph.layers, offsets, strict=True):
        for node, at in zip(layer, offset, strict=True):
            middle[node] = at - offset[-1] / 2
    there = list(zip(graph.layers, offsets, strict=True))
    back, before, after = there[::-1], graph.before, graph.after
    for _ in range(max(1, min(_PASSES_MAX, _PASSED_MAX // max(1, size)))):
        for layer, offset in there[1:]:
            _settle(layer, offset, [_wish(graph, before, node, middle) for node in layer], middle)
        for layer, offset in back[1:]:
            _settle(layer, offset, [_wish(graph, after, node, middle) for node in layer], middle)
    return middle


def _offsets(
    layer: Sequence[int], graph: Layered, room: Sequence[float], gap: float
) -> list[float]:
    """The least distance of each node from the first one."""
    found, at, last = [], 0.0, -1
    for node in layer:
        if last >= 0:
            bends = (node >= graph.count) + (last >= graph.count)
            at += (room[last] + room[node]) / 2 + (gap if not bends else gap / 2)
        found.append(at)
        last = node
    return found


def _wish(graph: Layered, near: Edges, node: int, middle: Sequence[float]) -> float:
    """Where it wants to stand because of its neighbours on one side; a line goes straight on."""
    others = near[node]
    if not others:
        return middle[node]
    if len(others) == 1 or (node >= graph.count and others[0] >= graph.count):
        return middle[others[0]]
    return sum([middle[other] for other in others]) / len(others)


def _settle(
    layer: Sequence[int], offset: Sequence[float], wishes: Sequence[float], middle: list[float]
) -> None:
    """Set the places that are nearest to the wishes. Wishes may be far from the order."""
    means: list[float] = []  # of each block
    counts: list[int] = []
    for wish, at in zip(wishes, offset, strict=True):
        mean, count = wish - at, 1
        while means and means[-1] > mean:
            joined = counts[-1] + count
            mean = (means.pop() * counts.pop() + mean * count) / joined
            count = joined
        means.append(mean)
        counts.append(count)
    nth = 0
    for mean, count in zip(means, counts, strict=True):
        for _ in range(count):
            middle[layer[nth]] = mean + offset[nth]
            nth += 1
