"""The table of `get`: a row for each workflow.

Cost: O(steps) to count the steps that succeeded, else O(1) per workflow.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from controller.model.events import FileRejected
from controller.model.phases import Phase
from controller.model.state import State, Workflow, document_of, starter_of
from controller.view import firings, words
from controller.view.find import NeverValid
from controller.view.look import Look
from controller.view.shape import FilesWaiting, InUse, WorkflowShape
from controller.view.status import (
    ARCHIVED,
    SPEC_INVALID,
    ended,
    faults_in_short,
    never_valid,
    rejected_shape,
    workflow_shape,
)
from controller.view.table import (
    Cell,
    Column,
    Table,
    phase_cell,
    render,
)
from controller.view.times import age, span
from controller.view.values import in_short

_TIME = Column("TIME", right=True, rank=2)
_LAST_RUN = Column("LAST RUN", right=True, rank=3)
_AGE = Column("AGE", right=True, rank=4)
PASSING = (_TIME, _LAST_RUN, _AGE)  # they change with the clock alone
_COLUMNS = (
    Column("NAME", shrinks=True),
    Column("PHASE"),
    Column("STEPS", right=True, rank=1),
    _TIME,
    _LAST_RUN,
    Column("MESSAGE"),
)
_WIDE = (
    *_COLUMNS[:-1],
    _AGE,
    Column("GEN", right=True, rank=5),
    Column("RUN", right=True, rank=6),
    Column("UID", rank=9),
    Column("FILE", rank=8, shrinks=True),
    Column("LABELS", rank=7, shrinks=True),
    Column("PARAMS", rank=7, shrinks=True),
    _COLUMNS[-1],
)

FOLDER = "folder"  # the group of a workflow by the folder of its file

Entry = Workflow | NeverValid


def any_labels(_labels: Mapping[str, str]) -> bool:
    """A selector that leaves out nothing."""
    return True


def listed(state: State, matches: Callable[[Mapping[str, str]], bool] = any_labels) -> list[Entry]:
    """All workflows in force and never valid whose labels match, in the order of `place`."""
    entries: list[Entry] = [life for life in state.workflows.values() if matches(life.labels)]
    if matches({}):
        entries += [NeverValid(name, event) for name, event in never_valid(state).items()]
    return sorted(entries, key=place)


def place(entry: Entry) -> tuple[str, int]:
    """By name; the instances of a definition below it, in the order of their births."""
    order = entry.order if isinstance(entry, Workflow) and entry.birth is not None else -1
    return document_of(entry.name), order


def matters(state: State, entry: Entry) -> bool:
    """What a person looks for who names no workflow: it has not finished, or it failed.

    Of the instances of a definition that have ended, only the last one counts. A definition that
    waits for its triggers is left out: its instances show what it does.
    """
    if isinstance(entry, NeverValid):
        return True
    if entry.starter is not None:
        invalid = entry.conditions.get(SPEC_INVALID)
        wrong = invalid is not None and invalid.status == "True"
        held = entry.phase is Phase.SUSPENDED or entry.pending is not None
        return wrong or held or any(firings.conditions(state, entry, state.time))
    failed = entry.phase is Phase.FAILED and not firings.is_superseded(state, entry)
    return not entry.finished or failed


def shape_of(
    state: State,
    entry: Entry,
    in_use: InUse = {},
    files: FilesWaiting = None,
    now: int | None = None,
) -> WorkflowShape:
    if isinstance(entry, NeverValid):
        return rejected_shape(entry.name, entry.rejected)
    return workflow_shape(state, entry, in_use, files, now)


def list_table(state: State, entries: Iterable[Entry], look: Look, wide: bool = False) -> Table:
    rows = [list_row(state, entry, look, wide) for entry in entries]
    return Table(_WIDE if wide else _COLUMNS, rows)


def grouped_lines(state: State, entries: Iterable[Entry], by: str, look: Look) -> Iterator[str]:
    """The table with a heading for each group: `by` is `folder`, or the name of a label.

    What has no such label comes last.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_group(entry, by), []).append(entry)
    ordered = sorted(groups.items(), key=lambda group: (not group[0], group[0]))
    table = list_table(state, (entry for _, members in ordered for entry in members), look)
    lines = render(table, look.width, look.colour)
    yield next(lines)
    for name, members in ordered:
        yield look.paint(look.fit(f"{name or '(none)'} ({len(members)})"), "bold")
        yield from islice(lines, len(members))


def _group(entry: Entry, by: str) -> str:
    if by == FOLDER:
        path = entry.rejected.path if isinstance(entry, NeverValid) else entry.path
        return path.rpartition("/")[0] or "."
    value = None if isinstance(entry, NeverValid) else entry.labels.get(by)
    return "" if value is None else f"{by}={value}"


def list_row(state: State, entry: Entry, look: Look, wide: bool = False) -> tuple[Cell, ...]:
    if isinstance(entry, NeverValid):
        return _rejected_row(entry.name, entry.rejected, wide)
    message = _message(state, entry, look)
    if entry.finished and entry.suspended is not None:
        message = f"(suspended) {message}"
    if ARCHIVED in entry.conditions:
        message = f"(archived) {message}"
    elif ended(state, entry):
        message = f"(no longer in force) {message}"
    stuck = entry.conditions.get("EndFailed")
    if stuck is not None and stuck.status == "True":
        message = f"EndFailed: {stuck.message}"
    invalid = entry.conditions.get(SPEC_INVALID)
    if invalid is not None and invalid.status == "True":
        message = f"[invalid file] {message}"
    if may_have_ended(entry, look) and look.stood is not None:
        message = f"was running when the controller stopped, {look.moment(look.stood)}"
    steps = f"{succeeded_count(entry)}/{len(entry.counted)}"
    more = (
        Cell(age(look.now - entry.created)),
        Cell(str(entry.generation)),
        Cell(str(entry.run)),
        Cell(entry.uid),
        Cell(entry.path),
        Cell(",".join(f"{key}={value}" for key, value in sorted(entry.labels.items())) or "-"),
        Cell(in_short(entry.params) or "-"),
    )
    return (
        Cell(entry.name, "bold"),
        life_cell(entry, look),
        Cell(steps if entry.starter is None else "-"),
        Cell(run_time(entry, look.clock)),
        Cell(_since_run(state, entry, look)),
        *(more if wide else ()),
        Cell(message),
    )


def _message(state: State, entry: Workflow, look: Look) -> str:
    if entry.starter is not None:
        return of_definition(state, entry, look)
    return words.verdict(entry) if entry.finished else words.at_present(state, entry)[1]


def may_have_ended(workflow: Workflow, look: Look) -> bool:
    """Whether it ran when its controller stopped. What only waits for a person did not."""
    runs = workflow.phase is Phase.RUNNING and workflow.starter is None
    return look.stood is not None and runs and not words.only_asks(workflow)


def of_definition(state: State, definition: Workflow, look: Look) -> str:
    """When it is due next, and how it stands."""
    due = firings.due_words(definition, look)
    return "; ".join([*filter(None, [due]), *standing_of_definition(state, definition)])


def standing_of_definition(state: State, definition: Workflow) -> Iterator[str]:
    """Why it stands still; how many run; what came of the last one; what it waits for."""
    held = definition.phase is Phase.SUSPENDED or definition.deleting
    parts = (
        words.at_present(state, definition)[1] if held else "",
        firings.busy_words(definition),
        "" if starter_of(definition).triggers else "starts only by `treadle start`",
        *firings.last_words(state, definition),
        firings.awaited(state, definition),
    )
    yield from filter(None, parts)


def standing(workflow: Workflow) -> str:
    """`1 failed (check), 1 skipped, 1 of 4 steps succeeded`."""
    succeeded = f"{succeeded_count(workflow)} of {len(workflow.counted)} steps succeeded"
    return ", ".join((*words.counted(workflow), succeeded))


def succeeded_count(workflow: Workflow) -> int:
    return sum(step.phase is Phase.SUCCEEDED for step in workflow.counted)


def life_cell(workflow: Workflow, look: Look) -> Cell:
    """Its phase, as in `running_cell`; what only waits for a person can't have ended unseen."""
    if words.only_asks(workflow) or workflow.starter is not None:
        return phase_cell(workflow.phase)
    return running_cell(workflow.phase, look)


def running_cell(phase: Phase, look: Look) -> Cell:
    """The phase; with a question mark if what ran may have ended unseen."""
    if look.stood is None or phase is not Phase.RUNNING:
        return phase_cell(phase)
    return Cell(f"{phase}?", "yellow")


def run_time(workflow: Workflow, clock: int) -> str:
    """How long the last run took, or how long the present run has taken so far."""
    if workflow.started is None:
        return "-"
    return span((workflow.completed or clock) - workflow.started)


def last_run(state: State, workflow: Workflow, clock: int) -> int | None:
    """When its last run ended, in microseconds since 1970; `clock` while one is running.

    Of a definition, that of the instances that run, or of the last that has ended.
    """
    if workflow.starter is not None:
        if any(instance.in_run for instance in firings.running(state, workflow)):
            return clock
        ended = firings.last_ended(state, workflow)
        return None if ended is None else ended.completed
    return clock if workflow.in_run else workflow.completed


def _since_run(state: State, workflow: Workflow, look: Look) -> str:
    """`now` while it runs, `5m ago` since it ended, `-` if it never ran."""
    ran = last_run(state, workflow, look.clock)
    if ran is None:
        return "-"
    return "now" if ran == look.now else f"{age(look.now - ran)} ago"


def _rejected_row(name: str, rejected: FileRejected, wide: bool) -> tuple[Cell, ...]:
    unknown = Cell("-")
    extra = (unknown, Cell("0"), Cell("0"), unknown, Cell(rejected.path), unknown, unknown)
    return (
        Cell(name, "bold"),
        phase_cell(Phase.PENDING),
        unknown,
        unknown,
        unknown,
        *(extra if wide else ()),
        Cell(f"{SPEC_INVALID}: {faults_in_short(rejected)}", "red"),
    )
