"""The log as commands read it: a state of their own that is folded from it, and follows it.

Reading needs no controller and disturbs none. Cost: some microseconds a record, of those that came
since the newest snapshot; of the whole log for who wants to know all that happened.
"""

import gc
import time
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from controller.log.lock import check_end, noted_end
from controller.log.reader import Place, Tail
from controller.log.snapshots import newest
from controller.log.status_file import read_status
from controller.model.apply import apply
from controller.model.events import Record
from controller.model.state import Move, State

if TYPE_CHECKING:
    from controller.view.shape import ControllerShape

FOLLOW_SECONDS = 0.1  # how long news may be on its way to somebody who follows
_GOES_ON = ("Starting", "Running")


class Change(NamedTuple):
    """One record, and the phases that it changed."""

    record: Record
    moves: list[Move]


class Replica:
    """A state that grows with the log. `state` holds what the records read so far say."""

    def __init__(self, state_dir: str, whole: bool = False) -> None:
        """`whole`: from the first record on that was kept, so that `news` tells all of them."""
        self._noted = noted_end(state_dir)  # before the log is read: it only grows
        self._state_dir = state_dir
        self.state, place = _beginning(state_dir) if whole else newest(state_dir)
        self.begins_at = self.state.seq  # the record after which `news` begins
        self._tail = Tail(state_dir, place.seq, place)

    def news(self) -> Iterator[Change]:
        """Fold what has come since the last call, record by record."""
        # What a log builds up lives until the end: to look for garbage meanwhile finds none.
        gc.disable()
        try:
            for record in self._tail.news():
                apply(self.state, record)
                moves, self.state.moves = self.state.moves, []
                yield Change(record, moves)
        finally:
            gc.enable()

    def follow(self) -> Iterator[Change | None]:
        """As `news`, without an end; None whenever there is nothing new for the moment."""
        while True:
            yield from chain(self.news(), (None,))
            time.sleep(FOLLOW_SECONDS)

    def catch_up(self) -> State:
        """Fold all there is; the state at this moment. Raises StorageError if it had more."""
        for _ in self.news():
            pass
        if not self._tail.torn_bytes:
            check_end(self._state_dir, self.state.seq, self._noted)
        return self.state


def _beginning(state_dir: str) -> tuple[State, Place]:
    from controller.log.archive import beginning

    return beginning(state_dir)


def controller_shape(state_dir: str) -> "ControllerShape":
    """Who holds the state folder, and what it says of itself."""
    from controller.view.shape import ControllerShape
    from controller.view.status import conditions_shape

    status = read_status(state_dir)
    return ControllerShape(
        phase=status.phase,
        pid=status.pid,
        epoch=status.epoch,
        conditions=conditions_shape(status.conditions),
    )


def is_live(state_dir: str) -> bool:
    """Does a controller hold the state folder?"""
    return read_status(state_dir).phase in _GOES_ON


def now() -> int:
    """Microseconds since 1970, to tell ages by."""
    return time.time_ns() // 1000
