"""`treadle apply`, `delete`, `cancel`, `retry` and others: what people want changed.

Each is one durable act, a file put into the specs folder, removed from it, or a request dropped;
the controller does the rest. So they work whether one runs or not, and a command that is killed
has done it or has not. What they need of the folder's rooms is imported when they run.
"""

import argparse

from controller.cli.options import common


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _mutation(subparsers, "apply", "put a spec into the specs folder")
    parser.add_argument("-f", "--file", required=True, metavar="FILE", help="- for stdin")
    parser.set_defaults(command=apply)

    parser = _mutation(subparsers, "delete", "remove a workflow's file from the specs folder")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument(
        "--all",
        action="store_true",
        help="confirm that the specs which vanished all at once, or with their folder, are to go",
    )
    parser.set_defaults(command=delete)

    parser = _mutation(subparsers, "cancel", "end what runs and start nothing more")
    parser.add_argument("name", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument("steps", nargs="*", metavar="STEP", help="only these")
    _add_reason(parser)
    parser.add_argument("--drain", action="store_true", help="let running steps finish")
    parser.set_defaults(command=cancel)

    parser = _mutation(subparsers, "retry", "try failed, skipped and cancelled steps anew")
    parser.add_argument("name", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument("steps", nargs="*", metavar="STEP", help="these, even if they succeeded")
    parser.add_argument(
        "--downstream", action="store_true", help="and all that depends on them, too"
    )
    _add_reason(parser)
    parser.set_defaults(command=retry)
    _register_requests(subparsers)


def _register_requests(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for command, text in (
        (restart, "end what runs and run every step anew"),
        (suspend, "start nothing new until `resume`; running steps finish"),
        (resume, "take a `suspend` back"),
    ):
        parser = _mutation(subparsers, command.__name__, text)
        parser.add_argument("name", metavar="NAME", help="a name, or (the start of) a uid")
        _add_reason(parser)
        parser.set_defaults(command=command)

    parser = _mutation(subparsers, "mark", "say that a step was done by hand")
    parser.add_argument("name", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument("step", metavar="STEP", help="one that does not run")
    parser.add_argument(
        "--succeeded", action="store_true", required=True, help="what it counts as from now on"
    )
    _add_reason(parser, required=True)
    parser.set_defaults(command=mark)


def _add_reason(parser: argparse.ArgumentParser, required: bool = False) -> None:
    told = "why, for those who ask later"
    parser.add_argument("--reason", metavar="WHY", default="", required=required, help=told)


def _mutation(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, parents=[common()], help=text)
    parser.add_argument("--dry-run", action="store_true", help="say what it would do, do nothing")
    return parser


def apply(args: argparse.Namespace) -> int:
    """treadle apply -f FILE: replace the file that defines NAME, else write NAME.yaml."""
    from controller.cli import change_files

    return change_files.apply(args)


def delete(args: argparse.Namespace) -> int:
    """treadle delete NAME: remove its file. delete --all: confirm what is held back."""
    from controller.cli import change_files

    return change_files.delete(args)


def cancel(args: argparse.Namespace) -> int:
    """treadle cancel NAME [STEP…]: write the marker that the controller acts on."""
    from controller.cli import change_course

    return change_course.cancel(args)


def retry(args: argparse.Namespace) -> int:
    """treadle retry NAME [STEP…]: remove NAME's markers, then ask for fresh tries."""
    from controller.cli import change_course

    return change_course.retry(args)


def restart(args: argparse.Namespace) -> int:
    """treadle restart NAME: remove NAME's markers, then ask for all of it anew."""
    from controller.cli import change_course

    return change_course.restart(args)


def suspend(args: argparse.Namespace) -> int:
    """treadle suspend NAME: ask that nothing new starts, until `resume`."""
    from controller.cli import change_standing

    return change_standing.suspend(args)


def resume(args: argparse.Namespace) -> int:
    """treadle resume NAME: take the `suspend` back."""
    from controller.cli import change_standing

    return change_standing.resume(args)


def mark(args: argparse.Namespace) -> int:
    """treadle mark NAME STEP --succeeded --reason …: ask that it counts as done."""
    from controller.cli import change_standing

    return change_standing.mark(args)
