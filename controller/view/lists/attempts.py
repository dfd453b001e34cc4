"""Which attempts `logs` shows, and the lines about those that it does not show.

It shows one run, so that output of yesterday never looks like that of today: of each step the last
attempt in it. A line of its own, for people, names a result that was kept from an earlier run, and
the command that shows it. Cost: O(steps), and O(attempts) to show all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from shlex import quote
from typing import NamedTuple

from msgspec import Struct

from controller.errors import NotFound
from controller.model.phases import COULD_NOT_START, AttemptPhase, Phase, Reason
from controller.model.state import Attempt, State, Step, Workflow
from controller.view import words
from controller.view.children import hooks, in_order, meant
from controller.view.figures import NONE, tries
from controller.view.ink import paint
from controller.view.look import Look
from controller.view.table import middle

KEPT_LINES_MAX = 5  # then one line for each run
STEPS_IN_COMMAND_MAX = 3  # a pattern may have meant a hundred
NAMED_MAX = 20  # steps of which each is said that it did not run, or printed nothing
PREFIX_ALIGNED_MAX = 24  # a longer name pushes its own lines to the right, not all others
PREFIX_MAX = 40  # on a terminal; a longer name is shortened
_COLOURS = ("cyan", "yellow", "green", "magenta", "blue")  # red is for failures


class AttemptChoice(Struct, frozen=True, kw_only=True):
    """What the user asked for. `since`: microseconds since 1970."""

    word: str  # NAME as the user wrote it, for the commands that are shown
    steps: Sequence[str] = ()  # none: all
    run: int | None = None  # None: the present one
    attempt: int | None = None  # this one, of whichever run
    failed: bool = False
    since: int | None = None


class Shown(NamedTuple):
    """An attempt to show; `attempt` is None if the state no longer has it."""

    step: Step
    number: int
    attempt: Attempt | None


# ---------------------------------------- what is shown


def of_one_run(state: State, workflow: Workflow, choice: AttemptChoice) -> Iterator[Shown | str]:
    """The last attempt of each step in the chosen run, and lines about the other steps."""
    picked = [(step, _last_of(workflow, step, choice.run)) for step in chosen(workflow, choice)]
    filtered = choice.failed or choice.since is not None
    absent = [] if filtered else [step for step, last in picked if last is None]
    few = bool(choice.steps) and len(picked) <= NAMED_MAX
    told: list[Shown | str] = [*_kept([step for step in absent if _keeps(step)], choice)]
    for step, last in picked:
        if last is not None and _is_wanted(step, last, choice):
            told.append(Shown(step, last.number, last))
        elif few and last is None and not filtered and not _keeps(step):
            told.append(_did_not_run(state, workflow, step, choice))
    yield from told or [_nothing(state, workflow, choice)]


def by_number(workflow: Workflow, choice: AttemptChoice) -> Iterator[Shown]:
    """Attempt N of the chosen steps. Raises NotFound if no step, or one that is named, had it."""
    wanted, steps = choice.attempt, chosen(workflow, choice)
    assert wanted is not None
    if not any(0 < wanted <= step.numbered for step in steps) and not choice.steps:
        raise NotFound(f"no step of {workflow.name} has an attempt {wanted}")
    for step in steps:
        if 0 < wanted <= step.numbered:
            there = (attempt for attempt in step.attempts if attempt.number == wanted)
            yield Shown(step, wanted, next(there, None))
        elif choice.steps:
            count = f"it has {step.numbered}" if step.numbered else "it has none"
            raise NotFound(f"{step.name} has no attempt {wanted}; {count}")


def of_all_runs(workflow: Workflow, choice: AttemptChoice) -> Iterator[Shown | str]:
    """Every attempt of the chosen steps, in the order in which they were scheduled."""
    steps = chosen(workflow, choice)
    for step in steps:
        if step.attempts and (before := step.attempts[0].number - 1):
            command = f"treadle logs {choice.word} {quote(step.name)} --attempt {before}"
            numbers = "attempt 1 is" if before == 1 else f"attempts 1 to {before} are"
            yield _rule(f"{step.name}: {numbers} left out: {command}")
    wanted = [
        (attempt, step)
        for step in steps
        for attempt in step.attempts
        if not (choice.failed and attempt.phase is not AttemptPhase.FAILED)
        and _ran_since(attempt, choice.since)
    ]
    wanted.sort(key=lambda pair: (pair[0].scheduled, pair[0].seq))
    yield from (Shown(step, attempt.number, attempt) for attempt, step in wanted)
    if not wanted:
        yield "no attempt failed" if choice.failed else "no attempt ran"


def running(state: State, workflow: Workflow, choice: AttemptChoice) -> Iterator[Shown | str]:
    """What runs now, to be followed; a line about what has finished, or what is waited for."""
    steps = chosen(workflow, choice)
    live = [Shown(step, step.live.number, step.live) for step in steps if step.live is not None]
    last = [shown for step in steps if (shown := _last_of(workflow, step, None)) and not shown.live]
    if last:
        count = "1 step has" if len(last) == 1 else f"{len(last)} steps have"
        yield _rule(f"{count} finished in this run: {_command(choice)}")
    if not live:
        said = (
            words.at_present(state, workflow)
            if len(steps) > 1
            else words.of_step(state, workflow, steps[0])
        )
        who = workflow.name if len(steps) > 1 else steps[0].name
        yield _rule(f"{who}: {said[1]}")
    yield from live


def chosen(workflow: Workflow, choice: AttemptChoice) -> list[Step]:
    """The steps that were named, else all, then the hooks; for one with children, these."""
    if choice.steps:
        return [workflow.step(name) for name in meant(workflow, choice.steps)]
    return [step for step in (*in_order(workflow), *hooks(workflow)) if not step.expanded]


def _last_of(workflow: Workflow, step: Step, run: int | None) -> Attempt | None:
    """Its last attempt in this run. One that begins a run is there a moment before the run is."""
    for attempt in reversed(step.attempts):
        if attempt.run == run or (run is None and attempt.run >= workflow.run):
            return attempt
    return None


def _is_wanted(step: Step, attempt: Attempt, choice: AttemptChoice) -> bool:
    failed = step.phase is Phase.FAILED or not choice.failed
    return failed and _ran_since(attempt, choice.since)


def _ran_since(attempt: Attempt, since: int | None) -> bool:
    return since is None or attempt.live or (attempt.finished or attempt.scheduled) >= since


def _keeps(step: Step) -> bool:
    """Whether an attempt gave its result; of a step without one in this run: one of an earlier."""
    last = step.attempt
    made = last is not None and last.phase is AttemptPhase.SUCCEEDED
    counts = step.phase is Phase.SUCCEEDED and step.reason != Reason.MARKED
    return made and counts and not step.is_hook


# ---------------------------------------- what is said


def heading(step: Step, attempt: Attempt, look: Look) -> str:
    """The line above an attempt, where several of one step are shown."""
    when = look.moment(attempt.started or attempt.scheduled)
    what = f"run {attempt.run}, {step.name}, attempt {attempt.number}, {when}"
    return _rule(f"{what}: {words.of_attempt(attempt)}")


def earlier_tries(workflow: Workflow, step: Step, attempt: Attempt, choice: AttemptChoice) -> str:
    """A line that says that it was not the first attempt in its run; "" if it was."""
    before = [
        earlier
        for earlier in step.attempts
        if earlier.run == attempt.run and earlier.number < attempt.number
    ]
    if not before:
        return ""
    command = f"treadle logs {choice.word} {quote(step.name)} --attempt {before[-1].number}"
    number = f"{_try(workflow, step, len(before) + 1)} (attempt {attempt.number})"
    return _rule(f"{step.name}: {number}; earlier: {command}")


def _try(workflow: Workflow, step: Step, number: int) -> str:
    counted = tries(workflow, step)
    return f"try {number if counted == NONE else counted}"


def printed_nothing(state: State, workflow: Workflow, step: Step, attempt: Attempt) -> str:
    """What is said instead of output that is empty."""
    if attempt.live:
        message = words.of_step(state, workflow, step)[1]
        return f"{step.name} has printed nothing so far: {message}"
    colon = "" if attempt.reason in COULD_NOT_START else ":"
    message = words.of_attempt(attempt)
    return f"{step.name} printed nothing; attempt {attempt.number}{colon} {message}"


def _kept(steps: list[Step], choice: AttemptChoice) -> Iterator[str]:
    """A line for each result of an earlier run; if there are many, a line for each such run."""
    made = [(step.name, step.attempt) for step in steps if step.attempt is not None]
    if len(made) <= KEPT_LINES_MAX:
        for name, attempt in made:
            command = f"treadle logs {choice.word} {quote(name)} --run {attempt.run}"
            yield _rule(
                f"{name}: kept from run {attempt.run} (attempt {attempt.number}): {command}"
            )
        return
    made.sort(key=lambda pair: pair[1].run)
    for run, group in groupby(made, key=lambda pair: pair[1].run):
        names = words.listed([name for name, _ in group])
        yield _rule(f"kept from run {run}: {names}: treadle logs {choice.word} --run {run}")


def _did_not_run(state: State, workflow: Workflow, step: Step, choice: AttemptChoice) -> str:
    """Of a step that was named, but has no attempt in the run."""
    message = words.of_step(state, workflow, step)[1]
    last = step.attempt
    if step.definition.approve is not None:
        return f"{step.name} asks a person and prints nothing: {message}"
    if last is None:
        return f"{step.name} has not been tried yet: {message}"
    run = workflow.run if choice.run is None else choice.run
    command = f"treadle logs {choice.word} {quote(step.name)} --run {last.run}"
    return f"{step.name} did not run in run {run}: {message}; it did in run {last.run}: {command}"


def _nothing(state: State, workflow: Workflow, choice: AttemptChoice) -> str:
    if not workflow.run:
        return f"{workflow.name} has not run yet: {words.at_present(state, workflow)[1]}"
    run = workflow.run if choice.run is None else choice.run
    what = "failed" if choice.failed else "ran"
    when = "" if choice.since is None else " since then"
    return f"no step {what} in run {run}{when}"


def _command(choice: AttemptChoice) -> str:
    few = choice.steps if len(choice.steps) <= STEPS_IN_COMMAND_MAX else ()
    return " ".join(["treadle logs", choice.word, *map(quote, few)])


def _rule(text: str) -> str:
    return f"── {text} ──"


# ---------------------------------------- whose line it is


def prefixes(
    workflow: Workflow, names: Iterable[str], aligned: bool, coloured: bool
) -> Callable[[str], str]:
    """`[load] `, to stand in front of each line of the step; the same colour every time."""
    room = max((len(name) for name in names if len(name) <= PREFIX_ALIGNED_MAX), default=0)

    def prefix(name: str) -> str:
        step = workflow.find(name)
        # All below a step have its index; each other step is at -1 among its siblings.
        place = step.index + sum(step.above) + step.nth + 1 if step else 0
        colour = _COLOURS[place % len(_COLOURS)] if step and coloured else ""
        shown = middle(name, PREFIX_MAX) if aligned else name
        return f"{paint(f'[{shown}]', colour)}{' ' * (room - len(shown) if aligned else 0)} "

    return prefix
