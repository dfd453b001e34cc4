"""Random expressions give what Google's runtime for CEL gives; random texts give no other error."""

from collections.abc import Iterator
from importlib.util import find_spec
from random import Random

import pytest
from expressions.google import Google
from expressions.trial import disagreement, here
from expressions.writer import Writer, damaged, noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHANCE = st.randoms(use_true_random=False)


@pytest.fixture(scope="module")
def google() -> Iterator[Google]:
    if find_spec("cel_expr_python") is None:
        pytest.skip("there is no cel-expr-python for this version of Python")
    runtime = Google()
    yield runtime
    runtime.stop()


@settings(max_examples=2_000, suppress_health_check=list(HealthCheck))
@given(random=CHANCE)
def test_an_expression_gives_what_google_gives(google: Google, random: Random) -> None:
    writer = Writer(random)
    text = writer.expression(random.randrange(1, 4))
    assert disagreement(google, text, writer.data(text)) == ""


@settings(max_examples=2_000, suppress_health_check=list(HealthCheck))
@given(random=CHANCE)
def test_a_damaged_text_gives_a_value_or_a_fault_or_a_failure(random: Random) -> None:
    writer = Writer(random)
    text = damaged(random, writer.expression(random.randrange(1, 3)))
    here(text, writer.data(text))


@settings(max_examples=1_000)
@given(text=st.text() | CHANCE.map(noise))
def test_any_text_gives_a_value_or_a_fault_or_a_failure(text: str) -> None:
    here(text, Writer(Random(0)).data(text))
