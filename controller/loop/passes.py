"""The planning passes: fold what was seen, ask the plan, fold its promises, until nothing is left.

The turn makes their records durable and acts on them; a rehearsal runs the same passes on a copy of
the state and acts on nothing, so what it foretells is what happens. Cost: that of the plan, and of
folding each record.
"""

from collections.abc import Iterable

from controller.loop import causes
from controller.loop.ports import Chance
from controller.loop.promises import promised
from controller.model import events as e
from controller.model.apply.fold import apply
from controller.model.state import State
from controller.planner.actions import Action
from controller.planner.permission import Limits
from controller.planner.plan import forget_touched, plan

PASSES_MAX = 1_000_000  # of planning in one turn; more is a plan that does not change the state


class Passes:
    """One state, and the records that the present turn adds to it. `now`: of that turn."""

    def __init__(self, state: State, epoch: int, chance: Chance) -> None:
        self.state = state
        self.batch: list[e.Record] = []
        self.attached: dict[str, bytes] = {}  # files that these records name
        self.now = 0
        self._epoch = epoch
        self._chance = chance

    def begin(self, now: int) -> None:
        """The next turn begins at `now` (microseconds of the controller's clock)."""
        self.now, self.batch, self.attached = now, [], {}

    def fold(self, event: e.AnyEvent, cause: int = 0) -> None:
        """Something happened, or was decided: the next record. `cause`: what it follows from."""
        seq = self.state.seq + 1
        first = self.batch[0].seq if self.batch else seq
        record = e.Record(
            seq=seq, turn=first, time=self.now, epoch=self._epoch, event=event, cause=cause
        )
        apply(self.state, record)
        self.batch.append(record)

    def promise(self, actions: Iterable[Action], cause: int = 0) -> None:
        """Record what is wanted, with what chance adds to it."""
        for action in actions:
            for event in promised(self.state, action, self.now, self._chance, self.attached):
                self.fold(event, cause)

    def rest(self, limits: Limits) -> None:
        """Plan until nothing is left to decide and no slot to fill."""
        for _ in range(PASSES_MAX):
            actions = plan(self.state, self.now, limits)
            forget_touched(self.state, actions)
            if not actions:
                return
            for action in actions:
                self.promise([action], causes.of_decision(self.state, action))
        raise AssertionError(f"the plan does not come to rest: {actions[:3]}")
