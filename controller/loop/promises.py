"""From what a plan asks for to the events that record it.

Most actions are events already. The others need something random, which the core may not draw: a
mark, a delay or a uid. They get it here, with what only the record needs: the inputs of the
fingerprint, and what expressions gave. A skip, a failure without an attempt, an empty list and a
question to a person can begin a run.
"""

from collections.abc import Iterator

import msgspec

from controller.loop.ports import Chance
from controller.model import events as e
from controller.model.indexes import run_to_be
from controller.model.places import log_file, values_file
from controller.model.state import State
from controller.planner import outcome, retries
from controller.planner.actions import Accept, Action, AllowRetry, Fire, Follow, Schedule
from controller.planner.editing import edits
from controller.planner.firings import birth
from controller.planner.resolve import Refused, inputs_of, resolve, sight
from controller.spec.placement import LOCAL, place_in

RECORDED_BYTES_MAX = 4096  # in a record; more goes to a file


def promised(
    state: State, action: Action, now: int, chance: Chance, attached: dict[str, bytes]
) -> Iterator[e.AnyEvent]:
    """The events of `action`; each is to be folded before the next is asked for.

    Files that they name are added to `attached`.
    """
    match action:
        case Schedule():
            yield from _attempt(state, action, chance, attached)
        case AllowRetry():
            yield _retry(state, action, now, chance)
        case Accept():
            yield edits.complete(state, action, action.uid or chance.uid())
        case Fire():
            yield birth.decide(state, action, now, chance.uid())
        case Follow():
            yield edits.follow(state, state.lives[action.uid])
        case e.StepSkipped() | e.StepFailed() | e.StepExpanded(children=[]) | e.ApprovalAsked():
            yield from _in_a_run(state, action)
        case _:
            yield action


def _in_a_run(
    state: State, action: e.StepSkipped | e.StepFailed | e.StepExpanded | e.ApprovalAsked
) -> Iterator[e.AnyEvent]:
    workflow = state.lives[action.uid]
    if not workflow.in_run:
        yield outcome.begin_run(workflow, run_to_be(state, workflow))
    yield action


def _attempt(
    state: State, action: Schedule, chance: Chance, attached: dict[str, bytes]
) -> Iterator[e.AnyEvent]:
    workflow = state.lives[action.uid]
    step = workflow.step(action.step)
    number, run = step.numbered + 1, run_to_be(state, workflow)
    try:
        resolved = resolve(sight(state, workflow).of(step), step.definition)
    except Refused as refusal:
        failed = e.StepFailed(
            uid=workflow.uid, step=step.name, reason=refusal.reason, message=str(refusal)
        )
        yield from _in_a_run(state, failed)
        return
    values, file = resolved.values, ""
    data = msgspec.json.encode(values) if values else b""
    if len(data) > RECORDED_BYTES_MAX:
        from hashlib import sha256  # loads OpenSSL

        values, file = {}, values_file(workflow.uid, sha256(data).hexdigest())
        attached[file] = data
    engine = step.definition.engine
    if engine != LOCAL and not state.folder_id:
        yield e.StateFolderNamed(id=chance.uid())
    yield e.AttemptScheduled(
        uid=workflow.uid,
        step=step.name,
        attempt=number,
        run=run,
        generation=workflow.generation,
        fingerprint=step.fingerprint,
        mark=chance.mark(),
        log=log_file(workflow.uid, step.name, number),
        inputs={} if step.is_hook else inputs_of(workflow, step),
        values=values,
        values_file=file,
        timeout=resolved.timeout,
        declares=step.definition.outputs,
        in_parts=step.definition.in_parts,
        uses=step.uses,
        engine=engine,
        place=place_in(step.definition.placement),
    )


def _retry(
    state: State, action: AllowRetry, now: int, chance: Chance
) -> e.RetryScheduled | e.StepFailed:
    workflow = state.lives[action.uid]
    policy = workflow.step(action.step).definition.retry.backoff
    delay = chance.delay_seconds(policy, action.number)
    return retries.complete(action, workflow, delay, now)
