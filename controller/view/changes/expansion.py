"""What a step with children was expanded into, or will be, as far as that is known."""

from controller.model.phases import Phase
from controller.model.state import State, Step, Workflow
from controller.planner.resolve import children_to_be, makers_of_list
from controller.spec.expression import Failed
from controller.spec.items import key_in, number_of
from controller.spec.template import template_definitions
from controller.view import words


def sentence(state: State, workflow: Workflow, parent: Step) -> str:
    """`it has 3 children: eu, us, jp`; "" where there is nothing to expect.

    Cost: that of the list, if it is not expanded yet.
    """
    if parent.expanded:
        return f"it has {counted(parent.children)}"
    if parent.phase not in (Phase.PENDING, Phase.READY) or not workflow.stands(parent):
        return ""
    try:
        names = children_to_be(state, workflow, parent)
    except Failed as failure:
        return f"it can't be expanded: {failure}"
    each = _of_each(workflow, parent)
    if names is None:
        of = words.listed(makers_of_list(workflow, parent))
        said = f"its children are not known yet: their list is made from what {of} will give"
        return f"{said}; each will have {each}" if each else said
    also = f", each with {each}" if each and names else ""
    return f"it will have {counted(names)}{also}"


def counted(names: list[str]) -> str:
    """`3 children: eu, us, jp`, of their full names."""
    if not names:
        return "no children: the list is empty"
    keys = words.named([key_in(name) for name in names])
    return f"{number_of(len(names), names[0].endswith(']'))}: {keys}"


def _of_each(workflow: Workflow, parent: Step) -> str:
    """What each of its children will have; "" if these have no children."""
    if parent.definition.for_each is None or parent.definition.template is None:
        return ""
    names = list(template_definitions(workflow.spec, parent.definition))
    return f"{number_of(len(names), of_list=False)}: {words.named(names)}"
