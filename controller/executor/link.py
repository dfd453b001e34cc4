"""The controller's end of the wire to the shim, which it starts when there is none.

Whoever gets the lock file starts the shim and hands it the lock and the socket, bound and listening,
as descriptors: so there is never a shim too many, and one can connect before it has loaded. Where the
lock is held there is a shim, or one is on its way in or out; a moment later it takes the connection.

Nothing waits but `open`, and that for milliseconds. Messages of one call go as one line.
"""

import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from controller.errors import StorageError

OPEN_SECONDS_MAX = 10.0
OPEN_PAUSE_SECONDS = 0.002
SOCKET_PATH_MAX = 100  # of the 108 bytes that the kernel takes
BACKLOG = 16
READ_BYTES = 1 << 18

# The shim's folders of modules come last: a step's files can't shadow the standard library.
PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from controller.executor.shim import main; main(*sys.argv[2:])"
)

Message = list[Any]


class ShimGone(Exception):
    """The connection broke: the shim died, or ended because there was nothing to do."""


class Link:
    def __init__(self, state_dir: Path, boot_id: str) -> None:
        self.state = os.fspath(state_dir.absolute())
        self.boot_id = boot_id
        self.folder = f"{self.state}/shim"
        self.children: set[int] = set()
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self.open()

    def open(self) -> None:
        """Connect, to a new shim if need be."""
        self.reap()
        self.received = b""
        self.unsent = b""
        enough = time.monotonic() + OPEN_SECONDS_MAX
        while not self.try_open():
            if time.monotonic() > enough:
                raise StorageError(f"{self.folder}: locked, but nobody answers there")
            time.sleep(OPEN_PAUSE_SECONDS)
        self.sock.setblocking(False)

    def try_open(self) -> bool:
        lock = os.open(f"{self.folder}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if try_lock(lock):
                self.start_shim(lock)
        finally:
            os.close(lock)
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            with short_path(self.folder) as folder:
                self.sock.connect(f"{folder}/socket")
        except (FileNotFoundError, ConnectionRefusedError):
            self.sock.close()
            return False
        return True

    def start_shim(self, lock: int) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self.folder}/socket")
        errors = os.open(
            f"{self.folder}/errors", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        with socket.socket(socket.AF_UNIX) as listener:
            with short_path(self.folder) as folder:
                listener.bind(f"{folder}/socket")
            listener.listen(BACKLOG)
            # Above 2, or the first copy could overwrite what the next one is made of.
            handed = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in (listener, lock, errors)]
            os.close(errors)
            try:
                self.children.add(self.spawn(handed))
            finally:
                for fd in handed:
                    os.close(fd)

    def spawn(self, handed: list[int]) -> int:
        packages = os.fspath(Path(__file__).parents[2])
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-c", PROGRAM, packages, self.state, self.boot_id],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, to) for to, fd in enumerate(handed)],
            setsid=True,
            setsigmask=(),
            setsigdef=sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}),
        )

    def reap(self) -> None:
        """Shims that this process started and that have ended leave no zombie."""
        for child in list(self.children):
            with suppress(ChildProcessError):
                if os.waitpid(child, os.WNOHANG)[0] == 0:
                    continue
            self.children.discard(child)

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, messages: list[Message]) -> bool:
        """Send them as one line; False: some of it waits until the shim reads on."""
        if messages:
            self.unsent += json.dumps(messages, separators=(",", ":")).encode() + b"\n"
        try:
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except BlockingIOError:
            return False
        except OSError:  # the next receive() says so
            self.unsent = b""
        return True

    def receive(self) -> list[Message]:
        """What has come in whole. Raises ShimGone once all of it was read."""
        chunks = []
        with suppress(BlockingIOError):
            while chunk := self.read():
                chunks.append(chunk)
            if not chunks:
                raise ShimGone
        *lines, self.received = (self.received + b"".join(chunks)).split(b"\n")
        return [message for line in lines for message in json.loads(line)]

    def read(self) -> bytes:
        try:
            return self.sock.recv(READ_BYTES)
        except BlockingIOError:
            raise
        except OSError:
            return b""

    def close(self) -> None:
        self.sock.close()
        self.reap()


def try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def short_path(folder: str) -> Iterator[str]:
    """A name for the folder that leaves room for a socket's path, however deep it lies."""
    if len(os.fsencode(folder)) < SOCKET_PATH_MAX - len("/socket"):
        yield folder
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
