"""A short form of what `make torture` does with triggers at length."""

from pathlib import Path

from processes.firings import Firings, stopped_for


def test_controllers_in_turn_decide_each_firing_once(tmp_path: Path) -> None:
    figures = Firings(tmp_path, seed=7).run(seconds=16, longest=1.5)
    assert not figures.faults(), figures
    assert figures.kills > 8
    assert figures.files > 10
    assert figures.started > 50


def test_a_controller_that_stood_still_makes_up_for_it(tmp_path: Path) -> None:
    outcomes, wrong = stopped_for(tmp_path, seconds=5)
    assert not wrong
    assert set(outcomes) == {"Started"}, "less than a minute is late, not missed"
