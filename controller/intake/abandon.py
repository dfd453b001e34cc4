"""Whose ends nobody waits for any more, because a person says so.

An attempt lives until its end is proven. Where its engine can't be reached, or where it could not
be ended, that may never be. Then a person may give the proof up: the attempt is Interrupted, its
slots are free, and it is not retried by itself, since it may still run.
"""

from collections.abc import Collection, Iterator

from controller.model.events import AttemptFinished, RunStarted, in_the_name_of
from controller.model.observations import Request
from controller.model.phases import AttemptPhase, Reason
from controller.model.state import Attempt, Step, Workflow, handle_of
from controller.planner.outcome import begin_run
from controller.spec.placement import LOCAL


def given_up(
    workflow: Workflow, asked: Request, unreachable: Collection[str]
) -> list[RunStarted | AttemptFinished] | str:
    """The ends that are recorded without proof; or why there are none.

    `unreachable`: the engines that can't be reached now.
    """
    named = [step for name in asked.steps for step in _meant(workflow, workflow.step(name))]
    for step in named:
        if why := _why_not(step, unreachable):
            return why
    stuck = [step for step in workflow.with_hooks if not _why_not(step, unreachable)]
    chosen = named if asked.steps else stuck
    if not chosen:
        return f"all that runs of {workflow.name} can be stopped: write the same without --abandon"
    return [*_ends(workflow, chosen, asked)]


def _meant(workflow: Workflow, step: Step) -> list[Step]:
    """Of one with children, those below it that can be given up; else the step itself."""
    if not step.is_parent:
        return [step]
    return [leaf for leaf in workflow.leaves(step) if leaf.live is not None]


def _why_not(step: Step, unreachable: Collection[str]) -> str:
    """Why its end can be waited for; "" if nobody may wait for ever."""
    attempt = step.live
    if attempt is None:
        return f'nothing of "{step.name}" runs: it is {step.phase}'
    if attempt.is_stuck or attempt.engine in unreachable:
        return ""
    reached = "" if attempt.engine == LOCAL else f" {attempt.engine} can be reached, and"
    return f'"{step.name}" can be stopped:{reached} no end of it has failed'


def _ends(
    workflow: Workflow, steps: list[Step], asked: Request
) -> Iterator[RunStarted | AttemptFinished]:
    if not workflow.in_run:
        yield begin_run(workflow, max(step.live.run for step in steps if step.live is not None))
    for step in steps:
        attempt = step.live
        assert attempt is not None
        said = in_the_name_of(asked.by, "given up", asked.reason)
        yield AttemptFinished(
            uid=workflow.uid,
            step=step.name,
            attempt=attempt.number,
            phase=AttemptPhase.INTERRUPTED,
            reason=Reason.ABANDONED,
            message=f"{said}; {_left(attempt)} may still run",
        )


def _left(attempt: Attempt) -> str:
    if attempt.survivors:
        return f"pid {', '.join(map(str, attempt.survivors))}"
    if attempt.pid is None and not attempt.handle:
        return f"what {attempt.engine} got of it"
    return handle_of(attempt)
