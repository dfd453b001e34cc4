"""Room on the disk of the state folder: what is kept free, and what is kept in reserve.

A full disk loses no data, but it stops the controller, and then nobody sees how running steps end.
So while less than a watermark is free, nothing new is started; running steps go on, and their ends
are recorded. Bytes count, and so do inodes, since every attempt needs one for its output. What a
quota takes away the file system does not tell: there the disk counts as full while the status file
finds no room. If the disk fills up anyway, there is the ballast: a file that is only there to be
deleted, so that the present turn and the ends of running steps have room.

The same check shows whether the state folder is still the one of the start. If it was moved, no
more records are written to it, because nobody would find them.

Cost: a `stat` and a `statvfs` a second at most; two megabytes.
"""

import contextlib
import errno
import os
import time

from controller.errors import MEND_DISK, StorageError
from controller.regular import open_regular

MIN_FREE_BYTES = 1 << 30
MIN_FREE_INODES = 10_000  # some seconds of the shortest steps
MIN_FREE_SHARE = 0.05  # of the file system, where that is less
LOOK_SECONDS = 1.0
BALLAST_BYTES = 2 << 20
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class DiskSpace:
    """Implements `ports.Space`. `min_free`: the watermark in bytes; None: the default, 0: none.

    `refused`: why something found no room when it was last written; empty if it did.
    """

    def __init__(self, state_dir: str, min_free: int | None = None) -> None:
        self._state_dir = state_dir
        self._min_free = min_free
        self._identity = self._identify()
        self._looked: float | None = None
        self._why = ""
        self.refused = ""

    def short(self) -> str:
        now = time.monotonic()
        if self._looked is None or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                self._why = self._look()
            except OSError as error:
                raise StorageError(f"{self._state_dir}: {error.strerror}; {MEND_DISK}") from error
            if not self._why:
                take_ballast(self._state_dir)
        return self._why or self.refused

    def _look(self) -> str:
        if self._identify() != self._identity:
            raise StorageError(
                f"{self._state_dir}: the state folder was moved or deleted under this controller: "
                "nothing more is started, and steps keep running; put it back, or start again "
                "where it is"
            )
        disk = os.statvfs(self._state_dir)
        wanted = self._min_free
        if wanted is None:
            wanted = min(MIN_FREE_BYTES, int(disk.f_blocks * disk.f_frsize * MIN_FREE_SHARE))
        if disk.f_bavail * disk.f_frsize < wanted:
            return f"less than {wanted >> 20} MiB are free on the disk of {self._state_dir}"
        # Where there is no fixed number of inodes, it is 0. Then so is the watermark.
        wanted = min(MIN_FREE_INODES, int(disk.f_files * MIN_FREE_SHARE)) if wanted else 0
        if disk.f_favail < wanted:
            return f"fewer than {wanted:,} inodes are free on the disk of {self._state_dir}"
        return ""

    def _identify(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._state_dir)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def _ballast(state_dir: str) -> str:
    return os.path.join(state_dir, "ballast")


def take_ballast(state_dir: str) -> None:
    """Make the file, if it is missing and there is room for it."""
    path = _ballast(state_dir)
    with contextlib.suppress(OSError):
        if os.path.exists(path):
            return
        fd = open_regular(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, BALLAST_BYTES)
            else:
                os.write(fd, bytes(BALLAST_BYTES))
            os.rename(path + ".new", path)
        except OSError:
            os.unlink(path + ".new")
        finally:
            os.close(fd)


def drop_ballast(state_dir: str) -> bool:
    """Make room; False if there was no ballast to drop."""
    try:
        os.unlink(_ballast(state_dir))
    except OSError:
        return False
    return True
