"""What a field of a spec means: `treadle explain workflow.spec.steps.retry`."""

from collections.abc import Iterator
from typing import Any

from controller.errors import NotFound

ROOT = "workflow"


def field_lines(path: str) -> Iterator[str]:
    """The documentation of a field, by its path from `workflow` on."""
    from controller.spec.models import Workflow
    from controller.spec.schema import schema

    document = schema(Workflow)
    node: dict[str, Any] = _resolved(document, document)
    at = ROOT
    for name in path.split(".")[1:]:
        fields = _fields(document, node)
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise NotFound(f"{at} has no field {name}; its fields: {known}")
        node = fields[name]
        at = f"{at}.{name}"
    yield f"{at}  {_kind(document, node)}"
    if text := node.get("description"):
        yield f"  {text}"
    fields = _fields(document, node)
    required = _resolved(document, node).get("required", [])
    for name, field in fields.items():
        must = " (required)" if name in required else ""
        yield f"  {name}  {_kind(document, field)}{must}"
        if text := field.get("description"):
            yield f"      {text}"


def _resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follow references; of an array or a choice, what is in it."""
    while True:
        if "$ref" in node:
            node = {**document["$defs"][node["$ref"].rpartition("/")[2]]}
        elif "items" in node and isinstance(node["items"], dict):
            node = node["items"]
        elif "anyOf" in node:
            structured = [one for one in node["anyOf"] if "$ref" in one]
            if not structured:
                return node
            node = structured[0]
        else:
            return node


def _fields(document: dict[str, Any], node: dict[str, Any]) -> dict[str, dict[str, Any]]:
    fields: dict[str, dict[str, Any]] = _resolved(document, node).get("properties", {})
    return fields


def _kind(document: dict[str, Any], node: dict[str, Any]) -> str:
    if "enum" in node:
        return " | ".join(map(str, node["enum"]))
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_kind(document, one) for one in node["anyOf"]))
    if "$ref" in node:
        return _kind(document, document["$defs"][node["$ref"].rpartition("/")[2]])
    kind = str(node.get("type", "anything"))
    if kind == "array" and isinstance(node.get("items"), dict):
        return f"list of {_kind(document, node['items'])}"
    return {"object": "mapping", "string": "text"}.get(kind, kind)
