"""The table of commands: each can be done, is told without doing, and has the right defaults."""

import inspect
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module

import pytest

from controller.cli import commands
from controller.cli.commands import COMMANDS, Arg, Command, OneOf
from controller.cli.main import parser_of
from controller.log.upkeep import KEEP_ARCHIVE_BYTES
from controller.planner.retention import KEEP_FINISHED
from controller.spec.load import SPEC_BYTES_MAX
from controller.view.times import MOMENTS

NAMES = [command.name for command in COMMANDS]
SHARED = {"__init__", "__main__", "main", "commands", "output", "streams"}


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_each_command_has_a_function_that_takes_the_words(command: Command) -> None:
    module, _, name = command.function.partition(":")
    function = getattr(import_module(f"controller.cli.{module}"), name)
    assert list(inspect.signature(function).parameters) == ["args"]
    assert function.__doc__


def test_no_name_is_there_twice() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_groups_hang_together() -> None:
    groups = [command.group for command in COMMANDS]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_no_option_of_a_command_is_there_twice(command: Command) -> None:
    flags = [flag for argument in _args(command) for flag in argument.flags]
    assert len(set(flags)) == len(flags)


def test_defaults_are_those_of_the_rooms_below() -> None:
    args = parser_of(["up"]).parse_args(["up"])
    assert args.keep_finished == KEEP_FINISHED
    assert args.keep_archive == KEEP_ARCHIVE_BYTES
    assert args.max_spec_size == SPEC_BYTES_MAX


def test_times_are_described_as_in_the_messages() -> None:
    assert MOMENTS in inspect.getsource(commands)


def test_a_variable_of_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_STATE", "elsewhere")
    monkeypatch.setenv("TREADLE_MIN_FREE", "3K")
    args = parser_of(["up"]).parse_args(["up"])
    assert (args.state, args.specs, args.min_free) == ("elsewhere", "specs", 3 << 10)


@pytest.mark.parametrize("words", [["--help"], [], ["get", "--help"], ["no-such-command"]])
def test_telling_what_there_is_imports_no_command(words: list[str]) -> None:
    assert _imported(words) == set()


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_help_of_each_command_can_be_shown(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser_of([command.name]).parse_args([command.name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(argument.flags[0] in shown for argument in _args(command) if _is_shown(argument))


def test_a_command_imports_only_its_own_module() -> None:
    assert _imported(["version"]) == {"version"}
    assert _imported(["get", "--state", "/nowhere"]) == {"get"}


def _args(command: Command) -> list[Arg]:
    found: list[Arg] = []
    for argument in command.arguments:
        found += argument.choices if isinstance(argument, OneOf) else [argument]
    return found


def _is_shown(argument: Arg) -> bool:
    return argument.flags[0].startswith("-") and argument.options.get("help") != "==SUPPRESS=="


def _imported(words: Sequence[str]) -> set[str]:
    """The modules of commands that are loaded when these words have been dealt with."""
    program = (
        "import sys\n"
        "from controller.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    loaded = done.stderr.splitlines()[-1].split()
    below = {name.removeprefix("controller.cli.") for name in loaded if "controller.cli." in name}
    return below - SHARED
