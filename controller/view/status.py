"""The state as scripts read it: every workflow, step and attempt in the shape of `-o json`.

Pure: the same state gives the same bytes. Workflows that never had a valid spec are shown too, from
the rejected files: a user who asks for such a workflow wants to know what is wrong with it. Cost:
some microseconds per step.
"""

import re
from collections.abc import Collection, Iterable

from controller.model.events import FileRejected, Usage
from controller.model.indexes import approval_due
from controller.model.phases import Phase
from controller.model.state import (
    Attempt,
    Condition,
    LastFiring,
    RunShort,
    State,
    Step,
    Workflow,
    starter_of,
)
from controller.spec.hooks import kind_of
from controller.spec.linked import written
from controller.view import firings, words
from controller.view.children import in_order
from controller.view.shape import (
    ApprovalShape,
    AttemptShape,
    BeganByShape,
    ConditionShape,
    ControllerShape,
    DefinitionRefShape,
    FilesWaiting,
    HookShape,
    InstanceShape,
    InUse,
    LastFiringShape,
    ListShape,
    MetadataShape,
    RunShape,
    StatusShape,
    StepShape,
    TriggerShape,
    WorkflowShape,
)
from controller.view.times import rfc3339, rfc3339_or_none

SPEC_INVALID = "SpecInvalid"
ARCHIVED = "Archived"  # condition of a life that is shown from the archive
_NO_USAGE = Usage()


def workflow_shape(
    state: State,
    workflow: Workflow,
    in_use: InUse = {},
    files: FilesWaiting = None,
    now: int | None = None,
) -> WorkflowShape:
    """One life of a workflow, in full, as it is at `now`; None: at the last record."""
    starter = workflow.starter
    reason, message = words.at_present(state, workflow)
    return WorkflowShape(
        metadata=MetadataShape(
            name=workflow.name,
            uid=workflow.uid,
            definition=_definition_shape(workflow),
            generation=workflow.latest,
            labels=workflow.labels,
            annotations=workflow.annotations,
            creation_timestamp=rfc3339(workflow.created),
        ),
        spec=written(workflow.spec),
        status=StatusShape(
            phase=workflow.phase,
            reason=reason,
            message=message,
            observed_generation=workflow.generation,
            start_time=rfc3339_or_none(workflow.started),
            completion_time=rfc3339_or_none(workflow.completed),
            conditions=[
                *conditions_shape(workflow.conditions.values()),
                *_derived(state, workflow, state.time if now is None else now),
            ],
            params=workflow.params,
            trigger=_began_by(workflow),
            triggers=None if starter is None else _triggers(workflow, files),
            instances=None
            if starter is None
            else instance_shapes(state, firings.instances(state, workflow)),
            firings=None if starter is None else starter.firings,
            hooks=[_hook_shape(state, workflow, hook, in_use) for hook in workflow.present_hooks],
            runs=[run_shape(run) for run in state.runs.get(workflow.name, ())],
            steps=[_step_shape(state, workflow, step, in_use) for step in in_order(workflow)],
        ),
    )


# ---------------------------------------- definitions and instances


def _definition_shape(instance: Workflow) -> DefinitionRefShape | None:
    if instance.birth is None:
        return None
    return DefinitionRefShape(name=instance.document, uid=instance.birth.definition)


def _began_by(instance: Workflow) -> BeganByShape | None:
    birth = instance.birth
    if birth is None:
        return None
    return BeganByShape(
        name=birth.facts.name or None,
        kind=birth.facts.kind,
        key=birth.facts.key,
        due=firings.due_time(birth.due),
    )


def _triggers(definition: Workflow, files: FilesWaiting) -> list[TriggerShape]:
    found = []
    for name, armed in starter_of(definition).triggers.items():
        due, last = firings.due_of(definition, name), armed.last
        found.append(
            TriggerShape(
                name=name,
                kind=armed.kind,
                next_due=None if due is None else rfc3339(due.time),
                files_waiting=firings.files_of(definition, name, files),
                last_firing=None if last is None else _last_firing(last),
            )
        )
    return found


def _last_firing(last: LastFiring) -> LastFiringShape:
    return LastFiringShape(
        key=last.key,
        due=firings.due_time(last.due),
        time=rfc3339(last.time),
        outcome=last.outcome,
        reason=last.reason or None,
        instance=last.instance or None,
        message=last.message,
    )


def _instances(state: State, definition: Workflow) -> list[InstanceShape]:
    return instance_shapes(state, firings.instances(state, definition))


def instance_shapes(state: State, lives: Iterable[Workflow]) -> list[InstanceShape]:
    """Each of these in short."""
    return [
        InstanceShape(
            name=instance.name,
            uid=instance.uid,
            trigger=began.name,
            key=began.key,
            due=began.due,
            phase=instance.phase,
            reason=words.at_present(state, instance)[0],
            start_time=rfc3339_or_none(instance.started),
            completion_time=rfc3339_or_none(instance.completed),
        )
        for instance in lives
        if (began := _began_by(instance)) is not None
    ]


def _derived(state: State, workflow: Workflow, now: int) -> list[ConditionShape]:
    """The conditions of a definition that follow from the state."""
    if workflow.starter is None:
        return []
    return [
        ConditionShape(
            type=condition.type,
            status="True",
            reason=condition.type,
            message=condition.message,
            last_transition_time=rfc3339_or_none(condition.since),
            observed_generation=workflow.generation,
        )
        for condition in firings.conditions(state, workflow, now)
    ]


def ended(state: State, workflow: Workflow) -> bool:
    """Is this life no longer in force? Then its name is free, or belongs to another life."""
    return state.workflows.get(workflow.name) is not workflow


def run_shape(run: RunShort) -> RunShape:
    return RunShape(
        number=run.number,
        phase=run.phase,
        reason=run.reason,
        start_time=rfc3339(run.started),
        completion_time=rfc3339_or_none(run.completed),
        started_by=run.why,
    )


def _step_shape(state: State, workflow: Workflow, step: Step, in_use: InUse) -> StepShape:
    now_used = in_use.get((workflow.uid, step.name), _NO_USAGE)
    reason, message = words.of_step(state, workflow, step)
    return StepShape(
        name=step.name,
        parent=step.parent,
        key=None if step.parent is None else step.key,
        item=step.item,
        index=step.nth if step.is_of_list else None,
        params=step.params if step.expanded and step.definition.for_each is None else None,
        phase=step.phase,
        reason=reason,
        message=message,
        depends_on=[step.sibling(need.step) for need in step.definition.requires],
        fingerprint=step.fingerprint,
        outputs=step.outputs if step.outputs_stand else {},
        approval=_approval_shape(workflow, step),
        attempts=[_attempt_shape(attempt, now_used) for attempt in step.attempts],
    )


def _hook_shape(state: State, workflow: Workflow, hook: Step, in_use: InUse) -> HookShape:
    now_used = in_use.get((workflow.uid, hook.name), _NO_USAGE)
    reason, message = words.of_step(state, workflow, hook)
    return HookShape(
        name=hook.name,
        kind=kind_of(hook.name),
        phase=hook.phase,
        reason=reason,
        message=message,
        attempts=[_attempt_shape(attempt, now_used) for attempt in hook.attempts],
    )


def _approval_shape(workflow: Workflow, step: Step) -> ApprovalShape | None:
    question = step.question
    if question is None or step.definition.approve is None:
        return None
    due = approval_due(workflow, step, question) if question.open else None
    return ApprovalShape(
        number=question.number,
        message=question.message,
        asked_time=rfc3339(question.asked),
        due_time=rfc3339_or_none(due),
        open=question.open,
        approved=question.approved,
        by=question.by or None,
        reason=question.reason or None,
        answer_time=rfc3339_or_none(question.answered),
    )


def _attempt_shape(attempt: Attempt, now_used: Usage) -> AttemptShape:
    return AttemptShape(
        number=attempt.number,
        generation=attempt.generation,
        phase=attempt.phase,
        reason=attempt.reason,
        message=words.of_attempt(attempt),
        notes=attempt.notes,
        run=attempt.run,
        exit_code=attempt.exit_code,
        signal=attempt.signal,
        engine=attempt.engine,
        handle=attempt.handle or None,
        engine_reason=None,
        pid=attempt.pid,
        start_time=rfc3339_or_none(attempt.started),
        finish_time=rfc3339_or_none(attempt.finished),
        log=attempt.log,
        outputs=attempt.outputs,
        usage=now_used if attempt.live else attempt.usage or _NO_USAGE,
    )


def conditions_shape(conditions: Iterable[Condition]) -> list[ConditionShape]:
    return [
        ConditionShape(
            type=condition.type,
            status=condition.status,
            reason=condition.reason,
            message=condition.message,
            last_transition_time=rfc3339(condition.last_transition_time),
            observed_generation=condition.observed_generation,
        )
        for condition in conditions
    ]


# ---------------------------------------- never valid


def never_valid(state: State) -> dict[str, FileRejected]:
    """Workflows that never had a valid spec: the name, and the file that was rejected.

    A file in which no name can be read is named like the file, or by its path if that is taken.
    """
    files: dict[str, FileRejected] = {}
    for path, rejected in sorted(state.rejected.items()):
        for name in rejected.names or [_name_of_file(path, {*files, *state.workflows})]:
            if name not in state.workflows:
                files.setdefault(name, rejected)
    return files


def _name_of_file(path: str, taken: Collection[str]) -> str:
    name = name_from(path)
    return path if name in taken else name


def faults_in_words(rejected: FileRejected) -> str:
    """All faults of a file, each with its place."""
    return "; ".join(str(fault) for fault in rejected.faults)


def faults_in_short(rejected: FileRejected) -> str:
    """The first one. What is wrong comes before where that is: the end of a row is cut."""
    first, *others = rejected.faults
    field = first.path.rpartition(".")[2]
    problem = f"{field}: {first.advice}" if field else first.advice
    more = f"; and {len(others)} more" if others else ""
    return f"{problem} ({first.place}{more})"


def rejected_shape(name: str, rejected: FileRejected) -> WorkflowShape:
    """A workflow that never had a valid spec: generation 0, and its faults."""
    message = faults_in_words(rejected)
    invalid = ConditionShape(SPEC_INVALID, "True", SPEC_INVALID, message, None, 0)
    accepted = ConditionShape("Accepted", "False", SPEC_INVALID, message, None, 0)
    return WorkflowShape(
        metadata=MetadataShape(
            name=name,
            uid=None,
            definition=None,
            generation=0,
            labels={},
            annotations={},
            creation_timestamp=None,
        ),
        spec={},
        status=StatusShape(
            phase=Phase.PENDING,
            reason=SPEC_INVALID,
            message=message,
            observed_generation=0,
            start_time=None,
            completion_time=None,
            conditions=[accepted, invalid],
            params={},
            trigger=None,
            triggers=None,
            instances=None,
            firings=None,
            hooks=[],
            runs=[],
            steps=[],
        ),
    )


def name_from(path: str) -> str:
    """A valid workflow name made from the file's name, if the file shows none."""
    stem = path.rpartition("/")[2].rpartition(".")[0]
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:63].rstrip("-") or "unnamed"


def list_shape(items: Iterable[WorkflowShape], controller: ControllerShape) -> ListShape:
    return ListShape(items=list(items), controller=controller)
