"""Reads a file that anybody may have put something else in the place of, and never waits for it.

A pipe is read only when somebody writes to it, and opening a device may have effects: so only a
regular file is opened, and what was opened is checked again.
"""

import errno
import os
import stat


def read_regular(path: str, bytes_max: int) -> bytes | None:
    """Its first `bytes_max` bytes; None if there is none. Raises OSError; `strerror` says why."""
    try:
        _check(path, os.stat(path))
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        _check(path, os.fstat(fd))
        data = b""
        while len(data) < bytes_max and (part := os.read(fd, bytes_max - len(data))):
            data += part
        return data
    finally:
        os.close(fd)


def _check(path: str, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", path)
