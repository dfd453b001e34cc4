"""Times as scripts and people read them: microseconds in, text out, and back.

Scripts get RFC 3339 in UTC with all six digits; people get `12s`, `3m04s`, `5h12m`, `3d`, and may
write a moment as `5m` (ago), `12:59` or `yesterday`.
"""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from controller.model.events import TIME_MAX
from controller.model.state import SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = -62_100_000_000_000_000  # in the year 2: every zone has dates before it


def rfc3339(micros: int) -> str:
    """`2026-11-23T12:00:01.250000Z`."""
    return f"{_moment(micros).isoformat('T', 'microseconds')[:26]}Z"


def rfc3339_or_none(micros: int | None) -> str | None:
    return None if micros is None else rfc3339(micros)


def micros_of(text: str) -> int:
    """Of a time as `rfc3339` writes it."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def in_utc(micros: int) -> str:
    """`12:00:01 UTC`, where the day is clear."""
    return f"{_moment(micros):%H:%M:%S} UTC"


MOMENTS = "5m (ago), 12:59, yesterday, 2026-11-27 or 2026-11-27T12:59:00+01:00"  # for messages

_AGO = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")


def parse_moment(text: str, now: int, zone: tzinfo | None) -> int | None:
    """Microseconds since 1970 of a moment as people write it; None for anything else.

    `now`; `5m`, `2h30m`, `1d`: so long before it. `today`, `yesterday`, `2026-11-27`: when that day
    began. `12:59`, `12:59:30`: the last time that a clock showed this. RFC 3339, where a time
    without an offset is one of `zone`. `zone` None: that of this machine.
    """
    if text == "now":
        return now
    try:
        if text and (ago := _AGO.fullmatch(text)):
            days, hours, minutes, seconds = (int(part or 0) for part in ago.groups())
            return now - (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * SECOND
        if clock := _CLOCK.fullmatch(text):
            hour, minute, second = (int(part or 0) for part in clock.groups())
            return _last_shown(time(hour, minute, second), now, zone)
        if text in ("today", "yesterday"):
            days = int(text == "yesterday")
            return _micros(_day(now, zone, days), zone)
        return _micros(datetime.fromisoformat(text), zone)
    except (ValueError, OverflowError, OSError):  # no such hour; a year that the zone can't have
        return None


def _last_shown(clock: time, now: int, zone: tzinfo | None) -> int | None:
    """The last time that a clock in `zone` showed this: today, else yesterday.

    In the night in which the clocks go back it shows some times twice; when they go forward,
    some never: then the day before counts.
    """
    for days_ago in range(3):
        moment = datetime.combine(_day(now, zone, days_ago), clock)
        for fold in (1, 0):  # the second time of the two, then the first
            micros = _micros(moment.replace(fold=fold), zone)
            if micros <= now and local(micros, zone).replace(tzinfo=None) == moment:
                return micros
    return None


def _day(now: int, zone: tzinfo | None, days_ago: int) -> datetime:
    """Midnight, without a zone, of the day that was so many days ago."""
    return datetime.combine(local(now, zone).date() - timedelta(days=days_ago), time())


def local(micros: int, zone: tzinfo | None) -> datetime:
    """The moment in `zone`; None: the zone of this machine."""
    return _moment(micros).astimezone(zone)


def _moment(micros: int) -> datetime:
    """In UTC. What no calendar has is shown as the first or last day that it does have."""
    return _EPOCH + timedelta(microseconds=min(max(micros, _FIRST), TIME_MAX))


def _micros(moment: datetime, zone: tzinfo | None) -> int:
    if moment.tzinfo is None:
        moment = moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def span(micros: int) -> str:
    """A length of time in at most six characters: `0.3s`, `12s`, `3m04s`, `5h12m`, `3d04h`."""
    seconds = max(0, micros) / SECOND
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    days = whole // 86_400
    return f"{days}d{whole % 86_400 // 3600:02}h" if days < 10 else f"{days}d"


def age(micros: int) -> str:
    """How long ago, in one unit without fractions: `12s`, `3m`, `5h`, `3d`."""
    seconds = max(0, micros) // SECOND
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


_LENGTH = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_length(text: str) -> float | None:
    """Seconds of `90`, `2.5`, `90s`, `1m30s` or `2h`; None for anything else."""
    found = _LENGTH.fullmatch(text)
    if found is None or not text:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
