"""`treadle validate` and `treadle schema`: the faults of specs, and the form of a spec."""

import argparse
import gc
import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from controller.client.files.source import read_source
from controller.errors import ExitCode, Fault, TreadleError, UsageError
from controller.printing import note, say, say_data

if TYPE_CHECKING:
    from controller.spec.models import Spec
    from controller.spec.path_fault import PathFault
    from controller.spec.reading.load import Loaded, PolicyName, Rule


# ---------------------------------------------------------------------------------------- validate


class _Judged(NamedTuple):
    """One file, and what is wrong with it."""

    file: str
    loaded: "Loaded"
    code: ExitCode = ExitCode.USAGE  # if it has faults


def validate(args: argparse.Namespace) -> int:
    """treadle validate [FILE…]: all faults, and a line for every good file on stdout."""

    gc.disable()  # what a spec is made of is in use until it is judged
    code = ExitCode.FINE
    found: list[Fault] = []
    if not args.files and not os.path.isdir(args.specs):
        missing = os.path.abspath(args.specs)
        raise UsageError(f"no specs folder here ({missing}); name a file: treadle validate FILE")
    for judged in _judged(args.files or [args.specs], args.specs, args.max_spec_size):
        loaded = judged.loaded
        found += (*loaded.faults, *loaded.warnings)
        if loaded.faults:
            code = code or judged.code
        elif (counted := _counted(judged)) and args.format != "json":
            say(f"{judged.file}: ok ({counted})")
    if found:
        _show(found, args)
    return code


def _show(found: list[Fault], args: argparse.Namespace) -> None:
    from controller.cli.output import show_line
    from controller.host.faults import show_faults
    from controller.view import faults

    if args.format == "json":
        for fault in found:
            show_line(faults.shape(fault))
    elif args.format == "github":
        for fault in found:
            say_data(f"{faults.annotation(fault)}\n")
    elif args.format == "short":
        for fault in found:
            note(faults.short(fault))
    else:
        sys.stdout.flush()  # on a terminal the faults come last
        show_faults(found, _in_force(args, found) if sys.stderr.isatty() else "")


def _in_force(args: argparse.Namespace, found: list[Fault]) -> str:
    from controller.client.replica import Replica
    from controller.host.faults import in_force

    try:
        return in_force(Replica(args.state).catch_up(), args.specs, found)
    except TreadleError:  # to check a file, no state is needed
        return ""


def _judged(files: list[str], specs: str, max_bytes: int) -> Iterator[_Judged]:
    """Each file by itself, then together with the templates that it calls."""
    from controller.client.files.pools import pools_in

    found: list[_Judged] = []
    pools = pools_in([*files, specs], max_bytes)
    for file in files:
        if file != "-" and os.path.isdir(file):
            found += _judged_folder(file, max_bytes, pools)
        else:
            home = os.path.join(os.path.realpath(specs), "")
            in_folder = os.path.realpath(file).startswith(home)
            found.append(_load(file, max_bytes, pools, in_folder=in_folder))
    if any(document.calls for judged in found for document in judged.loaded.documents):
        from controller.client.files.templates import with_templates

        given = [(judged.file, judged.loaded) for judged in found]
        linked = with_templates(given, lambda: specs, max_bytes)
        for judged, loaded in zip(found, linked, strict=True):
            yield judged._replace(loaded=loaded)
    else:
        yield from found


def _load(file: str, max_bytes: int, pools: "Rule", *, in_folder: bool) -> _Judged:
    from controller.client.files.programs import programs_near
    from controller.spec.reading.load import Loaded, load

    try:
        source = read_source(file, max_bytes)
    except TreadleError as error:
        fault = Fault(file=file, problem=str(error).removeprefix(f"{file}: "))
        return _Judged(file, Loaded(faults=(fault,)), error.exit_code)
    rules = [pools] if file == "-" else [programs_near(file), pools]

    def also(spec: "Spec") -> "Iterator[PathFault]":
        return (fault for rule in rules for fault in rule(spec))

    loaded = load(source.data, source.name, max_bytes=max_bytes, also=also, in_folder=in_folder)
    return _Judged(source.name, loaded)


def _judged_folder(folder: str, max_bytes: int, pools: "Rule") -> Iterator[_Judged]:
    """By the rules of the specs folder: which files count, and that names are unique."""
    from controller.folder.scan import Walk
    from controller.spec.reading.load import Loaded

    try:
        entries = sorted(Walk(folder).below(), key=lambda entry: entry.path)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    homes: dict[tuple[str, str], str] = {}
    for entry in entries:
        name = os.path.normpath(os.path.join(folder, entry.path))
        if entry.kind != "spec":
            continue
        if entry.status is None or not stat.S_ISREG(entry.status.st_mode):
            fault = Fault(file=name, problem=entry.problem or "not a regular file")
            loaded = Loaded(faults=(fault,), foreign=not entry.problem)
            yield _Judged(name, _as_the_controller(loaded))
            continue
        judged = _load(name, max_bytes, pools, in_folder=True)
        if judged.loaded.foreign:
            yield judged._replace(loaded=_as_the_controller(judged.loaded))
            continue
        named = [("workflow", workflow) for workflow in judged.loaded.names]
        named += [("template", template) for template in judged.loaded.template_names]
        named += [_policy(name, policy) for policy in judged.loaded.policy_names]
        faults = [_defined_twice(name, *key, homes[key]) for key in named if key in homes]
        for key in named:
            homes.setdefault(key, name)
        yield judged._replace(loaded=judged.loaded.rejected(faults)) if faults else judged


def _as_the_controller(loaded: "Loaded") -> "Loaded":
    """In the specs folder, a file that is not for treadle is ignored with a note."""
    from msgspec.structs import replace

    if not loaded.foreign:
        return loaded
    notes = tuple(
        replace(fault, problem=f"ignored: {fault.problem}", severity="warning")
        for fault in loaded.faults
    )
    return replace(loaded, faults=(), warnings=notes)


def _policy(file: str, named: "PolicyName") -> tuple[str, str]:
    """What must be unique of a pool, or of Defaults: one document a folder."""
    if named.kind == "Pool":
        return "pool", named.name
    return "Defaults", os.path.dirname(file)


def _defined_twice(file: str, kind: str, name: str, home: str) -> Fault:
    problem = f'a second {kind} named "{name}"'
    if kind == "Defaults":
        problem = f"a second document of the kind Defaults in {name}; a folder has one"
    return Fault(file=file, problem=problem, hint=f"the first is in {home}")


def _counted(judged: _Judged) -> str:
    """What it holds, in words; nothing if that is not for treadle."""
    from controller.spec.params import required

    loaded = judged.loaded
    specs = [document.workflow.spec for document in loaded.documents]
    templates = [template.template.spec for template in loaded.templates]
    steps = [len(spec.steps) for spec in specs] + [len(spec.steps) for spec in templates]
    kinds = [policy.named.kind for policy in loaded.policies]
    counts = {"workflow": len(specs), "template": len(templates), "step": sum(steps)}
    counts["pool"] = kinds.count("Pool")
    counted = ", ".join(_number(count, what) for what, count in counts.items() if count)
    if "Defaults" in kinds:
        folder = os.path.dirname(judged.file) or "."
        held = f"defaults for {folder} and below"
        counted = f"{counted}, {held}" if counted else held
    needed = [name for spec in specs for name in required(spec)]
    options = " ".join(f"-p {name}=VALUE" for name in dict.fromkeys(needed))
    return f"{counted}; to run it, add {options}" if options else counted


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# ------------------------------------------------------------------------------------------ schema


def schema(args: argparse.Namespace) -> int:
    """treadle schema: print it, write all into a folder, or check that a folder is current."""
    from controller.spec.reading.schema import files

    texts = files()
    if args.check is not None:
        return _check(args.check, texts)
    if args.write is None:
        say_data(texts[f"{args.form}.schema.json"])
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
        note(f"{path}: does not agree with the models; run make schemas")
    return ExitCode.FAILED if stale else ExitCode.FINE


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as opened:
            return opened.read()
    except (OSError, UnicodeDecodeError):
        return None
