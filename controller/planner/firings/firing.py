"""What a definition decides now: which of its triggers fire, and which instance may start.

One decision at a time, since the next one depends on it: a firing finds what runs by then. Times
without a controller are never gone through one by one, however many there are: due times in a row
that nobody starts are one record. Cost: O(triggers) a look, and some questions to the rule of due
times for each that is due.
"""

from collections.abc import Iterator

from controller.model.events import (
    CancelAccepted,
    FiringDecided,
    LifeEnded,
    TriggersArmed,
    TurnCame,
)
from controller.model.indexes import wall
from controller.model.phases import Reason
from controller.model.state import SECOND, Armed, Starter, State, Workflow, starter_of
from controller.planner.actions import Fire
from controller.spec.triggers.due import Rule, at_in, day_of, key_of, offset
from controller.spec.triggers.trigger import (
    MISSED_MAX,
    Firing,
    Overlap,
    ResolvedTrigger,
    overlap,
    triggers,
)

LATE = 60  # seconds; a due time that is seen later was missed, whatever the reason
NONE = frozenset[str]()

Decision = Fire | FiringDecided | TriggersArmed | TurnCame | CancelAccepted | LifeEnded


def decide(state: State, definition: Workflow, now: int) -> Decision | None:
    """The next decision at `now` (microseconds of the controller's clock)."""
    starter = starter_of(definition)
    if definition.deleting:
        gone = not starter.unfinished and not starter.ended
        return LifeEnded(uid=definition.uid) if gone else None
    return next(_decisions(state, definition, starter, wall(state, now)), None)


def _decisions(
    state: State, definition: Workflow, starter: Starter, now: int
) -> Iterator[Decision]:
    timed = [
        (_Timed(definition, trigger, starter.triggers[name]))
        for name, trigger in triggers(definition.spec).items()
        if trigger.rule is not None
    ]
    if starter.stood:
        yield from _stood(starter, timed)
        yield TriggersArmed(
            uid=definition.uid, due={timer.name: timer.upcoming() for timer in timed}
        )
    if not starter.hold:
        unarmed = {timer.name: timer.upcoming() for timer in timed if not timer.armed.is_armed}
        if unarmed:
            yield TriggersArmed(uid=definition.uid, due=unarmed)
        present = state.controller.present
        for timer in timed:
            yield from timer.decisions(now, present)
    told = starter.hold in ("", Reason.SUSPENDED, Reason.CANCEL_MARKER)
    for arrival in starter.arrivals[:1] if told else ():
        yield Fire(
            uid=definition.uid,
            trigger=arrival.trigger,
            key=arrival.key,
            after=True,
            facts=Firing(
                name=arrival.trigger,
                kind="after",
                key=arrival.key,
                params=arrival.params,
                workflow=arrival.workflow,
            ),
        )
    yield from _turns(state, starter, overlap(definition.spec))


def _stood(starter: Starter, timed: list["_Timed"]) -> Iterator[FiringDecided]:
    """Skips what was due while it was held: it was suspended, or a marker or an edit held it."""
    for reason, until in starter.stood:
        for timer in timed:
            first = timer.after(timer.armed.mark)
            last = timer.rule.latest(until - timer.jitter)
            if first is not None and last is not None and first <= last:
                yield timer.skip(*_STOOD[reason], first, last)


_STOOD = {
    "Suspended": (Reason.SUSPENDED, "the workflow was suspended"),
    "CancelMarker": (Reason.CANCEL_MARKER, "a cancel marker was there"),
    "EditPending": (Reason.SUSPENDED, "an edit had removed its triggers, and was taken back"),
}


def upcoming(definition: Workflow, trigger: ResolvedTrigger, armed: Armed) -> int | None:
    """The next due time of a trigger, by what is decided already."""
    return _Timed(definition, trigger, armed).upcoming()


class _Timed:
    """A trigger that waits for times."""

    def __init__(self, definition: Workflow, trigger: ResolvedTrigger, armed: Armed) -> None:
        assert trigger.rule is not None
        self.uid = definition.uid
        self.name = trigger.name
        self.trigger = trigger
        self.rule: Rule = trigger.rule
        self.armed = armed
        self.jitter = offset(definition.name, trigger.name, trigger.jitter)

    def after(self, moment: int, exclude: frozenset[str] = NONE) -> int | None:
        """The first due time later than that which is not decided yet."""
        due = self.rule.after(moment, exclude)
        for begin, end in sorted(self.armed.beyond):
            if due is not None and begin < due <= end:
                due = self.rule.after(end, exclude)
        return due

    def upcoming(self) -> int | None:
        return self.after(self.armed.mark, self.trigger.exclude)

    def skip(self, reason: str, message: str, first: int, last: int) -> FiringDecided:
        """Up to what was decided ahead, at most: the rest is for the next look."""
        last = min([last, *(begin for begin, _ in self.armed.beyond if begin >= first)])
        return FiringDecided(
            uid=self.uid,
            trigger=self.name,
            outcome="Skipped",
            reason=reason,
            message=message,
            key=key_of(last),
            due=last,
            first=None if first == last else first,
            next=self.after(last, self.trigger.exclude),
            missed=self.armed.catching,
        )

    def decisions(self, now: int, present: int) -> Iterator[Decision]:
        """`now`, and since when the controller is there: microseconds on the wall clock."""
        due, late = self.armed.due, now // SECOND - self.jitter
        if due is None or due > late:
            return
        if (by_rule := self.upcoming()) != due:  # the zone has other rules than when it was armed
            yield TriggersArmed(uid=self.uid, due={self.name: by_rule})
        first = self.after(self.armed.mark) if self.trigger.exclude else due
        if first is not None and first < due:
            last = self.rule.latest(due - 1)
            assert last is not None
            yield self.skip(Reason.EXCLUDED, "its day is excluded", first, last)
        newest = self._newest_missed(now, present)
        if newest is not None and newest >= due:
            yield from self._missed(due, newest, late)
        if self._expired(due, late):
            yield self.skip(Reason.EXPIRED, self._deadline(), due, due)
        yield self.fire(due, None)

    def _newest_missed(self, now: int, present: int) -> int | None:
        """The last due time at which no controller looked."""
        seen_from = max(-(-present // SECOND), now // SECOND - LATE)
        newest = self.rule.latest(seen_from - 1 - self.jitter, self.trigger.exclude)
        for begin, end in sorted(self.armed.beyond, reverse=True):
            if newest is not None and begin < newest <= end:
                newest = self.rule.latest(begin, self.trigger.exclude)
        return newest

    def _missed(self, due: int, newest: int, late: int) -> Iterator[Decision]:
        if self.armed.catching is None:
            if self._expired(due, late):
                last = self._last_expired(newest, late)
                yield self.skip(Reason.EXPIRED, self._deadline(), due, last)
            if not self.trigger.catches_all:
                before = self.rule.latest(newest - 1)
                if due < newest and before is not None:
                    yield self.skip(Reason.CATCH_UP, _MISSED, due, before)
                yield self.fire(due, None)
                return
            oldest = self._oldest_caught(due, newest)
            if due < oldest:
                before = self.rule.latest(oldest - 1)
                assert before is not None
                said = f"{_MISSED}, and {MISSED_MAX:,} newer ones are started"
                yield self.skip(Reason.CATCH_UP, said, due, before)
            yield self.fire(due, newest)
        elif due <= self.armed.catching:
            yield self.fire(due, self.armed.catching)

    def _oldest_caught(self, due: int, newest: int) -> int:
        """The first of the missed due times that are started: they are not too many."""
        oldest = newest
        for _ in range(MISSED_MAX - 1):
            before = self.rule.latest(oldest - 1, self.trigger.exclude)
            if before is None or before < due:
                break
            oldest = before
        return oldest

    def _expired(self, due: int, late: int) -> bool:
        return self.trigger.deadline is not None and late - due > self.trigger.deadline

    def _last_expired(self, newest: int, late: int) -> int:
        assert self.trigger.deadline is not None
        last = self.rule.latest(late - int(self.trigger.deadline) - 1)
        return newest if last is None else min(newest, last)

    def _deadline(self) -> str:
        return f"later than {self.trigger.deadline:g} s (startingDeadlineSeconds)"

    def fire(self, due: int, missed: int | None) -> Fire:
        return Fire(
            uid=self.uid,
            trigger=self.name,
            key=key_of(due),
            due=due,
            next=self.after(due, self.trigger.exclude),
            missed=missed,
            facts=facts_of_time(self.trigger, due),
        )


_MISSED = "no controller saw it in time"


def facts_of_time(trigger: ResolvedTrigger, due: int, kind: str = "") -> Firing:
    """What expressions read of a firing at a due time. `kind`: if it is not that of the trigger."""
    assert trigger.rule is not None
    previous = trigger.rule.latest(due - 1)
    return Firing(
        name=trigger.name,
        kind=kind or trigger.kind,
        key=key_of(due),
        due=at_in(due, trigger.zone),
        previous="" if previous is None else at_in(previous, trigger.zone),
        date=str(day_of(due, trigger.zone)),
    )


# ---------------------------------------- the queue


def _turns(state: State, starter: Starter, said: Overlap) -> Iterator[TurnCame | CancelAccepted]:
    """Who may start of those that are queued, and who has to go since they are too many."""
    for group in starter.groups.values():
        oldest = next(iter(group.queued), None)
        if oldest is None:
            continue
        birth = state.lives[oldest].birth
        assert birth is not None
        limit = birth.parallel if birth.backfill else said.limit
        free = said.policy == "Allow" and birth.counts  # since an edit nobody has to wait
        if free or len(group.running) < limit:
            yield TurnCame(uid=oldest)
    queued = sum(len(group.queued) for group in starter.groups.values())
    if queued > said.max_queued:
        yield from _too_many(state, starter, said.max_queued)


def _too_many(state: State, starter: Starter, most: int) -> Iterator[CancelAccepted]:
    """The oldest goes; those of a backfill, and those that were missed, do not count."""
    waiting = [
        life
        for group in starter.groups.values()
        for life in (state.lives[uid] for uid in group.queued)
        if life.birth is not None and life.birth.counts and life.cancel is None
    ]
    if len(waiting) > most:
        oldest = min(waiting, key=lambda life: life.order)
        yield CancelAccepted(
            uid=oldest.uid,
            generation=oldest.generation,
            reason=Reason.QUEUE_FULL,
            message=f"more than {most} instances waited for their turn (maxQueued)",
        )
