"""Pools and Defaults as documents of the folder: which one a document is, and what follows from it.

They get a name beside those of workflows, so that all of the folder is judged by the same rules:
`Pool gpu`; `Defaults team` for those of the folder team, `Defaults .` for the specs folder. The
name of a workflow has no space.
"""

from collections.abc import Iterator
from posixpath import dirname

from controller.model.events import (
    DefaultsAccepted,
    DefaultsRemoved,
    PoolAccepted,
    PoolRemoved,
)
from controller.model.observations import SeenFile
from controller.model.state import Pool, State
from controller.spec.hooks import names_of_hooks
from controller.spec.models import DefaultsSpec, FolderDefaults, PoolSpec
from controller.spec.reading.load import PolicyDocument, PolicyName

_KINDS = ("Pool ", "Defaults ")


def listed(file: SeenFile) -> tuple[str, ...]:
    """The names of those that the file has, or tries to."""
    return tuple(_name(file.path, name) for name in file.policy_names)


def is_policy(name: str) -> bool:
    """Whether it is not the name of a workflow."""
    return name.startswith(_KINDS)


def name_of(path: str, policy: PolicyDocument) -> str:
    """The name of one that the file `path` has."""
    return _name(path, policy.named)


def homes(state: State) -> dict[str, str]:
    """Those in force, each with its file."""
    pools = {f"Pool {name}": pool.path for name, pool in state.pools.items() if not pool.is_outside}
    return pools | {
        _of_folder(defaults.folder): defaults.path for defaults in state.defaults.values()
    }


def home(state: State, name: str) -> str | None:
    """The file of one that is in force."""
    found = _known(state, name)
    return None if found is None else found.path


def in_words(name: str) -> str:
    """`the pool gpu`, `the Defaults of team`; the name of a workflow stays."""
    if not is_policy(name):
        return name
    kind, _, which = name.partition(" ")
    if kind == "Pool":
        return f"the pool {which}"
    return f"the Defaults of {'the specs folder' if which == '.' else which}"


def accept(
    state: State, file: SeenFile, policy: PolicyDocument
) -> Iterator[PoolAccepted | DefaultsAccepted]:
    """What follows from a document of the file; nothing if that is in force already."""
    path, document = file.path, policy.document
    if isinstance(document, FolderDefaults):
        folder, spec = dirname(path), document.spec
        known = state.defaults.get(folder)
        if known is None or (known.path, known.spec) != (path, spec):
            yield DefaultsAccepted(folder=folder, path=path, spec=spec, by=file.by)
        return
    name, slots = document.metadata.name, document.spec.slots
    if state.pools.get(name) != Pool(slots, path):
        yield PoolAccepted(name=name, slots=slots, path=path)


def drops_hooks(state: State, file: SeenFile, policy: PolicyDocument) -> bool:
    """Whether Defaults lack a hook of those in force: the file may be half written."""
    document, known = policy.document, state.defaults.get(dirname(file.path))
    if known is None or not isinstance(document, FolderDefaults):
        return False
    return not names_of_hooks(known.spec.hooks) <= names_of_hooks(document.spec.hooks)


def name_in(event: object) -> str:
    """The name of the one that an event is about; empty if it is about something else."""
    match event:
        case PoolAccepted() | PoolRemoved():
            return f"Pool {event.name}"
        case DefaultsAccepted() | DefaultsRemoved():
            return _of_folder(event.folder)
    return ""


def in_force(state: State, name: str) -> DefaultsSpec | PoolSpec | None:
    """What it says now; None if there is none of that name."""
    found = _known(state, name)
    if isinstance(found, Pool):
        return PoolSpec(slots=found.slots)
    return None if found is None else found.spec


def wanted(event: object) -> DefaultsSpec | PoolSpec | None:
    """What it says after the event; None if it is gone then."""
    match event:
        case PoolAccepted():
            return PoolSpec(slots=event.slots)
        case DefaultsAccepted():
            return event.spec
    return None


def remove(name: str) -> PoolRemoved | DefaultsRemoved:
    """It is gone."""
    kind, _, which = name.partition(" ")
    if kind == "Pool":
        return PoolRemoved(name=which)
    return DefaultsRemoved(folder=which.removeprefix("."))


def _known(state: State, name: str) -> Pool | DefaultsAccepted | None:
    """The one in force that has this name."""
    if not is_policy(name):
        return None
    kind, _, which = name.partition(" ")
    if kind != "Pool":
        return state.defaults.get(which.removeprefix("."))
    pool = state.pools.get(which)
    return None if pool is None or pool.is_outside else pool  # the folder's own takes its place


def _name(path: str, policy: PolicyName) -> str:
    return f"Pool {policy.name}" if policy.kind == "Pool" else _of_folder(dirname(path))


def _of_folder(folder: str) -> str:
    return f"Defaults {folder or '.'}"
