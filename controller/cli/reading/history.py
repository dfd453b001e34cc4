"""`treadle history`: the generations of a workflow, and what each did to the steps."""

import argparse
from typing import Any

from controller.cli.output import look, show_line, show_table
from controller.client.reading.history import read_history
from controller.errors import ExitCode
from controller.printing import note
from controller.view.changes.difference import shape
from controller.view.changes.edits import pending_words
from controller.view.changes.generations import Generation, between, generations_table
from controller.view.times import rfc3339


def history(args: argparse.Namespace) -> int:
    """treadle history NAME: a line a generation."""
    past = read_history(args.state, args.name)
    if args.output:
        for generation in past.generations:
            show_line(_shape(generation))
    else:
        show_table(generations_table(past.generations, past.policies, look(args)))
        if waits := pending_words(past.life):
            note(waits)
    return ExitCode.FINE


def _shape(generation: Generation) -> dict[str, Any]:
    before = generation.before
    return {
        "generation": generation.number,
        "time": rfc3339(generation.time),
        "seq": generation.seq,
        "by": generation.by,
        "path": generation.path,
        "steps": shape(between(before, generation)).steps if before is not None else [],
    }
