"""The Defaults that hold for files given to `run`: those of these files, else of the specs folder.

Defaults hold for the folder that their file is in, and below. So for a file outside of the specs
folder, those at the top of that folder count. Of the folder only files that may have some are read.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from controller.client.files.source import read_found
from controller.errors import Fault, TreadleError
from controller.folder.names import kind_of, within
from controller.spec.linked import Above, below
from controller.spec.models import FolderDefaults
from controller.spec.reading.load import Document, Loaded, load


def with_defaults(
    given: Sequence[tuple[str, Loaded]],
    specs: Callable[[], str],
    max_bytes: int,
    warnings: list[Fault],
) -> list[Loaded]:
    """What each file holds, its documents with the Defaults that hold for them.

    `given`: the path of each file, and its content. `specs` gives the specs folder, which need not
    be there. `warnings` gets the files there that have faults, so that nothing in them holds.
    """
    known = [found for file, loaded in given for found in _of(os.path.abspath(file), loaded)]
    found: list[Loaded] = []
    read: dict[str, list[Above]] = {}  # by folder, so that each is read once, and warned of once
    root = ""
    for file, loaded in given:
        home = os.path.dirname(os.path.abspath(file))
        above = _holding(home, known)
        if not above and loaded.documents:
            root = root or os.path.abspath(specs())
            inside = home if within(home, root) else root
            folders = [*_up_to(root, inside)]
            for folder in folders:
                if folder not in read:
                    read[folder] = [*_in_folder(folder, max_bytes, warnings)]
            there = [defaults for folder in folders for defaults in read[folder]]
            above = _seen_from(home, _holding(inside, there))
        documents = tuple(_below(document, above) for document in loaded.documents)
        found.append(replace(loaded, documents=documents))
    return found


def _below(document: Document, above: tuple[Above, ...]) -> Document:
    workflow = document.workflow
    return replace(document, workflow=replace(workflow, spec=below(workflow.spec, above)))


def _of(path: str, loaded: Loaded) -> Iterator[Above]:
    """`home` is the folder as a whole path, until it is known from where it is seen."""
    for policy in loaded.policies:
        if isinstance(policy.document, FolderDefaults):
            yield Above(spec=policy.document.spec, path=path, home=os.path.dirname(path))


def _holding(home: str, known: Iterable[Above]) -> tuple[Above, ...]:
    """Those above a file in `home`, the nearest first; of one folder the first by path."""
    nearest: dict[str, Above] = {}
    for defaults in sorted(known, key=lambda above: above.path):
        if within(home, defaults.home):
            nearest.setdefault(defaults.home, defaults)
    ordered = sorted(nearest.values(), key=lambda above: -len(above.home))
    return _seen_from(home, ordered)


def _seen_from(home: str, known: Iterable[Above]) -> tuple[Above, ...]:
    return tuple(
        replace(defaults, home=os.path.relpath(os.path.dirname(defaults.path), home))
        for defaults in known
    )


def _up_to(root: str, folder: str) -> Iterator[str]:
    """The folder, and those above it, up to `root`."""
    while folder != root:
        yield folder
        folder = os.path.dirname(folder)
    yield root


def _in_folder(folder: str, max_bytes: int, warnings: list[Fault]) -> Iterator[Above]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return  # there is no folder
    for name in names:
        if kind_of(name) == "spec":
            yield from _in_file(os.path.join(folder, name), max_bytes, warnings)


def _in_file(path: str, max_bytes: int, warnings: list[Fault]) -> Iterator[Above]:
    try:
        data = read_found(path, max_bytes)
    except TreadleError:
        return  # it has just been removed, or is not ours to read
    if b"Defaults" in data:
        loaded = load(data, path, max_bytes=max_bytes, in_folder=True)
        if loaded.faults and any(name.kind == "Defaults" for name in loaded.policy_names):
            problem = "it has faults, so its Defaults do not hold for this run"
            warnings.append(Fault(file=path, problem=problem, severity="warning"))
        yield from _of(path, loaded)
