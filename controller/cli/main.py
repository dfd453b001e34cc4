"""`treadle`: parse the arguments, call the command, print an error in one line.

Imports are most of the time of a short command, so only the module of the chosen command is loaded,
and none for the help. Heavy modules (yaml, watchdog, rich) are imported where they are needed.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module

from controller.cli.commands import COMMANDS, Arg, Command, OneOf
from controller.cli.streams import open_standard_streams, write_nowhere

_DESCRIPTION = """\
Run the workflows of a folder of specs, and keep what runs in step with the
folder through edits, deletions, crashes and reboots."""
_OBJECTS_UNTIL_GC = 50_000  # new objects; those of imports and of a log are not garbage


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    gc.set_threshold(_OBJECTS_UNTIL_GC)
    failing = open_standard_streams()
    words = sys.argv[1:] if argv is None else list(argv)
    if words == ["--version"]:
        words = ["version"]
    parser = parser_of(words)
    args = parser.parse_args(words) if words else None
    _load_msgspec()  # behind the parser: `--help` does without
    if args is None:
        from controller.errors import ExitCode

        parser.print_help(sys.stderr)
        return int(ExitCode.USAGE)
    if args.output_is == "listing":
        sys.stdout = failing
    try:
        if args.output_is != "progress":
            return _run(args)
        from controller.host.outlet import nobody_waits

        with nobody_waits():
            return _run(args)
    finally:
        gc.freeze()  # else the interpreter searches all objects for garbage before it exits


def _run(args: argparse.Namespace) -> int:
    """Call the command, and print an error in one line."""
    from controller.errors import ExitCode, TreadleError

    code = int(ExitCode.FINE)
    try:
        try:
            _require_utf8(args)
            code = int(_function(args.function)(args))
        except TreadleError as error:
            print(f"treadle: {error}", file=sys.stderr)
            code = int(error.exit_code)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        # Code that uses files raises errors of its own; the rest comes from writing to stdout.
        write_nowhere()
        if isinstance(error, BrokenPipeError) and args.output_is == "listing":
            return code  # its reader has gone (`treadle events | head`)
        where = f"{error.filename}: " if error.filename else ""
        problem = f"{where}{error.strerror}"
        if isinstance(error, FileNotFoundError) and not error.filename and _is_nowhere():
            problem = "the current directory was deleted; cd to one that exists"
        print(f"treadle: {problem}", file=sys.stderr)
        return int(ExitCode.STORAGE)
    return code


def _require_utf8(args: argparse.Namespace) -> None:
    """Refuse words, and defaults from the environment, that have other bytes."""
    from controller.errors import NotUtf8

    for value in vars(args).values():
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str):
                try:
                    word.encode()
                except UnicodeEncodeError:
                    raise NotUtf8(word) from None


def _load_msgspec() -> None:
    """Import msgspec without typing_extensions, which takes long to load.

    msgspec finds all it needs in `typing` if typing_extensions is not installed.
    """
    if "typing_extensions" not in sys.modules:
        sys.modules["typing_extensions"] = None  # type: ignore[assignment] # for import: not there
        import_module("msgspec")
        del sys.modules["typing_extensions"]


def _is_nowhere() -> bool:
    """Whether the current directory was deleted: then no relative path means anything."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


class _Parser(argparse.ArgumentParser):
    """The parser of one command: for unknown arguments it shows the usage of that command."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def parser_of(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="treadle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_DESCRIPTION,
        epilog="\n".join(_overview()),
    )
    subparsers = parser.add_subparsers(
        metavar="COMMAND", required=True, parser_class=_Parser, prog=parser.prog
    )
    named = [command for command in COMMANDS if words and command.name == words[0]]
    for command in named or COMMANDS:
        of_command = subparsers.add_parser(command.name, description=command.description)
        of_command.set_defaults(function=command.function, output_is=command.output_is)
        if command.name in words:
            _add_arguments(of_command, command)
    return parser


def _overview() -> Iterator[str]:
    """A line for each command, in groups."""
    group = ""
    for command in COMMANDS:
        if command.group != group:
            if group:
                yield ""
            group = command.group
            yield f"{group}:"
        yield f"  {command.name:<9} {command.help}"


def _add_arguments(parser: argparse.ArgumentParser, command: Command) -> None:
    for argument in command.arguments:
        if isinstance(argument, OneOf):
            group = parser.add_mutually_exclusive_group()
            for choice in argument.choices:
                _add(group, choice)
        else:
            _add(parser, argument)


def _add(parser: argparse._ActionsContainer, argument: Arg) -> None:
    options = argument.options
    if default := os.environ.get(argument.variable):
        options = {**options, "default": default}
    parser.add_argument(*argument.flags, **options)


def _function(name: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = name.partition(":")
    command: Callable[[argparse.Namespace], int] = getattr(
        import_module(f"controller.cli.{module}"), function
    )
    return command


if __name__ == "__main__":
    sys.exit(main())
