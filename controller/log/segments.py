"""The files of the log: STATE/log/<seq of the first record, 20 digits>.jsonl.

A segment is created only after everything before its first record was synced. So its name alone
proves that the records before it were acknowledged, even if it is still empty.

Retired segments are compressed, as STATE/archive/<batch>/<the same name>.zst. Only commands about
the past read them.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress

from controller.errors import StorageError
from controller.regular import first_of, open_regular, private, rest_of

# Bytes of a segment that is read; a turn is written only if its segment has no more.
SEGMENT_BYTES_MAX = 512 << 20

_NAME = re.compile(r"(\d{20})\.jsonl")
_BATCH_NAME = re.compile(r"\d{20}")
_RETIRED_NAME = re.compile(r"(\d{20})\.jsonl\.zst")

# macOS has no fdatasync; its fsync reaches the drive, if not always the platter.
sync = getattr(os, "fdatasync", os.fsync)


def folder(state_dir: str) -> str:
    return os.path.join(state_dir, "log")


def path(state_dir: str, first: int) -> str:
    return os.path.join(state_dir, "log", f"{first:020}.jsonl")


def firsts(state_dir: str) -> list[int]:
    """The first sequence number of every segment, in order. Other files are ignored.

    While segments are created, a listing may have a later segment but miss an earlier one. A second
    listing is complete up to the newest segment of the first listing.
    """
    seen = _listed(state_dir)
    return [first for first in _listed(state_dir) if first <= seen[-1]] if seen else []


def _listed(state_dir: str) -> list[int]:
    try:
        names = os.listdir(folder(state_dir))
    except FileNotFoundError:
        return []  # no controller was here yet
    except OSError as error:
        raise StorageError(f"{folder(state_dir)}: can't be read: {error.strerror}") from error
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def retired(state_dir: str) -> dict[int, str]:
    """The path of each archived segment by its first record, in order."""
    found = {
        int(fits[1]): path
        for path in in_archive(state_dir)
        if (fits := _RETIRED_NAME.fullmatch(os.path.basename(path)))
    }
    return dict(sorted(found.items()))


def archive_folder(state_dir: str) -> str:
    return os.path.join(state_dir, "archive")


def batches(state_dir: str) -> list[str]:
    """The folders of the archive, the oldest first. Other files are ignored."""
    archive = archive_folder(state_dir)
    with suppress(FileNotFoundError, NotADirectoryError):
        names = sorted(filter(_BATCH_NAME.fullmatch, os.listdir(archive)))
        return [path for name in names if os.path.isdir(path := os.path.join(archive, name))]
    return []


def in_archive(state_dir: str) -> Iterator[str]:
    """Every file of every batch, the oldest batch first."""
    for batch in batches(state_dir):
        with suppress(FileNotFoundError):  # dropped meanwhile
            yield from (os.path.join(batch, name) for name in os.listdir(batch))


def read(state_dir: str, first: int, offset: int = 0, size: int = -1) -> bytes:
    """`size` bytes of a segment from `offset` on, or all that follow; archived or not."""
    place = path(state_dir, first)
    try:
        with open(open_regular(place), "rb", buffering=0) as file:
            file.seek(offset)
            if size >= 0:
                return first_of(file.fileno(), min(size, SEGMENT_BYTES_MAX))
            return rest_of(file.fileno(), SEGMENT_BYTES_MAX, place)
    except FileNotFoundError as error:
        where = retired(state_dir).get(first)
        if where is None and any(later > first for later in firsts(state_dir)):
            raise StorageError(
                f"{place}: is gone: it was dropped from the archive (--keep-archive), or deleted"
            ) from error
        if where is None:
            raise StorageError(f"{place}: can't be read: {error.strerror}") from error
    except OSError as error:
        raise StorageError(
            f"{place}: can't be read: {error.strerror}; put it back from a copy"
        ) from error
    from controller.log.packed import unpacked  # only commands about the past need it

    data = unpacked(where)[offset:]
    return data if size < 0 else data[:size]


def create(path: str) -> int:
    """A new, empty segment that a power cut can't take away again; its descriptor."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fsync(fd)
        sync_folder(os.path.dirname(path))
    except BaseException:
        os.close(fd)
        raise
    return fd


def write(path: str, *parts: bytes) -> None:
    """Write a file for its owner alone. Its content is durable after this, its name is not yet."""
    with open(path, "wb", opener=private) as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
