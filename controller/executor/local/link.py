"""The controller's connection to the shim. If there is no shim, the controller starts one.

The process that gets the lock file starts the shim. It passes the lock and the socket, bound and
listening, to it as descriptors. So there are never two shims, and one can be talked to before it
has loaded. It takes as long to load as its controller, so start it first to save time. If somebody
holds the lock, there is a shim, or one is just starting or stopping; a moment later it answers.
"""

import errno
import fcntl
import os
import resource
import select
import signal
import socket
import sys
import termios
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from controller.errors import MEND_DISK, StorageError
from controller.executor.shim.door import BACKLOG
from controller.executor.shim.wire import Message, Wire

if TYPE_CHECKING:
    from controller.loop.ports import Launch

PROTOCOL = 4  # of the newest shim; each older one is spoken as well
PING_PROTOCOL = 2  # the first with `ping`
PRIORITY_PROTOCOL = 3  # the first whose `start` has a priority
INHERIT_PROTOCOL = 4  # the first whose `start` may say what is inherited
OPEN_SECONDS_MAX = 10.0
OPEN_PAUSE_SECONDS = 0.002
DEATHS_MAX, DEATHS_SECONDS = 5, 10.0  # if more shims die in that time, something is wrong
SOCKET_PATH_MAX = 100  # of the 108 bytes that the kernel takes
REPLACE_SECONDS_MAX = 2.0  # an idle shim must stop in this time
SILENT_SECONDS = 5.0  # without reading what it was sent; normally it takes milliseconds

# Our packages come last, so none of them can hide a module of the standard library.
PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from controller.executor.shim.main import main; main(*sys.argv[2:])"
)

STARTED: set[int] = set()  # shims that are children of this process


class Link:
    """The one connection to the present shim."""

    def __init__(self, state_dir: Path, boot_id: str, hello: Message, poll: select.epoll) -> None:
        self.state = os.fspath(state_dir.absolute())
        self.folder = f"{self.state}/shim"
        self.boot_id = boot_id
        self.hello = hello
        self.poll = poll
        self.deaths: list[float] = []
        self.unread_since: float | None = None
        self.sent_at = 0.0
        self.open()

    def open(self) -> None:
        """Connect; start a shim if there is none. This takes milliseconds at most."""
        enough = time.monotonic() + OPEN_SECONDS_MAX
        try:
            while not self.try_open():
                self.pause(enough)
        except OSError as fault:
            raise StorageError(
                f"{self.folder}: {fault.strerror}: no shim can be started; {hint(fault.errno)}"
            ) from fault
        self.writable = select.EPOLLIN
        self.poll.register(self.wire.sock, self.writable)
        self.send([self.hello])

    def pause(self, enough: float) -> None:
        if time.monotonic() > enough:
            raise StorageError(f"{self.folder}: {self.mend('does not answer at its socket')}")
        time.sleep(OPEN_PAUSE_SECONDS)

    def try_open(self) -> bool:
        start_if_none(self.state, self.boot_id)
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)  # a shim that hangs accepts nothing once its queue is full
        try:
            with short_path(self.folder) as folder:
                sock.connect(f"{folder}/socket")
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            sock.close()
            return False
        self.wire = Wire(sock)
        return True

    def mend(self, problem: str) -> str:
        """A message: what is wrong with the shim that has the lock, and how to go on without it."""
        with suppress(OSError, ValueError):
            with open(f"{self.folder}/lock", encoding="ascii") as file:
                pid = int(file.read())
            return (
                f"the supervisor of the steps (pid {pid}) {problem}; "
                f"`kill -9 {pid}` lets another one start, and no step is lost"
            )
        return f"the supervisor of the steps {problem}"

    def silent(self) -> bool:
        """Has it not read our messages for a long time?"""
        if not self.unread():
            self.unread_since = None
            return False
        now = time.monotonic()
        self.unread_since = self.unread_since or now
        return now - self.unread_since >= SILENT_SECONDS

    def unread(self) -> bool:
        """The kernel counts what the other end has not read yet."""
        return any(fcntl.ioctl(self.wire.sock, termios.TIOCOUTQ, bytes(4)))

    def quiet(self) -> bool:
        """Was nothing sent for so long that we would not notice if it hung?"""
        return time.monotonic() - self.sent_at >= SILENT_SECONDS

    def send(self, messages: list[Message]) -> None:
        if messages:
            self.sent_at = time.monotonic()
        for message in messages:
            self.wire.say(message)
        self.wire.flush()
        writable = select.EPOLLIN | (select.EPOLLOUT if self.wire.unsent else 0)
        if writable != self.writable:
            self.writable = writable
            self.poll.modify(self.wire.sock, writable)

    def receive(self) -> list[Message]:
        return self.wire.receive()

    def reopen(self) -> None:
        """The shim is gone: find or start another."""
        now = time.monotonic()
        self.deaths = [death for death in self.deaths if now - death < DEATHS_SECONDS] + [now]
        if len(self.deaths) > DEATHS_MAX:
            raise StorageError(f"the supervisor of the steps dies again and again; {self.why()}")
        self.close()
        self.open()

    def why(self) -> str:
        if os.path.getsize(f"{self.folder}/errors"):
            return f"{self.folder}/errors says why"
        return (
            "something here kills it; the steps keep running, and the next `treadle up` adopts them"
        )

    def replace(self, pid: int) -> None:
        """Stop an older shim that has nothing left to do, then start one of this version.

        This happens once per upgrade and takes milliseconds. If the shim doesn't stop, we keep it.
        """
        import psutil

        self.close()
        with suppress(psutil.Error):  # it stopped by itself, or it stays
            shim = psutil.Process(pid)
            shim.terminate()
            shim.wait(REPLACE_SECONDS_MAX)
        self.open()

    def close(self) -> None:
        self.poll.unregister(self.wire.sock)
        self.wire.close()
        for child in list(STARTED):  # leave no zombie of a shim that we started
            with suppress(ChildProcessError):
                if os.waitpid(child, os.WNOHANG)[0] == 0:
                    continue
            STARTED.discard(child)


def hint(number: int | None) -> str:
    """How to mend what keeps a shim from being started."""
    if number in (errno.EMFILE, errno.ENFILE):
        return "raise the limit on open files (`ulimit -n`), then start again"
    if number in (errno.EAGAIN, errno.ENOMEM):
        return "there is no room for another process; see `ulimit -u` and free memory"
    if number == errno.EACCES:
        return f"this user has to be able to write there and to run {sys.executable}"
    if number in (errno.EPERM, errno.EOPNOTSUPP):
        return "it needs a Unix socket, which is forbidden there; allow it, or use another --state"
    return MEND_DISK


def start_if_none(state: str, boot_id: str) -> None:
    """Start the shim of this folder, unless it exists or somebody else is starting it."""
    os.makedirs(f"{state}/shim", mode=0o700, exist_ok=True)
    lock = os.open(f"{state}/shim/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if try_lock(lock):
            start_shim(state, boot_id, lock)
    finally:
        os.close(lock)


def start_shim(state: str, boot_id: str, lock: int) -> None:
    step_limits()  # note the limits before they are raised for us and for what we start
    with suppress(FileNotFoundError):
        os.unlink(f"{state}/shim/socket")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    errors = os.open(f"{state}/shim/errors", flags, 0o600)
    with socket.socket(socket.AF_UNIX) as listener:
        os.fchmod(listener.fileno(), 0o600)  # before it has a name: never open to others
        with short_path(f"{state}/shim") as folder:
            listener.bind(f"{folder}/socket")
        listener.listen(BACKLOG)
        # Above 2, or moving the first to its place could overwrite the next.
        handed = [
            fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in (listener.fileno(), lock, errors)
        ]
    os.close(errors)
    try:
        STARTED.add(spawn(state, boot_id, handed))
    finally:
        for fd in handed:
            os.close(fd)


def spawn(state: str, boot_id: str, handed: list[int]) -> int:
    packages = os.fspath(Path(__file__).parents[3])
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-c", PROGRAM, packages, state, boot_id],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(handed)],
        setsid=True,
        setsigmask=(),
        setsigdef=sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}),
    )


def try_lock(fd: int) -> bool:
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


def greeting(epoch: int, slots: int) -> Message:
    """What a shim must know of its controller, mainly what the steps inherit from it."""
    umask = os.umask(0o077)
    os.umask(umask)
    limits = {str(kind): soft for kind, soft in step_limits().items()}
    about = {"protocol": PROTOCOL, "epoch": epoch, "slots": slots}
    return ["hello", {**about, "env": inherited(), "umask": umask, "limits": limits}]


def inherited() -> dict[str, str]:
    """The environment of this controller. Bytes that are not UTF-8 become lone surrogates."""
    return {
        name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for name, value in os.environb.items()
    }


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


def start_message(launch: "Launch", argv: tuple[str, ...], env: dict[str, str]) -> Message:
    """`argv`: of its first process; `env`: what it sees beside what it inherits."""
    text = str(launch.id)
    order = [launch.mark, argv, env, launch.working_dir, launch.log]
    message = ["start", text, *order, launch.leave_processes, launch.priority]
    return message if launch.inherit is True else [*message, launch.inherit]


def as_older(message: Message, protocol: int) -> Message:
    """A `start` in the words of an older shim."""
    verb, text, mark, argv, env, folder, log, leave, priority, *inherit = message
    if inherit:
        argv = _unsetting(argv, env, folder, inherit[0] or ())
    start = [verb, text, mark, argv, env, folder, log, leave]
    return [*start, priority] if protocol >= PRIORITY_PROTOCOL else start


def _unsetting(
    argv: tuple[str, ...], env: dict[str, str], folder: str, keep: Collection[str]
) -> list[str]:
    """The command in the words of env(1), for a shim that hands on all of our environment."""
    from shutil import which

    kept = {*keep, *env, "TREADLE_WITHIN"}
    unset = [word for name in inherited() if name not in kept for word in ("-u", name)]
    name, *arguments = argv
    # env would look for it in the PATH that is left.
    path = env.get("PATH", os.environ.get("PATH", os.defpath)).split(":")
    found = which(name, path=":".join(os.path.join(folder, place) for place in path))
    return ["/usr/bin/env", *unset, found or name, *arguments]
