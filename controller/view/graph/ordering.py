"""The order in each layer of a graph, with few crossings of its edges.

A sweep goes through the layers, there and back, and puts each node where its neighbours are on
average; the best order of all sweeps is kept. In a small graph neighbours also change places where
that helps. It follows Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical
System Structures". Cost: O(edges * log edges) a sweep, and the larger the graph, the fewer sweeps.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence

from controller.view.graph.dag import Edges, Layered

SWEEPS_MAX = 12
_SWEPT_MAX = 60_000  # edges and nodes, in all sweeps; one sweep is always done
_SWAPPED_MAX = 3_000  # edges and nodes of a graph in which neighbours change places


def sweeps(size: int) -> int:
    """How many sweeps a graph of so many edges and nodes gets."""
    return max(1, min(SWEEPS_MAX, _SWEPT_MAX // max(1, size)))


def put_in_order(graph: Layered) -> None:
    """Order each layer of the graph."""
    size = len(graph.level) + sum(map(len, graph.after))
    place = [0] * len(graph.level)
    _number(graph.layers, place)
    best, fewest = [*map(list, graph.layers)], crossings(graph, place)
    for _ in range(sweeps(size)):
        if not fewest:
            break
        _sweep(graph.layers[1:], graph.before, place)
        _sweep(graph.layers[-2::-1], graph.after, place)
        if size <= _SWAPPED_MAX:
            _swap(graph, place)
        found = crossings(graph, place)
        if found < fewest:
            best, fewest = [*map(list, graph.layers)], found
    graph.layers[:] = best


def crossings(graph: Layered, place: Sequence[int]) -> int:
    """How many pairs of edges cross between two layers; `place` of each node in its layer."""
    count = 0
    for layer in graph.layers:
        passed: list[int] = []  # the places of the ends so far, in order
        for node in layer:
            ends = [place[other] for other in graph.after[node]]
            if passed and ends:
                for end in ends:
                    count += len(passed) - bisect_right(passed, end)
            for end in ends:
                insort(passed, end)
    return count


def _number(layers: Sequence[Sequence[int]], place: list[int]) -> None:
    for layer in layers:
        for nth, node in enumerate(layer):
            place[node] = nth


def _sweep(layers: Sequence[list[int]], near: Edges, place: list[int]) -> None:
    for layer in layers:
        if len(layer) > 1:
            wish = {node: _mean(near[node], place, place[node]) for node in layer}
            layer.sort(key=wish.__getitem__)
            for nth, node in enumerate(layer):
                place[node] = nth


def _mean(near: Sequence[int], place: Sequence[int], else_: float) -> float:
    if len(near) == 1:
        return place[near[0]]
    return sum([place[node] for node in near]) / len(near) if near else else_


def _swap(graph: Layered, place: list[int]) -> None:
    """Let neighbours change places as long as fewer edges cross then."""
    for layer in (*graph.layers, *reversed(graph.layers)):
        ends = {
            node: (
                sorted([place[other] for other in graph.before[node]]),
                sorted([place[other] for other in graph.after[node]]),
            )
            for node in layer
        }
        for nth in range(len(layer) - 1):
            one, other = layer[nth], layer[nth + 1]
            now = sum(map(_over, ends[one], ends[other]))
            if now > sum(map(_over, ends[other], ends[one])):
                layer[nth], layer[nth + 1] = other, one
                place[one], place[other] = nth + 1, nth


def _over(upper: Sequence[int], lower: Sequence[int]) -> int:
    """How often edges to `upper` places cross those to `lower` ones of the node below."""
    return sum([len(upper) - bisect_right(upper, end) for end in lower]) if upper else 0
