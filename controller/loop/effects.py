"""What the log promises of attempts, as the executor is told it: who is alive, to start, to end.

A turn tells of the attempts that its records touched, a new controller of all that live; both read
the same state, and every call is safe to repeat.
"""

from collections.abc import Iterable
from typing import NamedTuple

from controller.loop.places import output_file
from controller.loop.ports import AttemptId, End, Launch, Running
from controller.model.phases import AttemptPhase
from controller.model.state import SECOND, Attempt, State, Step, Workflow
from controller.planner.permission import home_of, working_dir

Key = tuple[str, str]  # uid, step


class Effects(NamedTuple):
    launches: list[Launch]
    orders: list[End]


def effects(state: State, keys: Iterable[Key], now: int, state_dir: str, folder: str) -> Effects:
    """What is still to be done of these steps' live attempts, in the order of their promises.

    `folder`: of the specs, absolute.
    """
    told = Effects([], [])
    live = [(state.live[key], key) for key in keys if key in state.live]
    for attempt, (uid, name) in sorted(live, key=lambda one: one[0].seq):
        workflow = state.lives[uid]
        step = workflow.steps[name]
        if attempt.ending is not None:
            told.orders.append(_order(workflow, step, attempt, now))
        elif attempt.phase is AttemptPhase.SCHEDULED:
            told.launches.append(_launch(workflow, step, attempt, state_dir, folder))
    return told


def alive(state: State) -> list[Running]:
    """Every attempt that the log knows as alive, for adoption."""
    return [
        _running(state.lives[uid], state.lives[uid].steps[name], attempt)
        for (uid, name), attempt in state.live.items()
    ]


def _launch(
    workflow: Workflow, step: Step, attempt: Attempt, state_dir: str, folder: str
) -> Launch:
    definition = step.definition
    return Launch(
        id=AttemptId(workflow.uid, step.name, attempt.number),
        mark=attempt.mark,
        argv=definition.argv,
        env={
            **definition.env,
            "TREADLE_WORKFLOW": workflow.name,
            "TREADLE_UID": workflow.uid,
            "TREADLE_STEP": step.name,
            "TREADLE_ATTEMPT": str(attempt.number),
            "TREADLE_GENERATION": str(attempt.generation),
            "TREADLE_OUTPUT": f"{state_dir}/{output_file(attempt.log)}",
        },
        working_dir=working_dir(workflow, step.name, folder),
        home=home_of(workflow, folder),
        log=attempt.log,
        leave_processes=definition.leave_processes,
        grace_seconds=definition.grace_seconds,
        priority=workflow.priority,
    )


def _running(workflow: Workflow, step: Step, attempt: Attempt) -> Running:
    return Running(
        id=AttemptId(workflow.uid, step.name, attempt.number),
        mark=attempt.mark,
        pid=attempt.pid,
        start_ticks=attempt.start_ticks,
        boot_id=attempt.boot_id,
        found=attempt.found,
        leave_processes=step.definition.leave_processes,
        grace_seconds=step.definition.grace_seconds,
    )


def _order(workflow: Workflow, step: Step, attempt: Attempt, now: int) -> End:
    """What is left to do of an ending; after a restart less of its grace is left."""
    ending = attempt.ending
    assert ending is not None
    past = max(0, now - ending.since) / SECOND
    return End(
        id=AttemptId(workflow.uid, step.name, attempt.number),
        mark=attempt.mark,
        grace_seconds=max(0.0, ending.grace - past),
        withdraw_only=ending.withdraw,
    )
