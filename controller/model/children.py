"""Steps that have children: what an expansion makes, which children leave, and who may begin.

A step with `forEach` or `template` has no attempts. Its children are steps like others, in the same
table: one for each item, or those of the template. With both, each item has a child of its own,
whose children are the steps of the template. Children wait until their parent is expanded, those of
a template for each other as well. The parent counts those that have not ended, and with a
`parallelism` of its own those that are admitted: that have begun and not ended, or may begin. The
others are kept back, and cost nothing while they wait. Cost: O(children) of an expansion, O(1) of
what happens to a child.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.model import pools
from controller.model.events import Child, StepEffect
from controller.model.indexes import (
    define,
    has_place,
    let_begin,
    requeue,
    set_timeout,
    stop_waiting,
    touch,
    wait_elsewhere,
    want_no_slot,
)
from controller.model.movement import close, drop, forget_result, link
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import State, Step, Workflow
from controller.spec.definition import Definition
from controller.spec.items import child_name, inner_name
from controller.spec.template import child_definition, template_definitions


def expand(
    state: State,
    workflow: Workflow,
    parent: Step,
    children: Sequence[Child],
    ask_each: bool,
    params: Mapping[str, Any] | None = None,
) -> bool:
    """Make these its children, those that it has among them; tells whether they are others.

    `params`: what its template is given, where that is not what it had.
    """
    fan = parent.definition.for_each
    if fan is None:
        defined = template_definitions(workflow.spec, parent.definition)
    else:
        of_item = child_definition(parent.definition, ask_each)
    before, names = parent.children, list[str]()
    for nth, child in enumerate(children):
        name = full_name(parent, child.key)
        definition = defined[child.key] if fan is None else of_item
        step = workflow.steps.get(name)
        if step is None or is_half_gone(step):
            step = _new_child(state, workflow, name, definition)
        if step.parent is None:  # it is new, or had outlived an earlier parent
            step.parent, step.piece = parent.name, parent.name if fan is None else parent.piece
            parent.unsettled += step.phase not in TERMINAL
        if step.leaving is not None and step.live is not None and not parent.expanded:
            step.edit = StepEffect("restart", Reason.DEPENDENCY_RERAN, "it is back in the list")
        step.leaving = None
        if parent.stale:
            forget_result(step)
            step.stale = definition.is_parent
        step.key, step.item, step.nth = child.key, child.item, nth
        step.reads = [step.sibling(read) for read in child.reads]
        step.fingerprint = child.fingerprint
        take_over(state, workflow, parent, step, definition)
        step.open = 0
        set_timeout(state, workflow, step)
        names.append(name)
        touch(state, workflow, step)
    stay = set(names)
    for name in before:
        if name not in stay and name in workflow.steps:
            let_go(state, workflow, workflow.steps[name], no_longer_in(parent))
    if params is not None:
        parent.params = dict(params)
    parent.children, parent.expanded, parent.stale = names, True, False
    if fan is None:
        link(workflow, [workflow.steps[name] for name in names])
    touch(state, workflow, parent)
    return before != names


def new_step(state: State, workflow: Workflow, name: str, definition: Definition) -> Step:
    """A step that is not in the table yet; its numbers go on from those of an earlier one."""
    used = workflow.left.pop(name, 0)
    return Step(
        name=name,
        index=0,
        definition=definition,
        fingerprint="",
        since=state.time,
        numbered=used,
        questions=used,
    )


def _new_child(state: State, workflow: Workflow, name: str, definition: Definition) -> Step:
    was = workflow.steps.get(name)
    step = workflow.steps[name] = new_step(state, workflow, name, definition)
    if was is None:
        workflow.unsettled += 1
    else:  # what still runs of it holds its place
        step.numbered, step.questions = was.numbered, was.questions
        step.parent, step.piece = was.parent, was.piece
        step.unsettled, step.places, step.admitted = was.unsettled, was.places, was.admitted
    return step


def is_half_gone(step: Step) -> bool:
    """A piece that left, but for steps that still run. In the list again, it is a new one."""
    return step.leaving is not None and step.live is None


def full_name(parent: Step, key: str) -> str:
    """The full name of its child with this key, as it is defined now."""
    return (inner_name if parent.definition.for_each is None else child_name)(parent.name, key)


def take_over(
    state: State, workflow: Workflow, parent: Step, child: Step, definition: Definition
) -> None:
    """What a child has from its parent, besides its own definition."""
    if child.definition.kind != definition.kind:
        child.standing = None
    if define(state, workflow, child, definition):
        wait_elsewhere(workflow, child)
    child.index = parent.index
    child.above = [] if parent.parent is None else [*parent.above, parent.nth]
    child.spared = parent.spared or (parent.definition.for_each is None and parent.tolerated)


def collapse(state: State, workflow: Workflow, parent: Step) -> None:
    """It is to be expanded again: until then its children start nothing."""
    close(workflow, parent)
    for name in parent.children:
        if name in workflow.steps:
            touch(state, workflow, workflow.steps[name])


def no_longer_in(parent: Step) -> str:
    """Why a child is removed that it had."""
    return f"no longer in the {'template' if parent.definition.for_each is None else 'list'}"


def leave_without(state: State, workflow: Workflow, parent: Step, why: str = "") -> None:
    """It will not be expanded: its children leave."""
    for name in parent.children:
        if name in workflow.steps:
            let_go(state, workflow, workflow.steps[name], why or no_longer_in(parent))
    parent.children, parent.expanded, parent.stale = [], False, False
    parent.failed_keys = []


def let_go(state: State, workflow: Workflow, step: Step, why: str) -> None:
    """A child that is no longer wanted leaves, once nothing of it, or below it, runs."""
    leave_without(state, workflow, step, why)
    if step.live is not None or (step.unsettled and step.phase not in TERMINAL):
        finish = step.definition.on_removed == "Finish"
        step.want_nothing()
        step.leaving = StepEffect("remove", Reason.STEP_REMOVED, why, finish)
        step.open = 0
        want_no_slot(state, workflow, step)
        touch(state, workflow, step)
        return
    stop_waiting(state, workflow, step)
    drop(state, workflow, step)
    if step.unsettled:  # it was cancelled before it could be expanded again
        let_outlive(workflow)


def let_outlive(workflow: Workflow) -> None:
    """Some of what leaves has no parent any more. Cost: O(steps)."""
    for step in workflow.steps.values():
        if step.parent is not None and step.parent not in workflow.steps:
            step.parent, step.admitted = None, False


# ---------------------------------------- who may begin


def rebalance(state: State, workflow: Workflow, parent: Step) -> None:
    """Admit anew, after the limit or the children have changed: first those that have begun.

    Those that leave keep their places until they have ended.
    """
    children = [workflow.steps[name] for name in parent.children if name in workflow.steps]
    ready = {child.name: child for child in children if child.phase is Phase.READY}
    waiting = [name for name in pools.waiting(workflow) if name in ready]
    waiting += [name for name, child in ready.items() if child.is_parent and child.admitted]
    waiting += parent.kept_back
    parent.kept_back = {}
    for child in children:
        parent.places += child.has_begun - child.admitted
        child.admitted = child.has_begun
    queued = [child.name for child in children if child.live and not child.admitted]
    for name in (*queued, *waiting):
        child = workflow.steps[name]
        if child.admitted:
            continue  # it has begun
        if has_place(parent):
            let_begin(state, workflow, parent, child)
        elif child.live is None:
            pools.leave(state, workflow, child)
            parent.kept_back[name] = None
    requeue(state, workflow)
