"""A short form of what `make torture` does at length."""

from pathlib import Path

import pytest
from processes.campaign import Campaign


@pytest.mark.parametrize(
    ("victims", "kills", "longest"),
    [("controller", 8, 0.8), ("shim", 8, 0.4), ("both", 5, 1.2)],
)
def test_killed_at_random_nothing_runs_twice_or_gets_lost(
    tmp_path: Path, victims: str, kills: int, longest: float
) -> None:
    figures = Campaign(tmp_path, steps=80, seconds=0.1, seed=5).run(victims, kills, longest)
    assert not figures.faults()
    assert figures.kills == kills
    if victims == "controller":
        assert figures.interrupted == 0
