"""Messages that people can read."""

import msgspec
import pytest

from controller.errors import TEXT_MAX, Fault, bounded


@pytest.mark.parametrize("size", [0, TEXT_MAX - 1, TEXT_MAX])
def test_a_text_that_can_be_read_stays(size: int) -> None:
    assert bounded("x" * size) == "x" * size


def test_a_longer_text_loses_its_end() -> None:
    assert bounded("x" * (TEXT_MAX + 1)) == "x" * (TEXT_MAX - 1) + "…"


@pytest.mark.parametrize("field", ["path", "problem", "hint", "step"])
def test_no_fault_says_more_than_that(field: str) -> None:
    fault = Fault(**{"file": "a.yaml", "problem": "p", field: "x" * 1_000_000})
    assert len(str(fault)) < TEXT_MAX + 20
    assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault
