"""A short form of what `make torture` does with triggers at length."""

from pathlib import Path

from processes.firings import Firings


def test_controllers_in_turn_decide_each_firing_once(tmp_path: Path) -> None:
    figures = Firings(tmp_path, seed=7).run(seconds=16, longest=1.5)
    assert not figures.faults(), figures
    assert figures.kills > 8
    assert figures.files > 10
    assert figures.started > 50
