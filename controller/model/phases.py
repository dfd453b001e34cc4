"""Phases, reasons and the tables of legal moves: the words for everything that happens.

States are data here. There is a table for a step, for a workflow, for its run and for an attempt.
It names each legal move and the events that make it. `movement` has one function for each table:
only that function makes those moves, and it refuses a move that the table does not name.
`docs/states.md` is drawn from the tables.
"""

from enum import StrEnum


class Word(StrEnum):
    """A word that equals its text, and hashes as fast: Enum's own hash is a call into Python."""

    __hash__ = str.__hash__


class Phase(Word):
    """Of a step; a workflow shares all but Ready and Skipped, and adds Suspended. A definition is
    Waiting, Running or Suspended.
    """

    PENDING = "Pending"
    READY = "Ready"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"
    SUSPENDED = "Suspended"  # of workflows only
    WAITING = "Waiting"  # of definitions only


class RunStage(Word):
    """Where a workflow stands between two of its terminal phases."""

    NONE = "none"
    RUNNING = "running"
    ENDING = "ending"  # its result is decided; only its hooks still run


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
    ENGINE_QUEUED = "EngineQueued"  # its engine has it, and has not started it
    ENGINE_UNREACHABLE = "EngineUnreachable"
    WAITING_FOR_POOL = "WaitingForPool"  # or for a lock
    POOL_MISSING = "PoolMissing"  # nobody defines the pool that it waits for
    POOL_TOO_SMALL = "PoolTooSmall"  # it needs more slots than the pool has
    EXPANDED = "Expanded"  # into children, none of which has started
    AWAITING_APPROVAL = "AwaitingApproval"  # by a person
    BACK_OFF = "BackOff"
    WAITING_FOR_TURN = "WaitingForTurn"  # of a hook: hooks run one after the other
    SUSPENDED = "Suspended"
    ACCEPTED = "Accepted"
    QUEUED = "Queued"  # of an instance: others have to end before
    ARMED = "Armed"  # of a definition: its triggers wait
    # it was set back
    SPEC_CHANGED = "SpecChanged"
    DEPENDENCY_RERAN = "DependencyReran"
    STEP_ADDED = "StepAdded"
    UNCHANGED = "Unchanged"
    NOT_KNOWN_YET = "NotKnownYet"  # whether it runs again shows when a `when` is asked again
    OUTPUTS_CHANGED = "OutputsChanged"  # a result that was to be kept lacks a declared output
    TRIED_ANEW = "TriedAnew"  # a new generation, or `retry`, gives it all its retries again
    RETRY_REQUESTED = "RetryRequested"
    RESTART_REQUESTED = "RestartRequested"
    RESUME_REQUESTED = "ResumeRequested"
    WITHDRAWN = "Withdrawn"
    # it goes on
    STARTED = "Started"
    ENDING = "Ending"  # of a workflow: only its hooks still run
    # it ended well
    COMPLETED = "Completed"
    RESULT_KEPT = "ResultKept"
    KEEP_RESULT = "KeepResult"
    MARKED = "Marked"
    APPROVED = "Approved"
    # it failed
    NON_ZERO_EXIT = "NonZeroExit"
    SIGNALLED = "Signalled"
    BEFORE_FAILED = "BeforeFailed"
    AFTER_FAILED = "AfterFailed"
    TIMEOUT = "Timeout"
    INTERRUPTED = "Interrupted"
    ABANDONED = "Abandoned"  # of an attempt: a person does not wait for the proof of its end
    REJECTED = "Rejected"  # by a person
    START_FAILED = "StartFailed"
    EXPRESSION_FAILED = "ExpressionFailed"
    EXPANSION_FAILED = "ExpansionFailed"
    OUTPUT_MISSING = "OutputMissing"
    OUTPUT_INVALID = "OutputInvalid"
    OUTPUT_TOO_LARGE = "OutputTooLarge"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 - a word, no secret
    VALUE_TOO_LARGE = "ValueTooLarge"
    STEP_FAILED = "StepFailed"  # of a workflow, or of a step that has children
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    FAIL_FAST = "FailFast"
    # it was not run
    WHEN_FALSE = "WhenFalse"
    SKIPPED_ITSELF = "SkippedItself"  # by its exit code
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
    QUEUE_FULL = "QueueFull"  # of an instance: too many waited for their turn
    # a firing began no instance
    OVERLAP = "Overlap"
    EXPIRED = "Expired"
    EXCLUDED = "Excluded"
    CATCH_UP = "CatchUp"
    INVALID_PARAMS = "InvalidParams"


class Obstacle(Word):
    """What keeps a step that is ready from starting, or a workflow from starting anything."""

    # what the log knows
    DELETED = "SpecDeleted"
    CANCELLED = "Cancelled"
    SUSPENDED = "Suspended"
    CANCEL_MARKER = "CancelMarker"
    QUEUED = "Queued"  # an instance whose turn has not come
    PARALLELISM = "Parallelism"  # of its workflow
    CHILDREN = "ParallelismOfStep"  # of the step whose child it is
    POOL_MISSING = "PoolMissing"  # it uses one that nobody has defined
    POOL_TOO_SMALL = "PoolTooSmall"  # it uses more slots than there are
    POOL = "WaitingForPool"  # or for a lock
    # what this controller knows
    STOPPING = "ControllerStopping"
    DISK_PRESSURE = "DiskPressure"
    NOT_DRIVEN = "NotDriven"  # this `treadle run` drives only other workflows
    SPEC_ABSENT = "SpecAbsent"  # its absence is not believed yet
    FOLDER_HELD = "FolderHeld"
    ENGINE_UNREACHABLE = "EngineUnreachable"
    NO_FREE_SLOT = "NoFreeSlot"


TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED, Phase.CANCELLED})
WORKFLOW_TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})
# A step that skips itself is no obstacle for its dependents.
OWN_SKIPS = frozenset({Reason.WHEN_FALSE, Reason.SKIPPED_ITSELF})
FAULTS_OF_OUTPUTS = frozenset(
    {Reason.OUTPUT_MISSING, Reason.OUTPUT_INVALID, Reason.OUTPUT_TOO_LARGE}
)
# A run that was cancelled for one of these has failed.
FAILING_CANCELS = frozenset({Reason.DEADLINE_EXCEEDED, Reason.FAIL_FAST})
COULD_NOT_START = frozenset({Reason.START_FAILED, Reason.SECRET_MISSING, Reason.VALUE_TOO_LARGE})
ATTEMPT_LIVE = frozenset({AttemptPhase.SCHEDULED, AttemptPhase.RUNNING})

Moves = dict[Word, dict[Word, tuple[str, ...]]]  # from -> to -> the events that make it

# From a terminal phase, an edit or `retry` leads back to Pending only. From Pending a step moves
# straight to a result when an edit is taken back and the old result is still valid, and when the
# person answers whom it asks; while it asks, it is Pending for that reason. A step with children is
# Running from the first start of one; StepCompleted says what they came to.
# The hooks of an earlier run are Pending again when they are to run in a later one.
_REOPENED = (
    "EndDecided",
    "GenerationAccepted",
    "GenerationFollowed",
    "HooksBegun",
    "StepExpanded",
    "StepMarked",
    "StepReset",
)
STEP_MOVES: Moves = {
    Phase.PENDING: {
        Phase.PENDING: ("ApprovalAsked",),
        Phase.READY: ("StepReady",),
        Phase.RUNNING: ("AttemptStarted", "StepExpanded"),
        Phase.SKIPPED: ("GenerationAccepted", "GenerationFollowed", "StepRestored", "StepSkipped"),
        Phase.CANCELLED: ("StepCancelled", "StepCompleted"),
        Phase.SUCCEEDED: (
            "ApprovalAnswered",
            "GenerationAccepted",
            "GenerationFollowed",
            "StepCompleted",
            "StepMarked",
            "StepRestored",
        ),
        Phase.FAILED: (
            "ApprovalAnswered",
            "GenerationAccepted",
            "GenerationFollowed",
            "StepCompleted",
            "StepFailed",
            "StepRestored",
        ),
    },
    Phase.READY: {
        Phase.PENDING: (
            "GenerationAccepted",
            "GenerationFollowed",
            "RetryScheduled",
            "StepExpanded",
            "StepMarked",
            "StepReset",
            "StepRestored",
        ),
        Phase.RUNNING: ("AttemptStarted",),
        Phase.SKIPPED: ("AttemptFinished", "StepSkipped"),
        Phase.CANCELLED: ("StepCancelled",),
        Phase.FAILED: ("StepFailed",),
        Phase.SUCCEEDED: ("AttemptFinished",),
    },
    Phase.RUNNING: {
        Phase.SUCCEEDED: ("AttemptFinished", "StepCompleted"),
        Phase.SKIPPED: ("AttemptFinished",),
        Phase.FAILED: ("StepCompleted", "StepFailed"),
        Phase.PENDING: (
            "GenerationAccepted",
            "GenerationFollowed",
            "RetryScheduled",
            "StepReset",
            "StepRestored",
        ),
        Phase.CANCELLED: ("StepCancelled", "StepCompleted"),
    },
    Phase.SUCCEEDED: {Phase.PENDING: _REOPENED},
    Phase.FAILED: {Phase.PENDING: _REOPENED},
    Phase.SKIPPED: {Phase.PENDING: _REOPENED},
    Phase.CANCELLED: {Phase.PENDING: _REOPENED},
}

# A new generation, or `retry`, makes an ended workflow begin again.
# What moves a definition: what is said of it, and what begins, goes on again or ends of it.
_OF_DEFINITION = (
    "DeletionAccepted",
    "EditDeferred",
    "FiringDecided",
    "GenerationAccepted",
    "GenerationFollowed",
    "LifeArchived",
    "LifeEnded",
    "MarkerPlaced",
    "MarkerRejected",
    "MarkerRemoved",
    "RequestApplied",
    "StepMarked",
    "StepReset",
    "TurnCame",
    "WorkflowFinished",
)
WORKFLOW_MOVES: Moves = {
    Phase.PENDING: {
        Phase.WAITING: ("GenerationAccepted",),
        Phase.RUNNING: ("RunStarted",),
        Phase.SUSPENDED: ("GenerationAccepted", "WorkflowSuspended"),
        Phase.SUCCEEDED: ("WorkflowFinished",),
        Phase.FAILED: ("WorkflowFinished",),
        Phase.CANCELLED: ("WorkflowFinished",),
    },
    Phase.WAITING: {
        Phase.RUNNING: _OF_DEFINITION,
        Phase.SUSPENDED: _OF_DEFINITION,
    },
    Phase.RUNNING: {
        Phase.WAITING: _OF_DEFINITION,
        Phase.SUSPENDED: (*_OF_DEFINITION, "WorkflowSuspended"),
        Phase.SUCCEEDED: ("WorkflowFinished",),
        Phase.FAILED: ("WorkflowFinished",),
        Phase.CANCELLED: ("WorkflowFinished",),
    },
    Phase.SUSPENDED: {
        Phase.WAITING: _OF_DEFINITION,
        Phase.PENDING: ("GenerationAccepted", "GenerationFollowed", "RequestApplied"),
        Phase.RUNNING: (
            *_OF_DEFINITION,
            "AttemptScheduled",
            "EditTakenBack",
            "EndDecided",
        ),
        Phase.SUCCEEDED: ("WorkflowFinished",),
        Phase.FAILED: ("WorkflowFinished",),
        Phase.CANCELLED: ("WorkflowFinished",),
    },
    Phase.SUCCEEDED: {
        Phase.PENDING: ("GenerationAccepted", "GenerationFollowed", "StepMarked", "StepReset")
    },
    Phase.FAILED: {
        Phase.PENDING: ("GenerationAccepted", "GenerationFollowed", "StepMarked", "StepReset")
    },
    Phase.CANCELLED: {
        Phase.PENDING: ("GenerationAccepted", "GenerationFollowed", "StepMarked", "StepReset")
    },
}

# Between two terminal phases of its workflow. While it is ending, its hooks run.
RUN_MOVES: Moves = {
    RunStage.NONE: {RunStage.RUNNING: ("RunStarted",)},
    RunStage.RUNNING: {
        RunStage.ENDING: ("EndDecided",),
        RunStage.NONE: ("WorkflowFinished",),
    },
    RunStage.ENDING: {RunStage.NONE: ("WorkflowFinished",)},
}

# Sometimes nobody saw an attempt start, and only its end is known.
ATTEMPT_MOVES: Moves = {
    AttemptPhase.SCHEDULED: {
        AttemptPhase.RUNNING: ("AttemptStarted",),
        AttemptPhase.SUCCEEDED: ("AttemptFinished",),
        AttemptPhase.FAILED: ("AttemptFinished",),
        AttemptPhase.CANCELLED: ("AttemptFinished",),
        AttemptPhase.INTERRUPTED: ("AttemptFinished",),
    },
    AttemptPhase.RUNNING: {
        AttemptPhase.SUCCEEDED: ("AttemptFinished",),
        AttemptPhase.FAILED: ("AttemptFinished",),
        AttemptPhase.CANCELLED: ("AttemptFinished",),
        AttemptPhase.INTERRUPTED: ("AttemptFinished",),
    },
    AttemptPhase.SUCCEEDED: {},
    AttemptPhase.FAILED: {},
    AttemptPhase.CANCELLED: {},
    AttemptPhase.INTERRUPTED: {},
}
