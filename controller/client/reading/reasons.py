"""Why something is as it is: what `explain` tells, as lines and as shapes.

Besides the log it needs what only the controller knows, and what the failed steps have printed.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from controller.client.reading.printed import by_failed
from controller.client.replica import files_waiting
from controller.log.status_file import read_status
from controller.model.state import State, Step, Workflow
from controller.planner.resolve import inputs_of
from controller.requests import waiting
from controller.view.changes.edits import effect_of
from controller.view.look import Look
from controller.view.pages import explain_definition
from controller.view.why import explain_step, roots
from controller.view.why.explain import DEPTH_MAX, Around, causes, ways
from controller.view.why.inputs import input_line


def around(state_dir: str) -> Around:
    """What is around the state that has a say in what starts."""
    status = read_status(state_dir)
    return Around(
        runs=status.pid is not None,
        limits=status.limits,
        conditions=[condition for condition in status.conditions if condition.status == "True"],
        asked=list(waiting(state_dir)),
    )


def lines(
    state_dir: str,
    state: State,
    workflow: Workflow,
    step: str | None,
    seen: Around,
    look: Look,
    *,
    inputs: bool = False,
) -> Iterator[str]:
    """For people: of a definition, of a workflow, or of one step of it.

    `inputs`: also what the fingerprint of the step is made of.
    """
    if workflow.starter is not None:
        files = files_waiting(state_dir)
        yield from explain_definition.explanation(state, workflow, seen, look, files)
    elif step is None:
        printed = by_failed(state_dir, workflow)
        yield from roots.explanation(state, workflow, seen, look, printed)
    else:
        yield from _of_step(state_dir, state, workflow, workflow.step(step), seen, look)
        if inputs:
            yield from _inputs(workflow, workflow.step(step))


def _of_step(
    state_dir: str, state: State, workflow: Workflow, step: Step, seen: Around, look: Look
) -> Iterator[str]:
    found = ways(state, workflow, step, seen, look)
    among = {*(cause.step for cause in found), *(child.name for child in workflow.below(step))}
    printed = by_failed(state_dir, workflow, among)
    yield from explain_step.explanation(state, workflow, step, found, seen, look, printed)


def _inputs(workflow: Workflow, step: Step) -> Iterator[str]:
    present = _inputs_now(workflow, step)
    if not step.definition.has_attempts and present is not None:
        yield ""
        yield f"generation {workflow.generation}: {step.fingerprint}"
        yield from (f"    {input_line(*pair)}" for pair in sorted(present.items()))
    for attempt in step.attempts:
        yield ""
        yield from explain_step.inputs_lines(
            attempt, attempt.inputs if present is None else present
        )


def _inputs_now(workflow: Workflow, step: Step) -> dict[str, str] | None:
    """The inputs of its fingerprint, by the spec in force; None if they are not known yet."""
    if step.leaving is not None:
        return {}
    return inputs_of(workflow, step) if workflow.stands(step) else None


def shapes(
    state: State, workflow: Workflow, name: str | None, seen: Around
) -> list[dict[str, Any]]:
    """Of one step, down to the root; of all, each with its direct causes, which are listed too."""
    if name:
        return [_shape(state, workflow, workflow.step(name), seen, DEPTH_MAX)]
    steps = (*workflow.steps.values(), *workflow.present_hooks)
    return [_shape(state, workflow, step, seen, 1) for step in steps]


def _shape(
    state: State, workflow: Workflow, step: Step, seen: Around, depth_max: int
) -> dict[str, Any]:
    return {
        "workflow": workflow.name,
        "step": step.name,
        "generation": workflow.generation,
        "effect": structs.asdict(effect_of(workflow, step)),
        "causes": [
            structs.asdict(cause) for cause in causes(state, workflow, step, seen, depth_max)
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
