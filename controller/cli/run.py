"""`treadle run FILE…`: drive just these workflows to the end, with progress.

The workflows go in as requests. If no controller holds the state folder, this process becomes one
that starts nothing else; beside a running controller it hands over and follows the log.
"""

import argparse
import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from controller.cli.options import common
from controller.cli.up import positive
from controller.errors import ExitCode, Fault, LockHeld, StorageError, UsageError
from controller.model.apply import apply
from controller.model.observations import Request
from controller.model.phases import Phase
from controller.model.state import Move, State, Workflow

if TYPE_CHECKING:
    from controller.cli.session import Session

_FOLLOW_SECONDS = 0.05
_REQUESTS_SECONDS = 0.5  # without a folder to watch, the requests are looked at this often


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "run",
        parents=[common()],
        help="drive the workflows of these files to the end",
        description="Drive just the workflows of these files to the end. They need not be in the "
        "specs folder. Each run begins a new life of a workflow; --resume goes on with the last.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--resume", action="store_true", help="go on with the last run of the name")
    parser.add_argument("--detach", action="store_true", help="in the background")
    parser.add_argument(
        "--max-parallel", type=positive, metavar="N", help="steps at once (default: cores)"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Drive the files' workflows; 0 if all succeeded."""
    wanted = list(_requests(args))
    if args.detach:
        return _detach(args)
    names = _drop(args.state, wanted)
    try:
        return _drive(args, names)
    except LockHeld:
        print("treadle: another controller holds the state folder: handed over", file=sys.stderr)
        return _follow(args.state, names)


def _requests(args: argparse.Namespace) -> Iterator[Request]:
    """One for each document; nothing is asked for if any file has a fault."""
    from controller.spec.load import load

    faults: list[Fault] = []
    for file in args.files:
        try:
            with open(file, "rb") as opened:
                data = opened.read()
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}") from error
        loaded = load(data, file)
        faults += loaded.faults
        for document in loaded.documents:
            yield Request(
                kind="run",
                workflow=document.workflow.metadata.name,
                by=getpass.getuser(),
                document=data.decode(errors="replace"),
                path=os.path.abspath(file),
                resume=args.resume,
            )
    if faults:
        raise UsageError("\n".join(str(fault) for fault in faults))


def _drop(state_dir: str, wanted: Sequence[Request]) -> frozenset[str]:
    from controller.log.state_folder import prepare_state
    from controller.requests import drop

    prepare_state(state_dir)
    return frozenset(drop(state_dir, request) for request in wanted)


def _detach(args: argparse.Namespace) -> int:
    """The same command again, in a session of its own; its output goes to the state folder."""
    from controller.log.state_folder import prepare_state

    prepare_state(args.state)
    path = os.path.join(args.state, "run.log")
    words = [word for word in sys.argv[1:] if word != "--detach"]
    try:
        with open(path, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "controller.cli", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    print(f"runs in the background as pid {process.pid}; its progress: {path}")
    return ExitCode.FINE


# ---------------------------------------- as the controller


def _drive(args: argparse.Namespace, names: frozenset[str]) -> int:
    from controller.cli.session import Options, StopSignals, open_session

    options = Options(state=args.state, max_parallel=args.max_parallel, only_requests=names)
    signals = StopSignals()
    with open_session(options) as session:
        state = session.controller.state
        asked_to_cancel = False
        while not _all_over(state, names):
            session.turn()
            _print(session.moves, state, names)
            if signals.seen and not asked_to_cancel:
                asked_to_cancel = True
                _cancel(session, names, signals.last)
                continue
            if not _all_over(state, names):
                session.wait(_REQUESTS_SECONDS)
        return _result(state, names)


def _cancel(session: "Session", names: frozenset[str], number: int) -> None:
    """Ctrl-C cancels what this run drives, on the record like any other cancellation."""
    from controller.requests import drop

    print(f"treadle: {signal.Signals(number).name}: cancelling", file=sys.stderr)
    for life in _lives(session.controller.state, names):
        if not life.finished:
            request = Request(
                kind="cancel",
                workflow=life.name,
                uid=life.uid,
                by=getpass.getuser(),
                reason=f"{signal.Signals(number).name} at treadle run",
            )
            drop(session.state_dir, request)


# ---------------------------------------- as a follower


def _follow(state_dir: str, names: frozenset[str]) -> int:
    """Until all of it is over, whoever drives it; Ctrl-C only stops following."""
    from controller.log.reader import Tail

    tail, state = Tail(state_dir), State()
    try:
        while not _all_over(state, names):
            for record in tail.poll():
                apply(state, record)
            _print(state.moves, state, names)
            state.moves.clear()
            time.sleep(_FOLLOW_SECONDS)
    except KeyboardInterrupt:
        print("treadle: stopped following; the workflow goes on", file=sys.stderr)
        return ExitCode.FINE
    return _result(state, names)


# ---------------------------------------- both


def _lives(state: State, names: frozenset[str]) -> list[Workflow]:
    return [life for life in state.lives.values() if life.request in names]


def _all_over(state: State, names: frozenset[str]) -> bool:
    if not all(name in state.requests for name in names):
        return False
    return all(life.finished for life in _lives(state, names))


def _print(moves: Sequence[Move], state: State, names: frozenset[str]) -> None:
    from controller.cli.progress import line

    for move in moves:
        life = state.lives[move.uid]
        if life.request in names and move.phase is not Phase.READY:
            print(line(move), flush=True)


def _result(state: State, names: frozenset[str]) -> ExitCode:
    refusals = [state.requests[name] for name in sorted(names) if state.requests[name]]
    if refusals:
        raise UsageError("; ".join(refusals))
    fine = all(life.phase is Phase.SUCCEEDED for life in _lives(state, names))
    return ExitCode.FINE if fine else ExitCode.FAILED
