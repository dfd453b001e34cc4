"""Counters and histograms: what they count, and that nothing lowers them."""

import msgspec
import pytest
from story import Story, a_step

from controller.model import events as e
from controller.model import metrics
from controller.model.apply.fold import replay
from controller.model.image import freeze, thaw
from controller.model.metrics import (
    BOUNDS,
    OTHER,
    QUICK_BOUNDS,
    Histogram,
    Metrics,
    QuickHistogram,
)
from controller.model.state import SECOND

RETRIED = [a_step("a", retry={"limit": 1})]


def counted(histogram: Histogram) -> dict[int, int]:
    """How many lasted at most so many microseconds; 0 stands for longer than any bound."""
    return {
        bound: count for bound, count in zip((*BOUNDS, 0), histogram.counts, strict=True) if count
    }


def test_attempts_retries_and_runs_are_counted_by_name() -> None:
    story = Story().accept(RETRIED)
    story.wait(2).start("a").wait(20).exit("a", 1).wait(1).exit("a")
    seen = story.state.metrics
    of = seen.names["w"]
    assert of.attempts == {"Failed": 1, "Succeeded": 1}
    assert of.retries == {"NonZeroExit": 1}
    assert {result: runs.total for result, runs in of.runs.items()} == {"Succeeded": 21 * SECOND}
    assert counted(seen.attempt_durations) == {BOUNDS[0]: 1, 30 * SECOND: 1}
    assert counted(seen.ready_waits) == {BOUNDS[0]: 1, 3 * SECOND: 1}


def test_one_that_never_started_has_no_duration() -> None:
    story = Story().accept(RETRIED).end("a", how="start-failed", problem="no shell")
    assert story.state.metrics.names["w"].attempts == {"Failed": 1}
    assert not counted(story.state.metrics.attempt_durations)


def test_they_outlive_their_workflow_and_a_restart() -> None:
    story = Story().accept(RETRIED, ttlSecondsAfterFinished=60).exit("a").delete().wait(70)
    assert not story.state.lives
    again = thaw(freeze(replay(story.records)))
    assert again.metrics == story.state.metrics
    assert again.metrics.names["w"].attempts == {"Succeeded": 1}


def test_late_comers_share_their_counters() -> None:
    seen = Metrics()
    for number in range(metrics.LABELS_MAX + 2):
        seen.attempt_ended(f"w{number}", "Failed", None)
    seen.attempt_ended("w0", "Failed", None)
    assert len(seen.names) == metrics.LABELS_MAX
    assert seen.names["w0"].attempts == {"Failed": 2}
    assert seen.others.attempts == {"Failed": 2}


def test_a_name_has_its_label_before_anything_has_happened_to_it() -> None:
    story = Story().accept([a_step("a")])
    assert story.state.metrics.label("w") == "w"
    assert story.state.metrics.label("v") == OTHER


def test_who_is_called_other_shares_the_counters_of_late_comers() -> None:
    seen = Metrics()
    seen.fired(OTHER, "Started")
    assert (seen.names, seen.others.firings) == ({}, {"Started": 1})


def test_firings_outlive_their_definition() -> None:
    story = Story().accept([a_step("a")], triggers=[{"schedule": "0 * * * *"}])
    story.wait(3_600).ask("start").wait(3_600)
    firings = dict(story.state.metrics.names["w"].firings)
    assert firings == {"Started": 1, "Queued": 1, "Skipped": 1}
    running = next(life.name for life in story.state.workflows.values() if life.occupied)
    story.delete().end("a", workflow=running)
    assert "w" not in story.state.workflows
    story.accept([a_step("a")], triggers=[{"schedule": "0 * * * *"}]).wait(3_600)
    assert sum(story.state.metrics.names["w"].firings.values()) == 4


def test_the_last_success_is_told_by_the_wall_clock() -> None:
    story = Story().accept([a_step("a")]).see(e.ClockStepped(seconds=60.0))
    story.exit("a")
    at = story.now + 60 * SECOND
    assert story.state.metrics.names["w"].last_success == at
    story.wait(9).retry("a").exit("a", 1)
    assert story.state.metrics.names["w"].last_success == at


def test_an_image_of_before_there_were_these_counters_is_read() -> None:
    before = {"attempts": {"Failed": 1}, "runs": {"Failed": [7, [0] * len(BOUNDS) + [1]]}}
    seen = msgspec.convert({"names": {"w": before}}, Metrics)
    seen.run_ended("w", "Failed", 1, 9)
    assert seen.names["w"].runs["Failed"].total == 8
    assert (seen.names["w"].firings, seen.names["w"].last_success) == ({}, 0)


@pytest.mark.parametrize("kind", [Histogram, QuickHistogram])
def test_one_with_other_buckets_is_refused(kind: type[Histogram]) -> None:
    with pytest.raises(msgspec.ValidationError, match="buckets"):
        msgspec.json.decode(b"[7, [1, 2, 3]]", type=kind)


def test_what_is_quick_has_finer_buckets() -> None:
    histogram = QuickHistogram()
    for length in (QUICK_BOUNDS[0], QUICK_BOUNDS[-1] + 1):
        histogram.add(length)
    assert histogram.counts == [1, *[0] * (len(QUICK_BOUNDS) - 1), 1]


def test_a_length_goes_into_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram()
    for length in (-5, BOUNDS[0], BOUNDS[0] + 1, BOUNDS[-1] + 1):
        histogram.add(length)
    assert counted(histogram) == {BOUNDS[0]: 2, BOUNDS[1]: 1, 0: 1}
    assert histogram.total == 2 * BOUNDS[0] + 2 + BOUNDS[-1]
