"""JSON Schemas of what users write, generated from the models: for editors, and for our errors.

`schemas/` holds the result; `treadle schema --check` fails when the models have changed since.
"""

import json
from functools import cache
from typing import Any

import msgspec

from controller.spec.models import API_VERSION, OlderWorkflow, Workflow

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HOME = "https://treadle.dev/schemas"

_FILES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "workflow.schema.json": (Workflow, f"treadle workflow ({API_VERSION})"),
    "older-workflow.schema.json": (OlderWorkflow, "treadle workflow, the older form"),
}


@cache
def schema(model: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of `model`, with a rule that types alone can't express."""
    generated = msgspec.json.schema(model)
    step = generated["$defs"].get("Step")
    if step is not None:
        step["oneOf"] = [{"required": ["run"]}, {"required": ["command"]}]
    return {"$schema": _DIALECT, **generated}


def files() -> dict[str, str]:
    """What the folder `schemas/` must hold: file name → text."""
    return {name: _text(name, *entry) for name, entry in _FILES.items()}


def _text(name: str, model: type[msgspec.Struct], title: str) -> str:
    generated = schema(model)
    document = {
        "$schema": generated["$schema"],
        "$id": f"{_HOME}/{name}",
        "title": title,
        **generated,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
