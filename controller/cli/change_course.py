"""The commands that change the course of a workflow: `cancel` and `retry`.

Cancelling is a file, the marker NAME.cancel, so that it stands as long as the file does. Trying
anew is a request: it happens once.
"""

import argparse

from controller.cli.asking import ask, os_user, say_if_nobody_listens
from controller.cli.subject import read_state, require_folder, require_steps, subject
from controller.errors import ExitCode, NotFound, UsageError
from controller.folder.markers import Marker, remove_markers, write_marker
from controller.model.events import RequestApplied, StepReset
from controller.model.indexes import displace_marker
from controller.model.observations import Request
from controller.model.phases import TERMINAL
from controller.model.state import State, Workflow
from controller.planner.asked import answer
from controller.view.words import listed

# ---------------------------------------- cancel


def cancel(args: argparse.Namespace) -> int:
    """treadle cancel NAME [STEP…]: write the marker that the controller acts on."""
    state = read_state(args)
    name, life = subject(args, state)
    require_steps(life, args.steps)
    done = _already_over(life, args.steps)
    if done:
        print(f"{name}: {done}; nothing to cancel")
        return ExitCode.FINE
    if life is not None and life.origin == "run":
        return _cancel_run(args, state, life)
    require_folder(args, state)
    marker = Marker(reason=args.reason, steps=tuple(args.steps), drain=args.drain)
    path = write_marker(args.specs, name, marker, dry_run=args.dry_run)
    print(f"{_what(name, args.steps)}: {_cancelling(args)} ({path})")
    say_if_nobody_listens(args.state, args.dry_run)
    return ExitCode.FINE


def _cancel_run(args: argparse.Namespace, state: State, life: Workflow) -> int:
    """What `treadle run` began has no file to put a marker beside."""
    if args.dry_run:
        print(f"{_what(life.name, args.steps)}: {_cancelling(args)}")
        return ExitCode.FINE
    request = Request(
        kind="cancel",
        workflow=life.name,
        uid=life.uid,
        by=os_user(),
        steps=args.steps,
        reason=args.reason,
        drain=args.drain,
    )
    came = ask(args.state, state.seq, request)
    print(f"{_what(life.name, args.steps)}: {_cancelling(args)} ({came})")
    return ExitCode.FINE


def _what(name: str, steps: list[str]) -> str:
    return f"{name} ({listed(steps)})" if steps else name


def _cancelling(args: argparse.Namespace) -> str:
    if args.dry_run:
        return "would drain" if args.drain else "would cancel"
    return "draining" if args.drain else "cancelling"


def _already_over(life: Workflow | None, steps: list[str]) -> str:
    """Why there is nothing to cancel; a marker left then would only stop the next edit."""
    if life is None:
        return ""
    if life.finished:
        return f"has already ended as {life.phase}"
    if steps and all(life.steps[step].phase in TERMINAL for step in steps):
        return f"{listed(steps)} {'has' if len(steps) == 1 else 'have'} already ended"
    return ""


# ---------------------------------------- retry


def retry(args: argparse.Namespace) -> int:
    """treadle retry NAME [STEP…]: remove NAME's markers, then ask for fresh tries."""
    state = read_state(args)
    name, life = subject(args, state)
    if life is None:
        raise NotFound(f"{name}: no controller has seen a valid spec yet: nothing to retry")
    if life.origin == "folder":
        require_folder(args, state)
    require_steps(life, args.steps)
    request = Request(
        kind="retry",
        workflow=life.name,
        uid=life.uid,
        by=os_user(),
        steps=args.steps,
        downstream=args.downstream,
    )
    steps = _would_retry(state, request)
    # The marker goes first: killed in between, it stays cancelled, and `retry` works again.
    for path in remove_markers(args.specs, name, dry_run=args.dry_run):
        print(f"{name}: {'would remove' if args.dry_run else 'removed'} {path}")
    if args.dry_run:
        print(f"{name}: would retry {listed(steps)}")
        return ExitCode.FINE
    came = ask(args.state, state.seq, request)
    print(f"{name}: retrying {listed(steps)} ({came})")
    return ExitCode.FINE


def _would_retry(state: State, request: Request) -> list[str]:
    """The steps that the request will try anew, by the rule that will apply it."""
    for path in list(state.marked.get(request.workflow, ())):
        displace_marker(state, path)
    actions = answer(state, request)
    if actions is None:
        return request.steps or ["what is being ended now"]
    for action in actions:
        if isinstance(action, RequestApplied) and action.refused:
            raise UsageError(f"{request.workflow}: {action.refused}")
    return [action.step for action in actions if isinstance(action, StepReset)]
