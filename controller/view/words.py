"""Why something is as it is: a message for people and a reason for programs.

The fold keeps the reason of the last *change*. What a step waits for now depends on other steps,
its workflow and the markers. So these words are made here, when a user asks: a waiting step costs
nothing while nobody looks.
"""

from collections.abc import Callable, Iterator, Sequence
from shlex import quote

from controller.model.events import StepEffect
from controller.model.indexes import approval_due, forbidden, is_full, kept_back_by, standstill
from controller.model.movement import OPEN, edge, edges, waits_for_parent
from controller.model.phases import TERMINAL, AttemptPhase, Obstacle, Phase, Reason
from controller.model.pools import parked
from controller.model.state import Attempt, Question, State, Step, Workflow, handle_of
from controller.planner.wish import drains, wish
from controller.spec.placement import MACHINE
from controller.view import children
from controller.view.firings import IN_FRONT_MAX, queue_of
from controller.view.pools import of_lack
from controller.view.times import in_utc, span

_NAMES_MAX = 3
_AFTERWARDS = {  # what happens to a step that may finish first
    "reset": "it runs again",
    "restore": "its earlier result counts again",
    "cancel": "it is cancelled",
    "remove": "it is removed, since the spec no longer has it",
}
_DELETED = "deleted: its spec was removed from the folder"

Words = tuple[str, str]  # reason, message


def of_step(
    state: State, workflow: Workflow, step: Step, moment: Callable[[int], str] = in_utc
) -> Words:
    """Reason and message of a step's phase, at this moment; `moment` shows a time."""
    if step.is_hook and step.name not in workflow.due_hooks:
        before = "an earlier run" if step.attempt is None else f"run {step.attempt.run}"
        return step.reason, f"not due in run {workflow.run}; in {before}: {step.message}"
    if step.expanded and step.phase not in TERMINAL:
        return step.reason, _of_children(workflow, step)
    if step.leaving is not None and step.is_parent:
        waits = f"waiting for its running {step.children_are}"
        return step.leaving.reason, f"{step.leaving.message}; {waits}"
    if step.phase is Phase.RUNNING:
        return _running(state, workflow, step)
    if step.phase is Phase.PENDING:
        return _pending(state, workflow, step, moment)
    if step.phase is Phase.READY:
        return _ready(state, workflow, step, moment)
    return step.reason, step.message


def faults_in_file(state: State, workflow: Workflow) -> Iterator[str]:
    """Why what its file has now is not taken."""
    rejected = state.rejected.get(workflow.path)
    for fault in rejected.faults if rejected is not None else ():
        yield f"{fault} (generation {workflow.generation} stays in force)"


def turn(state: State, instance: Workflow) -> str:
    """`waits for its turn: etl@… has not ended; 2 in front`."""
    place = queue_of(state, instance)
    verb = "have" if len(place.running) > 1 else "has"
    who = f"{listed(place.running)} {verb} not ended" if place.running else ""
    many = place.in_front > IN_FRONT_MAX
    count = f"over {IN_FRONT_MAX}" if many else str(place.in_front)
    in_front = f"{count} in front" if place.in_front else ""
    where = "; ".join(filter(None, (who, in_front)))
    return f"waits for its turn: {where or 'it comes next'}"


def at_present(state: State, workflow: Workflow) -> Words:
    """As `of_workflow`; of an instance that is queued also who is in front of it now."""
    leaves = workflow.deleting or workflow.cancel is not None or workflow.suspended is not None
    if workflow.is_queued and not leaves and not workflow.finished:
        return Reason.QUEUED, turn(state, workflow)
    return of_workflow(workflow)


def of_workflow(workflow: Workflow) -> Words:
    """Reason and message of a workflow's phase, at this moment."""
    if workflow.finished:
        return workflow.reason, workflow.message
    if workflow.end is not None:
        plain = workflow.end.reason == Reason.COMPLETED
        how = ", ".join(counted(workflow)) if plain else verdict(workflow)
        return Reason.ENDING, f"{ending_as(workflow)}{how and f': {how}'}; {_hooks(workflow)}"
    if workflow.deleting:
        return Reason.SPEC_DELETED, _leaving(workflow, _DELETED)
    if workflow.cancel is not None:
        return workflow.cancel.reason, _leaving(workflow, workflow.cancel.message)
    if workflow.suspended is not None and workflow.phase is not Phase.SUSPENDED:
        running = f"; {_running_now(workflow)} may finish" if workflow.occupied else ""
        return Reason.SUSPENDED, f"{_suspended(workflow)}{running}"
    if workflow.phase is Phase.RUNNING:
        going, asked = _progress(workflow) or _waits(workflow), _asks(workflow)
        reason = Reason.AWAITING_APPROVAL if asked and not going else Reason.STARTED
        return reason, "; ".join(filter(None, (asked, going))) or workflow.message
    if workflow.phase is Phase.PENDING and (workflow.occupied or workflow.parked):
        reason = Reason.WAITING_FOR_SLOT if workflow.occupied else Reason.WAITING_FOR_POOL
        return reason, _waits(workflow) or workflow.message
    return workflow.reason, workflow.message


def ending_as(workflow: Workflow) -> str:
    """`ending as Failed`: what a run has come to whose hooks still run."""
    assert workflow.end is not None
    return f"ending as {workflow.end.phase}"


def ending(workflow: Workflow) -> str:
    """The same, with how far its hooks are; and why, where the counts of steps don't say it."""
    end = workflow.end
    assert end is not None
    known = end.reason in _COUNTS_SAY_IT or end.reason == Reason.COMPLETED
    why = "" if known else f" ({end.message})"
    return f"{ending_as(workflow)}{why}; {_hooks(workflow)}"


def hooks_run(kind: str) -> str:
    """When the hooks of this kind run."""
    return f"{kind} hooks run {_WHEN[kind]}"


_WHEN = {
    "onStart": "once the first step of a run has started",
    "onSuccess": "when all steps are done and the run has succeeded",
    "onFailure": "when all steps are done and the run has failed",
    "onCancel": "when all steps are done and the run was cancelled",
    "onExit": "at the end of each run, after all other hooks",
}


def _hooks(workflow: Workflow) -> str:
    """`running its hook onFailure/page-me, 2 more follow`; then what becomes of the workflow."""
    hook = workflow.next_hook
    if hook is None:
        return "its hooks have ended"
    left = sum(present.phase not in TERMINAL for present in workflow.present_hooks) - 1
    more = f", {left} more {'follows' if left == 1 else 'follow'}" if left else ""
    deleted = "; then it is deleted" if workflow.deleting else ""
    if hook.phase is Phase.RUNNING:
        held = "" if workflow.suspended is None else f"; {_suspended(workflow)}"
        return f"running its hook {hook.name}{more}{held}{deleted}"
    waits = "waits for a slot" if hook.phase is Phase.READY else "is about to start"
    if hook.retry_at is not None:
        waits = "is about to run again"
    if workflow.phase is Phase.SUSPENDED:
        waits = f"waits: {_suspended(workflow)}"
    return f"its hook {hook.name} {waits}{more}{deleted}"


def _progress(workflow: Workflow) -> str:
    could_run = (*workflow.counted, *workflow.present_hooks)
    running = [step.name for step in could_run if step.phase is Phase.RUNNING]
    if not running:
        return ""
    failed = failed_count(workflow)
    return f"running: {named(running)}{f'; {failed} failed' if failed else ''}"


def failed_count(workflow: Workflow) -> int:
    """How many steps have failed. Those that failed only because their children did don't count."""
    return workflow.failed and sum(
        step.fails_its_workflow and children.stands_alone(step) for step in workflow.steps.values()
    )


def _waits(workflow: Workflow) -> str:
    could_start = (*workflow.counted, *workflow.present_hooks)
    ready = [step for step in could_start if step.phase is Phase.READY]
    if not ready:
        return ""
    at_engines = [step.live.engine for step in ready if step.live is not None and _has(step.live)]
    lacks = [*dict.fromkeys(at_engines), *workflow.parked]
    if len(ready) > len(at_engines) + sum(1 for _ in parked(workflow)):
        lacks = ["a slot", *lacks]
    names = named([step.name for step in ready])
    return f"waiting for {' or '.join(lacks[:_NAMES_MAX])}: {names}"


def asking(workflow: Workflow) -> list[Step]:
    """The steps that wait for a person."""
    if workflow.finished:
        return []
    return [step for step in workflow.counted if step.asking is not None]


def _asks(workflow: Workflow) -> str:
    steps = [step.name for step in asking(workflow)]
    return f"waiting for approval: {named(steps)}" if steps else ""


def answers(workflow: str, step: str) -> list[str]:
    """The commands that answer the question of the step, yes and no."""
    command = f"treadle approve {workflow} {quote(step)}"
    return [command, f"{command} --reject"]


def only_asks(workflow: Workflow) -> bool:
    """Whether nothing of it runs, and it waits for a person."""
    return not workflow.occupied and bool(asking(workflow))


def _suspended(workflow: Workflow) -> str:
    return workflow.suspension or "suspended by its spec"


def verdict(workflow: Workflow) -> str:
    """How it ended, or is about to end when its hooks have, for a table.

    What did not succeed is counted, and the first few are named.
    """
    words, end = ", ".join(counted(workflow)), workflow.end or workflow
    if end.reason in _COUNTS_SAY_IT and words:
        return words
    return f"{end.message}; {words}" if words else end.message


_COUNTS_SAY_IT = frozenset({Reason.STEP_FAILED, Reason.STEP_CANCELLED})


def counted(workflow: Workflow) -> Iterator[str]:
    """`2 failed (a, b)`, `1 skipped`, `1 failure tolerated (c)`."""
    by_kind: dict[str, list[str]] = {}
    for step in workflow.counted:
        tolerated = step.phase is Phase.FAILED and not step.fails_its_workflow
        kind = "tolerated" if tolerated else str(step.phase)
        by_kind.setdefault(kind, []).append(step.name)
    if failed := by_kind.get(Phase.FAILED):
        yield f"{len(failed)} failed ({named(failed)})"
    if cancelled := by_kind.get(Phase.CANCELLED):
        yield f"{len(cancelled)} cancelled"
    if skipped := by_kind.get(Phase.SKIPPED):
        yield f"{len(skipped)} skipped"
    if spared := by_kind.get("tolerated"):
        failures = "failure" if len(spared) == 1 else "failures"
        yield f"{len(spared)} {failures} tolerated ({named(spared)})"
    yield from _parents_failed(workflow)
    if hooks := [hook.name for hook in failed_hooks(workflow)]:
        yield f"{len(hooks)} {'hook' if len(hooks) == 1 else 'hooks'} failed ({named(hooks)})"


def failed_hooks(workflow: Workflow) -> list[Step]:
    """Those of the present run, or of the last one."""
    return [hook for hook in workflow.present_hooks if hook.phase is Phase.FAILED]


def _parents_failed(workflow: Workflow) -> Iterator[str]:
    """Those that failed although none of their children did, so that no figure shows it."""
    failed = [
        step
        for step in workflow.steps.values()
        if step.is_parent and step.phase is Phase.FAILED and children.stands_alone(step)
    ]
    if without := [step.name for step in failed if not step.expanded]:
        yield f"{named(without)} could not be expanded"
    if without := [step.name for step in failed if step.expanded]:
        yield f"{named(without)} could not hand on outputs"


def summary(workflow: Workflow) -> str:
    """`etl failed in 1.2s: 2 succeeded, 1 failed (left), 1 skipped (join)`, at the end of a run."""
    by_phase: dict[str, list[str]] = {}
    for step in workflow.counted:
        by_phase.setdefault(step.phase, []).append(step.name)
    parts = [
        f"{len(names)} {phase.lower()}" + ("" if phase is Phase.SUCCEEDED else f" ({named(names)})")
        for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.SKIPPED)
        if (names := by_phase.get(phase))
    ]
    parts += _parents_failed(workflow)
    took = ""
    if workflow.started is not None and workflow.completed is not None:
        took = f" in {span(workflow.completed - workflow.started)}"
    why = "" if workflow.reason in _COUNTS_SAY_IT else f" ({workflow.message})"
    why = "" if workflow.phase is Phase.SUCCEEDED else why
    counts = f": {', '.join(parts)}" if parts else ""
    hooks = [hook.name for hook in failed_hooks(workflow)]
    noted = f"; {'hook' if len(hooks) == 1 else 'hooks'} failed: {named(hooks)}" if hooks else ""
    return f"{workflow.name} {workflow.phase.lower()}{took}{why}{counts}{noted}"


def of_attempt(attempt: Attempt) -> str:
    """The message of an attempt. One that has not ended has no message in the log."""
    if attempt.message is not None:
        return attempt.message
    if attempt.end_problem:
        return f"can't be stopped: {attempt.end_problem}"
    if attempt.survivors:
        pids = ", ".join(map(str, attempt.survivors))
        return f"still running after SIGKILL: pid {pids}"
    if attempt.ending is not None:
        return f"being stopped: {attempt.ending.message}"
    if attempt.phase is AttemptPhase.SCHEDULED:
        reason = f": {attempt.engine_reason}" if attempt.engine_reason else ""
        return f"queued ({handle_of(attempt)}){reason}" if attempt.handle else "about to start"
    return f"running ({handle_of(attempt)})"


def of_effect(effect: StepEffect) -> str:
    """Why a generation does something to a step."""
    finish = "; the running attempt may finish first" if effect.finish else ""
    return f"{effect.message}{finish}"


def tolerated(workflow: Workflow, step: Step) -> str:
    """`; tolerated, since it has continueOnFailure`, of a step that failed; else nothing."""
    if step.phase is not Phase.FAILED or step.fails_its_workflow:
        return ""
    who = next(candidate for candidate in (step, *workflow.above(step)) if candidate.tolerated)
    return f"; tolerated, since {'it' if who is step else who.name} has continueOnFailure"


def listed(names: list[str]) -> str:
    """In a sentence: `a`, `a and b`, `a, b, c and 4 more`."""
    if len(names) > _NAMES_MAX:
        return named(names)
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def named(names: Sequence[str]) -> str:
    """Behind a colon: `a`, `a, b`, `a, b, c and 4 more`."""
    more = f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else ""
    return f"{', '.join(names[:_NAMES_MAX])}{more}"


def _of_children(workflow: Workflow, parent: Step) -> str:
    if parent.phase is Phase.RUNNING:
        return children.progress(workflow, parent)
    if not parent.children:
        return "the list is empty"
    if asked := [child.name for child in workflow.below(parent) if child.asking is not None]:
        return f"waiting for approval: {named(asked)}"
    who = parent.children_counted.removeprefix("1 ")
    return f"its {who} {'has' if len(parent.children) == 1 else 'have'} not started"


def _running(state: State, workflow: Workflow, step: Step) -> Words:
    attempt = step.live
    if attempt is None:
        return step.reason, step.message  # it has just ended; the next phase is not decided yet
    if attempt.ending is not None and not attempt.ending.withdraw:
        return attempt.ending.reason, of_attempt(attempt)
    return step.reason, f"{of_attempt(attempt)}{afterwards(state, workflow, step)}"


def afterwards(state: State, workflow: Workflow, step: Step) -> str:
    """`; then it runs again`: what becomes of a step that may finish first, or nothing."""
    wanted = wish(state, workflow, step)
    if wanted is None or not wanted.ends_attempt or step.is_hook:
        return ""
    starts_no_more = wanted.outcome == "reset" and drains(state, workflow, step)
    return f"; then {_AFTERWARDS['cancel' if starts_no_more else wanted.outcome]}"


def _pending(state: State, workflow: Workflow, step: Step, moment: Callable[[int], str]) -> Words:
    if step.retry_at is not None:
        if workflow.suspended is not None and not step.is_hook:
            return Reason.SUSPENDED, f"{step.message}; paused while suspended"
        return Reason.BACK_OFF, f"{step.message} (due {moment(step.retry_at)})"
    if step.asking is not None:
        return step.reason, f"{step.message}{_until(workflow, step, step.asking, moment)}"
    # If the step was reset, its message says why; else its reason says only that it waits.
    reset = "" if step.reason in _ONLY_WAITS else f"{step.message}; "
    if waits_for_parent(workflow, step):
        return step.reason, f"{reset}waiting until {_can_begin(workflow, step)}"
    waits_for = unmet(workflow, step)
    if waits_for:
        return step.reason, f"{reset}waiting for {named(waits_for)}"
    if step.is_hook and (before := workflow.next_hook) is not None and before is not step:
        return step.reason, f"waiting until {before.name} has ended"
    obstacle = standstill(state, workflow, step.is_hook)
    if obstacle in _STAYS:  # else it ends at once
        reason, why = of_standstill(state, workflow, obstacle)
        return reason, f"{reset}{why}"
    expands = step.definition.for_each is not None
    return step.reason, f"{reset}about to {'be expanded' if expands else 'start'}"


_STAYS = frozenset({Obstacle.SUSPENDED, Obstacle.QUEUED, Obstacle.CANCEL_MARKER})
_ONLY_WAITS = frozenset({Reason.WAITING_FOR_DEPENDENCIES, Reason.WAITING_FOR_TURN})


def _until(workflow: Workflow, step: Step, question: Question, moment: Callable[[int], str]) -> str:
    """How long there is time for an answer, if that is limited."""
    if workflow.suspended is not None and step.definition.approve is not None:
        limited = step.definition.approve.timeout_seconds is not None
        return " (its timeout is paused while suspended)" if limited else ""
    due = approval_due(workflow, step, question)
    return "" if due is None else f" (until {moment(due)})"


def _can_begin(workflow: Workflow, child: Step) -> str:
    """What has to happen before a child can begin."""
    verb = "begins" if child.parent == child.piece else "is expanded"
    return f"{child.parent} {verb}"


def _ready(state: State, workflow: Workflow, step: Step, moment: Callable[[int], str]) -> Words:
    if step.live is not None:
        if step.live.ending is not None:
            stuck = f"; {of_attempt(step.live)}" if step.live.is_stuck else ""
            taken_back = f"its start is taken back: {step.live.ending.message}{stuck}"
            return Reason.WAITING_FOR_SLOT, taken_back
        return of_engine(step.live, moment) or (Reason.WAITING_FOR_SLOT, "waiting for a slot")
    obstacle = standstill(state, workflow, step.is_hook)
    if obstacle is not None:
        return of_standstill(state, workflow, obstacle)
    if is_full(workflow):
        slots = f"a slot of this workflow (parallelism: {workflow.parallelism})"
        return Reason.WAITING_FOR_SLOT, f"waiting for {slots}"
    if (parent := kept_back_by(workflow, step)) is not None:
        return Reason.WAITING_FOR_SLOT, of_limit(parent)
    return of_lack(state, step) or (Reason.WAITING_FOR_SLOT, "waiting for a slot")


def of_engine(attempt: Attempt, moment: Callable[[int], str]) -> Words | None:
    """Since when its engine has it without starting it, and why; None if it waits for a slot of
    this machine.
    """
    if not _has(attempt):
        return None
    since, reason = moment(attempt.scheduled), attempt.engine_reason
    handle = f" ({handle_of(attempt)})" if attempt.handle else ""
    why = f": {reason}" if reason else ""
    return Reason.ENGINE_QUEUED, f"waiting for {attempt.engine} since {since}{handle}{why}"


def _has(attempt: Attempt) -> bool:
    """Whether its engine has the attempt, or gets it without a slot of this machine."""
    return attempt.slots != MACHINE or bool(attempt.handle or attempt.engine_reason)


def of_engine_in_short(attempt: Attempt) -> str:
    """The same of many attempts, in words that they share."""
    why = f": {attempt.engine_reason}" if attempt.engine_reason else ""
    return f"waiting for {attempt.engine}{why}"


def of_limit(parent: Step, running: Sequence[str] = ()) -> str:
    """Why a child waits for others. `running`: their keys."""
    who = f"; running: {named(running)}" if running else ""
    return f"waiting for other children of {parent.name} (parallelism: {parent.limit}{who})"


def of_standstill(state: State, workflow: Workflow, obstacle: Obstacle) -> Words:
    """Why no step of the workflow starts, according to the log."""
    cancel = workflow.cancel
    match obstacle:
        case Obstacle.SUSPENDED:
            return Reason.SUSPENDED, f"nothing starts: {_suspended(workflow)}"
        case Obstacle.CANCEL_MARKER if marker := forbidden(state, workflow.name):
            return Reason.CANCEL_MARKER, f"nothing starts while {marker.path} exists"
        case Obstacle.CANCELLED if cancel is not None:
            return cancel.reason, f"nothing starts: {cancel.message}"
        case Obstacle.QUEUED:
            return Reason.QUEUED, turn(state, workflow)
        case _:
            return Reason.SPEC_DELETED, "nothing starts: its spec was removed from the folder"


def unmet(workflow: Workflow, step: Step) -> list[str]:
    """The dependencies whose condition is not true yet and is still possible."""
    return [name for name, verdict in verdicts(workflow, step).items() if verdict == OPEN]


def verdicts(workflow: Workflow, step: Step) -> dict[str, str]:
    """What each step that it waits for means for it (see `edge`), in the order of the spec."""
    return {
        name: edge(other.phase, other.reason, other.tolerated, condition)
        for name, condition in edges(workflow, step)
        if (other := workflow.steps.get(name)) is not None
    }


def _leaving(workflow: Workflow, why: str) -> str:
    return f"{why}; waiting for {_running_now(workflow)}" if workflow.occupied else why


def _running_now(workflow: Workflow) -> str:
    """`2 running steps`, `1 running step and a hook`, `a running hook`."""
    hook = workflow.next_hook
    hooks = int(hook is not None and hook.live is not None)
    steps = workflow.occupied - hooks
    if not steps:
        return "a running hook"
    return f"{steps} running {'step' if steps == 1 else 'steps'}{' and a hook' if hooks else ''}"
