"""The files of the log: STATE/log/<seq of the first record, 20 digits>.jsonl.

A segment is created only after everything before its first record was synced. So its name alone
proves that the records before it were acknowledged, whether or not anything stands in it yet.
"""

import os
import re

from controller.errors import StorageError

_NAME = re.compile(r"(\d{20})\.jsonl")

# macOS has no fdatasync; its fsync reaches the drive, if not always the platter.
sync = getattr(os, "fdatasync", os.fsync)


def folder(state_dir: str) -> str:
    return os.path.join(state_dir, "log")


def path(state_dir: str, first: int) -> str:
    return os.path.join(state_dir, "log", f"{first:020}.jsonl")


def firsts(state_dir: str) -> list[int]:
    """The first sequence number of every segment, in order. Other files are passed over.

    While segments are being made a listing may have a later one and not an earlier one. A second
    listing has every segment older than the newest of the first, so up to that one it is complete.
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


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
