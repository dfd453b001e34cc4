"""What the shim did, for the next shim: it guarantees that an attempt is started at most once.

Lines of JSON, `[verb, attempt, …]`, appended to one file: `starting` before a process may exist,
`started` after, `exited` when it was reaped. An attempt that the journal knows is never started.
Only the next shim reads the file. Nothing is synced: a killed shim loses no line that it wrote. A
power cut may lose some, but then no process lives; so the first line has the boot id, and attempts
of another boot are lost. If that line can't be read, they are orphans, and the controller finds out
which of them live. The journal also has a random name: if a controller sees another name, it knows
that its earlier orders are forgotten.

    ["journal", 1, BOOT, NAME]              ["exited", ID, STATUS, AT, CPU_US, RSS_KIB, LEFT]
    ["epoch", N]                            ["failed", ID, AT, PROBLEM]
    ["starting", ID, MARK, AT]              ["withdrawn", ID, AT]    it never will start
    ["started", ID, PID, START, AT]         ["orphaned", ID]         its shim died; no end is known
    ["forget", ID, …]                       ["lost", ID, AT, PROBLEM]  a reboot, or corrects exited

Notes are collected and written together. The file is written again, and renamed into place, once it
has grown past COMPACT_BYTES plus twice the size of the notes that are still needed.
"""

import json
import os
import re

from controller.executor.shim.wire import Message, encode
from controller.regular import open_regular, rest_of

VERSION = 1
NAME, NEW = "journal", "journal.new"
COMPACT_BYTES = 2 << 20
NUMBER_MAX = 1 << 53  # of microseconds: 285 years
MARK_MAX = 1 << 63
BYTES_MAX = 1 << 30  # a journal of a million attempts has a third of it
EPOCHS_AHEAD_MAX = 1_000_000  # each start of a controller takes one
EPOCH_MAX = 1 << 40  # if none is known
# The name of a step may have slashes: it is below another one, or a hook.
ATTEMPT = re.compile(r"[^/]+/.+/[0-9]{1,9}")
ENDS = frozenset({"exited", "failed", "withdrawn", "lost"})
SHAPES: dict[str, tuple[type, ...]] = {
    "journal": (int, str, str),
    "epoch": (int,),
    "starting": (str, int, int),
    "started": (str, int, int, int),
    "exited": (str, int, int, int, int, int),
    "failed": (str, int, str),
    "withdrawn": (str, int),
    "orphaned": (str,),
    "lost": (str, int, str),
}


class Journal:
    """`entries` has every attempt that is not forgotten, with its notes in order."""

    def __init__(self, folder: str, boot_id: str, now: int) -> None:
        # If the folder is deleted or replaced, we write nothing into the wrong folder.
        self.folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.boot_id = boot_id
        self.name = os.urandom(8).hex()
        self.entries: dict[str, list[Message]] = {}
        self.epoch = 0
        self.waiting = b""
        self.fd = -1
        self.size = self.limit = 0
        self.replay(now)
        self.compact()

    def replay(self, now: int) -> None:
        """Read the notes of the shim before, and add for each attempt what became of it."""
        boot_id = self.boot_id
        for note in read_notes(self.folder):
            if note[0] == "journal":
                boot_id, self.name = note[2:4]
            else:
                self.fold(note)
        for attempt, notes in self.entries.items():
            if boot_id != self.boot_id:
                notes[:] = [["lost", attempt, now, "the machine was rebooted"]]
            elif notes[-1][0] not in ENDS and notes[-1][0] != "orphaned":
                notes.append(["orphaned", attempt])

    def fold(self, note: Message) -> None:
        verb = note[0]
        if verb == "epoch":
            if self.believes(note[1]):
                self.epoch = note[1]
        elif verb == "forget":
            for attempt in note[1:]:
                self.entries.pop(attempt, None)
        else:
            self.entries.setdefault(note[1], []).append(note)

    def believes(self, epoch: int) -> bool:
        """Can it be the next one? One far above would lock out every controller to come."""
        return epoch <= (self.epoch + EPOCHS_AHEAD_MAX if self.epoch else EPOCH_MAX)

    def mark(self, attempt: str) -> int:
        """The mark of a known attempt; 0 if it has no note `starting`."""
        first = self.entries[attempt][0]
        return int(first[2]) if first[0] == "starting" else 0

    def note(self, note: Message) -> bytes:
        """Remember it; the next flush() writes it. Returns its line."""
        self.fold(note)
        line = encode(note)
        self.waiting += line + b"\n"
        return line

    def flush(self) -> bool:
        """Write the notes. False: the disk is full; they stay here and are written later."""
        try:
            while self.waiting:
                written = os.write(self.fd, self.waiting)
                self.waiting = self.waiting[written:]
                self.size += written
        except OSError:
            return False
        if self.size > self.limit:
            self.compact()
        return True

    def compact(self) -> None:
        """Keep only the notes that are still needed. There is always one whole file."""
        header = [["journal", VERSION, self.boot_id, self.name], ["epoch", self.epoch]]
        kept = [note for notes in self.entries.values() for note in notes]
        content = b"".join(encode(note) + b"\n" for note in header + kept)
        try:
            fd = replace(self.folder, content)
        except OSError:
            if self.fd < 0:
                raise
            self.limit = self.size + COMPACT_BYTES  # no room: try again later
            return
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = fd
        self.waiting = b""
        self.size = len(content)
        self.limit = 2 * self.size + COMPACT_BYTES


def read_notes(folder: int) -> list[Message]:
    """Every whole note. A line that a full disk cut short is ignored: nobody acted on it yet.

    Raises OSError: without the journal, an attempt that runs could be started again.
    """
    try:
        fd = open_regular(NAME, dir_fd=folder)
    except FileNotFoundError:
        return []
    try:
        lines = rest_of(fd, BYTES_MAX, NAME).split(b"\n")
    finally:
        os.close(fd)
    notes = []
    for line in lines:
        try:
            notes.append(json.loads(line))
        except (ValueError, RecursionError, MemoryError):
            continue
    return [note for note in notes if is_note(note)]


def is_note(note: object) -> bool:
    """Whether it has the right shape: a damaged line may be valid JSON and crash the shim."""
    if not isinstance(note, list) or not note:
        return False
    verb, *rest = note
    if verb == "forget":
        return all(isinstance(field, str) for field in rest)
    shape = SHAPES.get(verb) if isinstance(verb, str) else None
    if shape is None or len(rest) != len(shape) or not all(map(isinstance, rest, shape)):
        return False
    numbers = [field for field in rest if isinstance(field, int)]
    if verb == "starting" and not 0 <= numbers.pop(0) < MARK_MAX:
        return False
    if not all(0 <= number < NUMBER_MAX for number in numbers):
        return False
    if verb in ("journal", "epoch"):
        return True
    if verb == "started" and rest[1] >= 1 << 31:
        return False
    if verb == "exited" and not (rest[1] < 1 << 16 and is_status(rest[1])):
        return False
    return ATTEMPT.fullmatch(rest[0]) is not None


def is_status(status: int) -> bool:
    return os.WIFEXITED(status) or os.WIFSIGNALED(status)


def replace(folder: int, content: bytes) -> int:
    """Put a new file into place and leave it open for appending."""
    fd = open_regular(NEW, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, dir_fd=folder)
    try:
        while content:
            content = content[os.write(fd, content) :]
        os.rename(NEW, NAME, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.close(fd)
        raise
    return fd
