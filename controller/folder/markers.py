"""Cancel markers: a file NAME.cancel anywhere in the specs folder cancels NAME.

An empty file cancels all of NAME. A YAML mapping may say why (`reason`), which steps (`steps`), and
that running steps may finish (`mode: Drain`). Somebody in a hurry may write anything into the file,
so any other content cancels all of NAME. But a mapping that asks for something impossible cancels
nothing, and is reported. The commands write markers by rename, so nobody sees a half-written one.
"""

import os
import re
import stat
from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from controller.errors import UsageError, bounded
from controller.folder.names import MARKER_SUFFIX
from controller.loop.ports import SeenMarker
from controller.regular import read_regular
from controller.spec.items import is_full_name
from controller.spec.models import WORKFLOW_NAME
from controller.spec.reading.older import workflow_name
from controller.spec.triggers.keys import KEY, LATEST

MARKER_BYTES_MAX = 64 * 1024  # nobody writes more by hand; a larger file cancels all
DEPTH_MAX = 8  # a valid marker needs two
_PROBLEMS_MAX = 20  # that are named
_SHOWN_MAX = 200  # characters of a name in a message; a full name of a step has no more
_EXAMPLE = f"etl@20261128T013000Z{MARKER_SUFFIX}"
FIELDS = ("reason", "steps", "mode", "hooks")

# All scalars stay text as written: `reason: no` is not a boolean, step 1 is not a number.
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Marker(Struct, frozen=True, kw_only=True):
    """What a marker asks for. No `steps`: all of the workflow."""

    reason: str = ""
    steps: tuple[str, ...] = ()
    drain: bool = False
    hooks: bool = True  # false: no hook of it runs any more


class BadMarker(Exception):
    """The marker asks for something that can't be carried out."""


def parse_marker(data: bytes) -> Marker:
    """The content of a marker. Raises BadMarker, which names every problem."""
    fields = _mapping(data)
    problems = list(_problems(fields))
    if problems:
        more = len(problems) - _PROBLEMS_MAX
        rest = [f"{more:,} more problems"] if more > 0 else []
        raise BadMarker("; ".join([*problems[:_PROBLEMS_MAX], *rest]))
    return Marker(
        reason=fields.get("reason", ""),
        steps=tuple(dict.fromkeys(fields.get("steps", ()))),
        drain=fields.get("mode") == "Drain",
        hooks=fields.get("hooks", "true") == "true",
    )


def workflow_of(path: str) -> str:
    """The name of what the marker at `path` cancels: a workflow, or an instance, NAME@KEY.

    No file name is refused.
    """
    return os.path.basename(path).removesuffix(MARKER_SUFFIX)


def read_marker(path: str, data: bytes, digest: str, by: str) -> SeenMarker:
    """The marker at `path`, whose owner is `by`, as the controller sees it."""
    name = workflow_of(path)
    definition, at, key = name.partition("@")
    try:
        if at and key == LATEST:
            raise BadMarker(f"{name} means another instance each time; name one, like {_EXAMPLE}")
        if at and not re.fullmatch(KEY, key):
            raise BadMarker(f'"{key}" is not the key of an instance; write one like {_EXAMPLE}')
        if not re.fullmatch(WORKFLOW_NAME, definition):
            raise BadMarker(f'no workflow can be named "{name}"{_perhaps_meant(name)}')
        marker = parse_marker(data)
    except BadMarker as error:
        problem = bounded(str(error))
        return SeenMarker(path=path, workflow=name, digest=digest, by=by, problem=problem)
    return SeenMarker(
        path=path,
        workflow=name,
        digest=digest,
        by=by,
        reason=bounded(marker.reason),
        steps=marker.steps,
        drain=marker.drain,
        hooks=marker.hooks,
    )


def _perhaps_meant(name: str) -> str:
    """The older form names its workflows otherwise: what is `ETL_Nightly` there is etl-nightly."""
    meant = workflow_name(name)
    if not re.fullmatch(WORKFLOW_NAME, meant):
        return ""
    return f'; the marker of "{meant}" is {meant}{MARKER_SUFFIX}'


def write_marker(specs_dir: str, name: str, marker: Marker, *, dry_run: bool = False) -> str:
    """Put NAME.cancel into the folder; returns its path (`dry_run`: the path it would have).

    What an earlier marker cancels stays cancelled: the new one adds to it.
    """
    path = os.path.join(specs_dir, name + MARKER_SUFFIX)
    try:
        marker = _added_to(path, marker)
        if not dry_run:
            _write(path, marker)
    except OSError as error:
        raise UsageError(f"{path}: the marker can't be written: {error.strerror}") from error
    return path


def find_markers(specs_dir: str, name: str) -> Iterator[str]:
    """Every NAME.cancel in the folder tree, as a path that begins with `specs_dir`."""
    for folder, below, files in os.walk(specs_dir):
        below[:] = sorted(child for child in below if not child.startswith("."))
        if name + MARKER_SUFFIX in files:
            yield os.path.join(folder, name + MARKER_SUFFIX)


def remove_markers(specs_dir: str, name: str, *, dry_run: bool = False) -> list[str]:
    """Remove every marker of NAME; returns their paths (`dry_run`: removes nothing)."""
    removed = list(find_markers(specs_dir, name))
    for path in removed if not dry_run else ():
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # somebody else removed it: that is what we wanted
        except OSError as error:
            raise UsageError(f"{path}: the marker can't be removed: {error.strerror}") from error
    return removed


def _mapping(data: bytes) -> dict[Any, Any]:
    """The mapping in the file; an empty one for any other content. Raises BadMarker for aliases."""
    if len(data) > MARKER_BYTES_MAX:
        return {}
    try:
        if not _is_shallow(data):
            return {}
        found = yaml.load(data, _Loader)  # noqa: S506 - it makes nothing but text
    except (yaml.YAMLError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_shallow(data: bytes) -> bool:
    """Whether it is safe to load: libyaml's loader recurses without a limit, and could crash us.

    Raises BadMarker for aliases: a few lines of them unfold to more than fits into memory.
    """
    depth = 0
    for event in yaml.parse(data, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise BadMarker(f"*{_shown(event.anchor)}: a marker can't have aliases; write it out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                return False
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return True


def _problems(fields: dict[Any, Any]) -> Iterator[str]:
    for field in fields:
        if field not in FIELDS:
            yield f"{_shown(field)}: unknown field; a marker may have {', '.join(FIELDS)}"
    if not isinstance(fields.get("reason", ""), str):
        yield "reason: must be text"
    if fields.get("mode", "") not in ("", "Drain"):
        yield "mode: must be Drain, or left out"
    if fields.get("hooks", "true") not in ("true", "false"):
        yield "hooks: must be true or false"
    if "steps" in fields and fields.get("hooks") == "false":
        yield "hooks: can be false only for all of a workflow: leave out steps"
    if "steps" in fields:
        yield from _step_problems(fields["steps"])


def _step_problems(steps: Any) -> Iterator[str]:
    if not isinstance(steps, list) or not steps:
        yield "steps: must be a list of step names, like [a, b]; left out, it means all"
        return
    for step in steps:
        if not isinstance(step, str) or not is_full_name(step):
            yield f'steps: "{_shown(step)}" is not a valid step name'


def _shown(value: Any) -> str:
    """In a message: as short as a person reads it, and without what is inside."""
    if not isinstance(value, str):
        return "{…}" if isinstance(value, dict) else "[…]"
    return value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}…"


def _added_to(path: str, marker: Marker) -> Marker:
    """`marker`, plus what the marker at `path` cancels already."""
    try:
        before = parse_marker(read_regular(path, MARKER_BYTES_MAX + 1, follow=True))
    except (FileNotFoundError, BadMarker):
        return marker
    return Marker(
        reason=marker.reason or before.reason,
        steps=tuple(dict.fromkeys(before.steps + marker.steps))
        if before.steps and marker.steps
        else (),
        drain=marker.drain and before.drain,
        hooks=marker.hooks and before.hooks,
    )


def _write(path: str, marker: Marker) -> None:
    fields: dict[str, Any] = {}
    if marker.reason:
        fields["reason"] = marker.reason
    if marker.steps:
        fields["steps"] = list(marker.steps)
    if marker.drain:
        fields["mode"] = "Drain"
    if not marker.hooks:
        fields["hooks"] = False
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True) if fields else ""
    import tempfile  # slow to load, and only a command that writes a marker needs it

    folder, name = os.path.split(path)
    descriptor, draft = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
