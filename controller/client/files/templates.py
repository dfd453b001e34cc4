"""The templates that given spec files can use: those of these files, else of the specs folder.

The folder is searched only if the files lack a template, and of its files only those are parsed
that may hold one.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from controller.client.files.source import read_found
from controller.errors import TreadleError
from controller.folder.scan import Walk
from controller.spec.reading.link import Found, link_file
from controller.spec.reading.load import Loaded, load


def with_templates(
    given: Sequence[tuple[str, Loaded]], specs: Callable[[], str], max_bytes: int
) -> list[Loaded]:
    """What each file holds, linked with the templates that it calls; or with the faults of that.

    `given`: the path of each file, and its content. `specs` gives the specs folder, which need not
    be there.
    """
    known = _of(given)
    calls = {
        name for _, loaded in given for document in loaded.documents for name in document.calls
    }
    if not calls <= known.keys():
        known = {**_of(list(_files(specs(), max_bytes))), **known}
    return [_linked(os.path.abspath(file), loaded, known) for file, loaded in given]


def _linked(path: str, loaded: Loaded, templates: Mapping[str, Found]) -> Loaded:
    linked = link_file(loaded.documents, path, templates)
    if linked.faults:
        return loaded.rejected(linked.faults)
    return replace(loaded, documents=tuple(linked.documents))


def _of(files: Sequence[tuple[str, Loaded]]) -> dict[str, Found]:
    """The templates of these files, by name: of each, the first in a file without faults."""
    found: dict[str, Found] = {}
    for file, loaded in files:
        path = os.path.abspath(file)
        specs = {template.name: template.template.spec for template in loaded.templates}
        for name in loaded.template_names:
            if name in specs and (name not in found or found[name].spec is None):
                found[name] = Found(path, specs[name])
            elif name not in found:
                found[name] = Found(path, None, f"its file {file} has faults")
    return found


def _files(specs: str, max_bytes: int) -> Iterator[tuple[str, Loaded]]:
    """The files of the specs folder that may hold templates."""
    try:
        found = sorted(Walk(specs).specs())
    except OSError:
        return  # there is no folder
    for relative in found:
        path = os.path.join(specs, relative)
        try:
            data = read_found(path, max_bytes)
        except TreadleError:
            continue  # it has just been removed, or is not ours to read
        if b"Template" in data:
            yield path, load(data, path, max_bytes=max_bytes, in_folder=True)
