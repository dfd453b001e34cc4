"""`treadle diff`: what an edit of the specs would do, step by step. It changes nothing."""

import argparse
import gc
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from controller.errors import ExitCode, NotFound, TreadleError, UsageError
from controller.printing import complain

if TYPE_CHECKING:
    from controller.errors import Fault
    from controller.model.observations import FolderSight
    from controller.model.state import State
    from controller.rehearsal.foresee import Foresight
    from controller.spec.reading.load import Loaded

CHANGED = 1
_NOTHING = (
    "until that changes, the present specs stay in force "
    "(`treadle delete --all` confirms that they are deleted)"
)


def diff(args: argparse.Namespace) -> int:
    """treadle diff [FILE…]: 0 if nothing changes, 1 if something does, 2 for invalid specs."""
    from controller.cli.output import look, show_line, show_lines
    from controller.client.replica import Replica
    from controller.host.faults import in_force, show_faults
    from controller.view.changes.difference import lines, plan, policy_lines, shape

    gc.disable()  # what is made for a comparison is needed to its end
    of_git = args.staged or args.rev is not None
    of_generations = args.first is not None or args.to is not None
    if of_git and (args.files or of_generations):
        raise UsageError("diff --rev and --staged look at the whole folder: leave out the rest")
    outcome = ""
    if of_generations:
        seen = _of_generations(args.state, args.files, args.first, args.to)
    else:
        specs, files = args.specs, args.files
        if len(files) == 1 and os.path.isdir(files[0]):
            specs, files = files[0], []
        state = Replica(args.state).catch_up()
        folder = _Folder(specs, args.state, of_git, args.rev, args.max_spec_size)
        seen = _of_files(folder, state, files) if files else _of_folder(folder, state)
        seen = _with_files(folder, seen)
        outcome = in_force(state, specs, seen.faults)
    if args.output:
        for change in seen.changes:
            show_line(shape(change))
    else:
        shown = look(args)
        show_lines(shown.wrapped(said, hang=2) if (said := plan(seen.changes)) else ())
        for policy in seen.policies:
            show_lines(policy_lines(policy, shown))
        for change in seen.changes:
            show_lines(lines(change, shown))
    show_faults([*seen.faults, *seen.warnings], outcome)
    if seen.faults:
        return ExitCode.USAGE
    changes = seen.policies or any(change.is_change for change in seen.changes)
    return CHANGED if changes else ExitCode.FINE


class _Folder(NamedTuple):
    """A specs folder, as it is on the disk or as git has it."""

    specs: str
    state_dir: str
    of_git: bool
    revision: str | None  # of git; None is the next commit
    max_bytes: int  # of a spec file


def _of_folder(folder: _Folder, state: "State") -> "Foresight":
    from msgspec.structs import replace

    from controller.client.subject import is_home, require_folder
    from controller.intake.held import why_held
    from controller.model.observations import FolderSight
    from controller.rehearsal.foresee import Foresight, of_folder

    path = os.path.abspath(folder.specs)
    sight = FolderSight(path=path, shown=folder.specs)
    now = time.time_ns() // 1000
    if folder.of_git:
        from controller.client.files.git import committed

        if not is_home(folder.specs, state):  # a commit is made in one clone, and runs in another
            complain(f"compared with {state.controller.folder}")
        # A checkout would fill the known folder, whatever is in its place now.
        sight.device, sight.inode = state.controller.folder_device, state.controller.folder_inode
        with committed(folder.specs, folder.revision) as tree:
            if tree is None:
                complain(f"{folder.specs}: git has no specs there; {_NOTHING}")
                return Foresight([], [])
            _scan(sight, tree, folder.max_bytes, now)
    else:
        require_folder(folder.specs, folder.state_dir, state)
        status = os.stat(path)
        sight.device, sight.inode = status.st_dev, status.st_ino
        _scan(sight, path, folder.max_bytes, now)
    if held := why_held(state, sight):
        raise UsageError(f"{held}; {_NOTHING}")
    seen = of_folder(state, sight, now)
    # What a commit needs may not be checked out yet.
    return seen if folder.of_git else replace(seen, warnings=list(_warnings(folder, sight, seen)))


def _with_files(folder: _Folder, seen: "Foresight") -> "Foresight":
    """The same, and how many files lie there for a trigger for which they are all new."""
    from msgspec.structs import replace

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


def _lying(folder: _Folder, path: str, pattern: str) -> int | None:
    """How many files match; None if their folder can't be read. The pattern is seen from `path`."""
    from controller.folder.inbox import Inbox
    from controller.intake.inputs import anchored

    whole = anchored(os.path.abspath(folder.specs), path, pattern)
    sight = Inbox(folder.state_dir).look([whole], time.time_ns() // 1000)[whole]
    return None if sight.root == "unreadable" else len(sight.files) + len(sight.restless)


def _warnings(folder: _Folder, sight: "FolderSight", seen: "Foresight") -> "Iterator[Fault]":
    """Warnings of the files whose workflows change; only what has changed is read again."""
    changed = {change.workflow for change in seen.changes if change.before != change.after}
    for path, file in sorted(sight.files.items()):
        if changed.isdisjoint(document.name for document in file.documents):
            continue
        with suppress(TreadleError):  # it has just been removed
            yield from _load(os.path.join(folder.specs, path), folder.max_bytes).warnings


def _load(file: str, max_bytes: int) -> "Loaded":
    """Raises NotFound, or UsageError if it can't be read."""
    from controller.client.files.programs import programs_near
    from controller.client.files.source import read_source
    from controller.spec.reading.load import load

    source = read_source(file, max_bytes)
    also = programs_near(file) if file != "-" else None
    return load(source.data, source.name, max_bytes=max_bytes, also=also, in_folder=True)


def _scan(sight: "FolderSight", tree: str, max_bytes: int, now: int) -> None:
    """Scan `tree` as if its files were in the specs folder."""
    from controller.folder.scan import Scanner

    home, sight.path = sight.path, tree
    try:
        Scanner(sight, max_bytes).scan(now, done=True)
    except OSError as error:
        raise UsageError(f"{sight.shown}: {error.strerror}") from error
    sight.path = home
    sight.changed |= {*sight.files, *sight.markers}


def _of_generations(
    state_dir: str, names: list[str], first: int | None, last: int | None
) -> "Foresight":
    from controller.client.history import read_history
    from controller.rehearsal.foresee import Foresight
    from controller.view.changes.generations import between

    if len(names) != 1:
        raise UsageError("diff --from --to compares two generations: name one workflow")
    history = read_history(state_dir, names[0])
    older = history.pick(first) if first is not None else history.before(last or 0)
    newer = history.pick(last) if last is not None else history.after(first or 0)
    return Foresight([between(older, newer)], [])


def _of_files(folder: _Folder, state: "State", files: list[str]) -> "Foresight":
    from controller.model.observations import FolderSight
    from controller.rehearsal.foresee import of_files

    path, now = os.path.abspath(folder.specs), time.time_ns() // 1000
    sight = FolderSight(path=path, shown=folder.specs)
    loaded = [_load_or_say_how(state, file, folder.max_bytes) for file in files]
    calls = any(document.calls for content in loaded for document in content.documents)
    if (calls or any(content.templates for content in loaded)) and os.path.isdir(path):
        _scan(sight, path, folder.max_bytes, now)
    given = zip(files, loaded, strict=True)
    return of_files(
        state, sight, {_path_in(path, file, content): content for file, content in given}, now
    )


def _path_in(specs: str, file: str, loaded: "Loaded") -> str:
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


def _load_or_say_how(state: "State", file: str, max_bytes: int) -> "Loaded":
    try:
        return _load(file, max_bytes)
    except NotFound as error:
        if file not in state.workflows:
            raise
        hint = f"`treadle diff` compares the whole folder, `treadle diff {file} --from 1` two"
        raise NotFound(f"{error}; {hint} generations") from None
