"""A layout as SVG: quiet where all is well, loud where something failed.

Each node is a group with `data-step` and a class for its phase, `is-Failed`; a mark and words say
the phase, too, so nothing hangs on a colour. There is no style but by classes, so a page can draw
the same nodes with its own style, and change them by changing the class and the mark. A file that
stands alone brings the style, for dark and light, a ground, and a line that says what it is of.
Cost: about 20 µs for each node and edge.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from controller.model.phases import Phase
from controller.model.state import SECOND
from controller.view.graph.boxes import NAME_AT
from controller.view.graph.shape import Direction, Edge, Node
from controller.view.graph.standing import Graph, Standing, in_words
from controller.view.graph.style import STYLE
from controller.view.ink import visible
from controller.view.table import PHASE_MARKS
from controller.view.times import span

MARGIN = 24  # px around the picture, where it stands alone
_HEAD = 44  # px above it, for the line that says what it is of
_BAR = 4  # px, its height
_SEEN = 3  # px, a part of a bar has at least
_RADIUS = 6
_LEFT = 12  # px, where a name begins that has no mark before it
_PILE = 4  # px by which the second card of a pile is off
NO_PHASE = "Planned"  # the class where there is no run
NOT_KNOWN = "not known yet"  # what it will be made of

_NOTHING = Standing(phase=None, note="", seconds=None, counts={})


def svg(graph: Graph, alone: bool = True) -> str:
    """The text of a file, or, not `alone`, an element for a page."""
    return "\n".join([*_lines(graph, alone), ""])


def _lines(graph: Graph, alone: bool) -> Iterator[str]:
    layout = graph.layout
    left, top = (MARGIN, MARGIN + _HEAD) if alone else (4, 4)
    width = max(layout.width + 2 * left, 360 if alone else 0)
    height = layout.height + top + (MARGIN if alone else 4)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="treadle-graph" role="img" '
        f'aria-labelledby="treadle-title treadle-desc" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">'
    )
    yield f'<title id="treadle-title">{_text(graph.workflow)}: its steps</title>'
    yield f'<desc id="treadle-desc">{_text(_description(graph))}</desc>'
    if alone:
        yield f"<style>\n{STYLE}</style>"
        yield '<rect class="ground" width="100%" height="100%"/>'
        yield from _head(graph)
    yield (
        '<defs><marker id="treadle-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="arrow" d="M1 1L7 4L1 7"/></marker></defs>'
    )
    yield f'<g transform="translate({left} {top})">'
    for node in layout.nodes:
        if node.kind in ("box", "bundle"):
            yield _box(node, graph.standings.get(node.id, _NOTHING))
    for edge in layout.edges:
        yield _edge(edge, layout.direction)
    for node in layout.nodes:
        if node.kind == "parent":
            yield _parent(node, graph.standings.get(node.id, _NOTHING))
        elif node.kind not in ("box", "bundle"):
            yield _step(node, graph.standings.get(node.id, _NOTHING))
    yield "</g>"
    yield "</svg>"


# ---------------------------------------- the whole


def _head(graph: Graph) -> Iterator[str]:
    yield f'<g class="head is-{graph.phase or NO_PHASE}" transform="translate({MARGIN} 34)">'
    said = [f'<tspan class="title">{_text(graph.workflow)}</tspan>']
    if graph.phase is not None:
        mark = PHASE_MARKS.get(graph.phase, "")
        said.append(f'<tspan class="mark" dx="12">{mark}</tspan>')
        said.append(f'<tspan class="phase" dx="5">{graph.phase}</tspan>')
    said.append(f'<tspan class="note" dx="12">{_text(_summary(graph))}</tspan>')
    yield f"<text>{''.join(said)}</text>"
    yield "</g>"


def _summary(graph: Graph) -> str:
    """`run 3 · 2 failed, 5 succeeded`."""
    run = [f"run {graph.run}"] if graph.run else []
    return " · ".join([*run, in_words(_counts(graph)) or _number(_steps(graph), "step")])


def _description(graph: Graph) -> str:
    top = [node.layer for node in graph.layout.nodes if node.parent is None]
    layers = _number(max(top, default=-1) + 1, "layer")
    said = f"{_number(_steps(graph), 'step')} in {layers}"
    counts = in_words(_counts(graph))
    return f"{said}: {counts}" if counts else said


def _steps(graph: Graph) -> int:
    """How many there are that do something, as far as that is known."""
    nodes = [node for node in graph.layout.nodes if node.kind not in ("box", "bundle")]
    return sum(_counts(graph).values()) or sum(node.folded or 1 for node in nodes)


def _counts(graph: Graph) -> dict[str, int]:
    """Of the steps that do something, how many are in which phase."""
    counts: dict[str, int] = {}
    for node in graph.layout.nodes:
        standing = graph.standings.get(node.id, _NOTHING)
        if node.kind in ("box", "bundle") or standing.phase is None:
            continue
        for phase, count in (standing.counts or {standing.phase: 1}).items():
            counts[phase] = counts.get(phase, 0) + count
    return counts


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# ---------------------------------------- nodes


def _step(node: Node, standing: Standing) -> str:
    took = "asks" if node.kind == "approval" else ""
    if standing.seconds is not None and not standing.asks:
        took = span(round(standing.seconds * SECOND))
    base = node.height // 2 + 4
    return (
        f"{_group(node, standing)}{_card(node.width, node.height)}"
        f"{_stripe(node.height)}{_name(node, standing, base)}"
        f'<text class="took" x="{node.width - 9}" y="{base}">{took}</text></g>'
    )


def _parent(node: Node, standing: Standing) -> str:
    """A pile of cards, and how those stand that it is a pile of."""
    width, height = node.width - _PILE, node.height - _PILE
    return (
        f"{_group(node, standing)}"
        f'<rect class="card back" x="{_PILE}" y="{_PILE}" width="{width}" height="{height}" '
        f'rx="{_RADIUS}"/>{_card(width, height)}'
        f"{_stripe(height)}{_name(node, standing, 19)}"
        f'<text class="note" x="{_left(standing)}" y="34">{_progress(standing) or NOT_KNOWN}</text>'
        f"{''.join(_bar(standing, width - NAME_AT - 10, height - 9))}</g>"
    )


def _box(node: Node, standing: Standing) -> str:
    """Around what is in it. Others stand on it, so it comes before them."""
    return (
        f'{_group(node, standing)}<rect class="frame" width="{node.width}" height="{node.height}" '
        f'rx="{_RADIUS + 2}"/>{_name(node, standing, 18)}'
        f'<text class="note right" x="{node.width - 12}" y="18">{_progress(standing)}</text></g>'
    )


def _group(node: Node, standing: Standing) -> str:
    kind = "data-bundle" if node.kind == "bundle" else "data-step"
    now = f"is-{standing.phase or NO_PHASE}{' asks' if standing.asks else ''}"
    return (
        f'<g class="node {node.kind} {now}" {kind}="{_text(node.id)}" '
        f'transform="translate({node.x} {node.y})"><title>{_text(_told(node, standing))}</title>'
    )


def _told(node: Node, standing: Standing) -> str:
    """`load: Failed, 3.1s: exit code 2`."""
    took = "" if standing.seconds is None else f", {span(round(standing.seconds * SECOND))}"
    phase = "" if standing.phase is None else f": {standing.phase}{took}"
    note = f": {standing.note}" if standing.note else ""
    name = node.label if node.kind == "bundle" else node.id
    return f"{name}{phase}{note}"


def _card(width: int, height: int) -> str:
    return f'<rect class="card" width="{width}" height="{height}" rx="{_RADIUS}"/>'


def _stripe(height: int) -> str:
    """Along the left side of the card, round where that is."""
    r, low = _RADIUS, height - _RADIUS
    return f'<path class="stripe" d="M5 0A{r} {r} 0 0 0 0 {r}V{low}A{r} {r} 0 0 0 5 {height}Z"/>'


def _name(node: Node, standing: Standing, base: int) -> str:
    """With the mark of the phase before it, if it has one."""
    kind = "note" if node.kind == "bundle" else "name"
    name = f'<text class="{kind}" x="{_left(standing)}" y="{base}">{_text(node.label)}</text>'
    if standing.phase is None:
        return name
    return f'<text class="mark" x="17" y="{base}">{PHASE_MARKS[standing.phase]}</text>{name}'


def _left(standing: Standing) -> int:
    return _LEFT if standing.phase is None else NAME_AT


def _progress(standing: Standing) -> str:
    """`3 failed, 12 running, 985 of 1,000`: what succeeded comes last."""
    total = sum(standing.counts.values())
    done = standing.counts.get(Phase.SUCCEEDED, 0)
    others = in_words(standing.counts, (Phase.FAILED, Phase.RUNNING))
    return ", ".join([*([others] if others else []), f"{done:,} of {total:,}"]) if total else ""


def _bar(standing: Standing, width: int, y: int) -> Iterator[str]:
    """A part for each phase, as long as its steps are many; of a few, long enough to be seen."""
    if not standing.counts:
        return
    total, at = sum(standing.counts.values()), float(NAME_AT)
    yield f'<rect class="bar" x="{NAME_AT}" y="{y}" width="{width}" height="{_BAR}"/>'
    for phase, count in standing.counts.items():
        length = round(_SEEN + (width - _SEEN * len(standing.counts)) * count / total, 1)
        yield (
            f'<rect class="bar is-{phase}" x="{at:g}" y="{y}" width="{length:g}" height="{_BAR}"/>'
        )
        at = round(at + length, 1)


# ---------------------------------------- edges


def _edge(edge: Edge, direction: Direction) -> str:
    how = "" if edge.condition == "Succeeded" else f" on-{edge.condition}"
    return (
        f'<path class="edge{how}" data-from="{_text(edge.source)}" data-to="{_text(edge.target)}" '
        f'd="{_path(edge.points, direction)}" marker-end="url(#treadle-arrow)"/>'
    )


def _path(points: Sequence[tuple[int, int]], direction: Direction) -> str:
    said = [f"M{points[0][0]} {points[0][1]}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        if x == to_x or y == to_y:
            said.append(f"L{to_x} {to_y}")
        elif direction == "right":
            middle = (x + to_x) // 2
            said.append(f"C{middle} {y} {middle} {to_y} {to_x} {to_y}")
        else:
            middle = (y + to_y) // 2
            said.append(f"C{x} {middle} {to_x} {middle} {to_x} {to_y}")
    return "".join(said)


def _text(text: str) -> str:
    """For an element or an attribute: what XML can't hold is visible."""
    return escape(visible(text))
