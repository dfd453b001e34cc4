"""What the folder, as it is now, would do to the workflows: what `diff` says before a commit.

The controller's own judge looks at the folder, with nothing left to settle, and what follows for a
workflow is played on a copy of it by the controller's own passes. Then it is read off, step by
step, what becomes of it. Nothing of the state that was given is changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from controller.errors import Fault
from controller.intake import desired, policies
from controller.intake.templates import Templates
from controller.model.apply.defaults import folders_above
from controller.model.events import (
    DefaultsAccepted,
    DefaultsRemoved,
    DeletionAccepted,
    EditRejected,
    EditTakenBack,
    FileCleared,
    FileRejected,
    LifeEnded,
    MarkerPlaced,
    MarkerRejected,
    MarkerRemoved,
    SourceChanged,
    StepEffect,
)
from controller.model.indexes import wall
from controller.model.observations import FolderSight, SeenFile
from controller.model.phases import Reason
from controller.model.state import SECOND, State, Workflow, document_of
from controller.planner.actions import Accept, Action
from controller.planner.editing.accept import accept
from controller.rehearsal import definitions
from controller.rehearsal.change import NEW, Change, Foresight, PolicyChange
from controller.rehearsal.effects import Barred, effects_of, marker_notes, unchanged, waiting
from controller.rehearsal.play import Play
from controller.rehearsal.triggers import trigger_changes
from controller.spec.models import Spec
from controller.spec.reading.link import Found, link
from controller.spec.reading.load import Document, Loaded
from controller.spec.triggers.trigger import is_definition

__all__ = ["Change", "Foresight", "PolicyChange", "of_document", "of_files", "of_folder"]

AT_ONCE = desired.AbsenceSettings(settle_seconds=0, mass_settle_seconds=0)


# ---------------------------------------- the folder


def of_folder(state: State, sight: FolderSight, now: int) -> Foresight:
    """Of every workflow of the folder, and of those that are no longer in it.

    `now`: microseconds since 1970 on the wall clock.
    """
    memory = desired.Memory()
    verdict = desired.judge(state, sight, now, AT_ONCE, memory)
    wanted: dict[str, list[Action]] = {
        life.name: [] for life in state.workflows.values() if life.origin == "folder"
    }
    edited = {
        action.folder: action
        for action in verdict.actions
        if isinstance(action, DefaultsAccepted | DefaultsRemoved)
    }
    for action in verdict.actions:
        name = _workflow_of(state, action)
        if name not in wanted and _is_definition(state, document_of(name)):
            name = document_of(name)  # what is about an instance is told with its definition
        if name in wanted or isinstance(action, Accept | LifeEnded):
            wanted.setdefault(name, []).append(action)
    coming = {
        document.name: document.workflow.spec
        for file in sight.files.values()
        for document in memory.templates.linked(file).documents
    }
    changes: list[Change] = []
    for name in sorted(wanted):
        life = state.workflows.get(name)
        if life is None or not life.deleting:
            first = _above(life, wanted[name], edited) if wanted[name] else ()
            changes += _of_actions(state, name, [*first, *wanted[name]], now // SECOND)
        elif name in coming:
            changes.append(_after_deletion(name, coming[name], now // SECOND))
    faults = [fault for _, of_file in sorted(_faults(state, sight, verdict)) for fault in of_file]
    return Foresight(changes, faults, list(_policies(state, verdict.actions)))


def _is_definition(state: State, name: str) -> bool:
    return name in state.workflows and state.workflows[name].starter is not None


def _above(
    life: Workflow | None,
    actions: Iterable[Action],
    edited: Mapping[str, DefaultsAccepted | DefaultsRemoved],
) -> list[Action]:
    """The edits of Defaults that hold for a workflow, where it was and where it will be."""
    paths = [life.path] if life is not None else []
    paths += [action.path for action in actions if isinstance(action, Accept | SourceChanged)]
    folders = dict.fromkeys(folder for path in paths for folder in folders_above(path))
    return [edited[folder] for folder in folders if folder in edited]


def _policies(state: State, actions: Iterable[Action]) -> Iterator[PolicyChange]:
    """What becomes of pools and Defaults. A file that only has another name changes nothing."""
    before = {life.name: life.path for life in state.workflows.values() if life.origin == "folder"}
    after, homes = dict(before), policies.homes(state)
    for action in actions:
        if isinstance(action, Accept | SourceChanged):
            after[_workflow_of(state, action)] = action.path
        elif isinstance(action, DeletionAccepted):
            after.pop(_workflow_of(state, action))
    for action in actions:
        name = policies.name_in(action)
        if not name:
            continue
        was, becomes = policies.in_force(state, name), policies.wanted(action)
        if was != becomes:
            count = 0
            if isinstance(action, DefaultsAccepted | DefaultsRemoved):
                paths = before if becomes is None else after
                count = sum(action.folder in folders_above(path) for path in paths.values())
            path = getattr(action, "path", "") or homes[name]
            said = policies.in_words(name).removeprefix("the ")
            yield PolicyChange(name=said, path=path, was=was, becomes=becomes, workflows=count)


def _workflow_of(state: State, action: Action) -> str:
    """The name of the workflow that an action is about, or nothing."""
    if isinstance(action, Accept):
        return action.document.metadata.name
    if isinstance(action, MarkerPlaced | MarkerRejected | MarkerRemoved):
        return action.workflow
    life = state.lives.get(getattr(action, "uid", ""))
    return life.name if life is not None else ""


def _faults(
    state: State, sight: FolderSight, verdict: desired.Verdict
) -> Iterable[tuple[str, list[Fault]]]:
    """By file: what is wrong with it by itself, or why it is rejected, now or still."""
    found = {path: list(file.faults) for path, file in sight.files.items() if not file.foreign}
    rejected = state.rejected.items()
    found |= {path: event.faults for path, event in rejected if path in sight.files}
    for action in verdict.actions:
        if isinstance(action, FileRejected):
            found[action.path] = action.faults
        elif isinstance(action, FileCleared):
            found.pop(action.path, None)
    return found.items()


# ---------------------------------------- files


def of_files(
    state: State, sight: FolderSight, files: Mapping[str, Loaded], now: int | None = None
) -> Foresight:
    """Of the workflows in these files, and of those of the folder that call a template in them.

    `sight`: the folder, as far as it is needed for templates. `files`: by path in the folder.
    `now`: microseconds since 1970 on the wall clock; None: the last moment that `state` knows of.
    """
    given = list(files.values())
    templates = _templates(state, sight)
    faults = [fault for loaded in given for fault in loaded.faults]
    edited = {
        document.name: document.template.spec for file in given for document in file.templates
    }
    for name, spec in edited.items():
        home = templates.homes.get(name, f"{name}.yaml")
        templates.found[name] = Found(path=home, spec=spec)
    found = {
        document.name: (_home(state, document), document)
        for file in given
        for document in file.documents
    }
    for path in sorted({path for name in edited for path in templates.callers.get(name, ())}):
        for caller in sight.files[path].documents:
            calls = not edited.keys().isdisjoint(caller.calls)
            if calls and path == _home(state, caller, path):
                found.setdefault(caller.name, (path, caller))
    changes: list[Change] = []
    for path, document in found.values():
        linked = link(document, path, templates.found)
        if isinstance(linked, Document):
            changes += changes_of(state, linked, now)
        else:
            faults += linked
    accepted = [
        action
        for path, loaded in files.items()
        for policy in loaded.policies
        for action in policies.accept(state, SeenFile(path=path, digest=""), policy)
    ]
    warnings = [fault for loaded in given for fault in loaded.warnings]
    return Foresight(changes, faults, list(_policies(state, accepted)), warnings)


def _templates(state: State, sight: FolderSight) -> Templates:
    """The templates of the folder, and who calls them."""
    templates = Templates()
    templates.remember(state.rejected)
    names = [name for path in sight.files for name in templates.take_in(path, sight)]
    templates.settle(names, sight, state.rejected)
    return templates


def _home(state: State, document: Document, path: str = "") -> str:
    """The file that has the document in the folder; `path`, or one of its name, if none has."""
    life = state.workflows.get(document.name)
    if life is not None and life.origin == "folder":
        return life.path
    return path or f"{document.name}.yaml"


# ---------------------------------------- one workflow


def of_document(state: State, document: Document) -> Change:
    """What `changes_of` says first: of the workflow itself, not of instances."""
    return changes_of(state, document)[0]


def changes_of(state: State, document: Document, now: int | None = None) -> list[Change]:
    """What this document would do if it were the folder's, with the markers that are there."""
    name = document.name
    life = state.workflows.get(name)
    seconds = (wall(state, state.time) if now is None else now) // SECOND
    if life is not None and life.deleting:
        return [_after_deletion(name, document.workflow.spec, seconds)]
    path = _home(state, document)
    if life is not None and life.origin == "run":
        actions = [LifeEnded(uid=life.uid), *accept(None, document, path, "")]
    else:
        actions = [*accept(life, document, path, "")]
    return _of_actions(state, name, actions, seconds)


def _after_deletion(name: str, spec: Spec, now: int) -> Change:
    note = "starts when the deleted one has stopped"
    starts = is_definition(spec)
    return Change(
        workflow=name,
        before=0,
        after=1,
        was=None,
        becomes=spec,
        steps={} if starts else {step.name: NEW for step in spec.steps},
        note=note,
        triggers=trigger_changes(None, spec, now) if starts else None,
    )


def _of_actions(state: State, name: str, actions: Sequence[Action], now: int) -> list[Change]:
    """What becomes of the workflow once these are in the log; of a definition, and its instances.

    `now`: seconds since 1970 on the wall clock.
    """
    life = state.workflows.get(name)
    starts = life is not None and life.starter is not None
    if life is not None and life.pending is None and not actions:
        return definitions.of_nothing(state, life, now) if starts else [_of_nothing(life)]
    deletion = next((found for found in actions if isinstance(found, DeletionAccepted)), None)
    if life is not None and deletion is not None:
        if starts:
            return definitions.of_deletion(state, life, deletion.message, now)
        return [_of_deletion(life, deletion.message)]
    play = Play(state, name)
    play.want(action for action in actions if _is_in(play.state, action))
    if life is not None and life.origin == "run" and _ends(actions):
        life = None
    waits = play.life.pending
    becomes = waits.document.spec if waits is not None else play.life.spec
    if is_definition(becomes) or (life is not None and starts):
        notes = [*_taken_back(actions)]
        return definitions.of_play(state, life, play, becomes, now, notes)
    return [_of_play(state, life, play, becomes, actions)]


def _is_in(part: State, action: Action) -> bool:
    """Not so what ends instances that have finished: those are not in the copy."""
    return not isinstance(action, LifeEnded) or action.uid in part.lives


def _ends(actions: Iterable[Action]) -> bool:
    return any(isinstance(action, LifeEnded) for action in actions)


def _of_play(
    state: State, life: Workflow | None, play: Play, becomes: Spec, actions: Sequence[Action]
) -> Change:
    """Of a plain workflow, before and after."""
    name, ending = play.name, play.life.is_ending
    waits, run, latest = play.life.pending, play.life.run, play.life.latest
    at_once = life is not None and life.suspended_by_spec != play.life.suspended_by_spec
    if waits is not None:
        play.run_out()
    else:
        play.let_end()
    before = life.generation if life is not None else 0
    effects = effects_of(life, play, name, becomes)
    barred = Barred(life, play, name)
    found = {step: barred.effect(step, effect) for step, effect in effects.items()}
    notes = [
        *([_until(run, ending, at_once)] if waits is not None else _taken_back(actions)),
        *([] if before == latest else _suspended(life, becomes)),
        *marker_notes(state, life, play, name, before != latest, effects, found),
    ]
    return Change(
        workflow=name,
        before=before,
        after=latest,
        was=life.spec if life is not None else None,
        becomes=becomes,
        steps=found,
        note="; ".join(notes),
        waiting=frozenset(waiting(life)),
    )


def _until(run: int, ending: bool, at_once: bool) -> str:
    """Of an edit that waits; `at_once`: but not for what it says of suspend."""
    suspend = "; its `suspend` takes effect at once" if at_once else ""
    end = f"the hooks of run {run} have ended" if ending else f"run {run} has finished"
    return f"waits until {end}{suspend}"


def _taken_back(actions: Sequence[Action]) -> Iterator[str]:
    for action in actions:
        if isinstance(action, EditTakenBack):
            yield "takes back the edit that is waiting"
        elif isinstance(action, EditRejected) and action.problem:
            yield f"rejected, the last generation stays in force: {action.problem}"


def _suspended(life: Workflow | None, becomes: Spec) -> Iterator[str]:
    if becomes.suspend is True or (life is not None and life.suspension):
        yield "suspended: nothing starts until it is resumed"


def _of_nothing(life: Workflow) -> Change:
    return Change(
        workflow=life.name,
        before=life.generation,
        after=life.generation,
        was=life.spec,
        becomes=life.spec,
        steps=dict(unchanged(life)),
    )


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
