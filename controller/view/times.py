"""Times as scripts and people read them: microseconds in, text out, and back.

Scripts get RFC 3339 in UTC with all six digits; people get `12s`, `3m04s`, `5h12m`, `3d`.
"""

import re
from datetime import UTC, datetime, timedelta

from controller.model.state import SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(micros: int) -> str:
    """`2026-11-23T12:00:01.250000Z`."""
    return f"{(_EPOCH + timedelta(microseconds=micros)).isoformat('T', 'microseconds')[:26]}Z"


def rfc3339_or_none(micros: int | None) -> str | None:
    return None if micros is None else rfc3339(micros)


def clock_time(micros: int) -> str:
    """`12:00:01`, in UTC, where the day is clear."""
    return f"{_EPOCH + timedelta(microseconds=micros):%H:%M:%S}"


def parse_time(text: str) -> int | None:
    """Microseconds of an RFC 3339 time (`Z` or an offset; a time without one is UTC), or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
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
