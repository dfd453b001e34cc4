"""Times as a person reads them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from controller.model.state import SECOND
from controller.view.look import Look
from controller.view.table import cells

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        pytest.param("2026-11-28T12:08:15", "13:08:15", id="today"),
        pytest.param("2026-11-27T23:30:00", "00:30:00", id="today, though yesterday in UTC"),
        pytest.param("2026-11-27T22:59:59", "Nov 27 23:59:59", id="yesterday"),
        pytest.param("2026-07-01T10:00:00", "Jul 1 12:00:00", id="in summer time"),
        pytest.param("2025-12-31T10:00:00", "2025-12-31 11:00:00", id="another year"),
        pytest.param("2026-11-28T23:00:00", "Nov 29 00:00:00", id="tomorrow"),
    ],
)
def test_a_terminal_shows_the_date_unless_it_is_today(time: str, shown: str) -> None:
    look = Look(now=at("2026-11-28T13:00:00"), zone=BERLIN, width=80)
    assert look.moment(at(time)) == shown


def test_elsewhere_a_line_may_be_read_on_another_day_and_in_another_zone() -> None:
    look = Look(now=at("2026-11-28T13:00:00"), zone=BERLIN)
    assert look.moment(at("2026-11-28T12:08:15")) == "2026-11-28T13:08:15+01:00"


def test_the_zone_has_a_name_at_each_moment() -> None:
    look = Look(now=at("2026-11-28T13:00:00"), zone=BERLIN, width=80)
    assert (look.zone_name(), look.zone_name(at("2026-07-01T10:00:00"))) == ("CET", "CEST")


def test_a_name_is_not_split_at_its_hyphens() -> None:
    look = Look(now=0, width=24)
    assert look.wrapped("next: treadle retry daily-sales", hang=2) == [
        "next: treadle retry",
        "  daily-sales",
    ]


@pytest.mark.parametrize("width", [12, 13, 24])
def test_wide_characters_take_two_columns(width: int) -> None:
    look = Look(now=0, width=width)
    lines = look.wrapped("  params  a=日本語日本語日本語 b=日本語 c=x", hang=4)
    assert max(map(cells, lines)) <= width
    assert "".join(lines).replace(" ", "") == "paramsa=日本語日本語日本語b=日本語c=x"
    assert all(line.startswith("    ") for line in lines[1:])
