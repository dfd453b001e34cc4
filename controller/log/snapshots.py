"""Snapshots: states at a place of the log, so that nobody has to fold all of it.

STATE/snapshots/<sequence number, 20 digits>.json: a line with the CRC-32 of all that follows, in
hex; a line that says where in the log it was taken; and the image of the state. A snapshot counts
if and only if

  - its checksum is right, and this version reads it;
  - the log still has, at the place that is named, the very turn after which it was taken.

Anything else is passed over as if it were not there: a snapshot is a cache, never the truth. So one
may be taken of turns whose sync has not ended, and deleting all of them costs time alone.

They are taken by a process of their own, a reader like any other, so that the loop never waits. It
starts from the newest one, and makes sure that there is but one of its kind. Killed at any point it
leaves nothing, or a file that is passed over and removed by the next. The newest two are kept: if
one is damaged the other saves most of the way.
"""

import fcntl
import gc
import os
import re
import sys
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
from msgspec import Struct

from controller.log.reader import BEGINNING, Cursor, Place, turn_bytes
from controller.model.apply import replay
from controller.model.image import NoImage, freeze, thaw
from controller.model.state import State

if TYPE_CHECKING:
    import subprocess

KEPT = 2
EVERY_RECORDS = 50_000  # a quarter of a second of folding

_NAME = re.compile(r"(\d{20})\.json")


class Head(Struct, frozen=True, kw_only=True):
    """The second line of a snapshot."""

    snapshot: int = 1
    place: Place
    time: int  # of the last record, in microseconds since 1970
    turn_crc: int  # of the bytes of the last turn


class Snapshot(Struct, frozen=True):
    place: Place
    time: int
    image: bytes


def folder(state_dir: str) -> str:
    return os.path.join(state_dir, "snapshots")


def seqs(state_dir: str) -> list[int]:
    """The sequence numbers of all that are there, good or bad, the newest first."""
    try:
        names = os.listdir(folder(state_dir))
    except OSError:
        return []
    return sorted(
        (int(found[1]) for name in names if (found := _NAME.fullmatch(name))), reverse=True
    )


def good(state_dir: str, seq_max: int | None = None) -> Iterator[Snapshot]:
    """Those that count, the newest first; none behind record `seq_max` is read."""
    for seq in seqs(state_dir):
        wanted = seq_max is None or seq <= seq_max
        snapshot = _load(state_dir, seq) if wanted else None
        if snapshot is not None:
            yield snapshot


def newest(
    state_dir: str, seq_max: int | None = None, time_max: int | None = None
) -> tuple[State, Place]:
    """The state of the newest that is not behind the limits, else an empty one; and its place."""
    for snapshot in good(state_dir, seq_max):
        if time_max is not None and snapshot.time > time_max:
            continue
        state = _thawed(snapshot)
        if state is not None:
            return state, snapshot.place
    return State(), BEGINNING


def _thawed(snapshot: Snapshot) -> State | None:
    # What an image builds up lives on: to look for garbage meanwhile takes longer than the rest.
    collects = gc.isenabled()
    gc.disable()
    try:
        return thaw(snapshot.image)
    except NoImage:
        return None
    finally:
        if collects:
            gc.enable()


def _load(state_dir: str, seq: int) -> Snapshot | None:
    try:
        with open(_path(state_dir, seq), "rb") as file:
            crc, line, image = file.readline(), file.readline(), file.read()
        if crc != _checksum(line, image):
            return None
        head = msgspec.json.decode(line, type=Head)
        turn = turn_bytes(state_dir, head.place)
    except (OSError, msgspec.DecodeError):
        return None
    if head.place.seq != seq or crc32(turn) != head.turn_crc:
        return None
    return Snapshot(head.place, head.time, image)


def _checksum(line: bytes, image: bytes) -> bytes:
    return b"%08x\n" % crc32(image, crc32(line))


def _path(state_dir: str, seq: int) -> str:
    return os.path.join(folder(state_dir), f"{seq:020}.json")


# ---------------------------------------- taking one


class Taker:
    """Has a snapshot taken whenever enough has come since the last one; waits for nobody."""

    def __init__(self, state_dir: str) -> None:
        self._state_dir = state_dir
        self._due = next(iter(seqs(state_dir)), 0) + EVERY_RECORDS
        self._process: subprocess.Popen[bytes] | None = None

    def consider(self, seq: int) -> None:
        """The log has come to record `seq`."""
        if seq < self._due:
            return
        if self._process is None or self._process.poll() is not None:
            self._due = seq + EVERY_RECORDS
            self._process = self._begin()

    def _begin(self) -> "subprocess.Popen[bytes] | None":
        import subprocess  # not for those that only read

        # -P: nothing in the present folder can pass itself off as a module of ours.
        command = [sys.executable, "-P", "-m", "controller.log.snapshots", self._state_dir]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:  # short of processes: the next time will do
            return None


def take(state_dir: str) -> None:
    """Fold what came behind the newest snapshot, and make one of that."""
    os.makedirs(folder(state_dir), mode=0o700, exist_ok=True)
    lock = os.open(os.path.join(folder(state_dir), "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # somebody is at it
    else:
        state, place = newest(state_dir)
        cursor = Cursor(state_dir, place.seq, place)
        replay(chain.from_iterable(cursor.turns()), state)
        if cursor.seq > place.seq:
            write(state_dir, state, cursor.place)
        _clear_away(state_dir)
    finally:
        os.close(lock)


def write(state_dir: str, state: State, place: Place) -> None:
    """There whole or not at all, also after a power cut."""
    head = Head(place=place, time=state.time, turn_crc=crc32(turn_bytes(state_dir, place)))
    line, image = msgspec.json.encode(head) + b"\n", freeze(state)
    path = _path(state_dir, place.seq)
    with open(path + ".new", "wb", opener=_private) as file:
        file.writelines((_checksum(line, image), line, image))
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _clear_away(state_dir: str) -> None:
    """Keep the newest good ones, and no traces of those that were not finished."""
    kept = [snapshot.place.seq for snapshot in good(state_dir)][:KEPT]
    wanted = {os.path.basename(_path(state_dir, seq)) for seq in kept}
    for name in os.listdir(folder(state_dir)):
        if name not in wanted | {"lock"}:
            os.unlink(os.path.join(folder(state_dir), name))


if __name__ == "__main__":
    os.nice(10)
    gc.disable()  # nothing that is built up here is ever garbage
    take(sys.argv[1])
