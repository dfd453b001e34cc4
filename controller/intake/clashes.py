"""Two documents with one name: the one in force stays, the other is a fault that names both places.
So it is with two templates, two pools, and two Defaults of a folder. A file that no longer has any
document is a fault, too.

A workflow that `treadle run` drives keeps its name until that run has finished.
"""

from controller.errors import Fault
from controller.intake import conditions
from controller.model.observations import FolderSight, SeenFile
from controller.model.state import Workflow
from controller.spec.path_fault import circle_in_words
from controller.spec.reading.load import Document, PolicyDocument, TemplateDocument

Named = Document | TemplateDocument | PolicyDocument


def duplicate(sight: FolderSight, file: SeenFile, document: Named, other: str) -> Fault:
    """`other`: the file whose document of that name is in force, or will be."""
    place = _place(sight, other, document)
    kind, name = _called(document)
    if not name:
        hint = "a folder has one: put both into one document, or remove one"
        problem = f"the Defaults of this folder are already in {place}"
        return _fault(sight, file, document, problem, hint)
    problem = f'the {kind} "{name}" is already defined in {place}'
    return _fault(sight, file, document, problem, "rename or remove one of the two")


def driven(sight: FolderSight, file: SeenFile, document: Document, life: Workflow) -> Fault:
    problem = f'"{life.name}" is running under `treadle run` (uid {life.uid})'
    return _fault(
        sight, file, document, problem, "this file takes effect when that run has finished"
    )


def closes_circle(sight: FolderSight, file: SeenFile, document: Document, way: list[str]) -> Fault:
    """`way`: the workflows that wait for each other, from this one back to itself."""
    problem = f"these workflows wait for each other: {circle_in_words(way)}"
    hint = "remove one of their `after` triggers"
    return _fault(sight, file, document, problem, hint)


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


def _fault(sight: FolderSight, file: SeenFile, document: Named, problem: str, hint: str) -> Fault:
    place = shown(sight, file.path)
    return Fault(file=place, line=document.line, column=1, problem=problem, hint=hint)


def _place(sight: FolderSight, path: str, twin: Named) -> str:
    """Where the other document of that kind and name is."""
    file = sight.files.get(path)
    if file is not None:
        there: tuple[Named, ...] = (*file.documents, *file.templates, *file.policies)
        for named in there:
            if _called(named) == _called(twin):
                return f"{shown(sight, path)}:{named.line}"
    return shown(sight, path)


def _called(document: Named) -> tuple[str, str]:
    """Its kind and its name."""
    if isinstance(document, PolicyDocument):
        return document.named.kind.lower(), document.named.name
    return "template" if isinstance(document, TemplateDocument) else "workflow", document.name
