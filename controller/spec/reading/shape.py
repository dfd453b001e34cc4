"""Faults of shape: everything in a document that does not fit the models, in our own words.

msgspec converts fast but stops at the first fault. So jsonschema checks a refused document again
with the generated schema and finds all faults; from a long list of steps it gets only those that
msgspec refuses. `salvage` then makes a spec of the parts that fit, for the rules of `validate`.
Cost: nothing for a valid document; 0.5 ms a faulty step.
"""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct, ValidationError, structs

from controller.spec import habits
from controller.spec.hooks import HOOK_KINDS
from controller.spec.models import (
    After,
    Approval,
    Backoff,
    Call,
    Defaults,
    DefaultsSpec,
    Files,
    Hook,
    Hooks,
    HookSecret,
    OlderStep,
    OlderWorkflow,
    Param,
    Retry,
    SharedDefaults,
    Spec,
    Step,
    Template,
    TemplateSpec,
    Trigger,
    Webhook,
    Workflow,
)
from controller.spec.path_fault import UNREADABLE, Path, PathFault
from controller.spec.placement import LOCAL
from controller.spec.reading.schema import schema
from controller.spec.reading.wording import describe

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

# The path of the steps in a document, and the model of each.
_STEPS: dict[type[Struct], tuple[Path, type[Struct]]] = {
    Workflow: (("spec", "steps"), Step),
    Template: (("spec", "steps"), Step),
    OlderWorkflow: (("steps",), OlderStep),
}
# What replaces a faulty value, so that the values around it can still be checked.
_STAND_INS: dict[str, Any] = {
    "dependsOn": UNREADABLE,
    "uses": UNREADABLE,
    "command": ":",
    "shell": ":",
    "exitCodes": 0,
    "exceptExitCodes": 0,
    "successExitCodes": 0,
    **dict.fromkeys(HOOK_KINDS, Hook(name=UNREADABLE, run=":")),
}
_ACTIONS: dict[str, Any] = {"run": ":", "command": [":"], "approve": Approval(message="?")}
_KINDS: tuple[tuple[str, str, Any], ...] = (  # of triggers: in Python, in files
    ("schedule", "schedule", "@daily"),
    ("at", "at", []),
    ("every_seconds", "everySeconds", 1),
    ("files", "files", Files(path="*")),
    ("after", "after", After(workflow=UNREADABLE)),
    ("webhook", "webhook", Webhook(secret=HookSecret(from_file="?"))),
)
_SpecOf = TypeVar("_SpecOf", Spec, TemplateSpec)
_PARTS: dict[str, type[Struct]] = {
    "defaults": Defaults,
    "retry": Retry,
    "backoff": Backoff,
    "hooks": Hooks,
}


def faults(raw: dict[str, Any], model: type[Struct], limit: int) -> list[PathFault]:
    """Up to `limit` faults of shape in a document that msgspec refused as `model`."""
    where, step_model = _STEPS.get(model, ((), None))
    reduced, kept = raw, list[int]()
    if step_model is not None:
        reduced, kept = _without_good_steps(raw, where, step_model)
    found: dict[tuple[Path, str], PathFault] = {}
    errors = (_described(error) for error in _validator(model).iter_errors(reduced))
    for fault in islice((fault for several in errors for fault in several), limit):
        path = fault.path
        if kept and path[: len(where)] == where and len(path) > len(where):
            index = path[len(where)]
            path = (*where, kept[int(index)], *path[len(where) + 1 :])
        found.setdefault((path, fault.problem), structs.replace(fault, path=path))
    return list(found.values())


def salvage(raw: dict[str, Any], model: type[_SpecOf]) -> _SpecOf | None:
    """The spec of a faulty document without its faulty parts; None if it has no steps."""
    spec = raw.get("spec")
    steps = spec.get("steps") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(steps, list):
        return None
    rest = {key: value for key, value in spec.items() if key not in ("steps", "triggers")}
    good = _fitting(rest, model)
    if model is Spec and "triggers" in spec:
        listed = spec["triggers"] if isinstance(spec["triggers"], list) else []
        good["triggers"] = [_salvaged_trigger(entry) for entry in listed]
    return model(steps=[_salvaged_step(step) for step in steps], **good)


def salvage_defaults(raw: dict[str, Any]) -> DefaultsSpec | None:
    """The spec of a faulty document of the kind Defaults without its faulty parts."""
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return None
    good = _fitting(spec, DefaultsSpec)
    if isinstance(inner := spec.get("defaults"), dict):
        good["defaults"] = SharedDefaults(**_fitting(inner, SharedDefaults))
    return DefaultsSpec(**good)


def _salvaged_step(raw: object) -> Step:
    if fits(raw, Step):
        return msgspec.convert(raw, Step)
    if not isinstance(raw, dict):
        return Step(name=UNREADABLE, run=":")
    good = _fitting(raw, Step)
    name = raw.get("name")
    good["name"] = name if isinstance(name, str) else UNREADABLE
    if "forEach" in raw:  # a faulty one is no reason to refuse what needs it
        good.setdefault("for_each", [])
    calls = "template" in raw or (any(map(habits.calls, raw)) and not _ACTIONS.keys() & raw.keys())
    if calls:  # what such a template gives is not known
        good.setdefault("template", Call(name=UNREADABLE))
    # If a step's action is faulty, don't also report that it has none.
    for action, stand_in in _ACTIONS.items():
        if action in raw:
            good.setdefault(action, stand_in)
    return Step(**good)


def _salvaged_trigger(raw: object) -> Trigger:
    if fits(raw, Trigger):
        return msgspec.convert(raw, Trigger)
    if not isinstance(raw, dict):
        return Trigger(name=UNREADABLE, every_seconds=1)
    good = _fitting(raw, Trigger)
    # If what it waits for is faulty, don't also report that it waits for nothing.
    waits = {field: stand_in for field, key, stand_in in _KINDS if key in raw}
    if not waits or any(key in raw and key not in good for key in ("name", "params")):
        good["name"] = UNREADABLE
    return Trigger(**{**(waits or {"every_seconds": 1}), **good})


def _fitting(raw: dict[str, Any], model: type[Struct]) -> dict[str, Any]:
    """The fields of `raw` that fit `model`, by their names in Python."""
    good: dict[str, Any] = {}
    for name, key, kind in _fields(model):
        value = raw.get(key)
        if value is None:
            continue
        if fits(value, kind):
            good[name] = msgspec.convert(value, kind)
        elif isinstance(value, dict) and key in _PARTS:
            good[name] = _PARTS[key](**_fitting(value, _PARTS[key]))
        elif key == "executor":
            good[name] = LOCAL  # so that what is left of it is not faulty as well
        elif isinstance(value, dict):
            items = {
                name: item if fits({name: item}, kind) else _as_meant(key, item)
                for name, item in value.items()
            }
            kept = {name: item for name, item in items.items() if fits({name: item}, kind)}
            if fits(kept, kind):
                good[name] = msgspec.convert(kept, kind)
        elif isinstance(value, list) and value and key in _STAND_INS:
            good[name] = [
                msgspec.convert([item], kind)[0] if fits([item], kind) else _STAND_INS[key]
                for item in value
            ]
    return good


def _as_meant(key: str, item: object) -> object:
    """What stands in for a faulty item, so that expressions that read it are not faulty as well."""
    if key == "outputs":
        return habits.TYPES.get(str(item).lower(), item)
    if key != "params":
        return item
    written = item if isinstance(item, dict) else {}
    kind = habits.TYPES.get(str(written.get("type")).lower(), written.get("type"))
    good = {
        field: value
        for field, value in {**written, "type": kind}.items()
        if fits({field: value}, Param)
    }
    return good or {"type": "object" if written else "string"}


@cache
def _fields(model: type[Struct]) -> tuple[tuple[str, str, Any], ...]:
    return tuple((field.name, field.encode_name, field.type) for field in structs.fields(model))


def fits(raw: object, model: Any) -> bool:
    """Whether msgspec takes `raw` as `model`."""
    try:
        msgspec.convert(raw, model)
    except ValidationError:
        return False
    return True


def _without_good_steps(
    raw: dict[str, Any], where: Path, model: type[Struct]
) -> tuple[dict[str, Any], list[int]]:
    """The document with only its faulty steps, and their indexes."""
    holder: Any = raw
    for key in where[:-1]:
        holder = holder.get(key)
    steps = holder.get("steps") if isinstance(holder, dict) else None
    if not isinstance(steps, list):
        return raw, []
    kept = [index for index, step in enumerate(steps) if not fits(step, model)] or [0]
    reduced: dict[str, Any] = {**holder, "steps": [steps[index] for index in kept if steps]}
    for key in reversed(where[:-1]):
        reduced = {**raw, str(key): reduced}
    return reduced, kept


def _described(error: Any) -> Iterator[PathFault]:
    """One error of jsonschema in our words; of several alternatives, the one the author meant."""
    if error.validator == "anyOf":
        nested = [inner for inner in error.context if not _other_type(inner)]
        if nested:
            for inner in nested:
                yield from _described(inner)
            return
    yield from describe(error)


def _other_type(error: Any) -> bool:
    if error.relative_path:
        return False
    of_word = error.validator == "enum" and isinstance(error.instance, dict | list)
    return of_word or error.validator == "type"


@cache
def _validator(model: type[Struct]) -> "Validator":
    from jsonschema import Draft202012Validator, validators

    def is_integer(_: object, value: object) -> bool:
        # JSON Schema takes 2.0 for an integer; msgspec, and so the loader, does not.
        return isinstance(value, int) and not isinstance(value, bool)

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer)
    strict: type[Validator] = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, type_checker=checker
    )
    return strict(schema(model))
