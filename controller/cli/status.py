"""`treadle status`: one workflow or one step on a page, or all that is unfinished or failed."""

import argparse
from collections.abc import Iterator, Sequence

from controller.cli.output import controller_lines, look, note, note_if_nothing, show, show_lines
from controller.client.in_use import used_now
from controller.client.past import recall, run_of, state_at
from controller.client.replica import Replica, controller_shape, stood
from controller.errors import ExitCode, UsageError
from controller.model.phases import Phase
from controller.model.state import State, Workflow
from controller.view.find import NeverValid, find, find_workflow, name_and_steps, pick_step
from controller.view.listing import Entry, listed, shape_of
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
    entries = [find(state, name)] if name else [*filter(_matters, listed(state))]
    past = past or any(_is_earlier(state, entry) for entry in entries)
    if args.run and not (isinstance(entries[0], Workflow) and entries[0].run == args.run):
        state, earlier = run_of(args.state, name, args.run)
        entries, past = [earlier], earlier.finished
    in_use = {} if past else used_now(entries, view.now)
    if words:
        return _status_of_step(args, state, entries[0], words, view, in_use, past)
    if args.output in ("json", "yaml"):
        shapes = [shape_of(state, entry, in_use) for entry in entries]
        whole = list_shape(shapes, controller_shape(args.state))
        show(shapes[0] if name else whole, args.output)
        return ExitCode.FINE
    for n, entry in enumerate(entries):
        show_lines([""] if n else [])
        show_lines(_page(args, state, entry, view, in_use, past))
    if not entries:
        note_if_nothing(args, state)
        show_lines(_all_well(state))
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
    from controller.client.printed import by_failed
    from controller.view.page import step_page

    workflow = find_workflow(state, entry.name) if isinstance(entry, NeverValid) else entry
    name = pick_step(workflow, words)
    if args.output in ("json", "yaml"):
        of_all = shape_of(state, workflow, in_use).status
        shapes: list[StepShape | HookShape] = [*of_all.steps, *of_all.hooks]
        show(next(shape for shape in shapes if shape.name == name), args.output)
        return ExitCode.FINE
    step = workflow.step(name or "")
    among = {one.name for one in (step, *workflow.below(step))}
    printed = by_failed(args.state, workflow, among)
    show_lines(step_page(state, workflow, step, view, in_use, printed, past))
    return ExitCode.FINE


def _is_earlier(state: State, entry: Entry) -> bool:
    """Whether its name is free, or means another life."""
    return isinstance(entry, Workflow) and ended(state, entry)


def _matters(entry: Entry) -> bool:
    """What a person looks for who names no workflow: it has not finished, or it failed."""
    return isinstance(entry, NeverValid) or not entry.finished or entry.phase is Phase.FAILED


def _all_well(state: State) -> Iterator[str]:
    """How all ended, where none is unfinished or failed."""
    phases = [life.phase for life in state.workflows.values()]
    succeeded = phases.count(Phase.SUCCEEDED)
    if phases and succeeded == len(phases):
        names = list(state.workflows)
        whose = f"all {len(names)} workflows have" if len(names) > 1 else f"{names[0]} has"
        yield f"{whose} succeeded"
    elif phases:
        counts = {"succeeded": succeeded, "cancelled": len(phases) - succeeded}
        words = ", ".join(f"{number} {how}" for how, number in counts.items() if number)
        yield f"nothing is unfinished or failed: {words}"


def _page(
    args: argparse.Namespace, state: State, entry: Entry, view: Look, in_use: InUse, past: bool
) -> Iterator[str]:
    from controller.client.printed import by_failed
    from controller.requests import waiting
    from controller.view.page import never_valid_page, page

    if isinstance(entry, NeverValid):
        return never_valid_page(entry, view)
    printed, wide = by_failed(args.state, entry), args.output == "wide"
    asked = () if past else waiting(args.state)
    return page(state, entry, view, in_use, printed, wide=wide, past=past, asked=asked)
