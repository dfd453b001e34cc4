"""What must be true after every event: every index is right, and no state contradicts itself.

The indexes are updated event by event, so a mistake in one would show far from its cause: a slot
that never becomes free, a step that nobody looks at. Here each index is computed again from the
facts alone. Cost: O(world), so this is for tests and `replay --verify`, not for turns.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from controller.model import pools
from controller.model.apply.defaults import defaults_above, defined, policy_of
from controller.model.indexes import expiry, hold_of, is_over, rank_for, rank_of
from controller.model.movement import MET, OPEN, edge, edges, waits_for_parent
from controller.model.phases import TERMINAL, AttemptPhase, Phase, Reason
from controller.model.places import is_log, is_values_file
from controller.model.queues import HERE, SLOTS, occupied
from controller.model.state import (
    KEYS_MAX,
    LOOP_FIRINGS,
    NAMES_MAX,
    RUNS_MAX,
    SECOND,
    Armed,
    Attempt,
    Birth,
    Line,
    Queue,
    QueueKey,
    Starter,
    State,
    Step,
    StepKey,
    Workflow,
    timeout_seconds,
)
from controller.model.timers import AWAITED, TimerKind
from controller.spec.fingerprint import same_steps
from controller.spec.hooks import kind_of
from controller.spec.placement import MACHINE
from controller.spec.triggers.due import offset
from controller.spec.triggers.trigger import is_definition, keep_instances, triggers
from controller.spec.uses import wants_several


def check(state: State) -> None:
    """Raise AssertionError with every problem, and the whole workflow or step it is about."""
    found = list(problems(state))
    assert not found, "\n".join(found)


def problems(state: State) -> Iterator[str]:
    for workflow in state.lives.values():
        for step in workflow.with_hooks:
            for problem in (*_step(workflow, step), *_dependencies(workflow, step)):
                story = state.story(workflow.uid, step.name)
                yield f"{workflow.name}/{step.name}: {problem}: {story}"
        for problem in (
            *_workflow(state, workflow),
            *_counts(workflow),
            *_children(workflow),
            *_hooks(workflow),
            *_definition(state, workflow),
            *_instance(state, workflow),
        ):
            yield f"{workflow.name}: {problem}: {state.story(workflow.uid)}"
    yield from _live(state)
    yield from _timers(state)
    yield from _queue(state)
    yield from _pools(state)
    yield from _waits_of_triggers(state)
    yield from _names(state)
    yield from _over(state)
    yield from _runs(state)


# ---------------------------------------- one step


def _step(workflow: Workflow, step: Step) -> Iterator[str]:
    live = step.live
    if any(attempt.live for attempt in step.attempts[:-1]):
        yield "an attempt lives beside a later one"
    numbers = [attempt.number for attempt in step.attempts]
    if numbers != list(range(step.numbered - len(numbers) + 1, step.numbered + 1)):
        yield f"attempt numbers are not consecutive up to {step.numbered}: {numbers}"
    if live is not None and step.phase not in (Phase.READY, Phase.RUNNING):
        yield f"{step.phase} with a live attempt"
    if live is not None and (live.phase is AttemptPhase.RUNNING) != (step.phase is Phase.RUNNING):
        yield f"{step.phase} with an attempt that is {live.phase}"
    runs = live is not None or step.unjudged or step.is_parent or step.leaving is not None
    if step.phase is Phase.RUNNING and not runs:
        yield "Running, but nothing runs"
    if step.unjudged and (live is not None or step.phase not in (Phase.READY, Phase.RUNNING)):
        yield f"{step.phase} with an attempt to judge"
    yield from _files(workflow, step)
    yield from _question(workflow, step)
    if step.retry_at is not None and step.phase is not Phase.PENDING:
        yield f"{step.phase} in backoff"
    if step.is_wanted and step.phase in TERMINAL:
        yield f"{step.phase}, but something is still wanted of it"
    if step.phase in (Phase.SUCCEEDED, Phase.FAILED) and (
        step.standing is None or step.standing.phase is not step.phase
    ):
        yield f"{step.phase} without its result"
    if step.name in workflow.left:
        yield "in the spec and left"


def _files(workflow: Workflow, step: Step) -> Iterator[str]:
    for attempt in step.attempts:
        if not is_log(attempt.log, workflow.uid):
            yield f"attempt {attempt.number} prints to {attempt.log}"
        if attempt.values_file and not is_values_file(attempt.values_file, workflow.uid):
            yield f"attempt {attempt.number} was given the file {attempt.values_file}"


def _question(workflow: Workflow, step: Step) -> Iterator[str]:
    question = step.question
    waits = step.phase is Phase.PENDING and step.reason == Reason.AWAITING_APPROVAL
    if waits != (step.asking is not None):
        yield f"{step.phase} ({step.reason}) with the question {question}"
    if step.asking is not None and (step.definition.approve is None or not workflow.in_run):
        yield f"asks outside of a run, or without a question in the spec: {question}"
    if step.asking is not None and (step.live is not None or not step.has_begun):
        yield "asks, but has not begun, or has an attempt"
    if question is not None and question.number > step.questions:
        yield f"its question has a number above {step.questions}: {question}"
    if question is not None and question.open and question.approved is not None:
        yield f"its question is answered and open: {question}"
    runs = step.phase in (Phase.READY, Phase.RUNNING)
    if step.definition.approve is not None and runs and step.live is None and not step.is_wanted:
        yield f"{step.phase}, although it only asks"


def _dependencies(workflow: Workflow, step: Step) -> Iterator[str]:
    needs = edges(workflow, step)
    met, broken = 0, {}
    for name, condition in needs:
        dependency = workflow.steps[name]
        if (step.name, condition) not in dependency.dependents:
            yield f"{name} does not list it as a dependent"
        verdict = edge(dependency.phase, dependency.reason, dependency.tolerated, condition)
        met += verdict == MET
        if verdict not in (MET, OPEN):
            broken[name] = verdict
    met -= waits_for_parent(workflow, step)
    if step.open != len(needs) - met:
        yield f"counts {step.open} open dependencies of {len(needs)}, {met} are met"
    if step.broken != broken:
        yield f"broken dependencies should be {broken}"


# ---------------------------------------- one workflow


def _workflow(state: State, workflow: Workflow) -> Iterator[str]:
    present = state.workflows.get(workflow.name) is workflow
    if not present and (workflow.in_run or workflow.occupied):
        yield f"its life has ended while it is {workflow.phase}"
    if workflow.finished and workflow.unsettled:
        yield f"{workflow.phase} with unsettled steps"
    if workflow.finished and workflow.in_run:
        yield f"{workflow.phase} in the middle of a run"
    is_plain = workflow.starter is None
    if workflow.phase is Phase.SUSPENDED and (
        (is_plain and workflow.suspended is None) or workflow.occupied
    ):
        yield "Suspended, but still running"
    dependents = Counter(
        (need, step.name) for step in workflow.steps.values() for need, _ in edges(workflow, step)
    )
    known = Counter(
        (step.name, name) for step in workflow.steps.values() for name, _ in step.dependents
    )
    yield from _policy(state, workflow, present)
    if dependents != known:
        yield f"dependents differ: {dependents - known} missing, {known - dependents} too many"


def _policy(state: State, workflow: Workflow, present: bool) -> Iterator[str]:
    """It has the Defaults of its folder and above, as long as its document is in force."""
    above = defaults_above(state, workflow.origin, workflow.path, workflow.spec)
    if present and not workflow.deleting and workflow.spec.above != above:
        yield f"the Defaults above it are {workflow.spec.above}, should be {above}"
    for step in workflow.steps.values() if workflow.spec.above else ():
        found = defined(workflow, step)
        if found is not None and policy_of(step.definition) != policy_of(found):
            yield f"{step.name} has the policy {step.definition}, should have that of {found}"


def _children(workflow: Workflow) -> Iterator[str]:
    children: dict[str, list[Step]] = {}
    for step in workflow.steps.values():
        children.setdefault(step.parent or "", []).append(step)
    for parent in workflow.steps.values():
        if parent.parent is not None and parent.parent not in workflow.steps:
            yield f"{parent.name} is a child of {parent.parent}, which is not there"
        own = children.get(parent.name, [])
        if parent.expanded and not parent.is_parent:
            yield f"{parent.name} is expanded, but has neither forEach nor template"
        if [child.name for child in own if not child.leaving] and not parent.is_parent:
            yield f"{parent.name} has children, but neither forEach nor template"
        if {*parent.children} != {child.name for child in own if not child.leaving}:
            yield f"{parent.name} should have the children {parent.children}"
        open_ones = sum(child.phase not in TERMINAL for child in own)
        if parent.unsettled != open_ones:
            yield f"{parent.name} counts {parent.unsettled} open children, {open_ones} are"
        admitted = [child.name for child in own if child.admitted]
        if parent.places != len(admitted):
            yield f"{parent.name} counts {parent.places} admitted children: {admitted}"
        idle = [child.name for child in own if child.admitted and not _may_hold_a_place(child)]
        if idle:
            yield f"{parent.name} has places for {idle}, which have not begun and can't begin"
        back = {child.name for child in own if _waits(child) and not child.admitted}
        if parent.kept_back.keys() != back:
            yield f"{parent.name} keeps {list(parent.kept_back)} back, should keep {back}"
        if parent.kept_back and (parent.limit is None or parent.places < parent.limit):
            yield f"{parent.name} keeps children back although it has places"


def _may_hold_a_place(child: Step) -> bool:
    return child.has_begun or child.leaving is not None or child.phase is Phase.READY


def _hooks(workflow: Workflow) -> Iterator[str]:
    """Hooks run one after the other, those of the end of a run once all its steps are done."""
    due = workflow.due_hooks
    if len(set(due)) != len(due) or not workflow.hooks.keys() >= {*due}:
        yield f"the hooks {due} are to run, {list(workflow.hooks)} are known"
        return
    begun = [
        hook.name
        for hook in workflow.hooks.values()
        if hook.phase not in (Phase.PENDING, *TERMINAL)
    ]
    if len(begun) > 1:
        yield f"several hooks run: {begun}"
    left = [name for name, hook in workflow.hooks.items() if hook.phase not in TERMINAL]
    if left and not workflow.in_run:
        yield f"the hooks {left} have not ended, but their run has"
    if left != [name for name in workflow.hooks if name in due and name in left]:
        yield f"the hooks {left} have not ended, but only {due} are of this run"
    if any(not hook.is_hook or hook.name != name for name, hook in workflow.hooks.items()):
        yield "a step of the spec is among the hooks"
    if any(step.is_hook for step in workflow.steps.values()):
        yield "a hook is among the steps"
    if workflow.is_ending != (workflow.end is not None):
        yield f"its run is {workflow.stage}, and its end is {workflow.end}"
    if workflow.is_ending and workflow.unsettled:
        yield "its hooks run while it has unsettled steps"
    early = [name for name in left if kind_of(name) != "onStart"]
    if early and not workflow.is_ending:
        yield f"the hooks {left} have not ended while its run is {workflow.stage}"


def _counts(workflow: Workflow) -> Iterator[str]:
    steps = workflow.steps.values()
    failed = [step for step in steps if step.fails_its_workflow]
    waiting = [step.name for step in workflow.with_hooks if _wants_slot(workflow, step)]
    for what, kept, true in (
        ("unsettled", workflow.unsettled, sum(step.phase not in TERMINAL for step in steps)),
        ("failed", workflow.failed, len(failed)),
        ("cancelled", workflow.cancelled, sum(s.phase is Phase.CANCELLED for s in steps)),
        ("occupied", workflow.occupied, sum(step.live is not None for step in workflow.with_hooks)),
        ("ready", sorted(pools.waiting(workflow)), sorted(waiting)),
    ):
        if kept != true:
            yield f"{what} is {kept}, should be {true}"


def _wants_slot(workflow: Workflow, step: Step) -> bool:
    parent = workflow.parent_of(step)
    kept_back = parent is not None and step.name in parent.kept_back
    return _waits(step) and not kept_back and not step.is_parent


def _waits(step: Step) -> bool:
    ready = step.phase is Phase.READY and step.leaving is None
    return ready and step.live is None and not step.unjudged


# ---------------------------------------- definitions and their instances


def _definition(state: State, workflow: Workflow) -> Iterator[str]:
    starter = workflow.starter
    present = state.workflows.get(workflow.name) is workflow  # the copy of an instance has none
    needs_starter = workflow.birth is None and is_definition(workflow.spec)
    if present and (starter is not None) != needs_starter:
        yield "a definition has triggers and a starter, and nothing else has one"
    if starter is None:
        return
    if workflow.steps or workflow.hooks or workflow.in_run or workflow.birth is not None:
        yield "a definition with steps, a run, or a birth"
    if starter.triggers.keys() != triggers(workflow.spec).keys():
        yield f"it has the triggers {list(starter.triggers)}"
    yield from _instances(state, workflow, starter)
    if state.workflows.get(workflow.name) is not workflow:
        if starter.unfinished:
            yield f"it has ended before {list(starter.unfinished)}"
        return
    hold = hold_of(state, workflow)
    if starter.hold != hold:
        yield f"it believes that it is held by {starter.hold!r}, it is by {hold!r}"
    running = any(group.running for group in starter.groups.values())
    free = Phase.RUNNING if running else Phase.WAITING
    held = hold in (Reason.SUSPENDED, Reason.CANCEL_MARKER)
    if workflow.phase is not (Phase.SUSPENDED if held else free):
        yield f"it is {workflow.phase}, held by {hold!r}, and an instance runs: {running}"
    if len(starter.keys) > KEYS_MAX:
        yield f"it remembers {len(starter.keys)} keys"
    if any(arrival.trigger not in starter.triggers for arrival in starter.arrivals):
        yield f"runs have ended that no trigger waits for: {starter.arrivals}"
    for name, armed in starter.triggers.items():
        yield from (f"trigger {name} {problem}: {armed}" for problem in _armed(armed))


def _armed(armed: Armed) -> Iterator[str]:
    known = armed.mark
    for begin, end in armed.beyond:
        if not known <= begin < end:
            yield "has decided more than once, or stretches that are not in order"
        known = end
    if armed.due is not None and not armed.is_armed:
        yield "has a due time, but is not armed"
    if armed.due is not None and armed.due <= armed.mark:
        yield "waits for a due time that is decided"
    if armed.due is not None and any(begin < armed.due <= end for begin, end in armed.beyond):
        yield "waits for a due time that was decided ahead"
    if armed.catching is not None and armed.catching <= armed.mark:
        yield "catches up with what is decided"
    if any(missed.last <= missed.before for missed in armed.missed):
        yield "has missed nothing, and remembers that"
    if not armed.gone.keys() <= armed.consumed.keys():
        yield "knows files that are gone, and that it never took"
    if any(len(file.times) > LOOP_FIRINGS for file in armed.consumed.values()):
        yield "remembers too many firings of a file"


def _instances(state: State, definition: Workflow, starter: Starter) -> Iterator[str]:
    """By facts of the instances alone: which there are, which have ended, which count together."""
    own = [
        life
        for life in state.workflows.values()
        if life.birth is not None and life.birth.definition == definition.uid
    ]
    open_ones = {life.uid for life in own if not life.finished}
    ended = [life for life in own if life.finished]
    if starter.unfinished.keys() != open_ones:
        yield f"unfinished are {list(starter.unfinished)}, should be {sorted(open_ones)}"
    if starter.ended.keys() != {life.uid for life in ended}:
        yield f"ended are {list(starter.ended)}, should be {[life.uid for life in ended]}"
    groups: dict[str, tuple[set[str], set[str]]] = {}
    for life in own:
        if life.birth is not None and not life.finished:
            groups.setdefault(life.birth.line, (set(), set()))[life.birth.queued].add(life.uid)
    kept = {name: ({*group.running}, {*group.queued}) for name, group in starter.groups.items()}
    if kept != groups:
        yield f"the groups are {kept}, should be {groups}"
    for name, group in starter.groups.items():
        births = [state.lives[uid].order for uid in group.queued if uid in state.lives]
        if births != sorted(births):
            yield f"those that are queued in {name!r} are not in the order of their births"
    going = [state.lives[uid] for uid in starter.unfinished if uid in state.lives]
    occupied = sum(life.occupied for life in going)
    if starter.occupied != occupied:
        yield f"its instances hold {occupied} slots, it believes {starter.occupied}"
    present = state.workflows.get(definition.name) is definition
    surplus = present and len(ended) > keep_instances(definition.spec)
    if (definition.uid in state.surplus) != surplus:
        yield f"has {len(ended)} ended instances, and surplus is {list(state.surplus)}"


def _instance(state: State, workflow: Workflow) -> Iterator[str]:
    birth = workflow.birth
    if birth is None:
        return
    present = state.workflows.get(workflow.name) is workflow
    definition = state.lives.get(birth.definition)
    if not workflow.name.startswith(f"{workflow.document}@") or workflow.starter is not None:
        yield "an instance is NAME@KEY, and begins nothing itself"
    if not present:
        return
    if definition is None:
        yield "its definition is not known"
    elif definition.starter is not None:  # it has none in the copy of an instance
        yield from _of_definition(state, workflow, birth, definition)


def _of_definition(
    state: State, workflow: Workflow, birth: Birth, definition: Workflow
) -> Iterator[str]:
    """An instance fits its definition."""
    if state.workflows.get(definition.name) is not definition:
        yield "it goes on after its definition has ended"
    if definition.name != workflow.document or workflow.path != definition.path:
        yield f"it is one of {definition.name} ({definition.path})"
    if definition.deleting and not workflow.deleting:
        yield "it goes on although its definition is deleted"
    started = [
        step.name
        for step in workflow.with_hooks
        if step.phase in (Phase.READY, Phase.RUNNING) or step.live is not None
    ]
    waiting = any(pools.waiting(workflow))
    if birth.queued and (started or workflow.in_run or waiting):
        yield f"it is queued, and yet something starts: {started}"
    if birth.queued and workflow.phase is not Phase.PENDING:
        yield f"it is queued, and {workflow.phase}"
    if birth.behind and (workflow.finished or same_steps(workflow.spec, definition.spec)):
        yield "it is behind, but there is nothing that it could follow"
    if workflow.generation == definition.generation and workflow.spec is not definition.spec:
        yield "it has the generation of its definition, but a spec of its own"


def _waits_of_triggers(state: State) -> Iterator[str]:
    followers: dict[str, set[StepKey]] = {}
    inboxes: set[StepKey] = set()
    for life in state.workflows.values():
        if life.starter is None or life.deleting:
            continue
        for name, trigger in triggers(life.spec).items():
            if trigger.after:
                followers.setdefault(trigger.after, set()).add((life.uid, name))
            if trigger.files:
                inboxes.add((life.uid, name))
    kept = {name: {*some} for name, some in state.followers.items()}
    if kept != followers:
        yield f"those that wait for the ends of others are {kept}, should be {followers}"
    if state.inboxes.keys() != inboxes:
        yield f"those that wait for files are {list(state.inboxes)}, should be {inboxes}"
    there = {uid for uid, life in state.lives.items() if state.workflows.get(life.name) is life}
    if not state.surplus.keys() <= there:
        yield f"surplus are {list(state.surplus)}, of which some have no name any more"


# ---------------------------------------- all of them


def _live(state: State) -> Iterator[str]:
    true = {
        (workflow.uid, step.name): step.live
        for workflow in state.lives.values()
        for step in workflow.with_hooks
        if step.live is not None
    }
    if state.live.keys() != true.keys():
        yield f"live is {sorted(state.live)}, should be {sorted(true)}"
    elif any(state.live[key] is not attempt for key, attempt in true.items()):
        yield "live holds an attempt that is not the last one"


def _timers(state: State) -> Iterator[str]:
    true = {key: due for key, due in _due(state) if due is not None}
    if state.timer_of != true:
        yield f"timers are {state.timer_of}, should be {true}"
    awaited = Counter(uid for uid, _, kind in true if kind in AWAITED)
    if state.awaited != awaited:
        yield f"awaited timers are {state.awaited}, should be {dict(awaited)}"
    listed = [(timer.due, timer.uid, timer.step, timer.kind) for timer in state.timers]
    if listed != sorted((due, *key) for key, due in true.items()):
        yield f"the sorted timers are {listed}, should be {true}"


def _due(state: State) -> Iterator[tuple[tuple[str, str, TimerKind], int | None]]:
    for workflow in state.lives.values():
        yield (workflow.uid, "", TimerKind.EXPIRY), expiry(state, workflow)
    for workflow in state.workflows.values():
        yield (workflow.uid, "", TimerKind.DEADLINE), _deadline(workflow)
        for step in workflow.with_hooks:
            waits = workflow.suspended is None or step.is_hook
            backoff = step.retry_at if waits else None
            yield (workflow.uid, step.name, TimerKind.BACKOFF), backoff
            yield (workflow.uid, step.name, TimerKind.TIMEOUT), _timeout(step, step.live)
            yield (workflow.uid, step.name, TimerKind.APPROVAL), _approval(workflow, step)
        yield from _of_triggers(state, workflow)


def _of_triggers(
    state: State, workflow: Workflow
) -> Iterator[tuple[tuple[str, str, TimerKind], int | None]]:
    starter = workflow.starter
    if starter is None or starter.hold:
        return
    for name, armed in starter.triggers.items():
        if armed.due is not None:
            jitter = offset(workflow.name, name, triggers(workflow.spec)[name].jitter)
            due = (armed.due + jitter) * SECOND - state.controller.ahead
            yield (workflow.uid, name, TimerKind.DUE), due


def _deadline(workflow: Workflow) -> int | None:
    seconds, cancel = workflow.deadline_seconds, workflow.cancel
    if seconds is None or not workflow.in_run or workflow.started is None:
        return None
    if workflow.suspended is not None or (cancel is not None and not cancel.drain):
        return None
    if workflow.is_ending:
        return None
    return workflow.started + workflow.stood + round(seconds * SECOND)


def _timeout(step: Step, attempt: Attempt | None) -> int | None:
    if attempt is None or attempt.started is None or attempt.ending is not None:
        return None
    seconds = timeout_seconds(step, attempt)
    if seconds is None:
        return None
    return attempt.started + attempt.moved + round(seconds * SECOND)


def _approval(workflow: Workflow, step: Step) -> int | None:
    question, policy = step.question, step.definition.approve
    if question is None or not question.open or policy is None:
        return None
    if policy.timeout_seconds is None or workflow.suspended is not None:
        return None
    return question.asked + question.moved + round(policy.timeout_seconds * SECOND)


def _queue(state: State) -> Iterator[str]:
    yield from _seats(state)
    yield from _queue_for(state, MACHINE, state.queue)
    engines = {slots for life in state.lives.values() for slots in life.ready_on}
    for slots in {*engines, *state.queue_on}:
        yield from _queue_for(state, slots, state.queue_on.get(slots, {}))
    for workflow in state.lives.values():
        for slots, ready in {MACHINE: workflow.ready, **workflow.ready_on}.items():
            if slots and not ready:
                yield f"{workflow.name} has an empty list for {slots}"
            for nth, name in enumerate(ready):
                if workflow.step(name).definition.slots != slots:
                    yield f"{workflow.name}/{name} waits for a slot of {slots or 'this machine'}"
                if nth and name in workflow.hooks:
                    yield f"{workflow.name}/{name} is a hook, and waits behind others"


def _seats(state: State) -> Iterator[str]:
    """Where each family stands."""
    engines = {(SLOTS, slots): queue for slots, queue in state.queue_on.items()}
    lines = {
        (name, line): queue for name, found in state.lines.items() for line, queue in found.items()
    }
    true: dict[str, set[tuple[Line, int]]] = {}
    for where, queue in {HERE: state.queue, **engines, **lines}.items():
        if where != HERE and not queue:
            yield f"there is an empty queue for {where}"
        for (rank, _), families in queue.items():
            if not families or not all(families.values()):
                yield f"in {where} nobody stands at {rank}: {families}"
            for family in families:
                true.setdefault(family, set()).add((where, rank))
    if {family: {*seats} for family, seats in state.seats.items()} != true:
        yield f"the seats are {state.seats}, should be {true}"


def _standing(queue: Queue) -> dict[str, tuple[QueueKey, str]]:
    """The place and the family of each workflow."""
    return {
        uid: (key, family)
        for key, families in queue.items()
        for family, members in families.items()
        for uid in members
    }


def _true_place(state: State, workflow: Workflow, rank: int) -> tuple[QueueKey, str]:
    return (rank, occupied(state, workflow)), workflow.family


def _queue_for(state: State, slots: str, queue: Queue) -> Iterator[str]:
    """`slots`: of this machine, or of an engine."""
    ranks = {
        workflow.uid: rank
        for workflow in state.lives.values()
        if (rank := rank_for(state, workflow, slots)) is not None
    }
    true = {uid: _true_place(state, state.lives[uid], rank) for uid, rank in ranks.items()}
    if _standing(queue) != true:
        yield f"the queue for slots is {queue}, should have {true}"
    for workflow in state.lives.values():
        believed = workflow.rank_on.get(slots) if slots else workflow.rank
        if believed != ranks.get(workflow.uid):
            yield f"{workflow.name} believes that it waits as {believed}"


def _pools(state: State) -> Iterator[str]:
    """Who holds what follows from the attempts that live; who waits, from the steps."""
    yield from _held(state)
    yield from _lines(state)
    takers: dict[str, set[StepKey]] = {}
    several: dict[str, list[tuple[int, StepKey]]] = {}
    waits = [(life, name) for life in state.lives.values() for name in pools.waiting(life)]
    for workflow, name in waits:
        step, key = workflow.step(name), (workflow.uid, name)
        for holding in step.uses:
            if wants_several(step.uses):
                several.setdefault(holding.name, []).append((step.ready_seq, key))
            elif pools.is_ready(workflow, step):
                takers.setdefault(holding.name, set()).add(key)
    if {name: set(steps) for name, steps in state.takers.items()} != takers:
        yield f"takers are {state.takers}, should be {takers}"
    if short := [name for name in takers if name in several or pools.free(state, name) <= 0]:
        yield f"steps wait in `ready` for {short}, which they may not be able to have"
    in_turn = {name: sorted(steps) for name, steps in several.items()}
    if state.several != in_turn:
        yield f"those that need several slots are {state.several}, should be {in_turn}"


def _held(state: State) -> Iterator[str]:
    held: dict[str, dict[StepKey, int]] = {}
    for key, attempt in state.live.items():
        for holding in attempt.uses:
            held.setdefault(holding.name, {})[key] = holding.slots
    if state.held != held:
        yield f"held is {state.held}, should be {held}"


def _lines(state: State) -> Iterator[str]:
    """Whose steps wait for pools, and how they stand there."""
    lines: dict[str, dict[str, dict[str, tuple[QueueKey, str]]]] = {}
    for workflow in state.lives.values():
        yield from _parked(workflow)
        rank = rank_of(state, workflow) if workflow.parked else None
        if workflow.line_rank != rank:
            yield f"{workflow.name} stands in lines as {workflow.line_rank}, should as {rank}"
        if rank is not None:
            for name, groups in workflow.parked.items():
                line = lines.setdefault(name, {}).setdefault(pools.line_of(groups), {})
                line[workflow.uid] = _true_place(state, workflow, rank)
    kept = {
        name: {line: _standing(queue) for line, queue in found.items()}
        for name, found in state.lines.items()
    }
    if kept != lines:
        yield f"the lines for pools are {state.lines}, should have {lines}"


def _parked(workflow: Workflow) -> Iterator[str]:
    for first, groups in workflow.parked.items():
        for same, turns in groups.items():
            steps = [workflow.step(name) for _, name in turns]
            if not turns or turns != sorted((step.ready_seq, step.name) for step in steps):
                yield f"{workflow.name}: those that wait for {same} are out of turn: {turns}"
            said = {(step.uses[0].name, pools.alike(step)) for step in steps}
            if said != {(first, same)}:
                yield f"{workflow.name}: {turns} wait for {said}, not for {same}"
    for name in chain(workflow.ready, *workflow.ready_on.values()):
        if wants_several(workflow.step(name).uses):
            yield f"{workflow.name}/{name} needs several slots, but is not parked"


def _names(state: State) -> Iterator[str]:
    for name, workflow in state.workflows.items():
        if workflow.name != name or state.lives.get(workflow.uid) is not workflow:
            yield f"the name {name} leads to another life"
    marked = {(marker.workflow, path): marker for path, marker in state.markers.items()}
    kept = {
        (name, path): m for name, paths in state.markers_of.items() for path, m in paths.items()
    }
    if kept != marked or not all(state.markers_of.values()):
        yield f"markers by workflow are {kept}, should be {marked}"


def _over(state: State) -> Iterator[str]:
    true = {workflow.uid for workflow in state.lives.values() if is_over(state, workflow)}
    if state.over.keys() != true:
        yield f"over are {list(state.over)}, should be {sorted(true)}"
    if state.begun < len(state.lives):
        yield f"{state.begun} lives have begun, {len(state.lives)} are there"


def _runs(state: State) -> Iterator[str]:
    gone = state.runs.keys() - state.workflows.keys()
    if state.gone.keys() != gone:
        yield f"names that are free again are {list(state.gone)}, should be {sorted(gone)}"
    if len(gone) > NAMES_MAX:
        yield f"the runs of {len(gone)} names without a life are remembered"
    for name, runs in state.runs.items():
        if not 0 < len(runs) <= RUNS_MAX or any(run.completed is None for run in runs[:-1]):
            yield f"the runs of {name} are {runs}"
        if any(not 0 <= run.kept <= run.succeeded <= run.steps for run in runs):
            yield f"the steps of the runs of {name} are miscounted: {runs}"
    true = {name: life.run for name, life in state.workflows.items() if life.in_run}
    last = {name: runs[-1] for name, runs in state.runs.items() if runs}
    kept = {name: run.number for name, run in last.items() if run.completed is None}
    if kept != true:
        yield f"the runs that go on are {kept}, should be {true}"
