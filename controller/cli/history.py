"""`treadle history`, and what `diff --from --to` compares: the generations of a workflow."""

import argparse

from controller.cli.options import common
from controller.cli.output import show_line, show_table
from controller.cli.past import recall
from controller.cli.replica import Replica
from controller.errors import ExitCode, NotFound
from controller.model.events import GenerationAccepted
from controller.view.difference import Difference, shape
from controller.view.find import find_workflow
from controller.view.generations import Generation, between, generations_table
from controller.view.times import rfc3339


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "history",
        parents=[common()],
        help="show the generations of a workflow, and what each did",
        description="Show every generation of a workflow's spec that was in force, who owned its "
        "file, and which steps it left alone, ran again or removed.",
    )
    parser.add_argument("name", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument("-o", "--output", choices=("json",), help="one JSON object a generation")
    parser.set_defaults(command=history)


def history(args: argparse.Namespace) -> int:
    """treadle history NAME: a line a generation."""
    found = generations(args.state, args.name)
    if args.output:
        for number, one in enumerate(found):
            show_line(
                {
                    "generation": one.event.generation,
                    "time": rfc3339(one.record.time),
                    "seq": one.record.seq,
                    "by": one.event.by,
                    "path": one.event.path,
                    "steps": _steps(found[number - 1] if number else None, one),
                }
            )
    else:
        show_table(generations_table(found))
    return ExitCode.FINE


def generations(state_dir: str, name: str) -> list[Generation]:
    """Those of the life that NAME means, as far as the kept history has them, oldest first."""
    replica = Replica(state_dir, whole=True)
    accepted = [
        (change.record, change.record.event)
        for change in replica.news()
        if isinstance(change.record.event, GenerationAccepted)
    ]
    recall(state_dir, replica.state, name)
    uid = find_workflow(replica.state, name).uid
    found: list[Generation] = []
    for record, event in accepted:
        if event.uid == uid:
            found.append(Generation(record, event, found[-1] if found else None))
    return found


def pick(found: list[Generation], name: str, number: int) -> Generation:
    for one in found:
        if one.event.generation == number:
            return one
    known = f"{found[0].event.generation} to {found[-1].event.generation}" if found else "none"
    raise NotFound(f"{name} has no generation {number}; history has {known}")


def _steps(before: Generation | None, one: Generation) -> list[object]:
    if before is None:
        return []
    difference: Difference = shape(between(before, one))
    return list(difference.steps)
