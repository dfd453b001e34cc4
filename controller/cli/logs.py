"""`treadle logs`, `events`, `replay`: what steps wrote, what happened, how things stood.

Output of steps is passed on byte by byte. It is in the files that the attempts themselves write, so
nothing of it is lost or late when no controller runs.
"""

import argparse
import sys
from hashlib import sha256

from controller.cli.get import show_past
from controller.cli.options import add_uid, common, count
from controller.cli.output import show_line, show_lines, tell
from controller.client.past import recall, state_at
from controller.client.replica import Replica
from controller.client.transcript import Transcript
from controller.errors import ExitCode, StorageError, UsageError
from controller.log.archive import beginning
from controller.log.lock import check_end, noted_end
from controller.log.reader import read
from controller.log.snapshots import folder, good
from controller.model.apply import apply
from controller.model.image import freeze, is_own
from controller.model.invariants import problems
from controller.view.find import find
from controller.view.story import concerns, happened, lines
from controller.view.times import rfc3339


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "logs",
        parents=[common()],
        help="show what steps wrote to stdout and stderr",
        description="Show what the last attempt of each step, or of one, wrote.",
    )
    parser.add_argument("name", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument("step", nargs="?", metavar="STEP")
    add_uid(parser)
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on, through retries, until all has ended"
    )
    parser.add_argument("--attempt", type=int, metavar="N", help="this attempt, not the last")
    parser.add_argument("--tail", type=count, metavar="N", help="only the last N lines of each")
    parser.set_defaults(command=logs)

    parser = subparsers.add_parser(
        "events",
        parents=[common()],
        help="show what happened, in order",
        description="Show the log as events. Every change of a phase is among them.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a name, or (the start of) a uid")
    add_uid(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on as more happens")
    parser.add_argument("-o", "--output", choices=("json",), help="one JSON object a line")
    parser.set_defaults(command=events)

    parser = subparsers.add_parser(
        "replay",
        parents=[common()],
        help="show the state at a point of the log",
        description="Show the state as it was after the record SEQ, or at TIME.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument("--until", metavar="SEQ|TIME", help="12, or 2026-11-23T12:00:00Z")
    parser.add_argument("-o", "--output", choices=("wide", "json", "yaml", "name"))
    parser.add_argument(
        "--verify", action="store_true", help="fold the log and check that all of it agrees"
    )
    parser.set_defaults(command=replay)


# ---------------------------------------- logs


def logs(args: argparse.Namespace) -> int:
    """treadle logs NAME [STEP]: the bytes that attempts wrote."""
    replica = Replica(args.state)
    state = replica.catch_up()
    name = args.uid or args.name
    recall(args.state, state, name)
    transcript = Transcript(state, args.state, name, args.step, args.attempt, args.tail, tell)
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
    args.name = args.uid or args.name
    known = _tell(replica, args, follow=False)
    if args.name and not known:
        find(replica.state, args.name)  # raises, with what may have been meant
    if args.follow:
        _tell(replica, args, follow=True)
    return ExitCode.FINE


def _tell(replica: Replica, args: argparse.Namespace, follow: bool) -> bool:
    """Print what concerns the workflow asked for, if one was; was there anything?"""
    told = False
    for change in replica.follow() if follow else replica.news():
        if change is None:
            sys.stdout.flush()
            continue
        event = change.record.event
        if args.name and not concerns(replica.state, event, args.name):
            continue
        told = True
        found = list(happened(replica.state, change.record, change.moves))
        if args.output == "json":
            for one in found:
                show_line(one)
        else:
            show_lines(lines(found))
    return told


# ---------------------------------------- replay


def replay(args: argparse.Namespace) -> int:
    """treadle replay [NAME…] [--until SEQ|TIME]: as `get`, at a point of the log."""
    if args.verify and args.output:
        raise UsageError("replay --verify says whether the log agrees, in words: leave out -o")
    if args.verify:
        return _verify(args.state)
    state = (
        state_at(args.state, "--until", args.until)
        if args.until
        else Replica(args.state).catch_up()
    )
    return show_past(state, args.names, lambda labels: True, args.output)


def _verify(state_dir: str) -> int:
    """Fold the whole log; each snapshot has to be what that comes to at its place."""
    # Another version may have kept less, or more: its images say nothing of what this one folds.
    snapshots = {
        one.place.seq: sha256(one.image).digest() for one in good(state_dir) if is_own(one.image)
    }
    agree = 0
    noted = noted_end(state_dir)  # before the log is read: it only grows
    state, place = beginning(state_dir)
    begins_at = state.seq
    for record in read(state_dir, place.seq, place):
        apply(state, record)
        state.moves.clear()
        if record.seq in snapshots:
            if sha256(freeze(state)).digest() != snapshots[record.seq]:
                raise StorageError(
                    f"the snapshot of record {record.seq} is not what the log says; "
                    f"remove {folder(state_dir)}: the log is the truth"
                )
            agree += 1
    check_end(state_dir, state.seq, noted)
    for problem in problems(state):
        raise StorageError(f"the log up to record {state.seq} contradicts itself: {problem}")
    beside = ("", "; 1 snapshot agrees")[agree] if agree < 2 else f"; {agree} snapshots agree"
    print(f"{state.seq - begins_at} records: whole, in order, and consistent{beside}")
    return ExitCode.FINE
