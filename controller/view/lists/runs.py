"""The runs of a name: why each began and how it ended, and how long one usually takes.

Cost: O(the runs that are shown), and O(steps) of each that is running.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from typing import NamedTuple

from msgspec import structs

from controller.model.phases import Phase
from controller.model.state import RunShort, State, Workflow
from controller.planner.outcome import of_firing
from controller.view import words
from controller.view.lists.listing import life_cell, succeeded_count
from controller.view.look import Look
from controller.view.shape import RunOfShape
from controller.view.status import run_shape
from controller.view.table import Cell, Column, Table, mark_cell
from controller.view.times import span

USUAL_MIN = 3  # with fewer runs nothing is called usual

# ---------------------------------------- how long one takes


def usual(state: State, name: str) -> int | None:
    """The median duration of the full runs that are remembered of `name`, in microseconds."""
    return median(map(duration, full(state.runs.get(name, ()))))


def usual_of(state: State, workflow: Workflow) -> int | None:
    """What its last or present run can be compared with; None if that run keeps results."""
    keeps = any(
        step.phase is Phase.SUCCEEDED and not step.succeeded_in(workflow.run)
        for step in workflow.counted
    )
    return None if keeps else usual(state, workflow.name)


def expected_end(state: State, workflow: Workflow, now: int) -> int | None:
    """When the present run should end, in microseconds since 1970, judged by earlier ones.

    None if there is nothing to judge by: too few of them, a run that keeps earlier results, one
    that is suspended or being ended, and one that already takes longer than usual.
    """
    if not workflow.in_run or workflow.started is None:
        return None
    if workflow.suspended is not None or workflow.cancel is not None or workflow.deleting:
        return None
    length = usual_of(state, workflow)
    if length is None:
        return None
    end = workflow.started + workflow.stood + length
    return end if end > now else None


def full(runs: Iterable[RunShort]) -> list[RunShort]:
    """Those that succeeded and kept no result of an earlier run: only they are comparable."""
    return [run for run in runs if run.phase is Phase.SUCCEEDED and run.ended and not run.kept]


def duration(run: RunShort) -> int:
    """Microseconds that a run took which is over, without those in which it was suspended."""
    assert run.completed is not None, run
    return run.completed - run.started - run.stood


def median(lengths: Iterable[int]) -> int | None:
    """None with fewer than USUAL_MIN."""
    # `statistics` takes 6 ms to load, which is too much for a command of 90 ms.
    ordered = sorted(lengths)
    if len(ordered) < USUAL_MIN:
        return None
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


# ---------------------------------------- the list of them


class RunOf(NamedTuple):
    """A run, and the name that it is of."""

    name: str
    run: RunShort


def latest(runs: Mapping[str, Sequence[RunShort]], count: int | None) -> list[RunOf]:
    """The last `count` runs of all these names, or all of them; the newest first."""
    every = [RunOf(name, run) for name, known in runs.items() for run in known]

    def began(run_of: RunOf) -> tuple[int, str, int]:
        return run_of.run.started, run_of.name, run_of.run.number

    return nlargest(len(every) if count is None else count, every, key=began)


def runs_table(state: State, runs: Sequence[RunOf], look: Look, named: bool) -> Table:
    """A row for each run. `named`: they are of several names."""
    # Two of them if there are runs of the summer and of the winter.
    zones = dict.fromkeys(look.zone_name(run_of.run.started) for run_of in runs)
    columns = (
        Column(""),
        *((Column("NAME", shrinks=True),) if named else ()),
        Column("RUN", right=True),
        Column("STARTED" if look.width is None else f"STARTED ({'/'.join(zones)})", rank=2),
        Column("TOOK", right=True, rank=1),
        Column("RESULT", shrinks=True),
        Column("WHY", rank=3),
    )
    return Table(columns, [_row(state, run_of, look, named) for run_of in runs])


def _row(state: State, run_of: RunOf, look: Look, named: bool) -> tuple[Cell, ...]:
    name, run = run_of
    life = _life_of(state, run_of)
    return (
        mark_cell(run.phase if life is None else life.phase),
        *((Cell(name, "bold"),) if named else ()),
        Cell(str(run.number)),
        Cell(look.moment(run.started)),
        Cell(span((run.completed or look.clock) - run.started)),
        Cell(result(run) if life is None else so_far(life, look)),
        Cell(why(run)),
    )


def _life_of(state: State, run_of: RunOf) -> Workflow | None:
    """The workflow, if this run has not finished; else None."""
    return state.workflows[run_of.name] if run_of.run.completed is None else None


def result(run: RunShort) -> str:
    """The result of a finished run: `8 of 8`, `6 ran, 2 kept`, `failed: load`."""
    if run.phase is not Phase.SUCCEEDED:
        return run.message or f"{run.phase.lower()}: {run.reason}"
    if run.kept:
        return f"{run.succeeded - run.kept} ran, {run.kept} kept"
    return f"{run.succeeded} of {run.steps}" if run.steps else "succeeded"


def so_far(life: Workflow, look: Look) -> str:
    """`3 of 8 so far`; before that its phase, if that is not simply Running.

    While only hooks run, what it is to end as.
    """
    if life.end is not None:
        return f"{words.ending_as(life)}, {succeeded_count(life)} of {len(life.counted)}"
    phase = life_cell(life, look).text
    before = "" if phase == Phase.RUNNING else f"{phase.lower()}, "
    if words.only_asks(life):
        before = "waiting for approval, "
    return f"{before}{succeeded_count(life)} of {len(life.counted)} so far"


_ASKED = re.compile(r"(\w+) (?:asked for|requested) by ")
_ACCEPTED = re.compile(r"generation (\d+) accepted")


def why(run: RunShort) -> str:
    """Why it began: `new spec by ada`, `edit of load by ada`, `retry by ada: the disk is back`."""
    found = _ACCEPTED.fullmatch(run.why)  # as an older treadle wrote it
    if found:
        return "new spec" if found[1] == "1" else f"edit (generation {found[1]})"
    return _ASKED.sub(r"\1 by ", run.why, count=1)


def why_of_present(state: State, workflow: Workflow) -> str:
    """Why the present run began; "" if that is not known. Of an instance also before it begins."""
    if workflow.birth is not None and not workflow.run:
        return of_firing(workflow, workflow.birth)
    runs = state.runs.get(workflow.name, ())
    return next((why(run) for run in runs if run.number == workflow.run and run.why), "")


def usual_words(runs: Iterable[RunShort]) -> str:
    """`usually takes 16s (median of 5 full runs)`; nothing with fewer than USUAL_MIN."""
    compared = full(runs)
    length = median(map(duration, compared))
    if length is None:
        return ""
    return f"usually takes {span(length)} (median of {len(compared)} full runs that succeeded)"


def shape(run_of: RunOf) -> RunOfShape:
    """The run as a script reads it."""
    name, run = run_of
    known = run.ended > 0
    return RunOfShape(
        workflow=name,
        **structs.asdict(run_shape(run)),
        message=run.message if known else None,
        steps=run.steps if known else None,
        succeeded=run.succeeded if known else None,
        kept=run.kept if known else None,
    )
