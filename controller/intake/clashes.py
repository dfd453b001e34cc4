"""Two documents with one name: the one in force stays, the other is a fault that names both places.
So it is with two templates. A file that no longer defines its workflows is a fault, too.

A workflow that `treadle run` drives keeps its name until that run has finished.
"""

from controller.errors import Fault
from controller.intake import conditions
from controller.model.observations import FolderSight, SeenFile
from controller.model.state import Workflow
from controller.spec.load import Document, TemplateDocument


def duplicate(
    sight: FolderSight, file: SeenFile, document: Document | TemplateDocument, other: str
) -> Fault:
    """`other`: the file whose document of that name is in force, or will be."""
    kind = "template" if isinstance(document, TemplateDocument) else "workflow"
    place = _place(sight, other, document)
    problem = f'the {kind} "{document.name}" is already defined in {place}'
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
    """`lost`: what the file defined and no file defines now."""
    problem = "the file is empty" if file.empty else "no treadle document is left in it"
    hint = f"remove the file to delete {conditions.listed(lost)}"
    return Fault(file=shown(sight, file.path), problem=problem, hint=hint)


def shown(sight: FolderSight, path: str) -> str:
    """The path of the file, with the folder as the user wrote it."""
    return f"{sight.shown.rstrip('/')}/{path}" if sight.shown else path


def _fault(
    sight: FolderSight,
    file: SeenFile,
    document: Document | TemplateDocument,
    problem: str,
    hint: str,
) -> Fault:
    place = shown(sight, file.path)
    return Fault(file=place, line=document.line, column=1, problem=problem, hint=hint)


def _place(sight: FolderSight, path: str, twin: Document | TemplateDocument) -> str:
    """Where the other document of that kind and name is."""
    file = sight.files.get(path)
    if file is not None:
        for one in file.templates if isinstance(twin, TemplateDocument) else file.documents:
            if one.name == twin.name:
                return f"{shown(sight, path)}:{one.line}"
    return shown(sight, path)
