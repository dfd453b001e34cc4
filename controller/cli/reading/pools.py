"""`treadle pools`: what pools and locks there are, who holds them, and who waits for them."""

import argparse

from controller.cli.output import look, note_if_nothing, show_line, show_lines, show_table
from controller.client.replica import Replica, stood
from controller.errors import ExitCode, NotFound
from controller.printing import note
from controller.view.pools import details, lines, shape, table


def pools(args: argparse.Namespace) -> int:
    """treadle pools [NAME]: a line a pool or lock; of one, all that hold it or wait for it."""
    state = Replica(args.state).catch_up()
    found = lines(state)
    if args.name:
        found = [line for line in found if line.name == args.name]
        if not found:
            raise NotFound(
                f'no pool is named "{args.name}", and no lock that is held or waited for'
            )
    view = look(args, stood=stood(args.state, state))
    if args.output:
        for line in found:
            show_line(shape(line))
    elif not found:
        note_if_nothing(args, state)
        if state.seq:
            note("there are no pools, and no lock is held or waited for")
    elif args.name:
        for line in found:
            show_lines(details(line, view))
    else:
        show_table(table(found, view))
    return ExitCode.FINE
