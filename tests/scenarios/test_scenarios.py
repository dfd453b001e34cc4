"""Conversations with the core, as text: what `diff` says, what happens, what `explain` says.

`pytest tests/scenarios --rewrite` writes the answers anew; what differs is then there to review.
"""

from pathlib import Path

import pytest
from scenarios.player import rewrite

FILES = sorted(Path(__file__).parent.glob("*/*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_what_is_said_and_what_happens(file: Path, request: pytest.FixtureRequest) -> None:
    written = file.read_text()
    told = rewrite(written)
    if request.config.getoption("--rewrite"):
        file.write_text(told)
    else:
        assert told == written
