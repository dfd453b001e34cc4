"""Snapshots: the state at a place of the log, so that nobody has to fold all of the log.

STATE/snapshots/<sequence number, 20 digits>.json: a line with the CRC-32 of all that follows, in
hex; a line that says where in the log it was taken; and the image of the state. A snapshot counts
if and only if

  - its checksum is right, and this version reads it;
  - the log still has, at that place, the same turn after which it was taken.

Any other file is ignored: a snapshot is a cache, never the truth. So it may include turns whose
sync has not ended, and if all snapshots are deleted, that only costs time.

If taking one is killed at any point, it leaves nothing, or a file that is ignored and that the next
one removes. The newest two are kept: if one is damaged, the other saves most of the work.

A checkpoint, STATE/log/<sequence number>.checkpoint, is a snapshot that became the truth: the
segments before it may be gone (`archive`). So it is read even if another version wrote it, and it
is only made from records that are certainly on the disk.
"""

import fcntl
import gc
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from zlib import crc32

import msgspec
from msgspec import Struct

from controller.errors import StorageError
from controller.log import segments
from controller.log.reader import BEGINNING, Cursor, Place, turn_bytes
from controller.model.apply.fold import replay
from controller.model.state import State
from controller.regular import open_regular

KEPT = 2
HEAD_BYTES_MAX = 4096
SNAPSHOT_BYTES_MAX = 1 << 30

_NAME = re.compile(r"(\d{20})\.(?:json|checkpoint)")


class Head(Struct, frozen=True, kw_only=True):
    """The second line of a snapshot."""

    snapshot: int = 1
    place: Place
    time: int  # of the last record, in microseconds since 1970
    turn_crc: int  # of the bytes of the last turn


class Snapshot(Struct, frozen=True):
    path: str
    place: Place
    time: int
    image: bytes


def folder(state_dir: str) -> str:
    return os.path.join(state_dir, "snapshots")


def checkpoint_path(state_dir: str, seq: int) -> str:
    return os.path.join(state_dir, "log", f"{seq:020}.checkpoint")


def seqs(state_dir: str) -> list[int]:
    """The sequence numbers of all snapshots that are there, good or bad, the newest first."""
    return [seq for seq, path in _present(state_dir) if not _is_checkpoint(path)]


def checkpoints(state_dir: str) -> list[int]:
    """The sequence numbers of the checkpoints in the log, good or bad, the newest first."""
    return [seq for seq, path in _present(state_dir) if _is_checkpoint(path)]


def good(state_dir: str, seq_max: int | None = None) -> Iterator[Snapshot]:
    """Snapshots and checkpoints that count, the newest first; none after `seq_max` is read."""
    for seq, path in chain(_present(state_dir), _past(state_dir)):
        wanted = seq_max is None or seq <= seq_max
        snapshot = load(state_dir, path) if wanted else None
        if snapshot is not None:
            yield snapshot


def oldest(state_dir: str) -> Snapshot | None:
    """The oldest one: it gives the longest history."""
    paths = [path for _, path in chain(_present(state_dir), _past(state_dir))]
    return next(filter(None, (load(state_dir, path) for path in reversed(paths))), None)


def _present(state_dir: str) -> list[tuple[int, str]]:
    """Snapshots and the checkpoint, by their names, the newest first."""
    found: list[tuple[int, str]] = []
    for where in (folder(state_dir), os.path.join(state_dir, "log")):
        with suppress(OSError):
            found += _named(os.path.join(where, name) for name in os.listdir(where))
    return sorted(found, reverse=True)


def _past(state_dir: str) -> Iterator[tuple[int, str]]:
    """Checkpoints in the archive, the newest first; the search starts only when it is needed."""
    yield from sorted(_named(segments.in_archive(state_dir)), reverse=True)


def _named(paths: Iterable[str]) -> Iterator[tuple[int, str]]:
    for path in paths:
        if found := _NAME.fullmatch(os.path.basename(path)):
            yield int(found[1]), path


def _is_checkpoint(path: str) -> bool:
    return path.endswith(".checkpoint")


def newest(
    state_dir: str, seq_max: int | None = None, time_max: int | None = None
) -> tuple[State, Place]:
    """The state of the newest one within the limits, and its place; else an empty state."""
    for snapshot in good(state_dir, seq_max):
        if time_max is not None and snapshot.time > time_max:
            continue
        state = _thawed(snapshot)
        if state is not None:
            return state, snapshot.place
    return State(), BEGINNING


def _thawed(snapshot: Snapshot) -> State | None:
    from controller.model.image import NoImage, thaw  # slow to load; most logs are short

    # Nothing of an image becomes garbage, and collecting would take longer than all the rest.
    collects = gc.isenabled()
    gc.disable()
    try:
        return thaw(snapshot.image, by_any=_is_checkpoint(snapshot.path))
    except NoImage:
        return None
    finally:
        if collects:
            gc.enable()


def load(state_dir: str, path: str) -> Snapshot | None:
    """The snapshot or checkpoint in that file, if it counts."""
    try:
        with open(open_regular(path), "rb") as file:
            crc, line = file.readline(HEAD_BYTES_MAX), file.readline(HEAD_BYTES_MAX)
            head = msgspec.json.decode(line, type=Head)
            turn = turn_bytes(state_dir, head.place)
            if crc32(turn) != head.turn_crc or os.fstat(file.fileno()).st_size > SNAPSHOT_BYTES_MAX:
                return None
            image = file.read()
        if crc != _checksum(line, image):
            return None
    except (OSError, StorageError, msgspec.DecodeError, RecursionError, MemoryError):
        return None
    named = os.path.basename(path).partition(".")[0]
    if head.place.seq != int(named):
        return None
    return Snapshot(path, head.place, head.time, image)


def _checksum(line: bytes, image: bytes) -> bytes:
    return b"%08x\n" % crc32(image, crc32(line))


def _path(state_dir: str, seq: int) -> str:
    return os.path.join(folder(state_dir), f"{seq:020}.json")


# ---------------------------------------- taking one


@contextmanager
def only_one(state_dir: str) -> Iterator[bool]:
    """Whether nobody else does this now; nobody else can begin before the block ends."""
    os.makedirs(folder(state_dir), mode=0o700, exist_ok=True)
    lock = open_regular(os.path.join(folder(state_dir), "lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def fold_on(state_dir: str) -> tuple[State, Place]:
    """Take a snapshot at the end of the log; returns its state, and the place of the one before."""
    state, place = newest(state_dir)
    cursor = Cursor(state_dir, place.seq, place)
    replay(chain.from_iterable(cursor.turns()), state)
    if cursor.seq > place.seq:
        write(state_dir, state, cursor.place)
    _clear_away(state_dir)
    return state, place


def write(state_dir: str, state: State, place: Place) -> None:
    """Write a snapshot: it is there whole or not at all, even after a power cut."""
    from controller.model.image import freeze

    head = Head(place=place, time=state.time, turn_crc=crc32(turn_bytes(state_dir, place)))
    line, image = msgspec.json.encode(head) + b"\n", freeze(state)
    path = _path(state_dir, place.seq)
    segments.write(path + ".new", _checksum(line, image), line, image)
    os.rename(path + ".new", path)


def _clear_away(state_dir: str) -> None:
    """Keep the newest good ones; remove all others, and unfinished files."""
    snapshots = [path for _, path in _present(state_dir) if not _is_checkpoint(path)]
    kept = islice((path for path in snapshots if load(state_dir, path)), KEPT)
    wanted = {os.path.basename(path) for path in kept}
    for name in os.listdir(folder(state_dir)):
        if name not in wanted | {"lock", "errors"}:
            with suppress(IsADirectoryError):  # it is not ours
                os.unlink(os.path.join(folder(state_dir), name))
