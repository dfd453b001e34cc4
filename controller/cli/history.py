"""`treadle history`, and what `diff --from --to` compares: the generations of a workflow."""

import argparse
from typing import NamedTuple

from controller.cli.options import common
from controller.cli.output import show_line, show_table, tell
from controller.cli.past import recall
from controller.cli.replica import Replica
from controller.errors import ExitCode, NotFound
from controller.model.events import EditTakenBack, GenerationAccepted
from controller.model.state import Workflow
from controller.view.difference import StepDifference, shape
from controller.view.explain import pending_words
from controller.view.find import find_workflow
from controller.view.generations import Generation, accepted, between, generations_table, taken_back
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


class History(NamedTuple):
    """The life that a name means, and its generations as far as they are kept, oldest first."""

    life: Workflow
    generations: list[Generation]

    def pick(self, number: int) -> Generation:
        """Raises NotFound."""
        for one in self.generations:
            if one.number == number:
                return one
        if number == self.life.latest:
            raise NotFound(f"{self.life.name}: {pending_words(self.life)}; `treadle diff` shows it")
        known = ", ".join(str(one.number) for one in self.generations) or "none"
        raise NotFound(f"{self.life.name} has no generation {number}; history has {known}")

    def before(self, number: int) -> Generation:
        found = self.pick(number).before
        if found is None:
            raise NotFound(f"{self.life.name}: history has no generation before {number}")
        return found

    def after(self, number: int) -> Generation:
        first = self.pick(number)
        for one in self.generations:
            if one.before is first:
                return one
        raise NotFound(f"{self.life.name} has no generation after {number}")


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


def read_history(state_dir: str, name: str) -> History:
    replica = Replica(state_dir, whole=True)
    told = [
        change.record
        for change in replica.news()
        if isinstance(change.record.event, GenerationAccepted | EditTakenBack)
    ]
    recall(state_dir, replica.state, name)
    life = find_workflow(replica.state, name)
    found: list[Generation] = []
    for record in told:
        event, before = record.event, found[-1] if found else None
        if isinstance(event, GenerationAccepted) and event.uid == life.uid:
            found.append(accepted(record, event, before))
        elif isinstance(event, EditTakenBack) and event.uid == life.uid and before is not None:
            found.append(taken_back(record, event, before))
    return History(life, found)


def _steps(one: Generation) -> list[StepDifference]:
    return shape(between(one.before, one)).steps if one.before is not None else []
