"""State folders with a log, for what looks at them from outside."""

from collections.abc import Callable
from pathlib import Path

import pytest
from story import Story, a_step

from controller.log.state_folder import prepare_state
from controller.log.writer import LogWriter

Write = Callable[[Story], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write what a story has recorded since the last time, as its controller would have."""
    state_dir, written = str(tmp_path / ".treadle"), [0]

    def write(story: Story) -> str:
        prepare_state(state_dir)
        log = LogWriter(state_dir)
        for record in story.records[written[0] :]:
            log.append([record])
        log.close()
        written[0] = len(story.records)
        return state_dir

    return write


@pytest.fixture
def story() -> Story:
    """Of `etl`, whose `load` waits for its running `extract`."""
    steps = [a_step("extract"), a_step("load", "extract")]
    return Story().accept(steps, name="etl").start("extract", workflow="etl")
