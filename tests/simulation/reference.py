"""What must hold of any story, written without a look at how the controller does it."""

from collections.abc import Callable, Collection

from controller.model import events as e
from controller.model.observations import AttemptId
from controller.model.state import State, Step, Workflow
from controller.planner.permission import Limits

DONE = ("Succeeded", "Failed", "Skipped", "Cancelled")

# Only these may take a step out of a phase that was final.
REOPENS = (
    e.GenerationAccepted,
    e.StepReset,
    e.StepRestored,
    e.StepMarked,
    e.StepRemoved,
    e.StepExpanded,
    e.RequestApplied,
    e.LifeArchived,
)


def depends_on_what_is_not_met(state: State, event: e.AnyEvent) -> str:
    """An attempt may be promised only when each dependency has come to what is asked of it."""
    if not isinstance(event, e.AttemptScheduled):
        return ""
    steps = state.lives[event.uid].steps
    if event.step not in steps:
        return ""  # a hook
    child = steps[event.step]
    parent = steps.get(child.parent or "", child)
    if child.parent is not None and (not parent.expanded or event.step not in parent.children):
        return f"{event.step} starts, but {parent.name} has no such child now"
    if parent.definition.for_each is not None and child is parent:
        return f"{event.step} starts, but has children"
    life = state.lives[event.uid]
    if not _can_have(state, child):
        return f"{event.step} starts, but something that it uses is not free"
    limit, begun = _limit(life, child), _begun_siblings(life, child)
    if limit is not None and len(begun) >= limit:
        return f"{event.step} starts beside {begun}, but {limit} may run at once"
    for need in parent.definition.requires:
        dependency = steps[need.step]
        phase = str(dependency.phase)
        if not holds(dependency, need.condition):
            return f"{event.step} starts although {need.step} is {phase}, not {need.condition}"
    return ""


def _limit(life: Workflow, child: Step) -> int | None:
    """How many children of its parent may have begun at once."""
    parent = life.steps.get(child.parent or "")
    fan = parent.definition.for_each if parent is not None else None
    return fan.parallelism if fan is not None else None


def _begun_siblings(life: Workflow, child: Step) -> list[str]:
    """Those that have begun, or are to begin, and have not ended."""
    found = list[str]()
    for name, step in life.steps.items():
        if step.parent is None or step.parent != child.parent or step is child:
            continue
        last = step.attempts[-1] if step.attempts else None
        runs = last is not None and last.live and not last.gives_way
        waits = step.retry_at is not None and step.series_from is not None
        if runs or waits:
            found.append(name)
    return found


def holds(step: Step, condition: str) -> bool:
    """Whether what is asked of this step has come true."""
    phase = str(step.phase)
    if phase == "Failed" and step.definition.continue_on_failure:
        return True
    by_itself = phase == "Skipped" and str(step.reason) in ("WhenFalse", "SkippedItself")
    return {
        "Succeeded": phase == "Succeeded" or by_itself,
        "Failed": phase == "Failed",
        "Finished": phase in DONE and phase != "Cancelled",
    }[condition]


def moves_on_from(state: State, event: e.AnyEvent) -> Callable[[State], str]:
    """What is final stays so, but for what may reopen it. To be asked again once it is folded."""
    uid = getattr(event, "uid", "")
    if uid not in state.lives or isinstance(event, REOPENS):
        return lambda _: ""
    final = {
        name: step.phase for name, step in state.lives[uid].steps.items() if str(step.phase) in DONE
    }

    def changed(after: State) -> str:
        steps = after.lives[uid].steps
        gone = [
            name
            for name, phase in final.items()
            if name in steps and steps[name].phase is not phase
        ]
        return f"{type(event).__name__} moved {gone}, which had ended" if gone else ""

    return changed


def may_not_start(
    state: State, attempt: AttemptId, limits: Limits, begun: Collection[AttemptId]
) -> str:
    """Why a queued start may not be made now: what would keep a ready step from starting.

    `begun`: attempts that have started, of some of which the controller has not heard.
    """
    life = state.lives[attempt.uid]
    step = life.step(attempt.step)
    queued = step.attempts[-1]
    if step.is_hook:
        to_end = _is_to_end(state, life)
        problems = {
            "it is being withdrawn": queued.ending is not None,
            "another attempt was promised": queued.number != attempt.attempt,
            "its workflow is suspended": life.suspended is not None and not to_end,
        }
        return next((problem for problem, holds in problems.items() if holds), "")
    ready, running, _ = _ready_and_running(life, begun)
    markers = [one for one in state.markers.values() if one.workflow == life.name]
    rivals = [
        other.name
        for other in state.workflows.values()
        if other.priority > life.priority and _can_use_a_slot(state, other, begun)
    ]
    problems = {
        "it is being withdrawn": queued.ending is not None,
        f"it is {step.phase}": step.name not in ready,
        "another attempt was promised": queued.number != attempt.attempt,
        "it would do what an older generation says": queued.fingerprint != step.fingerprint,
        "a dependency is open": any(
            str(life.steps[step.sibling(need.step)].phase) not in DONE
            for need in step.definition.requires
        ),
        "its workflow is deleted": life.deleting,
        "its workflow is suspended": life.suspended is not None,
        "its workflow is cancelled": life.cancel is not None,
        "a marker is there": any(not one.steps or step.name in one.steps for one in markers),
        "parallelism is used up": life.parallelism is not None and len(running) >= life.parallelism,
        "the disk is nearly full": limits.short,
        "its controller stops": limits.stopping,
        f"{rivals} of a higher priority could start": bool(rivals),
    }
    return next((problem for problem, holds in problems.items() if holds), "")


def _is_to_end(state: State, life: Workflow) -> bool:
    by_itself = life.cancel is not None and str(life.cancel.reason) in (
        "DeadlineExceeded",
        "FailFast",
    )
    return life.deleting or _has_marker(state, life) or (life.cancel is not None and not by_itself)


def _has_marker(state: State, life: Workflow) -> bool:
    return any(one.workflow == life.name and not one.steps for one in state.markers.values())


def _ready_and_running(
    life: Workflow, begun: Collection[AttemptId]
) -> tuple[list[str], list[str], list[str]]:
    ready, running, withdrawn = list[str](), list[str](), list[str]()
    for step in life.with_hooks:
        live = step.attempts[-1] if step.attempts and step.attempts[-1].live else None
        begins = live is not None and AttemptId(life.uid, step.name, live.number) in begun
        if step.is_parent:
            continue  # only its children take slots
        afar = live is not None and live.engine != "local"  # it keeps its place from submission on
        if str(step.phase) == "Running" or begins or afar:
            running.append(step.name)
        elif live is not None and live.ending is not None:
            withdrawn.append(step.name)  # perhaps it has started
        elif str(step.phase) == "Ready":
            ready.append(step.name)
    return ready, running, withdrawn


def _can_use_a_slot(state: State, life: Workflow, begun: Collection[AttemptId]) -> bool:
    ready, running, withdrawn = _ready_and_running(life, begun)
    stands_still = (
        life.deleting
        or life.suspended is not None
        or life.cancel is not None
        or _has_marker(state, life)
        or (life.parallelism is not None and len(running + withdrawn) >= life.parallelism)
    )
    if any(life.step(name).is_hook for name in ready):
        stands_still = life.parallelism is not None and len(running + withdrawn) >= life.parallelism
        stands_still |= life.suspended is not None and not _is_to_end(state, life)
    steps = [life.step(name) for name in ready if life.step(name).definition.engine == "local"]
    return not stands_still and any(
        _has_place(life, one) and _can_have(state, one) for one in steps
    )


def _can_have(state: State, step: Step) -> bool:
    """Whether what it uses is free, or its own already."""
    if step.attempts and step.attempts[-1].live:
        return True
    held = [one for attempt in state.live.values() for one in attempt.uses]
    return all(
        one.slots + sum(other.slots for other in held if other.name == one.name)
        <= (1 if one.lock else state.pools[one.pool].slots if one.pool in state.pools else 0)
        for one in step.uses
    )


def _has_place(life: Workflow, step: Step) -> bool:
    limit = _limit(life, step)
    return limit is None or len(_begun_siblings(life, step)) < limit


def waits_for(state: State, life: Workflow, limits: Limits) -> str:
    """Something that will wake the workflow; empty if nothing ever does."""
    if life.finished:
        return "nothing, it is over"
    if life.suspended is not None:
        return "resume"
    if any(marker.workflow == life.name for marker in state.markers.values()):
        return "a marker to go"
    if any(step.attempts and step.attempts[-1].live for step in life.with_hooks):
        return "an attempt"
    if any(timer.uid == life.uid for timer in state.timers):
        return "time"
    if any(str(step.phase) == "Ready" for step in life.with_hooks):
        if limits.short or limits.held:
            return "room on the disk, or the folder"
        if len(state.live) >= limits.max_parallel + limits.ahead:
            return "a slot"
        if len(state.live) >= limits.max_parallel and _something_used_is_next(state):
            return "a slot that is really free, since nobody overtakes what uses something"
        if any(step.uses and not _can_have(state, step) for step in life.steps.values()):
            return "a pool or a lock"
    return ""


def _something_used_is_next(state: State) -> bool:
    return any(
        step.uses and str(step.phase) == "Ready" and _can_have(state, step)
        for life in state.workflows.values()
        for step in life.steps.values()
    )
