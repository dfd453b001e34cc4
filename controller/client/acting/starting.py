"""Begin an instance of a definition by hand, and follow what becomes of it.

The request is durable as soon as it is written. Who follows it reads the log, so a command that is
killed meanwhile changes nothing.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from controller.client.past import recall
from controller.client.replica import FOLLOW_SECONDS, ORPHANED_SECONDS, Replica, is_live, now
from controller.errors import StorageError, UsageError
from controller.intake.requests import not_startable, started_before
from controller.model.events import AnyEvent, FiringDecided, RequestApplied, WorkflowFinished
from controller.model.observations import Request
from controller.model.phases import Phase, Reason
from controller.model.state import State, Workflow
from controller.planner.actions import Action
from controller.rehearsal.requests import decisions
from controller.requests import drop, set_aside
from controller.view.find import find_workflow


class Begun(NamedTuple):
    """What became of the request. `before`: an earlier firing with the same key has begun it."""

    instance: str
    before: bool = False
    decision: FiringDecided | None = None


class Interrupted(Exception):
    """A signal, or the time is over; what was asked for goes on."""


def require_definition(life: Workflow) -> None:
    """Raises UsageError, with the command that fits what it is."""
    if life.starter is None:
        raise UsageError(not_startable(life))


class Foretold(NamedTuple):
    """What a start would do. `skipped`: why nothing would start, if that is so."""

    lines: list[str]
    skipped: str


def foretold(state: State, name: str, actions: Sequence[Action]) -> Foretold:
    """What would be decided now, in words. `actions`: what follows from the request."""
    lines = [
        f"{action.instance}: was started with this key before; nothing would start"
        for action in actions
        if isinstance(action, RequestApplied) and action.instance
    ]
    for decision in decisions(state, actions, max(state.time, now())):
        if decision.outcome == "Skipped":
            return Foretold(lines, why_skipped(name, decision))
        waits = f"; first it {decision.message}" if decision.message else ""
        lines.append(f"{decision.instance}: would start{waits}")
    return Foretold(lines, "")


def why_skipped(name: str, decision: FiringDecided) -> str:
    said = f"{name}: not started ({decision.reason}): {decision.message}"
    if decision.reason == Reason.OVERLAP:
        holder = decision.message.partition(" ")[0]
        return f"{said}; wait for it: treadle wait {holder} --for condition=Complete"
    return said


class Starting:
    """One request to start, from now on. `stop` is asked often; true: do not wait any longer."""

    def __init__(self, state_dir: str, request: Request, stop: Callable[[], bool]) -> None:
        self._state_dir = state_dir
        self._request = request
        self._stop = stop
        self._replica = Replica(state_dir)
        self._replica.catch_up()
        self._ended: dict[str, Phase] = {}  # uid -> how a run of it ended last

    def ask(self) -> Begun | None:
        """Write the request, and wait until it is decided; None if no controller is there.

        Nothing is written if the log knows an instance with this key already.
        Raises UsageError if it was refused, StorageError if the controller could not read it, and
        Interrupted.
        """
        definition = self._replica.state.workflows.get(self._request.workflow)
        if (instance := started_before(definition, self._request)) != "":
            return Begun(instance, before=True)
        name = drop(self._state_dir, self._request)
        patience = ORPHANED_SECONDS if is_live(self._state_dir) else 0.0
        seen = time.monotonic()
        while True:
            # Asked before the log is read: what a controller did before it went is seen then.
            live, aside = is_live(self._state_dir), set_aside(self._state_dir, name)
            if (begun := self._decided(name)) is not None:
                return begun
            if aside:
                raise StorageError(
                    f"{self._request.workflow}: the controller can't read the request and set it "
                    "aside, so nothing was started; its stderr says why"
                )
            if live:
                seen = time.monotonic()
            elif time.monotonic() - seen >= patience:
                return None
            self._pause()

    def _decided(self, name: str) -> Begun | None:
        begun, refusal = None, ""
        for event in self._news():
            match event:
                case RequestApplied(name=of, refused=refused, instance=instance) if of == name:
                    refusal = refused
                    begun = Begun(instance, before=True) if instance else begun
                case FiringDecided(request=of, instance=instance) if of == name:
                    begun = Begun(instance, decision=event)
        if refusal:
            raise UsageError(f"{self._request.workflow}: refused: {refusal}")
        return begun

    def _news(self) -> list[AnyEvent]:
        """All of them: who stops in the middle loses what was read ahead."""
        events = [folded.record.event for folded in self._replica.news()]
        for event in events:
            if isinstance(event, WorkflowFinished):
                self._ended[event.uid] = event.phase
        return events

    def end_of(self, instance: str) -> Phase:
        """Wait until the instance has ended. Raises Interrupted."""
        state = self._replica.state
        recall(self._state_dir, state, instance)
        uid = find_workflow(state, instance).uid
        while True:
            self._news()
            life = state.lives.get(uid)
            if life is None:
                return self._ended.get(uid, Phase.CANCELLED)
            if life.finished:
                return life.phase
            self._pause()

    def life(self, instance: str) -> Workflow | None:
        return self._replica.state.workflows.get(instance)

    def _pause(self) -> None:
        if self._stop():
            raise Interrupted
        time.sleep(FOLLOW_SECONDS / 2)
