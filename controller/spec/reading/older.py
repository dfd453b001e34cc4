"""The older JSON form: `{workflow_id, steps: [{id, command, depends_on, timeout_sec, retries}]}`.

Its fields are renamed to those of today. Its old defaults (300 s, plain `sh -c`, delays that double
without chance) are written into the workflow, as if its author had written them.
"""

from typing import Any

from msgspec import UNSET, structs

from controller.spec.models import (
    Backoff,
    Defaults,
    Metadata,
    OlderStep,
    OlderWorkflow,
    Retry,
    Spec,
    Step,
    Workflow,
)
from controller.spec.path_fault import Path, PathFault

# Today's field → the older one.
_NAMES = {
    "name": "id",
    "run": "command",
    "dependsOn": "depends_on",
    "timeoutSeconds": "timeout_sec",
    "retry": "retries",
}
_DOUBLING = Backoff(initial_seconds=0.5, factor=2, jitter=0)


def workflow_name(workflow_id: str) -> str:
    """The workflow name for an older id."""
    return workflow_id.lower().replace("_", "-")


def modern(old: OlderWorkflow) -> Workflow:
    """The same workflow in today's form."""
    return Workflow(
        api_version="treadle.dev/v1",
        kind="Workflow",
        metadata=Metadata(name=workflow_name(old.workflow_id)),
        spec=Spec(  # noqa: S604  (`shell` is a field here, no call of one)
            shell=["/bin/sh", "-c"],
            defaults=Defaults(retry=Retry(backoff=_DOUBLING)),
            steps=[_modern_step(step) for step in old.steps],
        ),
    )


def _modern_step(old: OlderStep) -> Step:
    return Step(
        name=old.id,
        run=old.command,
        depends_on=list(old.depends_on) or UNSET,
        timeout_seconds=old.timeout_sec,
        retry=Retry(limit=old.retries) if old.retries else UNSET,
    )


def renamed(raw: dict[str, Any]) -> dict[str, Any]:
    """A faulty document under today's names, for the rules that still apply to it."""
    steps = raw.get("steps")
    if isinstance(steps, list):
        steps = [
            # A missing command is a fault of shape already.
            {"run": ":"} | {new: step[old] for new, old in _NAMES.items() if old in step}
            if isinstance(step, dict)
            else step
            for step in steps
        ]
    return {"spec": {"steps": steps}}


def in_older_words(found: PathFault) -> PathFault:
    """A fault that a rule found in today's form, with its path in the older form."""
    return structs.replace(found, path=_older_path(found.path), other=_older_path(found.other))


def _older_path(path: Path) -> Path:
    return tuple(_NAMES.get(part, part) if isinstance(part, str) else part for part in path[1:])
