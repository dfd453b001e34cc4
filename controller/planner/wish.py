"""What anybody wants of a step: one wish, the first of the ranked sources, and what meets it.

Seven sources want something; in the order of their rank: a spec that no longer has the step, a
cancellation of all, a cancellation of the step, a request, an edit, an attempt that was ended and
of which nobody wants anything any more, and what the step has to wait for. The first five have a
field each (`leaving`, the workflow's `cancel`, the step's `cancel`, `asked`, `edit`); a request
takes the step's `cancel` back. The last two are read from the state.

Of a hook, only a marker or the end of the run that it belongs to can want something.

What a wish does to the attempt is said by MEETS, with a row for each stage of the attempt, and by
FINISHES where the attempt may finish first. Cost: O(1) a step, but O(live attempts) where
`parallelism` was lowered.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from controller.model.events import (
    AttemptEnding,
    StepCancelled,
    StepRemoved,
    StepReset,
    StepRestored,
)
from controller.model.indexes import is_without_hooks, markers_for, standstill
from controller.model.phases import TERMINAL, AttemptPhase, Phase, Reason
from controller.model.state import Attempt, State, Step, Workflow
from controller.planner.actions import to_end
from controller.spec.hooks import kind_of

Outcome = Literal["remove", "cancel", "reset", "restore", "wait"]
Stage = Literal["none", "queued", "withdrawing", "running", "ending", "ended"]
Answer = Literal["nothing", "withdraw", "end", "settle"]


class Wish(NamedTuple):
    """`finish`: what runs may come to its own end first."""

    outcome: Outcome
    reason: str
    message: str
    finish: bool = False

    @property
    def ends_attempt(self) -> bool:
        """Whether what runs has no future; a step that has to wait only gives back its place."""
        return self.outcome != "wait"


# What becomes of the attempt, by how far it is; a row is a stage.
MEETS: dict[Stage, dict[Outcome, Answer]] = {
    "none": {
        "remove": "settle",
        "cancel": "settle",
        "reset": "settle",
        "restore": "settle",
        "wait": "nothing",  # it has no slot to give back; `readiness` sees to the rest
    },
    "queued": {
        "remove": "end",
        "cancel": "end",
        "reset": "end",
        "restore": "end",
        "wait": "withdraw",
    },
    "withdrawing": {
        "remove": "end",
        "cancel": "end",
        "reset": "end",
        "restore": "end",
        "wait": "nothing",
    },
    "running": {
        "remove": "end",
        "cancel": "end",
        "reset": "end",
        "restore": "end",
        "wait": "nothing",
    },
    "ending": dict.fromkeys(("remove", "cancel", "reset", "restore", "wait"), "nothing"),
    "ended": {
        "remove": "settle",
        "cancel": "settle",
        "reset": "settle",
        "restore": "settle",
        "wait": "nothing",
    },
}
# Where what runs may come to its own end first. Should a start that is withdrawn have been made
# meanwhile, it goes on.
FINISHES: dict[Stage, Answer] = {
    "queued": "withdraw",
    "withdrawing": "nothing",
    "running": "nothing",
}


def wish(state: State, workflow: Workflow, step: Step) -> Wish | None:
    """What is wanted of the step now; None if it may go its own way."""
    if step.phase in TERMINAL:
        return None
    for source in HOOK_SOURCES if step.is_hook else SOURCES:
        found = source(state, workflow, step)
        if found is not None:
            return found
    return None


Settled = StepCancelled | StepReset | StepRestored | StepRemoved


def meet(state: State, workflow: Workflow, step: Step) -> AttemptEnding | Settled | None:
    """The decision that brings the step nearer to what is wanted of it.

    Of a step with children, what is wanted of these.
    """
    if step.expanded:
        return None
    wanted = wish(state, workflow, step)
    if wanted is None:
        return None
    stage = _stage(step)
    answer = MEETS[stage][wanted.outcome]
    if wanted.finish:
        answer = FINISHES.get(stage, answer)
    if answer == "settle":
        below = wanted.outcome == "remove" and step.unsettled  # they leave first
        return None if below else _settle(workflow, step, wanted)
    if answer == "nothing" or step.live is None:
        return None
    withdraw = answer == "withdraw"
    return to_end(workflow, step, step.live, wanted.reason, wanted.message, withdraw)


def _stage(step: Step) -> Stage:
    attempt = step.live
    if attempt is None:
        return "ended" if step.unjudged else "none"
    if attempt.ending is not None:
        return "withdrawing" if attempt.ending.withdraw else "ending"
    return "queued" if attempt.phase is AttemptPhase.SCHEDULED else "running"


def _settle(workflow: Workflow, step: Step, wanted: Wish) -> Settled:
    """What becomes of a step of which nothing runs."""
    match wanted.outcome:
        case "remove":
            return StepRemoved(uid=workflow.uid, step=step.name)
        case "restore" if step.standing is not None:
            return StepRestored(uid=workflow.uid, step=step.name)
        case "cancel":
            return StepCancelled(
                uid=workflow.uid, step=step.name, reason=wanted.reason, message=wanted.message
            )
        case _:
            return StepReset(
                uid=workflow.uid, step=step.name, reason=wanted.reason, message=wanted.message
            )


# ---------------------------------------- the sources, in the order of their rank


def _removed(state: State, workflow: Workflow, step: Step) -> Wish | None:
    """The spec no longer has it: it leaves, whatever else becomes of its workflow."""
    effect, whole = step.leaving, workflow.cancel
    if effect is None:
        return None
    finish = effect.finish if whole is None else whole.drain
    return Wish("remove", effect.reason, effect.message, finish or drains(state, workflow, step))


def _workflow_cancelled(state: State, workflow: Workflow, step: Step) -> Wish | None:
    """What drains spares what runs, and what has come to an end of its own."""
    whole = workflow.cancel
    if whole is None or (whole.drain and _has_its_own_end(step)):
        return None
    return Wish("cancel", whole.reason, whole.message, whole.drain)


def _has_its_own_end(step: Step) -> bool:
    """It runs, or has ended in a way that is judged like any other."""
    attempt = step.attempt
    if step.phase is Phase.RUNNING and step.live is not None:
        return True
    if not step.unjudged or attempt is None:
        return False
    interrupted = attempt.phase is AttemptPhase.INTERRUPTED
    if interrupted and "Interrupted" in step.definition.retry.on:
        return False  # it can't come to its end any more
    return attempt.phase is not AttemptPhase.CANCELLED


def _step_cancelled(state: State, workflow: Workflow, step: Step) -> Wish | None:
    found = step.cancel
    return None if found is None else Wish("cancel", found.reason, found.message)


def _asked(state: State, workflow: Workflow, step: Step) -> Wish | None:
    """Somebody wants it to run anew."""
    asked = step.asked
    if asked is None:
        return None
    return Wish("reset", asked.reason, asked.message, drains(state, workflow, step))


def _edited(state: State, workflow: Workflow, step: Step) -> Wish | None:
    """What the generation in force decided of the attempt that it found."""
    effect = step.edit
    if effect is None:
        return None
    outcome: Outcome = "restore" if effect.reason == Reason.RESULT_KEPT else "reset"
    finish = effect.finish or drains(state, workflow, step)
    return Wish(outcome, effect.reason, effect.message, finish)


def _has_to_wait(state: State, workflow: Workflow, step: Step) -> Wish | None:
    """There is no reason any more why it should start."""
    if workflow.suspended is not None:
        return Wish("wait", Reason.SUSPENDED, "the workflow is suspended")
    if step.open or step.broken:
        return Wish("wait", Reason.DEPENDENCY_RERAN, "a dependency runs again")
    if step.live is not None and is_kept_back(workflow, step):
        return Wish("wait", Reason.WAITING_FOR_SLOT, f"parallelism of {step.parent} is lower now")
    if step.has_to_ask:
        return Wish("wait", Reason.SPEC_CHANGED, "its `when` is asked again")
    if _is_surplus(state, workflow, step):
        return Wish("wait", Reason.WAITING_FOR_SLOT, f"parallelism is {workflow.parallelism} now")
    return None


def is_kept_back(workflow: Workflow, step: Step) -> bool:
    """Whether it is a child for which the limit of its parent has no place."""
    return workflow.parent_of(step) is not None and not step.admitted


def _is_surplus(state: State, workflow: Workflow, step: Step) -> bool:
    """Whether the limit of its workflow has no room for its attempt, the earlier ones counted."""
    limit, attempt = workflow.parallelism, step.live
    if limit is None or attempt is None or workflow.occupied <= limit:
        return False
    earlier = sum(
        other.seq < attempt.seq for (uid, _), other in state.live.items() if uid == workflow.uid
    )
    return earlier >= limit


def _ended_for_nothing(state: State, workflow: Workflow, step: Step) -> Wish | None:
    """Whoever had its attempt ended, or wanted another after it, wants nothing of it any more."""
    attempt: Attempt | None = step.attempt if step.unjudged else None
    if attempt is None:
        return None
    if attempt.phase is AttemptPhase.SUCCEEDED:
        return Wish("restore", Reason.RESULT_KEPT, "its result counts")
    if attempt.phase is AttemptPhase.CANCELLED:
        return Wish("reset", Reason.TRIED_ANEW, "was being stopped; queued again")
    return None


def _hooks_unwanted(state: State, workflow: Workflow, step: Step) -> Wish | None:
    """Who cancels may stop all hooks. Else one of onStart that runs may finish."""
    cancel, without = workflow.cancel, is_without_hooks(state, workflow)
    if without and (cancel is None or cancel.hooks):
        return Wish("cancel", Reason.CANCEL_MARKER, "a cancel marker says hooks: false")
    if cancel is None or not (without or kind_of(step.name) == "onStart"):
        return None
    return Wish("cancel", cancel.reason, cancel.message, finish=not without)


def _hook_has_to_wait(state: State, workflow: Workflow, step: Step) -> Wish | None:
    if standstill(state, workflow, hooks=True) is None:
        return None
    return Wish("wait", Reason.SUSPENDED, "the workflow is suspended")


Source = Callable[[State, Workflow, Step], Wish | None]
SOURCES: tuple[Source, ...] = (
    _removed,
    _workflow_cancelled,
    _step_cancelled,
    _asked,
    _edited,
    _ended_for_nothing,
    _has_to_wait,
)
HOOK_SOURCES: tuple[Source, ...] = (_hooks_unwanted, _ended_for_nothing, _hook_has_to_wait)


def drains(state: State, workflow: Workflow, step: Step) -> bool:
    """Whether the whole workflow, or this step of it, starts no more and what runs may end."""
    if workflow.cancel is not None:
        return workflow.cancel.drain
    markers = markers_for(state, workflow.name).values()
    names = {step.name, *(parent.name for parent in workflow.above(step))}
    return any(marker.drain and not names.isdisjoint(marker.steps) for marker in markers)
