"""The instances of a definition: why each began, how it ended, how long it took.

Cost: O(steps) of each that is running.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from controller.model.state import RunShort, State, Workflow
from controller.planner.outcome import of_firing
from controller.view.firings import due_time, starter_of
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


def shape(definition: str, one: Instance) -> InstanceOfShape:
    return InstanceOfShape(
        workflow=definition,
        name=one.name,
        uid=one.uid,
        trigger=one.trigger or None,
        key=one.key,
        due=due_time(one.due),
        backfill=one.backfill,
        phase=one.phase,
        reason=one.reason,
        message=one.message,
        began_by=one.why,
        creation_time=rfc3339_or_none(one.created),
        start_time=rfc3339_or_none(one.started),
        completion_time=rfc3339_or_none(one.completed),
        runs=one.runs[-1].number if one.runs else 0,
        archived=one.archived,
    )


def live_instances(state: State, definition: Workflow, look: Look) -> list[Instance]:
    """Unfinished ones and those that are kept, in the order of their births."""
    starter = starter_of(definition)
    lives = [state.lives[uid] for uid in (*starter.unfinished, *starter.ended)]
    lives.sort(key=lambda life: life.order)
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
    return Table(columns, [_row(one, look) for one in shown])


def _row(one: Instance, look: Look) -> tuple[Cell, ...]:
    started, completed = one.started, one.completed
    took = "-" if started is None else span((completed or look.clock) - started)
    return (
        mark_cell(one.phase),
        Cell(one.name, "bold"),
        Cell("-" if started is None else look.moment(started)),
        Cell(took),
        Cell(f"{one.result} (archived)" if one.archived else one.result),
        Cell(one.why),
    )
