"""What was seen of a process, and what it means for its attempt: a fact with a reason."""

from collections.abc import Collection, Iterator, Sequence
from signal import Signals, strsignal
from typing import NamedTuple

from controller.errors import bounded
from controller.model.events import (
    AttemptEndFailed,
    AttemptFinished,
    AttemptQueued,
    AttemptStarted,
    AttemptSubmitted,
    RunStarted,
    in_the_name_of,
)
from controller.model.observations import (
    AttemptId,
    Ended,
    EndFailed,
    Found,
    Observation,
    PartEnd,
    Queued,
    Started,
    Submitted,
)
from controller.model.phases import AttemptPhase, Reason
from controller.model.state import Attempt, Birth, State, Workflow
from controller.spec.outputs import Outputs, read

TIMEOUT_EXIT_CODE = 124  # as timeout(1) has it
_PIDS_NAMED_MAX = 10


Fact = AttemptSubmitted | AttemptQueued | AttemptStarted | AttemptFinished | AttemptEndFailed


def facts(workflow: Workflow, attempt: Attempt, seen: Observation) -> Iterator[RunStarted | Fact]:
    """What to record of a live attempt. The first that is not merely withdrawn begins the run."""
    definition = workflow.step(seen.id.step).definition
    codes = Codes(definition.success_exit_codes, definition.skip_exit_codes)
    found = fact(attempt, seen, codes)
    if found is None:
        return
    waits = isinstance(found, AttemptSubmitted | AttemptQueued)
    withdrawn = isinstance(found, AttemptFinished) and found.reason == Reason.WITHDRAWN
    if not workflow.in_run and not (waits or withdrawn):
        began = found.started if isinstance(found, AttemptStarted) else 0
        yield begin_run(workflow, attempt.run, began)
    yield found


def begin_run(workflow: Workflow, run: int, began: int = 0) -> RunStarted:
    """The record that the run has begun: at `began`, or now."""
    return RunStarted(uid=workflow.uid, run=run, why=_why(workflow), began=began)


def _why(workflow: Workflow) -> str:
    """What begins the run: `new spec by ada`, `edit of load by ada: run changed`, a request."""
    if workflow.reason != Reason.ACCEPTED:
        return workflow.message
    if workflow.birth is not None and workflow.started is None:
        return of_firing(workflow, workflow.birth)
    if workflow.started is None:
        what = "new spec" if workflow.origin == "folder" else "treadle run"
        return in_the_name_of(workflow.by, what)
    if not workflow.edited:
        return in_the_name_of(workflow.by, "edit")
    first, *others = workflow.edited
    if others:
        return in_the_name_of(workflow.by, f"edit of {first} and {len(others)} more")
    effect = workflow.effects.get(first)
    if effect is None or effect.reason != Reason.SPEC_CHANGED:
        return in_the_name_of(workflow.by, f"edit of {first}")
    return in_the_name_of(workflow.by, f"edit of {first}", effect.message)


def of_firing(workflow: Workflow, birth: Birth) -> str:
    """What began an instance: `trigger night: due 2026-11-28T02:30:00+01:00`."""
    facts = birth.facts
    match facts.kind:
        case "manual":
            what = f"backfill of {facts.due}" if birth.backfill else "start by hand"
            return in_the_name_of(workflow.by, what)
        case "files":
            return f"trigger {facts.name}: {facts.files[0]}"
        case "after":
            ended = facts.workflow
            return f"trigger {facts.name}: {ended['instance'] or ended['name']} {ended['phase']}"
        case "webhook":
            return f"trigger {facts.name}: delivery {facts.key}"
        case _:
            return f"trigger {facts.name}: due {facts.due}"


class Codes(NamedTuple):
    """The exit codes that are a success, and those by which a step skips itself."""

    success: Collection[int] = (0,)
    skip: Collection[int] = ()


USUAL = Codes()


def fact(attempt: Attempt, seen: Observation, codes: Codes = USUAL) -> Fact | None:
    """What this says of the attempt itself; None for what the log already says."""
    match seen:
        case Ended():
            return _outcome(attempt, seen, codes)
        case Started(id=id):
            if attempt.phase is AttemptPhase.RUNNING:
                return None
            return AttemptStarted(
                uid=id.uid,
                step=id.step,
                attempt=id.attempt,
                handle=seen.handle or str(seen.pid),
                engine=seen.engine,
                pid=seen.pid,
                start_ticks=seen.start_ticks,
                started=seen.at,
                found=seen.found,
            )
        case EndFailed(id=id):
            pids, problem = sorted(seen.pids), seen.problem
            if (attempt.survivors, attempt.end_problem) == (pids, problem):
                return None
            return AttemptEndFailed(
                uid=id.uid, step=id.step, attempt=id.attempt, pids=pids, problem=problem
            )
        case Submitted(id=id):
            if attempt.handle:
                return None
            return AttemptSubmitted(
                uid=id.uid,
                step=id.step,
                attempt=id.attempt,
                handle=seen.handle,
                place=seen.place,
                site=seen.site,
            )
        case Queued(id=id):
            if attempt.phase is not AttemptPhase.SCHEDULED or attempt.engine_reason == seen.reason:
                return None
            return AttemptQueued(uid=id.uid, step=id.step, attempt=id.attempt, reason=seen.reason)
        case Found():
            return None  # it is known


def is_over(state: State, attempt: AttemptId) -> bool:
    """Whether the log needs no more news of an attempt that does not live."""
    workflow = state.lives.get(attempt.uid)
    if workflow is None:
        return True  # uids are drawn at random: none comes twice
    step = workflow.find(attempt.step)
    numbered = step.numbered if step is not None else workflow.left.get(attempt.step, 0)
    return attempt.attempt <= numbered


def _outcome(attempt: Attempt, seen: Ended, codes: Codes) -> AttemptFinished:
    """An ending that was announced before the exit decides the reason, then the exit code.

    What succeeded fails if it did not give what it declares.
    """
    phase, reason, message = _judge(attempt, seen, codes)
    given = _outputs(attempt, seen)
    completed = phase is AttemptPhase.SUCCEEDED and reason == Reason.COMPLETED
    if completed and given.reason:
        phase, reason, message = AttemptPhase.FAILED, given.reason, given.problem
    notes = list(given.notes)
    if completed and seen.exit_code:
        notes.append(f"SuccessExitCode: exit code {seen.exit_code} is one of successExitCodes")
    after = seen.parts.get("after", 0)
    if after != 0 and reason != Reason.AFTER_FAILED:
        notes.append(f"AfterFailed: {_said(after)}")
    if seen.left_processes:
        left = "1 process" if seen.left_processes == 1 else f"{seen.left_processes} processes"
        notes.append(f"LeftProcesses: stopped {left} that it left running")
    if seen.unproven:
        notes.append(f"UnprovenProcesses: {_unproven(seen.unproven)}")
    notes += seen.notes
    return AttemptFinished(
        uid=seen.id.uid,
        step=seen.id.step,
        attempt=attempt.number,
        phase=phase,
        reason=reason,
        message=bounded(message),
        exit_code=TIMEOUT_EXIT_CODE if reason == Reason.TIMEOUT else seen.exit_code,
        signal=None if reason == Reason.TIMEOUT else seen.signal,
        finished=seen.at,
        usage=seen.usage,
        notes=notes,
        outputs=given.values,
        engine_reason=seen.engine_reason,
    )


def _unproven(pids: Sequence[int]) -> str:
    """Anybody may have started them, any number."""
    named = ", ".join(map(str, pids[:_PIDS_NAMED_MAX]))
    more = f" and {len(pids) - _PIDS_NAMED_MAX} more" if len(pids) > _PIDS_NAMED_MAX else ""
    return (
        f"not stopped, because another user owns them: pid {named}{more}; they have the mark of "
        "this attempt, but the supervisor that could prove that they belong to it has died"
    )


def _outputs(attempt: Attempt, seen: Ended) -> Outputs:
    if not attempt.declares or seen.how != "exited":
        return Outputs()
    if seen.outputs_problem:
        return Outputs(
            reason=Reason.OUTPUT_INVALID,
            problem=f"$TREADLE_OUTPUT can't be read: {seen.outputs_problem}",
        )
    return read(seen.outputs, attempt.declares)


def _judge(attempt: Attempt, seen: Ended, codes: Codes) -> tuple[AttemptPhase, str, str]:
    ending = attempt.ending
    if seen.how == "withdrawn":
        why = ending.message if ending else "no longer wanted"
        return AttemptPhase.CANCELLED, Reason.WITHDRAWN, f"withdrawn before it started: {why}"
    if seen.how == "start-failed":
        reason = seen.reason or Reason.START_FAILED
        return AttemptPhase.FAILED, reason, f"could not start: {seen.problem}"
    # Its first process may have ended by itself before anybody wanted it to; what was ended then
    # were only the processes that it had left.
    if ending and not ending.withdraw and (seen.how == "lost" or seen.at >= ending.since):
        return _ended(ending.reason), ending.reason, ending.message
    if seen.how == "lost":
        return AttemptPhase.INTERRUPTED, Reason.INTERRUPTED, seen.problem
    if seen.timed_out:
        return AttemptPhase.FAILED, Reason.TIMEOUT, seen.problem
    if before := seen.parts.get("before"):
        return AttemptPhase.FAILED, Reason.BEFORE_FAILED, f"before: {_said(before)}"
    if isinstance(problem := seen.parts.get("command"), str):
        return AttemptPhase.FAILED, Reason.START_FAILED, f"could not start: {problem}"
    phase, reason, message = _judge_command(seen, codes)
    if phase is AttemptPhase.SUCCEEDED and (after := seen.parts.get("after")):
        return AttemptPhase.FAILED, Reason.AFTER_FAILED, f"after: {_said(after)}"
    return phase, reason, message


def _said(status: PartEnd) -> str:
    """How a part ended, for people."""
    if status is None:
        return "killed before it had finished"
    if isinstance(status, str):
        return f"could not start: {status}"
    return f"exit code {status}" if status >= 0 else f"killed by {signal_name(-status)}"


def _judge_command(seen: Ended, codes: Codes) -> tuple[AttemptPhase, str, str]:
    if seen.signal is not None:
        return AttemptPhase.FAILED, Reason.SIGNALLED, f"killed by {signal_name(seen.signal)}"
    said = f"exit code {seen.exit_code}"
    if seen.exit_code in codes.skip:
        message = f"{said} is one of skipExitCodes"
        return AttemptPhase.SUCCEEDED, Reason.SKIPPED_ITSELF, message
    if seen.exit_code in codes.success:
        return AttemptPhase.SUCCEEDED, Reason.COMPLETED, said
    if seen.exit_code == 0:
        said = f"{said}, which is not one of successExitCodes"
    return AttemptPhase.FAILED, Reason.NON_ZERO_EXIT, said


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
