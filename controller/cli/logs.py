"""`treadle logs`, `events`, `history`: what steps wrote, what happened, what specs there were.

Output of steps is passed on byte by byte. It is in the files that the attempts themselves write, so
nothing of it is lost or late when no controller runs.
"""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from controller.cli.output import show_line, show_lines, show_table, tell
from controller.client.past import recall
from controller.client.replica import Folded, Replica
from controller.client.transcript import Transcript
from controller.errors import ExitCode
from controller.view.find import find
from controller.view.story import concerns, happened, lines
from controller.view.times import rfc3339

if TYPE_CHECKING:
    from controller.view.generations import Generation

# ---------------------------------------- logs


def logs(args: argparse.Namespace) -> int:
    """treadle logs NAME [STEP]: the bytes that attempts wrote."""
    replica = Replica(args.state)
    state = replica.catch_up()
    name = args.uid or args.name
    recall(args.state, state, name)
    out = sys.stdout.buffer
    transcript = Transcript(state, args.state, name, args.step, args.attempt, args.tail, out, tell)
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
        tell(f"history begins after record {replica.begins_at}, of {when}")
    name = args.uid or args.name or ""
    known = _tell(replica, replica.news(), name, args.output)
    if name and not known:
        find(replica.state, name)  # raises, with what may have been meant
    if args.follow:
        _tell(replica, replica.follow(), name, args.output)
    return ExitCode.FINE


def _tell(replica: Replica, news: Iterable[Folded | None], name: str, form: str | None) -> bool:
    """Print what concerns the workflow asked for, if one was; was there anything?"""
    told = False
    for change in news:
        if change is None:
            sys.stdout.flush()
            continue
        event = change.record.event
        if name and not concerns(replica.state, event, name):
            continue
        told = True
        found = list(happened(replica.state, change.record, change.moves))
        if form == "json":
            for one in found:
                show_line(one)
        else:
            show_lines(lines(found))
    return told


# ---------------------------------------- history


def history(args: argparse.Namespace) -> int:
    """treadle history NAME: a line a generation."""
    from controller.client.history import read_history
    from controller.view.explain import pending_words
    from controller.view.generations import generations_table

    found = read_history(args.state, args.name)
    if args.output:
        for generation in found.generations:
            show_line(_shape(generation))
    else:
        show_table(generations_table(found.generations))
        if waits := pending_words(found.life):
            tell(waits)
    return ExitCode.FINE


def _shape(generation: "Generation") -> dict[str, Any]:
    from controller.view.difference import shape
    from controller.view.generations import between

    before = generation.before
    return {
        "generation": generation.number,
        "time": rfc3339(generation.time),
        "seq": generation.seq,
        "by": generation.by,
        "path": generation.path,
        "steps": shape(between(before, generation)).steps if before is not None else [],
    }
