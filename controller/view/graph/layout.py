"""A DAG as a picture: where each step stands, and the way of each edge.

Steps stand in layers, each after all that it depends on, so every edge goes forward. What is inside
a step is laid out by itself, in its box. Many steps that are alike stand in a bundle, a box that
all their edges have in common. An edge that a longer way says, too, is left out. Parts that no edge
joins are placed below each other, and where these are many, beside each other.

The same boxes give the same layout. Cost: for 5,000 steps some 0.2 s; see `dag`, `ordering` and
`placing`.
"""

from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from typing import NamedTuple

from msgspec import Struct

from controller.view.graph import dag
from controller.view.graph.bundles import Graph, graph_of
from controller.view.graph.ordering import put_in_order
from controller.view.graph.placing import places
from controller.view.graph.routing import layers, ways
from controller.view.graph.shape import Box, Condition, Direction, Edge, Layout, Node

GAP = 14  # between nodes of a layer, in px
PART_GAP = 30  # between parts that no edge joins
BOX_HEAD = 26  # above what is in a box: its label
BOX_PADDING = 10
_GRID_GAP = 8
_WIDE = 1.6  # of bundles and parts: the width they aim at, by the height
_BENDS_PER_STEP = 4  # so many layers that edges pass for each step; more edges go straight
_BENDS_MIN = 1_000


def laid_out(boxes: Sequence[Box], direction: Direction = "right") -> Layout:
    """Raises ValueError if boxes wait for each other. A need that is no box beside is ignored."""
    block = _block(boxes, direction)
    return Layout(
        direction=direction,
        width=block.width,
        height=block.height,
        nodes=list(block.nodes(None, 0, 0)),
        edges=list(block.edges(0, 0)),
    )


# ---------------------------------------- what is placed together


class _Placed(Struct):
    """A box with its place in the block that it is in."""

    box: Box
    width: int
    height: int
    inside: "_Block | None" = None
    layer: int = 0
    x: int = 0
    y: int = 0


class _Line(NamedTuple):
    source: str
    target: str
    condition: Condition
    points: list[tuple[int, int]]

    def moved(self, x: int, y: int) -> "_Line":
        return self._replace(points=[(x + right, y + down) for right, down in self.points])


class _Block(Struct):
    """Boxes that have been placed together, from their own upper left corner."""

    placed: list[_Placed] = []
    lines: list[_Line] = []
    width: int = 0
    height: int = 0

    def nodes(self, parent: str | None, x: int, y: int) -> Iterator[Node]:
        for one in self.placed:
            box = one.box
            yield Node(
                id=box.id,
                label=box.label,
                kind=box.kind,
                parent=parent,
                layer=one.layer,
                x=x + one.x,
                y=y + one.y,
                width=one.width,
                height=one.height,
                folded=box.folded,
            )
            if one.inside is not None:
                yield from one.inside.nodes(box.id, x + one.x + BOX_PADDING, y + one.y + BOX_HEAD)

    def edges(self, x: int, y: int) -> Iterator[Edge]:
        for line in self.lines:
            source, target, condition, points = line.moved(x, y) if x or y else line
            yield Edge(source=source, target=target, condition=condition, points=points)
        for one in self.placed:
            if one.inside is not None:
                yield from one.inside.edges(x + one.x + BOX_PADDING, y + one.y + BOX_HEAD)


def _block(boxes: Sequence[Box], direction: Direction) -> _Block:
    graph = graph_of(boxes)
    placed = [_measured(box, direction) for box in graph.boxes]
    parts = dag.components(graph.needs, graph.dependents)
    blocks = [_part(graph, part, placed, direction) for part in parts]
    whole = _shelved(blocks) if len(blocks) > 1 else blocks[0] if blocks else _Block()
    whole.placed = placed  # in the order of the spec
    return whole


def _measured(box: Box, direction: Direction) -> _Placed:
    if not box.inside:
        return _Placed(box, box.width, box.height)
    alike = box.kind == "bundle" or not any(one.needs or one.inside for one in box.inside)
    least = box.width - 2 * BOX_PADDING
    inside = _grid(box.inside, least) if alike else _block(box.inside, direction)
    width = max(box.width, inside.width + 2 * BOX_PADDING)
    return _Placed(box, width, inside.height + BOX_HEAD + BOX_PADDING, inside)


def _grid(boxes: Sequence[Box], least: int) -> _Block:
    """Boxes without edges, all of one size, in columns that are together `least` px wide."""
    width = max(box.width for box in boxes) + _GRID_GAP
    height = max(box.height for box in boxes) + _GRID_GAP
    wished = round(sqrt(len(boxes) * height * _WIDE / width))
    rows = ceil(len(boxes) / max(1, wished))
    columns = ceil(len(boxes) / rows)
    width = max(width, (least + _GRID_GAP) // columns)
    placed = []
    for nth, box in enumerate(boxes):
        column, row = divmod(nth, rows)
        one = _Placed(box, width - _GRID_GAP, height - _GRID_GAP)
        one.x, one.y = column * width, row * height
        placed.append(one)
    return _Block(placed, [], columns * width - _GRID_GAP, rows * height - _GRID_GAP)


def _shelved(blocks: Sequence[_Block]) -> _Block:
    """Below each other; beside each other as far as the whole gets no wider than it is high."""
    area = sum(block.width * block.height for block in blocks)
    widest = max([sqrt(area * _WIDE), *(block.width for block in blocks)])
    whole, x, y, high = _Block(), 0, 0, 0
    for block in blocks:
        if x and x + block.width > widest:
            x, y, high = 0, y + high + PART_GAP, 0
        for one in block.placed:
            one.x, one.y = one.x + x, one.y + y
        whole.lines += [line.moved(x, y) for line in block.lines]
        whole.width = max(whole.width, x + block.width)
        high = max(high, block.height)
        whole.height = max(whole.height, y + high)
        x += block.width + PART_GAP
    return whole


# ---------------------------------------- a part of it, in layers


def _part(
    graph: Graph, part: Sequence[int], placed: Sequence[_Placed], direction: Direction
) -> _Block:
    """Place the boxes of a part. Along the direction of the layout is `x`, across it is `y`."""
    own = {node: nth for nth, node in enumerate(part)}
    needs = [[own[need] for need in graph.needs[node]] for node in part]
    dependents = [[own[other] for other in graph.dependents[node]] for node in part]
    boxes = [placed[node] for node in part]
    level = dag.levels(needs, dependents, dag.in_order(needs))
    bends_max = max(_BENDS_MIN, _BENDS_PER_STEP * len(part))
    layered = dag.Layered(needs, dependents, level, bends_max)
    put_in_order(layered)
    is_down = direction == "down"
    bends = [0] * (len(layered.level) - len(part))
    room = [one.width if is_down else one.height for one in boxes] + bends
    length = [one.height if is_down else one.width for one in boxes] + bends
    if not is_down:
        _widen(layered, boxes, length)
    middle = _from_zero(places(layered, room, GAP), room)
    found = layers(layered, middle, length)
    for nth, one in enumerate(boxes):
        one.layer = layered.level[nth]
        at = found[one.layer].begin, middle[nth] - room[nth] // 2
        one.x, one.y = at[::-1] if is_down else at
        one.width = one.width if is_down else length[nth]
    ends = [at + taken - taken // 2 for at, taken in zip(middle, room, strict=True)]
    size = found[-1].end, max(ends)
    lines = [
        _Line(
            boxes[node].box.id,
            boxes[other].box.id,
            graph.conditions.get((part[other], part[node]), "Succeeded"),
            [point[::-1] for point in points] if is_down else points,
        )
        for node, other, points in ways(layered, dependents, found, middle, length)
    ]
    return _Block(boxes, lines, *(size[::-1] if is_down else size))


def _widen(layered: dag.Layered, boxes: Sequence[_Placed], length: list[int]) -> None:
    """Let steps that are below each other be equally wide."""
    for layer in layered.layers:
        steps = [node for node in layer if node < len(boxes) and boxes[node].inside is None]
        widest = max([length[node] for node in steps], default=0)
        for node in steps:
            length[node] = widest


def _from_zero(middle: Sequence[float], room: Sequence[int]) -> list[int]:
    """Whole places, from that of the first edge of all nodes."""
    least = min([round(at) - taken // 2 for at, taken in zip(middle, room, strict=True)])
    return [round(at) - least for at in middle]
