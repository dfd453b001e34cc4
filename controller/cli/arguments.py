"""The parts of the table of commands: options that several commands have, and how values are
written.

It imports only argparse, so that help is fast. Numbers that are constants elsewhere are written
here as a user would type them, and a test compares them.
"""

import argparse
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

# ---------------------------------------- the parts of the table


class Arg(NamedTuple):
    """The arguments of `add_argument`.

    A setting may also come from the environment or from treadle.toml; `settings.py` completes it.
    """

    flags: tuple[str, ...]
    options: dict[str, Any]
    heading: str = ""  # in the help; "" is the everyday options
    is_setting: bool = False
    variable: str = ""  # of a setting: its name in the environment
    fallback: str | None = None  # of a setting: its value if it comes from nowhere else

    @property
    def key(self) -> str:
        """Of a setting: its name in treadle.toml, `max-parallel`."""
        return self.flags[0].removeprefix("--")

    @property
    def field(self) -> str:
        """Of a setting: its name in the namespace, `max_parallel`."""
        return self.key.replace("-", "_")


class OneOf(NamedTuple):
    """Options that exclude each other."""

    choices: tuple[Arg, ...]


class Example(NamedTuple):
    command: str  # as it is typed
    does: str


class Command(NamedTuple):
    name: str
    function: (
        str  # "module:function" in controller.cli; it takes the namespace, gives the exit code
    )
    help: str  # a few words for the overview, which has two columns of them
    group: str  # of the overview
    arguments: tuple[Arg | OneOf, ...]
    description: str
    examples: tuple[Example, ...]
    aliases: tuple[str, ...] = ()
    # A listing ends when its reader is gone, with 0. A verdict goes on without one, for its exit
    # code. Progress does too, and does not wait for one that is slow.
    output_is: Literal["listing", "verdict", "progress"] = "verdict"

    @property
    def changes_nothing(self) -> bool:
        return self.function.startswith("reading.")

    def every_argument(self) -> Iterator[Arg]:
        for argument in self.arguments:
            yield from argument.choices if isinstance(argument, OneOf) else (argument,)

    def settings(self) -> Iterator[Arg]:
        return (argument for argument in self.every_argument() if argument.is_setting)


def arg(*flags: str, heading: str = "", **options: Any) -> Arg:
    return Arg(flags, options, heading)


def setting(
    flag: str, *, variable: str = "", fallback: str | None = None, heading: str, **options: Any
) -> Arg:
    return Arg((flag,), options, heading, True, variable, fallback)


# ---------------------------------------- how to write values


def count(text: str) -> int:
    return _whole(text, least=0)


def positive(text: str) -> int:
    return _whole(text, least=1)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}")
    return _in_reach(number)


def _in_reach(number: int) -> int:
    """Nothing counts further, and what takes a number may fail there."""
    if number >= 1 << 63:
        raise argparse.ArgumentTypeError("is too large")
    return number


class MaxParallel(NamedTuple):
    """How many attempts may be under way at once; see `max_parallel`."""

    machine: int | None = None  # None: as many as the machine has cores
    engines: dict[str, int] = {}  # of the others, where it is not the default

    def __str__(self) -> str:
        """As a user would type it."""
        machine = [] if self.machine is None else [str(self.machine)]
        return ",".join([*machine, *(f"{name}={n}" for name, n in self.engines.items())])


def max_parallel(text: str) -> MaxParallel:
    """`8`, `slurm=1000`, `8,slurm=200`: on this machine, and of each other engine."""
    machine, engines = None, dict[str, int]()
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        if (name in engines) if name else (machine is not None):
            raise argparse.ArgumentTypeError(f"{text!r} has two numbers for one limit")
        if name:
            _require_limit(name)
            engines[name] = positive(number)
        else:
            machine = positive(part)
    return MaxParallel(machine, engines)


def _require_limit(engine: str) -> None:
    """Refuse an engine that has no limit of its own."""
    from controller.spec.placement import ENGINES, SLOTS_OF_ENGINES

    if engine in SLOTS_OF_ENGINES:
        return
    problem = f"there is no engine {engine!r}"
    if engine in ENGINES:
        problem = f"steps of {engine} run on this machine, so a plain number limits them"
    more = ", ".join(f"{name}=N" for name in SLOTS_OF_ENGINES)
    raise argparse.ArgumentTypeError(f"{problem}; write N, or {more}")


def run_number(text: str) -> str:
    """`3`, `last` or `all`."""
    if not (text in ("last", "all") or (text.isdecimal() and int(text) > 0)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a run; try 3, last or all")
    return text


def size(text: str) -> int:
    """`65536`, `64K`, `8M`, `0`: a number of bytes."""
    factors = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    factor = factors.get(text[-1:].upper())
    try:
        number = int(text[:-1]) * factor if factor else int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; try 8M")
    return _in_reach(number)


def length(text: str) -> float:
    """`60`, `1m30s`: seconds."""
    from controller.view.times import parse_length

    seconds = parse_length(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length of time; try 60 or 1m30s")
    return seconds


# ---------------------------------------- arguments of several commands

FOLDERS, EXPERTS = "Folders and times", "For experts"

SPECS = setting(
    "--specs",
    metavar="DIR",
    heading=FOLDERS,
    variable="TREADLE_SPECS",
    fallback="specs",
    help="the folder of specs (default: $TREADLE_SPECS, else that of the project, else specs)",
)
RARE_SPECS = arg(
    "--specs",
    metavar="DIR",
    heading=FOLDERS,
    help="the folder of the templates, Defaults and pools that the files do not have "
    "(default: as for `up`)",
)
# They may be written with any command, also with one that does not need them.
UNUSED_SPECS = arg("--specs", metavar="DIR", dest="_", help=argparse.SUPPRESS)
UNUSED_STATE = arg("--state", metavar="DIR", dest="_", help=argparse.SUPPRESS)
UNUSED_UTC = arg("--utc", action="store_true", dest="_", help=argparse.SUPPRESS)
STATE = setting(
    "--state",
    metavar="DIR",
    heading=FOLDERS,
    variable="TREADLE_STATE",
    fallback=".treadle",
    help="the folder of the state and the log "
    "(default: $TREADLE_STATE, else that of the project, else .treadle)",
)
UTC = arg(
    "--utc", heading=FOLDERS, action="store_true", help="show times in UTC, not in local time"
)
FOLDER_OPTIONS = (SPECS, STATE, UTC)
READ_OPTIONS = (UNUSED_SPECS, STATE, UTC)
UNUSED_FOLDERS = (UNUSED_SPECS, UNUSED_STATE, UNUSED_UTC)
NAME_HELP = "a workflow: its name, or (the start of) its uid"
NAME = arg("name", metavar="NAME", help=NAME_HELP)
NAME_IF_ANY = arg("name", nargs="?", metavar="NAME", help=NAME_HELP)
NAMES = arg(
    "names", nargs="*", metavar="NAME", help=f"{NAME_HELP}, or a pattern in quotes, like 'etl-*'"
)
PATTERN_HELP = "or a pattern in quotes, like 'clean-*'"
NAME_OF_STEPS_HELP = f"{NAME_HELP}; NAME/STEP names a step, too"
NAME_OF_STEPS = arg("name", metavar="NAME", help=NAME_OF_STEPS_HELP)
NAME_OF_STEPS_IF_ANY = arg("name", nargs="?", metavar="NAME", help=NAME_OF_STEPS_HELP)
STEPS = arg("steps", nargs="*", metavar="STEP", help=f"only this step, {PATTERN_HELP}")
STEP_IF_ANY = arg("steps", nargs="*", metavar="STEP", help="only this step")
UID = arg(
    "--uid",
    metavar="UID",
    help="this workflow among those of that NAME: a uid, or its first 8 characters",
)
MOMENTS = "5m (ago), 12:59, yesterday, 2026-11-27 or 2026-11-27T12:59:00+01:00"
AT = arg(
    "--at",
    metavar="SEQ|TIME",
    help=f"show it as it was after this record, like 12, or at this time: {MOMENTS}",
)
TAIL = arg("-n", "--tail", type=count, metavar="N", help="only the last N lines of each step")
LIST_FORM = arg(
    "-o",
    "--output",
    choices=("wide", "json", "yaml", "name"),
    help="wide: more columns; json, yaml: for scripts; name: only names",
)
DRY_RUN = arg("--dry-run", action="store_true", help="show what it would do, but do nothing")
KEEP_SPEC = arg(
    "--keep-spec",
    action="store_true",
    help="keep the own spec of an instance that has finished; otherwise it gets the newest",
)
REASON_HELP = "reason, shown in status and events"
REASON = arg("--reason", metavar="WHY", default="", help=REASON_HELP)
PARAMS = (
    arg(
        "-p",
        dest="values",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of a param, read by its type; lists and mappings are JSON",
    ),
    arg(
        "--params",
        action="append",
        default=[],
        metavar="FILE",
        help="values of params, as a YAML or JSON mapping; those of -p win",
    ),
)
MAX_PARALLEL = setting(
    "--max-parallel",
    type=max_parallel,
    metavar="N",
    heading="",
    help="how many steps may run at once (default: the number of cores); slurm=N: how many jobs "
    "of Slurm there may be (default: 1000); 8,slurm=200: both",
)
SHOW_OUTPUT = arg(
    "--show-output",
    choices=("failed", "all", "none", "stream"),
    default="failed",
    help="show the last lines that steps printed: of those that fail (the default), all, or none; "
    "stream shows all output while it comes",
)
LOG_FORMAT = arg(
    "--log-format",
    choices=("text", "json"),
    default="text",
    help="json: one JSON object a line, for each phase that changes",
)
MAX_SPEC_SIZE = setting(
    "--max-spec-size",
    type=size,
    metavar="BYTES",
    heading=EXPERTS,
    fallback="8M",
    help="refuse larger spec files (default: 8M)",
)
LIMITS = (
    setting(
        "--min-free",
        type=size,
        metavar="BYTES",
        heading=EXPERTS,
        variable="TREADLE_MIN_FREE",
        help="start nothing new while less is free on the disk of the state folder "
        "(default: $TREADLE_MIN_FREE, else 1G, or 5 %% of the disk if that is less)",
    ),
    setting(
        "--keep-finished",
        type=count,
        metavar="N",
        heading=EXPERTS,
        fallback="1000",
        help="how many ended workflows (deleted, or started by `run`) to keep before they go to "
        "the archive (default: 1000)",
    ),
    setting(
        "--keep-archive",
        type=size,
        metavar="BYTES",
        heading=EXPERTS,
        fallback="1G",
        help="delete the oldest part of the archive when it is larger (default: 1G)",
    ),
)


def json_form(what: str | None = None) -> Arg:
    return arg("-o", "--output", choices=("json",), help=what)
