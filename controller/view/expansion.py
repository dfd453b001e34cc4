"""What a step with `forEach` was expanded into, or will be, as far as that is known."""

from controller.model.phases import Phase
from controller.model.state import State, Step, Workflow
from controller.planner.resolve import children_to_be, makers_of_list
from controller.spec.expression import Failed
from controller.spec.items import key_in
from controller.view import words


def sentence(state: State, workflow: Workflow, parent: Step) -> str:
    """`it has 3 children: eu, us, jp`; "" where there is nothing to expect.

    Cost: that of the list, if it is not expanded yet.
    """
    if parent.expanded:
        return f"it has {counted(parent.children)}"
    if parent.phase is not Phase.PENDING:
        return ""
    try:
        names = children_to_be(state, workflow, parent)
    except Failed as failure:
        return f"it can't be expanded: {failure}"
    if names is None:
        of = words.listed(makers_of_list(workflow, parent))
        return f"its children are not known yet: their list is made from what {of} will give"
    return f"it will have {counted(names)}"


def counted(names: list[str]) -> str:
    """`3 children: eu, us, jp`, of their full names."""
    if not names:
        return "no children: the list is empty"
    keys = words.named([key_in(name) for name in names])
    return f"{len(names):,} {'child' if len(names) == 1 else 'children'}: {keys}"
