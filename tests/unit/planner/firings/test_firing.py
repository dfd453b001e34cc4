"""What becomes of due times and other firings: a row for each rule of the contract."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import convert
from story import BEGIN, Story, a_step

from controller.model import events as e
from controller.model.image import freeze, thaw
from controller.model.indexes import phase_before
from controller.model.state import SECOND, Workflow
from controller.planner.permission import Limits
from controller.spec.models import DefaultsSpec
from controller.spec.triggers.due import key_of

MINUTE, HOUR = 60, 3600
DAY = 24 * HOUR
NOW = BEGIN // SECOND


def at(clock: str, day: int = 14) -> int:
    """Seconds since 1970 of this time in November 2023; the story begins on the 14th, 22:13:20."""
    hour, minute = map(int, clock.split(":"))
    return int(datetime(2023, 11, day, hour, minute, tzinfo=UTC).timestamp())


def a_definition(story: Story | None = None, name: str = "w", **fields: Any) -> Story:
    """One with a trigger that is due each full hour, unless told otherwise."""
    spec = {"triggers": [{"name": "t", "schedule": "0 * * * *"}], **fields}
    return (story or Story()).accept([a_step("a")], name, **spec)


def until(story: Story, moment: int) -> Story:
    return story.wait(moment - story.now / SECOND)


def firings(story: Story) -> list[tuple[str, str, str]]:
    """Outcome, reason and key of each decision; of due times in a row, the first and the last."""
    events = [one.event for one in story.records if isinstance(one.event, e.FiringDecided)]
    return [
        (
            one.outcome,
            str(one.reason),
            one.key if one.first is None else f"{key_of(one.first)}..{one.key}",
        )
        for one in events
    ]


def instances(story: Story, name: str = "w") -> list[Workflow]:
    return [life for life in story.state.lives.values() if life.document == name and life.birth]


def run_out(story: Story) -> Story:
    """All that lives succeeds."""
    for life in instances(story):
        if life.uid in {uid for uid, _ in story.state.live}:
            story.exit("a", workflow=life.name)
    return story


def without_controller(story: Story, seconds: float) -> Story:
    """No controller for so long; then the next one."""
    story.now += round(seconds * SECOND)
    story.controller_starts()
    return story.settle()


KEY_23, KEY_00, KEY_01 = "20231114T230000Z", "20231115T000000Z", "20231115T010000Z"


def test_a_due_time_begins_an_instance_at_that_moment() -> None:
    story = a_definition()
    assert story.life().phase == "Waiting"
    until(story, at("23:00") - 1)
    assert firings(story) == []
    until(story, at("23:00"))
    assert firings(story) == [("Started", "", KEY_23)]
    assert story.life(f"w@{KEY_23}").in_run is False, "its process does not exist yet"
    assert story.live(f"w@{KEY_23}") == {"a"}
    assert story.life().phase == "Running"
    run_out(story)
    assert story.life().phase == "Waiting"
    assert story.life(f"w@{KEY_23}").phase == "Succeeded"


@pytest.mark.parametrize(
    ("concurrency", "expected"),
    [
        (None, ("Skipped", "Overlap", KEY_00)),
        ("Forbid", ("Skipped", "Overlap", KEY_00)),
        ("Queue", ("Queued", "", KEY_00)),
        ("Allow", ("Started", "", KEY_00)),
        ({"limit": 2}, ("Started", "", KEY_00)),
    ],
)
def test_while_another_one_runs(concurrency: Any, expected: tuple[str, str, str]) -> None:
    story = a_definition(**{} if concurrency is None else {"concurrency": concurrency})
    until(story, at("23:00"))
    until(story, at("00:00", 15))
    assert firings(story)[1:] == [expected]


def test_a_queued_instance_waits_for_its_turn_and_starts_when_it_comes() -> None:
    story = a_definition(concurrency="Queue")
    until(story, at("23:00"))
    until(story, at("00:00", 15))
    until(story, at("01:00", 15))
    second, third = story.life(f"w@{KEY_00}"), story.life(f"w@{KEY_01}")
    assert (second.phase, second.reason) == ("Pending", "Queued")
    assert second.steps["a"].phase == "Pending"
    assert f"w@{KEY_23} has not ended" in second.message
    story.exit("a", workflow=f"w@{KEY_23}")
    assert story.live(second.name) == {"a"}
    assert third.is_queued
    story.exit("a", 1, workflow=second.name)
    assert story.live(third.name) == {"a"}


def test_a_full_queue_cancels_the_oldest() -> None:
    story = a_definition(concurrency={"policy": "Queue", "maxQueued": 1})
    for hour in range(3):
        until(story, at("23:00") + hour * HOUR)
    waiting = story.life(f"w@{KEY_00}")
    assert (waiting.phase, waiting.reason) == ("Cancelled", "QueueFull")
    assert story.life(f"w@{KEY_01}").is_queued


def test_only_instances_of_one_group_count_together() -> None:
    story = Story()
    spec = {
        "params": {"region": {"type": "string"}},
        "triggers": [],
        "concurrency": {"group": "${{ params.region }}", "policy": "Forbid"},
    }
    story.accept([a_step("a")], **spec)
    for region in ("eu", "us", "eu"):
        story.ask("start", params={"region": region}, key=f"{region}-{story.state.seq}")
    assert [one for one, _, _ in firings(story)] == ["Started", "Started", "Skipped"]


class TestMissed:
    """Due times without a controller."""

    def test_of_them_the_newest_is_started_and_the_others_are_one_record(self) -> None:
        story = a_definition()
        without_controller(story, 5 * HOUR)
        assert firings(story) == [
            ("Skipped", "CatchUp", f"{KEY_23}..20231115T020000Z"),
            ("Started", "", "20231115T030000Z"),
        ]

    def test_a_year_of_minutes_is_two_decisions(self) -> None:
        story = a_definition(triggers=[{"name": "t", "schedule": "* * * * *"}])
        without_controller(story, 365 * DAY)
        assert len(firings(story)) == 2

    def test_all_of_them_are_queued_the_oldest_first_if_the_trigger_says_so(self) -> None:
        triggers = [{"name": "t", "schedule": "0 * * * *", "catchUp": "All"}]
        story = a_definition(triggers=triggers, concurrency={"policy": "Forbid", "maxQueued": 1})
        without_controller(story, 4 * HOUR)
        assert firings(story) == [
            ("Started", "", KEY_23),
            ("Queued", "", KEY_00),
            ("Queued", "", KEY_01),
            ("Queued", "", "20231115T020000Z"),
        ]
        assert [life.phase for life in instances(story)] == ["Pending"] * 4, "none is too many"

    def test_but_a_thousand_at_most(self) -> None:
        triggers = [{"name": "t", "everySeconds": 60, "catchUp": "All"}]
        story = Story(checked=False)
        a_definition(story, triggers=triggers)
        without_controller(story, 2000 * MINUTE)
        found = firings(story)
        assert found[0][:2] == ("Skipped", "CatchUp")
        assert len(found) == 1001
        assert found[-1][2] == key_of(story.now // SECOND // 60 * 60)

    @pytest.mark.parametrize("catch_up", ["Latest", "All"])
    def test_what_is_too_late_expires(self, catch_up: str) -> None:
        trigger = {"name": "t", "schedule": "0 * * * *", "startingDeadlineSeconds": 5400}
        story = a_definition(triggers=[{**trigger, "catchUp": catch_up}], concurrency="Allow")
        without_controller(story, at("03:30", 15) - NOW)
        expired, *rest = firings(story)
        assert expired == ("Skipped", "Expired", f"{KEY_23}..{KEY_01}")
        first, second = "20231115T020000Z", "20231115T030000Z"
        assert (
            rest
            == {
                "Latest": [("Skipped", "CatchUp", first), ("Started", "", second)],
                "All": [("Started", "", first), ("Queued", "", second)],
            }[catch_up]
        )

    def test_a_machine_that_slept_missed_them_too(self) -> None:
        story = a_definition()
        story.now += 5 * HOUR * SECOND
        story.see(e.MachineSlept(seconds=5.0 * HOUR)).settle()
        assert [one[:2] for one in firings(story)] == [("Skipped", "CatchUp"), ("Started", "")]

    def test_a_loop_that_was_busy_for_a_moment_misses_none(self) -> None:
        triggers = [{"name": "t", "everySeconds": 1}]
        story = a_definition(triggers=triggers, concurrency="Allow")
        story.wait(4)
        assert [one[0] for one in firings(story)] == ["Started"] * 4


class TestClock:
    """The wall clock is set."""

    def test_set_back_it_fires_nothing_twice(self) -> None:
        story = a_definition(concurrency="Allow")
        until(story, at("23:30"))
        story.see(e.ClockStepped(seconds=-2.0 * HOUR)).settle()
        story.wait(2 * HOUR)
        assert [key for _, _, key in firings(story)] == [KEY_23]
        story.wait(HOUR)
        assert [key for _, _, key in firings(story)] == [KEY_23, KEY_00]

    def test_set_forward_what_lies_between_was_missed(self) -> None:
        story = a_definition()
        story.see(e.ClockStepped(seconds=3.0 * HOUR)).settle()
        assert firings(story) == [
            ("Skipped", "CatchUp", f"{KEY_23}..{KEY_00}"),
            ("Started", "", KEY_01),
        ]

    def test_a_clock_that_said_2036_for_five_minutes_costs_no_due_time(self) -> None:
        story = a_definition(concurrency="Allow")
        years = 12.0 * 365 * DAY
        story.see(e.ClockStepped(seconds=years)).settle()
        story.wait(300)
        story.see(e.ClockStepped(seconds=-years)).settle()
        before = len(firings(story))
        assert before == 2, "the newest of those years, and the others as one"
        until(story, at("23:00"))
        until(story, at("00:00", 15))
        assert [key for _, _, key in firings(story)[before:]] == [KEY_23, KEY_00]

    def test_and_what_it_had_started_then_is_not_started_again(self) -> None:
        story = a_definition(concurrency="Allow")
        story.see(e.ClockStepped(seconds=10.0 * DAY)).settle()
        story.wait(HOUR)
        ahead = {key for outcome, _, key in firings(story) if outcome == "Started"}
        assert len(ahead) == 2
        story.see(e.ClockStepped(seconds=-10.0 * DAY)).settle()
        for _ in range(12 * 24):
            story.wait(HOUR)
        started = [key for outcome, _, key in firings(story) if outcome == "Started"]
        assert len(started) == len(set(started)), "none of them twice"

    def test_a_new_controller_with_a_clock_that_was_set_right(self) -> None:
        story = a_definition(concurrency="Allow")
        story.now += round(3650 * DAY * SECOND)
        story.controller_starts(boot_id="2")
        story.settle()
        story.now -= round((3650 * DAY - HOUR) * SECOND)
        story.controller_starts(boot_id="3")
        story.settle()
        assert ("Started", "", KEY_23) in firings(story)


class TestHeld:
    """The definition is suspended, or has its marker."""

    @pytest.mark.parametrize("how", ["request", "spec", "marker"])
    def test_due_times_are_skipped_as_one_record_and_never_caught_up(self, how: str) -> None:
        story = a_definition()
        until(story, at("23:30"))
        run_out(story)
        if how == "request":
            story.ask("suspend")
        elif how == "spec":
            a_definition(story, suspend=True)
        else:
            story.mark()
        reason = "CancelMarker" if how == "marker" else "Suspended"
        assert story.why() == ("Suspended", reason)
        until(story, at("02:30", 15))
        assert len(firings(story)) == 1
        if how == "request":
            story.ask("resume")
        elif how == "spec":
            a_definition(story)
        else:
            story.unmark()
        assert firings(story)[1:] == [("Skipped", reason, f"{KEY_00}..20231115T020000Z")]
        until(story, at("03:00", 15))
        assert firings(story)[2:] == [("Started", "", "20231115T030000Z")]

    def test_its_instances_go_on_while_it_is_suspended(self) -> None:
        story = a_definition(concurrency="Queue")
        until(story, at("23:00"))
        until(story, at("00:00", 15))
        story.ask("suspend")
        story.exit("a", workflow=f"w@{KEY_23}")
        assert story.live(f"w@{KEY_00}") == {"a"}, "its turn has come"
        story.exit("a", workflow=f"w@{KEY_00}")
        story.ask("start", key="now")
        assert story.live("w@now") == {"a"}, "by hand it starts"

    def test_its_marker_cancels_them_and_keeps_others_from_starting(self) -> None:
        story = a_definition(concurrency="Queue")
        until(story, at("23:00"))
        until(story, at("00:00", 15))
        story.mark()
        story.end("a", workflow=f"w@{KEY_23}")
        assert {life.phase for life in instances(story)} == {"Cancelled"}
        story.ask("start", key="now")
        assert firings(story)[-1][:2] == ("Skipped", "CancelMarker")

    def test_the_marker_of_an_instance_to_come_skips_it(self) -> None:
        story = a_definition()
        story.mark(f"w@{KEY_23}.cancel", workflow=f"w@{KEY_23}")
        until(story, at("00:00", 15))
        assert [one[:2] for one in firings(story)] == [("Skipped", "CancelMarker"), ("Started", "")]


def test_a_new_zone_database_moves_what_is_not_decided() -> None:
    story = a_definition()
    armed = e.TriggersArmed(uid=story.life().uid, due={"t": at("22:30")})  # by the old one
    story.see(armed)
    until(story, at("22:30"))
    assert firings(story) == []
    until(story, at("23:00"))
    assert firings(story) == [("Started", "", KEY_23)]


def test_excluded_days_are_one_record() -> None:
    trigger = {"name": "t", "schedule": "0 * * * *", "exclude": ["2023-11-15", "2023-11-16"]}
    story = a_definition(triggers=[trigger])
    until(story, at("23:00"))
    run_out(story)
    until(story, at("00:00", 17))
    assert firings(story)[1:] == [
        ("Skipped", "Excluded", f"{KEY_00}..20231116T230000Z"),
        ("Started", "", "20231117T000000Z"),
    ]


def test_jitter_delays_the_start_and_not_the_due_time() -> None:
    trigger = {"name": "t", "schedule": "0 * * * *", "jitterSeconds": 600}
    story = a_definition(triggers=[trigger])
    timer = next(timer for timer in story.state.timers if timer.kind == "due")
    late = timer.due // SECOND - at("23:00")
    assert 0 < late <= 600
    until(story, at("23:00") + late - 1)
    assert firings(story) == []
    until(story, at("23:00") + late)
    assert firings(story) == [("Started", "", KEY_23)]


class TestByHand:
    def test_it_gets_a_key_of_its_own_time(self) -> None:
        story = a_definition(triggers=[])
        story.ask("start")
        story.ask("start")
        names = [life.name for life in instances(story)]
        assert names == ["w@m20231114T221320Z", "w@m20231114T221320Z-2"]

    def test_the_same_key_again_is_no_new_firing(self) -> None:
        story = a_definition(triggers=[])
        story.ask("start", key="once")
        story.ask("start", key="once")
        assert len(instances(story)) == 1
        last = story.records[-1].event
        assert isinstance(last, e.RequestApplied)
        assert last.instance == "w@once"

    def test_but_after_thirty_days(self) -> None:
        story = a_definition(triggers=[], keepInstances=1)
        story.ask("start", key="once")
        story.exit("a", workflow="w@once")
        story.wait(31 * DAY)
        story.ask("start", key="other")
        story.exit("a", workflow="w@other").wait(60)
        story.ask("start", key="once")
        assert [key for _, _, key in firings(story)] == ["once", "other", "once"]

    @pytest.mark.parametrize(
        ("fields", "refused"),
        [
            ({"key": "latest"}, '"latest" can\'t be a key'),
            ({"params": {"x": 1}}, "param x: there is no such param"),
        ],
    )
    def test_what_is_refused(self, fields: dict[str, Any], refused: str) -> None:
        story = a_definition(triggers=[])
        story.ask("start", **fields)
        last = story.records[-1].event
        assert isinstance(last, e.RequestApplied)
        assert refused in last.refused
        assert not instances(story)


def test_a_backfill_queues_by_itself_the_oldest_first_one_below_the_priority() -> None:
    story = a_definition(priority=5)
    until(story, at("23:00"))
    dues = [at("10:00"), at("09:00"), at("11:00")]
    story.ask("backfill", trigger="t", dues=dues, parallel=2)
    waiting = instances(story)[1:]
    assert [life.name[-16:] for life in waiting] == [key_of(due) for due in sorted(dues)]
    assert [life.is_queued for life in waiting] == [False, False, True]
    assert {life.priority for life in waiting} == {4}
    story.exit("a", workflow=waiting[0].name)
    assert story.live(waiting[2].name) == {"a"}
    assert len(story.live(f"w@{KEY_23}")) == 1
    story.ask("backfill", trigger="t", dues=dues)
    assert len(instances(story)) == 4, "dates that have an instance are left out"
    story.ask("backfill", trigger="t", dues=dues[:1], again=True)
    assert instances(story)[-1].name == f"w@{key_of(dues[0])}-2"


class TestAfter:
    def test_each_run_that_ends_in_the_phase_fires(self) -> None:
        story = Story()
        after = {"after": {"workflow": "up", "phase": ["Succeeded", "Failed"]}}
        trigger = {**after, "params": {"of": "${{ trigger.workflow.phase }}"}}
        story.accept([a_step("a")], "up")
        story.accept([a_step("a")], params={"of": ""}, triggers=[trigger])
        story.exit("a", 1, workflow="up")
        up = story.life("up").uid[:8]
        assert firings(story) == [("Started", "", f"{up}-1")]
        assert instances(story)[0].given == {"of": "Failed"}
        story.retry("a", workflow="up").exit("a", workflow="up")
        assert firings(story)[1:] == [("Queued", "", f"{up}-2")]

    def test_an_instance_hands_on_its_key(self) -> None:
        story = Story()
        story.accept([a_step("a")], "up", triggers=[])
        story.accept([a_step("a")], triggers=[{"after": {"workflow": "up"}}])
        story.ask("start", workflow="up", key="k")
        story.exit("a", workflow="up@k")
        assert firings(story)[1:] == [("Started", "", "k")]
        story.retry("a", workflow="up@k").exit("a", workflow="up@k")
        assert firings(story)[2:] == [("Queued", "", "k.2")]

    def test_what_ended_before_does_not_count(self) -> None:
        story = Story()
        story.accept([a_step("a")], "up").exit("a", workflow="up")
        story.accept([a_step("a")], triggers=[{"after": {"workflow": "up"}}])
        assert firings(story) == []

    def test_while_it_is_suspended_runs_are_skipped(self) -> None:
        story = Story()
        story.accept([a_step("a")], "up")
        story.accept([a_step("a")], triggers=[{"after": {"workflow": "up"}}], suspend=True)
        story.exit("a", workflow="up")
        assert [one[:2] for one in firings(story)] == [("Skipped", "Suspended")]


HOOK = {"name": "hook", "webhook": {"secret": {"fromFile": "secret"}}}
OTHER = {**HOOK, "name": "other"}


def a_hook(*more: dict[str, Any], **fields: Any) -> Story:
    """One that is due each full hour, too."""
    timed = {"name": "t", "schedule": "0 * * * *"}
    return a_definition(triggers=[timed, HOOK, *more], **fields)


def delivered(story: Story, key: str = "", trigger: str = "hook", **fields: Any) -> Story:
    return story.ask("deliver", trigger=trigger, key=key, **fields)


def refusals(story: Story) -> list[str]:
    """Of the requests, why each was refused, or "" if it was not."""
    events = (one.event for one in story.records)
    return [event.refused for event in events if isinstance(event, e.RequestApplied)]


class TestWebhook:
    def test_each_delivery_begins_an_instance_that_waits_for_its_turn(self) -> None:
        story = a_hook()
        for _ in range(2):
            delivered(story)
        delivered(story, "k-1")
        first = "w20231114T221320Z"
        assert firings(story) == [
            ("Started", "", first),
            ("Queued", "", f"{first}-2"),
            ("Queued", "", "k-1"),
        ]
        assert [life.name for life in instances(story)] == [
            f"w@{first}", f"w@{first}-2", "w@k-1"
        ]  # fmt: skip

    def test_the_same_key_again_is_no_new_firing(self) -> None:
        story = delivered(delivered(a_hook(), "k"), "k")
        assert firings(story) == [("Started", "", "k")]
        last = story.records[-1].event
        assert isinstance(last, e.RequestApplied)
        assert last.instance == "w@k"

    def test_not_when_the_log_was_read_from_an_image_either(self) -> None:
        story = delivered(a_hook(), "k")
        story.state = thaw(freeze(story.state))
        assert firings(delivered(story, "k")) == [("Started", "", "k")]

    def test_but_after_thirty_days(self) -> None:
        story = a_definition(triggers=[HOOK], keepInstances=1)
        run_out(delivered(story, "k")).wait(31 * DAY)
        run_out(delivered(story, "other")).wait(60)
        delivered(story, "k")
        assert [key for _, _, key in firings(story)] == ["k", "other", "k"]

    def test_another_trigger_and_a_person_have_keys_of_their_own(self) -> None:
        story = a_hook(OTHER, concurrency="Allow")
        delivered(story, "k")
        delivered(story, "k", trigger="other")
        story.ask("start", key="k")
        assert [life.name for life in instances(story)] == ["w@k", "w@k-2", "w@k-3"]
        for again in ("hook", "other"):
            delivered(story, "k", trigger=again)
        story.ask("start", key="k")
        assert len(instances(story)) == 3

    def test_what_was_skipped_may_be_delivered_again(self) -> None:
        story = delivered(a_hook(suspend=True), "k")
        assert firings(story) == [("Skipped", "Suspended", "k")]
        a_hook_again = {"triggers": [HOOK], "suspend": False}
        a_definition(story, **a_hook_again)
        delivered(delivered(story, "k"), "k")
        assert firings(story)[1:] == [("Started", "", "k")]

    def test_steps_and_params_read_what_was_sent(self) -> None:
        params = {"ref": "${{ trigger.body.ref }}", "n": "${{ size(trigger.body.commits) }}"}
        story = a_definition(
            params={"ref": {"type": "string"}, "n": 0}, triggers=[{**HOOK, "params": params}]
        )
        body = {"ref": "main", "commits": [{"id": 1}, {"id": 2}]}
        delivered(story, "k", body=body)
        (life,) = instances(story)
        assert life.given == {"ref": "main", "n": 2}
        assert life.birth is not None
        facts = life.birth.facts
        assert (facts.name, facts.kind, facts.key, facts.body) == ("hook", "webhook", "k", body)
        assert (facts.due, facts.date, facts.previous) == (
            "2023-11-14T22:13:20+00:00", "2023-11-14", ""
        )  # fmt: skip
        delivered(story, "list", body=[1, 2])
        assert firings(story)[-1] == ("Skipped", "InvalidParams", "list")

    @pytest.mark.parametrize(
        ("spec", "reason"),
        [
            ({"suspend": True}, "Suspended"),
            ({"concurrency": "Forbid"}, "Overlap"),
            ({"params": {"n": {"type": "integer", "enum": [1]}}}, "InvalidParams"),
        ],
    )
    def test_why_one_is_skipped(self, spec: dict[str, Any], reason: str) -> None:
        given = {"params": {"n": "${{ trigger.body.n }}"}} if "params" in spec else {}
        story = a_definition(triggers=[{**HOOK, **given}], **spec)
        for number in (1, 2):
            delivered(story, f"k{number}", body={"n": number})
        assert firings(story)[-1] == ("Skipped", reason, "k2")

    @pytest.mark.parametrize("whose", ["w", "w@k"])
    def test_a_cancel_marker_skips_it(self, whose: str) -> None:
        story = a_hook().mark(workflow=whose)
        delivered(story, "k")
        assert firings(story) == [("Skipped", "CancelMarker", "k")]
        delivered(story, "k2")
        assert firings(story)[-1][0] == ("Skipped" if whose == "w" else "Started")

    def test_a_full_queue_ends_the_oldest(self) -> None:
        story = a_hook(concurrency={"policy": "Queue", "maxQueued": 1})
        for key in ("a", "b", "c"):
            delivered(story, key)
        assert [life.is_queued for life in instances(story)] == [False, False, True]
        assert str(instances(story)[1].phase) == "Cancelled"
        assert instances(story)[1].reason == "QueueFull"

    @pytest.mark.parametrize(
        ("fields", "refused"),
        [
            ({"trigger": "t"}, 'w has no webhook "t"'),
            ({"trigger": "gone"}, 'w has no webhook "gone"'),
            ({"workflow": "nobody"}, "no workflow is named nobody"),
            (
                {"workflow": "plain"},
                "plain has no triggers; to run it again: treadle restart plain",
            ),
            ({"uid": "before"}, "it was for an earlier w (uid before)"),
            ({"key": "latest"}, '"latest" can\'t be a key: it names the newest instance'),
            ({"body": ["x" * 65_536]}, "its body has more than 65,536 bytes"),
        ],
    )
    def test_what_is_refused(self, fields: dict[str, Any], refused: str) -> None:
        story = a_hook().accept([a_step("a")], "plain")
        delivered(story, **fields)
        assert refusals(story) == [refused]
        assert not firings(story)

    def test_a_hook_that_an_edit_takes_away_takes_nothing_any_more(self) -> None:
        story = delivered(a_hook(), "k")
        story.convert([a_step("a")])
        delivered(story, "l")
        assert refusals(story)[1:] == [
            "an edit removes its triggers, and waits for the unfinished instances"
        ]

    def test_a_key_with_other_characters_is_hashed_as_that_of_a_person(self) -> None:
        story = delivered(a_hook(concurrency="Allow"), '"a b"')
        delivered(story, '"a b"')
        story.ask("start", key='"a b"')
        assert [key for _, _, key in firings(story)] == ["62b59ddfc5c4d697"] * 2

    def test_another_secret_makes_no_other_trigger_of_it(self) -> None:
        story = delivered(a_hook(), "k")
        moved = {**HOOK, "webhook": {"secret": {"fromFile": "elsewhere"}}}
        a_definition(story, triggers=[moved])
        delivered(story, "k")
        assert firings(story) == [("Started", "", "k")]


class TestEdits:
    def test_unfinished_instances_follow_and_finished_ones_stay(self) -> None:
        story = a_definition(concurrency="Allow")
        until(story, at("23:00"))
        run_out(story)
        until(story, at("00:00", 15))
        story.start("a", workflow=f"w@{KEY_00}")
        triggers = [{"name": "t", "schedule": "0 * * * *"}]
        story.accept([a_step("a", run="other")], triggers=triggers, concurrency="Allow")
        done, runs = story.life(f"w@{KEY_23}"), story.life(f"w@{KEY_00}")
        assert (done.generation, done.phase) == (1, "Succeeded")
        assert runs.generation == 2
        assert runs.steps["a"].attempts[0].ending is not None
        story.end("a", workflow=runs.name)
        assert story.live(runs.name) == {"a"}, "it runs again"

    def test_an_edit_of_triggers_alone_changes_no_instance(self) -> None:
        story = a_definition()
        until(story, at("23:00"))
        a_definition(story, triggers=[{"name": "t", "schedule": "30 * * * *"}])
        assert story.life().generation == 2
        assert story.life(f"w@{KEY_23}").generation == 1
        until(story, at("23:30"))
        assert firings(story)[1][2] == "20231114T233000Z"

    def test_after_run_they_keep_theirs(self) -> None:
        story = a_definition(editPolicy="AfterRun")
        until(story, at("23:00"))
        story.start("a", workflow=f"w@{KEY_23}")
        triggers = [{"name": "t", "schedule": "0 * * * *"}]
        spec = {"triggers": triggers, "editPolicy": "AfterRun"}
        story.accept([a_step("a", run="other")], **spec)
        assert story.life().generation == 2
        assert story.life(f"w@{KEY_23}").generation == 1
        story.exit("a", workflow=f"w@{KEY_23}")
        assert story.life(f"w@{KEY_23}").phase == "Succeeded"

    def test_retry_brings_an_ended_one_to_the_newest_generation(self) -> None:
        story = a_definition()
        until(story, at("23:00"))
        story.exit("a", 1, workflow=f"w@{KEY_23}")
        triggers = [{"name": "t", "schedule": "0 * * * *"}]
        story.accept([a_step("a", run="fixed"), a_step("b", "a")], triggers=triggers)
        failed = story.life(f"w@{KEY_23}")
        assert (failed.generation, failed.phase) == (1, "Failed")
        story.ask("retry", workflow=failed.name)
        assert failed.generation == 2
        assert story.live(failed.name) == {"a"}
        story.exit("a", workflow=failed.name).exit("b", workflow=failed.name)
        assert failed.phase == "Succeeded"
        why = [run.why for run in story.state.runs[failed.name]]
        assert why[1] == "retry requested by somebody", "the edit did not begin this run"

    def test_unless_it_is_to_keep_its_spec(self) -> None:
        story = a_definition()
        until(story, at("23:00"))
        story.exit("a", 1, workflow=f"w@{KEY_23}")
        triggers = [{"name": "t", "schedule": "0 * * * *"}]
        story.accept([a_step("a", run="fixed")], triggers=triggers)
        story.ask("retry", workflow=f"w@{KEY_23}", keep_spec=True)
        failed = story.life(f"w@{KEY_23}")
        assert failed.generation == 1
        assert failed.steps["a"].definition.argv[-1] == "a"

    def test_params_that_no_longer_fit_leave_it_as_it_is(self) -> None:
        story = Story()
        story.accept([a_step("a")], params={"n": 1}, triggers=[])
        story.ask("start", key="k", params={"n": 5})
        story.accept([a_step("a", run="other")], params={"n": "text"}, triggers=[])
        one = story.life("w@k")
        assert one.generation == 1
        assert one.conditions["EditRejected"].status == "True"


class TestConversion:
    TRIGGERS = [{"name": "t", "schedule": "0 * * * *"}]

    def test_a_plain_workflow_becomes_a_definition_when_its_run_has_ended(self) -> None:
        story = Story()
        story.accept([a_step("a")]).start("a")
        uid = story.life().uid
        story.convert([a_step("a")], triggers=self.TRIGGERS)
        assert story.life().conditions["EditPending"].status == "True"
        story.exit("a")
        assert story.life().uid != uid
        assert story.why() == ("Waiting", "Armed")

    def test_a_definition_becomes_plain_when_its_instances_have_ended(self) -> None:
        story = a_definition()
        until(story, at("23:00"))
        story.convert([a_step("a")])
        until(story, at("01:00", 15))
        assert len(firings(story)) == 1, "its triggers stop at once"
        story.ask("start")
        assert len(firings(story)) == 1, "nor can a person start more"
        story.exit("a", workflow=f"w@{KEY_23}")
        assert story.life().starter is None
        assert story.live() == {"a"}
        assert f"w@{KEY_23}" not in story.state.workflows


def test_deleted_it_ends_its_instances_and_all_go_to_the_archive() -> None:
    story = a_definition(concurrency="Queue")
    until(story, at("23:00"))
    until(story, at("00:00", 15))
    story.delete().end("a", workflow=f"w@{KEY_23}")
    assert not story.state.workflows
    story.wait(60)
    assert not instances(story)


def test_it_keeps_so_many_that_have_ended() -> None:
    story = a_definition(keepInstances=2)
    for hour in range(5):
        run_out(until(story, at("23:00") + hour * HOUR))
    story.wait(60)
    assert [life.name[-16:] for life in instances(story)] == [
        key_of(at("23:00") + hour * HOUR) for hour in (3, 4)
    ]


def test_a_controller_of_run_fires_nothing() -> None:
    story = a_definition()
    story.limits = type(story.limits)(max_parallel=9, only=frozenset())
    until(story, at("23:30"))
    assert firings(story) == []


class TestSharing:
    """A definition and its instances have one spec, and stay together."""

    def test_a_file_that_moves_takes_its_instances_along(self) -> None:
        story = a_definition()
        until(story, at("23:00"))
        uid = story.life().uid
        story.see(e.SourceChanged(uid=uid, path="sub/w.yaml", labels={"a": "b"}))
        one = story.life(f"w@{KEY_23}")
        assert (one.path, one.labels) == ("sub/w.yaml", {"a": "b"})
        assert one.spec is story.life().spec

    def test_so_do_defaults(self) -> None:
        story = a_definition()
        until(story, at("23:00"))
        policy = convert({"defaults": {"timeoutSeconds": 60}, "keepInstances": 1}, DefaultsSpec)
        story.see(e.DefaultsAccepted(folder="", path="all.yaml", spec=policy))
        one = story.life(f"w@{KEY_23}")
        assert one.steps["a"].definition.timeout_seconds == 60
        assert one.spec is story.life().spec
        image = thaw(freeze(story.state))
        assert image.workflows[one.name].spec is image.workflows["w"].spec

    def test_the_first_run_of_an_instance_knows_how_the_one_before_it_ended(self) -> None:
        story = a_definition()
        until(story, at("23:00"))
        story.exit("a", 1, workflow=f"w@{KEY_23}")
        until(story, at("00:00", 15))
        assert phase_before(story.state, story.life(f"w@{KEY_00}")) == "Failed"


def test_where_slots_are_short_a_definition_with_its_instances_is_one() -> None:
    story = Story(Limits(max_parallel=0))
    story.accept([a_step("a"), a_step("b")], "plain")
    story.accept([a_step("a"), a_step("b")], "many", triggers=[], concurrency="Allow")
    for key in ("x", "y", "z"):
        story.ask("start", workflow="many", key=key)
    story.limits = Limits(max_parallel=4)
    story.settle()
    assert len(story.live("plain")) == 2
    starter = story.life("many").starter
    assert starter is not None
    assert starter.occupied == 2
    story.limits = Limits(max_parallel=8)
    story.settle()
    assert starter.occupied == 6
