"""A DAG in the language of Mermaid, which many pages of documentation draw.

What is inside a step is a subgraph. Nodes have numbers there, so any name is possible; each label
says the phase by its mark, too, and the class gives it a colour. Cost: O(steps and dependencies).
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from controller.view.graph.shape import Box, Condition
from controller.view.graph.standing import Graph, Standing
from controller.view.table import PHASE_MARKS

_ARROWS: dict[Condition, str] = {
    "Succeeded": "-->",
    "Failed": "-. failed .->",
    "Finished": "-. finished .->",
}
_CLASSES = {
    "Succeeded": "stroke:#2f9461",
    "Running": "stroke:#2f6fde,stroke-width:2px",
    "Failed": "stroke:#cf2f3f,stroke-width:2px",
    "Cancelled": "stroke:#b57a12",
    "Skipped": "stroke-dasharray:3 3",
}


def mermaid(graph: Graph, boxes: Sequence[Box]) -> Iterator[str]:
    """The lines of a flowchart. `boxes`: what the layout of the graph was made of."""
    yield f"flowchart {'TD' if graph.layout.direction == 'down' else 'LR'}"
    numbers: dict[str, str] = {}
    _count(boxes, numbers)
    yield from _nodes(boxes, graph.standings, numbers, "    ")
    yield from _edges(boxes, numbers)
    shown = {standing.phase for standing in graph.standings.values()}
    for phase, style in _CLASSES.items():
        if phase in shown:
            yield f"    classDef {phase} {style}"


def _count(boxes: Sequence[Box], numbers: dict[str, str]) -> None:
    for box in boxes:
        numbers[box.id] = f"s{len(numbers)}"
        _count(box.inside, numbers)


def _nodes(
    boxes: Sequence[Box],
    standings: Mapping[str, Standing],
    numbers: Mapping[str, str],
    margin: str,
) -> Iterator[str]:
    for box in boxes:
        name, phase = numbers[box.id], _phase(standings, box)
        label = _label(f"{PHASE_MARKS[phase]} {box.label}" if phase else box.label)
        if box.inside:
            yield f"{margin}subgraph {name}[{label}]"
            yield from _nodes(box.inside, standings, numbers, f"{margin}    ")
            yield f"{margin}end"
            continue
        begin, end = ("[[", "]]") if box.kind == "parent" else ("[", "]")
        if box.kind == "approval":
            begin, end = "{{", "}}"
        yield f"{margin}{name}{begin}{label}{end}{f':::{phase}' if phase in _CLASSES else ''}"


def _phase(standings: Mapping[str, Standing], box: Box) -> str:
    standing = standings.get(box.id)
    return "" if standing is None or standing.phase is None else standing.phase


def _label(text: str) -> str:
    """In quotes, with what Mermaid would read as its own as an entity."""
    return f'"{escape(text, quote=False).replace("#", "#35;").replace(chr(34), "#quot;")}"'


def _edges(boxes: Sequence[Box], numbers: Mapping[str, str]) -> Iterator[str]:
    for box in boxes:
        for need in box.needs:
            if need.step in numbers:
                arrow = _ARROWS[need.condition]
                yield f"    {numbers[need.step]} {arrow} {numbers[box.id]}"
        yield from _edges(box.inside, numbers)
