"""The last lines of a controller: what still runs, or what to do next."""

from collections.abc import Iterator

from controller.host.session import Session
from controller.model.phases import Phase
from controller.view import words

_NAMED_MAX = 10


def farewell(session: Session, specs: str, *, stopped: bool, ended: int) -> Iterator[str]:
    """What is left running, or what to do next."""
    state, running = session.controller.state, session.running()
    if stopped and ended and running:
        pids = sorted(pid for attempt in state.live.values() for pid in attempt.survivors)
        stuck = f"pid{'s' if len(pids) > 1 else ''} {', '.join(map(str, pids))}"
        yield f"stopped; {ended - running} of {steps_in_words(ended)} stopped"
        yield f"{stuck} can't be stopped; the next `treadle up` tries again"
    elif stopped and ended:
        yield f"stopped; {steps_in_words(ended)} stopped, the next `treadle up` runs them again"
    elif stopped and running:
        steps = steps_in_words(running)
        yield f"stopped; {steps} left running, the next `treadle up` adopts them"
    elif stopped:
        yield "stopped; nothing was running"
    if stopped:
        return
    counts: dict[Phase, int] = {}
    for life in state.workflows.values():
        counts[life.phase] = counts.get(life.phase, 0) + 1
    summary = ", ".join(f"{count} {phase.lower()}" for phase, count in sorted(counts.items()))
    yield f"done: {summary or 'no workflows'}"
    if session.lacks_room():
        yield "steps wait for room on the disk: make room, then run it again"
        return
    failed = [life for life in state.workflows.values() if life.phase is Phase.FAILED]
    for life in failed[:_NAMED_MAX]:
        yield f"{life.name}: {words.verdict(life)}; try again: treadle retry {life.name}"
    if not failed:
        yield f"nothing is left to do; edit or add a spec in {specs.rstrip('/')} and run it again"


def steps_in_words(number: int) -> str:
    return "1 step" if number == 1 else f"{number} steps"
