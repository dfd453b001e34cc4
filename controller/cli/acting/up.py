"""`treadle up`: the controller in the foreground.

On a terminal it shows a live table, elsewhere a line for each phase that changes. After SIGINT or
SIGTERM running steps keep running, and the next controller adopts them; with `--end-steps` they are
stopped first, and the next controller tries them again.
"""

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from controller.cli.arguments import MaxParallel
from controller.cli.progress import progress
from controller.errors import ExitCode, UsageError
from controller.model.phases import WORKFLOW_TERMINAL, Phase, Reason
from controller.model.state import Move, State, Workflow
from controller.printing import complain
from controller.spec.placement import MACHINE
from controller.view.pools import stuck

if TYPE_CHECKING:
    from controller.host.lines import Progress
    from controller.host.session import Session
    from controller.view.live.choice import Leaving


def up(args: argparse.Namespace) -> int:
    """Run the specs folder until stopped, or with `--once` until everything has finished.

    `--once` that a signal stops before that ends with 128 and the number of the signal.
    """
    from controller.host.session import Options, open_session
    from controller.host.signals import StopSignals

    if args.fail_if_empty and not args.once:
        raise UsageError("up --fail-if-empty needs --once")
    if args.serve is not None:
        from controller.host.page import require_libraries

        require_libraries()
    parallel = args.max_parallel or MaxParallel()
    options = Options(
        state=args.state,
        specs=args.specs,
        max_parallel=parallel.machine,
        engines=parallel.engines,
        adopt_folder=args.adopt_folder,
        allow_insecure_specs=args.allow_insecure_specs,
        poll=args.poll,
        max_spec_bytes=args.max_spec_size,
        min_free_bytes=args.min_free,
        keep_finished=args.keep_finished,
        keep_archive_bytes=args.keep_archive,
        ends_steps=args.end_steps,
        if_held=args.if_held,
    )
    signals = StopSignals()
    leaving: Leaving = "end" if args.end_steps else "stop"
    with (
        open_session(options, signals) as session,
        progress(args, leaving, specs=args.specs) as shown,
        ExitStack() as stack,
    ):
        if args.serve is not None:
            stack.callback(session.serve(_words_for_page(args)).close)
        shown.hello(session.news())
        ends: dict[str, str] = {}  # how instances ended meanwhile, by uid: they may leave the state
        while not signals.seen:
            session.turn()
            if args.once:
                _note_ends(session.moves, ends)
            shown.show(session.news())
            if args.once and session.controller.settled():
                break
            session.wait(shown.refresh_seconds, shown.keys())
        ended = _end_steps(session, shown) if signals.seen and args.end_steps else 0
        left = Counter(
            end for uid, end in ends.items() if uid not in session.controller.state.lives
        )
        shown.bye(session.news()._replace(left=left), stopped=bool(signals.seen), ended=ended)
    if not args.once:
        return ExitCode.FINE
    if signals.seen:
        return 128 + signals.last
    if _is_empty(session):
        complain(f"no specs in {os.path.abspath(args.specs)}")
        if args.fail_if_empty:
            return ExitCode.USAGE
    return _exit_code(session, ends.values())


def _words_for_page(args: argparse.Namespace) -> list[str]:
    words = ["--listen", args.serve, "--specs", args.specs, "--state", args.state]
    return [*words, "--max-spec-size", str(args.max_spec_size)]


def _end_steps(session: "Session", shown: "Progress") -> int:
    """Stop all steps of this machine, except those that can't be stopped. Returns how many ran.

    Only a second Ctrl-C exits earlier.
    """
    running = len(session.news().running_here())
    session.controller.stopping = True
    session.turn()
    if running:
        shown.ending(running)  # it is durable now: the next controller would continue it
    shown.show(session.news())
    live = session.controller.state.live
    while any(attempt.slots == MACHINE and not attempt.is_stuck for attempt in live.values()):
        session.wait(shown.refresh_seconds, shown.keys())
        session.turn()
        shown.show(session.news())
    return running


def _is_empty(session: "Session") -> bool:
    state = session.controller.state
    return not state.rejected and all(life.origin != "folder" for life in state.workflows.values())


def _note_ends(moves: Iterable[Move], ends: dict[str, str]) -> None:
    """Keep `ends` true of the instances that have ended."""
    for move in moves:
        if move.step or "@" not in move.workflow:
            continue
        ends.pop(move.uid, None)
        if move.phase in WORKFLOW_TERMINAL and move.reason != Reason.SPEC_DELETED:
            ends[move.uid] = move.phase


_FAILED = (Phase.FAILED, Phase.CANCELLED)


def _exit_code(session: "Session", ends: Iterable[str]) -> ExitCode:
    """For `--once`: first a full disk counts, then a failed workflow, then bad specs.

    Of the instances only those count that have failed meanwhile.
    """
    state = session.controller.state
    if session.news().lacks_room():
        return ExitCode.STORAGE
    if any(end in _FAILED for end in ends) or any(
        _has_failed(life) or stuck(state, life) for life in _of_the_folder(state)
    ):
        return ExitCode.FAILED
    return ExitCode.USAGE if state.rejected or state.bad_markers else ExitCode.FINE


def _of_the_folder(state: State) -> Iterator[Workflow]:
    return (life for life in state.workflows.values() if life.origin != "run")


def _has_failed(life: Workflow) -> bool:
    return life.birth is None and life.phase in _FAILED
