"""The texts of `treadle --help` and of each command's help, made from the table of commands."""

from collections.abc import Iterator, Sequence

from controller.cli.arguments import Arg, Command, Example
from controller.cli.commands import COMMANDS, START

_TITLE = "treadle runs DAGs of shell steps from YAML files, through edits and crashes."
_EXAMPLES = (
    Example("treadle up", "run what is in ./specs, and follow every edit"),
    Example("treadle run job.yaml", "run one file now"),
    Example("treadle logs -f etl load", "follow a step"),
    Example("treadle diff", "what would my edit run again?"),
)
_WIDTH_OF_TWO_COLUMNS = 80
_COLUMN = 39


def overview(width: int, place: Sequence[str]) -> Iterator[str]:
    """All commands in groups, and the `place`: the folders that a command would use here."""
    yield from filled(_TITLE, width).splitlines()
    for group in dict.fromkeys(command.group for command in COMMANDS):
        yield from ("", group) if group == START else (group,)
        entries = [
            f"{command.name:<9} {command.help}" for command in COMMANDS if command.group == group
        ]
        beside = 2 if width >= _WIDTH_OF_TWO_COLUMNS else 1
        for n in range(0, len(entries), beside):
            row = "".join(entry.ljust(_COLUMN) for entry in entries[n : n + beside])
            yield f"  {row.rstrip()}"
    yield ""
    yield from examples(_EXAMPLES, width)
    yield ""
    line = "   ".join(place)
    yield from [line] if line and len(line) <= width else place
    yield "treadle help COMMAND shows its options and examples."


def examples(listed: Sequence[Example], width: int) -> Iterator[str]:
    """What each example does stands behind it, or below it where there is no room."""
    yield "Examples"
    column = max(len(example.command) for example in listed) + 2
    fits = 2 + column + max(len(example.does) for example in listed) <= width
    for command, does in listed:
        yield f"  {command.ljust(column)}{does}" if fits else f"  {command}\n      {does}"


def usage(command: Command) -> str:
    """`treadle logs NAME [STEP] [options]`."""
    words = ["treadle", command.name]
    for argument in command.every_argument():
        if not argument.flags[0].startswith("-"):
            words.append(_positional(argument))
        elif argument.options.get("required"):
            words += argument.flags[:1]
            words += [argument.options["metavar"]] if "metavar" in argument.options else []
    return " ".join([*words, "[options]"])


def _positional(argument: Arg) -> str:
    name = argument.options.get("metavar", argument.flags[0])
    many = "…" if argument.options.get("nargs") in ("*", "+") else ""
    optional = argument.options.get("nargs") in ("*", "?")
    return f"[{name}{many}]" if optional else f"{name}{many}"


def filled(text: str, width: int) -> str:
    import textwrap

    return textwrap.fill(text, max(20, width))
