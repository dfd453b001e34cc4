"""Warns of programs and working directories that a spec names and that are not there.

Only warnings: an earlier step may make them, and the controller may have another PATH.
"""

import os
from collections.abc import Callable, Iterator

from msgspec import UNSET

from controller.executor.local.missing import StartProblem, missing_folder, missing_program
from controller.spec.definition import Definition, define_hook, definitions
from controller.spec.expression import OPEN
from controller.spec.linked import Body
from controller.spec.models import Hook, Spec, Step
from controller.spec.path_fault import Path, PathFault, hooks_of, steps_of


def programs_near(file: str) -> Callable[[Spec], Iterator[PathFault]]:
    """A rule for `load` that looks for what steps and hooks of this file need, each thing once."""
    home = os.path.dirname(os.path.abspath(file))

    def rule(spec: Spec) -> Iterator[PathFault]:
        folders: dict[str, StartProblem | None] = {}
        programs: set[tuple[str, str, str]] = set()
        for path, owner, it in _processes(spec):
            folder = os.path.normpath(os.path.join(home, it.working_dir))
            if folder not in folders and OPEN not in folder:
                folders[folder] = found = missing_folder(folder, home)
                if found:
                    yield _warning(_of_folder(path, owner), found)
            search = it.env.get("PATH", os.environ.get("PATH", os.defpath))
            if not isinstance(search, str) or any(
                OPEN in text for text in (search, it.argv[0], folder)
            ):
                continue  # only an attempt knows
            program = (it.argv[0], search, folder)
            if folders[folder] is None and program not in programs:
                programs.add(program)
                if found := missing_program(*program, home):
                    yield _warning(_of_program(path, owner), found)

    return rule


def _processes(spec: Spec) -> Iterator[tuple[Path, Step | Hook, Definition]]:
    """The steps and hooks that run a process, if it is known where this starts."""
    for (path, step), it in zip(steps_of(spec), definitions(spec).values(), strict=True):
        # The workflow that uses a template decides where the steps of the template start.
        known = not isinstance(spec, Body) or step.working_dir is not UNSET
        if known and it.approve is None and it.template is None:
            yield path, step, it
    for path, hook in hooks_of(spec):
        yield path, hook, define_hook(spec, hook.name, hook, home="")


def _warning(path: Path, missing: StartProblem) -> PathFault:
    what = "hook" if "hooks" in path else "step"
    hint = missing.hint or f"it must be there when the {what} starts"
    return PathFault(path=path, problem=missing.problem, hint=hint)


def _of_folder(path: Path, of: Step | Hook) -> Path:
    return (*path, "workingDir") if of.working_dir is not UNSET else ("spec", "workingDir")


def _of_program(path: Path, of: Step | Hook) -> Path:
    if of.command is not UNSET:
        return (*path, "command", 0)
    return (*path, "shell") if of.shell is not UNSET else ("spec", "shell")
