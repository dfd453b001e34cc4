"""`treadle validate` and `treadle schema`: the faults of specs, and the form of a spec."""

import argparse
import gc
import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from controller.client.source import read_source
from controller.errors import ExitCode, Fault, TreadleError, UsageError

if TYPE_CHECKING:
    from controller.spec.load import Loaded


# ---------------------------------------------------------------------------------------- validate


def validate(args: argparse.Namespace) -> int:
    """treadle validate FILE…: every fault on stderr, every good file on stdout."""
    gc.disable()  # what a spec is made of is in use until it is judged
    code = ExitCode.FINE
    for file in args.files:
        for name, loaded in _judged(file, args.max_spec_size):
            if isinstance(loaded, TreadleError):
                print(loaded, file=sys.stderr)
                code = code or loaded.exit_code
                continue
            for fault in loaded.faults:
                print(fault, file=sys.stderr)
            for document in loaded.documents:
                for warning in document.warnings:
                    print(f"{warning} (warning)", file=sys.stderr)
            if loaded.faults:
                code = ExitCode.USAGE
            else:
                print(f"{name}: ok ({_counted(loaded)})")
    return code


def _judged(file: str, max_bytes: int) -> "Iterator[tuple[str, Loaded | TreadleError]]":
    if file != "-" and os.path.isdir(file):
        yield from _judged_folder(file, max_bytes)
    else:
        yield _load(file, max_bytes)


def _load(file: str, max_bytes: int) -> "tuple[str, Loaded | TreadleError]":
    from controller.spec.load import load

    try:
        source = read_source(file, max_bytes)
    except TreadleError as error:
        return file, error
    return source.name, load(source.data, source.name, max_bytes=max_bytes)


def _judged_folder(folder: str, max_bytes: int) -> "Iterator[tuple[str, Loaded | TreadleError]]":
    """By the rules of the specs folder: which files count, and that names are unique."""
    from controller.folder.scan import Walk
    from controller.spec.load import Loaded

    try:
        entries = sorted(Walk(folder).below(), key=lambda entry: entry.path)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    homes: dict[str, str] = {}
    for entry in entries:
        name = os.path.join(folder, entry.path)
        if entry.kind != "spec":
            continue
        if entry.status is None or not stat.S_ISREG(entry.status.st_mode):
            problem = entry.problem or "not a regular file"
            yield name, Loaded(faults=(Fault(file=name, problem=problem),))
            continue
        name, loaded = _load(name, max_bytes)
        if isinstance(loaded, TreadleError):
            yield name, loaded
            continue
        twice = [(workflow, homes[workflow]) for workflow in loaded.names if workflow in homes]
        homes.update((workflow, name) for workflow in loaded.names if workflow not in homes)
        yield name, _with_faults(loaded, [_defined_twice(name, *pair) for pair in twice])


def _defined_twice(file: str, workflow: str, home: str) -> Fault:
    problem = f'a second workflow named "{workflow}"'
    return Fault(file=file, problem=problem, hint=f"the first is in {home}")


def _with_faults(loaded: "Loaded", faults: list[Fault]) -> "Loaded":
    from msgspec.structs import replace

    return replace(loaded, faults=(*loaded.faults, *faults)) if faults else loaded


def _counted(loaded: "Loaded") -> str:
    steps = sum(len(document.workflow.spec.steps) for document in loaded.documents)
    return f"{_number(len(loaded.documents), 'workflow')}, {_number(steps, 'step')}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# ------------------------------------------------------------------------------------------ schema


def schema(args: argparse.Namespace) -> int:
    """treadle schema: print it, write all into a folder, or check that a folder is current."""
    from controller.cli.output import show_data
    from controller.spec.schema import files

    texts = files()
    if args.check is not None:
        return _check(args.check, texts)
    if args.write is None:
        show_data(texts[f"{args.form}.schema.json"])
        return ExitCode.FINE
    try:
        os.makedirs(args.write, exist_ok=True)
        for name, text in texts.items():
            with open(os.path.join(args.write, name), "w", encoding="utf-8") as opened:
                opened.write(text)
    except OSError as error:
        raise UsageError(f"{args.write}: {error.strerror}") from error
    return ExitCode.FINE


def _check(folder: str, texts: dict[str, str]) -> int:
    stale = [name for name, text in texts.items() if _text(os.path.join(folder, name)) != text]
    for name in stale:
        path = os.path.join(folder, name)
        print(f"{path}: does not agree with the models; run make schemas", file=sys.stderr)
    return ExitCode.FAILED if stale else ExitCode.FINE


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as opened:
            return opened.read()
    except (OSError, UnicodeDecodeError):
        return None
