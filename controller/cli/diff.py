"""`treadle diff`: what a commit of the specs would do, step by step. Starts and writes nothing."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from controller.cli.options import common, positive
from controller.errors import ExitCode, NotFound, UsageError

if TYPE_CHECKING:
    from controller.errors import Fault
    from controller.model.observations import FolderSight
    from controller.model.state import State
    from controller.rehearsal.foresee import Change, Foresight

CHANGED = 1
_NOTHING = (
    "while that is so, all that is in force stays so and nothing changes "
    "(`treadle delete --all` confirms that it is to go)"
)


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
    from controller.client.replica import Replica
    from controller.view.difference import lines, shape

    of_git = args.staged or args.rev is not None
    of_generations = args.first is not None or args.to is not None
    if of_git and (args.files or of_generations):
        raise UsageError("diff --rev and --staged look at the whole folder: leave out the rest")
    if of_generations:
        seen = _of_generations(args)
    else:
        if len(args.files) == 1 and os.path.isdir(args.files[0]):
            args.specs, args.files = args.files[0], []
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
    return CHANGED if any(change.is_change for change in seen.changes) else ExitCode.FINE


def _of_folder(args: argparse.Namespace, state: "State") -> "Foresight":
    from controller.client.subject import require_folder, require_home
    from controller.intake.held import why_held
    from controller.model.observations import FolderSight
    from controller.model.state import SECOND
    from controller.rehearsal.foresee import Foresight, of_folder

    path = os.path.abspath(args.specs)
    sight = FolderSight(path=path, shown=args.specs)
    now = time.time_ns() // 1000 + SECOND  # what is so young is done, or nobody can tell yet
    if args.rev is not None or args.staged:
        from controller.client.git import committed

        require_home(args, state)
        # What a checkout fills is the folder that is known, whatever lies there now.
        sight.device, sight.inode = state.controller.folder_device, state.controller.folder_inode
        with committed(args.specs, args.rev) as tree:
            if tree is None:
                print(f"treadle: {args.specs}: git has no specs there; {_NOTHING}", file=sys.stderr)
                return Foresight([], [])
            _scan(sight, tree, now)
    else:
        require_folder(args, state)
        status = os.stat(path)
        sight.device, sight.inode = status.st_dev, status.st_ino
        _scan(sight, path, now)
    if held := why_held(state, sight):
        raise UsageError(f"{held}; {_NOTHING}")
    return of_folder(state, sight, now)


def _scan(sight: "FolderSight", tree: str, now: int) -> None:
    """See what lies in `tree` as if it lay in the folder."""
    from controller.folder.scan import Scanner
    from controller.spec.load import SPEC_BYTES_MAX

    home, sight.path = sight.path, tree
    try:
        Scanner(sight, SPEC_BYTES_MAX).scan(now)
    except OSError as error:
        raise UsageError(f"{sight.shown}: {error.strerror}") from error
    sight.path = home
    sight.changed |= {*sight.files, *sight.markers}


def _of_generations(args: argparse.Namespace) -> "Foresight":
    from controller.client.history import read_history
    from controller.rehearsal.foresee import Foresight
    from controller.view.generations import between

    if len(args.files) != 1:
        raise UsageError("diff --from --to compares two generations: name one workflow")
    (name,) = args.files
    found = read_history(args.state, name)
    first = found.pick(args.first) if args.first is not None else found.before(args.to)
    last = found.pick(args.to) if args.to is not None else found.after(args.first)
    return Foresight([between(first, last)], [])


def _of_files(state: "State", files: list[str]) -> "Foresight":
    from controller.rehearsal.foresee import Foresight

    faults: list[Fault] = []
    changes = [change for file in files for change in _of_file(state, file, faults)]
    return Foresight(changes, faults)


def _of_file(state: "State", file: str, faults: "list[Fault]") -> "Iterator[Change]":
    from controller.client.source import read_source
    from controller.rehearsal.foresee import of_document
    from controller.spec.load import load

    try:
        source = read_source(file)
    except NotFound as error:
        if file not in state.workflows:
            raise
        hint = f"`treadle diff` compares the whole folder, `treadle diff {file} --from 1` two"
        raise NotFound(f"{error}; {hint} generations") from None
    loaded = load(source.data, source.name)
    faults += loaded.faults
    for document in loaded.documents if not loaded.faults else ():
        yield of_document(state, document)
