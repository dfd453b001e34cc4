"""Is there nothing left that the controller could do or wait for by itself? For `up --once`.

What a person has to undo (a suspension, a marker, a held folder) counts as settled.
"""

from controller.model.state import State
from controller.planner.permission import Limits
from controller.planner.slots import fill


def settled(state: State, limits: Limits) -> bool:
    """Nothing runs, is queued, is due, waits for a timer, or has just changed.

    Cost: O(1), but O(lives in backoff) for a controller that starts only some of them.
    """
    if state.live or state.touched or fill(state, limits):
        return False
    return not any(_is_ours(state, uid, limits) for uid in state.awaited)


def _is_ours(state: State, uid: str, limits: Limits) -> bool:
    """Whether this controller would start the step when its backoff ends."""
    workflow = state.lives[uid]
    return limits.only is None or workflow.request in limits.only
