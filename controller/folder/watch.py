"""Wakes the loop when something happens in the folder, and says where to look.

watchdog's threads put the path into a bounded set of hints and write to a pipe that the loop
selects on. The loop takes the hints when the storm is over: at once if only finished writes wait,
else when no event came for 50 ms, and after 1 s in any case. If anything is lost (an overflow of
the kernel's queue or of our set, a change of the root), a full scan is needed instead. If the
system has no free watches, `start` says so and the folder is polled.
Cost: one kernel watch a folder, four threads, and next to nothing while nothing happens.
"""

import errno
import logging
import os
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from msgspec import Struct
from watchdog import events
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

QUIET = 50_000  # microseconds without an event: then a storm is over
STORM_MAX = 1_000_000  # microseconds; then the hints are taken even during a storm
HINTS_MAX = 1_000  # with more, a full scan is not slower
FEW = 8  # up to so many finished writes are followed at once

# watchdog's warning (a folder that came back has its watch already) doesn't help anybody.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")

# Without the events of opening and reading: our own reading would wake us again.
TREE_EVENTS: list[type[events.FileSystemEvent]] = [
    events.FileCreatedEvent,
    events.FileModifiedEvent,
    events.FileAttribEvent,
    events.FileMovedEvent,
    events.FileDeletedEvent,
    events.FileClosedEvent,
    events.DirAttribEvent,
    events.DirCreatedEvent,
    events.DirMovedEvent,
    events.DirDeletedEvent,
]
ARRIVALS: list[type[events.FileSystemEvent]] = [events.FileCreatedEvent, events.FileMovedEvent]


class Hints(Struct, frozen=True):
    """Where to look: relative path -> whether its writing has ended. `lost`: everywhere."""

    paths: dict[str, bool]
    lost: bool


class Watcher:
    """Watches a folder tree, and folders beside it for new files. `concerns`: what matters."""

    def __init__(self, concerns: Callable[[str], bool]) -> None:
        self._concerns = concerns
        self._beside: list[str] = []
        self._tree = ""
        self._observer: BaseObserver | None = None
        self._lock = threading.Lock()
        self._hints: dict[str, bool] = {}
        self._lost = False
        self._count = 0
        self._taken = 0
        self._storm: _Storm | None = None
        self._woken = False
        self._wake, self._wake_end = os.pipe()
        for end in (self._wake, self._wake_end):
            os.set_blocking(end, False)
        self._losses = _Losses(self._lose)
        logging.getLogger("watchdog").addHandler(self._losses)

    def fileno(self) -> int:
        """Readable when there are hints, or something arrived in a folder beside."""
        return self._wake

    def start(self, tree: str) -> str:
        """Watch this tree (empty: none) from now on. Returns why that fails, or nothing."""
        self._stop()
        # A watch does not follow a symlink, and events name the real path.
        self._tree = os.path.realpath(tree) if tree else ""
        try:
            self._observer = Observer()
            for path in self._beside:
                handler = cast(events.FileSystemEventHandler, _Handler(self._arrived))
                self._observer.schedule(handler, path, event_filter=ARRIVALS)
            if self._tree:
                handler = cast(events.FileSystemEventHandler, _Handler(self._happened))
                self._observer.schedule(
                    handler, self._tree, recursive=True, event_filter=TREE_EVENTS
                )
            self._observer.start()
        except OSError as error:
            self._stop()
            return _out_of_watches(error)
        return ""

    def beside(self, folder: str) -> None:
        """Wake also when a file arrives in this folder; from the next `start` on."""
        self._beside.append(folder)

    def take(self, now: int) -> Hints | None:
        """The hints, unless there are none or the storm goes on."""
        if self._woken:
            self._woken = False
            with suppress(BlockingIOError):
                os.read(self._wake, 4096)
        with self._lock:
            if not (self._hints or self._lost) or not self._over(now):
                return None
            hints = Hints(self._hints, self._lost)
            self._hints, self._lost, self._storm, self._taken = {}, False, None, now
            return hints

    def due(self) -> int | None:
        """When `take` will know whether the storm is over."""
        return self._storm.look if self._storm is not None else None

    def watches(self) -> int | None:
        """How many folders of the tree the kernel watches; None if it doesn't say.

        If watchdog gets no watch for a folder below the root, it skips it silently.
        """
        found = _kernel_watches()
        return None if found is None else found - len(self._beside)

    def close(self) -> None:
        self._stop()
        logging.getLogger("watchdog").removeHandler(self._losses)
        os.close(self._wake)
        os.close(self._wake_end)

    def _over(self, now: int) -> bool:
        """Whether to follow the hints now."""
        finished = not self._lost and len(self._hints) <= FEW and all(self._hints.values())
        if finished and now - self._taken >= QUIET:
            return True
        if self._storm is None:
            self._storm = _Storm(now, self._count, now + QUIET)
        storm = self._storm
        if now < storm.look:
            return False
        if storm.count == self._count or now - storm.began >= STORM_MAX:
            return True
        self._storm = _Storm(storm.began, self._count, now + QUIET)
        return False

    # ---------------------------------------- in watchdog's threads

    def _happened(self, event: events.FileSystemEvent) -> None:
        finished = event.is_directory or event.event_type in (
            events.EVENT_TYPE_MOVED,
            events.EVENT_TYPE_DELETED,
            events.EVENT_TYPE_CLOSED,
        )
        for path in (event.src_path, event.dest_path):
            relative = os.path.relpath(os.fsdecode(path), self._tree) if path else ""
            if relative == ".":
                self._lose()  # the root itself is gone
            elif relative and (event.is_directory or self._concerns(relative)):
                self._hint(relative, finished)

    def _hint(self, path: str, finished: bool) -> None:
        with self._lock:
            # If a path is written again, the last event counts.
            first = not self._hints or (finished and not self._hints.get(path))
            self._hints[path] = finished
            self._count += 1
            if len(self._hints) > HINTS_MAX:
                self._hints, self._lost = {}, True
        if first:
            self._arrived()

    def _lose(self) -> None:
        with self._lock:
            self._lost = True
            self._count += 1
        self._arrived()

    def _arrived(self, _event: events.FileSystemEvent | None = None) -> None:
        with suppress(BlockingIOError):  # the pipe is full of wakes already
            os.write(self._wake_end, b"\0")
        self._woken = True  # after the write, so that no byte stays behind unread

    def _stop(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer.is_alive():
                observer.join()


class _Storm(Struct, frozen=True):
    """Hints that wait: since when, how many events had come, and when to count again."""

    began: int
    count: int
    look: int


class _Handler:
    """What watchdog calls for each event."""

    def __init__(self, call: Callable[[events.FileSystemEvent], None]) -> None:
        self.dispatch = call


class _Losses(logging.Handler):
    """watchdog reports an overflow only in its log: any warning there means lost events."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._call = call

    def emit(self, record: logging.LogRecord) -> None:
        self._call()


def _kernel_watches() -> int | None:
    """How many folders the kernel watches for this process; None if it doesn't say."""
    found, told = 0, False
    try:
        for descriptor in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/self/fd/{descriptor}") == "anon_inode:inotify":
                    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
                        found += sum(line.startswith("inotify ") for line in file)
                    told = True
    except OSError:
        return None
    return found if told else None


def _out_of_watches(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the system has no more watches (fs.inotify.max_user_watches)"
    if error.errno == errno.EMFILE:
        return "the system has no more watchers (fs.inotify.max_user_instances)"
    return f"the folder can't be watched: {error.strerror or error}"
