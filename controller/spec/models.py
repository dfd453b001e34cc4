"""What a user may write, as types: the one source of truth for the shape of a spec.

`schemas/` is generated from these models, the loader converts into them, and the log carries them.
Every optional field can be UNSET: what was written and what was filled in stay apart, because an
edit that only writes down a default is an edit, and a new default in a later release is not.
Python names are snake_case; in files they are camelCase.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

API_VERSION = "treadle.dev/v1"

WORKFLOW_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
STEP_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
VARIABLE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"

WorkflowName = Annotated[str, Meta(pattern=WORKFLOW_NAME, description="A DNS-1123 label.")]
StepName = Annotated[str, Meta(pattern=STEP_NAME)]
VariableName = Annotated[str, Meta(pattern=VARIABLE_NAME)]
EnvValue = str | int | float | bool
Seconds = Annotated[float, Meta(ge=0)]
PositiveSeconds = Annotated[float, Meta(gt=0)]
Cause = Literal["NonZeroExit", "Timeout", "Interrupted"]
ConditionOn = Literal["Succeeded", "Failed", "Finished"]


class _Written(
    Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """A part of a spec as its author wrote it."""


class Backoff(_Written, frozen=True):
    """How long to wait between attempts. The defaults: 0.5 s, factor 2, at most 60 s, jitter 0.1."""

    initial_seconds: Seconds | UnsetType = UNSET
    factor: Annotated[float, Meta(ge=1)] | UnsetType = UNSET
    max_seconds: Seconds | UnsetType = UNSET
    jitter: Annotated[float, Meta(ge=0, le=1, description="± share of the delay")] | UnsetType = UNSET


class Retry(_Written, frozen=True):
    """When a failed attempt is followed by another. No retry unless `limit` is set."""

    limit: Annotated[int, Meta(ge=0, description="retries after the first attempt")] | UnsetType = UNSET
    backoff: Backoff | UnsetType = UNSET
    on: list[Cause] | UnsetType = UNSET
    exit_codes: list[int | str] | UnsetType = UNSET
    except_exit_codes: list[int | str] | UnsetType = UNSET
    max_elapsed_seconds: PositiveSeconds | UnsetType = UNSET


class Dependency(_Written, frozen=True):
    """The long form of an entry of `dependsOn`."""

    step: StepName
    condition: ConditionOn | UnsetType = UNSET


class Step(_Written, frozen=True):
    """One node of the DAG: exactly one of `run` (a script) and `command` (an argv, no shell)."""

    name: StepName
    run: str | UnsetType = UNSET
    command: Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    shell: str | Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    depends_on: list[StepName | Dependency] | UnsetType = UNSET
    env: dict[VariableName, EnvValue] | UnsetType = UNSET
    working_dir: str | UnsetType = UNSET
    timeout_seconds: PositiveSeconds | UnsetType = UNSET
    termination_grace_period_seconds: Seconds | UnsetType = UNSET
    retry: Retry | UnsetType = UNSET
    continue_on_failure: bool | UnsetType = UNSET
    # Only their defaults are accepted until the behaviour behind them exists.
    on_changed: Literal["Restart"] | UnsetType = UNSET
    on_removed: Literal["End"] | UnsetType = UNSET
    leave_processes: Literal[False] | UnsetType = UNSET


class Defaults(_Written, frozen=True):
    """Given, field by field, to the steps that don't say otherwise."""

    timeout_seconds: PositiveSeconds | UnsetType = UNSET
    termination_grace_period_seconds: Seconds | UnsetType = UNSET
    retry: Retry | UnsetType = UNSET


class Spec(_Written, frozen=True):
    """The desired state of one workflow."""

    steps: Annotated[list[Step], Meta(min_length=1)]
    env: dict[VariableName, EnvValue] | UnsetType = UNSET
    working_dir: str | UnsetType = UNSET
    shell: str | Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    parallelism: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    active_deadline_seconds: PositiveSeconds | UnsetType = UNSET
    suspend: bool | UnsetType = UNSET
    fail_fast: bool | UnsetType = UNSET
    defaults: Defaults | UnsetType = UNSET
    edit_policy: Literal["Reconcile"] | UnsetType = UNSET


class Metadata(_Written, frozen=True):
    name: WorkflowName
    labels: dict[str, str] | UnsetType = UNSET
    annotations: dict[str, str] | UnsetType = UNSET


class Workflow(_Written, frozen=True):
    """One document of a spec file."""

    api_version: Literal["treadle.dev/v1"]
    kind: Literal["Workflow"]
    metadata: Metadata
    spec: Spec
    status: Any = UNSET  # ignored, with a warning: `get -o yaml > file` must round-trip
