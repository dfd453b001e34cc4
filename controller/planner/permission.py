"""Why a step that is ready does not start: one answer, for the machine and for `explain`.

The guards are asked in this order, and the first that objects is what people are told. What they
know comes from the log or from the `Limits` of the controller at work, which its status file has
too, so that a reader asks the same function. Cost: O(1) a step,
O(live attempts) for the slots.
"""

import posixpath
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from controller.model.indexes import is_full, kept_back_by, rank_of, standstill
from controller.model.phases import Obstacle
from controller.model.pools import is_overdue, lack, slots
from controller.model.state import Attempt, State, Step, StepKey, Workflow
from controller.spec.expression import OPEN
from controller.spec.placement import MACHINE, SLOTS_OF_ENGINES


class Limits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much may run, and what may not start now: settings of this controller, not facts.

    `max_parallel`: how many attempts this machine may run at once; `engines`: how many others may,
    where that is not the default. `away`: the engines that can't be reached. `ahead`: starts beyond
    `max_parallel` that may be queued in the executor, so that a slot that frees there need not wait
    for the disk. `only`: the requests whose lives this controller may start, None for all. `held`:
    the absolute specs folder while it can't be trusted; nothing in it is started. `gone`: workflows
    whose spec is absent, which is not believed yet, or has not been read yet. `short`: nothing
    starts, since the disk is nearly full. `stopping`: nothing starts, and what runs on this machine
    is ended, to be tried again by the next controller. `keep_finished`: how many lives that are
    over may stay in the state; None for all.
    """

    max_parallel: int
    engines: dict[str, int] = {}
    away: frozenset[str] = frozenset()
    ahead: int = 0
    only: frozenset[str] | None = None
    held: str = ""
    gone: frozenset[str] = frozenset()
    short: bool = False
    stopping: bool = False
    keep_finished: int | None = None

    def slots_on(self, engine: str) -> int:
        """How many attempts the engine may have, from submission to proof."""
        return self.engines.get(engine, SLOTS_OF_ENGINES[engine])


def why_not(state: State, workflow: Workflow, step: Step, limits: Limits) -> Obstacle | None:
    """What keeps this ready step from starting now; None if the next plan starts it."""
    obstacle = standstill(state, workflow, step.is_hook) or why_not_by(workflow, step.name, limits)
    if obstacle is not None:
        return obstacle
    if is_full(workflow):
        return Obstacle.PARALLELISM
    if kept_back_by(workflow, step) is not None:
        return Obstacle.CHILDREN
    lacking = lack(state, step.uses)
    if lacking is not None:
        return lacking[0]
    if kept_for_another(state, workflow, step, limits) is not None:
        return Obstacle.POOL
    where = step.definition.slots
    kept_free = limits.ahead if step.uses and where == MACHINE else 0
    free = free_slots(state, limits, where) - kept_free
    return None if free > 0 else Obstacle.NO_FREE_SLOT


def kept_for_another(
    state: State, workflow: Workflow, step: Step, limits: Limits
) -> StepKey | None:
    """Who has waited so long for something that the step uses that it may not be overtaken."""
    for holding in step.uses:
        first = overdue(state, holding.name, limits)
        if first is not None and not may_overtake(workflow, step.name, first):
            return first.key
    return None


class Overdue(NamedTuple):
    priority: int
    key: StepKey


def may_overtake(workflow: Workflow, step: str, first: Overdue) -> bool:
    """Whether the step may have slots of a pool of which this one is overdue."""
    return workflow.priority > first.priority or (workflow.uid, step) == first.key


def overdue(state: State, name: str, limits: Limits) -> Overdue | None:
    """Of those that need several slots, this pool or lock among others, and have waited for them
    for so long that nothing of their priority may overtake them, the one that is first.

    Cost: O(1), or O(those that have waited so long) where priorities differ, or their workflows may
    not start them.
    """
    first: Overdue | None = None
    for _, (uid, step) in state.several.get(name, ()):
        workflow = state.lives[uid]
        if not is_overdue(state, workflow.steps[step]):
            break
        if first is not None and workflow.priority <= first.priority:
            continue
        if _could_start(state, workflow, workflow.steps[step], limits):
            first = Overdue(workflow.priority, (uid, step))
            if workflow.priority >= _highest_priority(state):
                break
    return first


def _highest_priority(state: State) -> int:
    """Of all that wait for what they use. Cost: O(lines)."""
    queues = (queue for lines in state.lines.values() for queue in lines.values())
    return max((-min(queue)[0] for queue in queues), default=0)


def _could_start(state: State, workflow: Workflow, step: Step, limits: Limits) -> bool:
    """Whether only slots keep it from starting."""
    if rank_of(state, workflow) is None or why_not_by(workflow, step.name, limits) is not None:
        return False
    return all(holding.slots <= slots(state, holding.name) for holding in step.uses)


def why_not_by(workflow: Workflow, step: str, limits: Limits) -> Obstacle | None:
    """What this controller knows that keeps the step from starting, slots aside."""
    return (
        why_nothing(limits)
        or why_none_of(workflow, limits)
        or why_not_there(workflow, step, limits)
        or why_not_with(workflow, step, limits)
    )


def free_slots(state: State, limits: Limits, where: str = MACHINE) -> int:
    """How many starts there is room for on this machine, or by an engine.

    Those that are queued there are counted, too.
    """
    live: Iterable[Attempt] = state.live.values()
    if state.folder_id:  # else no engine has ever had anything
        live = [attempt for attempt in live if attempt.slots == where]
    held = sum(not attempt.gives_way for attempt in live)
    if where:
        return limits.slots_on(where) - held
    return limits.max_parallel + limits.ahead - held


def why_nothing(limits: Limits) -> Obstacle | None:
    """What keeps this controller from starting anything."""
    if limits.stopping:
        return Obstacle.STOPPING
    return Obstacle.DISK_PRESSURE if limits.short else None


def why_none_of(workflow: Workflow, limits: Limits) -> Obstacle | None:
    """What keeps this controller from starting anything of the workflow."""
    if limits.only is not None and workflow.request not in limits.only:
        return Obstacle.NOT_DRIVEN
    absent = workflow.document in limits.gone and workflow.origin != "run"
    return Obstacle.SPEC_ABSENT if absent else None


def why_not_there(workflow: Workflow, step: str, limits: Limits) -> Obstacle | None:
    """Whether the step runs in a folder that is held."""
    if not limits.held:
        return None
    path = working_dir(workflow, step, limits.held)
    inside = path == limits.held or path.startswith(limits.held.rstrip("/") + "/")
    return Obstacle.FOLDER_HELD if inside else None


def why_not_with(workflow: Workflow, step: str, limits: Limits) -> Obstacle | None:
    """Whether the engine of the step can't be reached."""
    if not limits.away or workflow.step(step).definition.engine not in limits.away:
        return None
    return Obstacle.ENGINE_UNREACHABLE


def working_dir(workflow: Workflow, step: str, folder: str) -> str:
    """The absolute directory in which the step runs: relative to the folder of its spec's file.

    Where an expression says it, that folder itself: only an attempt knows more.
    """
    definition = workflow.step(step).definition
    if OPEN in definition.working_dir:
        return home_of(workflow, folder)
    parts = home_of(workflow, folder), definition.home, definition.working_dir
    return posixpath.normpath(posixpath.join(*parts))


def home_of(workflow: Workflow, folder: str) -> str:
    """The absolute folder of its spec's file."""
    return posixpath.dirname(posixpath.join(folder, workflow.path))
