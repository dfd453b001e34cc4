"""Policy in words: which Defaults a field of a workflow comes from, and what an edit changes."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from controller.model.events import DefaultsAccepted, Record
from controller.model.state import Step, Workflow
from controller.spec.effective import effective, over
from controller.spec.linked import above, called
from controller.spec.models import Defaults, DefaultsSpec, Spec, fields_of
from controller.spec.models import Step as Written
from controller.spec.values import as_text

_NAMED_MAX = 3  # fields of an edit
_SHOWN_MAX = 30  # characters of a value


def sources(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """The fields that it takes from Defaults, each with the path of their file."""
    own = _fields(workflow.spec)
    for field in _fields(effective(workflow.spec)):
        if field not in own:
            found = (
                defaults.path
                for defaults in above(workflow.spec)
                if field in _fields(defaults.spec)
            )
            yield f"spec.{field}", next(found)


def of_step(workflow: Workflow, step: Step) -> str:
    """What it takes from Defaults: `timeoutSeconds 30 (team/d.yaml)`; or nothing."""
    written = _written(workflow, step)
    if written is None or not above(workflow.spec) or not step.definition.has_attempts:
        return ""
    own = Defaults(**{name: getattr(written, name) for name in Defaults.__struct_fields__})
    said, files = _said(own), dict(sources(workflow))
    defaults = effective(workflow.spec).defaults
    every = own if isinstance(defaults, UnsetType) else over(own, defaults)
    return ", ".join(
        f"{field} {_short(value)} ({files[f'spec.defaults.{field}']})"
        for field, value in _said(every).items()
        if field not in said and f"spec.defaults.{field}" in files
    )


def _written(workflow: Workflow, step: Step) -> Written | None:
    """The step as its file has it; None if it has it no more."""
    steps = workflow.spec.steps
    if step.piece:
        caller = workflow.steps.get(step.piece)  # it may have left before its steps
        call = None if caller is None else caller.definition.template
        found = None if call is None else called(workflow.spec).get(call.name)
        steps = [] if found is None else found.spec.steps
    return next((spec_step for spec_step in steps if spec_step.name == step.definition.name), None)


def changed(was: DefaultsSpec | None, becomes: DefaultsSpec | None) -> str:
    """`timeoutSeconds 60 -> 30`; empty if both say the same."""
    old, new = (_fields(spec) if spec is not None else {} for spec in (was, becomes))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    said = [_change(name, old, new) for name in names[:_NAMED_MAX]]
    more = [f"{len(names) - _NAMED_MAX} more"] if len(names) > _NAMED_MAX else []
    return ", ".join([*said, *more])


class PolicyEdit(Struct, frozen=True):
    """An edit of Defaults, in the past."""

    time: int  # microseconds since 1970
    by: str
    path: str
    said: str


def edited(
    record: Record, before: DefaultsAccepted | None, after: DefaultsAccepted | None
) -> PolicyEdit | None:
    """What this record changed; None if it only says that their file has another name."""
    was, becomes = (None if accepted is None else accepted.spec for accepted in (before, after))
    event = before if after is None else after
    if event is None or not (said := changed(was, becomes)):
        return None
    by = "" if after is None else after.by
    return PolicyEdit(record.time, by, event.path, f"{said} in Defaults")


def _change(name: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    said = name.removeprefix("defaults.")
    if name not in new:
        return f"{said} removed"
    was = f"{_short(old[name])} -> " if name in old else ""
    return f"{said} {was}{_short(new[name])}"


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else as_text(value)
    return text if len(text) <= _SHOWN_MAX else "…"


def _fields(spec: Spec | DefaultsSpec) -> dict[str, Any]:
    """The fields that Defaults can give, by their paths: a list is one field."""
    written = {key: getattr(spec, name) for name, key in fields_of(DefaultsSpec).items()}
    return _said({key: value for key, value in written.items() if value is not UNSET})


def _said(written: Any) -> dict[str, Any]:
    return dict(_leaves("", msgspec.to_builtins(written)))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(f"{path}.{name}" if path else name, inner)
