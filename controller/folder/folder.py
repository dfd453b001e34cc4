"""The specs folder as the loop sees it: the watcher gives hints, the scanner gives the truth.

With a hint, one edit costs a look at one file. A full scan runs at the start, every 30 s, after an
event was lost, and when somebody asks for it to confirm that a file is absent. The root is compared
by (device, inode) every second, because a folder that was renamed or mounted over sends no event.
Where the system gives no watches, or the user wants polling, the full scan runs every 1.5 s.

Before a new root is looked into, its owner and mode are, and those of all folders above it: who can
change one of them can run commands as us. A root that is new, at the start say, is looked at until
its files have stood still for a moment, and says `unread` until all of them are read: so nothing
starts by the old specs before a new one is read.
"""

import errno
import os
import stat
import time
from typing import Literal

from controller.errors import NotUtf8, UsageError
from controller.folder.claim import Claim
from controller.folder.names import hidden, is_utf8
from controller.folder.scan import STILL, Scanner
from controller.folder.watch import Watcher
from controller.loop.ports import FolderSight
from controller.owners import Doubt, doubt_of_specs

RESCAN = 30_000_000  # microseconds between full scans, also without any event
POLL = 1_500_000  # the same where nothing is watched
ROOT_CHECK = 1_000_000
ATTEMPTS = 3  # to scan while the root stays the same

Root = Literal["ok", "missing", "unreadable", "file"]  # by the stat alone


def check_folder(path: str, state: str, *, known: bool, allow_insecure: bool = False) -> None:
    """Refuse a folder that can't be used for specs. `known`: an earlier start has used it.

    A known folder may be missing or unreadable for a while; the controller then waits for it.
    The state folder may be in it if it is hidden there.
    """
    if not is_utf8(whole := os.path.abspath(path)):
        raise NotUtf8(whole)
    inside = os.path.relpath(os.path.realpath(state), os.path.realpath(path))
    if inside == "." or not hidden(inside):  # one beside it begins with `..`, so it is hidden too
        raise UsageError(
            f"{state}: the state folder is in the specs folder {path}, where its files would be "
            "seen as specs; move it, or name another with --state"
        )
    root, status = _look_at(path)
    if root == "file":
        raise UsageError(f"{path}: the specs folder is a file; name a folder with --specs")
    if root != "ok" and not known:
        hint = "; make it, or name another with --specs" if root == "missing" else ""
        raise UsageError(f"{os.path.abspath(path)}: the specs folder is {root}{hint}")
    if status is not None and not allow_insecure and (doubt := _doubt(path, path)):
        raise UsageError(str(doubt))


class OpenFolder:
    """`ports.Folder` for a real folder. `poll`: don't watch it, look every 1.5 s.

    Unless `allow_insecure`, a folder that somebody else could change is not looked into.
    """

    def __init__(
        self, path: str, *, spec_bytes_max: int, poll: bool = False, allow_insecure: bool = False
    ) -> None:
        self._sight = FolderSight(path=os.path.abspath(path), shown=path)
        self._scanner = Scanner(self._sight, spec_bytes_max, warn=not allow_insecure, paced=True)
        self._anew = False  # whether the present root has not been read in full yet
        self._watcher = Watcher(self._scanner.concerns)
        self._claim = Claim()
        self._poll = poll
        self._allow_insecure = allow_insecure
        self._trusted: tuple[int, ...] = ()  # how the root looked that nobody else could change
        self._watched = False  # whether the watcher was started for the present root
        self._scan_due = 0
        self._check_due = 0
        self._watch_due = 0  # when to try again to get watches

    def filenos(self) -> list[int]:
        """Readable when `look` has something to do, or something arrived in a folder beside."""
        return [self._watcher.fileno()]

    def watch_also(self, folder: str) -> None:
        """Wake also when a file arrives in this folder, which holds no specs."""
        self._watcher.beside(folder)
        self._watched = False

    def close(self) -> None:
        self._watcher.close()
        self._scanner.close()
        self._claim.give_back()

    def look(self, now: int, full: bool = False) -> FolderSight:
        """Follow the hints since the last call, or scan in full when that is due or asked for."""
        hints = self._watcher.take(now)
        full = full or now >= self._scan_due or (hints is not None and hints.lost)
        anew = False
        if full or hints is not None or now >= self._check_due:
            anew = self._check_root(now)
            full = full or anew
        self._sight.unread = False
        if self._sight.root != "ok":
            return self._sight
        for path, finished in hints.paths.items() if hints is not None and not full else ():
            if not self._scanner.look_at(path, now, finished):
                full = True
                break
        if full:
            self._scan(now)
        if self._sight.root == "ok":
            self._scanner.read_on(now)
        if anew and self._scanner.is_restless():
            time.sleep(STILL / 1_000_000)
            self._scanner.read_on(now + STILL)
        self._anew = anew or self._anew
        self._sight.unread = self._scanner.behind(large=self._anew)
        self._anew = self._sight.unread and self._anew
        return self._sight

    def next_due(self) -> int | None:
        """When look() has something to do although nothing wakes the loop."""
        if self._sight.root != "ok":
            return self._check_due
        times = (self._scan_due, self._check_due, self._scanner.due(), self._watcher.due())
        return min(time for time in times if time is not None)

    # ---------------------------------------- the root

    def _check_root(self, now: int) -> bool:
        """Compare the root with the last look. True: everything must be scanned again."""
        self._check_due = now + ROOT_CHECK
        before = (self._sight.root, self._sight.device, self._sight.inode)
        self._note_root()
        if (self._sight.root, self._sight.device, self._sight.inode) == before and self._watched:
            return False
        if self._sight.root == "ok":
            self._watch(now)  # before the scan, so that no change is missed in between
            return True
        return False

    def _note_root(self) -> None:
        sight = self._sight
        sight.root, status = _look_at(sight.path)
        sight.danger = sight.mend = ""
        if status is not None:
            sight.device, sight.inode = status.st_dev, status.st_ino
            sight.shared = not self._claim.take(f"{sight.device}-{sight.inode}")
            if not self._allow_insecure:
                self._judge_owner(status)

    def _judge_owner(self, status: os.stat_result) -> None:
        """At the start, when another folder is in its place, and every time until it passes."""
        looks = (status.st_dev, status.st_ino, status.st_uid, status.st_gid, status.st_mode)
        if looks == self._trusted:
            return
        if doubt := _doubt(self._sight.path, self._sight.shown):
            self._trusted = ()
            self._sight.root = "insecure"
            self._sight.danger, self._sight.mend = doubt
            return
        self._trusted = looks
        self._scanner.warn_of("", status)

    def _watch(self, now: int) -> None:
        problem = self._watcher.start("" if self._poll else self._sight.path)
        self._watched = True
        self._tell("requested by --poll" if self._poll else problem, now)

    def _tell(self, problem: str, now: int) -> None:
        self._sight.watching = "polling" if problem else "events"
        self._sight.problem = problem
        self._watch_due = now + RESCAN

    # ---------------------------------------- the content

    def _scan(self, now: int) -> None:
        """Scan everything; scan again if the root was replaced during the scan."""
        for _ in range(ATTEMPTS):
            identity = (self._sight.device, self._sight.inode)
            try:
                self._scanner.scan(now)
            except OSError:
                self._note_root()
            else:
                self._note_root()
                if self._sight.root == "ok" and identity == (self._sight.device, self._sight.inode):
                    break
            if self._sight.root != "ok":
                break
            self._watch(now)
        else:
            self._sight.root = "unreadable"
        self._check_watches(now)
        self._scan_due = now + (POLL if self._sight.watching == "polling" else RESCAN)

    def _check_watches(self, now: int) -> None:
        """If a folder is not watched, start the watcher again; if that fails, poll for a while."""
        if self._poll or self._sight.root != "ok":
            return
        if self._sight.watching == "polling":
            if now >= self._watch_due:
                self._watch(now)
        elif self._unwatched():
            self._watch(now)
        if self._sight.watching == "events" and self._unwatched():
            self._tell("the system has too few watches (fs.inotify.max_user_watches)", now)

    def _unwatched(self) -> bool:
        watches = self._watcher.watches()
        return watches is not None and watches < len(self._scanner.folders)


def _doubt(path: str, shown: str) -> Doubt | None:
    try:
        return doubt_of_specs(path, shown)
    except OSError as error:  # a link or a folder on the way has just changed
        return Doubt(
            f"{shown}: can't be looked at: {error.strerror}", "look at the folders above it"
        )


def _look_at(path: str) -> tuple[Root, os.stat_result | None]:
    """What is at the path, and its stat if it is a folder that can be listed."""
    try:
        status = os.stat(path)
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR)
        return ("missing" if gone else "unreadable"), None
    if not stat.S_ISDIR(status.st_mode):
        return "file", None
    if not os.access(path, os.R_OK | os.X_OK):
        return "unreadable", None
    return "ok", status
