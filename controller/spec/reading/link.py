"""Joins a document with the templates that its steps call, or says why they don't fit.

What a step gives to a template, and what others read of it, can be judged only here: `validate`
knows a document alone. All faults come at once, each at the line of the caller that it concerns.
No file is opened: who calls `link` knows the templates that there are.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from posixpath import dirname, relpath
from typing import NamedTuple

from msgspec import UNSET, Struct

from controller.errors import FAULTS_MAX, Fault
from controller.spec.linked import Called, Linked, body_alone, joined
from controller.spec.models import Call, Spec, TemplateSpec, given
from controller.spec.params import declared, required
from controller.spec.path_fault import Path, PathFault, calls_of, did_you_mean
from controller.spec.reading.excerpt import with_excerpt
from controller.spec.reading.load import Caller, Document
from controller.spec.reading.places import Places
from controller.spec.rules.data import expressions
from controller.spec.rules.executor import of_template
from controller.spec.rules.param import listed, misfitting
from controller.spec.rules.validate import check
from controller.spec.template import body

_NO_TEMPLATES = (
    "a template is a document with kind: Template in the specs folder, "
    "or in a file that is named beside this one"
)


class Found(Struct, frozen=True):
    """A template, and the file that has it. Without `spec` it can't be used; `problem` says why.

    Paths are relative to one folder, as that of the caller is, or all are absolute.
    """

    path: str
    spec: TemplateSpec | None
    problem: str = ""


class LinkedFile(NamedTuple):
    """The documents of a file with the templates that they call, or why they don't fit these."""

    documents: list[Document]
    faults: list[Fault]


def link(
    document: Document, path: str, templates: Mapping[str, Found]
) -> Document | tuple[Fault, ...]:
    """The document with the templates that it calls; or its faults. `path`: its file.

    A document that calls none is returned as it is.
    """
    if not isinstance(document, Caller):
        return document
    workflow = joined(document.workflow, _called(document, path, templates))
    if found := list(islice(_faults(workflow.spec, templates), FAULTS_MAX)):
        return tuple(_placed(document.places, found))
    return Document(workflow=workflow, line=document.line, warnings=document.warnings)


def link_file(
    documents: Iterable[Document], path: str, templates: Mapping[str, Found]
) -> LinkedFile:
    """The documents of the file `path`, each as `link` gives it."""
    linked = LinkedFile([], [])
    for document in documents:
        found = link(document, path, templates)
        if isinstance(found, Document):
            linked.documents.append(found)
        else:
            linked.faults.extend(found)
    return linked


def problems(spec: Linked) -> Iterator[PathFault]:
    """What is wrong with a spec that was linked elsewhere, and with its templates."""
    found = {name: Found(path="", spec=template.spec) for name, template in spec.templates.items()}
    for template in spec.templates.values():
        yield from check(body_alone(template.spec))
    yield from _faults(spec, found)


def _faults(spec: Linked, templates: Mapping[str, Found]) -> Iterator[PathFault]:
    return chain(_misfits(spec, templates), expressions(spec))


def _placed(places: Places, found: list[PathFault]) -> list[Fault]:
    faults = [with_excerpt(places.fault(problem), places.of.lines) for problem in found]
    return sorted(faults, key=lambda fault: (fault.line, fault.column))


def _called(document: Document, path: str, templates: Mapping[str, Found]) -> dict[str, Called]:
    """The templates that it calls; of those that can't be used, none."""
    return {
        name: Called(spec=found.spec, home=_seen_from(path, found.path))
        for name in sorted(document.calls)
        if (found := templates.get(name)) is not None and found.spec is not None
    }


def _seen_from(path: str, other: str) -> str:
    """The folder of the file `other`, seen from that of the file `path`."""
    return relpath(f"/{dirname(other)}", f"/{dirname(path)}")


def _misfits(spec: Spec, templates: Mapping[str, Found]) -> Iterator[PathFault]:
    for path, call in calls_of(spec):
        found = templates.get(call.name)
        if found is None:
            hint = did_you_mean(call.name, templates) or listed("the templates are", templates)
            problem = f'no template is named "{call.name}"'
            yield PathFault(path=(*path, "name"), problem=problem, hint=hint or _NO_TEMPLATES)
        elif found.spec is None:
            problem = f'the template "{call.name}" can\'t be used: {found.problem}'
            yield PathFault(path=(*path, "name"), problem=problem)
        else:
            yield from _params(spec, path, call, body_alone(found.spec))
            executors = [spec.executor, *[step.executor for step in found.spec.steps]]
            if executors.count(UNSET) < len(executors):
                yield from _of_engine(spec, path, call)


def _of_engine(spec: Spec, path: Path, call: Call) -> Iterator[PathFault]:
    """What the steps of the template can't do by the engine that its caller has chosen."""
    within = body(spec, call.name)
    for fault in of_template(within):
        match fault.path:
            case ("spec", "steps", int(index), *_):
                where = f'step "{within.steps[index].name}" of the template'
            case _:
                where = "the template"
        yield PathFault(path=(*path, "name"), problem=f"{where}: {fault.problem}", hint=fault.hint)


def _params(spec: Spec, path: Path, call: Call, template: Spec) -> Iterator[PathFault]:
    known, values = declared(template), given(call.params, {})
    where, hint = (*path, "params"), "add NAME: …"
    if call.params is UNSET:
        where, hint = path, "write params: {NAME: …}"
    for name in required(template):
        if name not in values:
            problem = f'the template "{call.name}" needs a value for {name}'
            yield PathFault(path=where, problem=problem, hint=hint.replace("NAME", name), key=True)
    for name, value in values.items():
        at = (*path, "params", name)
        if name in known:
            yield from misfitting(spec, at, value, known[name])
        else:
            hint = did_you_mean(name, known) or listed("its params are", known)
            problem = f'the template "{call.name}" has no param "{name}"'
            yield PathFault(path=at, problem=problem, hint=hint or "remove it", key=True)
