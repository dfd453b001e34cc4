"""Why a step is as it is: what `explain NAME STEP` says, from the state alone.

For a step that waits, the chain goes to what it waits for, then to what that waits for, and so on.
For a step that was skipped or cancelled, it goes to the failure, the marker or the edit at the
root. Each line says one thing, and its cause is indented below it.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from controller.model.indexes import kept_back_by, standstill
from controller.model.movement import MET, OPEN, waits_for_parent
from controller.model.observations import Request
from controller.model.phases import AttemptPhase, Obstacle, Phase, Reason
from controller.model.state import Condition, State, Step, Workflow
from controller.planner.permission import Limits, kept_for_another, why_not
from controller.spec.items import key_in, names_above, parent_name
from controller.spec.placement import MACHINE
from controller.view import words
from controller.view.children import made_it_so
from controller.view.look import Look
from controller.view.pools import in_front, of_lack, of_overdue
from controller.view.times import in_utc

DEPTH_MAX = 50  # of a chain of causes
_CAUSES_SHOWN = 12  # to people
NO_CONTROLLER = "NoController"


class Around(Struct, frozen=True, kw_only=True):
    """What the log does not know: the state of the controller and its machine now, and what was
    asked for, but not yet applied.
    """

    runs: bool
    limits: Limits | None = None  # None while the controller is starting
    conditions: list[Condition] = []
    asked: list[Request] = []


class Cause(Struct, frozen=True):
    """One line. `depth` 0 is the step itself; a deeper line explains the line above it."""

    depth: int
    step: str
    phase: str
    reason: str
    message: str


def causes(
    state: State,
    workflow: Workflow,
    step: Step,
    around: Around,
    depth_max: int = DEPTH_MAX,
) -> list[Cause]:
    """The step's phase, then its causes, down to the root; each step once.

    A step is shown at its shortest distance from the first one. Cost: the steps behind it and their
    dependencies.
    """
    reached = _reached(workflow, step, depth_max)
    return [cause for at, depth in reached for cause in _said(state, workflow, at, depth, around)]


def ways(state: State, workflow: Workflow, step: Step, around: Around, look: Look) -> list[Cause]:
    """For people: of each root one way to it, and of many or long ways the beginning and the end.

    A cause without a step stands for those in between.
    """
    kept = _to_roots(workflow, _reached(workflow, step, len(workflow.steps)))
    between = len(kept) - _CAUSES_SHOWN

    def said(reached: Sequence[tuple[Step, int]]) -> list[Cause]:
        return [
            cause
            for at, depth in reached
            for cause in _said(state, workflow, at, depth, around, look)
        ]

    if between <= 0:
        return said(kept)
    gap = Cause(DEPTH_MAX, "", "", "", f"… {between} more between")
    return [*said(kept[: _CAUSES_SHOWN // 2]), gap, *said(kept[-(_CAUSES_SHOWN // 2) :])]


def _said(
    state: State,
    workflow: Workflow,
    step: Step,
    depth: int,
    around: Around,
    look: Look | None = None,
) -> Iterator[Cause]:
    if step.phase is Phase.READY:
        reason, said = waits(state, workflow, step, around, look)
        if look is not None and reason == Reason.WAITING_FOR_POOL:
            said += in_front(state, workflow, step)
        yield Cause(depth, step.name, step.phase, reason, said)
    else:
        moment = in_utc if look is None else look.moment
        yield Cause(depth, step.name, step.phase, *words.of_step(state, workflow, step, moment))
    if step.phase is Phase.PENDING and not around.runs and step.retry_at is not None:
        yield Cause(depth + 1, "", "", NO_CONTROLLER, "no controller is running")


def _reached(workflow: Workflow, root: Step, depth_max: int) -> list[tuple[Step, int]]:
    """The step and its causes, each behind the one that it explains, with their depths."""
    below = _tree(workflow, root, depth_max)
    reached: list[tuple[Step, int]] = []
    waiting = [(root, 0)]
    while waiting:
        at, depth = waiting.pop()
        reached.append((at, depth))
        waiting += [(behind, depth + 1) for behind in reversed(below.get(at.name, []))]
    return reached


def _to_roots(workflow: Workflow, reached: Sequence[tuple[Step, int]]) -> list[tuple[Step, int]]:
    """Without the ways that only lead to what another way leads to as well."""
    found: list[tuple[Step, int]] = []
    depth = 0  # of the way that is being followed back
    for step, at in reversed(reached):
        if at == depth - 1 or not _behind(workflow, step):
            found.append((step, at))
            depth = at
    return found[::-1]


def _tree(workflow: Workflow, root: Step, depth_max: int) -> dict[str, list[Step]]:
    """For each step, the causes that are first reached through it, breadth first."""
    met, level = {root.name}, [root]
    below: dict[str, list[Step]] = {}
    for _ in range(depth_max):
        for step in level:
            behind = [other for other in _behind(workflow, step) if other.name not in met]
            met |= {other.name for other in behind}
            below[step.name] = behind
        level = [other for step in level for other in below[step.name]]
    return below


def _behind(workflow: Workflow, step: Step) -> list[Step]:
    """What it waits for, or what kept it from running; the children that made it what it is."""
    if step.expanded and step.phase in (Phase.FAILED, Phase.CANCELLED):
        return made_it_so(workflow, step)
    if step.phase not in (Phase.PENDING, Phase.SKIPPED):
        return []
    if step.is_hook:
        return [hook for hook in [workflow.next_hook] if hook is not None and hook is not step]
    parent = workflow.parent_of(step)
    if parent is not None and waits_for_parent(workflow, step):
        return [parent]
    verdicts = words.verdicts(workflow, step)
    unmet = [name for name, verdict in verdicts.items() if verdict not in (MET, OPEN)]
    wanted = unmet or [name for name, verdict in verdicts.items() if verdict == OPEN]
    return [workflow.steps[name] for name in wanted]


def waits(
    state: State, workflow: Workflow, step: Step, around: Around, look: Look | None = None
) -> words.Words:
    """Why a ready step does not start, by the rule that starts it.

    `look`: for people, who are told how long others hold what it waits for.
    """
    moment = in_utc if look is None else look.moment
    said = words.of_step(state, workflow, step, moment)  # what the log says
    if standstill(state, workflow, step.is_hook) is not None:
        return said
    if not around.runs:
        return NO_CONTROLLER, "ready to start, but no controller is running"
    if around.limits is None:
        return NO_CONTROLLER, "the controller is starting"
    if step.live is None:
        obstacle = why_not(state, workflow, step, around.limits)
        if obstacle in _OF_POOLS:
            return _of_pool(state, workflow, step, around.limits, look)
        return said if obstacle is None else _in_words(state, workflow, step, obstacle, around)
    if step.live.engine in around.limits.away:
        return _in_words(state, workflow, step, Obstacle.ENGINE_UNREACHABLE, around)
    if (
        step.live.slots == MACHINE
        and (trouble := _condition(around, "ExecutorTrouble")) is not None
    ):
        return trouble.type, trouble.message
    if step.live.ending is not None or said[0] == Reason.ENGINE_QUEUED:
        return said
    if len(_with_a_slot(state, MACHINE)) >= around.limits.max_parallel:
        return _in_words(state, workflow, step, Obstacle.NO_FREE_SLOT, around)
    return Reason.WAITING_FOR_SLOT, "about to start"


_OF_POOLS = (Obstacle.POOL, Obstacle.POOL_MISSING, Obstacle.POOL_TOO_SMALL)


def _of_pool(
    state: State, workflow: Workflow, step: Step, limits: Limits, look: Look | None
) -> words.Words:
    lacking = of_lack(state, step, None if look is None else look.clock)
    if lacking is not None:
        return lacking
    first = kept_for_another(state, workflow, step, limits)
    assert first is not None
    return of_overdue(state, step, first)


def _with_a_slot(state: State, where: str) -> list[str]:
    """The steps that have a slot there, without those that are queued for one of this machine."""
    return [
        f"{state.lives[uid].name}/{name}"
        for (uid, name), attempt in state.live.items()
        if attempt.slots == where and (where or attempt.phase is AttemptPhase.RUNNING)
    ]


def _in_words(
    state: State, workflow: Workflow, step: Step, obstacle: Obstacle, around: Around
) -> words.Words:
    limits = around.limits
    assert limits is not None
    if obstacle is Obstacle.PARALLELISM:
        inside = [name for uid, name in state.live if uid == workflow.uid]
        limit = workflow.parallelism
        said = f"waiting for a slot of this workflow (parallelism: {limit}{_busy(inside)})"
        return Reason.WAITING_FOR_SLOT, said
    parent = kept_back_by(workflow, step)
    if obstacle is Obstacle.CHILDREN and parent is not None:
        # Those that live, not all children: this is asked of each child that waits.
        live = [name for uid, name in state.live if uid == workflow.uid]
        pieces = (piece for name in live for piece in (name, *names_above(name)))
        keys = dict.fromkeys(key_in(piece) for piece in pieces if parent_name(piece) == parent.name)
        return Reason.WAITING_FOR_SLOT, words.of_limit(parent, list(keys))
    if obstacle is Obstacle.NO_FREE_SLOT:
        where = step.definition.slots
        running = _with_a_slot(state, where)
        slots = limits.slots_on(where) if where else limits.max_parallel
        what = f"a slot of {where}" if where else "a slot"
        said = f"waiting for {what} ({len(running)} of {slots} busy: {words.named(running)})"
        if not running:
            said = f"waiting for {what} (of {slots}); one is about to be free"
        return Reason.WAITING_FOR_SLOT, said
    condition = _condition(around, _TOLD_BY.get(obstacle, ""))
    return (obstacle, _SENTENCES[obstacle] if condition is None else condition.message)


# Obstacles for which a condition of the controller has a better message.
_TOLD_BY = {
    Obstacle.DISK_PRESSURE: "DiskPressure",
    Obstacle.FOLDER_HELD: "FolderHeld",
    Obstacle.SPEC_ABSENT: "MassDeletion",
    Obstacle.ENGINE_UNREACHABLE: "EngineUnreachable",
}
_SENTENCES = {
    Obstacle.STOPPING: "the controller is stopping; the next one starts it",
    Obstacle.DISK_PRESSURE: "the disk is nearly full: nothing new is started",
    Obstacle.FOLDER_HELD: "the specs folder can't be trusted now: nothing in it is started",
    Obstacle.ENGINE_UNREACHABLE: "its engine can't be reached: nothing new is given to it",
    Obstacle.SPEC_ABSENT: (
        "its spec is missing from the folder, or not read yet: no step starts until it is there"
    ),
    Obstacle.NOT_DRIVEN: (
        "the controller is a `treadle run`, which starts only its own workflows; "
        "when it has finished, `treadle up` starts this one"
    ),
}


def _condition(around: Around, kind: str) -> Condition | None:
    return next((condition for condition in around.conditions if condition.type == kind), None)


def _busy(names: list[str]) -> str:
    return f"; busy: {words.named(names)}" if names else ""
