"""JSON Schemas of what users write, generated from the models: for editors, and for our errors.

`schemas/` holds the result; `treadle schema --check` fails when the models have changed since.
"""

import json
from functools import cache
from typing import Any

import msgspec

from controller.spec.models import (
    API_VERSION,
    FolderDefaults,
    OlderWorkflow,
    Pool,
    Template,
    Workflow,
)
from controller.spec.path_fault import ACTIONS, ACTIONS_OF_HOOK
from controller.spec.triggers.trigger import KINDS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HOME = "https://treadle.dev/schemas"

_FILES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "workflow.schema.json": (Workflow, f"treadle workflow ({API_VERSION})"),
    "template.schema.json": (Template, f"treadle template ({API_VERSION})"),
    "pool.schema.json": (Pool, f"treadle pool ({API_VERSION})"),
    "defaults.schema.json": (FolderDefaults, f"treadle defaults ({API_VERSION})"),
    "older-workflow.schema.json": (OlderWorkflow, "treadle workflow, the older form"),
}

_KINDS: dict[str, type[msgspec.Struct]] = {  # other than Workflow
    "Template": Template,
    "Pool": Pool,
    "Defaults": FolderDefaults,
}


@cache
def schema(model: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of `model`, with a rule that types alone can't express."""
    generated = msgspec.json.schema(model)
    for name, fields in (("Step", ACTIONS), ("Hook", ACTIONS_OF_HOOK), ("Trigger", KINDS)):
        if (definition := generated["$defs"].get(name)) is not None:
            definition["oneOf"] = [{"required": [field]} for field in fields]
    return {"$schema": _DIALECT, **generated}


def files() -> dict[str, str]:
    """What the folder `schemas/` must hold: file name → text."""
    texts = {name: _text(name, schema(model), title) for name, (model, title) in _FILES.items()}
    name = "spec.schema.json"
    return {name: _text(name, _either(), f"treadle document ({API_VERSION})"), **texts}


def _either() -> dict[str, Any]:
    """That of a file which may hold all of them: an editor has one schema for a file."""
    found = schema(Workflow)
    rest, defs = {"$ref": found["$ref"]}, found["$defs"]
    for kind, model in _KINDS.items():
        found = schema(model)
        defs = {**defs, **found["$defs"]}
        rest = {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": found["$ref"]},
            "else": rest,
        }
    return {"$schema": _DIALECT, **rest, "$defs": defs}


def _text(name: str, generated: dict[str, Any], title: str) -> str:
    document = {
        "$schema": generated["$schema"],
        "$id": f"{_HOME}/{name}",
        "title": title,
        **generated,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
