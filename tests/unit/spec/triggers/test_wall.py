"""A gap, a double hour, and an ordinary night, by the clock of Lord Howe: half an hour each."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from controller.spec.triggers.wall import change_at, first, last, reached, showing, shown

CLOCK = ZoneInfo("Australia/Lord_Howe")
SPRING, AUTUMN = "2026-10-03T15:30", "2026-04-04T15:00"  # moments in UTC


def utc(text: str) -> int:
    """A moment; or a wall time, which is written in the same way."""
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


def told(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("wall", "moments"),
    [
        pytest.param("2026-10-04T01:59", ["2026-10-03T15:29"], id="before the gap"),
        pytest.param("2026-10-04T02:00", [], id="its first minute"),
        pytest.param("2026-10-04T02:29", [], id="its last minute"),
        pytest.param("2026-10-04T02:30", ["2026-10-03T15:30"], id="after it"),
        pytest.param("2026-04-05T01:29", ["2026-04-04T14:29"], id="before the double half hour"),
        pytest.param("2026-04-05T01:30", ["2026-04-04T14:30", "2026-04-04T15:00"], id="its first"),
        pytest.param("2026-04-05T01:59", ["2026-04-04T14:59", "2026-04-04T15:29"], id="its last"),
        pytest.param("2026-04-05T02:00", ["2026-04-04T15:30"], id="after both"),
    ],
)
def test_the_moments_that_show_a_wall_time(wall: str, moments: list[str]) -> None:
    assert [told(moment) for moment in showing(utc(wall), CLOCK)] == moments
    for moment in moments:
        assert told(shown(utc(moment), CLOCK)) == wall
    change = change_at(utc(wall), CLOCK)
    assert (change is None) == (len(moments) == 1)
    if change is not None:
        assert told(change.at) == (AUTUMN if moments else SPRING)
        assert change.low <= utc(wall) < change.high
        assert change.high - change.low == 1800


def test_a_time_in_a_gap_is_passed_at_the_change() -> None:
    for wall in ("2026-10-04T02:00", "2026-10-04T02:15"):
        assert told(first(utc(wall), CLOCK)) == SPRING
        assert last(utc(wall), CLOCK) == utc(SPRING) - 1


def test_a_time_that_comes_twice_has_a_first_and_a_last_moment() -> None:
    wall = utc("2026-04-05T01:45")
    assert told(first(wall, CLOCK)) == "2026-04-04T14:45"
    assert told(last(wall, CLOCK)) == "2026-04-04T15:15"


@pytest.mark.parametrize(
    ("moment", "wall"),
    [
        pytest.param("2026-04-04T14:45", "2026-04-05T01:45", id="the first time"),
        pytest.param("2026-04-04T15:30", "2026-04-05T02:00", id="past both"),
        pytest.param("2026-10-03T15:30", "2026-10-04T02:30", id="past the gap"),
    ],
)
def test_what_a_clock_has_reached(moment: str, wall: str) -> None:
    assert told(reached(utc(moment), CLOCK)) == wall


def test_a_clock_that_is_set_back_has_reached_more_than_it_shows() -> None:
    for moment in ("2026-04-04T15:00", "2026-04-04T15:29"):
        assert reached(utc(moment), CLOCK) == utc("2026-04-05T02:00") - 1
