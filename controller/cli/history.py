"""`treadle history`: the generations of a workflow."""

import argparse

from controller.cli.options import common
from controller.cli.output import show_line, show_table, tell
from controller.client.history import read_history
from controller.errors import ExitCode
from controller.view.difference import StepDifference, shape
from controller.view.explain import pending_words
from controller.view.generations import Generation, between, generations_table
from controller.view.times import rfc3339


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "history",
        parents=[common()],
        help="show the generations of a workflow, and what each did",
        description="Show every generation of a workflow's spec that was in force, who owned its "
        "file, and which steps it left alone, reset, added or removed.",
    )
    parser.add_argument("name", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument("-o", "--output", choices=("json",), help="one JSON object a generation")
    parser.set_defaults(command=history)


def history(args: argparse.Namespace) -> int:
    """treadle history NAME: a line a generation."""
    found = read_history(args.state, args.name)
    if args.output:
        for one in found.generations:
            show_line(
                {
                    "generation": one.number,
                    "time": rfc3339(one.time),
                    "seq": one.seq,
                    "by": one.by,
                    "path": one.path,
                    "steps": _steps(one),
                }
            )
    else:
        show_table(generations_table(found.generations))
        if waits := pending_words(found.life):
            tell(waits)
    return ExitCode.FINE


def _steps(one: Generation) -> list[StepDifference]:
    return shape(between(one.before, one)).steps if one.before is not None else []
