"""The controller's connection to the shim. If there is no shim, the controller starts one.

If somebody holds the lock of the shim, there is one, or one is just starting or stopping; a moment
later it answers.
"""

import errno
import fcntl
import os
import select
import socket
import sys
import termios
import time
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from controller.errors import MEND_DISK, StorageError
from controller.executor.local import starting
from controller.executor.local.starting import STARTED, short_path, step_limits
from controller.executor.shim.wire import Message, Wire
from controller.regular import read_regular

if TYPE_CHECKING:
    from controller.loop.ports import Launch

PROTOCOL = 4  # of the newest shim; each older one is spoken as well
PING_PROTOCOL = 2  # the first with `ping`
PRIORITY_PROTOCOL = 3  # the first whose `start` has a priority
INHERIT_PROTOCOL = 4  # the first whose `start` may say what is inherited
OPEN_SECONDS_MAX = 10.0
OPEN_PAUSE_SECONDS = 0.002
DEATHS_MAX, DEATHS_SECONDS = 5, 10.0  # if more shims die in that time, something is wrong
REPLACE_SECONDS_MAX = 2.0  # an idle shim must stop in this time
PID_BYTES_MAX = 20
SILENT_SECONDS = 5.0  # without reading what it was sent; normally it takes milliseconds


class Link:
    """The one connection to the present shim."""

    def __init__(self, state_dir: str, boot_id: str, hello: Message, poll: select.epoll) -> None:
        self.state = os.path.abspath(state_dir)
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
        starting.start_if_none(self.state, self.boot_id)
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
            pid = int(read_regular(f"{self.folder}/lock", PID_BYTES_MAX))
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
        with suppress(OSError):
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
