"""`treadle logs`, `events`: the output of steps, and what happened.

Output of steps is shown byte by byte. The attempts themselves write it to files, so nothing is lost
or late when no controller is running.
"""

import argparse
import sys
from collections.abc import Iterable

from controller.cli.output import aside, look, note, show_line, show_lines
from controller.client.past import last_finished, moment, recall, run_of
from controller.client.replica import Folded, Replica
from controller.client.transcript import Transcript
from controller.errors import ExitCode, UsageError
from controller.model.state import State, Workflow
from controller.view.attempts import Choice, by_number, of_all_runs, of_one_run, running
from controller.view.find import find, find_workflow, name_and_steps, pick_steps
from controller.view.story import concerns, happened, lines
from controller.view.times import rfc3339

ALL, LAST = "all", "last"  # of --run

# ---------------------------------------- logs


def logs(args: argparse.Namespace) -> int:
    """treadle logs NAME [STEP…]: the bytes that attempts wrote."""
    _refuse_what_does_not_go_together(args)
    view = look(args)
    since = None if args.since is None else moment("--since", args.since, view)
    name, words = name_and_steps(args.name, args.steps)
    name = args.uid or name
    replica = Replica(args.state)
    state = replica.catch_up()
    recall(args.state, state, name)
    workflow = find_workflow(state, name)
    run = _number(args.run, state, workflow)
    if run is not None:
        state, workflow = run_of(args.state, name, run)
    choice = Choice(
        word=name,
        steps=pick_steps(workflow, words),
        run=run,
        attempt=args.attempt,
        failed=args.failed,
        since=since,
    )
    out = sys.stdout.buffer
    transcript = Transcript(state, args.state, workflow, choice, args.tail, out, aside, view)
    if args.run == ALL:
        transcript.show_under_headings(of_all_runs(workflow, choice))
    elif args.attempt is not None:
        transcript.show(by_number(workflow, choice))
    elif not args.follow or transcript.is_over():
        transcript.show(of_one_run(state, workflow, choice))
    else:
        transcript.show(running(workflow, choice))
    if args.follow:
        transcript.follow(replica)
    transcript.close()
    return ExitCode.FINE


def _refuse_what_does_not_go_together(args: argparse.Namespace) -> None:
    if args.follow and (args.run or args.failed):
        raise UsageError("-f follows the present run: leave out --run and --failed")
    if args.attempt is not None and (args.run or args.failed or args.since):
        raise UsageError("--attempt shows one attempt: leave out --run, --failed and --since")


def _number(run: str | None, state: State, workflow: Workflow) -> int | None:
    """The run that --run means; None: the present one, or all."""
    if run is None or run == ALL:
        return None
    return last_finished(state, workflow) if run == LAST else int(run)


# ---------------------------------------- events


def events(args: argparse.Namespace) -> int:
    """treadle events [NAME]: a line an event."""
    replica = Replica(args.state, whole=True)
    if replica.begins_at:
        when = rfc3339(replica.state.time)
        note(f"history begins after record {replica.begins_at}, of {when}")
    name = args.uid or args.name or ""
    known = _show_events(replica, replica.news(), name, args.output)
    if name and not known:
        find(replica.state, name)  # raises NotFound, with a suggestion
    if args.follow:
        _show_events(replica, replica.follow(), name, args.output)
    return ExitCode.FINE


def _show_events(
    replica: Replica, news: Iterable[Folded | None], name: str, form: str | None
) -> bool:
    """Print the events of the workflow, or all if `name` is empty. Were there any?"""
    any_shown = False
    for folded in news:
        if folded is None:
            sys.stdout.flush()
            continue
        event = folded.record.event
        if name and not concerns(replica.state, event, name):
            continue
        any_shown = True
        shown = list(happened(replica.state, folded.record, folded.moves))
        if form == "json":
            for shown_event in shown:
                show_line(shown_event)
        else:
            show_lines(lines(shown))
    return any_shown
