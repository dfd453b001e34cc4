"""Reading the log, beside a writer or without one: replay and following.

A reader never repairs, truncates or waits, and sees whole turns only: a turn that is being written,
or was torn by a crash, does not count. One rule judges the bytes after the last whole turn. A turn
is written only after the one before it was synced. So a good record of a *later* turn after a bad
place, or a later segment, proves that acknowledged data is damaged: `DamagedLog`. Anything else is
a torn tail, which the next writer cuts. We search for records by their opening bytes, not by
newlines, because a damaged newline joins two lines.

A writer may cut a torn tail and append while we read; half old and half new bytes then look like
damage. So we report damage only if the bytes are the same when they are read a second time.

Cost: one pass, about 2 µs a record; a segment (64 MiB) is held in memory while it is read.
`Tail.poll` with nothing new is two `stat` calls.
"""

import os
from collections.abc import Generator, Iterator
from io import BytesIO
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from controller.errors import StorageError
from controller.log import segments
from controller.log.records import OPENING, decode, ends_turn
from controller.model.events import Record


class DamagedLog(StorageError):
    """Acknowledged records can't be read any more."""

    def __init__(self, file: str, offset: int, seq: int, problem: str) -> None:
        super().__init__(
            f"{file}: damaged at byte {offset}, record {seq}: {problem}; the log is left as it is: "
            "put the file back from a copy; `treadle repair` shows what a cut would lose"
        )
        self.file = file
        self.offset = offset
        self.seq = seq


Number = Annotated[int, Meta(ge=0, lt=1 << 62)]


class Place(Struct, frozen=True):
    """The end of a whole turn: in which segment its bytes stand, and its last record."""

    first: Number = 0  # of the segment; 0: before the log begins
    turn_offset: Number = 0
    offset: Number = 0
    seq: Number = 0
    epoch: Number = 0


BEGINNING = Place()


def read(state_dir: str, after: int = 0, place: Place = BEGINNING) -> Iterator[Record]:
    """Every record of a whole turn after record `after`, in order. A missing state folder has none.

    `place`: where to begin, if that is known; it may not lie after record `after`.
    """
    for turn in Cursor(state_dir, after, place).turns():
        for record in turn:
            if record.seq > after:
                yield record


def turn_bytes(state_dir: str, place: Place) -> bytes:
    """The bytes where the last turn of `place` should be; fewer, if the segment is shorter."""
    length = max(0, place.offset - place.turn_offset)
    return segments.read(state_dir, place.first, place.turn_offset, length)


class Tail:
    """Follows a log: each call gives the whole turns that came since the last call.

    It may see a turn some milliseconds before its sync has ended. It begins after the record
    `after`, or at a known place.
    """

    def __init__(self, state_dir: str, after: int = 0, place: Place = BEGINNING) -> None:
        self._cursor = Cursor(state_dir, after, place)
        self._after = after
        self._seen: object = None
        self._has_begun = False

    def news(self) -> Iterator[Record]:
        """The new records, one by one. The caller must read them to the end.

        Raises StorageError, also if the log is another now than that which was read before. After
        DamagedLog it can be asked again: it goes on behind the last whole turn.
        """
        # Look before reading: what comes while we read is then new at the next call.
        sight = self._cursor.sight()
        if sight == self._seen:
            return
        if self._has_begun:
            self._cursor.require_last()
        self._has_begun = True
        for turn in self._cursor.turns():
            for record in turn:
                if record.seq > self._after:
                    yield record
        self._seen = sight

    @property
    def torn_bytes(self) -> int:
        return self._cursor.torn_bytes

    def poll(self) -> list[Record]:
        return list(self.news())

    @property
    def turn_end(self) -> int:
        """The last record of the turn that `news` tells now, or has told last."""
        return self._cursor.seq


class Cursor:
    """A place in the log, always at the end of a whole turn, that moves forward.

    The last whole turn of the present segment is the bytes from `turn_offset` to `offset`; `seq`
    and `epoch` are those of its last record.
    """

    def __init__(self, state_dir: str, after: int = 0, place: Place = BEGINNING) -> None:
        """Begin in the segment that holds the record after `after`, or at a known place."""
        self._state_dir = state_dir
        self._after = after
        self.first = place.first  # of the present segment; 0: there was none yet
        self.seq = place.seq
        self.epoch = place.epoch
        self.turn_offset = place.turn_offset
        self.offset = place.offset

    @property
    def place(self) -> Place:
        return Place(self.first, self.turn_offset, self.offset, self.seq, self.epoch)

    @property
    def path(self) -> str:
        """The path of the present segment, as long as it is in the log."""
        return segments.path(self._state_dir, self.first)

    @property
    def torn_bytes(self) -> int:
        """How many bytes follow the last whole turn; 0 if its segment is archived."""
        try:
            return os.path.getsize(self.path) - self.offset if self.first else 0
        except FileNotFoundError:
            return 0

    def _damaged(self, offset: int, seq: int, problem: str) -> DamagedLog:
        retired = None if os.path.exists(self.path) else segments.retired(self._state_dir)
        where = self.path if retired is None else retired.get(self.first, self.path)
        return DamagedLog(where, offset, seq, problem)

    def turns(self) -> Iterator[list[Record]]:
        """The whole turns from here to the end of what is there now."""
        # List before reading: a segment that exists now proves that the earlier ones are complete.
        waiting = [first for first in self._listed() if first > self.first]
        if self.first == 0:
            if not waiting:
                return
            waiting = self._begin(waiting)
        while True:
            yield from self._segment()
            if not waiting:
                return
            if waiting[0] != self.seq + 1:
                problem = f"the next segment begins with record {waiting[0]}"
                raise self._damaged(self.offset, self.seq + 1, problem)
            self._enter(waiting.pop(0))

    def _listed(self) -> list[int]:
        """Every segment from here on; retired ones only if we are still among them."""
        live = segments.firsts(self._state_dir)
        if not live and segments.retired(self._state_dir):
            raise StorageError(
                f"{segments.folder(self._state_dir)}: its segments are gone, of which the archive "
                "has the beginning; put them back from a copy"
            )
        if live and (self.first or self._after + 1) >= live[0]:
            return live
        return sorted({*live, *segments.retired(self._state_dir)})

    def sight(self) -> object:
        """A cheap look at the end of the log. If two looks are equal, nothing came in between."""
        following = os.path.exists(segments.path(self._state_dir, self.seq + 1))
        try:
            status = os.stat(self.path)
        except OSError:
            return self.seq, following
        return self.seq, following, status.st_size, status.st_mtime_ns

    def require_last(self) -> None:
        """Raise StorageError if the last turn that was read is no longer in its place.

        Nobody else writes a record with this number in this epoch.
        """
        if self.offset == 0:
            return
        *_, last = turn_bytes(self._state_dir, self.place).splitlines(keepends=True) or [b""]
        record = decode(last)
        if record is None or (record.seq, record.epoch) != (self.seq, self.epoch):
            raise StorageError(
                f"{self.path}: no longer has record {self.seq} as it was read before: the log was "
                "cut, or put back from a copy"
            )

    def _begin(self, firsts: list[int]) -> list[int]:
        """Enter the segment that holds the record after `after`; returns the later segments."""
        at_or_before = [first for first in firsts if first <= self._after + 1]
        if not at_or_before:
            file, seq = segments.path(self._state_dir, firsts[0]), self._after + 1
            raise DamagedLog(file, 0, seq, f"the log begins with record {firsts[0]}")
        self._enter(at_or_before[-1])
        return firsts[len(at_or_before) :]

    def _enter(self, first: int) -> None:
        self.first, self.seq = first, first - 1
        self.turn_offset = self.offset = 0

    def _segment(self) -> Iterator[list[Record]]:
        """The whole turns of the present segment, from `offset` on."""
        data = self._rest()
        while True:
            base = self.offset
            stop = yield from self._whole_turns(data)
            left = data[self.offset - base :]
            problem = stop.problem or _later_turn(left, self.seq + 1)
            if not problem:
                return  # at the end, or before a torn tail
            data = self._rest()
            if data.startswith(left):
                raise self._damaged(stop.offset, stop.seq, problem)

    def _whole_turns(self, data: bytes) -> Generator[list[Record], None, "_Stop"]:
        """Go over the whole turns at the start of `data`, up to the first bad line."""
        turn: list[Record] = []
        size = 0
        problem = ""
        for line in BytesIO(data):
            record = decode(line)
            if record is None or (problem := self._misfit(record, turn)):
                break
            turn.append(record)
            size += len(line)
            if ends_turn(line):
                self.turn_offset, self.offset = self.offset, self.offset + size
                self.seq, self.epoch = record.seq, record.epoch
                yield turn
                turn, size = [], 0
        return _Stop(self.offset + size, self.seq + len(turn) + 1, problem)

    def _misfit(self, record: Record, turn: list[Record]) -> str:
        """Why a good record does not belong here; a torn write never leaves a good record."""
        if record.seq != self.seq + len(turn) + 1:
            return f"record {record.seq} is in its place"
        if record.turn != self.seq + 1:
            return f"it names {record.turn} as the first of its turn, which is {self.seq + 1}"
        epoch = turn[-1].epoch if turn else self.epoch
        if record.epoch < epoch:
            return f"a controller of epoch {record.epoch} wrote after one of epoch {epoch}"
        return ""

    def _rest(self) -> bytes:
        return segments.read(self._state_dir, self.first, self.offset)


class _Stop(NamedTuple):
    """Where the whole turns end, which record should follow, and why a good record doesn't fit."""

    offset: int
    seq: int
    problem: str


def _later_turn(left: bytes, turn: int) -> str:
    """A record in `left` that proves that the turn beginning with record `turn` was synced."""
    at = left.find(OPENING)
    while at >= 0:
        end = left.find(b"\n", at) + 1
        if end == 0:
            return ""
        record = decode(left[at:end])
        if record is not None and record.turn != turn:
            return f"record {record.seq} of a later turn comes after it"
        at = left.find(OPENING, at + 1 if record is None else end)
    return ""
