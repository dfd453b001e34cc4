"""Cancel markers: what the folder shows of them against what the log knows.

A marker counts as soon as it is there; if its workflow isn't there yet, it waits for it. A marker
that names a step which its workflow does not have is rejected, and judged again when the workflow
has changed. A marker that vanished must stay away for the settle time, like anything else that
vanished; an edit of the same workflow waits until then.
Cost: O(markers that changed, or name steps) a call.
"""

from collections.abc import Iterator, Mapping

from controller.intake.absence import Absences, AbsenceSettings
from controller.model.events import MarkerPlaced, MarkerRejected, MarkerRemoved
from controller.model.observations import FolderSight, SeenMarker
from controller.model.state import State
from controller.model.state import Workflow as Life
from controller.spec.hooks import is_hook
from controller.spec.items import parent_name
from controller.spec.models import Spec, Workflow
from controller.spec.template import definition_named

Target = tuple[str, str, int]  # what a marker's steps were compared with: name, uid, generation


def removed(
    state: State, absences: Absences, settings: AbsenceSettings, scanned: int
) -> Iterator[MarkerRemoved]:
    """The markers that are really gone, not just for a moment."""
    for kind, path in sorted(absences.waits):
        known = state.markers.get(path) or state.bad_markers.get(path)
        if kind != "path" or known is None:
            continue
        if absences.believed("path", path, settings, scanned):
            absences.forget("path", path)
            yield MarkerRemoved(workflow=known.workflow, path=path)


def going(state: State, absences: Absences, name: str) -> bool:
    """Whether a marker of this workflow has vanished, and the settle time is not over yet."""
    return any(("path", path) in absences.waits for path in state.markers_of.get(name, ()))


def placed(
    state: State,
    sight: FolderSight,
    changed: set[str],
    documents: Mapping[str, Workflow],
    targets: dict[str, Target],
) -> Iterator[MarkerPlaced | MarkerRejected]:
    """Markers that came or changed, or whose workflow did. Updates `targets`.

    `documents`: the specs that were just accepted, by name.
    """
    stale = {
        path
        for path, target in targets.items()
        if target[0] in documents or target != _target(state, target[0])
    }
    for path in sorted(stale | (changed & (sight.markers.keys() | targets.keys()))):
        marker = sight.markers.get(path)
        targets.pop(path, None)
        if marker is None or not marker.steady:
            continue
        if marker.steps:
            targets[path] = _target(state, marker.workflow)
        problem = marker.problem or _unknown_steps(state, marker, documents)
        yield from _rejected(state, marker, problem) if problem else _in_force(state, marker)


def _target(state: State, name: str) -> Target:
    life = state.workflows.get(name)
    return (name, life.uid, life.generation) if life is not None else (name, "", 0)


def _unknown_steps(state: State, marker: SeenMarker, documents: Mapping[str, Workflow]) -> str:
    if not marker.steps:
        return ""
    document, life = documents.get(marker.workflow), state.workflows.get(marker.workflow)
    if document is not None:
        spec = document.spec
    elif life is not None:
        spec = life.spec
    else:
        return ""  # it waits for its workflow
    unknown = [name for name in marker.steps if not _is_known(name, spec, life)]
    if not unknown:
        return ""
    names = ", ".join(f'"{name}"' for name in unknown)
    hooks = "; to stop hooks, write hooks: false in place of steps"
    about_hooks = any(map(is_hook, unknown))
    return f"steps: {marker.workflow} has no step {names}{hooks if about_hooks else ''}"


def _is_known(name: str, spec: Spec, life: Life | None) -> bool:
    """A child is not known before its parent is expanded; till then it may come."""
    if definition_named(spec, name) is None:
        return False
    parent = life.steps.get(parent_name(name)) if life is not None else None
    return parent is None or not parent.expanded or name in parent.children


def _rejected(state: State, marker: SeenMarker, problem: str) -> Iterator[MarkerRejected]:
    event = MarkerRejected(
        workflow=marker.workflow, path=marker.path, digest=marker.digest, problem=problem
    )
    if state.bad_markers.get(marker.path) != event:
        yield event


def _in_force(state: State, marker: SeenMarker) -> Iterator[MarkerPlaced]:
    event = MarkerPlaced(
        workflow=marker.workflow,
        path=marker.path,
        digest=marker.digest,
        by=marker.by,
        reason=marker.reason,
        steps=list(marker.steps),
        drain=marker.drain,
        hooks=marker.hooks,
    )
    if state.markers.get(marker.path) != event:
        yield event
