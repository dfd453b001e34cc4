"""What the Defaults of a folder change: the policy of the workflows of that folder and below.

An edit of them counts at once, like one of policy in a spec, and runs nothing again. A delay before
a retry that was drawn already stays. A workflow that is being deleted, or has ended, keeps what it
had: its folder may be going too.
Cost: O(workflows) an edit, and O(steps) of those whose policy it may change.
"""

from collections.abc import Iterator
from posixpath import dirname, relpath
from typing import Any

from msgspec import structs

from controller.model import events as e
from controller.model.indexes import count_ended, instances_of, set_over, set_timeout, touch
from controller.model.state import State, Step, Workflow
from controller.spec.definition import Definition, definitions
from controller.spec.linked import Above, above, below
from controller.spec.models import Spec
from controller.spec.template import template_definitions

# What Defaults give of a step; of where it runs, only settings of the engine that it has named.
_POLICY = ("timeout_seconds", "grace_seconds", "retry", "uses", "placement")


def accepted(state: State, event: e.DefaultsAccepted) -> None:
    state.defaults[event.folder] = event
    _tell_below(state, event.folder)


def removed(state: State, event: e.DefaultsRemoved) -> None:
    del state.defaults[event.folder]
    _tell_below(state, event.folder)


def _tell_below(state: State, folder: str) -> None:
    inside = f"{folder}/" if folder else ""
    for workflow in state.workflows.values():
        if workflow.path.startswith(inside):
            follow(state, workflow)


def defaults_above(state: State, origin: str, path: str, spec: Spec) -> tuple[Above, ...]:
    """What holds for a workflow with its file there, the nearest first. Cost: O(depth).

    What `run` begins need not have its file in the folder, so it came with those that hold for it.
    """
    if origin == "run":
        return above(spec)
    if not state.defaults:
        return ()
    home = dirname(path)
    found = (state.defaults.get(folder) for folder in folders_above(path))
    return tuple(
        Above(
            spec=defaults.spec, path=defaults.path, home=relpath(f"/{defaults.folder}", f"/{home}")
        )
        for defaults in found
        if defaults is not None
    )


def folders_above(path: str) -> Iterator[str]:
    """The folders whose Defaults hold for a file, the nearest first; the last is ""."""
    folder = dirname(path)
    while folder.strip("/"):
        yield folder
        folder = dirname(folder)
    yield ""


def follow(state: State, workflow: Workflow) -> None:
    """Give it the policy of the Defaults that are above it now."""
    found = defaults_above(state, workflow.origin, workflow.path, workflow.spec)
    if workflow.deleting or workflow.spec.above == found:
        return
    was, workflow.spec = workflow.spec, below(workflow.spec, found)
    for instance in instances_of(state, workflow):
        if instance.spec is was:
            instance.spec = workflow.spec
            _take_policy(state, instance)
    _take_policy(state, workflow)


def _take_policy(state: State, workflow: Workflow) -> None:
    for step in workflow.steps.values():
        found = defined(workflow, step)
        if found is not None and policy_of(found) != policy_of(step.definition):
            step.definition = structs.replace(step.definition, **policy_of(found))
            set_timeout(state, workflow, step)
            touch(state, workflow, step)
    set_over(state, workflow)
    if workflow.starter is not None:
        count_ended(state, workflow)


def policy_of(definition: Definition) -> dict[str, Any]:
    """What Defaults can give of it."""
    return {name: getattr(definition, name) for name in _POLICY}


def defined(workflow: Workflow, step: Step) -> Definition | None:
    """The step as its scope defines it; None if the spec no longer has it."""
    if step.leaving is not None:
        return None
    if not step.piece:
        return definitions(workflow.spec).get(step.definition.name)
    piece = workflow.steps[step.piece].definition
    if piece.template is None:
        return None
    return template_definitions(workflow.spec, piece).get(step.definition.name)
