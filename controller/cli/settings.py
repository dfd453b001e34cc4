"""Where a setting that no option gives comes from: the environment, treadle.toml, or a fallback.

If both folders are named, by options or the environment, nothing is searched and read.
"""

import argparse
import os
from collections.abc import Iterable

from controller.cli.arguments import SPECS, Arg, Command
from controller.cli.project import SPECS as SPECS_NAME
from controller.cli.project import Project, find_project, parsed, shown
from controller.errors import UsageError

_FOLDERS = ("specs", "state")


def complete(args: argparse.Namespace, command: Command) -> None:
    """Add to `args` every setting of the command that it lacks. Raises UsageError.

    `args.searched`: whether the state folder is not named, and was searched upwards.
    """
    _complete(args, command.settings())


def specs_folder(named: str | None) -> str:
    """The specs folder, for a command that rarely needs it. Raises UsageError."""
    found = argparse.Namespace() if named is None else argparse.Namespace(specs=named)
    _complete(found, [SPECS])
    return str(found.specs)


def _complete(args: argparse.Namespace, settings: Iterable[Arg]) -> None:
    lacking = [setting for setting in settings if not hasattr(args, setting.field)]
    given = {setting.key: text for setting in lacking if (text := os.environ.get(setting.variable))}
    unnamed = [
        setting.key for setting in lacking if setting.key in _FOLDERS and setting.key not in given
    ]
    project = find_project() if unnamed else None
    args.searched = "state" in unnamed
    for setting in lacking:
        text = given.get(setting.key)
        origin = setting.variable
        if text is None:
            text, origin = _of_project(project, setting), setting.key
        setattr(args, setting.field, None if text is None else _parsed(setting, text, origin))


def _of_project(project: Project | None, setting: Arg) -> str | None:
    if project is None:
        return setting.fallback
    if setting.key == "state":
        return shown(project.state())
    if setting.key == "specs":
        return _specs(project)
    return project.settings.get(setting.key, setting.fallback)


def _specs(project: Project) -> str:
    specs = project.specs()
    if not os.path.isdir(specs) and os.path.isdir(SPECS_NAME) and not project.has_file:
        raise UsageError(
            f"{specs}: no such folder; it would belong to the state found in {project.root}. To "
            "make the current folder, which has specs, a project of its own: touch treadle.toml"
        )
    return shown(specs)


def _parsed(setting: Arg, text: str, origin: str) -> object:
    try:
        return parsed(setting, text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{origin}: {error}") from None


def no_state(args: argparse.Namespace) -> str:
    """What to say where there is no record of anything, with the folder that was looked into."""
    state = os.path.abspath(args.state)
    if os.path.isdir(args.state):
        return f"{state} has no records"
    if args.searched:
        return f"no state here ({state}), nor in a folder above"
    return f"no state in {state}"
