"""What NAME means to a command that changes something: its life in the log, its files on disk.

The two may not know of each other: a file that no controller has seen yet, a life whose file is
gone, a workflow that `treadle run` began and that never had one.
"""

import os
from collections.abc import Collection
from typing import NamedTuple

from controller.client.replica import Replica
from controller.client.spec_files import SpecFile, files_defining
from controller.errors import NotFound, UsageError
from controller.model.state import State, Workflow
from controller.requests import waiting
from controller.view.find import find, hint
from controller.view.status import ended


class Subject(NamedTuple):
    """`life` is None as long as no controller has seen a valid spec of that name."""

    name: str
    life: Workflow | None


def read_state(state_dir: str) -> State:
    """As it will be when the requests that wait already have been carried out."""
    state = Replica(state_dir).catch_up()
    requests = list(waiting(state_dir))
    if requests:
        from controller.rehearsal.requests import carry_out

        carry_out(state, requests)
    return state


def subject(specs: str, state: State, name: str) -> Subject:
    """Raises NotFound if neither the log nor the folder knows NAME."""
    try:
        found = find(state, name)
        if isinstance(found, Workflow) and ended(state, found):
            raise NotFound(f"{name} has ended (uid {found.uid}), and its spec is gone")
    except NotFound:
        if os.path.isdir(specs) and files_of(specs, state, [name]):
            return Subject(name, None)
        raise
    return Subject(found.name, found if isinstance(found, Workflow) else None)


def require_life(specs: str, state: State, name: str, verb: str) -> Workflow:
    """Raises NotFound as long as the log has no life of NAME."""
    name, life = subject(specs, state, name)
    if life is None:
        raise NotFound(f"{name}: no controller has seen a valid spec yet: nothing to {verb}")
    return life


def files_of(specs: str, state: State, names: Collection[str]) -> list[SpecFile]:
    """The files that define `names`; for a file that can't be read, what it last defined."""
    known: dict[str, tuple[str, ...]] = {}
    for life in state.workflows.values():
        if life.origin == "folder":
            known[life.path] = (*known.get(life.path, ()), life.name)
    return files_defining(specs, names, known)


def require_folder(specs: str, state_dir: str, state: State) -> None:
    """Refuse a specs folder that isn't there, or is not the one that this state belongs to."""
    if not os.path.isdir(specs):
        sight = "is not a folder" if os.path.exists(specs) else "no such folder"
        raise UsageError(f"{specs}: {sight}; make it, or name the specs folder with --specs")
    require_home(specs, state_dir, state)


def require_home(specs: str, state_dir: str, state: State) -> None:
    """Refuse another specs folder than the one that this state belongs to."""
    home = state.controller.folder
    if home and os.path.realpath(home) != os.path.realpath(specs):
        raise UsageError(
            f"{state_dir} belongs to the specs folder {home}, not to {os.path.abspath(specs)}; "
            "name the right one with --specs or --state"
        )


def require_steps(life: Workflow | None, names: list[str]) -> None:
    """Refuse a step that isn't there, as far as the spec is known."""
    if life is None:
        return
    for name in names:
        if name not in life.steps:
            raise NotFound(f'{life.name} has no step "{name}"{hint(name, life.steps)}')
