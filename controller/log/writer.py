"""Appending to the log: one write and one fdatasync a turn; nothing is guessed.

What a new writer can trust. After a failed fsync, Linux may mark the pages as clean: what we read
back then comes from memory and proves nothing about the disk. So a write or sync that fails ends
this writer for good. And every new writer first writes the bytes of the last whole turn again and
syncs them. Only then does it cut a torn tail after that turn, when a copy of the tail is durable.

A writer needs the state folder's lock. As a second protection, a turn is written only if the
segment is exactly as long as this writer left it and still has its name: if the file grew or was
deleted, somebody else has written to it.

Cost: about 0.15 ms a turn on a local disk, nearly all of it the sync; 2 µs a record on top.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count

from controller.errors import MEND_DISK, StorageError
from controller.log import attachments, segments
from controller.log.output import last_lines
from controller.log.reader import BEGINNING, Cursor, Place
from controller.log.records import encode_turn
from controller.log.space import NO_ROOM, drop_ballast
from controller.model.events import Record
from controller.model.metrics import QuickHistogram
from controller.regular import open_regular, private

SEGMENT_SIZE_MAX = 64 << 20  # bytes; only a turn that is larger by itself makes a larger segment


class LogWriter:
    """The one writer. `seq` and `epoch` are those of the last durable record, 0 in an empty log.

    `cut` is a line for people about a torn tail that was removed at the start; else it is empty.
    `syncs` has how long each sync took.
    """

    def __init__(self, state_dir: str, place: Place = BEGINNING) -> None:
        """`place`: a turn that is known to be whole; the search for the last turn begins there."""
        self._state_dir = state_dir
        self._path = ""
        self._fd = -1
        self._size = 0  # of the segment, as this writer left it
        self._broken = ""
        self.seq = 0
        self.epoch = 0
        self.cut = ""
        self.syncs = QuickHistogram()
        try:
            self._open(place)
        except OSError as error:
            raise StorageError(_failed(segments.folder(state_dir), error)) from error

    def append(self, records: Sequence[Record]) -> None:
        """Write one turn and sync it. After a StorageError nothing is ever written again."""
        if self._broken:
            raise StorageError(f"the log takes nothing more in this process: {self._broken}")
        if not records:
            return
        try:
            self._check(records)
            self._write(records[0].seq, _readable(encode_turn(records)))
        except StorageError as error:
            self._broken = str(error)
            raise
        except OSError as error:
            self._broken = _failed(self._path, error)
            raise StorageError(self._broken) from error
        self.seq, self.epoch = records[-1].seq, records[-1].epoch

    def attach(self, files: Mapping[str, bytes]) -> None:
        """Make these files durable before the records that name them. Raises StorageError."""
        attachments.attach(self._state_dir, files)

    def last_line(self, log: str) -> str:
        return next(iter(last_lines(self._state_dir, log, 1)), "")

    def attached(self, path: str) -> bytes:
        """The content of such a file. Raises StorageError."""
        return attachments.attached(self._state_dir, path)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._broken = self._broken or "it was closed"

    def _open(self, place: Place) -> None:
        firsts = segments.firsts(self._state_dir)
        if not firsts:
            if place.first:
                raise StorageError(
                    f"{segments.folder(self._state_dir)}: its segments are gone, although there "
                    f"were {place.seq} records; put them back from a copy"
                )
            self._begin_segment(1)
            return
        cursor = _last_turn(self._state_dir, firsts, place)
        self._path = cursor.path
        self._fd = open_regular(self._path, os.O_RDWR)
        last_turn = os.pread(self._fd, cursor.offset - cursor.turn_offset, cursor.turn_offset)
        self._size = cursor.turn_offset
        self._put(last_turn)
        self.seq, self.epoch = cursor.seq, cursor.epoch
        self._cut_tail()

    def _cut_tail(self) -> None:
        """Keep a copy of what follows the last whole turn, then remove it."""
        torn = os.fstat(self._fd).st_size - self._size
        if torn == 0:
            return
        copy = _free_name(f"{self._path}.torn-{self.seq + 1}")
        with open(copy, "xb", opener=private) as file:
            file.write(os.pread(self._fd, torn, self._size))
            file.flush()
            os.fsync(file.fileno())
        segments.sync_folder(segments.folder(self._state_dir))
        os.ftruncate(self._fd, self._size)
        os.fsync(self._fd)
        self.cut = (
            f"{self._path}: the last turn was not written to its end; cut off {torn} bytes after "
            f"record {self.seq} and kept them in {copy}"
        )

    def _check(self, records: Sequence[Record]) -> None:
        """The same checks as in `Cursor`: never write what a reader would refuse."""
        turn, epoch = self.seq + 1, self.epoch
        for seq, record in enumerate(records, start=turn):
            if record.seq != seq or record.turn != turn or record.epoch < epoch:
                raise StorageError(
                    f"record {record.seq} of turn {record.turn} and epoch {record.epoch} can't "
                    f"follow record {seq - 1} of epoch {epoch}"
                )
            epoch = record.epoch

    def _write(self, first: int, data: bytes) -> None:
        status = os.fstat(self._fd)
        if status.st_nlink == 0 or status.st_size != self._size:
            sight = "was deleted" if status.st_nlink == 0 else f"now has {status.st_size} bytes"
            raise StorageError(
                f"{self._path}: {sight}, this controller left it with {self._size}: somebody else "
                "wrote here, so nothing more is started; see who, then start again"
            )
        if self._size and self._size + len(data) > SEGMENT_SIZE_MAX:
            os.close(self._fd)
            _make_room_for(self._state_dir, partial(self._begin_segment, first))
        self._put(data)

    def _begin_segment(self, first: int) -> None:
        self._fd, self._size = -1, 0
        self._path = segments.path(self._state_dir, first)
        self._fd = segments.create(self._path)

    def _put(self, data: bytes) -> None:
        """All of `data` at `_size`, on the disk when this returns."""
        _make_room_for(self._state_dir, partial(self._write_at, self._size, data))
        begun = time.perf_counter_ns()
        segments.sync(self._fd)
        self.syncs.add((time.perf_counter_ns() - begun) // 1000)

    def _write_at(self, offset: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            written = os.pwrite(self._fd, left, offset)
            offset += written
            left = left[written:]
        self._size = offset


def _readable(turn: bytes) -> bytes:
    """The turn, unless no reader would take a segment of its size. Raises StorageError."""
    if len(turn) > segments.SEGMENT_BYTES_MAX:
        raise StorageError(
            f"a turn of {len(turn):,} bytes can't be written: nobody reads more than "
            f"{segments.SEGMENT_BYTES_MAX:,}; add fewer specs at once"
        )
    return turn


def _make_room_for(state_dir: str, write: Callable[[], None]) -> None:
    """Write; on a full disk once more, without the ballast. It frees an inode as well."""
    try:
        write()
    except OSError as error:
        if error.errno not in NO_ROOM or not drop_ballast(state_dir):
            raise
        write()


def _last_turn(state_dir: str, firsts: list[int], place: Place) -> Cursor:
    """A cursor at the end of the last whole turn; segments after it may hold no whole turn."""
    cursor = Cursor(state_dir, place=place)
    for first in reversed(firsts):
        known = place if first <= place.first else BEGINNING
        cursor = Cursor(state_dir, after=known.seq or first - 1, place=known)
        for _turn in cursor.turns():
            pass
        if cursor.epoch:
            break
    return cursor


def _free_name(path: str) -> str:
    names = (f"{path}-{n}" for n in count(1))
    return next(name for name in names if not os.path.exists(name))


def _failed(path: str, error: OSError) -> str:
    return (
        f"{error.filename or path}: {error.strerror}: the log can't be written, so nothing more is "
        f"started; {MEND_DISK}"
    )
