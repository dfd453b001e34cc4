"""`treadle`: parse the words, call the command, say in one line what went wrong.

Imports are most of what a short command costs, so only the module of the command that was named
is loaded; all of them only to tell what there is. What is heavy (yaml, watchdog, rich) they import
when they need it.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from controller.errors import ExitCode, TreadleError

# Every command and the module that registers it, in the order of the help.
COMMANDS = {
    "up": "up",
    "run": "run",
    "get": "get",
    "status": "get",
    "describe": "get",
    "logs": "logs",
    "events": "logs",
    "replay": "logs",
    "wait": "wait",
    "diff": "diff",
    "apply": "change",
    "delete": "change",
    "cancel": "change",
    "retry": "change",
    "restart": "change",
    "suspend": "change",
    "resume": "change",
    "mark": "change",
    "explain": "explain",
    "history": "history",
    "validate": "check",
    "schema": "check",
    "repair": "repair",
    "version": "version",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    _open_standard_streams()
    words = sys.argv[1:] if argv is None else list(argv)
    if words == ["--version"]:
        words = ["version"]
    parser = _parser(words)
    if not words:
        parser.print_help(sys.stderr)
        return int(ExitCode.USAGE)
    args = parser.parse_args(words)
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
        # The reader of our output has gone (`treadle events | head`). Nothing more to say to it.
        _write_nowhere()
        return int(ExitCode.FINE)
    except OSError as error:
        # What reads and writes files says so itself; what is left is the disk behind stdout.
        _write_nowhere()
        where = f"{error.filename}: " if error.filename else ""
        print(f"treadle: {where}{error.strerror}", file=sys.stderr)
        return int(ExitCode.STORAGE)


def _write_nowhere() -> None:
    """The interpreter's own flush at exit must not complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_standard_streams() -> None:
    """Put /dev/null where a caller closed one: else the next file to be opened gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - until the process ends


class _Parser(argparse.ArgumentParser):
    """Of one command: what it does not know is an error of its own, with its own usage."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="treadle",
        description="Drives the workflows of a folder of specs to completion, "
        "through edits, deletions, crashes and reboots.",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    named = COMMANDS.get(words[0]) if words else None
    for module in [named] if named else dict.fromkeys(COMMANDS.values()):
        import_module(f"controller.cli.{module}").register(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
