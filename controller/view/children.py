"""What is below steps with `forEach` or a template, as people see it: a tree, and folded.

Cost: O(what is below), a few microseconds for each hundred.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from controller.model.phases import Phase, Reason
from controller.model.state import Step, Workflow
from controller.spec.items import inner_name, parent_name

FOLDED_FROM = 21  # fewer children are all shown
_SHOWN_MAX = 5  # of those that are folded; of those that are open
_SHOWN = (Phase.FAILED, Phase.RUNNING)  # first
_COUNTED = (Phase.RUNNING, Phase.FAILED, Phase.CANCELLED, Phase.SKIPPED)


def in_order(workflow: Workflow) -> Iterator[Step]:
    """All steps as the spec has them, each with all that is below it, in the order of the items.

    What is no longer in the list, the template or the spec comes last.
    """
    given = set[str]()
    for step in workflow.steps.values():
        if step.parent is not None:
            break  # children come after all steps of the spec
        yield step
        yield from (below := list(workflow.below(step)))
        given.add(step.name)
        given.update(child.name for child in below)
    if len(given) < len(workflow.steps):
        yield from (step for name, step in workflow.steps.items() if name not in given)


def stands_at_the_top(steps: Mapping[str, Step], step: Step) -> bool:
    """Not below a parent: it is no child, or what it was a child of no longer has it."""
    return step.parent not in steps or step.leaving is not None


def hooks(workflow: Workflow) -> list[Step]:
    """The hooks of the present run, or of the last one, in the order in which they run; then those
    of the last run with hooks.
    """
    return [workflow.hooks[name] for name in dict.fromkeys((*workflow.due_hooks, *workflow.hooks))]


def of(workflow: Workflow, parent: Step) -> list[Step]:
    """Its children, those of the list in force."""
    return [workflow.steps[name] for name in parent.children if name in workflow.steps]


def meant(workflow: Workflow, names: Iterable[str]) -> list[str]:
    """The steps that are named; for one with children, those below it that have none. Each once."""
    found: dict[str, None] = {}
    for name in names:
        leaves = [leaf.name for leaf in workflow.leaves(workflow.step(name))]
        found |= dict.fromkeys(leaves or [name])
    return list(found)


def shown(workflow: Workflow, parent: Step) -> list[Step]:
    """Its children, or, if they are many, the first few of those that failed or run."""
    children = of(workflow, parent)
    if len(children) < FOLDED_FROM:
        return children
    return sorted(_first(children), key=lambda child: child.nth)


def opened(children: Sequence[Step]) -> set[str]:
    """Of these, the first few that failed or run, and so are shown with their own children."""
    return {child.name for child in _first([child for child in children if child.children])}


def _first(children: Sequence[Step]) -> list[Step]:
    return [child for phase in _SHOWN for child in children if child.phase is phase][:_SHOWN_MAX]


def made_it_so(workflow: Workflow, parent: Step) -> list[Step]:
    """The children that decided its phase: they ended in the same way."""
    alike = [child for child in of(workflow, parent) if child.phase is parent.phase]
    if parent.definition.for_each is None and parent.phase is Phase.FAILED:
        return [child for child in alike if not child.tolerated]
    return alike


def stands_alone(step: Step) -> bool:
    """Whether its phase says more than those of its children."""
    return not step.expanded or step.reason == Reason.EXPRESSION_FAILED


def progress(workflow: Workflow, parent: Step) -> str:
    """`120 of 1,000 succeeded: 3 running, 2 failed`."""
    counts = Counter(child.phase for child in of(workflow, parent))
    others = [f"{counts[phase]:,} {phase.lower()}" for phase in _COUNTED if counts[phase]]
    said = f"{counts[Phase.SUCCEEDED]:,} of {len(parent.children):,} succeeded"
    return f"{said}: {', '.join(others)}" if others else said


def parents(names: Iterable[str]) -> set[str]:
    """The steps whose children have these names."""
    return {parent_name(name) for name in names}


def short_name(step: Step) -> str:
    """Its name as its template has it, to be shown below the step that calls the template."""
    return step.name.removeprefix(inner_name(step.piece, "")) if step.piece else step.name
