"""What a new generation does to a step with `forEach`: a row for it, and for each child.

The children are compared by their keys: those that stay are judged like any step, the others are
new or gone. A list that hangs on what runs again is not known yet. Cost: O(children).
"""

from typing import NamedTuple

from msgspec import structs

from controller.model.children import child_definition
from controller.model.events import (
    STEP_ADDED,
    STEP_UNCHANGED,
    Child,
    EffectAction,
    StepEffect,
)
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import Step, Workflow
from controller.planner.resolve import Expansion, Sight, expansion
from controller.planner.rows import (
    ANEW,
    GOES_ON,
    Upstream,
    changed_row,
    has_result,
    is_same,
    kept_row,
    lacking_outputs,
    removed_row,
    reran_row,
    row,
    say_why,
)
from controller.spec.definition import (
    Definition,
    asks_each,
    definitions,
    expansion_expressions,
)
from controller.spec.expression import Failed, params_read, steps_read
from controller.spec.fingerprint import inputs_of_children
from controller.spec.items import Item, child_name


class Fan(NamedTuple):
    """What becomes of a step that is expanded, and of its children.

    `expansion`: its children from now on; None if it is to be expanded again.
    """

    effect: StepEffect
    children: dict[str, StepEffect]
    expansion: list[Child] | None
    is_same_list: bool = True


def fan_row(
    workflow: Workflow,
    parent: Step,
    seen: Sight,
    fingerprint: str,
    made_of: dict[str, str],
    upstream: Upstream,
) -> Fan:
    """What becomes of a step with `forEach`: a row for it, and for each child.

    `made_of`: the fingerprints of what it depends on, as dependents see them.
    """
    definition = definitions(seen.spec)[parent.name]
    if not parent.expanded:
        effect = row(workflow, parent, definition, seen, fingerprint, upstream)
        if parent.phase is Phase.READY and effect.action == "keep":
            effect = structs.replace(effect, action="run")  # it had no `forEach`
        return Fan(effect, _collapsed(workflow, parent), None)
    if upstream.anew:
        return Fan(reran_row(upstream, "run"), _of_fan_anew(workflow, parent, seen, upstream), None)
    needs = {need.step: made_of[need.step] for need in definition.requires}
    needs[parent.name] = fingerprint
    try:
        found = expansion(seen, definition, needs, _same_items(workflow, parent, seen))
    except Failed as failure:
        stay = dict.fromkeys(parent.children, STEP_UNCHANGED)
        return Fan(StepEffect("run", Reason.SPEC_CHANGED, str(failure)), stay, None)
    children = _rows(workflow, parent, seen, needs, found, upstream)
    names = [name for name, one in children.items() if one.action != "remove"]
    is_same_list = names == parent.children
    effect = _of_parent(parent, fingerprint, children)
    return Fan(effect, children, found.children, is_same_list)


def _of_fan_anew(
    workflow: Workflow, parent: Step, seen: Sight, upstream: Upstream
) -> dict[str, StepEffect]:
    """Its children, if something that they all ran after runs again."""
    definition = definitions(seen.spec)[parent.name]
    hangs = bool(steps_read(seen.spec, expansion_expressions(definition.for_each)))
    rows: dict[str, StepEffect] = {}
    for name in parent.children:
        action: EffectAction = "restart" if workflow.steps[name].phase is Phase.RUNNING else "run"
        rows[name] = reran_row(upstream, action)
        if hangs:
            message = f"its list is made again, since it {rows[name].message}"
            rows[name] = StepEffect(action, Reason.NOT_KNOWN_YET, message)
    return rows


def _rows(
    workflow: Workflow,
    parent: Step,
    seen: Sight,
    needs: dict[str, str],
    found: Expansion,
    upstream: Upstream,
) -> dict[str, StepEffect]:
    """A row for each child: of the items that stay, of new ones, of those that are gone."""
    definition = definitions(seen.spec)[parent.name]
    inner = child_definition(definition, asks_each(seen.spec, definition))
    rows: dict[str, StepEffect] = {}
    changed: list[Item] = []
    for item, child in zip(found.items, found.children, strict=True):
        name = child_name(parent.name, child.key)
        step = workflow.steps.get(name)
        if step is None:
            rows[name] = STEP_ADDED
            continue
        at = seen._replace(item=item.value, nth=item.index)
        effect = row(workflow, step, inner, at, child.fingerprint, upstream)
        if effect.reason == Reason.SPEC_CHANGED and _keeps(step, inner):
            effect = kept_row(step, upstream)
        if effect.reason == Reason.SPEC_CHANGED:
            changed.append(item)
        rows[name] = effect
    afters = inputs_of_children(seen.spec, parent.name, needs, seen.params, changed)
    for item, after in zip(changed, afters, strict=True):
        name = child_name(parent.name, item.key)
        rows[name] = say_why(workflow, workflow.steps[name], rows[name], after, inner)
    for name in parent.children:
        if name not in rows:
            gone = removed_row(workflow.steps[name])
            rows[name] = structs.replace(gone, message="no longer in the list")
    return rows


def _keeps(step: Step, definition: Definition) -> bool:
    """Whether a child keeps its result, or what runs, although it does something else now."""
    if definition.on_changed != "KeepResult" or lacking_outputs(step, definition):
        return False
    return has_result(step, definition) or step.phase is Phase.RUNNING


def _same_items(workflow: Workflow, parent: Step, seen: Sight) -> list[Item] | None:
    """The items that it has, if the edit can't have changed them; None: they are to be found."""
    definition = definitions(seen.spec)[parent.name]
    if parent.definition.for_each != definition.for_each:
        return None
    read = params_read(seen.spec, expansion_expressions(definition.for_each))
    if any(not is_same(seen.params[name], workflow.params.get(name)) for name in read):
        return None
    children = [workflow.steps[name] for name in parent.children]
    return [Item(child.key, child.item, child.nth) for child in children]


def _of_parent(parent: Step, fingerprint: str, children: dict[str, StepEffect]) -> StepEffect:
    """It completes anew if its list or a child did; those that depend on it compare its hash."""
    over = parent.phase in TERMINAL
    if parent.fingerprint != fingerprint:
        going: EffectAction = "continue" if parent.phase is Phase.RUNNING else "keep"
        return changed_row("run" if over else going)
    anew = [name for name, effect in children.items() if effect.action in ANEW]
    if over and anew:
        more = f" and {len(anew) - 1:,} more" if len(anew) > 1 else ""
        return StepEffect("run", Reason.TRIED_ANEW, f"{anew[0]}{more} runs again")
    return GOES_ON if parent.phase is Phase.RUNNING else STEP_UNCHANGED


def _collapsed(workflow: Workflow, parent: Step) -> dict[str, StepEffect]:
    """Its children wait until it is expanded again; what still runs of them is to end."""
    again = StepEffect("restart", Reason.DEPENDENCY_RERAN, f"{parent.name} is expanded again")
    return {
        name: again if workflow.steps[name].live else STEP_UNCHANGED
        for name in parent.children
        if name in workflow.steps
    }
