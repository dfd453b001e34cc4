"""The commands that change spec files: `apply` and `delete`.

A file is replaced or removed only if it has no other document. If a workflow shares its file with
others, the user must edit the file.
"""

import argparse
import os
from collections.abc import Sequence

from controller.client.acting.ask import ask, warn_if_no_controller, would_follow
from controller.client.files.source import read_found, read_source
from controller.client.files.spec_files import read_spec_file, write_file
from controller.client.files.templates import with_templates
from controller.client.subject import files_of, read_state, require_folder, subject
from controller.errors import ExitCode, NotFound, UsageError
from controller.folder.markers import find_markers
from controller.host.faults import show_faults
from controller.model.observations import Request
from controller.model.state import State, Workflow
from controller.printing import note, say
from controller.requests import os_user
from controller.spec.reading.load import SPEC_BYTES_MAX, Loaded, load
from controller.view.find import UID_PREFIX_MIN
from controller.view.words import listed

# ---------------------------------------- apply


def apply(args: argparse.Namespace) -> int:
    """treadle apply -f FILE: replace the file that defines NAME, else write NAME.yaml."""
    sources = [read_source(file) for file in args.file]
    read = [(source.name, load(source.data, source.name, in_folder=True)) for source in sources]
    loaded = with_templates(read, lambda: args.specs, SPEC_BYTES_MAX)
    faults = [fault for content in loaded for fault in content.faults]
    warnings = [warning for content in loaded for warning in content.warnings]
    show_faults(faults or warnings, "nothing was written" if faults else "")
    if faults:
        return ExitCode.USAGE
    _refuse_defaults(loaded, args.file)
    state = read_state(args.state)
    require_folder(args.specs, args.state, state)
    targets: dict[str, tuple[bytes, bytes | None, Loaded]] = {}
    for source, content in zip(sources, loaded, strict=True):
        suffix = ".json" if source.name.endswith(".json") else ".yaml"
        path, before = _target(args.specs, state, content, suffix)
        if path in targets:
            raise UsageError(f"{path} would be written twice; put all of it into one file")
        targets[path] = source.data, before, content
    # A file without workflows comes first, so that nothing that uses it has to wait for it.
    for path, (data, before, content) in sorted(
        targets.items(), key=lambda of: bool(of[1][2].names)
    ):
        _put(path, data, before, content, args.dry_run)
    for name in (name for content in loaded for name in content.names):
        _warn_of_markers(args.specs, name)
    warn_if_no_controller(args.state, args.dry_run, note)
    return ExitCode.FINE


def _refuse_defaults(loaded: Sequence[Loaded], files: Sequence[str]) -> None:
    for content, file in zip(loaded, files, strict=True):
        if "Defaults" in content.defines:
            raise UsageError(
                f"{file}: Defaults hold for the folder that their file is in, and apply can't know "
                "which one you mean: copy the file there"
            )


def _put(path: str, data: bytes, before: bytes | None, new: Loaded, dry_run: bool) -> None:
    verb = "unchanged" if before == data else "replaced" if before is not None else "written"
    if not dry_run and before != data:
        write_file(path, data)
    for name in new.defines:
        said = f"{'would be ' if dry_run else ''}{verb} ({path})"
        say(f"{name.removeprefix('the ')}: {said}")


def _target(specs: str, state: State, new: Loaded, suffix: str) -> tuple[str, bytes | None]:
    """The file to write, and its present content. Refuses to remove what the new one hasn't."""
    files = files_of(specs, state, new.defines)
    if len(files) > 1:
        paths = " and ".join(file.path for file in files)
        raise UsageError(f"{', '.join(new.defines)}: defined in {paths}; edit them there")
    if not files:
        path = os.path.join(specs, new.defines[0].rpartition(" ")[2] + suffix)
        if not os.path.lexists(path):
            return path, None
        present = read_spec_file(path)
        if present is None:
            raise UsageError(f"{path} exists and is not a spec; move it away, then apply again")
        files = [present]
    others = files[0].others(new.defines)
    if others:
        raise UsageError(
            f"{files[0].path} also defines {listed(others)}, which would be removed; edit the file"
        )
    return files[0].path, read_found(files[0].path)


def _warn_of_markers(specs: str, name: str) -> None:
    for path in find_markers(specs, name):
        note(f"{name}: no step starts while {path} exists")


# ---------------------------------------- delete


def delete(args: argparse.Namespace) -> int:
    """treadle delete NAME: remove its file. delete --all: confirm what is held back."""
    if args.all == bool(args.name):
        raise UsageError("delete needs a NAME or --all")
    if args.all:
        return _confirm_absence(args.state, args.dry_run)
    return _delete(args.specs, args.state, args.name, args.dry_run)


def _delete(specs: str, state_dir: str, word: str, dry_run: bool) -> int:
    """Remove the file that defines it; without one, end the life that `treadle run` began."""
    state = read_state(state_dir)
    name, life = subject(specs, state, word)
    if life is not None and life.birth is not None:
        would_follow(state, Request(kind="delete", workflow=name, uid=life.uid))  # is refused
    of_run = life if life is not None and life.origin == "run" else None
    if of_run is not None and not (os.path.isdir(specs) and files_of(specs, state, [name])):
        return _delete_run(state_dir, state, of_run, dry_run)
    require_folder(specs, state_dir, state)
    files = files_of(specs, state, [name])
    if not files:
        raise NotFound(f"{name}: no file in {specs} defines it")
    if len(files) > 1:
        paths = " and ".join(file.path for file in files)
        raise UsageError(f"{name} is defined in {paths}: remove one of them by hand")
    others = files[0].others([name])
    if others:
        raise UsageError(f"{files[0].path} also defines {listed(others)}: remove {name} by hand")
    if not dry_run:
        try:
            os.unlink(files[0].path)
        except OSError as error:
            raise UsageError(f"{files[0].path}: {error.strerror}") from error
    say(f"{name}: {'would be deleted' if dry_run else 'deleted'} ({files[0].path})")
    if life is not None and life.starter is not None and life.starter.unfinished:
        count = len(life.starter.unfinished)
        would = "would be" if dry_run else "are"
        note(f"its unfinished instances {would} cancelled: {count}")
    if of_run is not None:
        note(f"its last `treadle run` is kept; to delete that as well: treadle delete {name}")
    warn_if_no_controller(state_dir, dry_run, note)
    return ExitCode.FINE


def _delete_run(state_dir: str, state: State, life: Workflow, dry_run: bool) -> int:
    """By a request: it has no file."""
    asked = Request(kind="delete", workflow=life.name, uid=life.uid, by=os_user())
    would_follow(state, asked)
    if dry_run:
        say(f"{life.name}: would be deleted")
        return ExitCode.FINE
    say(f"{life.name}: deleting ({ask(state_dir, state, asked)})")
    note(f"until it is archived, this still shows it: treadle status {life.uid[:UID_PREFIX_MIN]}")
    return ExitCode.FINE


def _confirm_absence(state_dir: str, dry_run: bool) -> int:
    state = read_state(state_dir)
    if not state.seq:
        raise UsageError(
            f"{os.path.abspath(state_dir)}: no controller has used it yet: nothing to confirm"
        )
    if dry_run:
        say("would confirm the deletion of the specs that are missing from the folder")
        return ExitCode.FINE
    answer = ask(state_dir, state, Request(kind="delete-all", by=os_user()))
    say(f"deletion of the specs that are missing from the folder: {answer}")
    return ExitCode.FINE
