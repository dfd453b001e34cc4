"""Due times: those of Debian's cron in the nights that matter, excluded days, what is refused."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import cronsim
import pytest

from controller.spec.triggers.due import (
    END,
    EXPRESSION_MAX,
    BadRule,
    Rule,
    check,
    day_of,
    key_of,
    moment_of,
    offset,
    zone_of,
)

RECORDED = Path(__file__).parents[3] / "data" / "debian-cron.txt"
AROUND = 4 * 3600  # seconds before and after the change that were recorded


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def told(due: int | None, zone: str = "UTC") -> str:
    """As the clock of the zone shows it, to the minute and with its offset."""
    if due is None:
        return "never"
    return datetime.fromtimestamp(due, ZoneInfo(zone)).isoformat(timespec="minutes")


def rule(*cron: str, zone: str = "UTC") -> Rule:
    return Rule(cron=cron, zone=zone)


def days(first: str, count: int, step: int = 1) -> frozenset[str]:
    start = date.fromisoformat(first)
    return frozenset((start + timedelta(n * step)).isoformat() for n in range(count))


# ---------------------------------------- Debian's cron


class Night:
    """The change of a zone's clocks, and when cron ran each expression around it."""

    def __init__(self, line: str) -> None:
        self.zone, change, before, after = line.split()
        self.name = line
        self.change = at(change)
        self.offsets = int(before), int(after)
        self.ran: dict[str, list[int]] = {}

    def add(self, line: str) -> None:
        expression, _, times = line.partition(":")
        self.ran[expression] = [self.moment(time) for time in times.split()]

    def moment(self, text: str) -> int:
        day, time = text.split("T")
        around = (datetime.fromtimestamp(self.change, UTC) + timedelta(n) for n in (-1, 0, 1))
        right = next(one for one in around if one.day == int(day))
        return at(f"{right:%Y-%m-%d}T{time}Z")

    def as_here(self) -> bool:
        """Whether the zone database of this machine has the same change."""
        zone = ZoneInfo(self.zone)
        either = (datetime.fromtimestamp(self.change - n, zone).utcoffset() for n in (1, 0))
        return tuple(one.total_seconds() for one in either if one is not None) == self.offsets


def nights() -> Iterator[Night]:
    night = None
    for line in RECORDED.read_text().splitlines():
        if re.match(r"[A-Z]\w+/", line):
            if night is not None:
                yield night
            night = Night(line)
        elif line and not line.startswith("#") and night is not None:
            night.add(line)
    assert night is not None
    yield night


NIGHTS = list(nights())


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.name)
def test_due_times_are_those_of_debian_s_cron(night: Night) -> None:
    if not night.as_here():
        pytest.skip("the zone database of this machine has other rules")
    start, end = night.change - AROUND, night.change + AROUND - 1
    assert len(night.ran) >= 30
    for expression, ran in night.ran.items():
        one = rule(expression, zone=night.zone)
        assert list(one.between(start, end)) == ran, expression
        backwards, due = [], one.latest(end)
        while due is not None and due > start:
            backwards.append(due)
            due = one.latest(due - 1)
        assert backwards[::-1] == ran, expression


def test_the_record_has_gaps_and_double_hours_of_many_sizes() -> None:
    sizes = {after - before for night in NIGHTS for before, after in [night.offsets]}
    assert sizes == {-7200, -3600, -1800, 1800, 3600, 7200}
    assert len(NIGHTS) > 40


@pytest.mark.parametrize(
    ("expression", "zone", "start", "dues"),
    [
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00Z",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
            id="a fixed time in a gap is due at its end",
        ),
        pytest.param(
            "0,20,40 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00Z",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"],
            id="fixed times in one gap are one",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00Z",
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
            id="a fixed time in a double hour is due the first time",
        ),
        pytest.param(
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00Z",
            ["2026-03-30T02:00+02:00"],
            id="a time with a star is never due in a gap",
        ),
        pytest.param(
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00Z",
            [
                "2026-10-25T02:00+02:00",
                "2026-10-25T02:30+02:00",
                "2026-10-25T02:00+01:00",
                "2026-10-25T02:30+01:00",
                "2026-10-26T02:00+01:00",
            ],
            id="a time with a star is due in both of two equal hours",
        ),
        pytest.param(
            "15 */2 * * *",
            "Australia/Lord_Howe",  # 02:00 to 02:30 does not come
            "2026-10-03T14:00Z",
            ["2026-10-04T04:15+11:00", "2026-10-04T06:15+11:00"],
            id="after half an hour's change no time is missed, as cronsim by itself would",
        ),
        pytest.param(
            "5 * * * *",
            "Pacific/Chatham",  # 02:45 to 03:45 comes twice
            "2026-04-04T13:00Z",
            [
                "2026-04-05T03:05+13:45",
                "2026-04-05T03:05+12:45",
                "2026-04-05T04:05+12:45",
            ],
            id="a double hour may begin at any minute; there crondst never comes to an end",
        ),
        pytest.param(
            "*/15 0 * * *",
            "America/Santiago",  # the first hour of the day does not come
            "2026-09-05T12:00Z",
            ["2026-09-07T00:00-03:00"],
            id="nor where the gap begins at midnight; cronsim by itself would give its end",
        ),
        pytest.param(
            "30 2 * * *",
            "Antarctica/Troll",  # 01:00 to 03:00 does not come
            "2026-03-28T12:00Z",
            ["2026-03-29T03:00+02:00"],
            id="a gap of two hours has one end; crondst gives 04:00 for what is in its second hour",
        ),
        pytest.param(
            "0 0 * * *",
            "America/Havana",
            "2026-10-31T12:00Z",
            ["2026-11-01T00:00-04:00", "2026-11-02T00:00-05:00"],
            id="of two midnights the first",
        ),
        pytest.param(
            "30 23 * * sat",
            "America/Nuuk",  # 23:00 of saturday is midnight
            "2026-03-28T12:00Z",
            ["2026-03-29T00:00-01:00", "2026-04-04T23:30-01:00"],
            id="a gap that ends on the next day",
        ),
    ],
)
def test_nights_in_which_clocks_are_changed(
    expression: str, zone: str, start: str, dues: list[str]
) -> None:
    found = []
    due: int | None = at(start)
    for _ in dues:
        assert due is not None
        due = rule(expression, zone=zone).after(due)
        found.append(told(due, zone))
    assert found == dues


# ---------------------------------------- expressions


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("@hourly", "2026-11-28T10:00+00:00"),
        ("@daily", "2026-11-29T00:00+00:00"),
        ("@midnight", "2026-11-29T00:00+00:00"),
        ("@weekly", "2026-11-29T00:00+00:00"),
        ("@monthly", "2026-12-01T00:00+00:00"),
        ("@yearly", "2027-01-01T00:00+00:00"),
        ("@annually", "2027-01-01T00:00+00:00"),
        (" @Daily ", "2026-11-29T00:00+00:00"),
        ("30 2 * * mon-fri", "2026-11-30T02:30+00:00"),
        ("30 2 * * MON", "2026-11-30T02:30+00:00"),
        ("0 0 1 Jan,feb *", "2027-01-01T00:00+00:00"),
        ("0 0 * * 7", "2026-11-29T00:00+00:00"),
        ("0 0 L * *", "2026-11-30T00:00+00:00"),
        ("0 0 LW 1 *", "2027-01-29T00:00+00:00"),
        ("0 0 * * 5L", "2026-12-25T00:00+00:00"),
        ("0 0 * * fri#1", "2026-12-04T00:00+00:00"),
        ("0 0 13 * fri", "2026-12-04T00:00+00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00+00:00"),
        ("0 0 * 2 mon#5", "2044-02-29T00:00+00:00"),
        ("0 5-5/2 * * *", "2026-11-29T05:00+00:00"),
        ("0 0 * * mon-Mon/2", "2026-11-30T00:00+00:00"),
        ("0   0\t1 1 *", "2027-01-01T00:00+00:00"),
    ],
)
def test_what_an_expression_means(expression: str, due: str) -> None:
    check(rule(expression))
    assert told(rule(expression).after(at("2026-11-28T09:15Z"))) == due


def test_of_several_expressions_each_counts_and_what_falls_together_is_one() -> None:
    both = rule("0 6 * * *", "0 */6 * * *")
    found = [
        told(due)[8:16] for due in both.between(at("2026-11-28T00:00Z"), at("2026-11-29T01:00Z"))
    ]
    assert found == ["28T06:00", "28T12:00", "28T18:00", "29T00:00"]
    assert told(both.latest(at("2026-11-28T11:00Z"))) == "2026-11-28T06:00+00:00"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("61 * * * *", 'its minute "61" can\'t be read; there may be 0-59, '),
        ("0 22-6 * * *", 'its hour "22-6" can\'t be read; there may be 0-23, ranges from low to '),
        ("0 0 32 * *", 'its day-of-month "32" can\'t be read'),
        ("0 0 * foo *", 'its month "foo" can\'t be read; there may be 1-12 or jan-dec'),
        ("0 0 * * mon#6", 'its day-of-week "mon#6" can\'t be read'),
        ("5-5/0 * * * *", 'its minute "5-5/0" can\'t be read'),
        ("*/0 * * * *", 'its minute "*/0" can\'t be read'),
        ("0 30 2 * * *", "has 6 fields, and cron has five: minute hour day-of-month month day-of"),
        ("0 30 2 * * *", "neither seconds nor years can be given"),
        ("30 2 *", '"30 2 *" has 3 fields'),
        ("", '"" has 0 fields'),
        ("midnight", '"midnight" has 1 field, '),
        ("@dayly", 'did you mean "@daily"?'),
        ("@reboot", "is none of @yearly, "),
        ("@every 5m", "write everySeconds"),
        ("0 0 30 2 *", '"0 0 30 2 *" is never due: no date matches it'),
        ("0 0 31 2,4,6,9,11 */2", "is never due"),
        ("0 0 */31 2 mon#5", "is never due"),
        ("1" * EXPRESSION_MAX + " * * * *", f"is longer than {EXPRESSION_MAX} characters"),
        ("1" * (EXPRESSION_MAX - 8) + " * * * *", 'its minute "111'),
    ],
)
def test_an_expression_that_is_refused(expression: str, problem: str) -> None:
    with pytest.raises(BadRule, match=re.escape(problem)) as refused:
        check(rule("@daily", expression))
    assert len(str(refused.value)) < 400


def test_a_time_that_falls_into_the_gap_of_each_year_is_never_due() -> None:
    always = rule("*/15 2 * 3 0L", zone="Europe/Berlin")
    with pytest.raises(BadRule, match="is never due: in Europe/Berlin, clocks are always set for"):
        check(always)
    for moment in ("2026-01-01T00:00Z", "9890-01-01T00:00Z"):
        assert always.after(at(moment)) is None
    assert told(always.latest(at("2026-01-01T00:00Z")), "Europe/Berlin")[:4] == "1980"
    assert always.latest(at("2040-01-01T00:00Z")) is None  # after 50 gaps the search gives up
    check(rule("*/15 2 * 3 0L"))
    check(rule("15 2 * 3 0L", zone="Europe/Berlin"))


def test_a_search_gives_up_after_fifty_years() -> None:
    for expression in ("* 0 */31 2 mon#5", "0 0 */31 2 mon#5"):
        assert rule(expression, zone="Europe/Berlin").after(at("2026-01-01T00:00Z")) is None
        assert rule(expression, zone="Europe/Berlin").latest(at("2026-01-01T00:00Z")) is None


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        ("Europe/Berln", 'no time zone is named "Europe/Berln"; did you mean "Europe/Berlin"?'),
        ("europe/berlin", 'did you mean "Europe/Berlin"?'),
        ("new york", 'did you mean "America/New_York"?'),
        ("right/Europe/Berlin", 'did you mean "Europe/Berlin"?'),
        ("utc", 'did you mean "UTC"?'),
        ("UTC+1", r'no time zone is named "UTC\+1"$'),
        ("CEST", 'no time zone is named "CEST"$'),
        ("Europe", 'no time zone is named "Europe"$'),
        ("../../etc/passwd", "no time zone is named"),
        ("a\0b", "no time zone is named"),
        ("", 'no time zone is named ""'),
        ("x" * 10_000, 'no time zone is named "x{60}…"$'),
        ("localtime", "is the zone of the machine"),
    ],
)
def test_a_zone_that_is_refused(zone: str, problem: str) -> None:
    with pytest.raises(BadRule, match=problem.replace("?", r"\?")):
        check(rule("@daily", zone=zone))


# ---------------------------------------- moments and multiples


def test_moments_and_multiples() -> None:
    moments = Rule(at=(100, 200, 200, 300))
    assert list(moments.between(100, 300)) == [200, 300]
    assert [moments.latest(moment) for moment in (99, 100, 299, 1000)] == [None, 100, 200, 300]
    assert moments.after(300) is None
    every = Rule(every=900)
    assert list(every.between(0, 2700)) == [900, 1800, 2700]
    assert (every.latest(899), every.latest(900)) == (0, 900)


@pytest.mark.parametrize("one", [rule("@yearly"), Rule(every=900), Rule(at=(0, END))])
def test_nothing_is_due_before_1970_or_when_dates_end(one: Rule) -> None:
    for moment in (-(10**18), -1, END, 10**18):
        early, late = one.latest(moment), one.after(moment)
        assert early is None or 0 <= early <= END
        assert late is None or 0 <= late <= END
    assert one.latest(-1) is None
    assert one.after(END) is None
    assert one.after(-(10**18)) == 0
    last = one.latest(10**18)
    assert last is not None
    assert key_of(last) > "9900"


# ---------------------------------------- excluded days


@pytest.mark.parametrize(
    ("one", "start", "exclude", "due"),
    [
        pytest.param(
            rule("30 2 * * *", zone="Europe/Berlin"),
            "2026-12-23T12:00Z",
            {"2026-12-24", "2026-12-25"},
            "2026-12-26T02:30+01:00",
            id="two days in a row",
        ),
        pytest.param(
            rule("*/10 * * * *", zone="Asia/Tokyo"),
            "2026-12-23T14:55Z",
            {"2026-12-24"},
            "2026-12-25T00:00+09:00",
            id="the day is the day of the zone",
        ),
        pytest.param(
            Rule(every=3000, zone="Asia/Tokyo"),
            "2026-12-23T14:55Z",
            {"2026-12-24"},
            "2026-12-25T00:10+09:00",
            id="also of everySeconds",
        ),
        pytest.param(
            Rule(at=(at("2026-12-23T15:00Z"), at("2026-12-24T15:00Z")), zone="Asia/Tokyo"),
            "2026-12-01T00:00Z",
            {"2026-12-24"},
            "2026-12-25T00:00+09:00",
            id="also of moments",
        ),
        pytest.param(
            Rule(at=(at("2026-12-24T15:00Z"),)),
            "2026-12-01T00:00Z",
            {"2026-12-24"},
            "never",
            id="the last moment is excluded",
        ),
        pytest.param(
            rule("30 23 * * *", zone="America/Nuuk"),
            "2026-03-28T12:00Z",
            {"2026-03-28"},
            "2026-03-29T00:00-01:00",
            id="what is due at the end of a gap falls on the day of that end",
        ),
        pytest.param(
            rule("* * * * *", zone="America/Santiago"),
            "2026-09-05T12:00Z",
            {"2026-09-05"},
            "2026-09-06T01:00-03:00",
            id="a day may begin at one",
        ),
        pytest.param(
            rule("* * * * *", zone="America/Havana"),
            "2026-10-31T12:00Z",
            {"2026-10-31"},
            "2026-11-01T00:00-04:00",
            id="a day with two midnights begins with the first",
        ),
        pytest.param(
            rule("* * * * *", zone="America/Havana"),
            "2026-11-01T00:30Z",
            {"2026-10-31", "2026-11-01"},
            "2026-11-02T00:00-05:00",
            id="both midnights are excluded",
        ),
    ],
)
def test_excluded_days_are_passed_over(one: Rule, start: str, exclude: set[str], due: str) -> None:
    assert told(one.after(at(start), frozenset(exclude)), one.zone) == due


@pytest.mark.parametrize(
    ("one", "until", "exclude", "due"),
    [
        pytest.param(
            rule("*/10 * * * *", zone="Asia/Tokyo"),
            "2026-12-24T10:00Z",
            {"2026-12-24", "2026-12-23"},
            "2026-12-22T23:50+09:00",
            id="two days in a row",
        ),
        pytest.param(
            rule("* * * * *", zone="America/Havana"),
            "2026-11-01T10:00Z",
            {"2026-11-01"},
            "2026-10-31T23:59-04:00",
            id="a day with two midnights",
        ),
        pytest.param(
            rule("* * * * *", zone="America/Nuuk"),
            "2026-03-29T10:00Z",
            {"2026-03-29"},
            "2026-03-28T22:59-02:00",
            id="the day before ended early",
        ),
        pytest.param(Rule(every=900), "1970-01-02T00:00Z", {"1970-01-01", "1970-01-02"}, "never"),
    ],
)
def test_excluded_days_are_passed_over_backwards(
    one: Rule, until: str, exclude: set[str], due: str
) -> None:
    assert told(one.latest(at(until), frozenset(exclude)), one.zone) == due


class Counted(cronsim.CronSim):
    questions = 0

    def __next__(self) -> datetime:
        Counted.questions += 1
        return super().__next__()


@pytest.mark.parametrize(
    ("expression", "exclude", "most"),
    [
        pytest.param("* * * * *", days("2026-01-02", 1000), 2, id="1,000 days in a row"),
        pytest.param("0 2 * * *", days("2026-01-02", 1000), 2, id="the same, and daily"),
        pytest.param("* * * * *", days("2026-01-02", 1000, 2), 2, id="every other of 2,000 days"),
        pytest.param("0 2 */2 * *", days("2026-01-02", 100, 7), 4, id="a day each week"),
        pytest.param("* * * * *", frozenset(), 1, id="none"),
    ],
)
def test_a_search_asks_once_for_each_row_of_excluded_days(
    expression: str, exclude: frozenset[str], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cronsim, "CronSim", Counted)
    for zone in ("UTC", "Europe/Berlin"):
        one = rule(expression, zone=zone)
        Counted.questions = 0
        assert one.after(at("2026-01-02T12:00Z"), exclude) is not None
        assert 1 <= Counted.questions <= most
        Counted.questions = 0
        assert one.latest(at("2026-01-02T12:00Z"), exclude) is not None
        assert 1 <= Counted.questions <= most


def test_no_zone_makes_a_search_ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cronsim, "CronSim", Counted)
    for night in NIGHTS:
        for expression in night.ran:
            for minutes in range(-125, 125, 25):
                Counted.questions = 0
                rule(expression, zone=night.zone).after(night.change + minutes * 60)
                assert Counted.questions <= 3, (night.name, expression, minutes)


# ---------------------------------------- times in text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01T06:00:00+01:00", "2026-12-01T05:00Z"),
        ("2026-12-01T06:00Z", "2026-12-01T06:00Z"),
        ("2026-12-01t06:00:00.000z", "2026-12-01T06:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00Z"),
    ],
)
def test_a_moment_is_rfc_3339(text: str, moment: str) -> None:
    assert moment_of(text) == at(moment)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-12-01T06:00:00", "has no offset"),
        ("2026-12-01", "is not a time like"),
        ("2026-12-01 06:00:00Z", "is not a time like"),
        ("20261201T060000Z", "is not a time like"),
        ("2026-W49-2T06:00:00Z", "is not a time like"),
        ("2026-13-01T06:00:00Z", "is not a time like"),
        ("2026-12-01T24:00:00Z", "is not a time like"),
        ("٢٠٢٦-12-01T06:00:00Z", "is not a time like"),
        ("tomorrow", "is not a time like"),
        ("2026-12-01T06:00:00.5Z", "has a fraction of a second"),
        ("2026-12-01T06:00:00.00000001Z", "has a fraction of a second"),
        ("1969-12-31T23:59:59Z", "is not in the years 1970 to 9900"),
        ("0001-01-01T00:00:00+12:00", "is not in the years 1970 to 9900"),
        ("9999-12-31T23:59:59-12:00", "is not in the years 1970 to 9900"),
    ],
)
def test_a_moment_that_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadRule, match=problem):
        moment_of(text)


def test_key_and_day_of_a_due_time() -> None:
    due = at("2026-11-28T23:30:00Z")
    assert key_of(due) == "20261128T233000Z"
    assert day_of(due, "UTC") == date(2026, 11, 28)
    assert day_of(due, "Europe/Berlin") == date(2026, 11, 29)
    assert key_of(END) == "99001231T235959Z"
    assert day_of(END, "Pacific/Kiritimati") == date(9901, 1, 1)


def test_an_offset_is_the_same_each_day_and_differs_between_triggers() -> None:
    found = [offset("orders", f"t{n}", 300) for n in range(1000)]
    assert found == [offset("orders", f"t{n}", 300) for n in range(1000)]
    assert min(found) >= 0
    assert max(found) <= 300
    assert len(set(found)) > 250
    assert offset("orders", "night", 0) == 0
    assert offset("orders", "night", 300) == 102  # for ever: who knows it plans by it


def test_a_zone_is_read_once() -> None:
    assert zone_of("Europe/Berlin") is zone_of("Europe/Berlin")
