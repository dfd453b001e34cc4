"""What a new generation does to the steps that a cancel marker keeps from starting.

The table of edits says which steps are set back; under a marker those that it names don't run
again, nor does what depends on them. What runs is ended, but where the marker drains.
"""

from collections.abc import Iterable

from controller.model.events import MarkerPlaced, StepEffect
from controller.model.movement import MET, edge
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import Step, Workflow
from controller.planner.edits import in_order
from controller.spec.definition import Definition, definitions
from controller.spec.models import Spec

Effects = dict[str, StepEffect]
_STARTS = ("run", "restart")


def under(
    life: Workflow | None, spec: Spec, effects: Effects, markers: Iterable[MarkerPlaced]
) -> Effects:
    """These effects as they are while the markers are there."""
    for marker in markers:
        barred = _barred(life, definitions(spec), effects, marker)
        effects = {name: barred.get(name, effect) for name, effect in effects.items()}
    return effects


def _barred(
    life: Workflow | None, new: dict[str, Definition], effects: Effects, marker: MarkerPlaced
) -> Effects:
    found: Effects = {}
    phases: dict[str, Phase] = {}  # of those that never come to run
    for name in in_order(new):
        step = life.steps.get(name) if life is not None else None
        starts = effects[name].action in _STARTS
        why = f"{marker.path} is there"
        if not marker.steps or name in marker.steps:
            if starts or step is None or step.phase not in TERMINAL:
                phases[name] = Phase.CANCELLED
        elif starts and (root := _never_comes(new[name], phases)):
            phases[name] = Phase.SKIPPED
            why = f'it depends on "{root}", and {why}'
        if starts and name in phases:
            drains = marker.drain and phases[name] is Phase.CANCELLED
            found[name] = _effect(step, effects[name], why, drains)
    return found


def _effect(step: Step | None, effect: StepEffect, why: str, drains: bool) -> StepEffect:
    if step is not None and step.phase is Phase.RUNNING:
        if drains:
            message = f"does not start again: {why}"
            return StepEffect("continue", Reason.CANCEL_MARKER, message, finish=True)
        return StepEffect("restart", Reason.CANCEL_MARKER, f"ends and does not start again: {why}")
    if step is not None and (step.phase is Phase.SUCCEEDED or _is_tolerated(step)):
        message = f"{effect.message}, so its result is gone; does not start: {why}"
        return StepEffect("run", Reason.CANCEL_MARKER, message)
    return StepEffect("keep", Reason.CANCEL_MARKER, f"does not start: {why}")


def _is_tolerated(step: Step) -> bool:
    return step.phase is Phase.FAILED and step.tolerated


def _never_comes(definition: Definition, phases: dict[str, Phase]) -> str:
    """A dependency that never comes to what the step waits for, or nothing."""
    for need in definition.requires:
        phase = phases.get(need.step)
        if phase and edge(phase, Reason.DEPENDENCY_CANCELLED, False, need.condition) != MET:
            return need.step
    return ""
