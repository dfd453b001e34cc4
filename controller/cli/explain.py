"""`treadle explain`: why something is as it is; or what a field of a spec means."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from controller.cli.fields import ROOT, field_lines
from controller.cli.options import common
from controller.cli.output import in_colour, show, show_lines, terminal_width
from controller.client.past import recall
from controller.client.replica import Replica
from controller.errors import ExitCode, NotFound, UsageError

if TYPE_CHECKING:
    from controller.model.state import State, Workflow
    from controller.view.explain import Around


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "explain",
        parents=[common()],
        help="say why a workflow or step is as it is, or what a field of a spec means",
        description="Say why a step waits, runs, ran again, was skipped: down to the root. "
        "`explain workflow.spec.steps.retry` says what that field of a spec means.",
    )
    parser.add_argument("name", metavar="NAME|FIELD", help="a name, a uid, or workflow.spec…")
    parser.add_argument("step", nargs="?", metavar="STEP")
    parser.add_argument(
        "--inputs", action="store_true", help="what the fingerprints of its attempts were made of"
    )
    parser.add_argument("-o", "--output", choices=("json",))
    parser.set_defaults(command=explain)


def explain(args: argparse.Namespace) -> int:
    """treadle explain NAME [STEP]"""
    if args.inputs and not args.step:
        raise UsageError("explain --inputs is about one step: name it behind NAME")
    if args.name.startswith(f"{ROOT}."):
        show_lines(field_lines(args.name))
        return ExitCode.FINE
    from controller.client.subject import require_steps
    from controller.view.find import find_workflow

    state = Replica(args.state).catch_up()
    if args.name == ROOT and not args.step and ROOT not in state.workflows:
        show_lines(field_lines(ROOT))
        return ExitCode.FINE
    recall(args.state, state, args.name)
    try:
        workflow = find_workflow(state, args.name)
    except NotFound as error:
        if "." not in args.name:
            raise
        hint = f"fields are named from {ROOT} on, like {ROOT}.spec.steps.retry"
        raise NotFound(f"{error}; {hint}") from None
    require_steps(workflow, [args.step] if args.step else [])
    around = _around(args.state)
    if args.output:
        names = [args.step] if args.step else list(workflow.steps)
        show([_shape(state, workflow, name, around) for name in names], "json")
    elif args.step:
        show_lines(_of_step(state, workflow, args.step, around, args.inputs))
    else:
        show_lines(_of_workflow(state, workflow, around))
    return ExitCode.FINE


def _around(state_dir: str) -> "Around":
    from controller.log.status_file import read_status
    from controller.view.explain import Around

    status = read_status(state_dir)
    return Around(
        runs=status.pid is not None,
        limits=status.limits,
        conditions=[one for one in status.conditions if one.status == "True"],
    )


def _of_workflow(state: "State", workflow: "Workflow", around: "Around") -> Iterator[str]:
    from controller.model.phases import Phase
    from controller.view import explain as view
    from controller.view import words

    reason, message = words.of_workflow(workflow)
    yield f"{workflow.name} is {workflow.phase} ({reason}): {message}"
    yield from view.generation_lines(workflow)
    for step in workflow.steps.values():
        if step.phase is not Phase.SUCCEEDED:
            yield ""
            yield from _causes(state, workflow, step.name, around)


def _of_step(
    state: "State", workflow: "Workflow", name: str, around: "Around", inputs: bool
) -> Iterator[str]:
    from controller.view import explain as view
    from controller.view import words
    from controller.view.table import render

    step = workflow.steps[name]
    yield from _causes(state, workflow, name, around)
    if workflow.generation > 1:
        yield ""
        effect = view.effect_of(workflow, step)
        yield f"generation {workflow.generation}: {view.done(effect)}, {words.of_effect(effect)}"
    if step.attempts:
        yield ""
        yield from render(view.attempts_table(workflow, step), terminal_width(), in_colour())
    if inputs:
        now = _inputs_now(workflow, name)
        for attempt in step.attempts:
            yield ""
            yield from view.inputs_lines(attempt, now)


def _inputs_now(workflow: "Workflow", name: str) -> dict[str, str]:
    """As the spec in force has them."""
    from controller.spec.fingerprint import inputs

    prints = {each.name: each.fingerprint for each in workflow.steps.values()}
    known = any(step.name == name for step in workflow.spec.steps)
    return inputs(workflow.spec, name, prints) if known else {}


def _causes(state: "State", workflow: "Workflow", name: str, around: "Around") -> Iterator[str]:
    from controller.view.explain import causes

    for cause in causes(state, workflow, workflow.steps[name], around):
        who = f"{workflow.name}/{cause.step}" if cause.depth == 0 else cause.step
        phase = f"{who} is {cause.phase} ({cause.reason}): " if cause.step else ""
        yield f"{'  ' * cause.depth}{phase}{cause.message}"


def _shape(state: "State", workflow: "Workflow", name: str, around: "Around") -> dict[str, Any]:
    import msgspec

    from controller.view.explain import causes, effect_of

    step = workflow.steps[name]
    return {
        "workflow": workflow.name,
        "step": name,
        "generation": workflow.generation,
        "effect": msgspec.structs.asdict(effect_of(workflow, step)),
        "causes": [msgspec.structs.asdict(one) for one in causes(state, workflow, step, around)],
        "attempts": [
            {
                "number": one.number,
                "generation": one.generation,
                "why": one.why,
                "inputs": one.inputs,
            }
            for one in step.attempts
        ],
    }
