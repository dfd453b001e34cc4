"""The folder of an attempt below `sharedDir`: what is written for the runner, and what it left.

    sharedDir/FOLDER_ID/treadle-STEP-MARK/   attempt.json order.json end.json: from here
                                             claim started.json output outputs exit.json: the runner
    sharedDir/FOLDER_ID/work/UID/            the folder that TREADLE_WORK_DIR names

Every function blocks, and may do so for long: the folder is on a file server. So all of them run
beside the loop. File servers are late, too: a folder is listed before a file in it is missed, which
makes this machine ask the server.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from controller.executor.names import Labels, labels, name_of, read
from controller.executor.secrets import CannotPrepare, resolve, write_value
from controller.executor.shim.spawn import SHORTAGES, NotNow
from controller.executor.slurm import submission
from controller.loop.ports import End, Launch, Part, PartEnd
from controller.model.phases import Reason
from controller.model.places import output_file, parts_file, work_folder
from controller.regular import open_regular, private, read_regular, remove_below
from controller.spec.values import VALUES_BYTES_MAX

VERSION = 1
FILE_BYTES_MAX = 64 << 10
COPY_BYTES = 1 << 20
_GONE = ".gone-"


class ExitFile(msgspec.Struct, kw_only=True):
    """What the runner says of the end, last of all."""

    version: int
    how: str
    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    ended_by: str = ""  # order, timeout, stranger
    problem: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_bytes: int | None = None
    parts: dict[Part, PartEnd] = {}
    left: int = 0
    survivors: list[int] = []
    host: str = ""


class Left(msgspec.Struct, kw_only=True):
    """What is in the folder of an attempt. `said`: what its job printed before a runner began.

    `problem`: why the folder can't be looked at, so that nothing is known.
    """

    problem: str = ""
    exit: ExitFile | None = None
    claimed: bool = False
    timeout_seconds: float | None = None
    said: str = ""


class Whose(msgspec.Struct, kw_only=True):
    """`attempt.json`, which outlives a controller."""

    version: int = VERSION
    labels: dict[str, str]
    timeout_seconds: float | None = None


# ------------------------------------------------------------------------------------- before it


def folder_of(shared_dir: str, folder_id: str, step: str, mark: int) -> str:
    """The folder of an attempt."""
    return f"{shared_dir}/{folder_id}/{name_of(step, mark)}"


def prepare(state_dir: str, shared_dir: str, launch: Launch, kill_wait: float) -> str:
    """Make the folder of an attempt, with its order. Raises CannotPrepare or NotNow.

    It gives the folder; "" if a runner has taken this attempt before, so that none may again.
    """
    folder = folder_of(shared_dir, launch.folder_id, launch.id.step, launch.mark)
    try:
        _check_shared(shared_dir)
        work = f"{shared_dir}/{launch.folder_id}/{work_folder(launch.id.uid)}"
        os.makedirs(f"{state_dir}/{work_folder(launch.id.uid)}", 0o700, exist_ok=True)
        os.makedirs(work, 0o700, exist_ok=True)
        os.makedirs(folder, 0o700, exist_ok=True)
        if "claim" in os.listdir(folder):
            return ""
        known = Whose(labels=labels(launch).as_texts(), timeout_seconds=launch.timeout_seconds)
        _replace(folder, "attempt.json", msgspec.json.encode(known))
        env = {**_environment(launch, f"{folder}/files"), "TREADLE_WORK_DIR": work}
        ordered = submission.order(launch, env, folder, kill_wait, _umask())
        # Bytes of a value that are not UTF-8 are lone surrogates, which only this encoder takes.
        _replace(folder, "order.json", json.dumps(ordered).encode())
    except OSError as fault:
        problem = f"{fault.filename or shared_dir} can't be made: {fault.strerror}"
        if fault.errno in SHORTAGES:
            raise NotNow(problem) from None
        raise CannotPrepare(Reason.START_FAILED, problem) from None
    return folder


def _check_shared(path: str) -> None:
    """It is this user's alone, since what lies in it is run in their name."""
    if not path:
        problem = "executor.slurm has no sharedDir; name a folder that all nodes see, too"
        raise CannotPrepare(Reason.START_FAILED, problem)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        problem = f"sharedDir {path}: there is no folder {os.path.dirname(path)}"
        raise CannotPrepare(Reason.START_FAILED, problem) from None
    found = os.stat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise CannotPrepare(Reason.START_FAILED, f"sharedDir {path} is no folder")
    if found.st_uid != os.geteuid():
        problem = f"sharedDir {path} belongs to another user; name a folder of your own"
        raise CannotPrepare(Reason.START_FAILED, problem)
    if found.st_mode & 0o077:
        problem = f"sharedDir {path} is open to other users; close it: chmod 700 {path}"
        raise CannotPrepare(Reason.START_FAILED, problem)


def _environment(launch: Launch, files: str) -> dict[str, str]:
    """What the attempt gets besides the node's environment, with all that is only named in it."""

    def write(name: str, text: str) -> str:
        return write_value(*os.path.split(files), name, text)

    names = launch.inherit if isinstance(launch.inherit, tuple) else ()
    passed = {name: os.environ[name] for name in names if name in os.environ}
    return {**passed, **resolve(launch.env_from, write), **launch.env}


def _umask() -> int:
    """That of this process. To ask by os.umask() is to set it, for all threads."""
    with open("/proc/self/status") as file:
        return next((int(line[6:], 8) for line in file if line.startswith("Umask:")), 0o022)


def order_end(folder: str, order: End) -> None:
    """Write what its runner is to know of the order, if the folder can be reached.

    Without it, the runner ends the attempt all the same: as if a stranger had told it to.
    """
    wanted = {"grace_seconds": order.grace_seconds, "timed_out": order.timed_out}
    with suppress(OSError):
        _replace(folder, "end.json", msgspec.json.encode(wanted))


def _replace(folder: str, name: str, content: bytes) -> None:
    """Whole and durable, or not at all. Only the owner may read it."""
    new = f"{folder}/.{name}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(new, "wb", opener=lambda path, _: os.open(path, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, f"{folder}/{name}")


# -------------------------------------------------------------------------------------- after it


def look(folder: str) -> Left:
    """What the runner has left until now. What can't be read counts as not there yet."""
    try:
        names = _list(folder)
    except OSError as fault:
        return Left(problem=f"{fault.filename}: {fault.strerror}")
    known = _read(folder, "attempt.json", Whose)
    return Left(
        exit=_read(folder, "exit.json", ExitFile) if "exit.json" in names else None,
        claimed="claim" in names,
        timeout_seconds=known.timeout_seconds if known is not None else None,
        said=_said(f"{folder}/runner.log") if "claim" not in names else "",
    )


def _list(folder: str) -> list[str]:
    """No names if somebody has removed it; if all of the shared folder is away, that is a fault."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        os.listdir(os.path.dirname(folder))
        return []


def fetch(folder: str, state_dir: str, log: str, left: Left) -> str:
    """Bring output and outputs to the state folder. Gives why that can't be done now, or ""."""
    target = f"{state_dir}/{log}"
    try:
        os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
        _copy(f"{folder}/output", target, None)
        _copy(f"{folder}/outputs", f"{state_dir}/{output_file(log)}", VALUES_BYTES_MAX + 1)
        if left.exit is not None and left.exit.parts.keys() - {"command"}:
            _write_parts(f"{state_dir}/{parts_file(log)}", left.exit.parts)
    except OSError as fault:
        return f"{fault.filename or folder}: {fault.strerror}"
    return ""


def remove(folder: str) -> bool:
    """Remove all that is there of an attempt; tells whether nothing is left.

    It gets another name first: half removed, nobody could tell any more whose it is.
    """
    base, name = os.path.split(folder)
    gone = f"{base}/{_GONE}{name}"
    with suppress(OSError):
        os.rename(folder, gone)
    with suppress(OSError):
        remove_below(base, _GONE + name)
    return not (os.path.lexists(folder) or os.path.lexists(gone))


def leftovers(shared_dir: str, folder_id: str, state_dir: str) -> list[tuple[str, Labels]]:
    """The folders of attempts of this state folder, with their labels.

    Meanwhile, what nobody needs is removed: what another controller has begun to remove, and the
    work folders of workflows that the state folder has no more.
    """
    base = f"{shared_dir}/{folder_id}"
    for name in _names(base):
        if name.startswith(_GONE):
            with suppress(OSError):
                remove_below(base, name)
    _remove_work(base, state_dir)
    return list(_attempts(base))


def _attempts(base: str) -> Iterator[tuple[str, Labels]]:
    for name in _names(base):
        known = _read(f"{base}/{name}", "attempt.json", Whose)
        whose = read(known.labels) if known is not None else None
        if whose is not None and name == name_of(whose.attempt.step, whose.mark):
            yield f"{base}/{name}", whose


def _remove_work(base: str, state_dir: str) -> None:
    for uid in _names(f"{base}/work"):
        if os.path.isdir(f"{state_dir}/work") and not os.path.lexists(f"{state_dir}/work/{uid}"):
            with suppress(OSError):
                remove_below(base, f"work/{uid}")


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(folder: str, name: str, form: type[Any]) -> Any:
    """The file as `form`; None if there is none, or it can't be read."""
    try:
        content = read_regular(f"{folder}/{name}", FILE_BYTES_MAX)
        return msgspec.json.decode(content, type=form)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def _said(path: str) -> str:
    try:
        lines = read_regular(path, FILE_BYTES_MAX).decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in lines if line.strip()), "")


def _copy(source: str, target: str, bytes_max: int | None) -> None:
    """Copy a regular file, if there is one, whole and durable. Steps can put anything there."""
    try:
        if not stat.S_ISREG(os.stat(source).st_mode):
            return
    except FileNotFoundError:
        return
    with open(open_regular(source, follow=True), "rb") as file:
        rest = os.fstat(file.fileno()).st_size if bytes_max is None else bytes_max
        new = f"{target}.new"
        with open(new, "wb", opener=private) as copy:
            while rest > 0 and (block := file.read(min(rest, COPY_BYTES))):
                copy.write(block)
                rest -= len(block)
            copy.flush()
            os.fsync(copy.fileno())
    os.replace(new, target)


def _write_parts(target: str, parts: dict[Part, PartEnd]) -> None:
    with open(target, "wb", opener=private) as file:
        file.write(msgspec.json.encode(parts))
