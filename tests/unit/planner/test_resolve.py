"""What expressions see of the state."""

import pytest
from story import Story, a_step

from controller.model.phases import AttemptPhase


@pytest.mark.parametrize(
    ("code", "outputs", "starts"),
    [
        pytest.param(0, b"rows=3\n", True, id="it gave the output"),
        pytest.param(9, b"", False, id="it failed"),
    ],
)
def test_has_asks_whether_a_step_gave_an_output(code: int, outputs: bytes, starts: bool) -> None:
    story = Story().accept(
        [
            a_step("load", outputs={"rows": "integer"}, continueOnFailure=True),
            a_step("report", "load", when="${{ has(steps.load.outputs.rows) }}"),
        ]
    )
    story.exit("load", code, outputs=outputs)
    if starts:
        assert story.attempt("report").phase is AttemptPhase.SCHEDULED
    else:
        assert story.why("report") == ("Skipped", "WhenFalse")
