"""The table of commands: what there is, which function does it, and what may be said to it.

The parser is built from it, so no module of a command is imported to tell what there is, and only
one to do something. Nothing here imports more than argparse: numbers that are a constant somewhere
else stand here as a person would type them, and a test compares them.
"""

import argparse
from typing import Any, NamedTuple

# ---------------------------------------- what a line is made of


class Arg(NamedTuple):
    """What `add_argument` is called with."""

    flags: tuple[str, ...]
    options: dict[str, Any]
    variable: str = ""  # of the environment: its value, if it has one, is the default


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


def _arg(*flags: str, variable: str = "", **options: Any) -> Arg:
    return Arg(flags, options, variable)


# ---------------------------------------- how values are spelled


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
    raise argparse.ArgumentTypeError(f"{text!r} is no size; try 8M")


def length(text: str) -> float:
    """`60`, `1m30s`: seconds."""
    from controller.view.times import parse_length

    seconds = parse_length(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time; try 60 or 1m30s")
    return seconds


# ---------------------------------------- what several commands take

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
    help="the folder of the log (default: $TREADLE_STATE, else .treadle)",
)
_FOLDERS = (_SPECS, _STATE)
_NAME_HELP = "a name, or (the start of) a uid"
_NAME = _arg("name", metavar="NAME", help=_NAME_HELP)
_NAME_IF_ANY = _arg("name", nargs="?", metavar="NAME", help=_NAME_HELP)
_NAMES = _arg("names", nargs="*", metavar="NAME", help=_NAME_HELP)
_STEP_IF_ANY = _arg("step", nargs="?", metavar="STEP")
_UID = _arg("--uid", metavar="UID", help="this life of NAME, by its uid or the first 8 characters")
_AT = _arg(
    "--at",
    metavar="SEQ|TIME",
    help="as it was after that record, or at that time: 12, or 2026-11-23T12:00:00Z",
)
_LIST_FORM = _arg("-o", "--output", choices=("wide", "json", "yaml", "name"))
_DRY_RUN = _arg("--dry-run", action="store_true", help="say what it would do, do nothing")
_REASON_HELP = "why, for those who ask later"
_REASON = _arg("--reason", metavar="WHY", default="", help=_REASON_HELP)
_MAX_PARALLEL = _arg(
    "--max-parallel", type=positive, metavar="N", help="steps at once (default: cores)"
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
        help="so many lives that are over (their file is gone, or `run` began them) stay in the "
        "state; older ones go to the archive (default: 1000)",
    ),
    _arg(
        "--keep-archive",
        type=size,
        metavar="BYTES",
        default="1G",
        help="the oldest of the archive goes when it takes more (default: 1G)",
    ),
)


def _json(what: str | None = None) -> Arg:
    return _arg("-o", "--output", choices=("json",), help=what)


# ---------------------------------------- the table

_STATUS = (*_FOLDERS, _NAME, _UID, _arg("-o", "--output", choices=("json", "yaml")), _AT)
_STATUS_HELP = "show one workflow: steps, attempts, conditions, what happened lately"
_CHANGE = (*_FOLDERS, _DRY_RUN)

DRIVE, READ, CHANGE, CHECK = "Driving", "Reading", "Changing", "Checking"

# In the order of the overview.
COMMANDS = (
    Command(
        "up",
        "up:up",
        "run the controller in the foreground",
        DRIVE,
        (
            *_FOLDERS,
            _arg("--once", action="store_true", help="end when all has settled"),
            _MAX_PARALLEL,
            _arg(
                "--end-steps",
                action="store_true",
                help="when stopped, end what runs; the next controller tries it again",
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
                        help="end the controller that holds the state folder; running steps go on",
                    ),
                )
            ),
            _arg(
                "--adopt-folder",
                action="store_true",
                help="go on with this state folder although it last drove another specs folder",
            ),
            _arg(
                "--allow-insecure-specs",
                action="store_true",
                help="take specs from a folder that others may write: they can then run commands "
                "as you",
            ),
            _arg(
                "--poll",
                action="store_true",
                help="look every 1.5 s instead of watching, as network file systems need",
            ),
            _MAX_SPEC_SIZE,
            *_LIMITS,
        ),
        "Drive the workflows of the specs folder, in the foreground.",
    ),
    Command(
        "run",
        "run:run",
        "drive the workflows of these files to the end",
        DRIVE,
        (
            *_FOLDERS,
            _arg("files", nargs="*", metavar="FILE"),
            _arg("--resume", action="store_true", help="go on with the last run of the name"),
            _arg("--detach", action="store_true", help="in the background"),
            _MAX_PARALLEL,
            *_LIMITS,
            # What `--detach` gives to the process in the background: requests dropped already.
            _arg("--asked", action="append", default=[], help=argparse.SUPPRESS),
        ),
        "Drive just the workflows of these files to the end. They need not be in the "
        "specs folder. Each run begins a new life of a workflow; --resume goes on with the last.",
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
            _arg("-w", "--watch", action="store_true", help="go on with a line for each change"),
            _AT,
        ),
        "List workflows: all that live, or those named.",
    ),
    Command("status", "get:status", _STATUS_HELP, READ, _STATUS),
    Command("describe", "get:status", _STATUS_HELP, READ, _STATUS),
    Command(
        "logs",
        "logs:logs",
        "show what steps wrote to stdout and stderr",
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
                help="go on, through retries, until all has ended",
            ),
            _arg("--attempt", type=int, metavar="N", help="this attempt, not the last"),
            _arg("--tail", type=count, metavar="N", help="only the last N lines of each"),
        ),
        "Show what the last attempt of each step, or of one, wrote.",
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
            _arg("-f", "--follow", action="store_true", help="go on as more happens"),
            _json("one JSON object a line"),
        ),
        "Show the log as events. Every change of a phase is among them.",
    ),
    Command(
        "replay",
        "get:replay",
        "show the state at a point of the log",
        READ,
        (
            *_FOLDERS,
            _NAMES,
            _arg("--until", metavar="SEQ|TIME", help="12, or 2026-11-23T12:00:00Z"),
            _LIST_FORM,
            _arg(
                "--verify", action="store_true", help="fold the log and check that all of it agrees"
            ),
        ),
        "Show the state as it was after the record SEQ, or at TIME.",
    ),
    Command(
        "wait",
        "wait:wait",
        "block until something has come true",
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
        "Block until it has come true (exit code 0), can't any more because the "
        "workflow ended otherwise (1), or the time is up (124).",
    ),
    Command(
        "explain",
        "explain:explain",
        "say why a workflow or step is as it is, or what a field of a spec means",
        READ,
        (
            *_FOLDERS,
            _arg("name", metavar="NAME|FIELD", help="a name, a uid, or workflow.spec…"),
            _STEP_IF_ANY,
            _arg(
                "--inputs",
                action="store_true",
                help="what the fingerprints of its attempts were made of",
            ),
            _json(),
        ),
        "Say why a step waits, runs, ran again, was skipped: down to the root. "
        "`explain workflow.spec.steps.retry` says what that field of a spec means.",
    ),
    Command(
        "history",
        "logs:history",
        "show the generations of a workflow, and what each did",
        READ,
        (*_FOLDERS, _NAME, _json("one JSON object a generation")),
        "Show every generation of a workflow's spec that was in force, who owned its "
        "file, and which steps it left alone, reset, added or removed.",
    ),
    Command(
        "diff",
        "diff:diff",
        "show what an edit would do, before it is made",
        READ,
        (
            *_FOLDERS,
            _arg("files", nargs="*", metavar="FILE", help="these, wherever they are"),
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
                help="of generation N of a NAME…",
            ),
            _arg("--to", type=positive, metavar="M", help="…and M; the next, unless given"),
            _json("one JSON object a workflow"),
        ),
        "Compare the specs folder, or files, with what is in force: which steps keep "
        "their result, go on, are ended and run again, run, or are removed, and why.",
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
                help="confirm that the specs which vanished all at once, or with their folder, "
                "are to go",
            ),
        ),
    ),
    Command(
        "cancel",
        "change:cancel",
        "end what runs and start nothing more",
        CHANGE,
        (
            *_CHANGE,
            _NAME,
            _arg("steps", nargs="*", metavar="STEP", help="only these"),
            _REASON,
            _arg("--drain", action="store_true", help="let running steps finish"),
        ),
    ),
    Command(
        "retry",
        "change:retry",
        "try failed, skipped and cancelled steps anew",
        CHANGE,
        (
            *_CHANGE,
            _NAME,
            _arg("steps", nargs="*", metavar="STEP", help="these, even if they succeeded"),
            _arg("--downstream", action="store_true", help="and all that depends on them, too"),
            _REASON,
        ),
    ),
    Command(
        "restart",
        "change:restart",
        "end what runs and run every step anew",
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
        "take a `suspend` back",
        CHANGE,
        (*_CHANGE, _NAME, _REASON),
    ),
    Command(
        "mark",
        "change:mark",
        "say that a step was done by hand",
        CHANGE,
        (
            *_CHANGE,
            _NAME,
            _arg("step", metavar="STEP", help="one that does not run"),
            _arg(
                "--succeeded",
                action="store_true",
                required=True,
                help="what it counts as from now on",
            ),
            _arg("--reason", metavar="WHY", required=True, help=_REASON_HELP),
        ),
    ),
    Command(
        "validate",
        "check:validate",
        "check spec files",
        CHECK,
        (_arg("files", nargs="+", metavar="FILE"), _MAX_SPEC_SIZE),
        "Check spec files, and name everything that is wrong with them. "
        "Of a folder, every file that the controller would read; - is stdin.",
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
                help="exit with 1 unless DIR (default: schemas) holds the schemas of today",
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
        "Show what is wrong with the log and what a cut would lose; cut it once that "
        "is confirmed. What is cut is kept.",
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
                help="with what a report of a fault should name",
            ),
        ),
    ),
)
