"""The table of commands: their names, functions and arguments.

The parser is built from it, so help imports no module of a command, and a command imports only its
own. This module imports only argparse. Numbers that are constants elsewhere are written here as a
user would type them, and a test compares them.
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

    def every_argument(self) -> Iterator[Arg]:
        for argument in self.arguments:
            yield from argument.choices if isinstance(argument, OneOf) else (argument,)

    def settings(self) -> Iterator[Arg]:
        return (argument for argument in self.every_argument() if argument.is_setting)


def _arg(*flags: str, heading: str = "", **options: Any) -> Arg:
    return Arg(flags, options, heading)


def _setting(
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

_SPECS = _setting(
    "--specs",
    metavar="DIR",
    heading=FOLDERS,
    variable="TREADLE_SPECS",
    fallback="specs",
    help="the folder of specs (default: $TREADLE_SPECS, else that of the project, else specs)",
)
# They may be written with any command, also with one that does not need them.
_UNUSED_SPECS = _arg("--specs", metavar="DIR", dest="_", help=argparse.SUPPRESS)
_UNUSED_STATE = _arg("--state", metavar="DIR", dest="_", help=argparse.SUPPRESS)
_UNUSED_UTC = _arg("--utc", action="store_true", dest="_", help=argparse.SUPPRESS)
_STATE = _setting(
    "--state",
    metavar="DIR",
    heading=FOLDERS,
    variable="TREADLE_STATE",
    fallback=".treadle",
    help="the folder of the state and the log "
    "(default: $TREADLE_STATE, else that of the project, else .treadle)",
)
_UTC = _arg(
    "--utc", heading=FOLDERS, action="store_true", help="show times in UTC, not in local time"
)
_FOLDERS = (_SPECS, _STATE, _UTC)
_READ = (_UNUSED_SPECS, _STATE, _UTC)
_UNUSED_FOLDERS = (_UNUSED_SPECS, _UNUSED_STATE, _UNUSED_UTC)
_NAME_HELP = "a workflow: its name, or (the start of) its uid"
_NAME = _arg("name", metavar="NAME", help=_NAME_HELP)
_NAME_IF_ANY = _arg("name", nargs="?", metavar="NAME", help=_NAME_HELP)
_NAMES = _arg(
    "names", nargs="*", metavar="NAME", help=f"{_NAME_HELP}, or a pattern in quotes, like 'etl-*'"
)
_PATTERN_HELP = "or a pattern in quotes, like 'clean-*'"
_NAME_OF_STEPS_HELP = f"{_NAME_HELP}; NAME/STEP names a step, too"
_NAME_OF_STEPS = _arg("name", metavar="NAME", help=_NAME_OF_STEPS_HELP)
_NAME_OF_STEPS_IF_ANY = _arg("name", nargs="?", metavar="NAME", help=_NAME_OF_STEPS_HELP)
_STEPS = _arg("steps", nargs="*", metavar="STEP", help=f"only this step, {_PATTERN_HELP}")
_STEP_IF_ANY = _arg("steps", nargs="*", metavar="STEP", help="only this step")
_UID = _arg(
    "--uid",
    metavar="UID",
    help="this workflow among those of that NAME: a uid, or its first 8 characters",
)
_MOMENTS = "5m (ago), 12:59, yesterday, 2026-11-27 or 2026-11-27T12:59:00+01:00"
_AT = _arg(
    "--at",
    metavar="SEQ|TIME",
    help=f"show it as it was after this record, like 12, or at this time: {_MOMENTS}",
)
_TAIL = _arg("-n", "--tail", type=count, metavar="N", help="only the last N lines of each step")
_LIST_FORM = _arg(
    "-o",
    "--output",
    choices=("wide", "json", "yaml", "name"),
    help="wide: more columns; json, yaml: for scripts; name: only names",
)
_DRY_RUN = _arg("--dry-run", action="store_true", help="show what it would do, but do nothing")
_REASON_HELP = "reason, shown in status and events"
_REASON = _arg("--reason", metavar="WHY", default="", help=_REASON_HELP)
_MAX_PARALLEL = _setting(
    "--max-parallel",
    type=positive,
    metavar="N",
    heading="",
    help="how many steps may run at once (default: the number of cores)",
)
_SHOW_OUTPUT = _arg(
    "--show-output",
    choices=("failed", "all", "none", "stream"),
    default="failed",
    help="show the last lines that steps printed: of those that fail (the default), all, or none; "
    "stream shows all output while it comes",
)
_LOG_FORMAT = _arg(
    "--log-format",
    choices=("text", "json"),
    default="text",
    help="json: one JSON object a line, for each phase that changes",
)
_MAX_SPEC_SIZE = _setting(
    "--max-spec-size",
    type=size,
    metavar="BYTES",
    heading=EXPERTS,
    fallback="8M",
    help="refuse larger spec files (default: 8M)",
)
_LIMITS = (
    _setting(
        "--min-free",
        type=size,
        metavar="BYTES",
        heading=EXPERTS,
        variable="TREADLE_MIN_FREE",
        help="start nothing new while less is free on the disk of the state folder "
        "(default: $TREADLE_MIN_FREE, else 1G, or 5 %% of the disk if that is less)",
    ),
    _setting(
        "--keep-finished",
        type=count,
        metavar="N",
        heading=EXPERTS,
        fallback="1000",
        help="how many ended workflows (deleted, or started by `run`) to keep before they go to "
        "the archive (default: 1000)",
    ),
    _setting(
        "--keep-archive",
        type=size,
        metavar="BYTES",
        heading=EXPERTS,
        fallback="1G",
        help="delete the oldest part of the archive when it is larger (default: 1G)",
    ),
)


def _json(what: str | None = None) -> Arg:
    return _arg("-o", "--output", choices=("json",), help=what)


# ---------------------------------------- the table

_CHANGE = (*_FOLDERS, _DRY_RUN)

START, LOOK, CHANGE, CHECK, MAINTAIN = "Start", "Look", "Change", "Check", "Maintain"

# In the order of the overview.
COMMANDS = (
    Command(
        "up",
        "up:up",
        "run the controller",
        START,
        (
            *_FOLDERS,
            _arg("--once", action="store_true", help="exit when everything has finished"),
            _arg(
                "--fail-if-empty",
                action="store_true",
                help="with --once: exit with 2 if the folder has no specs",
            ),
            _MAX_PARALLEL,
            _SHOW_OUTPUT,
            _LOG_FORMAT,
            _arg(
                "--end-steps",
                action="store_true",
                help="when stopped, stop running steps; the next controller tries them again",
            ),
            OneOf(
                (
                    _arg(
                        "--standby",
                        heading=EXPERTS,
                        action="store_const",
                        dest="if_held",
                        default="refuse",
                        const="stand by",
                        help="wait for the state folder while another controller holds it",
                    ),
                    _arg(
                        "--take-over",
                        heading=EXPERTS,
                        action="store_const",
                        dest="if_held",
                        default="refuse",
                        const="take over",
                        help="stop the controller that holds the state folder; steps keep running",
                    ),
                )
            ),
            _arg(
                "--adopt-folder",
                heading=EXPERTS,
                action="store_true",
                help="use this state folder although it belongs to another specs folder",
            ),
            _arg(
                "--allow-insecure-specs",
                heading=EXPERTS,
                action="store_true",
                help="use a specs folder that others can write to: they can run commands as you",
            ),
            _arg(
                "--poll",
                heading=EXPERTS,
                action="store_true",
                help="look every 1.5 s instead of watching, for network file systems",
            ),
            _MAX_SPEC_SIZE,
            *_LIMITS,
        ),
        "Run the workflows of the specs folder, in the foreground. Ctrl-C stops the controller; "
        "running steps keep running, and the next controller adopts them.",
        (
            Example("treadle up", "run ./specs, and follow every edit"),
            Example("treadle up --once", "exit when everything has finished"),
            Example("treadle up --specs flows --max-parallel 4", "another folder, 4 steps at once"),
        ),
        output_is="progress",
    ),
    Command(
        "run",
        "run:run",
        "run files once, to the end",
        START,
        (
            *_READ,
            _arg("files", nargs="*", metavar="FILE", help="a file of specs"),
            _arg("--resume", action="store_true", help="continue the last run of the workflow"),
            _arg("--detach", action="store_true", help="run in the background"),
            _MAX_PARALLEL,
            _SHOW_OUTPUT,
            _LOG_FORMAT,
            _MAX_SPEC_SIZE,
            *_LIMITS,
            # For the background process of `--detach`: requests that are already written.
            _arg("--asked", action="append", default=[], help=argparse.SUPPRESS),
        ),
        "Run only the workflows of these files, to the end. The files need not be in the "
        "specs folder. Each run starts from the beginning; --resume continues the last one.",
        (
            Example("treadle run job.yaml", "run it, and show progress"),
            Example("treadle run --resume job.yaml", "run again only what did not succeed"),
            Example("treadle run --detach job.yaml", "in the background"),
        ),
        output_is="progress",
    ),
    Command(
        "get",
        "get:get",
        "list workflows",
        LOOK,
        (
            *_READ,
            _NAMES,
            _UID,
            _LIST_FORM,
            _arg(
                "-l",
                "--selector",
                metavar="LABELS",
                help="only those with these labels: team=data,env!=dev",
            ),
            _arg("--failed", action="store_true", help="only those whose last run failed"),
            _arg("--running", action="store_true", help="only those that are running"),
            _arg(
                "--sort-by",
                choices=("name", "last-run", "duration", "phase", "age"),
                default="",
                help="what comes first: the latest run, the longest run, what needs you, or the "
                "youngest workflow (default: by name)",
            ),
            _arg(
                "--group-by",
                metavar="folder|LABEL",
                help="put a heading over each folder of specs, or over each value of a label",
            ),
            _arg("-w", "--watch", action="store_true", help="then show each change"),
            _AT,
        ),
        "List the workflows: all, or those with these names.",
        (
            Example("treadle get", "all workflows"),
            Example("treadle get -l team=data -o wide", "those with this label, more columns"),
            Example("treadle get etl -o json", "for scripts"),
            Example("treadle get -w", "then a line for each change"),
        ),
        output_is="listing",
    ),
    Command(
        "status",
        "get:status",
        "one workflow in detail",
        LOOK,
        (
            *_READ,
            _NAME_OF_STEPS_IF_ANY,
            _STEP_IF_ANY,
            _UID,
            _arg("-o", "--output", choices=("wide", "json", "yaml")),
            _AT,
            _arg("--run", type=positive, metavar="N", help="show it as it was when run N ended"),
        ),
        "Show one workflow: its phase, the output of what failed, and its steps. Without NAME, "
        "show every workflow that has not finished, or that failed.",
        (
            Example("treadle status etl", "this workflow"),
            Example("treadle status etl/load", "one step of it, with all its attempts"),
            Example("treadle status", "every workflow that is unfinished or failed"),
            Example("treadle status etl --run 1", "how an earlier run ended"),
        ),
        aliases=("describe",),
    ),
    Command(
        "runs",
        "runs:runs",
        "past runs",
        LOOK,
        (
            *_READ,
            _NAME_IF_ANY,
            _arg(
                "-n",
                "--tail",
                type=positive,
                metavar="N",
                help="only the last N (default: 20; with --all: all of them)",
            ),
            _arg(
                "--all",
                action="store_true",
                help="also older ones, from the whole log and the archive",
            ),
            _json("one JSON object a line"),
        ),
        "List the last runs of a workflow, or of all workflows: when and why each began, how long "
        "it took, and its result. The last line says how long a run usually takes.",
        (
            Example("treadle runs", "the latest runs of all workflows"),
            Example("treadle runs etl", "of one workflow, with its usual time"),
            Example("treadle runs etl --all", "also those in the archive"),
        ),
        output_is="listing",
    ),
    Command(
        "logs",
        "logs:logs",
        "output of steps",
        LOOK,
        (
            *_READ,
            _NAME_OF_STEPS,
            _STEPS,
            _UID,
            _arg(
                "-f",
                "--follow",
                action="store_true",
                help="follow what runs now, through retries, until the run has finished",
            ),
            _TAIL,
            _arg("--failed", action="store_true", help="only steps that failed in the run"),
            _arg(
                "--run",
                type=run_number,
                metavar="N|last|all",
                help="another run: by its number, the last one that has finished, or all attempts",
            ),
            _arg("--attempt", type=int, metavar="N", help="this attempt, of whichever run"),
            _arg(
                "--since",
                metavar="TIME",
                help=f"only attempts that ran at or after this time: {_MOMENTS}",
            ),
        ),
        "Show the output (stdout and stderr) of each step, or of some steps, in the present run. "
        "If there were retries, show the last attempt.",
        (
            Example("treadle logs etl", "all steps"),
            Example("treadle logs -f etl load", "one step, until it has finished"),
            Example("treadle logs etl 'clean-*' -n 20", "the last 20 lines of each of these"),
            Example("treadle logs etl --failed --run last", "what failed in the last run"),
        ),
        output_is="listing",
    ),
    Command(
        "explain",
        "explain:explain",
        "why it waits, ran or failed",
        LOOK,
        (
            *_READ,
            _arg("name", metavar="NAME|FIELD", help="a workflow, NAME/STEP, or a field of a spec"),
            _STEP_IF_ANY,
            _arg(
                "--inputs",
                action="store_true",
                help="show what the fingerprint of each attempt was made of",
            ),
            _json(),
        ),
        "Show why a step waits, runs, ran again or was skipped, down to the root cause. "
        "`explain workflow.spec.steps.retry` shows what that field of a spec means.",
        (
            Example("treadle explain etl", "every step that has not succeeded"),
            Example("treadle explain etl load", "one step, and why it ran again"),
            Example("treadle explain workflow.spec.steps.retry", "a field of a spec"),
        ),
        output_is="listing",
    ),
    Command(
        "events",
        "logs:events",
        "what happened, in order",
        LOOK,
        (
            *_READ,
            _NAME_OF_STEPS_IF_ANY,
            _STEPS,
            _UID,
            _arg("-f", "--follow", action="store_true", help="then show new events"),
            _arg("-n", "--tail", type=count, metavar="N", help="only the last N lines"),
            _arg("--since", metavar="TIME", help=f"only what happened since: {_MOMENTS}"),
            _arg("--all", action="store_true", help="also what only follows from other lines"),
            _json("everything, one JSON object a line"),
        ),
        "Show what happened: each start, each end and each decision.",
        (
            Example("treadle events etl", "of one workflow"),
            Example("treadle events etl/load --all", "of one step, in every detail"),
            Example("treadle events -f -n 20", "the last 20, and then new ones"),
            Example("treadle events --since yesterday -o json", "for scripts"),
        ),
        output_is="listing",
    ),
    Command(
        "apply",
        "files:apply",
        "put a spec into the folder",
        CHANGE,
        (*_CHANGE, _arg("-f", "--file", required=True, metavar="FILE", help="- for stdin")),
        "Put a spec into the specs folder: replace the file that defines its workflow, else "
        "write NAME.yaml.",
        (
            Example("treadle apply -f job.yaml", "write or replace it"),
            Example("treadle apply -f job.yaml --dry-run", "show which file would be written"),
        ),
    ),
    Command(
        "delete",
        "files:delete",
        "remove a workflow",
        CHANGE,
        (
            *_CHANGE,
            _NAME_IF_ANY,
            _arg(
                "--all",
                action="store_true",
                help="confirm the deletion of specs that vanished together or with their folder",
            ),
        ),
        "Remove a workflow's file from the specs folder. Its running steps are stopped. What "
        "`treadle run` began has no file: once it has finished, it is taken out of the list.",
        (
            Example("treadle delete etl", "remove its file"),
            Example("treadle delete --all", "confirm that the vanished specs are deleted"),
        ),
    ),
    Command(
        "cancel",
        "change:cancel",
        "stop running steps",
        CHANGE,
        (
            *_CHANGE,
            _NAME_OF_STEPS,
            _STEPS,
            _REASON,
            _arg("--drain", action="store_true", help="let running steps finish"),
        ),
        "Stop the running steps of a workflow and start no more. If it has finished already, there "
        "is nothing to cancel, and the exit code is 0.",
        (
            Example("treadle cancel etl", "the whole workflow"),
            Example("treadle cancel etl load", "one step"),
            Example("treadle cancel etl --drain", "let running steps finish"),
        ),
    ),
    Command(
        "retry",
        "change:retry",
        "run failed steps again",
        CHANGE,
        (
            *_CHANGE,
            _NAME_OF_STEPS,
            _arg(
                "steps",
                nargs="*",
                metavar="STEP",
                help=f"this step, even if it succeeded, {_PATTERN_HELP}",
            ),
            _arg("--downstream", action="store_true", help="also all steps that depend on them"),
            _REASON,
        ),
        "Run the failed, skipped and cancelled steps of a workflow again. If there are none, "
        "nothing happens, and the exit code is 0.",
        (
            Example("treadle retry etl", "every step that did not succeed"),
            Example("treadle retry etl extract --downstream", "a step, and all that depend on it"),
        ),
    ),
    Command(
        "restart",
        "change:restart",
        "run every step again",
        CHANGE,
        (*_CHANGE, _NAME, _REASON),
        "Stop the running steps of a workflow and run every step again.",
        (
            Example("treadle restart etl", "from the beginning"),
            Example('treadle restart etl --reason "new data"', "shown in status and events"),
        ),
    ),
    Command(
        "suspend",
        "change:suspend",
        "start nothing new",
        CHANGE,
        (*_CHANGE, _NAME, _REASON),
        "Start no further step of a workflow until `treadle resume`. Running steps finish.",
        (Example("treadle suspend etl", "start nothing until `treadle resume etl`"),),
    ),
    Command(
        "resume",
        "change:resume",
        "undo suspend",
        CHANGE,
        (*_CHANGE, _NAME, _REASON),
        "Let a suspended workflow start steps again.",
        (Example("treadle resume etl", "after `treadle suspend etl`"),),
    ),
    Command(
        "mark",
        "change:mark",
        "mark a step as done by hand",
        CHANGE,
        (
            *_CHANGE,
            _NAME_OF_STEPS,
            _arg("steps", nargs="*", metavar="STEP", help="a step that is not running"),
            _arg(
                "--succeeded",
                action="store_true",
                required=True,
                help="the result to record; it is required",
            ),
            _arg("--reason", metavar="WHY", required=True, help=_REASON_HELP),
        ),
        "Mark a step as succeeded, because you did its work by hand. Steps that were skipped "
        "because of it run.",
        (
            Example(
                'treadle mark etl load --succeeded --reason "loaded by hand"',
                "its dependents can run now",
            ),
        ),
    ),
    Command(
        "validate",
        "check:validate",
        "check spec files",
        CHECK,
        (
            *_FOLDERS,
            _arg("files", nargs="*", metavar="FILE", help="a file, a folder, or - for stdin"),
            _arg(
                "--format",
                choices=["short", "json", "github"],
                help="one line a fault: short as in a pipe, json for programs, github for "
                "annotations in GitHub Actions; default: a picture of each on a terminal, else "
                "short",
            ),
            _MAX_SPEC_SIZE,
        ),
        "Check spec files, and show all their faults. Of a folder, check every file that the "
        "controller would read. Without FILE, check the specs folder.",
        (
            Example("treadle validate", "the specs folder"),
            Example("treadle validate job.yaml", "one file"),
            Example("treadle validate --format github", "annotations in GitHub Actions"),
        ),
    ),
    Command(
        "diff",
        "diff:diff",
        "what would an edit do?",
        CHECK,
        (
            *_FOLDERS,
            _arg("files", nargs="*", metavar="FILE", help="compare these files, wherever they are"),
            OneOf(
                (
                    _arg("--rev", metavar="REV", help="the specs folder as a git revision has it"),
                    _arg(
                        "--staged",
                        action="store_true",
                        help="the specs folder as the next git commit has it",
                    ),
                )
            ),
            _arg(
                "--from",
                type=positive,
                metavar="N",
                dest="first",
                help="compare generation N of NAME…",
            ),
            _arg("--to", type=positive, metavar="M", help="…with generation M (default: the next)"),
            _MAX_SPEC_SIZE,
            _json("one JSON object a workflow"),
        ),
        "Compare the specs folder, or files, with the specs in force: which steps keep their "
        "result, keep running, are stopped and run again, run, or are removed, and why.",
        (
            Example("treadle diff", "what would the specs folder do?"),
            Example("treadle diff job.yaml", "what would this file do?"),
            Example("treadle diff --staged", "what would the next git commit do?"),
            Example("treadle diff etl --from 1 --to 2", "what did an earlier edit do?"),
        ),
    ),
    Command(
        "history",
        "history:history",
        "versions of a spec",
        CHECK,
        (*_READ, _NAME, _json("one JSON object a generation")),
        "Show every generation of a workflow's spec, the owner of its file, and which steps it "
        "left unchanged, reset, added or removed.",
        (Example("treadle history etl", "every version, and what it did"),),
        output_is="listing",
    ),
    Command(
        "wait",
        "wait:wait",
        "wait for a result",
        CHECK,
        (
            *_READ,
            _NAME,
            _arg(
                "--for",
                dest="goal",
                required=True,
                metavar="GOAL",
                help="phase=Succeeded, condition=Complete, or generation=3",
            ),
            _arg(
                "--timeout",
                type=length,
                metavar="TIME",
                help="60, 90s or 1m30s (default: no limit)",
            ),
        ),
        "Wait until GOAL is true (exit code 0), until the workflow has finished in another "
        "phase (1), or until the time is over (124).",
        (
            Example("treadle wait etl --for phase=Succeeded", "until it has succeeded"),
            Example("treadle wait etl --for condition=Complete --timeout 10m", "but not longer"),
        ),
    ),
    Command(
        "replay",
        "get:replay",
        "show an earlier state",
        MAINTAIN,
        (
            *_READ,
            _NAMES,
            _arg("--until", metavar="SEQ|TIME", help=f"a record, like 12, or a time: {_MOMENTS}"),
            _LIST_FORM,
            _arg("--verify", action="store_true", help="check the whole log and its snapshots"),
        ),
        "Show the state as it was after record SEQ, or at TIME.",
        (
            Example("treadle replay --until 12", "as it was after record 12"),
            Example("treadle replay --verify", "check that the log is whole"),
        ),
        output_is="listing",
    ),
    Command(
        "repair",
        "repair:repair",
        "cut a damaged log",
        MAINTAIN,
        (*_READ, _arg("--yes", action="store_true", help="cut without asking")),
        "Show what is wrong with the log and what a cut would lose. Cut it if you confirm. What is "
        "cut is kept in a file.",
        (Example("treadle repair", "look, and ask before anything is cut"),),
    ),
    Command(
        "schema",
        "check:schema",
        "JSON Schema of a spec",
        MAINTAIN,
        (
            *_UNUSED_FOLDERS,
            _arg(
                "form",
                nargs="?",
                choices=["workflow", "older-workflow"],
                default="workflow",
                help="default: workflow",
            ),
            _arg("--write", metavar="DIR", help="write all schemas into DIR instead"),
            _arg(
                "--check",
                nargs="?",
                const="schemas",
                metavar="DIR",
                help="exit with 1 unless DIR (default: schemas) has the current schemas",
            ),
        ),
        "Print the JSON Schema (2020-12) of a spec, for editors.",
        (
            Example("treadle schema", "print it"),
            Example("treadle schema --write schemas", "write it, and that of the older form"),
        ),
    ),
    Command(
        "version",
        "version:version",
        "show the version",
        MAINTAIN,
        (
            *_READ,
            _arg(
                "-v",
                "--verbose",
                action="store_true",
                help="include details for bug reports",
            ),
        ),
        "Show the version.",
        (
            Example("treadle version", "the version"),
            Example("treadle version -v", "what to include in a bug report"),
        ),
    ),
)
