"""What the shim did, so that whoever comes after it knows: the arbiter of "started at most once".

Lines of JSON, `[verb, attempt, …]`, appended to one file: `starting` before a process may exist,
`started` after, `exited` when it was reaped. An attempt that the journal knows is never started.
The file is read back by the next shim only. Nothing is synced: a killed shim loses no line that it
wrote, and after a power cut, which may lose some, no process lives; so the first line carries the
boot id, and attempts of another boot are lost. If that line can't be read they are orphans, of whom
their marks tell whether they live. It also has a name, drawn when there was no journal before: by
another name a controller knows that what it had asked for is not remembered.

    ["journal", 1, BOOT, NAME]              ["exited", ID, STATUS, AT, CPU_US, RSS_KIB, LEFT]
    ["epoch", N]                            ["failed", ID, AT, PROBLEM]
    ["starting", ID, MARK, AT]              ["withdrawn", ID, AT]    it never will start
    ["started", ID, PID, START, AT]         ["orphaned", ID]         its shim died; no end is known
    ["forget", ID, …]                       ["lost", ID, AT, PROBLEM]

Notes are gathered and go out with one write. The file is written anew, and renamed into place, once
it has grown past COMPACT_BYTES and twice what is still to be told.
"""

import json
import os
import re

from controller.executor.shim.wire import Message, encode

VERSION = 1
NAME, NEW = "journal", "journal.new"
COMPACT_BYTES = 2 << 20
ATTEMPT = re.compile(r"[^/]+/[^/]+/[0-9]{1,9}")
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
    """`entries` has every attempt that was not forgotten, with its notes in order."""

    def __init__(self, folder: str, boot_id: str, now: int) -> None:
        # The folder may be deleted or replaced; what is written then goes nowhere, not astray.
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
        """Read what the shim before left behind, and say of each attempt what became of it."""
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
            self.epoch = note[1]
        elif verb == "forget":
            for attempt in note[1:]:
                self.entries.pop(attempt, None)
        else:
            self.entries.setdefault(note[1], []).append(note)

    def mark(self, attempt: str) -> int:
        """Of an attempt that it knows; 0 for one that was never about to start."""
        first = self.entries[attempt][0]
        return int(first[2]) if first[0] == "starting" else 0

    def note(self, note: Message) -> bytes:
        """Remember it; it is on file after the next flush(). Returns it as it stands there."""
        self.fold(note)
        line = encode(note)
        self.waiting += line + b"\n"
        return line

    def flush(self) -> bool:
        """Is every note on file? If the disk is full they stay here and go out later, in order."""
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
        """Keep what is still to be told. Killed at any point, one whole file is there."""
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
    """Every whole note. A line that a full disk cut short never came true, or is told by no one."""
    try:
        with open(os.open(NAME, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    notes = []
    for line in lines:
        try:
            notes.append(json.loads(line))
        except ValueError:
            continue
    return [note for note in notes if is_note(note)]


def is_note(note: object) -> bool:
    """One damaged byte leaves many a line of JSON; who believes it would end with an exception."""
    if not isinstance(note, list) or not note:
        return False
    verb, *rest = note
    if verb == "forget":
        return all(isinstance(field, str) for field in rest)
    shape = SHAPES.get(verb) if isinstance(verb, str) else None
    if shape is None or len(rest) != len(shape) or not all(map(isinstance, rest, shape)):
        return False
    if not all(0 <= field < 1 << 63 for field in rest if isinstance(field, int)):
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
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
    fd = os.open(NEW, flags, 0o600, dir_fd=folder)
    try:
        while content:
            content = content[os.write(fd, content) :]
        os.rename(NEW, NAME, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.close(fd)
        raise
    return fd
