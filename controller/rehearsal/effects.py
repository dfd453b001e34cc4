"""What a play did to the steps of one workflow, read off step by step; what markers keep back."""

from collections.abc import Iterator
from contextlib import suppress

from controller.model.apply.defaults import defaults_above
from controller.model.children import no_longer_in
from controller.model.events import (
    STEP_ADDED,
    STEP_UNCHANGED,
    EffectAction,
    MarkerPlaced,
    StepEffect,
)
from controller.model.indexes import markers_for
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import State, Step, Workflow
from controller.planner.editing.edits import judge
from controller.planner.resolve import children_to_be
from controller.rehearsal.change import NEW, Effects
from controller.rehearsal.play import Play
from controller.spec.expression import Failed
from controller.spec.fingerprint import same
from controller.spec.items import inner_name, names_above
from controller.spec.linked import below
from controller.spec.models import Spec
from controller.spec.template import template_definitions


def effects_of(life: Workflow | None, play: Play, name: str, spec: Spec) -> Effects:
    """What the generation that comes does to each step, as recorded; else that nothing changes.

    `name`: of the workflow, which is the one that is played or an instance of it.
    """
    after = play.state.workflows[name]
    if life is None:
        known = dict.fromkeys(_with_children(after, spec), NEW)
        return _with_children_to_come(play, after, known, NEW)
    if after.pending is not None:  # a run that stands still: as if it ended as it is
        spec = after.pending.document.spec
        above = defaults_above(play.state, after.origin, after.pending.path, spec)
        return judge(play.state, after, below(spec, above)).effects
    if after.generation == life.generation or same(after.spec, life.spec):
        return dict(unchanged(life))  # at most its file has moved, or that of Defaults
    found = {  # of a step that goes on as it was, or is new, nothing else was recorded
        name: after.effects.get(name, STEP_UNCHANGED if name in life.steps else STEP_ADDED)
        for name in _with_children(after, spec)
    }
    removed = {name: effect for name, effect in after.effects.items() if name not in found}
    return _with_children_to_come(play, after, found | removed, STEP_ADDED)


def _with_children_to_come(
    play: Play, life: Workflow, found: Effects, added: StepEffect
) -> Effects:
    """Of a step that will be expanded, what is known of its children, and of what they call.

    `added`: what is said of those that are new.
    """
    coming: Effects = {}
    for name, effect in found.items():
        coming.setdefault(name, effect)
        step = life.steps.get(name)
        if step is None or not _will_be_expanded(life, step):
            continue
        with suppress(Failed):  # it will fail then, and say so
            names = children_to_be(play.state, life, step)
            if names is None:
                continue
            for child in names:
                there = _with_steps_of_template(life, step, child)
                coming |= {inner: found.get(inner, added) for inner in there}
            stay, gone = set(names), StepEffect("remove", Reason.STEP_REMOVED, no_longer_in(step))
            for child in step.children:
                if child not in stay and child in life.steps:
                    left = life.steps[child]
                    coming |= {removed.name: gone for removed in (left, *life.below(left))}
    return coming


def _will_be_expanded(life: Workflow, step: Step) -> bool:
    waits = step.phase in (Phase.PENDING, Phase.READY) and not step.expanded
    return step.is_parent and waits and life.stands(step)


def _with_steps_of_template(life: Workflow, parent: Step, child: str) -> Iterator[str]:
    """A child that a step will have; with its steps, if it will call a template."""
    yield child
    if parent.definition.for_each is not None and parent.definition.template is not None:
        for name in template_definitions(life.spec, parent.definition):
            yield inner_name(child, name)


def _with_children(life: Workflow, spec: Spec) -> Iterator[str]:
    """The steps of the spec, each with all that it has below it."""
    for step in spec.steps:
        yield step.name
        if step.name in life.steps:
            yield from (child.name for child in life.below(life.steps[step.name]))


def unchanged(life: Workflow) -> Iterator[tuple[str, StepEffect]]:
    steps = [name for name in _with_children(life, life.spec) if name in life.steps]
    for step in (life.steps[name] for name in steps):
        if not step.leaving:
            action: EffectAction = "continue" if step.phase is Phase.RUNNING else "keep"
            yield step.name, StepEffect(action, Reason.UNCHANGED, "nothing changes")


# ---------------------------------------- markers


class Barred:
    """What a marker keeps from starting, as it came about in the play."""

    def __init__(self, life: Workflow | None, play: Play, name: str) -> None:
        self._before = life
        self._play = play
        self._life = play.state.workflows[name]
        self._known: dict[str, str] = {}  # step -> what `marker_of` found

    def effect(self, name: str, effect: StepEffect) -> StepEffect:
        """As the generation wants it, or what becomes of it under a marker."""
        steps = self._life.steps
        # One that leaves with its parent, or is to come with it, starts no sooner than that.
        step = next(
            (steps[candidate] for candidate in (name, *names_above(name)) if candidate in steps),
            None,
        )
        was = self._before.steps.get(name) if self._before is not None else None
        starts = effect.action in ("run", "restart")
        is_over = was is not None and was.phase in TERMINAL
        if step is None or effect.action == "remove" or (is_over and not starts):
            return effect
        path = self.marker_of(step)
        if not path:
            return effect
        why = f" while {path} exists"
        if step.phase is Phase.SKIPPED:
            why = f': it depends on "{next(iter(step.broken))}", which {path} keeps from starting'
        if was is not None and was.phase is Phase.RUNNING:
            if (self._life.uid, name) in self._play.drained:
                message = f"does not start again{why}"
                return StepEffect("continue", Reason.CANCEL_MARKER, message, finish=True)
            message = f"stopped, and not started again{why}"
            return StepEffect("restart", Reason.CANCEL_MARKER, message)
        if was is not None and (
            was.phase is Phase.SUCCEEDED or (was.phase is Phase.FAILED and was.tolerated)
        ):
            message = f"{effect.message}; its result is dropped, and it does not start{why}"
            return StepEffect("run", Reason.CANCEL_MARKER, message)
        return StepEffect("keep", Reason.CANCEL_MARKER, f"does not start{why}")

    def marker_of(self, step: Step) -> str:
        """The marker that cancelled the step, or one that it depends on; or nothing.

        What one step behind another follows is remembered for both: a chain costs its length.
        """
        way: list[str] = []
        while step.name not in self._known and step.phase is Phase.SKIPPED and step.broken:
            way.append(step.name)
            step = self._life.steps[next(iter(step.broken))]
        if step.name not in self._known:
            self._known[step.name] = self._own_marker(step)
        path = self._known[step.name]
        self._known.update(dict.fromkeys(way, path))
        return path

    def _own_marker(self, step: Step) -> str:
        if step.phase is not Phase.CANCELLED or step.reason != Reason.CANCEL_MARKER:
            return ""
        markers = markers_for(self._play.state, self._life.name)
        names = {step.name, *names_above(step.name)}
        of_step = (
            path for path, marker in markers.items() if not marker.steps or names & {*marker.steps}
        )
        return next(of_step, "")


def marker_notes(
    state: State,
    life: Workflow | None,
    play: Play,
    name: str,
    is_edit: bool,
    wanted: Effects,
    found: Effects,
) -> Iterator[str]:
    """What there is to know of the markers that will be there."""
    for path, marker in markers_for(play.state, name).items():
        if is_edit and not marker.steps:
            yield f"cancelled by {path}"
        elif is_edit:
            names = [step for step in marker.steps if found.get(step) != wanted.get(step)]
            if names:
                yield f"{path} keeps {', '.join(names)} from starting"
        elif life is not None and state.markers.get(path) != marker:
            finishing = ", and lets running steps finish" if marker.drain else ""
            hooks = "" if marker.hooks else "; its hooks do not run"
            if life.is_ending and not marker.hooks:
                yield f"{path} stops its hooks"
            elif whom := _to_cancel(life, marker):
                yield f"{path} cancels {whom}{finishing}{hooks}"


def _to_cancel(life: Workflow, marker: MarkerPlaced) -> str:
    """Who is cancelled by a marker that is new."""
    if not marker.steps:
        return "" if life.finished or life.is_ending else "it"
    steps = [life.steps[name] for name in marker.steps if name in life.steps]
    return ", ".join(step.name for step in steps if step.phase not in TERMINAL)


def waiting(life: Workflow | None) -> Iterator[str]:
    for step in life.steps.values() if life is not None else ():
        if step.phase in (Phase.PENDING, Phase.READY):
            yield step.name
