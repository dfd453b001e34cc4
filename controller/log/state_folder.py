"""The state folder: made for its owner alone, refused where others could write into it.

Anybody who can write there can run commands as its owner. Git must ignore it. If the folder exists
and already holds other files, we add our folders to them, but no `.gitignore`.
"""

import os
import stat

from controller.errors import StorageError

_FOLDERS = ("log", "requests", "runs")


def prepare_state(path: str) -> None:
    """Make the state folder and the folders in it, if they are missing."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        _make_state(path)
        _refuse_strangers(path)
        if not os.listdir(path):
            with open(os.path.join(path, ".gitignore"), "x", encoding="utf-8") as file:
                file.write("*\n")
        for name in _FOLDERS:
            _make(os.path.join(path, name))
    except (FileExistsError, NotADirectoryError) as error:
        raise StorageError(
            f"{error.filename}: is a file, not a folder; --state names a folder"
        ) from error
    except OSError as error:
        raise StorageError(
            f"{error.filename or path}: {error.strerror}; the state folder must be writable "
            "(--state names another)"
        ) from error


def _make_state(path: str) -> None:
    try:
        _make(path)
    except (FileExistsError, NotADirectoryError):
        raise
    except OSError as error:
        if os.path.isdir(path):
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


def _refuse_strangers(path: str) -> None:
    if os.stat(path).st_mode & stat.S_IWOTH:
        raise StorageError(
            f"{path}: others can write to this folder, so they could run commands as you; "
            f"chmod o-w {path}"
        )
