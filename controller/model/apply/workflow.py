"""What the events of a workflow change: generations, runs, cancellations, its end.

A new generation holds, for each step, what the table of edits decided when it was accepted. Here
that decision is only carried out, so a later version with another table replays an old log the
same way.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import structs

from controller.model import events as e
from controller.model.apply.defaults import defaults_above, follow
from controller.model.apply.hooks import begin_ending, say_ending
from controller.model.apply.hooks import begin_run as begin_hooks
from controller.model.apply.step import remove, reset, restore
from controller.model.children import (
    expand,
    full_name,
    is_half_gone,
    let_outlive,
    new_step,
    rebalance,
    take_over,
)
from controller.model.events import STEP_ADDED
from controller.model.indexes import (
    count_ended,
    define,
    forget_name,
    instances_of,
    look_away,
    look_out,
    remember_run,
    requeue,
    set_due,
    set_over,
    set_timeout,
    set_timer,
    touch,
    wait_elsewhere,
    wall,
    want_slot,
)
from controller.model.movement import (
    clear_condition,
    close,
    count_anew,
    explain_wait,
    link,
    move_run,
    move_workflow,
    restate,
    set_condition,
    tell_definition,
)
from controller.model.phases import TERMINAL, Phase, Reason, RunStage
from controller.model.state import (
    SECOND,
    Armed,
    Arrival,
    Birth,
    Cancel,
    RunShort,
    Starter,
    State,
    Step,
    Workflow,
    starter_of,
)
from controller.model.timers import TimerKind
from controller.spec import params
from controller.spec.definition import Definition, definitions
from controller.spec.fingerprint import same_steps
from controller.spec.linked import below, homes_of, with_homes
from controller.spec.models import Spec
from controller.spec.template import body, child_definition, template_definitions
from controller.spec.triggers.trigger import is_definition, triggers


def accepted(state: State, event: e.GenerationAccepted, birth: Birth | None = None) -> None:
    """`birth`: of an instance that begins with this."""
    workflow = state.lives.get(event.uid) or _begin_life(state, event, birth)
    is_new = workflow.generation == 0
    above = defaults_above(state, workflow.origin, event.path, event.spec)
    was, workflow.spec = workflow.spec, below(event.spec, above)
    workflow.generation, workflow.path = event.generation, event.path
    workflow.labels, workflow.annotations = event.labels, event.annotations
    workflow.warnings, workflow.by = event.warnings, event.by
    workflow.request = event.request or workflow.request
    workflow.given = event.params
    workflow.params = params.values(event.spec, event.params)
    workflow.cancel = None
    workflow.accepted, workflow.effects = state.time, dict(event.effects)
    workflow.kept, workflow.pending = dict(event.kept), None
    if workflow.starter is not None:
        take_triggers(state, workflow, was, is_new)
        return
    _take_steps(state, workflow, event, was, is_new)
    for name, effect in event.effects.items():
        if name in workflow.steps:
            _carry_out(state, workflow, workflow.steps[name], effect)
    there = (name for name, step in workflow.steps.items() if not is_half_gone(step))
    before = {*there, *event.effects}
    for name, children in event.expansions.items():
        inside = event.template_params.get(name)
        expand(state, workflow, workflow.steps[name], children, name in event.ask_each, inside)
        new = [child for child in workflow.steps[name].children if child not in before]
        workflow.effects |= dict.fromkeys(new, STEP_ADDED)
    for name in event.expansions:
        parent = workflow.steps[name]
        if parent.is_of_list and not parent.admitted and parent.phase not in TERMINAL:
            close(workflow, parent)  # it is to begin again
    if event.expansions:
        _link(workflow)
    for step in list(workflow.steps.values()):
        if step.limit is not None or step.kept_back:
            rebalance(state, workflow, step)
    _suspend_or_resume(state, workflow)
    set_deadline(state, workflow)
    _say_accepted(state, workflow)
    requeue(state, workflow)
    for step in workflow.steps.values():
        touch(state, workflow, step)


def _begin_life(state: State, event: e.GenerationAccepted, birth: Birth | None) -> Workflow:
    assert event.workflow not in state.workflows, f"{event.workflow} lives already"
    workflow = Workflow(
        uid=event.uid,
        name=event.workflow,
        order=state.begun,
        origin=event.origin,
        path=event.path,
        created=state.time,
        generation=0,
        spec=event.spec,
        labels=event.labels,
        annotations=event.annotations,
        since=state.time,
        starter=Starter() if birth is None and is_definition(event.spec) else None,
        birth=birth,
    )
    state.begun += 1
    state.gone.pop(event.workflow, None)
    state.metrics.of(workflow.document)  # it has its label from now on
    state.lives[event.uid] = state.workflows[event.workflow] = workflow
    return workflow


def take_triggers(state: State, definition: Workflow, was: Spec, is_new: bool) -> None:
    """The triggers of a new generation; one that waits for something else counts from now on."""
    starter = starter_of(definition)
    _suspend_or_resume(state, definition)
    before, now = starter.triggers, wall(state, state.time) // SECOND
    known = {} if is_new else triggers(was)
    starter.triggers = {}
    for name, trigger in triggers(definition.spec).items():
        same = name in known and known[name].waits_for == trigger.waits_for
        armed = before[name] if same else Armed(kind=trigger.kind, since=now, mark=now)
        if trigger != known.get(name):
            armed.is_armed, armed.due = False, None
        starter.triggers[name] = armed
    for name in {*before, *starter.triggers}:
        set_due(state, definition, name)
    starter.arrivals = [
        arrival for arrival in starter.arrivals if arrival.trigger in starter.triggers
    ]
    look_away(state, definition, was)
    look_out(state, definition)
    count_ended(state, definition)
    for uid in starter.unfinished:
        instance = state.lives[uid]
        assert instance.birth is not None
        instance.birth.behind = not same_steps(instance.spec, definition.spec)
        if not instance.birth.behind:
            said = "the spec means the same for it again"
            clear_condition(state, instance, "EditRejected", "ParamsFit", said)
        touch(state, instance)
    restate(state, definition)
    _note_accepted(state, definition, f"generation {definition.generation} accepted")
    touch(state, definition)


def _take_steps(
    state: State, workflow: Workflow, event: e.GenerationAccepted, was: Spec, is_new: bool
) -> None:
    """The steps of the new generation, in its order; removed steps stay only while they run."""
    before = workflow.steps
    defined = definitions(workflow.spec)
    workflow.edited = [] if is_new else list(_edited(before, was, workflow.spec))
    children = [step for step in before.values() if step.parent is not None and not step.leaving]
    stay = {*defined, *(step.name for step in children)}
    for step in [step for name, step in before.items() if name not in stay]:
        _take_leave(state, workflow, step, event)
    for step in children:
        del before[step.name]
    workflow.steps, elsewhere = {}, list[Step]()
    for index, (name, definition) in enumerate(defined.items()):
        if name in before:
            step = before.pop(name)
        else:
            step = new_step(state, workflow, name, definition)
            if not is_new:
                workflow.effects.setdefault(name, STEP_ADDED)
        is_back = is_half_gone(step)
        step.want_nothing()  # only what this generation wants counts
        if step.definition.kind != definition.kind:
            step.standing = None  # its children are gone, or what it did before it had any
        step.index = index
        if define(state, workflow, step, definition):
            elsewhere.append(step)
        step.fingerprint, step.reads = event.fingerprints[name], event.reads.get(name, [])
        workflow.steps[name] = step
        if is_back and step.phase is Phase.READY:
            want_slot(state, workflow, step)
        _take_asked(event, step)
        set_timeout(state, workflow, step)
    for step in before.values():  # removed steps come after the others
        step.index = len(workflow.steps)
        workflow.steps[step.name] = step
        _take_asked(event, step)  # a child may come back
    workflow.steps |= {step.name: step for step in children}
    for step in elsewhere:
        wait_elsewhere(workflow, step)
    _take_children(state, workflow, event, children)
    let_outlive(workflow)
    _link(workflow)


def _link(workflow: Workflow) -> None:
    count_anew(workflow)
    link(workflow, workflow.steps.values())


def _take_children(
    state: State, workflow: Workflow, event: e.GenerationAccepted, children: Iterable[Step]
) -> None:
    """Children take over what their parent does now. Which of them stay in a list is said when it
    is expanded.
    """
    for step in sorted(children, key=lambda step: len(step.above)):  # parents first
        parent = workflow.parent_of(step)
        definition = None if parent is None else _as_child(workflow, event, parent, step)
        if parent is None or definition is None:
            _take_leave(state, workflow, step, event)
            continue
        step.want_nothing()
        take_over(state, workflow, parent, step, definition)
        _take_asked(event, step)
        set_timeout(state, workflow, step)
    for step in workflow.steps.values():
        if not step.is_parent:
            step.admitted = step.admitted and not step.expanded  # of a template it had begun
            step.children, step.expanded = [], False
        elif step.children:
            stay = (name for name in step.children if name in workflow.steps)
            step.children = [name for name in stay if not workflow.steps[name].leaving]


def _take_leave(state: State, workflow: Workflow, step: Step, event: e.GenerationAccepted) -> None:
    """The spec no longer has it: it leaves, once nothing of it runs."""
    effect = event.effects.get(step.name)
    if is_half_gone(step) and step.unsettled:
        return  # steps of it still run, so it keeps its place
    if step.live is None:
        remove(state, workflow, step)
    elif effect is not None:  # without one, an earlier generation removed it
        step.want_nothing()
        step.leaving = effect


def _as_child(
    workflow: Workflow, event: e.GenerationAccepted, parent: Step, step: Step
) -> Definition | None:
    """What the child does now; None if its parent has no such child any more."""
    if parent.leaving is not None or step.name != full_name(parent, step.key):
        return None
    if parent.definition.for_each is not None:
        return child_definition(parent.definition, parent.name in event.ask_each)
    if parent.definition.template is None:
        return None
    return template_definitions(workflow.spec, parent.definition).get(step.key)


def _take_asked(event: e.GenerationAccepted, step: Step) -> None:
    """What the edit says of its `when` and of the timeout of what runs."""
    if step.name in event.ask:
        step.answer = None
    if step.live is not None and step.name in event.timeouts:
        step.live.timeout = event.timeouts[step.name]


def _edited(before: Mapping[str, Step], was: Spec, becomes: Spec) -> Iterator[str]:
    """The steps of the spec that are defined otherwise now; those that are new or gone, too."""
    after = definitions(becomes)
    before = {name: step for name, step in before.items() if not step.leaving}
    for name, definition in after.items():
        if (
            name not in before
            or before[name].definition != definition
            or (
                definition.template is not None
                and _inside(was, definition) != _inside(becomes, definition)
            )
        ):
            yield name
    for name, step in before.items():
        if name not in after and step.parent is None:
            yield name


def _inside(spec: Spec, caller: Definition) -> tuple[object, object]:
    """What the template that this step of `spec` calls does: its steps, and its params."""
    assert caller.template is not None
    declared = params.declared(body(spec, caller.template.name))
    return template_definitions(spec, caller), declared


def _carry_out(state: State, workflow: Workflow, step: Step, effect: e.StepEffect) -> None:
    """One row of the table of edits, as decided when the generation was accepted."""
    back = effect.action in ("run", "restart")
    asks = back or effect.reason in (Reason.RESULT_KEPT, Reason.SPEC_CHANGED)
    if asks and (step.live or effect.action == "restart"):
        step.edit = effect
    elif back:
        reset(state, workflow, step, effect.reason, effect.message)
    elif effect.reason == Reason.RESULT_KEPT:
        if not step.is_parent:  # that is expanded again, and its children are restored
            restore(state, workflow, step)
    elif effect.reason == Reason.WHEN_FALSE:
        explain_wait(step, effect.reason, effect.message)


def _suspend_or_resume(state: State, workflow: Workflow) -> None:
    """Pause what a suspended workflow waits for: its deadline, the backoffs and the timeouts of
    questions. Its running steps go on.
    """
    wanted = workflow.suspended_by_spec or bool(workflow.suspension)
    if wanted and workflow.suspended is None:
        workflow.suspended = state.time
        for step in workflow.steps.values():
            set_timer(state, workflow, step.name, TimerKind.BACKOFF, None)
            set_timer(state, workflow, step.name, TimerKind.APPROVAL, None)
    elif not wanted and workflow.suspended is not None:
        for step in workflow.with_hooks:
            if step.series_from is not None:  # so does the time for all attempts
                step.series_from += state.time - max(workflow.suspended, step.series_from)
            if step.retry_at is not None and not step.is_hook:
                step.retry_at += state.time - max(workflow.suspended, step.since)
                set_timer(state, workflow, step.name, TimerKind.BACKOFF, step.retry_at)
            if step.asking is not None:
                step.asking.moved += state.time - workflow.suspended
        if workflow.in_run:
            workflow.stood = workflow.stood_until(state.time)
        workflow.suspended = None
        for step in workflow.steps.values():
            if step.asking is not None:
                set_timeout(state, workflow, step)


def suspension_asked(state: State, workflow: Workflow, event: e.RequestApplied) -> None:
    """`suspend` holds until `resume`, even if the spec is edited or the run ends."""
    what = "suspended" if event.kind == "suspend" else "resume asked for"
    asked = e.in_the_name_of(event.by, what, event.reason)
    workflow.suspension = asked if event.kind == "suspend" else ""
    _suspend_or_resume(state, workflow)
    if workflow.suspension:
        set_condition(state, workflow, "Suspended", True, Reason.SUSPENDED, asked)
    else:
        clear_condition(state, workflow, "Suspended", Reason.RESUME_REQUESTED, asked)
    if workflow.starter is not None:
        restate(state, workflow)
        return
    if workflow.suspended is None and workflow.phase is Phase.SUSPENDED:
        to = Phase.RUNNING if workflow.in_run else Phase.PENDING
        move_workflow(state, workflow, to, Reason.RESUME_REQUESTED, asked)
        set_condition(state, workflow, "Progressing", True, Reason.RESUME_REQUESTED, asked)
        if workflow.is_ending:
            say_ending(state, workflow)
    _look_at_all(state, workflow)


def _look_at_all(state: State, workflow: Workflow) -> None:
    set_deadline(state, workflow)
    requeue(state, workflow)
    touch(state, workflow)
    for step in workflow.steps.values():
        touch(state, workflow, step)


def _say_accepted(state: State, workflow: Workflow) -> None:
    message = f"generation {workflow.generation} accepted"
    stays_suspended = workflow.suspended is not None and workflow.phase is Phase.SUSPENDED
    if not stays_suspended:
        to = Phase.RUNNING if workflow.in_run else Phase.PENDING
        move_workflow(state, workflow, to, Reason.ACCEPTED, message)
    _note_accepted(state, workflow, message)


def _note_accepted(state: State, workflow: Workflow, message: str) -> None:
    for kind in ("Terminating", "Complete", "EditPending", "EditRejected"):
        clear_condition(state, workflow, kind, Reason.ACCEPTED, message)
    rejected = state.rejected.get(workflow.path)  # an edit that waited may be older than its file
    if rejected is None or workflow.name not in rejected.names:
        clear_condition(state, workflow, "SpecInvalid", "SpecValid", "the file is valid")
    set_condition(state, workflow, "Accepted", True, Reason.ACCEPTED, message)
    if workflow.starter is None:
        set_condition(state, workflow, "Progressing", True, Reason.ACCEPTED, message)


def set_deadline(state: State, workflow: Workflow) -> None:
    """Set the deadline of the present run, if one applies. It also applies to a run that drains."""
    seconds = workflow.deadline_seconds
    due = None
    if seconds is not None and workflow.in_run and workflow.started is not None:
        due = workflow.started + workflow.stood + round(seconds * SECOND)
    if workflow.suspended is not None or workflow.being_ended or workflow.is_ending:
        due = None
    set_timer(state, workflow, "", TimerKind.DEADLINE, due)


def edit_rejected(state: State, event: e.EditRejected) -> None:
    workflow = state.lives[event.uid]
    if workflow.birth is not None:
        workflow.birth.behind = False
    if event.problem:
        set_condition(state, workflow, "EditRejected", True, "ParamsDoNotFit", event.problem)
    else:
        said = "the spec fits the params again"
        clear_condition(state, workflow, "EditRejected", "ParamsFit", said)


def edit_deferred(state: State, event: e.EditDeferred) -> None:
    workflow = state.lives[event.uid]
    workflow.pending = event
    message = f"generation {event.generation} waits until run {workflow.run} has finished"
    if workflow.starter is not None:
        message = f"generation {event.generation} waits until all instances have ended"
    becomes = event.document.spec
    reason = "AfterRun" if becomes.edit_policy == "AfterRun" else "RunEnding"
    if is_definition(becomes) != (workflow.starter is not None):
        reason = "AnotherLife"  # begins with it
    set_condition(state, workflow, "EditPending", True, reason, message)
    if workflow.starter is not None:
        restate(state, workflow)
    touch(state, workflow)
    _heed_suspend(state, workflow)


def edit_taken_back(state: State, event: e.EditTakenBack) -> None:
    workflow = state.lives[event.uid]
    assert workflow.pending is not None, state.story(event.uid)
    message = f"generation {workflow.pending.generation}, which was waiting, was taken back"
    workflow.pending, workflow.generation = None, event.generation
    workflow.accepted, workflow.effects, workflow.edited = state.time, {}, []
    clear_condition(state, workflow, "EditPending", "TakenBack", message)
    set_condition(state, workflow, "Accepted", True, Reason.ACCEPTED, message)
    if workflow.starter is not None:
        restate(state, workflow)
    _heed_suspend(state, workflow)


def end_decided(state: State, event: e.EndDecided) -> None:
    begin_ending(state, event)
    _heed_suspend(state, state.lives[event.uid])


def _heed_suspend(state: State, workflow: Workflow) -> None:
    """While only hooks run, what an edit that waits for them says of `suspend` counts: else hooks
    that are suspended by the spec, and the edit that lets them go on, would wait for each other.
    """
    if not workflow.is_ending:
        return
    _suspend_or_resume(state, workflow)
    if workflow.suspended is None and workflow.phase is Phase.SUSPENDED:
        say_ending(state, workflow)
    _look_at_all(state, workflow)


def source_changed(state: State, event: e.SourceChanged) -> None:
    workflow = state.lives[event.uid]
    moved, was = event.homes != homes_of(workflow.spec), workflow.spec
    if moved:
        workflow.spec = with_homes(workflow.spec, event.homes)
    _take_source(workflow, event, moved)
    follow(state, workflow)
    for instance in instances_of(state, workflow):
        if instance.spec is was:
            instance.spec = workflow.spec
        elif moved:
            instance.spec = with_homes(instance.spec, event.homes)
        _take_source(instance, event, moved)
        follow(state, instance)


def _take_source(workflow: Workflow, event: e.SourceChanged, moved: bool) -> None:
    """`moved`: the files of its templates have other places, seen from that of the caller."""
    workflow.path = event.path
    workflow.labels, workflow.annotations = event.labels, event.annotations
    for step in workflow.steps.values() if moved else ():
        if step.piece and not step.leaving:
            _see_from_its_folder(workflow, step)


def _see_from_its_folder(workflow: Workflow, step: Step) -> None:
    """The file of its template has another place, seen from that of the caller."""
    piece = workflow.steps[step.piece]
    name = step.definition.name
    moved = template_definitions(workflow.spec, piece.definition)[name]
    step.definition = structs.replace(
        step.definition, home=moved.home, env=moved.env, env_from=moved.env_from
    )


def run_started(state: State, event: e.RunStarted) -> None:
    workflow = state.lives[event.uid]
    move_run(state, workflow, RunStage.RUNNING)
    workflow.run = event.run
    workflow.started, workflow.completed, workflow.stood = event.began or state.time, None, 0
    begin_hooks(state, workflow)
    remember_run(state, workflow.name, RunShort(event.run, workflow.started, event.why))
    set_deadline(state, workflow)
    move_workflow(state, workflow, Phase.RUNNING, Reason.STARTED, f"run {event.run} started")
    set_condition(state, workflow, "Progressing", True, Reason.STARTED, workflow.message)


def cancel_accepted(state: State, event: e.CancelAccepted) -> None:
    workflow = state.lives[event.uid]
    if not event.steps:
        before = workflow.cancel
        hooks = event.hooks and (before is None or before.hooks)
        workflow.cancel = Cancel(event.reason, event.message, event.drain, hooks)
        set_deadline(state, workflow)
        set_condition(state, workflow, "Terminating", True, event.reason, event.message)
    for name in event.steps or workflow.steps:
        step = workflow.steps[name]
        if event.steps and step.phase not in TERMINAL:
            step.cancel = Cancel(event.reason, event.message)
        touch(state, workflow, step)
    if (hook := workflow.next_hook) is not None:
        touch(state, workflow, hook)
    requeue(state, workflow)
    touch(state, workflow)


def uncancel(state: State, workflow: Workflow) -> None:
    """`retry` overrules a cancellation."""
    workflow.cancel = None
    clear_condition(state, workflow, "Terminating", Reason.RETRY_REQUESTED, "retried")
    _look_at_all(state, workflow)  # what drained is no longer spared


def deletion_accepted(state: State, event: e.DeletionAccepted) -> None:
    workflow = state.lives[event.uid]
    workflow.deleting, workflow.pending = True, None
    clear_condition(state, workflow, "EditPending", Reason.SPEC_DELETED, "its spec was deleted")
    set_condition(state, workflow, "Terminating", True, Reason.SPEC_DELETED, event.message)
    requeue(state, workflow)
    touch(state, workflow)
    if workflow.starter is not None:
        _end_instances(state, workflow, event)


def _end_instances(state: State, definition: Workflow, event: e.DeletionAccepted) -> None:
    """All instances end with their definition."""
    for instance in instances_of(state, definition):
        ended = e.DeletionAccepted(uid=instance.uid, message=event.message, by=event.by)
        deletion_accepted(state, ended)
    look_away(state, definition, definition.spec)
    restate(state, definition)


def suspended(state: State, event: e.WorkflowSuspended) -> None:
    workflow = state.lives[event.uid]
    message = f"{workflow.suspension or 'suspended by its spec'}; nothing is running"
    move_workflow(state, workflow, Phase.SUSPENDED, Reason.SUSPENDED, message)
    set_condition(state, workflow, "Progressing", False, Reason.SUSPENDED, message)


def finished(state: State, event: e.WorkflowFinished) -> None:
    workflow = state.lives[event.uid]
    if workflow.in_run:
        move_run(state, workflow, RunStage.NONE)
        workflow.completed, workflow.end = state.time, None
        run = state.runs[workflow.name][-1]
        _note_end(state, workflow, run, event)
        length, now = state.time - run.started, wall(state, state.time)
        state.metrics.run_ended(workflow.document, event.phase, length, now)
        _tell_followers(state, workflow, event)
    set_timer(state, workflow, "", TimerKind.DEADLINE, None)
    if workflow.birth is not None:
        workflow.birth.behind = False  # an edit never makes it run again
        workflow.birth.queued = False  # a retry starts whatever runs
    move_workflow(state, workflow, event.phase, event.reason, event.message)
    set_condition(state, workflow, "Progressing", False, event.reason, event.message)
    set_condition(state, workflow, "Complete", True, event.reason, event.message)
    clear_condition(state, workflow, "Terminating", event.reason, event.message)


def _tell_followers(state: State, workflow: Workflow, event: e.WorkflowFinished) -> None:
    """The definitions that wait for the end of this run."""
    for uid, name in state.followers.get(workflow.document, ()):
        definition = state.lives[uid]
        if definition.starter is None:
            continue
        if event.phase in triggers(definition.spec)[name].phases:
            definition.starter.arrivals.append(_arrival(name, workflow, event))
            touch(state, definition)


def _arrival(trigger: str, workflow: Workflow, event: e.WorkflowFinished) -> Arrival:
    key = f"{workflow.uid[:8]}-{workflow.run}"
    if workflow.birth is not None:
        key = workflow.birth.facts.key
        key += f".{workflow.run}" if workflow.run > 1 else ""
    names = {
        "name": workflow.document,
        "uid": workflow.uid,
        "instance": workflow.name if workflow.birth is not None else "",
        "phase": str(event.phase),
    }
    return Arrival(trigger, key, workflow.params, names)


def _note_end(state: State, workflow: Workflow, run: RunShort, event: e.WorkflowFinished) -> None:
    """What is remembered of a run that is over. Cost: O(steps)."""
    run.phase, run.reason, run.message = event.phase, event.reason, event.message
    run.completed, run.ended = state.time, state.seq
    run.stood = workflow.stood_until(state.time)
    steps = workflow.counted
    succeeded = [step for step in steps if step.phase is Phase.SUCCEEDED]
    run.steps, run.succeeded = len(steps), len(succeeded)
    run.kept = sum(not step.succeeded_in(run.number) for step in succeeded)


def life_ended(state: State, event: e.LifeEnded) -> None:
    workflow = state.lives[event.uid]
    del state.workflows[workflow.name]
    forget_name(state, workflow.name)
    state.touched.pop(workflow.uid, None)
    requeue(state, workflow)  # it may never have begun
    _leave(state, workflow)
    reason = Reason.SPEC_DELETED if workflow.deleting else "RunAnew"
    message = "deleted; its name is free" if workflow.deleting else "another run has its name now"
    clear_condition(state, workflow, "Terminating", reason, message)
    set_condition(state, workflow, "Ended", True, reason, message)
    set_over(state, workflow)


def _leave(state: State, workflow: Workflow) -> None:
    """It has lost its name."""
    if workflow.birth is not None:
        tell_definition(state, workflow)
    if workflow.starter is not None:
        look_away(state, workflow, workflow.spec)
        for name in workflow.starter.triggers:
            set_timer(state, workflow, name, TimerKind.DUE, None)
        state.surplus.pop(workflow.uid, None)


def life_archived(state: State, event: e.LifeArchived) -> None:
    workflow = state.lives.pop(event.uid)
    if state.workflows.get(workflow.name) is workflow:
        del state.workflows[workflow.name]
        forget_name(state, workflow.name)
    _leave(state, workflow)
    state.touched.pop(workflow.uid, None)
    state.over.pop(workflow.uid, None)
    set_timer(state, workflow, "", TimerKind.EXPIRY, None)


def attempts_archived(state: State, event: e.AttemptsArchived) -> None:
    workflow = state.lives[event.uid]
    for step in workflow.with_hooks:
        del step.attempts[:-1]
    set_over(state, workflow)
