"""Steps that have children: what an expansion makes, which children leave, and who may begin.

A step with `forEach` has no attempts. Its children are steps like others, in the same table, but
that they wait for one thing: that their parent is expanded. The parent counts those that have not
ended, and with a `parallelism` of its own those that are admitted: that have begun and not ended,
or may begin. The others are kept back, and cost nothing while they wait. Cost: O(children) of an
expansion, O(1) of what happens to a child.
"""

from collections.abc import Sequence

from msgspec import structs

from controller.model.events import Child, StepEffect
from controller.model.indexes import has_place, requeue, set_timeout, stop_waiting, touch
from controller.model.movement import drop, forget_result
from controller.model.phases import TERMINAL, Reason
from controller.model.state import State, Step, Workflow
from controller.spec.definition import Definition
from controller.spec.items import child_name


def child_definition(definition: Definition, ask_each: bool) -> Definition:
    """What a child of this step does. It has no dependencies of its own."""
    when = definition.when if ask_each else ""
    return structs.replace(definition, for_each=None, requires=(), when=when)


def expand(
    state: State, workflow: Workflow, parent: Step, children: Sequence[Child], ask_each: bool
) -> bool:
    """Make these its children, those that it has among them; tells whether they are others."""
    definition = child_definition(parent.definition, ask_each)
    before, names = parent.children, list[str]()
    for nth, child in enumerate(children):
        name = child_name(parent.name, child.key)
        step = workflow.steps.get(name)
        if step is None:
            step = Step(
                name=name,
                index=parent.index,
                definition=definition,
                fingerprint=child.fingerprint,
                since=state.time,
                parent=parent.name,
                numbered=workflow.left.pop(name, 0),
            )
            workflow.steps[name] = step
            workflow.unsettled += 1
            parent.unsettled += 1
        if step.leaving is not None and step.live is not None and not parent.expanded:
            step.edit = StepEffect("restart", Reason.DEPENDENCY_RERAN, "it is back in the list")
        step.leaving = None
        if parent.stale:
            forget_result(step)
        step.key, step.item, step.nth = child.key, child.item, nth
        step.definition, step.fingerprint, step.index = definition, child.fingerprint, parent.index
        step.open = 0
        set_timeout(state, workflow, step)
        names.append(name)
        touch(state, workflow, step)
    stay = set(names)
    for name in before:
        if name not in stay and name in workflow.steps:
            let_go(state, workflow, workflow.steps[name])
    parent.children, parent.expanded, parent.stale = names, True, False
    touch(state, workflow, parent)
    return before != names


def collapse(state: State, workflow: Workflow, parent: Step) -> None:
    """It is to be expanded again: until then its children start nothing."""
    parent.expanded = False
    for name in parent.children:
        if name in workflow.steps:
            workflow.steps[name].open = 1
            touch(state, workflow, workflow.steps[name])


def leave_without(state: State, workflow: Workflow, parent: Step) -> None:
    """It will not be expanded: its children leave."""
    for name in parent.children:
        if name in workflow.steps:
            let_go(state, workflow, workflow.steps[name])
    parent.children, parent.expanded, parent.stale = [], False, False
    parent.failed_keys = []


def let_go(state: State, workflow: Workflow, step: Step) -> None:
    """A child that is no longer wanted leaves, once nothing of it runs."""
    if step.live is not None:
        finish = step.definition.on_removed == "Finish"
        step.want_nothing()
        step.leaving = StepEffect("remove", Reason.STEP_REMOVED, "no longer in the list", finish)
        step.open = 0
        touch(state, workflow, step)
        return
    stop_waiting(state, workflow, step)
    drop(state, workflow, step)


# ---------------------------------------- who may begin


def rebalance(state: State, workflow: Workflow, parent: Step) -> None:
    """Admit anew, after the limit or the children have changed: first those that have begun.

    Those that leave keep their places until they have ended.
    """
    children = [workflow.steps[name] for name in parent.children if name in workflow.steps]
    names = {child.name for child in children}
    waiting = [*(name for name in workflow.ready if name in names), *parent.kept_back]
    parent.kept_back = {}
    for child in children:
        begun = child.series_from is not None and child.phase not in TERMINAL
        parent.places += begun - child.admitted
        child.admitted = begun
    queued = [child.name for child in children if child.live and not child.admitted]
    for name in (*queued, *waiting):
        child = workflow.steps[name]
        if child.admitted or has_place(parent):
            parent.places += not child.admitted
            child.admitted = True
            if child.live is None:
                workflow.ready[name] = None
        elif child.live is None:
            workflow.ready.pop(name, None)
            parent.kept_back[name] = None
    requeue(state, workflow)
