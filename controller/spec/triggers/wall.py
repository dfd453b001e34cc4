"""What the clock of a zone shows, and at which moments it shows a time.

A moment is the seconds since 1970, in UTC. A wall time is what the clock shows, written as the
moment at which a clock in UTC shows the same. Where the clock of the zone is set forward there is
a gap: no moment shows the wall times in it. Where it is set back, two moments show each of the
wall times from `low` to `high`. Assumed: a clock is not changed twice within hours.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

_SECOND = timedelta(seconds=1)


class ClockChange(NamedTuple):
    """The clock is set forward or back. Offsets from UTC are in seconds."""

    at: int  # the first moment with the new offset
    before: int
    after: int

    @property
    def low(self) -> int:
        """The first wall time that does not come, or comes twice."""
        return self.at + min(self.before, self.after)

    @property
    def high(self) -> int:
        """The first wall time thereafter."""
        return self.at + max(self.before, self.after)


def shown(moment: int, zone: tzinfo) -> int:
    """The wall time at this moment."""
    return moment + _offset(datetime.fromtimestamp(moment, zone))


def change_at(wall: int, zone: tzinfo) -> ClockChange | None:
    """The change by which a wall time does not come, or comes twice."""
    before, after = _offsets(wall, zone)
    if before == after:
        return None
    low, high = wall - max(before, after), wall - min(before, after)
    while high - low > 1:  # the change is later than `low`, and not later than `high`
        middle = (low + high) // 2
        if shown(middle, zone) - middle == before:
            low = middle
        else:
            high = middle
    return ClockChange(high, before, after)


def showing(wall: int, zone: tzinfo) -> list[int]:
    """The moments at which the clock shows a wall time: one, none or two."""
    before, after = _offsets(wall, zone)
    if before < after:
        return []
    return [wall - before] if before == after else [wall - before, wall - after]


def first(wall: int, zone: tzinfo) -> int:
    """The moment at which the clock first shows a wall time, or a later one."""
    moments = showing(wall, zone)
    if moments:
        return moments[0]
    gap = change_at(wall, zone)
    assert gap is not None
    return gap.at


def last(wall: int, zone: tzinfo) -> int:
    """The last moment at which the clock shows a wall time, or an earlier one."""
    moments = showing(wall, zone)
    return moments[-1] if moments else first(wall, zone) - 1


def reached(moment: int, zone: tzinfo) -> int:
    """The latest wall time that the clock has shown up to this moment."""
    wall = shown(moment, zone)
    change = change_at(wall, zone)
    return wall if change is None or moment < change.at else change.high - 1


def _offsets(wall: int, zone: tzinfo) -> tuple[int, int]:
    """The offset that a wall time has the first time, and the second time; see PEP 495.

    They differ only if it comes twice, or never: then they are those before and after the gap.
    """
    naive = datetime.fromtimestamp(wall, UTC).replace(tzinfo=zone)
    return _offset(naive), _offset(naive.replace(fold=1))


def _offset(time: datetime) -> int:
    offset = time.utcoffset()
    assert offset is not None
    return offset // _SECOND
