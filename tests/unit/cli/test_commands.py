"""The table of commands: each can be done, is told without doing, and has the right defaults."""

import argparse
import inspect
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from controller.cli import arguments
from controller.cli.arguments import Arg, Command, MaxParallel, max_parallel
from controller.cli.commands import COMMANDS
from controller.cli.habits import MEANT, SAID
from controller.cli.help import overview
from controller.cli.parser import Misuse, find_command, parser_of, split
from controller.cli.settings import complete, specs_folder
from controller.errors import UsageError
from controller.log.upkeep import KEEP_ARCHIVE_BYTES
from controller.planner.retention import KEEP_FINISHED
from controller.spec.placement import SLOTS_OF_ENGINES
from controller.spec.reading.load import SPEC_BYTES_MAX
from controller.view.times import MOMENTS

NAMES = [command.name for command in COMMANDS]
SHARED = {
    "__init__", "__main__", "main", "arguments", "commands", "help", "parser", "project",
    "settings", "habits", "output", "streams", "reading", "acting",
}  # fmt: skip


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
    flags = [flag for argument in command.every_argument() for flag in argument.flags]
    assert len(set(flags)) == len(flags)


def read(name: str, *words: str) -> argparse.Namespace:
    """The arguments of this command, with every setting."""
    command = find_command(name)
    args = parser_of(command).parse_args(words)
    complete(args, command)
    return args


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, in no project and without variables."""
    for variable in ("TREADLE_SPECS", "TREADLE_STATE", "TREADLE_MIN_FREE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("empty")
def test_defaults_are_those_of_the_rooms_below() -> None:
    args = read("up")
    assert (args.specs, args.state) == ("specs", ".treadle")
    assert args.keep_finished == KEEP_FINISHED
    assert args.keep_archive == KEEP_ARCHIVE_BYTES
    assert args.max_spec_size == SPEC_BYTES_MAX
    assert (args.max_parallel, args.min_free) == (None, None)


def test_times_are_described_as_in_the_messages() -> None:
    assert MOMENTS in inspect.getsource(arguments)


def test_a_command_that_rarely_needs_the_specs_folder_looks_for_it_then(empty: Path) -> None:
    """`run --state x` reads no treadle.toml, unless it has to find a template."""
    (empty / "treadle.toml").write_text("not TOML")
    assert read("run", "--state", "x", "a.yaml").specs is None
    assert specs_folder("flows") == "flows"
    with pytest.raises(UsageError, match="is not TOML"):
        specs_folder(None)
    (empty / "treadle.toml").write_text('specs = "flows"')
    assert specs_folder(None) == "flows"


THREE = MaxParallel(3)
TOML = 'state = "of-file"\nmax-parallel = 3\nmin-free = "2K"\n'


@pytest.mark.parametrize(
    ("words", "variables", "file", "expected"),
    [
        ((), {}, "", (".treadle", None, None)),
        ((), {}, TOML, ("of-file", THREE, 2 << 10)),
        ((), {"TREADLE_MIN_FREE": "3K"}, TOML, ("of-file", THREE, 3 << 10)),
        ((), {"TREADLE_STATE": "of-env"}, TOML, ("of-env", THREE, 2 << 10)),
        (("--state", "x"), {"TREADLE_STATE": "of-env"}, TOML, ("x", THREE, 2 << 10)),
        (("--max-parallel", "1", "--min-free", "0"), {}, TOML, ("of-file", MaxParallel(1), 0)),
        (("--state", "x", "--specs", "y"), {}, TOML, ("x", None, None)),
        (("--state", "x"), {"TREADLE_SPECS": "y"}, "not TOML", ("x", None, None)),
    ],
)
def test_an_option_wins_then_the_environment_then_the_file(
    words: tuple[str, ...],
    variables: dict[str, str],
    file: str,
    expected: tuple[object, ...],
    empty: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    if file:
        (empty / "treadle.toml").write_text(file)
    args = read("up", *words)
    assert (args.state, args.max_parallel, args.min_free) == expected


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("8", MaxParallel(8)),
        ("slurm=200", MaxParallel(None, {"slurm": 200})),
        ("8,slurm=200", MaxParallel(8, {"slurm": 200})),
        ("slurm=200,8", MaxParallel(8, {"slurm": 200})),
    ],
)
@pytest.mark.usefixtures("empty")
def test_the_limits_of_this_machine_and_of_engines(text: str, limits: MaxParallel) -> None:
    assert read("up", "--max-parallel", text).max_parallel == limits
    assert max_parallel(str(limits)) == limits, "as another process is told it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "must be at least 1"),
        ("slurm=0", "must be at least 1"),
        ("slurm=", "'' is not a whole number"),
        ("", "'' is not a whole number"),
        ("4,", "'4,' has two numbers for one limit"),
        ("4,8", "'4,8' has two numbers for one limit"),
        ("slurm=1,slurm=2", "has two numbers for one limit"),
        ("condor=4", "there is no engine 'condor'; write N, or slurm=N"),
        ("container=4", "steps of container run on this machine, so a plain number limits them"),
        ("local=4", "steps of local run on this machine, so a plain number limits them; write N"),
    ],
)
def test_limits_that_make_no_sense(text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        max_parallel(text)
    assert said in str(refused.value)


def test_the_default_limits_are_as_the_help_says() -> None:
    for engine, slots in SLOTS_OF_ENGINES.items():
        assert f"{engine}=N" in arguments.MAX_PARALLEL.options["help"]
        assert f"(default: {slots})" in arguments.MAX_PARALLEL.options["help"]


def test_a_wrong_value_in_the_environment_is_named(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_MIN_FREE", "much")
    with pytest.raises(UsageError, match="TREADLE_MIN_FREE: 'much' is not a size; try 8M"):
        read("up")


@pytest.mark.parametrize("words", ["up --max-spec-size", "up --max-parallel", "events -n"])
def test_a_number_that_nothing_can_count_to_is_too_large(words: str) -> None:
    with pytest.raises(Misuse, match="is too large"):
        read(*words.split(), str(1 << 63))


@pytest.mark.parametrize("words", [["--help"], [], ["get", "--help"], ["no-such-command"]])
def test_telling_what_there_is_imports_no_command(words: list[str]) -> None:
    assert _imported(words) == set()


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_help_of_each_command_can_be_shown(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser_of(command).parse_args(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(
        argument.flags[0] in shown for argument in command.every_argument() if _is_shown(argument)
    )


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_each_command_has_a_sentence_and_examples_that_can_be_read(command: Command) -> None:
    assert command.description.endswith(".")
    assert 1 <= len(command.examples) <= 4
    for example in command.examples:
        name, words = split(shlex.split(example.command)[1:])
        assert name == command.name
        assert parser_of(command).parse_args(words)
        assert len(example.command) < 70


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_overview_lists_each_command_once(width: int) -> None:
    lines = list(overview(width, ["Folder: specs"]))
    table = " ".join(lines[: lines.index("Examples")])
    for command in COMMANDS:
        assert table.count(f"  {command.name:<9} {command.help}") == 1
        assert len(command.help) <= 27, "two columns of 80"
    if width >= 80:
        assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("get etl", ("get", ["etl"])),
        ("--state x get etl", ("get", ["--state", "x", "etl"])),
        ("--state=x --specs y get", ("get", ["--state=x", "--specs", "y"])),
        ("--help", ("", ["--help"])),
        ("-h get", ("get", ["-h"])),
        ("--utc get", ("get", ["--utc"])),
        ("--state", ("", ["--state"])),
        ("--state x", ("", ["--state", "x"])),
        ("", ("", [])),
    ],
)
def test_folders_may_stand_before_the_command(words: str, expected: tuple[str, list[str]]) -> None:
    assert split(words.split()) == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("log etl", 'no command "log"; did you mean "logs"?'),
        ("ls", 'no command "ls"; did you mean "get"?'),
        ("stop etl", 'no command "stop"; did you mean "cancel"?'),
        ("statsu", 'no command "statsu"; did you mean "status"?'),
        ("descirbe", 'no command "descirbe"; did you mean "describe"?'),
        ("trigger etl", 'no command "trigger"; did you mean "start"?'),
        ("job.yaml", 'did you mean "run job.yaml"?'),
        ("qqq", 'no command "qqq" (treadle --help)'),
        ("-o json get", '"-o" stands before the command; write: treadle COMMAND -o'),
        ("get --watchh", 'get: no option "--watchh"; did you mean "--watch"? (treadle get --help)'),
        ("up --max-paralel=3", 'no option "--max-paralel"; did you mean "--max-parallel"?'),
        ("history a b", 'history: what is "b"?'),
        ("apply", "apply: -f/--file is missing (treadle apply --help)"),
        ("mark etl/a", "mark: --succeeded, --reason are missing"),
        ("up --max-parallel x", "up: --max-parallel: 'x' is not a whole number"),
    ],
)
def test_a_mistake_is_answered_by_what_was_meant(words: str, said: str) -> None:
    with pytest.raises(Misuse) as mistake:
        name, rest = split(words.split())
        parser_of(find_command(name)).parse_args(rest)
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_habits_lead_to_commands_that_are_there_and_hide_none() -> None:
    for habit, meant in MEANT.items():
        find_command(meant.split()[0])
        with pytest.raises(Misuse):
            find_command(habit)
    assert not MEANT.keys() & SAID.keys()


def test_a_command_imports_only_its_own_module() -> None:
    assert _imported(["version"]) == {"reading.version"}
    assert _imported(["get", "--state", "/nowhere"]) == {"reading.get"}


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
