"""Which command the words mean, and what its arguments are.

argparse reads the arguments of the one command that was chosen. A mistake becomes a `Misuse`: one
line that says what was probably meant. The folders and `--utc` may stand before the command.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from controller.cli.arguments import EXPERTS, FOLDERS, Arg, Command, OneOf
from controller.cli.commands import COMMANDS
from controller.cli.help import examples, filled, usage

_FOLDERS = ("--specs", "--state")
_REQUIRED = "the following arguments are required: "  # so argparse begins this message
_ENDINGS_OF_SPECS = (".yaml", ".yml", ".json")


class Misuse(Exception):
    """The words are no command. The text is one line for a person."""


class NameMissing(Misuse):
    """A command needs a NAME: whoever prints it can say which ones there are."""


def split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The word that chooses the command, and all others, in order; "" if there is none."""
    before: list[str] = []
    rest = iter(words)
    for word in rest:
        option, has_value, _ = word.partition("=")
        if not word.startswith("-"):
            return word, [*before, *rest]
        before.append(word)
        if option in _FOLDERS:
            before += [] if has_value else [value for value in [next(rest, None)] if value]
        elif word not in ("--utc", "-h", "--help", "--version"):
            raise Misuse(f'"{word}" stands before the command; write: treadle COMMAND {word}')
    return "", before


def find_command(name: str) -> Command:
    """Raises Misuse, with the command that was probably meant."""
    for command in COMMANDS:
        if name == command.name or name in command.aliases:
            return command
    raise Misuse(f'no command "{name}"{_meant(name)} (treadle --help)')


def _meant(name: str) -> str:
    from controller.cli.habits import MEANT, SAID

    if name in SAID:
        return f": {SAID[name]}"
    if name in MEANT:
        return f'; did you mean "{MEANT[name]}"?'
    if name.endswith(_ENDINGS_OF_SPECS):
        return f'; did you mean "run {name}"?'
    from controller.view.find import hint

    return hint(
        name, ["help", *(word for command in COMMANDS for word in (command.name, *command.aliases))]
    )


def parser_of(command: Command) -> argparse.ArgumentParser:
    """The parser of this command. It leaves out settings that no option gives."""
    parser = _Parser(
        prog=f"treadle {command.name}",
        usage=usage(command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.command = command
    titles = ("Arguments", "", FOLDERS, EXPERTS)
    groups = {title: parser.add_argument_group(title or "Options") for title in titles}
    for argument in command.arguments:
        if isinstance(argument, OneOf):
            either = groups[argument.choices[0].heading].add_mutually_exclusive_group()
            for choice in argument.choices:
                _add(either, choice)
        else:
            of_words = not argument.flags[0].startswith("-")
            _add(groups["Arguments" if of_words else argument.heading], argument)
    groups[""].add_argument("-h", "--help", action="help", help="show this help")
    return parser


def folders_in(words: Sequence[str]) -> argparse.Namespace:
    """The folders that these words name, whatever else is wrong with them."""
    parser = _Parser(prog="treadle", add_help=False)
    for option in _FOLDERS:
        parser.add_argument(option, default=argparse.SUPPRESS)
    return parser.parse_known_args(words)[0]


def _add(group: argparse._ActionsContainer, argument: Arg) -> None:
    options = argument.options
    if argument.is_setting:
        options = {**options, "default": argparse.SUPPRESS}
    group.add_argument(*argument.flags, **options)


class _Parser(argparse.ArgumentParser):
    """The parser of one command. Where argparse exits with a usage, it raises Misuse."""

    command: Command

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:  # perhaps an option stands between the words, as in `logs etl -f load`
            known, unknown = self.parse_known_intermixed_args(args, namespace)
        if unknown:
            options = [word for word in unknown if word.startswith("-")]
            self.error(self._no_option(options[0]) if options else f'what is "{unknown[0]}"?')
        return known

    def error(self, message: str) -> NoReturn:
        command = self.prog.partition(" ")[2]
        missing = message.removeprefix(_REQUIRED)
        if missing.startswith("NAME"):
            raise NameMissing(command)
        if missing != message:
            message = f"{missing} {'are' if ', ' in missing else 'is'} missing"
        raise Misuse(f"{command}: {message.removeprefix('argument ')} ({self.prog} --help)")

    def print_help(self, file: Any = None) -> None:
        """The texts are made only now, since what breaks their lines takes long to load."""
        import shutil

        width = shutil.get_terminal_size().columns
        self.description = filled(self.command.description, width)
        self.epilog = "\n".join(examples(self.command.examples, width))
        super().print_help(file)
        sys.stdout.flush()  # argparse exits right after it

    def _no_option(self, word: str) -> str:
        from controller.view.find import hint

        option = word.partition("=")[0]
        return f'no option "{option}"{hint(option, self._option_string_actions)}'
