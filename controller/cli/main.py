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
from typing import NoReturn

from controller.cli.arguments import Command
from controller.cli.parser import Misuse, NameMissing, find_command, folders_in, parser_of, split
from controller.cli.streams import open_standard_streams, write_nowhere
from controller.printing import complain, note, note_crash, say

_OBJECTS_UNTIL_GC = 50_000  # new objects; those of imports and of a log are not garbage
_NAMES_SHOWN = 5
_USAGE, _STORAGE = 2, 4


def program() -> NoReturn:
    """What `treadle` is as a process: one command, and the end.

    Nothing has to be tidied up then. The interpreter would take apart all that was loaded, and
    search it for garbage.
    """
    code = main()
    try:
        sys.stdout.flush()
    except OSError:
        write_nowhere()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    gc.set_threshold(_OBJECTS_UNTIL_GC)
    failing = open_standard_streams()
    sys.excepthook = note_crash
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        name, rest = split(words)
        if name == "help":
            name, rest = (rest[0], ["--help"]) if rest[:1] not in ([], ["help"]) else ("", ["-h"])
        if not name and "--version" in rest:
            name, rest = "version", []
        if not name:
            return _overview(rest)
        command = find_command(name)
        args = parser_of(command).parse_args(rest)
    except Misuse as misuse:
        return _refuse(misuse, words)
    except OSError as error:  # the help can't be written
        return _fail(error)
    _load_msgspec()  # behind the parser: `--help` does without
    if command.output_is == "listing":
        sys.stdout = failing
    if command.output_is != "progress":
        return _run(command, args)
    from controller.host.outlet import nobody_waits

    with nobody_waits():
        return _run(command, args)


def _run(command: Command, args: argparse.Namespace) -> int:
    """Call the command, and print an error in one line."""
    from controller.cli.settings import complete, no_state
    from controller.errors import ExitCode, NoRecords, TreadleError

    code = int(ExitCode.FINE)
    try:
        try:
            complete(args, command)
            _require_utf8(args)
            if command.changes_nothing:
                _warn_of_strangers(args)
            code = int(_function(command.function)(args))
        except NoRecords as error:
            complain(f"{error}: {no_state(args)}")
            code = int(error.exit_code)
        except TreadleError as error:
            complain(str(error))
            code = int(error.exit_code)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        # Code that uses files raises errors of its own; the rest comes from writing to stdout.
        if isinstance(error, BrokenPipeError) and command.output_is == "listing":
            write_nowhere()
            return code  # its reader has gone (`treadle events | head`)
        return _fail(error)
    return code


def _fail(error: OSError) -> int:
    """Say what can't be read or written."""
    write_nowhere()
    where = f"{error.filename}: " if error.filename else ""
    problem = f"{where}{error.strerror}"
    if isinstance(error, FileNotFoundError) and not error.filename and _is_nowhere():
        problem = "the current directory was deleted; cd to one that exists"
    complain(problem)
    return _STORAGE


def _warn_of_strangers(args: argparse.Namespace) -> None:
    """Readers may read what somebody else could have written, but should know it."""
    from controller.owners import doubt_of_state

    try:
        doubt = doubt_of_state(args.state) if "state" in args else None
    except OSError:
        return  # whoever reads it says so
    if doubt:
        complain(f"{doubt.problem}; what it shows may have been written by somebody else")


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


# ---------------------------------------- words that are no command


def _overview(words: Sequence[str]) -> int:
    """Show all commands, and the folders that they would use here."""
    import shutil

    from controller.cli.help import overview

    asked = "--help" in words or "-h" in words
    lines = overview(shutil.get_terminal_size().columns, list(_place(words)))
    (say if asked else note)(*lines)
    sys.stdout.flush()
    return 0 if asked else _USAGE


def _place(words: Sequence[str]) -> Iterator[str]:
    """The folders, and whether a controller runs. What can't be said is left out."""
    _load_msgspec()
    from controller.cli.settings import complete
    from controller.errors import TreadleError
    from controller.log.lock import holder

    try:
        folders = folders_in(words)
        complete(folders, find_command("up"))
        specs, state = (os.path.abspath(path) for path in (folders.specs, folders.state))
        yield f"Folder: {_here_or_missing(specs)}"
        yield f"state: {_here_or_missing(state)}"
        by = holder(state)
        yield f"controller: {f'running (pid {by.pid})' if by else 'none is running'}"
    except (Misuse, TreadleError, OSError):
        return


def _here_or_missing(folder: str) -> str:
    home = os.path.expanduser("~")
    inside = folder.startswith(f"{home}{os.sep}")
    shown = f"~{folder[len(home) :]}" if inside else folder
    return shown if os.path.isdir(folder) else f"{shown} (not there yet)"


def _refuse(misuse: Misuse, words: Sequence[str]) -> int:
    _load_msgspec()
    text = str(misuse)
    if isinstance(misuse, NameMissing):
        names = _names(words)
        text = f"{misuse}: {f'which one? {names}' if names else 'NAME is missing'}"
        text += f" (treadle {misuse} --help)"
    complain(text)
    return _USAGE


def _names(words: Sequence[str]) -> str:
    """The first of the names that there are; "" if there are none, or they can't be read."""
    from controller.cli.settings import complete
    from controller.client.replica import Replica
    from controller.errors import TreadleError
    from controller.view.find import known_names

    try:
        folders = folders_in(words)
        complete(folders, find_command("get"))
        names = sorted(known_names(Replica(folders.state).catch_up()))
    except (Misuse, TreadleError, OSError):
        return ""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _function(name: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = name.partition(":")
    command: Callable[[argparse.Namespace], int] = getattr(
        import_module(f"controller.cli.{module}"), function
    )
    return command
