"""The text that Prometheus scrapes: what is in it, under which names, and what is left out."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec import structs
from scrape import NOBODY, read, scrape, value
from story import Story, a_step

from controller.client.reading.metrics import exposition
from controller.log.status_file import ControllerStatus, Pace
from controller.model import events as e
from controller.model import metrics
from controller.model.metrics import OTHER, Counters
from controller.model.phases import Phase
from controller.model.state import SECOND, Condition
from controller.planner.permission import Limits

ROOT = Path(__file__).parents[4]
GOLDEN = Path(__file__).with_name("metrics.prom")
LIMITS = Limits(max_parallel=3)
FULL = Condition(
    type="DiskPressure",
    status="True",
    reason="DiskNearlyFull",
    message="full",
    last_transition_time=0,
    observed_generation=0,
)


def running(**more: object) -> ControllerStatus:
    told = {"phase": "Running", "pid": 7, "version": "0.1.0", "limits": LIMITS, **more}
    return ControllerStatus(**told)  # type: ignore[arg-type]


def a_story() -> Story:
    """A workflow that is retried and fails, one that waits for a pool, one with a schedule."""
    story = Story()
    story.see(e.PoolAccepted(name="gpu", slots=2, path="pools.yaml"))
    story.accept([a_step("a", retry={"limit": 1}), a_step("b", "a")], "etl")
    story.wait(2).start("a", workflow="etl").wait(20).exit("a", 1, workflow="etl").wait(1)
    story.exit("a", 1, workflow="etl")
    story.accept([a_step("a", uses=["gpu"])], "trains").start("a", workflow="trains")
    night = {"name": "night", "schedule": "0 * * * *", "jitterSeconds": 60}
    story.accept([a_step("a")], "nightly", triggers=[night]).wait(3_700)
    (instance,) = (life.name for life in story.state.workflows.values() if life.birth)
    return story.exit("a", workflow=instance)


def a_pace() -> Pace:
    pace = Pace()
    for length in (90, 250, 20_000_000):
        pace.turns.add(length)
    pace.syncs.add(150)
    return pace


def test_the_text_is_this_one() -> None:
    """After a change that is meant: `exposition` wrote it. Names and buckets are for good."""
    text = exposition(a_story().state, running(conditions=[FULL], pace=a_pace()))
    assert text.decode() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_has_nothing_to_say_against_it() -> None:
    text = exposition(a_story().state, running(conditions=[FULL], pace=a_pace()))
    words = ["promtool", "check", "metrics"]
    done = subprocess.run(words, input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_page_has_a_row_for_each_metric_and_for_no_other() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    text = exposition(a_story().state, running(conditions=[FULL], pace=a_pace())).decode()
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    rows = re.findall(r"^\| `(\w+)(?:\{[\w,]+\})?` \| (\w+) \|", page, re.MULTILINE)
    assert rows == [*types.items()]


def test_instances_count_under_their_definition_and_are_no_workflows() -> None:
    found = scrape(a_story().state)
    attempts = value(found, "treadle_attempts_total", workflow="nightly", result="Succeeded")
    assert attempts == 1
    assert not any("@" in label for _, labels in found for _, label in labels)
    phases = {
        phase: value(found, "treadle_workflows", phase=phase)
        for phase in ("Failed", "Running", "Waiting", "Succeeded")
    }
    assert phases == {"Failed": 1, "Running": 1, "Waiting": 1, "Succeeded": 0}
    assert value(found, "treadle_steps", phase="Succeeded") == 1


def test_slots_in_use_are_known_without_a_controller_free_ones_are_not() -> None:
    state = a_story().state
    assert value(scrape(state, running()), "treadle_slots", state="free") == 2
    alone = scrape(state)
    assert value(alone, "treadle_slots", state="used") == 1
    assert value(alone, "treadle_slots", state="free") is None


@pytest.mark.parametrize(("slots", "free"), [(5, 4), (1, 0), (0, 0)])
def test_a_pool_has_never_less_than_no_slot(slots: int, free: int) -> None:
    story = a_story().see(e.PoolAccepted(name="gpu", slots=slots, path="pools.yaml"))
    found = scrape(story.state)
    assert value(found, "treadle_pool_slots", pool="gpu", state="held") == 1
    assert value(found, "treadle_pool_slots", pool="gpu", state="free") == free


def test_what_only_a_controller_knows_is_left_out_without_one() -> None:
    state = a_story().state
    pace, conditions = a_pace(), [FULL]
    stopped = ControllerStatus(phase="Stopped", version="0.1.0", conditions=conditions, pace=pace)
    names = {name for name, _ in scrape(state, running(conditions=conditions, pace=pace))}
    gone = names - {name for name, _ in scrape(state, stopped)}
    assert {re.sub("_(bucket|count|sum)$", "", name) for name in gone} == {
        "treadle_build_info",
        "treadle_condition",
        "treadle_log_sync_seconds",
        "treadle_turn_seconds",
    }


def test_a_controller_that_has_said_nothing_yet_is_there_already() -> None:
    found = scrape(a_story().state, ControllerStatus(phase="Starting", pid=7))
    assert value(found, "treadle_build_info", version="") == 1


def test_a_result_that_never_came_is_there_as_zero() -> None:
    """Else `increase()` would not see the first failure."""
    found = scrape(Story().accept([a_step("a")]).state)
    for name in ("treadle_attempts_total", "treadle_run_duration_seconds_count"):
        assert value(found, name, workflow="w", result="Failed") == 0, name


def test_a_deleted_workflow_keeps_its_counters_and_expects_no_success() -> None:
    story = Story().accept([a_step("a")], ttlSecondsAfterFinished=60).exit("a")
    last = "treadle_last_success_timestamp_seconds"
    assert value(scrape(story.state), last, workflow="w") == story.now / SECOND
    found = scrape(story.delete().wait(70).state)
    assert value(found, last, workflow="w") is None
    assert value(found, "treadle_attempts_total", workflow="w", result="Succeeded") == 1
    found = scrape(story.accept([a_step("a")]).state)
    assert value(found, last, workflow="w") is not None


def test_nothing_is_due_while_the_triggers_are_held() -> None:
    story = a_story()
    due = "treadle_next_due_timestamp_seconds"
    at = value(scrape(story.state), due, workflow="nightly")
    assert at is not None and 0 < at - story.now / SECOND <= 3_660
    story.mark("nightly.cancel", workflow="nightly")
    assert value(scrape(story.state), due, workflow="nightly") is None


def test_late_comers_share_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of these `next_due` is the first to come, `last_success` the last that was."""
    monkeypatch.setattr(metrics, "LABELS_MAX", 1)
    story = Story().accept([a_step("a")], "first").exit("a", workflow="first")
    for minute, name in ((30, "second"), (20, "third")):
        story.accept([a_step("a")], name, triggers=[{"schedule": f"{minute} * * * *"}])
    story.accept([a_step("a")], "fourth").wait(60).exit("a", workflow="fourth")
    found = scrape(story.state)
    assert {dict(labels)["workflow"] for _, labels in found if "workflow" in dict(labels)} == {
        "first",
        OTHER,
    }
    due = value(found, "treadle_next_due_timestamp_seconds", workflow=OTHER)
    assert due is not None and due % 3_600 == 20 * 60
    last = value(found, "treadle_last_success_timestamp_seconds", workflow=OTHER)
    assert last == story.now / SECOND


def test_a_workflow_that_is_called_other_is_one_of_them() -> None:
    story = Story().accept([a_step("a")], OTHER).exit("a", workflow=OTHER)
    story.state.metrics.names[OTHER] = Counters(attempts={"Failed": 9})  # of an older checkpoint
    found = scrape(story.state)
    attempts = {
        result: value(found, "treadle_attempts_total", workflow=OTHER, result=result)
        for result in ("Succeeded", "Failed")
    }
    assert attempts == {"Succeeded": 1, "Failed": 0}


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\x1b[3J\u202e", "\udc80", "é"])
def test_no_name_of_a_forged_log_breaks_a_line(name: str) -> None:
    def text(name: str) -> bytes:
        state = Story().state
        state.metrics.attempt_ended(name, name, 1)
        condition = structs.replace(FULL, type=name)
        return exposition(state, running(version=name, conditions=[condition]))

    forged = text(name)
    assert b"\x1b" not in forged and "\u202e" not in forged.decode()
    assert forged.count(b"\n") == text("w").count(b"\n")
    read(forged)


def test_a_spec_that_was_never_valid_is_pending_as_in_the_list() -> None:
    story = Story().see(e.FileRejected(path="w.yaml", digest="d", names=["w"], faults=[]))
    assert value(scrape(story.state), "treadle_workflows", phase=Phase.PENDING) == 1


def test_an_empty_log_has_all_phases() -> None:
    found = scrape(Story().state, NOBODY)
    assert {dict(labels)["phase"] for name, labels in found if name == "treadle_workflows"} == {
        phase for phase in Phase if phase not in (Phase.READY, Phase.SKIPPED)
    }
