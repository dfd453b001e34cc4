"""The past: the state after a record, at a time or at the end of a run; lives in the archive.

A controller shows only the results of whole turns, so a record stands for its whole turn. Cost: to
fold the log from the last snapshot or checkpoint before that point.
"""

from collections.abc import Callable, Iterator
from copy import copy
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from controller.client.replica import Replica
from controller.errors import NotFound, UsageError
from controller.log.reader import Place, read
from controller.log.snapshots import newest
from controller.model.apply.fold import fold_read, replay
from controller.model.events import Record, RunStarted
from controller.model.movement import set_condition
from controller.model.phases import Phase
from controller.model.state import Move, RunShort, State, Workflow
from controller.spec.triggers.keys import LATEST
from controller.view.find import definition_in, find, find_workflow, is_uid_of, meant_by
from controller.view.look import Look
from controller.view.status import ARCHIVED
from controller.view.story import happened
from controller.view.times import MOMENTS, local, parse_moment

if TYPE_CHECKING:
    from controller.log.archive import ArchivedLife


def state_at(state_dir: str, option: str, point: str, look: Look) -> State:
    """After the turn of a record, named by its sequence number, or at a moment (`parse_moment`).

    `option`: the option that the user wrote, for the error message.
    """
    if point.isdecimal() and len(point) < 20:
        seq = int(point)
        state, place = _before(state_dir, option, point, seq_max=seq)
        behind = read(state_dir, place.seq, place)
        replay(takewhile(lambda record: record.turn <= seq, behind), state)
        if state.seq < seq:
            raise NotFound(f"{option} {point}: the log ends with record {state.seq}")
        return state
    time = parse_moment(point, look.now, look.zone)
    if time is None:
        raise UsageError(
            f"{option} {point}: neither the number of a record nor a time like {MOMENTS}"
        )
    state, place = _before(state_dir, option, point, time_max=time)
    behind = read(state_dir, place.seq, place)
    replay(takewhile(lambda record: record.time <= time, behind), state)
    if state.seq == 0 and (first := next(iter(read(state_dir)), None)) is not None:
        raise NotFound(f"{option} {point}: the log begins at {look.moment(first.time)}")
    return state


def moment(option: str, text: str, look: Look) -> int:
    """Microseconds since 1970 of what the user wrote behind `option`. Raises UsageError."""
    time = parse_moment(text, look.now, look.zone)
    if time is None:
        raise UsageError(f"{option} {text}: not a time; write {MOMENTS}")
    return time


def _before(
    state_dir: str,
    option: str,
    point: str,
    seq_max: int | None = None,
    time_max: int | None = None,
) -> tuple[State, Place]:
    """The last state that is kept at or before a point. Raises NotFound if there is none."""
    from controller.log.archive import beginning

    state, place = newest(state_dir, seq_max, time_max)
    if state.seq == 0 and (first := beginning(state_dir)[0]).seq:
        since = local(first.time, None).isoformat("T", "seconds")
        raise NotFound(
            f"{option} {point}: history begins after record {first.seq}, of {since}; "
            "older records are no longer kept (--keep-archive)"
        )
    return state, place


class Left(NamedTuple):
    """A life as it was when it left the state, with the condition Archived, and its runs."""

    life: Workflow
    runs: list[RunShort]


def as_it_left(state_dir: str, gone: "ArchivedLife") -> Left:
    """Cost: to fold the log from the last snapshot before that."""
    past, place = _before(state_dir, "uid", gone.uid, seq_max=gone.seq - 1)
    behind = read(state_dir, place.seq, place)
    replay(takewhile(lambda record: record.seq < gone.seq, behind), past)
    past.time = gone.time
    life = past.lives[gone.uid]
    set_condition(past, life, ARCHIVED, True, ARCHIVED, gone.message)
    return Left(life, past.runs.get(life.name, []))


def recall(
    state_dir: str,
    state: State,
    word: str,
    left: Callable[[str, "ArchivedLife"], Left] = as_it_left,
) -> None:
    """Put the newest archived life that `word` means into `state`, if `state` has no such life.

    `left`: who asks often may remember what `as_it_left` gives, since that stays as it is.
    """
    if (definition := definition_in(word)) != "":
        recall(state_dir, state, definition, left)
        word = meant_by(state, word)
    try:
        known = find(state, word)
        # A life that was recalled for another word may not be the newest.
        search = isinstance(known, Workflow) and ARCHIVED in known.conditions
    except NotFound:
        search = True
    if search:
        from controller.log.archive import lives

        archived = lives(state_dir)
        meant = (life for life in archived if life.workflow == word or is_uid_of(word, life.uid))
        gone = next(meant, None)
        if gone is not None:
            life, runs = left(state_dir, gone)
            state.lives[gone.uid] = life
            # Of an instance the state remembers no runs once it is gone.
            state.runs.setdefault(life.name, runs)


def apart(state: State) -> State:
    """The same, to recall lives into: a state that follows the log has no room for them."""
    other = copy(state)
    other.lives, other.runs = {**state.lives}, {**state.runs}
    return other


def run_of(state_dir: str, state: State, word: str, number: int) -> tuple[State, Workflow]:
    """How things stood when a run ended, and the life that it belonged to; of the last run: now.

    `state`: of now; an archived life is recalled into it. `word`: a name, whose runs are those of
    all its lives, or a uid. Raises NotFound.
    """
    recall(state_dir, state, word)
    life = find_workflow(state, word)
    if life.starter is not None:
        raise UsageError(
            f"{life.name} has instances in place of runs: treadle runs {life.name} lists them; "
            f"then name one, like {life.name}@{LATEST}"
        )
    for shown in (life, state.workflows.get(life.name)):
        if shown is not None and shown.run == number:
            past, then = state, shown
            break
    else:
        past = _at_end_of(state_dir, state, life.name, number)
        then = past.workflows[life.name]
    if word != life.name and then.uid != life.uid:
        raise NotFound(f"run {number} of {life.name} was not of {word}; it was of {then.uid}")
    return past, then


def last_finished(state: State, workflow: Workflow) -> int:
    """The number of its newest run that is over. Raises NotFound."""
    if (
        state.workflows.get(workflow.name) is workflow
    ):  # its name has the runs of earlier lives, too
        over = [
            run.number for run in state.runs.get(workflow.name, ()) if run.completed is not None
        ]
    else:
        over = [number for number in [workflow.run - workflow.in_run] if number]
    if not over:
        raise NotFound(f"no run of {workflow.name} has finished yet")
    return over[-1]


def told_since(
    state_dir: str, epoch: int, seq: int
) -> Iterator[tuple[Record, list[dict[str, Any]]]]:
    """Every record behind this one, as events. Raises NotFound if the log has no such record.

    Cost: to fold the log from the last snapshot before it.
    """
    past, place = _before(state_dir, "since", f"{epoch}.{seq}", seq_max=seq)
    found = place.seq == seq and place.epoch == epoch
    for record in read(state_dir, place.seq, place):
        if record.seq > seq and not found:
            break
        fold_read(past, record)
        moves, past.moves = past.moves, []
        if record.seq == seq:
            found = record.epoch == epoch
        elif record.seq > seq:
            yield record, [*happened(past, record, moves)]
    if not found:
        raise NotFound(f"the log has no record {epoch}.{seq}")


class RunPlayed(NamedTuple):
    """A run as it happened: how it began, and every change of a phase until its end, or until now.

    `began` is the state right before the run: phases by step, of the steps that there were then.
    """

    run: RunShort
    life: Workflow
    began: dict[str, Phase]
    moves: list[Move]


def played(state_dir: str, state: State, word: str, number: int) -> RunPlayed:
    """`state`: as for `run_of`. Raises NotFound.

    Cost: to fold the log from the last snapshot before the run.
    """
    state, life = run_of(state_dir, state, word, number)
    run = _pick_any(state.runs.get(life.name, []), number)
    if run is None:
        raise NotFound(f"{life.name} has no run {number}")
    end = run.ended or state.seq
    past, place = _before(state_dir, "--run", str(number), time_max=run.started - 1)
    began: dict[str, Phase] | None = None
    moves: list[Move] = []
    for record in read(state_dir, place.seq, place):
        if record.seq > end:
            break
        if began is None and record.time >= run.started:
            then = past.lives.get(life.uid)
            began = {} if then is None else {step.name: step.phase for step in then.steps.values()}
        fold_read(past, record)
        if began is not None:
            moves += (move for move in past.moves if move.uid == life.uid)
        past.moves = []
    return RunPlayed(run, life, began or {}, moves)


def _pick_any(runs: list[RunShort], number: int) -> RunShort | None:
    return next((run for run in reversed(runs) if run.number == number), None)


def _at_end_of(state_dir: str, state: State, name: str, number: int) -> State:
    """After the record that ended this run, and before what followed it in the same turn."""
    known = state.runs.get(name, [])
    run = _pick(known, number)
    if run is None:
        known = runs_kept(state_dir)[1].get(name, [])
        run = _pick(known, number)
    if run is None:
        numbers = [run.number for run in known]
        has = f"its runs are {min(numbers)} to {max(numbers)}" if numbers else "it has not run yet"
        raise NotFound(f"{name} has no run {number}; {has}")
    past, place = _before(state_dir, "--run", str(number), seq_max=run.ended - 1)
    behind = read(state_dir, place.seq, place)
    return replay(takewhile(lambda record: record.seq <= run.ended, behind), past)


def _pick(runs: list[RunShort], number: int) -> RunShort | None:
    """The newest one of that number whose end is known."""
    return next((run for run in reversed(runs) if run.number == number and run.ended), None)


def runs_kept(state_dir: str) -> tuple[State, dict[str, list[RunShort]]]:
    """The state, and all runs of each name that the log and the archive still have, oldest first.

    Cost: to fold all of that.
    """
    replica = Replica(state_dir, whole=True)
    runs = {name: list(known) for name, known in replica.state.runs.items()}
    for folded in replica.news():
        event = folded.record.event
        if isinstance(event, RunStarted):
            name = replica.state.lives[event.uid].name
            # The fold goes on to fill in the same object when the run ends.
            runs.setdefault(name, []).append(replica.state.runs[name][-1])
    return replica.state, runs
