"""`treadle get`, `replay`: the state, now or earlier, as tables or as JSON for scripts.

They fold the log, so they work with or without a controller.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import structs

from controller.cli.output import (
    can_draw,
    controller_lines,
    in_colour,
    look,
    note_if_nothing,
    show,
    show_line,
    show_lines,
    show_table,
    terminal_width,
)
from controller.client.past import recall, state_at
from controller.client.replica import (
    FOLLOW_SECONDS,
    Replica,
    controller_shape,
    files_waiting,
    now,
    stood,
)
from controller.errors import ExitCode, NotFound, UsageError
from controller.log.status_file import read_status
from controller.model.phases import Phase
from controller.model.state import State, Workflow
from controller.printing import complain, note, say
from controller.view.find import is_pattern, known_names
from controller.view.lists.listing import (
    PASSING,
    Entry,
    any_labels,
    grouped_lines,
    list_row,
    list_table,
    shape_of,
)
from controller.view.lists.selection import Selection, select
from controller.view.look import Look
from controller.view.shape import ControllerShape, FilesWaiting, WorkflowShape
from controller.view.status import list_shape
from controller.view.table import Cell, render

if TYPE_CHECKING:
    from controller.view.lists.selector import Selector


_KINDS = ("workflows", "workflow", "wf")
_SHAPES = ("json", "yaml")  # the forms that have all that is known


def get(args: argparse.Namespace) -> int:
    """treadle get [NAME…]: a table, or the shape that scripts rely on."""
    _check_options(args)
    if args.at:
        state = state_at(args.state, "--at", args.at, look(args))
        if not args.names:
            note_if_nothing(args, state)
        view = look(args, now=state.time)
        return show_past(state, _selection(args, state), args.output, view, args.effective)
    replica = Replica(args.state)
    state, controller = replica.catch_up(), controller_shape(args.state)
    wanted = _selection(args, state)
    for name in wanted.names:
        if not is_pattern(name):
            recall(args.state, state, name)
    if args.watch and args.output is None and can_draw():
        return _watch_live(args, replica, wanted)
    view = look(args, stood=stood(args.state, state))
    missing = show_workflows(
        state,
        wanted,
        args.output,
        controller,
        view,
        live=True,
        group_by=args.group_by,
        merged=args.effective,
        files=files_waiting(args.state) if args.output in _SHAPES else None,
    )
    if args.output in (None, "wide"):
        if not wanted.names:
            note_if_nothing(args, state)
        for line in controller_lines(state, controller):
            note(line)
    if args.watch and not missing:
        watch(replica, wanted, args.output, view)
    return fail_for(missing)


def _check_options(args: argparse.Namespace) -> None:
    """Raise UsageError for options that exclude each other."""
    if args.group_by and (args.watch or args.at or args.output):
        raise UsageError("--group-by is for the plain table: leave out --watch, --at and -o")
    if args.effective and (args.watch or args.output not in _SHAPES):
        raise UsageError("--effective shows the spec: use it with -o yaml or -o json, not with -w")
    if args.at and args.watch:
        raise UsageError("--at shows the past, and --watch follows the present; use only one")


def _selection(args: argparse.Namespace, state: State) -> Selection:
    """What the words of `get` choose."""
    phases = {"--failed": Phase.FAILED} if args.failed else {}
    phases |= {"--running": Phase.RUNNING} if args.running else {}
    conditions = [f"-l {args.selector}"] if args.selector else []
    only_named = args.names and args.output in (*_SHAPES, "name") and not phases
    return Selection(
        names=(args.uid,) if args.uid else tuple(_without_kind(state, args.names)),
        labels=_selector(args.selector),
        phases=frozenset(phases.values()),
        order=args.sort_by,
        instances="all" if args.instances else "none" if only_named else "unfinished",
        said=" ".join([*conditions, *phases]),
    )


def _without_kind(state: State, names: list[str]) -> list[str]:
    """`get workflows etl`, as kubectl has it, is `get etl`, unless a workflow has that name."""
    of_kubectl = bool(names) and names[0] in _KINDS and names[0] not in known_names(state)
    return names[1:] if of_kubectl else names


def _selector(text: str | None) -> "Selector":
    if not text:
        return any_labels
    from controller.view.lists.selector import parse_selector

    return parse_selector(text)


def show_past(
    state: State, wanted: Selection, output: str | None, view: Look, merged: bool = False
) -> int:
    """Show this earlier state as `get` would have shown it then."""
    controller = ControllerShape(
        phase="Unknown",  # the log does not say whether it still ran
        pid=state.controller.pid or None,
        epoch=state.controller.epoch,
        conditions=[],
    )
    return fail_for(show_workflows(state, wanted, output, controller, view, merged=merged))


def fail_for(missing: list[NotFound]) -> int:
    """Raise the last of these errors, print the others; the exit code if there are none."""
    if not missing:
        return ExitCode.FINE
    for error in missing[:-1]:
        complain(str(error))
    raise missing[-1]


def show_workflows(
    state: State,
    wanted: Selection,
    form: str | None,
    controller: ControllerShape,
    view: Look,
    live: bool = False,
    group_by: str | None = None,
    merged: bool = False,
    files: FilesWaiting = None,
) -> list[NotFound]:
    """Print the workflows that are wanted. Returns an error for each unknown name.

    `files`: how many wait for triggers, if a controller knows that.
    `merged`: with the Defaults that hold for them; in YAML, comments say where each field is from.
    """
    entries, missing = select(state, wanted, view.clock)
    if form == "name":
        for entry in entries:
            say(entry.name)
    elif form in _SHAPES:
        from controller.client.reading.in_use import used_now  # only where it is shown

        in_use = used_now(entries, view.now) if live else {}
        shapes = [shape_of(state, entry, in_use, files, view.now) for entry in entries]
        if merged:
            shapes = [_merged(shape, entry) for shape, entry in zip(shapes, entries, strict=True)]
            show_lines(_sources(entries) if form == "yaml" else ())
        if entries or not missing:
            show(shapes[0] if wanted.single and shapes else list_shape(shapes, controller), form)
    elif entries and group_by:
        show_lines(grouped_lines(state, entries, group_by, view))
    elif entries:
        show_table(list_table(state, entries, view, wide=form == "wide"))
    elif state.seq and not missing:
        note(f"no workflow matches {wanted.said}" if wanted.said else "no workflows")
    return missing


def _merged(shape: WorkflowShape, entry: Entry) -> WorkflowShape:
    if not isinstance(entry, Workflow):
        return shape
    from controller.spec.effective import effective
    from controller.spec.linked import written

    return structs.replace(shape, spec=written(effective(entry.spec)))


def _sources(entries: list[Entry]) -> Iterator[str]:
    from controller.view.changes.policy import sources

    for entry in entries:
        for field, path in sources(entry) if isinstance(entry, Workflow) else ():
            yield f"# {entry.name}: {field} is from {path}"


# ---------------------------------------- watch


def watch(replica: Replica, wanted: Selection, form: str | None, view: Look) -> None:
    """Print a line for each workflow that changes, until interrupted."""
    state = replica.state
    before = select(state, wanted, view.clock)[0]
    shown = Rows(state, before, form, view)
    changed: dict[str, None] = {}
    for folded in replica.follow():
        if folded is not None:
            event = folded.record.event
            changed |= dict.fromkeys((getattr(event, "uid", ""), getattr(event, "life", "")))
            changed |= dict.fromkeys(move.uid for move in folded.moves)
            continue
        if changed:
            after = select(state, wanted, now())[0]
            for entry in (*_left(before, after), *after):
                if isinstance(entry, Workflow) and entry.uid in changed:
                    shown.show(entry)
            before = after
            changed.clear()
        sys.stdout.flush()


def _left(before: list[Entry], after: list[Entry]) -> list[Workflow]:
    """Those that are not selected any more: of an instance that has ended the end is to be seen."""
    still = {entry.uid for entry in after if isinstance(entry, Workflow)}
    return [entry for entry in before if isinstance(entry, Workflow) and entry.uid not in still]


def _watch_live(args: argparse.Namespace, replica: Replica, wanted: Selection) -> int:
    """The live view, as `up` has it, of these workflows; until `q` or Ctrl-C."""
    from controller.host.live import LiveView
    from controller.host.news import News

    _, missing = select(replica.state, wanted, now())
    if missing:
        return fail_for(missing)
    specs = replica.state.controller.folder
    folders = ["--state", args.state, *(["--specs", specs] if specs else [])]
    title = " ".join(filter(None, (*wanted.names, wanted.said))) or specs
    with LiveView("", folders, "none", "follow", title, look(args).zone) as live:
        while not live.left:
            state = replica.catch_up()
            entries = [] if wanted.everything else select(state, wanted, now())[0]
            only = (entry.uid if isinstance(entry, Workflow) else entry.name for entry in entries)
            status = read_status(args.state)
            live.show(
                News(
                    state=state,
                    state_dir=args.state,
                    now=now(),
                    conditions=[
                        condition for condition in status.conditions if condition.status == "True"
                    ],
                    limits=status.limits,
                    only=None if wanted.everything else frozenset(only),
                    stood=status.stood(state.time),
                )
            )
            time.sleep(FOLLOW_SECONDS)
    return ExitCode.FINE


class Rows:
    """Shows workflows one by one below the table, in its columns, and only when they changed."""

    def __init__(self, state: State, entries: list[Entry], form: str | None, view: Look):
        self._state = state
        self._form = form
        self._view = view
        self._table = list_table(state, entries, view, wide=form == "wide")
        self._last = {row[0].text: self._lasting(row) for row in self._table.rows}

    def show(self, workflow: Workflow) -> None:
        if self._form == "json":
            show_line(shape_of(self._state, workflow, now=now()))
            return
        if self._form == "yaml":
            say("---")
            show(shape_of(self._state, workflow, now=now()), "yaml")
            return
        view = structs.replace(self._view, now=now())
        row = list_row(self._state, workflow, view, wide=self._form == "wide")
        if self._last.get(workflow.name) == self._lasting(row):
            return
        self._last[workflow.name] = self._lasting(row)
        if self._form == "name":
            say(workflow.name)
            return
        self._table.rows.append(row)
        say(list(render(self._table, terminal_width(), in_colour()))[-1])
        self._table.rows.pop()

    def _lasting(self, row: tuple[Cell, ...]) -> list[str]:
        """The cells of a row that do not change with time alone."""
        titled = zip(row, self._table.columns, strict=True)
        return [cell.text for cell, column in titled if column not in PASSING]


# ---------------------------------------- replay


def replay(args: argparse.Namespace) -> int:
    """treadle replay [NAME…] [--until SEQ|TIME]: as `get`, at a point of the log."""
    if args.verify and args.output:
        raise UsageError("replay --verify prints its result in words: leave out -o")
    if args.verify:
        return _verify(args.state)
    state = (
        state_at(args.state, "--until", args.until, look(args))
        if args.until
        else Replica(args.state).catch_up()
    )
    if not args.names:
        note_if_nothing(args, state)
    view = look(args, now=state.time)
    return show_past(state, Selection(names=tuple(args.names)), args.output, view)


def _verify(state_dir: str) -> int:
    from controller.client.reading.verify import verify

    records, agree = verify(state_dir)
    beside = ("", "; 1 snapshot agrees")[agree] if agree < 2 else f"; {agree} snapshots agree"
    say(f"{records} records: whole, in order, and consistent{beside}")
    return ExitCode.FINE
