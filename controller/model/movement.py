"""Movement: the only places where a phase, a condition or a dependency's verdict changes.

There is one function for each table of moves in `phases`; it refuses a move that its table does not
name. A step counts the dependencies whose conditions are still open, and remembers those whose
condition can no longer come true. `move_step` updates that, and every other index, with the phase:
O(dependents).
"""

from collections.abc import Collection
from typing import Literal

from controller.model.indexes import (
    definition_of,
    forbidden,
    give_place,
    hold_of,
    line_up,
    set_due,
    set_over,
    touch,
    wall,
    want_no_slot,
    want_slot,
)
from controller.model.phases import (
    ATTEMPT_MOVES,
    OWN_SKIPS,
    RUN_MOVES,
    STEP_MOVES,
    TERMINAL,
    WORKFLOW_MOVES,
    WORKFLOW_TERMINAL,
    AttemptPhase,
    Phase,
    Reason,
    RunStage,
)
from controller.model.state import (
    RECENT_MAX,
    SECOND,
    Attempt,
    Condition,
    Move,
    State,
    Step,
    Workflow,
    starter_of,
)


def move_step(
    state: State, workflow: Workflow, step: Step, to: Phase, reason: str, message: str
) -> None:
    """The only place that changes a step's phase; keeps every index in step with it."""
    was, reason_was = step.phase, step.reason
    assert to in STEP_MOVES[was], f"{was} -> {to}: {state.story(workflow.uid, step.name)}"
    _count(workflow, step, -1)
    step.phase, step.reason, step.message, step.since = to, reason, message, state.time
    _count(workflow, step, +1)
    if was in TERMINAL or to in TERMINAL:
        _tell_dependents(state, workflow, step, was, reason_was)
    if to is Phase.READY:
        want_slot(state, workflow, step)
    elif was is Phase.READY:
        want_no_slot(state, workflow, step)
    if step.parent is not None:
        _tell_parent(state, workflow, step, was)
    touch(state, workflow, step)
    if step.is_hook and (following := workflow.next_hook) is not None:
        touch(state, workflow, following)
    _tell(state, workflow, step.name, was, to, reason, message)


def _tell_dependents(
    state: State, workflow: Workflow, step: Step, was: Phase, reason_was: str
) -> None:
    """Update the verdicts of its dependents; a move between two open phases changes none."""
    for name, condition in step.dependents:
        dependent = workflow.steps[name]
        _remove_verdict(dependent, step.name, edge(was, reason_was, step.tolerated, condition))
        _add_verdict(dependent, step.name, edge(step.phase, step.reason, step.tolerated, condition))
        if _has_to_look(dependent):
            touch(state, workflow, dependent)


def _tell_parent(state: State, workflow: Workflow, child: Step, was: Phase) -> None:
    """A parent runs from the first start of a child, and is open again when one is."""
    to = child.phase
    if to is not Phase.READY and not child.has_begun:
        give_place(state, workflow, child)
    parent = workflow.parent_of(child)
    if parent is None:
        return
    parent.unsettled += (to not in TERMINAL) - (was not in TERMINAL)
    if to is Phase.RUNNING and parent.phase is Phase.PENDING and parent.expanded:
        message = parent.children_counted
        move_step(state, workflow, parent, Phase.RUNNING, Reason.STARTED, message)
    elif to is Phase.PENDING and parent.phase in TERMINAL and parent.expanded:
        if parent.is_of_list:
            close(workflow, parent)  # it begins again when it has a place again
        message = f"{child.name} runs again"
        move_step(state, workflow, parent, Phase.PENDING, Reason.EXPANDED, message)
    if not parent.unsettled:
        touch(state, workflow, parent)


def explain_wait(step: Step, reason: str, message: str) -> None:
    """A new reason for the same phase."""
    step.reason, step.message = reason, message


def move_workflow(state: State, workflow: Workflow, to: Phase, reason: str, message: str) -> None:
    """The only place that changes a workflow's phase. In the same phase only the words change."""
    was = workflow.phase
    workflow.reason, workflow.message = reason, message
    if was is to:
        return
    assert to in WORKFLOW_MOVES[was], f"{was} -> {to}: {state.story(workflow.uid)}"
    workflow.phase, workflow.since = to, state.time
    set_over(state, workflow)
    touch(state, workflow)
    _tell(state, workflow, "", was, to, reason, message)
    if workflow.birth is not None and (to in WORKFLOW_TERMINAL) != (was in WORKFLOW_TERMINAL):
        tell_definition(state, workflow)


def tell_definition(state: State, instance: Workflow) -> None:
    """An instance was born, may start, has ended, runs again or is gone."""
    line_up(state, instance)
    definition = definition_of(state, instance)
    if definition is not None:
        restate(state, definition)


def restate(state: State, definition: Workflow) -> None:
    """Give a definition the phase that follows from what holds it, and from its instances."""
    starter = starter_of(definition)
    hold = hold_of(state, definition)
    if hold != starter.hold:
        if starter.hold in (Reason.SUSPENDED, Reason.CANCEL_MARKER, "EditPending"):
            starter.stood.append((starter.hold, wall(state, state.time) // SECOND))
        starter.hold = hold
        for name in starter.triggers:
            set_due(state, definition, name)
        touch(state, definition)
    running = sum(len(group.running) for group in starter.groups.values())
    if hold == Reason.SUSPENDED:
        message = definition.suspension or "suspended by its spec"
        move_workflow(state, definition, Phase.SUSPENDED, hold, message)
    elif hold == Reason.CANCEL_MARKER:
        marker = forbidden(state, definition.name)
        message = f"held by {'its marker' if marker is None else marker.path}"
        move_workflow(state, definition, Phase.SUSPENDED, hold, message)
    elif running:
        message = f"{running} {'instance has' if running == 1 else 'instances have'} not ended"
        move_workflow(state, definition, Phase.RUNNING, Reason.STARTED, message)
    elif hold:
        message = "its instances have ended" if definition.deleting else "its triggers are gone"
        move_workflow(state, definition, Phase.WAITING, Reason.ARMED, message)
    else:
        move_workflow(state, definition, Phase.WAITING, Reason.ARMED, "waits for its triggers")


def move_run(state: State, workflow: Workflow, to: RunStage) -> None:
    """The only place that changes the stage of a workflow's run."""
    was = workflow.stage
    assert to in RUN_MOVES[was], f"a run that is {was} -> {to}: {state.story(workflow.uid)}"
    workflow.stage = to


def move_attempt(
    state: State, workflow: Workflow, step: Step, attempt: Attempt, to: AttemptPhase
) -> None:
    """The only place that changes an attempt's phase."""
    was = attempt.phase
    assert to in ATTEMPT_MOVES[was], f"{was} -> {to}: {state.story(workflow.uid, step.name)}"
    attempt.phase = to


def _tell(
    state: State, workflow: Workflow, step: str, was: Phase, to: Phase, reason: str, message: str
) -> None:
    """Report a move to those who watch, and to the page of the workflow."""
    move = Move(state.time, workflow.name, workflow.uid, step, was, to, reason, message)
    state.moves.append(move)
    workflow.recent.append(move)
    if len(workflow.recent) > RECENT_MAX:
        del workflow.recent[0]


def set_condition(
    state: State, workflow: Workflow, kind: str, holds: bool, reason: str, message: str
) -> None:
    """Its transition time moves only with its status."""
    before = workflow.conditions.get(kind)
    status: Literal["True", "False"] = "True" if holds else "False"
    since = before.last_transition_time if before and before.status == status else state.time
    workflow.conditions[kind] = Condition(kind, status, reason, message, since, workflow.generation)


def clear_condition(state: State, workflow: Workflow, kind: str, reason: str, message: str) -> None:
    """It no longer holds. A condition that never held is not mentioned."""
    if kind in workflow.conditions:
        set_condition(state, workflow, kind, False, reason, message)


# ---------------------------------------- dependencies

MET = "met"
OPEN = "open"
READ = "Read"  # an expression reads its result: it has to be there, whatever it is

_UNMET: dict[tuple[Phase, str], str] = {
    (Phase.FAILED, "Succeeded"): Reason.DEPENDENCY_FAILED,
    (Phase.SUCCEEDED, "Failed"): Reason.DEPENDENCY_SUCCEEDED,
    (Phase.CANCELLED, "Succeeded"): Reason.DEPENDENCY_CANCELLED,
    (Phase.CANCELLED, "Failed"): Reason.DEPENDENCY_CANCELLED,
    (Phase.CANCELLED, "Finished"): Reason.DEPENDENCY_CANCELLED,
    (Phase.SKIPPED, "Succeeded"): Reason.DEPENDENCY_SKIPPED,
    (Phase.SKIPPED, "Failed"): Reason.DEPENDENCY_SKIPPED,
}
_ROOTS = frozenset({Reason.DEPENDENCY_FAILED, Reason.DEPENDENCY_CANCELLED})


def edge(phase: Phase, reason: str, tolerated: bool, condition: str) -> str:
    """What a dependency in this phase means for a dependent: MET, OPEN, or why it can't be met.

    A step that another one made skip passes its reason on, so that the whole branch names the first
    cause. One that skipped by itself counts as one that succeeded.
    """
    if phase not in TERMINAL:
        return OPEN
    if condition == READ or (phase is Phase.FAILED and tolerated):
        return MET
    if phase is Phase.SKIPPED and reason in OWN_SKIPS and condition == "Succeeded":
        return MET
    unmet = _UNMET.get((phase, condition))
    if unmet is None:
        return MET
    return reason if phase is Phase.SKIPPED and reason in _ROOTS else unmet


def _add_verdict(dependent: Step, name: str, verdict: str) -> None:
    if verdict == MET:
        dependent.open -= 1
    elif verdict != OPEN:
        dependent.broken[name] = verdict


def _remove_verdict(dependent: Step, name: str, verdict: str) -> None:
    if verdict == MET:
        dependent.open += 1
    elif verdict != OPEN:
        dependent.broken.pop(name, None)


def _has_to_look(dependent: Step) -> bool:
    """Whether a change of a dependency may give the step something to decide."""
    if dependent.phase is Phase.READY or dependent.retry_at is not None or dependent.expanded:
        return True  # it believed that nothing was open
    if dependent.asking is not None:
        return True
    return not dependent.open or bool(dependent.broken)


def close(workflow: Workflow, parent: Step) -> None:
    """Its children wait until it is expanded again."""
    if parent.expanded:
        parent.expanded = False
        for name in parent.children:
            if (child := workflow.steps.get(name)) is not None:
                child.open, child.broken, child.dependents = 1, {}, []


def count_anew(workflow: Workflow) -> None:
    """Compute all counts of steps again: once a generation."""
    workflow.unsettled = workflow.failed = workflow.cancelled = 0
    for step in workflow.steps.values():
        step.unsettled = step.places = 0
    for step in workflow.steps.values():
        _count(workflow, step, +1)
        parent = workflow.parent_of(step)
        if parent is not None:
            parent.unsettled += step.phase not in TERMINAL
            parent.places += step.admitted


def link(workflow: Workflow, steps: Collection[Step]) -> None:
    """Compute the dependents, and the open and broken dependencies, of these steps again.

    They are all steps of the workflow, or all of one template.
    """
    for step in steps:
        step.dependents = []
        step.broken = {}
    for step in steps:
        needs = edges(workflow, step)
        step.open = len(needs) + waits_for_parent(workflow, step)
        for name, condition in needs:
            dependency = workflow.steps.get(name)
            if dependency is None:
                continue  # an expansion is about to make it
            dependency.dependents.append((step.name, condition))
            verdict = edge(dependency.phase, dependency.reason, dependency.tolerated, condition)
            _add_verdict(step, name, verdict)


def waits_for_parent(workflow: Workflow, step: Step) -> bool:
    """Whether it is a child whose parent is not expanded."""
    parent = workflow.parent_of(step)
    return parent is not None and not parent.expanded and not step.leaving


def edges(workflow: Workflow, step: Step) -> list[tuple[str, str]]:
    """The steps that it has to wait for, each with its condition, or READ.

    Before its parent is expanded it waits for that alone.
    """
    if step.leaving or waits_for_parent(workflow, step):
        return []
    needs = step.definition.requires
    found = [(step.sibling(need.step), str(need.condition)) for need in needs]
    return [*found, *((name, READ) for name in step.reads)]


def replace_result(workflow: Workflow, step: Step) -> None:
    """What was made from its last result can't be restored any more, nor can an answer stand.

    A step that was kept from running is judged again in any case. The result of a child is a part
    of that of its parent. Cost: O(dependents), however many children these have.
    """
    above = [*workflow.above(step)]
    for parent in above:
        if parent.phase not in TERMINAL:
            parent.standing = None
        if not parent.expanded and step.piece == parent.name:
            parent.stale = True  # who depends on the step is not known till it is expanded
    for name, _ in (needs for replaced in (step, *above) for needs in replaced.dependents):
        dependent = workflow.steps[name]
        dependent.stale = dependent.is_parent and dependent.phase not in TERMINAL
        if dependent.series_from is None and dependent.phase not in TERMINAL:
            dependent.answer = None
        forget_result(dependent)


def forget_result(step: Step) -> None:
    """The result from before its reset can't be restored."""
    kept = step.standing
    if kept is not None and step.phase is not kept.phase and not kept.is_asked_again:
        step.standing = None


def drop(state: State, workflow: Workflow, step: Step) -> None:
    """Take out a step that the spec no longer has, so that nothing in it can depend on it."""
    want_no_slot(state, workflow, step)
    give_place(state, workflow, step)
    parent = workflow.parent_of(step)
    if parent is not None and step.phase not in TERMINAL:
        parent.unsettled -= 1
        touch(state, workflow, parent)
        if not (parent.has_begun or parent.leaving or parent.phase is Phase.READY):
            give_place(state, workflow, parent)
    _count(workflow, step, -1)
    workflow.left[step.name] = max(step.numbered, step.questions)
    del workflow.steps[step.name]


def _count(workflow: Workflow, step: Step, by: int) -> None:
    if step.is_hook:
        return
    if step.phase not in TERMINAL:
        workflow.unsettled += by
    elif step.fails_its_workflow:
        workflow.failed += by
    elif step.phase is Phase.CANCELLED:
        workflow.cancelled += by
