"""When a trigger is due: a rule gives the next due time after a moment, and the last one up to it.

Due times are seconds since 1970, and follow the wall clock of a zone. Cron expressions are read by
cronsim, which has the rule of Debian's cron for the nights in which clocks are changed: a fixed
time that does not exist runs right after the gap, one that comes twice runs once, the first time;
with `*` or a step in the field of hours or minutes real time counts. Due times that fall together
are one. Pure: what a rule gives depends on the zone database, so a due time is recorded when it is
armed. Cost: some 60 µs a question for each expression.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import sha256
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

FIELDS = 5
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAY = 86_400


class BadRule(Exception):
    """It names no time; the text says why."""


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the three: cron expressions in a zone, moments, or multiples of so many seconds."""

    cron: tuple[str, ...] = ()
    zone: str = "UTC"
    at: tuple[int, ...] = ()
    every: int = 0

    def after(self, moment: int, exclude: frozenset[str] = frozenset()) -> int | None:
        """The first due time later than `moment`; None if there is none any more."""
        if self.every:
            return (moment // self.every + 1) * self.every
        later = [due for due in self.at if due > moment]
        later += [due for text in self.cron if (due := _next(text, self.zone, moment)) is not None]
        return min(later, default=None)

    def latest(self, moment: int, exclude: frozenset[str] = frozenset()) -> int | None:
        """The last due time up to `moment`; None if there was none."""
        if self.every:
            return moment // self.every * self.every
        earlier = [due for due in self.at if due <= moment]
        found = (_last(text, self.zone, moment) for text in self.cron)
        earlier += [due for due in found if due is not None]
        return max(earlier, default=None)

    def between(self, after: int, until: int) -> Iterator[int]:
        """The due times later than `after`, up to `until`."""
        due = self.after(after)
        while due is not None and due <= until:
            yield due
            due = self.after(due)


def check(rule: Rule) -> None:
    """Raises BadRule for a zone or an expression that means nothing, or never comes due."""
    zone_of(rule.zone)
    for text in rule.cron:
        if _next(text, rule.zone, 0) is None:
            raise BadRule(f'"{text}" is never due')


@lru_cache(64)
def zone_of(name: str) -> ZoneInfo:
    """Raises BadRule."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRule(f'no time zone is named "{name}"') from None


def moment_of(text: str) -> int:
    """The seconds since 1970 of an RFC 3339 time, which needs an offset. Raises BadRule."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or "T" not in text.upper():
        raise BadRule(f'"{text}" is not a time like 2026-12-01T06:00:00+01:00')
    if moment.tzinfo is None:
        raise BadRule(f'"{text}" has no offset: write it like 2026-12-01T06:00:00+01:00, or ...Z')
    if moment.microsecond:
        raise BadRule(f'"{text}" has a fraction of a second')
    return int(moment.timestamp())


def day_of(due: int, zone: str) -> date:
    """The day of a due time, in its zone."""
    return datetime.fromtimestamp(due, zone_of(zone)).date()


def at_in(due: int, zone: str) -> str:
    """A due time as people of its zone write it: RFC 3339."""
    return datetime.fromtimestamp(due, zone_of(zone)).isoformat()


def offset(workflow: str, trigger: str, jitter: int) -> int:
    """How many seconds after its due time it starts: 0 to `jitter`, the same every day."""
    digest = sha256(f"{workflow}\0{trigger}".encode()).digest()
    return int.from_bytes(digest[:8]) % (jitter + 1)


def key_of(due: int) -> str:
    """The key of the firing at this due time: `20261128T013000Z`."""
    return datetime.fromtimestamp(due, UTC).strftime("%Y%m%dT%H%M%SZ")


# ---------------------------------------- cron


def _next(text: str, zone: str, moment: int) -> int | None:
    # In the second of two equal hours cronsim may give a time of the first one.
    return next((due for due in _dues(text, zone, moment) if due > moment), None)


def _last(text: str, zone: str, moment: int) -> int | None:
    # For cronsim that hour ends where it began, so the search begins as much later.
    start = moment + 1 + _set_back(zone, moment)
    return next((due for due in _dues(text, zone, start, reverse=True) if due <= moment), None)


def _set_back(zone: str, moment: int) -> int:
    """By how many seconds clocks were set back in the day before."""
    of = zone_of(zone)
    before, now = (datetime.fromtimestamp(at, of).utcoffset() for at in (moment - _DAY, moment))
    assert before is not None
    assert now is not None
    return max(0, int((before - now).total_seconds()))


def _dues(text: str, zone: str, moment: int, reverse: bool = False) -> Iterator[int]:
    from cronsim import CronSim, CronSimError

    expression = NICKNAMES.get(text.strip().lower(), text)
    if len(expression.split()) != FIELDS:
        raise BadRule(f'"{text}" has not five fields: minute hour day month weekday')
    try:
        start = datetime.fromtimestamp(moment, zone_of(zone))
        for due in CronSim(expression, start, reverse=reverse):
            yield int(due.timestamp())
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        raise BadRule(f'"{text}": its {field} can\'t be read') from None
