"""What requests do to a state of the reader's own, by the passes that will carry them out.

A command that asks for something judges by the state that its request will meet: after the requests
that wait already, and without the markers that it removes. Nothing starts, and nothing is acted on.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from controller.intake.requests import answer
from controller.loop.passes import Passes
from controller.model.events import FiringDecided, MarkerRemoved
from controller.model.observations import Request
from controller.model.state import State
from controller.planner.actions import Action
from controller.rehearsal.play import NOTHING_STARTS, NoChance, Play


def carry_out(state: State, requests: Iterable[Request]) -> None:
    """Fold these requests and all that follows from them at once."""
    with _passes(state) as passes:
        for request in requests:
            if request.name not in state.requests:
                passes.promise(answer(state, request) or ())
                passes.rest(NOTHING_STARTS)


def without_markers(state: State, workflow: str) -> None:
    """Fold that the workflow's markers are gone."""
    with _passes(state) as passes:
        for path in list(state.markers_of.get(workflow, ())):
            passes.fold(MarkerRemoved(workflow=workflow, path=path))


def after_hooks(state: State, workflow: str) -> State:
    """A copy of what concerns the workflow, as it will be when its hooks have ended."""
    play = Play(state, workflow)
    play.let_hooks_end()
    return play.state


def decisions(state: State, actions: Iterable[Action], now: int) -> list[FiringDecided]:
    """Fold these at `now` (microseconds of the controller's clock): what becomes of each firing."""
    with _passes(state) as passes:
        passes.begin(now)
        passes.promise(actions)
        events = [record.event for record in passes.batch]
        return [event for event in events if isinstance(event, FiringDecided)]


@contextmanager
def _passes(state: State) -> Iterator[Passes]:
    """Passes over `state`. Its `seq` stays the last record of the log, which has none of these."""
    passes, last = Passes(state, state.epoch, NoChance()), state.seq
    passes.begin(state.time)
    yield passes
    state.seq = last
