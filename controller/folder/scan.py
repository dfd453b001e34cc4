"""What is in the specs folder: found by name, compared by stat, read when its writer is done.

A full scan is the truth; a look at one path is a shortcut that costs O(that file). Content is read
and parsed only when the stat (mtime, ctime, size, inode) differs from the last read, and only when
its writer is done: at once after a rename or a close, else after 100 ms without a change. The stat
is taken before and after reading, so that a half-written file doesn't count. Stamps are compared
with stamps only: a file server, or a wall clock that was set, may be ahead of our time or behind.

For a controller, reading is `paced`. One look reads a slice of small files, and leaves the rest to
the next one. A large file is read `beside`, one at a time; what it was before stays in force until
then, as if its writer were still at work.
Cost: 4 to 6 µs a file in a full scan; a changed file is read and parsed once.
"""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from typing import NamedTuple

from msgspec.structs import replace

from controller.errors import Fault
from controller.folder.beside import Reading, Work
from controller.folder.markers import MARKER_BYTES_MAX, read_marker, workflow_of
from controller.folder.names import Kind, hidden, is_utf8, kind_of, printable, within
from controller.loop.ports import FolderSight, SeenFile, SeenMarker
from controller.owners import who_else
from controller.regular import open_regular
from controller.spec.reading.load import Loaded, load

STILL = 100_000  # microseconds without a change: then we assume that the writer is done
TICK = 20_000  # microseconds; within one tick of its clock a file system may stamp two writes alike
LARGE = 256 * 1024  # bytes; what is larger is read beside the loop
SLICE = 256 * 1024  # bytes that one look reads by itself
EACH, EACH_FAULT = 1024, 256  # bytes that could be read in the time that these cost besides
ASK_AGAIN = 20_000  # microseconds; about a file that is read beside

Signature = tuple[int, int, int, int]


class FoundFile(NamedTuple):
    """A name that counts, and its stat; or (`status` None) why it can't be looked at."""

    path: str
    kind: Kind
    status: os.stat_result | None
    problem: str = ""
    foreign: bool = False  # probably not meant for treadle, so only note the problem


class Look(NamedTuple):
    """How a file looks by its stat, and since when at least."""

    signature: Signature
    since: int


class Content(NamedTuple):
    """What was read. Not `certain`: within one tick, so another write may have left that stat."""

    look: Look
    certain: bool


class Beside(NamedTuple):
    """A large file that is being read, and its content."""

    path: str
    digest: str
    by: str
    reading: Reading


class Walk:
    """One walk through a folder tree. Afterwards it knows which folders and symlinks it met."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.folders: set[str] = set()
        self.targets: set[str] = set()  # targets of the symlinks that count, relative to the root
        self._real = os.path.realpath(root)
        self._followed: set[str] = set()

    def below(self, start: str = "") -> Iterator[FoundFile]:
        """All names that count in `start` (relative) and below. Raises only for the root."""
        waiting = [start]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as entries:
                    self.folders.add(folder)
                    for entry in entries:
                        if not entry.name.startswith("."):
                            path = f"{folder}/{entry.name}" if folder else entry.name
                            yield from self._entry(entry, path, waiting)
            except OSError as error:
                if not folder:
                    raise
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    problem = f"the folder can't be listed: {error.strerror}"
                    yield FoundFile(folder, "spec", None, problem)

    def specs(self) -> Iterator[str]:
        """The regular files that may be specs, by relative path. Raises only for the root."""
        for found in self.below():
            status = found.status
            if found.kind == "spec" and status is not None and stat.S_ISREG(status.st_mode):
                yield found.path

    def _entry(
        self, entry: "os.DirEntry[str]", path: str, folders: list[str]
    ) -> Iterator[FoundFile]:
        try:
            if entry.is_symlink():
                yield from self._link(path, folders)
                return
            is_folder = entry.is_dir(follow_symlinks=False)
            kind = None if is_folder else kind_of(entry.name)
            if kind is None and not is_folder:
                return
            if not entry.name.isascii() and not is_utf8(entry.name):
                problem = "its name is not UTF-8; rename it"
                yield FoundFile(printable(path), kind or "spec", None, problem)
            elif is_folder:
                folders.append(path)
            elif kind is not None:
                yield FoundFile(path, kind, entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            return  # it was deleted while we looked

    def _link(self, path: str, folders: list[str]) -> Iterator[FoundFile]:
        """A symlink counts unless it leaves the folder, or its target is seen there anyway."""
        kind = kind_of(os.path.basename(path))
        try:
            status = os.stat(os.path.join(self.root, path))
        except OSError as error:
            if kind is not None:
                problem = f"a symlink that leads nowhere: {error.strerror}"
                yield FoundFile(printable(path), kind, None, problem)
            return
        is_folder = stat.S_ISDIR(status.st_mode)
        if kind is None and not is_folder:
            return
        real = os.path.realpath(os.path.join(self.root, path))
        if not within(real, self._real):
            problem = f"a symlink that leaves the folder ({real}); copy what it leads to"
            yield FoundFile(printable(path), kind or "spec", None, problem, foreign=is_folder)
            return
        target = os.path.relpath(real, self._real)
        self.targets.add(target)
        seen_there = is_folder or kind_of(os.path.basename(real)) is not None
        if target == "." or (seen_there and not hidden(target)):
            return
        if not is_folder and kind is not None:
            yield FoundFile(path, kind, status)
        elif is_folder and real not in self._followed:
            self._followed.add(real)
            folders.append(path)


class Scanner:
    """Keeps a `FolderSight` true to the folder. `warn`: of what somebody else can change.

    `paced`: one call never reads for long; `read_on` has to be called again and again.
    """

    def __init__(
        self, sight: FolderSight, spec_bytes_max: int, *, warn: bool = False, paced: bool = False
    ) -> None:
        self.sight = sight
        self.folders: set[str] = set()
        self._spec_bytes_max = spec_bytes_max
        self._targets: set[str] = set()
        self._read: dict[str, Content] = {}
        self._restless: dict[str, Look] = {}  # files whose writers may still be at work
        self._paced = paced
        self._left = SLICE  # what this look may still read
        self._later: dict[str, Look] = {}  # files whose writers are done, but that have to wait
        self._beside: Beside | None = None
        self._asked = 0  # when we last asked about that one
        self._warn = warn
        self._warned: dict[str, str] = {}  # by path: who can change it
        self._who: dict[tuple[int, int, int], str] = {}  # by owner, group and mode

    # ---------------------------------------- when, and where

    def due(self) -> int | None:
        """When `read_on` has something to do."""
        times = [file.since + STILL for file in self._restless.values()]
        if self._beside is not None:
            times.append(self._asked + ASK_AGAIN)
        if any(self._has_turn(path, look.signature) for path, look in self._later.items()):
            times.append(self._asked)
        return min(times, default=None)

    def is_restless(self) -> bool:
        """Whether it saw files whose writers may still be at work."""
        return bool(self._restless)

    def behind(self, *, large: bool) -> bool:
        """Whether small files wait to be read; with `large`, whether any file does."""
        if large and self._beside is not None:
            return True
        return any(large or not is_large(look.signature) for look in self._later.values())

    def close(self) -> None:
        """Read nothing more."""
        self._later.clear()
        self._stop_beside()

    def concerns(self, path: str) -> bool:
        """Whether something that happened to a file at this relative path may matter."""
        if hidden(path):
            return bool(self._targets)
        return kind_of(os.path.basename(path)) is not None or path in self._targets

    def scan(self, now: int, done: bool = False) -> None:
        """Look at everything; `done`: nobody writes. Raises OSError if the root can't be listed."""
        walk = Walk(self.sight.path)
        present = {file.path for file in self._see_all(walk, "", now, done)}
        for path in [*self.sight.files, *self.sight.markers]:
            if path not in present:
                self._vanished(path)
        for folder in walk.folders if self._warn else ():
            with suppress(OSError):
                self.warn_of(folder, self._stat(folder))
        self.sight.scanned, self.folders, self._targets = now, walk.folders, walk.targets

    def look_at(self, path: str, now: int, done: bool) -> bool:
        """Look at one path, and below it; `done`: a rename or a close ended its writing.

        False if a full scan is needed: a symlink may be involved, or the name is not UTF-8.
        """
        if hidden(path) or path in self._targets or not is_utf8(path):
            return False
        try:
            status = os.lstat(os.path.join(self.sight.path, path))
        except OSError:
            self._vanished_below(path, keep=set())
            return True
        if stat.S_ISLNK(status.st_mode):
            return False
        if stat.S_ISDIR(status.st_mode):
            walk = Walk(self.sight.path)
            found = {file.path for file in self._see_all(walk, path, now, done=False)}
            self._vanished_below(path, found)
            self.folders |= walk.folders
            return not walk.targets
        kind = kind_of(os.path.basename(path))
        if kind is not None:
            self._see(FoundFile(path, kind, status), now, done)
        return True

    def read_on(self, now: int) -> None:
        """Look again at the files whose writers may be done by now, and read what had to wait.

        The last call of each look: the next one may read another slice.
        """
        for path, restless in list(self._restless.items()):
            if now >= restless.since + STILL:
                self._look_again(path, now)
        self._take_answer()
        for path, look in list(self._later.items()):
            if self._has_turn(path, look.signature):
                self._look_again(path, now)
        self._left, self._asked = SLICE, now

    def _look_again(self, path: str, now: int) -> None:
        kind = kind_of(os.path.basename(path))
        assert kind is not None
        try:
            self._see(FoundFile(path, kind, self._stat(path)), now, done=False)
        except OSError:
            self._vanished(path)

    def _see_all(self, walk: Walk, start: str, now: int, done: bool) -> Iterator[FoundFile]:
        for file in walk.below(start):
            self._see(file, now, done)
            yield file

    # ---------------------------------------- one file

    def _see(self, file: FoundFile, now: int, done: bool) -> None:
        path, status = file.path, file.status
        if status is None:
            self._broken(file, file.problem)
            return
        signature = signature_of(status)
        read = self._read.get(path)
        if read is not None and read.look.signature == signature and read.certain:
            if self._restless.pop(path, None) is not None:
                self._note_steady(path)
        elif not stat.S_ISREG(status.st_mode):
            self._broken(file._replace(foreign=True), "not a regular file")
        elif done or self._still(path, signature, now):
            if self._has_turn(path, signature):
                self._take(file, now)
            else:
                self._put_off(file, signature, now)
        else:
            self._note_restless(file, signature, now)

    def _has_turn(self, path: str, signature: Signature) -> bool:
        """Whether a file that looks like this may be read now."""
        if not self._paced:
            return True
        if is_large(signature):
            return self._beside is None or self._beside.path == path
        return self._left > 0

    def _put_off(self, file: FoundFile, signature: Signature, now: int) -> None:
        """Its writer is done, but others are read first: keep what was read before."""
        self._note_restless(file, signature, now)
        self._later[file.path] = self._restless.pop(file.path)

    def _still(self, path: str, signature: Signature, now: int) -> bool:
        later = self._later.get(path)
        if later is not None and later.signature == signature:
            return True
        since = self._since(path, signature)
        return since is not None and now >= since + STILL

    def _since(self, path: str, signature: Signature) -> int | None:
        """Since when the file looks like this; None if it did not, or was never seen."""
        read = self._read.get(path)
        for look in (self._restless.get(path), read.look if read is not None else None):
            if look is not None and look.signature == signature:
                return look.since
        return None

    def _note_restless(self, file: FoundFile, signature: Signature, now: int) -> None:
        """Its writer may still be at work: keep what was read before, with `steady` false."""
        path, sight = file.path, self.sight
        self._drop_work(path)
        restless = self._restless.get(path)
        if restless is None or restless.signature != signature:
            self._restless[path] = Look(signature, now)
        if file.kind == "spec":
            spec = sight.files.get(path) or SeenFile(path=path, digest="")
            self._put(replace(spec, steady=False))
        else:
            marker = SeenMarker(path=path, workflow=workflow_of(path), digest="")
            self._put(replace(sight.markers.get(path) or marker, steady=False))

    def _note_steady(self, path: str) -> None:
        """Its writer is done, and the content is the one that was read before."""
        known = self.sight.files.get(path) or self.sight.markers[path]
        self._put(replace(known, steady=True))

    def _take(self, file: FoundFile, now: int) -> None:
        """Read it, unless it changes while we read."""
        try:
            data, before, after = self._content(file)
        except FileNotFoundError:
            self._vanished(file.path)
            return
        except OSError as error:
            self._broken(file, f"can't be read: {error.strerror}")
            return
        if signature_of(before) != signature_of(after):
            self._note_restless(file, signature_of(after), now)
            return
        signature = signature_of(after)
        since = self._since(file.path, signature)
        look = Look(signature, now if since is None else since)
        self._read[file.path] = Content(look, certain=now - look.since > TICK)
        self._restless.pop(file.path, None)
        self._later.pop(file.path, None)
        self._left -= EACH
        if self._warn:
            self.warn_of(file.path, after)
        if file.kind == "spec":
            self._take_spec(file.path, data, after)
        else:
            self._put(read_marker(file.path, data, _digest(data), _owner(after.st_uid)))

    def warn_of(self, path: str, status: os.stat_result) -> None:
        """Note once who else can change this file or folder."""
        looks = (status.st_uid, status.st_gid, status.st_mode)
        who = self._who.get(looks)
        if who is None:
            who = self._who[looks] = who_else(status)
        if who and self._warned.get(path) != who:
            self.sight.loose.append(f"{self._name(path) if path else self.sight.shown} ({who})")
        self._warned[path] = who

    def _take_spec(self, path: str, data: bytes, status: os.stat_result) -> None:
        digest, by = _digest(data), _owner(status.st_uid)
        if self._beside is not None and (self._beside.path, self._beside.digest) == (path, digest):
            return
        self._drop_work(path)
        known = self.sight.files.get(path)
        if known is not None and known.digest == digest:
            self._put(replace(known, steady=True))
        elif self._paced and LARGE < len(data) <= self._spec_bytes_max:
            self._read_beside(path, data, digest, by)
        else:
            loaded = load(data, self._name(path), max_bytes=self._spec_bytes_max, in_folder=True)
            self._left -= len(data) + EACH_FAULT * len(loaded.faults)
            self._put(_seen(path, digest, by, loaded, empty=not data))

    def _read_beside(self, path: str, data: bytes, digest: str, by: str) -> None:
        known = self.sight.files.get(path) or SeenFile(path=path, digest="")
        self._put(replace(known, steady=False))
        try:
            reading = Reading(Work(self._name(path), data, self._spec_bytes_max))
        except OSError:  # no more processes or descriptors: try again
            self._later[path] = self._read.pop(path).look
            return
        self._beside = Beside(path, digest, by, reading)

    def _take_answer(self) -> None:
        """Take over what was read beside, if that is done."""
        if self._beside is None or (result := self._beside.reading.result()) is None:
            return
        path, digest, by, _ = self._beside
        self._beside = None
        if isinstance(result, Fault):  # without a digest: the same content may be tried again
            self._put(SeenFile(path=path, digest="", by=by, faults=(result,)))
        else:
            self._put(_seen(path, digest, by, result))

    def _drop_work(self, path: str) -> None:
        """What was to be read, or is being read, of this file is out of date."""
        self._later.pop(path, None)
        if self._beside is not None and self._beside.path == path:
            self._stop_beside()

    def _stop_beside(self) -> None:
        if self._beside is not None:
            self._beside.reading.stop()
            self._beside = None

    def _broken(self, file: FoundFile, problem: str) -> None:
        path = file.path
        self._read.pop(path, None)  # no stat shows when this changes, so look each time
        self._restless.pop(path, None)
        self._drop_work(path)
        if file.kind == "marker":
            self._put(SeenMarker(path=path, workflow=workflow_of(path), digest="", problem=problem))
            return
        fault = Fault(file=self._name(path), problem=problem)
        self._put(SeenFile(path=path, digest="", faults=(fault,), foreign=file.foreign))

    def _put(self, seen: SeenFile | SeenMarker) -> None:
        """Note what was seen, and whether it is new."""
        known = self.sight.files.get(seen.path) or self.sight.markers.get(seen.path)
        if isinstance(seen, SeenFile):
            self.sight.files[seen.path] = seen
        else:
            self.sight.markers[seen.path] = seen
        if known != seen:
            self.sight.changed.add(seen.path)

    def _vanished(self, path: str) -> None:
        self._read.pop(path, None)
        self._restless.pop(path, None)
        self._drop_work(path)
        file, marker = self.sight.files.pop(path, None), self.sight.markers.pop(path, None)
        if file is not None or marker is not None:
            self.sight.changed.add(path)

    def _vanished_below(self, path: str, keep: set[str]) -> None:
        """The path is gone; if it is a folder, all below it except `keep`."""
        if path not in self.folders:
            self._vanished(path)
            return
        inside = f"{path}/"
        for known in [*self.sight.files, *self.sight.markers]:
            if (known == path or known.startswith(inside)) and known not in keep:
                self._vanished(known)

    # ---------------------------------------- the file system

    def _stat(self, path: str) -> os.stat_result:
        return os.stat(os.path.join(self.sight.path, path))

    def _content(self, file: FoundFile) -> tuple[bytes, os.stat_result, os.stat_result]:
        """The content, up to one byte past the limit, and the stats before and after reading."""
        limit = self._spec_bytes_max if file.kind == "spec" else MARKER_BYTES_MAX
        # By now it may be a pipe.
        descriptor = open_regular(os.path.join(self.sight.path, file.path), follow=True)
        with open(descriptor, "rb", buffering=0) as stream:
            before = os.fstat(descriptor)
            data = b""
            while len(data) <= limit and (more := stream.read(limit + 1 - len(data))):
                data += more
            return data, before, os.fstat(descriptor)

    def _name(self, path: str) -> str:
        return os.path.join(self.sight.shown, path)


def signature_of(status: os.stat_result) -> Signature:
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def is_large(signature: Signature) -> bool:
    """Whether a file that looks like this takes long to read."""
    return signature[2] > LARGE


def _seen(path: str, digest: str, by: str, loaded: Loaded, *, empty: bool = False) -> SeenFile:
    return SeenFile(
        path=path,
        digest=digest,
        by=by,
        documents=loaded.documents,
        templates=loaded.templates,
        policies=loaded.policies,
        faults=loaded.faults,
        names=loaded.names,
        template_names=loaded.template_names,
        policy_names=loaded.policy_names,
        foreign=loaded.foreign,
        empty=empty,
    )


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
