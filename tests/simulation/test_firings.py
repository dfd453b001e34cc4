"""Due times through outages, sleeps, clocks that are set, markers and edits: each decided once.

`PYTHONPATH=tests python -m simulation.firings FIRST LAST` tries more histories.
"""

from collections import Counter
from unittest.mock import patch

import pytest
from simulation.due import YEARS_10, Deed, History, Spec, Trigger, expected
from simulation.firings import Clockwork, differences, look_over, trial
from simulation.world import BEGIN

from controller.model.events import FiringDecided
from controller.model.state import SECOND
from controller.spec.triggers.due import Rule
from controller.spec.triggers.trigger import MISSED_MAX

HISTORIES = 16
ZERO = BEGIN // SECOND
HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_each_due_time_is_decided_as_the_rules_say_killed_or_not(seed: int) -> None:
    trial(seed)


def played(spec: Spec, *deeds: Deed, durations: tuple[int, ...] = (20,)) -> Clockwork:
    """As the reference says."""
    history = History(spec, durations, deeds)
    world = Clockwork(history).play()
    found = [*differences(world, expected(history))]
    assert not found, found
    look_over(world)
    return world


def outcomes(world: Clockwork) -> Counter[str]:
    (life,) = world.audit()
    return Counter(reason or outcome for _, outcome, reason in life["t"])


def test_what_has_ended_while_nobody_was_there_is_in_nobodys_way() -> None:
    """Began at 100, ended at 750; without a controller from 500 to 1,200, due at 1,000."""
    spec = Spec((Trigger(every=900),))
    world = played(spec, (500, "mode", "away"), (1_200, "mode", "up"), durations=(650,))
    assert outcomes(world)["Overlap"] == 0


@pytest.mark.parametrize("deadline", [None, 600])
@pytest.mark.parametrize("catches_all", [False, True])
def test_a_clock_that_was_years_ahead_for_five_minutes_silences_no_trigger(
    deadline: int | None, catches_all: bool
) -> None:
    spec = Spec((Trigger(every=3600, deadline=deadline, catches_all=catches_all),), "Allow")
    world = played(spec, (4_000, "clock", YEARS_10), (4_300, "clock", -YEARS_10))
    (life,) = world.audit()
    here = [due for due, outcome, _ in life["t"] if outcome != "Skipped" and due < ZERO + DAY]
    assert len(here) == 8, "one an hour, all the time"


def test_a_new_controller_with_another_clock_is_no_other_case() -> None:
    spec = Spec((Trigger(every=3600, deadline=600),))
    away = (("mode", "away"), ("clock", YEARS_10), ("mode", "up"))
    back = (("mode", "away"), ("clock", -YEARS_10), ("mode", "up"))
    deeds = [(4_000, *deed) for deed in away] + [(4_300, *deed) for deed in back]
    world = played(spec, *deeds)
    (life,) = world.audit()
    assert sum(outcome == "Started" and due < ZERO + DAY for due, outcome, _ in life["t"]) == 8


def test_what_was_decided_ahead_is_not_undone_with_an_outage_around_it() -> None:
    """The due time that the clock ahead came to is in the middle of a later outage, of which the
    clock was ahead as well.
    """
    spec = Spec((Trigger(every=900),), "Allow")
    world = played(
        spec,
        (1_000, "clock", 7_200),
        (1_100, "clock", -7_200),
        (2_000, "mode", "away"),
        (2_100, "clock", 14_400),
        (2_200, "mode", "up"),
        (2_300, "clock", -14_400),
    )
    (life,) = world.audit()
    begun = Counter(due for due, outcome, _ in life["t"] if outcome != "Skipped")
    assert max(begun.values()) == 1


def test_a_controller_of_run_fires_nothing_and_the_next_one_knows_what_it_missed() -> None:
    spec = Spec((Trigger(every=900),), "Allow")
    world = played(spec, (1_100, "mode", "run"), (10_000, "mode", "up"))
    assert outcomes(world) == Counter(Started=24, CatchUp=8)


def test_a_name_that_comes_again_begins_another_life() -> None:
    spec = Spec((Trigger(every=900),), "Queue")
    deeds = (2_000, "spec", None), (7_000, "spec", spec)
    world = played(spec, *deeds, durations=(2_000,))
    one, two = world.audit()
    assert [due for due, *_ in one["t"]] == [ZERO + 100, ZERO + 1_000, ZERO + 1_900]
    assert two["t"][0][0] == ZERO + 7_300


# ---------------------------------------- a year without a controller


@pytest.mark.parametrize("every", [60, 3600])
@pytest.mark.parametrize("cron", [False, True])
@pytest.mark.parametrize("deadline", [None, 1800])
def test_a_year_without_a_controller_is_not_gone_through(
    every: int, cron: bool, deadline: int | None
) -> None:
    schedule = "* * * * *" if every == 60 else "0 * * * *"
    trigger = {"name": "t", **({"schedule": schedule} if cron else {"everySeconds": every})}
    if deadline is not None:
        trigger["startingDeadlineSeconds"] = deadline
    records, few = missed(trigger, 365 * DAY)
    assert records <= 3, "expired, caught up, started"
    assert few


def test_all_of_a_year_are_the_newest_thousand() -> None:
    records, few = missed({"name": "t", "everySeconds": 60, "catchUp": "All"}, 365 * DAY)
    assert records == MISSED_MAX + 1
    assert few


def missed(trigger: dict[str, object], seconds: int) -> tuple[int, bool]:
    """How many records the next controller makes of it, and whether each took few questions."""
    world = Clockwork(History(Spec(), (20,), ()))
    world.write_triggers([trigger])
    world.boot_controller()
    world.come_to_rest()
    world.pass_time(seconds * SECOND)
    before = len(world.log)
    asked: list[int] = []
    real_after, real_latest = Rule.after, Rule.latest

    def after(self: Rule, moment: int, *exclude: frozenset[str]) -> int | None:
        asked.append(moment)
        return real_after(self, moment, *exclude)

    def latest(self: Rule, moment: int, *exclude: frozenset[str]) -> int | None:
        asked.append(moment)
        return real_latest(self, moment, *exclude)

    with patch.object(Rule, "after", after), patch.object(Rule, "latest", latest):
        world.boot_controller()
        world.come_to_rest()
    made = [one.event for one in world.records()[before:] if isinstance(one.event, FiringDecided)]
    return len(made), len(asked) <= 12 * len(made) + 20
