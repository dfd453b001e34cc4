"""When a trigger is due: a rule gives the next due time after a moment, and the last one up to it.

Due times and moments are whole seconds since 1970, and follow the wall clock of a zone. For the
nights in which clocks are changed the rule is that of Debian's cron:

* An expression with `*` first in its field of minutes or hours counts real time: it is due
  whenever the clock shows one of its times, in both of two equal hours, and never in a gap.
* Any other is due when the clock first shows one of its times, or a later one: what falls into a
  gap is due at its end, and what comes twice the first time.

cronsim finds the times in an expression, but only on a clock that is never changed (its own rule
misses times where clocks move by half an hour); what the clock of a zone does is decided here.
Due times that fall together are one. Days that are excluded are those of the due time itself; a
search jumps over them from midnight to midnight. Pure: what a rule gives depends on the zone
database, so a due time is recorded when it is armed. Cost: one question to cronsim for each
expression, two near a change of clocks, and as many again for each row of excluded days in the way.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from controller.spec.path_fault import did_you_mean
from controller.spec.triggers.wall import (
    ClockChange,
    change_at,
    first,
    last,
    reached,
    showing,
    shown,
)

if TYPE_CHECKING:  # it is loaded where somebody asks for a zone
    from zoneinfo import ZoneInfo

_LAST_YEAR = 9900  # dates end with 9999, and a search goes 50 years on
END = int(datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp()) - 1  # nothing is due later
EXPRESSION_MAX = 1000  # characters
_GAPS_MAX = 50  # a time that has fallen into as many in a row, one a year, never comes
_IN_FORCE = 1_735_689_600  # 2025: an expression has to come due by the rules of zones since then
_SHOWN_MAX = 60  # characters of what is wrong in a message
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = {  # and what may stand there, apart from * , - and /
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L for the last, LW for the last from monday to friday",
    "month": "1-12 or jan-dec",
    "day-of-week": "0-7 or sun-sat, 5L for the last friday, 5#1 for the first",
}
# 5-5/2 is 5, as cron has it; cronsim reads it as 5/2, which goes on to the end.
_ONE_WITH_STEP = re.compile(r"\b0*(\w+)-0*\1/[0-9]*[1-9][0-9]*(?![^\s,])", re.IGNORECASE)
_NO_DAYS: frozenset[str] = frozenset()
_DAY = timedelta(days=1)
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d(:\d\d(?P<fraction>\.\d+)?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


class BadRule(Exception):
    """It names no time; the text says why."""


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the three: cron expressions, moments in ascending order, or multiples of seconds.

    Of each `exclude` below: days as 2026-12-24, in the zone of the rule; no due time falls on them.
    """

    cron: tuple[str, ...] = ()
    zone: str = "UTC"
    at: tuple[int, ...] = ()
    every: int = 0

    def after(self, moment: int, exclude: frozenset[str] = _NO_DAYS) -> int | None:
        """The first due time later than `moment`; None if there is none any more."""
        due = self._after(moment)
        while due is not None and day_of(due, self.zone).isoformat() in exclude:
            # Never back: where clocks are set back over midnight, a day may begin before `due`.
            due = self._after(max(due, self._end_of_row(due, exclude)))
        return due

    def latest(self, moment: int, exclude: frozenset[str] = _NO_DAYS) -> int | None:
        """The last due time up to `moment`; None if there was none since 1970."""
        due = self._latest(moment)
        while due is not None and day_of(due, self.zone).isoformat() in exclude:
            due = self._latest(min(due - 1, self._before_row(due, exclude)))
        return due

    def between(self, after: int, until: int, exclude: frozenset[str] = _NO_DAYS) -> Iterator[int]:
        """The due times later than `after`, up to `until`."""
        due = self.after(after, exclude)
        while due is not None and due <= until:
            yield due
            due = self.after(due, exclude)

    def _after(self, moment: int) -> int | None:
        moment = max(moment, -1)
        if moment >= END:
            return None
        found = [_after(text, self.zone, moment) for text in self.cron]
        found += self.at[bisect_right(self.at, moment) :][:1]
        if self.every:
            found.append((moment // self.every + 1) * self.every)
        return min((due for due in found if due is not None and due <= END), default=None)

    def _latest(self, moment: int) -> int | None:
        moment = min(moment, END)
        if moment < 0:
            return None
        found = [_latest(text, self.zone, moment) for text in self.cron]
        found += self.at[: bisect_right(self.at, moment)][-1:]
        if self.every:
            found.append(moment // self.every * self.every)
        return max((due for due in found if due is not None and due >= 0), default=None)

    def _end_of_row(self, due: int, exclude: frozenset[str]) -> int:
        """The last second of the row of excluded days in which `due` lies."""
        day = day_of(due, self.zone)
        while day.isoformat() in exclude:
            day += _DAY
        return first(_midnight(day), zone_of(self.zone)) - 1

    def _before_row(self, due: int, exclude: frozenset[str]) -> int:
        """The last second before the row of excluded days in which `due` lies."""
        day = day_of(due, self.zone)
        while day.isoformat() in exclude:
            day -= _DAY
        return last(_midnight(day + _DAY) - 1, zone_of(self.zone))


def check(rule: Rule) -> None:
    """Raises BadRule for a zone or an expression that means nothing, or never comes due."""
    zone_of(rule.zone)
    for text in rule.cron:
        if _next(text, _IN_FORCE) is None:
            raise _never(text)
        if _after(text, rule.zone, _IN_FORCE) is None:
            problem = f"in {rule.zone}, clocks are always set forward past that time"
            raise BadRule(f"{_quoted(text)} is never due: {problem}")


@lru_cache(64)
def zone_of(name: str) -> "ZoneInfo":
    """The zone of an IANA name. Raises BadRule."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name == "localtime":
        raise BadRule(
            f'"{name}" is the zone of the machine, which may change; write one like Europe/Berlin'
        )
    try:
        if not name.startswith(("right/", "posix/")):  # where not every minute has 60 seconds
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    near = _nearest_zone(name[:_SHOWN_MAX])
    hint = f'did you mean "{near}"?' if near else ""
    raise BadRule(_joined(f"no time zone is named {_quoted(name)}", hint))


def _nearest_zone(name: str) -> str:
    from difflib import get_close_matches

    folded = _names_of_zones()
    close = get_close_matches(name.lower(), folded, n=1, cutoff=0.8)  # at 0.75 CEST is near West
    return folded[close[0]] if close else ""


@cache
def _names_of_zones() -> dict[str, str]:
    """Full names and cities, in lower case, with the zone of each."""
    from zoneinfo import available_timezones

    # Etc/GMT+1 lies west of Greenwich: who looks for UTC+1 would get the opposite.
    known = [zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")]
    cities = {zone.rpartition("/")[2].replace("_", " ").lower(): zone for zone in sorted(known)}
    return cities | {zone.lower(): zone for zone in [*known, "UTC"]}


def moment_of(text: str) -> int:
    """The seconds since 1970 of an RFC 3339 time, which needs an offset. Raises BadRule."""
    found = _RFC_3339.fullmatch(text.upper())
    try:
        moment = datetime.fromisoformat(found[0]) if found else None
    except ValueError:
        moment = None
    if found is None or moment is None:
        raise BadRule(f"{_quoted(text)} is not a time like 2026-12-01T06:00:00+01:00")
    if moment.tzinfo is None:
        raise BadRule(
            f"{_quoted(text)} has no offset: write it like 2026-12-01T06:00:00+01:00, or ...Z"
        )
    if (found["fraction"] or "").strip(".0"):
        raise BadRule(f"{_quoted(text)} has a fraction of a second")
    if not 0 <= (seconds := int(moment.timestamp())) <= END:
        raise BadRule(f"{_quoted(text)} is not in the years 1970 to {_LAST_YEAR}")
    return seconds


def day_of(due: int, zone: str) -> date:
    """The day of a due time, in its zone."""
    return _moment(due, zone_of(zone)).date()


def at_in(due: int, zone: str) -> str:
    """A due time as people of its zone write it: RFC 3339."""
    return _moment(due, zone_of(zone)).isoformat()


def offset(workflow: str, trigger: str, jitter: int) -> int:
    """How many seconds after its due time it starts: 0 to `jitter`, the same every day."""
    if not jitter:
        return 0
    from hashlib import sha256  # loads OpenSSL

    digest = sha256(f"{workflow}\0{trigger}".encode()).digest()
    return int.from_bytes(digest[:8]) % (jitter + 1)


def key_of(due: int) -> str:
    """The key of the firing at this due time: `20261128T013000Z`."""
    return _moment(due, UTC).strftime("%Y%m%dT%H%M%SZ")


def _moment(due: int, zone: tzinfo) -> datetime:
    """The moment of a due time; no rule gives one before 1970 or after END."""
    return datetime.fromtimestamp(min(max(due, 0), END), zone)


def _midnight(day: date) -> int:
    """The wall time at which a day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


# ---------------------------------------- cron, on the clock of a zone


def _after(text: str, zone: str, moment: int) -> int | None:
    clock = zone_of(zone)
    if not _is_real_time(text):
        wall = _next(text, reached(moment, clock))
        return None if wall is None else first(wall, clock)
    walls = [shown(moment, clock)]
    if (change := change_at(walls[0], clock)) and moment < change.at:
        walls.append(change.low - 1)  # from there on all is shown a second time
    found = [due for wall in walls for due in _next_shown(text, clock, wall) if due > moment]
    return min(found, default=None)


def _latest(text: str, zone: str, moment: int) -> int | None:
    clock = zone_of(zone)
    if not _is_real_time(text):
        wall = _last(text, reached(moment, clock))
        return None if wall is None else first(wall, clock)
    walls = [shown(moment, clock)]
    if (change := change_at(walls[0], clock)) and moment >= change.at:
        walls.append(change.high - 1)  # up to there all was shown before
    found = [due for wall in walls for due in _last_shown(text, clock, wall) if due <= moment]
    return max(found, default=None)


def _next_shown(text: str, clock: "ZoneInfo", wall: int) -> list[int]:
    """The moments that show the next time of an expression that does not fall into a gap."""
    for _ in range(_GAPS_MAX):
        found = _next(text, wall)
        if found is None:
            break
        if moments := showing(found, clock):
            return moments
        wall = _change(found, clock).high - 1
    return []


def _last_shown(text: str, clock: "ZoneInfo", wall: int) -> list[int]:
    """As `_next_shown`, for the last time up to `wall`."""
    for _ in range(_GAPS_MAX):
        found = _last(text, wall)
        if found is None:
            break
        if moments := showing(found, clock):
            return moments
        wall = _change(found, clock).low - 1
    return []


def _change(wall: int, clock: "ZoneInfo") -> ClockChange:
    change = change_at(wall, clock)
    assert change is not None
    return change


# ---------------------------------------- cron, on a clock that is never changed


def _next(text: str, wall: int) -> int | None:
    """The first wall time later than `wall`; None: not within 50 years."""
    return _ask(text, wall, reverse=False)


def _last(text: str, wall: int) -> int | None:
    """The last wall time up to `wall`; None: not within 50 years."""
    return _ask(text, wall + 1, reverse=True)


def _ask(text: str, wall: int, reverse: bool) -> int | None:
    from cronsim import CronSim, CronSimError

    expression = _expression(text)
    try:
        found = next(CronSim(expression, _time(wall), reverse=reverse), None)
    except CronSimError as error:
        raise _unreadable(text, expression, str(error).removeprefix("Bad ")) from None
    return None if found is None else int(found.timestamp())


def _time(wall: int) -> datetime:
    return datetime.fromtimestamp(wall, UTC)


@lru_cache(1024)
def _is_real_time(text: str) -> bool:
    return any(field.startswith("*") for field in _expression(text).split()[:2])


def _expression(text: str) -> str:
    """Its five fields. Raises BadRule."""
    if len(text) > EXPRESSION_MAX:
        raise BadRule(f"{_quoted(text)} is longer than {EXPRESSION_MAX} characters")
    word = text.strip().lower()
    if word.startswith("@") and word not in NICKNAMES:
        hint = "write everySeconds" if word.startswith("@every") else did_you_mean(word, NICKNAMES)
        raise BadRule(_joined(f"{_quoted(text)} is none of {', '.join(NICKNAMES)}", hint))
    expression = _ONE_WITH_STEP.sub(r"\1", NICKNAMES.get(word, text))
    count = len(expression.split())
    if count != len(_FIELDS):
        problem = f"{_quoted(text)} has {count} field{'s'[: count != 1]}, and cron has five"
        more = "; neither seconds nor years can be given" if count > len(_FIELDS) else ""
        raise BadRule(f"{problem}: {' '.join(_FIELDS)}{more}")
    return expression


def _unreadable(text: str, expression: str, field: str) -> BadRule:
    from cronsim import CronSim, CronSimError

    found = dict(zip(_FIELDS, expression.split(), strict=True))[field]
    if field == "day-of-month":
        # cronsim says the same of a day that no month has; alone, that day can be read.
        try:
            CronSim(f"0 0 {found} * *", _time(0))
            return _never(text)
        except CronSimError:
            pass
    return BadRule(
        f"{_quoted(text)}: its {field} {_quoted(found)} can't be read; there may be "
        f"{_FIELDS[field]}, ranges from low to high, steps like */5, or a list of these"
    )


def _never(text: str) -> BadRule:
    return BadRule(f"{_quoted(text)} is never due: no date matches it")


def _quoted(text: str) -> str:
    one_line = " ".join(text.split())
    return f'"{one_line[:_SHOWN_MAX]}{"…"[: len(one_line) > _SHOWN_MAX]}"'


def _joined(problem: str, hint: str) -> str:
    return f"{problem}; {hint}" if hint else problem
