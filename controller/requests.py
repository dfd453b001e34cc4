"""What people ask for: one file for each request, in STATE/requests, written whole and taken once.

A request is durable before `drop` returns. It is there or not, never half: it is written under a
hidden name, synced and renamed. File names begin with the time, so their order is the order of
asking. The controller records each request by its name before it removes the file; so a request
that a crash left behind is recognized by its name and not applied again. Only the owner of the
state folder and root may ask: who else could write there could also put something in our way. Who
asked is the owner of the file, whatever it says itself.

Cost: `drop` two syncs; `waiting` one stat while nothing changes.
"""

import os
import pwd
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

import msgspec

from controller.errors import MEND_DISK, NotUtf8, StorageError, bounded
from controller.loop.ports import Request
from controller.owners import doubt_of_state, is_strangers, user_name
from controller.regular import first_of, open_regular, private

REQUEST_SIZE_MAX = 64 << 20  # bytes; a request may carry the whole text of a spec

_NAME_MAX = 64  # characters of a user that we don't know
_UNREADABLE = (OSError, ValueError, RecursionError)
_NAME = re.compile(r"\d{20}-\d+-[0-9a-f]+\.json")
# A folder's time has steps of 10 ms (a kernel tick), on some file systems of 2 s. A folder that has
# changed within one step may change again and keep the same time. Its clock may not be ours.
_TIME_STEP_SECONDS = 2.0


def drop(state_dir: str, request: Request) -> str:
    """Ask for something; returns the name of the request. Works without a controller."""
    folder = requests_folder(state_dir)
    name = f"{time.time_ns():020}-{os.getpid()}-{os.urandom(4).hex()}.json"
    draft = os.path.join(folder, f".{name}.tmp")
    try:
        text = msgspec.json.encode(request)
    except UnicodeEncodeError:  # the path of the spec, if it is relative to such a folder
        raise NotUtf8(request.path) from None
    try:
        if doubt := doubt_of_state(state_dir):
            raise StorageError(str(doubt))
        for each in (state_dir, folder):
            os.makedirs(each, mode=0o700, exist_ok=True)
        with open(draft, "xb", opener=private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, os.path.join(folder, name))
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        with suppress(OSError):
            os.unlink(draft)
        raise StorageError(f"{folder}: the request can't be written: {error.strerror}") from error
    return name


def set_aside(state_dir: str, name: str) -> bool:
    """Whether the controller could not read this request, and put it aside."""
    return os.path.exists(_aside(os.path.join(requests_folder(state_dir), name)))


def waiting(state_dir: str) -> Iterator[Request]:
    """The requests that wait for a controller, in order. For readers: it changes nothing."""
    folder = requests_folder(state_dir)
    with suppress(OSError):
        for name in _in_order(os.listdir(folder)):
            with suppress(*_UNREADABLE):
                yield _read(os.path.join(folder, name), name, from_anybody=True)


def count_waiting(state_dir: str) -> int:
    """How many requests wait for a controller. Raises StorageError."""
    folder = requests_folder(state_dir)
    try:
        return sum(1 for name in os.listdir(folder) if _NAME.fullmatch(name))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StorageError(f"{folder}: can't be read: {error.strerror}") from error


def os_user() -> str:
    """The user who asks, by their name on this system."""
    return _user(os.geteuid())


class RequestBox:
    """The controller's side of the folder. `note` gets a line about each file that is set aside."""

    def __init__(self, state_dir: str, note: Callable[[str], None]) -> None:
        self._folder = requests_folder(state_dir)
        self._note = note
        self._read: dict[str, Request] = {}
        self._ignored: set[str] = set()  # what can't be set aside
        self._changed: int | None = None  # the folder's time
        self._certain_at = 0.0  # when its step is over: then a change would show
        self._looked_at = -1.0

    def waiting(self) -> list[Request]:
        """Every request in the folder, in order. Unreadable files are set aside with a note."""
        try:
            changed, now = os.stat(self._folder).st_mtime_ns, time.monotonic()
            if changed != self._changed:
                self._changed, self._certain_at = changed, now + _TIME_STEP_SECONDS
            if self._looked_at <= self._certain_at:
                self._look(os.listdir(self._folder))
                self._looked_at = now
        except FileNotFoundError:
            self._read.clear()
            self._changed = None
        except OSError as error:
            raise StorageError(f"{self._folder}: can't be read: {error.strerror}") from error
        return list(self._read.values())

    def done(self, names: Collection[str]) -> None:
        """Remove these requests; they are in the log. A second call does nothing."""
        for name in filter(_NAME.fullmatch, names):
            self._read.pop(name, None)
            try:
                os.unlink(os.path.join(self._folder, name))
            except FileNotFoundError:
                pass
            except OSError as error:
                raise StorageError(
                    f"{self._folder}: {error.strerror}: can't be written; {MEND_DISK}"
                ) from error

    def _look(self, found: list[str]) -> None:
        names = [name for name in _in_order(found) if name not in self._ignored]
        known, self._read = self._read, {}
        for name in names:
            request = known.get(name) or self._load(name)
            if request is not None:
                self._read[name] = request

    def _load(self, name: str) -> Request | None:
        path = os.path.join(self._folder, name)
        try:
            return _read(path, name, from_anybody=False)
        except FileNotFoundError:
            return None  # withdrawn by hand since the folder was listed
        except _UNREADABLE as error:
            self._set_aside(name, path, str(error))
            return None

    def _set_aside(self, name: str, path: str, problem: str) -> None:
        aside = _aside(path)
        try:
            os.rename(path, aside)
            now = f"set aside as {aside}"
        except OSError as error:
            self._ignored.add(name)
            now = f"it can't be set aside: {error.strerror}; remove it"
        self._note(f"{path}: not a request ({problem}); {now}, it does nothing")


def _in_order(found: list[str]) -> list[str]:
    return sorted(name for name in found if _NAME.fullmatch(name))


def _read(path: str, name: str, *, from_anybody: bool) -> Request:
    """Raises OSError, or ValueError if it is not a request, or not from one who may ask."""
    fd = open_regular(path)
    try:
        status = os.fstat(fd)
        if is_strangers(status) and not from_anybody:
            raise ValueError(f"it belongs to {user_name(status.st_uid)}")
        text = first_of(fd, REQUEST_SIZE_MAX + 1)
    finally:
        os.close(fd)
    if len(text) > REQUEST_SIZE_MAX:
        raise ValueError(f"larger than {REQUEST_SIZE_MAX} bytes")
    request = msgspec.json.decode(text, type=Request)
    return msgspec.structs.replace(
        request,
        name=name,
        problem=bounded(_problem(request)),
        by=_asker(request.by, status.st_uid),
        reason=bounded(request.reason),
    )


def _asker(said: str, uid: int) -> str:
    """The owner of the file; with what it says itself, if that is another name."""
    owner = _user(uid)
    return owner if said in ("", owner) else f"{owner} (as {said[:_NAME_MAX]})"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _problem(request: Request) -> str:
    """The sender checked its document already, but perhaps with the rules of another version."""
    if request.document is None:
        return ""
    from controller.spec.reading.link import problems
    from controller.spec.rules.validate import check

    spec = request.document.workflow.spec
    faults = list(check(spec)) or problems(spec)
    return "; ".join(f"{request.path}: {fault.problem}" for fault in faults)


def _aside(path: str) -> str:
    return f"{path}.bad"


def requests_folder(state_dir: str) -> str:
    return os.path.join(state_dir, "requests")
