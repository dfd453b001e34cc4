"""The indexes over the state: what to look at, what lives, who may use a slot, what is due.

The cost of a turn depends on what changed, not on what exists, so nothing is searched. Each
question of the planner has an index, and only the functions of this module change the indexes.
Cost: O(1); for timers, which are a sorted list, O(log n) and a memmove.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Collection, Iterator
from itertools import islice

from msgspec import UnsetType

from controller.model import pools, queues
from controller.model.events import MarkerPlaced
from controller.model.phases import FAILING_CANCELS, Obstacle, Phase, Reason
from controller.model.state import (
    NAMES_MAX,
    RUNS_MAX,
    SECOND,
    Attempt,
    Group,
    Pool,
    Question,
    RunShort,
    State,
    Step,
    Timer,
    Workflow,
    document_of,
    starter_of,
    timeout_seconds,
)
from controller.model.timers import AWAITED, TimerKind
from controller.spec.definition import Definition
from controller.spec.models import Spec
from controller.spec.placement import MACHINE
from controller.spec.triggers.due import offset
from controller.spec.triggers.trigger import keep_instances, triggers
from controller.spec.uses import Holding

SEEN_SECONDS = 10.0  # an end stays in the state at least so long, for those who wait for it

# ---------------------------------------- what to look at


def touch(state: State, workflow: Workflow, step: Step | None = None) -> None:
    """Have the next plan look at the workflow, and at this step of it, because of this record."""
    workflow.cause = state.seq
    steps = state.touched.get(workflow.uid)
    if steps is None:
        steps = state.touched[workflow.uid] = {}
    if step is not None:
        step.cause = state.seq
        steps[step.name] = None


def touch_all(state: State) -> None:
    """Have the next plan look at everything: a restart assumes nothing.

    This changes no cause: what is decided next follows from what the log said before.
    """
    state.touched = {life.uid: dict.fromkeys(life.steps) for life in state.workflows.values()}


# ---------------------------------------- slots


def occupy(state: State, workflow: Workflow, step: Step, attempt: Attempt) -> None:
    """A new attempt takes a slot."""
    state.live[workflow.uid, step.name] = attempt
    queues.count_attempt(state, workflow, +1)
    pools.leave(state, workflow, step)
    for other in pools.hold(state, workflow, step, attempt):
        requeue(state, other)
    requeue(state, workflow)


def vacate(state: State, workflow: Workflow, step: Step) -> None:
    """Its attempt is over: the slot is free, and what it used."""
    pools.release(state, workflow, step, state.live.pop((workflow.uid, step.name)))
    queues.count_attempt(state, workflow, -1)
    requeue(state, workflow)


def want_slot(state: State, workflow: Workflow, step: Step) -> None:
    """The step waits for a slot, behind all that waited before it."""
    parent = workflow.parent_of(step)
    if parent is not None and not step.admitted:
        if not has_place(parent):
            parent.kept_back[step.name] = None
            return
        _admit(parent, step)
    _may_begin(state, workflow, step)
    requeue(state, workflow)


def _may_begin(state: State, workflow: Workflow, step: Step) -> None:
    """Only its slot is missing, and what it uses; one with children needs none."""
    if step.is_parent:
        touch(state, workflow, step)
    elif step.live is None:
        if step.is_hook:  # at most one is ready; it goes first, since the run waits for it
            _put_at(workflow, step, 0)
        else:
            _wait(state, workflow, step)


def _wait(state: State, workflow: Workflow, step: Step) -> None:
    for other in pools.wait(state, workflow, step):
        requeue(state, other)


def use_otherwise(state: State, workflow: Workflow, step: Step, uses: list[Holding]) -> None:
    """An edit changed what a ready step uses; it keeps its turn."""
    parked = pools.is_parked(workflow, step)
    waits = parked or pools.is_ready(workflow, step)
    pools.forget(state, workflow, step)
    step.uses = uses
    for other in pools.wait_anew(state, workflow, step) if waits else ():
        requeue(state, other)
    if parked and pools.is_ready(workflow, step):
        _keep_turn(workflow, step)
    requeue(state, workflow)


def _keep_turn(workflow: Workflow, step: Step) -> None:
    """It is the last in `ready`: let those that became ready after it follow. Cost: O(those)."""
    later: list[str] = []
    ready = workflow.ready_for(step.definition.slots)
    for name in islice(reversed(ready), 1, None):
        if name in workflow.hooks or workflow.steps[name].ready_seq < step.ready_seq:
            break
        later.append(name)
    for name in reversed(later):  # inserted again, since an image keeps that order alone
        del ready[name]
        ready[name] = None


def resize(state: State, name: str, pool: Pool | None) -> None:
    """The pool has other slots now, or (None) it is gone."""
    if pool is None:
        del state.pools[name]
    else:
        state.pools[name] = pool
    for workflow in pools.park(state, f"pool {name}"):
        requeue(state, workflow)


def kept_back_by(workflow: Workflow, step: Step) -> Step | None:
    """Its parent, if the `parallelism` of that lets other children run first."""
    parent = workflow.parent_of(step)
    return parent if parent is not None and step.name in parent.kept_back else None


def has_place(parent: Step) -> bool:
    return parent.limit is None or parent.places < parent.limit


def let_begin(state: State, workflow: Workflow, parent: Step, step: Step) -> None:
    """There is a place for this child."""
    _admit(parent, step)
    _may_begin(state, workflow, step)


def _admit(parent: Step, step: Step) -> None:
    step.admitted = True
    parent.places += 1


def take_place(workflow: Workflow, step: Step) -> None:
    """It has started, admitted or not: its start may have been withdrawn too late."""
    parent = workflow.parent_of(step)
    if parent is not None and not step.admitted:
        _admit(parent, step)


def give_place(state: State, workflow: Workflow, step: Step) -> None:
    """A child has ended, or waits as if it had never begun: another one may begin."""
    parent = workflow.parent_of(step)
    if parent is None or not step.admitted:
        return
    step.admitted = False
    parent.places -= 1
    while parent.kept_back and has_place(parent):
        name = next(iter(parent.kept_back))
        del parent.kept_back[name]
        let_begin(state, workflow, parent, workflow.steps[name])
    requeue(state, workflow)


def want_slot_again(state: State, workflow: Workflow, step: Step) -> None:
    """Its start was withdrawn: it waits where it was, before all that have waited less long.

    Those are what has had no place yet, and what was withdrawn but got its place after it. Cost:
    O(ready).
    """
    if step.leaving is not None:
        return  # an edit let it go
    parent = workflow.parent_of(step)
    if parent is not None and not step.admitted and has_place(parent):
        _admit(parent, step)
    if parent is not None and not step.admitted:
        parent.kept_back = {step.name: None, **parent.kept_back}
        return
    if step.is_parent:
        return  # an edit gave it children
    if step.uses:
        _wait(state, workflow, step)
        requeue(state, workflow)
        return
    place = 0
    for name in workflow.ready_for(step.definition.slots) if not step.is_hook else ():
        if name not in workflow.hooks and not _came_before(workflow.steps[name], step):
            break
        place += 1
    _put_at(workflow, step, place)
    requeue(state, workflow)


def _put_at(workflow: Workflow, step: Step, place: int) -> None:
    """Built anew, since an image keeps the order of insertion alone."""
    slots = step.definition.slots
    waiting = list(workflow.ready_for(slots))
    ready = OrderedDict.fromkeys((*waiting[:place], step.name, *waiting[place:]))
    if slots:
        workflow.ready_on[slots] = ready
    else:
        workflow.ready = ready


def define(state: State, workflow: Workflow, step: Step, definition: Definition) -> bool:
    """An edit says what the step does. True: it is to wait for a slot of another engine now, by
    `wait_elsewhere`, when the workflow has all its steps again.
    """
    moves = definition.slots != step.definition.slots
    if moves and pools.is_parked(workflow, step):
        pools.change_slots(state, workflow, step, definition)
    moves = moves and pools.is_ready(workflow, step)
    if moves:
        pools.strike(workflow, step)
    step.definition = definition
    return moves


def wait_elsewhere(workflow: Workflow, step: Step) -> None:
    """It waits for a slot of its engine, and keeps its turn. The workflow is to be queued again."""
    pools.enlist(workflow, step)
    _keep_turn(workflow, step)


def _came_before(other: Step, step: Step) -> bool:
    """Whether the start of the other one was withdrawn as well, and was promised earlier."""
    earlier, own = other.attempt, step.attempt
    if own is None or earlier is None or earlier.reason != Reason.WITHDRAWN:
        return False
    return earlier.seq <= own.seq


def want_no_slot(state: State, workflow: Workflow, step: Step) -> None:
    pools.leave(state, workflow, step)
    parent = workflow.parent_of(step)
    if parent is not None:
        parent.kept_back.pop(step.name, None)
    requeue(state, workflow)


def requeue(state: State, workflow: Workflow) -> None:
    """Put the workflow into its place in the queue for slots, and in the lines for what it uses,
    or take it out.
    """
    rank = rank_for(state, workflow)
    queues.move(state, queues.HERE, workflow, workflow.rank, rank)
    workflow.rank = rank
    if workflow.ready_on or workflow.rank_on:
        for slots in {*workflow.ready_on, *workflow.rank_on}:
            was, rank = workflow.rank_on.pop(slots, None), rank_for(state, workflow, slots)
            queues.move(state, (queues.SLOTS, slots), workflow, was, rank)
            if rank is not None:
                workflow.rank_on[slots] = rank
    if workflow.parked:
        pools.line_up(state, workflow, rank_of(state, workflow))


def rank_for(state: State, workflow: Workflow, slots: str = MACHINE) -> int | None:
    """Its rank in the queue for these slots; None if it can't use a free one."""
    ready = workflow.ready_for(slots)
    if not ready:
        return None
    hook = next(iter(ready)) in workflow.hooks
    return rank_of(state, workflow, hook)


def rank_of(state: State, workflow: Workflow, hooks: bool = False) -> int | None:
    """Its rank among those that wait; None if it may start no step, or (`hooks`) none of those."""
    if is_full(workflow) or standstill(state, workflow, hooks) is not None:
        return None
    return -workflow.priority


def is_full(workflow: Workflow) -> bool:
    """Whether as many steps of it run as its `parallelism` allows."""
    limit = workflow.parallelism
    return limit is not None and workflow.occupied >= limit


def standstill(state: State, workflow: Workflow, hooks: bool = False) -> Obstacle | None:
    """Why the workflow may start no step, as far as the log knows; the most serious first.

    `hooks`: why it may start none of those.
    """
    if hooks:
        waits = workflow.suspended is not None and not is_to_end(state, workflow)
        return Obstacle.SUSPENDED if waits else None
    if workflow.deleting or state.workflows.get(workflow.name) is not workflow:
        return Obstacle.DELETED
    if workflow.suspended is not None:
        return Obstacle.SUSPENDED
    if workflow.is_queued:
        return Obstacle.QUEUED
    if forbidden(state, workflow.name) is not None:
        return Obstacle.CANCEL_MARKER
    return Obstacle.CANCELLED if workflow.cancel is not None else None


def is_to_end(state: State, workflow: Workflow) -> bool:
    """Whether somebody wants the workflow cancelled or deleted."""
    cancel = workflow.cancel
    cancelled = cancel is not None and cancel.reason not in FAILING_CANCELS
    return cancelled or workflow.deleting or forbidden(state, workflow.name) is not None


# ---------------------------------------- markers


def place_marker(state: State, marker: MarkerPlaced) -> None:
    displace_marker(state, marker.path)
    state.markers[marker.path] = marker
    state.markers_of.setdefault(marker.workflow, {})[marker.path] = marker
    _look_again(state, marker)


def displace_marker(state: State, path: str) -> None:
    marker = state.markers.pop(path, None)
    if marker is None:
        return
    del state.markers_of[marker.workflow][path]
    if not state.markers_of[marker.workflow]:
        del state.markers_of[marker.workflow]
    _look_again(state, marker)


def _look_again(state: State, marker: MarkerPlaced) -> None:
    """Also at its steps: one that was allowed to finish may have to end now."""
    for workflow in concerned(state, marker.workflow):
        requeue(state, workflow)
        touch(state, workflow)
        for name in marker.steps:
            if name in workflow.steps:
                touch(state, workflow, workflow.steps[name])


def concerned(state: State, name: str) -> Iterator[Workflow]:
    """The workflow of this name; of a definition, its unfinished instances too."""
    workflow = state.workflows.get(name)
    if workflow is not None:
        yield workflow
        if workflow.starter is not None:
            yield from (state.lives[uid] for uid in workflow.starter.unfinished)


def markers_for(state: State, name: str) -> dict[str, MarkerPlaced]:
    """The markers of a workflow, by path; for an instance, those of its definition too."""
    own, document = state.markers_of.get(name, {}), document_of(name)
    return own if document == name else {**state.markers_of.get(document, {}), **own}


def is_without_hooks(state: State, workflow: Workflow) -> bool:
    """Whether a cancellation or a marker says that no hook of it runs any more."""
    if workflow.cancel is not None and not workflow.cancel.hooks:
        return True
    return any(not marker.hooks for marker in markers_for(state, workflow.name).values())


def forbidden(state: State, name: str) -> MarkerPlaced | None:
    """The marker that stops all of NAME; if there are several, the strictest."""
    if not state.markers_of or not (markers := markers_for(state, name)):
        return None
    whole = [marker for marker in markers.values() if not marker.steps]
    return min(whole, key=lambda marker: marker.drain, default=None)


# ---------------------------------------- what may go to the archive


def set_over(state: State, workflow: Workflow) -> None:
    """Put a life that is over into `over`, and set the time when part of it may be archived."""
    if workflow.uid in state.lives and is_over(state, workflow):
        state.over.setdefault(workflow.uid)
    else:
        state.over.pop(workflow.uid, None)
    set_timer(state, workflow, "", TimerKind.EXPIRY, expiry(state, workflow))


def is_over(state: State, workflow: Workflow) -> bool:
    """Nothing refers to it any more: it has no file, and no name except one that `run` gave it.

    An instance goes with its definition, or when that has enough of them.
    """
    if workflow.birth is not None:
        return False
    present = state.workflows.get(workflow.name) is workflow
    if not present and "Ended" in workflow.conditions:
        return True  # it may never have begun
    return workflow.finished and (workflow.origin == "run" or not present)


def expiry(state: State, workflow: Workflow) -> int | None:
    """When its time to live is over, if something may be archived then."""
    ttl = workflow.ttl_seconds
    if workflow.birth is not None and state.workflows.get(workflow.name) is not workflow:
        ttl = 0.0  # it goes with its definition
    if ttl is None or not workflow.finished:
        return None
    if workflow.birth is not None:
        return workflow.since + round(max(ttl, SEEN_SECONDS) * SECOND)
    past = any(len(step.attempts) > 1 for step in workflow.with_hooks)
    if not past and not is_over(state, workflow):
        return None
    return workflow.since + round(max(ttl, SEEN_SECONDS) * SECOND)


# ---------------------------------------- definitions and their instances


def instances_of(state: State, definition: Workflow) -> list[Workflow]:
    """Those that have a name, the unfinished ones first; of a plain workflow, none."""
    starter = definition.starter
    if starter is None:
        return []
    return [state.lives[uid] for uid in (*starter.unfinished, *starter.ended)]


def definition_of(state: State, instance: Workflow) -> Workflow | None:
    """None if it is gone, or `instance` is none."""
    if instance.birth is None:
        return None
    definition = state.lives.get(instance.birth.definition)
    return None if definition is None or definition.starter is None else definition


def wall(state: State, now: int) -> int:
    """What the wall clock shows when the controller's clock shows `now`; microseconds."""
    return now + state.controller.ahead


def set_due(state: State, definition: Workflow, name: str) -> None:
    """Set the timer of a trigger's next due time; while nothing is decided, it has none."""
    starter = starter_of(definition)
    trigger, due = starter.triggers.get(name), None
    if trigger is not None and trigger.due is not None and not starter.hold:
        jitter = offset(definition.name, name, triggers(definition.spec)[name].jitter)
        due = (trigger.due + jitter) * SECOND - state.controller.ahead
    set_timer(state, definition, name, TimerKind.DUE, due)


def hold_of(state: State, definition: Workflow) -> str:
    """Why no trigger of the definition begins anything now; "" if they do."""
    if definition.deleting:
        return Obstacle.DELETED
    waits = definition.pending
    if waits is not None and isinstance(waits.document.spec.triggers, UnsetType):
        return "EditPending"  # it is to be a definition no longer
    if definition.suspended is not None:
        return Reason.SUSPENDED
    return Reason.CANCEL_MARKER if forbidden(state, definition.name) is not None else ""


def line_up(state: State, instance: Workflow) -> None:
    """Put an instance among those of its definition that are queued, run or have ended."""
    definition, birth = definition_of(state, instance), instance.birth
    if definition is None or birth is None:
        return
    starter, uid = starter_of(definition), instance.uid
    there = state.workflows.get(instance.name) is instance
    _keep(starter.unfinished, uid, there and not instance.finished)
    _keep(starter.ended, uid, there and instance.finished)
    group = starter.groups.setdefault(birth.line, Group())
    _keep(group.queued, uid, uid in starter.unfinished and birth.queued)
    _keep(group.running, uid, uid in starter.unfinished and not birth.queued)
    if not group.queued and not group.running:
        del starter.groups[birth.line]
    count_ended(state, definition)
    touch(state, definition)


def _keep(table: dict[str, None], uid: str, wanted: bool) -> None:
    """Have the uid in the table, at the place that it has there already, or not."""
    if wanted:
        table.setdefault(uid)
    else:
        table.pop(uid, None)


def count_ended(state: State, definition: Workflow) -> None:
    """Note whether a definition has more ended instances than it keeps."""
    if len(starter_of(definition).ended) > keep_instances(definition.spec):
        state.surplus.setdefault(definition.uid)
    else:
        state.surplus.pop(definition.uid, None)


def look_out(state: State, definition: Workflow) -> None:
    """Note the workflows whose runs its triggers wait for, and the triggers that wait for files."""
    for name, trigger in triggers(definition.spec).items():
        if trigger.after:
            state.followers.setdefault(trigger.after, {})[definition.uid, name] = None
        if trigger.files:
            state.inboxes[definition.uid, name] = None


def look_away(state: State, definition: Workflow, spec: Spec) -> None:
    """Forget those of the triggers of `spec`, which it had."""
    for name, trigger in triggers(spec).items():
        state.inboxes.pop((definition.uid, name), None)
        followers = state.followers.get(trigger.after, {})
        followers.pop((definition.uid, name), None)
        if not followers:
            state.followers.pop(trigger.after, None)


# ---------------------------------------- the runs of a name


def run_to_be(state: State, workflow: Workflow) -> int:
    """The run to which what happens next belongs: the present one, or the one that it begins."""
    return workflow.run if workflow.in_run else next_run(state, workflow)


def phase_of_run(workflow: Workflow) -> str:
    """What the present run has come to; until that is decided, Running."""
    return Phase.RUNNING if workflow.end is None else workflow.end.phase


def phase_before(state: State, workflow: Workflow) -> str:
    """How the run before the present one has ended; "" if there was none.

    In the first run of an instance: how the instance has ended that did so last.
    """
    runs = state.runs.get(workflow.name, [])
    if len(runs) > 1:
        return runs[-2].phase
    definition = definition_of(state, workflow)
    if definition is None:
        return ""
    last = next(reversed(starter_of(definition).ended), None)
    return "" if last is None else state.lives[last].phase


def next_run(state: State, workflow: Workflow) -> int:
    """Run numbers go on from one life of a name to the next."""
    known = state.runs.get(workflow.name)
    return (known[-1].number if known else workflow.run) + 1


def remember_run(state: State, name: str, run: RunShort) -> None:
    runs = state.runs.setdefault(name, [])
    runs.append(run)
    del runs[:-RUNS_MAX]


def forget_name(state: State, name: str) -> None:
    """The name is free. Its runs are remembered until NAMES_MAX later names are free as well.

    Those of an instance are not: its definition goes on making names.
    """
    if name not in state.runs:
        return
    if document_of(name) != name:
        del state.runs[name]
        return
    state.gone[name] = None
    if len(state.gone) > NAMES_MAX:
        oldest, _ = state.gone.popitem(last=False)
        del state.runs[oldest]


# ---------------------------------------- timers


def set_timer(
    state: State,
    workflow: Workflow,
    step: str,
    kind: TimerKind,
    due: int | None,
) -> None:
    """Set, move or (`due` None) remove one timer."""
    key = (workflow.uid, step, kind)
    before = state.timer_of.pop(key, None)
    if before is not None:
        del state.timers[bisect_left(state.timers, Timer(before, *key))]
    if due is not None:
        state.timer_of[key] = due
        insort(state.timers, Timer(due, *key))
    if kind in AWAITED:
        _await(state, workflow, (due is not None) - (before is not None))


def stop_waiting(state: State, workflow: Workflow, step: Step) -> None:
    """Its backoff is over, or no longer matters; its question is taken back, if it is open."""
    if step.asking is not None:
        step.asking.open = False
        set_timer(state, workflow, step.name, TimerKind.APPROVAL, None)
    if step.retry_at is not None:
        step.retry_at = None
        set_timer(state, workflow, step.name, TimerKind.BACKOFF, None)


def set_timeout(state: State, workflow: Workflow, step: Step) -> None:
    """Use the step's present definition: a new policy applies at once to an attempt that runs, and
    to a question that is open.
    """
    attempt, due = step.live, None
    if attempt is not None and attempt.started is not None and attempt.ending is None:
        seconds = timeout_seconds(step, attempt)
        if seconds is not None:
            due = attempt.started + attempt.moved + round(seconds * SECOND)
    set_timer(state, workflow, step.name, TimerKind.TIMEOUT, due)
    if step.asking is not None:
        due = approval_due(workflow, step, step.asking)
        set_timer(state, workflow, step.name, TimerKind.APPROVAL, due)


def approval_due(workflow: Workflow, step: Step, question: Question) -> int | None:
    """When nobody may answer any more. It stands still while the workflow is suspended."""
    policy = step.definition.approve
    if policy is None or policy.timeout_seconds is None or workflow.suspended is not None:
        return None
    return question.asked + question.moved + round(policy.timeout_seconds * SECOND)


def _await(state: State, workflow: Workflow, more: int) -> None:
    """Count the timers of a life that must come due before the controller has settled."""
    count = state.awaited.pop(workflow.uid, 0) + more
    if count:
        state.awaited[workflow.uid] = count


def shift_timers(state: State, length: int, kinds: Collection[TimerKind]) -> None:
    """Move the timers of these kinds by `length` microseconds."""
    moved = sorted(
        timer._replace(due=timer.due + length) if timer.kind in kinds else timer
        for timer in state.timers
    )
    state.timers = moved
    state.timer_of = {(timer.uid, timer.step, timer.kind): timer.due for timer in moved}


def is_due(state: State, uid: str, step: str, kind: TimerKind, now: int) -> bool:
    due = state.timer_of.get((uid, step, kind))
    return due is not None and due <= now


def next_due(state: State, without_triggers: bool = False) -> int | None:
    timers = state.timers
    if without_triggers:
        timers = [timer for timer in timers if timer.kind is not TimerKind.DUE][:1]
    return timers[0].due if timers else None


def due(state: State, now: int) -> Iterator[Timer]:
    """The timers that have come due, earliest first."""
    for timer in state.timers:
        if timer.due > now:
            return
        yield timer
