"""Ways to break the controller on purpose, each of which the simulation has to notice.

A simulation that notices nothing proves nothing. `PYTHONPATH=tests python -m simulation.mutants`
tells for each by which seed it was caught, and by what.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest.mock import patch

from simulation.trial import storm

from controller.loop.turn import Controller
from controller.model import apply_step, indexes, movement
from controller.model.apply import APPLY
from controller.model.events import RetryScheduled
from controller.model.observations import Ended
from controller.model.phases import Phase
from controller.planner import cancel, outcome, plan, retries

SEEDS = range(40)

Patch = Any  # a context manager, as unittest.mock makes them
MUTANTS: dict[str, Callable[[], Patch]] = {}


def mutant(made: Callable[[], Patch]) -> Callable[[], Patch]:
    MUTANTS[made.__name__.replace("_", " ")] = made
    return made


@mutant
def acts_before_it_appends() -> Patch:
    def wrong(self: Any) -> bool:
        self._begin_turn()
        self._observe()
        self._plan()
        self._act()
        if self._batch:
            self.edges.log.append(self._batch)
        return bool(self._batch)

    return patch.object(Controller, "turn", wrong)


@mutant
def appends_only_what_it_observed() -> Patch:
    real = Controller._fold

    def wrong(self: Any, event: Any) -> None:
        real(self, event)
        if isinstance(event, RetryScheduled):
            self._batch.pop()

    return patch.object(Controller, "_fold", wrong)


@mutant
def adopts_nobody_after_a_restart() -> Patch:
    real = Controller.start

    def wrong(self: Any) -> None:
        self.edges.executor.adopt = lambda attempts: None
        real(self)

    return patch.object(Controller, "start", wrong)


@mutant
def offers_no_start_again_after_a_restart() -> Patch:
    real = Controller.start

    def wrong(self: Any) -> None:
        start = self.edges.executor.start
        self.edges.executor.start = lambda launches: None
        real(self)
        self.edges.executor.start = start

    return patch.object(Controller, "start", wrong)


@mutant
def goes_on_ending_nothing_after_a_restart() -> Patch:
    real = Controller.start

    def wrong(self: Any) -> None:
        end = self.edges.executor.end
        self.edges.executor.end = lambda orders: None
        real(self)
        self.edges.executor.end = end

    return patch.object(Controller, "start", wrong)


@mutant
def never_tells_that_an_end_is_durable() -> Patch:
    real = Controller._act

    def wrong(self: Any) -> None:
        self.edges.executor.forget = lambda ids: None
        real(self)

    return patch.object(Controller, "_act", wrong)


@mutant
def applies_a_request_again_after_a_crash() -> Patch:
    real = Controller._observe_requests

    def wrong(self: Any) -> bool:
        self.state.requests.clear()
        return real(self)

    return patch.object(Controller, "_observe_requests", wrong)


@mutant
def counts_a_met_dependency_twice() -> Patch:
    real = movement._hold

    def wrong(dependent: Any, name: str, verdict: str) -> None:
        real(dependent, name, verdict)
        if verdict == movement.MET:
            dependent.open -= 1

    return patch.object(movement, "_hold", wrong)


@mutant
def has_nobody_look_at_what_depends_on_a_finished_step() -> Patch:
    return patch.object(movement, "_has_to_look", lambda dependent: False)


@mutant
def spreads_no_skips() -> Patch:
    return patch.object(movement, "_has_to_look", lambda dependent: not dependent.open)


@mutant
def never_frees_a_slot() -> Patch:
    def wrong(state: Any, workflow: Any, step: Any) -> None:
        del state.live[workflow.uid, step.name]
        indexes.requeue(state, workflow)

    return patch.multiple("controller.model.apply_attempt", vacate=wrong)


@mutant
def knows_no_parallelism_of_a_workflow() -> Patch:
    real = indexes.queue_key

    def wrong(state: Any, workflow: Any) -> Any:
        if not workflow.ready or real(state, workflow) is not None:
            return real(state, workflow)
        if workflow.suspended is not None or workflow.deleting or workflow.cancel is not None:
            return None
        if indexes.forbidden(state, workflow.name):
            return None
        return (-workflow.priority, workflow.occupied)

    return patch.multiple(indexes, queue_key=wrong)


@mutant
def retries_without_end() -> Patch:
    def wrong(workflow: Any, step: Any, attempt: Any) -> str | None:
        return None

    return patch.object(retries, "_refusal", wrong)


@mutant
def forgets_how_many_retries_were_spent() -> Patch:
    real = apply_step.retry_scheduled

    def wrong(state: Any, event: Any) -> None:
        real(state, event)
        state.lives[event.uid].steps[event.step].retries = 0

    return patch.dict(APPLY, {RetryScheduled: wrong})


@mutant
def loses_an_exit() -> Patch:
    real = outcome.fact

    def wrong(attempt: Any, seen: Any) -> Any:
        lost = isinstance(seen, Ended) and seen.exit_code == 1
        return None if lost else real(attempt, seen)

    return patch.object(outcome, "fact", wrong)


@mutant
def cancels_nothing_that_is_ready() -> Patch:
    real = cancel.stop

    def wrong(workflow: Any, step: Any) -> Any:
        return None if step.phase is Phase.READY else real(workflow, step)

    return patch.object(cancel, "stop", wrong)


@mutant
def lets_no_deadline_pass() -> Patch:
    return patch.object(cancel, "_overdue", lambda state, workflow, now: None)


@mutant
def starts_what_still_waits() -> Patch:
    real = plan.readiness.decide

    def wrong(state: Any, workflow: Any, step: Any, now: int) -> Any:
        step.open = 0
        return real(state, workflow, step, now)

    return patch.object(plan.readiness, "decide", wrong)


def caught(name: str, seeds: Iterable[int] = SEEDS) -> tuple[int, str]:
    """The seed by which it is noticed, and how; seed -1 if it never is."""
    with MUTANTS[name]():
        for seed in seeds:
            try:
                storm(seed)
            except Exception as error:  # whatever a broken controller does
                return seed, f"{type(error).__name__}: {error}".splitlines()[0]
    return -1, ""


def table() -> Iterator[tuple[str, int, str]]:
    for name in MUTANTS:
        yield (name, *caught(name))


if __name__ == "__main__":
    missed = 0
    for name, seed, how in table():
        missed += seed < 0
        by = f"seed {seed}" if seed >= 0 else "NOT CAUGHT"
        print(f"{name:<52}{by:<12}{how[:90]}", flush=True)
    sys.exit(min(missed, 1))
