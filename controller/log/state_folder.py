"""The state folder: made for its owner alone, refused where others could write into it.

Anybody who can write there can run commands as its owner. Git must ignore it. If the folder exists
and already holds other files, we add our folders to them, but no `.gitignore`, and others may go on
to read those files.
"""

import os
import stat

from controller.errors import StorageError
from controller.owners import STATE_FOLDERS, doubt_of_state
from controller.regular import private, read_regular

_FOLDERS = ("log", "requests", "runs")
_IGNORED = ".gitignore"
_ALL = "*\n"


def prepare_state(path: str) -> None:
    """Make the state folder and the folders in it, if they are missing. They are ours alone."""
    try:
        refuse_strangers(path)  # first, so that nothing is made in vain
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        _make_state(path)
        refuse_strangers(path)
        if not os.listdir(path):
            with open(os.path.join(path, _IGNORED), "x", opener=private) as file:
                file.write(_ALL)
        if _is_all_ours(path):
            _close(path)
        for name in _FOLDERS:
            _make(os.path.join(path, name))
        for name in STATE_FOLDERS:
            _close(os.path.join(path, name))
    except (FileExistsError, NotADirectoryError) as error:
        raise StorageError(
            f"{error.filename}: is a file, not a folder; --state names a folder"
        ) from error
    except OSError as error:
        raise StorageError(
            f"{error.filename or path}: {error.strerror}; the state folder must be writable "
            "(--state names another)"
        ) from error


def refuse_strangers(path: str) -> None:
    """Raises StorageError if somebody else owns the state folder, or may write into it."""
    if doubt := doubt_of_state(path):
        raise StorageError(str(doubt))


def _make_state(path: str) -> None:
    try:
        _make(path)
    except (FileExistsError, NotADirectoryError):
        raise
    except OSError as error:
        if os.path.isdir(path):
            refuse_strangers(path)
            raise
        raise StorageError(
            f"can't create {os.path.abspath(path)}: {error.strerror}. treadle keeps its state in "
            "./.treadle; cd to the project, or name another folder with --state"
        ) from error


def _make(path: str) -> None:
    if not os.path.isdir(path):
        os.mkdir(path, 0o700)
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(13, "can't be written", path)


def _is_all_ours(path: str) -> bool:
    """Whether treadle made it, or found it empty: then nobody else has business in it."""
    try:
        return read_regular(os.path.join(path, _IGNORED), len(_ALL) + 1) == _ALL.encode()
    except OSError:
        return False


def _close(path: str) -> None:
    """Let nobody but the owner into this folder, if it exists."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        if mode & 0o077:
            os.fchmod(fd, mode & ~0o077)
    finally:
        os.close(fd)
