"""A row of the page's list: how a workflow stands, and its last runs as bars.

Nothing in a row depends on the clock, so it stays true until a record changes it: ages and running
times are worked out by whoever shows it. Cost: some tens of microseconds a row, and O(steps).
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from msgspec import Struct

from controller.model.phases import Phase
from controller.model.state import RUNS_MAX, SECOND, State, Workflow, starter_of
from controller.view import firings, words
from controller.view.find import NeverValid
from controller.view.lists.listing import Entry, may_have_ended, standing_of_definition
from controller.view.lists.runs import usual
from controller.view.look import Look
from controller.view.status import SPEC_INVALID, faults_in_short
from controller.view.times import rfc3339, rfc3339_or_none

Kind = Literal["workflow", "definition", "instance", "invalid"]


class Bar(Struct, frozen=True, kw_only=True, rename="camel"):
    """A run; in the row of a definition, an instance, with its name."""

    name: str | None
    number: int
    phase: str
    start_time: str | None
    completion_time: str | None


class Row(Struct, frozen=True, kw_only=True, rename="camel"):
    """`steps`: how many there are, as `total`, and how many are in each phase.

    `stale`: it ran when its controller stopped, and nobody knows what became of it.
    """

    name: str
    uid: str | None
    kind: Kind
    definition: str | None
    phase: str
    reason: str
    message: str
    labels: dict[str, str] = {}
    path: str
    generation: int = 0
    run: int = 0
    steps: dict[str, int] = {}
    start_time: str | None = None
    completion_time: str | None = None
    next_due: str | None = None
    bars: list[Bar] = []
    usual_seconds: float | None = None
    stale: bool = False


def row(state: State, entry: Entry, look: Look) -> Row:
    if isinstance(entry, NeverValid):
        return Row(
            name=entry.name,
            uid=None,
            kind="invalid",
            definition=None,
            phase=Phase.PENDING,
            reason=SPEC_INVALID,
            message=faults_in_short(entry.rejected),
            path=entry.rejected.path,
        )
    reason, message = words.at_present(state, entry)
    due = firings.next_due(entry) if entry.starter is not None else None
    length = usual(state, entry.name)
    return Row(
        name=entry.name,
        uid=entry.uid,
        kind=_kind(entry),
        definition=entry.document if entry.birth is not None else None,
        phase=entry.phase,
        reason=reason,
        message=_message(state, entry, message),
        labels=entry.labels,
        path=entry.path,
        generation=entry.generation,
        run=entry.run,
        steps=_counted(entry),
        start_time=rfc3339_or_none(entry.started),
        completion_time=rfc3339_or_none(_completed(state, entry)),
        next_due=None if due is None else rfc3339(due.time),
        bars=[*(_instances(state, entry) if entry.starter is not None else _runs(state, entry))],
        usual_seconds=None if length is None else length / SECOND,
        stale=may_have_ended(entry, look),
    )


def _completed(state: State, life: Workflow) -> int | None:
    """Of a definition, when the last of its instances ended."""
    ended = firings.last_ended(state, life) if life.starter is not None else life
    return None if ended is None else ended.completed


def _kind(life: Workflow) -> Kind:
    if life.starter is not None:
        return "definition"
    return "workflow" if life.birth is None else "instance"


def _message(state: State, life: Workflow, message: str) -> str:
    if life.starter is not None:
        message = "; ".join(standing_of_definition(state, life))
    elif life.finished:
        message = words.verdict(life)
    invalid, rejected = life.conditions.get(SPEC_INVALID), state.rejected.get(life.path)
    if invalid is not None and invalid.status == "True" and rejected is not None:
        return f"its file is invalid: {faults_in_short(rejected)}"
    return message


def _counted(life: Workflow) -> dict[str, int]:
    counts = Counter(str(step.phase) for step in life.counted)
    return {"total": counts.total(), **counts}


def _runs(state: State, life: Workflow) -> Iterator[Bar]:
    for run in state.runs.get(life.name, ()):
        yield Bar(
            name=None,
            number=run.number,
            phase=run.phase,
            start_time=rfc3339(run.started),
            completion_time=rfc3339_or_none(run.completed),
        )


def _instances(state: State, definition: Workflow) -> Iterator[Bar]:
    """The last ones, oldest first."""
    starter = starter_of(definition)
    latest = [*islice(reversed(starter.ended), RUNS_MAX), *starter.unfinished]
    lives = sorted((state.lives[uid] for uid in latest), key=lambda life: life.order)
    for life in lives[-RUNS_MAX:]:
        yield Bar(
            name=life.name,
            number=life.run,
            phase=life.phase,
            start_time=rfc3339_or_none(life.started),
            completion_time=rfc3339_or_none(life.completed),
        )
