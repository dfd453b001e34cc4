"""What an attempt wrote, and the end of it, for people.

Cost: a read of a few kilobytes from the end, however large the file is.
"""

import errno
import os
from contextlib import suppress
from typing import IO

from controller.errors import StorageError
from controller.model.places import is_log, is_log_of_engine
from controller.regular import open_below, open_regular

LOOK_BACK_BYTES = 64 << 20  # for the last lines: a file of holes can seem to be of any size
BLOCK_BYTES = 1 << 16  # of one read, and of the longest line that is held until it is whole
LINE_CHARACTERS_MAX = 500
REST_BLOCKS_MAX, REST_LINES_MAX = 16, 10_000


def last_lines(state_dir: str, log: str, count: int) -> list[str]:
    """The last `count` lines of an attempt's output, at most; `log` is its path below STATE.

    Bytes that are no UTF-8 are replaced, and long lines are cut. What can't be read is as nothing:
    these lines come with something else, which must not fail for their sake.
    """
    try:
        with open_output(state_dir, log) as file:
            start, _ = start_of_last_lines(file, count, BLOCK_BYTES)
            file.seek(start)
            lines = file.read().decode(errors="replace").split("\n")
    except (OSError, StorageError):  # the latter: an archive that is damaged
        return []
    if lines[-1] == "":
        del lines[-1]
    return [shortened(line.rstrip("\r")) for line in lines[-count:]]


class NewLines:
    """The lines of an attempt's output as they come, each once; `log` is its path below STATE."""

    def __init__(self, state_dir: str, log: str) -> None:
        self._state_dir, self._log = state_dir, log
        self._at = 0
        self._held = b""  # a line that is not over

    def read(self) -> list[str]:
        """The lines that were finished since the last call, or as much as fits in one block."""
        try:
            with open_output(self._state_dir, self._log) as file:
                if file.seek(0, os.SEEK_END) < self._at:  # the step has emptied it
                    self._at, self._held = 0, b""
                file.seek(self._at)
                data = file.read(BLOCK_BYTES)
        except (OSError, StorageError):
            return []
        self._at += len(data)
        *lines, self._held = (self._held + data).split(b"\n")
        if len(self._held) > BLOCK_BYTES:
            lines, self._held = [*lines, self._held], b""
        return [shortened(line.decode(errors="replace").rstrip("\r")) for line in lines]

    def rest(self) -> list[str]:
        """What is left when the attempt has ended, up to REST_LINES_MAX or REST_BLOCKS_MAX blocks.

        So that who prints them is soon done.
        """
        lines: list[str] = []
        for _ in range(REST_BLOCKS_MAX):
            before = self._at
            lines += self.read()
            if self._at == before or len(lines) > REST_LINES_MAX:
                break
        if self._at != before or len(lines) > REST_LINES_MAX:
            return [*lines[:REST_LINES_MAX], "… it printed more than is shown here"]
        if self._held:
            lines.append(shortened(self._held.decode(errors="replace")))
            self._held = b""
        return lines


def open_output(state_dir: str, log: str, elsewhere: str = "") -> IO[bytes]:
    """What an attempt wrote, also from the archive. Raises OSError, StorageError."""
    with suppress(FileNotFoundError):
        return open_present(state_dir, log, elsewhere)
    from controller.log.archive import output

    archived = output(state_dir, log)
    if archived is None:
        path = os.path.join(state_dir, log)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return archived


def open_present(state_dir: str, log: str, elsewhere: str = "") -> IO[bytes]:
    """What an attempt wrote, unless it is only in the archive. Raises OSError, StorageError.

    `elsewhere`: the file in which an engine has it until the attempt has ended; "" if none has. It
    is not buffered, so that what the attempt writes later can be read, too.
    """
    if not is_log(log):
        raise StorageError(
            f"{log}: a record of the log names this file, and no attempt prints to such a file; "
            "put the log back from a copy"
        )
    # A step could put something else in place of its file: a link, or a pipe that blocks.
    with suppress(FileNotFoundError):
        return open(open_below(state_dir, log), "rb", buffering=0)
    with suppress(FileNotFoundError):
        if is_log_of_engine(elsewhere):
            return open(open_regular(elsewhere), "rb", buffering=0)
    path = os.path.join(state_dir, log)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def shortened(line: str) -> str:
    """A progress bar draws over itself with \\r; only what it drew last is of interest."""
    line = line.rpartition("\r")[2]
    return line if len(line) <= LINE_CHARACTERS_MAX else f"{line[:LINE_CHARACTERS_MAX]}…"


def start_of_last_lines(file: IO[bytes], count: int, reach: int) -> tuple[int, bool]:
    """Where the last `count` lines begin, or the last `reach` bytes if these are fewer.

    And whether these are all the lines that were wanted, or that the file has. It reads backwards,
    so a huge file costs no more.
    """
    end = at = file.seek(0, os.SEEK_END)
    if count <= 0:
        return end, True
    wanted = count
    first = max(0, end - reach)
    while at > first:
        size = min(BLOCK_BYTES, at - first)
        at -= size
        file.seek(at)
        block = file.read(size)
        if at + size == end and block.endswith(b"\n"):
            wanted += 1  # no line begins after the newline at the end of the file
        place = size
        while (place := block.rfind(b"\n", 0, place)) >= 0:
            wanted -= 1
            if wanted == 0:
                return at + place + 1, True
    return first, first == 0
