"""What `wait` waits for: has it come true, can it still?

`phase=Succeeded` and `condition=Complete` (or `condition=Complete=False`) hold at a moment.
`generation=3` holds once that generation, or a later one, is in force: "my edit was seen".
An ended workflow may be edited at any time, but who waits for an outcome wants to hear of the
other outcome now; so the end of a workflow settles every goal but a generation.
"""

import re
from typing import Literal

from msgspec import Struct

from controller.errors import UsageError
from controller.model.phases import WORKFLOW_TERMINAL, Phase
from controller.model.state import State, Workflow
from controller.view.status import ended

Verdict = Literal["yes", "not yet", "never"]

_FORM = re.compile(r"(phase|condition|generation)=([A-Za-z0-9]+)(?:=(true|false))?", re.IGNORECASE)
_PHASES = WORKFLOW_TERMINAL | {Phase.PENDING, Phase.RUNNING, Phase.SUSPENDED}
_AFTER_THE_END = frozenset({"specinvalid"})  # conditions that an ended workflow may still get


class Goal(Struct, frozen=True):
    """One `--for`. `value` in small letters."""

    kind: str
    value: str
    status: str = "True"

    def verdict(self, state: State, workflow: Workflow) -> Verdict:
        if self._holds(workflow):
            return "yes"
        if ended(state, workflow):
            return "never"
        lasting = self.kind == "generation" or self.value in _AFTER_THE_END
        return "never" if workflow.finished and not lasting else "not yet"

    @property
    def holds_without_spec(self) -> bool:
        """Of a workflow without a single valid generation."""
        return self in (Goal("condition", "specinvalid"), Goal("condition", "accepted", "False"))

    def _holds(self, workflow: Workflow) -> bool:
        if self.kind == "phase":
            return workflow.phase.lower() == self.value
        if self.kind == "generation":
            return workflow.generation >= int(self.value)
        found = {one.type.lower(): one.status for one in workflow.conditions.values()}
        return found.get(self.value, "False") == self.status


def parse_goal(text: str) -> Goal:
    """The goal of `--for=TEXT`. Raises UsageError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--for={text}: not a goal; try phase=Succeeded, condition=Complete or generation=3"
        )
    kind, value, status = found[1].lower(), found[2].lower(), (found[3] or "true").title()
    if kind == "phase" and value not in {phase.lower() for phase in _PHASES}:
        phases = ", ".join(sorted(_PHASES))
        raise UsageError(f"--for={text}: no workflow is ever in that phase; it may be {phases}")
    if kind == "generation" and not value.isdecimal():
        raise UsageError(f"--for={text}: a generation is a number")
    if kind != "condition" and found[3]:
        raise UsageError(f"--for={text}: only a condition can be waited for as {found[3]}")
    return Goal(kind, value, status)
