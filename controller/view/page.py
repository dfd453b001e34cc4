"""The page of `status NAME`: a header, the conditions, a row for each step, and recent changes.

On a narrow terminal the least important columns are left out.
"""

from collections.abc import Iterable, Iterator, Sequence

from controller.model.events import Usage
from controller.model.phases import TERMINAL, Phase
from controller.model.state import SECOND, Attempt, Condition, Move, State, Step, Workflow
from controller.view import words
from controller.view.edits import generation_words
from controller.view.failure import Printed, failures
from controller.view.find import NeverValid
from controller.view.listing import succeeded_count
from controller.view.shape import InUse
from controller.view.status import ended
from controller.view.table import Cell, Column, Table, paint, phase_cell, render, visible
from controller.view.times import age, clock_time, rfc3339, span

WIDTH_WITH_DEPENDENCIES_MIN = 100
_INDENT = "  "
_DAY = 86_400 * SECOND


def page(
    state: State,
    workflow: Workflow,
    now: int,
    width: int | None = None,
    colour: bool = False,
    in_use: InUse = {},
    printed: Printed = {},
) -> Iterator[str]:
    """The lines of the page. `printed`: what the steps that failed printed last."""
    phase = phase_cell(workflow.phase)
    mark = "  (no longer in force)" if ended(state, workflow) else ""
    title = f"{paint(workflow.name, 'bold' if colour else '')}  "
    yield f"{title}{paint(phase.text, phase.style if colour else '')}{mark}"
    for label, text in (*_header(workflow, now), *_beside(state, workflow)):
        yield f"{_INDENT}{label:<10}{visible(text)}"
    inner = None if width is None else width - len(_INDENT)
    sections = (
        ("Conditions", conditions_table(workflow.conditions.values(), now)),
        ("Steps", steps_table(state, workflow.steps.values(), workflow, now, width, in_use)),
    )
    for heading, table in sections:
        yield from _section(heading, table, inner, colour)
    yield from failures(workflow, printed)
    yield from _section("Recently", _recent_table(workflow.recent, now), inner, colour)


def _section(heading: str, table: Table, width: int | None, colour: bool) -> Iterator[str]:
    if table.rows:
        yield ""
        yield heading
        yield from (_INDENT + line for line in render(table, width, colour))


def _beside(state: State, workflow: Workflow) -> Iterator[tuple[str, str]]:
    """What in the folder affects the workflow: markers, and faults in its file."""
    for path, marker in state.markers_of.get(workflow.name, {}).items():
        what = words.listed(marker.steps) if marker.steps else "this workflow"
        yield "marker", f"{path}: while this file exists, {what} does not start"
    for bad in state.bad_markers.values():
        if bad.workflow == workflow.name:
            yield "marker", f"{bad.path} is rejected and cancels nothing: {bad.problem}"
    for path, twin in state.rejected.items():
        if path != workflow.path and workflow.name in twin.names:
            yield from (("rejected", str(fault)) for fault in twin.faults)
    rejected = state.rejected.get(workflow.path)
    for fault in rejected.faults if rejected is not None else ():
        yield "fault", f"{fault} (generation {workflow.generation} stays in force)"


def never_valid_page(workflow: NeverValid) -> Iterator[str]:
    """The page of a workflow that never had a valid spec: its faults."""
    yield f"{workflow.name}  {Phase.PENDING}  SpecInvalid"
    yield f"{_INDENT}no version is in force; {workflow.rejected.path} was rejected:"
    for fault in workflow.rejected.faults:
        yield f"{_INDENT}{visible(str(fault))}"


def _header(workflow: Workflow, now: int) -> Iterator[tuple[str, str]]:
    reason, message = words.of_workflow(workflow)
    yield "reason", f"{reason}: {message}"
    succeeded = f"{succeeded_count(workflow)} of {len(workflow.steps)} succeeded"
    yield "steps", ", ".join((succeeded, *words.counted(workflow)))
    if workflow.started is not None:
        took = span((workflow.completed or now) - workflow.started)
        verb = "took" if workflow.completed is not None else "has taken"
        yield "run", f"{workflow.run}, started {rfc3339(workflow.started)}, {verb} {took}"
    by = f" by {workflow.by}" if workflow.by else ""
    source = "file" if workflow.origin == "folder" else "run of"
    yield source, f"{workflow.path}, generation {workflow.generation}{by}"
    if workflow.generation > 1 or workflow.pending is not None:
        yield "edit", generation_words(workflow)
    if workflow.labels:
        yield (
            "labels",
            ", ".join(f"{key}={value}" for key, value in sorted(workflow.labels.items())),
        )
    yield "uid", workflow.uid
    for warning in workflow.warnings:
        yield "warning", warning


def conditions_table(conditions: Iterable[Condition], now: int) -> Table:
    return Table(
        (Column("CONDITION"), Column("STATUS"), Column("SINCE", right=True), Column("MESSAGE")),
        [
            (
                Cell(condition.type),
                Cell(condition.status),
                Cell(age(now - condition.last_transition_time)),
                Cell(f"{condition.reason}: {condition.message}"),
            )
            for condition in conditions
        ],
    )


# ---------------------------------------- steps


def steps_table(
    state: State,
    steps: Iterable[Step],
    workflow: Workflow,
    now: int,
    width: int | None = None,
    in_use: InUse = {},
) -> Table:
    """A row for each of `steps`, in this order."""
    deep = width is None or width >= WIDTH_WITH_DEPENDENCIES_MIN
    columns = (
        Column("STEP"),
        Column("PHASE"),
        Column("TRY", right=True),
        Column("TIME", right=True),
        *((Column("CPU", right=True), Column("MEM", right=True)) if deep else ()),
        Column("EXIT", right=True),
        *((Column("AFTER"),) if deep else ()),
        Column("MESSAGE"),
    )
    return Table(columns, [step_row(state, workflow, step, now, deep, in_use) for step in steps])


def step_row(
    state: State,
    workflow: Workflow,
    step: Step,
    now: int,
    deep: bool = False,
    in_use: InUse = {},
) -> tuple[Cell, ...]:
    """Name, phase, attempt, time, exit, message. `deep`: also CPU, memory and dependencies."""
    attempt = step.attempt
    after = [need.step for need in step.definition.requires]
    return (
        Cell(step.name),
        phase_cell(step.phase),
        Cell(str(attempt.number) if attempt else "-"),
        Cell(_step_time(step, now)),
        *(_used(attempt, in_use.get((workflow.uid, step.name))) if deep else ()),
        Cell(_exit(step)),
        *((Cell(_few(after)),) if deep else ()),
        Cell(words.of_step(state, workflow, step)[1]),
    )


def _step_time(step: Step, now: int) -> str:
    """How long its last attempt took, or has run so far."""
    attempt = step.attempt
    if attempt is None or attempt.started is None:
        return "-"
    return span((attempt.finished or now) - attempt.started)


def _used(attempt: Attempt | None, in_use: Usage | None) -> tuple[Cell, Cell]:
    """CPU time and peak memory; while the attempt runs, its memory now."""
    used = in_use if attempt is None or attempt.live else attempt.usage
    cpu = None if used is None else used.cpu_seconds
    peak = None if used is None else used.max_rss_bytes
    return (
        Cell("-" if cpu is None else span(round(cpu * SECOND))),
        Cell("-" if peak is None else memory(peak)),
    )


def memory(size: int) -> str:
    """Bytes in few characters: `12M`, `1.5G`; at least `1M`."""
    mebibytes = max(1, round(size / (1 << 20)))
    return f"{mebibytes}M" if mebibytes < 1000 else f"{size / (1 << 30):.1f}G"


def _exit(step: Step) -> str:
    attempt = step.attempt
    if attempt is None or (step.phase not in TERMINAL and attempt.live):
        return "-"
    if attempt.signal is not None:
        return f"sig {attempt.signal}"
    return "-" if attempt.exit_code is None else str(attempt.exit_code)


def _few(names: list[str]) -> str:
    """Dependencies in a narrow column."""
    if not names:
        return "-"
    return names[0] if len(names) == 1 else f"{names[0]} +{len(names) - 1}"


def _recent_table(moves: Sequence[Move], now: int) -> Table:
    """The last changes of phase. `Ready` is left out: the next change shows enough."""
    return Table(
        (Column("AT (UTC)"), Column("WHAT"), Column("PHASE"), Column("MESSAGE")),
        [
            (
                Cell(_moment(move.time, now)),
                Cell(move.step or "(workflow)"),
                phase_cell(move.phase),
                Cell(move.message),
            )
            for move in moves
            if move.phase is not Phase.READY
        ],
    )


def _moment(time: int, now: int) -> str:
    return clock_time(time) if now - time < _DAY else rfc3339(time)[:19].replace("T", " ")
