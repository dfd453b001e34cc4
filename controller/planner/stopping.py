"""What a controller that stops with `--end-steps` does about the attempts that live."""

from collections.abc import Iterator

from controller.model.events import AttemptEnding
from controller.model.phases import Reason
from controller.model.state import State
from controller.planner.actions import to_end
from controller.spec.placement import MACHINE


def interrupt(state: State) -> Iterator[AttemptEnding]:
    """End all that lives on this machine and isn't being ended, since its controller stops.

    No step is cancelled by that: what has not started is withdrawn and waits for a slot again, what
    ran is `Interrupted`. What engines have elsewhere goes on, and waits where it waits.
    """
    message = "its controller was stopped with --end-steps"
    for (uid, name), attempt in state.live.items():
        if attempt.slots == MACHINE and (attempt.ending is None or attempt.ending.withdraw):
            workflow = state.lives[uid]
            step = workflow.step(name)
            yield to_end(workflow, step, attempt, Reason.CONTROLLER_STOPPED, message)
