"""Times as text, for scripts and for people."""

import pytest

from controller.model.state import SECOND
from controller.view.times import age, parse_length, parse_time, rfc3339, span

DAY = 86_400


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
    assert parse_time(text) == micros


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        pytest.param("2026-11-23T13:00:00+01:00", 1_795_435_200_000_000, id="an offset"),
        pytest.param("2026-11-23T12:00:00", 1_795_435_200_000_000, id="none means UTC"),
        pytest.param("2026-11-23", 1_795_392_000_000_000, id="a day begins at midnight"),
        pytest.param("yesterday", None, id="a word is no time"),
    ],
)
def test_what_parses_as_a_time(text: str, micros: int | None) -> None:
    assert parse_time(text) == micros


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
