"""Due times of triggers: those ahead, those that have passed undecided, and what became of each.

A due time is shown in the zone of its trigger. Nothing is recorded of one that is ahead: what is
said of it follows from the state. Cost: some questions to the rule for each due time that is shown.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta, tzinfo
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from controller.errors import UsageError
from controller.model.indexes import forbidden
from controller.model.phases import Reason
from controller.model.state import SECOND, Armed, State, Workflow
from controller.spec.triggers.due import at_in, day_of, key_of, offset, zone_of
from controller.spec.triggers.trigger import ResolvedTrigger, triggers
from controller.view.table import Cell, Column, Table
from controller.view.times import MOMENTS, local, parse_moment, rfc3339

BEHIND_MAX = 10  # undecided due times that are shown of a trigger
_DAY = re.compile(r"\d{4}-\d\d-\d\d|today|yesterday")


class DueTime(Struct, frozen=True, kw_only=True):
    """One due time, in seconds since 1970. `starts`: with jitter.

    `outcome`: Started, Queued or Skipped; empty while it is not decided, then `message` says what
    is known. `phase`: of the instance. `filled`: the instances of backfills.
    """

    workflow: str
    trigger: str
    zone: str
    due: int
    starts: int
    outcome: str = ""
    reason: str = ""
    message: str = ""
    instance: str = ""
    phase: str = ""
    filled: tuple[str, ...] = ()


class DueShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """A due time as a script reads it. `local`: in the zone of the trigger."""

    workflow: str
    trigger: str
    key: str
    due: str
    local: str
    starts: str
    outcome: str | None
    reason: str | None
    message: str
    instance: str | None
    phase: str | None
    backfills: list[str]


def shape(due_time: DueTime) -> DueShape:
    return DueShape(
        workflow=due_time.workflow,
        trigger=due_time.trigger,
        key=key_of(due_time.due),
        due=rfc3339(due_time.due * SECOND),
        local=at_in(due_time.due, due_time.zone),
        starts=rfc3339(due_time.starts * SECOND),
        outcome=due_time.outcome or None,
        reason=due_time.reason or None,
        message=due_time.message,
        instance=due_time.instance or None,
        phase=due_time.phase or None,
        backfills=list(due_time.filled),
    )


class Timed:
    """A trigger in force that has due times. `live`: a controller runs. `now`: in seconds."""

    def __init__(
        self, state: State, definition: Workflow, trigger: ResolvedTrigger, now: int, live: bool
    ) -> None:
        assert definition.starter is not None
        assert trigger.rule is not None
        self.definition = definition
        self.trigger = trigger
        self.rule = trigger.rule
        self.armed: Armed = definition.starter.triggers[trigger.name]
        self.jitter = offset(definition.name, trigger.name, trigger.jitter)
        self._late = now - self.jitter  # what is due by then has come
        self._live = live
        self._hold = _hold(state, definition)
        newest = self._latest(self._late)
        self._newest = newest if newest is not None and not self.is_decided(newest) else None

    def ahead(self, count: int) -> Iterator[DueTime]:
        """The next ones, also those whose day is excluded."""
        due = self._after(max(self.armed.mark, self._late))
        while due is not None and count:
            yield self.undecided(due)
            due, count = self._after(due), count - 1

    def behind(self) -> list[DueTime]:
        """Those that have come and are not decided yet, the newest BEHIND_MAX, oldest first.

        Without those whose day is excluded: nobody waits for them.
        """
        found: list[DueTime] = []
        due = self._latest(self._late)
        while due is not None and due > self.armed.mark and len(found) < BEHIND_MAX:
            if not self.is_decided(due):
                found.append(self.undecided(due))
            due = self._latest(due - 1)
        return found[::-1]

    def more_behind(self, shown: Sequence[DueTime]) -> bool:
        """Whether there are older ones than these."""
        before = self._latest(shown[0].due - 1) if shown else None
        return len(shown) == BEHIND_MAX and before is not None and not self.is_decided(before)

    def _latest(self, moment: int) -> int | None:
        return self.rule.latest(moment, self.trigger.exclude)

    def is_decided(self, due: int) -> bool:
        beyond = any(begin < due <= end for begin, end in self.armed.beyond)
        return due <= self.armed.mark or beyond

    def _after(self, moment: int) -> int | None:
        due = self.rule.after(moment)
        while due is not None and self.is_decided(due):
            due = self.rule.after(due)
        return due

    def undecided(self, due: int) -> DueTime:
        """What is known of it by now."""
        has_come = due <= self._late
        reason, message = self._expected(due, has_come)
        if reason == Reason.EXCLUDED:
            pass  # whether it has come makes no difference
        elif has_come and not self._live:
            clock = local(due * SECOND, zone_of(self.trigger.zone)).strftime("%H:%M:%S")
            passed = f"was due {clock.removesuffix(':00')}, no controller"
            message = f"{passed}; the next `treadle up` {message}"
        elif has_come:
            message = f"due now: {message}"
        return DueTime(
            workflow=self.definition.name,
            trigger=self.trigger.name,
            zone=self.trigger.zone,
            due=due,
            starts=due + self.jitter,
            reason=reason,
            message=message,
        )

    def _expected(self, due: int, has_come: bool) -> tuple[str, str]:
        """The reason if it will be skipped, and what will become of it."""
        verb = "skips it" if has_come else "skipped"
        if is_excluded(self.trigger, due):
            return Reason.EXCLUDED, "skipped: its day is excluded"
        reason, said = self._hold
        if reason:
            return reason, f"{verb}: {said}"
        if not has_come:
            jitter = f"starts {at_in(due + self.jitter, self.trigger.zone)}"
            return "", f"{jitter} (jitter)" if self.jitter else ""
        deadline = self.trigger.deadline
        if deadline is not None and self._late - due > deadline:
            return Reason.EXPIRED, f"{verb}: later than {deadline:g} s (startingDeadlineSeconds)"
        if due != self._newest and not self.trigger.catches_all:
            return Reason.CATCH_UP, f"{verb}: only the newest missed time starts"
        return "", "starts it"


def _hold(state: State, definition: Workflow) -> tuple[str, str]:
    """Why no trigger of it starts anything now."""
    if definition.suspended is not None:
        return Reason.SUSPENDED, f"{definition.name} is suspended"
    marker = forbidden(state, definition.name)
    if marker is not None:
        return Reason.CANCEL_MARKER, f"{marker.path} is there"
    return "", ""


def is_excluded(trigger: ResolvedTrigger, due: int) -> bool:
    return bool(trigger.exclude) and str(day_of(due, trigger.zone)) in trigger.exclude


def timed(
    state: State, definitions: Iterable[Workflow], now: int, live: bool, only: str = ""
) -> list[Timed]:
    """The triggers with due times of these definitions. `only`: the one of this name."""
    return [
        Timed(state, definition, trigger, now, live)
        for definition in definitions
        for trigger in triggers(definition.spec).values()
        if trigger.rule is not None and (not only or trigger.name == only)
    ]


def definitions(state: State) -> list[Workflow]:
    """Those in force, by name."""
    return [life for _, life in sorted(state.workflows.items()) if life.starter is not None]


# ---------------------------------------- what became of each


class Force(NamedTuple):
    """A trigger as it counted for the due times later than `after`, up to `until`.

    `ended`: why it no longer counts; empty for the one in force. Nothing is kept of what was
    decided up to `lost`.
    """

    trigger: ResolvedTrigger
    after: int
    until: int | None = None
    ended: str = ""
    lost: int = 0


class Decided(NamedTuple):
    """A record: all due times from `first` to `due`."""

    order: int
    first: int
    due: int
    outcome: str
    reason: str
    message: str
    instance: str
    uid: str


class Decisions:
    """Those of one trigger, to be asked by due time."""

    def __init__(self, records: Iterable[Decided]) -> None:
        self._records = sorted(records, key=lambda record: (record.first, record.order))
        self._firsts = [record.first for record in self._records]
        self._reach = list(accumulate((record.due for record in self._records), max))

    def of(self, due: int) -> Decided | None:
        """The latest record about it: after the clock was set back it may have several."""
        found: Decided | None = None
        at = bisect_right(self._firsts, due) - 1
        while at >= 0 and self._reach[at] >= due:
            record = self._records[at]
            if record.due >= due and (found is None or record.order > found.order):
                found = record
            at -= 1
        return found


class Past(Struct, kw_only=True):
    """What the log tells of the triggers of a name."""

    forces: dict[str, list[Force]] = {}
    decided: dict[str, list[Decided]] = {}
    filled: dict[tuple[str, int], list[str]] = {}
    phases: dict[str, str] = {}  # uid -> how it ended


def audit(
    past: Past, present: Sequence[Timed], name: str, trigger: str, begin: int, end: int
) -> Iterator[DueTime]:
    """Every due time of this trigger from `begin` to `end`, and what became of it."""
    decisions = Decisions(past.decided.get(trigger, ()))
    now = next((current for current in present if current.trigger.name == trigger), None)
    for force in past.forces.get(trigger, ()):
        rule = force.trigger.rule
        if rule is None:
            continue
        last = end if force.until is None else min(end, force.until)
        for due in rule.between(max(begin - 1, force.after), last):
            found = decisions.of(due)
            known = _of_record(past, name, force, due, found)
            if found is None and not force.ended and now is not None and not now.is_decided(due):
                known = now.undecided(due)
                known = replace(known, message=known.message or "not decided yet")
            filled = past.filled.get((trigger, due), ())
            yield replace(known, filled=tuple(filled)) if filled else known


def _of_record(past: Past, name: str, force: Force, due: int, found: Decided | None) -> DueTime:
    trigger = force.trigger
    known = DueTime(
        workflow=name,
        trigger=trigger.name,
        zone=trigger.zone,
        due=due,
        starts=due + offset(name, trigger.name, trigger.jitter),
    )
    if found is None:
        lost = "decided, but its record is no longer kept (--keep-archive)"
        ended = f"not decided: {force.ended}" if force.ended else "there is no record of it"
        return replace(known, message=lost if due <= force.lost else ended)
    if found.first != found.due and is_excluded(trigger, due):
        reason, message = str(Reason.EXCLUDED), "its day is excluded"
    else:
        reason, message = found.reason, found.message
    return replace(
        known,
        outcome=found.outcome,
        reason=reason,
        message=message,
        instance=found.instance,
        phase=past.phases.get(found.uid, ""),
    )


# ---------------------------------------- a length of time


class Range(NamedTuple):
    """From one moment to another, as people write them; a day means all of it."""

    first: str
    last: str

    def seconds(self, of: str, now: int, zone: tzinfo | None) -> tuple[int, int]:
        """The first and the last second. Days are those of the zone named `of`, that of a trigger.

        `now`: microseconds; `zone`: that of all other times. Raises UsageError.
        """
        begin = _moment(self.first, of, now, zone)
        end = _moment(self.last, of, now, zone) if self.last else now
        if self.last and _DAY.fullmatch(self.last):
            day = local(end, zone_of(of)).replace(tzinfo=None) + timedelta(days=1)
            end = _moment(day.isoformat(), of, now, zone_of(of)) - 1
        if end < begin:
            raise UsageError(f"{self.first} is later than {self.last or 'now'}")
        return -(-begin // SECOND), end // SECOND


def _moment(text: str, of: str, now: int, zone: tzinfo | None) -> int:
    found = parse_moment(text, now, zone_of(of) if _DAY.fullmatch(text) else zone)
    if found is None:
        raise UsageError(f"{text or '(nothing)'}: not a time; write {MOMENTS}")
    return found


def parse_range(option: str, text: str) -> Range:
    """`FROM..TO`; without TO until now. Raises UsageError."""
    first, dots, last = text.partition("..")
    if not dots or not first:
        raise UsageError(f"{option} {text}: write FROM..TO, like 2026-11-01..2026-11-07")
    return Range(first, last)


# ---------------------------------------- for people


def due_table(shown: Iterable[DueTime], named: bool) -> Table:
    """A row for each. `named`: they are of several definitions."""
    columns = (
        Column("DUE"),
        *((Column("NAME", shrinks=True),) if named else ()),
        Column("TRIGGER", shrinks=True, rank=1),
        Column("WHAT"),
    )
    return Table(columns, [_row(due_time, named) for due_time in shown])


def _row(due_time: DueTime, named: bool) -> tuple[Cell, ...]:
    return (
        Cell(at_in(due_time.due, due_time.zone)),
        *((Cell(due_time.workflow, "bold"),) if named else ()),
        Cell(due_time.trigger),
        Cell(what(due_time), "yellow" if due_time.outcome == "Skipped" else ""),
    )


def what(due_time: DueTime) -> str:
    """`Started job@20261128T013000Z: Succeeded`; `Skipped (Overlap): … has not ended`."""
    said = due_time.message
    if due_time.outcome == "Skipped":
        said = f"Skipped ({due_time.reason}){f': {due_time.message}' if due_time.message else ''}"
    elif due_time.outcome:
        phase = f": {due_time.phase}" if due_time.phase else ""
        said = f"{due_time.outcome} {due_time.instance}{phase}"
    return f"{said}; filled in by {', '.join(due_time.filled)}" if due_time.filled else said
