"""Steps that call templates, with all that can happen to them at once."""

from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from properties.tree_flow import TreeFlow, Written, whatever_happens
from story import document

from controller.intake.requests import answer
from controller.model.events import DefaultsAccepted
from controller.model.observations import Request
from controller.planner.resolve import inputs_of
from controller.rehearsal.foresee import of_document
from controller.spec.models import DefaultsSpec, Retry, SharedDefaults
from controller.spec.reading.load import Document
from controller.view import words
from controller.view.changes.difference import lines
from controller.view.children import in_order
from controller.view.lists.attempts import AttemptChoice, of_one_run
from controller.view.live.board import Board, BoardContent
from controller.view.look import Look
from controller.view.pages.page import page, step_page
from controller.view.status import workflow_shape
from controller.view.why.explain import Around, ways
from controller.view.why.explain_step import explanation as of_step
from controller.view.why.explain_step import inputs_lines
from controller.view.why.roots import explanation


# A seed is a story: to make it shorter would only make it another one.
@settings(max_examples=150, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 1 << 32))
def test_whatever_happens_in_the_end_all_has_settled(seed: int) -> None:
    whatever_happens(seed)


@settings(max_examples=30, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 1 << 32), width=st.sampled_from((1, 12, 40, 80, 200)))
@example(seed=1997, width=200)  # a step whose caller has left before it
def test_whatever_happens_each_view_can_show_it(seed: int, width: int) -> None:
    whatever_happens(seed, lambda flow, spec: look_at_all(flow, spec, width))


def look_at_all(flow: TreeFlow, spec: Written, width: int) -> None:
    """Every view of all steps, what requests would do, and what an edit would."""
    state, life, around = flow.state, flow.life(), Around(runs=True, limits=flow.limits)
    look = Look(now=flow.now, width=width, colour=True)
    names = [step.name for step in in_order(life)]
    assert sorted(names) == sorted(life.steps), "each step once"
    assert [*page(state, life, look), *explanation(state, life, around, look, {})]
    assert words.verdict(life)
    assert workflow_shape(state, life).status.steps
    board = Board()
    board.choice.toggled = {(life.uid, name) for name in names[::2]}
    assert (
        len(board.draw(BoardContent(state, "specs"), look, 20, lambda _attempt, _count: [])) == 20
    )
    for step in life.steps.values():
        found = ways(state, life, step, around, look)
        assert [*step_page(state, life, step, look)]
        assert [*of_step(state, life, step, found, around, look, {})]
        assert [*of_one_run(state, life, AttemptChoice(word="w", steps=[step.name]))]
        asked = [("retry", True), ("retry", False), ("cancel", False), ("mark", False)]
        for kind, downstream in asked if not step.leaving else ():
            fields: Any = {"kind": kind, "downstream": downstream}
            request = Request(name="r", workflow="w", by="me", steps=[step.name], **fields)
            assert answer(state, request) != []
        for attempt in step.attempts if life.stands(step) else ():
            assert [*inputs_lines(attempt, inputs_of(life, step))]
    change = of_document(state, Document(workflow=document(**deepcopy(spec)), line=1))
    assert [*lines(change, look)] or not change.is_change


@settings(max_examples=50, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 1 << 32))
def test_whatever_happens_defaults_can_be_edited_meanwhile(seed: int) -> None:
    """After each event it is checked that all steps have the policy that is above them."""
    limits = Random(seed)

    def edit(flow: TreeFlow, _spec: Written) -> None:
        defaults = SharedDefaults(timeout_seconds=5000.0 + limits.randint(0, 1))
        if limits.random() < 0.5:
            defaults = SharedDefaults(retry=Retry(limit=limits.randint(0, 1)))
        spec = DefaultsSpec(defaults=defaults)
        flow.see(DefaultsAccepted(folder="", path="d.yaml", spec=spec)).settle()

    whatever_happens(seed, edit)
