"""The table of moves, and the verdict of a dependency for each phase and condition."""

from itertools import product

import pytest
from story import Story, a_step

from controller.model.movement import MET, OPEN, edge, move
from controller.model.phases import STEP_MOVES, TERMINAL, Phase

STEP_PHASES = sorted(STEP_MOVES)


@pytest.mark.parametrize(("was", "to"), list(product(STEP_PHASES, STEP_PHASES)))
def test_a_move_is_legal_or_changes_nothing(was: Phase, to: Phase) -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], suspend=True)
    life, step = story.life(), story.step("a")
    step.phase = was
    if to in STEP_MOVES[was]:
        move(story.state, life, step, to, "reason", "message")
        assert (step.phase, step.reason, step.message) == (to, "reason", "message")
        assert story.state.moves[-1][4:] == (was, to, "reason", "message")
        return
    moves = len(story.state.moves)
    with pytest.raises(AssertionError, match=f"{was} -> {to}"):
        move(story.state, life, step, to, "reason", "message")
    assert step.phase is was
    assert len(story.state.moves) == moves


def test_from_a_terminal_phase_the_way_leads_back_to_pending_only() -> None:
    assert {to for was in TERMINAL for to in STEP_MOVES[was]} == {Phase.PENDING}


def test_only_pending_and_ready_can_be_skipped() -> None:
    assert {was for was, to in STEP_MOVES.items() if Phase.SKIPPED in to} == {
        Phase.PENDING,
        Phase.READY,
    }


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
