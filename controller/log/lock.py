"""Only one controller for a state folder, and an epoch: a number for each of its starts.

The lock is `flock` on STATE/lock. The kernel releases it whenever its holder dies, so there is no
old lock to remove. The text in the file is for messages, and holds the last epoch; only the kernel
decides who holds the lock.

An epoch is higher than every earlier one, in the log and in the file. It is durable before it is
used; the rest of the text need not be durable. The text has a fixed size, within one sector of the
disk, and is written in place, because a rename would leave the lock on a file without a name.
"""

import fcntl
import os
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Annotated

import msgspec
from msgspec import Meta

from controller.errors import MEND_DISK, LockHeld, StorageError
from controller.regular import open_regular

_TEXT_SIZE = 512  # bytes: one sector, so that a crash leaves the old text or the new
_COMMAND_SIZE_MAX = 150
# The model has limits of its own. But the help asks for the holder, too, and loads no model.
_EPOCH_MAX = 1 << 40
_SINCE_MAX = 1 << 57  # in the year 6537
_TRIES_SECONDS_MAX = 0.3


class Holder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the file says about the last holder of the lock. `since`: microseconds since 1970.

    `ends_steps`: on SIGTERM it ends its steps, which a controller that takes over wants to keep.
    `seq`: a record that is certainly in the log, because it was on the disk when this was written.
    """

    pid: Annotated[int, Meta(ge=0, lt=1 << 31)] = 0
    host: str = ""
    epoch: Annotated[int, Meta(ge=0, le=_EPOCH_MAX)] = 0
    seq: Annotated[int, Meta(ge=0)] = 0
    since: Annotated[int, Meta(ge=0, le=_SINCE_MAX)] = 0
    command: str = ""
    ends_steps: bool = False


class StateLock:
    """Held from construction until `release`, or until this process ends. Raises LockHeld."""

    def __init__(self, state_dir: str, command: str, *, ends_steps: bool = False) -> None:
        path = self._path = lock_path(state_dir)
        try:
            self._fd = _open_and_lock(path)
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror}") from error
        before = _read(self._fd)
        self.holder = Holder(
            pid=os.getpid(),
            host=os.uname().nodename,
            epoch=before.epoch,
            seq=before.seq,
            since=time.time_ns() // 1000,
            command=command[:_COMMAND_SIZE_MAX],
            ends_steps=ends_steps,
        )
        self._write()

    def begin_epoch(self, log_epoch: int) -> int:
        """A number for this start, higher than any before; `log_epoch` is the log's last."""
        epoch = max(self.holder.epoch, log_epoch) + 1
        self.holder = msgspec.structs.replace(self.holder, epoch=epoch)
        self._write(durable=True)
        return epoch

    def note_end(self, seq: int) -> None:
        """Note that the log has this record, so that the next start can check it.

        If the machine goes down at once, only this note may be lost.
        """
        self.holder = msgspec.structs.replace(self.holder, seq=seq)
        self._write()

    def release(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> "StateLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _write(self, *, durable: bool = False) -> None:
        text = msgspec.json.encode(self.holder)
        try:
            os.pwrite(self._fd, text.ljust(_TEXT_SIZE - 1) + b"\n", 0)
            if durable:
                os.fsync(self._fd)
        except OSError as error:
            raise StorageError(
                f"{self._path}: {error.strerror}: the lock can't be written; {MEND_DISK}"
            ) from error


def holder(state_dir: str) -> Holder | None:
    """Who holds the lock now; None if nobody does. For readers: never waits, writes nothing."""
    try:
        fd = open_regular(lock_path(state_dir))
    except OSError:
        return None
    try:
        # We hold a shared lock for some microseconds; because of it `_open_and_lock` tries again.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(fd)
    finally:
        os.close(fd)
    return None


def noted_end(state_dir: str) -> int:
    """The last record that was noted as being in the log; 0 if that is not known."""
    try:
        fd = open_regular(lock_path(state_dir))
    except OSError:
        return 0
    try:
        return _read(fd).seq
    finally:
        os.close(fd)


def check_end(state_dir: str, seq: int, noted: int) -> None:
    """Refuse a log that ends with `seq` although it had more. Raises StorageError.

    A torn tail is not a problem here, because its records were never noted.
    """
    if seq < noted:
        raise StorageError(
            f"{os.path.join(state_dir, 'log')}: ends with record {seq}, but had {noted}: later "
            "records were deleted or cut; put them back from a copy, or continue without them with "
            "`treadle repair`"
        )


def _open_and_lock(path: str) -> int:
    """An exclusive lock on the file that has this name now."""
    until = time.monotonic() + _TRIES_SECONDS_MAX
    while True:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except FileNotFoundError:
            pass  # the file was deleted between open and lock: lock the next one
        except BlockingIOError:
            # Perhaps a reader looks at it, or a child of a dead holder has not called exec yet.
            by = _read(fd)
            if time.monotonic() > until:
                os.close(fd)
                raise _held(path, by) from None
        os.close(fd)
        time.sleep(0.01)


def _held(path: str, by: Holder) -> LockHeld:
    since = datetime.fromtimestamp(by.since / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    who = f"pid {by.pid} on {by.host} since {since} ({by.command})" if by.pid else "unknown"
    return LockHeld(
        f"{os.path.dirname(path)}: another controller holds this state folder: {who}; stop it, or "
        "use another folder with --state"
    )


def lock_path(state_dir: str) -> str:
    return os.path.join(state_dir, "lock")


def _read(fd: int) -> Holder:
    """What the file says; if it can't be read, an empty Holder."""
    try:
        return msgspec.json.decode(os.pread(fd, _TEXT_SIZE, 0), type=Holder)
    except (OSError, msgspec.DecodeError):
        return Holder()
