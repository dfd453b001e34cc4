"""Steps with children, against a reference that works by recursion: without templates, and with."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from properties.fan_flow import (
    edits_on_the_way,
    foretold,
    one_edit,
    taken_back,
    whatever_happens,
    whole_run,
)

# A seed is a story: to make it shorter would only make it another one.
SEED = given(seed=st.integers(0, 1 << 32))
AS_DRAWN = (Phase.explicit, Phase.reuse, Phase.generate)
TEMPLATES = pytest.mark.parametrize("templates", [False, True], ids=["lists", "templates"])


@TEMPLATES
@settings(max_examples=100, phases=AS_DRAWN)
@SEED
def test_each_child_becomes_what_the_reference_says(seed: int, templates: bool) -> None:
    whole_run(seed, templates)


@TEMPLATES
@settings(max_examples=120, phases=AS_DRAWN)
@SEED
def test_an_edit_runs_again_exactly_what_it_touches(seed: int, templates: bool) -> None:
    one_edit(seed, templates)


@TEMPLATES
@settings(max_examples=100, phases=AS_DRAWN)
@SEED
def test_edits_on_the_way_end_where_the_last_one_would_have_begun(
    seed: int, templates: bool
) -> None:
    edits_on_the_way(seed, templates)


@TEMPLATES
@settings(max_examples=100, phases=AS_DRAWN)
@SEED
def test_an_edit_that_is_taken_back_costs_nothing(seed: int, templates: bool) -> None:
    taken_back(seed, templates)


@TEMPLATES
@settings(max_examples=100, phases=AS_DRAWN)
@SEED
def test_what_diff_says_of_an_edit_is_what_happens(seed: int, templates: bool) -> None:
    foretold(seed, templates)


@TEMPLATES
@settings(max_examples=80, phases=AS_DRAWN)
@SEED
def test_whatever_happens_in_the_end_all_has_settled(seed: int, templates: bool) -> None:
    whatever_happens(seed, templates)
