"""`treadle runs`: what ran, when and why, and with which result."""

import argparse

from controller.cli.output import look, note, note_if_nothing, show_line, show_table
from controller.client.past import recall, runs_kept
from controller.client.replica import Replica, stood
from controller.errors import ExitCode
from controller.model.state import RUNS_MAX, RunShort, State
from controller.view.find import find_workflow
from controller.view.runs import latest, runs_table, shape, usual_words

Runs = dict[str, list[RunShort]]


def runs(args: argparse.Namespace) -> int:
    """treadle runs [NAME]: a line a run, the newest first."""
    if args.all:
        state, known = runs_kept(args.state)
    else:
        state = Replica(args.state).catch_up()
        known = state.runs
    name = _name(args.state, state, known, args.name) if args.name else ""
    if name:
        known = {name: known.get(name, [])}
    shown = latest(known, args.tail or (None if args.all else RUNS_MAX))
    if args.output:
        for run in shown:
            show_line(shape(run))
        return ExitCode.FINE
    if not shown:
        note_if_nothing(args, state)
        if state.seq:
            note(f"{name} has not run yet" if name else "no workflow has run yet")
        return ExitCode.FINE
    view = look(args, stood=stood(args.state, state))
    show_table(runs_table(state, shown, view, named=not name))
    if name and (usual := usual_words(known[name])):
        print(view.fit(usual))
    return ExitCode.FINE


def _name(state_dir: str, state: State, known: Runs, word: str) -> str:
    """The name that `word` means. Raises NotFound, but not for one whose runs are still known."""
    if word in known:
        return word
    recall(state_dir, state, word)
    return find_workflow(state, word).name
