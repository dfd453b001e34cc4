"""The project: the nearest folder upwards that holds `treadle.toml` or a state folder.

So a command works the same in every folder below it. What is found decides what runs as the caller,
so it must be the caller's own: a stranger may put files into /tmp, above the folder of somebody
else. What is checked is what is read: a file is opened first, and links are not followed.
Cost: three looks at each folder upwards.
"""

import argparse
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from controller.cli.arguments import Arg
from controller.cli.commands import COMMANDS
from controller.errors import Fault, UsageError
from controller.owners import others_may_write, user_name
from controller.regular import first_of, open_regular

FILE = "treadle.toml"
STATE = ".treadle"
SPECS = "specs"
FILE_BYTES_MAX = 64 << 10

_PATHS = ("specs", "state")
_SETTINGS = {arg.key: arg for command in COMMANDS for arg in command.settings()}
_NAME_THEM = "or name the folders with --specs and --state"


class Project(NamedTuple):
    """`settings`: what treadle.toml says, as on the command line; its paths are absolute."""

    root: str  # absolute
    settings: Mapping[str, str]
    has_file: bool  # else only a state folder was found

    def state(self) -> str:
        return self.settings.get("state") or os.path.join(self.root, STATE)

    def specs(self) -> str:
        """As treadle.toml says; else beside it; else the folder that the state belongs to.

        Raises UsageError for a folder of somebody else, unless the caller is in its project.
        """
        if "specs" in self.settings:
            return self.settings["specs"]
        beside = os.path.join(self.root, SPECS)
        if os.path.isdir(beside):
            if self.root != os.getcwd():
                _require_own(beside)
            return beside
        if self.has_file:
            return beside
        from controller.client.replica import Replica

        return Replica(self.state()).catch_up().controller.folder or beside


def find_project() -> Project | None:
    """The project of the current folder. Raises UsageError if it can't be trusted or read."""
    for folder in _upwards(os.getcwd()):
        file, state = os.path.join(folder, FILE), os.path.join(folder, STATE)
        has_file = os.path.lexists(file)
        if has_file or os.path.isdir(state):
            if os.path.isdir(state):
                _require_own(state)
            settings = dict(_read_settings(file)) if has_file else {}
            return Project(folder, settings, has_file)
    return None


def shown(path: str) -> str:
    """The path as people see it, which works here: relative if it is in the current folder."""
    inside = os.path.relpath(path)
    outside = inside == os.pardir or inside.startswith(f"{os.pardir}{os.sep}")
    return path if outside else inside


def parsed(setting: Arg, text: str) -> Any:
    """The value that the command line makes of this text. Raises ArgumentTypeError."""
    parse: Any = setting.options.get("type", str)
    return parse(text)


def _upwards(here: str) -> Iterator[str]:
    """The current folder and those above it, up to the home folder or another file system."""
    yield here
    device, home = os.stat(here).st_dev, os.path.realpath(os.path.expanduser("~"))
    while here not in (home, os.sep):
        here = os.path.dirname(here)
        try:
            crossed = os.stat(here).st_dev != device
        except OSError:
            return
        if crossed or here in (home, os.sep):
            return
        yield here


def _require_own(path: str) -> None:
    """Refuse a folder, or a link to one, that is not the caller's or that others may write to."""
    for status in (os.lstat(path), os.stat(path)):
        _require_own_status(path, status)


def _require_own_status(path: str, status: os.stat_result) -> None:
    owner, caller = status.st_uid, os.geteuid()
    if owner != caller:
        raise UsageError(
            f"{shown(path)}: belongs to {user_name(owner)}, not to {user_name(caller)}, so "
            f"treadle does not use it; work in a folder of your own, {_NAME_THEM}"
        )
    if others_may_write(status):
        raise UsageError(
            f"{shown(path)}: others can write to it, so they could run commands as you; "
            f"run `chmod o-w {shown(path)}`, {_NAME_THEM}"
        )


# ---------------------------------------- treadle.toml


def _read_settings(path: str) -> Iterator[tuple[str, str]]:
    """Each setting as the text that the command line would have. Raises UsageError."""
    from tomllib import loads

    try:
        table = loads(_read(path).decode())
    except UnicodeDecodeError:
        raise _fault(path, "", "is not UTF-8") from None
    except RecursionError:
        raise _fault(path, "", "is nested too deeply") from None
    except ValueError as error:
        raise _fault(path, "", f"is not TOML: {error}") from None
    for key, value in table.items():
        if key not in _SETTINGS:
            raise _unknown(path, key)
        yield key, _text(path, key, value)


def _read(path: str) -> bytes:
    try:
        fd = open_regular(path)
    except OSError as error:
        if os.path.islink(path):
            raise _fault(path, "", "is a link: put the file here") from None
        _require_own(path)
        raise _fault(path, "", f"can't be read: {error.strerror}") from None
    try:
        _require_own_status(path, os.fstat(fd))
        data = first_of(fd, FILE_BYTES_MAX + 1)
    finally:
        os.close(fd)
    if len(data) > FILE_BYTES_MAX:
        raise _fault(path, "", f"is larger than {FILE_BYTES_MAX:,} bytes")
    return data


def _text(path: str, key: str, value: object) -> str:
    if key in _PATHS:
        if not isinstance(value, str) or not value or "\0" in value:
            raise _fault(path, key, "must be the path of a folder", f'write {key} = "{key}"')
        if value.startswith("~"):
            raise _fault(path, key, "~ is not expanded here", "write the whole path")
        return os.path.normpath(os.path.join(os.path.dirname(path), value))
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _fault(path, key, "must be a number or a text", "as on the command line")
    try:
        text = str(value)
        parsed(_SETTINGS[key], text)
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise _fault(path, key, str(error)) from None
    return text


def _unknown(path: str, key: str) -> UsageError:
    from controller.spec.path_fault import did_you_mean

    meant = did_you_mean(key, _SETTINGS)
    return _fault(path, "", f'no setting "{key}"', meant or f"there are {', '.join(_SETTINGS)}")


def _fault(path: str, key: str, problem: str, hint: str = "") -> UsageError:
    return UsageError(str(Fault(file=shown(path), path=key, problem=problem, hint=hint)))
