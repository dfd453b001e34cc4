"""What a step needs to start and doesn't find: which place was looked in, and where it is instead.

Only for messages: the shim alone decides whether a step starts. `validate`, `diff` and `run` warn
with the same words before, since an earlier step may still make what is missing. Cost: some calls
of stat for what is there, a dozen for what is not.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from controller.executor.shim.spawn import literal

_LEVELS_MAX = 3  # folders above that are searched


class StartProblem(NamedTuple):
    problem: str
    hint: str = ""  # where it is instead, if anything is known

    def __str__(self) -> str:
        return f"{self.problem}; {self.hint}" if self.hint else self.problem


def missing_folder(folder: str, home: str) -> StartProblem | None:
    """Whether the working directory is missing. `home`: the folder of the spec; both absolute."""
    if os.path.isdir(folder):
        return None
    if os.path.lexists(folder):
        return StartProblem(f"workingDir {_shown(folder)} is not a directory")
    problem = f"no folder {_shown(folder)} (workingDir is relative to the folder of the spec)"
    given = os.path.relpath(folder, home)
    for place in _above(home):
        found = os.path.normpath(os.path.join(place, given))
        if os.path.isdir(found):
            return StartProblem(problem, _set(found, found, home))
    return StartProblem(problem, _literal("workingDir", folder))


def missing_program(name: str, path: str, folder: str, home: str) -> StartProblem | None:
    """Whether the program can't be run, looked up as the shim does: in PATH, or from `folder`."""
    if "/" not in name:
        return _missing_command(name, path, folder)
    full = os.path.join(folder, name)
    if os.path.lexists(full):
        return _unfit(full)
    if os.path.isabs(name):
        return StartProblem(f"no file {name}")
    start = "steps start in the folder of the spec" if folder == home else "its workingDir"
    problem = f"no file {name} in {_shown(folder)} ({start})"
    for place in _above(folder):
        found = os.path.normpath(os.path.join(place, name))
        if os.path.isfile(found):
            return StartProblem(problem, _set(found, place, home))
    return StartProblem(problem, _literal("command", name))


def _missing_command(name: str, path: str, folder: str) -> StartProblem | None:
    unfit: StartProblem | None = None
    for place in path.split(":"):
        candidate = os.path.join(folder, place, name)
        if os.access(candidate, os.F_OK) and not os.path.isdir(candidate):
            if (fault := _unfit(candidate)) is None:
                return None
            unfit = unfit or fault
    if unfit:
        return unfit
    problem, near = f'command not found: "{name}"', os.path.join(folder, name)
    if os.path.isfile(near):
        return StartProblem(problem, f"there is {_shown(near)}: write ./{name}")
    unmeant = _literal("command", name) or _literal("env", path)
    return StartProblem(problem, unmeant or f"PATH is {path}")


def _unfit(path: str) -> StartProblem | None:
    """Why a file that is there can't be run; what its first line says is not looked at."""
    if os.path.isdir(path):
        return StartProblem(f"{_shown(path)} is a directory, not a command")
    if not os.access(path, os.X_OK):
        return StartProblem(f"{_shown(path)} is not executable", f"try: chmod +x {_shown(path)}")
    return None


def _set(found: str, folder: str, home: str) -> str:
    return f"there is {_shown(found)}: set workingDir: {os.path.relpath(folder, home)}"


def _above(folder: str) -> Iterator[str]:
    """The folders above, without the root of the file system."""
    for _ in range(_LEVELS_MAX):
        folder = os.path.dirname(folder)
        if folder in ("", "/"):
            return
        yield folder


def _literal(field: str, text: str) -> str:
    return literal(field, text).removeprefix("; ")


def _shown(path: str) -> str:
    """With `~` for the home folder."""
    own = os.path.expanduser("~").rstrip("/")
    inside = own and (path == own or path.startswith(f"{own}/"))
    return f"~{path[len(own) :]}" if inside else path
