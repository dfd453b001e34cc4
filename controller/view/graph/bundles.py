"""The boxes beside each other as a graph: without the edges that others imply, and with bundles.

Steps that depend on the same steps, and on which the same steps depend, are alike. Many of them
become one node, with one edge where each of them had its own. Cost: O(edges), and see `dag`.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controller.view.graph import dag
from controller.view.graph.shape import Box, Condition

BUNDLED_FROM = 9  # fewer that are alike stand by themselves, with edges of their own
BUNDLE = "*"  # an id with this first is of a bundle: no name of a step begins so


class Graph(NamedTuple):
    """Boxes beside each other and their edges, by the place in the list."""

    boxes: list[Box]
    needs: dag.Edges
    dependents: dag.Edges
    conditions: dict[tuple[int, int], Condition]  # of (node, need), where it is not Succeeded


def graph_of(boxes: Sequence[Box]) -> Graph:
    """Without the edges that are implied, and with bundles."""
    index = {box.id: nth for nth, box in enumerate(boxes)}
    needs: dag.Edges = []
    conditions: dict[tuple[int, int], Condition] = {}
    for nth, box in enumerate(boxes):
        known = [(index[name], condition) for name, condition in box.needs if name in index]
        needs.append(list(dict.fromkeys([need for need, _ in known])))
        for need, condition in known:
            if condition != "Succeeded":
                conditions[nth, need] = condition
    needs = dag.without_implied(needs, dag.in_order(needs), conditions.keys())
    return _bundled(Graph(list(boxes), needs, dag.turned(needs), conditions))


def _bundled(graph: Graph) -> Graph:
    """The same graph, with one node for those that are alike."""
    alike = _alike(graph)
    if not alike:
        return graph
    bundle_of = {node: members for members in alike for node in members}
    boxes: list[Box] = []
    new: list[int] = []  # of each node, its number in the new graph
    firsts: list[int] = []  # of each new node, the old one that has its edges
    for node, box in enumerate(graph.boxes):
        members = bundle_of.get(node, [node])
        if members[0] < node:
            new.append(new[members[0]])
            continue
        new.append(len(boxes))
        firsts.append(node)
        boxes.append(_bundle([graph.boxes[nth] for nth in members]) if len(members) > 1 else box)
    needs = [list(dict.fromkeys([new[need] for need in graph.needs[node]])) for node in firsts]
    conditions = {(new[node], new[need]): how for (node, need), how in graph.conditions.items()}
    return Graph(boxes, needs, dag.turned(needs), conditions)


def _alike(graph: Graph) -> list[list[int]]:
    """Nodes with the same edges, where they are many."""
    found: dict[object, list[int]] = {}
    for node, box in enumerate(graph.boxes):
        if not box.inside:
            ends = (*sorted(graph.needs[node]), -1, *graph.dependents[node])
            found.setdefault(ends, []).append(node)
    same_ends = [nodes for nodes in found.values() if len(nodes) >= BUNDLED_FROM]
    alike = [same for nodes in same_ends for same in _by_conditions(graph, nodes)]
    return [members for members in alike if len(members) >= BUNDLED_FROM]


def _by_conditions(graph: Graph, nodes: Sequence[int]) -> Iterable[list[int]]:
    """Of nodes with the same ends, those whose edges have the same conditions together."""
    found: dict[object, list[int]] = {}
    how = graph.conditions.get
    for node in nodes:
        before = [how((node, need)) for need in sorted(graph.needs[node])]
        after = [how((other, node)) for other in graph.dependents[node]]
        found.setdefault((*before, *after), []).append(node)
    return found.values()


def _bundle(boxes: list[Box]) -> Box:
    label = f"{len(boxes):,} steps"
    return Box(id=f"{BUNDLE}{boxes[0].id}", label=label, kind="bundle", inside=boxes)
