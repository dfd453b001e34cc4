"""What is placed, and where it is placed: boxes go in, a layout comes out, all in px."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct, field

Kind = Literal["step", "approval", "parent", "box", "bundle"]
Condition = Literal["Succeeded", "Failed", "Finished"]
Direction = Literal["right", "down"]


class Need(NamedTuple):
    step: str  # the id of a box beside it
    condition: Condition = "Succeeded"


class Box(Struct, frozen=True, kw_only=True):
    """What is to be placed: a step, or a step with others inside. Sizes in px.

    With others inside, the size follows from these. `folded`: how many it stands for, unseen.
    """

    id: str
    label: str
    width: int = 0
    height: int = 0
    kind: Kind = "step"
    needs: Sequence[Need] = ()
    inside: Sequence["Box"] = ()
    folded: int = 0


class Node(Struct, frozen=True, kw_only=True):
    """A step at its place; `x` and `y` are its upper left corner, in px from that of the picture.

    `id` is the name of the step. A bundle stands for no step of its own: its id is `*` and the name
    of the first step in it. `parent` is the id of the box or bundle that it is in, `layer` its
    place among the layers there, from 0. Nodes come in the order of the spec, a box before what is
    in it.
    """

    id: str
    label: str
    kind: Kind
    parent: str | None
    layer: int
    x: int
    y: int
    width: int
    height: int
    folded: int  # steps below it that have no node, and that it stands for


class Edge(Struct, frozen=True, kw_only=True):
    """From a node to one that depends on it, in their parent.

    Its line goes through all points: straight where two of them have the same `y` (`x`, if the
    layout goes down), else as a curve that leaves and arrives in the direction of the layout.
    """

    source: str = field(name="from")
    target: str = field(name="to")
    condition: Condition
    points: list[tuple[int, int]]


class Layout(Struct, frozen=True, kw_only=True):
    """What `graph -o json` shows, and what the page draws: all in px."""

    direction: Direction
    width: int
    height: int
    nodes: list[Node]
    edges: list[Edge]
