"""What an edit of the specs would do: those of the folder, of git, of drafts, or of single files.

The files are read as a controller reads them, and judged against a state. Nothing is changed.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from msgspec.structs import replace

from controller.client.files.git import committed
from controller.client.files.programs import programs_near
from controller.client.files.source import read_source
from controller.client.replica import now
from controller.client.subject import is_home, require_folder
from controller.errors import Fault, NotFound, TreadleError, UsageError
from controller.folder.inbox import Inbox
from controller.folder.scan import Scanner
from controller.intake.held import why_held
from controller.intake.inputs import anchored
from controller.model.observations import FolderSight
from controller.model.state import State
from controller.rehearsal import foresee
from controller.rehearsal.foresee import Foresight
from controller.spec.reading.load import Loaded, load

_NOTHING = (
    "until that changes, the present specs stay in force "
    "(`treadle delete --all` confirms that they are deleted)"
)


class Folder(NamedTuple):
    """A specs folder: as it is on the disk, as git has it, or as `drafts` is, another folder."""

    specs: str
    state_dir: str
    max_bytes: int  # of a spec file
    of_git: bool = False
    revision: str | None = None  # of git; None is the next commit
    drafts: str | None = None


def of_folder(folder: Folder, state: State, note: Callable[[str], None]) -> Foresight:
    """What follows if the specs folder becomes like this. `note` gets lines about the comparison.

    Raises UsageError.
    """
    path, at = os.path.abspath(folder.specs), now()
    sight = FolderSight(path=path, shown=folder.drafts or folder.specs)
    # What is elsewhere would come to the known folder, whatever is in its place now.
    sight.device, sight.inode = state.controller.folder_device, state.controller.folder_inode
    is_elsewhere = folder.of_git or folder.drafts is not None
    if is_elsewhere and not is_home(folder.specs, state):
        note(f"compared with {state.controller.folder}")
    if folder.of_git:
        with committed(folder.specs, folder.revision) as tree:
            if tree is None:
                note(f"{folder.specs}: git has no specs there; {_NOTHING}")
                return Foresight([], [])
            _scan(sight, tree, folder.max_bytes, at)
    elif folder.drafts is not None:
        _scan(sight, os.path.abspath(folder.drafts), folder.max_bytes, at)
    else:
        require_folder(folder.specs, folder.state_dir, state)
        status = os.stat(path)
        sight.device, sight.inode = status.st_dev, status.st_ino
        _scan(sight, path, folder.max_bytes, at)
    if held := why_held(state, sight):
        raise UsageError(f"{held}; {_NOTHING}")
    seen = foresee.of_folder(state, sight, at)
    if not is_elsewhere:  # what a commit or a draft needs may not be there yet
        seen = replace(seen, warnings=list(_warnings(folder, sight, seen)))
    return _with_files(folder, seen)


def of_files(folder: Folder, state: State, files: Sequence[str]) -> Foresight:
    """What follows if these files are put into the specs folder. Raises UsageError, NotFound."""
    path, at = os.path.abspath(folder.specs), now()
    sight = FolderSight(path=path, shown=folder.specs)
    loaded = [_load_or_say_how(state, file, folder.max_bytes) for file in files]
    calls = any(document.calls for content in loaded for document in content.documents)
    if (calls or any(content.templates for content in loaded)) and os.path.isdir(path):
        _scan(sight, path, folder.max_bytes, at)
    given = {
        _path_in(path, file, content): content for file, content in zip(files, loaded, strict=True)
    }
    return _with_files(folder, foresee.of_files(state, sight, given, at))


def _with_files(folder: Folder, seen: Foresight) -> Foresight:
    """The same, and how many files lie there for a trigger for which they are all new."""
    changes = list(seen.changes)
    for index, change in enumerate(changes):
        if any(trigger.pattern for trigger in change.triggers or ()):
            triggers = [
                replace(trigger, lying=_lying(folder, change.path, trigger.pattern))
                if trigger.pattern
                else trigger
                for trigger in change.triggers or ()
            ]
            changes[index] = replace(change, triggers=triggers)
    return replace(seen, changes=changes)


def _lying(folder: Folder, path: str, pattern: str) -> int | None:
    """How many files match; None if their folder can't be read. The pattern is seen from `path`."""
    whole = anchored(os.path.abspath(folder.specs), path, pattern)
    sight = Inbox(folder.state_dir).look([whole], now())[whole]
    return None if sight.root == "unreadable" else len(sight.files) + len(sight.restless)


def _warnings(folder: Folder, sight: FolderSight, seen: Foresight) -> Iterator[Fault]:
    """Warnings of the files whose workflows change; only what has changed is read again."""
    changed = {change.workflow for change in seen.changes if change.before != change.after}
    for path, file in sorted(sight.files.items()):
        if changed.isdisjoint(document.name for document in file.documents):
            continue
        with suppress(TreadleError):  # it has just been removed
            yield from _load(os.path.join(folder.specs, path), folder.max_bytes).warnings


def _load(file: str, max_bytes: int) -> Loaded:
    """Raises NotFound, or UsageError if it can't be read."""
    source = read_source(file, max_bytes)
    also = programs_near(file) if file != "-" else None
    return load(source.data, source.name, max_bytes=max_bytes, also=also, in_folder=True)


def _scan(sight: FolderSight, tree: str, max_bytes: int, at: int) -> None:
    """Scan `tree` as if its files were in the specs folder."""
    home, sight.path = sight.path, tree
    try:
        Scanner(sight, max_bytes).scan(at, done=True)
    except OSError as error:
        raise UsageError(f"{sight.shown}: {error.strerror}") from error
    sight.path = home
    sight.changed |= {*sight.files, *sight.markers}


def _path_in(specs: str, file: str, loaded: Loaded) -> str:
    """The path of the file in the specs folder. Only Defaults need one, for their folder."""
    path = os.path.realpath(file)
    if path.startswith(os.path.join(os.path.realpath(specs), "")):
        return os.path.relpath(path, os.path.realpath(specs))
    if "Defaults" in loaded.defines:
        raise UsageError(
            f"{file}: Defaults hold for the folder that their file is in; put it into the folder "
            "that you mean, then `treadle diff` shows what changes"
        )
    return file


def _load_or_say_how(state: State, file: str, max_bytes: int) -> Loaded:
    try:
        return _load(file, max_bytes)
    except NotFound as error:
        if file not in state.workflows:
            raise
        hint = f"`treadle diff` compares the whole folder, `treadle diff {file} --from 1` two"
        raise NotFound(f"{error}; {hint} generations") from None
