"""What becomes of a document that folder or people want in force: one answer for all of them.

It begins a life; or it says what is in force already; or, with `editPolicy: AfterRun`, or while all
of a run is being ended or drained by anything but a marker, or while the hooks of its end run, it
waits until that run has ended; else it is the next generation. An edit that waits is recorded at
once, so it survives its file and a crash, and only the newest waits. With `AfterRun`, what it says
of `suspend` does not wait: that becomes a generation of its own, of the spec in force.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from controller.model.events import (
    EditDeferred,
    EditRejected,
    EditTakenBack,
    LifeEnded,
    Origin,
    SourceChanged,
)
from controller.model.phases import Reason
from controller.model.state import State, Workflow
from controller.planner.actions import Accept, Action, Follow, notes_of
from controller.spec.fingerprint import same
from controller.spec.linked import homes_of
from controller.spec.models import Metadata, Spec
from controller.spec.models import Workflow as Written
from controller.spec.params import NOTHING, misfits
from controller.spec.reading.load import Document
from controller.spec.triggers.trigger import is_definition


def accept(
    life: Workflow | None,
    document: Document,
    path: str,
    by: str,
    origin: Origin = "folder",
    request: str = "",
    params: Mapping[str, Any] = NOTHING,
) -> Iterator[Action]:
    """What follows for `life` (None: there is none yet) from a document that lies at `path`.

    `params`: given to a life that begins.
    """
    spec = document.workflow.spec
    refused = refusal(life, spec)
    if life is not None and refused != _last_refusal(life):
        yield EditRejected(uid=life.uid, path=path, problem=refused)
    if refused:
        return
    if life is not None and (life.spec is spec or same(life.spec, spec)):
        if life.pending is not None:
            yield EditTakenBack(uid=life.uid, generation=life.latest + 1)
        yield from _source_changed(life, path, document.workflow)
    elif life is not None and _converts(life, spec):
        yield from _convert(life, document, path, by)
    elif life is not None and life.in_run and (_is_patient(spec) or _holds_edits(life)):
        yield from _defer(life, document, path, by)
    else:
        yield Accept(
            document=document.workflow,
            path=path,
            uid=life.uid if life is not None else None,
            origin=origin,
            by=by,
            warnings=document.warnings,
            request=request,
            params=dict(params),
        )


def _converts(life: Workflow, spec: Spec) -> bool:
    """Whether the edit makes a definition of a plain workflow, or the other way round."""
    return (life.starter is not None) != is_definition(spec)


def _convert(life: Workflow, document: Document, path: str, by: str) -> Iterator[Action]:
    """The edit waits until all that runs has ended; then another life begins with it."""
    if not _is_busy(life):
        yield from _ended(life)
        yield Accept(
            document=document.workflow, path=path, uid=None, by=by, warnings=document.warnings
        )
        return
    before = life.pending
    known = None if before is None else (before.document, before.path)
    if known != (document.workflow, path):
        yield EditDeferred(
            uid=life.uid,
            generation=life.latest + 1 if before is None else before.generation,
            document=document.workflow,
            path=path,
            by=by,
            warnings=list(document.warnings),
        )


def _is_busy(life: Workflow) -> bool:
    """Whether something has to end before another life can have the name."""
    if life.starter is None:
        return life.in_run or bool(life.occupied)
    return bool(life.starter.unfinished)


def _ended(life: Workflow) -> Iterator[LifeEnded]:
    """The life ends, with the instances that it has."""
    for uid in () if life.starter is None else [*life.starter.ended]:
        yield LifeEnded(uid=uid)
    yield LifeEnded(uid=life.uid)


def follow(state: State, life: Workflow) -> Follow | EditRejected | None:
    """What an instance does about a newer generation of its definition.

    One that has ended never runs again by an edit.
    """
    birth = life.birth
    if birth is None or not birth.behind or life.finished or _holds_edits(life):
        return None
    spec = state.lives[birth.definition].spec
    if _is_patient(spec):
        return None
    refused = refusal(life, spec)
    if refused:
        return EditRejected(uid=life.uid, path=life.path, problem=refused)
    return Follow(life.uid)


def refusal(life: Workflow | None, spec: Spec) -> str:
    """Why the spec does not fit the params given to the life; or nothing."""
    if life is None or life.starter is not None or (life.spec is spec and not life.given):
        return ""
    found = misfits(spec, life.given)
    return "; ".join(f"param {name}: {problem}" for name, problem in found)


def _last_refusal(life: Workflow) -> str:
    condition = life.conditions.get("EditRejected")
    return condition.message if condition is not None and condition.status == "True" else ""


def _is_patient(spec: Spec) -> bool:
    return spec.edit_policy == "AfterRun"


def _holds_edits(life: Workflow) -> bool:
    """All of its run is being ended or drained, and not by a marker: that cancels the edit too; or
    only its hooks still run.
    """
    if life.is_ending:
        return True
    return life.cancel is not None and life.cancel.reason != Reason.CANCEL_MARKER


def due(life: Workflow) -> list[Accept | LifeEnded]:
    """What waited, once the run, or all instances, have ended."""
    edit = life.pending
    if edit is None or life.deleting or _is_busy(life):
        return []
    another = _converts(life, edit.document.spec)
    return [
        *(_ended(life) if another else ()),
        Accept(
            document=edit.document,
            path=edit.path,
            uid=None if another else life.uid,
            by=edit.by,
            warnings=tuple(edit.warnings),
            waited=not another,
        ),
    ]


def _source_changed(life: Workflow, path: str, wanted: Written) -> Iterator[SourceChanged]:
    labels, annotations = notes_of(wanted.metadata)
    homes = homes_of(wanted.spec)
    before = life.path, life.labels, life.annotations, homes_of(life.spec)
    if (path, labels, annotations, homes) != before:
        yield SourceChanged(
            uid=life.uid, path=path, labels=labels, annotations=annotations, homes=homes
        )


def _source(document: Written, path: str) -> tuple[Metadata, str, dict[str, str]]:
    """What an edit that waits has besides what its spec means."""
    return document.metadata, path, homes_of(document.spec)


def _defer(
    life: Workflow, document: Document, path: str, by: str
) -> Iterator[Accept | EditDeferred]:
    """The edit is recorded as one that waits, but for what it says of `suspend`.

    While all of the run is being ended that waits as well: a generation would call the end off.
    """
    wanted, before = document.workflow, life.pending
    differs = (life.spec.suspend is True) != (wanted.spec.suspend is True)
    changes_suspend = differs and not _holds_edits(life)
    if changes_suspend:
        spec: Spec = structs.replace(life.spec, suspend=wanted.spec.suspend)
        yield Accept(document=structs.replace(wanted, spec=spec), path=path, uid=life.uid, by=by)
        if same(spec, wanted.spec):
            return
    number = life.latest + 1
    if changes_suspend:
        number += 1
    elif before is not None and same(before.document.spec, wanted.spec):
        number = before.generation  # its labels or its path at most are new
    known = None if before is None else (before.generation, *_source(before.document, before.path))
    if known != (number, *_source(wanted, path)):
        yield EditDeferred(
            uid=life.uid,
            generation=number,
            document=wanted,
            path=path,
            by=by,
            warnings=list(document.warnings),
        )
