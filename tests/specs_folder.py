"""A specs folder without a disk: files are texts, time goes by hand, `look` says what follows."""

import json
from hashlib import blake2b

from controller.errors import Fault
from controller.intake.desired import AbsenceSettings, Memory, Verdict, judge
from controller.model import events as e
from controller.model.apply.fold import apply
from controller.model.observations import FolderSight, SeenFile, SeenMarker
from controller.model.state import State
from controller.planner.actions import Accept, Action
from controller.spec.fingerprint import fingerprints
from controller.spec.reading.load import load

SECOND = 1_000_000


def workflow(name: str, *steps: str, run: str = "true", labels: str = "") -> str:
    listed = "".join(f"\n    - {{name: {step}, run: '{run}'}}" for step in steps or ("one",))
    labels = f", labels: {{{labels}}}" if labels else ""
    return (
        f"apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {{name: {name}{labels}}}\n"
        f"spec:\n  steps:{listed}\n"
    )


def caller(name: str, template: str, *, params: str = "", policy: str = "") -> str:
    """A workflow whose one step, `go`, calls a template."""
    given = f", params: {{{params}}}" if params else ""
    edits = f"  editPolicy: {policy}\n" if policy else ""
    return (
        f"apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {{name: {name}}}\nspec:\n{edits}"
        f"  steps:\n    - {{name: go, template: {{name: {template}{given}}}}}\n"
    )


def template(name: str, *steps: str, run: str = "true", params: str = "") -> str:
    """`params`: as in the spec, like `site: x`."""
    listed = "".join(f"\n    - {{name: {step}, run: '{run}'}}" for step in steps or ("one",))
    declared = f"\n  params: {{{params}}}" if params else ""
    head = f"apiVersion: treadle.dev/v1\nkind: Template\nmetadata: {{name: {name}}}\nspec:"
    return f"{head}{declared}\n  steps:{listed}\n"


def pool(name: str, slots: int = 1) -> str:
    head = f"apiVersion: treadle.dev/v1\nkind: Pool\nmetadata: {{name: {name}}}\n"
    return f"{head}spec: {{slots: {slots}}}\n"


def defaults(timeout: float = 60, **policy: object) -> str:
    """Those of a folder, with a timeout for each step. `policy`: fields beside `defaults`."""
    spec = json.dumps({"defaults": {"timeoutSeconds": timeout}, **policy})
    return f"apiVersion: treadle.dev/v1\nkind: Defaults\nspec: {spec}\n"


def documents(*texts: str) -> str:
    return "---\n".join(texts)


class SpecsFolder:
    """A folder whose files are texts, and the state that follows from it."""

    def __init__(self) -> None:
        self.state = State()
        self.sight = FolderSight(path="/home/specs", shown="specs", device=1, inode=1)
        self.memory = Memory()
        self.now = 1_000 * SECOND
        self.verdict = Verdict(actions=[], conditions=[])
        self.lives = 0
        self.fold(
            e.ControllerStarted(
                version="1", pid=1, user="me", boot_id="b", boottime=0, uptime=0,
                folder="/home/specs", folder_device=1, folder_inode=1,
            )
        )  # fmt: skip

    # what people do to the folder
    def write(self, path: str, text: str, steady: bool = True) -> "SpecsFolder":
        if not steady and path in self.sight.files:
            before = self.sight.files[path]
            return self._see(SeenFile(**{**_fields(before), "steady": False}))
        loaded = load(text.encode(), f"specs/{path}")
        return self._see(
            SeenFile(
                path=path,
                digest=blake2b(text.encode()).hexdigest(),
                documents=loaded.documents,
                templates=loaded.templates,
                policies=loaded.policies,
                faults=loaded.faults,
                names=loaded.names,
                template_names=loaded.template_names,
                policy_names=loaded.policy_names,
                foreign=loaded.foreign,
                empty=not text,
                steady=steady,
            )
        )

    def unreadable(self, path: str) -> "SpecsFolder":
        fault = Fault(file=f"specs/{path}", problem="can't be read: Permission denied")
        return self._see(SeenFile(path=path, digest="", faults=(fault,)))

    def remove(self, *paths: str) -> "SpecsFolder":
        for path in paths:
            del (self.sight.files if path in self.sight.files else self.sight.markers)[path]
            self.sight.changed.add(path)
        return self

    def mark(
        self, path: str, *steps: str, problem: str = "", reason: str = "", steady: bool = True
    ) -> "SpecsFolder":
        name = path.rpartition("/")[2].removesuffix(".cancel")
        digest = f"{steps}{reason}{problem}"
        self.sight.markers[path] = SeenMarker(
            path=path,
            workflow=name,
            digest=digest,
            steps=steps,
            problem=problem,
            reason=reason,
            steady=steady,
        )
        self.sight.changed.add(path)
        return self

    # what the controller does
    def look(self, after: float = 0.0, full: bool = True) -> list[str]:
        """What follows, in short, when the controller looks again after so many seconds."""
        self.now += round(after * SECOND)
        if full:
            self.sight.scanned = self.now
        self.verdict = judge(self.state, self.sight, self.now, AbsenceSettings(), self.memory)
        said = [self._short(action) for action in self.verdict.actions]
        for action in self.verdict.actions:
            self._carry_out(action)
        return said

    def restart(self) -> "SpecsFolder":
        """Another controller: what the log says stays, the judge's memory doesn't."""
        self.memory = Memory()
        self.sight.changed.clear()
        return self

    def end_life(self, name: str) -> "SpecsFolder":
        self.fold(e.LifeEnded(uid=self.state.workflows[name].uid))
        return self

    def run(self, name: str) -> "SpecsFolder":
        """What `treadle run` begins."""
        document = load(workflow(name).encode(), "x").documents[0].workflow
        self._carry_out(Accept(document=document, path="/x", uid=None, origin="run"))
        return self

    def condition(self) -> dict[str, str]:
        return {condition.type: condition.message for condition in self.verdict.conditions}

    def faults(self, path: str) -> list[str]:
        return [str(fault) for fault in self.state.rejected[path].faults]

    # inside
    def _see(self, file: SeenFile) -> "SpecsFolder":
        self.sight.files[file.path] = file
        self.sight.changed.add(file.path)
        return self

    def _name(self, uid: str) -> str:
        return self.state.lives[uid].name

    def _short(self, action: Action) -> str:
        match action:
            case Accept(uid=None):
                return f"new {action.document.metadata.name}"
            case Accept():
                return f"edit {action.document.metadata.name}"
            case e.DeletionAccepted() | e.LifeEnded() | e.EditTakenBack():
                return f"{type(action).__name__} {self._name(action.uid)}"
            case e.SourceChanged():
                return f"{type(action).__name__} {self._name(action.uid)} {action.path}"
            case e.FolderAdopted():
                return "FolderAdopted"
            case e.PoolAccepted():
                return f"PoolAccepted {action.name} {action.slots} {action.path}"
            case e.PoolRemoved():
                return f"PoolRemoved {action.name}"
            case e.DefaultsAccepted():
                return f"DefaultsAccepted {action.folder or '.'} {action.path}"
            case e.DefaultsRemoved():
                return f"DefaultsRemoved {action.folder or '.'}"
        return f"{type(action).__name__} {action.path}"  # type: ignore[union-attr]

    def _carry_out(self, action: Action) -> None:
        if not isinstance(action, Accept):
            self.fold(action)  # type: ignore[arg-type]
            return
        before = self.state.lives[action.uid] if action.uid else None
        self.lives += action.uid is None
        metadata = action.document.metadata
        self.fold(
            e.GenerationAccepted(
                uid=action.uid or f"life-{self.lives}",
                workflow=metadata.name,
                generation=before.generation + 1 if before else 1,
                spec=action.document.spec,
                path=action.path,
                fingerprints=fingerprints(action.document.spec),
                labels=metadata.labels if isinstance(metadata.labels, dict) else {},
                origin=action.origin,
            )
        )

    def fold(self, event: e.AnyEvent) -> None:
        seq = self.state.seq + 1
        apply(self.state, e.Record(seq=seq, turn=seq, time=self.now, epoch=1, event=event))


def _fields(file: SeenFile) -> dict[str, object]:
    return {name: getattr(file, name) for name in file.__struct_fields__}


def many(folder: SpecsFolder, count: int) -> list[str]:
    paths = [f"w{n}.yaml" for n in range(count)]
    for n, path in enumerate(paths):
        folder.write(path, workflow(f"w{n}"))
    folder.look()
    return paths
