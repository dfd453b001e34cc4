"""The tables of moves, and the verdict of a dependency for each phase and condition."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from story import Story, a_step

from controller.model.apply.fold import APPLY
from controller.model.movement import (
    MET,
    OPEN,
    edge,
    move_attempt,
    move_run,
    move_step,
    move_workflow,
)
from controller.model.phases import (
    ATTEMPT_LIVE,
    ATTEMPT_MOVES,
    RUN_MOVES,
    STEP_MOVES,
    TERMINAL,
    WORKFLOW_MOVES,
    WORKFLOW_TERMINAL,
    AttemptPhase,
    Moves,
    Phase,
    RunStage,
)

TABLES = [STEP_MOVES, WORKFLOW_MOVES, RUN_MOVES, ATTEMPT_MOVES]
STEP_PHASES = sorted(STEP_MOVES)


@pytest.mark.parametrize(("was", "to"), list(product(STEP_PHASES, STEP_PHASES)))
def test_a_move_is_legal_or_changes_nothing(was: Phase, to: Phase) -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], suspend=True)
    life, step = story.life(), story.step("a")
    step.phase = was
    if to in STEP_MOVES[was]:
        move_step(story.state, life, step, to, "reason", "message")
        assert (step.phase, step.reason, step.message) == (to, "reason", "message")
        assert story.state.moves[-1][4:] == (was, to, "reason", "message")
        return
    moves = len(story.state.moves)
    with pytest.raises(AssertionError, match=f"{was} -> {to}"):
        move_step(story.state, life, step, to, "reason", "message")
    assert step.phase is was
    assert len(story.state.moves) == moves


def all_pairs(table: Moves) -> Iterator[Any]:
    return product(sorted(table), sorted(table))


@pytest.mark.parametrize(("was", "to"), list(all_pairs(WORKFLOW_MOVES)))
def test_a_workflow_moves_as_its_table_says(was: Phase, to: Phase) -> None:
    story = Story().accept([a_step("a")], suspend=True)
    life = story.life()
    life.phase = was
    if to is was or to in WORKFLOW_MOVES[was]:
        move_workflow(story.state, life, to, "reason", "message")
        assert (life.phase, life.reason, life.message) == (to, "reason", "message")
        return
    with pytest.raises(AssertionError, match=f"{was} -> {to}"):
        move_workflow(story.state, life, to, "reason", "message")
    assert life.phase is was


@pytest.mark.parametrize(("was", "to"), list(all_pairs(RUN_MOVES)))
def test_a_run_moves_as_its_table_says(was: RunStage, to: RunStage) -> None:
    story = Story().accept([a_step("a")])
    life = story.life()
    life.stage = was
    assert life.in_run is (was is not RunStage.NONE)
    if to in RUN_MOVES[was]:
        move_run(story.state, life, to)
        assert life.stage is to
        return
    with pytest.raises(AssertionError, match=f"{was} -> {to}"):
        move_run(story.state, life, to)


@pytest.mark.parametrize(("was", "to"), list(all_pairs(ATTEMPT_MOVES)))
def test_an_attempt_moves_as_its_table_says(was: AttemptPhase, to: AttemptPhase) -> None:
    story = Story().accept([a_step("a")])
    life, step, attempt = story.life(), story.step("a"), story.attempt("a")
    attempt.phase = was
    if to in ATTEMPT_MOVES[was]:
        move_attempt(story.state, life, step, attempt, to)
        assert attempt.phase is to
        return
    with pytest.raises(AssertionError, match=f"{was} -> {to}"):
        move_attempt(story.state, life, step, attempt, to)


def test_the_events_of_every_table_exist_or_will() -> None:
    named = {
        event for table in TABLES for to in table.values() for by in to.values() for event in by
    }
    assert named <= {kind.__name__ for kind in APPLY}


def test_every_table_has_a_row_for_each_phase_that_it_leads_to() -> None:
    for table in TABLES:
        assert {to for row in table.values() for to in row} <= table.keys()


def test_what_ended_goes_on_only_as_a_new_attempt_or_a_new_run() -> None:
    assert {was for was, row in ATTEMPT_MOVES.items() if row} == ATTEMPT_LIVE
    assert {to for was in WORKFLOW_TERMINAL for to in WORKFLOW_MOVES[was]} == {Phase.PENDING}


def test_from_a_terminal_phase_the_way_leads_back_to_pending_only() -> None:
    assert {to for was in TERMINAL for to in STEP_MOVES[was]} == {Phase.PENDING}


def test_what_has_started_can_only_skip_itself() -> None:
    moves = {was: to[Phase.SKIPPED] for was, to in STEP_MOVES.items() if Phase.SKIPPED in to}
    assert moves.keys() == {Phase.PENDING, Phase.READY, Phase.RUNNING}
    assert moves[Phase.RUNNING] == ("AttemptFinished",)


@pytest.mark.parametrize("condition", ["Succeeded", "Failed", "Finished"])
@pytest.mark.parametrize("phase", sorted(STEP_MOVES.keys() - TERMINAL))
def test_what_has_not_ended_leaves_every_condition_open(phase: Phase, condition: str) -> None:
    assert edge(phase, "", False, condition) == OPEN
    assert edge(phase, "", True, condition) == OPEN


@pytest.mark.parametrize(
    ("phase", "tolerated", "succeeded", "failed", "finished"),
    [
        (Phase.SUCCEEDED, False, MET, "DependencySucceeded", MET),
        (Phase.SUCCEEDED, True, MET, "DependencySucceeded", MET),
        (Phase.FAILED, False, "DependencyFailed", MET, MET),
        (Phase.FAILED, True, MET, MET, MET),
        (Phase.SKIPPED, False, "DependencySkipped", "DependencySkipped", MET),
        (Phase.CANCELLED, False) + ("DependencyCancelled",) * 3,
    ],
)
def test_what_an_end_means(
    phase: Phase, tolerated: bool, succeeded: str, failed: str, finished: str
) -> None:
    assert edge(phase, "", tolerated, "Succeeded") == succeeded
    assert edge(phase, "", tolerated, "Failed") == failed
    assert edge(phase, "", tolerated, "Finished") == finished


@pytest.mark.parametrize(
    ("reason", "passed_on"),
    [
        ("DependencyFailed", "DependencyFailed"),
        ("DependencyCancelled", "DependencyCancelled"),
        ("DependencySucceeded", "DependencySkipped"),
    ],
)
def test_a_skipped_step_passes_its_root_on(reason: str, passed_on: str) -> None:
    assert edge(Phase.SKIPPED, reason, False, "Succeeded") == passed_on
