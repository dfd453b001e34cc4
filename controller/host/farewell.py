"""What a person wants to know when a controller ends."""

from collections.abc import Iterator

from controller.host.session import Session
from controller.model.phases import Phase


def farewell(session: Session, specs: str, *, stopped: bool, ended: int) -> Iterator[str]:
    """What is left running, or what to do next."""
    state, running = session.controller.state, session.running()
    if stopped and ended and running:
        pids = sorted(pid for attempt in state.live.values() for pid in attempt.survivors)
        stuck = f"pid{'s' if len(pids) > 1 else ''} {', '.join(map(str, pids))}"
        yield f"stopped; {ended - running} of {steps_in_words(ended)} ended"
        yield f"{stuck} can't be ended; the next `treadle up` goes on trying"
    elif stopped and ended:
        yield f"stopped; {steps_in_words(ended)} ended, the next `treadle up` goes on from there"
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
    summary = ", ".join(f"{count} {phase}" for phase, count in sorted(counts.items()))
    yield f"settled: {summary or 'no workflows'}"
    yield f"nothing is left to do; edit or add a spec in {specs.rstrip('/')} and run it again"


def steps_in_words(number: int) -> str:
    return "1 step" if number == 1 else f"{number} steps"
