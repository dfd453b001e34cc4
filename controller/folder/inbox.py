"""The files that triggers wait for: found by pattern, and reported when their writers are done.

Every 2 s all folders that can match are listed, and each file that matches is looked at by its
stat. Nothing is watched: a scan is cheap, and works on every file system. A writer is done when
size, mtime, ctime and inode have stood still for 100 ms, however the file came, and no process has
it open to write, where the system tells that: a slow writer may pause for longer. So a file counts
100 ms after it was first seen; until then only it is looked at again. Stamps are compared with
stamps only, as in `scan`.

A pattern is split at each `/`; `*`, `?` and `[a-c]` stand for characters of one name, but not for a
dot at its start. Symlinks are followed, to files and to folders, but never into the state folder.
Patterns that share a folder share its listing, of which each looks only at the names that start as
it does. Cost: a listing of each folder that can match, 7 µs a pattern (30 in a folder of its own),
and 4 to 6 µs a file that matches; a file that is new costs 7.
"""

import errno
import fcntl
import os
import re
import signal
import stat
import time
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from fnmatch import translate
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from controller.folder.names import is_utf8, within
from controller.folder.scan import STILL, Signature, signature_of
from controller.loop.ports import InputSight, SeenInput

RESCAN = 2_000_000  # microseconds from the end of a scan to the next one
PAUSE = 10  # and at least so many times as long as the scan took, so that no folder fills our time
PAUSE_MAX = 30_000_000  # but no longer: the machine may have slept in the middle of a scan
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)  # nothing is there
WILDCARDS = re.compile(r"[*?[]")


class Glob(NamedTuple):
    """Names with wildcards. `start`: what all of them start with."""

    start: str
    fits: re.Pattern[str]


Part = str | Glob


class Way(NamedTuple):
    """A pattern in parts. `root`: the folders before the first wildcard; `name`: of the files."""

    root: str
    folders: tuple[Part, ...]
    name: Part


class Root(NamedTuple):
    """What is at the root of a pattern, and what tells it from another folder."""

    state: Literal["ok", "missing", "unreadable"]
    device: int = 0
    inode: int = 0


class Place(NamedTuple):
    """A folder that can hold what matches. `real`: its path without symlinks."""

    path: str
    real: str


class Named(NamedTuple):
    """A name without wildcards. It is asked like an `os.DirEntry`, but its folder isn't listed."""

    path: str
    name: str

    def is_dir(self) -> bool:
        return stat.S_ISDIR(os.stat(self.path).st_mode)

    def is_symlink(self) -> bool:
        return os.path.islink(self.path)


class Moment(Struct):
    """The end of a look; none yet while it goes on. What is new in one look has one moment."""

    at: int | None = None


class Look(Struct):
    """How a file looks by its stat, and since when at least. `seen`: what to report of it."""

    signature: Signature
    since: Moment
    seen: SeenInput
    done: bool = False  # its writer is


class Wanted(Struct):
    """One pattern: what it showed last, and the paths whose writers may still be at work."""

    way: Way | None  # None: no file can have such a path
    sight: InputSight
    restless: set[str] = set()

    def note(self, sight: InputSight) -> None:
        """Keep the object that it has unless something has changed."""
        if sight != self.sight:
            self.sight = sight


class Folders:
    """What is at roots, and what folders list: found out once in a look, for all patterns."""

    def __init__(self) -> None:
        self._roots: dict[str, tuple[Root, str]] = {}
        self._listed: dict[str, dict[str, os.DirEntry[str]]] = {}
        self._in_order: dict[str, list[str]] = {}

    def root(self, path: str) -> tuple[Root, str]:
        """What is there, and its path without symlinks."""
        known = self._roots.get(path)
        if known is None:
            known = self._roots[path] = look_at(path), os.path.realpath(path)
        return known

    def matching(self, path: str, glob: Glob) -> Iterator["os.DirEntry[str]"]:
        """What it lists under names that match. Raises OSError if it can't be listed."""
        listed = self._listed.get(path)
        if listed is None:
            with os.scandir(path) as entries:
                listed = self._listed[path] = {entry.name: entry for entry in entries}
        for name in self._starting(path, glob.start):
            if glob.fits.match(name) is not None:
                yield listed[name]

    def _starting(self, path: str, start: str) -> Iterator[str]:
        """The names that start so. Only who has no use for all of them needs them in order."""
        if not start:
            yield from self._listed[path]
            return
        names = self._in_order.get(path)
        if names is None:
            names = self._in_order[path] = sorted(self._listed[path])
        for index in range(bisect_left(names, start), len(names)):
            if not names[index].startswith(start):
                return
            yield names[index]


class PatternWalk:
    """One walk along a pattern. Afterwards it knows the root, and what it could not look at."""

    def __init__(self, way: Way, state: str, folders: Folders) -> None:
        self.root, self._real = folders.root(way.root)
        self.not_utf8 = 0
        self.unreadable = 0
        self.in_state = False
        self._way = way
        self._state = state
        self._folders = folders

    def paths(self) -> Iterator[str]:
        """All paths that match, whatever is there. They count only if the root is ok afterwards."""
        if self.root.state != "ok":
            return
        try:
            yield from self._paths()
        except OSError as error:
            self.root = _unlike(error)
            return
        after = look_at(self._way.root)
        if after != self.root:
            # Another folder has come meanwhile, so nobody knows whose files these are.
            self.root = Root("unreadable") if after.state == "ok" else after

    def _paths(self) -> Iterator[str]:
        self.in_state = within(self._real, self._state)
        places = [] if self.in_state else [Place(self._way.root, self._real)]
        for part in self._way.folders:
            places = [below for place in places for below in self._below(place, part)]
        for place in places:
            for entry in self._entries(place, self._way.name):
                if self._printable(entry.name):
                    yield entry.path

    def failed(self, error: OSError) -> None:
        """Something can't be looked at. What is gone does not count."""
        self.unreadable += error.errno not in GONE

    def _printable(self, name: str) -> bool:
        """Whether a log can hold this name."""
        fine = name.isascii() or is_utf8(name)
        self.not_utf8 += not fine
        return fine

    def _below(self, place: Place, part: Part) -> Iterator[Place]:
        for entry in self._entries(place, part):
            try:
                if not entry.is_dir() or not self._printable(entry.name):
                    continue
                real = f"{place.real.rstrip('/')}/{entry.name}"
                if entry.is_symlink():
                    real = os.path.realpath(entry.path)
            except OSError as error:
                self.failed(error)
            else:
                if not within(real, self._state):
                    yield Place(entry.path, real)

    def _entries(self, place: Place, part: Part) -> Iterator["os.DirEntry[str] | Named"]:
        if isinstance(part, str):
            yield Named(os.path.join(place.path, part), part)
            return
        try:
            yield from self._folders.matching(place.path, part)
        except OSError as error:
            if place.path == self._way.root:
                raise
            self.failed(error)


class Inbox:
    """`ports.Inputs` for real folders. What lies in the state folder never counts."""

    def __init__(self, state: str) -> None:
        self._state = os.path.realpath(state)
        self._wanted: dict[str, Wanted] = {}
        self._sights: dict[str, InputSight] = {}
        self._looks: dict[str, Look] = {}  # by path
        self._before: dict[str, Look] = {}  # during a look, what was known before
        self._scan_due = 0
        self._due = 0
        self._moment = Moment()  # of the look that goes on
        self._folders = Folders()  # of the look that goes on

    def look(
        self, patterns: Collection[str], now: int, full: bool = False
    ) -> Mapping[str, InputSight]:
        """What each pattern shows. The same object as before while nothing changes."""
        began, self._moment = _since_boot(), Moment()
        full, again = full or now >= self._scan_due, now >= self._due
        self._before = self._looks
        if full:
            self._looks = {}  # so that it forgets what is gone
        known, self._wanted = self._wanted, {}
        for pattern in patterns:
            wanted = known.get(pattern) or _wanted(pattern)
            self._wanted[pattern] = wanted
            if full or pattern not in known:
                self._scan(wanted, now)
            elif again and wanted.restless:
                self._look_again(wanted, now)
        # A look may take long, and stillness counts from the stats in it. So read the time again.
        self._folders = Folders()
        took = _since_boot() - began
        self._moment.at = now + took
        if full:
            self._scan_due = now + took + pause_after(took)
        if full or again or self._wanted.keys() != known.keys():
            self._conclude()
        return self._sights

    def next_due(self) -> int | None:
        """When look() has something to do although nothing wakes the loop."""
        return self._due if self._wanted else None

    def _conclude(self) -> None:
        """Note what all patterns show, and when to look again."""
        sights = {pattern: wanted.sight for pattern, wanted in self._wanted.items()}
        if sights != self._sights:
            self._sights = sights
        restless = (path for wanted in self._wanted.values() for path in wanted.restless)
        moments = {self._looks[path].since.at for path in restless}
        stills = (at + STILL for at in moments if at is not None)
        self._due = min([self._scan_due, *stills])

    # ---------------------------------------- one pattern

    def _scan(self, wanted: Wanted, now: int) -> None:
        """Look at all that can match."""
        if wanted.way is None:
            return
        walk = PatternWalk(wanted.way, self._state, self._folders)
        files: dict[str, SeenInput] = {}
        restless: set[str] = set()
        for path in walk.paths():
            try:
                self._sort(path, now, files, restless)
            except OSError as error:
                walk.failed(error)
        pattern, root = wanted.sight.pattern, walk.root
        if root.state != "ok":
            wanted.restless = set()
            sight = InputSight(pattern=pattern, root=root.state, device=root.device)
        else:
            wanted.restless = restless
            sight = InputSight(
                pattern=pattern,
                root=root.state,
                device=root.device,
                files=files,
                restless=frozenset(restless),
                not_utf8=walk.not_utf8,
                unreadable=walk.unreadable,
                in_state=walk.in_state,
            )
        wanted.note(sight)

    def _look_again(self, wanted: Wanted, now: int) -> None:
        """Look again at the files whose writers may be done by now."""
        files = dict(wanted.sight.files)
        restless: set[str] = set()
        for path in wanted.restless:
            with suppress(OSError):  # the next scan says what is wrong
                self._sort(path, now, files, restless)
        wanted.restless = restless
        wanted.note(replace(wanted.sight, files=files, restless=frozenset(restless)))

    # ---------------------------------------- one file

    def _sort(self, path: str, now: int, files: dict[str, SeenInput], restless: set[str]) -> None:
        """Put it where it belongs, if it counts. Raises OSError if it can't be looked at."""
        look = self._see(path)
        if look is None:
            return
        since = look.since.at
        if not look.done and since is not None and now >= since + STILL:
            look.done = not is_being_written(path)
            if not look.done:
                look.since = self._moment  # ask again when it has stood still once more
        if look.done:
            files[path] = look.seen
        else:
            restless.add(path)

    def _see(self, path: str) -> Look | None:
        """How it looks. None: no regular file, or one of the state folder."""
        status = os.stat(path)  # of the target, and it can't block
        if not stat.S_ISREG(status.st_mode):
            return None
        signature = signature_of(status)
        look = self._before.get(path)
        if look is None or look.signature != signature:
            if os.path.islink(path) and within(os.path.realpath(path), self._state):
                return None
            seen = SeenInput(path, status.st_size, status.st_mtime_ns)
            look = Look(signature, self._moment, seen)
        self._looks[path] = look
        return look


# ---------------------------------------- patterns and folders


def way_of(pattern: str) -> Way:
    """The parts of an absolute pattern."""
    parts = os.path.normpath(pattern).strip("/").split("/")
    wild = (index for index, part in enumerate(parts) if WILDCARDS.search(part))
    fixed = next(wild, len(parts) - 1)
    matching = [_part(part) for part in parts[fixed:]]
    return Way("/" + "/".join(parts[:fixed]), tuple(matching[:-1]), matching[-1])


def pause_after(took: int) -> int:
    """How long to wait after a scan that took so long, in microseconds."""
    return min(max(RESCAN, PAUSE * took), PAUSE_MAX)


def is_being_written(path: str) -> bool:
    """Whether some process has the file open to write, as far as the system tells us that.

    It does not give a lease to read a file that is open to write (fcntl(2), F_SETLEASE). On file
    systems without leases, and for files of other users, nobody knows. Raises OSError if the file
    is gone.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except PermissionError:
        return False
    try:
        # Who opens it in this very moment makes the kernel send a signal: one that does nothing.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(fd)
    return False


def look_at(root: str) -> Root:
    """What is at this path."""
    try:
        status = os.stat(os.path.join(root, "."))  # so it must be a folder, with what is in it
    except OSError as error:
        return _unlike(error)
    return Root("ok", status.st_dev, status.st_ino)


def _part(text: str) -> Part:
    wild = WILDCARDS.search(text)
    if wild is None:
        return text
    start = "" if text.startswith(".") else r"(?!\.)"
    return Glob(text[: wild.start()], re.compile(start + translate(text)))


def _unlike(error: OSError) -> Root:
    return Root("missing" if error.errno in GONE else "unreadable")


def _wanted(pattern: str) -> Wanted:
    possible = "\0" not in pattern and is_utf8(pattern)
    way = way_of(pattern) if possible else None
    return Wanted(way, InputSight(pattern=pattern, root="missing"))


def _since_boot() -> int:
    """In microseconds, with the time asleep."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
