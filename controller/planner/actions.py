"""What a plan asks for: events to record as they are, and decisions that still need chance.

The core draws no random numbers. `Schedule` needs a mark, `Retry` a jittered delay and a first
`Accept` a uid, so the turn completes them into events; every other decision already is one.
"""

from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from controller.model.events import AnyEvent, AttemptEnding, FileTaken, Origin
from controller.model.state import Attempt, Step, Workflow
from controller.spec.linked import LinkedWorkflow as Document
from controller.spec.models import Metadata
from controller.spec.triggers.trigger import Firing


class Accept(Struct, frozen=True, kw_only=True):
    """Put a document in force: the next generation of the life `uid`, or (None) a new life."""

    document: Document
    path: str
    uid: str | None
    origin: Origin = "folder"
    by: str = ""
    warnings: tuple[str, ...] = ()
    request: str = ""  # the name of the request that asked for it
    params: dict[str, Any] = {}  # given for a new life
    waited: bool = False  # until a run had ended; it has its number already


class Schedule(Struct, frozen=True):
    """Give a free slot to this ready step."""

    uid: str
    step: str


class AllowRetry(Struct, frozen=True):
    """Another attempt is allowed; the delay is to be drawn from the step's backoff policy.

    `number` counts from 1 among the waits of its kind; `spends` says whether it uses up `limit`.
    """

    uid: str
    step: str
    number: int
    spends: bool
    reason: str
    message: str


class Fire(Struct, frozen=True, kw_only=True):
    """Decide on a firing; what becomes of it depends on what runs when it is recorded.

    The fields are those of FiringDecided. `given`: params, if they are not those that the trigger
    says; `over`: those that win over what it says.
    """

    uid: str
    key: str
    facts: Firing
    trigger: str = ""
    due: int | None = None
    next: int | None = None
    missed: int | None = None
    after: bool = False
    file: FileTaken | None = None
    given: dict[str, Any] | None = None
    over: dict[str, Any] = {}
    backfill: str = ""
    parallel: int = 1
    by: str = ""
    request: str = ""
    given_key: bool = False


class Follow(Struct, frozen=True):
    """Give this instance the newest generation of its definition."""

    uid: str


Action = AnyEvent | Accept | Schedule | AllowRetry | Fire | Follow


def notes_of(metadata: Metadata) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations, empty where there are none."""
    labels, annotations = metadata.labels, metadata.annotations
    return {} if labels is UNSET else labels, {} if annotations is UNSET else annotations


def to_end(
    workflow: Workflow,
    step: Step,
    attempt: Attempt,
    reason: str,
    message: str,
    withdraw: bool = False,
) -> AttemptEnding:
    """The announcement that a live attempt ends; `withdraw`: only if it has not started."""
    ending = AttemptEnding(
        uid=workflow.uid, step=step.name, attempt=attempt.number, reason=reason, message=message
    )
    if withdraw:
        return replace(ending, withdraw=True)
    return replace(ending, grace=step.definition.grace_seconds)
