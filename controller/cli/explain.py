"""`treadle explain`: why something is as it is; or what a field of a spec means."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from controller.cli.output import in_colour, show, show_lines, terminal_width
from controller.client.past import recall
from controller.client.replica import Replica
from controller.errors import ExitCode, NotFound, UsageError

if TYPE_CHECKING:
    from controller.model.state import State, Step, Workflow
    from controller.view.explain import Around, Cause
    from controller.view.failure import Printed

ROOT = "workflow"  # where the path of a field begins


def explain(args: argparse.Namespace) -> int:
    """treadle explain NAME [STEP]"""
    if args.name.startswith(f"{ROOT}."):
        show_lines(_field_lines(args.name))
        return ExitCode.FINE
    from controller.view.find import find_workflow, name_and_steps, pick_step

    name, words = name_and_steps(args.name, args.steps)
    if args.inputs and not words:
        raise UsageError("explain --inputs is about one step: name it after NAME")
    state = Replica(args.state).catch_up()
    if name == ROOT and not words and ROOT not in state.workflows:
        show_lines(_field_lines(ROOT))
        return ExitCode.FINE
    recall(args.state, state, name)
    try:
        workflow = find_workflow(state, name)
    except NotFound as error:
        if "." not in name:
            raise
        hint = f"a field begins with {ROOT}, like {ROOT}.spec.steps.retry"
        raise NotFound(f"{error}; {hint}") from None
    step = pick_step(workflow, words)
    around = _around(args.state)
    if args.output:
        show(_shapes(state, workflow, step, around), "json")
    elif step:
        show_lines(_of_step(state, workflow, step, around, args.inputs))
    else:
        from controller.client.printed import by_failed

        printed = by_failed(args.state, workflow)
        show_lines(_of_workflow(state, workflow, around, printed))
    return ExitCode.FINE


def _around(state_dir: str) -> "Around":
    from controller.log.status_file import read_status
    from controller.view.explain import Around

    status = read_status(state_dir)
    return Around(
        runs=status.pid is not None,
        limits=status.limits,
        conditions=[condition for condition in status.conditions if condition.status == "True"],
    )


def _of_workflow(
    state: "State", workflow: "Workflow", around: "Around", printed: "Printed"
) -> Iterator[str]:
    from controller.view import words
    from controller.view.edits import generation_lines
    from controller.view.explain import causes_of_all
    from controller.view.failure import failures

    reason, message = words.of_workflow(workflow)
    yield f"{workflow.name} is {workflow.phase} ({reason}): {message}"
    yield from generation_lines(workflow)
    for chain in causes_of_all(state, workflow, around):
        yield ""
        yield from _lines(workflow, chain)
    yield from failures(workflow, printed)


def _of_step(
    state: "State", workflow: "Workflow", name: str, around: "Around", inputs: bool
) -> Iterator[str]:
    from controller.view import words
    from controller.view.edits import done, effect_of
    from controller.view.explain import attempts_table, causes, inputs_lines
    from controller.view.table import render

    step = workflow.steps[name]
    yield from _lines(workflow, causes(state, workflow, step, around))
    if workflow.generation > 1:
        yield ""
        effect = effect_of(workflow, step)
        yield f"generation {workflow.generation}: {done(effect)}, {words.of_effect(effect)}"
    if step.attempts:
        yield ""
        yield from render(attempts_table(workflow, step), terminal_width(), in_colour())
    if inputs:
        now = _inputs_now(workflow, name)
        for attempt in step.attempts:
            yield ""
            yield from inputs_lines(attempt, now)


def _inputs_now(workflow: "Workflow", name: str) -> dict[str, str]:
    """The inputs of the step's fingerprint, by the spec in force."""
    from controller.spec.fingerprint import inputs

    prints = {step.name: step.fingerprint for step in workflow.steps.values()}
    known = any(step.name == name for step in workflow.spec.steps)
    return inputs(workflow.spec, name, prints) if known else {}


def _lines(workflow: "Workflow", chain: "list[Cause]") -> Iterator[str]:
    for cause in chain:
        who = f"{workflow.name}/{cause.step}" if cause.depth == 0 else cause.step
        phase = f"{who} is {cause.phase} ({cause.reason}): " if cause.step else ""
        yield f"{'  ' * cause.depth}{phase}{cause.message}"


def _shapes(
    state: "State", workflow: "Workflow", name: str | None, around: "Around"
) -> list[dict[str, Any]]:
    """Of one step, down to the root; of all, each with its direct causes, which are listed too."""
    from controller.view.explain import DEPTH_MAX

    if name:
        return [_shape(state, workflow, workflow.steps[name], around, DEPTH_MAX)]
    return [_shape(state, workflow, step, around, 1) for step in workflow.steps.values()]


def _shape(
    state: "State", workflow: "Workflow", step: "Step", around: "Around", depth_max: int
) -> dict[str, Any]:
    import msgspec

    from controller.view.edits import effect_of
    from controller.view.explain import causes

    return {
        "workflow": workflow.name,
        "step": step.name,
        "generation": workflow.generation,
        "effect": msgspec.structs.asdict(effect_of(workflow, step)),
        "causes": [
            msgspec.structs.asdict(cause)
            for cause in causes(state, workflow, step, around, depth_max)
        ],
        "attempts": [
            {
                "number": attempt.number,
                "generation": attempt.generation,
                "why": attempt.why,
                "inputs": attempt.inputs,
            }
            for attempt in step.attempts
        ],
    }


# ---------------------------------------- fields


def _field_lines(path: str) -> Iterator[str]:
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
    """Follow references; for an array or a choice, go to its element."""
    while True:
        if "$ref" in node:
            node = {**document["$defs"][node["$ref"].rpartition("/")[2]]}
        elif "items" in node and isinstance(node["items"], dict):
            node = node["items"]
        elif "anyOf" in node:
            structured = [choice for choice in node["anyOf"] if "$ref" in choice]
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
        return " or ".join(dict.fromkeys(_kind(document, choice) for choice in node["anyOf"]))
    if "$ref" in node:
        return _kind(document, document["$defs"][node["$ref"].rpartition("/")[2]])
    kind = str(node.get("type", "anything"))
    if kind == "array" and isinstance(node.get("items"), dict):
        return f"list of {_kind(document, node['items'])}"
    return {"object": "mapping", "string": "text"}.get(kind, kind)
