"""Is another attempt due after one that failed, and under which policy?

The cause decides first (`retry.on`), then the exit code, then `limit` and `maxElapsedSeconds`. An
interruption, an end that nobody saw, is the machine's fault and not the step's: it spends no retry,
but the fourth in a row fails the step. Those by somebody who stopped the controller with
`--end-steps` don't count.
"""

from controller.model.events import RetryScheduled, StepFailed
from controller.model.phases import COULD_NOT_START, AttemptPhase, Reason
from controller.model.state import SECOND, Attempt, Step, Workflow
from controller.planner.actions import AllowRetry
from controller.spec.definition import RetryPolicy

INTERRUPTIONS_MAX = 3  # in a row


def judge(workflow: Workflow, step: Step) -> AllowRetry | StepFailed:
    """What follows from the failed last attempt of `step`."""
    attempt = step.attempt
    assert attempt is not None and attempt.phase is not AttemptPhase.CANCELLED
    interrupted = attempt.phase is AttemptPhase.INTERRUPTED and _is_free(step)
    refusal = _refusal(workflow, step, attempt)
    if refusal is not None:
        message = f"{attempt.message}; {refusal}" if refusal else attempt.message or ""
        return StepFailed(
            uid=workflow.uid, step=step.name, reason=attempt.reason or "", message=message
        )
    number = (step.interruptions if interrupted else step.retries) + 1
    of = f" of {step.definition.retry.limit}" if not interrupted else ""
    message = f"{attempt.message}; retry {number}{of}"
    return AllowRetry(
        workflow.uid, step.name, number, not interrupted, attempt.reason or "", message
    )


def complete(
    retry: AllowRetry, workflow: Workflow, delay: float, now: int
) -> RetryScheduled | StepFailed:
    """The event for a retry whose delay (seconds) has been drawn.

    A wait that would pass `maxElapsedSeconds` is not begun.
    """
    step = workflow.step(retry.step)
    limit = step.definition.retry.max_elapsed_seconds
    elapsed = (now - (step.series_from or now)) / SECOND
    if limit is not None and elapsed + delay > limit:
        message = (
            f"{retry.message} would start {elapsed + delay:.1f} s after the first attempt, "
            f"later than maxElapsedSeconds ({limit:g}) allows"
        )
        return StepFailed(uid=retry.uid, step=retry.step, reason=retry.reason, message=message)
    return RetryScheduled(
        uid=retry.uid,
        step=retry.step,
        retry=retry.number if retry.spends else 0,
        delay=delay,
        reason=Reason.BACK_OFF,
        message=f"{retry.message} in {delay:.2f} s",
    )


def _refusal(workflow: Workflow, step: Step, attempt: Attempt) -> str | None:
    """Why no attempt follows; None if one does, empty if nobody expected one."""
    policy = step.definition.retry
    if attempt.reason in COULD_NOT_START or attempt.reason == Reason.ABANDONED:
        return ""
    if not step.is_hook and (workflow.cancel is not None or workflow.deleting):
        return "not retried, because the workflow is being cancelled"
    if attempt.phase is AttemptPhase.INTERRUPTED and _is_free(step):
        stopped = attempt.reason == Reason.CONTROLLER_STOPPED
        if step.interruptions >= INTERRUPTIONS_MAX and not stopped:
            return f"gave up: interrupted {INTERRUPTIONS_MAX + 1} times in a row"
        return None
    if not policy.limit:
        return ""
    cause = _cause(attempt)
    if cause not in policy.on:
        return f"not retried: retry.on does not include {cause}"
    by_itself = attempt.reason in (Reason.NON_ZERO_EXIT, Reason.SIGNALLED)
    if by_itself and not _code_allows(policy, attempt):
        return "not retried: retry does not cover this exit code"
    if step.retries >= policy.limit:
        return f"gave up after {step.retries + 1} tries (retry.limit: {policy.limit})"
    return None


def _is_free(step: Step) -> bool:
    """An interruption is retried whatever `limit` is, unless `retry.on` was written without it."""
    policy = step.definition.retry
    return "Interrupted" in policy.on


def _cause(attempt: Attempt) -> str:
    if attempt.phase is AttemptPhase.INTERRUPTED:
        return "Interrupted"
    return "Timeout" if attempt.reason == Reason.TIMEOUT else "NonZeroExit"


def _code_allows(policy: RetryPolicy, attempt: Attempt) -> bool:
    """Exit codes judge exits; a signal n counts as 128+n."""
    code = attempt.exit_code if attempt.signal is None else 128 + attempt.signal
    if code in policy.except_exit_codes:
        return False
    return policy.exit_codes is None or code in policy.exit_codes
