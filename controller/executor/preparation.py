"""What an attempt finds when it starts: its environment, its files, the work folder of its life.

All of it is made or read each time that the attempt is to start: another controller may have been
killed in the middle of it.
"""

import os
from functools import partial

from controller.executor.secrets import CannotPrepare, resolve, write_value
from controller.executor.shim.spawn import SHORTAGES, NotNow
from controller.loop.ports import Launch
from controller.model.phases import Reason
from controller.model.places import files_folder, work_folder
from controller.regular import make_below


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
    return write_value(state, folder, name, text)
