"""What an attempt finds when it starts: its environment, its files, the work folder of its life.

All of it is made or read each time that the shim is told to start the attempt: another controller
may have been killed in the middle of it. A file is renamed into place, since the attempt may have
started after all, and be reading it.
"""

import os
from functools import partial

from controller.executor.local.secrets import CannotPrepare, resolve
from controller.executor.shim.spawn import SHORTAGES, NotNow
from controller.loop.ports import Launch
from controller.model.phases import Reason
from controller.model.places import files_folder, work_folder
from controller.regular import folder_of, make_below, open_regular


def prepare(state: str, launch: Launch) -> dict[str, str]:
    """The environment of the attempt beside what it inherits. Raises CannotPrepare or NotNow.

    `state`: the state folder, absolute.
    """
    try:
        make_below(state, work_folder(launch.id.uid))
        if not launch.env_from:
            return launch.env
        write = partial(_write_file, state, files_folder(launch.log))
        return resolve(launch.env_from, write) | launch.env
    except OSError as fault:
        where = os.path.join(state, fault.filename or "")
        problem = f"{where} can't be made: {fault.strerror}"
        if not os.path.isdir(state):
            raise NotNow from None  # it was moved: the controller notices, and stops
        if fault.errno in SHORTAGES:
            raise NotNow(problem) from None
        raise CannotPrepare(Reason.START_FAILED, problem) from None


def _write_file(state: str, folder: str, name: str, text: str) -> str:
    """Write the text for the variable `name`; returns the path of the file."""
    from urllib.parse import quote

    try:
        content = text.encode(errors="surrogateescape")
        quoted = quote(name, safe="", errors="surrogateescape")
    except UnicodeEncodeError:
        problem = f"{name}: its text can't be written: it has a part that is no character"
        raise CannotPrepare(Reason.START_FAILED, problem) from None
    with folder_of(state, f"{folder}/{quoted}", make=True) as (inside, last):
        # No name quotes to this one.
        fd = open_regular("%", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=inside)
        with open(fd, "wb") as file:
            file.write(content)
        os.replace("%", last, src_dir_fd=inside, dst_dir_fd=inside)
    return f"{state}/{folder}/{quoted}"
