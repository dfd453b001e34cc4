"""Warns of pools that steps use and that no file defines, or that are too small.

Only warnings: such a step waits, and the file of the pool may come.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache

from controller.client.source import read_source
from controller.errors import TreadleError
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
            for index, one in enumerate(written):
                (used,) = holdings([one], [])
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


def _pools(places: Sequence[str], max_bytes: int) -> Iterator[tuple[str, int]]:
    from controller.spec.load import load
    from controller.spec.models import Pool

    for file in dict.fromkeys(_files(places)):  # `validate specs` names the folder twice
        with suppress(TreadleError):  # what can't be read is told where it is judged
            data = read_source(file, max_bytes).data
            if b"Pool" not in data:
                continue
            for one in load(data, file, max_bytes=max_bytes).policies:
                if isinstance(one.document, Pool):
                    yield one.document.metadata.name, one.document.spec.slots


def _files(places: Sequence[str]) -> Iterator[str]:
    from controller.folder.scan import Walk

    for place in places:
        if os.path.isdir(place):
            with suppress(OSError):
                for relative in Walk(place).specs():
                    yield os.path.join(place, relative)
        elif place != "-":
            yield place
