"""Which steps may start as far as their dependencies go, and which never can.

Each step counts the conditions still open, and `movement.move_step` keeps the count: a finished
step costs O(its dependents). Skips spread through the turn's passes, one level a pass.
"""

from typing import Any

from controller.model.events import (
    ApprovalAsked,
    StepCompleted,
    StepExpanded,
    StepFailed,
    StepReady,
    StepReset,
    StepRestored,
    StepSkipped,
)
from controller.model.indexes import is_due
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.scope import scope_of
from controller.model.state import State, Step, Workflow, is_result
from controller.model.timers import TimerKind
from controller.planner.resolve import ask, expansion, handed_on, question, sight, used
from controller.spec.definition import TemplateCall, asks_each
from controller.spec.expression import Failed
from controller.spec.template import body
from controller.spec.uses import Holding

Decision = (
    StepReady
    | ApprovalAsked
    | StepExpanded
    | StepCompleted
    | StepSkipped
    | StepReset
    | StepRestored
    | StepFailed
)


def decide(state: State, workflow: Workflow, step: Step, now: int) -> Decision | None:
    """For a step without a live attempt that nobody wants to end."""
    if step.expanded:
        return _of_a_parent(state, workflow, step)
    if step.phase is Phase.READY and _has_to_ask(step):
        message = "its `when` is asked again"
        return StepReset(
            uid=workflow.uid, step=step.name, reason=Reason.SPEC_CHANGED, message=message
        )
    waits_for_none = step.phase is Phase.READY or step.retry_at is not None or step.asking
    if waits_for_none and (step.open or step.broken):
        return _waits_again(workflow, step)
    if _waits_with_its_parent(workflow, step):
        return None
    if step.phase is Phase.READY and step.is_parent:
        begins = (step.admitted or not step.is_of_list) and workflow.suspended is None
        return _expand(state, workflow, step) if begins else None
    if step.phase is Phase.READY:
        return _of_a_ready(state, workflow, step)
    return _of_a_pending(state, workflow, step, now) if step.phase is Phase.PENDING else None


def _of_a_pending(state: State, workflow: Workflow, step: Step, now: int) -> Decision | None:
    waits = workflow.suspended is not None and not step.is_hook  # that waits for its slot
    if waits and not workflow.in_run:
        return None  # not even a skip, which would begin a run
    if step.broken:
        dependency, reason = next(iter(step.broken.items()))
        message = skip_message(workflow, dependency)
        return StepSkipped(
            uid=workflow.uid, step=step.name, reason=reason, message=message, stands=True
        )
    if step.open or waits:
        return None
    if step.retry_at is not None and not is_due(
        state, workflow.uid, step.name, TimerKind.BACKOFF, now
    ):
        return None
    if step.is_parent and not step.is_of_list:
        return _expand(state, workflow, step)
    if step.asking is not None:
        return _unanswered(state, workflow, step, now)
    if not step.is_parent and _is_still_done(step):
        return StepRestored(uid=workflow.uid, step=step.name)
    read = None
    if _has_to_ask(step):
        asked = _by_its_when(state, workflow, step)
        if not isinstance(asked, dict):
            return asked
        read = asked
    return _begin(state, workflow, step, read)


def _of_a_ready(state: State, workflow: Workflow, step: Step) -> StepReady | StepFailed | None:
    """An edit may have changed what it uses: it counts for an attempt that is yet to be made."""
    if workflow.suspended is not None or not (step.uses or step.definition.uses):
        return None
    decision = _ready(state, workflow, step, None)
    same = isinstance(decision, StepReady) and decision.uses == step.uses
    return None if same else decision


def _ready(
    state: State, workflow: Workflow, step: Step, read: dict[str, str] | None
) -> StepReady | StepFailed:
    """It waits for a slot now, and for what it uses. `read`: by its `when`."""
    uid, name, uses = workflow.uid, step.name, list[Holding]()
    try:
        if step.definition.uses:
            uses = used(sight(state, workflow).of(step), step.definition)
    except Failed as failure:
        reason = Reason.EXPRESSION_FAILED
        return StepFailed(uid=uid, step=name, reason=reason, message=str(failure))
    return StepReady(uid=uid, step=name, when=read, uses=uses)


def _unanswered(state: State, workflow: Workflow, step: Step, now: int) -> StepFailed | None:
    """The end of a question that nobody has answered in time."""
    policy = step.definition.approve
    if policy is None or policy.timeout_seconds is None:
        return None
    if not is_due(state, workflow.uid, step.name, TimerKind.APPROVAL, now):
        return None
    message = f"nobody answered within {policy.timeout_seconds:g} s"
    return StepFailed(uid=workflow.uid, step=step.name, reason=Reason.TIMEOUT, message=message)


def _of_a_parent(state: State, workflow: Workflow, step: Step) -> StepCompleted | StepReset | None:
    """It ends with the last of its children. If a dependency runs again, so does its list."""
    if step.phase in TERMINAL:
        return None
    if not step.unsettled:
        return _complete(state, workflow, step)
    return _waits_again(workflow, step) if step.open or step.broken else None


def _waits_with_its_parent(workflow: Workflow, step: Step) -> bool:
    """Whether one above it is to wait for a dependency again: a pass looks at children first."""
    return any(parent.open or parent.broken for parent in workflow.above(step))


def _waits_again(workflow: Workflow, step: Step) -> StepReset:
    message = "waiting for a dependency again"
    reason = Reason.DEPENDENCY_RERAN
    return StepReset(uid=workflow.uid, step=step.name, reason=reason, message=message)


def _expand(
    state: State, workflow: Workflow, step: Step
) -> StepExpanded | StepSkipped | StepFailed:
    """Into children; but first its `when` is asked, unless that asks for each of them."""
    uid, name, read = workflow.uid, step.name, None
    each = asks_each(scope_of(workflow, step).spec, step.definition)
    if _has_to_ask(step) and not each:
        asked = _by_its_when(state, workflow, step)
        if not isinstance(asked, dict):
            return asked
        read = asked
    try:
        found = expansion(state, workflow, step)
    except Failed as failure:
        reason = Reason.EXPANSION_FAILED
        return StepFailed(uid=uid, step=name, reason=reason, message=str(failure))
    return StepExpanded(
        uid=uid,
        step=name,
        children=found.children,
        when=read,
        ask_each=each,
        params=found.params,
    )


def _complete(state: State, workflow: Workflow, step: Step) -> StepCompleted:
    """What its children have come to."""
    children = [workflow.steps[name] for name in step.children]
    of_template = step.definition.for_each is None
    for phase, reason in (
        (Phase.FAILED, Reason.STEP_FAILED),
        (Phase.CANCELLED, Reason.STEP_CANCELLED),
    ):
        named = [
            child.key
            for child in children
            if child.phase is phase
            and not (of_template and phase is Phase.FAILED and child.tolerated)
        ]
        if named:
            more = f" and {len(named) - 3} more" if len(named) > 3 else ""
            of = f"{len(named):,} of {len(children):,} {step.children_are}"
            message = f"{of} {phase.lower()}: {', '.join(named[:3])}{more}"
            return StepCompleted(
                uid=workflow.uid, step=step.name, phase=phase, reason=reason, message=message
            )
    message = "the list is empty"
    if children:
        message = f"all {len(children):,} {step.children_are} are done"
    if len(children) == 1:
        message = f"its {'step' if of_template else 'child'} is done"
    outputs: dict[str, Any] = {}
    if of_template and step.definition.template is not None:
        try:
            outputs = _handed_on(state, workflow, step, step.definition.template)
        except Failed as failure:
            return StepCompleted(
                uid=workflow.uid,
                step=step.name,
                phase=Phase.FAILED,
                reason=Reason.EXPRESSION_FAILED,
                message=str(failure),
            )
    return StepCompleted(
        uid=workflow.uid,
        step=step.name,
        phase=Phase.SUCCEEDED,
        reason=Reason.COMPLETED,
        message=message,
        outputs=outputs,
    )


def _handed_on(state: State, workflow: Workflow, step: Step, call: TemplateCall) -> dict[str, Any]:
    """What its template hands on. Raises Failed."""
    if not call.outputs:
        return {}
    above = sight(state, workflow).of(step)
    within = above.within(step.name, body(workflow.spec, call.name), step.params)
    return handed_on(within, call)


def _is_still_done(step: Step) -> bool:
    """It was reset, but in the end nothing that its result was made from has run again."""
    kept = step.standing
    if kept is None or kept.is_asked_again or step.retry_at is not None:
        return False
    return kept.fingerprint == step.fingerprint and is_result(kept.phase, step.definition)


def _has_to_ask(step: Step) -> bool:
    """What was done, and still is, is expanded again without a question."""
    return step.has_to_ask and not (step.is_parent and _is_still_done(step))


def _begin(
    state: State, workflow: Workflow, step: Step, read: dict[str, str] | None
) -> StepReady | ApprovalAsked | StepFailed:
    """It waits for a slot now; or for a person, if it asks one. `read`: by its `when`."""
    uid, name = workflow.uid, step.name
    if step.definition.approve is None:
        return _ready(state, workflow, step, read)
    try:
        message = question(sight(state, workflow).of(step), step.definition)
    except Failed as failure:
        reason = Reason.EXPRESSION_FAILED
        return StepFailed(uid=uid, step=name, reason=reason, message=str(failure))
    number = step.questions + 1
    return ApprovalAsked(uid=uid, step=name, number=number, message=message, when=read)


def _by_its_when(
    state: State, workflow: Workflow, step: Step
) -> dict[str, str] | StepSkipped | StepFailed:
    """What its `when` read, if that gives true; else what follows."""
    uid, name = workflow.uid, step.name
    try:
        seen = sight(state, workflow).of(step)
        answer = ask(seen, step.definition)
    except Failed as failure:
        reason, message = Reason.EXPRESSION_FAILED, f"its `when` failed: {failure}"
        return StepFailed(uid=uid, step=name, reason=reason, message=message)
    if answer.yes:
        return answer.read
    reason, message = Reason.WHEN_FALSE, answer.sentence
    return StepSkipped(
        uid=uid, step=name, reason=reason, message=message, when=answer.read, stands=True
    )


def skip_message(workflow: Workflow, dependency: str) -> str:
    """Why a step that depends on `dependency` will not run."""
    step = workflow.steps[dependency]
    if step.phase is Phase.SUCCEEDED:
        return f'runs only if "{dependency}" fails, and that succeeded'
    if step.phase is Phase.SKIPPED:
        # Not its message as well: down a long branch that would grow with every step.
        return f'depends on "{dependency}", which was skipped'
    return f'depends on "{dependency}", which {_ENDED[step.phase]}'


_ENDED = {Phase.FAILED: "failed", Phase.CANCELLED: "was cancelled"}
