"""Runs the parts of one attempt in turn: `before`, the command, `after`.

This file is a program of its own, for every machine that runs attempts: it needs Python 3.6 and
nothing else. It is the attempt's first process, and ends as the command does: with its exit code,
or by its signal. Each part is a process with a session of its own; nobody waits for what it leaves
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
"""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress

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
        while process.poll() is None:
            self.heed(signal.sigwait(HEEDED))
        return process.returncode

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


# ------------------------------------------------------------------------- the attempt's processes


def signal_others(*numbers: int) -> None:
    """Signal all other processes of the attempt, parents first."""
    for start, pid in others():
        for number in numbers:
            if start in dict(births(pid)):  # else another process has its pid by now
                with suppress(OSError):  # it is gone, or of another user
                    os.kill(pid, number)


def others() -> "list[tuple[int, int]]":
    """Start and pid of each: it carries the mark, or a member is its parent.

    Other users can copy the mark, so what is theirs must also come from a member or from the shim.
    """
    own = os.getpid()
    shim = os.getppid()
    mark = resource.getrlimit(RLIMIT_LOCKS)[0]
    members = {own}
    found = []
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    table = sorted((*born, candidate) for candidate in pids for born in births(candidate))
    parents = {pid: parent for _, parent, pid in table}
    for start, parent, pid in table:
        if pid == own:
            continue
        ours = parent in members
        if not ours and has_mark(pid, mark):
            ours = is_own(pid) or descends(pid, parents, {shim, *members} - {0, 1})
        if ours:
            members.add(pid)
            found.append((start, pid))
    return found


def births(pid: int) -> "list[tuple[int, int]]":
    """When it started, in ticks, and the pid of its parent; nothing if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return []
    return [(int(fields[19]), int(fields[1]))]


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


def main(report: str, before: str, command: str, *words: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
    for number in IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    first, second = int(before), int(before) + int(command)
    argvs = {
        "before": list(words[:first]),
        "command": list(words[first:second]),
        "after": list(words[second:]),
    }
    end_as(Runner(argvs, report).run_all())


if __name__ == "__main__":
    main(*sys.argv[1:])
