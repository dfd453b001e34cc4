"""`treadle diff`: what a commit of the specs would do, step by step. Starts and writes nothing."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from controller.cli.options import common, positive
from controller.errors import ExitCode, NotFound, UsageError

if TYPE_CHECKING:
    from controller.errors import Fault
    from controller.model.state import State
    from controller.planner.foresight import Change, Foresight

SECOND = 1_000_000  # microseconds; a file written within the last one is done, or we are too early
CHANGED = 1


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "diff",
        parents=[common()],
        help="show what an edit would do, before it is made",
        description="Compare the specs folder, or files, with what is in force: which steps keep "
        "their result, go on, are ended and run again, run, or are removed, and why.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="these, wherever they are")
    of = parser.add_mutually_exclusive_group()
    of.add_argument("--rev", metavar="REV", help="the specs folder as a git revision has it")
    of.add_argument(
        "--staged", action="store_true", help="the specs folder as the next git commit has it"
    )
    parser.add_argument(
        "--from", type=positive, metavar="N", dest="first", help="of generation N of a NAME…"
    )
    parser.add_argument("--to", type=positive, metavar="M", help="…and M; the next, unless given")
    parser.add_argument("-o", "--output", choices=("json",), help="one JSON object a workflow")
    parser.set_defaults(command=diff)


def diff(args: argparse.Namespace) -> int:
    """treadle diff [FILE…]: 0 if nothing changes, 1 if something does, 2 for invalid specs."""
    from controller.cli.output import in_colour, show_line, show_lines, terminal_width
    from controller.cli.replica import Replica
    from controller.view.difference import lines, shape

    of_git = args.staged or args.rev is not None
    of_generations = args.first is not None or args.to is not None
    if of_git and (args.files or of_generations):
        raise UsageError("diff --rev and --staged look at the whole folder: leave out the rest")
    if of_generations:
        seen = _of_generations(args)
    else:
        state = Replica(args.state).catch_up()
        seen = _of_files(state, args.files) if args.files else _of_folder(args, state)
    for change in seen.changes:
        if args.output:
            show_line(shape(change))
        else:
            show_lines(lines(change, terminal_width(), in_colour()))
    for fault in seen.faults:
        print(f"treadle: {fault}", file=sys.stderr)
    if seen.faults:
        return ExitCode.USAGE
    return CHANGED if any(change.is_one for change in seen.changes) else ExitCode.FINE


def _of_folder(args: argparse.Namespace, state: "State") -> "Foresight":
    from controller.cli.subject import require_folder
    from controller.folder.scan import Scanner
    from controller.model.observations import FolderSight
    from controller.planner.foresight import of_folder
    from controller.planner.held import why_held
    from controller.spec.load import SPEC_BYTES_MAX

    require_folder(args, state)
    path = os.path.abspath(args.specs)
    status = os.stat(path)
    sight = FolderSight(path=path, shown=args.specs, device=status.st_dev, inode=status.st_ino)
    now = time.time_ns() // 1000 + SECOND
    with ExitStack() as stack:
        if args.rev is not None or args.staged:
            from controller.cli.git import committed

            sight.path = stack.enter_context(committed(args.specs, args.rev))
        try:
            Scanner(sight, SPEC_BYTES_MAX).scan(now)
        except OSError as error:
            raise UsageError(f"{args.specs}: {error.strerror}") from error
    sight.path = path
    sight.changed |= {*sight.files, *sight.markers}
    if held := why_held(state, sight):
        raise UsageError(f"{held}: nothing would change as long as that is so")
    return of_folder(state, sight, now)


def _of_generations(args: argparse.Namespace) -> "Foresight":
    from controller.cli.history import generations, pick
    from controller.planner.foresight import Foresight
    from controller.view.generations import between

    if len(args.files) != 1:
        raise UsageError("diff --from --to compares two generations: name one workflow")
    (name,) = args.files
    found = generations(args.state, name)
    if args.first is None:
        last = pick(found, name, args.to)
        if last.before is None:
            raise NotFound(f"{name}: history has no generation before {args.to}")
        first = last.before
    else:
        first = pick(found, name, args.first)
        behind = [one for one in found if one.before is first]
        if args.to is None and not behind:
            raise NotFound(f"{name} has no generation after {args.first}")
        last = pick(found, name, args.to) if args.to is not None else behind[0]
    return Foresight([between(first, last)], [])


def _of_files(state: "State", files: list[str]) -> "Foresight":
    from controller.planner.foresight import Foresight

    faults: list[Fault] = []
    changes = [change for file in files for change in _of_file(state, file, faults)]
    return Foresight(changes, faults)


def _of_file(state: "State", file: str, faults: "list[Fault]") -> "Iterator[Change]":
    from controller.planner.foresight import of_document
    from controller.spec.load import load

    try:
        with open(file, "rb") as opened:
            loaded = load(opened.read(), file)
    except FileNotFoundError:
        raise NotFound(f"{file}: no such file") from None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    faults += loaded.faults
    for document in loaded.documents if not loaded.faults else ():
        name = document.workflow.metadata.name
        life = state.workflows.get(name)
        driven = life is None or life.origin == "folder"
        yield of_document(state, life if driven else None, name, document.workflow.spec)
