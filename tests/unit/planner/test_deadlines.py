"""What time alone makes due, and what moves it: sleep of the machine, steps of its clock."""

from story import Story, a_step

from controller.model.events import ClockStepped, MachineSlept
from controller.model.state import SECOND

HOUR = 3600
RETRY = {"limit": 3, "backoff": {"initialSeconds": 10, "jitter": 0}}


def running() -> Story:
    return Story().accept([a_step("a", timeoutSeconds=10)], activeDeadlineSeconds=60).start("a")


def test_a_timeout_is_recorded_as_such_and_exits_124() -> None:
    story = running().wait(10).end("a", signal=9)
    attempt = story.step("a").attempts[-1]
    assert (attempt.exit_code, attempt.signal, attempt.reason) == (124, None, "Timeout")
    assert story.why("a") == ("Failed", "Timeout")


def test_a_timeout_that_an_expression_gives_is_named_by_its_seconds() -> None:
    story = Story().accept([a_step("a", timeoutSeconds="${{ 5.0 * 2.0 }}")]).start("a").wait(9.9)
    assert story.attempt("a").ending is None
    ending = story.wait(0.1).attempt("a").ending
    assert ending is not None
    assert ending.message == "timed out after 10 s"


def test_a_queued_attempt_has_no_timeout_yet() -> None:
    story = Story().accept([a_step("a", timeoutSeconds=10)]).wait(100)
    assert story.attempt("a").ending is None
    story.start("a").wait(10)
    assert story.attempt("a").ending is not None


def test_timeouts_dont_count_sleep_but_deadlines_do() -> None:
    story = running().wait(5)
    story.now += 30 * SECOND
    story.see(MachineSlept(seconds=30)).settle()
    story.wait(4.9)
    assert story.attempt("a").ending is None
    story.wait(0.1)
    assert story.attempt("a").ending is not None
    story = running().wait(5)
    story.now += HOUR * SECOND
    story.see(MachineSlept(seconds=HOUR)).settle()
    assert story.attempt("a").ending.reason == "DeadlineExceeded"  # type: ignore[union-attr]


def test_backoffs_dont_count_sleep() -> None:
    story = Story().accept([a_step("a", retry=RETRY)]).exit("a", 1).wait(4)
    story.now += HOUR * SECOND
    story.see(MachineSlept(seconds=HOUR)).settle()
    assert story.wait(5.9).phases()["a"] == "Pending"
    assert story.wait(0.1).phases()["a"] == "Ready"


def test_a_step_of_the_clock_while_a_controller_runs_moves_nothing() -> None:
    story = running().see(ClockStepped(seconds=HOUR)).wait(9.9)
    assert story.attempt("a").ending is None


def test_sleep_between_two_controllers_moves_timeouts() -> None:
    story = running().wait(5)
    boottime = story.now
    story.now += 30 * SECOND
    story.controller_starts(boottime=boottime + 30 * SECOND, uptime=boottime)
    assert story.wait(4.9).attempt("a").ending is None
    assert story.wait(0.1).attempt("a").ending is not None


def test_sleep_that_was_recorded_is_not_counted_again() -> None:
    story = running().wait(5)
    story.now += 30 * SECOND
    story.see(MachineSlept(seconds=30))
    story.controller_starts(boottime=story.now, uptime=story.now - 30 * SECOND)
    assert story.wait(5).attempt("a").ending is not None


def test_a_clock_set_between_two_controllers_moves_all_that_is_due_with_it() -> None:
    for step in (HOUR * SECOND, -HOUR * SECOND):
        story = running().wait(5)
        boottime = story.now
        story.now += step
        story.controller_starts(boottime=boottime, uptime=boottime)
        assert story.wait(4.9).attempt("a").ending is None
        assert story.wait(0.1).attempt("a").ending is not None
        story.end("a")
        assert story.why() == ("Failed", "StepFailed")


def test_a_clock_set_between_two_controllers_moves_a_deadline_once() -> None:
    story = Story().accept([a_step("a")], activeDeadlineSeconds=60).start("a").wait(10)
    story.accept([a_step("a")], activeDeadlineSeconds=60, suspend=True).wait(5)
    boottime = story.now
    story.now += HOUR * SECOND
    story.controller_starts(boottime=boottime, uptime=boottime)
    story.accept([a_step("a")], activeDeadlineSeconds=60)
    assert story.wait(49.9).attempt("a").ending is None
    assert story.wait(0.1).attempt("a").ending is not None


def test_after_a_reboot_a_clock_that_went_back_delays_nothing() -> None:
    story = Story().accept([a_step("a", retry=RETRY)]).exit("a", 1).wait(4)
    story.now -= HOUR * SECOND
    story.controller_starts(boot_id="another", boottime=1, uptime=1)
    assert story.wait(10).phases()["a"] == "Ready", "as far away as the last record knew"


def test_time_for_retries_follows_the_clock_that_was_set() -> None:
    retry = {**RETRY, "maxElapsedSeconds": 60}
    story = Story().accept([a_step("a", retry=retry)]).start("a").wait(5)
    boottime = story.now
    story.now += HOUR * SECOND
    story.controller_starts(boottime=boottime, uptime=boottime)
    story.end("a", exit_code=1)
    assert story.why("a") == ("Pending", "BackOff")


def test_a_timer_is_gone_when_it_has_nothing_left_to_do() -> None:
    story = running().wait(10)
    assert [timer.kind for timer in story.state.timers] == ["deadline"]
    story.end("a")
    assert not story.state.timers


def test_an_ending_keeps_its_reason_when_the_clock_is_set_back() -> None:
    story = running().wait(10)
    boottime = story.now
    story.now -= HOUR * SECOND
    story.controller_starts(boottime=boottime, uptime=boottime)
    story.wait(1).end("a", exit_code=0)
    assert story.why("a") == ("Failed", "Timeout")


def test_a_run_that_was_over_in_time_kept_its_deadline_whenever_that_is_seen() -> None:
    """The controller was away, or late: the exit is older than the deadline."""
    for code, phase in ((0, "Succeeded"), (3, "Failed")):
        story = Story().accept([a_step("a")], activeDeadlineSeconds=10).start("a")
        in_time = story.now + 5 * SECOND
        story.now += 20 * SECOND
        story.end("a", exit_code=code, at=in_time)
        assert story.phases() == {"a": phase}
        assert story.why()[1] == ("Completed" if code == 0 else "StepFailed")


def test_what_has_not_begun_by_the_deadline_has_missed_it() -> None:
    steps = [a_step("a"), a_step("b", "a")]
    story = Story().accept(steps, activeDeadlineSeconds=10).start("a")
    in_time = story.now + 5 * SECOND
    story.now += 20 * SECOND
    story.end("a", exit_code=0, at=in_time)
    assert story.phases() == {"a": "Succeeded", "b": "Cancelled"}
    assert story.why() == ("Failed", "DeadlineExceeded")


def test_a_retry_that_would_come_after_the_deadline_does_not() -> None:
    steps = [a_step("a", retry={"limit": 3, "backoff": {"initialSeconds": 1}})]
    story = Story().accept(steps, activeDeadlineSeconds=10).start("a")
    in_time = story.now + 5 * SECOND
    story.now += 20 * SECOND
    story.end("a", exit_code=3, at=in_time)
    assert story.why() == ("Failed", "DeadlineExceeded")
