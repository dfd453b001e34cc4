"""docs/states.md shows the tables of moves as they are."""

import pytest
from diagrams import PAGE, main, page

from controller.model.phases import STEP_MOVES, Phase


def test_the_page_is_as_the_tables_say() -> None:
    assert PAGE.read_text() == page(), "run make diagrams"
    assert main(["--check"]) == 0


def test_a_table_that_changed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(STEP_MOVES[Phase.CANCELLED], Phase.PENDING)  # no picture needs it
    assert main(["--check"]) == 1
