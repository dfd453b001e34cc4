"""Where a step is defined: in the spec, or in the template that another step calls.

Names of steps in a definition, and in expressions, mean steps of the same scope.
"""

from collections.abc import Mapping
from typing import NamedTuple

from controller.model.state import Step, Workflow
from controller.spec.fingerprint import NOTHING, Params, inside
from controller.spec.items import Item, inner_name
from controller.spec.models import Spec


class Scope(NamedTuple):
    """`params` and `before` are as `fingerprint.Inside` has them; `piece`: as of Step."""

    spec: Spec
    params: Params
    before: Mapping[str, str] = NOTHING
    piece: str = ""

    def full_name(self, name: str) -> str:
        """The full name of the step that has this name here."""
        return inner_name(self.piece, name) if self.piece else name

    def local(self, by_full_name: Mapping[str, str]) -> dict[str, str]:
        """Of what is known by full names, that of the steps here, by their names here."""
        if not by_full_name:
            return {}
        return {
            step.name: by_full_name[full]
            for step in self.spec.steps
            if (full := self.full_name(step.name)) in by_full_name
        }


def scope_of(workflow: Workflow, step: Step) -> Scope:
    """The scope of the step, by the spec in force."""
    if not step.piece:
        return Scope(workflow.spec, workflow.params)
    piece = workflow.steps[step.piece]
    caller = defined(workflow, piece)
    needs = prints_of_needs(workflow, caller)
    there = inside(workflow.spec, caller.name, needs, workflow.params, item_of(piece))
    return Scope(*there, piece=piece.name)


def defined(workflow: Workflow, step: Step) -> Step:
    """The step whose definition it follows: its parent, if it is for an item of that."""
    parent = workflow.parent_of(step)
    return parent if parent is not None and step.is_of_list else step


def item_of(step: Step) -> Item | None:
    """The item that it is for."""
    return Item(step.key, step.item, step.nth) if step.is_of_list else None


def prints_of_needs(workflow: Workflow, step: Step) -> dict[str, str]:
    """The fingerprints of what it needs, by its names in the scope, as its own is made of them."""
    found: dict[str, str] = {}
    for need in step.definition.requires:
        name = step.sibling(need.step)
        found[need.step] = workflow.kept.get(name, workflow.steps[name].fingerprint)
    return found
