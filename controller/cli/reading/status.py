"""`treadle status`: one workflow or one step on a page, or all that is unfinished or failed."""

import argparse
from collections.abc import Iterator, Sequence

from controller.cli.output import controller_lines, look, note_if_nothing, show, show_lines
from controller.client.past import recall, run_of, state_at
from controller.client.reading.in_use import used_now
from controller.client.replica import Replica, controller_shape, files_waiting, stood
from controller.errors import ExitCode, UsageError
from controller.model.phases import Phase
from controller.model.state import State, Workflow
from controller.printing import note
from controller.view.find import NeverValid, find, find_workflow, name_and_steps, pick_step
from controller.view.firings import definitions_words, is_superseded
from controller.view.lists.listing import Entry, listed, matters, shape_of
from controller.view.look import Look
from controller.view.shape import HookShape, InUse, StepShape
from controller.view.status import ended, list_shape


def status(args: argparse.Namespace) -> int:
    """treadle status [NAME [STEP]]: one workflow or step, or all that is unfinished or failed."""
    if args.at and args.run:
        raise UsageError("--at and --run both choose a moment of the past; use only one")
    name, words = name_and_steps(args.name or "", args.steps)
    name, past = args.uid or name, bool(args.at)
    if args.run and not name:
        raise UsageError("status --run is about one workflow: name it")
    if args.at:
        state = state_at(args.state, "--at", args.at, look(args))
        view = look(args, now=state.time)
    else:
        state = Replica(args.state).catch_up()
        if name:
            recall(args.state, state, name)
        view = look(args, stood=stood(args.state, state))
    entries = (
        [find(state, name)] if name else [entry for entry in listed(state) if matters(state, entry)]
    )
    past = past or any(_is_earlier(state, entry) for entry in entries)
    if args.run and not (isinstance(entries[0], Workflow) and entries[0].run == args.run):
        state, earlier = run_of(args.state, state, name, args.run)
        entries, past = [earlier], earlier.finished
    in_use = {} if past else used_now(entries, view.now)
    if words:
        return _status_of_step(args, state, entries[0], words, view, in_use, past)
    if args.output in ("json", "yaml"):
        files = None if past else files_waiting(args.state)
        shapes = [shape_of(state, entry, in_use, files, view.now) for entry in entries]
        whole = list_shape(shapes, controller_shape(args.state))
        show(shapes[0] if name else whole, args.output)
        return ExitCode.FINE
    show_lines(_pages(args, state, entries, view, in_use, past, alone=bool(name)))
    if not entries:
        note_if_nothing(args, state)
        show_lines(_all_well(state, view))
    if not past:
        for line in controller_lines(state, controller_shape(args.state)):
            note(line)
    return ExitCode.FINE


def _status_of_step(
    args: argparse.Namespace,
    state: State,
    entry: Entry,
    words: Sequence[str],
    view: Look,
    in_use: InUse,
    past: bool,
) -> int:
    from controller.client.reading.printed import by_failed
    from controller.view.pages.page import step_page

    workflow = find_workflow(state, entry.name) if isinstance(entry, NeverValid) else entry
    if workflow.starter is not None:
        from controller.intake.requests import of_instances

        raise UsageError(of_instances(workflow.name, "status", words))
    name = pick_step(workflow, words)
    if args.output in ("json", "yaml"):
        of_all = shape_of(state, workflow, in_use).status
        shapes: list[StepShape | HookShape] = [*of_all.steps, *of_all.hooks]
        show(next(shape for shape in shapes if shape.name == name), args.output)
        return ExitCode.FINE
    step = workflow.step(name or "")
    among = {part.name for part in (step, *workflow.below(step))}
    printed = by_failed(args.state, workflow, among)
    show_lines(step_page(state, workflow, step, view, in_use, printed, past))
    return ExitCode.FINE


def _is_queued(entry: Entry) -> bool:
    """An instance that waits for its turn has nothing to show."""
    return isinstance(entry, Workflow) and entry.is_queued


def _is_earlier(state: State, entry: Entry) -> bool:
    """Whether its name is free, or means another life."""
    return isinstance(entry, Workflow) and ended(state, entry)


def _all_well(state: State, view: Look) -> Iterator[str]:
    """How all ended, where none is unfinished or failed; and which definition is due next."""
    definitions = [life for life in state.workflows.values() if life.starter is not None]
    others = [life for life in state.workflows.values() if life.starter is None]
    names = [life.name for life in others if not is_superseded(state, life)]
    phases = [state.workflows[name].phase for name in names]
    succeeded = phases.count(Phase.SUCCEEDED)
    if phases and succeeded == len(phases):
        whose = f"all {len(names)} workflows have" if len(names) > 1 else f"{names[0]} has"
        yield f"{whose} succeeded"
    elif phases:
        counts = {"succeeded": succeeded, "cancelled": len(phases) - succeeded}
        words = ", ".join(f"{number} {how}" for how, number in counts.items() if number)
        yield f"nothing is unfinished or failed: {words}"
    if definitions:
        yield view.fit(definitions_words(state, definitions, view))


def _pages(
    args: argparse.Namespace,
    state: State,
    entries: Sequence[Entry],
    view: Look,
    in_use: InUse,
    past: bool,
    alone: bool,
) -> Iterator[str]:
    """`alone`: a name was given. Else what waits for its turn is only counted."""
    shown = [entry for entry in entries if alone or not _is_queued(entry)]
    for n, entry in enumerate(shown):
        yield from [""] if n else []
        yield from _page(args, state, entry, view, in_use, past)
    if queued := len(entries) - len(shown):
        wait = "1 instance waits for its turn" if queued == 1 else f"{queued} instances wait"
        yield from [""] if shown else []
        yield f"{wait}{'' if queued == 1 else ' for their turn'}: treadle get"


def _page(
    args: argparse.Namespace, state: State, entry: Entry, view: Look, in_use: InUse, past: bool
) -> Iterator[str]:
    from controller.client.reading.printed import by_failed
    from controller.requests import waiting
    from controller.view.pages.page import never_valid_page, page

    if isinstance(entry, NeverValid):
        return never_valid_page(entry, view)
    if entry.starter is not None:
        from controller.view.pages import definition_page

        files, wide = None if past else files_waiting(args.state), args.output == "wide"
        return definition_page.page(state, entry, view, files, wide=wide, past=past)
    printed, wide = by_failed(args.state, entry), args.output == "wide"
    asked = () if past else waiting(args.state)
    return page(state, entry, view, in_use, printed, wide=wide, past=past, asked=asked)
