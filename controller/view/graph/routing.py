"""Where layers begin and end, and the points that each edge passes.

An edge leaves the end of its node, passes each layer between at the place of its bend, and ends at
the beginning of the next node. Where edges are steep, the layers are farther apart. Along the
layers is `x`, across them is `y`. Cost: O(edges and bends).
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from controller.view.graph.dag import Edges, Layered

LAYER_GAP = 48  # between layers, at least
_LAYER_GAP_MAX = 160
_STEEP = 6  # an edge across so many px wants 1 px more between the layers

Point = tuple[int, int]


class Layer(NamedTuple):
    begin: int
    end: int


def layers(graph: Layered, middle: Sequence[int], length: Sequence[int]) -> list[Layer]:
    """`length` of each node, in px along the layers; of a bend none."""
    found: list[Layer] = []
    begin = 0
    for layer in graph.layers:
        end = begin + max([length[node] for node in layer])
        found.append(Layer(begin, end))
        steepest = max(
            [abs(middle[node] - middle[other]) for node in layer for other in graph.after[node]],
            default=0,
        )
        begin = end + min(LAYER_GAP + steepest // _STEEP, _LAYER_GAP_MAX)
    return found


def ways(
    graph: Layered,
    dependents: Edges,
    layers: Sequence[Layer],
    middle: Sequence[int],
    length: Sequence[int],
) -> Iterator[tuple[int, int, list[Point]]]:
    """Of each edge its node, the one that depends on it, and the points between."""
    for node, others in enumerate(dependents):
        passed = graph.level[node]
        way: list[Point] = []
        _go(way, layers[passed].begin + length[node], middle[node])
        _go(way, layers[passed].end, middle[node])
        bends = iter(graph.trunks.get(node, ()))
        for other in sorted(others, key=graph.level.__getitem__):
            for bend in islice(bends, graph.level[other] - passed - 1):
                passed += 1
                _go(way, layers[passed].begin, middle[bend])
                _go(way, layers[passed].end, middle[bend])
            points = way.copy()
            _go(points, layers[graph.level[other]].begin, middle[other])
            yield node, other, points


def _go(way: list[Point], x: int, y: int) -> None:
    """Go on to this point; one that the line passes anyway is left out."""
    if len(way) > 1 and way[-1][1] == way[-2][1] == y:
        way[-1] = (x, y)
    elif not way or way[-1] != (x, y):
        way.append((x, y))
