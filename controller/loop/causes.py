"""Which record another one follows from: its `cause`.

A decision follows from the record that last gave its step or workflow something to decide, which is
also the one that set the timer if it was time that made it due. News of an attempt follow from its
promise, or from the order to end it. What the outside world does of itself has no cause.
"""

from controller.model.events import AttemptStarted, RunStarted
from controller.model.state import Attempt, State
from controller.planner.actions import Accept, Action


def of_decision(state: State, action: Action) -> int:
    """The cause of what the planner wants to be recorded."""
    if isinstance(action, Accept) and action.uid is None:
        return state.seq  # it takes the name of the life that has just ended
    life = state.lives.get(getattr(action, "uid", None) or "")
    if life is None:
        return 0
    step = life.find(getattr(action, "step", ""))
    return life.cause if step is None else step.cause


def of_news(attempt: Attempt, fact: object) -> int:
    """The cause of what was seen of a live attempt."""
    if attempt.ending is None or isinstance(fact, AttemptStarted | RunStarted):
        return attempt.seq
    return attempt.ending.seq
