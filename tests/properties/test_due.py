"""Due times next to changes of clocks: as a naive cron finds them, and as two libraries do.

And what holds of every rule, whatever its times are.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from crondst import CronDst
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.spec.triggers.due import Rule, day_of

# Where both libraries do as Debian's cron does: an hour's change, at a full hour, not at midnight.
PLAIN = (
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "Australia/Sydney",
    "Africa/Casablanca",
)
ODD = (
    "Africa/Cairo",
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
)
MINUTE, HOUR, DAY = 60, 3600, 86_400
FIRST, LAST = 1_735_689_600, 1_861_920_000  # 2025 to 2028


def changes(zone: str) -> list[int]:
    """The moments at which the clocks of a zone are changed."""
    clock = ZoneInfo(zone)

    def offset(moment: int) -> timedelta | None:
        return datetime.fromtimestamp(moment, clock).utcoffset()

    days = [day for day in range(FIRST, LAST, DAY) if offset(day) != offset(day + DAY)]
    return [
        next(at for at in range(day, day + DAY + 1, MINUTE) if offset(at) != offset(day))
        for day in days
    ]


ONE_WITH_STEP = re.compile(r"\b(\d+)-\1/\d+")  # 5-5/2: is 5 for cron, 5,7,9 ... for cronsim

CHANGES = {zone: changes(zone) for zone in (*PLAIN, *ODD)}


class Expression(NamedTuple):
    """A cron expression and the times that it means, known without reading it."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    weekdays: frozenset[int]  # 0 is sunday

    @property
    def is_real_time(self) -> bool:
        return self.text.startswith("*") or self.text.split()[1].startswith("*")

    def means(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.isoweekday() % 7 in self.weekdays
        )


@st.composite
def fields(draw: st.DrawFn, size: int) -> tuple[str, frozenset[int]]:
    kind = draw(st.sampled_from(["star", "list", "list", "range"]))
    step = draw(st.integers(1, size - 1))
    if kind == "star":
        text = "*" if step == 1 else f"*/{step}"
        return text, frozenset(range(0, size, step))
    if kind == "list":
        some = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=4))
        return ",".join(map(str, some)), frozenset(some)
    low, high = sorted(draw(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))))
    return f"{low}-{high}/{step}", frozenset(range(low, high + 1, step))


@st.composite
def expressions(draw: st.DrawFn) -> Expression:
    minute, minutes = draw(fields(60))
    hour, hours = draw(fields(24))
    weekday, weekdays = draw(st.just(("*", frozenset(range(7)))) | fields(7))
    return Expression(f"{minute} {hour} * * {weekday}", minutes, hours, weekdays)


@st.composite
def nights(draw: st.DrawFn, zones: tuple[str, ...]) -> tuple[str, int, int]:
    """A zone, and a stretch of time about one of its changes."""
    zone = draw(st.sampled_from(zones))
    change = draw(st.sampled_from(CHANGES[zone]))
    start = change + draw(st.integers(-5 * HOUR, 3 * HOUR))
    return zone, start, start + draw(st.integers(1, 8 * HOUR))


def naive(expression: Expression, zone: str, start: int, end: int) -> list[int]:
    """Minute by minute, as cron lives it: it keeps the latest time that it has seen."""
    clock = ZoneInfo(zone)
    found, minute = [], timedelta(minutes=1)
    seen = datetime.min
    for moment in range((start - 4 * HOUR) // MINUTE * MINUTE, end + 1, MINUTE):
        wall = datetime.fromtimestamp(moment, clock).replace(tzinfo=None)
        if seen == datetime.min:
            seen = wall - minute
        if expression.is_real_time:
            due = expression.means(wall)
        else:
            passed = (wall - seen) // minute
            due = any(expression.means(seen + minute * n) for n in range(1, passed + 1))
        seen = max(seen, wall)
        if due and moment > start:
            found.append(moment)
    return found


@settings(max_examples=150, deadline=None)
@given(expressions(), nights(PLAIN + ODD))
def test_due_times_are_those_of_a_naive_cron(
    expression: Expression, night: tuple[str, int, int]
) -> None:
    zone, start, end = night
    rule = Rule(cron=(expression.text,), zone=zone)
    expected = naive(expression, zone, start, end)
    assert list(rule.between(start, end)) == expected
    backwards = takewhile(lambda due: due > start, before(rule, end))
    assert list(backwards) == expected[::-1]


def before(rule: Rule, moment: int) -> Iterator[int]:
    due = rule.latest(moment)
    while due is not None:
        yield due
        due = rule.latest(due - 1)


@settings(max_examples=150, deadline=None)
@given(expressions(), nights(PLAIN))
def test_due_times_are_those_of_two_libraries(
    expression: Expression, night: tuple[str, int, int]
) -> None:
    zone, start, end = night
    ours = list(Rule(cron=(expression.text,), zone=zone).between(start, end))
    # From before the double hour, as neither is right when asked within its second pass.
    begin = datetime.fromtimestamp(start - 5 * HOUR, ZoneInfo(zone))
    text = ONE_WITH_STEP.sub(r"\1", expression.text)
    for dues in (CronSim(text, begin), CronDst(text).iter(begin)):
        moments = (int(due.timestamp()) for due in islice(dues, 5000))
        theirs = {due for due in takewhile(lambda due: due <= end, moments) if due > start}
        assert ours == sorted(theirs)


# ---------------------------------------- of every rule

MOMENTS = st.integers(946_684_800, 4_102_444_800)  # 2000 to 2099
ZONES = st.sampled_from(("UTC", "America/St_Johns", *PLAIN, *ODD))
SOMETIMES = st.sampled_from(
    [
        "0 0 29 2 *",
        "0 0 L * *",
        "0 0 * * 5L",
        "30 2 * * mon#5",
        "@yearly",
        "0 4 13 * fri",
        "0 0 LW * *",
    ]
)
TEXTS = SOMETIMES | expressions().map(lambda one: one.text)
RULES = (
    st.builds(
        lambda cron, zone: Rule(cron=tuple(cron), zone=zone),
        st.lists(TEXTS, min_size=1, max_size=3),
        ZONES,
    )
    | st.builds(
        lambda at, zone: Rule(at=tuple(sorted(at)), zone=zone),
        st.lists(MOMENTS, min_size=1, max_size=20),
        ZONES,
    )
    | st.builds(lambda every, zone: Rule(every=every, zone=zone), st.integers(1, 10**7), ZONES)
)


@st.composite
def moments(draw: st.DrawFn) -> int:
    """Some lie next to a change of clocks."""
    if draw(st.booleans()):
        return draw(MOMENTS)
    change = draw(st.sampled_from(CHANGES[draw(st.sampled_from(PLAIN + ODD))]))
    return change + draw(st.integers(-3 * HOUR, 3 * HOUR))


@settings(max_examples=150, deadline=None)
@given(RULES, moments(), moments())
def test_after_and_latest_agree(rule: Rule, moment: int, other: int) -> None:
    due, last = rule.after(moment), rule.latest(moment)
    if due is not None:
        assert due > moment
        assert rule.latest(due) == due
        assert rule.after(due - 1) == due
        assert rule.latest(due - 1) == last
    if last is not None:
        assert last <= moment
        assert rule.latest(last) == last
        assert rule.after(last - 1) == last
        assert rule.after(last) == due
    early, late = sorted((moment, other))
    if (least := rule.after(early)) is not None and (most := rule.after(late)) is not None:
        assert least <= most
    if (least := rule.latest(early)) is not None and (most := rule.latest(late)) is not None:
        assert least <= most


@settings(max_examples=150, deadline=None)
@given(RULES, moments(), st.integers(0, 400 * DAY))
def test_between_is_each_after_in_turn(rule: Rule, moment: int, length: int) -> None:
    found = list(islice(rule.between(moment, moment + length), 50))
    assert found == sorted(set(found))
    for before, due in zip([moment, *found], found, strict=False):
        assert rule.after(before) == due
        assert due <= moment + length
    if len(found) < 50:
        rest = rule.after(found[-1] if found else moment)
        assert rest is None or rest > moment + length


@settings(max_examples=150, deadline=None)
@given(
    RULES,
    moments(),
    st.lists(st.tuples(st.integers(-12, 12), st.integers(1, 5)), min_size=1, max_size=4),
)
def test_what_is_not_excluded_is_due_as_before(
    rule: Rule, moment: int, rows: list[tuple[int, int]]
) -> None:
    today = day_of(moment, rule.zone)
    exclude = frozenset(
        (today + timedelta(start + n)).isoformat() for start, length in rows for n in range(length)
    )
    check_against_each(rule, moment, exclude)


def check_against_each(rule: Rule, moment: int, exclude: frozenset[str]) -> None:
    def is_in(due: int) -> bool:
        return day_of(due, rule.zone).isoformat() not in exclude

    many = 20_000  # more than two weeks of minutes; of seconds it is too few to compare
    after, last = rule.after(moment, exclude), rule.latest(moment, exclude)
    for due in (after, last):
        assert due is None or is_in(due)
    assert after is None or after > moment
    assert last is None or last <= moment
    if rule.every >= MINUTE or not rule.every:
        steps = islice(rule.between(moment, moment + 30 * DAY), many)
        expected = next(filter(is_in, steps), None)
        if expected is not None or (after is not None and after <= moment + 10 * DAY):
            assert after == expected
        back = takewhile(lambda due: due > moment - 30 * DAY, islice(before(rule, moment), many))
        expected = next(filter(is_in, back), None)
        if expected is not None:
            assert last == expected


@pytest.mark.parametrize("zone", [*PLAIN, *ODD])
def test_a_day_of_a_change_that_is_excluded(zone: str) -> None:
    rule = Rule(cron=("*/15 * * * *",), zone=zone)
    for change in CHANGES[zone][:2]:
        exclude = frozenset([day_of(change, zone).isoformat()])
        check_against_each(rule, change - HOUR, exclude)
        check_against_each(rule, change + HOUR, exclude)


def test_the_changes_that_are_tried_are_many() -> None:
    assert sum(map(len, CHANGES.values())) > 80
    assert datetime.fromtimestamp(FIRST, UTC).date() == date(2025, 1, 1)
