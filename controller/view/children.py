"""The children of a step with `forEach`, as people see them: below their parent, and folded.

Cost: O(children), a few microseconds for each hundred.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from controller.model.phases import Phase
from controller.model.state import Step, Workflow
from controller.spec.items import parent_name

FOLDED_FROM = 21  # fewer children are all shown
_SHOWN_MAX = 5  # of those that are folded
_SHOWN = (Phase.FAILED, Phase.RUNNING)  # first
_COUNTED = (Phase.RUNNING, Phase.FAILED, Phase.CANCELLED, Phase.SKIPPED)


def in_order(workflow: Workflow) -> Iterator[Step]:
    """All steps as the spec has them, each with its children below it, in the order of its items.

    What is no longer in the list or in the spec comes last.
    """
    given = set[str]()
    for step in workflow.steps.values():
        if step.parent is not None:
            break  # children come after all steps of the spec
        yield step
        yield from (children := of(workflow, step))
        given.add(step.name)
        given.update(child.name for child in children)
    if len(given) < len(workflow.steps):
        yield from (step for name, step in workflow.steps.items() if name not in given)


def of(workflow: Workflow, parent: Step) -> list[Step]:
    """Its children, those of the list in force."""
    return [workflow.steps[name] for name in parent.children if name in workflow.steps]


def meant(workflow: Workflow, names: Iterable[str]) -> list[str]:
    """The steps that are named; where one has children, these. Each once."""
    found: dict[str, None] = {}
    for name in names:
        children = [child.name for child in of(workflow, workflow.steps[name])]
        found |= dict.fromkeys(children or [name])
    return list(found)


def shown(workflow: Workflow, parent: Step) -> list[Step]:
    """Its children, or, if they are many, the first few of those that failed or run."""
    children = of(workflow, parent)
    if len(children) < FOLDED_FROM:
        return children
    few = [child for phase in _SHOWN for child in children if child.phase is phase]
    return sorted(few[:_SHOWN_MAX], key=lambda child: child.nth)


def progress(workflow: Workflow, parent: Step) -> str:
    """`120 of 1,000 succeeded: 3 running, 2 failed`."""
    counts = Counter(child.phase for child in of(workflow, parent))
    others = [f"{counts[phase]:,} {phase.lower()}" for phase in _COUNTED if counts[phase]]
    said = f"{counts[Phase.SUCCEEDED]:,} of {len(parent.children):,} succeeded"
    return f"{said}: {', '.join(others)}" if others else said


def by_parent(names: Iterable[str]) -> dict[str, list[str]]:
    """Of these names, those of children by their parent; the others by ""."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(parent_name(name), []).append(name)
    return groups
