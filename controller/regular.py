"""Opens files that somebody may have put something else in the place of: a pipe, a device, a link.

A step, or whoever made a copy of a state folder, can do that. A pipe is opened only when somebody
is at its other end, and opening a device may have effects. So only a regular file is opened, what
was opened is checked again, and no link is followed unless `follow` says so.

A path that comes from data (a record, an index, an order) is followed part by part from its folder:
it can't lead out of that, by a link or by `..`.

Only the standard library, because the shim uses this as well. Cost: an lstat and an fstat a file;
an open for each folder of a path below another.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

_SAFELY = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_READ_BYTES = 1 << 20
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_regular(
    path: str, flags: int = os.O_RDONLY, *, follow: bool = False, dir_fd: int | None = None
) -> int:
    """A descriptor of this regular file. A new one is for its owner alone. Raises OSError.

    It is not blocking, which means nothing for a regular file.
    """
    with suppress(FileNotFoundError):
        _require_regular(path, os.stat(path, dir_fd=dir_fd, follow_symlinks=follow))
    more = _SAFELY if follow else _SAFELY | os.O_NOFOLLOW
    fd = os.open(path, flags | more, 0o600, dir_fd=dir_fd)
    try:
        _require_regular(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def private(path: str, flags: int) -> int:
    """An opener: the file is regular, and if it is new, only its owner may read it."""
    return open_regular(path, flags)


def read_regular(path: str, bytes_max: int, *, follow: bool = False) -> bytes:
    """Its first `bytes_max` bytes. Raises OSError."""
    with _closing(open_regular(path, follow=follow)) as fd:
        return first_of(fd, bytes_max)


def read_whole(path: str, bytes_max: int) -> bytes:
    """All of it. Raises OSError, also if it is larger than `bytes_max`."""
    with _closing(open_regular(path)) as fd:
        return rest_of(fd, bytes_max, path)


def rest_of(fd: int, bytes_max: int, path: str) -> bytes:
    """What follows in an open file. Raises OSError if that is more than `bytes_max`."""
    left = os.fstat(fd).st_size - os.lseek(fd, 0, os.SEEK_CUR)
    if left > bytes_max:
        raise OSError(errno.EFBIG, f"it is larger than {bytes_max:,} bytes", path)
    try:
        with open(fd, "rb", buffering=0, closefd=False) as file:
            return file.read()
    except MemoryError:
        raise OSError(errno.ENOMEM, f"{left:,} bytes don't fit into the memory", path) from None


def first_of(fd: int, bytes_max: int) -> bytes:
    """Up to `bytes_max` bytes of what follows in an open file. Raises OSError."""
    parts: list[bytes] = []
    left = bytes_max
    while left > 0 and (part := os.read(fd, min(left, _READ_BYTES))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _require_regular(path: str, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", path)
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, "it is a link", path)
    raise OSError(errno.EINVAL, "it is not a regular file", path)


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


# ---------------------------------------- below a folder


def open_below(
    folder: str, path: str, flags: int = os.O_RDONLY, *, make: bool = False, follow: bool = False
) -> int:
    """A descriptor of the regular file at `path` below `folder`. Raises OSError.

    `make`: make the folders on the way that are missing. `follow`: the file itself may be a link.
    """
    with folder_of(folder, path, make=make) as (fd, name), _in_full(path):
        return open_regular(name, flags, dir_fd=fd, follow=follow)


def read_below(folder: str, path: str, bytes_max: int, *, follow: bool = False) -> bytes:
    """The first `bytes_max` bytes of the regular file at `path` below `folder`. Raises OSError."""
    with _closing(open_below(folder, path, follow=follow)) as fd:
        return first_of(fd, bytes_max)


def make_below(folder: str, path: str) -> None:
    """Make the folder at `path` below `folder`, and those on the way. Raises OSError."""
    with folder_of(folder, path, make=True) as (fd, name), suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=fd)


def remove_below(folder: str, path: str) -> None:
    """Remove the file, or the folder with all that is in it, at `path` below `folder`.

    No link is followed. Folders that can't be written are opened first. Raises OSError.
    """
    with folder_of(folder, path) as (fd, name), _in_full(path):
        if stat.S_ISDIR(os.lstat(name, dir_fd=fd).st_mode):
            _remove_tree(name, fd)
        else:
            os.unlink(name, dir_fd=fd)


@contextmanager
def folder_of(folder: str, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The open folder that has what is at `path` below `folder`, and the name that it has there.

    Raises OSError.
    """
    *above, name = _parts(path)
    # The folder itself was named by its user, who may have made a link of it.
    here = os.open(folder, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _in_full(path):
            for part in above:
                inner = _enter(part, here, make)
                os.close(here)
                here = inner
        yield here, name
    finally:
        os.close(here)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    fine = not any(part in ("", os.curdir, os.pardir) or "\0" in part for part in parts)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        fine = False
    if not fine:
        raise OSError(errno.EINVAL, "it is no path below this folder", path)
    return parts


def _enter(name: str, inside: int, make: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=inside)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=inside)
    return os.open(name, _FOLDER, dir_fd=inside)


@contextmanager
def _in_full(path: str) -> Iterator[None]:
    """Errors name the whole path, and not only a part of it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def _remove_tree(name: str, inside: int) -> None:
    """Remove as much as can be. Raises OSError if something is left.

    Folders in it are moved up before they are emptied, so it may be as deep as it likes.
    """
    fresh = count()
    prefix = os.urandom(8).hex()  # of names that nothing in it has
    with _closing(_writable(name, inside)) as top:
        waiting = [os.curdir]
        while waiting:
            folder = waiting.pop()
            with suppress(OSError):
                with _closing(_writable(folder, top)) as here:
                    for entry in list(os.scandir(here)):
                        with suppress(OSError):
                            if not entry.is_dir(follow_symlinks=False):
                                os.unlink(entry.name, dir_fd=here)
                                continue
                            new = f"{prefix}-{next(fresh)}"
                            _open_up(entry.name, here)  # who moves a folder writes to it
                            os.rename(entry.name, new, src_dir_fd=here, dst_dir_fd=top)
                            waiting.append(new)
                if folder != os.curdir:
                    os.rmdir(folder, dir_fd=top)
    os.rmdir(name, dir_fd=inside)


def _writable(name: str, inside: int) -> int:
    """This folder, open, after its owner may write to it: some tools make others."""
    _open_up(name, inside)
    return os.open(name, _FOLDER, dir_fd=inside)


def _open_up(name: str, inside: int) -> None:
    fd = os.open(name, _FOLDER | os.O_PATH, dir_fd=inside)
    try:
        with suppress(OSError):  # it is somebody else's: perhaps it is open as it is
            os.chmod(f"/proc/self/fd/{fd}", 0o700)
    finally:
        os.close(fd)
