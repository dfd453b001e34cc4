"""The process that keeps the log short: now and then it takes a snapshot and retires older records.

It reads the log beside the controller, so that the loop never waits for it. Only one runs at a
time, and it may be killed at any point.
"""

import gc
import os
import sys
from typing import TYPE_CHECKING

from controller.errors import StorageError
from controller.log.snapshots import fold_on, folder, only_one, seqs
from controller.regular import private

if TYPE_CHECKING:
    import subprocess

EVERY_RECORDS = 50_000  # a quarter of a second of folding
KEEP_ARCHIVE_BYTES = 1 << 30
LEFT_LARGE = 3  # an exit code


class Upkeep:
    """Starts the process when enough records have come since the last time; never waits for it."""

    def __init__(self, state_dir: str, keep_archive_bytes: int = KEEP_ARCHIVE_BYTES) -> None:
        self._state_dir = state_dir
        self._keep_archive_bytes = keep_archive_bytes
        self._due = next(iter(seqs(state_dir)), 0) + EVERY_RECORDS
        self._process: subprocess.Popen[bytes] | None = None

    def consider(self, seq: int) -> str:
        """The log has reached record `seq`. Returns a warning if the last process has one."""
        if seq < self._due:
            return ""
        code = self._process.poll() if self._process is not None else 0
        if code is None:
            return ""
        self._due = seq + EVERY_RECORDS
        self._process = self._begin()
        if code == LEFT_LARGE:
            runs = os.path.join(self._state_dir, "runs")
            return (
                f"outputs over 4 GiB can't be archived; they stay in {runs} until you delete them"
            )
        return f"the log could not be shortened; {self._errors} says why" if code else ""

    @property
    def _errors(self) -> str:
        return os.path.join(folder(self._state_dir), "errors")

    def _begin(self) -> "subprocess.Popen[bytes] | None":
        import subprocess  # short runs never need it

        # -P: a file in the present folder can't replace one of our modules.
        words = ["-m", "controller.log.upkeep", self._state_dir, str(self._keep_archive_bytes)]
        try:
            os.makedirs(folder(self._state_dir), mode=0o700, exist_ok=True)
            with open(self._errors, "wb", opener=private) as errors:
                return subprocess.Popen(
                    [sys.executable, "-P", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    start_new_session=True,
                )
        except OSError:  # no more processes: try again the next time
            return None


def keep_up(state_dir: str, keep_archive_bytes: int = KEEP_ARCHIVE_BYTES) -> list[str]:
    """Finish the work of the last time, take a snapshot, and retire what lies before it.

    Returns the outputs that are too large to be archived.
    """
    from controller.log import archive

    with only_one(state_dir) as alone:
        if not alone:
            return []
        archive.finish(state_dir)
        written = archive.outputs(state_dir)  # before reading: see unknown()
        state, place = fold_on(state_dir)
        large = archive.retire(state_dir, place, archive.unknown(state, written))
        archive.prune(state_dir, keep_archive_bytes)
        return large


if __name__ == "__main__":
    os.nice(10)
    gc.disable()  # nothing that is made here becomes garbage
    try:
        sys.exit(LEFT_LARGE if keep_up(sys.argv[1], int(sys.argv[2])) else 0)
    except StorageError as problem:
        sys.exit(str(problem))
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
