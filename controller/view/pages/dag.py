"""The steps of a workflow drawn as a tree, in the order in which they run.

A column is a sequence, a fork is drawn by ├ and └, and what joins its branches again stands below
them, in the column where the fork began. If that is a fork, too, it begins with ┌:

    extract
    ├ clean-eu
    │ check-eu
    └ clean-us
    ┌ load
    └ report

The parent of a step is its immediate dominator: the last step that all ways to it pass through,
found as in Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (one pass is enough for
a graph without cycles). The children of a step with `forEach` stand below it, further to the right;
the steps of a template likewise, as a tree of their own.
Cost: O(edges * depth of the tree); past `STEPS_MAX` steps nothing is drawn, since no picture of
them fits a screen.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from controller.model.state import Step
from controller.view.children import short_name, stands_at_the_top

STEPS_MAX = 1000

_START = ""  # the parent of steps that depend on nothing; no step has this name


class Branch(NamedTuple):
    lead: str  # the lines before the name
    step: Step
    below: str = ""  # the lines before what stands below it
    is_child: bool = False  # of the branch above it, whose name it need not repeat

    @property
    def name(self) -> str:
        return short_name(self.step) if self.is_child else self.step.name


def tree(steps: Mapping[str, Step]) -> list[Branch]:
    """Every step once, each after its dependencies; without children, which stand below one."""
    return _tree({name: step for name, step in steps.items() if stands_at_the_top(steps, step)})


def _tree(steps: Mapping[str, Step]) -> list[Branch]:
    needs = {
        name: [
            need
            for dependency in step.definition.requires
            if (need := step.sibling(dependency.step)) in steps
        ]
        for name, step in steps.items()
    }
    order = _in_order(needs)
    if len(needs) > STEPS_MAX:
        return [Branch("", steps[name]) for name in order]
    parents = _dominators(needs, order)
    layers = _layers(needs, order, parents)
    return [Branch(lead, steps[name], below) for lead, below, name in _drawn(layers)]


def with_children(
    branches: Iterable[Branch],
    children: Callable[[Step], Sequence[Step]],
    opened: Callable[[Sequence[Step]], Collection[str]],
) -> Iterator[Branch]:
    """The children of each step below it, those that `children` gives.

    `opened`: of these children, the names of those whose own children are shown, too.
    """
    for branch in branches:
        yield branch
        below = children(branch.step) if branch.step.children else []
        open_ones = opened(below)
        for child in _children_of(branch, below):
            if child.step.name in open_ones:
                yield from with_children([child], children, opened)
            else:
                yield child


def _children_of(parent: Branch, children: Sequence[Step]) -> Iterator[Branch]:
    """One below the other; the steps of a template as a tree."""
    lead = f"{parent.below}  "
    if parent.step.definition.for_each is not None:
        yield from (Branch(lead, child, lead, is_child=True) for child in children)
        return
    for branch in _tree({child.name: child for child in children}):
        below = f"{lead}{branch.below}"
        yield Branch(f"{lead}{branch.lead}", branch.step, below, is_child=True)


def _in_order(needs: Mapping[str, list[str]]) -> list[str]:
    """Dependencies first, else as in the spec."""
    order: dict[str, None] = {}
    for name in needs:
        way = [name]
        while way:
            missing = [need for need in needs[way[-1]] if need not in order]
            if missing:
                way.append(missing[0])
            else:
                order.setdefault(way.pop())
    return list(order)


def _dominators(needs: Mapping[str, list[str]], order: list[str]) -> dict[str, str]:
    parents: dict[str, str] = {}
    depth = {_START: 0}
    for name in order:
        meet, *others = needs[name] or [_START]
        for other in others:
            way = other
            while meet != way:
                if depth[meet] >= depth[way]:
                    meet = parents[meet]
                else:
                    way = parents[way]
        parents[name], depth[name] = meet, depth[meet] + 1
    return parents


def _layers(
    needs: Mapping[str, list[str]], order: list[str], parents: Mapping[str, str]
) -> dict[str, list[list[str]]]:
    """The children of each step, in layers: a layer needs something of the layers before it."""
    layers: dict[str, list[list[str]]] = {}
    level: dict[str, int] = {}
    for name in order:
        parent = parents[name]
        above = [_ancestor(need, parent, parents) for need in needs[name] if need != parent]
        level[name] = 1 + max((level[sibling] for sibling in above), default=-1)
        rows = layers.setdefault(parent, [])
        if level[name] == len(rows):
            rows.append([])
        rows[level[name]].append(name)
    return layers


def _ancestor(name: str, under: str, parents: Mapping[str, str]) -> str:
    """The ancestor of `name` (or `name`) that is a child of `under`."""
    while parents[name] != under:
        name = parents[name]
    return name


def _drawn(layers: Mapping[str, list[list[str]]]) -> Iterator[tuple[str, str, str]]:
    open_: list[tuple[str, str, str]] = [("", "", _START)]  # lead of its line, of those below it
    while open_:
        lead, below, name = open_.pop()
        if name:
            yield lead, below, name
        inside, begin = [], "├ "
        for layer in layers.get(name, ()):
            fork, space = (begin, "│ ") if len(layer) > 1 else ("", "")
            inside.append((f"{below}{fork}", f"{below}{space}", layer[0]))
            inside += [(f"{below}├ ", f"{below}│ ", child) for child in layer[1:-1]]
            if len(layer) > 1:
                inside.append((f"{below}└ ", f"{below}  ", layer[-1]))
            begin = "┌ " if len(layer) > 1 else "├ "
        open_ += reversed(inside)
