"""What a table shows of a step in the present run: tries, time, exit code, use, a note.

A result that is kept from an earlier run has no figures: they would be those of another day.
Cost: O(1) per step.
"""

from collections.abc import Sequence

from controller.model.events import Usage
from controller.model.phases import TERMINAL, AttemptPhase, Phase, Reason
from controller.model.state import SECOND, Attempt, State, Step, Workflow
from controller.view import words
from controller.view.failure import (
    Printed,
    is_by_exit_code,
    kept_from,
    last_words,
    meaning,
    of_present_run,
)
from controller.view.look import Look
from controller.view.times import span
from controller.view.values import in_short

NONE = "-"


def tries(workflow: Workflow, step: Step) -> str:
    """`2 of 3` where the spec allows retries, else the number of tries."""
    attempt = of_present_run(workflow, step)
    if attempt is None:
        return NONE
    limit = step.definition.retry.limit
    # The next try is counted already while it waits, also if a cancel comes before it.
    over = step.phase in (Phase.FAILED, Phase.SUCCEEDED)
    waits = step.retry_at is not None or (attempt.phase is AttemptPhase.FAILED and not over)
    number = max(1, step.retries + (not waits))
    return f"{number} of {limit + 1}" if limit else str(number)


def took(workflow: Workflow, step: Step, look: Look) -> str:
    length = length_of(workflow, step, look)
    return NONE if length is None else span(length)


def length_of(workflow: Workflow, step: Step, look: Look) -> int | None:
    """How long its last attempt took, or has run so far; or how long a person took to answer.

    In microseconds; None if nothing of it is of the present run.
    """
    question = step.question if step.definition.approve is not None else None
    if question is not None and question.run == workflow.run:
        until = look.now if question.open else question.answered
        return None if until is None else until - question.asked
    attempt = of_present_run(workflow, step)
    if attempt is None or attempt.started is None:
        return None
    return (attempt.finished or look.clock) - attempt.started


def exit_of(workflow: Workflow, step: Step) -> str:
    attempt = of_present_run(workflow, step)
    if attempt is None or (step.phase not in TERMINAL and attempt.live):
        return NONE
    if attempt.signal is not None:
        return f"sig {attempt.signal}"
    return NONE if attempt.exit_code is None else str(attempt.exit_code)


def used(workflow: Workflow, step: Step, in_use: Usage | None) -> tuple[str, str]:
    """CPU time and peak memory; while the attempt runs, its memory now."""
    attempt = of_present_run(workflow, step)
    if attempt is None:
        return NONE, NONE
    use = in_use if attempt.live else attempt.usage
    cpu = None if use is None else use.cpu_seconds
    peak = None if use is None else use.max_rss_bytes
    return (
        NONE if cpu is None else span(round(cpu * SECOND)),
        NONE if peak is None else memory(peak),
    )


def memory(size: int) -> str:
    """Bytes in few characters: `12M`, `1.5G`; at least `1M`."""
    mebibytes = max(1, round(size / (1 << 20)))
    return f"{mebibytes}M" if mebibytes < 1000 else f"{size / (1 << 30):.1f}G"


def note(state: State, workflow: Workflow, step: Step, look: Look, printed: Printed = {}) -> str:
    """What else is to say: why it waits or failed, what it handed on, or that this is older."""
    attempt = of_present_run(workflow, step)
    if step.phase is Phase.RUNNING and look.stood is not None:
        return f"was running when the controller stopped, {look.moment(look.stood)}"
    if step.phase is Phase.FAILED and attempt is not None:
        return failure(step, attempt, printed.get(step.name, ()))
    outputs = in_short(step.outputs)
    if step.phase is Phase.SUCCEEDED and step.reason == Reason.MARKED:
        return words.of_step(state, workflow, step, look.moment)[1]
    if (run := kept_from(workflow, step)) is not None:
        return f"kept from run {run}{outputs and f': {outputs}'}"
    if step.phase is Phase.SUCCEEDED and attempt is not None and attempt.exit_code == 0:
        return outputs
    return words.of_step(state, workflow, step, look.moment)[1]


def failure(step: Step, attempt: Attempt, printed: Sequence[str]) -> str:
    """`exit 3: ` and the last line that it printed; else the words of the log."""
    by_code = attempt.exit_code is not None and is_by_exit_code(attempt)
    if step.reason != attempt.reason or not by_code:
        return step.message
    said = last_words(printed).strip() or meaning(attempt)
    return f"exit {attempt.exit_code}: {said}" if said else f"exit {attempt.exit_code}"
