"""What `wait` waits for: has it happened, and can it still happen?

`phase=Succeeded` and `condition=Complete` (or `condition=Complete=False`) hold at a moment.
`generation=3` holds once that generation, or a later one, is in force: "my edit was seen".
A finished workflow may be edited at any time, but a user who waits for one result wants to know at
once that there was another: when a workflow has finished, every goal but a generation is decided.
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
_AFTER_THE_END = frozenset({"specinvalid"})  # conditions that a finished workflow may still get


class Goal(Struct, frozen=True):
    """The value of `--for`. `value` is in lower case."""

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
    def is_of_an_end(self) -> bool:
        """Whether it holds only of what runs steps."""
        return self.kind == "phase" or self.value in ("complete", "failed")

    @property
    def holds_without_spec(self) -> bool:
        """Whether it holds for a workflow that never had a valid spec."""
        return self in (Goal("condition", "specinvalid"), Goal("condition", "accepted", "False"))

    def _holds(self, workflow: Workflow) -> bool:
        if self.kind == "phase":
            return workflow.phase.lower() == self.value
        if self.kind == "generation":
            return workflow.generation >= int(self.value)
        conditions = workflow.conditions.values()
        statuses = {condition.type.lower(): condition.status for condition in conditions}
        return statuses.get(self.value, "False") == self.status


def parse_goal(text: str) -> Goal:
    """The goal of `--for=TEXT`. Raises UsageError."""
    parts = _FORM.fullmatch(text)
    if parts is None:
        raise UsageError(
            f"--for={text}: not a goal; try phase=Succeeded, condition=Complete or generation=3"
        )
    kind, value, status = parts[1].lower(), parts[2].lower(), (parts[3] or "true").title()
    if kind == "phase" and value not in {phase.lower() for phase in _PHASES}:
        phases = ", ".join(sorted(_PHASES))
        raise UsageError(f"--for={text}: no workflow has that phase; the phases are {phases}")
    if kind == "generation" and not value.isdecimal():
        raise UsageError(f"--for={text}: a generation must be a number")
    if kind != "condition" and parts[3]:
        raise UsageError(f"--for={text}: only a condition can be {parts[3]}")
    return Goal(kind, value, status)
