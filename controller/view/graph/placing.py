"""Where in its layer each node stands: near its neighbours, far enough from the next.

Each layer in turn is put where the layer beside it wants it. What is wanted may overlap, so nodes
that are in each other's way are joined to a block, until no block is in the way of another (an
isotonic regression). A block stands at the median of what its nodes want: then most of their lines
are straight, and where two are equal, it is in the middle. Cost: O(nodes + edges) a pass, and a
few passes; fewer, the larger the graph is.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from controller.view.graph.dag import Edges, Layered

_PASSES_MAX = 6
_PASSED_MAX = 60_000  # edges and nodes, in all passes; one pass is always done
_MEDIAN_MAX = 24  # nodes of a block; a larger one stands at the mean
# How much it counts that a line is straight: of a bend whose neighbour is one, too; of a step; of a
# bend beside a step.
_LONG, _STEP, _SHORT = 8, 2, 1


class _Block(Struct, gc=False):
    """Nodes that stand next to each other as near as they can."""

    at: float
    size: int
    weight: int
    total: float  # of what is wanted, by weight
    wishes: list[tuple[float, int]]  # with their weights, in order; none if they are too many


def places(graph: Layered, room: Sequence[int], gap: int) -> list[float]:
    """The middle of each node, across its layer, from some beginning.

    `room`: how much of the layer each takes. `gap`: what must be free between two nodes; between a
    node and a bend half of it is enough, between two bends a quarter.
    """
    size = len(graph.level) + sum(map(len, graph.after))
    middle = [0.0] * len(graph.level)
    there = [(layer, list(_offsets(layer, graph, room, gap))) for layer in graph.layers]
    for layer, offset in there:
        for node, at in zip(layer, offset, strict=True):
            middle[node] = at - offset[-1] / 2
    for _ in range(max(1, min(_PASSES_MAX, _PASSED_MAX // max(1, size)))):
        was = middle.copy()
        for layer, offset in there[1:]:
            _settle(layer, offset, graph.count, graph.before, middle)
        for layer, offset in there[-2::-1]:
            _settle(layer, offset, graph.count, graph.after, middle)
        if middle == was:
            break
    for layer, offset in there[1:]:
        near = {node: _at_last(graph, node, middle, gap) for node in layer}
        _settle(layer, offset, graph.count, near, middle, stay=_LONG)
    return middle


def _at_last(graph: Layered, node: int, middle: Sequence[float], gap: int) -> Sequence[int]:
    """By which neighbours it is placed once more.

    What nothing depends on has not moved since the layer before it has. And a line that is nearly
    straight is to be so.
    """
    before = graph.before[node]
    if graph.after[node] and (len(before) != 1 or abs(middle[before[0]] - middle[node]) > gap):
        return ()
    return before


def _offsets(
    layer: Sequence[int], graph: Layered, room: Sequence[int], gap: int
) -> Iterator[float]:
    """The least distance of each node from the first one."""
    at, last = 0.0, -1
    for node in layer:
        if last >= 0:
            bends = (node >= graph.count) + (last >= graph.count)
            at += (room[last] + room[node]) / 2 + gap / (1, 2, 4)[bends]
        yield at
        last = node


def _settle(
    layer: Sequence[int],
    offset: Sequence[float],
    count: int,
    near: Edges | Mapping[int, Sequence[int]],
    middle: list[float],
    stay: int = _SHORT,
) -> None:
    """Set the places of a layer by those of their neighbours on one side.

    `stay`: how much it counts that a node without a neighbour there stays where it is.
    """
    blocks: list[_Block] = []
    for node, at in zip(layer, offset, strict=True):
        others = near[node]
        if others:
            wish, weight = _wish(node, count, others, middle)
        else:
            wish, weight = middle[node], stay
        wish -= at
        block = _Block(wish, 1, weight, wish * weight, [(wish, weight)])
        while blocks and blocks[-1].at > block.at:
            block = _joined(blocks.pop(), block)
        blocks.append(block)
    begin = 0
    for block in blocks:
        end = begin + block.size
        for nth in range(begin, end):
            middle[layer[nth]] = block.at + offset[nth]
        begin = end


def _wish(
    node: int, count: int, others: Sequence[int], middle: Sequence[float]
) -> tuple[float, int]:
    """Where it wants to stand because of its neighbours, and how much that counts.

    The line of a bend goes straight on to the next one.
    """
    if node >= count:
        return middle[others[0]], _LONG if others[0] >= count else _SHORT
    if len(others) == 1:
        return middle[others[0]], _STEP
    wishes = sorted([middle[other] for other in others])
    half = len(wishes) // 2
    return (wishes[half] + wishes[~half]) / 2, _STEP


def _joined(upper: _Block, lower: _Block) -> _Block:
    size, weight = upper.size + lower.size, upper.weight + lower.weight
    total = upper.total + lower.total
    if size > _MEDIAN_MAX:
        return _Block(total / weight, size, weight, total, [])
    wishes = sorted(upper.wishes + lower.wishes)
    return _Block(_median(wishes, weight), size, weight, total, wishes)


def _median(wishes: Sequence[tuple[float, int]], weight: int) -> float:
    """Half of the weight is before it; the middle between two, if that is so for both."""
    passed = 0
    for nth, (wish, own) in enumerate(wishes):
        passed += own
        if 2 * passed > weight:
            return wish
        if 2 * passed == weight:
            return (wish + wishes[nth + 1][0]) / 2
    raise AssertionError("no weight")
