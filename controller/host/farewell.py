"""The last lines of a controller: what still runs, how the workflows ended, what to do next."""

from collections import Counter
from collections.abc import Iterable, Iterator

from controller.host.news import News
from controller.model.phases import Phase
from controller.model.state import Attempt, Step, Workflow, handle_of
from controller.view import pools, words
from controller.view.firings import is_superseded

_NAMED_MAX = 10
_OPEN = frozenset({Phase.FAILED, Phase.CANCELLED, Phase.SUSPENDED})


def farewell(news: News, specs: str, *, stopped: bool, ended: int) -> Iterator[str]:
    """`ended`: how many running steps this controller had to stop."""
    if stopped:
        yield from _stopped(news, ended)
        return
    counts, asking = Counter[str](news.left), list[tuple[str, list[Step]]]()
    waiting = 0
    for life in news.workflows():
        if life.starter is not None and life.phase is not Phase.SUSPENDED:
            waiting += 1
            continue
        steps, stuck = words.asking(life), pools.stuck(news.state, life)
        counts["waiting for approval" if steps else "waiting" if stuck else life.phase] += 1
        if steps:
            asking.append((life.name, steps))
    summary = [f"{count} {phase.lower()}" for phase, count in sorted(counts.items())]
    if waiting:
        summary.append("1 definition waits" if waiting == 1 else f"{waiting} definitions wait")
    invalid = len(news.state.rejected) + len(news.state.bad_markers)
    if invalid:
        summary.append("1 invalid file" if invalid == 1 else f"{invalid} invalid files")
    yield f"done: {', '.join(summary) or 'no workflows'}"
    if news.lacks_room():
        yield "steps wait for room on the disk: make room, then run it again"
        return
    yield from summaries(
        life
        for life in news.workflows()
        if life.phase in _OPEN and not is_superseded(news.state, life)
    )
    yield from (lacking := [*lacks(news)])
    for name, steps in asking[:_NAMED_MAX]:
        for step in steps[:_NAMED_MAX]:
            question = "" if step.asking is None else step.asking.message
            answers = " or ".join(words.answers(name, step.name))
            yield f"{name}/{step.name} asks: {question}; answer: {answers}"
    if news.state.rejected:
        yield f"to see what is invalid: treadle validate {specs.rstrip('/')}"
    elif not (counts.keys() & _OPEN or invalid or asking or lacking):
        yield f"nothing is left to do; edit or add a spec in {specs.rstrip('/')} and run it again"


def lacks(news: News) -> Iterator[str]:
    """Which steps wait for a pool that is not defined, or too small."""
    found = [
        f"{life.name}/{step.name}: {words.of_step(news.state, life, step)[1]}"
        for life in news.workflows()
        for step in pools.stuck(news.state, life)
    ]
    yield from found[:_NAMED_MAX]
    if len(found) > _NAMED_MAX:
        yield f"… and {len(found) - _NAMED_MAX} more: treadle pools"


def _stopped(news: News, ended: int) -> Iterator[str]:
    running, stuck = news.running(), news.running_here()
    if ended and stuck:
        yield f"stopped; {ended - len(stuck)} of {steps_in_words(ended)} stopped"
        yield f"{_stuck(stuck)} can't be stopped; the next `treadle up` tries again"
    elif ended:
        elsewhere = f"; {steps_in_words(running)} of engines left running" if running else ""
        stopped = f"{steps_in_words(ended)} stopped, the next `treadle up` runs them again"
        yield f"stopped; {stopped}{elsewhere}"
    elif running:
        steps = steps_in_words(running)
        yield f"stopped; {steps} left running, the next `treadle up` adopts them"
    else:
        yield "stopped; nothing was running"


def _stuck(attempts: Iterable[Attempt]) -> str:
    """`pids 4, 5`, and what their engines call the others."""
    pids = sorted(pid for attempt in attempts for pid in attempt.survivors)
    said = [f"pid{'s' if len(pids) > 1 else ''} {', '.join(map(str, pids))}"] if pids else []
    said += [handle_of(attempt) for attempt in attempts if not attempt.survivors]
    return ", ".join(said)


def summaries(lives: Iterable[Workflow]) -> Iterator[str]:
    """How each workflow ended; if it did not succeed, also a command to continue with."""
    lives = list(lives)
    for life in lives[:_NAMED_MAX]:
        yield f"{words.summary(life)}{_what_is_next(life)}"
    if len(lives) > _NAMED_MAX:
        yield f"… and {len(lives) - _NAMED_MAX} more: treadle get"


def _what_is_next(life: Workflow) -> str:
    if life.phase is Phase.FAILED:
        return f"; try again: treadle retry {life.name}"
    if life.phase is Phase.CANCELLED:
        return f"; run it again: treadle retry {life.name}"
    if life.phase is Phase.SUSPENDED and life.suspension:
        return f"; to continue: treadle resume {life.name}"
    return f"; to continue, change {life.path}" if life.phase is Phase.SUSPENDED else ""


def steps_in_words(number: int) -> str:
    return "1 step" if number == 1 else f"{number} steps"
