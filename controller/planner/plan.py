"""What to do next. Reads the state, writes nothing; asked twice, it answers the same.

A plan looks at what `apply` touched since the last one and at what time made due. Decisions come
first and alone: the turn folds them and asks again, so that consequences spread pass by pass. When
there is nothing left to decide, queued starts that may not start any more are withdrawn and the
free slots are filled; a controller that stops with `--end-steps` ends all instead. Last of all,
what nobody needs any more leaves the state. Definitions decide when all others have come to rest:
what has ended by then no longer stands in the way of a firing.
Cost: O(touched + due + free slots), and O(live attempts) while something keeps queued starts from
starting.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from controller.model.events import FiringDecided, TriggersArmed, TurnCame
from controller.model.indexes import due
from controller.model.phases import Obstacle
from controller.model.state import State, Step, Workflow
from controller.model.timers import HABITS, TimerKind
from controller.planner import (
    cancel,
    readiness,
    retention,
    retries,
    run,
    slots,
    stopping,
    timeouts,
)
from controller.planner.actions import Action, Fire, Schedule
from controller.planner.editing import accept
from controller.planner.firings import firing
from controller.planner.permission import Limits, why_none_of
from controller.planner.wish import meet


def plan(state: State, now: int, limits: Limits) -> list[Action]:
    """What the state asks for at `now` (microseconds of the controller's clock), in order."""
    decisions: list[Action] = []
    definitions: list[Workflow] = []
    for workflow, steps in _to_look_at(state, now, limits):
        if workflow.starter is not None:
            definitions.append(workflow)
        else:
            decisions += _decide(state, workflow, steps, now)
    if not decisions and limits.only is None:  # `treadle run` begins what it was asked for alone
        decisions = [
            decision for life in definitions for decision in _decide_firing(state, life, now)
        ]
    return decisions or _starts(state, limits) or [*retention.archive(state, now, limits)]


_WHEN_ALL_REST = (Fire, FiringDecided, TriggersArmed, TurnCame, Schedule)


def forget_touched(state: State, planned: list[Action]) -> None:
    """What was touched has been looked at; but definitions only if nothing else was decided."""
    if all(isinstance(action, _WHEN_ALL_REST) for action in planned):
        state.touched.clear()
        return
    state.touched = {
        uid: steps for uid, steps in state.touched.items() if state.lives[uid].starter is not None
    }


def _to_look_at(state: State, now: int, limits: Limits) -> Iterator[tuple[Workflow, list[Step]]]:
    """Workflows and their steps, in the order of the folder's history and of the spec."""
    wanted = {uid: set(steps) for uid, steps in state.touched.items()}
    for timer in due(state, now):
        if HABITS[timer.kind].archives:
            continue
        if timer.kind is TimerKind.DUE and limits.only is not None:
            continue
        wanted.setdefault(timer.uid, set()).add(timer.step)
    for workflow in sorted((state.lives[uid] for uid in wanted), key=lambda life: life.order):
        if state.workflows.get(workflow.name) is not workflow:
            continue
        steps = [workflow.steps[name] for name in wanted[workflow.uid] if name in workflow.steps]
        yield workflow, sorted(steps, key=_place)


def _place(step: Step) -> tuple[int, int, list[int], str]:
    """Children come before their parent: what that decides may let them go.

    One that leaves may have the place of another one in the list.
    """
    place = [] if step.parent is None else [*step.above, step.nth]
    return step.index, -len(place), place, step.name


def _decide_firing(state: State, definition: Workflow, now: int) -> list[Action]:
    decided = firing.decide(state, definition, now)
    return [*accept.due(definition)] if decided is None else [decided]


def _decide(state: State, workflow: Workflow, steps: list[Step], now: int) -> list[Action]:
    follows = accept.follow(state, workflow)
    if follows is not None:
        return [follows]
    ending = cancel.wanted(state, workflow, now)
    if ending is not None and not ending.steps:
        return [ending]  # it changes what every step has to decide
    decisions: list[Action] = [] if ending is None else [ending]
    named = frozenset[str]() if ending is None else frozenset(ending.steps)
    for step in (step for step in steps if step.name not in named):
        decision = _decide_step(state, workflow, step, now)
        if decision is not None:
            decisions.append(decision)
    decisions += _decide_hooks(state, workflow, now)
    if not decisions:
        end = run.finish(state, workflow)
        return [*accept.due(workflow)] if end is None else [end]
    return decisions


def _decide_hooks(state: State, workflow: Workflow, now: int) -> Iterator[Action]:
    if (begun := run.hooks_at_start(state, workflow)) is not None:
        yield begun
    elif (hook := workflow.next_hook) is not None:
        decision = _decide_step(state, workflow, hook, now)
        if decision is not None:
            yield decision


def _decide_step(state: State, workflow: Workflow, step: Step, now: int) -> Action | None:
    decision = meet(state, workflow, step)
    if decision is not None:
        return decision
    if workflow.is_queued:
        return None
    if step.live is not None:
        return timeouts.timeout(state, workflow, step, now)
    if step.leaving is not None:
        return None  # it waits for those below it
    if step.unjudged:
        return retries.judge(workflow, step)
    return readiness.decide(state, workflow, step, now)


def _starts(state: State, limits: Limits) -> list[Action]:
    if limits.stopping:
        return [*stopping.interrupt(state)]
    withdrawn = slots.forbidden(state, limits)
    return [*withdrawn] or [*slots.fill(state, limits)] or [*slots.overtaken(state, limits)]


def settled(state: State, limits: Limits) -> bool:
    """For `up --once`: nothing is left that the controller could do or wait for by itself.

    Nothing runs, is queued, is due, waits for a timer, or has just changed.

    Cost: O(1), but O(lives in backoff) for a controller that starts only some of them.
    """
    # What waits for an engine is like what waits for a timer: contact may come back.
    in_contact = replace(limits, away=frozenset()) if limits.away else limits
    if state.live or state.touched or slots.fill(state, in_contact):
        return False
    # A backoff counts only where this controller would start the step at its end.
    obstacles = (why_none_of(state.lives[uid], limits) for uid in state.awaited)
    return all(obstacle is Obstacle.NOT_DRIVEN for obstacle in obstacles)
