"""The steps of a spec that has not run, drawn as `status` draws those of a run.

Cost: O(steps), and see `dag`.
"""

from collections.abc import Iterator, Mapping

from controller.model.state import Step
from controller.spec.definition import Definition
from controller.view.figures import NONE
from controller.view.pages.dag import Branch, tree, with_children
from controller.view.table import Cell, Column, Table


def outline(steps: Mapping[str, Step]) -> Table:
    """A row for each step. `steps`: by full name, those below others as well."""
    branches = with_children(
        tree(steps),
        lambda step: [steps[name] for name in step.children],
        lambda children: {child.name for child in children if child.children},
    )
    columns = (Column("STEP", shrinks=True), Column("AFTER", shrinks=True), Column("NOTE"))
    return Table(columns, [_row(branch) for branch in branches])


def _row(branch: Branch) -> tuple[Cell, ...]:
    definition = branch.step.definition
    after = ", ".join(
        need.step if need.condition == "Succeeded" else f"{need.step} ({need.condition.lower()})"
        for need in definition.requires
    )
    return (
        Cell(f"{branch.lead}{branch.name}"),
        Cell(after or NONE),
        Cell(", ".join(_notes(definition))),
    )


def _notes(definition: Definition) -> Iterator[str]:
    if definition.for_each is not None:
        yield "for each item"
    if definition.template is not None:
        yield f"template {definition.template.name}"
    if definition.approve is not None:
        yield "asks a person"
    if definition.when:
        yield f"when {definition.when}"
