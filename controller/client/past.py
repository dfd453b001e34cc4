"""The past: the state after a record or at a time, and lives that went to the archive.

A controller shows only the results of whole turns, so a record stands for its whole turn. Cost: to
fold the log from the last snapshot or checkpoint before that point.
"""

from itertools import takewhile

from controller.errors import NotFound, UsageError
from controller.log.reader import Place, read
from controller.log.snapshots import newest
from controller.model.apply import replay
from controller.model.movement import set_condition
from controller.model.state import State, Workflow
from controller.view.find import find, is_uid_of
from controller.view.status import ARCHIVED
from controller.view.times import parse_time, rfc3339


def state_at(state_dir: str, option: str, point: str) -> State:
    """After the turn of a record, named by its sequence number, or at a time (RFC 3339).

    `option`: the option that the user wrote, for the error message.
    """
    if point.isdecimal():
        seq = int(point)
        state, place = _before(state_dir, option, point, seq_max=seq)
        behind = read(state_dir, place.seq, place)
        replay(takewhile(lambda record: record.turn <= seq, behind), state)
        if state.seq < seq:
            raise NotFound(f"{option} {point}: the log ends with record {state.seq}")
        return state
    time = parse_time(point)
    if time is None:
        raise UsageError(
            f"{option} {point}: neither a sequence number nor a time like 2026-11-23T12:00:00Z"
        )
    state, place = _before(state_dir, option, point, time_max=time)
    behind = read(state_dir, place.seq, place)
    return replay(takewhile(lambda record: record.time <= time, behind), state)


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
        raise NotFound(
            f"{option} {point}: history begins after record {first.seq}, of {rfc3339(first.time)}; "
            "older records are no longer kept (--keep-archive)"
        )
    return state, place


def recall(state_dir: str, state: State, word: str) -> None:
    """Put the newest archived life that `word` means into `state`, if `state` has no such life.

    It is as it was when it left the state, with the condition Archived.
    """
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
            past, place = _before(state_dir, "uid", gone.uid, seq_max=gone.seq - 1)
            behind = read(state_dir, place.seq, place)
            replay(takewhile(lambda record: record.seq < gone.seq, behind), past)
            past.time = gone.time
            recalled = state.lives[gone.uid] = past.lives[gone.uid]
            set_condition(past, recalled, ARCHIVED, True, ARCHIVED, gone.message)
