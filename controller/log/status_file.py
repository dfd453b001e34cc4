"""What a controller sees of itself: STATE/controller.json.

It says whether the storage works, the folder is there and the lock is held, and how long its turns
take. This is only true while the controller runs, so it is not recorded as events. The controller
rewrites the file when something changes, atomically and without a sync; for the sake of the figures
alone it does so once a second at most. Readers believe it only while its writer holds the lock.
"""

import os
from typing import Literal

import msgspec

from controller.log.lock import holder
from controller.model.metrics import QuickHistogram
from controller.model.state import Condition
from controller.planner.permission import Limits
from controller.regular import private, read_whole

STATUS_BYTES_MAX = 64 << 20  # it names every file that waits, and no more is read
ControllerPhase = Literal["Starting", "Running", "Stopping", "Stopped"]


class Pace(msgspec.Struct, kw_only=True):
    """How long the work of this controller takes, since it began: its turns, and in them its syncs.

    In microseconds. Turns in which nothing happened count, too.
    """

    turns: QuickHistogram = msgspec.field(default_factory=QuickHistogram)
    syncs: QuickHistogram = msgspec.field(default_factory=QuickHistogram)


class ControllerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`pid` is None when no controller holds the state folder.

    `since` is when the controller took it, `written` when it last wrote this file; microseconds
    since 1970. `limits`: reasons why steps can't start that are not in the log.
    `files_waiting`: how many files are not decided yet, by definition and trigger. `version`: of
    treadle.
    """

    phase: ControllerPhase
    version: str = ""
    pid: int | None = None
    epoch: int = 0
    since: int = 0
    written: int = 0
    conditions: list[Condition] = []
    limits: Limits | None = None
    files_waiting: dict[str, dict[str, int]] = {}
    pace: Pace | None = None

    def stood(self, last_record: int) -> int | None:
        """The last moment that anything is known of, if no controller runs; else None."""
        return None if self.pid is not None else max(last_record, self.written)


def write_status(state_dir: str, status: ControllerStatus, now: int) -> None:
    """Raises OSError, which is no reason to stop: readers see what was written before."""
    status = msgspec.structs.replace(status, written=now)
    path = status_path(state_dir)
    draft = f"{path}.tmp"  # one writer, so one name is enough
    with open(draft, "wb", opener=private) as file:
        file.write(msgspec.json.encode(status) + b"\n")
    os.replace(draft, path)


def read_status(state_dir: str) -> ControllerStatus:
    """The status of the controller that holds the lock, else `Stopped` with the last conditions."""
    written = _read(status_path(state_dir))
    by = holder(state_dir)
    if by is None:
        return msgspec.structs.replace(written, phase="Stopped", pid=None, limits=None)
    if by.pid != written.pid:  # it holds the lock and hasn't said anything yet
        return ControllerStatus(phase="Starting", pid=by.pid, epoch=by.epoch, since=by.since)
    return written


def _read(path: str) -> ControllerStatus:
    try:
        return msgspec.json.decode(read_whole(path, STATUS_BYTES_MAX), type=ControllerStatus)
    except (OSError, msgspec.DecodeError, RecursionError):
        return ControllerStatus(phase="Stopped")  # no file, or one of another version


def status_path(state_dir: str) -> str:
    return os.path.join(state_dir, "controller.json")
