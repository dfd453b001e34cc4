"""The archive of the past. It keeps short what is read at a start, and limits the room on the disk.

If a snapshot lies in a later segment than the first, the segments before it are retired:

  1. a batch, STATE/archive/<sequence number>/, is made and synced under another name, then renamed.
     It holds the segments, compressed; the checkpoint before, from which they can be folded; what
     the attempts printed that the state no longer knows, in one file; an index;
  2. the snapshot becomes the checkpoint, STATE/log/<the same number>.checkpoint;
  3. only the next time are the segments, outputs and the old checkpoint deleted. So somebody who
     copies the folder meanwhile finds every file that was listed. What such attempts handed on, or
     got as files, and the work folders of lives that left the state are then deleted as well.

If this is killed at any point, nothing is lost: a batch without its checkpoint does not count and
is made again, and deleting can be done later. The snapshot is always the second newest, because a
later snapshot proves that the turn before it was synced. When the batches take too much room, the
oldest are deleted first.

Only one process beside the controller (`upkeep`) writes here; everybody else only reads.
"""

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import IO

import msgspec
from msgspec import Struct

from controller.errors import StorageError
from controller.log import segments
from controller.log.reader import BEGINNING, Place
from controller.log.records import decode
from controller.log.snapshots import (
    SNAPSHOT_BYTES_MAX,
    checkpoint_path,
    checkpoints,
    folder,
    load,
    oldest,
    seqs,
)
from controller.model.events import LifeArchived
from controller.model.image import NoImage, thaw
from controller.model.places import env_file, may_go, output_file, parts_file, work_folder
from controller.model.state import State
from controller.regular import folder_of, read_whole, remove_below

OUTPUTS_MIN = 1000  # so many files are worth a batch even without a segment
SEQ_DIGITS = 20
INDEX, OUTPUTS = "index.json", "outputs.tar.zst"
INDEX_BYTES_MAX = 256 << 20


class ArchivedLife(Struct, frozen=True):
    """A life that left the state with record `seq`, at `time` (microseconds since 1970)."""

    uid: str
    workflow: str
    seq: int
    time: int
    message: str


class Index(Struct, frozen=True):
    """What a batch holds."""

    lives: list[ArchivedLife]
    outputs: dict[str, int]  # file below STATE -> its size
    dropped: list[str] = []  # files and folders below STATE that go as well, and are not kept


# ---------------------------------------- reading


def beginning(state_dir: str) -> tuple[State, Place]:
    """Where history begins: at the first record, or at the oldest checkpoint that was kept."""
    firsts = segments.firsts(state_dir)
    if not firsts or firsts[0] == 1 or 1 in segments.retired(state_dir):
        return State(), BEGINNING
    first = oldest(state_dir)
    if first is None:
        raise StorageError(
            f"{segments.folder(state_dir)}: the log begins with record {firsts[0]}, and there is "
            "no checkpoint to begin from; put both back from a copy"
        )
    try:
        return thaw(first.image, by_any=True), first.place
    except NoImage as problem:
        raise StorageError(f"{first.path}: can't be read by this version: {problem}") from problem


def lives(state_dir: str) -> Iterator[ArchivedLife]:
    """Every archived life in the history that was kept, the latest first."""
    live = segments.firsts(state_dir)
    for first in reversed(live):
        yield from reversed(list(_archived_in(segments.read(state_dir, first))))
    for path, index in _indexes(state_dir):
        if index is None:
            raise StorageError(f"{path}: damaged; put it back from a copy, or remove it")
        # The batch may also have segments that are not yet deleted from the log.
        yield from (life for life in reversed(index.lives) if not live or life.seq < live[0])


def output(state_dir: str, name: str) -> IO[bytes] | None:
    """The output `name` (below STATE) of an attempt, from the archive; None if it has none."""
    from controller.log.packed import unpack_output  # not for those who only look at the present

    for path, index in _indexes(state_dir):
        if index is not None and name in index.outputs:
            return unpack_output(os.path.join(os.path.dirname(path), OUTPUTS), name, index.outputs)
    return None


def _indexes(state_dir: str) -> Iterator[tuple[str, Index | None]]:
    """Of every batch, the newest first; None for one that can't be read."""
    for path in reversed([*segments.in_archive(state_dir)]):
        if os.path.basename(path) == INDEX:
            yield path, _index(path)


def _index(path: str) -> Index | None:
    try:
        return msgspec.json.decode(read_whole(path, INDEX_BYTES_MAX), type=Index)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def _archived_in(data: bytes) -> Iterator[ArchivedLife]:
    place = 0
    while (place := data.find(b'"LifeArchived"', place)) >= 0:
        begin, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place) + 1 or len(data)
        record, place = decode(data[begin:end]), end
        if record is not None and isinstance(record.event, LifeArchived):
            event = record.event
            yield ArchivedLife(event.uid, event.workflow, record.seq, record.time, event.message)


# ---------------------------------------- retiring


def outputs(state_dir: str) -> list[str]:
    """What attempts wrote or got, as paths below STATE."""
    lives = _listed(state_dir, "runs")
    return [path for life in lives for path in _listed(state_dir, life) if _is_of_attempt(path)]


def _is_of_attempt(path: str) -> bool:
    """Whether it is one attempt's, `STEP.N` with an ending: all else is of the whole life."""
    return os.path.splitext(path)[0].rpartition(".")[2].isdigit()


def _listed(state_dir: str, folder: str) -> list[str]:
    """What is in a folder, as paths below STATE; nothing, if it is a link to somewhere else."""
    with suppress(OSError):
        if not os.path.islink(os.path.join(state_dir, folder)):
            return [f"{folder}/{name}" for name in os.listdir(os.path.join(state_dir, folder))]
    return []


def unknown(state: State, written: Iterable[str]) -> list[str]:
    """What belongs to attempts that have left `state`.

    `written` was listed before the log was read, because the state can't know about newer outputs.
    """
    known = {
        os.path.splitext(attempt.log)[0]
        for life in state.lives.values()
        for step in life.with_hooks
        for attempt in step.attempts
    }
    return [name for name in written if os.path.splitext(name)[0] not in known]


def retire(state_dir: str, place: Place, unknown: Collection[str]) -> list[str]:
    """Make a batch of the segments before `place` and of what is `unknown`, if that is worth it.

    There is a snapshot at `place`, and it is not the newest. All that is left of the lives whose
    end is in these segments goes as well: no record that is yet to come can name it. Returns the
    outputs that are too large for a batch: they stay.
    """
    from controller.log.packed import OUTPUT_BYTES_MAX, pack, pack_outputs

    old = [first for first in segments.firsts(state_dir) if first < place.first]
    snapshot = os.path.join(folder(state_dir), f"{place.seq:020}.json")
    if not old and len(unknown) < OUTPUTS_MIN:
        return []
    newer = any(seq > place.seq for seq in seqs(state_dir))
    if not newer or not os.path.exists(snapshot) or place.seq in checkpoints(state_dir):
        return []
    batch = os.path.join(segments.archive_folder(state_dir), f"{place.seq:020}")
    making = f"{batch}.new"
    os.makedirs(making, mode=0o700)
    archived: list[ArchivedLife] = []
    for first in old:
        data = segments.read(state_dir, first)
        pack(os.path.join(making, f"{first:020}.jsonl.zst"), data)
        archived += _archived_in(data)
    for before in checkpoints(state_dir):
        _copy(checkpoint_path(state_dir, before), making)
    gone = dict.fromkeys([*unknown, *_left_by(state_dir, archived)])
    kept = dict.fromkeys(name for name in gone if _is_kept(state_dir, name))
    large = {name for name in kept if _size_below(state_dir, name) > OUTPUT_BYTES_MAX}
    packed = [name for name in kept if name not in large]
    sizes = pack_outputs(state_dir, packed, os.path.join(making, OUTPUTS))
    index = Index(archived, sizes, dropped=[name for name in gone if name not in kept])
    segments.write(os.path.join(making, INDEX), msgspec.json.encode(index))
    segments.sync_folder(making)
    os.rename(making, batch)
    segments.sync_folder(segments.archive_folder(state_dir))
    checkpoint = checkpoint_path(state_dir, place.seq)
    segments.write(checkpoint + ".new", read_whole(snapshot, SNAPSHOT_BYTES_MAX))
    os.rename(checkpoint + ".new", checkpoint)
    segments.sync_folder(segments.folder(state_dir))
    return sorted(large)


def finish(state_dir: str) -> None:
    """Delete what is no longer needed since the checkpoint, and what unfinished batches left."""
    newest, *older = checkpoints(state_dir) or [0]
    for batch in segments.batches(state_dir):
        if _is_premature(state_dir, batch, newest):
            _drop_batch(batch)
    for batch in _unfinished(segments.archive_folder(state_dir), ".new", ".old"):
        _drop_batch(batch)
    for path in _unfinished(segments.folder(state_dir), ".checkpoint.new"):
        os.unlink(path)
    checkpoint = load(state_dir, checkpoint_path(state_dir, newest)) if newest else None
    if checkpoint is None:
        return
    index = _index(os.path.join(segments.archive_folder(state_dir), f"{newest:020}", INDEX))
    if index is not None:
        _delete_outputs(state_dir, index.outputs)
        for name in index.dropped:
            _drop(state_dir, name)
    for first in segments.firsts(state_dir):  # the oldest first, so that there is never a gap
        if first < checkpoint.place.first:
            os.unlink(segments.path(state_dir, first))
    for seq in older:
        os.unlink(checkpoint_path(state_dir, seq))


def _unfinished(folder: str, *endings: str) -> list[str]:
    """What retire() or prune() left when it was killed; the name shows that it is ours."""
    with suppress(FileNotFoundError):
        ours = (name for name in os.listdir(folder) if name[:SEQ_DIGITS].isdigit())
        return [os.path.join(folder, name) for name in ours if name.endswith(endings)]
    return []


def _is_premature(state_dir: str, batch: str, newest: int) -> bool:
    """It has no checkpoint yet, and everything in it also exists elsewhere: it is made again."""
    if int(os.path.basename(batch)) <= newest:
        return False
    live = set(segments.firsts(state_dir))
    held = {int(name[:SEQ_DIGITS]) for name in os.listdir(batch) if name.endswith(".jsonl.zst")}
    index = _index(os.path.join(batch, INDEX))
    packed = index.outputs if index is not None else {}
    return held <= live and all(_size_below(state_dir, name) >= 0 for name in packed)


def prune(state_dir: str, bytes_max: int) -> None:
    """Drop the oldest batches while all of them take more than `bytes_max`.

    The newest stays until finish() has deleted what it holds from its old place.
    """
    sizes = {batch: _size(batch) for batch in segments.batches(state_dir)}
    for batch in list(sizes)[:-1]:
        if sum(sizes.values()) <= bytes_max:
            return
        del sizes[batch]
        os.rename(batch, f"{batch}.old")
        _drop_batch(f"{batch}.old")


def _drop_batch(path: str) -> None:
    remove_below(*os.path.split(path))


def _left_by(state_dir: str, lives: Iterable[ArchivedLife]) -> Iterator[str]:
    """What is left of these lives, as paths below STATE."""
    for life in lives:
        yield from _listed(state_dir, f"runs/{life.uid}")
        if os.path.lexists(os.path.join(state_dir, work_folder(life.uid))):
            yield work_folder(life.uid)


def _is_kept(state_dir: str, name: str) -> bool:
    """Whether it stays in the archive: a file, for opening a pipe, say, could wait for ever."""
    with suppress(OSError):
        regular = stat.S_ISREG(os.lstat(os.path.join(state_dir, name)).st_mode)
        return regular and not name.endswith((output_file(""), parts_file(""), env_file("")))
    return False


def _delete_outputs(state_dir: str, sizes: dict[str, int]) -> None:
    """The packed files, unless somebody has written to them since."""
    for name, size in sizes.items():
        if may_go(name) and _size_below(state_dir, name) == size:
            _drop(state_dir, name)


def _drop(state_dir: str, name: str) -> None:
    """Remove what is of an attempt or a life, a file or a whole folder, as far as is possible."""
    if not may_go(name):
        return
    with suppress(OSError):
        remove_below(state_dir, name)
    if name.startswith("runs/"):
        with suppress(OSError), folder_of(state_dir, os.path.dirname(name)) as (runs, uid):
            os.rmdir(uid, dir_fd=runs)  # once it is empty


def _size_below(state_dir: str, name: str) -> int:
    """The size of a regular file; -1 for anything else."""
    with suppress(OSError), folder_of(state_dir, name) as (folder, last):
        status = os.lstat(last, dir_fd=folder)
        if stat.S_ISREG(status.st_mode):
            return status.st_size
    return -1


def _copy(path: str, into: str) -> None:
    copy = os.path.join(into, os.path.basename(path))
    segments.write(copy, read_whole(path, SNAPSHOT_BYTES_MAX))


def _size(folder: str) -> int:
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
