"""From what a plan asks for to the events that record it.

Most actions are events already. The others need something random, which the core may not draw: a
mark, a delay or a uid. They get it here, with the inputs of the fingerprint, which only the record
needs.
"""

from collections.abc import Iterator

from controller.loop.places import log_file
from controller.loop.ports import Chance
from controller.model import events as e
from controller.model.indexes import next_run
from controller.model.state import State
from controller.planner import edits, retries
from controller.planner.actions import Accept, Action, Retry, Schedule
from controller.spec.fingerprint import inputs


def promised(state: State, action: Action, now: int, chance: Chance) -> Iterator[e.AnyEvent]:
    """The events of `action`; each is to be folded before the next is asked for."""
    match action:
        case Schedule():
            yield from _attempt(state, action, chance)
        case Retry():
            yield _retry(state, action, now, chance)
        case Accept():
            yield edits.complete(state, action, action.uid or chance.uid())
        case _:
            yield action


def _attempt(state: State, action: Schedule, chance: Chance) -> Iterator[e.AnyEvent]:
    workflow = state.lives[action.uid]
    step = workflow.steps[action.step]
    number = step.numbered + 1
    needs = [workflow.steps[need.step] for need in step.definition.requires]
    prints = {need.name: workflow.kept.get(need.name, need.fingerprint) for need in needs}
    prints[step.name] = step.fingerprint
    yield e.AttemptScheduled(
        uid=workflow.uid,
        step=step.name,
        attempt=number,
        run=workflow.run if workflow.in_run else next_run(state, workflow),
        generation=workflow.generation,
        fingerprint=step.fingerprint,
        mark=chance.mark(),
        log=log_file(workflow.uid, step.name, number),
        inputs=inputs(workflow.spec, step.name, prints),
    )


def _retry(
    state: State, action: Retry, now: int, chance: Chance
) -> e.RetryScheduled | e.StepFailed:
    workflow = state.lives[action.uid]
    policy = workflow.steps[action.step].definition.retry.backoff
    delay = chance.delay_seconds(policy, action.number)
    return retries.complete(action, workflow, delay, now)
