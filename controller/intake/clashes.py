"""Two documents with one name: the one in force stays, the other is a fault that names both places.
A file that no longer defines its workflows is a fault, too.

A workflow that `treadle run` drives keeps its name until that run has finished.
"""

from controller.errors import Fault
from controller.intake import conditions
from controller.model.observations import FolderSight, SeenFile
from controller.model.state import Workflow
from controller.spec.load import Document


def duplicate(sight: FolderSight, file: SeenFile, document: Document, other: str) -> Fault:
    """`other`: the file whose document of that name is in force, or will be."""
    name = document.name
    problem = f'the workflow "{name}" is already defined in {_place(sight, other, name)}'
    return _fault(sight, file, document, problem, "rename or remove one of the two")


def driven(sight: FolderSight, file: SeenFile, document: Document, life: Workflow) -> Fault:
    problem = f'"{life.name}" is running under `treadle run` (uid {life.uid})'
    return _fault(
        sight, file, document, problem, "this file takes effect when that run has finished"
    )


def is_driven(life: Workflow) -> bool:
    """Whether `treadle run` began it and it has not finished yet."""
    return life.origin == "run" and not life.finished


def emptied(sight: FolderSight, file: SeenFile, lost: list[str]) -> Fault:
    """`lost`: the workflows that the file defined and that no file defines now."""
    problem = "the file is empty" if file.empty else "no treadle document is left in it"
    hint = f"remove the file to delete {conditions.listed(lost)}"
    return Fault(file=shown(sight, file.path), problem=problem, hint=hint)


def shown(sight: FolderSight, path: str) -> str:
    """The path of the file, with the folder as the user wrote it."""
    return f"{sight.shown.rstrip('/')}/{path}" if sight.shown else path


def _fault(
    sight: FolderSight, file: SeenFile, document: Document, problem: str, hint: str
) -> Fault:
    place = shown(sight, file.path)
    return Fault(file=place, line=document.line, column=1, problem=problem, hint=hint)


def _place(sight: FolderSight, path: str, name: str) -> str:
    file = sight.files.get(path)
    for document in file.documents if file is not None else ():
        if document.name == name:
            return f"{shown(sight, path)}:{document.line}"
    return shown(sight, path)
