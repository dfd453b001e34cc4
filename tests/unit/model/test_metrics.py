"""Counters and histograms: what they count, and that nothing lowers them."""

from story import Story, a_step

from controller.model import metrics
from controller.model.apply.fold import replay
from controller.model.image import freeze, thaw
from controller.model.metrics import BOUNDS, Histogram, Metrics
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


def test_a_length_goes_into_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram()
    for length in (-5, BOUNDS[0], BOUNDS[0] + 1, BOUNDS[-1] + 1):
        histogram.add(length)
    assert counted(histogram) == {BOUNDS[0]: 2, BOUNDS[1]: 1, 0: 1}
    assert histogram.total == 2 * BOUNDS[0] + 2 + BOUNDS[-1]
