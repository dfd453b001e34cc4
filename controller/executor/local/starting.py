"""Starts the shim of a state folder.

The process that gets the lock file starts the shim. It hands the lock and the socket, bound and
listening, over to it. So there are never two shims, and one can be talked to before it has loaded.
It takes long to load, so it may do so ahead, while its controller loads, too, and the state folder
need not be there yet. A shim to which nothing is handed over does nothing, and ends with the
process that started it.
"""

import fcntl
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import NamedTuple

from controller.executor.shim.door import BACKLOG, LINE
from controller.regular import open_regular

SOCKET_PATH_MAX = 100  # of the 108 bytes that the kernel takes

# Our packages come last, so none of them can hide a module of the standard library.
PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from controller.executor.shim.main import main; main(*sys.argv[2:])"
)


class Loading(NamedTuple):
    """A shim that waits for what it needs at the other end of `line`, or will as soon as it can."""

    pid: int
    line: socket.socket


STARTED: set[int] = set()  # shims that are children of this process
AHEAD: dict[str, Loading] = {}  # by state folder


def load_ahead(state: str) -> None:
    """Let a shim load for this folder, unless it has one.

    `start_if_none` must follow, or the end of this process.
    """
    if state not in AHEAD and not _has_shim(state):
        # `start_if_none` tries again, and reports the error.
        with suppress(OSError), open(os.devnull, "wb") as nowhere:
            AHEAD[state] = _load(state, nowhere.fileno())


def start_if_none(state: str, boot_id: str) -> None:
    """Start the shim of this folder, unless it exists or somebody else is starting it."""
    os.makedirs(f"{state}/shim", mode=0o700, exist_ok=True)
    lock = open_regular(_lock(state), os.O_RDWR | os.O_CREAT)
    try:
        if _try_lock(lock):
            start_shim(state, boot_id, lock)
        elif state in AHEAD:
            _dismiss(AHEAD.pop(state))
    finally:
        os.close(lock)


def start_shim(state: str, boot_id: str, lock: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(f"{state}/shim/socket")
    errors = open_regular(f"{state}/shim/errors", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            os.fchmod(listener.fileno(), 0o600)  # before it has a name: never open to others
            with short_path(f"{state}/shim") as folder:
                listener.bind(f"{folder}/socket")
            listener.listen(BACKLOG)
            pid, line = AHEAD.pop(state) if state in AHEAD else _load(state, errors)
            STARTED.add(pid)
            # If it has died meanwhile, nobody listens any more, so another one is started.
            with line, suppress(BrokenPipeError, ConnectionResetError):
                handed = (listener.fileno(), lock, errors)
                socket.send_fds(line, [boot_id.encode()], handed)
    finally:
        os.close(errors)


def _load(state: str, errors: int) -> Loading:
    """Start a process that becomes a shim. `errors`: for what goes wrong before it is one."""
    step_limits()  # note the limits before they are raised for us and for what we start
    packages = os.path.abspath(f"{__file__}/../../../..")
    ours, its = socket.socketpair()
    with its:
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-c", PROGRAM, packages, state],
                {},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, its.fileno(), LINE),
                    (os.POSIX_SPAWN_DUP2, errors, 1),
                    (os.POSIX_SPAWN_DUP2, errors, 2),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}),
            )
        except OSError:
            ours.close()
            raise
    return Loading(pid, ours)


def _dismiss(loading: Loading) -> None:
    """Nobody needs it. It has done nothing yet."""
    loading.line.close()
    os.kill(loading.pid, signal.SIGKILL)
    os.waitpid(loading.pid, 0)


def _has_shim(state: str) -> bool:
    """Whether one holds the lock. Somebody who takes it now finds it held, and tries again."""
    try:
        lock = open_regular(_lock(state), os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_lock(lock)
    finally:
        os.close(lock)


def _lock(state: str) -> str:
    return f"{state}/shim/lock"


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def short_path(folder: str) -> Iterator[str]:
    """A name for the folder that is short enough for a socket's path, even if it lies deep."""
    if len(os.fsencode(folder)) < SOCKET_PATH_MAX - len("/socket"):
        yield folder
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


@cache
def step_limits() -> dict[int, int]:
    """The soft limits that this controller was started with; its steps get them.

    Then the controller's own limit for descriptors is raised: it holds one for each running step.
    """
    kinds = {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
    limits = {kind: resource.getrlimit(kind)[0] for kind in kinds}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return limits
