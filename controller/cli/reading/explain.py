"""`treadle explain`: why something is as it is; or what a field of a spec means."""

import argparse
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from controller.cli.output import look, show, show_lines
from controller.client.past import recall
from controller.client.replica import Replica, stood
from controller.errors import ExitCode, NotFound, UsageError

if TYPE_CHECKING:
    from controller.view.look import Look

ROOT = "workflow"  # where the path of a field begins
# Where a path is looked for if it does not begin there, in this order.
_PARENTS: tuple[tuple[str, ...], ...] = (
    (),
    ("spec",),
    ("spec", "steps"),
    ("spec", "hooks"),
    ("metadata",),
)


def explain(args: argparse.Namespace) -> int:
    """treadle explain NAME [STEP], or treadle explain FIELD"""
    if args.name.startswith(f"{ROOT}."):
        show_lines(_wrapped(_of_field(args.name), look(args)))
        return ExitCode.FINE
    from controller.view.find import find_workflow, name_and_steps, pick_step

    name, words = name_and_steps(args.name, args.steps)
    if args.inputs and not words:
        raise UsageError("explain --inputs is about one step: name it after NAME")
    state = Replica(args.state).catch_up()
    recall(args.state, state, name)
    try:
        workflow = find_workflow(state, name)
    except NotFound as error:
        if words:
            raise
        show_lines(_wrapped(_field_instead(name, error), look(args)))
        return ExitCode.FINE
    if words and workflow.starter is not None:
        from controller.intake.requests import of_instances

        raise UsageError(of_instances(workflow.name, "explain", words))
    step = pick_step(workflow, words)
    if args.inputs and step in workflow.hooks:
        raise UsageError(f"{step} is a hook: it runs whenever it is due, so it has no inputs")
    from controller.client.reading.reasons import around, lines, shapes

    seen = around(args.state)
    if args.output:
        show(shapes(state, workflow, step, seen), "json")
    else:
        of_definition = workflow.starter is not None
        view = look(args, stood=stood(args.state, state) if of_definition else None)
        show_lines(lines(args.state, state, workflow, step, seen, view, inputs=args.inputs))
    return ExitCode.FINE


# ---------------------------------------- fields


def _wrapped(lines: Iterator[str], look: "Look") -> Iterator[str]:
    for line in lines:
        yield from look.wrapped(line, hang=len(line) - len(line.lstrip()))


def _field_instead(word: str, no_workflow: NotFound) -> Iterator[str]:
    """No workflow has the name: perhaps a field has."""
    try:
        return _of_field(word)
    except NotFound as no_field:
        near = [error for error in (no_workflow, no_field) if "did you mean" in str(error)]
        raise (near or [no_field if "." in word else no_workflow])[0] from None


def _of_field(word: str) -> Iterator[str]:
    """The documentation of a field, by its path or the end of it: `retry.limit`.

    Raises NotFound, which suggests the most similar field.
    """
    from controller.spec.models import FolderDefaults, Pool, Template, Workflow
    from controller.spec.reading.schema import schema
    from controller.view.find import hint

    # Messages about specs write steps[2].
    path = re.sub(r"\[[^]]*\]", "", word).rstrip(".").split(".")
    root, document = ROOT, schema(Workflow)
    others = {"template": Template, "pool": Pool, "defaults": FolderDefaults}
    if path[0] in others and path[1:2] == ["spec"]:  # `defaults` is a field of a workflow, too
        root, document = path[0], schema(others[path[0]])
    whole = path[0] == root
    path = path[1:] if whole else path
    parents = [
        parent
        for parent in _PARENTS
        if whole or path[0] in _fields(document, _node(document, parent))
    ]
    for parent in parents:
        node = _node(document, (*parent, *path))
        if node is not None:
            return _field_lines(document, ".".join((root, *parent, *path)), node)
    if parents:
        raise NotFound(_unknown_field(document, root, (*parents[0], *path)))
    known = {name for parent in _PARENTS for name in _fields(document, _node(document, parent))}
    raise NotFound(f'no field of a spec is named "{path[0]}"{hint(path[0], known)}')


def _unknown_field(document: dict[str, Any], root: str, path: Sequence[str]) -> str:
    """Where the path leaves the known fields, and what is there."""
    from controller.view.find import hint

    at = next(n for n in range(len(path)) if _node(document, path[: n + 1]) is None)
    fields = _fields(document, _node(document, path[:at]))
    place = ".".join((root, *path[:at]))
    known = f"its fields: {', '.join(fields)}" if fields else "it has no fields"
    return f"{place} has no field {path[at]}{hint(path[at], fields) or f'; {known}'}"


def _node(document: dict[str, Any], path: Sequence[str]) -> dict[str, Any] | None:
    """What the schema says of the field at this path from the workflow on; None: there is none."""
    node = _resolved(document, document)
    for name in path:
        fields = _fields(document, node)
        if name not in fields:
            return None
        node = fields[name]
    return node


def _field_lines(document: dict[str, Any], at: str, node: dict[str, Any]) -> Iterator[str]:
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
    """Follow references; for an array, a choice or a mapping of any keys, go to its element."""
    while True:
        if "$ref" in node:
            node = {**document["$defs"][node["$ref"].rpartition("/")[2]]}
        elif "items" in node and isinstance(node["items"], dict):
            node = node["items"]
        elif isinstance(node.get("additionalProperties"), dict):
            node = node["additionalProperties"]
        elif "anyOf" in node:
            structured = [choice for choice in node["anyOf"] if "$ref" in choice]
            if not structured:
                return node
            node = structured[0]
        else:
            return node


def _fields(document: dict[str, Any], node: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    fields: dict[str, dict[str, Any]] = _resolved(document, node or {}).get("properties", {})
    return fields


def _kind(document: dict[str, Any], node: dict[str, Any]) -> str:
    if "enum" in node:
        return " | ".join(map(str, node["enum"]))
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_kind(document, choice) for choice in node["anyOf"]))
    if "$ref" in node:
        return _kind(document, document["$defs"][node["$ref"].rpartition("/")[2]])
    kind = str(node.get("type", "anything"))
    if kind == "array" and isinstance(node.get("items"), dict):
        return f"list of {_kind(document, node['items'])}"
    return {"object": "mapping", "array": "list", "string": "text"}.get(kind, kind)
