"""What a turn of a controller, or a look at the log, has brought: for all that show it."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from controller.model.events import FiringDecided
from controller.model.phases import AttemptPhase
from controller.model.state import Attempt, Condition, Move, State, Workflow
from controller.planner.permission import Limits
from controller.spec.placement import MACHINE


class News(NamedTuple):
    """`now`: microseconds since 1970. `only`: uids of the workflows to show, and names of such that
    never had a valid spec; None: all in force.

    `limits`: those of the controller, if they are known. `stood`: no controller runs, and this is
    the last moment that anything is known of.
    """

    state: State
    state_dir: str
    now: int
    moves: Sequence[Move] = ()
    conditions: Sequence[Condition] = ()
    notes: Sequence[str] = ()  # about the controller itself, each once
    limits: Limits | None = None
    only: frozenset[str] | None = None
    stood: int | None = None
    firings: Sequence[FiringDecided] = ()
    left: Mapping[str, int] = MappingProxyType({})  # instances that ended and are archived, by end

    def shows(self, uid: str) -> bool:
        return self.only is None or uid in self.only

    def workflows(self) -> Iterable[Workflow]:
        if self.only is None:
            return self.state.workflows.values()
        lives = (self.state.lives.get(uid) for uid in self.only)
        return sorted((life for life in lives if life is not None), key=lambda life: life.order)

    def running(self) -> int:
        """How many steps run."""
        return sum(attempt.phase is AttemptPhase.RUNNING for attempt in self.state.live.values())

    def running_here(self) -> list[Attempt]:
        """Those of them that run on this machine."""
        return [
            attempt
            for attempt in self.state.live.values()
            if attempt.phase is AttemptPhase.RUNNING and attempt.slots == MACHINE
        ]

    def lacks_room(self) -> bool:
        """Whether a full disk keeps steps from starting."""
        types = {condition.type for condition in self.conditions}
        waiting = self.state.queue or self.state.queue_on or self.state.lines
        return bool(waiting) and "DiskPressure" in types
