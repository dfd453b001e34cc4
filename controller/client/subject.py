"""What NAME means to a command that changes something: its life in the log, its files on disk.

There may be only one of the two: a file that no controller has seen yet, a life whose file was
removed, or a workflow that `treadle run` began and that never had a file.
"""

import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

from controller.client.files.spec_files import SpecFile, files_defining
from controller.client.replica import Replica
from controller.errors import NotFound, UsageError
from controller.intake.requests import of_instances
from controller.model.state import State, Workflow
from controller.requests import waiting
from controller.view.find import definition_in, find, meant_by
from controller.view.status import ended


class Subject(NamedTuple):
    """`life` is None until a controller has seen a valid spec with that name."""

    name: str
    life: Workflow | None


def read_state(state_dir: str) -> State:
    """The state as it will be when all waiting requests have been applied."""
    state = Replica(state_dir).catch_up()
    requests = list(waiting(state_dir))
    if requests:
        from controller.rehearsal.requests import carry_out

        carry_out(state, requests)
    return state


def subject(specs: str, state: State, name: str) -> Subject:
    """Raises NotFound if neither the log nor the folder knows NAME."""
    if (definition := definition_in(name)) and meant_by(state, name) not in state.workflows:
        another = f"; to start another: treadle start {definition}"
        raise NotFound(
            f"{meant_by(state, name)}, the newest instance of {definition}, is no longer in force "
            f"and can't change{another if definition in state.workflows else ''}"
        )
    try:
        meant = find(state, name)
        if isinstance(meant, Workflow) and ended(state, meant):
            gone = "its spec was removed" if meant.origin == "folder" else "it was deleted"
            raise NotFound(f"{name} has ended (uid {meant.uid}), and {gone}")
    except NotFound:
        if os.path.isdir(specs) and files_of(specs, state, [name]):
            return Subject(name, None)
        raise
    return Subject(meant.name, meant if isinstance(meant, Workflow) else None)


def require_life(specs: str, state: State, name: str, verb: str) -> Workflow:
    """The life of NAME. Raises NotFound if the log has none."""
    name, life = subject(specs, state, name)
    if life is None:
        raise NotFound(f"{name}: no controller has seen a valid spec yet: nothing to {verb}")
    return life


def refuse_definition(life: Workflow | None, command: str, words: Sequence[str] = ()) -> None:
    """Raises UsageError for a definition, with the line for its newest instance.

    `words`: what stands behind the name.
    """
    if life is not None and life.starter is not None:
        raise UsageError(of_instances(life.name, command, words))


def files_of(specs: str, state: State, names: Collection[str]) -> list[SpecFile]:
    """The files that define any of these. One that can't be read counts with its last workflows."""
    known: dict[str, tuple[str, ...]] = {}
    for life in state.workflows.values():
        if life.origin == "folder":
            known[life.path] = (*known.get(life.path, ()), life.name)
    return files_defining(specs, names, known)


def require_folder(specs: str, state_dir: str, state: State) -> None:
    """Refuse a specs folder that doesn't exist, or that this state doesn't belong to."""
    if not os.path.isdir(specs):
        sight = "is not a folder" if os.path.exists(specs) else "no such folder"
        raise UsageError(
            f"{os.path.abspath(specs)}: {sight}; make it, or name the specs folder with --specs"
        )
    if not is_home(specs, state):
        raise UsageError(
            f"{state_dir} belongs to the specs folder {state.controller.folder}, "
            f"not to {os.path.abspath(specs)}; name the right one with --specs or --state"
        )


def is_home(specs: str, state: State) -> bool:
    """Whether this state belongs to this specs folder, or to none yet."""
    home = state.controller.folder
    return not home or os.path.realpath(home) == os.path.realpath(specs)
