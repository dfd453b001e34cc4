"""What is wrong with a damaged log, what a cut would lose, and the cut itself.

If a log is damaged and good records follow, all other code refuses it, because acknowledged records
can't be read. The records before the damage are whole. To go on from there, everything after the
damage must be cut, because a state can't be folded over a gap. So `examine` first shows the good
records that a cut would lose, and `cut` keeps what it removes in a separate folder.

Damage before the newest good snapshot does no harm, because reading begins after it.
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
from controller.model.apply.fold import replay
from controller.model.events import Record
from controller.model.state import State


class Finding(Struct, frozen=True):
    """`state` is the state before the damage, at `place`; `behind`: readable records after it."""

    state: State
    place: Place
    damage: DamagedLog | None = None
    behind: tuple[Record, ...] = ()
    torn_bytes: int = 0  # after the last whole turn of a log that is not damaged
    missing: int = 0  # records that the log had after its present end


def examine(state_dir: str) -> Finding:
    """Changes nothing. Raises StorageError if there is no good record to go on from."""
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
    """Copy everything after `place` to a folder, end the log at `place`, and return the folder.

    The caller holds the lock. If this is killed at any point, nothing is lost; a second call does
    the rest.
    """
    names = (f"cut-{place.seq + 1}-{n}" for n in count(1))
    folder = segments.folder(state_dir)
    if place.first not in segments.firsts(state_dir):
        raise StorageError(
            f"{segments.retired(state_dir).get(place.first, folder)}: the damage is in the "
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
    """Every record after `place` whose line is good, in order of the files."""
    for first in segments.firsts(state_dir):
        if first < place.first:
            continue
        offset = place.offset if first == place.first else 0
        yield from _good_lines(segments.read(state_dir, first, offset))


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
