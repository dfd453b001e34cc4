"""What a user may write, as types: the one source of truth for the shape of a spec.

`schemas/` is generated from these models, the loader converts into them, and the log carries them.
Every optional field can be UNSET, so we know which values were written. An edit that only writes
down a default is an edit; a new default in a later release is not.
Python names are snake_case; in files they are camelCase.
"""

from typing import Annotated, Any, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field

from controller.spec.values import VALUE_NAME, ParamType

T = TypeVar("T")
U = TypeVar("U")

API_VERSION = "treadle.dev/v1"
KINDS = ("Workflow", "Template", "Pool", "Defaults")

# `$` alone would also match before a final newline, and such a name would get into file names.
WORKFLOW_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$(?!\n)"
STEP_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$(?!\n)"
VARIABLE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"
QUANTITY = r"^(?=.*[1-9])[0-9]{1,15}(\.[0-9]{1,9})?([KMGT]i?|k)?$(?!\n)"
EXIT_CODES = r"^[0-9]{1,3}(-[0-9]{1,3})?$(?!\n)"

# More than 31 years is a typing error, and its microseconds no longer fit into a record.
SECONDS_MAX = 1_000_000_000
COUNT_MAX = 1_000_000

WorkflowName = Annotated[
    str,
    Meta(
        pattern=WORKFLOW_NAME,
        description="Lower-case letters, digits and `-`, at most 63 characters. It identifies "
        "the workflow, so it must be unique in the specs folder.",
    ),
]
TemplateName = Annotated[
    str,
    Meta(
        pattern=WORKFLOW_NAME,
        description="Lower-case letters, digits and `-`, at most 63 characters. It identifies "
        "the template, so it must be unique among the templates of the specs folder.",
    ),
]
StepName = Annotated[
    str, Meta(pattern=STEP_NAME, description="Letters, digits, `_` and `-`, at most 63 characters.")
]
VariableName = Annotated[str, Meta(pattern=VARIABLE_NAME)]
ExitCodes = Annotated[int, Meta(ge=0, le=255)] | Annotated[str, Meta(pattern=EXIT_CODES)]
Seconds = Annotated[float, Meta(ge=0, le=SECONDS_MAX)]
PositiveSeconds = Annotated[float, Meta(gt=0, le=SECONDS_MAX)]
Count = Annotated[int, Meta(ge=0, le=COUNT_MAX)]
PositiveCount = Annotated[int, Meta(ge=1, le=COUNT_MAX)]
PositiveBytes = Annotated[int, Meta(ge=1, le=2**62)]
Argv = Annotated[list[str], Meta(min_length=1)]
Cause = Literal["NonZeroExit", "Timeout", "Interrupted"]
ConditionOn = Literal["Succeeded", "Failed", "Finished"]
EndPhase = Literal["Succeeded", "Failed", "Cancelled"]

PoolName = Annotated[
    str,
    Meta(
        pattern=WORKFLOW_NAME,
        description="Lower-case letters, digits and `-`, at most 63 characters. It identifies "
        "the pool, so it must be unique among the pools of the specs folder.",
    ),
]

ParamValue = str | int | float | bool | list[Any]
ParamName = Annotated[
    str,
    Meta(pattern=VALUE_NAME, description="Letters, digits and `_`, at most 63; no digit first."),
]


class _Written(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """A part of a spec as its author wrote it."""


class Use(_Written, frozen=True):
    """Slots of a pool, or a lock. It has exactly one of `pool` and `lock`."""

    pool: PoolName | UnsetType = UNSET
    slots: Annotated[
        PositiveCount | UnsetType, Meta(description="How many slots of the pool. Default: 1.")
    ] = UNSET
    lock: Annotated[
        str | UnsetType,
        Meta(
            description="The name of a lock, which one step at a time can hold. It can hold "
            "expressions, and needs no document: 1 to 200 characters."
        ),
    ] = UNSET


Uses = Annotated[
    list[PoolName | Use] | UnsetType,
    Meta(
        description="What an attempt holds while it runs: `gpu` (one slot of that pool), "
        "`{pool: api, slots: 3}` or `{lock: NAME}`. It starts when all of them are free at once. "
        "Default: nothing."
    ),
]


class Reference(_Written, frozen=True):
    """A variable whose value is found when an attempt starts. It has exactly one of these fields.

    What `fromEnv` and `fromFile` give is a secret: it never gets into the log.
    """

    from_env: Annotated[
        str | UnsetType, Meta(description="A variable in the environment of `treadle up`.")
    ] = UNSET
    from_file: Annotated[
        str | UnsetType,
        Meta(
            description="A file, relative to the folder of the spec's file. One newline at its end "
            "is dropped."
        ),
    ] = UNSET
    as_file: Annotated[
        str | UnsetType,
        Meta(
            description="A text, mostly an expression, that is written to a file of the attempt. "
            "The variable holds the path of that file."
        ),
    ] = UNSET


class EnvFile(_Written, frozen=True):
    """A file with lines of the form `KEY=VALUE`."""

    file: Annotated[str, Meta(description="Relative to the folder of the spec's file.")]
    optional: Annotated[
        bool | UnsetType, Meta(description="The file need not be there. Default: false.")
    ] = UNSET


EnvValue = str | int | float | bool | Reference
Environment = Annotated[
    dict[VariableName, EnvValue] | UnsetType,
    Meta(
        description="Environment variables. A value is passed on as it is written: `3.10` stays "
        "`3.10`, and `$` and `~` are not expanded; `${{ }}` holds an expression. A variable of a "
        "step replaces one of the spec."
    ),
]
EnvFrom = Annotated[
    list[EnvFile] | UnsetType,
    Meta(
        description="Files with lines of the form `KEY=VALUE`, read when an attempt starts. Later "
        "files win over earlier ones, and `env` over all of them."
    ),
]
Shell = Annotated[
    str | Argv | UnsetType,
    Meta(
        description="What runs a script: sh (the default), bash or python3; or the program "
        "and arguments that get the script as their last argument. A string is split into words."
    ),
]
WorkingDir = Annotated[
    str | UnsetType,
    Meta(
        description="Where steps start, relative to the folder of the spec's file, which is the "
        "default."
    ),
]
Timeout = Annotated[
    PositiveSeconds | str | UnsetType,
    Meta(
        description="An attempt that takes longer is stopped and fails: seconds, or an expression "
        "that gives them. Default: no timeout."
    ),
]
Grace = Annotated[
    Seconds | UnsetType,
    Meta(
        description="The time between SIGTERM and SIGKILL when an attempt is stopped. Default: 3."
    ),
]


class Backoff(_Written, frozen=True):
    """How long to wait before a retry. The delay grows from retry to retry."""

    initial_seconds: Annotated[
        Seconds | UnsetType, Meta(description="The delay before the first retry. Default: 0.5.")
    ] = UNSET
    factor: Annotated[
        Annotated[float, Meta(ge=1, le=1000)] | UnsetType,
        Meta(description="Each delay is the one before it, times this factor. Default: 2."),
    ] = UNSET
    max_seconds: Annotated[
        Seconds | UnsetType,
        Meta(description="No delay is longer than this. Default: 60, or initialSeconds if more."),
    ] = UNSET
    jitter: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | UnsetType,
        Meta(
            description="The share of a delay that is added or taken away at random. Default: 0.1."
        ),
    ] = UNSET


class Retry(_Written, frozen=True):
    """When a failed step is tried again. It is not tried again unless `limit` is set."""

    limit: Annotated[
        Count | UnsetType,
        Meta(description="How many retries may follow the first attempt. Default: 0."),
    ] = UNSET
    backoff: Backoff | UnsetType = UNSET
    on: Annotated[
        Annotated[list[Cause], Meta(min_length=1)] | UnsetType,
        Meta(description="Which kinds of failure are tried again. Default: all three."),
    ] = UNSET
    exit_codes: Annotated[
        Annotated[list[ExitCodes], Meta(min_length=1)] | UnsetType,
        Meta(description='Try again only after these exit codes: 75, or a range like "100-110".'),
    ] = UNSET
    except_exit_codes: Annotated[
        Annotated[list[ExitCodes], Meta(min_length=1)] | UnsetType,
        Meta(
            description="Try again after all exit codes except these. Not together with exitCodes."
        ),
    ] = UNSET
    max_elapsed_seconds: Annotated[
        PositiveSeconds | UnsetType,
        Meta(description="No retry begins later than this after the start of the first attempt."),
    ] = UNSET


class Dependency(_Written, frozen=True):
    """An entry of `dependsOn` with a condition."""

    step: StepName
    condition: Annotated[
        ConditionOn | UnsetType,
        Meta(description="How that step must have ended. Default: Succeeded."),
    ] = UNSET


class Param(_Written, frozen=True):
    """A value that a run can be given. Without a default, it must be given."""

    type: Annotated[
        ParamType | UnsetType, Meta(description="Default: the type of the default value.")
    ] = UNSET
    default: Annotated[Any, Meta(description="The value if none is given.")] = UNSET
    description: Annotated[str | UnsetType, Meta(description="For people.")] = UNSET
    enum: Annotated[
        Annotated[list[Any], Meta(min_length=1)] | UnsetType,
        Meta(description="The only values that it can have."),
    ] = UNSET


Items = list[Any] | str


class Matrix(_Written, frozen=True):
    """One item for each combination of the values in several lists."""

    matrix: Annotated[
        dict[ParamName, Items],
        Meta(
            description="Names, each with a list of values or an expression that gives one. The "
            "last list varies fastest. A step reads the values as item.NAME.",
        ),
    ]
    exclude: Annotated[
        list[dict[str, Any]] | UnsetType,
        Meta(description="A combination that has all values of one of these is left out."),
    ] = UNSET
    include: Annotated[
        list[dict[str, Any]] | UnsetType,
        Meta(description="Combinations that are added at the end, after exclude."),
    ] = UNSET


class Call(_Written, frozen=True):
    """The template whose steps take the place of a step."""

    name: TemplateName
    params: Annotated[
        dict[ParamName, Any] | UnsetType,
        Meta(
            description="Values for the params of the template. Text can hold expressions; a value "
            "that is one expression keeps its type."
        ),
    ] = UNSET


class Approval(_Written, frozen=True):
    """The question that a step asks a person."""

    message: Annotated[str, Meta(description="What the person is asked. It can hold expressions.")]
    timeout_seconds: Annotated[
        PositiveSeconds | UnsetType,
        Meta(
            description="If nobody answers in this time, the step fails. It does not count while "
            "the workflow is suspended. Default: no limit."
        ),
    ] = UNSET


class Mount(_Written, frozen=True):
    """A folder or file of this machine that a container sees."""

    source: Annotated[
        str, Meta(description="Relative to the folder of the spec's file, or absolute.")
    ] = field(name="from")
    target: Annotated[str, Meta(description="An absolute path in the container.")] = field(
        name="to"
    )
    read_only: Annotated[bool | UnsetType, Meta(description="Default: false.")] = UNSET


class Container(_Written, frozen=True):
    """A step runs in a container of this machine."""

    image: Annotated[
        str | UnsetType,
        Meta(description="The image, like python:3.13-slim. It can hold expressions."),
    ] = UNSET
    mounts: Annotated[
        list[Mount] | UnsetType,
        Meta(description="What the container sees besides the folder in which the step starts."),
    ] = UNSET
    network: Annotated[
        str | UnsetType,
        Meta(description="The network, as the program names it: none, host. Default: its own."),
    ] = UNSET
    program: Annotated[
        Literal["auto", "podman", "docker"] | UnsetType,
        Meta(description="What runs containers. Default: auto, podman if it is there, or docker."),
    ] = UNSET
    pull: Annotated[
        Literal["missing", "always", "never"] | UnsetType,
        Meta(description="When the image is pulled. Default: missing, if it is not there."),
    ] = UNSET


class Slurm(_Written, frozen=True):
    """A step runs as a job of a Slurm cluster."""

    partition: Annotated[str | UnsetType, Meta(description="Default: that of the cluster.")] = UNSET
    shared_dir: Annotated[
        str | UnsetType,
        Meta(
            description="An absolute path of a folder that this machine and all nodes see. It is "
            "yours alone (0700), and is made if it is missing."
        ),
    ] = UNSET
    args: Annotated[
        list[str] | UnsetType,
        Meta(description="More options of sbatch, like --constraint=a100."),
    ] = UNSET


class Executor(_Written, frozen=True):
    """Where attempts run, if not as processes of this machine. It has exactly one of these."""

    container: Container | UnsetType = UNSET
    slurm: Slurm | UnsetType = UNSET


class Resources(_Written, frozen=True):
    """What an attempt needs. Its engine is told so; on this machine nothing is set aside."""

    cpu: Annotated[
        Annotated[float, Meta(gt=0, le=COUNT_MAX)] | UnsetType, Meta(description="Cores.")
    ] = UNSET
    memory: Annotated[
        Annotated[str, Meta(pattern=QUANTITY)] | PositiveBytes | UnsetType,
        Meta(description="Bytes, or a text like 512Mi, 8Gi or 2G."),
    ] = UNSET
    gpu: Annotated[PositiveCount | UnsetType, Meta(description="How many.")] = UNSET


Placement = Annotated[
    Literal["local"] | Executor | UnsetType,
    Meta(
        description="Where attempts run: local (as processes of this machine, the default), or "
        "`{container: {image: …}}`, or `{slurm: {…}}`. A step that names the same engine as its "
        "workflow adds its own fields."
    ),
]


class Step(_Written, frozen=True):
    """One step of the DAG.

    It has exactly one of `run` (a script), `command` (a program), `template` and `approve`.
    """

    name: StepName
    run: Annotated[
        str | UnsetType, Meta(description="A script for the shell that `shell` names.")
    ] = UNSET
    command: Annotated[
        Argv | UnsetType, Meta(description="A program and its arguments, started without a shell.")
    ] = UNSET
    template: Annotated[
        Call | UnsetType,
        Meta(
            description="The steps of a template are run in place of this one: of a document of "
            "the kind Template."
        ),
    ] = UNSET
    before: Annotated[
        str | UnsetType,
        Meta(
            description="A script that runs before the command, in the same attempt. If it fails, "
            "so does the attempt: neither the command nor `after` runs."
        ),
    ] = UNSET
    after: Annotated[
        str | UnsetType,
        Meta(
            description="A script that runs after the command, in the same attempt, whether that "
            "succeeded, failed or was stopped. TREADLE_EXIT_CODE has its exit code. If it fails, "
            "so does the attempt."
        ),
    ] = UNSET
    approve: Annotated[
        Approval | UnsetType,
        Meta(
            description="The step runs nothing: it asks a person, who answers with "
            "`treadle approve`. With yes it succeeds, with no it fails."
        ),
    ] = UNSET
    shell: Shell = UNSET
    depends_on: Annotated[
        list[StepName | Dependency] | UnsetType,
        Meta(description="The steps that must have finished before this one starts."),
    ] = UNSET
    when: Annotated[
        str | UnsetType,
        Meta(
            description="An expression that decides whether the step runs, like "
            "`${{ steps.count.outputs.rows > 0 }}`. It is asked once, when the dependencies are "
            "met. If it gives false, the step is skipped, and its dependents continue."
        ),
    ] = UNSET
    for_each: Annotated[
        Items | Matrix | UnsetType,
        Meta(
            description="The step runs once for each item: of a list, of an expression that gives "
            "one, or of a matrix. Its expressions can read item, and index, which begins with 0."
        ),
    ] = UNSET
    key: Annotated[
        str | UnsetType,
        Meta(
            description="With forEach: a text with expressions that names an item, so that an edit "
            "of the list knows it again. Default: the item itself, or a hash of it."
        ),
    ] = UNSET
    parallelism: Annotated[
        PositiveCount | UnsetType,
        Meta(description="With forEach: how many items may run at once. Default: no limit."),
    ] = UNSET
    outputs: Annotated[
        dict[ParamName, ParamType] | UnsetType,
        Meta(
            description="What the step hands on: names with types, like `{rows: integer}`. The "
            "step writes lines like `rows=5`, or one JSON object, to the file that TREADLE_OUTPUT "
            "names."
        ),
    ] = UNSET
    executor: Placement = UNSET
    resources: Resources | UnsetType = UNSET
    env: Environment = UNSET
    env_from: EnvFrom = UNSET
    working_dir: WorkingDir = UNSET
    timeout_seconds: Timeout = UNSET
    termination_grace_period_seconds: Grace = UNSET
    retry: Retry | UnsetType = UNSET
    uses: Uses = UNSET
    success_exit_codes: Annotated[
        Annotated[list[ExitCodes], Meta(min_length=1)] | UnsetType,
        Meta(
            description='The step succeeds with these exit codes: 1, or a range like "1-3". '
            "Default: [0]."
        ),
    ] = UNSET
    skip_exit_codes: Annotated[
        Annotated[list[ExitCodes], Meta(min_length=1)] | UnsetType,
        Meta(
            description="With these exit codes the step skips itself: it is Skipped, and its "
            "dependents continue. Default: none."
        ),
    ] = UNSET
    continue_on_failure: Annotated[
        bool | UnsetType,
        Meta(
            description="If the step fails, its dependents and the workflow continue as if it had "
            "succeeded."
        ),
    ] = UNSET
    leave_processes: Annotated[
        bool | UnsetType,
        Meta(
            description="When this step finishes, processes that it left running are not stopped."
        ),
    ] = UNSET
    on_changed: Annotated[
        Literal["Restart", "FinishFirst", "KeepResult"] | UnsetType,
        Meta(
            description="When an edit changes what the step does: stop a running attempt and run "
            "the step again (Restart, the default); let the attempt finish first, then run again "
            "(FinishFirst); or keep the result, or the running attempt (KeepResult)."
        ),
    ] = UNSET
    on_removed: Annotated[
        Literal["End", "Finish"] | UnsetType,
        Meta(
            description="When an edit removes the step: stop a running attempt (End, the default), "
            "or let it finish (Finish)."
        ),
    ] = UNSET


class Hook(_Written, frozen=True):
    """What runs because a run starts or ends. It has exactly one of `run` and `command`."""

    name: Annotated[
        str,
        Meta(
            pattern=STEP_NAME,
            description="Letters, digits, `_` and `-`, at most 63 characters. With its kind it is "
            "the full name, like onFailure/page-me.",
        ),
    ]
    run: Annotated[
        str | UnsetType, Meta(description="A script for the shell that `shell` names.")
    ] = UNSET
    command: Annotated[
        Argv | UnsetType, Meta(description="A program and its arguments, started without a shell.")
    ] = UNSET
    shell: Shell = UNSET
    when: Annotated[
        str | UnsetType,
        Meta(
            description="An expression that decides whether the hook runs, like "
            '`${{ run.lastPhase != "Failed" }}`.'
        ),
    ] = UNSET
    executor: Placement = UNSET
    env: Environment = UNSET
    env_from: EnvFrom = UNSET
    working_dir: WorkingDir = UNSET
    timeout_seconds: Annotated[
        PositiveSeconds | str | UnsetType,
        Meta(
            description="An attempt that takes longer is stopped and fails: seconds, or an "
            "expression that gives them. Default: 300."
        ),
    ] = UNSET
    termination_grace_period_seconds: Grace = UNSET
    retry: Retry | UnsetType = UNSET


class Hooks(_Written, frozen=True):
    """What runs because a run starts or ends, each list in the order written."""

    on_start: Annotated[
        list[Hook] | UnsetType,
        Meta(description="These run beside the first steps, once a run."),
    ] = UNSET
    on_success: Annotated[
        list[Hook] | UnsetType, Meta(description="These run after a run that has succeeded.")
    ] = UNSET
    on_failure: Annotated[
        list[Hook] | UnsetType, Meta(description="These run after a run that has failed.")
    ] = UNSET
    on_cancel: Annotated[
        list[Hook] | UnsetType, Meta(description="These run after a run that was cancelled.")
    ] = UNSET
    on_exit: Annotated[
        list[Hook] | UnsetType,
        Meta(description="These run last, whatever has become of the run."),
    ] = UNSET


class Defaults(_Written, frozen=True):
    """Values for steps that don't set these fields themselves."""

    timeout_seconds: Timeout = UNSET
    termination_grace_period_seconds: Grace = UNSET
    retry: Retry | UnsetType = UNSET
    uses: Uses = UNSET


class Files(_Written, frozen=True):
    """Files that a trigger waits for: each one starts an instance."""

    path: Annotated[
        str,
        Meta(
            description="Where they arrive, like `inbox/*.csv`: relative to the folder of the "
            "spec's file. `*` and `?` stand for characters of a name, `[a-c]` for one of these."
        ),
    ]


class After(_Written, frozen=True):
    """A workflow that has to end before."""

    workflow: WorkflowName
    phase: Annotated[
        EndPhase | Annotated[list[EndPhase], Meta(min_length=1)] | UnsetType,
        Meta(description="How its run must have ended: a phase or a list. Default: Succeeded."),
    ] = UNSET


class HookSecret(_Written, frozen=True):
    """What only the sender knows, and the server."""

    from_file: Annotated[
        str,
        Meta(
            description="A file, relative to the folder of the spec's file. It is read at each "
            "delivery, and one newline at its end is dropped."
        ),
    ]


class Webhook(_Written, frozen=True):
    """Deliveries that a trigger waits for: each one starts an instance."""

    secret: Annotated[
        HookSecret,
        Meta(description="What a delivery must prove that its sender knows."),
    ]


class Trigger(_Written, frozen=True):
    """What starts an instance.

    It has exactly one of `schedule`, `at`, `everySeconds`, `files`, `after` and `webhook`.
    """

    name: Annotated[
        Annotated[str, Meta(pattern=STEP_NAME)] | UnsetType,
        Meta(
            description="Letters, digits, `_` and `-`, at most 63 characters. Default: the name "
            "of the field that says what it waits for.",
        ),
    ] = UNSET
    schedule: Annotated[
        str | Annotated[list[str], Meta(min_length=1)] | UnsetType,
        Meta(
            description='Due times as in cron, `"30 2 * * mon-fri"`, or a list of them: minute, '
            "hour, day, month, weekday. Also @hourly, @daily, @weekly, @monthly and @yearly."
        ),
    ] = UNSET
    at: Annotated[
        Annotated[list[str], Meta(min_length=1)] | UnsetType,
        Meta(description="Due times, each once, like 2026-12-01T06:00:00+01:00."),
    ] = UNSET
    every_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=SECONDS_MAX)] | UnsetType,
        Meta(
            description="Due at each multiple of so many seconds since 1970: 900 means :00, :15, "
            ":30 and :45."
        ),
    ] = UNSET
    files: Annotated[Files | UnsetType, Meta(description="Starts an instance for each file.")] = (
        UNSET
    )
    after: Annotated[
        After | UnsetType,
        Meta(description="Starts an instance whenever a run of another workflow has ended."),
    ] = UNSET
    webhook: Annotated[
        Webhook | UnsetType,
        Meta(description="Starts an instance for each delivery to `treadle serve`."),
    ] = UNSET
    time_zone: Annotated[
        str | UnsetType,
        Meta(
            description="The zone of its due times and dates, like Europe/Berlin. The zone of the "
            "machine never counts. Default: UTC."
        ),
    ] = UNSET
    exclude: Annotated[
        list[str] | UnsetType,
        Meta(description="Dates in that zone on which nothing starts, like 2026-12-24."),
    ] = UNSET
    jitter_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=SECONDS_MAX)] | UnsetType,
        Meta(
            description="The start is moved by up to so many seconds. By how many depends on the "
            "names of the workflow and the trigger, so it is always the same. Default: 0."
        ),
    ] = UNSET
    starting_deadline_seconds: Annotated[
        PositiveSeconds | UnsetType,
        Meta(
            description="A due time is skipped if it is more than so many seconds late. Default: "
            "no limit."
        ),
    ] = UNSET
    catch_up: Annotated[
        Literal["Latest", "All"] | UnsetType,
        Meta(
            description="What happens with missed due times: the newest one starts (Latest, the "
            "default), or all of them, the oldest first (All)."
        ),
    ] = UNSET
    params: Annotated[
        dict[ParamName, Any] | UnsetType,
        Meta(
            description="Values for the params of an instance. Text can hold expressions that read "
            "trigger; a value that is one expression keeps its type."
        ),
    ] = UNSET


OverlapPolicy = Literal["Forbid", "Queue", "Allow"]


class Concurrency(_Written, frozen=True):
    """What a firing does while earlier instances have not finished."""

    policy: Annotated[
        OverlapPolicy | UnsetType,
        Meta(
            description="The firing is skipped (Forbid), waits for its turn (Queue), or starts "
            "anyway (Allow). Default: Forbid for times, Queue for everything else."
        ),
    ] = UNSET
    limit: Annotated[
        PositiveCount | UnsetType,
        Meta(description="How many instances may run at once. Default: 1."),
    ] = UNSET
    group: Annotated[
        str | UnsetType,
        Meta(
            description="Only instances for which this text is the same count together. It can "
            "hold expressions that read params and trigger. Default: all instances."
        ),
    ] = UNSET
    max_queued: Annotated[
        Count | UnsetType,
        Meta(
            description="How many instances may wait for their turn. If another one comes, the "
            "oldest of them is cancelled. Default: 100."
        ),
    ] = UNSET


KeepInstances = Annotated[
    PositiveCount | UnsetType,
    Meta(
        description="How many instances that have ended are kept; older ones go to the archive. "
        "Default: 30."
    ),
]


class Spec(_Written, frozen=True):
    """What one workflow does."""

    steps: Annotated[list[Step], Meta(min_length=1)]
    params: Annotated[
        dict[ParamName, Param | ParamValue] | UnsetType,
        Meta(
            description="Values that expressions can read: a name with its default value, or with "
            "type, default, description and enum. A run is given others with -p NAME=VALUE."
        ),
    ] = UNSET
    executor: Placement = UNSET
    env: Environment = UNSET
    env_from: EnvFrom = UNSET
    inherit_env: Annotated[
        bool | list[VariableName] | UnsetType,
        Meta(
            description="What steps see of the environment of `treadle up`: all of it (true, the "
            "default), nothing (false), or these variables."
        ),
    ] = UNSET
    working_dir: WorkingDir = UNSET
    shell: Shell = UNSET
    parallelism: Annotated[
        PositiveCount | UnsetType,
        Meta(description="How many steps of this workflow may run at once. Default: no limit."),
    ] = UNSET
    priority: Annotated[
        Annotated[int, Meta(ge=-COUNT_MAX, le=COUNT_MAX)] | UnsetType,
        Meta(
            description="When slots are short, the workflow with the higher priority starts "
            "first. Default: 0."
        ),
    ] = UNSET
    active_deadline_seconds: Annotated[
        PositiveSeconds | UnsetType,
        Meta(description="A run that takes longer is stopped and fails. Default: no deadline."),
    ] = UNSET
    ttl_seconds_after_finished: Annotated[
        Seconds | UnsetType,
        Meta(
            description="This long after the end of a run, all attempts except the last of each "
            "step are archived. If the file of the workflow is gone, the whole workflow is. "
            "Default: no time limit."
        ),
    ] = UNSET
    suspend: Annotated[
        bool | UnsetType,
        Meta(description="Start nothing new, and let running steps finish. Default: false."),
    ] = UNSET
    fail_fast: Annotated[
        bool | UnsetType,
        Meta(description="The first failed step cancels the others. Default: false."),
    ] = UNSET
    defaults: Defaults | UnsetType = UNSET
    hooks: Annotated[
        Hooks | UnsetType,
        Meta(description="What runs when a run starts or ends, whatever became of its steps."),
    ] = UNSET
    edit_policy: Annotated[
        Literal["Reconcile", "AfterRun"] | UnsetType,
        Meta(
            description="When this edit takes effect: at once (Reconcile, the default), or when "
            "the present run has finished (AfterRun). `suspend` never waits."
        ),
    ] = UNSET
    triggers: Annotated[
        list[Trigger] | UnsetType,
        Meta(
            description="What starts instances of this workflow. Each of them is a workflow of its "
            "own. With an empty list, only `treadle start` does. Without this field, the workflow "
            "itself runs."
        ),
    ] = UNSET
    concurrency: Annotated[
        Concurrency | OverlapPolicy | UnsetType,
        Meta(description="What a firing does while earlier instances have not finished."),
    ] = UNSET
    keep_instances: KeepInstances = UNSET


class Metadata(_Written, frozen=True):
    """The name of the workflow, with labels and annotations to find it by."""

    name: WorkflowName
    labels: dict[str, str] | UnsetType = UNSET
    annotations: dict[str, str] | UnsetType = UNSET


class Workflow(_Written, frozen=True):
    """A DAG of steps. One file may hold several workflows, as YAML documents."""

    api_version: Literal["treadle.dev/v1"]
    kind: Literal["Workflow"]
    metadata: Metadata
    spec: Spec
    # The output of `get -o yaml` must be a valid file.
    status: Annotated[Any, Meta(description="This is ignored, with a warning.")] = UNSET


class TemplateSpec(_Written, frozen=True):
    """The steps of a template, what they are given, and what they hand on together."""

    steps: Annotated[list[Step], Meta(min_length=1)]
    params: Annotated[
        dict[ParamName, Param | ParamValue] | UnsetType,
        Meta(
            description="Values that the expressions of its steps can read, as in a workflow. The "
            "step that uses the template gives those without a default."
        ),
    ] = UNSET
    outputs: Annotated[
        dict[ParamName, str] | UnsetType,
        Meta(
            description="What the steps hand on together: names with expressions, like "
            "`{rows: ${{ steps.load.outputs.rows }}}`."
        ),
    ] = UNSET


class TemplateMetadata(_Written, frozen=True):
    """The name of the template, with labels and annotations for people."""

    name: TemplateName
    labels: dict[str, str] | UnsetType = UNSET
    annotations: dict[str, str] | UnsetType = UNSET


class Template(_Written, frozen=True):
    """Steps that several workflows can use. It never runs by itself."""

    api_version: Literal["treadle.dev/v1"]
    kind: Literal["Template"]
    metadata: TemplateMetadata
    spec: TemplateSpec


class PoolSpec(_Written, frozen=True):
    """How much of something there is."""

    slots: Annotated[
        PositiveCount,
        Meta(
            description="How many slots there are. A step that uses the pool holds one or more of "
            "them while it runs."
        ),
    ]


class PoolMetadata(_Written, frozen=True):
    """The name of the pool, with labels and annotations for people."""

    name: PoolName
    labels: dict[str, str] | UnsetType = UNSET
    annotations: dict[str, str] | UnsetType = UNSET


class Pool(_Written, frozen=True):
    """Slots that the steps of all workflows share. It never runs by itself."""

    api_version: Literal["treadle.dev/v1"]
    kind: Literal["Pool"]
    metadata: PoolMetadata
    spec: PoolSpec


class SharedDefaults(Defaults, frozen=True):
    """Values for the steps of many workflows, where neither a step nor its workflow sets them."""

    timeout_seconds: Annotated[
        PositiveSeconds | UnsetType,
        Meta(
            description="An attempt that takes longer is stopped and fails. Expressions are not "
            "possible here. Default: no timeout."
        ),
    ] = UNSET


class ContainerPolicy(_Written, frozen=True):
    """What holds for containers where a spec says nothing else."""

    program: Annotated[
        Literal["auto", "podman", "docker"] | UnsetType,
        Meta(description="What runs containers. Default: auto, podman if it is there, or docker."),
    ] = UNSET
    pull: Annotated[
        Literal["missing", "always", "never"] | UnsetType,
        Meta(description="When the image is pulled. Default: missing, if it is not there."),
    ] = UNSET


class Engines(_Written, frozen=True):
    """What holds for steps of an engine, where a spec names that engine. It chooses none."""

    container: ContainerPolicy | UnsetType = UNSET
    slurm: Slurm | UnsetType = UNSET


class DefaultsSpec(_Written, frozen=True):
    """What holds for the workflows of a folder and of those below it, where they say nothing else.

    It holds policy alone: an edit of it runs no step again.
    """

    defaults: SharedDefaults | UnsetType = UNSET
    hooks: Annotated[
        Hooks | UnsetType,
        Meta(
            description="What runs when a run starts or ends. It starts in the folder of this "
            "file, and its paths are seen from there."
        ),
    ] = UNSET
    engines: Annotated[
        Engines | UnsetType,
        Meta(description="Settings of engines, for the steps that an engine runs."),
    ] = UNSET
    ttl_seconds_after_finished: Annotated[
        Seconds | UnsetType,
        Meta(
            description="This long after the end of a run, all attempts except the last of each "
            "step are archived. If the file of the workflow is gone, the whole workflow is."
        ),
    ] = UNSET
    keep_instances: KeepInstances = UNSET


class DefaultsMetadata(_Written, frozen=True):
    """Labels and annotations for people. No name is needed: there is one document a folder."""

    name: Annotated[str | UnsetType, Meta(description="For people.")] = UNSET
    labels: dict[str, str] | UnsetType = UNSET
    annotations: dict[str, str] | UnsetType = UNSET


class FolderDefaults(_Written, frozen=True):
    """Policy for all workflows of the folder of its file, and of the folders below it."""

    api_version: Literal["treadle.dev/v1"]
    kind: Literal["Defaults"]
    spec: DefaultsSpec
    metadata: DefaultsMetadata | UnsetType = UNSET


# ---------------------------------------------------------------------------------- the older form


class OlderStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of the older form."""

    id: StepName
    command: Annotated[str, Meta(description="A script for /bin/sh -c.")]
    depends_on: list[StepName] = []
    timeout_sec: PositiveSeconds = 300.0
    retries: Count = 0


class OlderWorkflow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow in the older form."""

    workflow_id: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$(?!\n)",
            description="Its name. Capitals and `_` become lower case and `-`.",
        ),
    ]
    steps: Annotated[list[OlderStep], Meta(min_length=1)]


def fields_of(model: Struct | type[Struct]) -> dict[str, str]:
    """The attributes of a model, each with the name of its field in a file."""
    return dict(zip(model.__struct_fields__, model.__struct_encode_fields__, strict=True))


def given(value: T | UnsetType, otherwise: U) -> T | U:
    """`value` if the spec has it, else `otherwise`."""
    return otherwise if isinstance(value, UnsetType) else value
