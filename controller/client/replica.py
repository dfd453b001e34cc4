"""The log as commands read it: each command folds a state of its own from it, and may follow it.

Reading needs no controller and does not disturb one. Cost: some microseconds per record since the
newest snapshot, or per record of the whole log for a command that shows everything.
"""

import gc
import time
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from controller.log.lock import check_end, noted_end
from controller.log.reader import DamagedLog, Place, Tail
from controller.log.snapshots import newest
from controller.log.status_file import read_status
from controller.model.apply.fold import fold_read
from controller.model.events import Record
from controller.model.state import Move, State

if TYPE_CHECKING:
    from controller.view.shape import ControllerShape, FilesWaiting

FOLLOW_SECONDS = 0.1  # the longest delay of news for a command that follows the log
ORPHANED_SECONDS = 2.0  # without a controller; longer than a restart of one takes
_LIVE_PHASES = ("Starting", "Running")


class Folded(NamedTuple):
    """A record that was just folded, and the phases that it changed."""

    record: Record
    moves: list[Move]


class Replica:
    """A state that follows the log. `state` is the fold of all records read so far."""

    def __init__(self, state_dir: str, whole: bool = False) -> None:
        """`whole`: begin with the first record that is kept, so that `news` has all of them."""
        self._noted = noted_end(state_dir)  # first, because the log only grows
        self._state_dir = state_dir
        self.state, place = _beginning(state_dir) if whole else newest(state_dir)
        self.begins_at = self.state.seq  # the record after which `news` begins
        self._tail = Tail(state_dir, place.seq, place)

    def news(self) -> Iterator[Folded]:
        """Fold the records since the last call, one by one.

        Raises StorageError. After DamagedLog it goes on where that was, once it has been mended.
        """
        # All objects of a state live until the end, so garbage collection would find nothing.
        collects = gc.isenabled()
        gc.disable()
        try:
            for record in self._tail.news():
                fold_read(self.state, record)
                moves, self.state.moves = self.state.moves, []
                yield Folded(record, moves)
        finally:
            if collects:
                gc.enable()

    def goes_on_after(self, error: Exception) -> bool:
        """Whether to ask it again after this error: then nothing is read twice.

        Else a new one has to begin. So has one that got nowhere: a checkpoint may be put back.
        """
        return isinstance(error, DamagedLog) and self.state.seq > self.begins_at

    @property
    def is_between_turns(self) -> bool:
        """Whether the state is the result of whole turns, as a controller shows it."""
        return self.state.seq >= self._tail.turn_end

    def follow(self) -> Iterator[Folded | None]:
        """Like `news`, but without end; yields None when there is nothing new at the moment."""
        while True:
            yield from chain(self.news(), (None,))
            time.sleep(FOLLOW_SECONDS)

    def catch_up(self) -> State:
        """Fold all records; the state now. Raises StorageError if the log has lost records."""
        for _ in self.news():
            pass
        if not self._tail.torn_bytes:
            check_end(self._state_dir, self.state.seq, self._noted)
        return self.state


def _beginning(state_dir: str) -> tuple[State, Place]:
    from controller.log.archive import beginning

    return beginning(state_dir)


def controller_shape(state_dir: str) -> "ControllerShape":
    """The controller that holds the state folder, and its conditions."""
    from controller.view.shape import ControllerShape
    from controller.view.status import conditions_shape

    status = read_status(state_dir)
    return ControllerShape(
        phase=status.phase,
        pid=status.pid,
        epoch=status.epoch,
        conditions=conditions_shape(status.conditions),
    )


def stood(state_dir: str, state: State) -> int | None:
    """The last moment that anything is known of, if no controller runs; else None."""
    return read_status(state_dir).stood(state.time)


def files_waiting(state_dir: str) -> "FilesWaiting":
    """How many files wait for triggers; None if no controller runs."""
    status = read_status(state_dir)
    return status.files_waiting if status.phase == "Running" else None


def is_live(state_dir: str) -> bool:
    """Does a controller hold the state folder?"""
    return read_status(state_dir).phase in _LIVE_PHASES


def now() -> int:
    """Microseconds since 1970, to compute ages."""
    return time.time_ns() // 1000
