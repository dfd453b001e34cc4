"""Which engines a spec names: where else than on this machine attempts of it may run."""

from collections.abc import Iterator

from msgspec import UNSET

from controller.spec.definition import definitions
from controller.spec.effective import effective
from controller.spec.hooks import hook_definition, hooks_in_force
from controller.spec.linked import called
from controller.spec.models import Spec
from controller.spec.placement import Placement
from controller.spec.template import body


def placements(spec: Spec) -> list[Placement]:
    """Of its steps, those of its templates, and its hooks; each once.

    Cost: O(steps), and next to nothing where nothing names an engine.
    """
    return [*dict.fromkeys(_all(spec))]


def _all(spec: Spec) -> Iterator[Placement]:
    yield from _of_steps(spec)
    for name in called(spec):
        yield from _of_steps(body(effective(spec), name))
    for hooks in hooks_in_force(spec).values():
        for due in hooks:
            if due.hook.executor is not UNSET and (where := hook_definition(spec, due).placement):
                yield where


def _of_steps(spec: Spec) -> Iterator[Placement]:
    if spec.executor is UNSET and all(step.executor is UNSET for step in spec.steps):
        return
    yield from (step.placement for step in definitions(spec).values() if step.placement)
