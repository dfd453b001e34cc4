"""Runs the parts of one attempt in turn: `before`, the command, `after`.

This file is a program of its own, for every machine that runs attempts: it needs Python 3.6 and
nothing else. It is the attempt's first process, and ends as the command does: with its exit code,
or by its signal. Each part is a process with a session of its own.

On this machine it is told what to do by its arguments, and the controller ends what the parts leave
running.

    RUNNER REPORT BEFORE COMMAND WORD ...

The words are the argvs of the three parts, of which BEFORE and COMMAND say how many are theirs.
REPORT is the file that says how each part ended: `{"before": 0, "command": -9}`, where -9 is signal
9, a text says why it could not start, and null that it has not ended. It is written before `after`
begins, and at the end.

If `before` fails, nothing else runs. Otherwise `after` runs, whatever came of the command, whose
exit code it gets. Whoever ends the attempt signals this process alone, and keeps the time:

    SIGTERM  end: all other processes of the attempt get SIGTERM, and no command starts any more
    SIGALRM  the same, because the time of the attempt is over
    SIGQUIT  the command has not ended, and `after` needs the time that is left: kill it

`after` gets none of these: it is what ends an attempt in good order. All signals wait until they
are asked for, so that none comes between a look and a start.

On a node of a cluster it is alone: `main_on_node` takes the folder of the attempt, in which it
finds its order and leaves all that is to be known (`Node` says what). There it keeps the time
itself, ends the attempt, and proves that none of its processes lives.
"""

import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

RLIMIT_LOCKS = 10  # holds the mark of the attempt, which every descendant inherits
TIMEOUT_EXIT_CODE = 124
NOT_STARTED_EXIT_CODE = 127
SHORTAGES = (errno.EAGAIN, errno.ENOMEM)  # these pass
TRY_AGAIN_SECONDS = 0.5
HEEDED = (signal.SIGTERM, signal.SIGALRM, signal.SIGQUIT, signal.SIGCHLD)
IGNORED_BY_PYTHON = (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)


class Runner:
    """`ended_by` is the signal that told it to end the attempt; 0: none did."""

    def __init__(self, argvs: "dict[str, list[str]]", report: str) -> None:
        self.argvs = argvs
        self.report = report
        self.env = environment()
        self.part = ""
        self.process = None  # type: subprocess.Popen[bytes] | None
        self.ended_by = 0

    def run_all(self) -> "int | str":
        """How the last part but `after` ended. Those that did not run are not in the report."""
        ended: dict[str, int | str | None] = {}
        if self.argvs["before"]:
            status = ended["before"] = self.run("before")
            if status != 0:
                self.write(ended)
                return status
        status = ended["command"] = self.run("command")
        if self.argvs["after"]:
            with suppress(OSError):  # it has to run all the same
                self.write(dict(ended, after=None))
            timed_out = self.ended_by == signal.SIGALRM
            code = TIMEOUT_EXIT_CODE if timed_out else exit_code(status)
            self.env[b"TREADLE_EXIT_CODE"] = str(code).encode()
            ended["after"] = self.run("after")
        self.write(ended)
        return status

    def write(self, ended: "dict[str, int | str | None]") -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(self.report, flags, 0o600), "w") as file:
            json.dump(ended, file)

    def run(self, part: str) -> "int | str":
        self.part = part
        try:
            process = self.start(self.argvs[part])
        except OSError as fault:
            return why_not(self.argvs[part][0], fault)
        if process is None:
            return -signal.SIGTERM
        self.process = process
        while process.poll() is None:
            self.heed(self.next_signal())
        return process.returncode

    def next_signal(self) -> int:
        return signal.sigwait(HEEDED)

    def start(self, argv: "list[str]") -> "subprocess.Popen[bytes] | None":
        """Wait for room to start it; None: the attempt is being ended meanwhile."""
        while self.part == "after" or not self.ended_by:
            try:
                return subprocess.Popen(
                    argv,
                    env=self.env,
                    start_new_session=True,
                    preexec_fn=heed_all,  # noqa: PLW1509 - there are no threads
                )
            except OSError as fault:
                if fault.errno not in SHORTAGES:
                    raise
            told = signal.sigtimedwait(HEEDED, TRY_AGAIN_SECONDS)
            if told is not None:
                self.heed(told.si_signo)
        return None

    def heed(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGALRM) and not self.ended_by:
            self.ended_by = number
            if self.part != "after":
                signal_others(signal.SIGTERM, signal.SIGCONT)
        elif number == signal.SIGQUIT and self.part == "command" and self.argvs["after"]:
            signal_others(signal.SIGKILL)


def environment() -> "dict[bytes, bytes]":
    """What this process was given. `os.environ` may have an LC_CTYPE that Python has added."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return {name: value for name, _, value in (entry.partition(b"=") for entry in entries) if name}


def heed_all() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def why_not(program: str, fault: OSError) -> str:
    if fault.errno == errno.ENOENT and "/" not in program:
        return f'command not found: "{program}"'
    return f"{program} can't be run: {fault.strerror}"


def exit_code(status: "int | str") -> int:
    """As a shell has it."""
    if isinstance(status, str):
        return NOT_STARTED_EXIT_CODE
    return status if status >= 0 else 128 - status


# ------------------------------------------------------------------------------------- on a node

VERSION = 1  # of the files below
NOT_SEEN_EXIT_CODE = 121  # the node does not see the folder of the attempt
LOOK_AGAIN_SECONDS = 0.2
LOOK_SECONDS = 3600.0
SWEEP_SECONDS = 30.0  # after which it is said that some can't be ended
FOR_THE_END_SECONDS = 2.0  # of the time that a stranger leaves, to write down how it ended
SWEEP_PAUSE_SECONDS = 0.02
PR_SET_CHILD_SUBREAPER = 36


class Node(Runner):
    """One attempt on a node of a cluster, in a folder that the node shares with the controller.

    It finds `order.json` there, which may hold secrets, so it removes that when it has read it. It
    leaves, each file whole or not at all: `claim`, which only one runner can make; `started.json`;
    `output`, what the parts print; and last of all `exit.json`. Whoever wants the attempt to end
    writes `end.json` and sends SIGTERM. If that comes without the file, it is somebody else, who
    gives little time.

    All times are seconds; `kill_at` and the others are of the monotonic clock.
    """

    def __init__(self, folder: str, order: "dict[str, Any]") -> None:
        argvs = {part: order[part] for part in ("before", "after")}
        super().__init__(dict(argvs, command=order["argv"]), folder + "/parts.json")
        self.folder = folder
        self.order = order
        self.env.update((os.fsencode(k), os.fsencode(v)) for k, v in order["env"].items())
        self.began = time.monotonic()
        self.ended_why = ""  # order, timeout or stranger
        self.timed_out = False
        self.kill_at = None  # type: float | None
        self.hurry_at = None  # type: float | None

    def carry_out(self) -> "dict[str, Any]":
        """What `exit.json` says. The attempt has no process any more."""
        status = self.run_all()
        wall = time.monotonic() - self.began
        left = self.sweep(self.order["grace_seconds"] if self.kill_at is None else 0.0)
        survivors = [pid for _, pid in others()]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        with open(self.report) as file:
            parts = json.load(file)
        found = outcome(
            "exited",
            ended_by=self.ended_why,
            timed_out=self.timed_out,
            wall_seconds=wall,
            cpu_seconds=used.ru_utime + used.ru_stime,
            max_rss_bytes=used.ru_maxrss * 1024,
            parts=parts,
            left=left if not self.ended_why else 0,
            survivors=survivors,
        )
        if isinstance(status, str):
            return dict(found, how="start-failed", problem=status)
        return dict(found, **{"signal": -status} if status < 0 else {"exit_code": status})

    def next_signal(self) -> int:
        """0: no signal came, but the time did."""
        times = [self.timeout_at(), self.hurry_at, self.kill_at]
        wait = min(
            [LOOK_AGAIN_SECONDS if self.ended_why else LOOK_SECONDS]
            + [at - time.monotonic() for at in times if at is not None]
        )
        told = signal.sigtimedwait(HEEDED, max(SWEEP_PAUSE_SECONDS, wait))
        return 0 if told is None else told.si_signo

    def heed(self, number: int) -> None:
        now, timeout_at = time.monotonic(), self.timeout_at()
        self.reap_strangers()
        if number == signal.SIGTERM and not self.ended_why:
            self.begin_to_end("stranger", max(0.1, self.order["kill_wait"] - FOR_THE_END_SECONDS))
        if timeout_at is not None and now >= timeout_at:
            self.timed_out = True
            self.begin_to_end("timeout", self.order["grace_seconds"])
        if self.ended_why == "stranger":
            self.look_for_order()
        if self.hurry_at is not None and now >= self.hurry_at:
            self.hurry_at = None
            super().heed(signal.SIGQUIT)
        if self.kill_at is not None and now >= self.kill_at:
            kill_others()

    def timeout_at(self) -> "float | None":
        seconds = self.order["timeout_seconds"]
        return None if seconds is None or self.ended_why else self.began + seconds

    def begin_to_end(self, why: str, grace: float) -> None:
        self.ended_why = why
        self.set_times(grace)
        if why == "stranger":
            self.look_for_order()
        super().heed(signal.SIGALRM if self.timed_out else signal.SIGTERM)

    def set_times(self, grace: float) -> None:
        now = time.monotonic()
        self.kill_at, self.hurry_at = now + grace, now + grace * 2 / 3

    def look_for_order(self) -> None:
        """The order of the controller may be seen later than its signal: file servers are late."""
        order = read_json(self.folder + "/end.json")
        if order is not None:
            self.ended_why = "order"
            self.timed_out = bool(order["timed_out"])
            self.set_times(float(order["grace_seconds"]))

    def reap_strangers(self) -> None:
        """Whoever lost its parent becomes a child of this process."""
        for pid in children_that_ended():
            if self.process is None or pid != self.process.pid:
                with suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)

    def sweep(self, grace: float) -> int:
        """End all that is left: how many there were. Those of another user may stay."""
        self.process = None
        self.reap_strangers()
        first = others()
        if first and grace:
            signal_others(signal.SIGTERM, signal.SIGCONT)
            until = time.monotonic() + grace
            while others() and time.monotonic() < until:
                time.sleep(SWEEP_PAUSE_SECONDS)
                self.reap_strangers()
        until = time.monotonic() + SWEEP_SECONDS
        while others() and time.monotonic() < until:
            kill_others()
            time.sleep(SWEEP_PAUSE_SECONDS)
            self.reap_strangers()
        return len(first)


def children_that_ended() -> "list[int]":
    """They are still to be reaped."""
    own = os.getpid()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if (b"Z", own) in [(s, parent) for _, parent, s in stat_of(pid)]]


def kill_others() -> None:
    """Stop them until a look finds no new one, so that none can start another; then kill them."""
    stopped = set()  # type: set[tuple[int, int]]
    while True:
        found = set(others())
        if found <= stopped:
            break
        signal_these(found - stopped, signal.SIGSTOP)
        stopped |= found
    signal_these(stopped, signal.SIGKILL)


def main_on_node(folder: str) -> int:
    """Run the attempt of this folder, unless another runner has it. Gives the exit code of the job.

    What it prints itself is for people who look for the job's own output.
    """
    where = socket.gethostname()
    try:
        order = claim(folder, where)
    except OSError as fault:
        if fault.errno == errno.ENOENT:
            print(f"treadle: node {where} does not see {folder}", flush=True)
        else:
            print(f"treadle: {folder}: {fault}", flush=True)
        return NOT_SEEN_EXIT_CODE
    if order is None:
        return 0
    found = dict(attempt(folder, order), host=where)
    write_json(folder, "exit.json", found)
    return exit_code(-found["signal"]) if found["signal"] else found["exit_code"] or 0


def claim(folder: str, host: str) -> "dict[str, Any] | None":
    """The order of the attempt, if this is the first runner of it. Raises OSError.

    The folder and the file have to be this user's alone: nothing else may say what is run here.
    """
    for path in (folder, folder + "/order.json"):
        found = os.lstat(path)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise OSError(errno.EPERM, "its owner or mode is wrong: it must be 0700, and yours")
    job = os.environ.get("SLURM_JOB_ID", "")
    try:
        mine = os.open(folder + "/claim", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    with open(mine, "w") as file:
        file.write(f"{host} {job} {os.getpid()}\n")
        file.flush()
        os.fsync(file.fileno())
    order = read_json(folder + "/order.json")
    os.unlink(folder + "/order.json")
    write_json(folder, "started.json", {"host": host, "job": job, "pid": os.getpid()})
    return order


def attempt(folder: str, order: "dict[str, Any]") -> "dict[str, Any]":
    """Run it, in its folder, with its mark and its own output."""
    os.umask(order["umask"])
    with suppress(OSError, ValueError):  # then it is found as a descendant alone
        resource.setrlimit(RLIMIT_LOCKS, (order["mark"], resource.getrlimit(RLIMIT_LOCKS)[1]))
    take_in_orphans()
    try:
        os.chdir(order["working_dir"])
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        output = os.open(folder + "/output", flags, 0o600)
    except OSError as fault:
        return outcome("start-failed", problem=f"{fault.filename}: {fault.strerror}")
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, place in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(fd, place)
    heed_none()
    try:
        return Node(folder, order).carry_out()
    except Exception as fault:  # the controller must hear of it, whatever it is
        kill_others()
        return outcome("start-failed", problem=f"the runner failed: {fault!r}")


def outcome(how: str, **known: "Any") -> "dict[str, Any]":
    """How an attempt ended, with all fields."""
    found = {
        "version": VERSION,
        "how": how,
        "exit_code": None,
        "signal": None,
        "timed_out": False,
        "ended_by": "",
        "problem": "",
        "wall_seconds": 0.0,
        "cpu_seconds": 0.0,
        "max_rss_bytes": None,
        "parts": {},
        "left": 0,
        "survivors": [],
    }  # type: dict[str, Any]
    found.update(known)
    return found


def take_in_orphans() -> None:
    """Have processes that lose their parent become children of this one."""
    with suppress(Exception):  # no libc, or an old kernel: they are found by their mark
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read_json(path: str) -> "dict[str, Any] | None":
    try:
        with open(path) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_json(folder: str, name: str, what: "dict[str, Any]") -> None:
    """Whole and durable, or not at all."""
    new = f"{folder}/.{name}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with open(os.open(new, flags, 0o600), "w") as file:
        json.dump(dict(what, version=VERSION), file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(new, f"{folder}/{name}")
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)


# ------------------------------------------------------------------------- the attempt's processes


def signal_others(*numbers: int) -> None:
    """Signal all other processes of the attempt, parents first."""
    signal_these(others(), *numbers)


def signal_these(processes: "Iterable[tuple[int, int]]", *numbers: int) -> None:
    for start, pid in processes:
        for number in numbers:
            if start in [born for born, _, _ in stat_of(pid)]:  # else it has its pid from another
                with suppress(OSError):  # it is gone, or of another user
                    os.kill(pid, number)


def others() -> "list[tuple[int, int]]":
    """Start and pid of each that lives: it carries the mark, or a member is its parent.

    Other users can copy the mark, so what is theirs must also come from a member or from the shim.
    """
    own = os.getpid()
    shim = os.getppid()
    mark = resource.getrlimit(RLIMIT_LOCKS)[0]
    members = {own}
    found = []
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    table = sorted((*known, candidate) for candidate in pids for known in stat_of(candidate))
    parents = {pid: parent for _, parent, _, pid in table}
    for start, parent, state, pid in table:
        if pid == own or state == b"Z":
            continue
        ours = parent in members
        if not ours and has_mark(pid, mark):
            ours = is_own(pid) or descends(pid, parents, {shim, *members} - {0, 1})
        if ours:
            members.add(pid)
            found.append((start, pid))
    return found


def stat_of(pid: int) -> "list[tuple[int, int, bytes]]":
    """When it started, in ticks; the pid of its parent; its state. Nothing if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return []
    return [(int(fields[19]), int(fields[1]), fields[0])]


def has_mark(pid: int, mark: int) -> bool:
    if mark == resource.RLIM_INFINITY:  # some systems take no mark
        return False
    try:
        return resource.prlimit(pid, RLIMIT_LOCKS)[0] == mark
    except OSError:
        return False


def is_own(pid: int) -> bool:
    """Is all of it this user's? A program with the set-user-ID bit is its caller's as well."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            rest = file.read().partition(b"\nUid:")[2]
    except OSError:
        return False
    return set(rest.partition(b"\n")[0].split()) == {str(os.geteuid()).encode()}


def descends(pid: int, parents: "dict[int, int]", ancestors: "set[int]") -> bool:
    for _ in parents:  # pids may have been used again, so that they go round in a circle
        pid = parents.get(pid, 0)
        if pid in ancestors:
            return True
        if not pid:
            return False
    return False


# ------------------------------------------------------------------------------------- the program


def end_as(status: "int | str") -> None:
    """End as a part did; the core is that of the part alone."""
    if isinstance(status, int) and status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [-status])
        os.kill(os.getpid(), -status)
    os._exit(exit_code(status))


def heed_none() -> None:
    """Signals wait until they are asked for; what Python ignores, its children get as usual."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
    for number in IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)


def main(report: str, before: str, command: str, *words: str) -> None:
    heed_none()
    first, second = int(before), int(before) + int(command)
    argvs = {
        "before": list(words[:first]),
        "command": list(words[first:second]),
        "after": list(words[second:]),
    }
    end_as(Runner(argvs, report).run_all())


if __name__ == "__main__" and len(sys.argv) > 1:  # on a node, a call of main_on_node follows
    main(*sys.argv[1:])
