"""Turns one order into one process, or into a clear reason why not.

`posix_spawn` can't change the folder or set limits. So the shim, which has one thread, takes on
what the step must inherit, only for the moment of the spawn: working folder, umask, a few limits
that would break the shim, and the attempt's mark. The mark is a number in the soft RLIMIT_LOCKS.
This limit has had no effect since Linux 2.4.25, and it survives fork, exec, setsid, a double fork
and a cleared environment. All this costs a few µs; a process costs ~500.
"""

import errno
import os
import resource
import signal
import time
from typing import NamedTuple

from controller.executor.shim.cgroup import Cgroups
from controller.executor.shim.wire import readable
from controller.regular import open_below

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
RLIMIT_LOCKS = 10
OWN_UMASK = 0o077

# Resources that become free again: the attempt stays queued and is tried again.
SHORTAGES = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT}
)

# Limits of a step that would end the shim, or keep it from writing its journal.
CRIPPLING = (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_DATA)

# The same for these, if they are lower than the shim itself needs.
FLOORS = {resource.RLIMIT_NOFILE: 64, resource.RLIMIT_STACK: 1 << 20}

# A signal that this program ignores would stay ignored in the step; exec resets the others.
ALL_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class Order(NamedTuple):
    """One attempt to start, as it comes over the wire."""

    id: str
    mark: int
    argv: list[str]
    env: dict[str, str]
    working_dir: str
    log: str
    leave: bool = False  # processes that it leaves running may go on
    priority: int = 0  # higher ones start first
    inherit: bool | list[str] = True  # all of the controller's environment, or only these


class Process(NamedTuple):
    pid: int
    start: int  # clock ticks since boot; 0: it ended before anybody looked
    at: int  # microseconds since boot


class CannotStart(Exception):
    """This attempt can never start; the text says why."""

    def __init__(self, problem: str) -> None:
        super().__init__(readable(problem))


class NotNow(Exception):
    """The system is short of something; the attempt may start later."""


def boottime_us() -> int:
    return time.clock_gettime_ns(CLOCK) // 1000


class Spawner:
    """Starts processes for a controller; they get its environment and limits."""

    def __init__(self) -> None:
        self.home = os.open(".", os.O_RDONLY | os.O_DIRECTORY)  # logs are relative to it
        self.own_mark = resource.getrlimit(RLIMIT_LOCKS)[0]  # this may be a step of another treadle
        self.marks = can_mark()
        self.cgroups = Cgroups()
        self.computes_start: bool | None = None
        self.inherit({}, OWN_UMASK, {})

    def inherit(self, env: dict[str, str], umask: int, limits: dict[int, int]) -> None:
        """What every step gets from now on: environment, umask, soft limits."""
        self.env = encoded(env)
        self.around = encoded(within(env))
        self.path = env.get("PATH", os.defpath)
        self.umask = umask
        self.limits = adopt_limits(limits)

    def spawn(self, order: Order) -> Process:
        """Start it, or raise CannotStart or NotNow."""
        log = -1
        try:
            log = open_log(order.log)
            enter(order.working_dir)
            program = find_program(order.argv[0], order.env.get("PATH", self.path))
            return self.execute(program, order, log)
        except ValueError as fault:  # a NUL, or text that can't be encoded
            raise CannotStart(f"its command can't be passed to the system: {fault}") from None
        finally:
            if log >= 0:
                os.close(log)
            os.fchdir(self.home)

    def execute(self, program: str, order: Order, log: int) -> Process:
        env = self.inherited(order.inherit) | encoded(order.env) | self.around
        files = ((os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2))
        self.put_on(order.mark)
        before = time.clock_gettime_ns(CLOCK)
        try:
            pid = os.posix_spawn(
                program,
                order.argv,
                env,
                file_actions=files,
                setsid=True,
                setsigmask=(),
                setsigdef=ALL_SIGNALS,
            )
        except OSError as fault:
            if fault.errno in SHORTAGES:
                raise NotNow(os.strerror(fault.errno)) from None
            raise CannotStart(meaning(fault.errno or 0, order.argv[0], program)) from None
        finally:
            self.take_off()
        return Process(pid, self.start_of(pid, before), before // 1000)

    def inherited(self, which: bool | list[str]) -> dict[bytes, bytes]:
        if which is True:
            return self.env
        names = [name.encode(errors="surrogateescape") for name in which or ()]
        return {name: self.env[name] for name in names if name in self.env}

    def put_on(self, mark: int) -> None:
        os.umask(self.umask)
        self.cgroups.enter(mark)
        for kind, soft, hard in self.limits:
            resource.setrlimit(kind, (soft, hard))
        if self.marks:
            resource.setrlimit(RLIMIT_LOCKS, (mark, resource.RLIM_INFINITY))

    def take_off(self) -> None:
        if self.marks:
            resource.setrlimit(RLIMIT_LOCKS, (self.own_mark, resource.RLIM_INFINITY))
        for kind, _, hard in self.limits:
            resource.setrlimit(kind, (hard, hard))
        self.cgroups.leave()
        os.umask(OWN_UMASK)

    def start_of(self, pid: int, before: int) -> int:
        """If a process started within one clock tick, we know its start without /proc.

        In some sandboxes the two clocks differ, so the first process is compared with /proc.
        """
        tick = before // TICK_NS
        if self.computes_start is False or time.clock_gettime_ns(CLOCK) // TICK_NS != tick:
            return read_start(pid)
        if self.computes_start is None:
            self.computes_start = read_start(pid) == tick
            return self.start_of(pid, before)
        return tick


def can_mark() -> bool:
    """Can a resource limit hold a mark? Some systems can't: try it."""
    own, hard = resource.getrlimit(RLIMIT_LOCKS)
    try:
        resource.setrlimit(RLIMIT_LOCKS, (1 << 59, hard))
        seen = resource.getrlimit(RLIMIT_LOCKS)[0]
        resource.setrlimit(RLIMIT_LOCKS, (own, hard))
    except (OSError, ValueError):
        return False
    return seen == 1 << 59


def within(env: dict[str, str]) -> dict[str, str]:
    """If the controller itself runs in a step: the attempts around those that it starts."""
    names = ("TREADLE_UID", "TREADLE_STEP", "TREADLE_ATTEMPT")
    if not all(name in env for name in names):
        return {}
    around = "/".join(env[name] for name in names)
    return {"TREADLE_WITHIN": f"{around} {env.get('TREADLE_WITHIN', '')}".rstrip()}


def encoded(env: dict[str, str]) -> dict[bytes, bytes]:
    """The environment as bytes; bytes that are not UTF-8 came over the wire as lone surrogates."""
    return {
        name.encode(errors="surrogateescape"): value.encode(errors="surrogateescape")
        for name, value in env.items()
    }


def clamp(soft: int, hard: int) -> int:
    """The soft limit, at most the hard limit that the shim was started with."""
    if hard == resource.RLIM_INFINITY:
        return soft
    return hard if soft == resource.RLIM_INFINITY else min(soft, hard)


def adopt_limits(limits: dict[int, int]) -> list[tuple[int, int, int]]:
    """Take on the soft limits of the steps; returns those that would break the shim."""
    apart = []
    for kind, wanted in limits.items():
        hard = resource.getrlimit(kind)[1]
        soft = clamp(wanted, hard)
        if soft != hard and (kind in CRIPPLING or 0 <= soft < FLOORS.get(kind, 0)):
            apart.append((kind, soft, hard))
            soft = hard
        resource.setrlimit(kind, (soft, hard))
    return apart


def read_start(pid: int) -> int:
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return 0
    try:
        return int(os.read(fd, 4096).rpartition(b")")[2].split()[19])
    finally:
        os.close(fd)


def open_log(path: str) -> int:
    """Raises CannotStart for what is no regular file: opening a pipe would wait for a reader."""
    try:
        log = open_below(".", path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, make=True)
        os.set_blocking(log, True)  # the step gets it
        return log
    except OSError as fault:
        if fault.errno in SHORTAGES:
            raise NotNow(os.strerror(fault.errno)) from None
        raise CannotStart(f"its log {path} can't be written: {fault.strerror}") from None


def enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except FileNotFoundError:
        problem = f"its working directory {folder} does not exist"
        raise CannotStart(problem + literal("workingDir", folder)) from None
    except NotADirectoryError:
        raise CannotStart(f"its working directory {folder} is not a directory") from None
    except OSError as fault:
        raise CannotStart(f"its working directory {folder} can't be entered: {fault}") from None


def find_program(name: str, path: str) -> str:
    """Look a command up as execvp does: in the attempt's PATH, from its working directory."""
    if "/" in name:
        return name
    unfit = ""
    for folder in path.split(":"):
        candidate = f"{folder or '.'}/{name}"
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
        if not unfit and os.path.isfile(candidate):
            unfit = candidate
    if unfit:
        raise CannotStart(f"{unfit} is not executable; try: chmod +x {unfit}")
    hint = literal("command", name) or literal("env", path)
    raise CannotStart(f'command not found: "{name}"{hint}')  # PATH may be a secret, who knows


def literal(field: str, text: str) -> str:
    """A hint, if it holds what a shell would have put something else for; else nothing."""
    parts = text.replace(":", "/").split("/")
    if "$" not in text and not any(part.startswith("~") for part in parts):
        return ""
    return f"; nothing is expanded in {field}: $ and ~ stay as they are written"


def meaning(number: int, name: str, program: str) -> str:
    if number == errno.ENOENT and os.path.exists(program):
        return f"the first line of {program} names an interpreter that does not exist"
    if number == errno.ENOENT:
        return f'command not found: "{name}"{literal("command", name)}'
    if number == errno.EACCES and os.path.isdir(program):
        return f"{program} is a directory, not a command"
    if number == errno.EACCES:
        return f"{program} is not executable; try: chmod +x {program}"
    if number == errno.ENOEXEC:
        return f"{program} is not a program, and has no #! line that names an interpreter"
    if number == errno.E2BIG:
        return "its arguments and environment are longer than the system takes; pass a file instead"
    return f"{program} can't be run: {os.strerror(number)}"
