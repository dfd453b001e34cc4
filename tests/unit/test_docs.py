"""The closed lists of the documentation are those of the code."""

import re
from pathlib import Path

from controller.model.phases import AttemptPhase, Phase, Reason

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


def test_every_reason_is_explained_and_no_other() -> None:
    table = PAGE.split("| reason | |\n")[1]
    explained = {
        word
        for row in table.splitlines()[1:]
        for word in re.findall(r"`([A-Z]\w+)`", row.split("|")[1])
    }
    assert explained == {str(reason) for reason in Reason}


def test_every_phase_is_named() -> None:
    section = PAGE.split("### Phases and reasons")[1].split("| reason | |")[0]
    assert {*re.findall(r"`([A-Z][a-z]+)`", section)} == {*map(str, Phase), *map(str, AttemptPhase)}
