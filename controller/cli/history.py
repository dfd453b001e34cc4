"""`treadle history`, and what `diff --from --to` compares: the generations of a workflow."""

import argparse

from controller.cli.options import common
from controller.cli.output import show_line, show_table
from controller.cli.past import recall
from controller.cli.replica import Replica
from controller.errors import ExitCode, NotFound
from controller.model.events import EditTakenBack, GenerationAccepted
from controller.view.difference import StepDifference, shape
from controller.view.find import find_workflow
from controller.view.generations import Generation, accepted, between, generations_table, taken_back
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
        for one in found:
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
        show_table(generations_table(found))
    return ExitCode.FINE


def generations(state_dir: str, name: str) -> list[Generation]:
    """Those of the life that NAME means, as far as the kept history has them, oldest first."""
    replica = Replica(state_dir, whole=True)
    told = [
        change.record
        for change in replica.news()
        if isinstance(change.record.event, GenerationAccepted | EditTakenBack)
    ]
    recall(state_dir, replica.state, name)
    uid = find_workflow(replica.state, name).uid
    found: list[Generation] = []
    for record in told:
        event, before = record.event, found[-1] if found else None
        if isinstance(event, GenerationAccepted) and event.uid == uid:
            found.append(accepted(record, event, before))
        elif isinstance(event, EditTakenBack) and event.uid == uid and before is not None:
            found.append(taken_back(record, event, before))
    return found


def pick(found: list[Generation], name: str, number: int) -> Generation:
    for one in found:
        if one.number == number:
            return one
    known = ", ".join(str(one.number) for one in found) or "none"
    raise NotFound(f"{name} has no generation {number}; history has {known}")


def _steps(one: Generation) -> list[StepDifference]:
    return shape(between(one.before, one)).steps if one.before is not None else []
