"""The table of commands: their names, functions and arguments.

The parser is built from it, so help imports no module of a command, and a command imports only its
own. This module imports only argparse. Numbers that are constants elsewhere are written here as a
user would type them, and a test compares them.
"""

import argparse
from typing import Any, Literal, NamedTuple

# ---------------------------------------- the parts of the table


class Arg(NamedTuple):
    """The arguments of `add_argument`."""

    flags: tuple[str, ...]
    options: dict[str, Any]
    variable: str = ""  # of the environment; if it is set, its value is the default


class OneOf(NamedTuple):
    """Options that exclude each other."""

    choices: tuple[Arg, ...]


class Command(NamedTuple):
    name: str
    function: (
        str  # "module:function" in controller.cli; it takes the namespace, gives the exit code
    )
    help: str
    group: str  # of the overview
    arguments: tuple[Arg | OneOf, ...]
    description: str | None = None
    # A listing ends when its reader is gone, with 0. A verdict goes on without one, for its exit
    # code. Progress does too, and does not wait for one that is slow.
    output_is: Literal["listing", "verdict", "progress"] = "verdict"


def _arg(*flags: str, variable: str = "", **options: Any) -> Arg:
    return Arg(flags, options, variable)


# ---------------------------------------- how to write values


def count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return number


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def size(text: str) -> int:
    """`65536`, `64K`, `8M`, `0`: a number of bytes."""
    factors = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    factor = factors.get(text[-1:].upper())
    try:
        number = int(text[:-1]) * factor if factor else int(text)
        if number >= 0:
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a size; try 8M")


def length(text: str) -> float:
    """`60`, `1m30s`: seconds."""
    from controller.view.times import parse_length

    seconds = parse_length(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length of time; try 60 or 1m30s")
    return seconds


# ---------------------------------------- arguments of several commands

_SPECS = _arg(
    "--specs",
    metavar="DIR",
    default="specs",
    variable="TREADLE_SPECS",
    help="the folder of specs (default: $TREADLE_SPECS, else specs)",
)
_STATE = _arg(
    "--state",
    metavar="DIR",
    default=".treadle",
    variable="TREADLE_STATE",
    help="the folder of the state and the log (default: $TREADLE_STATE, else .treadle)",
)
_UTC = _arg("--utc", action="store_true", help="show times in UTC, not in local time")
_FOLDERS = (_SPECS, _STATE, _UTC)
_NAME_HELP = "a name, or (the start of) a uid"
_NAME = _arg("name", metavar="NAME", help=_NAME_HELP)
_NAME_IF_ANY = _arg("name", nargs="?", metavar="NAME", help=_NAME_HELP)
_NAMES = _arg("names", nargs="*", metavar="NAME", help=_NAME_HELP)
_PATTERN_HELP = "or a pattern in quotes, like 'clean-*'"
_NAME_OF_STEPS = _arg("name", metavar="NAME", help=f"{_NAME_HELP}; NAME/STEP names a step, too")
_STEPS = _arg("steps", nargs="*", metavar="STEP", help=f"only this step, {_PATTERN_HELP}")
_STEP_IF_ANY = _arg("steps", nargs="*", metavar="STEP", help="only this step")
_UID = _arg("--uid", metavar="UID", help="one life of NAME, by its uid or first 8 characters")
_MOMENTS = "5m (ago), 12:59, yesterday, 2026-11-27 or 2026-11-27T12:59:00+01:00"
_AT = _arg(
    "--at",
    metavar="SEQ|TIME",
    help=f"as it was after this record, like 12, or at this time: {_MOMENTS}",
)
_LIST_FORM = _arg("-o", "--output", choices=("wide", "json", "yaml", "name"))
_DRY_RUN = _arg("--dry-run", action="store_true", help="show what it would do, but do nothing")
_REASON_HELP = "reason, shown in status and events"
_REASON = _arg("--reason", metavar="WHY", default="", help=_REASON_HELP)
_MAX_PARALLEL = _arg(
    "--max-parallel", type=positive, metavar="N", help="steps at once (default: cores)"
)
_SHOW_OUTPUT = _arg(
    "--show-output",
    choices=("failed", "all", "none"),
    default="failed",
    help="show the last lines that steps printed: of those that fail (the default), all, or none",
)
_MAX_SPEC_SIZE = _arg(
    "--max-spec-size", type=size, metavar="BYTES", default="8M", help="default: 8 MiB"
)
_LIMITS = (
    _arg(
        "--min-free",
        type=size,
        metavar="BYTES",
        variable="TREADLE_MIN_FREE",
        help="start nothing new while less is free on the disk of the state folder "
        "(default: $TREADLE_MIN_FREE, else 1G, or 5 %% of the disk if that is less)",
    ),
    _arg(
        "--keep-finished",
        type=count,
        metavar="N",
        default="1000",
        help="how many ended workflows (deleted, or started by `run`) to keep before they go to "
        "the archive (default: 1000)",
    ),
    _arg(
        "--keep-archive",
        type=size,
        metavar="BYTES",
        default="1G",
        help="delete the oldest part of the archive when it is larger (default: 1G)",
    ),
)


def _json(what: str | None = None) -> Arg:
    return _arg("-o", "--output", choices=("json",), help=what)


# ---------------------------------------- the table

_STATUS = (
    *_FOLDERS,
    _NAME,
    _UID,
    _arg("-o", "--output", choices=("wide", "json", "yaml")),
    _AT,
    _arg("--run", type=positive, metavar="N", help="as it was when run N ended"),
)
_STATUS_HELP = "show one workflow: how it stands, what failed, its steps"
_CHANGE = (*_FOLDERS, _DRY_RUN)

RUN, READ, CHANGE, CHECK = "Running", "Reading", "Changing", "Checking"

# In the order of the overview.
COMMANDS = (
    Command(
        "up",
        "up:up",
        "run the controller in the foreground",
        RUN,
        (
            *_FOLDERS,
            _arg("--once", action="store_true", help="exit when everything has finished"),
            _MAX_PARALLEL,
            _SHOW_OUTPUT,
            _arg(
                "--end-steps",
                action="store_true",
                help="when stopped, stop running steps; the next controller tries them again",
            ),
            OneOf(
                (
                    _arg(
                        "--standby",
                        action="store_const",
                        dest="if_held",
                        default="refuse",
                        const="stand by",
                        help="wait for the state folder while another controller holds it",
                    ),
                    _arg(
                        "--take-over",
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
                action="store_true",
                help="use this state folder although it belongs to another specs folder",
            ),
            _arg(
                "--allow-insecure-specs",
                action="store_true",
                help="use a specs folder that other users can write: they can run commands as you",
            ),
            _arg(
                "--poll",
                action="store_true",
                help="look every 1.5 s instead of watching, for network file systems",
            ),
            _MAX_SPEC_SIZE,
            *_LIMITS,
        ),
        "Run the workflows of the specs folder, in the foreground.",
        output_is="progress",
    ),
    Command(
        "run",
        "run:run",
        "run the workflows of these files to the end",
        RUN,
        (
            *_FOLDERS,
            _arg("files", nargs="*", metavar="FILE"),
            _arg("--resume", action="store_true", help="continue the last run of the workflow"),
            _arg("--detach", action="store_true", help="in the background"),
            _MAX_PARALLEL,
            _SHOW_OUTPUT,
            _MAX_SPEC_SIZE,
            *_LIMITS,
            # For the background process of `--detach`: requests that are already written.
            _arg("--asked", action="append", default=[], help=argparse.SUPPRESS),
        ),
        "Run only the workflows of these files, to the end. The files need not be in the "
        "specs folder. Each run starts from the beginning; --resume continues the last one.",
        output_is="progress",
    ),
    Command(
        "get",
        "get:get",
        "list workflows",
        READ,
        (
            *_FOLDERS,
            _NAMES,
            _UID,
            _LIST_FORM,
            _arg("-l", "--selector", metavar="LABELS", help="such as team=data,env!=dev"),
            _arg("-w", "--watch", action="store_true", help="then print a line for each change"),
            _AT,
        ),
        "List the workflows: all, or those with these names.",
        output_is="listing",
    ),
    Command("status", "get:status", _STATUS_HELP, READ, _STATUS),
    Command("describe", "get:status", _STATUS_HELP, READ, _STATUS),
    Command(
        "runs",
        "runs:runs",
        "list the runs of workflows",
        READ,
        (
            *_FOLDERS,
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
        "List the last runs of a workflow, or of all: when each began and why, how long it took "
        "and what it came to; and how long one usually takes.",
        output_is="listing",
    ),
    Command(
        "logs",
        "logs:logs",
        "show the output of steps",
        READ,
        (
            *_FOLDERS,
            _NAME,
            _STEP_IF_ANY,
            _UID,
            _arg(
                "-f",
                "--follow",
                action="store_true",
                help="follow, through retries, until everything has ended",
            ),
            _arg("--attempt", type=int, metavar="N", help="this attempt instead of the last"),
            _arg("--tail", type=count, metavar="N", help="only the last N lines of each"),
        ),
        "Show the output (stdout and stderr) of the last attempt of each step, or of one step.",
        output_is="listing",
    ),
    Command(
        "events",
        "logs:events",
        "show what happened, in order",
        READ,
        (
            *_FOLDERS,
            _NAME_IF_ANY,
            _UID,
            _arg("-f", "--follow", action="store_true", help="then show new events"),
            _json("one JSON object a line"),
        ),
        "Show the log as events, with every change of a phase.",
        output_is="listing",
    ),
    Command(
        "replay",
        "get:replay",
        "show an earlier state",
        READ,
        (
            *_FOLDERS,
            _NAMES,
            _arg("--until", metavar="SEQ|TIME", help=f"a record, like 12, or a time: {_MOMENTS}"),
            _LIST_FORM,
            _arg("--verify", action="store_true", help="check the whole log and its snapshots"),
        ),
        "Show the state as it was after the record SEQ, or at TIME.",
        output_is="listing",
    ),
    Command(
        "wait",
        "wait:wait",
        "wait for a phase, condition or generation",
        READ,
        (
            *_FOLDERS,
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
    ),
    Command(
        "explain",
        "explain:explain",
        "show why a workflow or step is as it is, or what a field of a spec means",
        READ,
        (
            *_FOLDERS,
            _arg("name", metavar="NAME|FIELD", help=f"{_NAME_HELP}, NAME/STEP, or workflow.spec…"),
            _STEP_IF_ANY,
            _arg(
                "--inputs",
                action="store_true",
                help="show the inputs of the fingerprints of its attempts",
            ),
            _json(),
        ),
        "Show why a step waits, runs, ran again or was skipped, down to the root cause. "
        "`explain workflow.spec.steps.retry` shows what that field of a spec means.",
        output_is="listing",
    ),
    Command(
        "history",
        "history:history",
        "show the generations of a workflow, and what each did",
        READ,
        (*_FOLDERS, _NAME, _json("one JSON object a generation")),
        "Show every generation of a workflow's spec, the owner of its file, and which steps it "
        "left unchanged, reset, added or removed.",
        output_is="listing",
    ),
    Command(
        "diff",
        "diff:diff",
        "show what an edit would do, before you make it",
        READ,
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
                help="compare generation N of a NAME…",
            ),
            _arg("--to", type=positive, metavar="M", help="…with generation M (default: the next)"),
            _MAX_SPEC_SIZE,
            _json("one JSON object a workflow"),
        ),
        "Compare the specs folder, or files, with the specs in force: which steps keep their "
        "result, keep running, are stopped and run again, run, or are removed, and why.",
    ),
    Command(
        "apply",
        "files:apply",
        "put a spec into the specs folder",
        CHANGE,
        (*_CHANGE, _arg("-f", "--file", required=True, metavar="FILE", help="- for stdin")),
    ),
    Command(
        "delete",
        "files:delete",
        "remove a workflow's file from the specs folder",
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
    ),
    Command(
        "cancel",
        "change:cancel",
        "stop running steps and start no more",
        CHANGE,
        (
            *_CHANGE,
            _NAME_OF_STEPS,
            _STEPS,
            _REASON,
            _arg("--drain", action="store_true", help="let running steps finish"),
        ),
    ),
    Command(
        "retry",
        "change:retry",
        "retry failed, skipped and cancelled steps",
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
    ),
    Command(
        "restart",
        "change:restart",
        "stop running steps and run every step again",
        CHANGE,
        (*_CHANGE, _NAME, _REASON),
    ),
    Command(
        "suspend",
        "change:suspend",
        "start nothing new until `resume`; running steps finish",
        CHANGE,
        (*_CHANGE, _NAME, _REASON),
    ),
    Command(
        "resume",
        "change:resume",
        "undo `suspend`",
        CHANGE,
        (*_CHANGE, _NAME, _REASON),
    ),
    Command(
        "mark",
        "change:mark",
        "mark a step as done by hand",
        CHANGE,
        (
            *_CHANGE,
            _NAME_OF_STEPS,
            _arg("steps", nargs="*", metavar="STEP", help="one that is not running"),
            _arg(
                "--succeeded",
                action="store_true",
                required=True,
                help="the result to record",
            ),
            _arg("--reason", metavar="WHY", required=True, help=_REASON_HELP),
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
    ),
    Command(
        "schema",
        "check:schema",
        "print the JSON Schema of a spec",
        CHECK,
        (
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
    ),
    Command(
        "repair",
        "repair:repair",
        "show what is wrong with a damaged log, and cut it",
        CHECK,
        (*_FOLDERS, _arg("--yes", action="store_true", help="cut without asking")),
        "Show what is wrong with the log and what a cut would lose; cut it when you "
        "confirm. What is cut is kept in a file.",
    ),
    Command(
        "version",
        "version:version",
        "show the version",
        CHECK,
        (
            *_FOLDERS,
            _arg(
                "-v",
                "--verbose",
                action="store_true",
                help="include details for bug reports",
            ),
        ),
    ),
)
