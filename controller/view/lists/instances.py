"""The instances of a definition: why each began, how it ended, how long it took.

Cost: O(steps) of each that is running.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from controller.model.state import RunShort, State, Workflow
from controller.planner.outcome import of_firing
from controller.view import firings
from controller.view.lists.runs import result, so_far, why
from controller.view.look import Look
from controller.view.table import Cell, Column, Table, mark_cell
from controller.view.times import rfc3339_or_none, span
from controller.view.words import verdict


class Instance(Struct, frozen=True, kw_only=True):
    """One in short. Times are microseconds, `due` seconds since 1970; `run` is its last one."""

    name: str
    uid: str
    trigger: str
    key: str
    due: int | None
    backfill: bool
    phase: str
    reason: str
    message: str
    created: int
    started: int | None
    completed: int | None
    result: str
    why: str
    runs: list[RunShort]
    archived: bool = False


class InstanceOfShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """An instance in a list of them, as a script reads it."""

    workflow: str  # its definition
    name: str
    uid: str
    trigger: str | None
    key: str
    due: str | None
    backfill: bool
    phase: str
    reason: str
    message: str
    began_by: str
    creation_time: str | None
    start_time: str | None
    completion_time: str | None
    runs: int
    archived: bool


def instance(life: Workflow, runs: Sequence[RunShort], look: Look) -> Instance:
    """`runs`: those of this life, oldest first."""
    birth = life.birth
    assert birth is not None
    return Instance(
        name=life.name,
        uid=life.uid,
        trigger=birth.facts.name,
        key=birth.facts.key,
        due=birth.due,
        backfill=bool(birth.backfill),
        phase=life.phase,
        reason=life.reason,
        message=life.message,
        created=life.created,
        started=life.started,
        completed=life.completed,
        result=_result(life, runs, look),
        why=_why(life, runs),
        runs=[*runs],
    )


def _result(life: Workflow, runs: Sequence[RunShort], look: Look) -> str:
    if life.in_run:
        return so_far(life, look)
    if runs and runs[-1].completed is not None and life.finished:
        return result(runs[-1])
    if life.finished:
        return verdict(life)
    return life.message if life.is_queued else life.phase.lower()


def _why(life: Workflow, runs: Sequence[RunShort]) -> str:
    """Why it began, and why its last run did if it has had several."""
    assert life.birth is not None
    known = runs[0].why if runs and runs[0].number == 1 else ""
    began = known or of_firing(life, life.birth)
    again = runs[-1] if runs and runs[-1].number > 1 else None
    return f"{began}; run {again.number}: {why(again)}" if again is not None else began


def runs_of_life(state: State, life: Workflow) -> list[RunShort]:
    """Its runs, oldest first: an earlier life of that name may have had others."""
    return [run for run in state.runs.get(life.name, ()) if run.started >= life.created]


def shape(definition: str, summary: Instance) -> InstanceOfShape:
    return InstanceOfShape(
        workflow=definition,
        name=summary.name,
        uid=summary.uid,
        trigger=summary.trigger or None,
        key=summary.key,
        due=firings.due_time(summary.due),
        backfill=summary.backfill,
        phase=summary.phase,
        reason=summary.reason,
        message=summary.message,
        began_by=summary.why,
        creation_time=rfc3339_or_none(summary.created),
        start_time=rfc3339_or_none(summary.started),
        completion_time=rfc3339_or_none(summary.completed),
        runs=summary.runs[-1].number if summary.runs else 0,
        archived=summary.archived,
    )


def live_instances(state: State, definition: Workflow, look: Look) -> list[Instance]:
    """Unfinished ones and those that are kept, in the order of their births."""
    lives = firings.instances(state, definition)
    return [instance(life, runs_of_life(state, life), look) for life in lives]


def instances_table(shown: Iterable[Instance], look: Look) -> Table:
    """A row for each, in the order in which they are given."""
    columns = (
        Column(""),
        Column("NAME", shrinks=True),
        Column(look.headed("STARTED"), rank=2),
        Column("TOOK", right=True, rank=1),
        Column("RESULT", shrinks=True),
        Column("WHY", rank=3),
    )
    return Table(columns, [_row(summary, look) for summary in shown])


def _row(summary: Instance, look: Look) -> tuple[Cell, ...]:
    started, completed = summary.started, summary.completed
    took = "-" if started is None else span((completed or look.clock) - started)
    return (
        mark_cell(summary.phase),
        Cell(summary.name, "bold"),
        Cell("-" if started is None else look.moment(started)),
        Cell(took),
        Cell(f"{summary.result} (archived)" if summary.archived else summary.result),
        Cell(summary.why),
    )
