"""What the folder, as it is now, would do to the workflows: what `diff` says before a commit.

The controller's own judge looks at the folder, with nothing left to settle, and what follows for a
workflow is played on a copy of it by the controller's own passes. Then it is read off, step by
step, what becomes of it. Nothing of the state that was given is changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from controller.errors import Fault
from controller.intake import desired, policies
from controller.intake.templates import Templates
from controller.model.apply_defaults import defaults_above, folders_above
from controller.model.children import no_longer_in
from controller.model.events import (
    STEP_ADDED,
    STEP_UNCHANGED,
    DefaultsAccepted,
    DefaultsRemoved,
    DeletionAccepted,
    EditRejected,
    EditTakenBack,
    EffectAction,
    FileCleared,
    FileRejected,
    LifeEnded,
    MarkerPlaced,
    MarkerRejected,
    MarkerRemoved,
    SourceChanged,
    StepEffect,
)
from controller.model.observations import FolderSight, SeenFile
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import State, Step, Workflow
from controller.planner.accept import accept
from controller.planner.actions import Accept, Action
from controller.planner.edits import judge
from controller.planner.resolve import children_to_be
from controller.rehearsal.play import Play
from controller.spec.expression import Failed
from controller.spec.fingerprint import same
from controller.spec.items import inner_name, names_above
from controller.spec.link import Found, link
from controller.spec.linked import below
from controller.spec.load import Document, Loaded
from controller.spec.models import DefaultsSpec, PoolSpec, Spec
from controller.spec.template import template_definitions

AT_ONCE = desired.Settings(settle_seconds=0, mass_settle_seconds=0)

Effects = dict[str, StepEffect]

_NEW = StepEffect("run", Reason.STEP_ADDED, "new")


class Change(Struct, frozen=True, kw_only=True):
    """What becomes of one workflow. Generations: 0 before its life, None after its end."""

    workflow: str
    before: int
    after: int | None
    was: Spec | None
    becomes: Spec | None
    steps: Effects
    note: str = ""  # what else there is to know: that it waits, or a marker
    waiting: frozenset[str] = frozenset()  # steps that had no result yet, and did not run

    @property
    def is_change(self) -> bool:
        return self.before != self.after or bool(self.note)


class PolicyChange(Struct, frozen=True, kw_only=True):
    """What becomes of a pool, or of the Defaults of a folder. None: there is none.

    `workflows`: how many Defaults hold for, or held for.
    """

    name: str  # in words
    path: str
    was: DefaultsSpec | PoolSpec | None
    becomes: DefaultsSpec | PoolSpec | None
    workflows: int = 0


class Foresight(Struct, frozen=True):
    changes: list[Change]
    faults: list[Fault]
    policies: list[PolicyChange] = []
    warnings: list[Fault] = []  # of the files that change something


# ---------------------------------------- the folder


def of_folder(state: State, sight: FolderSight, now: int) -> Foresight:
    """Of every workflow of the folder, and of those that are no longer in it."""
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
            changes.append(_of_actions(state, name, [*first, *wanted[name]]))
        elif name in coming:
            changes.append(_after_deletion(name, coming[name]))
    faults = [fault for _, of_file in sorted(_faults(state, sight, verdict)) for fault in of_file]
    return Foresight(changes, faults, list(_policies(state, verdict.actions)))


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


def of_files(state: State, sight: FolderSight, files: Mapping[str, Loaded]) -> Foresight:
    """Of the workflows in these files, and of those of the folder that call a template in them.

    `sight`: the folder, as far as it is needed for templates. `files`: by path in the folder.
    """
    given = list(files.values())
    templates = _templates(state, sight)
    faults = [fault for one in given for fault in one.faults]
    edited = {one.name: one.template.spec for file in given for one in file.templates}
    for name, spec in edited.items():
        home = templates.homes.get(name, f"{name}.yaml")
        templates.found[name] = Found(path=home, spec=spec)
    found = {one.name: (_home(state, one), one) for file in given for one in file.documents}
    for path in sorted({path for name in edited for path in templates.callers.get(name, ())}):
        for one in sight.files[path].documents:
            calls = not edited.keys().isdisjoint(one.calls)
            if calls and path == _home(state, one, path):
                found.setdefault(one.name, (path, one))
    changes: list[Change] = []
    for path, document in found.values():
        linked = link(document, path, templates.found)
        if isinstance(linked, Document):
            changes.append(of_document(state, linked))
        else:
            faults += linked
    accepted = [
        action
        for path, one in files.items()
        for policy in one.policies
        for action in policies.accept(state, SeenFile(path=path, digest=""), policy)
    ]
    warnings = [fault for one in given for fault in one.warnings]
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
    """What this document would do if it were the folder's, with the markers that are there."""
    name = document.name
    life = state.workflows.get(name)
    if life is not None and life.deleting:
        return _after_deletion(name, document.workflow.spec)
    path = _home(state, document)
    if life is not None and life.origin == "run":
        ended = LifeEnded(uid=life.uid)
        return _of_actions(state, name, [ended, *accept(None, document, path, "")])
    return _of_actions(state, name, list(accept(life, document, path, "")))


def _after_deletion(name: str, spec: Spec) -> Change:
    note = "starts when the deleted one has stopped"
    steps = {step.name: _NEW for step in spec.steps}
    return Change(workflow=name, before=0, after=1, was=None, becomes=spec, steps=steps, note=note)


def _of_actions(state: State, name: str, actions: Sequence[Action]) -> Change:
    """What becomes of the workflow once these are in the log."""
    life = state.workflows.get(name)
    if life is not None and life.pending is None and not actions:
        return _of_nothing(life)
    deletion = next((found for found in actions if isinstance(found, DeletionAccepted)), None)
    if life is not None and deletion is not None:
        return _of_deletion(life, deletion.message)
    if any(isinstance(action, LifeEnded) for action in actions):
        life = None
    play = Play(state, name)
    play.want(actions)
    ending = play.life.is_ending
    waits, run, latest = play.life.pending, play.life.run, play.life.latest
    becomes = waits.document.spec if waits is not None else play.life.spec
    at_once = life is not None and life.suspended_by_spec != play.life.suspended_by_spec
    if waits is not None:
        play.run_out()
    else:
        play.let_end()
    before = life.generation if life is not None else 0
    effects = _effects(life, play, becomes)
    barred = _Barred(life, play)
    found = {step: barred.effect(step, effect) for step, effect in effects.items()}
    notes = [
        *([_until(run, ending, at_once)] if waits is not None else _taken_back(actions)),
        *([] if before == latest else _suspended(life, becomes)),
        *_marker_notes(state, life, play, before != latest, effects, found),
    ]
    return Change(
        workflow=name,
        before=before,
        after=latest,
        was=life.spec if life is not None else None,
        becomes=becomes,
        steps=found,
        note="; ".join(notes),
        waiting=frozenset(_waiting(life)),
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


def _waiting(life: Workflow | None) -> Iterator[str]:
    for step in life.steps.values() if life is not None else ():
        if step.phase in (Phase.PENDING, Phase.READY):
            yield step.name


def _of_nothing(life: Workflow) -> Change:
    return Change(
        workflow=life.name,
        before=life.generation,
        after=life.generation,
        was=life.spec,
        becomes=life.spec,
        steps=dict(_unchanged(life)),
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


def _effects(life: Workflow | None, play: Play, spec: Spec) -> Effects:
    """What the generation that comes does to each step, as recorded; else that nothing changes."""
    after = play.life
    if life is None:
        known = dict.fromkeys(_with_children(after, spec), _NEW)
        return _with_children_to_come(play, known, _NEW)
    if after.pending is not None:  # a run that stands still: as if it ended as it is
        above = defaults_above(play.state, after.origin, after.pending.path)
        return judge(play.state, after, below(after.pending.document.spec, above)).effects
    if after.generation == life.generation or same(after.spec, life.spec):
        return dict(_unchanged(life))  # at most its file has moved, or that of Defaults
    found = {  # of a step that goes on as it was, or is new, nothing else was recorded
        name: after.effects.get(name, STEP_UNCHANGED if name in life.steps else STEP_ADDED)
        for name in _with_children(after, spec)
    }
    removed = {name: effect for name, effect in after.effects.items() if name not in found}
    return _with_children_to_come(play, found | removed, STEP_ADDED)


def _with_children_to_come(play: Play, found: Effects, added: StepEffect) -> Effects:
    """Of a step that will be expanded, what is known of its children, and of what they call.

    `added`: what is said of those that are new.
    """
    coming: Effects = {}
    for name, effect in found.items():
        coming.setdefault(name, effect)
        step = play.life.steps.get(name)
        if step is None or not _will_be_expanded(play.life, step):
            continue
        with suppress(Failed):  # it will fail then, and say so
            names = children_to_be(play.state, play.life, step)
            if names is None:
                continue
            for child in names:
                there = _with_steps_of_template(play.life, step, child)
                coming |= {one: found.get(one, added) for one in there}
            stay, gone = set(names), StepEffect("remove", Reason.STEP_REMOVED, no_longer_in(step))
            for child in step.children:
                if child not in stay and child in play.life.steps:
                    left = play.life.steps[child]
                    coming |= {one.name: gone for one in (left, *play.life.below(left))}
    return coming


def _will_be_expanded(life: Workflow, step: Step) -> bool:
    waits = step.phase in (Phase.PENDING, Phase.READY) and not step.expanded
    return step.is_parent and waits and life.stands(step)


def _with_steps_of_template(life: Workflow, parent: Step, child: str) -> Iterator[str]:
    """A child that a step will have; with its steps, if it will call a template."""
    yield child
    if parent.definition.for_each is not None and parent.definition.template is not None:
        for name in template_definitions(life.spec, parent.definition):
            yield inner_name(child, name)


def _with_children(life: Workflow, spec: Spec) -> Iterator[str]:
    """The steps of the spec, each with all that it has below it."""
    for step in spec.steps:
        yield step.name
        if step.name in life.steps:
            yield from (one.name for one in life.below(life.steps[step.name]))


def _unchanged(life: Workflow) -> Iterator[tuple[str, StepEffect]]:
    steps = [name for name in _with_children(life, life.spec) if name in life.steps]
    for step in (life.steps[name] for name in steps):
        if not step.leaving:
            action: EffectAction = "continue" if step.phase is Phase.RUNNING else "keep"
            yield step.name, StepEffect(action, Reason.UNCHANGED, "nothing changes")


# ---------------------------------------- markers


class _Barred:
    """What a marker keeps from starting, as it came about in the play."""

    def __init__(self, life: Workflow | None, play: Play) -> None:
        self._before = life
        self._play = play
        self._known: dict[str, str] = {}  # step -> what `marker_of` found

    def effect(self, name: str, effect: StepEffect) -> StepEffect:
        """As the generation wants it, or what becomes of it under a marker."""
        steps = self._play.life.steps
        # One that leaves with its parent, or is to come with it, starts no sooner than that.
        step = next((steps[one] for one in (name, *names_above(name)) if one in steps), None)
        was = self._before.steps.get(name) if self._before is not None else None
        starts = effect.action in ("run", "restart")
        is_over = was is not None and was.phase in TERMINAL
        if step is None or effect.action == "remove" or (is_over and not starts):
            return effect
        path = self.marker_of(step)
        if not path:
            return effect
        why = f" while {path} exists"
        if step.phase is Phase.SKIPPED:
            why = f': it depends on "{next(iter(step.broken))}", which {path} keeps from starting'
        if was is not None and was.phase is Phase.RUNNING:
            if name in self._play.drained:
                message = f"does not start again{why}"
                return StepEffect("continue", Reason.CANCEL_MARKER, message, finish=True)
            message = f"stopped, and not started again{why}"
            return StepEffect("restart", Reason.CANCEL_MARKER, message)
        if was is not None and (
            was.phase is Phase.SUCCEEDED or (was.phase is Phase.FAILED and was.tolerated)
        ):
            message = f"{effect.message}; its result is dropped, and it does not start{why}"
            return StepEffect("run", Reason.CANCEL_MARKER, message)
        return StepEffect("keep", Reason.CANCEL_MARKER, f"does not start{why}")

    def marker_of(self, step: Step) -> str:
        """The marker that cancelled the step, or one that it depends on; or nothing.

        What one step behind another follows is remembered for both: a chain costs its length.
        """
        way: list[str] = []
        while step.name not in self._known and step.phase is Phase.SKIPPED and step.broken:
            way.append(step.name)
            step = self._play.life.steps[next(iter(step.broken))]
        if step.name not in self._known:
            self._known[step.name] = self._own_marker(step)
        path = self._known[step.name]
        self._known.update(dict.fromkeys(way, path))
        return path

    def _own_marker(self, step: Step) -> str:
        if step.phase is not Phase.CANCELLED or step.reason != Reason.CANCEL_MARKER:
            return ""
        markers = self._play.state.markers_of.get(self._play.name, {})
        names = {step.name, *names_above(step.name)}
        of_step = (path for path, one in markers.items() if not one.steps or names & {*one.steps})
        return next(of_step, "")


def _marker_notes(
    state: State,
    life: Workflow | None,
    play: Play,
    is_edit: bool,
    wanted: Effects,
    found: Effects,
) -> Iterator[str]:
    """What there is to know of the markers that will be there."""
    for path, marker in play.state.markers_of.get(play.name, {}).items():
        if is_edit and not marker.steps:
            yield f"cancelled by {path}"
        elif is_edit:
            names = [name for name in marker.steps if found.get(name) != wanted.get(name)]
            if names:
                yield f"{path} keeps {', '.join(names)} from starting"
        elif life is not None and state.markers.get(path) != marker:
            finishing = ", and lets running steps finish" if marker.drain else ""
            hooks = "" if marker.hooks else "; its hooks do not run"
            if life.is_ending and not marker.hooks:
                yield f"{path} stops its hooks"
            elif whom := _to_cancel(life, marker):
                yield f"{path} cancels {whom}{finishing}{hooks}"


def _to_cancel(life: Workflow, marker: MarkerPlaced) -> str:
    """Who is cancelled by a marker that is new."""
    if not marker.steps:
        return "" if life.finished or life.is_ending else "it"
    steps = [life.steps[name] for name in marker.steps if name in life.steps]
    return ", ".join(step.name for step in steps if step.phase not in TERMINAL)
