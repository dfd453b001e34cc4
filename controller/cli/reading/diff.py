"""`treadle diff`: what an edit of the specs would do, step by step. It changes nothing."""

import argparse
import gc
import os
from typing import TYPE_CHECKING

from controller.errors import ExitCode, UsageError
from controller.printing import complain

if TYPE_CHECKING:
    from controller.rehearsal.foresee import Foresight

CHANGED = 1


def diff(args: argparse.Namespace) -> int:
    """treadle diff [FILE…]: 0 if nothing changes, 1 if something does, 2 for invalid specs."""
    from controller.cli.output import look, show_line, show_lines
    from controller.client.reading.foresight import Folder, of_files, of_folder
    from controller.client.replica import Replica
    from controller.host.faults import in_force, show_faults
    from controller.view.changes.difference import lines, plan, policy_lines, shape

    gc.disable()  # what is made for a comparison is needed to its end
    of_git = args.staged or args.rev is not None
    of_generations = args.first is not None or args.to is not None
    if of_git and (args.files or of_generations):
        raise UsageError("diff --rev and --staged look at the whole folder: leave out the rest")
    outcome = ""
    if of_generations:
        seen = _of_generations(args.state, args.files, args.first, args.to)
    else:
        specs, files = args.specs, args.files
        if len(files) == 1 and os.path.isdir(files[0]):
            specs, files = files[0], []
        state = Replica(args.state).catch_up()
        folder = Folder(specs, args.state, args.max_spec_size, of_git, args.rev)
        seen = of_files(folder, state, files) if files else of_folder(folder, state, complain)
        outcome = in_force(state, specs, seen.faults)
    if args.output:
        for change in seen.changes:
            show_line(shape(change))
    else:
        shown = look(args)
        show_lines(shown.wrapped(said, hang=2) if (said := plan(seen.changes)) else ())
        for policy in seen.policies:
            show_lines(policy_lines(policy, shown))
        for change in seen.changes:
            show_lines(lines(change, shown))
    show_faults([*seen.faults, *seen.warnings], outcome)
    if seen.faults:
        return ExitCode.USAGE
    changes = seen.policies or any(change.is_change for change in seen.changes)
    return CHANGED if changes else ExitCode.FINE


def _of_generations(
    state_dir: str, names: list[str], first: int | None, last: int | None
) -> "Foresight":
    from controller.client.reading.history import read_history
    from controller.rehearsal.foresee import Foresight
    from controller.view.changes.generations import between

    if len(names) != 1:
        raise UsageError("diff --from --to compares two generations: name one workflow")
    history = read_history(state_dir, names[0])
    older = history.pick(first) if first is not None else history.before(last or 0)
    newer = history.pick(last) if last is not None else history.after(first or 0)
    return Foresight([between(older, newer)], [])
