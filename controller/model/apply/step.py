"""What the events of a step change: ready, skipped, reset, marked, restored, removed and others."""

from collections.abc import Iterator

from controller.model import events as e
from controller.model.apply.hooks import hook_failed
from controller.model.children import collapse, expand, full_name, leave_without, rebalance
from controller.model.events import StepEffect, in_the_name_of
from controller.model.indexes import (
    give_place,
    set_timeout,
    set_timer,
    stop_waiting,
    touch,
    use_otherwise,
)
from controller.model.movement import (
    drop,
    explain_wait,
    move_step,
    move_workflow,
    replace_result,
    set_condition,
)
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.pools import in_words
from controller.model.scope import scope_of
from controller.model.state import SECOND, Asked, Question, Standing, State, Step, Workflow
from controller.model.timers import TimerKind
from controller.spec.fingerprint import fingerprints, version_of

# Resets that an edit caused. If the edit is taken back, they are undone.
_BY_EDIT = frozenset(
    {
        Reason.SPEC_CHANGED,
        Reason.OUTPUTS_CHANGED,
        Reason.DEPENDENCY_RERAN,
        Reason.NOT_KNOWN_YET,
    }
)


def ready(state: State, event: e.StepReady) -> None:
    workflow = state.lives[event.uid]
    step = workflow.step(event.step)
    stop_waiting(state, workflow, step)
    if event.when is not None:
        step.answer = event.when
    if step.phase is Phase.READY:
        use_otherwise(state, workflow, step, event.uses)
        return
    step.uses, step.ready_seq = event.uses, state.seq
    message = "waiting for a slot"
    if event.uses:
        message += f" and {in_words(event.uses)}"
    move_step(state, workflow, step, Phase.READY, Reason.WAITING_FOR_SLOT, message)


def asked(state: State, event: e.ApprovalAsked) -> None:
    """It has begun, so its `when` is not asked again, and it keeps its place among siblings."""
    workflow = state.lives[event.uid]
    step = workflow.steps[event.step]
    stop_waiting(state, workflow, step)
    if event.when is not None:
        step.answer = event.when
    step.questions, step.series_from = event.number, state.time
    step.question = Question(
        number=event.number, run=workflow.run, message=event.message, asked=state.time
    )
    set_timeout(state, workflow, step)
    message = f"waiting for approval: {event.message}"
    move_step(state, workflow, step, Phase.PENDING, Reason.AWAITING_APPROVAL, message)


def answered(state: State, event: e.ApprovalAnswered) -> None:
    workflow = state.lives[event.uid]
    step = workflow.steps[event.step]
    question = step.asking
    assert question is not None, state.story(event.uid, event.step)
    assert question.number == event.number, state.story(event.uid, event.step)
    question.approved, question.by, question.reason = event.approved, event.by, event.reason
    question.answered = state.time
    stop_waiting(state, workflow, step)
    step.want_nothing()
    replace_result(workflow, step)
    step.outputs = {}
    to, reason, what = Phase.FAILED, Reason.REJECTED, "rejected"
    if event.approved:
        to, reason, what = Phase.SUCCEEDED, Reason.APPROVED, "approved"
    message = in_the_name_of(event.by, what, event.reason)
    move_step(state, workflow, step, to, reason, message)
    step.standing = Standing(step.fingerprint, step.phase, step.reason, step.message)


def expanded(state: State, event: e.StepExpanded) -> None:
    workflow = state.lives[event.uid]
    parent = workflow.steps[event.step]
    parent.answer = event.when if event.when is not None else parent.answer
    others = [*_with_another_item(workflow, parent, event)]
    if expand(state, workflow, parent, event.children, event.ask_each, event.params):
        replace_result(workflow, parent)
    why = "its item changed" if parent.definition.for_each else "what its template is given changed"
    for child in others:
        if child.live is not None:
            child.edit = StepEffect("restart", Reason.DEPENDENCY_RERAN, why)
        elif child.phase in TERMINAL:
            reset(state, workflow, child, Reason.DEPENDENCY_RERAN, why)
    if parent.limit is not None:
        rebalance(state, workflow, parent)
    message = parent.children_counted
    if parent.phase is Phase.READY:
        move_step(state, workflow, parent, Phase.PENDING, Reason.EXPANDED, message)
    else:
        explain_wait(parent, Reason.EXPANDED, message)
    if any(workflow.steps[name].phase is Phase.RUNNING for name in parent.children):
        move_step(state, workflow, parent, Phase.RUNNING, Reason.STARTED, message)


def _with_another_item(workflow: Workflow, parent: Step, event: e.StepExpanded) -> Iterator[Step]:
    """Children that are there, and do something else from now on, or have to be asked again."""
    for nth, child in enumerate(event.children):
        step = workflow.steps.get(full_name(parent, child.key))
        if step is None:
            continue
        asks = event.ask_each and step.reason == Reason.WHEN_FALSE
        moved = asks and (step.item, step.nth) != (child.item, nth)
        if moved or step.fingerprint != child.fingerprint:
            yield step


def completed(state: State, event: e.StepCompleted) -> None:
    """Of items, its outputs are those of its children, in the order of the items."""
    workflow = state.lives[event.uid]
    parent = workflow.steps[event.step]
    children = [workflow.steps[name] for name in parent.children]
    parent.outputs = event.outputs
    if parent.definition.for_each is not None:
        gave = [child.outputs if child.phase is Phase.SUCCEEDED else {} for child in children]
        parent.outputs = {
            name: [outputs.get(name) for outputs in gave] for name in parent.definition.hands_on
        }
    parent.failed_keys = [child.key for child in children if child.phase is Phase.FAILED]
    if parent.standing is None or parent.standing.phase is not event.phase:
        replace_result(workflow, parent)  # also where no child has started
    move_step(state, workflow, parent, event.phase, event.reason, event.message)
    parent.standing = Standing(parent.fingerprint, parent.phase, parent.reason, parent.message)


def skipped(state: State, event: e.StepSkipped) -> None:
    workflow, step = _ended(state, event, Phase.SKIPPED)
    step.answer = event.when
    if event.stands:
        before = step.standing
        if before is None or not before.is_asked_again:
            replace_result(workflow, step)
        step.standing = Standing(step.fingerprint, step.phase, step.reason, step.message)


def cancelled(state: State, event: e.StepCancelled) -> None:
    _ended(state, event, Phase.CANCELLED)


def failed(state: State, event: e.StepFailed) -> None:
    """Its last attempt failed; or none was made, because an expression gave no value, or because
    nobody answered in time.
    """
    of_attempt = state.lives[event.uid].step(event.step).unjudged
    workflow, step = _ended(state, event, Phase.FAILED)
    fingerprint = step.fingerprint
    if of_attempt and step.attempt is not None:
        fingerprint = step.attempt.fingerprint
    elif not _is_as_before(step):
        replace_result(workflow, step)
    step.standing = Standing(fingerprint, step.phase, step.reason, step.message)
    if step.is_hook:
        hook_failed(state, workflow, step)


def _is_as_before(step: Step) -> bool:
    """It could not be expanded before, for the same reason, so who depends on it knows."""
    kept = step.standing
    if kept is None or step.reason != Reason.EXPANSION_FAILED:
        return False
    return (kept.fingerprint, kept.reason) == (step.fingerprint, step.reason)


def _ended(
    state: State, event: e.StepSkipped | e.StepCancelled | e.StepFailed, to: Phase
) -> tuple[Workflow, Step]:
    workflow = state.lives[event.uid]
    step = workflow.step(event.step)
    step.unjudged = False
    step.want_nothing()
    stop_waiting(state, workflow, step)
    if step.is_parent:
        leave_without(state, workflow, step)
    move_step(state, workflow, step, to, event.reason, event.message)
    return workflow, step


def reset_asked(state: State, event: e.StepReset) -> None:
    workflow = state.lives[event.uid]
    step = workflow.step(event.step)
    _reopen(state, workflow, event.reason, event.message)
    if step.live is None:
        reset(state, workflow, step, event.reason, event.message)
        return
    if event.reason not in _BY_EDIT:
        step.standing = None  # not only when it has ended: an edit may be taken back before
    step.cancel, step.asked = None, Asked(event.reason, event.message)
    touch(state, workflow, step)


def marked(state: State, event: e.StepMarked) -> None:
    """Treat it as if an attempt had succeeded; its dependents may start from now on."""
    workflow = state.lives[event.uid]
    step = workflow.steps[event.step]
    _reopen(state, workflow, Reason.MARKED, event.message)
    reset(state, workflow, step, Reason.MARKED, event.message)
    replace_result(workflow, step)
    step.outputs = event.outputs
    move_step(state, workflow, step, Phase.SUCCEEDED, Reason.MARKED, event.message)
    step.standing = Standing(step.fingerprint, step.phase, step.reason, step.message)
    touch(state, workflow)


def _reopen(state: State, workflow: Workflow, reason: str, message: str) -> None:
    """A finished workflow has something to do or to check again."""
    if workflow.finished:
        move_workflow(state, workflow, Phase.PENDING, reason, message)
        set_condition(state, workflow, "Complete", False, reason, message)
        set_condition(state, workflow, "Progressing", True, reason, message)


def restored(state: State, event: e.StepRestored) -> None:
    workflow = state.lives[event.uid]
    restore(state, workflow, workflow.steps[event.step])


def removed(state: State, event: e.StepRemoved) -> None:
    workflow = state.lives[event.uid]
    remove(state, workflow, workflow.steps[event.step])
    touch(state, workflow)


def retry_scheduled(state: State, event: e.RetryScheduled) -> None:
    workflow = state.lives[event.uid]
    step = workflow.step(event.step)
    if event.retry:
        step.retries, step.interruptions = event.retry, 0
    elif step.attempts[-1].reason != Reason.CONTROLLER_STOPPED:
        step.interruptions += 1
    state.metrics.retried(workflow.document, step.attempts[-1].reason or "")
    step.unjudged = False
    step.why = event.message
    move_step(state, workflow, step, Phase.PENDING, event.reason, event.message)
    step.retry_at = state.time + round(event.delay * SECOND)
    if workflow.suspended is None or step.is_hook:
        set_timer(state, workflow, step.name, TimerKind.BACKOFF, step.retry_at)


# ---------------------------------------- what several events do


def reset(state: State, workflow: Workflow, step: Step, reason: str, message: str) -> None:
    """Back to Pending: past failures no longer count, and all retries are available again."""
    step.retries = step.interruptions = 0
    step.series_from = None
    step.unjudged = False
    step.answer = None
    step.want_nothing()
    step.why = message if step.attempts else ""
    stop_waiting(state, workflow, step)
    if reason not in _BY_EDIT:
        step.standing = None
    collapse(state, workflow, step)
    give_place(state, workflow, step)
    if step.phase is not Phase.PENDING:
        move_step(state, workflow, step, Phase.PENDING, reason, message)
    else:
        explain_wait(step, reason, message)
        touch(state, workflow, step)


def restore(state: State, workflow: Workflow, step: Step) -> None:
    """Its result from before an edit is valid again."""
    kept = step.standing
    assert kept is not None, state.story(workflow.uid, step.name)
    reset(state, workflow, step, Reason.SPEC_CHANGED, "the edit was taken back")
    step.why = ""
    move_step(state, workflow, step, kept.phase, kept.reason, kept.message)


def keep_no_longer(workflow: Workflow, step: Step) -> None:
    """It runs with its present definition, so its dependents are now compared by that one."""
    if workflow.kept.pop(step.name, None) is not None:
        scope = scope_of(workflow, step)
        prints = fingerprints(
            scope.spec,
            scope.params,
            version=version_of(step.fingerprint),
            kept=scope.local(workflow.kept),
            before=scope.before,
        )
        for name, fingerprint in prints.items():
            workflow.steps[scope.full_name(name)].fingerprint = fingerprint


def remove(state: State, workflow: Workflow, step: Step) -> None:
    """It leaves the status; the number of its last attempt is remembered."""
    stop_waiting(state, workflow, step)
    drop(state, workflow, step)
