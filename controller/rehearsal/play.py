"""The real passes on a copy of one workflow: what is wanted is folded and planned, not acted on.

Of a definition, the copy has its unfinished instances. No time passes, so no due time comes.
On the copy, what is being stopped does stop, and what may finish succeeds. As far as the future
follows from the state alone, it is what the controller itself will do.
Cost: O(steps) for the copy, and that of the records that follow.
"""

from collections.abc import Iterable

import msgspec

from controller.loop.passes import Passes
from controller.model.events import ApprovalAnswered
from controller.model.image import copy_of
from controller.model.indexes import next_due
from controller.model.observations import AttemptId, Ended, Started
from controller.model.phases import AttemptPhase
from controller.model.state import Attempt, State, Step, StepKey, Workflow
from controller.planner.actions import Action
from controller.planner.outcome import facts
from controller.planner.permission import Limits
from controller.planner.wish import wish
from controller.spec.definition import BackoffPolicy
from controller.spec.values import EMPTY, fits

NOTHING_STARTS = Limits(max_parallel=0)
ALL_START = Limits(max_parallel=1_000_000)
ROUNDS_MAX = 1_000_000  # of ends, and what follows from them; more is a life that never rests


class NoChance:
    """What a copy draws: nobody sees its uids and marks, and delays are those without jitter."""

    def __init__(self) -> None:
        self._lives = 0

    def uid(self) -> str:
        self._lives += 1
        return f"to-come-{self._lives}"

    def mark(self) -> int:
        return 0

    def delay_seconds(self, policy: BackoffPolicy, number: int) -> float:
        return float(
            min(policy.max_seconds, policy.initial_seconds * policy.factor ** (number - 1))
        )


def _likely(step: Step, attempt: Attempt) -> dict[str, object]:
    """What it hands on: what it gave last, else the empty value of the type."""
    return {
        name: step.outputs[name] if fits(step.outputs.get(name), kind) else EMPTY[kind]
        for name, kind in attempt.declares.items()
    }


class Play:
    """One workflow's future; of a definition, with that of its unfinished instances.

    `drained`: steps that were let come to their own end, each with the uid of its life.
    """

    def __init__(self, state: State, name: str) -> None:
        self.state = copy_of(state, name)
        self.name = name
        self.drained: set[StepKey] = set()
        self._passes = Passes(self.state, state.epoch, NoChance())
        self._passes.begin(state.time)

    @property
    def life(self) -> Workflow:
        return self.state.workflows[self.name]

    def want(self, actions: Iterable[Action]) -> None:
        """What follows at once, as far as nothing starts and nothing has ended yet."""
        self._passes.promise(actions)
        self._passes.rest(NOTHING_STARTS)

    def let_end(self) -> None:
        """What is being ended ends, what may finish first finishes; nothing starts."""
        for _ in range(ROUNDS_MAX):
            leaving = [pair for pair in self._with_attempts() if self._leaves(*pair)]
            if not leaving:
                return
            for life, step in leaving:
                self._end(life, step)
            self._passes.rest(NOTHING_STARTS)

    def let_hooks_end(self) -> None:
        """The hooks of a run that is over run, and succeed; nothing else starts."""
        for _ in range(ROUNDS_MAX):
            life = self.state.workflows.get(self.name)
            if life is None or not life.is_ending:
                return
            self._passes.rest(ALL_START)
            going = self._with_attempts()
            for owner, step in going:
                self._end(owner, step)
            self._passes.rest(NOTHING_STARTS)
            if not going and not self._pass_time():
                return

    def run_out(self) -> None:
        """All starts, succeeds and is approved, until no edit waits or nothing can happen."""
        for _ in range(ROUNDS_MAX):
            self._passes.rest(ALL_START)
            if self.life.pending is None:
                return
            going = self._with_attempts()
            for life, step in going:
                self._end(life, step)
            if not going and not self._answer() and not self._pass_time():
                return

    def _answer(self) -> bool:
        """Answer yes to each question. Returns whether there was one."""
        answers = [
            ApprovalAnswered(uid=life.uid, step=step.name, number=step.asking.number, approved=True)
            for life in self.state.workflows.values()
            for step in life.steps.values()
            if step.asking is not None
        ]
        self._passes.promise(answers)
        return bool(answers)

    def _pass_time(self) -> bool:
        """Go to the time of the next timer, but for due times: they fire in no play.

        Returns whether there is one.
        """
        due = next_due(self.state, without_triggers=True)
        if due is not None:
            self._passes.begin(max(self._passes.now, due))
        return due is not None

    def _with_attempts(self) -> list[tuple[Workflow, Step]]:
        """By the index: in a chain each round has one such step, and there are as many rounds."""
        lives = self.state.lives
        return [(lives[uid], lives[uid].step(name)) for uid, name in self.state.live]

    def _leaves(self, life: Workflow, step: Step) -> bool:
        wanted = wish(self.state, life, step)
        return wanted is not None and wanted.ends_attempt

    def _end(self, life: Workflow, step: Step) -> None:
        attempt = step.live
        assert attempt is not None
        named = AttemptId(life.uid, step.name, attempt.number)
        if attempt.ending is None and attempt.phase is AttemptPhase.SCHEDULED:
            self._see(life, attempt, Started(id=named, pid=0, start_ticks=0, at=self._passes.now))
        if attempt.ending is None:
            self.drained.add((life.uid, step.name))
            outputs = msgspec.json.encode(_likely(step, attempt)) if attempt.declares else b""
            ended = Ended(id=named, how="exited", at=self._passes.now, exit_code=0, outputs=outputs)
            self._see(life, attempt, ended)
        elif attempt.phase is AttemptPhase.SCHEDULED:
            self._see(life, attempt, Ended(id=named, how="withdrawn", at=self._passes.now))
        else:
            self._see(life, attempt, Ended(id=named, how="lost", at=self._passes.now))

    def _see(self, life: Workflow, attempt: Attempt, seen: Started | Ended) -> None:
        for event in facts(life, attempt, seen):
            self._passes.fold(event)
