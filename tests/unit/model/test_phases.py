"""The vocabulary: words that equal their text, and the table of a step's whole life."""

import pytest

from controller.model.phases import (
    ATTEMPT_LIVE,
    STEP_MOVES,
    TERMINAL,
    WORKFLOW_TERMINAL,
    AttemptPhase,
    Phase,
    Reason,
)

STEP_PHASES = set(Phase) - {Phase.SUSPENDED, Phase.WAITING}
UNSETTLED = STEP_PHASES - TERMINAL


def reachable(begin: Phase) -> set[Phase]:
    found, waiting = set[Phase](), [begin]
    while waiting:
        for phase in STEP_MOVES[waiting.pop()].keys() - found:
            found.add(phase)
            waiting.append(phase)
    return found


@pytest.mark.parametrize("words", [Phase, AttemptPhase, Reason])
def test_a_word_is_its_text_also_as_a_key(words: type[Phase]) -> None:
    for word in words:
        assert word == word.value
        assert {word: 1}[word.value] == 1
        assert hash(word) == hash(word.value)
        assert f"{word}" == word.value
        assert word.value.isalpha(), "programs split lists of reasons at what is no letter"


def test_no_two_reasons_are_one_word() -> None:
    assert len({reason.value for reason in Reason}) == len(Reason.__members__)


def test_every_phase_of_a_step_has_its_moves_and_no_other_has() -> None:
    assert STEP_MOVES.keys() == STEP_PHASES
    assert set().union(*STEP_MOVES.values()) <= STEP_PHASES


@pytest.mark.parametrize("phase", sorted(STEP_PHASES))
def test_no_step_moves_to_where_it_is_unless_it_asks_and_none_is_stuck(phase: Phase) -> None:
    assert STEP_MOVES[phase].get(phase) == (("ApprovalAsked",) if phase is Phase.PENDING else None)
    assert reachable(phase) == STEP_PHASES, "whatever happened, everything can be tried anew"


@pytest.mark.parametrize("phase", sorted(UNSETTLED))
def test_whatever_has_not_ended_can_end_in_each_way_that_fits(phase: Phase) -> None:
    assert STEP_MOVES[phase].keys() & TERMINAL == TERMINAL


def test_only_what_is_ready_begins_to_run_or_has_a_child_that_does() -> None:
    begin = {was for was, moves in STEP_MOVES.items() if Phase.RUNNING in moves}
    assert begin == {Phase.READY, Phase.PENDING}


def test_a_workflow_ends_as_a_step_does_but_is_never_skipped() -> None:
    assert TERMINAL - {Phase.SKIPPED} == WORKFLOW_TERMINAL
    assert Phase.SUSPENDED not in WORKFLOW_TERMINAL


def test_an_attempt_lives_until_it_has_an_end() -> None:
    assert {AttemptPhase.SCHEDULED, AttemptPhase.RUNNING} == ATTEMPT_LIVE
