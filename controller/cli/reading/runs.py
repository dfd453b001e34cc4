"""`treadle runs`: what ran, when and why, and with which result."""

import argparse
from contextlib import suppress

from controller.cli.output import look, note_if_nothing, show_line, show_table
from controller.client.past import recall, runs_kept
from controller.client.reading.instances import instances_kept
from controller.client.replica import Replica, stood
from controller.errors import ExitCode, NotFound
from controller.model.state import RUNS_MAX, RunShort, State, Workflow
from controller.printing import note, say
from controller.view.find import find_workflow
from controller.view.lists.instances import instances_table, live_instances
from controller.view.lists.instances import shape as shape_of_instance
from controller.view.lists.runs import latest, runs_table, shape, usual_words

Runs = dict[str, list[RunShort]]


def runs(args: argparse.Namespace) -> int:
    """treadle runs [NAME]: a line a run, the newest first; of a definition, a line an instance."""
    if args.name or not args.all:
        state = Replica(args.state).catch_up()
        known = state.runs
        if args.name and (definition := _definition(args.state, state, args.name)) is not None:
            return _instances(args, state, definition)
    if args.all:
        state, known = runs_kept(args.state)
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
            note(_no_run(state, name) if name else "no workflow has run yet")
        return ExitCode.FINE
    view = look(args, stood=stood(args.state, state))
    show_table(runs_table(state, shown, view, named=not name))
    if name and (usual := usual_words(known[name])):
        say(view.fit(usual))
    return ExitCode.FINE


def _no_run(state: State, name: str) -> str:
    life = next((life for life in state.lives.values() if life.name == name), None)
    if life is not None and life.run:
        return f"the runs of {name} are in the archive: treadle runs {name} --all"
    return f"{name} has not run yet"


def _definition(state_dir: str, state: State, word: str) -> Workflow | None:
    """The one that `word` means, if it means one. Raises nothing."""
    with suppress(NotFound):
        recall(state_dir, state, word)
        life = find_workflow(state, word)
        return life if life.starter is not None else None
    return None


def _instances(args: argparse.Namespace, state: State, definition: Workflow) -> int:
    """Those of a definition, the one that was born last first."""
    view = look(args, stood=stood(args.state, state))
    if args.all or state.lives.get(definition.uid) is not definition:
        state, known = instances_kept(args.state, definition.uid, view)
    else:
        known = live_instances(state, definition, view)
    shown = known[::-1][: args.tail or (None if args.all else RUNS_MAX)]
    if args.output:
        for instance in shown:
            show_line(shape_of_instance(definition.name, instance))
        return ExitCode.FINE
    if not shown:
        note(
            f"{definition.name} has no instance yet; to start one: treadle start {definition.name}"
        )
        return ExitCode.FINE
    show_table(instances_table(shown, view))
    if usual := usual_words(run for instance in known for run in instance.runs):
        say(view.fit(usual))
    return ExitCode.FINE


def _name(state_dir: str, state: State, known: Runs, word: str) -> str:
    """The name that `word` means. Raises NotFound, but not for one whose runs are still known."""
    if word in known:
        return word
    recall(state_dir, state, word)
    return find_workflow(state, word).name
