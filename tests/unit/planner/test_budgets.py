"""What each budget of time counts: a row of the table is a budget, a column what goes on meanwhile.

Each story spends LONG of it under the condition and MORE after it. A budget of BUDGET is spent then
if the condition counts, and not spent otherwise.
"""

from typing import Any

import pytest
from story import Story, a_step

from controller.loop.effects import RootFolders, effects
from controller.model.events import MachineSlept
from controller.model.state import SECOND
from controller.planner.permission import Limits

BUDGET, LONG, MORE = 10, 8, 5
MEANWHILE = ("nothing", "suspended", "asleep", "no controller", "clock set")
RETRY = {"limit": 9, "backoff": {"initialSeconds": BUDGET, "jitter": 0}}
ELAPSED = {
    "limit": 9,
    "maxElapsedSeconds": BUDGET,
    "backoff": {"initialSeconds": 0, "jitter": 0},
}


def go_by(story: Story, meanwhile: str) -> Story:
    """LONG seconds go by like this, and MORE as usual."""
    if meanwhile == "suspended":
        story.ask("suspend").wait(LONG).ask("resume")
    elif meanwhile == "no controller":
        story.now += LONG * SECOND
        story.controller_starts()
    elif meanwhile == "clock set":  # between two controllers, by so much, in an instant
        story.controller_starts()
        before, story.now = story.now, story.now + LONG * SECOND
        story.controller_starts(boottime=before, uptime=before)
    elif meanwhile == "asleep":
        story.now += LONG * SECOND
        story.see(MachineSlept(seconds=LONG)).settle()
    else:
        story.wait(LONG)
    return story.wait(MORE)


def counting(*counts: str) -> list[tuple[str, bool]]:
    return [(meanwhile, meanwhile == "nothing" or meanwhile in counts) for meanwhile in MEANWHILE]


@pytest.mark.parametrize(("meanwhile", "spent"), counting("suspended", "no controller"))
def test_a_timeout(meanwhile: str, spent: bool) -> None:
    steps = [a_step("a", timeoutSeconds=BUDGET)]
    story = go_by(Story().accept(steps).start("a"), meanwhile)
    ending = story.attempt("a").ending
    assert (ending is not None and ending.reason == "Timeout") is spent


@pytest.mark.parametrize(("meanwhile", "spent"), counting("no controller"))
def test_a_backoff(meanwhile: str, spent: bool) -> None:
    steps = [a_step("a", retry=RETRY)]
    story = go_by(Story().accept(steps).exit("a", 1), meanwhile)
    assert story.phases()["a"] == ("Ready" if spent else "Pending")


@pytest.mark.parametrize(("meanwhile", "spent"), counting("no controller"))
def test_the_time_for_all_attempts(meanwhile: str, spent: bool) -> None:
    steps = [a_step("a", retry=ELAPSED)]
    story = go_by(Story().accept(steps).start("a"), meanwhile)
    story.end("a", exit_code=1)
    assert story.phases()["a"] == ("Failed" if spent else "Ready")


@pytest.mark.parametrize(("meanwhile", "spent"), counting("asleep", "no controller"))
def test_a_deadline(meanwhile: str, spent: bool) -> None:
    steps, spec = [a_step("a")], {"activeDeadlineSeconds": BUDGET}
    story = go_by(Story().accept(steps, **spec).start("a"), meanwhile)
    ending = story.attempt("a").ending
    assert (ending is not None and ending.reason == "DeadlineExceeded") is spent


def with_a_hook(**fields: Any) -> dict[str, Any]:
    return {"hooks": {"onExit": [{"name": "tidy", "run": "x", **fields}]}}


@pytest.mark.parametrize(("meanwhile", "spent"), counting("suspended", "no controller"))
def test_the_timeout_of_a_hook(meanwhile: str, spent: bool) -> None:
    steps, spec = [a_step("a")], with_a_hook(timeoutSeconds=BUDGET)
    story = Story().accept(steps, **spec).exit("a").start("onExit/tidy")
    ending = go_by(story, meanwhile).attempt("onExit/tidy").ending
    assert (ending is not None and ending.reason == "Timeout") is spent


@pytest.mark.parametrize(("meanwhile", "spent"), counting("suspended", "no controller"))
def test_the_backoff_of_a_hook(meanwhile: str, spent: bool) -> None:
    steps, spec = [a_step("a")], with_a_hook(retry=RETRY)
    story = Story().accept(steps, **spec).exit("a").exit("onExit/tidy", 1)
    go_by(story, meanwhile)
    assert story.why("onExit/tidy")[0] == ("Ready" if spent else "Pending")


class NoFiles:
    """An ending needs none."""

    def attached(self, path: str) -> bytes:
        raise FileNotFoundError(path)

    def last_line(self, log: str) -> str:
        raise FileNotFoundError(log)


@pytest.mark.parametrize(("meanwhile", "spent"), counting("suspended", "asleep", "no controller"))
def test_a_grace_period(meanwhile: str, spent: bool) -> None:
    steps = [a_step("a", terminationGracePeriodSeconds=BUDGET)]
    story = go_by(Story().accept(steps).start("a").mark(), meanwhile)
    places, key = RootFolders("/state", "/specs"), (story.life().uid, "a")
    (order,) = effects(story.state, [key], story.now, places, NoFiles()).orders
    assert (order.grace_seconds == 0) is spent


@pytest.mark.parametrize(("meanwhile", "spent"), counting(*MEANWHILE))
def test_a_time_to_live(meanwhile: str, spent: bool) -> None:
    steps, spec = [a_step("a", retry=ELAPSED)], {"ttlSecondsAfterFinished": BUDGET}
    story = Story().accept(steps, **spec).exit("a", 1).exit("a", 0)
    go_by(story, meanwhile)
    assert (len(story.step("a").attempts) == 1) is spent


# ---------------------------------------- while it waits for a slot


def behind_another(steps: list[dict[str, Any]], ahead: int, **spec: Any) -> Story:
    """The only slot is taken, so the first step of `w` has to wait, here or in the queue."""
    story = Story(Limits(max_parallel=1, ahead=ahead)).accept([a_step("r")], "rival")
    return story.start("r", workflow="rival").accept(steps, **spec).wait(60)


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_timeout_has_not_begun_while_the_step_waits_for_a_slot(ahead: int) -> None:
    story = behind_another([a_step("a", timeoutSeconds=BUDGET)], ahead)
    story.exit("r", workflow="rival").start("a")
    assert story.wait(BUDGET - 1).attempt("a").ending is None
    assert story.wait(1).attempt("a").ending is not None


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_deadline_has_not_begun_before_the_run_has(ahead: int) -> None:
    story = behind_another([a_step("a")], ahead, activeDeadlineSeconds=BUDGET)
    story.exit("r", workflow="rival").start("a")
    assert story.wait(BUDGET - 1).attempt("a").ending is None
    assert story.wait(1).attempt("a").ending is not None


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_deadline_counts_the_wait_for_a_slot_once_the_run_has_begun(ahead: int) -> None:
    steps = [a_step("a"), a_step("b", "a")]
    story = Story(Limits(max_parallel=1, ahead=ahead)).accept(steps, activeDeadlineSeconds=BUDGET)
    story.start("a").accept([a_step("r")], "rival").exit("a").start("r", workflow="rival")
    assert story.phases()["b"] == "Ready"
    story.wait(BUDGET)
    if ahead:
        story.end("b")
    assert story.why() == ("Failed", "DeadlineExceeded")


@pytest.mark.parametrize("ahead", [0, 1])
def test_the_time_for_all_attempts_counts_the_wait_for_a_slot(ahead: int) -> None:
    story = Story(Limits(max_parallel=1, ahead=ahead)).accept([a_step("a", retry=ELAPSED)])
    story.start("a").accept([a_step("r")], "rival").exit("a", 1)
    story.start("r", workflow="rival").wait(BUDGET + 1).exit("r", workflow="rival").exit("a", 1)
    assert story.phases()["a"] == "Failed"


# ---------------------------------------- nobody was there to see it


def test_a_timeout_that_nobody_carried_out_is_not_judged_afterwards() -> None:
    story = Story().accept([a_step("a", timeoutSeconds=BUDGET)]).start("a")
    story.now += (BUDGET + LONG) * SECOND
    story.end("a", exit_code=0, settle=False).controller_starts()
    assert story.settle().why("a") == ("Succeeded", "Completed")


@pytest.mark.parametrize(("ended", "phase"), [(BUDGET - 1, "Succeeded"), (BUDGET + 1, "Failed")])
def test_a_run_kept_its_deadline_if_its_last_attempt_ended_in_time(ended: int, phase: str) -> None:
    story = Story().accept([a_step("a")], activeDeadlineSeconds=BUDGET).start("a")
    at = story.now + ended * SECOND
    story.now += (BUDGET + LONG) * SECOND
    story.controller_starts()
    story.end("a", exit_code=0, at=at)
    assert story.life().phase == phase
