"""Runs attempts in containers of this machine, by podman or docker.

The shim starts the client, `podman run`, as the first process of the attempt, and its journal
decides that this happens once. So nothing has to be made beforehand: an attempt is submitted when
its image is here, and its handle is the name that its container will have (`submitter`). From then
on there are two to follow (`follower`). The client is a process like that of a local attempt, and
`LocalExecutor` tells how it ended. The container is what counts: `inspect` says whether it runs and
how it ended (`verdict`).
"""

import select
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from controller.executor.container.attempt import Attempts, ContainerAttempt
from controller.executor.container.contact import Contact
from controller.executor.container.ending import ContainerEnding
from controller.executor.container.follower import Follower
from controller.executor.container.removal import Removals
from controller.executor.container.strangers import Strangers
from controller.executor.container.submitter import Submitter
from controller.executor.surroundings import Surroundings
from controller.loop.ports import (
    AttemptId,
    End,
    Ended,
    Found,
    Launch,
    Observation,
    Running,
    Sites,
    Started,
    Trouble,
)
from controller.model.state import SECOND
from controller.spec.placement import Placement

ENGINE = "container"
CLOSE_US_MAX = 2_000_000  # to remove containers in


class ContainerEngine:
    """Implements `router.Engine`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._clock = around.clock
        self._machine = around.machine
        self._contact = Contact()
        self._attempts = Attempts(around.state_dir)
        self._submitter = Submitter(self._attempts, around, self._contact)
        self._follower = Follower(self._attempts, around, self._contact)
        self._removals = Removals(around.calls)
        self._strangers = Strangers(self._attempts, self._removals, around.calls)

    # ---------------------------------------------------------------------------------- the calls
    def start(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            attempt = self._attempts.of(launch)
            if known := attempt.outcome or attempt.submitted:
                self._attempts.tell(known)
            else:
                attempt.launch, attempt.log = launch, launch.log
                self._submitter.submit(attempt, launch)

    def release(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            attempt = self._attempts.of(launch)
            attempt.launch, attempt.log = launch, launch.log
            if attempt.outcome is not None:
                self._attempts.tell(attempt.outcome)
            elif attempt.client is None:
                self._submitter.let_go(attempt, launch)

    def adopt(self, attempts: Collection[Running], sites: Sites) -> None:
        now, boot_id = self._clock.now(), self._clock.read().boot_id
        for running in attempts:
            attempt = self._attempts.of(running)
            attempt.log, attempt.started = running.log, running.started
            attempt.rebooted = running.boot_id not in ("", boot_id)
            if attempt.started is not None and not attempt.rebooted:
                attempt.due = now
        self._strangers.list_at(sites.folder_id, sites.by_engine.get(ENGINE, {}))

    def clients(self, attempts: Collection[Running]) -> list[Running]:
        return [
            replace(running, leave_processes=True, engine="local")
            for running in attempts
            if running.handle
        ]

    def end(self, orders: Sequence[End]) -> None:
        now = self._clock.now()
        for order in orders:
            attempt = self._attempts.of(order)
            if attempt.outcome is not None:
                self._attempts.tell(attempt.outcome)
                continue
            attempt.ordered = True
            self._submitter.drop(attempt)
            if not order.withdraw_only:
                kill_at = now + round(order.grace_seconds * SECOND)
                ending = attempt.ending = attempt.ending or ContainerEnding(kill_at)
                ending.kill_at = min(ending.kill_at, kill_at)
            if attempt.started is None:
                self._submitter.withdraw(attempt)
            elif attempt.ending is not None:
                attempt.due = now

    def hear(self, seen: Observation) -> list[Observation]:
        attempt = self._attempts.by_id.get(seen.id)
        if attempt is None or attempt.outcome is not None:
            return []
        match seen:
            case Started():
                now = self._clock.now()
                attempt.started = seen.at
                attempt.due = now if attempt.ending is not None else now + attempt.pause
                return [replace(seen, engine=ENGINE, handle=attempt.name)]
            case Ended():
                self._client_ended(attempt, seen)
                return []
            case _:
                return [seen]

    def observe(self) -> list[Observation]:
        now = self._clock.now()
        for part in (self._submitter, self._follower, self._removals, self._strangers):
            part.advance(now)
        news, self._attempts.news = self._attempts.news, []
        return news

    def forget(self, ids: Collection[AttemptId]) -> None:
        self._machine.forget(ids)
        for attempt_id in ids:
            attempt = self._drop(attempt_id)
            if attempt is None:
                self._strangers.remove(attempt_id)
            elif attempt.started is not None:
                self._removals.add(attempt.program, attempt.name, attempt_id)

    def disown(self, found: Sequence[Found]) -> None:
        for stranger in found:
            if stranger.held:
                self._strangers.remove(stranger.id)
            else:
                self._strangers.leave(stranger.id)

    def abandon(self, ids: Collection[AttemptId]) -> None:
        self._machine.abandon(ids)
        for attempt_id in ids:
            self._drop(attempt_id)

    def flush(self) -> None:
        """Calls go out at once."""

    def close(self) -> None:
        """Remove what has ended: there may be no next controller for a long time."""
        enough = self._clock.now() + CLOSE_US_MAX
        while self._removals.hopeful and (now := self._clock.now()) < enough:
            self._removals.advance(now)
            select.select([self._around], [], [], (enough - now) / SECOND)
            self._around.rest()
            self._around.calls.collect()

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        self._submitter.expect(uid, placements)

    def troubles(self) -> list[Trouble]:
        return [
            *self._contact.troubles(),
            *self._submitter.troubles(),
            *self._strangers.troubles(),
        ]

    def next_due(self) -> int | None:
        if self._attempts.news:
            return self._clock.now()
        parts = (self._submitter, self._follower, self._removals, self._strangers)
        return min((due for part in parts if (due := part.next_due()) is not None), default=None)

    # -------------------------------------------------------------------------------- one attempt's
    def _client_ended(self, attempt: ContainerAttempt, seen: Ended) -> None:
        """Where there can be no container, that is the end of the attempt."""
        if seen.how == "withdrawn" and attempt.refusal is not None and not attempt.ordered:
            refusal = attempt.refusal
            seen = replace(
                seen, how="start-failed", problem=str(refusal), reason=str(refusal.reason)
            )
        if seen.how in ("withdrawn", "start-failed") or attempt.rebooted:
            self._submitter.drop(attempt)
            self._attempts.finish(attempt, seen)
        else:
            attempt.client, attempt.due = seen, self._clock.now()
            attempt.stale = attempt.busy

    def _drop(self, attempt_id: AttemptId) -> ContainerAttempt | None:
        attempt = self._attempts.by_id.pop(attempt_id, None)
        if attempt is not None:
            self._submitter.drop(attempt)
        return attempt
