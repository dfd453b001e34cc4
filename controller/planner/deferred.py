"""`editPolicy: AfterRun`: an edit that waits until the present run has ended.

It is recorded at once, so it survives its file and a crash, and only the newest waits. What it says
of `suspend` never does: that becomes a generation of its own, of the spec in force.
"""

from collections.abc import Iterator

from msgspec import structs

from controller.model.events import EditDeferred
from controller.model.state import Workflow
from controller.planner.actions import Accept
from controller.spec.fingerprint import same
from controller.spec.load import Document
from controller.spec.models import Spec


def waits(life: Workflow, spec: Spec) -> bool:
    """Whether an edit to this spec takes effect only when the present run has ended."""
    return spec.edit_policy == "AfterRun" and life.in_run


def defer(
    life: Workflow, document: Document, path: str, by: str
) -> Iterator[Accept | EditDeferred]:
    """The edit is recorded as one that waits, but for what it says of `suspend`."""
    wanted, before = document.workflow, life.pending
    hurries = (life.spec.suspend is True) != (wanted.spec.suspend is True)
    if hurries:
        spec = structs.replace(life.spec, suspend=wanted.spec.suspend)
        yield Accept(document=structs.replace(wanted, spec=spec), path=path, uid=life.uid, by=by)
        if same(spec, wanted.spec):
            return
    number = life.latest + 1
    if hurries:
        number += 1
    elif before is not None and same(before.document.spec, wanted.spec):
        number = before.generation  # its labels or its path at most are new
    if before is None or (before.generation, before.document.metadata, before.path) != (
        number,
        wanted.metadata,
        path,
    ):
        yield EditDeferred(
            uid=life.uid,
            generation=number,
            document=wanted,
            path=path,
            by=by,
            warnings=list(document.warnings),
        )


def due(life: Workflow) -> Accept | None:
    """What waited, once the run has ended."""
    if life.pending is None or life.in_run:
        return None
    edit = life.pending
    warnings = tuple(edit.warnings)
    return Accept(
        document=edit.document,
        path=edit.path,
        uid=life.uid,
        by=edit.by,
        warnings=warnings,
        waited=True,
    )
