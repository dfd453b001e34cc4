"""What the folder, as it is now, would do to the workflows: what `diff` says before a commit.

The controller's own judge looks at the folder, with nothing left to settle, and the table of edits
answers for each document; so what is said here is what happens. Nothing is folded and nothing kept.
"""

from collections.abc import Iterator

from msgspec import Struct

from controller.errors import Fault
from controller.model.events import (
    DeletionAccepted,
    EditDeferred,
    EditTakenBack,
    FileRejected,
    StepEffect,
)
from controller.model.observations import FolderSight
from controller.model.phases import Reason
from controller.model.state import State, Workflow
from controller.planner import deferred, desired, edits
from controller.planner.actions import Accept
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
    waits: bool = False  # until the present run has ended

    @property
    def is_one(self) -> bool:
        return self.before != self.after


class Foresight(Struct, frozen=True):
    changes: list[Change]
    faults: list[Fault]


def of_folder(state: State, sight: FolderSight, now: int) -> Foresight:
    """Of every workflow of the folder, and of those that are no longer in it."""
    verdict = desired.judge(state, sight, now, AT_ONCE, desired.Memory())
    changes: dict[str, Change] = {
        life.name: of_document(
            life, life.name, life.pending.document.spec if life.pending else life.spec
        )
        for life in state.workflows.values()
        if life.origin == "folder"
    }
    for action in verdict.actions:
        if isinstance(action, Accept):
            name = action.document.metadata.name
            life = state.lives[action.uid] if action.uid is not None else None
            changes[name] = of_document(life, name, action.document.spec)
        elif isinstance(action, EditTakenBack):
            life = state.lives[action.uid]
            changes[life.name] = of_document(life, life.name, life.spec)
        elif isinstance(action, EditDeferred):
            life = state.lives[action.uid]
            changes[life.name] = of_document(life, life.name, action.document.spec)
        elif isinstance(action, DeletionAccepted):
            life = state.lives[action.uid]
            changes[life.name] = _of_deletion(life, action.message)
    rejected = {path: list(file.faults) for path, file in sight.files.items() if not file.foreign}
    for action in verdict.actions:
        if isinstance(action, FileRejected):
            rejected[action.path] = action.faults
    faults = [fault for path in sorted(rejected) for fault in rejected[path]]
    return Foresight([changes[name] for name in sorted(changes)], faults)


def of_document(life: Workflow | None, name: str, spec: Spec) -> Change:
    """What this spec would do to that life; None: it would begin one."""
    if life is None:
        steps = {step.name: StepEffect("run", Reason.STEP_ADDED, "new") for step in spec.steps}
        return Change(workflow=name, before=0, after=1, was=None, becomes=spec, steps=steps)
    before = life.generation
    if same(life.spec, spec):
        steps = dict(_unchanged(life))
        return Change(
            workflow=name, before=before, after=before, was=spec, becomes=spec, steps=steps
        )
    waits = deferred.waits(life, spec)
    edit = edits.judge_after_run(life, spec) if waits else edits.judge(life, spec)
    return Change(
        workflow=name,
        before=before,
        after=before + 1,
        was=life.spec,
        becomes=spec,
        steps=edit.effects,
        waits=waits,
    )


def _unchanged(life: Workflow) -> Iterator[tuple[str, StepEffect]]:
    for step in life.steps.values():
        action = "keep" if step.live is None else "continue"
        yield step.name, StepEffect(action, Reason.UNCHANGED, "nothing changes")  # type: ignore[arg-type]


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
