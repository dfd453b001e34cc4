"""`treadle logs`, `events`: the output of steps, and what happened.

Output of steps is shown byte by byte. The attempts themselves write it to files, so nothing is lost
or late when no controller is running.
"""

import argparse
import sys
from collections.abc import Iterable

from controller.cli.output import note, show_line, show_lines
from controller.client.past import recall
from controller.client.replica import Folded, Replica
from controller.client.transcript import Transcript
from controller.errors import ExitCode
from controller.view.find import find, find_workflow, name_and_steps, pick_step
from controller.view.story import concerns, happened, lines
from controller.view.times import rfc3339

# ---------------------------------------- logs


def logs(args: argparse.Namespace) -> int:
    """treadle logs NAME [STEP]: the bytes that attempts wrote."""
    replica = Replica(args.state)
    state = replica.catch_up()
    name, words = name_and_steps(args.name, args.steps)
    name = args.uid or name
    recall(args.state, state, name)
    step = pick_step(find_workflow(state, name), words)
    out = sys.stdout.buffer
    transcript = Transcript(state, args.state, name, step, args.attempt, args.tail, out, note)
    transcript.show()
    if args.follow:
        transcript.follow(replica)
    transcript.close()
    return ExitCode.FINE


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
