"""`treadle`: parse the words, call the command, say in one line what went wrong.

Command modules keep their imports light, because every one of them is loaded to build the parser;
what is heavy (yaml, watchdog, rich, psutil) they import when they run.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from controller.cli import change, check, get, logs, run, up, version, wait
from controller.errors import ExitCode, TreadleError

COMMANDS = (up, run, get, logs, wait, change, check, version)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    args = _parser().parse_args(argv)
    try:
        code = args.command(args)
        sys.stdout.flush()
        return int(code)
    except TreadleError as error:
        print(f"treadle: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`treadle events | head`). Nothing more to say to it,
        # and the interpreter's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FINE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="treadle",
        description="Drives the workflows of a folder of specs to completion, "
        "through edits, deletions, crashes and reboots.",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.register(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
