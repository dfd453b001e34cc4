"""What the specs folder asks for: its sight against the state, as events and accepted documents.

Each call judges the files that changed, the files that share a name with them or call a template of
theirs, and what was waiting. It decides first what each template is, then takes the files in the
order of their paths, and rejects files last, when all names are taken: so the same folder always
gives the same verdict. `claims` knows who has a name, `templates` what callers get, `policies` what
pools and Defaults are, `absence` when to believe that something is gone, `markers` what follows
from a marker. While the folder can't be believed (`held`), nothing is judged.
Cost: O(what changed and what waits) a call, O(folder) for the first.
"""

from collections import ChainMap
from collections.abc import Iterator

from msgspec import Struct, UnsetType, field

from controller.errors import Fault
from controller.intake import clashes, conditions, cycles, markers, policies
from controller.intake.absence import Absences, AbsenceSettings, Kind
from controller.intake.claims import Claims, home_of, in_force, of_folder
from controller.intake.held import identity, is_another, why_held
from controller.intake.templates import Templates
from controller.model.events import (
    DeletionAccepted,
    FileCleared,
    FileRejected,
    FolderAdopted,
    LifeEnded,
)
from controller.model.observations import FolderSight, SeenFile
from controller.model.state import Condition, State
from controller.planner.actions import Action
from controller.planner.editing.accept import accept
from controller.spec.hooks import names_of_hooks
from controller.spec.linked import called
from controller.spec.models import Spec
from controller.spec.models import Workflow as Written
from controller.spec.reading.link import LinkedFile
from controller.spec.reading.load import Document, PolicyDocument
from controller.spec.triggers.trigger import is_definition, triggers

__all__ = ["AbsenceSettings", "Memory", "Verdict", "identity", "judge", "unproven"]

UNSTEADY = 100_000  # microseconds; when to ask again about a file whose writer is at work
TOGETHER = 100_000  # microseconds; in one commit, the files of a caller and its templates


class Memory(Struct):
    """What `judge` remembers between calls; a controller starts with an empty one.

    `held`: why nothing that the folder shows is believed now. `blocked`: files that wait until a
    life or a marker has ended, and the names of the workflows that they wait for. `partial`: files
    of which a part may be about to come, and when to look at them again. `marker_targets`:
    for each marker that names steps, the generation that its steps were compared with. `circles`:
    files that were rejected since their workflows wait for each other. `noted`: files that were
    ignored, with a note to the user.
    """

    held: str = ""
    primed: bool = False  # whether all of the folder has been judged
    claims: Claims = field(default_factory=Claims)
    templates: Templates = field(default_factory=Templates)
    absences: Absences = field(default_factory=Absences)
    unsteady: set[str] = set()
    blocked: dict[str, tuple[str, ...]] = {}
    partial: dict[str, int] = {}
    marker_targets: dict[str, markers.Target] = {}
    circles: set[str] = set()
    noted: set[str] = set()
    conditions: list[Condition] = []
    confirm_at: int | None = None  # when a full scan can confirm an absence
    scanned: int = 0  # the full scan that was judged last

    def confirm(self) -> None:
        """A user confirms that what is missing is deleted: the next `judge` believes it."""
        self.absences.confirmed = True

    def scan_due(self, now: int) -> bool:
        """Whether an absence waits for a full scan now."""
        return self.confirm_at is not None and now >= self.confirm_at


class Verdict(Struct):
    """What follows, in order. `due`: when to ask again, if something is not believed yet."""

    actions: list[Action]
    conditions: list[Condition]
    notes: list[str] = []
    due: int | None = None


def judge(
    state: State, sight: FolderSight, now: int, settings: AbsenceSettings, memory: Memory
) -> Verdict:
    """What the folder asks of the state at `now`. Updates `memory`, and empties `sight.changed`."""
    held = why_held(state, sight)
    if held:
        verdict = _hold(state, sight, memory, now, held)
    else:
        if memory.held:
            memory.held, memory.absences.cautious, memory.absences.moved = "", True, now
        verdict = _Judge(state, sight, now, settings, memory).verdict()
        sight.changed.clear()
    memory.absences.confirmed = False
    memory.primed = not held
    return verdict


def unproven(state: State, sight: FolderSight, memory: Memory) -> frozenset[str]:
    """What may not start while the folder is `unread`: of a new folder, all that the log knows."""
    if memory.primed and not is_another(state, sight):
        return frozenset()
    return frozenset(in_force(state))


def _hold(state: State, sight: FolderSight, memory: Memory, now: int, why: str) -> Verdict:
    """Nothing changes, unless a user confirms the deletion of everything, or adds a marker."""
    memory.held, memory.confirm_at = why, None
    memory.absences.waits.clear()
    gone = sorted(in_force(state), key=_order) if memory.absences.confirmed else []
    actions: list[Action] = [_delete(state, name, f"confirmed: {why}") for name in gone]
    if sight.root == "ok":
        actions += markers.placed(state, sight, set(sight.markers), {}, memory.marker_targets)
    return Verdict(
        actions=actions, conditions=_note(memory, now, conditions.of_hold(why, sight.mend))
    )


class _Judge:
    """One call: what changed, what waited, what follows."""

    def __init__(
        self, state: State, sight: FolderSight, now: int, settings: AbsenceSettings, memory: Memory
    ) -> None:
        self.state = state
        self.sight = sight
        self.now = now
        self.settings = settings
        self.memory = memory
        self.claims = memory.claims
        self.templates = memory.templates
        self.absences = memory.absences
        self.actions: list[Action] = []
        self.notes: list[str] = []
        self.policies: list[Action] = []  # that come into force, before what they hold for
        self.taken: dict[str, str] = {}  # by this call: name -> file
        self.accepted: dict[str, Written] = {}  # by this call: the documents of workflows
        self.deleted: set[str] = set()  # by this call: lives, by uid
        self.left: set[str] = set()  # files that lost a name to another file in this call
        self.faulty: set[str] = set()  # files to reject, once it is known who has which name
        self.linked: dict[str, LinkedFile] = {}  # by path

    def verdict(self) -> Verdict:
        changed = self._changed()
        paths = self._take_in(changed)
        scanned = self.sight.scanned
        # What waits can only be believed after a new scan; until then it costs nothing.
        if changed or scanned != self.memory.scanned or self.absences.confirmed:
            self.actions += markers.removed(self.state, self.absences, self.settings, scanned)
            paths |= self._delete() | self._settled()
        paths |= self._unblocked() | self._whole()
        for path in sorted(paths):
            self._file(path)
        for path in sorted(self._concerned(paths)):
            self._file(path)
        for path in sorted(self.faulty):
            self._reject(self.sight.files[path])
        self.actions += markers.placed(
            self.state, self.sight, changed, self.accepted, self.memory.marker_targets
        )
        if paths or scanned != self.memory.scanned:
            self._look_ahead()
        _note(self.memory, self.now, self._said())
        if self.sight.loose:
            self.notes.append(conditions.note_of_loose(self.sight))
            self.sight.loose.clear()
        self.memory.scanned = scanned
        return Verdict(
            actions=[*self.policies, *self.actions],
            conditions=self.memory.conditions,
            notes=self.notes,
            due=self._due(),
        )

    # ---------------------------------------- what to look at

    def _changed(self) -> set[str]:
        """The paths that changed; on the first call, and after a hold, all paths."""
        state, sight = self.state, self.sight
        if is_another(state, sight):
            self.absences.cautious, self.absences.moved = True, self.now
            self.actions.append(
                FolderAdopted(folder=sight.path, device=sight.device, inode=sight.inode)
            )
        if self.memory.primed:
            return set(sight.changed)
        self.claims.remember(in_force(state))
        self.templates.remember(state.rejected)
        names = {*self.claims.names, *self.templates.claims.names}
        known = {*self.claims.homes, *state.rejected, *state.markers, *state.bad_markers}
        return {*sight.files, *sight.markers, *names, *known}

    def _take_in(self, changed: set[str]) -> set[str]:
        """Note what changed. Returns the files that must be judged because of it."""
        state, sight = self.state, self.sight
        paths, names, of_templates = set(changed), set(), set()
        for path in changed:
            seen = sight.files.get(path) or sight.markers.get(path)
            if seen is None or seen.steady:
                self.memory.unsteady.discard(path)
            else:
                self.memory.unsteady.add(path)
            if seen is not None:
                self.absences.forget("path", path)
            elif path in state.rejected or path in state.markers or path in state.bad_markers:
                self.absences.see("path", path, self.now)
            names |= self.claims.take_in(path, sight)
            of_templates |= self.templates.take_in(path, sight)
        if names or of_templates:
            self.absences.moved = self.now
        paths |= self.templates.settle(of_templates, sight, state.rejected)
        for name in names:
            paths |= self.claims.paths.get(name, set())
            home = home_of(state, name)
            if home is not None:
                paths.add(home)
                self._is_it_there(name, home)
        return paths

    def _is_it_there(self, name: str, home: str) -> None:
        """Start to wait if no file has the document any more; stop waiting if one does."""
        if self.claims.defined(name, home, self.sight):
            self.absences.forget("document", name)
        else:
            file = self.sight.files.get(home)
            digest = file.digest if file is not None else ""
            self.absences.see("document", name, self.now, digest)

    def _delete(self) -> set[str]:
        """Delete the documents whose absence is believed. Returns the files they came from."""
        absences, waiting = self.absences, self.absences.documents()
        if not waiting:
            absences.mass = False
            return set()
        absences.count(len(in_force(self.state)))
        homes: set[str] = set()
        for name in sorted(waiting, key=_order):
            if self._believed("document", name):
                absences.forget("document", name)
                home = home_of(self.state, name)
                assert home is not None, name
                what = "no longer defines it" if home in self.sight.files else "is gone"
                self.actions.append(_delete(self.state, name, f"{home} {what}"))
                if not policies.is_policy(name):
                    self.deleted.add(self.state.workflows[name].uid)
                self.claims.move(name, home, None)
                homes.add(home)
        return homes

    def _unblocked(self) -> set[str]:
        """Files that waited until a life or a marker had ended, if it has now."""
        return {
            path
            for path, names in self.memory.blocked.items()
            if not all(self._obstructed(name) for name in names)
        }

    def _whole(self) -> set[str]:
        """Files of which a part might have been about to come, if it has had its time."""
        return {path for path, due in self.memory.partial.items() if due <= self.now}

    def _settled(self) -> set[str]:
        """Files that waited until a removal was believed, if it is now."""
        waiting = [(kind, path) for kind, path in self.absences.waits if kind != "document"]
        return {path for kind, path in waiting if self._believed(kind, path)}

    def _concerned(self, judged: set[str]) -> set[str]:
        """The files whose faults or names change because this call gave a name to another file."""
        rivals = {
            path
            for name, home in self.taken.items()
            for path in self.claims.paths.get(name, ())
            if path != home
        }
        opened = self.memory.circles - judged if self.accepted or self.actions else set()
        self.memory.circles -= opened
        again = (self.left | opened) & self.state.rejected.keys()
        return (rivals - self.faulty) | again - judged

    def _obstructed(self, name: str) -> bool:
        """Whether an edit must wait: for the end of the present life, or of a vanished marker."""
        life = self.state.workflows.get(name)
        if life is not None and (life.deleting or clashes.is_driven(life)):
            return True
        return markers.going(self.state, self.absences, name)

    def _believed(self, kind: Kind, path: str) -> bool:
        return self.absences.believed(kind, path, self.settings, self.sight.scanned)

    # ---------------------------------------- one file

    def _file(self, path: str) -> None:
        file = self.sight.files.get(path)
        self.memory.blocked.pop(path, None)
        self.memory.partial.pop(path, None)
        if file is None or not file.steady:
            self.absences.forget("edit", path)
        if file is None:
            self.memory.noted.discard(path)
            if path in self.state.rejected and self._believed("path", path):
                self._clear(path)
        elif not file.steady:
            return  # it is reported as changed again when its writer has finished
        elif file.empty or file.foreign:
            self._other_file(file)
        elif file.faults:
            self._note_faulty(file)
        else:
            self._documents(file)

    def _faults(self, file: SeenFile) -> list[Fault]:
        """All that is wrong with a file, given who has which name now."""
        if file.empty or file.foreign:
            lost = self._lost(file)
            own = () if file.empty else file.faults
            return [*own, clashes.emptied(self.sight, file, lost)] if lost else []
        if file.faults:
            return list(file.faults)
        return [*self._clashes(file), *self._link(file).faults]

    def _lost(self, file: SeenFile) -> list[str]:
        """What came from the file, if no file lists it now."""
        homes, paths = self.claims.homes, self.claims.paths
        lost = sorted(name for name in homes.get(file.path, ()) if not paths.get(name))
        templates = (f"the template {name}" for name in self.templates.of(file.path))
        return [*map(policies.in_words, lost), *templates]

    def _link(self, file: SeenFile) -> LinkedFile:
        if file.path not in self.linked:
            self.linked[file.path] = self.templates.linked(file)
        return self.linked[file.path]

    def _other_file(self, file: SeenFile) -> None:
        """A file without a treadle document: a fault if it had one before, else it is ignored."""
        if self._faults(file):
            self._note_faulty(file)
            return
        self._clear(file.path)
        if file.path not in self.memory.noted:
            self.memory.noted.add(file.path)
            why = "it is empty" if file.empty else "it holds no treadle document"
            reason = file.faults[0].advice if file.faults else why
            self.notes.append(f"{clashes.shown(self.sight, file.path)}: ignored: {reason}")

    def _documents(self, file: SeenFile) -> None:
        if self.templates.waits(file.path):
            self.absences.forget("edit", file.path)
            return  # it is judged when the writer of the template has finished
        if self._is_partial(file):
            return
        blocked = [document.name for document in file.documents if self._obstructed(document.name)]
        if blocked:
            self.memory.blocked[file.path] = tuple(blocked)
        if any(self._clashes(file)):
            self._note_faulty(file)
            return
        if self._link(file).faults:
            # What is missing may be about to come: people save one file after the other.
            if self._settled_as_it_is(file) and not self._is_more_to_come():
                self._note_faulty(file)
            return
        self._clear(file.path)
        if any(markers.going(self.state, self.absences, name) for name in blocked):
            return  # first the marker is removed, else the edit would be cancelled at once
        if self._settles(file):
            return
        for policy in file.policies:
            self._take(policies.name_of(file.path, policy), file.path)
            self.policies += policies.accept(self.state, file, policy)
        for document in self._link(file).documents:
            if document.name not in blocked:
                self._put_in_force(file, document)

    def _is_partial(self, file: SeenFile) -> bool:
        """Whether the rest of the same commit may be about to come: another part that it needs."""
        if file.path not in self.templates.calls:
            return False
        due = self.templates.since(file.path, self.sight, self.now) + TOGETHER
        if self.memory.primed and self.now < due:  # at first, all of the folder is there
            self.memory.partial[file.path] = due
        return file.path in self.memory.partial

    def _is_more_to_come(self) -> bool:
        """Whether there is a new file that could not be read yet."""
        files = self.sight.files
        return any(path in files and not files[path].digest for path in self.memory.unsteady)

    def _clashes(self, file: SeenFile) -> Iterator[Fault]:
        """Yields a fault for each name that another file or a `treadle run` has."""
        for document in file.documents:
            yield from self._clash(file, document.name, document)
        for policy in file.policies:
            yield from self._clash(file, policies.name_of(file.path, policy), policy)
        for template, home in self.templates.elsewhere(file):
            yield clashes.duplicate(self.sight, file, template, home)

    def _clash(
        self, file: SeenFile, name: str, document: Document | PolicyDocument
    ) -> Iterator[Fault]:
        life = self.state.workflows.get(name)
        other, home = self.taken.get(name), home_of(self.state, name)
        if other is None and home is not None:
            other = home if self.claims.stands(name, home, self.sight) else None
        if other is not None and other != file.path:
            yield clashes.duplicate(self.sight, file, document, other)
        elif isinstance(document, Document) and life is not None and clashes.is_driven(life):
            yield clashes.driven(self.sight, file, document, life)
        elif isinstance(document, Document) and cycles.awaited(document.workflow.spec):
            yield from self._circle(file, document)

    def _circle(self, file: SeenFile, document: Document) -> Iterator[Fault]:
        """Yields a fault if it waits for the end of a workflow that waits for its own."""
        own: dict[str, Written] = {written.name: written.workflow for written in file.documents}
        others = ChainMap(self.accepted, own)
        spec = document.workflow.spec
        if way := cycles.circle(self.state, others, self.deleted, document.name, spec):
            self.memory.circles.add(file.path)
            yield clashes.closes_circle(self.sight, file, document, way)

    def _settles(self, file: SeenFile) -> bool:
        """Whether the edit removes something and that is not believed yet: all of it waits."""
        drops = any(self._drops_something(document) for document in self._link(file).documents)
        drops |= any(policies.drops_hooks(self.state, file, policy) for policy in file.policies)
        if drops and not self._settled_as_it_is(file):
            return True
        lost = self.claims.homes.get(file.path, ())
        if any(("document", name) in self.absences.waits for name in lost):
            return True
        self.absences.forget("edit", file.path)
        return False

    def _drops_something(self, document: Document) -> bool:
        life = self.state.workflows.get(document.name)
        if life is None or not of_folder(life) or life.spec is document.workflow.spec:
            return False
        return not _names(life.spec) <= _names(document.workflow.spec)

    def _settled_as_it_is(self, file: SeenFile) -> bool:
        """Whether the file and the templates that it calls have stayed so for long enough."""
        digest = self.templates.digest(file.path, self.sight)
        self.absences.see("edit", file.path, self.now, digest)
        return self._believed("edit", file.path)

    def _put_in_force(self, file: SeenFile, document: Document) -> None:
        life = self.state.workflows.get(document.name)
        self.accepted[document.name] = document.workflow
        self._take(document.name, file.path)
        if life is not None and life.origin == "run":
            self.actions.append(LifeEnded(uid=life.uid))
            life = None
        self.actions += accept(life, document, file.path, file.by)

    def _take(self, name: str, path: str) -> None:
        """This file has the name now."""
        home, self.taken[name] = home_of(self.state, name), path
        self.claims.move(name, home, path)
        if home is not None and home != path:
            self.left.add(home)

    def _note_faulty(self, file: SeenFile) -> None:
        self.absences.forget("edit", file.path)
        self.faulty.add(file.path)

    def _reject(self, file: SeenFile) -> None:
        """Done last, so that the faults don't depend on which file was judged first."""
        homes = self.claims.homes.get(file.path, ())
        lives = (name for name in homes if not policies.is_policy(name))
        event = FileRejected(
            path=file.path,
            digest=file.digest,
            faults=self._faults(file),
            names=list(dict.fromkeys((*file.names, *sorted(lives)))),
            templates=self.templates.of(file.path),
        )
        if self.state.rejected.get(file.path) != event:
            self.actions.append(event)

    def _clear(self, path: str) -> None:
        self.absences.forget("path", path)
        if path in self.state.rejected:
            self.actions.append(FileCleared(path=path))

    # ---------------------------------------- what to say

    def _said(self) -> conditions.Said:
        said = conditions.of_polling(self.sight) | conditions.of_sharing(self.sight)
        gone = self.absences.documents()
        if self.absences.mass and gone:
            total = len(in_force(self.state))
            said |= conditions.of_mass_deletion(gone, total, self.settings)
        return said

    def _look_ahead(self) -> None:
        """Note when to ask again if nothing changes."""
        self.absences.calm(self.settings, self.now)
        self.memory.confirm_at = self.absences.due(self.settings, self.sight.scanned)

    def _due(self) -> int | None:
        due = [*self.memory.partial.values()]
        if self.memory.confirm_at is not None:
            due.append(self.memory.confirm_at)
        if self.memory.unsteady:
            due.append(self.now + UNSTEADY)
        return min(due, default=None)


def _names(spec: Spec) -> set[tuple[str, str]]:
    """The names of its steps, those of the templates that they call, each below its caller, those
    of its hooks, each below its kind, and those of its triggers.
    """
    templates = called(spec)
    names = names_of_hooks(spec.hooks) | {(name, "trigger") for name in triggers(spec)}
    if is_definition(spec):
        names.add(("", "triggers"))
    for step in spec.steps:
        names.add((step.name, ""))
        if not isinstance(step.template, UnsetType) and step.template.name in templates:
            inner = templates[step.template.name].spec.steps
            names |= {(step.name, inner_step.name) for inner_step in inner}
    return names


def _order(name: str) -> tuple[bool, str]:
    """Policies go last: what ends with them has them to its end."""
    return policies.is_policy(name), name


def _delete(state: State, name: str, message: str) -> Action:
    """What is in force under this name goes."""
    if policies.is_policy(name):
        return policies.remove(name)
    return DeletionAccepted(uid=state.workflows[name].uid, message=message)


def _note(memory: Memory, now: int, said: conditions.Said) -> list[Condition]:
    memory.conditions = conditions.as_conditions(said, memory.conditions, now)
    return memory.conditions
