"""The state as it was: after a record, or at a time.

What a controller shows at some moment is what the turns before it come to, so a record stands for
the whole of its turn. Cost: that of folding from the last snapshot before that point.
"""

from itertools import takewhile

from controller.errors import UsageError
from controller.log.reader import read
from controller.log.snapshots import newest
from controller.model.apply import replay
from controller.model.state import State
from controller.view.times import parse_time


def state_at(state_dir: str, option: str, point: str) -> State:
    """After the turn of a record, named by its sequence number, or at a time (RFC 3339).

    `option` is where the user said so, for the error.
    """
    if point.isdecimal():
        seq = int(point)
        state, place = newest(state_dir, seq_max=seq)
        behind = read(state_dir, place=place)
        return replay(takewhile(lambda record: record.turn <= seq, behind), state)
    time = parse_time(point)
    if time is None:
        raise UsageError(
            f"{option} {point}: neither a sequence number nor a time like 2026-11-23T12:00:00Z"
        )
    state, place = newest(state_dir, time_max=time)
    behind = read(state_dir, place=place)
    return replay(takewhile(lambda record: record.time <= time, behind), state)
