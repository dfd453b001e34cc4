"""What follows from a request: the events that carry it out, or why it is refused.

Requests are applied in the order of their names, each exactly once. A `retry` or `restart` waits
while a cancel marker is still there; these and a `run --resume` wait while cancelled steps are
still being stopped. These and a `mark` wait for the hooks of a run whose steps are done, and what
may stop these hooks, or let them run, does not wait behind them. A `mark` of a step whose start is
queued waits until that is withdrawn.
"""

from collections.abc import Collection, Iterable, Iterator
from shlex import quote

import msgspec
from msgspec import UNSET, structs

from controller.intake.abandon import given_up
from controller.model.events import (
    ApprovalAnswered,
    AttemptEnding,
    CancelAccepted,
    DeletionAccepted,
    LifeEnded,
    PoolAccepted,
    RequestApplied,
    StepMarked,
    StepReset,
    in_the_name_of,
)
from controller.model.indexes import markers_for
from controller.model.observations import Request
from controller.model.phases import TERMINAL, AttemptPhase, Phase, Reason
from controller.model.state import Pool, State, Step, Workflow, starter_of
from controller.planner.actions import Action, Fire, Follow, to_end
from controller.planner.cancel import of_name
from controller.planner.editing.accept import accept, refusal
from controller.planner.firings.firing import facts_of_time
from controller.spec.fingerprint import same, same_steps
from controller.spec.items import child_name, inner_name
from controller.spec.linked import Linked
from controller.spec.outputs import misfits as misfits_of_outputs
from controller.spec.params import misfits
from controller.spec.reading.load import Document
from controller.spec.template import child_definition, template_definitions
from controller.spec.triggers.due import at_in, key_of
from controller.spec.triggers.keys import LATEST, key_by_hand, remembered_as
from controller.spec.triggers.trigger import BODY_BYTES_MAX, Firing, triggers
from controller.spec.values import normal

BACKFILL_MAX = 10_000
NOTHING_TO_RETRY = "nothing to retry: no step failed, was skipped or was cancelled"
TRIGGERS_STAY = "cancel does not stop its triggers"

_OVERRULES = ("retry", "restart")  # a cancellation
_BEGINS_A_RUN = (*_OVERRULES, "mark")
_ABOUT_HOOKS = ("cancel", "suspend", "resume", "abandon")
_TRIED_AGAIN = frozenset({Phase.FAILED, Phase.SKIPPED, Phase.CANCELLED})


class _Refused(Exception):
    """The request can't be carried out; its text says why. `besides`: what follows all the same."""

    def __init__(self, why: str, besides: Iterable[Action] = ()) -> None:
        super().__init__(why)
        self.besides = list(besides)


def answer(state: State, asked: Request, unreachable: Collection[str] = ()) -> list[Action] | None:
    """The record that the request was applied, and what follows; None if it has to wait.

    `unreachable`: the engines that can't be reached now.
    """
    try:
        workflow = _find(state, asked)
        if workflow is not None:
            _refuse_hooks(workflow, asked)
            _refuse_definition(workflow, asked)
            if _has_to_wait(state, workflow, asked):
                return None
        if (instance := started_before(workflow, asked)) != "":
            return [structs.replace(_applied(asked, ""), instance=instance)]
        if asked.kind == "abandon":
            consequences = _abandon(workflow, asked, unreachable)
        else:
            consequences = list(_ANSWERS[asked.kind](state, workflow, asked))
    except _Refused as refusal:
        return [_applied(asked, "", refused=str(refusal)), *refusal.besides]
    begins = asked.kind == "run" and not asked.resume  # a life of its own, with a uid to come
    uid = workflow.uid if workflow is not None and not begins else ""
    return [_applied(asked, uid), *consequences]


def overtakes(state: State, asked: Request) -> bool:
    """Whether it does not wait behind a request that waits for hooks to end."""
    workflow = state.workflows.get(asked.workflow)
    return workflow is not None and workflow.is_ending and asked.kind in _ABOUT_HOOKS


def withdrawals(state: State, asked: Request) -> Iterator[AttemptEnding]:
    """The queued starts that a request, which waits for that, wants to be withdrawn."""
    workflow = state.workflows.get(asked.workflow)
    if workflow is None or asked.kind != "mark":
        return
    for step in (workflow.steps[name] for name in asked.steps if name in workflow.steps):
        if step.live is not None and step.live.queued:
            message = _said(asked, "to be marked as succeeded")
            yield to_end(workflow, step, step.live, Reason.WITHDRAWN, message, withdraw=True)


def _said(asked: Request, what: str) -> str:
    return in_the_name_of(asked.by, what, asked.reason)


def _applied(asked: Request, uid: str, refused: str = "") -> RequestApplied:
    return RequestApplied(
        name=asked.name,
        kind=asked.kind,
        workflow=asked.workflow,
        by=asked.by,
        uid=uid,
        refused=refused,
        steps=asked.steps,
        downstream=asked.downstream,
        reason=asked.reason,
    )


def _has_to_wait(state: State, workflow: Workflow, asked: Request) -> bool:
    """A marker would cancel the steps again, and steps that are being stopped must end first; so
    must the hooks of a run that is over.
    """
    if workflow.is_ending and waits_for_hooks(asked):
        return True
    if asked.kind == "mark":
        return _waits_for_a_withdrawal(workflow, asked)
    overrules = asked.kind in _OVERRULES
    if not overrules and not asked.resume:
        return False
    ending = workflow.being_ended and not workflow.finished
    return ending or (overrules and bool(markers_for(state, workflow.name)))


def waits_for_hooks(asked: Request) -> bool:
    """Whether it is applied only when no hook of a run that is over runs any more."""
    return asked.kind in _BEGINS_A_RUN or asked.resume


def _waits_for_a_withdrawal(workflow: Workflow, asked: Request) -> bool:
    """Whether the mark counts once the start of a step is withdrawn, if that is not too late."""
    if workflow.deleting or (workflow.cancel is not None and not workflow.finished):
        return False
    steps = [workflow.steps.get(name) for name in asked.steps]
    if any(step is None or step.leaving or step.unjudged for step in steps):
        return False
    live = [step.live.phase for step in steps if step is not None and step.live is not None]
    return bool(live) and all(phase is AttemptPhase.SCHEDULED for phase in live)


def _find(state: State, asked: Request) -> Workflow | None:
    """The life that the request is for. Refuses a request for an older life, or for another run."""
    workflow = state.workflows.get(asked.workflow)
    if asked.uid and (workflow is None or workflow.uid != asked.uid):
        raise _Refused(f"it was for an earlier {asked.workflow} (uid {asked.uid})")
    if asked.run and workflow is not None and workflow.run != asked.run:
        raise _Refused(f"it was for run {asked.run}, and {asked.workflow} is in run {workflow.run}")
    return workflow


def _retry(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    workflow = _require_living(workflow, asked)
    chosen = list(_chosen(workflow, asked))
    if not chosen:
        raise _Refused(NOTHING_TO_RETRY)
    for step in sorted(chosen, key=lambda step: step.index):
        yield _reset(workflow, step, _said(asked, "retry requested"))
    yield from _bring_up(state, workflow, asked)


def _bring_up(state: State, workflow: Workflow, asked: Request) -> Iterator[Follow]:
    """An instance that had ended also gets the newest generation of its definition."""
    if workflow.birth is None or not workflow.finished or asked.keep_spec:
        return
    spec = state.lives[workflow.birth.definition].spec
    if misfit := refusal(workflow, spec):
        problem = f"the newest spec does not fit its params: {misfit}"
        raise _Refused(f"{problem}; to keep its spec: --keep-spec")
    if not same_steps(workflow.spec, spec):
        yield Follow(workflow.uid)


def _require_living(workflow: Workflow | None, asked: Request) -> Workflow:
    if workflow is None or workflow.deleting:
        raise _Refused(f"no workflow is named {asked.workflow}")
    return workflow


def _restart(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """Every step runs again, whatever its result; running steps are stopped first."""
    workflow, said = _require_living(workflow, asked), _said(asked, "restart requested")
    for step in workflow.steps.values():
        if not step.leaving:
            yield _reset(workflow, step, said, Reason.RESTART_REQUESTED)
    yield from _bring_up(state, workflow, asked)


def _suspend(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """No further events: the record that the request was applied is enough."""
    _require_living(workflow, asked)
    return iter(())


def _resume(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    workflow = _require_living(workflow, asked)
    if not workflow.suspension:
        by_file = f"suspended by its file ({workflow.path}): remove `suspend: true` there"
        why = by_file if workflow.suspended_by_spec else "not suspended"
        raise _Refused(f"it is {why}")
    return iter(())


def _mark(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """Mark one step as succeeded; steps that were skipped because of it can run again."""
    workflow = _require_living(workflow, asked)
    if workflow.cancel is not None and not workflow.finished:
        raise _Refused(f"{workflow.name} is being cancelled: wait until it has finished")
    message = _said(asked, "marked as succeeded")
    for name in _known(workflow, asked):
        step = workflow.steps[name]
        if step.is_parent:
            raise _Refused(_mark_children(workflow, step))
        if step.definition.approve is not None:
            line = f"treadle approve {workflow.name} {quote(name)}"
            raise _Refused(f'"{name}" can\'t be marked: a person answers it: {line}')
        if step.live is not None or step.unjudged:
            raise _Refused(f'"{name}" is running: wait for it, or cancel it first')
        if step.phase is Phase.SUCCEEDED:
            raise _Refused(f'"{name}" has already succeeded')
        declared = step.definition.outputs
        if problems := list(misfits_of_outputs(asked.outputs, declared)):
            raise _Refused(f"{name}: {'; '.join(problems)}")
        yield StepMarked(
            uid=workflow.uid,
            step=name,
            message=message,
            by=asked.by,
            outputs={key: normal(value, declared[key]) for key, value in asked.outputs.items()},
        )
    for step in sorted(_downstream(workflow, asked.steps), key=lambda step: step.index):
        if step.phase is Phase.SKIPPED and step.name not in asked.steps:
            yield _reset(workflow, step, f"depends on {', '.join(asked.steps)}, {message}")


def _mark_children(workflow: Workflow, parent: Step) -> str:
    """Why a step with children can't be marked, and the command for one of those below it."""
    open_ = (leaf for leaf in workflow.leaves(parent) if leaf.phase is not Phase.SUCCEEDED)
    name = _name_of_a_leaf(workflow, next(open_, parent))
    line = f"treadle mark {workflow.name} {quote(name)} --succeeded"
    if parent.definition.template is not None:
        return f'"{parent.name}" stands for the steps of a template; mark one of them: {line}'
    return f'"{parent.name}" has children; mark a child instead: {line}'


def _name_of_a_leaf(workflow: Workflow, step: Step) -> str:
    """Its name, or, if it has children or will have them, that of one at the end of these."""
    name, definition = step.name, step.definition
    if definition.for_each is not None:
        name, definition = child_name(name, "KEY"), child_definition(definition, ask_each=False)
    if definition.template is not None:
        first = next(iter(template_definitions(workflow.spec, definition).values()))
        name = inner_name(name, first.name)
        return name if first.for_each is None else child_name(name, "KEY")
    return name


def _approve(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """Answer the question that was shown to a person, if it is still asked."""
    workflow = _require_living(workflow, asked)
    if not asked.steps:
        raise _Refused("it names no step")
    for name in _known(workflow, asked):
        step = workflow.steps[name]
        question = step.asking
        if why := _not_asked(workflow, step, asked.question):
            raise _Refused(f'"{name}" {why}')
        assert question is not None
        yield ApprovalAnswered(
            uid=workflow.uid,
            step=name,
            number=question.number,
            approved=asked.approved,
            by=asked.by,
            reason=asked.reason,
        )


def _not_asked(workflow: Workflow, step: Step, number: int) -> str:
    """Why this question of the step can't be answered; "" if it can."""
    if step.definition.approve is None:
        inside = (child.name for child in workflow.below(step) if child.asking is not None)
        if name := next(inside, ""):
            line = f"treadle approve {workflow.name} {quote(name)}"
            return f"asks nobody; a step of it does: {line}"
        return "is not waiting for a person: it has no `approve`"
    question = step.question
    if step.asking is None:
        before = "" if question is None or question.number != number else " any more"
        return f"is not waiting for a person{before}: it is {step.phase} ({step.message})"
    if number != step.asking.number:
        return f"asks another question by now (number {step.asking.number}, not {number})"
    if workflow.cancel is not None or workflow.deleting or step.is_wanted:
        return "is not waiting for a person any more: it is being cancelled"
    if (
        step.open
        or step.broken
        or any(parent.open or parent.broken for parent in workflow.above(step))
    ):
        return "is not waiting for a person any more: a step that it depends on runs again"
    return ""


def _reset(
    workflow: Workflow, step: Step, message: str, reason: Reason = Reason.RETRY_REQUESTED
) -> StepReset:
    return StepReset(uid=workflow.uid, step=step.name, reason=reason, message=message)


def _chosen(workflow: Workflow, asked: Request) -> Iterable[Step]:
    if not asked.steps:
        return _not_succeeded(workflow)
    named = [workflow.steps[name] for name in _known(workflow, asked)]
    chosen = {step.name: step for target in named for step in _meant(workflow, target)}
    # Steps that were skipped because of one that is tried again can run again, too.
    for step in list(_downstream(workflow, [*asked.steps, *chosen])):
        if asked.downstream or step.phase is Phase.SKIPPED:
            chosen[step.name] = step
    return chosen.values()


def _not_succeeded(workflow: Workflow) -> list[Step]:
    """All that is tried again; of a step with children, these are.

    If they all succeeded, and yet it failed, since it has no outputs to hand on, all of them are.
    """
    found: dict[str, Step] = {}
    for step in workflow.steps.values():
        if step.phase in _TRIED_AGAIN and (not step.expanded or _failed_alone(step)):
            found |= {leaf.name: leaf for leaf in _meant(workflow, step)}
    return list(found.values())


def _failed_alone(step: Step) -> bool:
    return step.reason == Reason.EXPRESSION_FAILED


def _meant(workflow: Workflow, step: Step) -> list[Step]:
    """Of a step with children: what did not succeed below it, or all of that if all did."""
    leaves = workflow.leaves(step)
    return [leaf for leaf in leaves if leaf.phase in _TRIED_AGAIN] or leaves


def _known(workflow: Workflow, asked: Request) -> list[str]:
    """The names in the request. Refuses a name that is not in the spec."""
    for name in asked.steps:
        if name not in workflow.steps or workflow.steps[name].leaving:
            raise _Refused(f'{workflow.name} has no step "{name}"')
    return asked.steps


def _refuse_hooks(workflow: Workflow, asked: Request) -> None:
    hook = next((name for name in asked.steps if name in workflow.hooks), "")
    if hook and asked.kind != "abandon":
        raise _Refused(not_of_hooks(asked.kind, workflow.name, hook))


def not_of_hooks(kind: str, workflow: str, hook: str) -> str:
    """Why this can't be asked of a hook, and what to do."""
    instead = {
        "retry": f"hooks run again with the next run: treadle retry {workflow}",
        "cancel": f"all hooks are stopped together: treadle cancel {workflow} --no-hooks",
        "mark": "no step waits for it, and the run ends when its hooks have ended",
    }
    return f'"{hook}" is a hook: {instead.get(kind, "it asks nobody")}'


FIRES = ("start", "deliver", "backfill")  # a request of these kinds is a firing
_OF_DEFINITIONS = frozenset((*FIRES, "suspend", "resume", "cancel", "delete", "run"))


def _refuse_definition(workflow: Workflow, asked: Request) -> None:
    """What only an instance can do, and what only a definition can."""
    if workflow.starter is not None:
        if asked.kind not in _OF_DEFINITIONS or asked.steps:
            raise _Refused(of_instances(workflow.name, asked.kind, asked.steps))
        if asked.kind in FIRES and workflow.pending is not None:
            raise _Refused("an edit removes its triggers, and waits for the unfinished instances")
    elif asked.kind in FIRES:
        raise _Refused(not_startable(workflow))


def of_instances(name: str, command: str, steps: Iterable[str] = ()) -> str:
    """Why this can't be asked of a definition, and what to write."""
    newest = " ".join([f"treadle {command} {name}@{LATEST}", *map(quote, steps)])
    return f"{name} runs no steps itself, its instances do; for the newest: {newest}"


def not_startable(workflow: Workflow) -> str:
    """Why no instance of it can be started, and what to do."""
    name = workflow.name
    if workflow.birth is not None:
        return f"{name} is an instance; to start another: treadle start {workflow.document}"
    return f"{name} has no triggers; to run it again: treadle restart {name}"


def started_before(workflow: Workflow | None, asked: Request) -> str:
    """The name of the instance that such a firing with the same key has begun."""
    kinds = ("start", "deliver")
    if asked.kind not in kinds or not asked.key or workflow is None or workflow.starter is None:
        return ""
    known = remembered_as(asked.trigger, key_by_hand(asked.key))
    _, instance = workflow.starter.keys.get(known, (0, ""))
    return instance


def _start(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """A firing by hand. If its params don't fit, it is none."""
    workflow = _require_living(workflow, asked)
    key = _given_key(asked)
    found = [f"param {name}: {said}" for name, said in misfits(workflow.spec, asked.params)]
    if found:
        raise _Refused("; ".join(found))
    yield Fire(
        uid=workflow.uid,
        key=key,
        facts=Firing(kind="manual", key=key),
        given=asked.params,
        by=asked.by,
        request=asked.name,
        given_key=bool(key),
    )


def _given_key(asked: Request) -> str:
    """The key that somebody gave; "" if nobody did."""
    if asked.key == LATEST:
        raise _Refused(f'"{LATEST}" can\'t be a key: it names the newest instance')
    return key_by_hand(asked.key)


def _deliver(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """A firing of a webhook. Whether its sender may do this was found out before."""
    workflow = _require_living(workflow, asked)
    trigger = triggers(workflow.spec).get(asked.trigger)
    if trigger is None or trigger.kind != "webhook":
        raise _Refused(f'{workflow.name} has no webhook "{asked.trigger}"')
    if len(msgspec.json.encode(asked.body)) > BODY_BYTES_MAX:
        raise _Refused(f"its body has more than {BODY_BYTES_MAX:,} bytes")
    key = _given_key(asked)
    yield Fire(
        uid=workflow.uid,
        trigger=trigger.name,
        key=key,
        facts=Firing(name=trigger.name, kind=trigger.kind, key=key, body=asked.body),
        request=asked.name,
        given_key=bool(key),
    )


def _backfill(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """A firing for each due time, the oldest first; those that have an instance are left out."""
    workflow = _require_living(workflow, asked)
    trigger = triggers(workflow.spec).get(asked.trigger)
    if trigger is None or trigger.rule is None:
        raise _Refused(f'{workflow.name} has no trigger "{asked.trigger}" with due times')
    if len(asked.dues) > BACKFILL_MAX:
        raise _Refused(f"more than {BACKFILL_MAX:,} due times; name a shorter time")
    dues = sorted(set(asked.dues))
    if other := next((due for due in dues if trigger.rule.latest(due) != due), None):
        raise _Refused(f"{at_in(other, trigger.zone)} is not a due time of {asked.trigger}")
    for due in dues:
        if not asked.again and f"{workflow.name}@{key_of(due)}" in state.workflows:
            continue
        yield Fire(
            uid=workflow.uid,
            trigger=asked.trigger,
            key=key_of(due),
            due=due,
            facts=facts_of_time(trigger, due, "manual"),
            over=asked.params,
            backfill=asked.name,
            parallel=asked.parallel,
            by=asked.by,
            request=asked.name,
        )


def _can_be_cancelled(step: Step, drain: bool) -> bool:
    return step.phase not in TERMINAL and not (drain and step.phase is Phase.RUNNING)


def _downstream(workflow: Workflow, names: Iterable[str]) -> Iterator[Step]:
    """Every step that depends on these, or on what they are below, with all that is below it."""
    steps = [workflow.steps[name] for name in names]
    seen = dict.fromkeys(start.name for step in steps for start in (step, *workflow.above(step)))
    waiting = list(seen)
    while waiting:
        for name, _ in workflow.steps[waiting.pop()].dependents:
            if name not in seen:
                seen[name] = None
                waiting.append(name)
                step = workflow.steps[name]
                yield step
                yield from workflow.below(step)


def _run(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    if asked.problem:
        raise _Refused(asked.problem)
    if asked.document is None:
        raise _Refused(f"it has no spec of {asked.workflow}")
    if asked.document.name != asked.workflow:
        raise _Refused(f"{asked.path} defines no workflow named {asked.workflow}")
    if workflow is not None and workflow.origin != "run":
        command = "restart" if workflow.starter is None else "start"
        raise _Refused(
            f"{asked.workflow} is already managed from the specs folder ({workflow.path}); "
            f"to run it again: treadle {command} {asked.workflow}"
        )
    yield from _pools(state, asked)
    if asked.resume:
        yield from _resume_run(workflow, asked, _plain(asked.document))
        return
    if workflow is not None and not workflow.finished:
        raise _Refused(
            f"{asked.workflow} has not finished (uid {workflow.uid}): "
            "cancel it, wait for it, or continue it with --resume"
        )
    if workflow is not None:
        yield LifeEnded(uid=workflow.uid)
    spec = asked.document.workflow.spec
    if wrong := "; ".join(f"param {name}: {said}" for name, said in misfits(spec, asked.params)):
        raise _Refused(wrong)
    document = _plain(asked.document)
    yield from accept(None, document, asked.path, asked.by, "run", asked.name, asked.params)


def _pools(state: State, asked: Request) -> Iterator[Action]:
    """Those that came with it, but for what the specs folder has by now."""
    for pool in asked.pools:
        known = state.pools.get(pool.name)
        given = Pool(pool.slots, pool.path)
        if known is None or (known.is_outside and known != given):
            yield PoolAccepted(name=pool.name, slots=pool.slots, path=pool.path)


def _plain(document: Document) -> Document:
    """The document without its triggers: `run` begins it once, by itself."""
    workflow = document.workflow
    spec: Linked = structs.replace(
        workflow.spec, triggers=UNSET, concurrency=UNSET, keep_instances=UNSET
    )
    return structs.replace(document, workflow=structs.replace(workflow, spec=spec))


def _resume_run(workflow: Workflow | None, asked: Request, document: Document) -> Iterator[Action]:
    """Continue the last run: a changed spec is an edit; else what did not succeed runs again."""
    if workflow is None:
        raise _Refused(f"{asked.workflow} has no run to resume")
    actions = accept(workflow, document, asked.path, asked.by, "run", asked.name)
    if problem := refusal(workflow, document.workflow.spec):
        raise _Refused(f"the spec does not fit the params that were given: {problem}", actions)
    yield from actions
    if same(workflow.spec, document.workflow.spec):
        for step in _not_succeeded(workflow):
            yield _reset(workflow, step, _said(asked, "resumed"))


def _cancel(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    if workflow is None:
        raise _Refused(f"no workflow is named {asked.workflow}")
    if workflow.starter is not None:
        yield from _cancel_instances(state, workflow, asked)
        return
    named = _known(workflow, asked)
    if workflow.finished:
        raise _Refused(f"{asked.workflow} has already finished")
    before = workflow.cancel
    stops_hooks = not asked.hooks and (before is None or before.hooks)
    if workflow.is_ending and not stops_hooks:
        raise _Refused(only_hooks_run(workflow))
    stopped = before if before is not None and not before.drain else None
    if stopped is not None and not stops_hooks:
        raise _Refused(f"{asked.workflow} is already being stopped: {stopped.message}")
    steps = [
        leaf
        for name in named
        for leaf in of_name(workflow, name)
        if _can_be_cancelled(workflow.steps[leaf], asked.drain)
    ]
    if asked.steps and not steps:
        raise _Refused("these steps have already finished")
    yield CancelAccepted(
        uid=workflow.uid,
        generation=workflow.generation,
        reason=Reason.RUN_INTERRUPTED if stopped is None else stopped.reason,
        message=_said(asked, "cancelled") if stopped is None else stopped.message,
        steps=steps,
        drain=asked.drain and stopped is None,
        hooks=asked.hooks,
        by=asked.by,
    )


def _abandon(
    workflow: Workflow | None, asked: Request, unreachable: Collection[str]
) -> list[Action]:
    """Nobody waits for the ends of these attempts any more."""
    if workflow is None:
        raise _Refused(f"no workflow is named {asked.workflow}")
    if unknown := next((name for name in asked.steps if workflow.find(name) is None), ""):
        raise _Refused(f'no step is named "{unknown}"')
    ends = given_up(workflow, asked, unreachable)
    if isinstance(ends, str):
        raise _Refused(ends)
    return [*ends]


def _cancel_instances(state: State, definition: Workflow, asked: Request) -> Iterator[Action]:
    """What is unfinished ends; the triggers stay."""
    unfinished = [state.lives[uid] for uid in starter_of(definition).unfinished]
    if not unfinished:
        raise _Refused(f"no instance of {definition.name} is unfinished; {TRIGGERS_STAY}")
    for instance in unfinished:
        before = instance.cancel
        if instance.is_ending or (before is not None and (asked.drain or not before.drain)):
            continue
        yield CancelAccepted(
            uid=instance.uid,
            generation=instance.generation,
            reason=Reason.RUN_INTERRUPTED,
            message=_said(asked, "cancelled"),
            drain=asked.drain,
            hooks=asked.hooks,
            by=asked.by,
        )


def only_hooks_run(workflow: Workflow) -> str:
    """Why there is nothing to cancel, and how to stop the hooks."""
    if workflow.cancel is not None and not workflow.cancel.hooks:
        return "its steps have finished, and its hooks are already being stopped"
    command = f"treadle cancel {workflow.name} --no-hooks"
    return f"its steps have finished, only its hooks run; to stop these: {command}"


def _delete(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """End the life of a `run` that has finished: it frees its name and may go to the archive."""
    workflow = _require_living(workflow, asked)
    if workflow.birth is not None:
        raise _Refused(
            "an instance can't be deleted: old ones go to the archive by themselves; "
            f"to stop it: treadle cancel {workflow.name}"
        )
    if workflow.origin == "folder":
        raise _Refused(f"it is managed from the specs folder: remove its file ({workflow.path})")
    if not workflow.finished:
        raise _Refused(f"it has not finished; cancel it first: treadle cancel {workflow.name}")
    yield DeletionAccepted(uid=workflow.uid, message=_said(asked, "deleted"), by=asked.by)


def _delete_all(state: State, workflow: Workflow | None, asked: Request) -> Iterator[Action]:
    """No events: the turn sees the kind of the request and confirms the absence."""
    return iter(())


_ANSWERS = {
    "retry": _retry,
    "run": _run,
    "cancel": _cancel,
    "delete": _delete,
    "delete-all": _delete_all,
    "restart": _restart,
    "suspend": _suspend,
    "resume": _resume,
    "mark": _mark,
    "approve": _approve,
    "start": _start,
    "deliver": _deliver,
    "backfill": _backfill,
}
