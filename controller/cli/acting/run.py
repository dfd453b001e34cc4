"""`treadle run FILE…`: run only these workflows to the end, and show progress.

The workflows are requests. If no controller holds the state folder, this process becomes one that
starts nothing else. If a controller is running, that one runs the workflows, and this process
follows the log. If that controller exits too early (perhaps a `run` whose own workflows have
finished), this process becomes the controller.

The shim loads as long as what `run` needs to read the files. So it is told to load first, and only
then `run` loads the rest itself.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from controller.cli.arguments import MaxParallel
from controller.cli.settings import specs_folder
from controller.errors import ExitCode, InvalidSpec, LockHeld, StorageError, UsageError
from controller.executor.local.starting import load_ahead, start_if_none
from controller.printing import complain, say

if TYPE_CHECKING:
    from controller.host.lines import Progress
    from controller.host.news import News
    from controller.host.session import Session
    from controller.host.signals import StopSignals
    from controller.model.state import Move

_FOLLOW_SECONDS = 0.05
_BEGIN_SECONDS_MAX = 30.0
_REQUESTS_SECONDS = 0.5  # how often to look for requests, because no folder is watched


class _Limits(NamedTuple):
    max_parallel: MaxParallel
    min_free: int | None
    keep_finished: int
    keep_archive: int

    def words(self) -> Iterator[str]:
        """As options, for another process."""
        for name, value in self._asdict().items():
            if value not in (None, MaxParallel()):
                yield from (f"--{name.replace('_', '-')}", str(value))


def run(args: argparse.Namespace) -> int:
    """Run the workflows of the files; 0 if all succeeded, 128 + N if signal N cancelled them."""
    if not args.files and not args.asked:
        raise UsageError("run: name at least one FILE")
    if not args.detach:
        load_ahead(os.path.abspath(args.state))
    from controller.client.acting.run_requests import ask_to_run
    from controller.host.faults import show_faults

    is_new = args.searched and not os.path.isdir(args.state)
    try:
        names = frozenset(args.asked) or ask_to_run(
            args.state,
            args.files,
            specs=lambda: specs_folder(args.specs),
            max_bytes=args.max_spec_size,
            resume=args.resume,
            values=args.values,
            params_files=args.params,
            warn=show_faults,
        )
    except InvalidSpec as error:
        show_faults(error.faults, "nothing was started")
        return ExitCode.USAGE
    if is_new:
        complain(f"made {os.path.abspath(args.state)} for the state")
    parallel = args.max_parallel or MaxParallel()
    limits = _Limits(parallel, args.min_free, args.keep_finished, args.keep_archive)
    if args.detach:
        return _detach(args.state, names, limits)
    _start_shim(args.state)
    follower = _Follower(args, names)
    while True:
        try:
            return _drive(args, names, limits)
        except LockHeld:
            from controller.log.status_file import read_status

            pid = read_status(args.state).pid
            who = f" (pid {pid})" if pid else ""
            complain(f"a controller is already running{who}: it runs these workflows")
        code = follower.follow()
        if code is not None:
            return code
        complain("that controller has exited: continuing without it")


def _detach(state_dir: str, names: frozenset[str], limits: _Limits) -> int:
    """Start a background process in its own session; its output goes to the state folder.

    Returns when the workflows have begun, so that the next command finds them.
    """
    import subprocess

    from controller.client.acting.begun import refuse
    from controller.client.replica import Replica

    path = os.path.join(state_dir, "run.log")
    asked = [word for name in sorted(names) for word in ("--asked", name)]
    # -P: no file in the current folder is imported instead of a module of ours.
    command = [sys.executable, "-P", "-m", "controller.cli", "run", "--state", state_dir]
    try:
        with open(path, "ab") as output:
            process = subprocess.Popen(
                [*command, *limits.words(), *asked],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    replica = Replica(state_dir)
    until = time.monotonic() + _BEGIN_SECONDS_MAX
    while True:
        over = process.poll() is not None or time.monotonic() > until
        if all(name in replica.catch_up().requests for name in names):
            break
        if over:
            raise StorageError(f"the background process did not begin; {path} says why")
        time.sleep(_FOLLOW_SECONDS)
    refuse(replica.state, names)
    say(f"running in the background as pid {process.pid}; progress: {path}")
    return ExitCode.FINE


# ---------------------------------------- as the controller


def _drive(args: argparse.Namespace, names: frozenset[str], limits: _Limits) -> int:
    from controller.cli.progress import progress
    from controller.client.acting.begun import Begun
    from controller.host.session import Options, open_session
    from controller.host.signals import StopSignals

    options = Options(
        state=args.state,
        max_parallel=limits.max_parallel.machine,
        engines=limits.max_parallel.engines,
        min_free_bytes=limits.min_free,
        keep_finished=limits.keep_finished,
        keep_archive_bytes=limits.keep_archive,
        only_requests=names,
        ends_steps=True,
    )
    with StopSignals() as signals, open_session(options, signals) as session:
        state = session.controller.state
        begun = Begun(names, state)
        asked_to_cancel = False
        with progress(args, "ask", title=_title(args)) as shown:
            while not (begun.all_over(state) or shown.left == "detach"):
                session.turn()
                begun.note(session.controller.recorded)
                shown.show(session.news(begun.uids))
                if begun.all_over(state):
                    break
                if session.controller.settled() and begun.is_stuck(state):
                    break
                if signals.seen and not asked_to_cancel:
                    asked_to_cancel = True
                    _cancel(session, names, signals.last)
                else:
                    session.wait(shown.refresh_seconds or _REQUESTS_SECONDS, shown.keys())
            code: int | None = None
            if begun.is_stuck(state):
                code = ExitCode.FAILED
            elif begun.all_over(state):
                result = begun.result(state)
                code = 128 + signals.last if asked_to_cancel and result else result
            if code is not None:
                signals.keep()
            shown.bye(session.news(begun.uids), stopped=False, ended=0)
        if code is not None:
            return code
    return _detach(args.state, names, limits)


def _title(args: argparse.Namespace) -> str:
    return " ".join(args.files) or "run"


def _start_shim(state_dir: str) -> None:
    """Now that there is a state folder, so that the session does not wait for it."""
    from controller.clock import SystemClock

    with suppress(OSError):  # the session tries again, and reports the error
        start_if_none(os.path.abspath(state_dir), SystemClock().read().boot_id)


def _cancel(session: "Session", names: frozenset[str], number: int) -> None:
    """Ctrl-C cancels the workflows of this run, by a request, so that it is recorded.

    Of one whose steps have finished the hooks still run; a second Ctrl-C leaves them running.
    """
    from controller.model.observations import Request
    from controller.requests import drop, os_user

    ours = [
        life
        for life in session.controller.state.workflows.values()
        if life.request in names and not life.finished
    ]
    does, left = "cancelling", ""
    if all(life.is_ending for life in ours):
        does, left = "waiting for hooks", " and leaves them running"
    note = f"{signal.Signals(number).name}: {does}; another Ctrl-C exits at once{left}"
    session.controller.notes.append(note)
    for life in ours:
        if not life.is_ending:
            request = Request(
                kind="cancel",
                workflow=life.name,
                uid=life.uid,
                by=os_user(),
                reason=f"{signal.Signals(number).name} at treadle run",
            )
            drop(session.state_dir, request)


# ---------------------------------------- as a follower


class _Follower:
    """Follows the log while another controller runs the workflows."""

    def __init__(self, args: argparse.Namespace, names: frozenset[str]) -> None:
        from controller.client.acting.begun import Begun
        from controller.client.replica import Replica

        self._args = args
        self._replica = Replica(args.state)
        self._begun = Begun(names, self._replica.state)

    def follow(self) -> int | None:
        """Until all have finished, or a signal; None if the controller exits before that."""
        from controller.cli.progress import progress
        from controller.host.signals import StopSignals

        with (
            StopSignals() as signals,
            progress(self._args, "follow", title=_title(self._args)) as shown,
        ):
            code = self._follow(shown, signals)
            if code is not None:
                signals.keep()
                shown.bye(self._news([]), stopped=False, ended=0)
        if code is not None and not self._begun.all_over(self._replica.state):
            complain("stopped following; the workflow keeps running")
        return code

    def _follow(self, shown: "Progress", signals: "StopSignals") -> int | None:
        from controller.client.replica import ORPHANED_SECONDS, is_live

        seen = time.monotonic()
        while True:
            moves = []
            for folded in self._replica.news():
                self._begun.note([folded.record])
                moves += folded.moves
            shown.show(self._news(moves))
            if self._begun.all_over(self._replica.state):
                return self._begun.result(self._replica.state)
            if signals.seen or shown.left:
                return 128 + signals.last
            if is_live(self._args.state):
                seen = time.monotonic()
            elif time.monotonic() - seen > ORPHANED_SECONDS:
                return None
            time.sleep(_FOLLOW_SECONDS)

    def _news(self, moves: "Sequence[Move]") -> "News":
        from controller.client.replica import now
        from controller.host.news import News

        return News(
            state=self._replica.state,
            state_dir=self._args.state,
            now=now(),
            moves=moves,
            only=self._begun.uids,
        )
