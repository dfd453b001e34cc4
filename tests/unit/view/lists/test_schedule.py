"""Due times ahead and behind, and what became of those of the past."""

from datetime import UTC, datetime
from typing import Any

import pytest
from story import Story, a_step

from controller.errors import UsageError
from controller.model.state import SECOND
from controller.spec.triggers.due import Rule
from controller.spec.triggers.trigger import ResolvedTrigger
from controller.view.lists.schedule import (
    BEHIND_MAX,
    Decided,
    Decisions,
    DueTime,
    Force,
    Past,
    Range,
    audit,
    definitions,
    due_table,
    parse_range,
    shape,
    timed,
    what,
)
from controller.view.table import render

NOON = int(datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp())
HOUR = 3600
HOURLY = {"name": "hourly", "schedule": "0 * * * *"}


def told(begin: int = NOON, **trigger: Any) -> Story:
    """`job`, whose trigger counts since `begin`."""
    story = Story()
    story.wait(begin - story.now // SECOND)
    return story.accept([a_step("only")], name="job", triggers=[{**HOURLY, **trigger}])


def known(story: Story, later: float, live: bool = False, ahead: int = 2) -> list[DueTime]:
    """What is known of its due times so many seconds after NOON."""
    (one,) = timed(story.state, definitions(story.state), int(NOON + later), live)
    return [*one.behind(), *one.ahead(ahead)]


def hours(found: list[DueTime]) -> list[float]:
    return [(one.due - NOON) / HOUR for one in found]


def test_what_is_ahead_begins_with_the_next_one() -> None:
    assert hours(known(told(), 60)) == [1, 2]
    assert hours(known(told(), HOUR - 1, ahead=1)) == [1]


@pytest.mark.parametrize(
    ("trigger", "later", "reasons", "last"),
    [
        pytest.param(
            {},
            2 * HOUR + 60,
            ["CatchUp", ""],
            "was due 14:00, no controller; the next `treadle up` starts it",
            id="the newest is caught up",
        ),
        pytest.param({"catchUp": "All"}, 2 * HOUR + 60, ["", ""], "starts it", id="or all are"),
        pytest.param(
            {"startingDeadlineSeconds": 600},
            2 * HOUR + 700,
            ["Expired", "Expired"],
            "skips it: later than 600 s (startingDeadlineSeconds)",
            id="too late",
        ),
        pytest.param(
            {"exclude": ["2026-11-29"]},
            14 * HOUR,
            ["CatchUp", "CatchUp", ""],
            "was due 02:00, no controller; the next `treadle up` starts it",
            id="what is excluded was not waited for",
        ),
        pytest.param(
            {"timeZone": "Asia/Kolkata", "schedule": "0 18 * * *"},
            HOUR,
            [""],
            "was due 18:00, no controller; the next `treadle up` starts it",
            id="in its zone",
        ),
    ],
)
def test_what_is_behind(trigger: dict[str, Any], later: int, reasons: list[str], last: str) -> None:
    found = known(told(**trigger), later, ahead=0)
    assert [one.reason for one in found] == reasons
    assert found[-1].message.endswith(last)


def test_what_is_behind_while_a_controller_runs() -> None:
    (found,) = known(told(), HOUR, live=True, ahead=0)
    assert found.message == "due now: starts it"


def test_of_very_many_behind_the_newest_are_shown() -> None:
    story = told()
    (one,) = timed(story.state, definitions(story.state), NOON + 1000 * HOUR, False)
    behind = one.behind()
    assert hours(behind) == list(range(1001 - BEHIND_MAX, 1001))
    assert one.more_behind(behind)
    assert not one.more_behind(behind[1:])


def test_what_is_ahead_says_what_is_known() -> None:
    excluded = known(told(exclude=["2026-11-30"]), 11.5 * HOUR, ahead=2)
    assert [one.message for one in excluded[-2:]] == ["skipped: its day is excluded"] * 2
    suspended = told().ask("suspend", workflow="job")
    assert [one.message for one in known(suspended, 1)] == ["skipped: job is suspended"] * 2
    marked = told().mark("job.cancel", "job")
    messages = [one.message for one in known(marked, 1)]
    assert messages == ["skipped: job.cancel is there"] * 2


def test_jitter_moves_the_start_and_not_the_due_time() -> None:
    (one,) = known(told(jitterSeconds=1800), 1, ahead=1)
    assert one.due == NOON + HOUR
    assert HOUR <= one.starts - NOON <= 1.5 * HOUR
    assert one.message.startswith("starts 2026-11-29T13:")
    assert shape(one).starts.startswith("2026-11-29T13:")
    waits = told(jitterSeconds=1800)
    later = one.starts - NOON
    assert hours(known(waits, later - 1, ahead=0)) == []
    assert hours(known(waits, later, ahead=0)) == [1]


# ---------------------------------------- the past

TRIGGER = ResolvedTrigger(name="hourly", kind="everySeconds", rule=Rule(every=HOUR))


def record(order: int, first: float, due: float, reason: str = "", instance: str = "") -> Decided:
    outcome = "Started" if instance else "Skipped"
    at = (round(NOON + hour * HOUR) for hour in (first, due))
    return Decided(order, *at, outcome, reason, "", instance, f"uid of {instance}")


def audited(past: Past, begin: float, end: float) -> list[str]:
    span = (int(NOON + hour * HOUR) for hour in (begin, end))
    found = list(audit(past, [], "job", "hourly", *span))
    assert hours(found) == sorted(hours(found))
    return [f"{(one.due - NOON) // HOUR} {what(one)}" for one in found]


def test_a_record_tells_of_all_due_times_that_it_covers() -> None:
    past = Past(
        forces={"hourly": [Force(TRIGGER, NOON)]},
        decided={
            "hourly": [record(1, 1, 1, instance="job@a"), record(2, 2, 4, "CatchUp")],
        },
        filled={("hourly", NOON + 3 * HOUR): ["job@b"]},
        phases={"uid of job@a": "Failed"},
    )
    assert audited(past, -5, 5) == [
        "1 Started job@a: Failed",
        "2 Skipped (CatchUp)",
        "3 Skipped (CatchUp); filled in by job@b",
        "4 Skipped (CatchUp)",
        "5 there is no record of it",
    ]
    assert audited(past, 2.5, 3) == ["3 Skipped (CatchUp); filled in by job@b"]


def test_excluded_days_are_told_inside_of_a_record() -> None:
    trigger = ResolvedTrigger(
        name="hourly",
        kind="everySeconds",
        rule=Rule(every=12 * HOUR),
        exclude=frozenset({"2026-11-30"}),
    )
    past = Past(
        forces={"hourly": [Force(trigger, NOON)]},
        decided={"hourly": [record(1, 12, 48, "CatchUp")]},
    )
    assert audited(past, 0, 48) == [
        "12 Skipped (Excluded): its day is excluded",
        "24 Skipped (Excluded): its day is excluded",
        "36 Skipped (CatchUp)",
        "48 Skipped (CatchUp)",
    ]


def test_a_changed_trigger_counts_from_its_edit_on() -> None:
    slower = ResolvedTrigger(name="hourly", kind="everySeconds", rule=Rule(every=2 * HOUR))
    first = Force(TRIGGER, NOON, NOON + round(2.5 * HOUR), "the trigger was changed")
    past = Past(
        forces={"hourly": [first, Force(slower, NOON + round(2.5 * HOUR))]},
        decided={
            "hourly": [record(1, 1, 1, instance="job@a"), record(2, 4, 4, instance="job@b")],
        },
    )
    assert audited(past, 0, 5) == [
        "1 Started job@a",
        "2 not decided: the trigger was changed",
        "4 Started job@b",
    ]


def test_what_is_no_longer_kept_is_not_called_undecided() -> None:
    past = Past(forces={"hourly": [Force(TRIGGER, NOON, lost=NOON + HOUR)]})
    assert audited(past, 0, 1) == ["1 decided, but its record is no longer kept (--keep-archive)"]


def test_the_latest_of_several_records_counts() -> None:
    """As after the clock was set back, when missed ones are due again."""
    records = [record(1, 1, 1), record(2, 2, 9, "CatchUp"), record(3, 3, 3, instance="job@c")]
    decisions = Decisions(records)
    assert [getattr(decisions.of(NOON + n * HOUR), "order", None) for n in range(1, 11)] == [
        1, 2, 3, 2, 2, 2, 2, 2, 2, None,
    ]  # fmt: skip


# ---------------------------------------- from and to


def span(text: str, zone: str = "Europe/Berlin") -> list[str]:
    found = parse_range("--audit", text).seconds(zone, NOON * SECOND, UTC)
    return [datetime.fromtimestamp(at, UTC).strftime("%dT%H:%M:%S") for at in found]


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-11-01..2026-11-02", "31T23:00:00", "02T22:59:59"),
        ("2026-10-25..2026-10-25", "24T22:00:00", "25T22:59:59"),  # it has 25 hours
        ("yesterday..today", "27T23:00:00", "29T22:59:59"),
        ("2h..", "29T10:00:00", "29T12:00:00"),
        ("2026-11-01T10:00..2026-11-01T12:00:00+01:00", "01T10:00:00", "01T11:00:00"),
    ],
)
def test_a_day_is_all_of_it_in_the_zone_of_the_trigger(text: str, begin: str, end: str) -> None:
    assert span(text) == [begin, end]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-11-01", "--audit 2026-11-01: write FROM..TO, like"),
        ("..2026-11-01", "write FROM..TO"),
        ("x..y", "x: not a time; write 5m"),
        ("2026-11-02..2026-11-01", "2026-11-02 is later than 2026-11-01"),
    ],
)
def test_no_length_of_time(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        span(text)


def test_a_row_has_the_name_where_there_are_several() -> None:
    one = DueTime(workflow="job", trigger="hourly", zone="Asia/Kolkata", due=NOON, starts=NOON)
    assert list(render(due_table([one], named=True)))[1].split() == [
        "2026-11-29T17:30:00+05:30",
        "job",
        "hourly",
    ]
    assert Range("a", "b").first == "a"
