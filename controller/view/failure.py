"""A step that failed, as people see it: what it printed last, and the command that shows it all."""

from collections.abc import Iterator, Mapping, Sequence
from shlex import quote

from controller.model.phases import FAULTS_OF_OUTPUTS, Phase, Reason
from controller.model.state import Attempt, Question, Step, Workflow

LINES_SHOWN = 20  # where it has just failed
LINES_ON_A_PAGE = 5
STEPS_ON_A_PAGE = 10

Printed = Mapping[str, Sequence[str]]  # step → its last lines

_NOT_BY_EXIT_CODE = {
    *FAULTS_OF_OUTPUTS,
    Reason.BEFORE_FAILED,
    Reason.AFTER_FAILED,
    Reason.START_FAILED,
    Reason.TIMEOUT,
}

# What shells and kernels mean by these.
_CODES = {
    126: "not executable",
    127: "command not found",
    137: "killed (SIGKILL), perhaps because memory was short",
    143: "terminated (SIGTERM)",
}


def of_present_run(workflow: Workflow, step: Step) -> Attempt | None:
    """The step's last attempt, if it ran in this run and what the step is now follows from it."""
    if not (step.definition.has_attempts or step.live):
        return None  # it ran when the step did something else
    attempt = step.attempt
    if attempt is None or attempt.started is None or attempt.run != workflow.run:
        return None
    waits = step.phase in (Phase.PENDING, Phase.READY) and not step.retries
    if waits or step.phase is Phase.SKIPPED or step.reason == Reason.MARKED:
        return None
    return attempt


def kept_from(workflow: Workflow, step: Step) -> int | None:
    """The earlier run that its result is from; None if it has none, or one of the present run."""
    if step.phase is not Phase.SUCCEEDED or step.reason == Reason.MARKED or step.is_hook:
        return None
    made: Attempt | Question | None = step.attempt if step.definition.has_attempts else None
    if step.definition.approve is not None:
        made = step.question
    return None if made is None or made.run == workflow.run else made.run


def failed(workflow: Workflow) -> Iterator[tuple[str, Attempt]]:
    """The steps and hooks that failed in the present run, and the attempts that decided it."""
    for step in workflow.with_hooks:
        attempt = of_present_run(workflow, step) if step.phase is Phase.FAILED else None
        if attempt is not None:
            yield step.name, attempt


def block(
    workflow: Workflow, step: str, attempt: Attempt, printed: Sequence[str], past: bool = False
) -> Iterator[str]:
    """The end of an attempt's output, under a rule that names the command for all of it.

    `past`: the run may not be the last one of that name.
    """
    command = f"treadle logs {workflow.name} {quote(step)}{f' --run {attempt.run}' if past else ''}"
    means = meaning(attempt)
    code = f", exit code {attempt.exit_code}: {means}" if means else ""
    yield f"── {workflow.name}/{step}, attempt {attempt.number}{code}: {command} ──"
    if not printed:
        yield "  (it printed nothing)"
    for line in printed:
        yield f"  {line}"


def failures(workflow: Workflow, printed: Printed, past: bool = False) -> Iterator[str]:
    """A block for each step that failed and whose output is there."""
    for name, attempt in failed(workflow):
        if name in printed:
            head, *said = block(workflow, name, attempt, printed[name], past)
            why = [] if is_by_exit_code(attempt) else [f"  {attempt.message}"]
            yield from ("", head, *why, *said)


def is_by_exit_code(attempt: Attempt) -> bool:
    """Whether its exit code says why it failed. Else its outputs do, or `before` or `after`."""
    return attempt.reason not in _NOT_BY_EXIT_CODE


def last_words(printed: Sequence[str]) -> str:
    """The last line that is not blank, or nothing."""
    return next((line for line in reversed(printed) if line.strip()), "")


def meaning(attempt: Attempt) -> str:
    """What a well-known exit code means; "" for any other."""
    return _CODES.get(attempt.exit_code or 0, "")
