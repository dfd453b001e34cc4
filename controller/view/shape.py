"""The JSON of `-o json`, as types: what scripts rely on.

A release may add fields; it never renames, removes or omits one, or changes its type. A value that
is not known is null. Times are RFC 3339 in UTC with microseconds.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from controller.model.events import Usage
from controller.spec.models import API_VERSION

InUse = Mapping[tuple[str, str], Usage]  # what running steps use now, by uid and step
# How many files wait to be decided, by definition and trigger; None: no controller knows it.
FilesWaiting = Mapping[str, Mapping[str, int]] | None


class ConditionShape(Struct, frozen=True, rename="camel"):
    type: str
    status: Literal["True", "False"]
    reason: str
    message: str
    last_transition_time: str | None
    observed_generation: int


class AttemptShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """One execution of a step. `log` is relative to the state folder."""

    number: int
    generation: int
    phase: str
    reason: str | None  # null until it has ended
    message: str
    notes: list[str]
    run: int
    exit_code: int | None
    signal: int | None
    engine: str
    handle: str | None  # the engine's name for it; null until it runs
    engine_reason: str | None  # the engine's own word for how it ended
    pid: int | None
    start_time: str | None
    finish_time: str | None
    log: str
    outputs: dict[str, Any]
    usage: Usage


class ApprovalShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """The last question of a step that asks a person."""

    number: int
    message: str
    asked_time: str
    due_time: str | None  # when it fails if nobody has answered; null once it is over
    open: bool  # it waits for the answer
    approved: bool | None  # null: nobody has answered
    by: str | None
    reason: str | None
    answer_time: str | None


class StepShape(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    parent: str | None  # of a child, the step with `forEach` or a template
    key: str | None  # of a child: of its item, or its name in the template
    item: Any
    index: int | None  # the place of its item in the list, from 0
    params: dict[str, Any] | None  # of its template, once it has begun
    phase: str
    reason: str
    message: str
    depends_on: list[str]
    fingerprint: str
    outputs: dict[str, Any]
    approval: ApprovalShape | None  # of a step with `approve`, once it has asked
    attempts: list[AttemptShape]


class HookShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """A hook of the present run, or of the last one. `name` is its full one: `onFailure/page`."""

    name: str
    kind: str  # `onStart`, `onSuccess`, `onFailure`, `onCancel` or `onExit`
    phase: str
    reason: str
    message: str
    attempts: list[AttemptShape]


class RunShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """One run in short; `startedBy` says in words why it began."""

    number: int
    phase: str
    reason: str
    start_time: str
    completion_time: str | None
    started_by: str


class RunOfShape(RunShape, frozen=True, kw_only=True, rename="camel"):
    """A run in a list of runs. What is known only of its end is null before that."""

    workflow: str
    message: str | None
    steps: int | None
    succeeded: int | None
    kept: int | None  # of those that succeeded: an earlier run gave the result


class DefinitionRefShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """The definition that an instance belongs to."""

    name: str
    uid: str


class BeganByShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """The firing that began an instance. `name` is null by hand, `due` where no time came due."""

    name: str | None
    kind: str
    key: str
    due: str | None


class LastFiringShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """The last firing of a trigger, and what became of it: `Started`, `Queued` or `Skipped`."""

    key: str
    due: str | None
    time: str  # when that was decided
    outcome: str
    reason: str | None  # why it was skipped
    instance: str | None  # the one that it began
    message: str  # more about the reason


class TriggerShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """A trigger of a definition. Due times are those of its rule, without jitter."""

    name: str
    kind: str
    next_due: str | None
    files_waiting: int | None  # null where no controller knows it
    last_firing: LastFiringShape | None


class InstanceShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """An instance in short. `trigger` is null if it was started by hand."""

    name: str
    uid: str
    trigger: str | None
    key: str
    due: str | None
    phase: str
    reason: str
    start_time: str | None
    completion_time: str | None


class StatusShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """`trigger` is that of an instance. `triggers`, `instances` and `firings` are null of all but
    definitions, which have no steps.
    """

    phase: str
    reason: str
    message: str
    observed_generation: int
    start_time: str | None
    completion_time: str | None
    conditions: list[ConditionShape]
    params: dict[str, Any]  # the values in force: given, or defaults
    trigger: BeganByShape | None
    triggers: list[TriggerShape] | None
    instances: list[InstanceShape] | None  # unfinished or kept, in the order of their births
    firings: dict[str, int] | None  # how many had which outcome
    hooks: list[HookShape]  # in the order in which they run
    runs: list[RunShape]  # the last 20 of this name, in all its lives, oldest first
    steps: list[StepShape]


class MetadataShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """`uid` and `creationTimestamp` are null, `generation` 0, where no spec was ever valid."""

    name: str
    uid: str | None
    definition: DefinitionRefShape | None  # of an instance
    generation: int
    labels: dict[str, str]
    annotations: dict[str, str]
    creation_timestamp: str | None


class WorkflowShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """`spec` is a `Spec` as its author wrote it: no default is filled in. Never valid: `{}`."""

    api_version: str = API_VERSION
    kind: str = "Workflow"
    metadata: MetadataShape
    spec: Any
    status: StatusShape


class ControllerShape(Struct, frozen=True, kw_only=True, rename="camel"):
    phase: str
    pid: int | None
    epoch: int
    conditions: list[ConditionShape]


class ListShape(Struct, frozen=True, kw_only=True, rename="camel"):
    api_version: str = API_VERSION
    kind: str = "WorkflowList"
    items: list[WorkflowShape]
    controller: ControllerShape
