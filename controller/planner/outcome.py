"""What the end of a process means for its attempt: an observation becomes a fact with a reason."""

from signal import Signals, strsignal

from controller.model.events import AttemptFinished
from controller.model.observations import Ended
from controller.model.phases import AttemptPhase, Reason
from controller.model.state import Attempt

TIMEOUT_EXIT_CODE = 124  # as timeout(1) has it


def outcome(attempt: Attempt, seen: Ended) -> AttemptFinished:
    """The fact to record. An ending that was announced before the exit decides the reason."""
    phase, reason, message = _judge(attempt, seen)
    notes = []
    if seen.left_processes:
        notes.append(f"LeftProcesses: {seen.left_processes} left running by it were ended")
    return AttemptFinished(
        uid=seen.id.uid,
        step=seen.id.step,
        attempt=attempt.number,
        phase=phase,
        reason=reason,
        message=message,
        exit_code=TIMEOUT_EXIT_CODE if reason == Reason.TIMEOUT else seen.exit_code,
        signal=None if reason == Reason.TIMEOUT else seen.signal,
        finished=seen.at,
        usage=seen.usage,
        notes=notes,
    )


def _judge(attempt: Attempt, seen: Ended) -> tuple[AttemptPhase, str, str]:
    ending = attempt.ending
    if seen.how == "withdrawn":
        why = ending.message if ending else "no longer wanted"
        return AttemptPhase.CANCELLED, Reason.WITHDRAWN, f"withdrawn before it started: {why}"
    if seen.how == "start-failed":
        return AttemptPhase.FAILED, Reason.START_FAILED, f"could not start: {seen.problem}"
    # Its first process may have ended by itself before anybody wanted it to; what was ended then
    # were only the processes that it had left.
    if ending and not ending.withdraw and (seen.how == "lost" or seen.at >= ending.since):
        return _ended(ending.reason), ending.reason, ending.message
    if seen.how == "lost":
        return AttemptPhase.INTERRUPTED, Reason.INTERRUPTED, seen.problem
    if seen.signal is not None:
        return AttemptPhase.FAILED, Reason.SIGNALLED, f"ended by {signal_name(seen.signal)}"
    if seen.exit_code:
        return AttemptPhase.FAILED, Reason.NON_ZERO_EXIT, f"exit code {seen.exit_code}"
    return AttemptPhase.SUCCEEDED, Reason.COMPLETED, "exit code 0"


def _ended(reason: str) -> AttemptPhase:
    if reason == Reason.TIMEOUT:
        return AttemptPhase.FAILED
    if reason == Reason.CONTROLLER_STOPPED:
        return AttemptPhase.INTERRUPTED
    return AttemptPhase.CANCELLED


def signal_name(number: int) -> str:
    """`SIGSEGV (Segmentation fault)`, for people."""
    try:
        return f"{Signals(number).name} ({strsignal(number)})"
    except ValueError:
        return f"signal {number}"
