"""Turns the bytes of a spec file into the documents that it holds, or into all that is wrong.

The text becomes values with places (`text`), msgspec makes models of them, and rules check the
models (`validate`). Only if msgspec refuses a document, its faults are searched one by one
(`shape`), and the rules check the rest of it, so that an author sees all faults of a file at once.
One faulty document rejects its whole file. No file is opened: `file` is only its name in messages.
Cost: 10,000 steps with 52,000 dependencies (1 MB) in half a second, of which libyaml takes a third.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Struct, ValidationError, structs
from msgspec.structs import replace

from controller.errors import FAULTS_MAX, Fault
from controller.spec import params as params_of
from controller.spec.effective import spec_of_defaults
from controller.spec.linked import LinkedWorkflow, body_alone, joined
from controller.spec.models import (
    KINDS,
    FolderDefaults,
    OlderWorkflow,
    Param,
    Pool,
    Spec,
    Template,
    TemplateSpec,
    Workflow,
)
from controller.spec.path_fault import Path, PathFault, calls_of, steps_of, triggers_of
from controller.spec.reading import older
from controller.spec.reading.excerpt import excerpt, with_excerpt
from controller.spec.reading.places import FileText, Places
from controller.spec.rules.data import needs_values
from controller.spec.rules.trigger import waits_for_itself
from controller.spec.rules.validate import check, warnings
from controller.spec.triggers.trigger import is_definition

if TYPE_CHECKING:
    from controller.spec.reading.text import TextPlace

SPEC_BYTES_MAX = 8 * 1024 * 1024

Rule = Callable[[Spec], Iterable[PathFault]]
Form = TypeVar("Form", bound=Struct)
Policy = TypeVar("Policy", bound=Pool | FolderDefaults)

_DOMAIN = "treadle.dev/"
_SHOWN_MAX = 60  # characters of a value in a message
_POLICIES: dict[str, type[Pool] | type[FolderDefaults]] = {
    "Pool": Pool,
    "Defaults": FolderDefaults,
}
# Parts of `metadata`.
_GIVEN_BY_US = frozenset({"uid", "generation", "creationTimestamp", "definition"})


class Document(Struct, frozen=True, kw_only=True):
    """One valid workflow document of a file."""

    workflow: LinkedWorkflow
    line: int
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.workflow.metadata.name

    @property
    def calls(self) -> tuple[str, ...]:
        """The names of the templates that its steps call, each once."""
        return tuple({call.name: None for _, call in calls_of(self.workflow.spec)})


class Caller(Document, frozen=True, kw_only=True):
    """A document that calls templates. Whether it fits them, `link` finds out, with its places."""

    places: Places


class TemplateDocument(Struct, frozen=True, kw_only=True):
    """One valid template of a file, judged by itself."""

    template: Template
    line: int
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.template.metadata.name


class PolicyName(NamedTuple):
    """Which of the policies a document is. Defaults have no name: their folder names them."""

    kind: str
    name: str


class PolicyDocument(Struct, frozen=True, kw_only=True):
    """One valid document of a file that runs nothing, and holds for many workflows."""

    document: Pool | FolderDefaults
    line: int

    @property
    def named(self) -> PolicyName:
        pool = self.document.metadata.name if isinstance(self.document, Pool) else ""
        return PolicyName(self.document.kind, pool)


class Loaded(Struct, frozen=True, kw_only=True):
    """What a file holds. With any fault it has no documents of any kind; a warning is no fault.

    `documents` are its workflows. `names`, `template_names` and `policy_names` are all that could
    be read, with or without faults. `foreign`: by its content the file is not meant for treadle;
    its faults say why it is not a spec.
    """

    documents: tuple[Document, ...] = ()
    templates: tuple[TemplateDocument, ...] = ()
    policies: tuple[PolicyDocument, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    names: tuple[str, ...] = ()
    template_names: tuple[str, ...] = ()
    policy_names: tuple[PolicyName, ...] = ()
    foreign: bool = False

    @property
    def defines(self) -> tuple[str, ...]:
        """All that it has, or tries to, in words: `etl`, `the template chain`, `the pool gpu`."""
        return (
            *self.names,
            *(f"the template {name}" for name in self.template_names),
            *(f"the pool {name}" if name else kind for kind, name in self.policy_names),
        )

    def rejected(self, faults: Iterable[Fault]) -> "Loaded":
        """With these faults besides."""
        every = (*self.faults, *faults)
        return replace(self, documents=(), templates=(), policies=(), faults=every)


def load(
    data: bytes,
    file: str,
    *,
    max_bytes: int = SPEC_BYTES_MAX,
    also: Rule | None = None,
    in_folder: bool = False,
) -> Loaded:
    """Read and check a whole file. Its content never raises an exception.

    `also` finds more warnings in a good spec, from what only an edge can know. They are not those
    of a document, which the log keeps. `in_folder`: it lies in the specs folder, so nobody gives
    values to the params of a workflow without triggers.
    """
    # A slow import: only do it when there is something to read.
    from controller.spec.reading.syntax import decode, unseen

    if len(data) > max_bytes:
        problem = f"larger than {max_bytes:,} bytes"
        hint = "split it; up, run, diff and validate take --max-spec-size"
        return _unread(data, Fault(file=file, problem=problem, hint=hint))
    text = decode(data, file)
    if isinstance(text, Fault):
        return _unread(data, text)
    of = _File(file, also, in_folder)
    of.warnings += islice(unseen(text, file), FAULTS_MAX)
    return of.judge(text, max_bytes)


def _unread(data: bytes, fault: Fault) -> Loaded:
    if fault.line:
        line = data.split(b"\n", fault.line)[fault.line - 1].rstrip(b"\r")
        shown = excerpt(line.decode("utf-8-sig", errors="replace"), fault.column)
        fault = replace(fault, excerpt=shown)
    return Loaded(faults=(fault,), foreign=not (_DOMAIN.encode() in data or b"workflow_id" in data))


class _File:
    """Collects what is known of one file."""

    def __init__(self, file: str, also: Rule | None, in_folder: bool) -> None:
        self.file = file
        self.also = also
        self.in_folder = in_folder
        self.source = FileText(file, "")  # what the places count in
        self.documents: list[Document] = []
        self.templates: list[TemplateDocument] = []
        self.policies: list[PolicyDocument] = []
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        # Name → line of the first document that has it; names are unique for each kind.
        self.names: dict[str, int] = {}
        self.template_names: dict[str, int] = {}
        self.policy_names: dict[PolicyName, int] = {}

    def judge(self, text: str, max_bytes: int) -> Loaded:
        from controller.spec.reading.text import read

        content = read(text, self.file, max_bytes)
        self.source = FileText(self.file, content.text)
        self.faults += content.faults
        ours = content.torn is not None and _mentions(text)
        for node in content.documents:
            if node.value is not None:
                ours |= _is_ours(node.value)
                _Document(self, node.value, node.place).judge()
        if content.torn is not None:
            _Document(self, content.torn.value, content.torn.place).note_name()
        elif content.faults and not content.documents:
            ours = _mentions(text)
        if not (self.documents or self.templates or self.policies or self.faults):
            hint = "write a workflow, or remove the file"
            self.faults.append(Fault(file=self.file, problem="the file is empty", hint=hint))
        return Loaded(
            documents=() if self.faults else tuple(self.documents),
            templates=() if self.faults else tuple(self.templates),
            policies=() if self.faults else tuple(self.policies),
            faults=tuple(self._shown(fault) for fault in _sorted(self.faults)),
            warnings=tuple(map(self._shown, self.warnings)),
            names=tuple(self.names),
            template_names=tuple(self.template_names),
            policy_names=tuple(self.policy_names),
            foreign=not ours,
        )

    def _shown(self, fault: Fault) -> Fault:
        return with_excerpt(fault, self.source.lines)


class _Document:
    """Checks one document, and adds what it finds to its file."""

    def __init__(self, of: _File, raw: Any, place: "TextPlace") -> None:
        self.of = of
        self.raw = raw
        self.is_older = isinstance(raw, dict) and "workflow_id" in raw
        kind = raw.get("kind") if isinstance(raw, dict) and not self.is_older else ""
        self.kind = kind if isinstance(kind, str) and kind in KINDS else "Workflow"
        self.places = Places(of.source, raw, place)
        self.warnings: list[Fault] = []

    def judge(self) -> None:
        raw = self.raw
        if not isinstance(raw, dict):
            problem = "expected a workflow: a mapping with apiVersion, kind, metadata and spec"
            self._add([PathFault(path=(), problem=problem)])
            return
        self.note_name()
        if self.is_older:
            self._take_workflow(self._older(raw))
        elif not _is_ours(raw) and ("apiVersion" in raw or raw.get("kind") not in KINDS):
            self._add([_stranger(raw)])
        elif self.kind == "Template":
            self._take_template(self._template(raw))
        elif self.kind in _POLICIES:
            self._take_policy(self._policy(raw, _POLICIES[self.kind]))
        else:
            self._take_workflow(self._workflow(raw))

    def _take_workflow(self, workflow: Workflow | None) -> None:
        if workflow is None:
            return
        self._warn_of(workflow.spec)
        document = Document(
            workflow=joined(workflow),
            line=self.places.place.line,
            warnings=tuple(map(str, self.warnings)),
        )
        if any(calls_of(workflow.spec)):
            document = Caller(**structs.asdict(document), places=self.places)
        self.of.documents.append(document)
        self._warn_besides(workflow.spec)

    def _take_template(self, template: Template | None) -> None:
        if template is None:
            return
        spec = body_alone(template.spec)
        self._warn_of(spec)
        self.of.templates.append(
            TemplateDocument(
                template=template,
                line=self.places.place.line,
                warnings=tuple(map(str, self.warnings)),
            )
        )
        self._warn_besides(spec)

    def _take_policy(self, policy: Pool | FolderDefaults | None) -> None:
        if policy is not None:
            line = self.places.place.line
            self.of.policies.append(PolicyDocument(document=policy, line=line))

    def _warn_of(self, spec: Spec) -> None:
        self._warn_all(self._in_its_words(warnings(spec)))
        self._warn_all(self._lossy_numbers(spec))

    def _warn_besides(self, spec: Spec) -> None:
        """What only an edge can know; it is not kept with the document."""
        if self.of.also is not None:
            self._warn_all(self._in_its_words(self.of.also(spec)))
        self.of.warnings += self.warnings

    def _lossy_numbers(self, spec: Spec) -> Iterator[PathFault]:
        """Values that lose a part of their text, but in params that are declared as numbers."""
        params = params_of.declared(spec)
        paths: list[Path] = [("spec", "params")] if params else []
        paths += [(*path, "forEach") for path, step in steps_of(spec) if step.for_each is not UNSET]
        paths += [(*path, "params") for path, call in calls_of(spec) if call.params is not UNSET]
        paths += [
            (*path, "params") for path, trigger in triggers_of(spec) if trigger.params is not UNSET
        ]
        if not paths:
            return
        from controller.spec.reading.text import lossy_numbers

        numbers = {
            ("spec", "params", name)
            for name, param in params.items()
            if isinstance(param, Param) and param.type in ("integer", "number")
        }
        for begin in paths:
            value: Any = self.raw
            place: Any = self.places.place
            for part in begin:
                value, place = value[part], place.inside[part]
            for path, problem, hint in lossy_numbers(value, place, self.of.source.lines, begin):
                if path[:3] not in numbers:
                    yield PathFault(path=path, problem=problem, hint=hint)

    def note_name(self) -> None:
        """Remember the document's name, if it can be read; the same name twice is a fault."""
        path, name = _name(self.raw)
        if self.kind == "Defaults":
            path, name = ("kind",), ""
        if name is None:
            return
        line, _ = self.places.place.within(path)
        if self.kind in _POLICIES:
            first = self.of.policy_names.setdefault(PolicyName(self.kind, name), line)
        elif self.kind == "Template":
            first = self.of.template_names.setdefault(name, line)
        else:
            first = self.of.names.setdefault(name, line)
        if first != line:
            problem = f'a second {self.kind.lower()} named "{name}"'
            if self.kind == "Defaults":
                problem = "a second document of the kind Defaults; a folder has one"
            self._add([PathFault(path=path, problem=problem, hint=f"the first is at line {first}")])

    # ------------------------------------------------------------------------------------- models

    # Each of these gives None if the document has a fault.

    def _template(self, raw: dict[str, object]) -> Template | None:
        template = self._converted(raw, Template)
        if template is None:
            return None
        return template if self._rules(body_alone(template.spec)) else None

    def _policy(self, raw: dict[str, object], form: type[Policy]) -> Policy | None:
        policy: Policy | None = self._converted(raw, form)
        if isinstance(policy, FolderDefaults) and not self._rules(spec_of_defaults(policy.spec)):
            return None
        return policy

    def _workflow(self, raw: dict[str, object]) -> Workflow | None:
        workflow = self._converted(self._without_our_own(raw), Workflow)
        if workflow is None:
            return None
        return workflow if self._rules(workflow.spec) else None

    def _without_our_own(self, raw: dict[str, object]) -> dict[str, object]:
        """The output of `get -o yaml` must be valid: ignore what `get` adds, with a warning."""
        if "status" in raw:
            self._warn(("status",), "ignored: treadle keeps the status, a file doesn't")
            raw = {key: value for key, value in raw.items() if key != "status"}
        metadata = raw.get("metadata")
        if isinstance(metadata, dict) and not metadata.keys().isdisjoint(_GIVEN_BY_US):
            for key in sorted(metadata.keys() & _GIVEN_BY_US):
                self._warn(("metadata", key), "ignored: treadle gives it, a file doesn't")
            kept = {key: value for key, value in metadata.items() if key not in _GIVEN_BY_US}
            raw = {**raw, "metadata": kept}
        return raw

    def _older(self, raw: dict[str, object]) -> Workflow | None:
        old = self._converted(raw, OlderWorkflow)
        if old is None:
            return None
        workflow = older.modern(old)
        name = workflow.metadata.name
        if name != old.workflow_id:
            self._warn(("workflow_id",), f'"{old.workflow_id}" is taken as "{name}"')
        return workflow if self._rules(workflow.spec) else None

    def _converted(self, raw: dict[str, object], form: type[Form]) -> Form | None:
        """The document in this form; or all that is wrong with its shape, and with the rest."""
        try:
            return msgspec.convert(raw, form)
        except ValidationError as error:
            from controller.spec.reading import shape

            found = shape.faults(raw, form, FAULTS_MAX + 1)
            # If the schema finds no fault, msgspec's own words are better than none.
            self._add(found or [PathFault(path=(), problem=str(error))])
            if (rest := _salvaged(raw, form)) is not None:
                self._rules(rest)
            return None

    def _rules(self, spec: Spec) -> bool:
        """Whether the rules find nothing wrong with the spec, or with what is left of it."""
        before = len(self.of.faults)
        self._add(islice(self._in_its_words(check(spec)), FAULTS_MAX + 1))
        self._add(waits_for_itself(spec, _name(self.raw)[1]))
        if self.of.in_folder and self.kind != "Template" and not is_definition(spec):
            self._add(needs_values(spec))
        return len(self.of.faults) == before

    def _in_its_words(self, found: Iterable[PathFault]) -> Iterable[PathFault]:
        return map(older.in_older_words, found) if self.is_older else found

    # ------------------------------------------------------------------------------------- faults

    def _add(self, found: Iterable[PathFault]) -> None:
        self.of.faults += map(self.places.fault, found)

    def _warn(self, path: Path, problem: str) -> None:
        self._warn_all([PathFault(path=path, problem=problem, key=True)])

    def _warn_all(self, found: Iterable[PathFault]) -> None:
        self.warnings += (
            replace(self.places.fault(problem), severity="warning")
            for problem in islice(found, FAULTS_MAX)
        )


def _salvaged(raw: dict[str, object], form: type[Struct]) -> Spec | None:
    """The spec of a document that is not in this form, without its faulty parts."""
    from controller.spec.reading import shape

    if form is Pool:
        return None
    if form is FolderDefaults:
        policy = shape.salvage_defaults(raw)
        return None if policy is None else spec_of_defaults(policy)
    if form is Template:
        rest = shape.salvage(raw, TemplateSpec)
        return None if rest is None else body_alone(rest)
    return shape.salvage(older.renamed(raw) if form is OlderWorkflow else raw, Spec)


def _is_ours(raw: object) -> bool:
    return isinstance(raw, dict) and (
        str(raw.get("apiVersion", "")).startswith(_DOMAIN) or "workflow_id" in raw
    )


def _mentions(text: str) -> bool:
    return _DOMAIN in text or "workflow_id" in text


def _stranger(raw: dict[str, object]) -> PathFault:
    if "apiVersion" in raw:
        problem = f"{str(raw['apiVersion'])[:_SHOWN_MAX]} is not an apiVersion of treadle's"
        return PathFault(path=("apiVersion",), problem=problem, hint=f"write {_DOMAIN}v1")
    hint = f"if it should be one, begin it with apiVersion: {_DOMAIN}v1"
    return PathFault(path=(), problem="not a treadle file (no apiVersion)", hint=hint)


def _name(raw: object) -> tuple[Path, str | None]:
    path: Path = ("workflow_id",)
    name: object = None
    if isinstance(raw, dict) and "workflow_id" in raw:
        name = raw["workflow_id"]
        name = older.workflow_name(name) if isinstance(name, str) else None
    elif isinstance(raw, dict) and isinstance(metadata := raw.get("metadata"), dict):
        path, name = ("metadata", "name"), metadata.get("name")
    return path, name if isinstance(name, str) and name else None


def _sorted(faults: list[Fault]) -> Iterator[Fault]:
    faults.sort(key=lambda fault: (fault.line, fault.column))
    yield from faults[:FAULTS_MAX]
    if len(faults) > FAULTS_MAX:
        problem = f"more faults than these {FAULTS_MAX:,}"
        yield Fault(file=faults[0].file, problem=problem, hint="fix these first")
