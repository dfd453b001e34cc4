"""What the API answers, as types, besides the shapes of `-o json`. `openapi.json` is made of them.

As there: a release may add fields; it never renames or removes one, or changes its type.
"""

from typing import Any

from msgspec import Struct, field

from controller.errors import Fault
from controller.spec.models import API_VERSION
from controller.view.changes.difference import Difference
from controller.view.graph.shape import Layout
from controller.view.lists.overview import Row
from controller.view.lists.schedule import DueShape
from controller.view.shape import ControllerShape, InstanceShape, WorkflowShape
from controller.view.why.explain import Cause


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """All names are in camel case."""


class Overview(Shape, frozen=True, kw_only=True):
    """`counts` by phase and `total` are of all that match, `items` of one part of them.

    `next`: what to give as `continue` for the next part; null at the end. `time`: of the server.
    """

    id: str
    time: str
    controller: ControllerShape
    counts: dict[str, int]
    total: int
    items: list[Row]
    next: str | None = field(name="continue")


class WorkflowList(Shape, frozen=True, kw_only=True):
    """As `get -o json`; `continue` as in an Overview."""

    api_version: str = API_VERSION
    kind: str = "WorkflowList"
    items: list[WorkflowShape]
    controller: ControllerShape
    next: str | None = field(name="continue")


class Insight(Shape, frozen=True, kw_only=True):
    """What `status` and `explain` say of a workflow, beyond its shape.

    `verdict` in one sentence, `standing` in numbers, `why` in lines. `critical_path`: the steps
    that decided how long the last run took. `printed`: the last lines of each that failed.
    """

    reason: str
    verdict: str
    standing: str
    started_by: str
    expected_end: str | None
    usual_seconds: float | None
    critical_path: list[str]
    archived: bool
    why: list[str]
    printed: dict[str, list[str]]


class InstanceRow(InstanceShape, frozen=True, kw_only=True, rename="camel"):
    """An instance, and the phases of its steps by their names."""

    steps: dict[str, str]


class InstanceGrid(Shape, frozen=True, kw_only=True):
    """Instances of a definition, the newest first; `steps`: the names of all that they have."""

    steps: list[str]
    items: list[InstanceRow]
    total: int
    next: str | None = field(name="continue")


class PhaseChange(Struct, frozen=True, array_like=True):
    """A change of a phase: microseconds since 1970; `step` is empty for the workflow itself."""

    time: int
    step: str
    phase: str
    reason: str
    message: str


class RunPlay(Shape, frozen=True, kw_only=True):
    """All changes of one run. `began`: phases by step right before it.

    `complete`: false if there were more changes than are told.
    """

    run: int
    phase: str
    start_time: str
    completion_time: str | None
    steps: list[str]
    began: dict[str, str]
    moves: list[PhaseChange]
    complete: bool


class DueList(Shape, frozen=True, kw_only=True):
    items: list[DueShape]


class Explained(Shape, frozen=True, kw_only=True):
    """`lines` for people; `steps` as `explain -o json`. `printed`: as in an Insight, of causes."""

    lines: list[str]
    steps: list["StepExplained"]
    printed: dict[str, list[str]]


class StepExplained(Struct, frozen=True, kw_only=True):
    workflow: str
    step: str
    generation: int
    effect: dict[str, Any]
    causes: list[Cause]
    attempts: list["AttemptExplained"]


class AttemptExplained(Struct, frozen=True, kw_only=True):
    """Why an attempt began, and what the fingerprint was made of that it began under."""

    number: int
    generation: int
    why: str
    inputs: dict[str, str]


class Differences(Shape, frozen=True, kw_only=True):
    """What other specs would do. `graphs`: where the steps of a workflow that changes stand."""

    notes: list[str]
    items: list[Difference]
    faults: list[Fault]
    graphs: dict[str, Layout | None]


class PoolList(Shape, frozen=True, kw_only=True):
    """As `pools -o json`."""

    items: list[dict[str, Any]]


class Match(Shape, frozen=True, kw_only=True):
    """A line that has the text, or the beginning of it; `offset`: bytes from the start."""

    offset: int
    line: str


class Matches(Shape, frozen=True, kw_only=True):
    """`next`: the offset to go on at; null at the end."""

    matches: list[Match]
    next: int | None


class ControllerSeen(ControllerShape, frozen=True, kw_only=True, rename="camel"):
    """The controller, and the server that shows it.

    `as_of`: the time of the last record. `git`: the specs are in a repository; `drafts`: there is
    a folder of them. `role`: what this token is good for. `command`: what starts the server again.
    """

    since: str | None
    as_of: str | None
    time: str
    version: str
    specs: str
    state: str
    git: bool
    drafts: bool
    role: str
    command: str


class Done(Shape, frozen=True, kw_only=True):
    """What was done, or would be done; `command` does the same. `instance`: that a start began."""

    command: str
    message: str
    instance: str | None = None


class Delivered(Shape, frozen=True, kw_only=True):
    """`instance`: the one that this key has begun before; null if it is a new firing."""

    key: str
    instance: str | None


class SessionBegun(Shape, frozen=True, kw_only=True):
    """`until`: seconds since 1970."""

    token: str
    role: str
    until: int


class Status(Shape, frozen=True, kw_only=True):
    """Why a request was not answered."""

    kind: str = "Status"
    code: int
    message: str
