"""What the steps that failed printed last, for the pages that people read."""

from collections.abc import Collection
from itertools import islice

from controller.log.output import last_lines
from controller.model.state import Workflow
from controller.view.failure import LINES_ON_A_PAGE, STEPS_ON_A_PAGE, Printed, failed


def by_failed(state_dir: str, workflow: Workflow, among: Collection[str] | None = None) -> Printed:
    """The last lines of the first few steps, of these or of all, that failed in the present run."""
    wanted = (found for found in failed(workflow) if among is None or found[0] in among)
    return {
        name: last_lines(state_dir, attempt.log, LINES_ON_A_PAGE)
        for name, attempt in islice(wanted, STEPS_ON_A_PAGE)
    }
