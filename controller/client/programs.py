"""Warns of programs and working directories that a spec names and that are not there.

Only warnings: an earlier step may make them, and the controller may have another PATH.
"""

import os
from collections.abc import Callable, Iterator

from msgspec import UNSET

from controller.executor.local.missing import Missing, missing_folder, missing_program
from controller.spec.definition import definitions
from controller.spec.expression import OPEN
from controller.spec.linked import Body
from controller.spec.models import Spec, Step
from controller.spec.path_fault import Path, PathFault


def programs_near(file: str) -> Callable[[Spec], Iterator[PathFault]]:
    """A rule for `load` that looks for what the steps of this file need, each thing once."""
    home = os.path.dirname(os.path.abspath(file))

    def rule(spec: Spec) -> Iterator[PathFault]:
        folders: dict[str, Missing | None] = {}
        programs: set[tuple[str, str, str]] = set()
        for index, (step, it) in enumerate(
            zip(spec.steps, definitions(spec).values(), strict=True)
        ):
            if it.approve is not None:
                continue
            if it.template is not None or (isinstance(spec, Body) and step.working_dir is UNSET):
                continue  # where it starts, the workflow that uses the template decides
            folder = os.path.normpath(os.path.join(home, it.working_dir))
            if folder not in folders and OPEN not in folder:
                folders[folder] = found = missing_folder(folder, home)
                if found:
                    yield _warning(_of_folder(index, step), found)
            path = it.env.get("PATH", os.environ.get("PATH", os.defpath))
            if not isinstance(path, str) or any(
                OPEN in text for text in (path, it.argv[0], folder)
            ):
                continue  # only an attempt knows
            program = (it.argv[0], path, folder)
            if folders[folder] is None and program not in programs:
                programs.add(program)
                if found := missing_program(*program, home):
                    yield _warning(_of_program(index, step), found)

    return rule


def _warning(path: Path, missing: Missing) -> PathFault:
    hint = missing.hint or "it must be there when the step starts"
    return PathFault(path=path, problem=missing.problem, hint=hint)


def _of_folder(index: int, step: Step) -> Path:
    own = step.working_dir is not UNSET
    return ("spec", "steps", index, "workingDir") if own else ("spec", "workingDir")


def _of_program(index: int, step: Step) -> Path:
    if step.command is not UNSET:
        return ("spec", "steps", index, "command", 0)
    return ("spec", "steps", index, "shell") if step.shell is not UNSET else ("spec", "shell")
