"""A workflow's story without any edge: events in, decisions out, time by hand.

What the real loop does with disk, processes and chance is done here by the test: it says what the
world did, `settle` lets the planner decide until it rests, and the records are kept. After every
event each invariant is checked.
"""

from collections.abc import Callable
from typing import Any, cast

import msgspec

from controller.intake.requests import answer
from controller.loop import causes
from controller.loop.promises import promised
from controller.model import events as e
from controller.model.apply.fold import apply
from controller.model.invariants import check
from controller.model.observations import (
    AttemptId,
    Ended,
    EndFailed,
    Observation,
    Queued,
    Request,
    Started,
    Submitted,
)
from controller.model.phases import STEP_MOVES, WORKFLOW_MOVES, AttemptPhase, Reason
from controller.model.state import SECOND, Attempt, Move, Queue, State, Step, Workflow
from controller.planner.actions import Accept, Action
from controller.planner.editing.accept import accept
from controller.planner.outcome import facts
from controller.planner.permission import Limits
from controller.planner.plan import forget_touched, plan
from controller.spec.definition import BackoffPolicy
from controller.spec.linked import LinkedWorkflow as Document
from controller.spec.placement import LOCAL
from controller.spec.reading.load import Document as Written

BEGIN = 1_700_000_000 * SECOND
PASSES_MAX = 100_000


class CountedChance:
    """No chance at all: uids and marks are counted, delays are the policy's without jitter."""

    def __init__(self) -> None:
        self.drawn = 0

    def uid(self) -> str:
        self.drawn += 1
        return f"uid-{self.drawn}"

    def mark(self) -> int:
        self.drawn += 1
        return self.drawn

    def delay_seconds(self, policy: BackoffPolicy, number: int) -> float:
        return min(policy.max_seconds, policy.initial_seconds * policy.factor ** (number - 1))


def document(steps: list[dict[str, Any]], name: str = "w", **spec: Any) -> Document:
    """A document as the loader would give it; a step without a command gets one of its own."""
    return msgspec.convert(
        {
            "apiVersion": "treadle.dev/v1",
            "kind": "Workflow",
            "metadata": {"name": name},
            "spec": {"steps": with_commands(steps), **spec},
        },
        Document,
    )


def with_commands(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    acts = {"run", "command", "template", "approve"}
    return [step if acts & step.keys() else {**step, "run": step["name"]} for step in steps]


def template(*steps: dict[str, Any], home: str = ".", **spec: Any) -> dict[str, Any]:
    """One of `templates` of a document, as the log has it."""
    return {"spec": {"steps": with_commands(list(steps)), **spec}, "home": home}


def a_step(name: str, *needs: str | dict[str, str], **fields: Any) -> dict[str, Any]:
    return {"name": name, **({"dependsOn": list(needs)} if needs else {}), **fields}


def dump(state: State) -> dict[str, Any]:
    """All that a state knows and has indexed, in order where order counts.

    But for what was touched since the last plan: a replay plans nothing.
    """
    known = {
        **vars(state),
        "controller": state.controller,
        "live": [[uid, step, one.number] for (uid, step), one in state.live.items()],
        "timer_of": sorted(state.timer_of.items()),
        "seats": {family: sorted(seats) for family, seats in state.seats.items()},
        "queue": _in_order(state.queue),
        "queue_on": {slots: _in_order(queue) for slots, queue in sorted(state.queue_on.items())},
        "lines": {
            name: {line: _in_order(queue) for line, queue in lines.items()}
            for name, lines in state.lines.items()
        },
        "held": {name: sorted(by.items()) for name, by in state.held.items()},
        "takers": {name: sorted(steps) for name, steps in state.takers.items()},
        "moves": [],
        "touched": {},
    }
    return cast(dict[str, Any], msgspec.to_builtins(known))


def _in_order(queue: Queue) -> list[Any]:
    return sorted(
        (key, [[family, *uids] for family, uids in families.items()])
        for key, families in queue.items()
    )


def orders(state: State) -> list[object]:
    """What waits, in the order in which it may start. An image could lose that unseen."""
    return [
        (
            life.name,
            [*life.ready],
            {slots: [*ready] for slots, ready in life.ready_on.items()},
            [(name, [[*one] for one in groups.values()]) for name, groups in life.parked.items()],
        )
        for life in state.lives.values()
    ]


def check_moves(record: e.Record, moves: list[Move]) -> None:
    """The tables of moves name the event that made each of these."""
    for move in moves:
        table = STEP_MOVES if move.step else WORKFLOW_MOVES
        assert type(record.event).__name__ in table[move.was][move.phase], (record.event, move)


class Story:
    """One state, its records and the clock."""

    def __init__(self, limits: Limits | None = None, checked: bool = True) -> None:
        self.state = State()
        self.records: list[e.Record] = []
        self.attached: dict[str, bytes] = {}
        self.now = BEGIN
        self.limits = limits or Limits(max_parallel=1_000)
        self.chance = CountedChance()
        self.checked = checked
        self.decided: list[e.AnyEvent] = []  # by the last `settle`
        self.on_pass: Callable[[list[Action]], None] = lambda actions: None
        self.controller_starts()

    # ------------------------------------ what the world does

    def controller_starts(self, **clocks: Any) -> None:
        known = {"boot_id": "boot", "boottime": self.now, "uptime": self.now}
        self.see(e.ControllerStarted(version="0", pid=1, user="u", **{**known, **clocks}))

    def accept(self, steps: list[dict[str, Any]], name: str = "w", **spec: Any) -> "Story":
        """The folder has this document now."""
        before = self.state.workflows.get(name)
        found = document(steps, name, **spec)
        uid = before.uid if before else None
        self.promise(Accept(document=found, path=f"{name}.yaml", uid=uid))
        return self.settle()

    def convert(self, steps: list[dict[str, Any]], name: str = "w", **spec: Any) -> "Story":
        """As `accept`, by all the rules of what becomes of a document."""
        found = Written(workflow=document(steps, name, **spec), line=1)
        for action in accept(self.state.workflows.get(name), found, f"{name}.yaml", ""):
            self.promise(action)
        return self.settle()

    def begin(self, found: Document, params: dict[str, Any]) -> "Story":
        """A life begins, and is given these params."""
        name = found.metadata.name
        self.promise(Accept(document=found, path=f"{name}.yaml", uid=None, params=params))
        return self.settle()

    def submit(self, *names: str, workflow: str = "w") -> "Story":
        """Its engine has each of these scheduled attempts, and holds it."""
        for name in names:
            attempt = self.attempt(name, workflow)
            seen = Submitted(
                id=self._id(name, workflow),
                handle=f"{attempt.mark}",
                place={**attempt.place, "queue": attempt.engine},
                site=attempt.engine,
            )
            assert self._tell(workflow, attempt, seen), f"{name} is submitted"
        return self.settle()

    def wait_there(self, name: str, reason: str, workflow: str = "w") -> "Story":
        """Its engine says why it has not started the attempt yet."""
        seen = Queued(id=self._id(name, workflow), reason=reason)
        self._tell(workflow, self.attempt(name, workflow), seen)
        return self.settle()

    def start(self, *names: str, workflow: str = "w") -> "Story":
        """These scheduled attempts run: as processes, or where their engine has put them."""
        for name in names:
            attempt = self.attempt(name, workflow)
            known: dict[str, Any] = {"pid": 100 + attempt.mark, "start_ticks": 1}
            if attempt.engine != LOCAL:
                if not attempt.handle:
                    self.submit(name, workflow=workflow)
                known = {"engine": attempt.engine, "handle": attempt.handle}
            seen = Started(id=self._id(name, workflow), at=self.now, **known)
            assert self._tell(workflow, attempt, seen), f"{name} runs"
        return self.settle()

    def end(self, name: str, workflow: str = "w", settle: bool = True, **how: Any) -> "Story":
        """The attempt of this step is over; as it was wanted, or as `how` says."""
        attempt = self.attempt(name, workflow)
        if attempt.phase is AttemptPhase.SCHEDULED and not how:
            how = {"how": "withdrawn"}
        elif not how:
            how = {"signal": 15}
        seen = {"how": "exited", "at": self.now, **how}
        self._tell(workflow, attempt, Ended(id=self._id(name, workflow), **seen))
        return self.settle() if settle else self

    def survive(self, name: str, problem: str = "", workflow: str = "w", **how: Any) -> "Story":
        """The attempt can't be ended: its engine says why, or names the pids."""
        seen = EndFailed(id=self._id(name, workflow), problem=problem, **how)
        self._tell(workflow, self.attempt(name, workflow), seen)
        return self.settle()

    def _tell(self, workflow: str, attempt: Attempt, seen: Observation) -> list[e.AnyEvent]:
        told: list[e.AnyEvent] = []
        for event in facts(self.life(workflow), attempt, seen):
            self.see(event, causes.of_news(attempt, event))
            told.append(event)
        return told

    def exit(self, name: str, code: int = 0, workflow: str = "w", outputs: bytes = b"") -> "Story":
        """The step's process runs, if it doesn't yet, and exits, having written its outputs."""
        if self.attempt(name, workflow).phase is AttemptPhase.SCHEDULED:
            self.start(name, workflow=workflow)
        return self.end(name, workflow, exit_code=code, outputs=outputs)

    def mark(self, path: str = "w.cancel", workflow: str = "w", **marker: Any) -> "Story":
        self.see(e.MarkerPlaced(workflow=workflow, path=path, digest="d", **marker))
        return self.settle()

    def unmark(self, path: str = "w.cancel", workflow: str = "w") -> "Story":
        self.see(e.MarkerRemoved(workflow=workflow, path=path))
        return self.settle()

    def delete(self, workflow: str = "w") -> "Story":
        self.see(e.DeletionAccepted(uid=self.life(workflow).uid, message="gone"))
        return self.settle()

    def retry(self, *names: str, workflow: str = "w") -> "Story":
        """Somebody wants these steps to run again."""
        for name in names:
            why = {"reason": Reason.RETRY_REQUESTED, "message": "asked"}
            self.see(e.StepReset(uid=self.life(workflow).uid, step=name, **why))
        return self.settle()

    def answers(self, name: str, yes: bool = True, workflow: str = "w") -> "Story":
        """A person answers the question of this step."""
        question = self.step(name, workflow).asking
        assert question is not None, f"{name} does not ask"
        return self.ask("approve", name, workflow=workflow, question=question.number, approved=yes)

    def ask(self, kind: str, *steps: str, workflow: str = "w", **fields: Any) -> "Story":
        """Somebody requests it. What would have to wait is forgotten."""
        told = {"name": f"{self.state.seq:06}", "by": "somebody", **fields}
        request = Request(kind=kind, workflow=workflow, steps=[*steps], **told)  # type: ignore[arg-type]
        for action in answer(self.state, request) or ():
            self.promise(action)
        return self.settle()

    def asking(self, workflow: str = "w") -> list[str]:
        """The steps that wait for a person."""
        steps = self.life(workflow).steps
        return [name for name, step in steps.items() if step.asking is not None]

    def wait(self, seconds: float) -> "Story":
        self.now += round(seconds * SECOND)
        return self.settle()

    # ------------------------------------ what the controller makes of it

    def settle(self) -> "Story":
        """Plan until there is nothing left to decide and no slot to fill."""
        self.decided = []
        for _ in range(PASSES_MAX):
            actions = plan(self.state, self.now, self.limits)
            assert actions == plan(self.state, self.now, self.limits), "asked twice, answers twice"
            self.on_pass(actions)
            forget_touched(self.state, actions)
            if not actions:
                return self
            for action in actions:
                cause = causes.of_decision(self.state, action)
                assert 0 < cause <= self.state.seq, f"{action} follows from record {cause}"
                self.decided += self.promise(action, cause)
        raise AssertionError(f"no rest: {actions[:3]}")

    def promise(self, action: Action, cause: int = 0) -> list[e.AnyEvent]:
        events: list[e.AnyEvent] = []
        for event in promised(self.state, action, self.now, self.chance, self.attached):
            self.see(event, cause)
            events.append(event)
        return events

    def see(self, event: e.AnyEvent, cause: int = 0) -> "Story":
        seq = self.state.seq + 1
        record = e.Record(seq=seq, turn=seq, time=self.now, epoch=1, event=event, cause=cause)
        moves = len(self.state.moves)
        apply(self.state, record)
        self.records.append(record)
        if self.checked:
            check_moves(record, self.state.moves[moves:])
            check(self.state)
        return self

    # ------------------------------------ how it stands

    def life(self, workflow: str = "w") -> Workflow:
        return self.state.workflows[workflow]

    def step(self, name: str, workflow: str = "w") -> Step:
        return self.life(workflow).step(name)

    def attempt(self, name: str, workflow: str = "w") -> Attempt:
        attempt = self.step(name, workflow).live
        assert attempt is not None, f"nothing of {name} lives"
        return attempt

    def _id(self, name: str, workflow: str) -> AttemptId:
        return AttemptId(self.life(workflow).uid, name, self.attempt(name, workflow).number)

    def phases(self, workflow: str = "w") -> dict[str, str]:
        return {name: str(step.phase) for name, step in self.life(workflow).steps.items()}

    def why(self, name: str = "", workflow: str = "w") -> tuple[str, str]:
        """Phase and reason of a step, or of the workflow."""
        of = self.step(name, workflow) if name else self.life(workflow)
        return str(of.phase), str(of.reason)

    def live(self, workflow: str = "w") -> set[str]:
        """The steps that have been given a slot and not given it back."""
        uid = self.life(workflow).uid
        return {step for owner, step in self.state.live if owner == uid}
