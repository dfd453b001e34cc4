"""What an attempt finds when it starts: its environment, its files, the work folder of its life.

All of it is made or read each time that the shim is told to start the attempt: another controller
may have been killed in the middle of it. A file is renamed into place, since the attempt may have
started after all, and be reading it.
"""

import os
from functools import partial

from controller.executor.local.secrets import CannotPrepare, resolve
from controller.executor.shim.spawn import SHORTAGES, NotNow
from controller.loop.places import files_folder, work_folder
from controller.loop.ports import Launch
from controller.model.phases import Reason


def prepare(state: str, launch: Launch) -> dict[str, str]:
    """The environment of the attempt beside what it inherits. Raises CannotPrepare or NotNow.

    `state`: the state folder, absolute.
    """
    try:
        _make_folder(state, work_folder(launch.id.uid))
        if not launch.env_from:
            return launch.env
        write = partial(_write_file, state, files_folder(launch.log))
        return resolve(launch.env_from, write) | launch.env
    except OSError as fault:
        problem = f"{fault.filename or 'a file'} can't be made: {fault.strerror}"
        if not os.path.isdir(state):
            raise NotNow from None  # it was moved: the controller notices, and stops
        if fault.errno in SHORTAGES:
            raise NotNow(problem) from None
        raise CannotPrepare(Reason.START_FAILED, problem) from None


def _write_file(state: str, folder: str, name: str, text: str) -> str:
    """Write the text for the variable `name`; returns the path of the file."""
    from urllib.parse import quote

    new = f"{state}/{folder}/%"  # no name quotes to this
    try:
        content = text.encode(errors="surrogateescape")
        path = f"{state}/{folder}/{quote(name, safe='', errors='surrogateescape')}"
    except UnicodeEncodeError:
        problem = f"{name}: its text can't be written: it has a part that is no character"
        raise CannotPrepare(Reason.START_FAILED, problem) from None
    _make_folder(state, folder)
    _write(new, content)
    os.replace(new, path)
    return path


def _write(path: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(path, "wb", opener=lambda name, _: os.open(name, flags, 0o600)) as file:
        file.write(content)


def _make_folder(state: str, folder: str) -> None:
    """Make `folder`, a path below the state folder, which is never made here."""
    try:
        os.mkdir(f"{state}/{folder}", 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        above = os.path.dirname(folder)
        if not above:
            raise
        _make_folder(state, above)
        os.mkdir(f"{state}/{folder}", 0o700)
