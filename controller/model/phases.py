"""Phases, reasons and the table of legal moves: the vocabulary of everything that happens.

States are data here. `STEP_MOVES` is the whole life of a step; `movement.move` is the only code
that moves one, and it refuses what the table does not name.
"""

from enum import StrEnum


class Word(StrEnum):
    """A word that equals its text, and hashes as fast: Enum's own hash is a call into Python."""

    __hash__ = str.__hash__


class Phase(Word):
    """Of a step; a workflow shares all but Ready and Skipped, and adds Suspended."""

    PENDING = "Pending"
    READY = "Ready"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"
    SUSPENDED = "Suspended"  # of workflows only


class AttemptPhase(Word):
    """Of one execution of a step."""

    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    INTERRUPTED = "Interrupted"


class Reason(Word):
    """Why something is in its phase: the closed list, for programs. Messages are for people."""

    # a step or workflow waits
    WAITING_FOR_DEPENDENCIES = "WaitingForDependencies"
    WAITING_FOR_SLOT = "WaitingForSlot"
    BACK_OFF = "BackOff"
    SUSPENDED = "Suspended"
    ACCEPTED = "Accepted"
    # it was set back
    SPEC_CHANGED = "SpecChanged"
    DEPENDENCY_RERAN = "DependencyReran"
    STEP_ADDED = "StepAdded"
    UNCHANGED = "Unchanged"
    TRIED_ANEW = "TriedAnew"  # a new generation, or `retry`, gives it fresh retries
    RETRY_REQUESTED = "RetryRequested"
    RESTART_REQUESTED = "RestartRequested"
    RESUME_REQUESTED = "ResumeRequested"
    WITHDRAWN = "Withdrawn"
    # it goes on
    STARTED = "Started"
    # it ended well
    COMPLETED = "Completed"
    RESULT_KEPT = "ResultKept"
    KEEP_RESULT = "KeepResult"
    MARKED = "Marked"
    # it failed
    NON_ZERO_EXIT = "NonZeroExit"
    SIGNALLED = "Signalled"
    TIMEOUT = "Timeout"
    INTERRUPTED = "Interrupted"
    START_FAILED = "StartFailed"
    STEP_FAILED = "StepFailed"  # of a workflow
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    FAIL_FAST = "FailFast"
    # it was not run
    DEPENDENCY_FAILED = "DependencyFailed"
    DEPENDENCY_CANCELLED = "DependencyCancelled"
    DEPENDENCY_SKIPPED = "DependencySkipped"
    DEPENDENCY_SUCCEEDED = "DependencySucceeded"  # a dependent on `Failed`
    # somebody wanted it to end
    CANCEL_MARKER = "CancelMarker"
    SPEC_DELETED = "SpecDeleted"
    STEP_REMOVED = "StepRemoved"
    STEP_CANCELLED = "StepCancelled"  # of a workflow
    RUN_INTERRUPTED = "RunInterrupted"  # Ctrl-C at `treadle run`
    CONTROLLER_STOPPED = "ControllerStopped"  # `up --end-steps`


class Obstacle(Word):
    """What keeps a step that is ready from starting, or a workflow from starting anything."""

    # what the log knows
    DELETED = "SpecDeleted"
    CANCELLED = "Cancelled"
    SUSPENDED = "Suspended"
    CANCEL_MARKER = "CancelMarker"
    PARALLELISM = "Parallelism"  # of its workflow
    # what this controller knows
    STOPPING = "ControllerStopping"
    DISK_PRESSURE = "DiskPressure"
    NOT_DRIVEN = "NotDriven"  # a `treadle run` drives others only
    SPEC_ABSENT = "SpecAbsent"  # and that is not believed yet
    FOLDER_HELD = "FolderHeld"
    NO_FREE_SLOT = "NoFreeSlot"


TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED, Phase.CANCELLED})
WORKFLOW_TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})
ATTEMPT_LIVE = frozenset({AttemptPhase.SCHEDULED, AttemptPhase.RUNNING})

# A step's life. From a terminal phase the way leads back to Pending only: an edit, or `retry`; and
# from Pending straight to a result when a reverted edit finds the old one still standing.
STEP_MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.PENDING: frozenset(
        {Phase.READY, Phase.SKIPPED, Phase.CANCELLED, Phase.SUCCEEDED, Phase.FAILED}
    ),
    Phase.READY: frozenset(
        {
            Phase.PENDING,
            Phase.RUNNING,
            Phase.SKIPPED,
            Phase.CANCELLED,
            Phase.FAILED,
            Phase.SUCCEEDED,
        }
    ),
    Phase.RUNNING: frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.PENDING, Phase.CANCELLED}),
    Phase.SUCCEEDED: frozenset({Phase.PENDING}),
    Phase.FAILED: frozenset({Phase.PENDING}),
    Phase.SKIPPED: frozenset({Phase.PENDING}),
    Phase.CANCELLED: frozenset({Phase.PENDING}),
}
