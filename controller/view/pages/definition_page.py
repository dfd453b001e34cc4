"""The page of a definition, and why it waits: its triggers, what they fired, its instances.

Cost: O(triggers + instances that are kept).
"""

from collections.abc import Iterator

from controller.model.phases import Phase, Reason
from controller.model.state import LastFiring, State, Workflow, starter_of
from controller.view import firings, words
from controller.view.changes.edits import pending_words
from controller.view.firings import Due
from controller.view.ink import visible
from controller.view.lists.listing import (
    life_cell,
    list_row,
    standing_of_definition,
)
from controller.view.look import Look
from controller.view.pages.layout import labelled, paragraph, section
from controller.view.pages.page import conditions_table
from controller.view.shape import FilesWaiting
from controller.view.table import Cell, Column, Table, mark_cell, middle
from controller.view.times import age, local, span
from controller.view.values import in_short

INSTANCES_MAX = 20  # unfinished ones on a page
ENDED_MAX = 5


def page(
    state: State,
    definition: Workflow,
    look: Look,
    files: FilesWaiting = None,
    wide: bool = False,
    past: bool = False,
) -> Iterator[str]:
    """The lines of `status`. `past`: it is so no longer, so there is nothing to do about it."""
    yield _title(definition, look)
    verdict = "; ".join(standing_of_definition(state, definition)) or "nothing has fired yet"
    yield from paragraph(verdict, look)
    yield from labelled(_beside(state, definition, look), look)
    yield from section("", triggers_table(definition, look, files), look)
    yield from section("", instances_table(state, definition, look), look)
    yield ""
    yield from labelled(_footer(definition), look)
    if not past:
        yield from labelled(next_steps(state, definition), look)
    if wide:
        yield from labelled(_details(definition), look)
        yield from section(
            "Conditions", conditions_table(definition.conditions.values(), look), look
        )


def _title(definition: Workflow, look: Look) -> str:
    mark, phase = mark_cell(definition.phase), life_cell(definition, look)
    name, due = visible(definition.name), firings.next_due(definition)
    when = "" if due is None else f"  {_when(definition, due, look)}"
    if look.width is not None:
        name = middle(name, max(8, look.width - len(phase.text) - 6))
        when = when if len(name) + len(phase.text) + len(when) + 4 <= look.width else ""
    shown = [look.paint(mark.text, mark.style), look.paint(name, "bold"), ""]
    return " ".join([*shown, look.paint(phase.text, phase.style)]) + when


def _when(definition: Workflow, due: Due, look: Look) -> str:
    """`next due 02:30 CET, in 3h12m`."""
    said = firings.due_words(definition, look)
    if firings.has_passed(due, look):
        return said
    zone = "" if look.width is None else f" {look.zone_name(due.time)}"
    return f"{said}{zone}, in {span(due.fires - look.now)}"


def _beside(state: State, definition: Workflow, look: Look) -> Iterator[tuple[str, str]]:
    """What in the folder and in the state affects it."""
    for path in state.markers_of.get(definition.name, {}):
        yield "marker", f"{path}: while this file exists, its triggers start nothing"
    for bad in state.bad_markers.values():
        if bad.workflow == definition.name:
            yield "marker", f"{bad.path} is rejected and cancels nothing: {bad.problem}"
    yield from (("fault", said) for said in words.faults_in_file(state, definition))
    for warning in definition.warnings:
        yield "warning", warning
    if waits := pending_words(definition):
        yield "edit", waits
    for condition in firings.conditions(state, definition, look.now):
        yield condition.type, condition.message


# ---------------------------------------- tables

_TRIGGERS = (
    Column("TRIGGER", shrinks=True),
    Column("WAITS FOR", shrinks=True),
    Column("NEXT DUE"),
    Column("IN ITS ZONE", rank=2),
    Column("LAST FIRING"),
)
_NONE = "-"


def triggers_table(definition: Workflow, look: Look, files: FilesWaiting = None) -> Table:
    """A row for each. A column without a value is left out."""
    rows: list[tuple[Cell, ...]] = [
        (
            Cell(name),
            Cell(firings.rule_words(firings.trigger_of(definition, name))),
            Cell(_next_of(definition, name, look, files)),
            Cell(in_its_zone(definition, firings.due_of(definition, name), look) or _NONE),
            Cell(_last_of(definition, name, look)),
        )
        for name in starter_of(definition).triggers
    ]
    columns = (*_TRIGGERS[:2], Column(look.headed("NEXT DUE")), *_TRIGGERS[3:])
    return Table(columns, rows).only(
        lambda column, texts: column in _TRIGGERS[:2] or any(text != _NONE for text in texts)
    )


def _next_of(definition: Workflow, name: str, look: Look, files: FilesWaiting) -> str:
    due = firings.due_of(definition, name)
    if due is None:
        count = firings.files_of(definition, name, files)
        return "1 file waits" if count == 1 else f"{count:,} files wait" if count else _NONE
    if firings.has_passed(due, look):
        return f"was due {firings.moment(look, due.time)}"
    later = f" +{span(due.fires - due.time)}" if due.fires > due.time else ""
    return f"{firings.moment(look, due.time)}{later}"


def in_its_zone(definition: Workflow, due: Due | None, look: Look) -> str:
    """What clocks show there, if they show something else here; else nothing."""
    text = "" if due is None else firings.in_zone(definition, due)
    return text if due is not None and text[:5] != f"{local(due.time, look.zone):%H:%M}" else ""


def _last_of(definition: Workflow, name: str, look: Look) -> str:
    last = starter_of(definition).triggers[name].last
    return _NONE if last is None else f"{ago(look, last)} {firings.outcome_words(last)}"


def ago(look: Look, last: LastFiring) -> str:
    """`6h ago`."""
    return f"{age(look.now - last.time)} ago"


_INSTANCES = (
    Column("INSTANCE", shrinks=True),
    Column("PHASE"),
    Column("STEPS", right=True, rank=2),
    Column("TIME", right=True, rank=1),
    Column("LAST RUN", right=True, rank=3),
    Column("MESSAGE"),
)


def instances_table(state: State, definition: Workflow, look: Look) -> Table:
    """Those that have not ended, then the last ones that have, the newest first."""
    lives = firings.instances(state, definition)
    open_ = [life for life in lives if not life.finished]
    ended = [state.lives[uid] for uid in reversed(starter_of(definition).ended)]
    shown = [*open_[:INSTANCES_MAX], *ended[:ENDED_MAX]]
    rows = [_instance_row(state, life, look) for life in shown]
    if (more := len(open_) - INSTANCES_MAX) > 0:
        said = f"treadle get {definition.name} shows {more} more that have not ended"
        rows.insert(INSTANCES_MAX, (Cell("…"), *[Cell("")] * (len(_INSTANCES) - 2), Cell(said)))
    return Table(_INSTANCES, rows)


def _instance_row(state: State, life: Workflow, look: Look) -> tuple[Cell, ...]:
    row = list_row(state, life, look)
    mark = mark_cell(life.phase)
    return (Cell(f"{mark.text} {life.name}", mark.style), *row[1:])


# ---------------------------------------- the foot


def _footer(definition: Workflow) -> Iterator[tuple[str, str]]:
    counts = starter_of(definition).firings
    if counts:
        yield "firings", ", ".join(f"{count} {what.lower()}" for what, count in counts.items())
    by = f" by {definition.by}" if definition.by else ""
    yield "file", f"{definition.path}, generation {definition.generation}{by}"
    if definition.params:
        yield "params", in_short(definition.params)


def _details(definition: Workflow) -> Iterator[tuple[str, str]]:
    if definition.labels:
        pairs = (f"{key}={value}" for key, value in sorted(definition.labels.items()))
        yield "labels", ", ".join(pairs)
    yield "uid", definition.uid


def next_steps(state: State, definition: Workflow) -> Iterator[tuple[str, str]]:
    """What to do about it."""
    name = definition.name
    failed = [
        life
        for uid in [*starter_of(definition).ended][-ENDED_MAX:]
        for life in (state.lives[uid],)
        if life.phase is Phase.FAILED and not firings.is_superseded(state, life)
    ]
    for life in failed:
        yield "next", f"treadle status {life.name} · treadle retry {life.name}"
    if definition.phase is Phase.SUSPENDED:
        yield "next", to_continue(state, definition)
    yield "next" if not failed else "", f"treadle start {name} · treadle schedule {name}"


def to_continue(state: State, definition: Workflow) -> str:
    """What ends its suspension."""
    if definition.reason == Reason.CANCEL_MARKER:
        paths = state.markers_of.get(definition.name, {})
        return f"remove {words.listed([*paths])}"
    if definition.suspension:
        return f"treadle resume {definition.name}"
    return f"remove `suspend: true` from {definition.path}"
