"""What the folder, as it is now, would do to the workflows: what `diff` says before a commit.

The controller's own judge looks at the folder, with nothing left to settle, and the table of edits
answers for each document; so what is said here is what happens. Nothing is folded and nothing kept.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from controller.errors import Fault
from controller.intake import desired
from controller.model.events import (
    DeletionAccepted,
    EditDeferred,
    EditTakenBack,
    EffectAction,
    FileCleared,
    FileRejected,
    MarkerPlaced,
    MarkerRemoved,
    StepEffect,
)
from controller.model.observations import FolderSight
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import State, Workflow
from controller.planner import barred, deferred, edits
from controller.planner.actions import Accept, Action
from controller.spec.fingerprint import same
from controller.spec.models import Spec

AT_ONCE = desired.Settings(settle_seconds=0, mass_settle_seconds=0)


class Change(Struct, frozen=True, kw_only=True):
    """What becomes of one workflow. Generations: 0 before its life, None after its end."""

    workflow: str
    before: int
    after: int | None
    was: Spec | None
    becomes: Spec | None
    steps: dict[str, StepEffect]
    note: str = ""  # what else there is to know: that it waits, or a marker

    @property
    def is_one(self) -> bool:
        return self.before != self.after or bool(self.note)


class Foresight(Struct, frozen=True):
    changes: list[Change]
    faults: list[Fault]


def of_folder(state: State, sight: FolderSight, now: int) -> Foresight:
    """Of every workflow of the folder, and of those that are no longer in it."""
    verdict = desired.judge(state, sight, now, AT_ONCE, desired.Memory())
    changes: dict[str, Change] = {
        life.name: _of_document(
            life, life.name, life.pending.document.spec if life.pending else life.spec
        )
        for life in state.workflows.values()
        if life.origin == "folder" and not life.deleting
    }
    for file in sight.files.values():
        for document in file.documents:
            name = document.workflow.metadata.name
            if name in state.workflows and state.workflows[name].deleting:
                changes[name] = _of_document(state.workflows[name], name, document.workflow.spec)
    at_once = {action.uid for action in verdict.actions if isinstance(action, Accept)}
    for action in verdict.actions:
        if isinstance(action, Accept):
            name = action.document.metadata.name
            life = state.lives[action.uid] if action.uid is not None else None
            changes[name] = _of_document(life, name, action.document.spec, at_once=True)
        elif isinstance(action, EditTakenBack):
            life = state.lives[action.uid]
            changes[life.name] = _of_document(life, life.name, life.spec)
        elif isinstance(action, EditDeferred):
            life = state.lives[action.uid]
            change = _of_document(life, life.name, action.document.spec)
            note = change.note
            if life.uid in at_once:
                note += "; what it says of suspend takes effect at once"
            changes[life.name] = structs.replace(change, after=action.generation, note=note)
        elif isinstance(action, DeletionAccepted):
            life = state.lives[action.uid]
            changes[life.name] = _of_deletion(life, action.message)
    for marker in _markers(state, verdict.actions):
        if marker.workflow in changes:
            change = changes[marker.workflow]
            changes[marker.workflow] = _under(state, marker, change)
    faults = [fault for _, of_file in sorted(_faults(state, sight, verdict)) for fault in of_file]
    return Foresight([changes[name] for name in sorted(changes)], faults)


def _faults(
    state: State, sight: FolderSight, verdict: desired.Verdict
) -> Iterable[tuple[str, list[Fault]]]:
    """By file: what is wrong with it by itself, or why it is rejected, now or still."""
    found = {path: list(file.faults) for path, file in sight.files.items() if not file.foreign}
    found |= {path: one.faults for path, one in state.rejected.items() if path in sight.files}
    for action in verdict.actions:
        if isinstance(action, FileRejected):
            found[action.path] = action.faults
        elif isinstance(action, FileCleared):
            found.pop(action.path, None)
    return found.items()


def _markers(state: State, actions: Iterable[Action]) -> list[MarkerPlaced]:
    """Those that will be there."""
    found = dict(state.markers)
    for action in actions:
        if isinstance(action, MarkerRemoved):
            found.pop(action.path, None)
        elif isinstance(action, MarkerPlaced):
            found[action.path] = action
    return list(found.values())


def _under(state: State, marker: MarkerPlaced, change: Change) -> Change:
    """While a marker is there, nothing that it is about starts."""
    life = state.workflows.get(change.workflow)
    if change.after is None or change.becomes is None:
        return change
    if change.before == change.after:
        standing = state.markers.get(marker.path) == marker
        whom = "" if standing or life is None else _to_cancel(life, marker)
        verb = "drains" if marker.drain else "cancels"
        return structs.replace(change, note=f"{marker.path} {verb} {whom}") if whom else change
    steps = barred.under(life, change.becomes, change.steps, [marker])
    note = f"counts as cancelled: {marker.path} is there"
    if marker.steps:
        whom = ", ".join(name for name in marker.steps if steps.get(name) != change.steps.get(name))
        note = f"{marker.path} keeps {whom} from starting" if whom else ""
    return structs.replace(change, steps=steps, note="; ".join(filter(None, (change.note, note))))


def _to_cancel(life: Workflow, marker: MarkerPlaced) -> str:
    """Whom a marker that is new would cancel."""
    if not marker.steps:
        return "" if life.finished else "it"
    steps = [life.steps[name] for name in marker.steps if name in life.steps]
    return ", ".join(step.name for step in steps if step.phase not in TERMINAL)


def of_document(
    state: State, life: Workflow | None, name: str, spec: Spec, at_once: bool = False
) -> Change:
    """What this spec would do to that life, with the markers that are there."""
    change = _of_document(life, name, spec, at_once)
    for marker in state.marked.get(name, {}).values():
        change = _under(state, marker, change)
    return change


def _of_document(life: Workflow | None, name: str, spec: Spec, at_once: bool = False) -> Change:
    """What this spec would do to that life; None: it would begin one."""
    if life is None or life.deleting:
        steps = {step.name: StepEffect("run", Reason.STEP_ADDED, "new") for step in spec.steps}
        note = "begins when the life that was deleted has ended" if life is not None else ""
        return Change(
            workflow=name, before=0, after=1, was=None, becomes=spec, steps=steps, note=note
        )
    before = life.generation
    if same(life.spec, spec):
        return Change(
            workflow=name,
            before=before,
            after=before if life.pending is None else life.latest + 1,
            was=spec,
            becomes=spec,
            steps=dict(_unchanged(life)),
            note="" if life.pending is None else "takes back the edit that waits",
        )
    waits = deferred.waits(life, spec) and not at_once
    edit = edits.judge_after_run(life, spec) if waits else edits.judge(life, spec)
    notes = [f"waits until run {life.run} has ended"] if waits else []
    if spec.suspend is True or life.suspension:
        notes.append("is suspended: nothing starts before it goes on")
    waits_already = waits and life.pending is not None and same(life.pending.document.spec, spec)
    return Change(
        workflow=name,
        before=before,
        after=life.latest if waits_already else life.latest + 1,
        was=life.spec,
        becomes=spec,
        steps=edit.effects,
        note="; ".join(notes),
    )


def _unchanged(life: Workflow) -> Iterator[tuple[str, StepEffect]]:
    for step in life.steps.values():
        if step.leaving:
            continue
        action: EffectAction = "continue" if step.phase is Phase.RUNNING else "keep"
        yield step.name, StepEffect(action, Reason.UNCHANGED, "nothing changes")


def _of_deletion(life: Workflow, message: str) -> Change:
    steps = {name: StepEffect("remove", Reason.SPEC_DELETED, message) for name in life.steps}
    return Change(
        workflow=life.name,
        before=life.generation,
        after=None,
        was=life.spec,
        becomes=None,
        steps=steps,
    )
