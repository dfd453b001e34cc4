"""Two documents with one name: the one in force stays, the other is a fault that names both places.
A file that no longer defines what it did is one, too.

A workflow that `treadle run` drives has its name for as long as that run is alive.
"""

from controller.errors import Fault
from controller.intake import conditions
from controller.model.observations import FolderSight, SeenFile
from controller.model.state import Workflow
from controller.spec.load import Document


def duplicate(sight: FolderSight, file: SeenFile, document: Document, other: str) -> Fault:
    """`other` is the file whose document of that name is, or is to be, in force."""
    name = document.workflow.metadata.name
    problem = f'the workflow "{name}" is already defined in {_place(sight, other, name)}'
    return _fault(sight, file, document, problem, "rename or remove one of the two")


def driven(sight: FolderSight, file: SeenFile, document: Document, life: Workflow) -> Fault:
    problem = f'"{life.name}" is alive, driven by `treadle run` (uid {life.uid})'
    return _fault(sight, file, document, problem, "it is taken once that has ended")


def is_driven(life: Workflow) -> bool:
    """Whether `treadle run` drives it and has not yet come to an end."""
    return life.origin == "run" and not life.finished


def emptied(sight: FolderSight, file: SeenFile, lost: list[str]) -> Fault:
    """`lost` are the workflows that it defined, and that nothing else does now."""
    problem = "the file is empty" if file.empty else "no treadle document is left in it"
    hint = f"remove the file to delete {conditions.listed(lost)}"
    return Fault(file=shown(sight, file.path), problem=problem, hint=hint)


def shown(sight: FolderSight, path: str) -> str:
    """The file as its user would name it."""
    return f"{sight.shown.rstrip('/')}/{path}" if sight.shown else path


def _fault(
    sight: FolderSight, file: SeenFile, document: Document, problem: str, hint: str
) -> Fault:
    place = shown(sight, file.path)
    return Fault(file=place, line=document.line, column=1, problem=problem, hint=hint)


def _place(sight: FolderSight, path: str, name: str) -> str:
    file = sight.files.get(path)
    for document in file.documents if file is not None else ():
        if document.workflow.metadata.name == name:
            return f"{shown(sight, path)}:{document.line}"
    return shown(sight, path)
