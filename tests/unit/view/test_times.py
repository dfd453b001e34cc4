"""Times as text, for scripts and for people."""

import datetime
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.state import SECOND
from controller.view.times import age, parse_length, parse_moment, rfc3339, span

DAY = 86_400
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text).timestamp()) * SECOND


NOW = at("2026-11-27T13:08:15+01:00")


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        pytest.param(0, "1970-01-01T00:00:00.000000Z", id="the epoch"),
        pytest.param(1_795_435_200_250_000, "2026-11-23T12:00:00.250000Z", id="six digits always"),
        pytest.param(4_102_444_800_000_001, "2100-01-01T00:00:00.000001Z", id="no digit is lost"),
    ],
)
def test_rfc3339_and_back(micros: int, text: str) -> None:
    assert rfc3339(micros) == text
    assert parse_moment(text, 0, BERLIN) == micros


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("5m", "2026-11-27T13:03:15+01:00", id="so long ago"),
        pytest.param("2h30m", "2026-11-27T10:38:15+01:00", id="in several units"),
        pytest.param("1d", "2026-11-26T13:08:15+01:00", id="a day ago"),
        pytest.param("90s", "2026-11-27T13:06:45+01:00", id="seconds"),
        pytest.param("0s", "2026-11-27T13:08:15+01:00", id="no time ago"),
        pytest.param("now", "2026-11-27T13:08:15+01:00", id="now"),
        pytest.param("today", "2026-11-27T00:00:00+01:00", id="today has begun at midnight"),
        pytest.param("yesterday", "2026-11-26T00:00:00+01:00", id="so has yesterday"),
        pytest.param("12:59", "2026-11-27T12:59:00+01:00", id="a time of today"),
        pytest.param("12:59:30", "2026-11-27T12:59:30+01:00", id="with seconds"),
        pytest.param("13:08:15", "2026-11-27T13:08:15+01:00", id="this very second"),
        pytest.param("23:00", "2026-11-26T23:00:00+01:00", id="today it is not yet so late"),
        pytest.param("6:05", "2026-11-27T06:05:00+01:00", id="an hour of one digit"),
        pytest.param("2026-11-23", "2026-11-23T00:00:00+01:00", id="a day begins at midnight"),
        pytest.param("2026-07-01", "2026-07-01T00:00:00+02:00", id="in summer, too"),
        pytest.param("2026-11-23T13:00:00-05:00", "2026-11-23T13:00:00-05:00", id="an offset"),
        pytest.param("2026-11-23T12:00:00Z", "2026-11-23T12:00:00+00:00", id="UTC"),
        pytest.param("2026-11-23T12:00:00", "2026-11-23T12:00:00+01:00", id="else it is local"),
        pytest.param("2026-11-23 12:00", "2026-11-23T12:00:00+01:00", id="with a space"),
    ],
)
def test_a_moment(text: str, moment: str) -> None:
    assert parse_moment(text, NOW, BERLIN) == at(moment)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "12",
        "5",
        "5 m",
        "m",
        "-5m",
        "1h1d",
        "24:00",
        "12:60",
        "12:5",
        "1:2:3",
        "2026-13-01",
        "2026-11-31",
        "27.11.2026",
        "Nov 27 13:08",
        "12:59Z",
        "\n5m",
    ],
)
def test_what_is_no_moment(text: str) -> None:
    assert parse_moment(text, NOW, ZoneInfo("Asia/Tokyo")) is None


@pytest.mark.parametrize(
    ("text", "now", "moment"),
    [
        # At 2:00 on March 29 the clocks in Berlin go forward to 3:00.
        pytest.param("2:30", "03-29T12:00:00+02:00", "03-28T02:30:00+01:00", id="never that night"),
        pytest.param(
            "2:30", "03-30T01:00:00+02:00", "03-28T02:30:00+01:00", id="nor the day after"
        ),
        pytest.param("2:30", "03-30T12:00:00+02:00", "03-30T02:30:00+02:00", id="but then"),
        pytest.param("3:00", "03-29T12:00:00+02:00", "03-29T03:00:00+02:00", id="as it goes on"),
        pytest.param("1d", "03-29T12:00:00+02:00", "03-28T11:00:00+01:00", id="24 hours before"),
        pytest.param("today", "03-29T12:00:00+02:00", "03-29T00:00:00+01:00", id="a short day"),
        pytest.param("yesterday", "03-30T12:00:00+02:00", "03-29T00:00:00+01:00", id="was short"),
        pytest.param(
            "2026-03-29T02:30", "03-30T12:00:00+02:00", "03-29T03:30:00+02:00", id="asked outright"
        ),
        # At 3:00 on October 25 they go back to 2:00.
        pytest.param("2:30", "10-25T12:00:00+01:00", "10-25T02:30:00+01:00", id="the second time"),
        pytest.param("2:30", "10-25T02:10:00+01:00", "10-25T02:30:00+02:00", id="not yet again"),
        pytest.param("2:30", "10-25T02:10:00+02:00", "10-24T02:30:00+02:00", id="not even once"),
        pytest.param("1d", "10-25T12:00:00+01:00", "10-24T13:00:00+02:00", id="24 hours, again"),
        pytest.param("today", "10-25T12:00:00+01:00", "10-25T00:00:00+02:00", id="a long day"),
        pytest.param(
            "2026-10-25T02:30", "10-26T12:00:00+01:00", "10-25T02:30:00+02:00", id="the first one"
        ),
    ],
)
def test_a_moment_in_the_nights_when_the_clocks_change(text: str, now: str, moment: str) -> None:
    assert parse_moment(text, at(f"2026-{now}"), BERLIN) == at(f"2026-{moment}")


def test_a_day_that_does_not_begin_at_midnight() -> None:
    """In São Paulo the clocks went forward at 0:00."""
    zone, now = ZoneInfo("America/Sao_Paulo"), at("2018-11-04T12:00:00-02:00")
    assert parse_moment("today", now, zone) == at("2018-11-04T01:00:00-02:00")


@pytest.mark.parametrize("now", ["2026-07-01T12:00:00+02:00", "2026-10-25T02:10:00+01:00"])
def test_without_a_zone_it_is_that_of_the_machine(
    now: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for text in ("12:59", "2:30", "today", "2026-07-01", "2026-11-23T12:00:00"):
            assert parse_moment(text, at(now), None) == parse_moment(text, at(now), BERLIN)
    finally:
        monkeypatch.undo()
        time.tzset()


@given(
    st.integers(0, 4_000_000_000),
    st.times().map(lambda clock: clock.replace(microsecond=0)),
    st.sampled_from(["Europe/Berlin", "UTC", "Asia/Kolkata", "America/St_Johns"]),
)
def test_a_clock_time_is_the_last_time_it_was_that_late(
    seconds: int, clock: datetime.time, name: str
) -> None:
    zone, now = ZoneInfo(name), seconds * SECOND
    found = parse_moment(f"{clock:%H:%M:%S}", now, zone)
    assert found is not None
    assert now - 3 * DAY * SECOND < found <= now
    assert datetime.datetime.fromtimestamp(found // SECOND, zone).time() == clock


@given(st.text(max_size=12) | st.text(alphabet="0123456789:-TZdhms+ ", max_size=30))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    found = parse_moment(text, NOW, BERLIN)
    assert found is None or isinstance(found, int)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"), (0.26, "0.3s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1m00s"),
        (184, "3m04s"), (3599.6, "1h00m"), (18_720, "5h12m"), (3 * DAY + 14_400, "3d04h"),
        (40 * DAY, "40d"), (-5, "0.0s"),
    ],
)  # fmt: skip
def test_a_span_is_short_and_carries_over(seconds: float, text: str) -> None:
    assert span(round(seconds * SECOND)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (119, "119s"), (120, "2m"), (7_199, "119m"), (7_200, "2h"), (2 * DAY, "2d")],
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert age(round(seconds * SECOND)) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("2.5", 2.5), ("90s", 90), ("1m30s", 90), ("2h", 7200), ("0", 0)]
    + [(bad, None) for bad in ("", "x", "-1", "1d", "s", "5 s")],
)
def test_a_length_of_time(text: str, seconds: float | None) -> None:
    assert parse_length(text) == seconds
