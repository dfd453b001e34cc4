"""What is wrong with a damaged log, what cutting it would lose, and the cut.

A log that is damaged in front of good records is refused by everybody else, since records that were
acknowledged can't be read. What stands before the damage is whole. To go on from there all that is
behind it has to go: the state cannot be folded over a gap. So what would be lost is told first, by
the good records that can still be found there, and what is cut is kept in a folder of its own.

Damage before the newest good snapshot harms nobody: reading begins behind it.
"""

import os
import shutil
from collections.abc import Iterator
from itertools import chain, count

from msgspec import Struct

from controller.errors import MEND_DISK, StorageError
from controller.log import segments
from controller.log.lock import noted_end
from controller.log.reader import Cursor, DamagedLog, Place
from controller.log.records import OPENING, decode
from controller.log.snapshots import newest
from controller.model.apply import replay
from controller.model.events import Record
from controller.model.state import State


class Finding(Struct, frozen=True):
    """`state` is that before the damage, at `place`; `behind` what can be read behind it."""

    state: State
    place: Place
    damage: DamagedLog | None = None
    behind: tuple[Record, ...] = ()
    torn_bytes: int = 0  # behind the last whole turn of a log that is not damaged
    missing: int = 0  # records that it had behind its end


def examine(state_dir: str) -> Finding:
    """Reads and changes nothing. Raises StorageError where nothing at all is left to go on from."""
    state, place = newest(state_dir)
    cursor = Cursor(state_dir, place.seq, place)
    try:
        replay(chain.from_iterable(cursor.turns()), state)
    except DamagedLog as damage:
        if cursor.seq == 0:
            raise
        behind = tuple(_readable(state_dir, cursor.place))
        return Finding(state, cursor.place, damage, behind)
    torn = cursor.torn_bytes
    missing = 0 if torn else max(0, noted_end(state_dir) - state.seq)
    return Finding(state, cursor.place, torn_bytes=torn, missing=missing)


def cut(state_dir: str, place: Place) -> str:
    """Keep what is behind `place` in a folder, which is returned, and end the log there.

    The caller holds the lock. Killed at any point, a part of it has been kept and nothing is lost;
    done again it does the rest.
    """
    names = (f"cut-{place.seq + 1}-{n}" for n in count(1))
    folder = segments.folder(state_dir)
    if place.first not in segments.firsts(state_dir):
        raise StorageError(
            f"{segments.retired(state_dir).get(place.first, folder)}: what is damaged lies in the "
            "archive, so the log can't be cut there; put it back from a copy"
        )
    kept = next(path for name in names if not os.path.exists(path := os.path.join(folder, name)))
    affected = [first for first in segments.firsts(state_dir) if first >= place.first]
    try:
        os.mkdir(kept, 0o700)
        for first in affected:
            shutil.copy2(segments.path(state_dir, first), kept)
        _sync_all(kept)
        segments.sync_folder(folder)
        for first in reversed(affected[1:]):
            os.unlink(segments.path(state_dir, first))
        segments.sync_folder(folder)
        with open(segments.path(state_dir, place.first), "r+b") as file:
            file.truncate(place.offset)
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"{error.filename or kept}: {error.strerror}; {MEND_DISK}") from error
    return kept


def _readable(state_dir: str, place: Place) -> Iterator[Record]:
    """Every record behind `place` whose line is good, in order of the files."""
    for first in segments.firsts(state_dir):
        if first < place.first:
            continue
        with open(segments.path(state_dir, first), "rb") as file:
            file.seek(place.offset if first == place.first else 0)
            yield from _good_lines(file.read())


def _good_lines(data: bytes) -> Iterator[Record]:
    at = data.find(OPENING)
    while at >= 0:
        end = data.find(b"\n", at) + 1 or len(data)
        record = decode(data[at:end])
        if record is not None:
            yield record
        # Not by newlines: a damaged one joins two lines.
        at = data.find(OPENING, at + 1 if record is None else end)


def _sync_all(folder: str) -> None:
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            os.fsync(file.fileno())
    segments.sync_folder(folder)
