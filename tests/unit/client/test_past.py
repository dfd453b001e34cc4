"""The state as it was."""

from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from story import BEGIN, Story, a_step, dump

from controller.client.past import recall, run_of, runs_kept, state_at
from controller.client.replica import Replica
from controller.errors import NotFound, UsageError
from controller.model.events import StepReset, WorkflowFinished
from controller.model.invariants import check
from controller.model.state import RUNS_MAX, State, Workflow
from controller.view.look import Look
from controller.view.times import rfc3339

Write = Callable[[Story], str]


def test_after_a_record(write: Write, story: Story) -> None:
    before, seq = dump(story.state), story.state.seq
    state_dir = write(story.exit("extract", workflow="etl"))
    assert dump(state_at(state_dir, "--at", str(seq), Look(now=story.now))) == before


def test_at_a_time(write: Write, story: Story) -> None:
    before, then = dump(story.state), story.now
    state_dir = write(story.wait(60).exit("extract", workflow="etl"))
    assert dump(state_at(state_dir, "--at", rfc3339(then), Look(now=story.now))) == before


def test_a_record_that_is_not_there_yet(write: Write, story: Story) -> None:
    with pytest.raises(NotFound, match=f"--at 999: the log ends with record {story.state.seq}"):
        state_at(write(story), "--at", "999", Look(now=story.now))


def test_what_is_no_point_of_the_log_is_refused_by_its_option(write: Write, story: Story) -> None:
    with pytest.raises(UsageError, match="--until soon: neither"):
        state_at(write(story), "--until", "soon", Look(now=story.now))


def test_so_long_ago(write: Write, story: Story) -> None:
    before = dump(story.state)
    state_dir = write(story.wait(60).exit("extract", workflow="etl"))
    assert dump(state_at(state_dir, "--at", "30s", Look(now=story.now))) == before


def test_before_the_log_began(write: Write, story: Story) -> None:
    zone = timezone(timedelta(hours=1))
    with pytest.raises(NotFound, match=r"--at 1d: the log begins at 2023-11-14T23:13:20\+01:00"):
        state_at(write(story), "--at", "1d", Look(now=story.now, zone=zone))


def test_of_a_log_without_records_any_time_is_as_good(tmp_path: Path) -> None:
    assert state_at(str(tmp_path), "--at", "1d", Look(now=BEGIN)).seq == 0


@pytest.mark.parametrize("word", ["etl", "nobody"])
def test_nothing_is_recalled_where_nothing_was_archived(
    write: Write, story: Story, word: str
) -> None:
    before = dump(story.state)
    recall(write(story), story.state, word)
    assert dump(story.state) == before


# ---------------------------------------- runs


def again(story: Story, code: int) -> Story:
    """Run step `a` of `etl` once more, which exits with `code`."""
    uid = story.life("etl").uid
    story.see(StepReset(uid=uid, step="a", reason="RetryRequested", message="again"))
    return story.settle().exit("a", code, workflow="etl")


def three_runs() -> Story:
    """Of `etl`; the third is of another life."""
    story = Story()
    story.chance.drawn = 1000  # so that uids are long enough to be one on the command line
    story.accept([a_step("a")], name="etl").exit("a", 1, workflow="etl")
    return again(story, 2).delete("etl").accept([a_step("a")], "etl").exit("a", workflow="etl")


def ended(state_dir: str, word: str, number: int) -> tuple[State, Workflow]:
    return run_of(state_dir, Replica(state_dir).catch_up(), word, number)


def code_of(workflow: Workflow) -> int | None:
    attempt = workflow.steps["a"].attempt
    return None if attempt is None else attempt.exit_code


@pytest.mark.parametrize(("number", "code"), [(1, 1), (2, 2), (3, 0)])
def test_a_run_as_it_ended(write: Write, number: int, code: int) -> None:
    story = three_runs()
    state, workflow = ended(write(story), "etl", number)
    assert (workflow.run, code_of(workflow), workflow.finished) == (number, code, True)
    check(state)


def test_what_followed_the_end_of_a_run_in_the_same_turn_is_not_shown(write: Write) -> None:
    story = three_runs()
    ends = [record for record in story.records if isinstance(record.event, WorkflowFinished)]
    state, _ = ended(write(story), "etl", 2)
    assert state.seq == ends[1].seq


def test_a_run_that_goes_on_is_shown_as_it_is(write: Write) -> None:
    story = three_runs()
    uid = story.life("etl").uid
    story.see(StepReset(uid=uid, step="a", reason="RetryRequested", message="again"))
    story.settle().start("a", workflow="etl")
    state, workflow = ended(write(story), "etl", 4)
    assert (state.seq, workflow.phase) == (story.state.seq, "Running")


def test_a_run_that_the_state_no_longer_has_is_found_in_the_log(write: Write) -> None:
    story = three_runs()
    for _ in range(RUNS_MAX):
        again(story, 3)
    state_dir = write(story)
    assert [run.number for run in runs_kept(state_dir)[1]["etl"]] == list(range(1, RUNS_MAX + 4))
    assert code_of(ended(state_dir, "etl", 2)[1]) == 2


def test_a_run_that_there_never_was(write: Write) -> None:
    with pytest.raises(NotFound, match="etl has no run 4; its runs are 1 to 3"):
        ended(write(three_runs()), "etl", 4)


def test_a_workflow_that_has_not_run(write: Write) -> None:
    with pytest.raises(NotFound, match="etl has no run 1; it has not run yet"):
        ended(write(Story().accept([a_step("a")], "etl")), "etl", 1)


def test_a_uid_has_only_its_own_runs(write: Write) -> None:
    story = three_runs()
    first, second = list(story.state.lives)
    state_dir = write(story)
    assert ended(state_dir, first, 2)[1].uid == first
    for uid, number in ((first, 3), (second, 1)):
        with pytest.raises(NotFound, match=f"run {number} of etl was not of {uid}"):
            ended(state_dir, uid, number)
