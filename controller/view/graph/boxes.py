"""The boxes of steps: how large they are, and which steps below them are to be seen.

The few children of a step, or the steps of its template, stand in its box. Where they are many, one
box stands for all of them. It depends on the spec and on what is below each step, but not on
phases: so a picture stays as it is while its steps run. Cost: O(steps).
"""

from collections.abc import Iterator, Mapping, Sequence

from controller.model.state import Step
from controller.view.children import short_name, stands_at_the_top
from controller.view.graph.shape import Box, Kind, Need
from controller.view.ink import visible
from controller.view.table import cells, middle

CHILDREN_MAX = 8  # of a list; more are folded into one box
BELOW_MAX = 24  # steps below one, on all levels; more are folded
LABEL_MAX = 24  # columns of text
_TIMES = "\N{MULTIPLICATION SIGN}"

LETTER = 7.23  # px a column of text takes
NAME_AT = 28  # px from the left, where the name begins
_TOOK = 56  # px for how long it took, on the right
STEP_HEIGHT = 32
PARENT_HEIGHT = 54
_PARENT_WIDTH = 200  # at least: below the name is how its children stand
_STEP_WIDTH = 104


def boxes_of(steps: Mapping[str, Step]) -> list[Box]:
    """Those of all steps. `steps`: by full name, with what is below them."""
    top = [step for step in steps.values() if stands_at_the_top(steps, step)]
    return [_box(steps, step, visible(step.name)) for step in top]


def _box(steps: Mapping[str, Step], step: Step, name: str) -> Box:
    below = list(_below(steps, step))
    needs = [Need(step.sibling(need.step), need.condition) for need in step.definition.requires]
    if not step.is_parent:
        kind: Kind = "step" if step.definition.approve is None else "approval"
        label = middle(name, LABEL_MAX)
        width = _even(max(_STEP_WIDTH, NAME_AT + LETTER * cells(label) + _TOOK))
        return Box(
            id=step.name, label=label, kind=kind, needs=needs, width=width, height=STEP_HEIGHT
        )
    label = f"{middle(name, LABEL_MAX)}{_number(step, below)}"
    width = _even(max(_PARENT_WIDTH, NAME_AT + LETTER * cells(label) + NAME_AT))
    if below and _is_open(step, below):
        children = [steps[child] for child in step.children if child in steps]
        inside = [_box(steps, child, _name_inside(step, child)) for child in children]
        return Box(id=step.name, label=label, kind="box", needs=needs, inside=inside, width=width)
    return Box(
        id=step.name,
        label=label,
        kind="parent",
        needs=needs,
        width=width,
        height=PARENT_HEIGHT,
        folded=len(below),
    )


def _below(steps: Mapping[str, Step], step: Step) -> Iterator[Step]:
    for name in step.children:
        if (child := steps.get(name)) is not None:
            yield child
            yield from _below(steps, child)


def _is_open(step: Step, below: Sequence[Step]) -> bool:
    is_list = step.definition.for_each is not None
    return len(below) <= BELOW_MAX and not (is_list and len(step.children) > CHILDREN_MAX)


def _number(step: Step, below: Sequence[Step]) -> str:
    if step.definition.for_each is not None:
        return f" {_TIMES}{len(step.children):,}" if below else f" {_TIMES}…"
    return f" · {step.children_counted}" if below else ""


def _name_inside(parent: Step, child: Step) -> str:
    """A name that need not say again what it is in."""
    return visible(child.key if child.is_of_list else short_name(child))


def _even(width: float) -> int:
    return (int(width) + 1) // 2 * 2
