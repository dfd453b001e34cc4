"""The pools of files: those that `run` takes along, and warnings of what is missing or too small.

Only warnings: such a step waits, and the file of the pool may come.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache

import msgspec

from controller.client.files.source import read_found
from controller.errors import TreadleError
from controller.model.observations import GivenPool
from controller.spec.models import Spec
from controller.spec.path_fault import PathFault
from controller.spec.uses import holdings, lists_of_uses


def pools_in(places: Sequence[str], max_bytes: int) -> Callable[[Spec], Iterator[PathFault]]:
    """A rule for `load` that knows the pools in these files and folders.

    They are read when a spec first uses a pool, those alone that mention the kind.
    """

    @cache
    def known() -> dict[str, int]:
        return dict(_pools(places, max_bytes))

    def rule(spec: Spec) -> Iterator[PathFault]:
        for path, written in lists_of_uses(spec):
            for index, use in enumerate(written):
                (used,) = holdings([use], [])
                if used.lock:
                    continue
                slots = known().get(used.pool)
                if slots is None:
                    hint = "a step that uses it waits until a document of the kind Pool defines it"
                    problem = f"no file defines {used.name}"
                    yield PathFault(path=(*path, index), problem=problem, hint=hint)
                elif used.slots > slots:
                    hint = "a step that uses it waits until the pool has more"
                    problem = f"needs {used.slots} slots of {used.name}, which has {slots}"
                    yield PathFault(path=(*path, index), problem=problem, hint=hint)

    return rule


def pools_for(
    files: Sequence[str], specs: Callable[[], str], max_bytes: int, specs_used: Sequence[Spec]
) -> list[GivenPool]:
    """The pools in these files, and those of the specs folder, if something uses any.

    `specs_used`: of all that is to run, with the templates and Defaults.
    """
    if not any(b'"uses"' in msgspec.json.encode(spec) for spec in specs_used):
        return []
    from controller.folder.names import within

    root = os.path.abspath(specs())
    places = [*map(os.path.abspath, files), root]
    found: dict[str, GivenPool] = {}
    for path, name, slots in _found(places, max_bytes):
        where = os.path.relpath(path, root) if within(path, root) else path
        found.setdefault(name, GivenPool(name, slots, where))
    return list(found.values())


def _pools(places: Sequence[str], max_bytes: int) -> Iterator[tuple[str, int]]:
    return ((name, slots) for _, name, slots in _found(places, max_bytes))


def _found(places: Sequence[str], max_bytes: int) -> Iterator[tuple[str, str, int]]:
    """Each with its file."""
    from controller.spec.models import Pool
    from controller.spec.reading.load import load

    for file in dict.fromkeys(_files(places)):  # `validate specs` names the folder twice
        with suppress(TreadleError):  # what can't be read is told where it is judged
            data = read_found(file, max_bytes)
            if b"Pool" not in data:
                continue
            for policy in load(data, file, max_bytes=max_bytes).policies:
                if isinstance(policy.document, Pool):
                    yield file, policy.document.metadata.name, policy.document.spec.slots


def _files(places: Sequence[str]) -> Iterator[str]:
    from controller.folder.scan import Walk

    for place in places:
        if os.path.isdir(place):
            with suppress(OSError):
                for relative in Walk(place).specs():
                    yield os.path.join(place, relative)
        elif place != "-":
            yield place
