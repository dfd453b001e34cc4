"""Which engines the specs of a folder and the log name, and what of theirs was given up."""

from collections.abc import Iterator
from typing import NamedTuple

from controller.client.files.defaults import with_defaults
from controller.client.files.source import read_source
from controller.client.files.templates import with_templates
from controller.errors import TreadleError
from controller.executor.finding import LeftBehind
from controller.executor.names import name_of
from controller.folder.scan import Walk
from controller.model.phases import Reason
from controller.model.state import State
from controller.spec.engines import placements
from controller.spec.models import Spec
from controller.spec.placement import Placement
from controller.spec.reading.load import SPEC_BYTES_MAX, Loaded, load


class EnginesInUse(NamedTuple):
    placements: list[Placement]  # those of all steps and hooks, each once
    given_up: dict[str, list[LeftBehind]]  # by engine


def engines_in_use(state: State, specs: str) -> EnginesInUse:
    """What the folder `specs`, which need not be there, and the log name."""
    found: dict[Placement, None] = {}
    for spec in [*_in_folder(specs), *(life.spec for life in state.workflows.values())]:
        found |= dict.fromkeys(placements(spec))
    return EnginesInUse([*found], _given_up(state))


def _in_folder(specs: str) -> Iterator[Spec]:
    """The specs of all files that have no fault, with their templates and Defaults."""
    read: list[tuple[str, Loaded]] = []
    try:
        paths = [f"{specs}/{path}" for path in sorted(Walk(specs).specs())]
    except OSError:
        return
    for path in paths:
        try:
            data = read_source(path, SPEC_BYTES_MAX).data
        except TreadleError:
            continue  # it has just been removed, or is not ours to read
        read.append((path, load(data, path, in_folder=True)))
    linked = with_templates(read, lambda: specs, SPEC_BYTES_MAX)
    again = [(path, loaded) for (path, _), loaded in zip(read, linked, strict=True)]
    for loaded in with_defaults(again, lambda: specs, SPEC_BYTES_MAX, []):
        yield from (document.workflow.spec for document in loaded.documents)


def _given_up(state: State) -> dict[str, list[LeftBehind]]:
    found: dict[str, list[LeftBehind]] = {}
    for life in state.lives.values():
        for step in life.with_hooks:
            for attempt in step.attempts:
                if attempt.reason == Reason.ABANDONED:
                    pids = ", ".join(map(str, attempt.survivors))
                    left = LeftBehind(
                        whose=f"{life.name}/{step.name} attempt {attempt.number}",
                        handle=pids or attempt.handle,
                        name=name_of(step.name, attempt.mark),
                        place=attempt.place,
                    )
                    found.setdefault(attempt.engine, []).append(left)
    return found
